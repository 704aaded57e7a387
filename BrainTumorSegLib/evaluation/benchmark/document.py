"""All figures as one document of plain JSON types: ``Resources/Schemas/benchmark.schema.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.evaluation.benchmark.arms import SIZES, WHOLE_CASE, Comparison, Plan
from BrainTumorSegLib.evaluation.benchmark.roofline import achieved, best_peaks
from BrainTumorSegLib.evaluation.benchmark.runs import Measured
from BrainTumorSegLib.evaluation.benchmark.scaling import fit_line
from BrainTumorSegLib.evaluation.benchmark.spreads import (
    compare_runs,
    spread,
    stage_names,
    stage_s,
    summarise_runs,
)
from BrainTumorSegLib.evaluation.benchmark.work import image_work
from BrainTumorSegLib.models.packs import ModelPack
from BrainTumorSegLib.reporting.record import now

SCHEMA = "brain-tumor-seg-benchmark/1"


@dataclass(frozen=True)
class Setting:
    """What holds for all runs.

    Attributes:
        command: as it was given, without places on this machine.
        case: what the case is called in the report.
        prepared: answer of the worker to ``prepare``.
        pack: whose networks ran.
        plan: what was to be measured.
        runs, threads: what was chosen; None for the libraries' own choice.
        absent: engines that cannot be tried here, and why.
    """

    command: str
    case: str
    prepared: Mapping[str, Any]
    pack: ModelPack
    plan: Plan
    runs: int
    threads: int | None
    absent: Mapping[str, str]


def make_document(
    setting: Setting, measured: Mapping[str, Measured], complete: bool = True
) -> dict[str, Any]:
    """Everything that was measured and what follows from it."""
    plan = setting.plan
    base = measured[plan.base]
    threads = next((run["threads"] for run in base.runs), None)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "version": __version__,
        "created": now(),
        "complete": complete,
        "command": setting.command,
        "machine": setting.prepared["machine"],
        "case": {
            "name": setting.case,
            "scans": setting.prepared["scans"],
            "work": setting.prepared["work"],
        },
        "pack": {
            "name": setting.pack.name,
            "version": setting.pack.version,
            "network": setting.pack.network.as_dict(),
            "members": len(setting.pack.members),
        },
        "settings": {"runs": setting.runs, "threads": setting.threads, "used_threads": threads},
        "unavailable": dict(setting.absent),
        "base": plan.base,
        "arms": [_arm(found) for found in measured.values()],
        "comparisons": [_comparison(chosen, measured) for chosen in plan.comparisons],
        "failures": [
            {"arm": name, **found.failure} for name, found in measured.items() if found.failure
        ],
    }
    document["size"] = _size(plan, measured)
    document["cases"] = _cases(plan, measured)
    document["roofline"] = _roofline(setting, measured)
    return document


def _arm(found: Measured) -> dict[str, Any]:
    described = {**asdict(found.arm), "options": _public(found.arm.options)}
    timed = found.arm.kind == "segment" and found.runs
    return {
        **described,
        "failure": found.failure,
        "summary": summarise_runs(found.runs) if timed else None,
        "runs": found.runs,
    }


def _public(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options without the places of files."""
    return {key: value for key, value in options.items() if key not in ("pack", "brainsfit")}


def _comparison(chosen: Comparison, measured: Mapping[str, Measured]) -> dict[str, Any]:
    baseline = measured[chosen.baseline].runs
    return {
        "part": chosen.part,
        "title": chosen.title,
        "baseline": chosen.baseline,
        "rows": [
            {
                "label": label,
                "arm": name,
                "ratios": compare_runs(measured[name].runs, baseline),
            }
            for label, name in chosen.arms.items()
        ],
    }


def _size(plan: Plan, measured: Mapping[str, Measured]) -> dict[str, Any] | None:
    """How each stage grows with the slices that the networks see, and the whole run."""
    chosen = next((c for c in plan.comparisons if c.part == "size"), None)
    if chosen is None:
        return None
    cropped = [
        measured[name]
        for label, name in chosen.arms.items()
        if measured[name].runs and SIZES[label] <= 1
    ]
    slices = [found.runs[0]["work"]["slices"] for found in cropped]
    stages = list(dict.fromkeys(s for found in cropped for s in stage_names(found.runs)))
    # Starting Python knows nothing of the size.
    stages = [stage for stage in stages if stage != "start"]
    return {
        "slices": {found.arm.case: n for found, n in zip(cropped, slices, strict=True)},
        "stages": {
            stage: fit_line(
                slices,
                [spread(stage_s(run, stage) for run in found.runs)["median"] for found in cropped],
            )
            for stage in stages
        },
    }


def _cases(plan: Plan, measured: Mapping[str, Measured]) -> dict[str, Any] | None:
    """What is paid once a process, once a machine, and once a case."""
    chosen = next((c for c in plan.comparisons if c.part == "cases"), None)
    if chosen is None:
        return None
    *_, together = chosen.arms.values()
    runs = measured[together].runs
    opened = {found.arm.empty_cache: found for found in measured.values() if _is_open(found)}
    return {
        "in_one_process": measured[together].arm.cases,
        "start_s": spread(run["stages"]["start"]["wall_s"] for run in measured[plan.base].runs),
        "first_case_s": spread(run["case_wall_s"][0] for run in runs),
        "later_case_s": spread(value for run in runs for value in run["case_wall_s"][1:]),
        "networks_loaded_s": _opened(opened.get(False)),
        "networks_converted_and_loaded_s": _opened(opened.get(True)),
    }


def _is_open(found: Measured) -> bool:
    return found.arm.kind == "open"


def _opened(found: Measured | None) -> dict[str, float] | None:
    return spread(run["open_s"] for run in found.runs) if found else None


def _roofline(setting: Setting, measured: Mapping[str, Measured]) -> dict[str, Any] | None:
    found = [m for m in measured.values() if m.arm.kind == "peaks"]
    if not found:
        return None
    peaks = {m.arm.options["device"]: best for m in found if (best := best_peaks(m.runs))}
    work = setting.prepared["work"]
    image = image_work(setting.pack.network, work["rows"], work["columns"])
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
