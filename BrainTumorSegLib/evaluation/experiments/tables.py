"""An experiment as Markdown and CSV, with the published figures beside ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as SequenceOf
from pathlib import Path

from BrainTumorSegLib.evaluation.experiments.config import Experiment
from BrainTumorSegLib.evaluation.experiments.plan import budget_line, describe_arm
from BrainTumorSegLib.evaluation.experiments.running import RowScores
from BrainTumorSegLib.evaluation.experiments.summary import (
    GROUPS,
    MEAN,
    RowFigures,
    compare_rows,
    row_figures,
)
from BrainTumorSegLib.evaluation.files import number, write_csv
from BrainTumorSegLib.evaluation.summary import REGIONS
from BrainTumorSegLib.evaluation.tables import markdown_row
from BrainTumorSegLib.evaluation.uncertainty import LEVEL, RESAMPLES, SEED, Estimate
from BrainTumorSegLib.training.cohort import LabelledCase

#: What holds for every experiment that has published figures beside its own.
NO_REPRODUCTION = (
    "Ours are no reproduction of the published figures: other scans, other labels, another "
    "budget, and a Dice that the publication does not define. The two may be compared in the "
    "order of their rows, not in their values."
)

_TITLES = {MEAN: "mean of WT, TC, ET"}


def markdown(
    experiment: Experiment,
    cases: SequenceOf[LabelledCase],
    scored: SequenceOf[RowScores],
    command: str,
    picture: str | None,
) -> str:
    """The whole account of an experiment.

    Args:
        experiment: what was asked.
        cases: the cohort.
        scored: the answer, row by row.
        command: that makes it.
        picture: name of a picture beside the file.
    """
    figures = [row_figures(row) for row in scored]
    lines = [f"# {experiment.title}", ""]
    if experiment.question:
        lines += [experiment.question, ""]
    lines += ["```bash", command, "```", "", *_scale(experiment, cases), ""]
    lines += [*_main_table(experiment, figures), "", *_legend(experiment, figures), ""]
    if picture:
        lines += [f"![{experiment.title}]({picture})", ""]
    if len(scored) > 1:
        lines += [*_comparison_table(scored), ""]
    told = [*_caveats(experiment)]
    if told:
        lines += ["Choices and caveats:", "", *(f"* {text}" for text in told)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def write_row_table(
    experiment: Experiment, scored: Iterable[RowScores], command: str, path: Path
) -> None:
    """One line a row, as CSV: means, intervals, single choices of seeds, published figures."""
    columns = ["row", "cases"]
    for group in GROUPS:
        columns += [group, f"{group}_low", f"{group}_high"]
    columns += [*(f"{region}_pooled" for region in REGIONS), "ET_silent", "choices_of_seeds"]
    columns += [f"published: {name}" for name in experiment.published.columns]
    lines = []
    for row in map(row_figures, scored):
        line: list[object] = [row.name, row.dice[MEAN].cases]
        for group in GROUPS:
            estimate = row.dice[group]
            line += [number(v, 4) for v in (estimate.value, estimate.low, estimate.high)]
        line += [number(row.pooled[region], 4) for region in REGIONS]
        silent = f"{row.silent:g} of {row.without_enhancing}"
        line += [silent, " ".join(number(v, 4) for v in row.sets)]
        line += _published(experiment, row.name, "")
        lines.append([*line, command])
    write_csv(path, [*columns, "command"], lines)


def write_row_comparisons(scored: SequenceOf[RowScores], path: Path) -> None:
    """One line a row after the first and group, as CSV: the paired difference in Dice."""
    lines = []
    for row in scored[1:]:
        for group in GROUPS:
            result = compare_rows(scored[0], row, group)
            difference = result.difference
            values = (difference.value, difference.low, difference.high)
            lines.append(
                [
                    *(row.row.name, scored[0].row.name, group, difference.cases),
                    *(number(value, 4) for value in values),
                    *(number(p, 4) for p in (result.bootstrap_p, result.wilcoxon_p)),
                ]
            )
    interval = ("difference", "low", "high", "bootstrap_p", "wilcoxon_p")
    write_csv(path, ("row", "against", "tissues", "cases", *interval), lines)


def write_cases(scored: Iterable[RowScores], path: Path) -> None:
    """One line a case, row and choice of seeds, as CSV: Dice of every group of tissues."""
    groups = ("WT", "TC", "ET", "edema", "core")
    lines = [
        [
            *(row.row.name, "+".join(score.members), score.views, score.case, score.group),
            *(score.fold, *(number(score.dice(name), 4) for name in groups)),
        ]
        for row in scored
        for scores in row.sets
        for score in scores
    ]
    write_csv(path, ("row", "members", "views", "case", "group", "fold", *groups), lines)


def _scale(experiment: Experiment, cases: SequenceOf[LabelledCase]) -> Iterator[str]:
    scored = sum(case.fold in experiment.folds for case in cases)
    folds = ", ".join(map(str, experiment.folds))
    left_out = f"fold {folds}" if len(experiment.folds) == 1 else f"folds {folds} in turn"
    yield f"Budget, the same for every arm: {budget_line(experiment)}"
    yield f"Cohort: {len(cases)} cases, {left_out} left out, {scored} cases scored, each by "
    yield f"members that never saw it, on {_slices(experiment)} of the 1 mm grid of the networks."
    if len(experiment.arms) > 1:
        yield ""
        yield "| arm | what it is |"
        yield "| --- | --- |"
        for arm in experiment.arms:
            yield f"| {arm.name} | {describe_arm(arm)} |"


def _slices(experiment: Experiment) -> str:
    every = experiment.score_every
    return "all slices" if every == 1 else f"one slice in {every}"


def _main_table(experiment: Experiment, figures: SequenceOf[RowFigures]) -> Iterator[str]:
    several = any(len(row.sets) > 1 for row in figures)
    titles = ["", *(_TITLES.get(group, group) for group in GROUPS), "pooled WT / TC / ET"]
    titles += ["single choices of seeds"] * several
    titles += [f"*published:* {name}" for name in experiment.published.columns]
    yield markdown_row(*titles)
    yield "| --- " * len(titles) + "|"
    for row in figures:
        scored = row.dice[MEAN].cases
        cells = [row.name, *(_interval(row.dice[group], scored) for group in GROUPS)]
        cells.append(" / ".join(number(row.pooled[region]) or "-" for region in REGIONS))
        if several:
            cells.append(", ".join(number(value) for value in row.sets))
        yield markdown_row(*cells, *_published(experiment, row.name, "-"))


def _legend(experiment: Experiment, figures: SequenceOf[RowFigures]) -> Iterator[str]:
    yield f"Dice in 3D, mean over cases with its {100 * LEVEL:g} % bootstrap interval ({RESAMPLES} "
    yield f"resamples of the cases, seed {SEED}), over the cases whose truth holds the region; how "
    yield "many, in brackets where not all do. Pooled: one Dice over the voxels of all cases."
    if any(len(row.sets) > 1 for row in figures):
        yield "Single choices of seeds: the first column for each choice alone; what lies within "
        yield "their spread is no difference between rows."
    if experiment.published.source:
        yield f"Published: {experiment.published.source}"


def _comparison_table(scored: SequenceOf[RowScores]) -> Iterator[str]:
    yield f"Paired difference in Dice to *{scored[0].row.name}* over the same cases; two-sided p "
    yield "of Wilcoxon's signed-rank test, not corrected for the number of comparisons:"
    yield ""
    yield markdown_row("", *(f"{_TITLES.get(group, group)} | p" for group in GROUPS))
    yield "| --- " * (1 + 2 * len(GROUPS)) + "|"
    for row in scored[1:]:
        cells = [row.row.name]
        for group in GROUPS:
            result = compare_rows(scored[0], row, group)
            cells += [_interval(result.difference, None, "+"), number(result.wilcoxon_p) or "-"]
        yield markdown_row(*cells)


def _caveats(experiment: Experiment) -> Iterator[str]:
    if experiment.published.columns:
        yield NO_REPRODUCTION
    yield from experiment.choices
    yield from experiment.caveats


def _published(experiment: Experiment, row: str, missing: str) -> list[str]:
    published = experiment.published
    return list(published.rows.get(row, (missing,) * len(published.columns)))


def _interval(estimate: Estimate, all_cases: int | None, sign: str = "") -> str:
    if not estimate.cases:
        return "-"
    values = (estimate.value, estimate.low, estimate.high)
    value, low, high = (f"{v:{sign}.3f}" for v in values)
    few = "" if all_cases in (None, estimate.cases) else f" ({estimate.cases})"
    return (value if estimate.cases < 2 else f"{value} [{low}, {high}]") + few
