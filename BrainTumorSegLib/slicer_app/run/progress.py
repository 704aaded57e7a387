"""Progress of a whole run, around what the worker says of its part, and the run's log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from BrainTumorSegLib.core.progress import ProgressEvent

from ..host.job import callBack
from ..host.translation import told
from ..host.translation import tr as _

#: Shares of the whole run for writing the scans and for loading the result.
EXPORT_SHARE, IMPORT_SHARE = 0.04, 0.04

#: Stages of a run besides those of `progress.STAGES`; between export and read, when the
#: worker is starting, the stage has no name.
EXPORTING, IMPORTING, DONE = "export", "import", "done"


def duration(seconds: float) -> str:
    """A time in words, such as *1 min 35 s*; every time that a person reads is written so."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("{hours} h {minutes} min").format(hours=hours, minutes=minutes)
    if minutes and rest:
        return _("{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)
    if minutes:
        return _("{minutes} min").format(minutes=minutes)
    return _("{seconds} s").format(seconds=rest)


class RunProgress:
    """Tells of the whole run and keeps its log.

    Attributes:
        log: what happened, in sentences.
        fraction: share of the whole run that is done, 0..1.
    """

    def __init__(self, onProgress: Callable[[ProgressEvent], None] | None) -> None:
        self.log: list[str] = []
        self.fraction = 0.0
        self._onProgress = onProgress

    def stage(self, name: str, message: str, step: int = 0, total: int = 1) -> None:
        """A step of a stage of ours."""
        if name == EXPORTING:
            self.fraction = EXPORT_SHARE * step / total
        elif name == IMPORTING:
            self.fraction = 1 - IMPORT_SHARE
        elif name == DONE:
            self.fraction = 1.0
        self._tell("progress", name, message, step, total)

    def warn(self, text: str, stage: str = "") -> None:
        """Something that whoever reads the result must know."""
        self._tell("warning", stage, text)

    def onMessage(self, line: Mapping[str, Any]) -> None:
        """A line of the worker of kind ``progress``, ``warning`` or ``message``."""
        share = 1 - EXPORT_SHARE - IMPORT_SHARE
        fraction = EXPORT_SHARE + share * min(1.0, max(0.0, float(line.get("fraction") or 0)))
        self.fraction = max(self.fraction, fraction)
        stage = str(line.get("stage") or "")
        left = line.get("seconds_left")
        self._tell(
            str(line["kind"]),
            # The worker is done, the run is not.
            IMPORTING if stage == DONE else stage,
            str(line.get("message") or ""),
            int(line.get("step") or 0),
            int(line.get("total") or 1),
            None if left is None else float(left),
        )

    def _tell(
        self,
        kind: str,
        stage: str,
        message: str,
        step: int = 0,
        total: int = 1,
        left: float | None = None,
    ) -> None:
        if message:
            said = told(message)
            warning = _("Warning: {text}").format(text=said)
            self.log.append(warning if kind == "warning" else said)
        event = ProgressEvent(kind, stage, step, max(1, total), message, self.fraction, left)
        callBack(self._onProgress, event)
