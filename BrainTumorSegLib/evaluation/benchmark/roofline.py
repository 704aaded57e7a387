"""What was achieved, against what the machine can do and what the network must do.

The roofline model (Williams, Waterman, Patterson 2009): no run is faster than its operations
at the highest rate of arithmetic, or its bytes at the highest rate of memory.

Arithmetic: the better of a matrix product (``2 n^3`` operations) and a convolution by 1x1
(``2 N C K H W``), since they run through different libraries. Memory: the triad of McCalpin's
STREAM, ``a = b + s c``, counted as three arrays moved.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from BrainTumorSegLib.inference.tta import tta_transforms
from BrainTumorSegLib.models.networks import NetworkSpec, build_skeleton

if TYPE_CHECKING:
    from .plan import Measured

#: Edge of the matrices, and images of 64x64 pixels with 512 channels, by kind of device.
_MATRIX = {"cpu": 1536, "cuda": 8192, "mps": 4096}
_IMAGES = {"cpu": 2, "cuda": 64, "mps": 16}
_CHANNELS, _SIDE = 512, 64

#: Numbers in each array of the triad: far more than caches hold.
_TRIAD = {"cpu": 2**25, "cuda": 2**28, "mps": 2**26}

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

#: The stage in which the networks compute.
NETWORK = "segment"

#: Their results need not go through memory when the operation behind them is fused.
_PRODUCTS = ("convolution", "mm", "addmm", "bmm", "linear")

#: Do not touch the numbers themselves.
_VIEWS = ("view", "reshape", "permute", "transpose", "expand", "slice", "select", "detach", "t")


@dataclass(frozen=True)
class ImageWork:
    """The work for one image, whatever the engine.

    Attributes:
        flop: operations of convolutions and matrix products, a multiplication and an
            addition counting as two (`torch.utils.flop_counter`).
        weights: numbers in the live weights.
        fused: numbers read and written by convolutions and products alone, weights not
            counted: what is left when everything else is fused into them. The floor.
        unfused: numbers read and written when every operation reads its inputs from memory
            and writes its results there.
    """

    flop: int
    weights: int
    fused: int
    unfused: int

    def bytes_an_image(self, precision: str, batch: int) -> float:
        """Bytes of the floor for one image of a batch, which shares one read of the weights."""
        return PRECISIONS[precision].itemsize * (self.fused + self.weights / batch)


def spread(values: Iterable[float]) -> dict[str, float] | None:
    """Median, lowest and highest value and their number; None of nothing."""
    known = list(values)
    if not known:
        return None
    return {"median": median(known), "low": min(known), "high": max(known), "runs": len(known)}


def stage_s(run: Mapping[str, Any], stage: str, kind: str = "wall_s") -> float:
    """Time of one stage a case; zero where it did not take place."""
    return run["stages"].get(stage, {}).get(kind, 0.0) / len(run["case_wall_s"])


def measure_peaks(device: str, seconds: float = 1.0) -> dict[str, Any]:
    """The best rates of one device.

    Args:
        device: of torch.
        seconds: how long each kernel is repeated.

    Returns:
        ``flop_per_s``: by precision, by kernel; ``bytes_per_s``; ``triad_bytes`` that one
        triad moves. Precisions that the device lacks are left out.
    """
    kind = torch.device(device).type
    found: dict[str, Any] = {"device": device, "flop_per_s": {}}
    with torch.inference_mode(), _as_in_convolutions(kind):
        for precision, dtype in PRECISIONS.items():
            if precision == "fp16" and kind != "cuda":
                continue
            try:
                found["flop_per_s"][precision] = {
                    "matrix product": _matrix_product(device, dtype, seconds),
                    "convolution": _convolution(device, dtype, seconds),
                }
            except (RuntimeError, TypeError) as error:
                found.setdefault("left_out", {})[precision] = str(error).splitlines()[0]
        count = _TRIAD[kind]
        if kind == "cuda":
            # Three arrays, and as much again left free.
            count = min(count, torch.cuda.mem_get_info(device)[0] // (2 * 3 * 4))
        b, c = (torch.ones(count, device=device) for _ in range(2))
        a = torch.empty_like(b)
        found["triad_bytes"] = 3 * 4 * count
        taken = best_seconds(lambda: torch.add(b, c, alpha=0.5, out=a), device, seconds)
        found["bytes_per_s"] = found["triad_bytes"] / taken
    return found


def best_seconds(kernel: Callable[[], object], device: str, seconds: float) -> float:
    """The shortest time of a kernel among blocks of repetitions, by `torch.utils.benchmark`."""
    threads, kind = torch.get_num_threads(), torch.device(device).type

    def now() -> float:
        if kind == "cpu" and os.name == "posix":
            # Time in which other programs had our cores says nothing of what the cores can do.
            return time.process_time() / threads
        if kind != "cpu":
            getattr(torch, kind).synchronize()
        return time.perf_counter()

    timer = Timer("kernel()", globals={"kernel": kernel}, timer=now, num_threads=threads)
    return min(timer.blocked_autorange(min_run_time=seconds).times)


def _matrix_product(device: str, dtype: torch.dtype, seconds: float) -> float:
    edge = _MATRIX[torch.device(device).type]
    a, b = (torch.rand(edge, edge, device=device).to(dtype) for _ in range(2))
    result = torch.empty_like(a)
    return 2 * edge**3 / best_seconds(lambda: torch.mm(a, b, out=result), device, seconds)


def _convolution(device: str, dtype: torch.dtype, seconds: float) -> float:
    count = _IMAGES[torch.device(device).type]
    images = torch.rand(count, _CHANNELS, _SIDE, _SIDE, device=device).to(dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    weights = torch.rand(_CHANNELS, _CHANNELS, 1, 1, device=device).to(dtype)
    operations = 2 * count * _CHANNELS**2 * _SIDE**2
    taken = best_seconds(lambda: torch.nn.functional.conv2d(images, weights), device, seconds)
    return operations / taken


@contextmanager
def _as_in_convolutions(kind: str) -> Iterator[None]:
    """On CUDA let fp32 matrix products round like fp32 convolutions do (TF32 by default)."""
    before = torch.get_float32_matmul_precision()
    if kind == "cuda" and torch.backends.cudnn.allow_tf32:
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@lru_cache(maxsize=8)
def image_work(spec: NetworkSpec, height: int, width: int) -> ImageWork:
    """Count the work of a network for one image ``[1, C, H, W]``; nothing is computed.

    Raises:
        PackError: as `build_network`.
    """
    network = build_skeleton(spec).eval()
    image = torch.empty(1, spec.in_channels, height, width, device="meta")
    flop, moved = FlopCounterMode(display=False), _Moved()
    with torch.no_grad(), flop, moved:
        network(image)
    weights = sum(parameter.numel() for parameter in network.parameters())
    return ImageWork(int(flop.get_total_flops()), weights, moved.fused, moved.unfused)


class _Moved(TorchDispatchMode):
    """Adds up the numbers that operations read and write, one-dimensional weights left out."""

    def __init__(self) -> None:
        super().__init__()
        self.fused = 0
        self.unfused = 0

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        arguments: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        result = operation(*arguments, **(named or {}))
        name = operation.overloadpacket.__name__.strip("_")
        if name in _VIEWS:
            return result
        product = name.endswith(_PRODUCTS)
        # A convolution's second argument holds its weights.
        touched = tree_leaves((arguments[:1] if product else arguments, result))
        moved = sum(t.numel() for t in touched if isinstance(t, Tensor) and t.dim() > 1)
        self.unfused += moved
        self.fused += moved if product else 0
        return result


def best_peaks(runs: SequenceOf[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The best of all measurements of one device, and how far they lay apart.

    Returns:
        ``device``, ``threads``, ``flop_per_s`` by precision (the best kernel),
        ``kernels`` by precision and kernel, ``bytes_per_s``, and ``spread`` of each over the
        runs; None without a run.
    """
    if not runs:
        return None
    precisions = [p for p in PRECISIONS if all(p in run["flop_per_s"] for run in runs)]
    kernels = {
        p: {
            kernel: max(run["flop_per_s"][p][kernel] for run in runs)
            for kernel in runs[0]["flop_per_s"][p]
        }
        for p in precisions
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
    engine, precision = run["engine"], run["engine"]["precision"]
    # Out of memory, an engine may have moved to another device.
    moved = engine["device"].partition(":")[0] != arm.options["device"].partition(":")[0]
    if moved or precision not in device["flop_per_s"]:
        return None
    views = len(tta_transforms(arm.options["views"]))
    images = run["work"]["slices"] * views * arm.options["members"] * arm.cases
    flop = image.flop * images
    moved_bytes = image.bytes_an_image(precision, engine["batch"]) * images
    peak, bandwidth = device["flop_per_s"][precision], device["bytes_per_s"]
    wall, cpu = (
        spread(stage_s(r, NETWORK, kind) * arm.cases for r in measured.runs)
        for kind in ("wall_s", "cpu_s")
    )
    seconds, cpu_s = wall["median"], cpu["median"] / device["threads"]
    floor = max(flop / peak, moved_bytes / bandwidth)
    return {
        "arm": arm.name,
        "device": device["device"],
        "precision": precision,
        "images": images,
        "flop": flop,
        "bytes": moved_bytes,
        "measured_s": wall,
        "compute_s": flop / peak,
        "memory_s": moved_bytes / bandwidth,
        "floor_s": floor,
        "times_floor": seconds / floor,
        "flop_per_s": flop / seconds,
        "share_of_peak": flop / seconds / peak,
        # While the cores were ours; a GPU's time is not in it.
        "share_of_peak_cpu": flop / cpu_s / peak if device["device"] == "cpu" and cpu_s else None,
        "bytes_per_s": moved_bytes / seconds,
        "share_of_bandwidth": moved_bytes / seconds / bandwidth,
        "flop_a_byte": flop / moved_bytes,
    }
