"""Random fields: smooth noise and labyrinths."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from BrainTumorSegLib.synthesis.grid import COARSE, Array, Coordinates, Grid


def smooth_noise(rng: np.random.Generator, grid: Grid, wavelength: float) -> Array:
    """Gaussian noise on the coarse nodes ``[z, y, x]``: mean 0, deviation 1, smooth over
    about ``wavelength`` mm.
    """
    step = COARSE * grid.spacing
    scale = max(1.0, wavelength / 4 / step)
    shape = [int(np.ceil(n / scale)) + 5 for n in reversed(grid.nodes)]
    knots = rng.standard_normal(shape, dtype=np.float32)
    knots = ndimage.gaussian_filter(knots, wavelength / 4 / step / scale, mode="wrap")
    knots /= knots.std()
    whole = knots
    for axis, count in enumerate(reversed(grid.nodes)):
        whole = _stretch(whole, axis, 1 + np.arange(count) / scale)
    return whole


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
    shape = [1, 1, 1]
    shape[axis] = len(positions)
    total = 0
    for offset, weight in enumerate(weights):
        index = np.clip(base - 1 + offset, 0, field.shape[axis] - 1)
        total = total + np.take(field, index, axis=axis) * weight.astype(np.float32).reshape(shape)
    return total


class Labyrinth:
    """A periodic field whose zero set winds like sulci at a nearly constant distance.

    White noise is limited to one band of wavelengths and pressed towards plus and
    minus one over and over, which is the stationary pattern of a Turing system
    (Swift and Hohenberg, Phys. Rev. A 15:319, 1977).

    Args:
        rng: source of chance.
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
