"""What this machine can do at best: arithmetic and memory, measured through torch.

Arithmetic: the better of a matrix product (``2 n^3`` operations) and a convolution by 1x1
(``2 N C K H W``), since they run through different libraries. Memory: the triad of McCalpin's
STREAM, ``a = b + s c``, counted as three arrays moved.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

#: Edge of the matrices, and images of 64x64 pixels with 512 channels, by kind of device.
_MATRIX = {"cpu": 1536, "cuda": 8192, "mps": 4096}
_IMAGES = {"cpu": 2, "cuda": 64, "mps": 16}
_CHANNELS, _SIDE = 512, 64

#: Numbers in each array of the triad: far more than caches hold.
_TRIAD = {"cpu": 2**25, "cuda": 2**28, "mps": 2**26}

#: A kernel is repeated until this time is over, but at least this often.
_SECONDS, _LEAST = 1.0, 4

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def measure_peaks(device: str, seconds: float = _SECONDS) -> dict[str, Any]:
    """The best rates of one device.

    Args:
        device: of torch.
        seconds: how long each kernel is repeated.

    Returns:
        ``flop_per_s``: by precision, by kernel; ``bytes_per_s``; ``triad_bytes`` that one
        triad moves. Precisions that the device lacks are left out.
    """
    kind = torch.device(device).type
    precisions = ("fp32", "bf16") if kind != "cuda" else ("fp32", "bf16", "fp16")
    found: dict[str, Any] = {"device": device, "flop_per_s": {}}
    with torch.inference_mode(), _as_in_convolutions(kind):
        for precision in precisions:
            try:
                found["flop_per_s"][precision] = {
                    "matrix product": _matrix_product(device, PRECISIONS[precision], seconds),
                    "convolution": _convolution(device, PRECISIONS[precision], seconds),
                }
            except (RuntimeError, TypeError) as error:
                found.setdefault("left_out", {})[precision] = str(error).splitlines()[0]
        count = _TRIAD[kind]
        if kind == "cuda":
            # Three arrays, and as much again left free.
            count = min(count, torch.cuda.mem_get_info(device)[0] // (2 * 3 * 4))
        found["triad_bytes"] = 3 * 4 * count
        found["bytes_per_s"] = _triad(device, count, seconds)
    return found


def best_seconds(kernel: Callable[[], object], device: str, seconds: float) -> float:
    """The shortest of several times of a kernel, after one that does not count."""
    kernel()
    _wait_for(device)
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < _LEAST or time.perf_counter() - begin < seconds:
        times.append(_seconds(kernel, device))
    return min(times)


def _seconds(kernel: Callable[[], object], device: str) -> float:
    if torch.device(device).type == "cuda":
        # Events are stamped by the GPU itself; the time to launch is not in them.
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        with torch.cuda.device(device):
            first.record()
            kernel()
            last.record()
            last.synchronize()
        return first.elapsed_time(last) / 1000
    begin, cpu = time.perf_counter(), time.process_time()
    kernel()
    _wait_for(device)
    wall = time.perf_counter() - begin
    if torch.device(device).type != "cpu" or os.name != "posix":
        return wall
    # Time in which other programs had our cores says nothing of what the cores can do.
    return min(wall, (time.process_time() - cpu) / torch.get_num_threads())


def _wait_for(device: str) -> None:
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()


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


def _triad(device: str, count: int, seconds: float) -> float:
    b, c = (torch.ones(count, device=device) for _ in range(2))
    a = torch.empty_like(b)
    taken = best_seconds(lambda: torch.add(b, c, alpha=0.5, out=a), device, seconds)
    return 3 * 4 * count / taken


@contextmanager
def _as_in_convolutions(kind: str) -> Iterator[None]:
    """On CUDA let fp32 matrix products round like fp32 convolutions do (TF32 by default)."""
    if kind != "cuda" or not torch.backends.cudnn.allow_tf32:
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
