"""What runs in the workers of Dask: tries of cases, each in a process of its own.

Nothing here is told to Dask but how a try ended; what a case gave is on the disk.
"""

from __future__ import annotations

import multiprocessing
import signal
import socket
import threading
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import DependencyError, InputError
from BrainTumorSegLib.core.version import __version__

from .attempt import TICK_S, End, Outcome, Try, begin_try, end_all, wait_for

#: How far each run that we work for has been asked to stop, see `engine.Stop`; and which cases
#: of it are running here.
_levels: dict[str, int] = {}
_running: dict[str, set[str]] = {}
_guard = threading.Lock()


def dask_setup(worker: Any) -> None:
    """Called by Dask when a worker of our own starts: Ctrl-C is for the engine to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def check_worker(version: str, folder: str) -> None:
    """Check that cases can be computed in this process.

    Args:
        version: of the program that distributes them.
        folder: of all results.

    Raises:
        DependencyError: when another version is installed, or the worker may start no process.
        InputError: when the folder is not there.
    """
    here = f"The Dask worker on {socket.gethostname()}"
    if version != __version__:
        raise DependencyError(
            f"{here} has version {__version__} of BrainTumorSeg, not {version}.",
            "Use the same Python environment everywhere.",
        )
    if multiprocessing.current_process().daemon:
        raise DependencyError(
            f"{here} may start no other process.", "Start workers with: dask worker --no-nanny"
        )
    if not Path(folder).is_dir():
        raise InputError(
            f"{here} has no folder {folder}.",
            "Scans and results must lie on a disk that all computers share, under the same path.",
        )


def compute_case(one: Try, run: str, key: str, version: str) -> Outcome:
    """Try a case, and say how it ended.

    Args:
        one: what is to be tried.
        run: which engine wants it, for `stop_cases`.
        key: what it calls the case.
        version: of the program that distributes the cases.
    """
    check_worker(version, one.order.folder)
    with _guard:
        if _levels.get(run):
            return Outcome(End.STOPPED)
        _running.setdefault(run, set()).add(key)
    try:
        begun = begin_try(one)
        if isinstance(begun, Outcome):
            return begun
        try:
            while _levels.get(run, 0) < 2:
                wait_for([begun], TICK_S)
                outcome = begun.look_after()
                if outcome is not None:
                    return outcome
        except BaseException:
            end_all([begun])
            raise
        end_all([begun])
        return Outcome(End.STOPPED)
    finally:
        with _guard:
            _running[run].discard(key)


def stop_cases(run: str, level: int) -> list[str]:
    """Begin no other case of an engine (1), or end them (2); which are running now."""
    with _guard:
        _levels[run] = level
        return list(_running.get(run, ()))
