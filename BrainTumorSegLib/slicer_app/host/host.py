"""The application itself: whether it is there, and keeping its windows alive."""

from __future__ import annotations

import sys
from typing import Any, Protocol

#: How often a job is looked at, in milliseconds.
INTERVAL_MS = 50


def inApplication() -> bool:
    """Whether this is Slicer itself; importing ``slicer`` succeeds outside it too."""
    return hasattr(sys.modules.get("slicer"), "app")


def processEvents() -> None:
    """Let the application's windows react; nothing happens on plain Python."""
    if inApplication():
        import slicer

        slicer.app.processEvents()


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


def brainsfitAvailable() -> bool:
    """Whether this is a Slicer that has the BRAINSFit module.

    It is looked for when it is needed and never a dependency of the module: a Slicer built
    or started without command line modules must still load the panel.
    """
    try:
        import slicer

        # A Slicer without command line modules has no `cli`.
        from slicer import cli  # noqa: F401
    except ImportError:
        return False
    return hasattr(getattr(slicer, "modules", None), "brainsfit")
