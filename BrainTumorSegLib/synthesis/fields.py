"""Random fields: drawn on every second millimetre, refined to voxels of 1 mm.

Arrays are ``[slice, row, column]``. What is smooth is computed on coarse nodes, which takes an
eighth of the time; node ``n`` lies on voxel ``COARSE * n``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy import fft, ndimage
from scipy.spatial import cKDTree

Array = np.ndarray

#: x, y, z of points in mm: columns, rows, slices.
Coordinates = tuple[Array, Array, Array]

#: Distance of coarse nodes in voxels.
COARSE = 2

#: How the texture of lesions is made; the second family is kept for held-out samples.
TEXTURES = ("gaussian", "cells")


def coarse_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Nodes of the coarse grid whose refinement covers ``shape`` voxels."""
    return tuple(-(-(n - 1) // COARSE) + 1 for n in shape)


def refine(field: Array) -> Array:
    """Interpolate a coarse field linearly; ``n`` nodes become ``2 * n - 1`` voxels."""
    for axis in (2, 1, 0):
        shape = list(field.shape)
        shape[axis] = COARSE * (shape[axis] - 1) + 1
        finer = np.empty(shape, np.float32)
        even, odd, first, last = ([slice(None)] * 3 for _ in range(4))
        even[axis], odd[axis] = slice(0, None, 2), slice(1, None, 2)
        first[axis], last[axis] = slice(0, -1), slice(1, None)
        finer[tuple(even)] = field
        between = finer[tuple(odd)]
        np.add(field[tuple(first)], field[tuple(last)], out=between)
        between *= 0.5
        field = finer
    return field


def refined(field: Array, shape: Sequence[int]) -> Array:
    """A coarse field on the voxels of ``shape``, see `coarse_shape`."""
    return refine(field)[tuple(slice(n) for n in shape)]


def coarse_noise(rng: np.random.Generator, nodes: Sequence[int], wavelength: float) -> Array:
    """Gaussian noise (mean 0, deviation 1) on coarse nodes, smooth over ``wavelength`` mm."""
    sigma = wavelength / 4 / COARSE
    scale = max(1.0, sigma)
    knots = rng.standard_normal([int(np.ceil(n / scale)) + 5 for n in nodes], dtype=np.float32)
    knots = ndimage.gaussian_filter(knots, sigma / scale, mode="wrap")
    knots /= knots.std()
    for axis, count in enumerate(nodes):
        knots = _stretch(knots, axis, 1 + np.arange(count) / scale)
    return knots


def _stretch(field: Array, axis: int, positions: Array) -> Array:
    """Catmull-Rom interpolation of ``field`` at ``positions`` along one axis."""
    base = np.floor(positions).astype(int)
    t = positions - base
    weights = (
        0.5 * t * (-1 + t * (2 - t)),
        0.5 * (2 + t * t * (3 * t - 5)),
        0.5 * t * (1 + t * (4 - 3 * t)),
        0.5 * t * t * (t - 1),
    )
    total = 0
    for offset, weight in enumerate(weights):
        index = np.clip(base - 1 + offset, 0, field.shape[axis] - 1)
        total = total + np.take(field, index, axis=axis) * along(weight.astype(np.float32), axis)
    return total


def along(line: Array, axis: int) -> Array:
    """A line of values shaped so that it broadcasts along one axis of a volume."""
    return line.reshape([-1 if own == axis else 1 for own in range(3)])


def noise(rng: np.random.Generator, shape: Sequence[int], wavelength: float) -> Array:
    """Gaussian noise (mean 0, deviation 1) on voxels, smooth over about ``wavelength`` mm."""
    if wavelength >= 3 * COARSE:
        return refined(coarse_noise(rng, coarse_shape(shape), wavelength), shape)
    return fine_noise(rng, shape, wavelength / 4)


def fine_noise(rng: np.random.Generator, shape: Sequence[int], sigma: float) -> Array:
    """White noise smoothed by a Gaussian of ``sigma`` voxels and scaled to deviation 1."""
    field = ndimage.gaussian_filter(rng.standard_normal(tuple(shape), dtype=np.float32), sigma)
    return field / max(float(field.std()), 1e-6)


def cells(rng: np.random.Generator, shape: Sequence[int], wavelength: float) -> Array:
    """Cellular noise (mean 0, deviation 1): distance to the nearest of scattered points.

    Source: Worley, "A cellular texture basis function", SIGGRAPH 1996.
    """
    nodes = coarse_shape(shape)
    extent = np.array(nodes) * COARSE
    count = max(8, int(np.prod((extent + 2 * wavelength) / wavelength)))
    points = rng.uniform(-wavelength, extent + wavelength, (count, 3))
    grid = np.stack(np.meshgrid(*(COARSE * np.arange(n) for n in nodes), indexing="ij"), -1)
    distance, _ = cKDTree(points).query(grid.reshape(-1, 3))
    field = refined(distance.reshape(nodes).astype(np.float32), shape)
    return (field - field.mean()) / max(float(field.std()), 1e-6)


def texture(
    rng: np.random.Generator, shape: Sequence[int], family: str, scale: float = 1.0
) -> Array:
    """Mottling of a lesion (mean 0, deviation about 1): a coarse and a fine component.

    Args:
        shape: voxels.
        family: one of `TEXTURES`.
        scale: stretches all wavelengths.
    """
    fine = noise(rng, shape, 3.2)
    if family == "cells":
        return 0.8 * cells(rng, shape, 9 * scale) + 0.35 * fine
    field = 0.62 * noise(rng, shape, 16 * scale) + 0.6 * noise(rng, shape, 7 * scale)
    return field + 0.35 * fine


class Labyrinth:
    """A periodic field whose zero set winds like sulci at a nearly constant distance.

    White noise is limited to one band of wavelengths and pressed towards plus and
    minus one over and over, which is the stationary pattern of a Turing system
    (Swift and Hohenberg, Phys. Rev. A 15:319, 1977).

    Args:
        wavelength: of the pattern in mm; neighbouring zero surfaces lie half of it apart.
        stretch: factors by which the pattern is longer along ``(x, y, z)``.

    The pattern repeats after ten wavelengths.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        wavelength: float,
        stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> None:
        self._step = wavelength / 8
        count = 80
        self._stretch = stretch
        frequency = np.fft.fftfreq(count) * 8
        half = np.fft.rfftfreq(count) * 8
        radius = np.sqrt(
            frequency[:, None, None] ** 2 + frequency[None, :, None] ** 2 + half[None, None] ** 2
        ).astype(np.float32)
        band = np.exp(-np.square((radius - 1) / np.float32(0.14)))
        field = rng.standard_normal((count,) * 3, dtype=np.float32)
        for _ in range(6):
            field = fft.irfftn(fft.rfftn(field) * band, s=field.shape)
            field = np.tanh(field * np.float32(2.5 / field.std()))
        band = np.exp(-np.square(np.maximum(radius - 1, 0) / np.float32(0.5)))
        self._field = fft.irfftn(fft.rfftn(field) * band, s=field.shape)

    def at(self, p: Coordinates) -> Array:
        """The field at points x, y, z in mm, roughly -1..1."""
        index = np.stack(
            [
                c / np.float32(self._step * s)
                for c, s in zip(p[::-1], self._stretch[::-1], strict=True)
            ]
        )
        return ndimage.map_coordinates(self._field, index, order=1, mode="grid-wrap")


def surface_distance(inside: Array) -> Array:
    """Distance in voxels from each voxel's centre to the mask's border voxels, negative inside."""
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    return sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=False)
    )


def slope_at(field: Array, node: Array, reach: int) -> Array:
    """Gradient ``(slice, row, column)`` of a field across ``reach`` nodes on either side."""
    slope = []
    for axis in range(3):
        ahead, behind = node.copy(), node.copy()
        ahead[axis] = min(node[axis] + reach, field.shape[axis] - 1)
        behind[axis] = max(node[axis] - reach, 0)
        span = max(1, ahead[axis] - behind[axis])
        slope.append((field[tuple(ahead)] - field[tuple(behind)]) / span)
    return np.array(slope)


def random_rotation(rng: np.random.Generator, max_degrees: float = 180.0) -> Array:
    """A 3x3 rotation about a random axis by a random angle."""
    axis = rng.standard_normal(3)
    axis /= np.linalg.norm(axis)
    angle = np.radians(rng.uniform(-max_degrees, max_degrees))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def frame(first: Array) -> Array:
    """A 3x3 rotation whose first column is this unit vector; column, row, slice order."""
    helper = np.eye(3)[int(np.argmin(np.abs(first)))]
    second = np.cross(first, helper)
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], axis=1)
