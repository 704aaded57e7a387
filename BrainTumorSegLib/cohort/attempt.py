"""One try of one case: its lease, its process, and what became of it.

The process is forked from one that has imported everything (`preload`; on Windows it is started
anew). One that crashes, or that the system ends for lack of memory, takes no other case along.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from BrainTumorSegLib.io.atomic import make_folder

from .child import CaseOrder, run_case
from .failure import explain_failure
from .lease import HEARTBEAT_S, Lease, take_lease
from .state import LEASE_SUFFIX, State, read_state, write_state

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

#: How often running cases are looked after, and how long they may take to clean up.
TICK_S, _GRACE_S = 0.2, 15.0

#: How much of the end of a log is searched for the reason of a failure.
_TAIL_BYTES = 64 * 1024

#: What the process that is forked has imported.
PRELOADED = [f"{__package__}.preload"]

#: Starting a process also asks how all others are, and of two threads that ask at the same time
#: one is told nonsense.
_PROCESSES = threading.Lock()


class End(StrEnum):
    """How a try ended.

    `AGAIN`: it failed and is worth another try. `HELD`: another engine works on the case.
    `LOST`: whoever worked on it has gone without a word. `STOPPED`: the case waits as if it had
    never been begun.
    """

    DONE, FAILED, AGAIN, HELD, LOST, STOPPED = "done", "failed", "again", "held", "lost", "stopped"


@dataclass(frozen=True)
class Outcome:
    """What became of a try; plain types, as it may come from another computer.

    Attributes:
        end: how it ended.
        known: what is on the disk about the case now.
    """

    end: End
    known: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Try:
    """What is to be tried.

    Attributes:
        order: what the process is told; its ``known`` names the ``run`` that ordered it.
        before: what was on the disk when that was planned.
        number: which try of this run it is, from 1.
        last: whether there is no other one, should it fail.
    """

    order: CaseOrder
    before: Mapping[str, Any]
    number: int
    last: bool

    @property
    def state(self) -> Path:
        """File of the state."""
        return Path(self.order.state)


def begin_try(one: Try) -> RunningTry | Outcome:
    """Start the process of a case; no process when the case is not ours to compute.

    Raises:
        OutputError: when the folder of results cannot be written.
    """
    order = one.order
    lease = take_lease(one.state.with_suffix(LEASE_SUFFIX))
    if lease is None:
        return Outcome(End.HELD)
    found = read_state(one.state)
    if found != one.before and found.get("state") in (State.DONE, State.FAILED):
        # Another engine has come to it since the plan was made.
        lease.release()
        return Outcome(End(found["state"]), found)
    same = all(found.get(key) == order.known[key] for key in ("run", "attempts"))
    if same and found.get("state") == State.RUNNING:
        # Whoever distributes the cases gives one of a lost worker to the next worker.
        lease.release()
        return Outcome(End.LOST, found)
    for file in order.outputs.values():
        make_folder(Path(order.folder, file).parent)
    write_state(one.state, {**order.known, "state": State.RUNNING, "tries": one.number})
    log = Path(order.log)
    log_begin = log.stat().st_size if log.exists() else 0
    process = _context().Process(target=run_case, args=(order,), name=order.known["case"])
    with _PROCESSES:
        process.start()
    running = RunningTry(one, lease, process, log_begin)
    lease.heartbeat(process.pid)
    return running


@dataclass
class RunningTry:
    """A process that works on a case; see `begin_try`."""

    what: Try
    lease: Lease
    process: BaseProcess
    log_begin: int
    begun: float = field(default_factory=time.time)
    touched: float = field(default_factory=time.monotonic)
    peak_bytes: int = 0

    def look_after(self) -> Outcome | None:
        """Say that we are still there; what became of the case once its process has ended."""
        code = self._exit_code()
        if code is not None:
            return self._reap(code)
        self.peak_bytes = max(self.peak_bytes, _memory(self.process.pid))
        if time.monotonic() - self.touched > HEARTBEAT_S:
            self.lease.heartbeat()
            self.touched = time.monotonic()
        return None

    def end(self, deadline: float) -> None:
        """Wait until the deadline (`time.monotonic`), then kill; see `end_all`."""
        while self._exit_code() is None and time.monotonic() < deadline:
            wait_for([self], TICK_S)
        if self._exit_code() is None:
            self.process.kill()
            self.process.join()
        _end_group(self.process.pid)
        known = read_state(self.what.state)
        if known.get("state") != State.DONE:
            write_state(self.what.state, {**known, "state": State.WAITING})
        self.lease.release()

    def _exit_code(self) -> int | None:
        with _PROCESSES:
            return self.process.exitcode

    def _reap(self, code: int) -> Outcome:
        _end_group(self.process.pid)
        known = read_state(self.what.state)
        if code == 0 and known.get("state") == State.DONE:
            self.lease.release()
            return Outcome(End.DONE, known)
        output = _tail(Path(self.what.order.log), self.log_begin)
        failure = explain_failure(code or 1, output, self.peak_bytes)
        again = failure["worth_retrying"] and not self.what.last
        known = {
            **known,
            "state": State.WAITING if again else State.FAILED,
            "ended": time.time(),
            "seconds": round(time.time() - self.begun, 3),
            "peak_memory_bytes": self.peak_bytes or None,
            **failure,
        }
        write_state(self.what.state, known)
        self.lease.release()
        return Outcome(End.AGAIN if again else End.FAILED, known)


def end_all(running: Iterable[RunningTry]) -> None:
    """End processes; their cases wait as if they had never been begun."""
    running = list(running)
    for one in running:
        with suppress(OSError):
            one.process.terminate()
    deadline = time.monotonic() + _GRACE_S
    for one in running:
        one.end(deadline)


def wait_for(running: Iterable[RunningTry], timeout: float) -> None:
    """Wait until a process has ended, or for so many seconds."""
    multiprocessing.connection.wait([one.process.sentinel for one in running], timeout)


def _context() -> BaseContext:
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
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


def _tail(log: Path, begin: int) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(begin, size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
