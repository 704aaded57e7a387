"""Describing the machine and the case, so that figures can be read elsewhere."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.requirements import computing_versions
from BrainTumorSegLib.inference.engines.choosing import native_bf16


def describe_machine(device: str = "cpu") -> dict[str, Any]:
    """Processor, memory, GPU, system and versions; plain JSON types."""
    import psutil
    import torch

    described: dict[str, Any] = {
        "processor": processor_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16": bool(native_bf16()),
        "cores": psutil.cpu_count(logical=False),
        "threads": os.cpu_count(),
        "usable_threads": usable_threads(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), **computing_versions()},
    }
    if torch.device(device).type == "cuda" and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(device)
        described["gpu"] = {
            "name": properties.name,
            "memory_bytes": properties.total_memory,
            "cuda": torch.version.cuda,
        }
    return described


def describe_scans(case: Case) -> list[dict[str, Any]]:
    """Sequence, size and spacing (mm) of each scan; never where it lies or what it is called."""
    return [
        {
            "sequence": sequence.value,
            "size": list(scan.image.GetSize()),
            "spacing": [round(value, 4) for value in scan.image.GetSpacing()],
        }
        for sequence, scan in case.scans.items()
    ]


def usable_threads() -> int:
    """Hardware threads that this process may use, which can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float | None:
    """Processes that wanted to run during the last minute; None where that is not told."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def processor_name() -> str:
    """What the processor is called, as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
