"""How far a run has come, how long it will take, and the request to stop it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import IO

from .errors import Cancelled
from .file_names import printable

#: Stages of `pipeline.segment` and around it, with their rough share of the time on a CPU.
STAGES: Mapping[str, float] = {
    "read": 2,
    "register": 20,
    "brain": 15,
    "prepare": 4,
    "segment": 50,
    "restore": 6,
    "write": 3,
}


class CancelToken:
    """A thread-safe request to stop; long work checks it between steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Request the stop; may be called from any thread, and again."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether a stop was requested."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` once `cancel` was called."""
        if self.cancelled:
            raise Cancelled()


@dataclass(frozen=True)
class ProgressEvent:
    """One report of progress.

    ``fraction`` (0..1) and ``seconds_left`` speak of the whole run; ``step`` of
    ``total`` of the stage. ``kind`` is ``progress``, ``warning`` or ``message``.
    """

    kind: str
    stage: str
    step: int
    total: int
    message: str
    fraction: float
    seconds_left: float | None


Sink = Callable[[ProgressEvent], None]


class Progress:
    """Collects progress of a run made of weighted stages and tells its sinks.

    Args:
        stages: stage names in order with their rough share of the run time.
            Weights need not add up to one; unknown stages count as no time.
        sinks: called with every `ProgressEvent`.
        cancel: checked at every report, so that each report is a point to stop at.
    """

    def __init__(
        self,
        stages: Mapping[str, float] | None = None,
        sinks: tuple[Sink, ...] = (),
        cancel: CancelToken | None = None,
    ) -> None:
        self.cancel = cancel or CancelToken()
        self.warnings: list[str] = []
        self._timings: dict[str, float] = {}
        self._weights = dict(stages or {})
        self._sinks = sinks
        self._started = time.monotonic()
        self._stage_started = self._started
        self._finished_weight = 0.0
        self._stage, self._step, self._total = "", 0, 1

    def stage(self, name: str, total: int = 1, message: str = "") -> None:
        """Begin a stage of ``total`` steps; the one before is thereby finished."""
        self._close_stage()
        self._stage, self._step, self._total = name, 0, max(1, total)
        self._stage_started = time.monotonic()
        self._report("progress", message)

    def advance(self, steps: int = 1, message: str = "") -> None:
        """Report ``steps`` more steps of the present stage as done."""
        self._step = min(self._total, self._step + steps)
        self._report("progress", message)

    def message(self, text: str) -> None:
        """Say something that is worth a line in the log."""
        self._report("message", text)

    def warn(self, text: str) -> None:
        """Say something that the record of the result must keep."""
        self.warnings.append(text)
        self._report("warning", text)

    def finish(self) -> None:
        """Close the last stage and report the run as complete."""
        self._close_stage()
        self._finished_weight = sum(self._weights.values())
        self._stage, self._step, self._total = "done", 1, 1
        self._report("progress", "")
        self._stage = ""

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent in each stage so far, the present one included."""
        timings = dict(self._timings)
        if self._stage:
            spent = time.monotonic() - self._stage_started
            timings[self._stage] = timings.get(self._stage, 0.0) + spent
        return timings

    @property
    def fraction(self) -> float:
        """Share of the whole run that is done, 0..1, by stage weight."""
        whole = sum(self._weights.values())
        if whole <= 0:
            return self._step / self._total
        current = self._weights.get(self._stage, 0.0) * self._step / self._total
        return min(1.0, (self._finished_weight + current) / whole)

    def _close_stage(self) -> None:
        if self._stage:
            self._timings = self.timings
            self._finished_weight += self._weights.get(self._stage, 0.0)
            self._stage = ""

    def _report(self, kind: str, message: str) -> None:
        self.cancel.raise_if_cancelled()
        fraction = self.fraction
        elapsed = time.monotonic() - self._started
        # Below two percent the estimate is mostly noise.
        left = elapsed * (1 - fraction) / fraction if fraction > 0.02 else None
        said = printable(message)
        event = ProgressEvent(kind, self._stage, self._step, self._total, said, fraction, left)
        for sink in self._sinks:
            sink(event)


class JsonLines:
    """A sink that writes one JSON object a line, for programs that watch us."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stdout

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event."""
        self._stream.write(json.dumps(asdict(event)) + "\n")
        self._stream.flush()


class TerminalBar:
    """A sink that draws a progress bar with the time left (tqdm)."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=100.0,
            file=stream or sys.stderr,
            bar_format="{desc:<28.28} {percentage:3.0f}% |{bar}| {postfix}",
            leave=True,
        )

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event."""
        if event.kind != "progress":
            prefix = "Warning: " if event.kind == "warning" else ""
            self._bar.write(prefix + event.message, file=self._bar.fp)
            return
        step = f" {event.step}/{event.total}" if event.total > 1 else ""
        self._bar.set_description_str(event.stage + step, refresh=False)
        if event.fraction >= 1:
            self._bar.set_postfix_str("done", refresh=False)
        elif event.seconds_left is not None:
            self._bar.set_postfix_str(f"{event.seconds_left:.0f} s left", refresh=False)
        self._bar.n = round(100 * event.fraction, 1)
        self._bar.refresh()
        if event.stage == "done":
            self._bar.close()


class WarningLines:
    """A sink that shows nothing but warnings, one a line."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr

    def __call__(self, event: ProgressEvent) -> None:
        """Show one event."""
        if event.kind == "warning":
            print(f"Warning: {event.message}", file=self._stream, flush=True)
