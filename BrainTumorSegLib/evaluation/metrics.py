"""How one segmentation agrees with reference labels: Dice, surfaces, and lesion by lesion.

Masks are boolean ``[slice, row, column]``, spacings mm between slices, rows, columns.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.core.volumes import SCORED, dice, reference_mask, tissue_mask
from BrainTumorSegLib.measurement.lesions import components

#: What can be measured, and the package that does it; Dice needs none.
MEASURES: Mapping[str, str | None] = {"dice": None, "surface": "monai", "lesions": "panoptica"}

#: The regions; they alone are scored lesion by lesion, as in BraTS.
REGIONS = tuple(region.name for region in Region)

#: Distance in mm within which surfaces count as the same: one voxel of the usual data.
NSD_TOLERANCE_MM = 1.0

#: HD95 in mm that BraTS gives where one mask is empty: the diagonal of its 240x240x155 grid.
BRATS_MISS_MM = 374.0

#: Parts of the reference up to about this far apart are one lesion: both are dilated by half
#: of it, and what then touches belongs together (BraTS 2023: three voxels of 1 mm).
MERGE_MM = 6.0

#: Lesions smaller than this are neither missed nor false (BraTS 2023: 50 voxels of 1 mm3).
MIN_LESION_MM3 = 50.0


@dataclass(frozen=True)
class GroupScore:
    """Scores of one group of tissues in one case; None what is undefined or was not measured.

    Attributes:
        dice: 3D Dice; empty against empty is 1, empty against something 0 (BraTS).
        both: voxels that prediction and reference share.
        predicted: voxels of the prediction.
        reference: voxels of the reference.
        voxel_ml: volume of a voxel in mL.
        hd95_mm, nsd: see `surface_score`.
        lesions_found, lesions_missed, lesions_false, lesion_f1, lesion_dice: see `lesion_score`.
    """

    dice: float
    both: int
    predicted: int
    reference: int
    voxel_ml: float
    hd95_mm: float | None = None
    nsd: float | None = None
    lesions_found: int | None = None
    lesions_missed: int | None = None
    lesions_false: int | None = None
    lesion_f1: float | None = None
    lesion_dice: float | None = None

    @property
    def predicted_ml(self) -> float:
        """Volume of the prediction in mL."""
        return self.predicted * self.voxel_ml

    @property
    def reference_ml(self) -> float:
        """Volume of the reference in mL."""
        return self.reference * self.voxel_ml


@dataclass(frozen=True)
class CaseScore:
    """Scores of one case in one arm of a comparison.

    Attributes:
        arm: name of the arm, see `runs.Arm`.
        pack: name of the pack.
        tta: name of the TTA.
        members: names of the members that segmented the case.
        case: its name.
        group: its kind, for means by group.
        fold: of the case; None when no member was trained on it.
        groups: scores by key of `core.volumes.SCORED`; None where the reference cannot tell.
        condition: key of the condition of the scans, see `conditions`.
        against: name of the arm that this one is compared with; empty for the first.
    """

    arm: str
    pack: str
    tta: str
    members: tuple[str, ...]
    case: str
    group: str
    fold: int | None
    groups: Mapping[str, GroupScore | None]
    condition: str = "as-is"
    against: str = ""

    def dice(self, name: str) -> float | None:
        """Dice of a group; None where the reference cannot tell."""
        score = self.groups[name]
        return None if score is None else score.dice

    def volume_ml(self, name: str) -> float:
        """Volume of a group in mL, as predicted; only where the reference can tell."""
        return self.groups[name].predicted_ml

    @property
    def tumor_free(self) -> bool:
        """Whether the reference says that there is no tumor at all."""
        whole = self.groups["WT"]
        return whole is not None and whole.reference == 0

    @property
    def false_enhancing_ml(self) -> float:
        """Enhancing tumor in mL found where the reference has none at all."""
        score = self.groups["ET"]
        return score.predicted_ml if score is not None and score.reference == 0 else 0.0


def score_labels(
    labels: np.ndarray,
    allowed: np.ndarray,
    spacing: SequenceOf[float],
    measures: Collection[str] = ("dice",),
) -> dict[str, GroupScore | None]:
    """Score a label map against reference labels that are given as sets of allowed tissues.

    Args:
        labels: values of `Tissue`, ``[slice, row, column]``.
        allowed: tissue bits of the same shape, see `io.labelmaps.allowed_tissues`.
        spacing: mm between slices, rows, columns.
        measures: keys of `MEASURES`; Dice is always taken.

    Returns:
        Scores by key of `core.volumes.SCORED`; None where the reference cannot tell.
    """
    voxel_ml = float(np.prod(spacing)) / 1000.0
    scores: dict[str, GroupScore | None] = {}
    for name, tissues in SCORED.items():
        reference = reference_mask(allowed, tissues)
        if reference is None:
            scores[name] = None
            continue
        predicted = tissue_mask(labels, tissues)
        measured: dict[str, Any] = {}
        if "surface" in measures:
            measured |= surface_score(predicted, reference, spacing)
        if "lesions" in measures and name in REGIONS:
            measured |= lesion_score(predicted, reference, spacing)
        scores[name] = GroupScore(
            dice=dice(predicted, reference),
            both=int((predicted & reference).sum()),
            predicted=int(predicted.sum()),
            reference=int(reference.sum()),
            voxel_ml=voxel_ml,
            **measured,
        )
    return scores


def surface_score(
    predicted: np.ndarray, reference: np.ndarray, spacing: SequenceOf[float]
) -> dict[str, float | None]:
    """Compare the surfaces of two masks of one shape, through MONAI.

    Returns:
        ``hd95_mm``: the larger of both 95th percentiles of the distances in mm from the
        border voxels of one mask to those of the other; None when a mask is empty. ``nsd``:
        share of both surfaces, by area, that lies within `NSD_TOLERANCE_MM` of the other
        (Nikolov et al. 2018); 1 when both masks are empty, 0 when one is.
    """
    if not predicted.any() or not reference.any():
        return {"hd95_mm": None, "nsd": float(predicted.any() == reference.any())}
    import torch

    with warnings.catch_warnings():
        # MONAI's own calls use what it deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        from monai.metrics import compute_hausdorff_distance, compute_surface_dice

        # A margin, so that a mask that fills its box has a surface all around.
        masks = (np.pad(mask, 1) for mask in _cropped(predicted, reference))
        a, b = (torch.from_numpy(mask)[None, None] for mask in masks)
        common = {"include_background": True, "spacing": tuple(float(s) for s in spacing)}
        hd95 = compute_hausdorff_distance(a, b, percentile=95, **common)
        nsd = compute_surface_dice(a, b, [NSD_TOLERANCE_MM], use_subvoxels=True, **common)
    return {"hd95_mm": float(hd95), "nsd": float(nsd)}


def lesion_score(
    predicted: np.ndarray, reference: np.ndarray, spacing: SequenceOf[float]
) -> dict[str, float | None]:
    """Compare two masks of one shape lesion by lesion.

    Matching and counting are panoptica's, set up as in BraTS 2023: parts of the reference that
    are close to each other are one lesion; predicted parts belong to the lesion they agree best
    with, several to one if need be; any overlap finds a lesion.

    Returns:
        ``lesions_found``: lesions of the reference that the prediction overlaps;
        ``lesions_missed``: those that it does not; ``lesions_false``: predicted parts that
        belong to no lesion; ``lesion_f1``: ``2 found / (2 found + missed + false)``;
        ``lesion_dice``: mean Dice over found, missed and false lesions, the latter two counting
        0 (BraTS 2023). The last two are None without any lesion.
    """
    counts = dict.fromkeys(("lesions_found", "lesions_missed", "lesions_false"), 0)
    nothing = {**counts, "lesion_f1": None, "lesion_dice": None}
    if not predicted.any() and not reference.any():
        return nothing
    # A margin, so that dilation does not end at the border of the box.
    margin = [(n, n) for n in np.ceil(MERGE_MM / 2 / np.asarray(spacing)).astype(int) + 1]
    masks = (np.pad(mask, margin) for mask in _cropped(predicted, reference))
    lesions, parts = _numbered(*masks, spacing)
    if not lesions.any() and not parts.any():
        return nothing
    (result,) = _evaluator().evaluate(parts, lesions).values()
    found, false, missed = int(result.tp), int(result.fp), int(result.fn)
    total = found + false + missed
    return {
        **dict(zip(counts, (found, missed, false), strict=True)),
        "lesion_f1": 2 * found / (total + found),
        "lesion_dice": float(result.sq_dsc) * found / total if found else 0.0,
    }


def _cropped(predicted: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both masks in the smallest box that holds them; one of them must not be empty."""
    (box,) = ndimage.find_objects((predicted | reference).astype(np.uint8))
    return predicted[box], reference[box]


def _numbered(
    predicted: np.ndarray, reference: np.ndarray, spacing: SequenceOf[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Numbered lesions of the reference and numbered parts of the prediction, without specks."""
    least = MIN_LESION_MM3 / float(np.prod(spacing))
    lesions = np.zeros(reference.shape, int)
    if reference.any():
        distance = ndimage.distance_transform_edt(~reference, spacing)
        lesions = components(distance <= MERGE_MM / 2) * reference
    small = np.isin(lesions, np.flatnonzero(np.bincount(lesions.ravel()) < least))
    lesions[small] = 0
    parts = components(predicted)
    voxels = np.bincount(parts.ravel())
    in_lesion, in_speck = (
        np.isin(np.arange(len(voxels)), parts[mask]) for mask in (lesions > 0, small & reference)
    )
    parts[(~in_lesion & (in_speck | (voxels < least)))[parts]] = 0
    # Numbered anew without gaps: the matcher counts in the smallest integers that fit.
    return _renumbered(lesions), _renumbered(parts)


def _renumbered(labels: np.ndarray) -> np.ndarray:
    values, numbers = np.unique(labels, return_inverse=True)
    return numbers.reshape(labels.shape).astype(np.min_scalar_type(2 * len(values)))


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
