"""All scores of one segmentation against one truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.core.volumes import SCORED, dice, tissue_mask, truth_mask
from BrainTumorSegLib.evaluation.lesions import LesionScore, lesion_score
from BrainTumorSegLib.evaluation.surfaces import SurfaceScore, surface_score

#: Groups that are scored lesion by lesion, as in BraTS.
LESION_GROUPS = tuple(region.name for region in Region)


@dataclass(frozen=True)
class GroupScore:
    """Scores of one group of tissues in one case.

    Attributes:
        dice: 3D Dice; empty against empty is 1, empty against something 0 (BraTS).
        both: voxels that prediction and truth share.
        predicted: voxels of the prediction.
        truth: voxels of the truth.
        voxel_ml: volume of a voxel in mL.
        surface: HD95 and NSD, when they were asked for.
        lesions: lesion-wise scores, when they were asked for.
    """

    dice: float
    both: int
    predicted: int
    truth: int
    voxel_ml: float
    surface: SurfaceScore | None = None
    lesions: LesionScore | None = None

    @property
    def predicted_ml(self) -> float:
        """Volume of the prediction in mL."""
        return self.predicted * self.voxel_ml

    @property
    def truth_ml(self) -> float:
        """Volume of the truth in mL."""
        return self.truth * self.voxel_ml


@dataclass(frozen=True)
class CaseScore:
    """Scores of one case in one arm of a comparison.

    Attributes:
        arm: name of the arm, see `arms.Arm`.
        pack: name of the pack.
        views: name of the set of views.
        members: names of the members that segmented it.
        case: its name.
        group: what it looks like, for means by group.
        fold: of the case; None when no member saw it.
        groups: scores by group of `measure.SCORED`; None where the truth cannot tell.
        condition: key of what the scans went through, see `conditions`.
        against: name of the arm that this one is compared with; empty for the first.
    """

    arm: str
    pack: str
    views: str
    members: tuple[str, ...]
    case: str
    group: str
    fold: int | None
    groups: Mapping[str, GroupScore | None]
    condition: str = "as-is"
    against: str = ""

    def dice(self, name: str) -> float | None:
        """Dice of a group; None where the truth cannot tell."""
        score = self.groups[name]
        return None if score is None else score.dice

    @property
    def tumour_free(self) -> bool:
        """Whether the truth says that there is no tumour at all."""
        whole = self.groups["WT"]
        return whole is not None and whole.truth == 0

    @property
    def false_enhancing_ml(self) -> float:
        """Enhancing tumour in mL found where the truth has none at all."""
        score = self.groups["ET"]
        return score.predicted_ml if score is not None and score.truth == 0 else 0.0


def score_labels(
    labels: np.ndarray,
    allowed: np.ndarray,
    spacing: SequenceOf[float],
    measures: Collection[str] = ("dice",),
) -> dict[str, GroupScore | None]:
    """Score a label map against a truth that is given as sets of allowed tissues.

    Args:
        labels: values of `Tissue`, ``[slice, row, column]``.
        allowed: tissue bits of the same shape, see `io.labelmaps.allowed_tissues`.
        spacing: mm between slices, rows, columns.
        measures: keys of `extras.MEASURES`; Dice is always taken.

    Returns:
        Scores by group of `measure.SCORED`; None where the truth cannot tell.
    """
    voxel_ml = float(np.prod(spacing)) / 1000.0
    scores: dict[str, GroupScore | None] = {}
    for name, tissues in SCORED.items():
        truth = truth_mask(allowed, tissues)
        if truth is None:
            scores[name] = None
            continue
        found = tissue_mask(labels, tissues)
        scores[name] = GroupScore(
            dice=dice(found, truth),
            both=int((found & truth).sum()),
            predicted=int(found.sum()),
            truth=int(truth.sum()),
            voxel_ml=voxel_ml,
            surface=surface_score(found, truth, spacing) if "surface" in measures else None,
            lesions=lesion_score(found, truth, spacing)
            if "lesions" in measures and name in LESION_GROUPS
            else None,
        )
    return scores
