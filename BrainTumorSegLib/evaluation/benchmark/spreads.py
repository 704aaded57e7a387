"""Medians with their spread, and ratios of runs that stood side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from statistics import median
from typing import Any

Run = Mapping[str, Any]


def spread(values: Iterable[float]) -> dict[str, float] | None:
    """Median, lowest and highest value and their number; None of nothing."""
    known = list(values)
    if not known:
        return None
    return {"median": median(known), "low": min(known), "high": max(known), "runs": len(known)}


def ratios(
    runs: SequenceOf[Run], baseline: SequenceOf[Run], value: Callable[[Run], float]
) -> dict[str, float] | None:
    """Spread of the quotients between runs of the same round; None where there is no pair."""
    others = {run["round"]: value(run) for run in baseline}
    pairs = [(value(run), others[run["round"]]) for run in runs if run["round"] in others]
    return spread(mine / other for mine, other in pairs if other > 0)


def stage_names(runs: SequenceOf[Run]) -> list[str]:
    """Stages in the order in which they came."""
    return list(dict.fromkeys(stage for run in runs for stage in run["stages"]))


def whole_s(run: Run) -> float:
    """Wall time from the start of the process to its end, a case."""
    return run["wall_s"] / len(run["case_wall_s"])


def whole_cpu_s(run: Run) -> float:
    """CPU time of all threads, a case."""
    return run["cpu_s"] / len(run["case_wall_s"])


def stage_s(run: Run, stage: str, kind: str = "wall_s") -> float:
    """Time of one stage a case; zero where it did not take place."""
    return run["stages"].get(stage, {}).get(kind, 0.0) / len(run["case_wall_s"])


#: The stage in which the networks compute.
NETWORK = "segment"

#: What is compared, by key in the report.
MEASURES: Mapping[str, Callable[[Run], float]] = {
    "whole_wall_s": whole_s,
    "whole_cpu_s": whole_cpu_s,
    "network_wall_s": lambda run: stage_s(run, NETWORK),
    "network_cpu_s": lambda run: stage_s(run, NETWORK, "cpu_s"),
}


def summarise_runs(runs: SequenceOf[Run]) -> dict[str, Any]:
    """Spread of every measure and stage over the runs of one ``segment`` arm."""
    summary: dict[str, Any] = {
        name: spread(value(run) for run in runs) for name, value in MEASURES.items()
    }
    summary["stages"] = {
        stage: {
            kind: spread(stage_s(run, stage, kind) for run in runs) for kind in ("wall_s", "cpu_s")
        }
        for stage in stage_names(runs)
    }
    summary["peak_bytes"] = spread(run["peak_bytes"] for run in runs)
    summary["gpu_peak_bytes"] = spread(
        run["gpu_peak_bytes"] for run in runs if "gpu_peak_bytes" in run
    )
    return summary


def compare_runs(runs: SequenceOf[Run], baseline: SequenceOf[Run]) -> dict[str, Any]:
    """Ratios of every measure to the baseline, and whether the labels are the same."""
    compared: dict[str, Any] = {
        name: ratios(runs, baseline, value) for name, value in MEASURES.items()
    }
    hashes = {run["labels_sha256"] for run in (*runs, *baseline)}
    compared["same_labels"] = len(hashes) == 1 if runs and baseline else None
    return compared
