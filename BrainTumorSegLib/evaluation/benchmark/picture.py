"""The document as one picture: stages, comparisons, growth with size, roofline."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from BrainTumorSegLib.evaluation.benchmark.arms import SIZES
from BrainTumorSegLib.evaluation.benchmark.spreads import NETWORK
from BrainTumorSegLib.io.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, which colour-blind people tell apart.
_NETWORKS, _REST, _THIRD = "#0072B2", "#E69F00", "#009E73"
_COLOURS = (_NETWORKS, _REST, _THIRD, "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#000000")

_Document = Mapping[str, Any]


def draw_benchmark(document: _Document, path: Path) -> None:
    """Draw what a document holds.

    Args:
        document: from `document.make_document`.
        path: of the picture, its ending says the format; replaced if it is there.
    """
    from matplotlib.figure import Figure

    arms = {arm["name"]: arm for arm in document["arms"]}
    panels: list[Callable[[Axes], None]] = []
    if arms[document["base"]]["summary"]:
        panels.append(lambda axis: _draw_stages(axis, arms[document["base"]]))
    for chosen in document["comparisons"]:
        rows = [row for row in chosen["rows"] if arms[row["arm"]]["summary"]]
        if not rows:
            continue
        draw = _draw_size if chosen["part"] == "size" else _draw_comparison
        panels.append(lambda axis, c=chosen, r=rows, d=draw: d(axis, c, r, arms))
    for peaks in (document["roofline"] or {"peaks": ()})["peaks"]:
        panels.append(lambda axis, p=peaks: _draw_roofline(axis, p, document["roofline"]["arms"]))
    columns = min(2, max(1, len(panels)))
    rows = max(1, math.ceil(len(panels) / columns))
    figure = Figure(figsize=(6.4 * columns, 3.6 * rows + 0.6), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, draw in zip(axes, panels, strict=False):
        draw(axis)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    figure.suptitle(_title(document), fontsize=9)
    with atomic_path(path, overwrite=True) as temporary:
        figure.savefig(temporary)


def _title(document: _Document) -> str:
    pack, machine, settings = document["pack"], document["machine"], document["settings"]
    place = machine["gpu"]["name"] if "gpu" in machine else machine["processor"]
    threads = (settings["used_threads"] or {}).get("torch", "?")
    unfinished = "" if document["complete"] else "NOT COMPLETE, "
    return (
        f"{unfinished}{document['case']['name']}, {document['case']['work']['slices']} slices, "
        f"pack {pack['name']}; {place}, {threads} CPU thread(s); "
        f"median of {settings['runs']} runs, lines from lowest to highest"
    )


def _bars(
    axis: Axes, places: np.ndarray, values: list[Mapping[str, float]], colour: str, label: str
) -> None:
    middle = np.array([value["median"] for value in values])
    reach = [
        [value["median"] - value["low"] for value in values],
        [value["high"] - value["median"] for value in values],
    ]
    axis.barh(places, middle, height=0.38, color=colour, label=label)
    axis.errorbar(middle, places, xerr=reach, fmt="none", color="black", linewidth=1, capsize=2)
    for place, value in zip(places, values, strict=True):
        axis.annotate(
            f"{value['median']:.3g}",
            (value["high"], place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )


def _finish_bars(axis: Axes, labels: list[str], title: str) -> None:
    axis.set_yticks(range(len(labels)), labels, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("seconds")
    axis.margins(x=0.12)
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    axis.set_title(title, fontsize=9)
    axis.legend(fontsize=7, frameon=False)


def _draw_stages(axis: Axes, arm: Mapping[str, Any]) -> None:
    stages = arm["summary"]["stages"]
    places = np.arange(len(stages))
    _bars(axis, places - 0.2, [s["wall_s"] for s in stages.values()], _NETWORKS, "wall time")
    _bars(axis, places + 0.2, [s["cpu_s"] for s in stages.values()], _REST, "CPU time")
    _finish_bars(axis, list(stages), f"Stages: {arm['name']}")


def _draw_comparison(
    axis: Axes, chosen: Mapping[str, Any], rows: list[Mapping[str, Any]], arms: Mapping[str, Any]
) -> None:
    places = np.arange(len(rows))
    found = [arms[row["arm"]]["summary"] for row in rows]
    _bars(axis, places - 0.2, [s["network_wall_s"] for s in found], _NETWORKS, "networks")
    _bars(axis, places + 0.2, [s["whole_wall_s"] for s in found], _REST, "whole run")
    # What several cases share is outside of the networks.
    measure, what = "network_wall_s", "networks"
    if chosen["part"] == "cases":
        measure, what = "whole_wall_s", "whole run"
    labels = []
    for row in rows:
        ratio = row["ratios"][measure]
        labels.append(f"{row['label']}\n×{ratio['median']:.2f}" if ratio else row["label"])
    _finish_bars(axis, labels, f"{chosen['title']} (×: {what}, to the first)")


def _draw_size(
    axis: Axes, chosen: Mapping[str, Any], rows: list[Mapping[str, Any]], arms: Mapping[str, Any]
) -> None:
    cropped = sorted(
        (
            (arm["runs"][0]["work"]["slices"], arm["summary"]["stages"])
            for row in rows
            if SIZES[(arm := arms[row["arm"]])["case"]] <= 1
        ),
        key=lambda pair: pair[0],
    )
    if not cropped:
        axis.set_axis_off()
        return
    slices = [count for count, _ in cropped]
    # Starting Python knows nothing of the size.
    stages = [
        stage
        for stage in cropped[-1][1]
        if stage != "start" and all(stage in found for _, found in cropped)
    ]
    for stage, colour in zip(stages, _COLOURS, strict=False):
        times = [found[stage]["wall_s"] for _, found in cropped]
        middle = [time["median"] for time in times]
        reach = [
            [time["median"] - time["low"] for time in times],
            [time["high"] - time["median"] for time in times],
        ]
        wide = 2 if stage == NETWORK else 1
        axis.errorbar(
            slices, middle, yerr=reach, fmt="o-", color=colour, label=stage, ms=3, lw=wide
        )
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("slices with brain")
    axis.set_ylabel("seconds")
    axis.grid(color="0.9")
    axis.set_title(chosen["title"], fontsize=9)
    axis.legend(fontsize=7, frameon=False)


def _draw_roofline(axis: Axes, peaks: Mapping[str, Any], places: list[Mapping[str, Any]]) -> None:
    mine = [place for place in places if place["device"] == peaks["device"]]
    ridge = [rate / peaks["bytes_per_s"] for rate in peaks["flop_per_s"].values()]
    known = [place["flop_a_byte"] for place in mine] + ridge
    ends = np.array([min(known) / 4, max(known) * 4])
    styles = dict(zip(("fp32", "bf16", "fp16"), _COLOURS, strict=False))
    for precision, rate in peaks["flop_per_s"].items():
        along = np.geomspace(*ends, 100)
        roof = np.minimum(rate, along * peaks["bytes_per_s"]) / 1e9
        label = f"{precision}: {rate / 1e9:.0f} GFLOP/s"
        axis.plot(along, roof, color=styles[precision], label=label)
    # Many arms share a point; what differs is engine and precision.
    drawn: dict[tuple[str, str], Mapping[str, Any]] = {}
    for place in mine:
        drawn.setdefault((place["arm"].partition(",")[0], place["precision"]), place)
    for (name, precision), place in drawn.items():
        point = (place["flop_a_byte"], place["flop_per_s"] / 1e9)
        axis.plot(*point, "o", color=styles[precision], ms=6)
        axis.annotate(
            f"{name}, {100 * place['share_of_peak']:.0f} %",
            point,
            (6, -3),
            textcoords="offset points",
            fontsize=7,
        )
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("operations a byte (network, fused)")
    axis.set_ylabel("GFLOP/s")
    axis.grid(color="0.9", which="both")
    axis.set_title(
        f"Roofline of {peaks['device']}: memory {peaks['bytes_per_s'] / 1e9:.0f} GB/s", fontsize=9
    )
    axis.legend(fontsize=7, frameon=False)
