"""From the scores of an experiment to the figures of its rows.

A row may have been scored by several choices of seeds. A case then counts with its mean
over them, so that the intervals and tests, which resample cases, stay what they are in
``evaluate``; how far the choices lie apart stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.evaluation.experiments.running import RowScores
from BrainTumorSegLib.evaluation.scores import CaseScore
from BrainTumorSegLib.evaluation.summary import REGIONS, case_value, summarise_group
from BrainTumorSegLib.evaluation.uncertainty import Comparison, Estimate, compare, mean_estimate

#: Mean of a case's Dice over those regions that its truth holds.
MEAN = "mean"
GROUPS = (MEAN, *REGIONS)


@dataclass(frozen=True)
class RowFigures:
    """Figures of one row.

    Attributes:
        name: of the row.
        dice: mean over cases by key of `GROUPS`, with its interval.
        sets: the mean of `MEAN` for each choice of seeds alone.
        pooled: Dice over the voxels of all cases by region, mean over the choices.
        silent, without_enhancing: cases whose truth has no enhancing tumour, and in how
            many of them none is found, mean over the choices.
    """

    name: str
    dice: Mapping[str, Estimate]
    sets: tuple[float, ...]
    pooled: Mapping[str, float]
    silent: float
    without_enhancing: int


def row_figures(scored: RowScores) -> RowFigures:
    """Average the scores of a row over its choices of seeds and over the cases."""
    means = {group: case_means(scored, group) for group in GROUPS}
    by_region = {
        region: [summarise_group(scores, region) for scores in scored.sets] for region in REGIONS
    }
    return RowFigures(
        name=scored.row.name,
        dice={group: mean_estimate(list(values.values())) for group, values in means.items()},
        sets=tuple(float(np.mean(list(_values(scores, MEAN).values()))) for scores in scored.sets),
        pooled={
            region: float(np.mean([group.pooled_dice.value for group in groups]))
            for region, groups in by_region.items()
        },
        silent=float(np.mean([group.silent for group in by_region["ET"]])),
        without_enhancing=by_region["ET"][0].without_group,
    )


def case_means(scored: RowScores, group: str) -> dict[str, float]:
    """Dice of each case whose truth holds the group, mean over the choices of seeds.

    Args:
        scored: a row.
        group: one of `GROUPS`.
    """
    per_set = [_values(scores, group) for scores in scored.sets]
    return {case: float(np.mean([values[case] for values in per_set])) for case in per_set[0]}


def compare_rows(first: RowScores, second: RowScores, group: str) -> Comparison:
    """Paired comparison of two rows over their cases, second less first."""
    before, after = case_means(first, group), case_means(second, group)
    return compare(list(before.values()), [after[case] for case in before])


def _values(scores: SequenceOf[CaseScore], group: str) -> dict[str, float]:
    values = {}
    for score in scores:
        regions = REGIONS if group == MEAN else (group,)
        known = [v for region in regions if (v := case_value(score, region, "dice")) is not None]
        if known:
            values[score.case] = float(np.mean(known))
    return values
