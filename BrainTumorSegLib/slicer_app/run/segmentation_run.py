"""One run, from volume nodes to a segmentation node, carried on by polling.

`SegmentationRun` exports the volumes one a poll, has the worker compute, serves its
requests for BRAINSFit, and brings the result into the scene at the very end, so that a
run which fails or is cancelled leaves the scene as it was.
"""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled
from BrainTumorSegLib.core.progress import ProgressEvent
from BrainTumorSegLib.core.sequences import Sequence

from ..guess.scans import contradictionOf
from ..host.application import runFolder, workerPython
from ..host.job import PolledJob, callBack
from ..host.translation import told
from ..host.translation import tr as _
from ..scene.volumes import checkVolumes, exportVolume
from ..worker.failures import Failure, describe
from ..worker.worker import Worker
from .brainsfit import BrainsfitRequests, chooseRegistration
from .inputs import WatchedVolume, describeChanges, refuseLost, scanTitle, watch
from .progress import DONE, EXPORTING, IMPORTING, RunProgress, duration
from .result import RunResult, importResult
from .settings import REPORT, RunSettings, scanFiles, workerArguments

#: Seconds from the end for which a cancelled BRAINSFit is waited for.
_BRAINSFIT_TIMEOUT_S = 1.9

#: Lines of the worker that the log shows after a failure.
_LAST_LINES = 30


class Phase(StrEnum):
    """What a run is at."""

    IDLE = "idle"
    EXPORT = "export"
    COMPUTE = "compute"
    IMPORT = "import"
    LOAD = "load"
    END = "end"
    OVER = "over"


#: The run that goes on in this process, if any: two would compete for memory and cores.
_current: weakref.ref[SegmentationRun] | None = None


