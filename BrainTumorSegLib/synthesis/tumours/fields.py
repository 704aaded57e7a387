"""Random fields and rotated shapes on boxes of 1 mm voxels ``[slice, row, column]``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from BrainTumorSegLib.synthesis.grid import COARSE, Array, Coordinates, Grid, refine
from BrainTumorSegLib.synthesis.noise import smooth_noise
from BrainTumorSegLib.synthesis.shapes import ellipsoid

#: How lesion texture is made; the second family is kept for held-out samples.
TEXTURES = ("gaussian", "cells")


def coarse_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Nodes of the coarse grid whose refinement covers ``shape`` voxels."""
    return tuple(-(-(n - 1) // COARSE) + 1 for n in shape)


def refined(field: Array, shape: Sequence[int]) -> Array:
    """A coarse field on the voxels of ``shape``."""
    return refine(field)[tuple(slice(n) for n in shape)]


def coarse_noise(rng: np.random.Generator, nodes: Sequence[int], wavelength: float) -> Array:
    """Smooth noise (mean 0, deviation 1) on coarse nodes; wavelength in mm."""
    return smooth_noise(rng, Grid((0.0, 0.0, 0.0), tuple(reversed(nodes))), wavelength)


def noise(rng: np.random.Generator, shape: Sequence[int], wavelength: float) -> Array:
    """Gaussian noise (mean 0, deviation 1) that is smooth over about ``wavelength`` mm."""
    if wavelength >= 3 * COARSE:
        return refined(coarse_noise(rng, coarse_shape(shape), wavelength), shape)
    field = rng.standard_normal(tuple(shape), dtype=np.float32)
    field = ndimage.gaussian_filter(field, wavelength / 4)
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
        rng: source of chance.
        shape: voxels.
        family: one of `TEXTURES`.
        scale: stretches all wavelengths.
    """
    fine = noise(rng, shape, 3.2)
    if family == "cells":
        return 0.8 * cells(rng, shape, 9 * scale) + 0.35 * fine
    field = 0.62 * noise(rng, shape, 16 * scale) + 0.6 * noise(rng, shape, 7 * scale)
    return field + 0.35 * fine


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


def offsets(origin: Sequence[float], shape: Sequence[int], centre: Sequence[float]) -> Coordinates:
    """Open grids ``x, y, z`` (mm, column, row, slice order) of voxels relative to a centre.

    Args:
        origin: first voxel ``(slice, row, column)``.
        shape: voxels along the same axes.
        centre: ``(slice, row, column)`` position that becomes zero.
    """
    z, y, x = (
        (np.arange(n, dtype=np.float32) + np.float32(o - c)).reshape(
            [-1 if axis == own else 1 for axis in range(3)]
        )
        for own, (n, o, c) in enumerate(zip(shape, origin, centre, strict=True))
    )
    return x, y, z


def turned_ellipsoid(
    p: Coordinates, centre: Sequence[float], semi: Array, rotation: Array
) -> Array:
    """Distance (mm) to an ellipsoid with half axes ``semi`` along the columns of ``rotation``.

    ``p`` and ``centre`` are in column, row, slice order.
    """
    shifted = [c - np.float32(m) for c, m in zip(p, centre, strict=True)]
    turned = tuple(
        sum(np.float32(rotation[row, axis]) * shifted[row] for row in range(3)) for axis in range(3)
    )
    return ellipsoid(turned, (0.0, 0.0, 0.0), tuple(float(s) for s in semi))
