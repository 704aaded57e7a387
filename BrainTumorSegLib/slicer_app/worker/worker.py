"""The child process that computes, watched by polling.

Standard library only: this runs inside Slicer before anything was installed. Threads would
starve there, since Slicer's main thread keeps Python's lock while it waits for events;
so the child writes to files, and whoever watches reads what is new in them now and then.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled

from ..host.application import WorkerPython, runFolder, workerPython
from ..host.host import processEvents
from ..host.translation import language
from ..host.translation import tr as _
from . import process_tree
from .failures import startFailure, workerFailure

#: Seconds from the request to end until those that are left are ended by force.
TERMINATE_TIMEOUT_S = 1.0

#: Seconds from the request to end until we stop waiting for the system to confirm it.
KILL_TIMEOUT_S = 1.9

#: Seconds between two looks at the list of processes.
POLL_INTERVAL_S = 0.1

#: Bytes of output that one poll reads at most from each file, lest it takes long.
_READ_LIMIT = 1 << 20

#: Lines of the log that are kept.
_LOG_LINES = 2000

#: ... of which so many may tell why the child failed.
_EXPLAINED_LINES = 60

_STDOUT, _STDERR = "worker-output.txt", "worker-errors.txt"


@dataclass
class _Lines:
    """New complete lines of a file that another process is writing."""

    path: Path
    offset: int = 0
    rest: bytes = b""

    def read(self) -> list[bytes]:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(_READ_LIMIT)
        except FileNotFoundError:
            return []
        self.offset += len(data)
        *complete, self.rest = (self.rest + data).split(b"\n")
        return complete

    def readAll(self) -> list[bytes]:
        """To the end, when nobody writes any more; a last line may lack its end."""
        lines = []
        while True:
            before = self.offset
            lines += self.read()
            if self.offset == before:
                break
        last, self.rest = self.rest, b""
        return [*lines, last] if last else lines


@dataclass
class _Child:
    """What must still be ended and removed; shared with the finaliser."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: subprocess.Popen[bytes] | None = None
    processes: set[int] = field(default_factory=set)

    def look(self) -> set[int]:
        """All processes that live, also those that moved away since the last look."""
        if self.process is not None:
            self.processes = process_tree.findTree(self.process.pid, self.mark)
        return self.processes


