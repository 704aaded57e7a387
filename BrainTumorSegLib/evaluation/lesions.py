"""Lesion by lesion: which were found, which are false, how well the found ones agree.

Matching and counting are panoptica's, set up as in BraTS 2023: parts of the truth that lie
near to each other are one lesion; predicted parts belong to the lesion they agree best
with, several to one if need be; any overlap finds a lesion.
"""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.evaluation.surfaces import bounding_box

#: Parts of the truth up to about so many mm apart are one lesion: both are dilated by half
#: of it, and what then touches belongs together (BraTS 2023: three voxels of 1 mm).
MERGE_MM = 6.0

#: Lesions smaller than this are neither missed nor false (BraTS 2023: 50 voxels of 1 mm3).
LEAST_MM3 = 50.0


@dataclass(frozen=True)
class LesionScore:
    """Counts of lesions in one case.

    Attributes:
        found: lesions of the truth that the prediction overlaps.
        missed: lesions of the truth that it does not.
        false: predicted parts that belong to no lesion.
        f1: ``2 found / (2 found + missed + false)``; None without any lesion.
        dice: mean Dice over found, missed and false lesions, the latter two counting 0
            (BraTS 2023); None without any lesion.
    """

    found: int
    missed: int
    false: int
    f1: float | None
    dice: float | None


def lesion_score(
    predicted: np.ndarray, truth: np.ndarray, spacing: SequenceOf[float]
) -> LesionScore:
    """Compare two boolean masks ``[slice, row, column]`` lesion by lesion.

    Args:
        predicted: mask.
        truth: mask of the same shape.
        spacing: mm between slices, rows, columns.
    """
    union = predicted | truth
    if not union.any():
        return LesionScore(0, 0, 0, None, None)
    box = bounding_box(union)
    lesions, parts = _label(predicted[box], truth[box], spacing)
    if not lesions.any() and not parts.any():
        return LesionScore(0, 0, 0, None, None)
    (result,) = _evaluator().evaluate(parts, lesions).values()
    found, false, missed = int(result.tp), int(result.fp), int(result.fn)
    total = found + false + missed
    dice = float(result.sq_dsc) * found / total if found else 0.0
    return LesionScore(found, missed, false, 2 * found / (total + found), dice)


def _label(
    predicted: np.ndarray, truth: np.ndarray, spacing: SequenceOf[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Numbered lesions of the truth and numbered parts of the prediction, specks left out."""
    least = LEAST_MM3 / float(np.prod(spacing))
    lesions = _merged(truth, spacing)
    small = np.isin(lesions, np.flatnonzero(np.bincount(lesions.ravel()) < least))
    lesions[small] = 0
    parts = _components(predicted)
    voxels = np.bincount(parts.ravel())
    touching_lesion = np.zeros(len(voxels), bool)
    touching_lesion[np.unique(parts[lesions > 0])] = True
    touching_speck = np.zeros(len(voxels), bool)
    touching_speck[np.unique(parts[small & truth])] = True
    left_out = ~touching_lesion & (touching_speck | (voxels < least))
    parts[left_out[parts]] = 0
    # Counted anew without gaps: numbers of pieces must fit the matcher's small integers.
    return _renumbered(lesions), _renumbered(parts)


def _merged(truth: np.ndarray, spacing: SequenceOf[float]) -> np.ndarray:
    """Components of the truth after dilating it by half of `MERGE_MM`."""
    if not truth.any():
        return np.zeros(truth.shape, np.uint32)
    margin = [int(np.ceil(MERGE_MM / 2 / s)) + 1 for s in spacing]
    image = sitk.GetImageFromArray(np.pad(truth, [(m, m) for m in margin]).astype(np.uint8))
    image.SetSpacing([float(s) for s in reversed(spacing)])
    distance = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    near = sitk.GetArrayViewFromImage(distance) <= MERGE_MM / 2
    inner = tuple(slice(m, -m) for m in margin)
    return _components(near)[inner] * truth


def _components(mask: np.ndarray) -> np.ndarray:
    """Numbered parts that touch by face, edge or corner."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(mask, np.uint8))
    return sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True)).astype(np.uint32)


def _renumbered(labels: np.ndarray) -> np.ndarray:
    values, numbers = np.unique(np.append(labels.ravel(), 0), return_inverse=True)
    return numbers[:-1].reshape(labels.shape).astype(np.min_scalar_type(2 * len(values)))


@cache
def _evaluator() -> Any:
    from panoptica import InputType, Metric, NaiveThresholdMatching, Panoptica_Evaluator
    from panoptica.utils.citation_reminder import disable_citation_reminder

    # It prints to standard output, which belongs to our tables; the tables name panoptica.
    disable_citation_reminder()
    return Panoptica_Evaluator(
        expected_input=InputType.UNMATCHED_INSTANCE,
        instance_matcher=NaiveThresholdMatching(
            matching_metric=Metric.DSC,
            matching_threshold=0.0,
            strict_threshold=True,
            allow_many_to_one=True,
        ),
        instance_metrics=[Metric.DSC],
        global_metrics=[],
    )
