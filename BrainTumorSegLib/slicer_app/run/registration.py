"""Who registers the scans of a run, and the worker's requests for BRAINSFit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from BrainTumorSegLib.slicer_app.host.host import brainsfitAvailable
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.run.brainsfit import BrainsfitServer
from BrainTumorSegLib.slicer_app.run.settings import RunSettings


def chooseRegistration(settings: RunSettings) -> tuple[str, str | None]:
    """The engine for the worker, and a warning where it is not the one that was requested."""
    requested = settings.options.registration
    if len(settings.scans) == 1:
        return "none", None
    if requested in ("none", "simpleitk"):
        return requested, None
    if brainsfitAvailable():
        return "brainsfit", None
    return "simpleitk", _("BRAINSFit is missing here; SimpleITK registers the scans instead.")


class BrainsfitRequests:
    """Serves the worker's requests one after the other.

    Args:
        answer: sends a line to the worker.
    """

    def __init__(self, answer: Callable[[dict[str, Any]], None]) -> None:
        self._server = BrainsfitServer(answer)
        self._waiting: deque[dict[str, Any]] = deque()

    @property
    def active(self) -> bool:
        """Whether BRAINSFit is at work."""
        return self._server.active

    def hear(self, line: dict[str, Any]) -> None:
        """A line of the worker of kind ``request`` or ``withdrawal``."""
        if line["kind"] == "request":
            self._waiting.append(line)
        elif not self._withdraw(line):
            self._server.cancel()

    def poll(self) -> None:
        """Look after the request that is served, and begin the next one."""
        self._server.poll()
        if self._waiting and not self._server.active:
            self._server.serve(self._waiting.popleft())

    def cancel(self) -> None:
        """Stop, and forget what waits; `poll` until no longer ``active``."""
        self._waiting.clear()
        self._server.cancel()

    def _withdraw(self, line: Mapping[str, Any]) -> bool:
        still = [request for request in self._waiting if request["id"] != line.get("id")]
        withdrawn = len(still) < len(self._waiting)
        self._waiting = deque(still)
        return withdrawn
