"""What the networks see of a head: the brain alone, or all within and at the skull.

A brain mask ends where a meningioma or a neurinoma begins, for it is no brain. So packs that know
heads see the convex hull of the mask, which holds what presses the brain aside from outside, and a
margin for the meninges, the internal auditory canal and the skull.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import image_matrix
from BrainTumorSegLib.core.masks import ends_of_rows

from .extraction import BrainMask

#: Skull and scalp together are seldom thicker.
MARGIN_MM = 15.0

#: The hull is what lies below the highest point of the mask in each of so many directions, which
#: leaves it less than half a millimeter too large.
_DIRECTIONS = 500

#: The distance from a hull hardly bends: it is computed on a lattice of this many mm.
_LATTICE_MM = 4.0


def field_of_view(brain: BrainMask, name: str) -> sitk.Image:
    """Where networks see a case, an unsigned 8-bit mask (0, 1) on the grid of the brain's mask.

    Scans whose skull was removed have nothing to see outside the brain.

    Args:
        name: one of `model_grid.FIELDS_OF_VIEW`.
    """
    if name == "brain" or brain.stripped:
        return brain.image
    return head_around(brain.image)


def head_around(brain: sitk.Image, margin_mm: float = MARGIN_MM) -> sitk.Image:
    """The convex hull of a mask, grown by a margin in mm.

    Args:
        brain: unsigned 8-bit mask (0, 1) on any grid, not empty.

    Returns:
        A mask on the same grid. What would lie beyond the grid is cut off.
    """
    directions = _directions()
    ends = _positions(brain, ends_of_rows(sitk.GetArrayViewFromImage(brain)))
    heights = (ends @ directions.T).max(axis=0)
    corners = _positions(brain, np.argwhere(np.ones((2, 2, 2))) * (np.array(brain.GetSize()) - 1))
    low, high = corners.min(axis=0), corners.max(axis=0)
    axes = [
        np.arange(start, end + _LATTICE_MM, _LATTICE_MM)
        for start, end in zip(low, high, strict=True)
    ]
    # One direction after the other: all distances of all points would take much memory.
    beyond = np.full([len(axis) for axis in axes], -np.inf)
    for (x, y, z), height in zip(directions, heights, strict=True):
        above = x * axes[0][:, None, None] + y * axes[1][:, None] + (z * axes[2] - height)
        np.maximum(beyond, above, out=beyond)
    distance = sitk.GetImageFromArray(beyond.T.astype(np.float32))
    distance.SetSpacing([_LATTICE_MM] * 3)
    distance.SetOrigin(low.tolist())
    identity = sitk.Transform(3, sitk.sitkIdentity)
    on_grid = sitk.Resample(distance, brain, identity, sitk.sitkLinear, 1e3)
    return sitk.Or(sitk.Cast(on_grid <= margin_mm, sitk.sitkUInt8), brain)


def _directions() -> np.ndarray:
    """Unit vectors ``[n, 3]`` spread evenly over the sphere, along a spiral of golden angles."""
    steps = np.arange(_DIRECTIONS) + 0.5
    height, turn = 1 - 2 * steps / _DIRECTIONS, steps * np.pi * (1 + 5**0.5)
    around = np.sqrt(1 - height**2)
    return np.column_stack([around * np.cos(turn), around * np.sin(turn), height])


def _positions(image: sitk.Image, indices: np.ndarray) -> np.ndarray:
    """LPS positions in mm of voxels ``(x, y, z)``."""
    matrix = image_matrix(image)
    return indices @ matrix[:3, :3].T + matrix[:3, 3]
