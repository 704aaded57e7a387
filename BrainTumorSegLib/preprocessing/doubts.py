"""What registered scans of a case say against themselves: exchanged ones, and ends in the brain.

Whatever brings scans to the model grid, a run or a training, asks here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.mix_ups import rank_correlation
from BrainTumorSegLib.core.sequences import Sequence

from .swapped_t1 import t1_t1ce_swapped

#: By this much more two scans must agree than those given as T1 and T1CE. In the right order those
#: always agree best, by 0.12 or more in each of 34 registered real cases.
FLAIR_MARGIN = 0.1

#: Only tissue is compared: the darkest and brightest parts, fluid and vessels or tumour, are alike
#: in all sequences. In percent of the brain of each scan.
_TISSUE = (20.0, 95.0)

#: What varies over longer distances in mm is coil sensitivity or tumour rather than grey and
#: white matter.
_DETAIL_MM = 12.0

#: So many slices are compared, and so many of their voxels.
_SLICES, _VOXELS = 40, 50_000

_LEAST_VOXELS = 1000

#: Part of the brain that a scan must lack to be worth a warning. Tilted slices lack up to 0.01 at
#: the top and bottom of a brain that they show.
MISSING_SHARE = 0.02


def missing_shares(
    volumes: Mapping[Sequence, np.ndarray], brain: np.ndarray
) -> dict[Sequence, float]:
    """`missing_share` of every scan."""
    return {sequence: missing_share(volume, brain) for sequence, volume in volumes.items()}


def doubts_about_scans(
    case: Case,
    volumes: Mapping[Sequence, np.ndarray],
    brain: np.ndarray,
    pixel_mm: float,
    missing: Mapping[Sequence, float] | None = None,
) -> list[str]:
    """Warnings about registered scans: which may be exchanged, and which end inside the brain.

    Args:
        case: names the scans.
        volumes: scans on one axial grid, ``[slice, row, column]``; NaN beyond their ends.
        brain: boolean mask of the same shape.
        pixel_mm: side of a pixel in its plane.
        missing: from `missing_shares`, where it is known already.
    """
    sources = {s: f"{s.name} ({case.scans[s].source})" for s in volumes}
    found = []
    mistaken = mistaken_for_flair(volumes, brain, pixel_mm)
    if mistaken is not None:
        found.append(
            f"{sources[mistaken]} looks like a FLAIR and {sources[Sequence.FLAIR]} like a T1: "
            "were they exchanged?"
        )
    elif {Sequence.T1, Sequence.T1CE} <= volumes.keys():
        t1, t1ce = volumes[Sequence.T1], volumes[Sequence.T1CE]
        if t1_t1ce_swapped(t1, t1ce, brain & np.isfinite(t1) & np.isfinite(t1ce)):
            found.append(
                f"{sources[Sequence.T1]} looks contrast-enhanced and {sources[Sequence.T1CE]} "
                "does not: were they exchanged?"
            )
    for sequence, share in (missing or missing_shares(volumes, brain)).items():
        if share >= MISSING_SHARE:
            found.append(
                f"{sources[sequence]} ends inside the brain: it does not show "
                f"{100 * share:.0f} % of it, where the result is less certain."
            )
    return found


def mistaken_for_flair(
    volumes: Mapping[Sequence, np.ndarray], brain: np.ndarray, pixel_mm: float
) -> Sequence | None:
    """Which of the scans given as T1 and T1CE looks like the FLAIR, where the FLAIR does not.

    In small detail T1 and T1CE show white matter brighter than grey, FLAIR darker. So the two
    that agree best, by Spearman's correlation of what is left after smoothing, are T1 and T1CE.

    Args:
        volumes: registered scans ``[slice, row, column]``, any unit; NaN where there is none.
        brain: boolean mask of the same shape.
        pixel_mm: side of a pixel in its plane.

    Returns:
        None when all is right, a sequence is missing, or there is too little brain to judge.
    """
    if len(volumes) < len(Sequence):
        return None
    step = max(1, len(brain) // _SLICES)
    chosen = {s: volume[step // 2 :: step] for s, volume in volumes.items()}
    inside = brain[step // 2 :: step] & np.isfinite(np.stack(list(chosen.values()))).all(axis=0)
    if np.count_nonzero(inside) < _LEAST_VOXELS:
        return None
    tissue = inside.copy()
    for volume in chosen.values():
        low, high = np.percentile(volume[inside], _TISSUE)
        tissue &= (volume >= low) & (volume <= high)
    if np.count_nonzero(tissue) < _LEAST_VOXELS:
        return None
    detail = {s: _detail(volume, tissue, _DETAIL_MM / pixel_mm) for s, volume in chosen.items()}
    t1s = rank_correlation(detail[Sequence.T1], detail[Sequence.T1CE])
    # Two that agree are both T1-weighted: the third is the FLAIR.
    others = {
        Sequence.T1CE: rank_correlation(detail[Sequence.T1], detail[Sequence.FLAIR]),
        Sequence.T1: rank_correlation(detail[Sequence.T1CE], detail[Sequence.FLAIR]),
    }
    mistaken = max(others, key=others.__getitem__)
    return mistaken if others[mistaken] > t1s + FLAIR_MARGIN else None


def _detail(volume: np.ndarray, tissue: np.ndarray, sigma: float) -> np.ndarray:
    """What differs from the tissue around it in the slice, at some of the tissue's voxels."""
    values = np.where(tissue, volume, 0).astype(np.float32)
    around = ndimage.gaussian_filter(values, (0, sigma, sigma))
    weight = ndimage.gaussian_filter(tissue.astype(np.float32), (0, sigma, sigma))
    found = (values - around / np.maximum(weight, 1e-3))[tissue]
    return found[:: max(1, found.size // _VOXELS)]


def missing_share(volume: np.ndarray, brain: np.ndarray) -> float:
    """The part of the brain that a scan does not show, 0 to 1.

    Not shown is what lies beyond the scan's end, and slices, rows or columns at its ends in which
    the brain has one and the same value: they were added to bring the scan to another grid.

    Args:
        volume: scan ``[slice, row, column]``; NaN beyond its end.
        brain: boolean mask of the same shape.
    """
    everything = np.count_nonzero(brain)
    if not everything:
        return 0.0
    missing = brain & ~np.isfinite(volume)
    low, high = np.fmin.reduce(volume[brain]), np.fmax.reduce(volume[brain])
    shown = brain & ~missing & (volume > low + 1e-3 * (high - low))
    for axis in range(3):
        planes = shown.any(axis=tuple(other for other in range(3) if other != axis))
        if planes.any():
            first, last = np.flatnonzero(planes)[[0, -1]]
            padded = np.moveaxis(missing, axis, 0)
            whole = np.moveaxis(brain, axis, 0)
            padded[:first] |= whole[:first]
            padded[last + 1 :] |= whole[last + 1 :]
    return float(np.count_nonzero(missing) / everything)
