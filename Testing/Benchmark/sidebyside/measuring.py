"""One program as a fresh process: wall time, CPU time and peak memory. POSIX only."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: What ru_maxrss counts in.
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    """What a process and all its children took.

    Attributes:
        wall_s: from its start to its end.
        cpu_s: user and system time of all threads and of children that have ended.
        peak_bytes: the largest resident size of a single one of its processes.
        exit_code: 0 for success.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    exit_code: int


def run_measured(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> Cost:
    """Run a command to its end; what it prints goes to ``log``.

    Raises:
        TimeoutError: when it was stopped for taking too long.
    """
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        too_late = threading.Event()

        def stop() -> None:
            too_late.set()
            process.kill()

        timer = threading.Timer(timeout_s, stop) if timeout_s else None
        if timer:
            timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        if timer:
            timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if too_late.is_set():
        raise TimeoutError(f"stopped after {timeout_s:.0f} s: {' '.join(command)}")
    return Cost(
        wall_s=wall,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * _MAXRSS_BYTES,
        exit_code=process.returncode,
    )
