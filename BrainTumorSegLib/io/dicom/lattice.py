"""Do two grids share their voxels, whatever the order and direction of their axes?"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .stack import Grid

#: Largest distance, in voxels, at which two positions still count as the same.
SAME_VOXEL = 0.01


def aligned(labels: sitk.Image, grid: Grid) -> tuple[np.ndarray, np.ndarray] | None:
    """Turn an image so that its axes run like those of a grid; no value is interpolated.

    Returns:
        The values as ``[slice, row, column]`` of the grid and the grid's index (x, y, z)
        of the first of them; None when voxels do not fall onto voxels.
    """
    own = geometry(labels)
    size = np.array(own.size)
    to_index = np.linalg.inv(_axes(grid))
    turn = to_index @ _axes(own)
    order = np.abs(turn).argmax(axis=1)
    whole = np.round(turn)
    if sorted(order.tolist()) != [0, 1, 2] or (np.abs(turn - whole) @ size).max() > SAME_VOXEL:
        return None
    signs = whole[np.arange(3), order]
    if (np.abs(signs) != 1).any():
        return None
    # SimpleITK counts axes x, y, z; arrays z, y, x.
    values = sitk.GetArrayViewFromImage(labels).transpose([2 - order[2 - i] for i in range(3)])
    values = values[tuple(slice(None, None, int(signs[2 - i])) for i in range(3))]
    first = to_index @ (np.array(own.origin) - np.array(grid.origin))
    corner = first + np.where(signs < 0, -(size[order] - 1), 0)
    if np.abs(corner - np.round(corner)).max() > SAME_VOXEL:
        return None
    return values, np.round(corner).astype(int)


def pasted(labels: sitk.Image, grid: sitk.Image) -> sitk.Image | None:
    """Put an image that covers part of a grid into an empty image on that grid.

    None when voxels do not fall onto voxels, or some lie outside.
    """
    placed = aligned(labels, geometry(grid))
    if placed is None:
        return None
    values, first = placed
    last = first + values.shape[::-1]
    if (first < 0).any() or (last > grid.GetSize()).any():
        return None
    result = np.zeros(grid.GetSize()[::-1], values.dtype)
    result[tuple(slice(a, b) for a, b in zip(first[::-1], last[::-1], strict=True))] = values
    image = sitk.GetImageFromArray(result)
    image.CopyInformation(grid)
    return image


def geometry(image: sitk.Image) -> Grid:
    """The grid of an image."""
    return Grid(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def shown(grid: Grid) -> str:
    """A grid in words, for messages."""
    size = "x".join(map(str, grid.size))
    spacing = " x ".join(f"{s:.3g}" for s in grid.spacing)
    origin = ", ".join(f"{o:.1f}" for o in grid.origin)
    return f"{size} voxels of {spacing} mm from ({origin})"


def _axes(grid: Grid) -> np.ndarray:
    return np.array(grid.direction).reshape(3, 3) * np.array(grid.spacing)
