"""The document of a benchmark as one picture: stages, comparisons, roofline."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from collections.abc import Sequence as SequenceOf
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..figures import COLORS, save_figure
from .roofline import PRECISIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What is drawn of a comparison, by its label.
_KINDS = {"networks": "network_wall_s", "whole run": "whole_wall_s"}


def draw_benchmark(document: Mapping[str, Any], path: Path) -> None:
    """Draw the stages, every comparison and the roofline of a document.

    The ending of ``path`` says the format; an older picture is replaced.
    """
    from matplotlib.figure import Figure

    summaries = {arm["name"]: arm["summary"] for arm in document["arms"]}
    panels: list[Callable[[Axes], None]] = []
    if summary := summaries[document["base"]]:
        stages, kinds = summary["stages"], {"wall time": "wall_s", "CPU time": "cpu_s"}
        bars = {label: [s[kind] for s in stages.values()] for label, kind in kinds.items()}
        title = f"Stages: {document['base']}"
        panels.append(partial(_draw_bars, bars=bars, labels=list(stages), title=title))
    for chosen in document["comparisons"]:
        rows = [row for row in chosen["rows"] if summaries[row["arm"]]]
        # What several cases share is outside of the networks.
        what = "whole run" if chosen["part"] == "cases" else "networks"
        ratios = [row["ratios"][_KINDS[what]] for row in rows]
        labels = [
            f"{row['label']}\n×{ratio['median']:.2f}" if ratio else row["label"]
            for row, ratio in zip(rows, ratios, strict=True)
        ]
        bars = {key: [summaries[r["arm"]][kind] for r in rows] for key, kind in _KINDS.items()}
        title = f"{chosen['title']} (×: {what}, to the first)"
        if rows:
            panels.append(partial(_draw_bars, bars=bars, labels=labels, title=title))
    roofline = document["roofline"] or {"peaks": ()}
    for peaks in roofline["peaks"]:
        places = [place for place in roofline["arms"] if place["device"] == peaks["device"]]
        panels.append(partial(_draw_roofline, peaks=peaks, places=places))
    columns = min(2, max(1, len(panels)))
    rows = max(1, math.ceil(len(panels) / columns))
    figure = Figure(figsize=(6.4 * columns, 3.6 * rows + 0.6), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, draw in zip(axes, panels, strict=False):
        draw(axis)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="0.9", which="both")
        axis.set_axisbelow(True)
        axis.legend(fontsize=7, frameon=False)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    machine, settings = document["machine"], document["settings"]
    place = machine["gpu"]["name"] if "gpu" in machine else machine["processor"]
    figure.suptitle(
        f"{'' if document['complete'] else 'NOT COMPLETE, '}{document['case']['name']}, "
        f"{document['case']['work']['slices']} slices, pack {document['pack']['name']}; {place}, "
        f"{(settings['used_threads'] or {}).get('torch', '?')} CPU thread(s); "
        f"median of {settings['runs']} runs, lines from lowest to highest",
        fontsize=9,
    )
    save_figure(figure, path)


def _draw_bars(
    axis: Axes,
    bars: Mapping[str, SequenceOf[Mapping[str, float]]],
    labels: SequenceOf[str],
    title: str,
) -> None:
    """Pairs of bars, medians with their ends."""
    for shift, color, (label, values) in zip((-0.2, 0.2), COLORS, bars.items(), strict=False):
        places = np.arange(len(values)) + shift
        low, middle, high = ([v[key] for v in values] for key in ("low", "median", "high"))
        reach = np.abs(np.subtract([low, high], middle))
        drawn = axis.barh(
            places, middle, 0.38, color=color, label=label, xerr=reach, error_kw={"capsize": 2}
        )
        axis.bar_label(drawn, fmt="%.3g", padding=4, fontsize=7)
    axis.set_yticks(range(len(labels)), labels, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("seconds")
    axis.margins(x=0.12)
    axis.set_title(title, fontsize=9)


def _draw_roofline(
    axis: Axes, peaks: Mapping[str, Any], places: SequenceOf[Mapping[str, Any]]
) -> None:
    bandwidth, colors = peaks["bytes_per_s"], dict(zip(PRECISIONS, COLORS, strict=False))
    ridges = [rate / bandwidth for rate in peaks["flop_per_s"].values()]
    known = [*(place["flop_a_byte"] for place in places), *ridges]
    along = np.geomspace(min(known) / 4, max(known) * 4, 100)
    for precision, rate in peaks["flop_per_s"].items():
        roof, label = np.minimum(rate, along * bandwidth) / 1e9, f"{rate / 1e9:.0f} GFLOP/s"
        axis.plot(along, roof, color=colors[precision], label=f"{precision}: {label}")
    # Many arms share a point; what differs is engine and precision.
    drawn = {(p["arm"].partition(",")[0], p["precision"]): p for p in reversed(places)}
    for (name, precision), place in drawn.items():
        point = (place["flop_a_byte"], place["flop_per_s"] / 1e9)
        axis.plot(*point, "o", color=colors[precision], ms=6)
        text = {"textcoords": "offset points", "fontsize": 7}
        axis.annotate(f"{name}, {100 * place['share_of_peak']:.0f} %", point, (6, -3), **text)
    axis.loglog()
    axis.set_xlabel("operations a byte (network, fused)")
    axis.set_ylabel("GFLOP/s")
    axis.set_title(f"Roofline of {peaks['device']}: memory {bandwidth / 1e9:.0f} GB/s", fontsize=9)
