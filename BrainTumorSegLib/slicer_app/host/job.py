"""Work that is carried on by polling, a brief step at a time, without blocking the application."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled

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


class SteppedJob(PolledJob):
    """A job whose steps a generator takes; closing that takes everything back.

    Args:
        onFinished: called once, with this job, when it is over, however it ended.

    Attributes:
        step: what is being done, for people.
        logTail: last lines of the worker after a failure.
    """

    def __init__(self, onFinished: Callable[[Any], None] | None = None) -> None:
        super().__init__()
        self.step = ""
        self.logTail = ""
        self._onFinished = onFinished
        #: What goes on in another process now, to be cancelled with the job.
        self._task: Any = None
        self._work: Iterator[None] = iter(())

    def start(self) -> None:
        """Check everything and begin; returns at once.

        Raises:
            BrainTumorSegError: when it cannot begin; nothing was changed and the job stays
                ``idle``.
        """
        if self.state != "idle":
            raise RuntimeError("A job is started once.")
        self._check()
        # Made here: one that failed at its beginning is over, and could not be started again.
        self._work = self._steps()
        next(self._work)
        self.state = "running"

    def cancel(self) -> None:
        """Request the end; `poll` carries it on. Nothing is changed then."""
        if self.state == "running":
            self.state = "cancelling"
            if self._task is not None:
                self._task.cancel()

    def _check(self) -> None:
        """Raise what keeps the job from beginning."""

    def _steps(self) -> Iterator[None]:
        raise NotImplementedError

    def _succeeded(self) -> None:
        """Said before the job is over, when all its steps were taken."""

    def _step(self) -> None:
        try:
            next(self._work)
        except StopIteration:
            self._finish("finished")

    def _fail(self, error: BrainTumorSegError, trace: str = "") -> None:
        self.logTail = trace or self.logTail
        if isinstance(error, Cancelled):
            self._finish("cancelled")
        else:
            self._finish("failed", error)

    def _finish(self, state: str, error: BrainTumorSegError | None = None) -> None:
        self._work.close()
        self.error = error
        if state == "finished":
            self._succeeded()
        self.step = ""
        self.state = state
        callBack(self._onFinished, self)

    def _begin(self, step: str) -> None:
        self._stopIfCancelled()
        self.step = step

    def _stopIfCancelled(self) -> None:
        if self.state == "cancelling":
            raise Cancelled(_("Cancelled."))


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
