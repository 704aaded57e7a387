"""From the scores of cases to the figures of arms, under both conventions for empty truths.

The first convention averages over the cases whose truth holds the group and tells beside
it what was falsely found in the others. The second is that of BraTS: every case counts,
empty against empty as perfect, empty against something as the worst there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.tissue import TUMOUR_TISSUES, Region, Tissue
from BrainTumorSegLib.evaluation.runs import FalseFinding
from BrainTumorSegLib.evaluation.scores import CaseScore, GroupScore
from BrainTumorSegLib.evaluation.surfaces import BRATS_MISS_MM
from BrainTumorSegLib.evaluation.uncertainty import (
    Comparison,
    Estimate,
    compare,
    mean_estimate,
    pooled_estimate,
)

REGIONS = tuple(region.name for region in Region)

#: Measures of one group in one case whose truth holds the group; None where undefined.
CASE_MEASURES: Mapping[str, Callable[[GroupScore], float | None]] = {
    "dice": lambda score: score.dice,
    "nsd": lambda score: score.surface and score.surface.nsd,
    "hd95_mm": lambda score: score.surface and score.surface.hd95_mm,
    "lesion_f1": lambda score: score.lesions and score.lesions.f1,
    "lesion_dice": lambda score: score.lesions and score.lesions.dice,
}

#: The same by the convention of BraTS, for every case.
BRATS_MEASURES: Mapping[str, Callable[[GroupScore], float | None]] = {
    "dice": lambda score: score.dice,
    "nsd": lambda score: score.surface and score.surface.nsd,
    "hd95_mm": lambda score: _brats_hd95(score),
}


@dataclass(frozen=True)
class GroupSummary:
    """Figures of one group of tissues in one arm.

    Attributes:
        present: means by key of `CASE_MEASURES` over the cases whose truth holds the group.
        brats: means by key of `BRATS_MEASURES` over all cases whose truth can tell.
        pooled_dice: one Dice over all voxels of all cases, near to what papers call Dice
            over all slices: large tumours count more.
        detected, with_group: cases whose truth holds the group, and those among them where
            the prediction overlaps it.
        silent, without_group: cases whose truth lacks the group, and those among them
            where the prediction lacks it too.
        false_ml: mean volume in mL found in the cases without; NaN where there are none.
        lesions: found, missed and false lesions over all cases; None when not counted.
    """

    present: Mapping[str, Estimate]
    brats: Mapping[str, Estimate]
    pooled_dice: Estimate
    detected: int
    with_group: int
    silent: int
    without_group: int
    false_ml: float
    lesions: tuple[int, int, int] | None


@dataclass(frozen=True)
class FalseSummary:
    """What one arm found in brains without tumour.

    Attributes:
        scans: how many.
        with_findings: in how many something was found.
        mean_ml, max_ml: volume of whole tumour found in a scan.
        mean_enhancing_ml: of it enhancing.
    """

    scans: int
    with_findings: int
    mean_ml: float
    max_ml: float
    mean_enhancing_ml: float


def by_arm(scores: Iterable[CaseScore]) -> dict[str, list[CaseScore]]:
    """Scores by name of the arm, arms in the order of their first score."""
    arms: dict[str, list[CaseScore]] = {}
    for score in scores:
        arms.setdefault(score.arm, []).append(score)
    return arms


def case_value(score: CaseScore, group: str, measure: str) -> float | None:
    """One measure of one case; None where the truth cannot tell, is empty, or it is undefined."""
    found = score.groups[group]
    return None if found is None or not found.truth else CASE_MEASURES[measure](found)


def summarise_group(rows: SequenceOf[CaseScore], group: str) -> GroupSummary:
    """Figures of one group over the cases of one arm."""
    known = [score for row in rows if (score := row.groups[group]) is not None]
    there = [score for score in known if score.truth]
    absent = [score for score in known if not score.truth]
    counted = [score.lesions for score in known if score.lesions is not None]
    return GroupSummary(
        present=_means(there, CASE_MEASURES),
        brats=_means(known, BRATS_MEASURES),
        pooled_dice=pooled_estimate([(s.both, s.predicted, s.truth) for s in known]),
        detected=sum(score.both > 0 for score in there),
        with_group=len(there),
        silent=sum(score.predicted == 0 for score in absent),
        without_group=len(absent),
        false_ml=float(np.mean([score.predicted_ml for score in absent])) if absent else math.nan,
        lesions=(
            sum(lesions.found for lesions in counted),
            sum(lesions.missed for lesions in counted),
            sum(lesions.false for lesions in counted),
        )
        if counted
        else None,
    )


def compare_arms(
    first: SequenceOf[CaseScore], second: SequenceOf[CaseScore], group: str, measure: str
) -> Comparison:
    """Paired comparison of two arms over the cases for which both have the measure."""
    others = {score.case: case_value(score, group, measure) for score in second}
    pairs = [
        (value, other)
        for score in first
        if (value := case_value(score, group, measure)) is not None
        and (other := others.get(score.case)) is not None
    ]
    return compare([a for a, _ in pairs], [b for _, b in pairs])


def false_findings(scores: Iterable[CaseScore]) -> list[FalseFinding]:
    """What was found in the cases of a cohort whose truth says that there is no tumour."""
    findings = []
    for score in scores:
        if not score.tumour_free:
            continue
        known = {name: group.predicted_ml for name, group in score.groups.items() if group}
        known[Tissue.ENHANCING.key] = known["ET"]
        names = (*(tissue.key for tissue in TUMOUR_TISSUES), *REGIONS)
        findings.append(FalseFinding(score.arm, score.case, {name: known[name] for name in names}))
    return findings


def summarise_false(findings: SequenceOf[FalseFinding]) -> FalseSummary:
    """What one arm found in brains without tumour, which must be at least one."""
    volumes = [finding.volumes_ml["WT"] for finding in findings]
    return FalseSummary(
        scans=len(findings),
        with_findings=sum(volume > 0 for volume in volumes),
        mean_ml=float(np.mean(volumes)),
        max_ml=max(volumes),
        mean_enhancing_ml=float(np.mean([f.volumes_ml["ET"] for f in findings])),
    )


def flat_summary(rows: SequenceOf[CaseScore]) -> dict[str, float]:
    """The figures of one arm that manifests and model cards quote, rounded.

    ``WT``, ``TC``, ``ET``, ``edema``, ``core`` are mean Dice over the cases whose truth
    holds the group, ``ET_all`` over all cases (BraTS convention), ``*_pooled`` one Dice over
    all voxels, ``*_nsd``, ``*_hd95_mm``, ``*_lesion_f1``, ``*_lesion_dice`` means as for Dice.
    What is undefined is left out.
    """
    summary: dict[str, float] = {"cases": len(rows)}
    for group in (*REGIONS, "edema", "core"):
        figures = summarise_group(rows, group)
        for measure, estimate in figures.present.items():
            summary[group if measure == "dice" else f"{group}_{measure}"] = estimate.value
        if group in REGIONS:
            summary[f"{group}_pooled"] = figures.pooled_dice.value
        if group == "ET":
            summary["ET_all"] = figures.brats["dice"].value
            summary["cases_with_ET"] = figures.with_group
            summary["false_ET_ml"] = figures.false_ml
    return {key: round(float(value), 4) for key, value in summary.items() if value == value}


def _means(
    scores: SequenceOf[GroupScore], measures: Mapping[str, Callable[[GroupScore], float | None]]
) -> dict[str, Estimate]:
    """Means of the measures that were taken; undefined values are left out, not counted."""
    values = {name: [measure(score) for score in scores] for name, measure in measures.items()}
    return {
        name: mean_estimate([value for value in found if value is not None])
        for name, found in values.items()
        if name == "dice" or any(value is not None for value in found)
    }


def _brats_hd95(score: GroupScore) -> float | None:
    if score.surface is None:
        return None
    if score.surface.hd95_mm is not None:
        return score.surface.hd95_mm
    return BRATS_MISS_MM if score.truth or score.predicted else 0.0
