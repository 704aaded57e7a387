"""Whether the labels of a case lie where its scans do: a wrong header trains without a sign."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import physical_bounds
from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.sequences import Sequence

from .cohort import LabeledCase

#: Part of the labelled voxels that may lie where no scan shows anything. In 34 labelled real
#: cases without skull there is none; a found brain may leave out a tumour at its surface.
MAX_OUTSIDE, MAX_OUTSIDE_FOUND_BRAIN = 0.05, 0.5

_REMEDY = "The labels must lie in the space of the T1CE scan: save them anew on its grid."


def check_placement(
    case: LabeledCase,
    labels: sitk.Image,
    images: Mapping[Sequence, sitk.Image],
    brain: sitk.Image | None = None,
) -> None:
    """Check where labels lie, by their header and by what is beneath them.

    Args:
        case: names the files.
        labels: as read, on any grid; 0 is background.
        images: the scans of the case as read.
        brain: mask on the grid of T1CE, where there is one.

    Raises:
        TrainingError: when labels have the voxels of a scan but lie elsewhere, or too many of
            them lie outside the brain.
    """
    _check_header(case, labels, images)
    if brain is None or not sitk.GetArrayViewFromImage(labels).any():
        return
    marked = sitk.Cast(labels != 0, sitk.sitkUInt8)
    nearest = sitk.sitkNearestNeighbor
    on_labels = sitk.Resample(brain, marked, sitk.Transform(), nearest, 0, sitk.sitkUInt8)
    voxels = sitk.GetArrayViewFromImage(marked) > 0
    outside = float((sitk.GetArrayViewFromImage(on_labels)[voxels] == 0).mean())
    stripped = case.preparation.brain == "stripped"
    if outside == 1:
        raise TrainingError(
            f"No labelled voxel of {case.labels} lies in the brain of case {case.name}.", _REMEDY
        )
    if outside > (MAX_OUTSIDE if stripped else MAX_OUTSIDE_FOUND_BRAIN):
        raise TrainingError(
            f"{100 * outside:.0f} % of the labelled voxels of {case.labels} lie outside the brain "
            f"of case {case.name}.",
            _REMEDY,
        )


def _check_header(
    case: LabeledCase, labels: sitk.Image, images: Mapping[Sequence, sitk.Image]
) -> None:
    """Labels with as many voxels as a scan were drawn on it, so that they must fill its box."""
    alike = {s: i for s, i in images.items() if sorted(i.GetSize()) == sorted(labels.GetSize())}
    apart = {}
    for sequence, image in alike.items():
        ends = zip(physical_bounds(labels), physical_bounds(image), strict=True)
        apart[sequence] = max(float(np.abs(own - its).max()) for own, its in ends)
        if apart[sequence] <= max(image.GetSpacing()):
            return
    if apart:
        nearest = min(apart, key=apart.__getitem__)
        raise TrainingError(
            f"The labels {case.labels} of case {case.name} have the voxels of its {nearest.name} "
            f"but lie {apart[nearest]:.0f} mm away from it.",
            _REMEDY,
        )
