"""The grid on which anatomy is drawn: coarse for smooth fields, fine for what is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

#: Coarse nodes lie on every second fine node.
COARSE = 2

Array = np.ndarray
Coordinates = tuple[Array, Array, Array]


@dataclass(frozen=True)
class Box:
    """A part of the grid; bounds are counted in coarse nodes, the upper one excluded."""

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @property
    def coarse(self) -> tuple[slice, slice, slice]:
        """Slices ``[z, y, x]`` into a coarse array."""
        return _slices(self.low, self.high)

    @property
    def fine(self) -> tuple[slice, slice, slice]:
        """Slices ``[z, y, x]`` into a fine array."""
        return _slices(
            tuple(COARSE * n for n in self.low), tuple(COARSE * (n - 1) + 1 for n in self.high)
        )

    @property
    def fine_shape(self) -> tuple[int, int, int]:
        """Shape ``[z, y, x]`` of the fine part."""
        return tuple(s.stop - s.start for s in self.fine)


@dataclass(frozen=True)
class Grid:
    """Regular grid in RAS coordinates (mm; x to the right, y forward, z up).

    Attributes:
        origin: RAS position of the first node, ``(x, y, z)``.
        nodes: number of coarse nodes along ``(x, y, z)``.
        spacing: distance in mm of two fine nodes.
    """

    origin: tuple[float, float, float]
    nodes: tuple[int, int, int]
    spacing: float = 1.0

    @property
    def whole(self) -> Box:
        """The box that is the whole grid."""
        return Box((0, 0, 0), self.nodes)

    def box(self, x: Sequence[float], y: Sequence[float], z: Sequence[float]) -> Box:
        """The smallest box that holds the given ranges (mm), cut to the grid."""
        step = COARSE * self.spacing
        low, high = [], []
        for (first, last), start, count in zip((x, y, z), self.origin, self.nodes, strict=True):
            low.append(int(np.clip(np.floor((first - start) / step), 0, count - 2)))
            high.append(int(np.clip(np.ceil((last - start) / step) + 1, low[-1] + 2, count)))
        return Box(tuple(low), tuple(high))

    def coordinates(self) -> Coordinates:
        """RAS coordinates x, y, z of the coarse nodes, each ``[z, y, x]`` float32."""
        step = COARSE * self.spacing
        axes = [
            np.float32(start) + np.float32(step) * np.arange(count, dtype=np.float32)
            for start, count in zip(self.origin, self.nodes, strict=True)
        ]
        z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
        return x, y, z

    def image(self, array: Array) -> sitk.Image:
        """A fine array ``[z, y, x]`` as an image with its place in LPS space."""
        image = sitk.GetImageFromArray(array)
        image.SetSpacing([self.spacing] * 3)
        image.SetOrigin((-self.origin[0], -self.origin[1], self.origin[2]))
        image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
        return image


def refine(field: Array) -> Array:
    """Interpolate a coarse field ``[z, y, x]`` linearly to the fine nodes of its box."""
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


def part(coordinates: Coordinates, box: Box) -> Coordinates:
    """Fine coordinates of a box from the coarse coordinates of the grid."""
    x, y, z = (refine(c[box.coarse]) for c in coordinates)
    return x, y, z


def _slices(low: Sequence[int], high: Sequence[int]) -> tuple[slice, slice, slice]:
    (x, y, z), (X, Y, Z) = low, high
    return slice(z, Z), slice(y, Y), slice(x, X)
