"""Pictures of an evaluation: the scores of all arms, and one case under every condition."""

from __future__ import annotations

import math
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.atomic import atomic_path, check_suffix, check_writable

from .conditions import Condition, perturb_case
from .metrics import NSD_TOLERANCE_MM, REGIONS, CaseScore
from .statistics import LEVEL, by_arm, case_value, mean_estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colors, which colorblind people tell apart; gray for their pale yellow.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#000000")

_PANELS = {
    "dice": "Dice",
    "nsd": f"NSD at {NSD_TOLERANCE_MM:g} mm",
    "hd95_mm": "HD95 (mm)",
    "lesion_dice": "lesion-wise Dice",
}
_BACKGROUND = 1


def check_picture(path: Path) -> None:
    """Check, before long work begins, that a picture of this name can be drawn there.

    Raises:
        OutputError: naming the file and the endings, or the reason.
    """
    from matplotlib.figure import Figure

    check_suffix(
        path, tuple(f".{name}" for name in Figure().canvas.get_supported_filetypes()), "picture"
    )
    check_writable(path, overwrite=True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a picture, whole or not at all; its ending says the format."""
    with atomic_path(path, overwrite=True) as temporary:
        figure.savefig(temporary)


def draw_scores(scores: SequenceOf[CaseScore], path: Path) -> None:
    """Draw every measure that was taken, for WT, TC, ET and every arm.

    A box, every case as a dot, the mean with its interval, over the cases whose reference holds
    the region. The ending of ``path`` says the format; an older picture is replaced.
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
    colors = _colors(len(arms))
    for axis, measure in zip(axes, panels, strict=False):
        _draw_panel(axis, arms, measure, colors)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    handles = [axes[0].plot([], [], "s", color=color, ms=8)[0] for color in colors]
    if len(arms) > 1:
        figure.legend(handles, list(arms), loc="outside lower center", ncols=min(4, len(arms)))
    cases = len({score.case for score in scores})
    figure.suptitle(
        f"{cases} cases, those whose truth holds the region; "
        f"diamond: mean with {100 * LEVEL:g} % bootstrap interval",
        fontsize=10,
    )
    save_figure(figure, path)


def draw_conditions(
    case: Case,
    reference_labels: sitk.Image,
    conditions: SequenceOf[Condition],
    path: Path,
    seed: int = 0,
) -> None:
    """Draw the slice with most tumor (else most brain) of every scan, and T1CE from the side.

    Args:
        case: registered scans.
        reference_labels: allowed tissues on the grid of its reference.
        conditions: one a row; of those that have the same scans only the first.
        path: of the picture; replaced if it is there.
        seed: as for `perturb_case`.
    """
    from matplotlib.figure import Figure

    reference = sitk.DICOMOrient(case.reference_scan.image, "LPS")
    tumor = _array(sitk.Cast(reference_labels != _BACKGROUND, sitk.sitkUInt8), reference)
    if not tumor.any():
        tumor = _array(case.reference_scan.image, reference) != 0
    keys = {condition.key for condition in conditions}
    drawn = [condition for condition in conditions if condition.scans_of not in keys]
    level, side = (int(tumor.sum(axis=axes).argmax()) for axes in ((1, 2), (0, 1)))
    figure = Figure(figsize=(10, 2.6 * len(drawn)), layout="constrained", dpi=80)
    grid = figure.subplots(len(drawn), 4, squeeze=False)
    tall = reference.GetSpacing()[2] / reference.GetSpacing()[1]
    for axis in grid.ravel():
        axis.set_axis_off()
    for row, condition in zip(grid, drawn, strict=True):
        scans = perturb_case(condition, case, reference_labels, seed).case.scans
        for axis, sequence in zip(row, Sequence, strict=False):
            if sequence not in scans:
                continue
            array = _array(scans[sequence].image, reference)
            shown = {"cmap": "gray", "vmin": 0, "vmax": float(np.percentile(array, 99.8))}
            axis.imshow(array[level], **shown)
            axis.set_title(f"{condition.title}: {sequence.name}", fontsize=8)
            if sequence is Sequence.T1CE:
                row[3].imshow(array[::-1, :, side], aspect=tall, **shown)
    save_figure(figure, path)


def _array(image: sitk.Image, reference: sitk.Image) -> np.ndarray:
    """Values where the reference has voxels, by nearest neighbor, as the files lie in space."""
    identity = sitk.Transform(3, sitk.sitkIdentity)
    resampled = sitk.Resample(
        image, reference, identity, sitk.sitkNearestNeighbor, 0.0, sitk.sitkFloat32
    )
    return sitk.GetArrayFromImage(resampled)


def _draw_panel(
    axis: Axes, arms: dict[str, list[CaseScore]], measure: str, colors: SequenceOf[str]
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
                center = place + (number - (len(arms) - 1) / 2) * wide
                _draw_arm(axis, values, center, wide, colors[number])
        shown = f"{min(known)}-{max(known)}" if min(known) < max(known) else f"{max(known)}"
        ticks.append(f"{region}\n{shown} cases")
    axis.set_xticks(range(len(REGIONS)), ticks)
    axis.set_xlim(-0.5, len(REGIONS) - 0.5)
    axis.set_ylabel(_PANELS[measure])
    axis.grid(axis="y", color="0.9")
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if measure == "hd95_mm":
        # Linear below a voxel, where a logarithm would have no room for zero.
        axis.set_yscale("symlog", linthresh=1.0, linscale=0.3)
        marks = [0, 1, 2, 5, 10, 20, 50, 100, 200]
        axis.set_yticks(marks, [str(mark) for mark in marks], minor=False)
        axis.minorticks_off()
        axis.set_ylim(bottom=0)
    else:
        axis.set_ylim(-0.02, 1.02)


def _draw_arm(axis: Axes, values: np.ndarray, center: float, wide: float, color: str) -> None:
    axis.boxplot(
        values,
        positions=[center],
        widths=0.75 * wide,
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": color, "alpha": 0.3, "edgecolor": color},
        medianprops={"color": color, "linewidth": 2},
        whiskerprops={"color": color},
        capprops={"color": color},
    )
    # Spread by rank, so that the same cases stand at the same place every time.
    spread = np.linspace(-0.28, 0.28, len(values)) * wide if len(values) > 1 else np.zeros(1)
    order = np.random.default_rng(len(values)).permutation(len(values))
    axis.plot(center + spread[order], values, ".", color=color, markersize=4, alpha=0.8)
    mean = mean_estimate(values)
    axis.errorbar(
        [center + 0.42 * wide],
        [mean.value],
        yerr=None if math.isnan(mean.low) else [[mean.value - mean.low], [mean.high - mean.value]],
        fmt="D",
        color="black",
        markersize=3.5,
        linewidth=1.2,
        capsize=2,
    )


def _colors(arms: int) -> tuple[str, ...]:
    """A color for every arm; no two alike, however many there are."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if arms <= len(COLORS):
        return COLORS[:arms]
    return tuple(to_hex(colormaps["turbo"](number / (arms - 1))) for number in range(arms))
