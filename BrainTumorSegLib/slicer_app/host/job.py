"""Work that is carried on by polling, a brief step at a time, without blocking the application."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from BrainTumorSegLib.core.errors import BrainTumorSegError

from .host import inApplication, processEvents
from .translation import tr as _

#: How often a job is looked at, in milliseconds.
INTERVAL_MS = 50

#: Seconds that the application waits for a job to end before it quits.
PATIENCE_S = 5.0


class Job(Protocol):
    """Work that goes on elsewhere."""

    def poll(self) -> bool:
        """Look at it once, quickly; True when it is over."""


class PolledJob:
    """A job that goes on from `start` until it is over; a subclass has its steps.

    Attributes:
        state: ``idle``, ``running``, ``cancelling``, ``finished``, ``failed``, ``cancelled``.
        error: why it ``failed``, else None.
    """

    def __init__(self) -> None:
        self.state = "idle"
        self.error: BrainTumorSegError | None = None
        self._polling = False

    @property
    def over(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return self.state in ("finished", "failed", "cancelled")

    def poll(self) -> bool:
        """Carry on by a step, briefly; True when it is over.

        Raises nothing: what goes wrong is in ``error``.
        """
        if self.over or self.state == "idle" or self._polling:
            # A callback that lets the application react may bring us here again.
            return self.over
        self._polling = True
        try:
            self._step()
        except BrainTumorSegError as error:
            self._fail(error)
        except Exception as error:
            text = _("Unexpected error: {kind}: {text}")
            text = text.format(kind=type(error).__name__, text=error)
            remedy = _("Please report it with the log.")
            self._fail(BrainTumorSegError(text, remedy), traceback.format_exc())
        finally:
            self._polling = False
        return self.over

    def wait(self) -> Any:
        """Poll until the end while the application stays alive.

        Called from a callback of this very job it returns at once.

        Raises:
            BrainTumorSegError: when it was not started, or could not be.
        """
        if self.state == "idle":
            raise BrainTumorSegError(
                _("This job was not started."), _("Call start() before wait().")
            )
        while not self.poll() and not self._polling:
            processEvents()
            time.sleep(0.01)

    def _step(self) -> None:
        raise NotImplementedError

    def _fail(self, error: BrainTumorSegError, trace: str = "") -> None:
        raise NotImplementedError


def endBeforeQuitting(job: Job) -> None:
    """Poll a job that was cancelled until it is over, for some seconds at most.

    Without handling events: windows are being destroyed meanwhile.
    """
    end = time.monotonic() + PATIENCE_S
    while not job.poll() and time.monotonic() < end:
        time.sleep(0.02)


def callBack(callback: Callable[[Any], None] | None, argument: Any) -> None:
    """Tell somebody; what goes wrong there is theirs, and does not stop the job."""
    if callback is None:
        return
    try:
        callback(argument)
    except Exception:
        logging.exception("A callback of the progress failed.")


#: Timers of the jobs in progress; a timer that nobody holds would be collected.
_timers: dict[int, Any] = {}


def pollUntilOver(job: Job) -> None:
    """Let the application's event loop poll a job until it is over.

    Without the application there is no event loop: the caller polls.
    """
    if not inApplication():
        return
    import qt

    timer = qt.QTimer()
    timer.setInterval(INTERVAL_MS)
    _timers[id(job)] = timer

    def look() -> None:
        # A dialog opened by the job lets the timer fire again inside this call.
        timer.stop()
        over = True
        try:
            over = job.poll()
        finally:
            if over:
                _timers.pop(id(job), None)
            else:
                timer.start()

    timer.timeout.connect(look)
    timer.start()
