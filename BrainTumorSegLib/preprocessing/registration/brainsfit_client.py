"""A client of the program that started us, which runs BRAINSFit, in lines of JSON.

A 3D Slicer that runs us in a child process has BRAINSFit and the libraries that it needs.
It is asked with one line on our standard output,

    {"kind": "request", "id": 1, "request": "brainsfit", "fixed": FILE, "moving": FILE,
     "fixed_sequence": "t1ce", "moving_sequence": "flair", "parameters": {...},
     "initial_transform": FILE or null, "transform": FILE, "volume": null, "time_limit_s": 300}

and answers with one line on our standard input: ``{"id": 1, "ok": true, "program": "BRAINSFit
in 3D Slicer 5.12.0"}`` once the transform file is written (ITK text format, linear, from points
of the fixed to points of the moving scan, LPS, mm), else ``{"id": 1, "ok": false, "message":
"why"}``. A request whose answer is no longer awaited is taken back with ``{"kind":
"withdrawal", "id": 1, "request": "brainsfit"}``; an answer that still comes is passed over.
"""

from __future__ import annotations

import contextlib
import io
import json
import queue
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from BrainTumorSegLib.core.errors import InputError, RegistrationError
from BrainTumorSegLib.core.progress import CancelToken
from BrainTumorSegLib.core.sequences import Sequence

#: What is recorded of a program that does not say its name.
UNNAMED = "the program that started this run"

#: The other side keeps the time limit of one start; we wait so much longer, in seconds, to
#: hear why, and in case it has to wait behind other work.
GRACE_S = 30.0

#: Bytes of a line; an answer is much shorter.
_LONGEST = 1024**2


@dataclass(frozen=True)
class BrainsfitRequest:
    """One run of BRAINSFit that somebody else is asked for.

    Attributes:
        fixed, moving: image files, absolute.
        fixed_sequence, moving_sequence: what they show.
        parameters: BRAINSFit's, by name, without those that name files.
        initial_transform: ITK transform file to begin at, or None.
        transform: the file that is to be written.
        time_limit_s: longest time that BRAINSFit may compute.
    """

    fixed: Path
    moving: Path
    fixed_sequence: Sequence
    moving_sequence: Sequence
    parameters: Mapping[str, str | int | float | bool]
    initial_transform: Path | None
    transform: Path
    time_limit_s: float

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the line, without its number."""
        values = {**vars(self), "parameters": dict(self.parameters), "volume": None}
        paths = {key: str(value) for key, value in values.items() if isinstance(value, Path)}
        sequences = {key: values[key].value for key in ("fixed_sequence", "moving_sequence")}
        return {**values, **paths, **sequences}


class BrainsfitClient:
    """Asks for runs of BRAINSFit, one after the other.

    Args:
        descriptor: file descriptor of the answers; nobody else may read from it. It is read
            only while an answer is awaited: on Windows a pending read of standard input
            blocks whatever else looks at it, the loading of libraries for example.
        output: where requests go; standard output as it is at that time when None.

    Attributes:
        run_by: what the last answer called its program.
    """

    def __init__(self, descriptor: int = 0, output: IO[str] | None = None) -> None:
        self.run_by = UNNAMED
        self._descriptor = descriptor
        self._output = output
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._listening = False
        self._number = 0

    def ask(self, request: BrainsfitRequest, cancel: CancelToken | None = None) -> None:
        """Ask, and wait until the other side says that the transform is written.

        Raises:
            RegistrationError: when it says that this start failed, answers what is no
                answer, or does not answer in time.
            InputError: when nobody can answer any more.
            Cancelled: once ``cancel`` was asked for.
        """
        self._number += 1
        number = self._number
        about = {"id": number, "request": "brainsfit"}
        try:
            self._send({"kind": "request", **about, **request.as_dict()})
            answer = self._await(number, cancel, request.time_limit_s + GRACE_S)
        except BaseException:
            # Who closed our input may have closed our output as well.
            with contextlib.suppress(OSError):
                self._send({"kind": "withdrawal", **about})
            raise
        self.run_by = str(answer.get("program") or UNNAMED)
        if not answer["ok"]:
            reason = str(answer.get("message") or "no reason was given").strip()
            raise RegistrationError(f"BRAINSFit, run by {self.run_by}, failed: {reason}")

    def _await(self, number: int, cancel: CancelToken | None, limit_s: float) -> dict[str, Any]:
        end = time.monotonic() + limit_s
        while True:
            self._listen()
            try:
                line = self._lines.get(timeout=0.05)
            except queue.Empty:
                line = b"\n"
            if cancel is not None:
                cancel.raise_if_cancelled()
            # Also while other lines come, without end perhaps.
            if time.monotonic() > end:
                raise RegistrationError(f"no answer about BRAINSFit came within {limit_s:.0f} s")
            if not line.strip():
                if line:
                    continue
                raise InputError(
                    "Standard input ended while an answer about BRAINSFit was awaited: the "
                    "program that started this run has gone, or does not answer.",
                    "--brainsfit ask is for programs that answer; leave it out otherwise.",
                )
            answer = _answer(line)
            if answer["id"] > number:
                raise RegistrationError(
                    f"the answer about BRAINSFit has number {answer['id']} instead of {number}"
                )
            # A smaller number belongs to a request that was withdrawn.
            if answer["id"] == number:
                return answer

    def _listen(self) -> None:
        """Let one line be read, unless that is under way already."""
        if not self._listening:
            self._listening = True
            threading.Thread(target=self._read_line, name="answers", daemon=True).start()

    def _read_line(self) -> None:
        try:
            # Unbuffered: no more than the line is taken, and no lock is held at the exit.
            with io.FileIO(self._descriptor, closefd=False) as stream:
                line = stream.readline(_LONGEST)
        except (OSError, ValueError):
            line = b""
        self._listening = False
        self._lines.put(line)

    def _send(self, line: Mapping[str, Any]) -> None:
        stream = self._output or sys.stdout
        stream.write(json.dumps(line) + "\n")
        stream.flush()


def _answer(line: bytes) -> dict[str, Any]:
    """The answer that a line holds; raises `RegistrationError` when it holds none."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if (
        not isinstance(answer, dict)
        or type(answer.get("id")) is not int
        or not isinstance(answer.get("ok"), bool)
    ):
        shown = line.decode("utf-8", errors="replace").strip()[:200]
        raise RegistrationError(f"the answer about BRAINSFit cannot be understood: {shown!r}")
    return answer