class SegmentationRun(PolledJob):
    """One run. `start` it, then `poll` until that returns True, or `wait`.

    Args:
        onProgress: receives progress of the whole run, warnings and messages.
        onFinished: called once, with this run, when it is over, however it ended.

    Attributes:
        phase: what it is at, see `Phase`.
        result: the nodes, once ``finished``.
        failure: ``error`` as a dialog shows it.
    """

    def __init__(
        self,
        settings: RunSettings,
        onProgress: Callable[[ProgressEvent], None] | None = None,
        onFinished: Callable[[SegmentationRun], None] | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.result: RunResult | None = None
        self.failure: Failure | None = None
        self._progress = RunProgress(onProgress)
        self._onFinished = onFinished
        self.phase = Phase.IDLE
        self._endsAs = "finished"
        self._brainsfit: BrainsfitRequests | None = None
        self._lastError: dict[str, Any] | None = None
        self._watched: tuple[WatchedVolume, ...] = ()
        self._warnings: list[str] = []

    @property
    def log(self) -> list[str]:
        """What happened, in sentences; after a failure also the last lines of the worker."""
        return self._progress.log

    def start(self) -> None:
        """Check the settings and begin; returns at once.

        Raises:
            BrainTumorSegError: when it cannot begin; the run then stays ``idle``.
        """
        global _current
        if self.phase is not Phase.IDLE:
            raise RuntimeError("A run is started once.")
        _refuseASecondRun()
        settings = self.settings
        checkVolumes(settings.scans, Sequence(settings.reference), content=False)
        self._scene = settings.referenceNode.GetScene()
        self._nodes = _titled(settings)
        refuseLost(self._nodes, self._scene)
        registration, warning = chooseRegistration(settings)
        python = workerPython()
        self._files = scanFiles(settings)
        arguments = workerArguments(settings, self._files, registration)
        self._worker = Worker(arguments, python, runFolder())
        if registration == "brainsfit":
            self._brainsfit = BrainsfitRequests(self._worker.answer)
        self._exports = self._exportOneByOne()
        self._began = time.monotonic()
        self.phase, self.state = Phase.EXPORT, "running"
        _current = weakref.ref(self)
        self.log.append(_("Computing with {python}.").format(python=python.description))
        told = (contradictionOf(node, sequence) for sequence, node in settings.scans.items())
        for text in filter(None, (warning, *told)):
            self._warn(text)

    def cancel(self) -> None:
        """Request the end; `poll` carries it on, which takes less than two seconds.

        Too late, and ignored, once the result is entering the scene.
        """
        if self.phase in (Phase.EXPORT, Phase.COMPUTE, Phase.IMPORT):
            self.state = "cancelling"
            self._endAs("cancelled")

    def wait(self) -> RunResult | None:
        """Poll until the end while the application stays alive; returns the result, if any."""
        super().wait()
        return self.result

    def processes(self) -> set[int]:
        """The processes of the system that compute for this run at the moment."""
        return set() if self.phase is Phase.IDLE else self._worker.processes()

    def _fail(self, error: BrainTumorSegError, trace: str = "") -> None:
        self.log.extend(trace.splitlines())
        self._endAs("failed", error)

    def _step(self) -> None:
        if self.phase is Phase.END:
            self._end()
            return
        refuseLost(self._nodes, self._scene)
        if self.phase is Phase.EXPORT:
            self._export()
        elif self.phase is Phase.COMPUTE:
            self._compute()
        else:
            self._import()

    def _goOnTo(self, phase: Phase) -> None:
        """Unless a callback has cancelled the run meanwhile."""
        if self.phase is not Phase.END:
            self.phase = phase

    def _export(self) -> None:
        """One volume; the worker is started after the last."""
        if next(self._exports, False):
            return
        self._progress.stage("", _("Starting the worker."))
        if self.phase is Phase.EXPORT:
            self._worker.start()
            self._goOnTo(Phase.COMPUTE)

    def _exportOneByOne(self) -> Iterator[bool]:
        scans, reference = self.settings.scans, self.settings.referenceNode
        self._progress.stage(EXPORTING, _("Checking the scans."), 0, len(scans) + 1)
        yield True
        checkVolumes(scans, Sequence(self.settings.reference))
        self._watched = watch(scans, reference)
        for number, (sequence, node) in enumerate(scans.items(), 1):
            message = _("Writing {title} for the worker.")
            message = message.format(title=scanTitle(sequence, node))
            self._progress.stage(EXPORTING, message, number, len(scans) + 1)
            yield True
            exportVolume(node, reference, self._worker.folder / self._files[sequence])

    def _compute(self) -> None:
        running = self._worker.running
        for line in self._worker.poll():
            self._onMessage(line)
        if self._brainsfit is not None and self.phase is Phase.COMPUTE:
            self._brainsfit.poll()
        if running or self.phase is not Phase.COMPUTE:
            return
        complete = self._worker.exitCode == 0 and (self._worker.folder / REPORT).is_file()
        if self._lastError is not None or not complete:
            raise self._worker.failure(self._lastError)
        self._progress.stage(IMPORTING, _("Loading the result."))
        self._goOnTo(Phase.IMPORT)

    def _onMessage(self, line: dict[str, Any]) -> None:
        kind = line.get("kind")
        if kind in ("progress", "warning", "message"):
            self._progress.onMessage(line)
        elif kind == "error":
            self._lastError = line
        elif kind in ("request", "withdrawal") and self._brainsfit is not None:
            self._brainsfit.onMessage(line)

    def _import(self) -> None:
        for warning in describeChanges(self._watched, self.settings.referenceNode):
            self._warn(warning)
        self._recordWarnings()
        if self.phase is Phase.IMPORT:
            self.phase = Phase.LOAD
            self.result = importResult(self._worker.folder, self.settings)
            self._endAs("finished")

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self._progress.warn(text)

    def _recordWarnings(self) -> None:
        """What only we know belongs into the record as well."""
        if not self._warnings:
            return
        path = self._worker.folder / REPORT
        record = json.loads(path.read_text(encoding="utf-8"))
        record["warnings"] = [*record["warnings"], *self._warnings]
        path.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")

    def _endAs(self, state: str, error: BrainTumorSegError | None = None) -> None:
        """Stop what is going on; the first reason counts."""
        if self.phase in (Phase.END, Phase.OVER):
            return
        self.phase, self._endingSince = Phase.END, time.monotonic()
        self._endsAs = "cancelled" if isinstance(error, Cancelled) else state
        self.error = error if self._endsAs == "failed" else None
        if self._brainsfit is not None:
            self._brainsfit.cancel()
        self._worker.cancel()

    def _end(self) -> None:
        """Wait until all processes are gone, then close the run."""
        self._worker.poll()
        if self._brainsfit is not None:
            self._brainsfit.poll()
        if self._worker.running:
            return
        if self._brainsfit is not None and self._brainsfit.active:
            if time.monotonic() - self._endingSince < _BRAINSFIT_TIMEOUT_S:
                return
            self.log.append(_("BRAINSFit has not ended yet; it is left to end by itself."))
        self._close()

    def _close(self) -> None:
        global _current
        if self.error is not None:
            tail = self._worker.logTail(_LAST_LINES)
            self.failure = describe(self.error, tail)
            self.log.extend([_("Last lines of the worker:"), *tail.splitlines()] if tail else [])
            self.log.append(told(str(self.error)))
        elif self._endsAs == "cancelled":
            self.log.append(_("Cancelled; the scene is as it was before."))
        else:
            spent = duration(time.monotonic() - self._began)
            self._progress.stage(DONE, _("Finished after {time}.").format(time=spent))
        self._worker.dispose()
        self.phase, self.state = Phase.OVER, self._endsAs
        _current = None
        callBack(self._onFinished, self)


def _refuseASecondRun() -> None:
    other = _current() if _current is not None else None
    if other is not None and not other.over:
        raise BrainTumorSegError(
            _("A segmentation is going on already."),
            _("Wait for it to finish, or cancel it."),
        )


def _titled(settings: RunSettings) -> dict[str, Any]:
    """Nodes without which the run cannot end well, by their titles for messages."""
    nodes = {scanTitle(sequence, node): node for sequence, node in settings.scans.items()}
    output = settings.outputSegmentation
    if output is not None:
        title = _("The output segmentation “{name}”").format(name=output.GetName())
        nodes[title] = output
    return nodes
