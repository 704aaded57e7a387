"""Small questions about binary masks that several rooms ask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk


def mask_volume_ml(mask: sitk.Image) -> float:
    """Volume of everything above zero, in mL."""
    voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(mask)))
    return voxels * float(np.prod(mask.GetSpacing())) / 1000.0


def largest_component(mask: sitk.Image) -> sitk.Image:
    """The largest connected piece of a mask as an unsigned 8-bit mask."""
    pieces = sitk.RelabelComponent(sitk.ConnectedComponent(mask), sortByObjectSize=True)
    return sitk.Cast(pieces == 1, sitk.sitkUInt8)


@dataclass(frozen=True)
class Box:
    """A box of whole voxels of an image.

    Attributes:
        slices: where it lies in an array ``[slice, row, column]``.
    """

    slices: tuple[slice, ...]

    def cut(self, image: sitk.Image) -> sitk.Image:
        """That part of an image, in its place in space."""
        index = [s.start for s in reversed(self.slices)]
        size = [s.stop - s.start for s in reversed(self.slices)]
        return sitk.RegionOfInterest(image, size, index)


def whole_box(image: sitk.Image) -> Box:
    """All of an image."""
    return Box(tuple(slice(0, size) for size in reversed(image.GetSize())))


def mask_box(mask: sitk.Image) -> Box:
    """The smallest box around a mask that is not empty."""
    slices = bounding_box(sitk.GetArrayViewFromImage(mask) > 0)
    if slices is None:
        raise ValueError("The mask is empty.")
    return Box(slices)


def bounding_box(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...] | None:
    """The smallest box around what is true in an array of any dimension; None for nothing.

    Args:
        mask: boolean, or numbers of which all but zero count.
        margin: of so many elements around it, as far as the array goes.
    """
    slices = []
    for axis, size in enumerate(mask.shape):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        if not filled.size:
            return None
        slices.append(
            slice(max(0, int(filled[0]) - margin), min(size, int(filled[-1]) + 1 + margin))
        )
    return tuple(slices)


def ends_of_rows(mask: np.ndarray) -> np.ndarray:
    """Where the rows of a mask begin and end: every linear function is extreme at one of them.

    Args:
        mask: ``[slice, row, column]``, boolean, or 0 and other values.

    Returns:
        Voxels ``(x, y, z)``, ``[n, 3]``: all beginnings, then all ends.
    """
    inside = mask > 0
    rows = np.argwhere(inside.any(axis=2))
    filled = inside[rows[:, 0], rows[:, 1]]
    first, last = filled.argmax(axis=1), filled.shape[1] - 1 - filled[:, ::-1].argmax(axis=1)
    return np.concatenate([np.column_stack([end, rows[:, ::-1]]) for end in (first, last)])
