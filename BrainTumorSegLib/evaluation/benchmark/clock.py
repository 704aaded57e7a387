"""Wall and CPU time of the stages of a run, and the memory of a process."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from BrainTumorSegLib.core.progress import ProgressEvent


def cpu_seconds() -> float:
    """CPU time of this process, all of its threads, and of programs that it ran and awaited."""
    return sum(os.times()[:4])


class StageClock:
    """A sink of `Progress` that tells what each stage took.

    A stage lasts from its first event to the first event of the next one.
    """

    def __init__(self) -> None:
        self._stage = ""
        self._since = (0.0, 0.0)
        self._spent: dict[str, tuple[float, float]] = {}

    def __call__(self, event: ProgressEvent) -> None:
        if event.stage == self._stage:
            return
        self._close()
        self._stage, self._since = event.stage, (time.perf_counter(), cpu_seconds())

    def spent(self) -> Mapping[str, dict[str, float]]:
        """Seconds by stage, ``wall_s`` and ``cpu_s``; the stage ``done`` is none."""
        return {
            stage: {"wall_s": wall, "cpu_s": cpu}
            for stage, (wall, cpu) in self._spent.items()
            if stage not in ("", "done")
        }

    def _close(self) -> None:
        wall, cpu = self._spent.get(self._stage, (0.0, 0.0))
        self._spent[self._stage] = (
            wall + time.perf_counter() - self._since[0],
            cpu + cpu_seconds() - self._since[1],
        )


def peak_memory_bytes() -> int:
    """The most memory that this process has held at once (resident set)."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: on Linux a process inherits that figure from the one that started it.
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
