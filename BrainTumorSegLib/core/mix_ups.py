"""Scans given in the wrong place, as far as a name and the voxels tell before registration.

What only registered scans tell lies in `preprocessing.doubts`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence as SequenceOf

import numpy as np
import SimpleITK as sitk

from .errors import InputError
from .sequences import Recognition, Sequence, Verdict

#: Rank correlation from which on two scans are one and the same, rescaled or resampled. Different
#: sequences of one patient reach 0.94 (35 real cases); one scan as 8 bit, with another gamma or
#: resampled to 1.5 or 2 mm keeps 0.97 and more in nearly all of them.
SAME_SCAN = 0.97

#: Voxels about this far apart are compared where two scans do not share a grid.
_COMPARED_MM = 2.0

#: A label map has no more values than this, and no scan so few.
_FEW_VALUES = 16

#: A parcellation may have as many; then at least this part of neighboring voxels is equal. In real
#: scans 0.17 is the most, in label maps 0.8 the least.
_MANY_LABELS, _EQUAL_NEIGHBORS = 256, 0.6

#: So many voxels are looked at.
_SAMPLE = 200_000

#: What cases are called without a name: it says nothing of the patient.
_NO_NAME = re.compile(r"(?:case|study)(?:-[0-9a-f]{8})?|visit-[0-9]+")

#: With fewer in the head nothing is said.
_LEAST = 100


def contradiction(
    title: str, sequence: Sequence, found: Recognition, silence_counts: bool = False
) -> str | None:
    """What to warn of when a scan says that it is something else than it was given as.

    Args:
        title: of the scan, for people.
        sequence: what it was given as.
        found: what its name or header says.
        silence_counts: whether to warn as well where a DICOM header should say it and does not.
    """
    if found.sequence is sequence:
        return None
    silent = found.verdict is Verdict.UNKNOWN or sequence in found.candidates
    # Most people call the scan after contrast agent just T1 where there is no other.
    silent = silent or (
        found.sequence is Sequence.T1 and sequence is Sequence.T1CE and found.contrast is None
    )
    if silent and not silence_counts:
        return None
    return f"{title} was given as {sequence.name}, although: {found.reason}"


def check_one_patient(visits: SequenceOf[tuple[str, str | None, str | None]]) -> list[str]:
    """What to warn of when visits that are compared might be of different patients.

    Args:
        visits: of each its source, the patient's identifier (hashed or not) if its scan tells
            it, and the name of the case if it has one.

    Returns:
        Warnings: names may differ for one patient.

    Raises:
        InputError: when two scans name different patients.
    """
    known = [(source, patient) for source, patient, _ in visits if patient]
    for source, patient in known[1:]:
        if patient != known[0][1]:
            raise InputError(
                f"{known[0][0]} and {source} are of different patients.",
                "Compare visits of one patient; mend the PatientID if they are.",
            )
    names = [(s, name) for s, _, name in visits if name and not _NO_NAME.fullmatch(name)]
    for source, name in names[1:]:
        if name != names[0][1]:
            return [
                f"{names[0][0]} is called “{names[0][1]}” and {source} “{name}”: make sure that "
                "both are of one patient."
            ]
    return []


def refuse_label_map(image: sitk.Image, name: str) -> None:
    """Refuse a segmentation or mask in the place of a scan.

    Args:
        image: 3D scalar image with finite values.
        name: begins the message.

    Raises:
        InputError: when it has only a few whole numbers as values, or more in uniform patches.
    """
    values = sitk.GetArrayViewFromImage(image)
    if len(np.unique(_sampled(values))) > _MANY_LABELS:
        return
    kinds = np.unique(values)
    if len(kinds) > _MANY_LABELS or (kinds != np.round(kinds)).any():
        return
    if len(kinds) > _FEW_VALUES:
        foreground = values[..., 1:] != kinds[0]
        equal = values[..., 1:] == values[..., :-1]
        if equal[foreground].mean() < _EQUAL_NEIGHBORS:
            return
    raise InputError(
        f"{name} has only {len(kinds)} different values: it is a segmentation or a mask.",
        "Give the scan itself.",
    )


def is_same_scan(a: sitk.Image, b: sitk.Image) -> bool:
    """Whether two images are one scan, up to brightness and contrast, data type or resampling."""
    if a.GetSize() == b.GetSize():
        x, y = (_sampled(sitk.GetArrayViewFromImage(image)) for image in (a, b))
        if _agreement(x, y) >= SAME_SCAN:
            return True
    coarse = _coarse(a)
    other = sitk.Resample(_coarse(b), coarse, sitk.Transform(), sitk.sitkLinear, np.nan)
    x, y = (sitk.GetArrayViewFromImage(image).ravel() for image in (coarse, other))
    shared = np.isfinite(y)
    return _agreement(_sampled(x[shared]), _sampled(y[shared])) >= SAME_SCAN


def _sampled(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)
    # Prime to the size of rows and slices, so that not one column is taken again and again.
    step = max(1, flat.size // _SAMPLE) | 1
    return flat[::step]


def _coarse(image: sitk.Image) -> sitk.Image:
    factors = [
        max(1, min(round(_COMPARED_MM / spacing), size // 8))
        for spacing, size in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    return sitk.BinShrink(sitk.Cast(image, sitk.sitkFloat32), factors)


def _agreement(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation over what is brighter than air in both; 0 where that is hardly anything."""
    if x.size < _LEAST:
        return 0.0
    head = _brighter_than_air(x) & _brighter_than_air(y)
    return rank_correlation(x[head], y[head]) if np.count_nonzero(head) >= _LEAST else 0.0


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation of two series of numbers; 0 where one is constant."""
    a, b = _ranks(x), _ranks(y)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else 0.0


def _brighter_than_air(values: np.ndarray) -> np.ndarray:
    low, high = (float(value) for value in np.percentile(values, [1, 99.5]))
    brighter: np.ndarray = values > low + 0.1 * (high - low)
    return brighter


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks in which equal values share their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: np.ndarray = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks
