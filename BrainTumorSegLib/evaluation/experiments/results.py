"""From the scores of an experiment to its figures, tables and picture.

A row may have been scored by several choices of seeds. A case then counts with its mean over
them, so that the intervals and tests, which resample cases, stay what they are in ``evaluate``;
how far the choices lie apart stands beside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from BrainTumorSegLib.io.tables import write_table
from BrainTumorSegLib.training.cohort import LabeledCase
from BrainTumorSegLib.training.logger import LOG, read_rows
from BrainTumorSegLib.training.trainer import member_name

from ..figures import COLORS, save_figure
from ..markdown import number, render
from ..metrics import REGIONS, CaseScore
from ..statistics import (
    LEVEL,
    RESAMPLES,
    SEED,
    Comparison,
    Estimate,
    case_value,
    compare,
    mean_estimate,
    summarize_group,
)
from .config import Experiment, budget_line, describe_arm
from .run import RowScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Mean of a case's Dice over those regions that its reference labels hold.
MEAN = "mean"
GROUPS = (MEAN, *REGIONS)

#: What holds for every experiment that has published figures beside its own.
NO_REPRODUCTION = (
    "Ours are no reproduction of the published figures: other scans, other labels, another "
    "budget, and a Dice that the publication does not define. The two may be compared in the "
    "order of their rows, not in their values."
)

_COLORS = dict(zip(GROUPS, ("#000000", "#0072B2", "#D55E00", "#009E73"), strict=True))
_MARKERS = dict(zip(GROUPS, "Dos^", strict=True))


@dataclass(frozen=True)
class RowFigures:
    """Figures of one row.

    Attributes:
        name: of the row.
        dice: mean over cases by key of `GROUPS`, with its interval.
        sets: the mean of `MEAN` for each choice of seeds alone.
        pooled: Dice over the voxels of all cases by region, mean over the choices.
        silent, without_enhancing: cases whose reference has no enhancing tumor, and in how
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
    by_region = {r: [summarize_group(scores, r) for scores in scored.sets] for r in REGIONS}
    return RowFigures(
        name=scored.row.name,
        dice={group: mean_estimate(case_means(scored, group).values()) for group in GROUPS},
        sets=tuple(float(np.mean(list(_values(scores, MEAN).values()))) for scores in scored.sets),
        pooled={
            region: float(np.mean([group.pooled_dice.value for group in groups]))
            for region, groups in by_region.items()
        },
        silent=float(np.mean([group.silent for group in by_region["ET"]])),
        without_enhancing=by_region["ET"][0].without_group,
    )


def case_means(scored: RowScores, group: str) -> dict[str, float]:
    """Dice of each case whose reference holds one of `GROUPS`, mean over the choices of seeds."""
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


def write_row_table(
    experiment: Experiment, scored: Iterable[RowScores], command: str, path: Path
) -> None:
    """One line a row, as CSV: means, intervals, single choices of seeds, published figures."""
    lines = []
    for row in map(row_figures, scored):
        estimates = (row.dice[group] for group in GROUPS)
        dice = (number(v, 4) for e in estimates for v in (e.value, e.low, e.high))
        pooled = (number(row.pooled[region], 4) for region in REGIONS)
        silent = f"{row.silent:g} of {row.without_enhancing}"
        sets = " ".join(number(value, 4) for value in row.sets)
        published = experiment.published.of(row.name, "")
        lines.append(
            [row.name, row.dice[MEAN].cases, *dice, *pooled, silent, sets, *published, command]
        )
    dice = (f"{group}{bound}" for group in GROUPS for bound in ("", "_low", "_high"))
    pooled = (f"{region}_pooled" for region in REGIONS)
    published = (f"published: {name}" for name in experiment.published.columns)
    columns = ["row", "cases", *dice, *pooled, "ET_silent", "choices_of_seeds", *published]
    write_table(path, [*columns, "command"], lines)


def write_row_comparisons(scored: SequenceOf[RowScores], path: Path) -> None:
    """One line a row after the first and group, as CSV: the paired difference in Dice."""
    lines = []
    for row in scored[1:]:
        for group in GROUPS:
            result = compare_rows(scored[0], row, group)
            difference = result.difference
            values = (difference.value, difference.low, difference.high)
            cells = (number(v, 4) for v in (*values, result.bootstrap_p, result.wilcoxon_p))
            lines.append([row.row.name, scored[0].row.name, group, difference.cases, *cells])
    interval = ("difference", "low", "high", "bootstrap_p", "wilcoxon_p")
    write_table(path, ("row", "against", "tissues", "cases", *interval), lines)


def write_cases(scored: Iterable[RowScores], path: Path) -> None:
    """One line a case, row and choice of seeds, as CSV: Dice of every group of tissues."""
    groups = ("WT", "TC", "ET", "edema", "core")
    lines = [
        [
            *(row.row.name, "+".join(score.members), score.tta, score.case, score.group),
            *(score.fold, *(number(score.dice(name), 4) for name in groups)),
        ]
        for row in scored
        for scores in row.sets
        for score in scores
    ]
    write_table(path, ("row", "members", "views", "case", "group", "fold", *groups), lines)


def markdown(
    experiment: Experiment,
    cases: SequenceOf[LabeledCase],
    scored: SequenceOf[RowScores],
    command: str,
    picture: str | None,
) -> str:
    """The whole account of an experiment; ``picture`` is the name of a file beside it."""
    figures = [row_figures(row) for row in scored]
    folds, every = ", ".join(map(str, experiment.folds)), experiment.score_every
    notes = [NO_REPRODUCTION] if experiment.published.columns else []
    return render(
        "experiment.md.jinja",
        experiment=experiment,
        published=experiment.published,
        command=command,
        budget=budget_line(experiment),
        describe_arm=describe_arm,
        cases=len(cases),
        left_out=f"folds {folds} in turn" if len(experiment.folds) > 1 else f"fold {folds}",
        scored=sum(case.fold in experiment.folds for case in cases),
        slices="all slices" if every == 1 else f"one slice in {every}",
        figures=figures,
        several=any(len(row.sets) > 1 for row in figures),
        picture=picture,
        compared={
            row.row.name: [compare_rows(scored[0], row, group) for group in GROUPS]
            for row in scored[1:]
        },
        notes=[*notes, *experiment.choices, *experiment.caveats],
        level=f"{100 * LEVEL:g}",
        resamples=RESAMPLES,
        seed=SEED,
    )


def draw_experiment(
    experiment: Experiment, scored: SequenceOf[RowScores], folder: Path, path: Path
) -> None:
    """Draw the Dice of every row, what it differs from the first, and how the arms learned.

    Logs are read from the experiment's ``folder``. The ending of ``path`` says the format; an
    older picture is replaced.
    """
    from matplotlib.figure import Figure

    height = max(3.8, 1.6 + 0.5 * len(scored))
    figure = Figure(figsize=(11, height), layout="constrained", dpi=90)
    scores, gains, training = figure.subplots(1, 3, width_ratios=(3, 2, 2))
    _draw_rows(scores, scored)
    _draw_differences(gains, scored)
    _draw_losses(training, experiment, folder)
    handles = scores.get_legend_handles_labels()
    style = {"loc": "outside lower left", "ncols": len(GROUPS), "fontsize": 8, "frameon": False}
    figure.legend(*handles, **style)
    figure.suptitle(experiment.title, fontsize=11)
    save_figure(figure, path)


def _draw_rows(axis: Axes, scored: SequenceOf[RowScores]) -> None:
    figures = [row_figures(row) for row in scored]
    for group, offset in zip(GROUPS, np.linspace(-0.27, 0.27, len(GROUPS)), strict=True):
        places = np.arange(len(figures)) + offset
        known = [row.dice[group] for row in figures]
        axis.errorbar(
            *([estimate.value for estimate in known], places),
            xerr=np.hstack([_reach(estimate) for estimate in known]),
            fmt=_MARKERS[group],
            color=_COLORS[group],
            markersize=5,
            linewidth=1,
            capsize=2,
            label=group,
        )
        if group == MEAN:
            for place, row in zip(places, figures, strict=True):
                if len(row.sets) > 1:
                    axis.plot(row.sets, [place] * len(row.sets), "|", color="0.5", markersize=11)
    _line_up(axis, [row.name for row in figures])
    axis.set_xlabel("Dice in 3D; grey bars: single choices of seeds", fontsize=9)
    axis.set_title(f"mean over cases, {100 * LEVEL:g} % bootstrap interval", fontsize=9)


def _draw_differences(axis: Axes, scored: SequenceOf[RowScores]) -> None:
    axis.axvline(0, color="0.5", linewidth=1)
    for place, row in enumerate(scored[1:], start=1):
        gain = compare_rows(scored[0], row, MEAN).difference
        axis.errorbar([gain.value], [place], xerr=_reach(gain), fmt="D", color="black", capsize=3)
    _line_up(axis, [""] * len(scored))
    axis.set_xlabel(f"Dice less that of {scored[0].row.name}", fontsize=9)
    axis.set_title(f"paired difference of the {MEAN}", fontsize=9)


def _reach(estimate: Estimate) -> np.ndarray:
    """How far the interval reaches below and above, ``[2, 1]``; nothing where there is none."""
    # Rounding may put the mean of equal values beside its own interval.
    reach = [[estimate.value - estimate.low], [estimate.high - estimate.value]]
    return np.nan_to_num(np.clip(reach, 0, None))


def _line_up(axis: Axes, names: SequenceOf[str]) -> None:
    """Rows below each other, at the same heights in every panel."""
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(labelsize=9)
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    for line in range(1, len(names)):
        axis.axhline(line - 0.5, color="0.85", linewidth=0.8)
    axis.margins(x=0.05)


def _draw_losses(axis: Axes, experiment: Experiment, folder: Path) -> None:
    members = [member_name(f, s) for f in experiment.folds for s in experiment.seeds]
    for place, arm in enumerate(experiment.arms):
        for member in members:
            rows = read_rows(folder / arm.name / member / LOG)
            axis.plot(
                [int(row["step"]) for row in rows],
                [float(row["loss"]) for row in rows],
                color=COLORS[place % len(COLORS)],
                linestyle="solid" if place < len(COLORS) else "dashed",
                linewidth=1.2,
                label=arm.name if member == members[0] else None,
            )
    axis.set_title("training loss; a line a member", fontsize=9)
    axis.set_xlabel("step", fontsize=9)
    axis.set_ylim(bottom=0)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.tick_params(labelsize=9)
    axis.grid(color="0.9")
    axis.legend(fontsize=8, frameon=False)
