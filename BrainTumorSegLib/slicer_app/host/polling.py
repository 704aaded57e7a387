"""Looking after work in child processes without blocking the application."""

from __future__ import annotations

from typing import Any, Protocol

from BrainTumorSegLib.slicer_app.host.application import inApplication

#: How often a job is looked at, in milliseconds.
INTERVAL_MS = 50


class Job(Protocol):
    """Work that goes on elsewhere."""

    def poll(self) -> bool:
        """Look at it once, quickly; True when it is over."""


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
