"""Telling necrosis from non-enhancing tumour where the truth merges them.

Almost all public labels merge both into one "core". Left alone, nothing tells a
network which of the two an ambiguous voxel is. Two situations hardly leave a
doubt, by the definitions of the BraTS labels themselves (Menze et al. 2015,
section III-C): core enclosed by an enhancing rim is necrosis, and the core of a
tumour that does not enhance at all is non-enhancing tumour. Those voxels get a
single label; everything else stays a set. Weak labels are for training only:
no score is ever computed on them.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.tissue import Tissue

_NECROSIS = 1 << int(Tissue.NECROSIS)
_NON_ENHANCING = 1 << int(Tissue.NON_ENHANCING)
_ENHANCING = 1 << int(Tissue.ENHANCING)
_CORE = _NECROSIS | _NON_ENHANCING

#: Gaps in the rim up to twice this are closed before looking for what it encloses.
RIM_CLOSING_MM = 2.0

#: Less enhancing tumour than this is a vessel or noise rather than a rim.
MIN_ENHANCING_MM3 = 50.0


def separate_core(allowed: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Narrow ambiguous core voxels where the situation is clear.

    Args:
        allowed: uint8 ``[slice, row, column]`` of tissue bits.
        spacing: mm a voxel, ``(slice, row, column)``.

    Returns:
        A copy in which some ``necrosis | non-enhancing`` voxels allow only one.
    """
    result = allowed.copy()
    ambiguous = allowed == _CORE
    if not ambiguous.any():
        return result
    rim = allowed == _ENHANCING
    if rim.sum() * float(np.prod(spacing)) < MIN_ENHANCING_MM3:
        result[ambiguous] = _NON_ENHANCING
        return result
    enclosed = np.zeros_like(rim)
    radius = max(1, round(RIM_CLOSING_MM / spacing[1]))
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = rows**2 + columns**2 <= radius**2
    for index in np.flatnonzero(rim.any(axis=(1, 2))):
        closed = ndimage.binary_closing(np.pad(rim[index], radius), disk)
        filled = ndimage.binary_fill_holes(closed)[radius:-radius, radius:-radius]
        enclosed[index] = filled
    result[ambiguous & enclosed] = _NECROSIS
    return result
