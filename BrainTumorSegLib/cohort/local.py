"""The engine of one machine: a process for every case, several side by side."""

from __future__ import annotations

import os

import psutil

from .attempt import Outcome, RunningTry, Try, begin_try, end_all, wait_for

#: Memory that a case takes with ``glioma-lite`` on a scan of 240 x 240 x 155 voxels.
CASE_BYTES = 2 * 1024**3


def free_cores() -> int:
    """Cores that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def choose_workers(
    workers: int | None, threads: int | None, on_gpu: bool
) -> tuple[int, int | None]:
    """How many cases side by side, and how many threads each.

    One thread a case keeps all cores busy also in steps that one thread does; memory for each
    case is set aside. A GPU takes one case at a time.

    Args:
        workers, threads: as given; None to choose.
        on_gpu: whether the networks run on one.

    Returns:
        Both numbers; threads is None for the libraries' own choice.
    """
    if on_gpu:
        return workers or 1, threads
    cores = free_cores()
    if workers is None:
        room = int(psutil.virtual_memory().available // CASE_BYTES)
        workers = max(1, min(cores // (threads or 1), room))
    return workers, threads or max(1, cores // workers)


class LocalPool:
    """Computes cases on this machine; see `engine.Pool`."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.running: dict[str, RunningTry] = {}
        self.over: list[tuple[str, Outcome]] = []

    def room(self) -> int:
        """How many more cases can be begun."""
        return self.workers - len(self.running)

    def begin(self, key: str, one: Try) -> None:
        """Start the process of a case, unless another engine works on it."""
        begun = begin_try(one)
        if isinstance(begun, Outcome):
            self.over.append((key, begun))
        else:
            self.running[key] = begun

    def ended(self, timeout: float) -> list[tuple[str, Outcome]]:
        """What has ended; waits for it so many seconds at most."""
        wait_for(self.running.values(), 0 if self.over else timeout)
        found, self.over = self.over, []
        for key, one in list(self.running.items()):
            outcome = one.look_after()
            if outcome is not None:
                del self.running[key]
                found.append((key, outcome))
        return found

    def hold(self) -> None:
        """Everything that was taken on has been begun."""

    def close(self) -> None:
        """End all that runs."""
        end_all(self.running.values())
        self.running.clear()
