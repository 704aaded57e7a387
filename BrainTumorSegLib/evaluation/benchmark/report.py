"""The runs as one document of plain JSON types, and as Markdown tables.

The document is described by ``Resources/Schemas/benchmark.schema.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict
from typing import Any

import numpy as np

from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.models.packs import ModelPack
from BrainTumorSegLib.reporting.record import now

from ..markdown import render
from .plan import SIZES, WHOLE_CASE, Comparison, Measured, Plan
from .roofline import NETWORK, achieved, best_peaks, image_work, spread, stage_s

SCHEMA = "brain-tumor-seg-benchmark/1"

_Run = Mapping[str, Any]

#: What is compared, by key in the report; all a case.
MEASURES: Mapping[str, Callable[[_Run], float]] = {
    "whole_wall_s": lambda run: run["wall_s"] / len(run["case_wall_s"]),
    "whole_cpu_s": lambda run: run["cpu_s"] / len(run["case_wall_s"]),
    "network_wall_s": lambda run: stage_s(run, NETWORK),
    "network_cpu_s": lambda run: stage_s(run, NETWORK, "cpu_s"),
}


def describe_setting(
    prepared: Mapping[str, Any], pack: ModelPack, case: str, **more: Any
) -> dict[str, Any]:
    """The fields of the document that hold for all runs.

    Args:
        prepared: answer of the worker to ``prepare``.
        pack: whose networks ran.
        case: what the case is called in the report.
        more: ``command`` as it was given, without places on this machine; ``settings``, a
            table of ``runs`` and ``threads`` (None for the libraries' own choice);
            ``unavailable``, engines that cannot be tried here, and why.
    """
    return {
        "schema": SCHEMA,
        "version": __version__,
        "machine": prepared["machine"],
        "case": {"name": case, "scans": prepared["scans"], "work": prepared["work"]},
        "pack": {
            "name": pack.name,
            "version": pack.version,
            "network": pack.network.as_dict(),
            "members": len(pack.members),
        },
        **more,
    }


def make_document(
    setting: Mapping[str, Any],
    plan: Plan,
    pack: ModelPack,
    measured: Mapping[str, Measured],
    complete: bool = True,
) -> dict[str, Any]:
    """Everything that was measured, by name of the arm, and what follows from it.

    ``setting`` comes from `describe_setting`; ``complete`` is False while the measurement goes on.
    """
    used = next((run["threads"] for run in measured[plan.base].runs), None)
    return {
        **setting,
        "created": now(),
        "complete": complete,
        "settings": {**setting["settings"], "used_threads": used},
        "base": plan.base,
        "arms": [_arm(found) for found in measured.values()],
        "comparisons": [_comparison(chosen, measured) for chosen in plan.comparisons],
        "failures": [
            {"arm": name, **found.failure} for name, found in measured.items() if found.failure
        ],
        "size": _size(plan, measured),
        "cases": _cases(plan, measured),
        "roofline": _roofline(setting["case"]["work"], pack, measured),
    }


def _arm(found: Measured) -> dict[str, Any]:
    # Options without the places of files.
    hidden = ("pack", "brainsfit")
    options = {key: value for key, value in found.arm.options.items() if key not in hidden}
    runs, summary = found.runs, None
    if found.arm.kind == "segment" and runs:
        summary = {name: spread(map(value, runs)) for name, value in MEASURES.items()}
        summary["stages"] = {
            stage: {
                kind: spread(stage_s(run, stage, kind) for run in runs)
                for kind in ("wall_s", "cpu_s")
            }
            for stage in _stage_names(runs)
        }
        for key in ("peak_bytes", "gpu_peak_bytes"):
            summary[key] = spread(run[key] for run in runs if key in run)
    described = {**asdict(found.arm), "options": options}
    return {**described, "failure": found.failure, "summary": summary, "runs": runs}


def _stage_names(runs: Iterable[_Run]) -> list[str]:
    """Stages in the order in which they came."""
    return list(dict.fromkeys(stage for run in runs for stage in run["stages"]))


def _comparison(chosen: Comparison, measured: Mapping[str, Measured]) -> dict[str, Any]:
    baseline = measured[chosen.baseline].runs
    rows = []
    for label, name in chosen.arms.items():
        runs = measured[name].runs
        compared = {key: ratios(runs, baseline, value) for key, value in MEASURES.items()}
        hashes = {run["labels_sha256"] for run in (*runs, *baseline)}
        compared["same_labels"] = len(hashes) == 1 if runs and baseline else None
        rows.append({"label": label, "arm": name, "ratios": compared})
    named = {"part": chosen.part, "title": chosen.title, "baseline": chosen.baseline}
    return {**named, "rows": rows}


def ratios(
    runs: SequenceOf[_Run], baseline: SequenceOf[_Run], value: Callable[[_Run], float]
) -> dict[str, float] | None:
    """Spread of the quotients between runs of the same round; None where there is no pair."""
    others = {run["round"]: value(run) for run in baseline}
    return spread(
        value(run) / others[run["round"]] for run in runs if others.get(run["round"], 0) > 0
    )


def _part(plan: Plan, part: str) -> Mapping[str, str]:
    return next((chosen.arms for chosen in plan.comparisons if chosen.part == part), {})


def _size(plan: Plan, measured: Mapping[str, Measured]) -> dict[str, Any] | None:
    """How each stage grows with the slices that the networks see, and the whole run."""
    arms = _part(plan, "size")
    if not arms:
        return None
    found = [measured[name] for size, name in arms.items() if SIZES[size] <= 1]
    runs = {one.arm.case: one.runs for one in found if one.runs}
    slices = {case: own[0]["work"]["slices"] for case, own in runs.items()}
    stages = dict.fromkeys(stage for own in runs.values() for stage in _stage_names(own))
    return {
        "slices": slices,
        "stages": {
            stage: fit_line(
                list(slices.values()),
                [spread(stage_s(r, stage) for r in own)["median"] for own in runs.values()],
            )
            for stage in stages
            # Starting Python knows nothing of the size.
            if stage != "start"
        },
    }


def fit_line(amounts: SequenceOf[float], costs: SequenceOf[float]) -> dict[str, float] | None:
    """Least squares ``cost = fixed + each * amount``; None with fewer than two amounts."""
    if len(set(amounts)) < 2:
        return None
    each, fixed = np.polyfit(np.asarray(amounts, float), np.asarray(costs, float), 1)
    return {"fixed": float(fixed), "each": float(each)}


def _cases(plan: Plan, measured: Mapping[str, Measured]) -> dict[str, Any] | None:
    """What is paid once a process, once a machine, and once a case."""
    arms = _part(plan, "cases")
    if not arms:
        return None
    together = measured[list(arms.values())[-1]]
    opened = {m.arm.empty_cache: m.runs for m in measured.values() if m.arm.kind == "open"}
    walls = [run["case_wall_s"] for run in together.runs]
    return {
        "in_one_process": together.arm.cases,
        "start_s": spread(run["stages"]["start"]["wall_s"] for run in measured[plan.base].runs),
        "first_case_s": spread(wall[0] for wall in walls),
        "later_case_s": spread(value for wall in walls for value in wall[1:]),
        "networks_loaded_s": spread(run["open_s"] for run in opened.get(False, ())),
        "networks_converted_and_loaded_s": spread(r["open_s"] for r in opened.get(True, ())),
    }


def _roofline(
    work: Mapping[str, int], pack: ModelPack, measured: Mapping[str, Measured]
) -> dict[str, Any] | None:
    found = [m for m in measured.values() if m.arm.kind == "peaks"]
    if not found:
        return None
    peaks = {m.arm.options["device"]: best for m in found if (best := best_peaks(m.runs))}
    image = image_work(pack.network, work["rows"], work["columns"])
    # Other sizes of the case have other images.
    arms = [m for m in measured.values() if m.arm.kind == "segment" and m.arm.case == WHOLE_CASE]
    return {
        "peaks": list(peaks.values()),
        "image": {
            "rows": work["rows"],
            "columns": work["columns"],
            "flop": image.flop,
            "weights": image.weights,
            "numbers_moved_fused": image.fused,
            "numbers_moved_unfused": image.unfused,
        },
        "arms": [place for m in arms if (place := achieved(m, image, peaks)) is not None],
    }


def markdown_tables(document: Mapping[str, Any]) -> str:
    """The figures of a document from `make_document`, for people."""
    loads = [run["load_average"] for arm in document["arms"] for run in arm["runs"]]
    return render(
        "benchmark.md.jinja",
        **document,
        summaries={arm["name"]: arm["summary"] for arm in document["arms"]},
        loads=[load for load in loads if load is not None],
        spread=_spread,
        seconds=_seconds,
        megabytes=lambda value: f"{value['high'] / 1e6:.0f} MB",
    ).removesuffix("\n")


def _spread(value: Mapping[str, float] | None) -> str:
    if value is None:
        return ""
    middle, low, high = (_seconds(value[key]) for key in ("median", "low", "high"))
    return middle if value["runs"] == 1 else f"{middle} ({low} to {high})"


def _seconds(value: float) -> str:
    """Three digits that count: a tenth of a percent is below what repeats."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
