"""What was achieved, against what the machine can do and what the network must do.

The roofline model (Williams, Waterman, Patterson 2009): no run is faster than its operations
at the highest rate of arithmetic, or its bytes at the highest rate of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from typing import Any

from BrainTumorSegLib.evaluation.benchmark.arms import Arm
from BrainTumorSegLib.evaluation.benchmark.runs import Measured
from BrainTumorSegLib.evaluation.benchmark.spreads import NETWORK, spread, stage_s
from BrainTumorSegLib.evaluation.benchmark.work import ImageWork
from BrainTumorSegLib.inference.tta import views_by_name

#: Bytes of a number.
NUMBER_BYTES: Mapping[str, int] = {"fp32": 4, "bf16": 2, "fp16": 2}


def best_peaks(runs: SequenceOf[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The best of all measurements of one device, and how far they lay apart.

    Returns:
        ``device``, ``threads``, ``flop_per_s`` by precision (the best kernel),
        ``kernels`` by precision and kernel, ``bytes_per_s``, and ``spread`` of each over the
        runs; None without a run.
    """
    if not runs:
        return None
    precisions = [p for p in NUMBER_BYTES if all(p in run["flop_per_s"] for run in runs)]
    kernels = {
        p: {kernel: max(run["flop_per_s"][p][kernel] for run in runs) for kernel in kinds}
        for p in precisions
        for kinds in (runs[0]["flop_per_s"][p],)
    }
    return {
        "device": runs[0]["device"],
        "threads": runs[0]["threads"]["torch"],
        "flop_per_s": {p: max(kinds.values()) for p, kinds in kernels.items()},
        "kernels": kernels,
        "bytes_per_s": max(run["bytes_per_s"] for run in runs),
        "spread": {
            **{p: spread(max(run["flop_per_s"][p].values()) for run in runs) for p in precisions},
            "bytes_per_s": spread(run["bytes_per_s"] for run in runs),
        },
    }


def images_of(arm: Arm, work: Mapping[str, int]) -> int:
    """How many images the networks look at: slices x views x members x cases."""
    views = len(views_by_name(arm.options["views"]))
    return work["slices"] * views * arm.options["members"] * arm.cases


def floors(
    image: ImageWork, images: int, batch: int, precision: str, peaks: Mapping[str, Any]
) -> dict[str, float]:
    """The least seconds in which so many images can be done.

    Args:
        image: work for one.
        images: how many.
        batch: how many share one read of the weights.
        precision: key of `NUMBER_BYTES`.
        peaks: from `best_peaks`, holding that precision.

    Returns:
        ``compute_s``, ``memory_s``, and the larger of them as ``floor_s``.
    """
    compute = image.flop * images / peaks["flop_per_s"][precision]
    moved = image.bytes_an_image(NUMBER_BYTES[precision], batch) * images
    memory = moved / peaks["bytes_per_s"]
    return {"compute_s": compute, "memory_s": memory, "floor_s": max(compute, memory)}


def achieved(
    measured: Measured, image: ImageWork, peaks: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any] | None:
    """One arm's network stage on the roofline; None where it or its device was not measured.

    Args:
        measured: a ``segment`` arm without cascade.
        image: work for one image of its size.
        peaks: from `best_peaks`, by device.
    """
    arm = measured.arm
    device = peaks.get(arm.options["device"])
    if not measured.runs or device is None or arm.options.get("cascade", "off") != "off":
        return None
    run = measured.runs[0]
    if run["engine"]["device"].partition(":")[0] != arm.options["device"].partition(":")[0]:
        return None  # it ran out of memory there and moved
    precision = run["engine"]["precision"]
    if precision not in device["flop_per_s"]:
        return None
    images = images_of(arm, run["work"])
    seconds = spread(stage_s(r, NETWORK) * arm.cases for r in measured.runs)
    least = floors(image, images, run["engine"]["batch"], precision, device)
    rate = image.flop * images / seconds["median"]
    moved = image.bytes_an_image(NUMBER_BYTES[precision], run["engine"]["batch"]) * images
    return {
        "arm": arm.name,
        "device": device["device"],
        "precision": precision,
        "images": images,
        "flop": image.flop * images,
        "bytes": moved,
        "measured_s": seconds,
        **least,
        "times_floor": seconds["median"] / least["floor_s"],
        "flop_per_s": rate,
        "share_of_peak": rate / device["flop_per_s"][precision],
        "share_of_peak_cpu": _by_cpu_time(measured, image.flop * images, device, precision),
        "bytes_per_s": moved / seconds["median"],
        "share_of_bandwidth": moved / seconds["median"] / device["bytes_per_s"],
        "flop_a_byte": image.flop * images / moved,
    }


def _by_cpu_time(
    measured: Measured, flop: int, peaks: Mapping[str, Any], precision: str
) -> float | None:
    """The share of the peak while the cores were ours; None on a GPU."""
    if peaks["device"] != "cpu":
        return None
    spent = spread(stage_s(run, NETWORK, "cpu_s") * measured.arm.cases for run in measured.runs)
    seconds = spent["median"] / peaks["threads"]
    return flop / seconds / peaks["flop_per_s"][precision] if seconds > 0 else None
