"""An experiment as one picture: the rows below each other, and how their training went."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from BrainTumorSegLib.evaluation.experiments.config import Experiment
from BrainTumorSegLib.evaluation.experiments.running import RowScores
from BrainTumorSegLib.evaluation.experiments.summary import GROUPS, MEAN, compare_rows, row_figures
from BrainTumorSegLib.evaluation.uncertainty import LEVEL
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.training.logger import LOG, read_rows
from BrainTumorSegLib.training.trainer import member_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, which colour-blind people tell apart.
_COLOURS = {MEAN: "#000000", "WT": "#0072B2", "TC": "#D55E00", "ET": "#009E73"}
_ARMS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#000000")
_MARKERS = {MEAN: "D", "WT": "o", "TC": "s", "ET": "^"}


def draw_experiment(
    experiment: Experiment, scored: SequenceOf[RowScores], folder: Path, path: Path
) -> None:
    """Draw the Dice of every row, what it differs from the first, and how the arms learned.

    Args:
        experiment: what was asked.
        scored: the answer.
        folder: of the experiment, whose logs are read.
        path: of the picture, its ending says the format; replaced if it is there.
    """
    from matplotlib.figure import Figure

    losses = {arm.name: _losses(experiment, folder / arm.name) for arm in experiment.arms}
    height = 1.6 + 0.5 * len(scored)
    figure = Figure(figsize=(11, max(3.8, height)), layout="constrained", dpi=90)
    scores, gains, training = figure.subplots(1, 3, width_ratios=(3, 2, 2))
    _draw_rows(scores, scored)
    _draw_differences(gains, scored)
    _draw_losses(training, losses)
    figure.legend(
        *scores.get_legend_handles_labels(),
        loc="outside lower left",
        ncols=len(GROUPS),
        fontsize=8,
        frameon=False,
    )
    figure.suptitle(experiment.title, fontsize=11)
    with atomic_path(path, overwrite=True) as temporary:
        figure.savefig(temporary)


def _draw_rows(axis: Axes, scored: SequenceOf[RowScores]) -> None:
    figures = [row_figures(row) for row in scored]
    shift = np.linspace(-0.27, 0.27, len(GROUPS))
    for group, offset in zip(GROUPS, shift, strict=True):
        places = np.arange(len(figures)) + offset
        known = [row.dice[group] for row in figures]
        values = np.array([estimate.value for estimate in known])
        # Rounding may put the mean of equal values beside its own interval.
        below = np.clip([e.value - e.low for e in known], 0, None)
        above = np.clip([e.high - e.value for e in known], 0, None)
        axis.errorbar(
            *(values, places),
            xerr=np.nan_to_num(np.stack([below, above])),
            fmt=_MARKERS[group],
            color=_COLOURS[group],
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
        reach = np.nan_to_num(np.clip([[gain.value - gain.low], [gain.high - gain.value]], 0, None))
        axis.errorbar([gain.value], [place], xerr=reach, fmt="D", color="black", capsize=3)
    _line_up(axis, [""] * len(scored))
    axis.set_xlabel(f"Dice less that of {scored[0].row.name}", fontsize=9)
    axis.set_title(f"paired difference of the {MEAN}", fontsize=9)


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


def _draw_losses(
    axis: Axes, losses: Mapping[str, SequenceOf[tuple[list[int], list[float]]]]
) -> None:
    for number, (name, curves) in enumerate(losses.items()):
        for place, (steps, values) in enumerate(curves):
            axis.plot(
                steps,
                values,
                color=_ARMS[number % len(_ARMS)],
                linestyle="solid" if number < len(_ARMS) else "dashed",
                linewidth=1.2,
                label=None if place else name,
            )
    axis.set_title("training loss; a line a member", fontsize=9)
    axis.set_xlabel("step", fontsize=9)
    axis.set_ylim(bottom=0)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.tick_params(labelsize=9)
    axis.grid(color="0.9")
    axis.legend(fontsize=8, frameon=False)


def _losses(experiment: Experiment, folder: Path) -> list[tuple[list[int], list[float]]]:
    curves = []
    for fold in experiment.folds:
        for seed in experiment.seeds:
            rows = read_rows(folder / member_name(fold, seed) / LOG)
            curves.append(([int(r["step"]) for r in rows], [float(r["loss"]) for r in rows]))
    return curves
