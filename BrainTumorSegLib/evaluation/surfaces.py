"""How near two surfaces are: HD95 and normalised surface Dice, through MONAI."""

from __future__ import annotations

import warnings
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np

#: Distance in mm within which surfaces count as the same: one voxel of the usual data.
NSD_TOLERANCE_MM = 1.0

#: HD95 in mm that BraTS gives where one mask is empty: the diagonal of its 240x240x155 grid.
BRATS_MISS_MM = 374.0


@dataclass(frozen=True)
class SurfaceScore:
    """Agreement of the surfaces of two masks.

    Attributes:
        hd95_mm: the larger of both 95th percentiles of the distances in mm from the
            border voxels of one mask to those of the other; None when a mask is empty.
        nsd: share of both surfaces, by area, that lies within `NSD_TOLERANCE_MM` of the
            other (Nikolov et al. 2018); 1 when both masks are empty, 0 when one is.
    """

    hd95_mm: float | None
    nsd: float


def surface_score(
    predicted: np.ndarray, truth: np.ndarray, spacing: SequenceOf[float]
) -> SurfaceScore:
    """Compare the surfaces of two boolean masks ``[slice, row, column]``.

    Args:
        predicted: mask.
        truth: mask of the same shape.
        spacing: mm between slices, rows, columns.
    """
    if not predicted.any() or not truth.any():
        return SurfaceScore(None, float(predicted.any() == truth.any()))
    import torch

    with warnings.catch_warnings():
        # MONAI's own calls use what it deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        from monai.metrics import compute_hausdorff_distance, compute_surface_dice

        box = bounding_box(predicted | truth)
        # A margin, so that a mask that fills its box has a surface all around.
        a, b = (torch.from_numpy(np.pad(m[box], 1))[None, None] for m in (predicted, truth))
        common = {"include_background": True, "spacing": tuple(float(s) for s in spacing)}
        hd95 = compute_hausdorff_distance(a, b, percentile=95, **common)
        nsd = compute_surface_dice(a, b, [NSD_TOLERANCE_MM], use_subvoxels=True, **common)
    return SurfaceScore(float(hd95), float(nsd))


def bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds all of a mask that is not empty."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        inside = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return tuple(box)
