"""Where a registration may begin. The start decides the outcome, so there are several."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk

from .head import Head

#: Names of the starts in the order of trying, with BRAINSFit's word for each.
STARTS = {
    "headers": "Off",
    "geometry": "useGeometryAlign",
    "moments": "useMomentsAlign",
}


def start_transform(name: str, fixed: Head, moving: Head) -> sitk.VersorRigid3DTransform:
    """The rigid transform a start stands for, turning about the reference head's centre.

    ``headers`` trusts both scans' positions; ``geometry`` lays the middles of both
    boxes on each other; ``moments`` the centroids of both heads.
    """
    shift = {
        "headers": np.zeros(3),
        "geometry": _middle(moving.image) - _middle(fixed.image),
        "moments": moving.center - fixed.center,
    }[name]
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter(fixed.center.tolist())
    transform.SetTranslation(shift.tolist())
    return transform


def distinct_starts(
    fixed: Head, moving: Head, apart_mm: float = 2.0
) -> Iterator[tuple[str, sitk.VersorRigid3DTransform]]:
    """Each start that differs from those before it by more than ``apart_mm``."""
    seen: list[np.ndarray] = []
    for name in STARTS:
        transform = start_transform(name, fixed, moving)
        shift = np.array(transform.GetTranslation())
        if all(np.linalg.norm(shift - other) > apart_mm for other in seen):
            seen.append(shift)
            yield name, transform


def _middle(image: sitk.Image) -> np.ndarray:
    index = [(n - 1) / 2 for n in image.GetSize()]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index))
