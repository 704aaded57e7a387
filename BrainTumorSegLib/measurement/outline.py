"""The outline of a mask in one slice, finer than its voxels.

Places are ``(row, column)`` in voxels, a voxel's middle at whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

#: Binomial weights, about a Gaussian of one voxel: flat edges stay where they are.
_WEIGHTS = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16

#: How much nearer to its own side than the outline a voxel lies at least.
_APART = 1e-3

#: Length in voxels of both edges that make a corner one of the lesion, and no step of a slant.
_CORNER_RUN = 3

_PAD = _CORNER_RUN + 1

#: Which sides of a square between four voxels a piece joins, by which of them lie inside: 8 for
#: the upper left one, 4 upper right, 2 lower left, 1 lower right. Two that touch at a corner
#: (6 and 9) are joined, as lesions are.
_PIECES = {
    ("right", "bottom"): (1, 14, 6),
    ("left", "bottom"): (2, 13, 9),
    ("top", "right"): (4, 11, 9),
    ("top", "left"): (8, 7, 6),
    ("left", "right"): (3, 12),
    ("top", "bottom"): (5, 10),
}


@dataclass(frozen=True)
class Outline:
    """Where a mask ends.

    Attributes:
        edges: straight pieces, ``[piece, end, (row, column)]``; all together are the outline.
        points: their ends, each once, ``[point, (row, column)]``.
    """

    edges: np.ndarray
    points: np.ndarray


def find_outline(mask: np.ndarray) -> Outline:
    """The outline of a mask, between the middles of voxels on either side of it.

    It runs at the level one half of the mask after light smoothing (marching squares, Lorensen
    and Cline 1987, in two dimensions), which brings the steps of a slanted or round border to
    where the border was, within about half a voxel; no voxel changes sides by it. The corners
    of straight edges are kept sharp.

    Args:
        mask: boolean ``[row, column]``, not empty.
    """
    inside = np.pad(mask.astype(bool), _PAD)
    field = inside.astype(float)
    for axis in (0, 1):
        field = ndimage.correlate1d(field, _WEIGHTS, axis=axis, mode="constant")
    field = np.where(inside, np.maximum(field, 0.5 + _APART), np.minimum(field, 0.5 - _APART))
    corners = _corners(inside)
    sharp = ndimage.binary_dilation(np.pad(corners, (0, 1)), np.ones((6, 6)), origin=(-1, -1))
    field[sharp] = inside[sharp]
    # Where the outline meets each side of the square between the middles of four voxels.
    rows, columns = np.indices(tuple(n - 1 for n in inside.shape))
    across, down = _crossing(field[:, :-1], field[:, 1:]), _crossing(field[:-1], field[1:])
    meets = {
        "top": np.stack([rows, columns + across[:-1]], -1),
        "bottom": np.stack([rows + 1, columns + across[1:]], -1),
        "left": np.stack([rows + down[:, :-1], columns], -1),
        "right": np.stack([rows + down[:, 1:], columns + 1], -1),
    }
    bits = inside.astype(np.uint8)
    case = 8 * bits[:-1, :-1] + 4 * bits[:-1, 1:] + 2 * bits[1:, :-1] + bits[1:, 1:]
    edges = []
    for (first, second), cases in _PIECES.items():
        where = np.isin(np.arange(16), cases)[case]
        plain, sharp = where & ~corners, where & corners
        edges.append(np.stack([meets[first][plain], meets[second][plain]], 1))
        middle = np.argwhere(sharp) + 0.5
        edges.append(np.stack([meets[first][sharp], middle], 1))
        edges.append(np.stack([middle, meets[second][sharp]], 1))
    found = np.concatenate(edges) - _PAD
    return Outline(found, np.unique(found.reshape(-1, 2).round(9), axis=0))


def _crossing(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where between two neighbors, 0 to 1, the field passes one half, if it does."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (first - 0.5) / (first - second)


def _corners(inside: np.ndarray) -> np.ndarray:
    """The squares between four voxels in which two straight edges meet in a convex corner."""
    found = np.zeros(tuple(n - 1 for n in inside.shape), bool)
    rows, columns = np.nonzero(inside & ~ndimage.binary_erosion(inside))
    for up in (-1, 1):
        for aside in (-1, 1):
            fits = ~inside[rows + up, columns + aside]
            for step in range(_CORNER_RUN):
                row, column = rows - up * step, columns - aside * step
                fits &= inside[rows, column] & ~inside[rows + up, column]
                fits &= inside[row, columns] & ~inside[row, columns + aside]
            first_row = rows[fits] + min(up, 0)
            first_column = columns[fits] + min(aside, 0)
            found[first_row, first_column] = True
    return found
