"""The engine of one machine: a process for every case, several side by side.

The processes are forked from one that has imported everything (`preload`; on Windows they are
started anew). One that crashes, or that the system ends for lack of memory, takes no other case
along and is tried again, alone if memory was short.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from BrainTumorSegLib.core.errors import DeviceError
from BrainTumorSegLib.io.atomic import make_folder

from .cases import STATE_FOLDER
from .child import run_case
from .lease import HEARTBEAT_S, Lease, is_held, take_lease
from .plan import Planned, Settings, make_order
from .state import State, lease_path, log_path, read_state, state_path, write_state

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

#: How often running cases are looked after, and how long they may take to clean up.
_TICK_S, _GRACE_S = 0.2, 15.0

#: How often cases that another engine works on are looked at.
_LOOK_S = 2.0

#: Memory that a case takes with ``glioma-lite`` on a scan of 240 x 240 x 155 voxels.
CASE_BYTES = 2 * 1024**3

#: How much of the end of a log is searched for the reason of a failure.
_TAIL_BYTES = 64 * 1024

_SHORT_OF_MEMORY = (
    *("bad_alloc", "bad allocation", "Cannot allocate memory", "MemoryError"),
    "Resource temporarily unavailable",  # no room for another thread
)
_MEMORY_REMEDY = "Use fewer --workers or --members, or a computer with more memory."


@dataclass
class Stop:
    """A request to stop: 1 finishes what is running, 2 ends it."""

    level: int = 0


@dataclass
class Finished:
    """A case that has ended, for whoever shows the progress.

    Attributes:
        planned: the case.
        state: done, failed, or waiting where it will be tried again.
        known: what is on the disk about it now.
        elsewhere: whether another engine has computed it.
    """

    planned: Planned
    state: State
    known: Mapping[str, Any]
    elsewhere: bool = False


@dataclass
class _Running:
    planned: Planned
    lease: Lease
    process: BaseProcess
    attempts: int
    log_begin: int
    begun: float = field(default_factory=time.time)
    touched: float = field(default_factory=time.monotonic)
    peak_bytes: int = 0


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


def run_local(
    to_run: Iterable[Planned],
    settings: Settings,
    workers: int,
    retries: int = 1,
    max_failures: int | None = None,
    on_finish: Callable[[Finished], None] = lambda _: None,
    stop: Stop | None = None,
) -> None:
    """Compute cases, ``workers`` of them side by side.

    Whatever ends this function ends the processes too; what was done stays done.

    Args:
        to_run: from `make_plan`.
        settings: how.
        workers: how many side by side.
        retries: how often a case is tried again that crashed or had too little memory.
        max_failures: begin no other case after so many have failed.
        on_finish: is told of every case that has ended.
        stop: looked at all the time.

    Raises:
        OutputError: when the folder of results cannot be written.
    """
    engine = _Engine(settings, workers, retries, max_failures, on_finish, stop or Stop())
    engine.run(to_run)


class _Engine:
    def __init__(
        self,
        settings: Settings,
        workers: int,
        retries: int,
        max_failures: int | None,
        on_finish: Callable[[Finished], None],
        stop: Stop,
    ) -> None:
        self.settings, self.workers, self.retries = settings, workers, retries
        self.max_failures, self.on_finish, self.stop = max_failures, on_finish, stop
        self.queue: deque[tuple[Planned, int]] = deque()
        #: Cases that had too little memory; they are tried again when nothing else runs.
        self.alone: deque[tuple[Planned, int]] = deque()
        #: Cases that another engine works on; should it die, they are ours.
        self.held: list[Planned] = []
        self.looked = 0.0
        self.running: list[_Running] = []
        self.failures = 0
        self.context = _context()

    def run(self, to_run: Iterable[Planned]) -> None:
        self.queue.extend((planned, 1) for planned in to_run)
        for folder in (STATE_FOLDER, "logs"):
            make_folder(self.settings.folder / folder)
        try:
            while self._begin_what_can_be() or self.running:
                sentinels = [one.process.sentinel for one in self.running]
                multiprocessing.connection.wait(sentinels, timeout=_TICK_S)
                self._look_after()
                if self.stop.level > 1:
                    break
        finally:
            self._end_all()

    def _begin_what_can_be(self) -> bool:
        """Begin cases while there is room; whether one could be begun or is left."""
        tired = self.max_failures is not None and self.failures >= self.max_failures
        if self.stop.level or tired:
            return False
        if not self.queue and time.monotonic() - self.looked > _LOOK_S:
            self.looked = time.monotonic()
            self._look_at_held()
        while self.queue and len(self.running) < self.workers:
            self._begin(*self.queue.popleft())
        if not self.queue and not self.running and self.alone:
            self._begin(*self.alone.popleft())
        return bool(self.queue or self.alone or self.held)

    def _look_at_held(self) -> None:
        """See what became of cases that another engine works on."""
        for planned in list(self.held):
            folder, case = self.settings.folder, planned.case
            if is_held(lease_path(folder, case)):
                continue
            self.held.remove(planned)
            known = read_state(state_path(folder, case))
            if known.get("state") in (State.DONE, State.FAILED):
                self._tell_of_other(planned, known)
            else:
                self.queue.append((replace(planned, known=known), 1))

    def _tell_of_other(self, planned: Planned, known: Mapping[str, Any]) -> None:
        self.on_finish(Finished(planned, State(known["state"]), known, elsewhere=True))

    def _begin(self, planned: Planned, tries: int) -> None:
        case, folder = planned.case, self.settings.folder
        lease = take_lease(lease_path(folder, case))
        if lease is None:
            self.held.append(planned)
            return
        current = read_state(state_path(folder, case))
        if current != (planned.known or {}) and current.get("state") in (State.DONE, State.FAILED):
            # Another engine has come to it since the plan was made.
            lease.release()
            self._tell_of_other(planned, current)
            return
        make_folder(folder / case.folder)
        attempts = int((planned.known or {}).get("attempts", 0)) + tries
        order = make_order(planned, self.settings, attempts)
        state = {**order.known, "state": State.RUNNING, "tries": tries}
        write_state(state_path(folder, case), state)
        log = log_path(folder, case)
        log_begin = log.stat().st_size if log.exists() else 0
        process = self.context.Process(target=run_case, args=(order,), name=case.name)
        process.start()
        running = _Running(planned, lease, process, tries, log_begin)
        lease.heartbeat(process.pid)
        self.running.append(running)

    def _look_after(self) -> None:
        for one in list(self.running):
            if one.process.exitcode is None:
                one.peak_bytes = max(one.peak_bytes, _memory(one.process.pid))
                if time.monotonic() - one.touched > HEARTBEAT_S:
                    one.lease.heartbeat()
                    one.touched = time.monotonic()
                continue
            self.running.remove(one)
            self._reap(one)

    def _reap(self, one: _Running) -> None:
        _end_group(one.process.pid)
        path = state_path(self.settings.folder, one.planned.case)
        known = read_state(path)
        code = one.process.exitcode
        if code == 0 and known.get("state") == State.DONE:
            one.lease.release()
            self.on_finish(Finished(one.planned, State.DONE, known))
            return
        log = log_path(self.settings.folder, one.planned.case)
        failure = explain_failure(code or 1, _tail(log, one.log_begin), one.peak_bytes)
        again = failure["worth_retrying"] and one.attempts <= self.retries
        known = {
            **known,
            "state": State.WAITING if again else State.FAILED,
            "ended": time.time(),
            "seconds": round(time.time() - one.begun, 3),
            "peak_memory_bytes": one.peak_bytes or None,
            **failure,
        }
        write_state(path, known)
        one.lease.release()
        if again:
            waiting = self.alone if failure["out_of_memory"] else self.queue
            waiting.append((one.planned, one.attempts + 1))
        else:
            self.failures += 1
        self.on_finish(Finished(one.planned, State.WAITING if again else State.FAILED, known))

    def _end_all(self) -> None:
        """End what still runs; its cases wait as if they had never been begun."""
        for one in self.running:
            with suppress(OSError):
                one.process.terminate()
        deadline = time.monotonic() + _GRACE_S
        for one in self.running:
            one.process.join(max(0.0, deadline - time.monotonic()))
            if one.process.exitcode is None:
                one.process.kill()
                one.process.join()
            _end_group(one.process.pid)
            path = state_path(self.settings.folder, one.planned.case)
            known = read_state(path)
            if known.get("state") != State.DONE:
                write_state(path, {**known, "state": State.WAITING})
            one.lease.release()
        self.running.clear()


def explain_failure(code: int, output: str, peak_bytes: int = 0) -> dict[str, Any]:
    """Why a process ended without a result, for people and for the decision to try again.

    Args:
        code: exit code; negative for the number of the signal that ended it.
        output: the end of what it printed.
        peak_bytes: memory that it was seen to take.

    Returns:
        ``reason``, ``remedy``, ``exit_code``, ``out_of_memory`` and ``worth_retrying``.
    """
    told = _told_error(output)
    if told is not None and code > 0:
        memory = code == DeviceError.exit_code or "memory" in told["message"].lower()
        return {
            "reason": told["message"],
            "remedy": told.get("remedy") or "",
            "exit_code": code,
            "out_of_memory": memory,
            "worth_retrying": memory,
        }
    seen = f" It was seen to take {peak_bytes / 1024**3:.1f} GB." if peak_bytes else ""
    killed = code == -getattr(signal, "SIGKILL", 9)
    memory = killed or any(words in output for words in _SHORT_OF_MEMORY)
    if memory:
        how = "The system ended it" if killed else "It crashed"
        reason, remedy = f"{how}, most likely for lack of memory.{seen}", _MEMORY_REMEDY
    elif code < 0:
        reason = f"The program crashed ({_signal_name(-code)}).{seen}"
        remedy = (
            "Look at the log. If the scans can be opened elsewhere, please report it with the log."
        )
    else:
        reason = f"The program ended with code {code} and no result."
        remedy = "Look at the log, and please report it with the log."
    return {
        "reason": reason,
        "remedy": remedy,
        "exit_code": code,
        "out_of_memory": memory,
        "worth_retrying": True,
    }


def _told_error(output: str) -> dict[str, Any] | None:
    """The last line of the output that tells an error, see ``--progress json``."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and found.get("kind") == "error":
                    return found
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(log: Path, begin: int) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _context() -> BaseContext:
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.preload"])
    # Its threads would be started by the import, before the fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return context


def _memory(process: int | None) -> int:
    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0


def _end_group(process: int | None) -> None:
    """End what a case has started and left behind, such as BRAINSFit."""
    if process is not None and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process, signal.SIGKILL)