class Worker:
    """One child process: ``python -m BrainTumorSegLib <arguments>``.

    The child works in ``folder``, keeps its own temporary files there, and has its standard
    output and errors in files there. The folder belongs to the worker from now on: `dispose`,
    the end of this object and the end of the interpreter delete it and end the child
    with everything that the child has started.

    Args:
        folder: an empty one, from `application.runFolder`.
    """

    def __init__(self, arguments: Sequence[str], python: WorkerPython, folder: Path) -> None:
        self.arguments = tuple(map(str, arguments))
        self.python = python
        self.folder = folder
        self.cancelled = False
        self._child = _Child(folder)
        self._output = _Lines(folder / _STDOUT)
        self._errors = _Lines(folder / _STDERR)
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._over = False
        self._endSince: float | None = None
        self._lookedAt = 0.0
        self._finalizer = weakref.finalize(self, _endAndRemove, self._child)

    @property
    def running(self) -> bool:
        """Whether the child, or something that it started, is at work."""
        return self._child.process is not None and not self._over

    @property
    def exitCode(self) -> int | None:
        """As of ``Popen.returncode``: negative for a signal, None before the end."""
        return None if self._child.process is None else self._child.process.returncode

    def processes(self) -> set[int]:
        """The child with its launcher and all that they started, as far as they live."""
        return set(self._child.look())

    def start(self) -> None:
        """Start the child; returns at once.

        Raises:
            DependencyError: when the interpreter cannot be started.
            OutputError: when the folder cannot be written to.
        """
        if self._child.process is not None or self._over:
            raise RuntimeError("A worker is started once.")
        temporary = self.folder / "temp"
        environment = {**self.python.environment, process_tree.MARK: self._child.mark}
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
        # Reports to read are written in the application's language.
        environment["LANGUAGE"] = language()
        command = [str(self.python.executable), *self.python.program, *self.arguments]
        try:
            temporary.mkdir()
            with self._output.path.open("wb") as output, self._errors.path.open("wb") as errors:
                self._child.process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=errors,
                    cwd=self.folder,
                    env=environment,
                    **process_tree.startOptions(),
                )
        except OSError as error:
            self._over = True
            raise startFailure(self.python.description, error) from error

    def poll(self) -> list[dict[str, Any]]:
        """Look after the child, in milliseconds; returns its new JSON lines.

        What is no JSON object goes to the log. Carries on an end that was requested, too.
        """
        process = self._child.process
        if process is None or self._over:
            return []
        ended = process.poll() is not None
        # After looking whether it has ended, so that its last words are not missed.
        self._read(self._errors.readAll() if ended else self._errors.read())
        events = self._read(self._output.readAll() if ended else self._output.read())
        if ended and self._endSince is None:
            # It ended by itself; what it left behind gets no time to do so.
            self._endSince = time.monotonic() - TERMINATE_TIMEOUT_S
        if self._endSince is not None:
            self._carryOnEnding(process.pid, ended, self._endSince)
        return events

    def answer(self, line: dict[str, Any]) -> None:
        """Send one JSON line to the child's standard input."""
        process = self._child.process
        if process is None or process.stdin is None or self._over:
            return
        # A child that has gone is noticed by `poll`.
        with contextlib.suppress(OSError, ValueError):
            process.stdin.write(json.dumps(line).encode("ascii") + b"\n")
            process.stdin.flush()

    def cancel(self) -> None:
        """Request the end of the child and of all it started; `poll` carries it on.

        They are asked to end, and ended by force after `TERMINATE_TIMEOUT_S`.
        """
        if self._over:
            return
        self.cancelled = True
        if self._child.process is None:
            self._over = True
        elif self._endSince is None:
            self._endSince = time.monotonic()
            process_tree.terminateTree(self._child.process.pid, self._child.look())

    def logTail(self, lines: int = 30) -> str:
        """The last lines of what the child printed besides JSON."""
        return "\n".join(list(self._log)[-lines:])

    def failure(self, lastError: Mapping[str, Any] | None = None) -> BrainTumorSegError:
        """Why it ended badly.

        Args:
            lastError: its JSON line of kind ``error``, if there was one.
        """
        if self.cancelled:
            return Cancelled(_("Cancelled."))
        log = self.logTail(_EXPLAINED_LINES)
        return workerFailure(self.exitCode, log, self.python.description, lastError)

    def output(self) -> str:
        """All of the child's standard output so far, while its folder exists."""
        return self._output.path.read_text(encoding="utf-8", errors="replace")

    def wait(
        self, timeout: float | None = None, onWait: Callable[[], bool] | None = None
    ) -> list[dict[str, Any]]:
        """Poll until the end while the application stays alive; returns the JSON lines.

        Args:
            timeout: in seconds.
            onWait: called now and then meanwhile; True to go on, False to `cancel`.

        Raises:
            TimeoutError: when it lasts longer than so many seconds; the child goes on.
        """
        events, began = self.poll(), time.monotonic()
        while self.running:
            if timeout is not None and time.monotonic() - began > timeout:
                raise TimeoutError(f"The worker is still running after {timeout} s.")
            if onWait is not None and not self.cancelled and not onWait():
                self.cancel()
            processEvents()
            time.sleep(0.01)
            events += self.poll()
        return events

    def dispose(self) -> None:
        """End what is still running, at once, and delete the folder. May be called again."""
        self._over = True
        self._finalizer()

    def _read(self, lines: Iterable[bytes]) -> list[dict[str, Any]]:
        events = []
        for line in lines:
            # A progress bar overwrites its line; what it showed last is enough.
            text = line.decode("utf-8", errors="replace").rstrip("\r").rpartition("\r")[2]
            event = _event(text)
            if event is not None:
                events.append(event)
            elif text.strip():
                self._log.append(text.rstrip())
        return events

    def _carryOnEnding(self, root: int, ended: bool, began: float) -> None:
        now = time.monotonic()
        if now - self._lookedAt < POLL_INTERVAL_S or (
            now - began < TERMINATE_TIMEOUT_S and not ended
        ):
            return
        self._lookedAt = now
        left = self._child.look()
        if now - began >= TERMINATE_TIMEOUT_S and (left or not ended):
            process_tree.killTree(root, left)
        if (ended and not left) or now - began >= KILL_TIMEOUT_S:
            self._over = True


def runWorker(arguments: Sequence[str], python: WorkerPython | None = None) -> Worker:
    """Start a short job in a folder of its own.

    Call `Worker.poll` now and then until it is no longer ``running``, read what it wrote,
    and `Worker.dispose` of it.

    Raises:
        DependencyError: when the interpreter is missing or cannot be started.
        OutputError: when there is no place for temporary files.
    """
    worker = Worker(arguments, python or workerPython(), runFolder())
    try:
        worker.start()
    except BaseException:
        worker.dispose()
        raise
    return worker


@contextlib.contextmanager
def finishedWorker(
    arguments: Sequence[str],
    python: WorkerPython | None = None,
    timeout: float | None = None,
    onWait: Callable[[], bool] | None = None,
) -> Iterator[tuple[Worker, list[dict[str, Any]]]]:
    """A short job that has ended, and its JSON lines; `Worker.wait` says what is possible.

    Its folder is deleted when the context ends.

    Raises:
        DependencyError: when the interpreter is missing or cannot be started.
        OutputError: when there is no place for temporary files.
        TimeoutError: when it lasts longer than so many seconds; it is ended.
    """
    worker = runWorker(arguments, python)
    try:
        yield worker, worker.wait(timeout, onWait)
    finally:
        worker.dispose()


def _event(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        event = json.loads(text)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


#: Folders that could not be deleted because something still had a file open there.
_leftFolders: set[Path] = set()


def _endAndRemove(child: _Child) -> None:
    """End the child's processes by force and delete its folder."""
    process = child.process
    if process is not None:
        left = child.look()
        if process.poll() is None or left:
            process_tree.killTree(process.pid, left)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=KILL_TIMEOUT_S)
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
    _leftFolders.add(child.folder)
    for folder in list(_leftFolders):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            _leftFolders.discard(folder)
