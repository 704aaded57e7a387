"""The scores of all arms as one picture: a box, every case as a dot, the mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from BrainTumorSegLib.evaluation.scores import CaseScore
from BrainTumorSegLib.evaluation.summary import REGIONS, by_arm, case_value
from BrainTumorSegLib.evaluation.surfaces import NSD_TOLERANCE_MM
from BrainTumorSegLib.evaluation.uncertainty import LEVEL, mean_estimate
from BrainTumorSegLib.io.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = {
    "dice": "Dice",
    "nsd": f"NSD at {NSD_TOLERANCE_MM:g} mm",
    "hd95_mm": "HD95 (mm)",
    "lesion_dice": "lesion-wise Dice",
}

#: Okabe and Ito's colours, which colour-blind people tell apart; grey for their pale yellow.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#000000")


def draw_scores(scores: SequenceOf[CaseScore], path: Path) -> None:
    """Draw every measure that was taken, for WT, TC, ET and every arm.

    Shown are the cases whose truth holds the region.

    Args:
        scores: of all arms.
        path: of the picture, its ending says the format; replaced if it is there.
    """
    from matplotlib.figure import Figure

    arms = by_arm(scores)
    panels = [
        measure
        for measure in _PANELS
        if any(case_value(s, r, measure) is not None for s in scores for r in REGIONS)
    ]
    width = max(6.0, 1.0 + 0.45 * len(arms) * len(REGIONS))
    columns = 2 if len(panels) > 1 and width < 8 else 1
    rows = max(1, math.ceil(len(panels) / columns))
    figure = Figure(figsize=(width * columns, 4.2 * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    colours = _colours(len(arms))
    for axis, measure in zip(axes, panels, strict=False):
        _draw_panel(axis, arms, measure, colours)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    handles = [axes[0].plot([], [], "s", color=colour, ms=8)[0] for colour in colours]
    if len(arms) > 1:
        figure.legend(handles, list(arms), loc="outside lower center", ncols=min(4, len(arms)))
    cases = len({score.case for score in scores})
    figure.suptitle(
        f"{cases} cases, those whose truth holds the region; "
        f"diamond: mean with {100 * LEVEL:g} % bootstrap interval",
        fontsize=10,
    )
    with atomic_path(path, overwrite=True) as temporary:
        figure.savefig(temporary)


def _draw_panel(
    axis: Axes, arms: dict[str, list[CaseScore]], measure: str, colours: SequenceOf[str]
) -> None:
    wide = 0.8 / len(arms)
    ticks = []
    for place, region in enumerate(REGIONS):
        known = []
        for number, rows in enumerate(arms.values()):
            found = (case_value(row, region, measure) for row in rows)
            values = np.array([value for value in found if value is not None], float)
            known.append(len(values))
            if len(values):
                centre = place + (number - (len(arms) - 1) / 2) * wide
                _draw_arm(axis, values, centre, wide, colours[number])
        shown = f"{min(known)}-{max(known)}" if min(known) < max(known) else f"{max(known)}"
        ticks.append(f"{region}\n{shown} cases")
    axis.set_xticks(range(len(REGIONS)), ticks)
    axis.set_xlim(-0.5, len(REGIONS) - 0.5)
    axis.set_ylabel(_PANELS[measure])
    axis.grid(axis="y", color="0.9")
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    if measure == "hd95_mm":
        # Linear below a voxel, where a logarithm would have no room for zero.
        axis.set_yscale("symlog", linthresh=1.0, linscale=0.3)
        marks = [0, 1, 2, 5, 10, 20, 50, 100, 200]
        axis.set_yticks(marks, [str(mark) for mark in marks], minor=False)
        axis.minorticks_off()
        axis.set_ylim(bottom=0)
    else:
        axis.set_ylim(-0.02, 1.02)


def _draw_arm(axis: Axes, values: np.ndarray, centre: float, wide: float, colour: str) -> None:
    axis.boxplot(
        values,
        positions=[centre],
        widths=0.75 * wide,
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.3, "edgecolor": colour},
        medianprops={"color": colour, "linewidth": 2},
        whiskerprops={"color": colour},
        capprops={"color": colour},
    )
    # Spread by rank, so that the same cases stand at the same place every time.
    spread = np.linspace(-0.28, 0.28, len(values)) * wide if len(values) > 1 else np.zeros(1)
    order = np.random.default_rng(len(values)).permutation(len(values))
    axis.plot(centre + spread[order], values, ".", color=colour, markersize=4, alpha=0.8)
    mean = mean_estimate(values)
    reach = None if math.isnan(mean.low) else [[mean.value - mean.low], [mean.high - mean.value]]
    axis.errorbar(
        [centre + 0.42 * wide],
        [mean.value],
        yerr=reach,
        fmt="D",
        color="black",
        markersize=3.5,
        linewidth=1.2,
        capsize=2,
    )


def _colours(arms: int) -> tuple[str, ...]:
    """A colour for every arm; no two alike, however many there are."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if arms <= len(_COLOURS):
        return _COLOURS[:arms]
    return tuple(to_hex(colormaps["turbo"](number / (arms - 1))) for number in range(arms))
