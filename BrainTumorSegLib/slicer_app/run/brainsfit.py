"""Registration by Slicer's own BRAINSFit, for the worker that asks for it.

The worker keeps the judgement: which starts, how each result scores, which one is taken.
Here one request after the other is run as Slicer runs its command line modules, on hidden
temporary nodes made from the request's files, so that nobody's volume, transform, selection
or slice view changes (Slicer would put the moving volume under the new transform).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import BrainTumorSegError, RegistrationError

from ..host.host import brainsfitAvailable
from ..host.translation import later
from ..scene.scene import removeWithParts
from .brainsfit_nodes import (
    hiddenNode,
    readTransform,
    readVolume,
    removeInverse,
    writeTransform,
    writeVolume,
)
from .settings import RunSettings

#: Longest time in seconds that one start may compute; measured runs take 3 to 30.
TIME_LIMIT_S = 300.0

#: How long a cancelled module may take to end before it is left to end by itself.
LEAVE_AFTER_S = 1.5

#: BRAINSFit's parameters that name nodes in Slicer and files on its command line.
NODE_PARAMETERS = (
    "fixedVolume",
    "movingVolume",
    "linearTransform",
    "outputVolume",
    "initialTransform",
)


def chooseRegistration(settings: RunSettings) -> tuple[str, str | None]:
    """The engine for the worker, and a warning where it is not the one that was requested."""
    if len(settings.scans) == 1:
        return "none", None
    return engineFor(settings.options.registration)


def engineFor(requested: str) -> tuple[str, str | None]:
    """The same for a word of `Options.registration`, where there is something to register."""
    if requested in ("none", "simpleitk"):
        return requested, None
    if brainsfitAvailable():
        return "brainsfit", None
    return "simpleitk", later("BRAINSFit is missing here; SimpleITK registers the scans instead.")


@dataclass
class _Job:
    """One request under way, and the nodes that exist for its sake."""

    request: Mapping[str, Any]
    scene: Any
    cliNode: Any = None
    nodes: dict[str, Any] = field(default_factory=dict)
    runningSince: float | None = None
    stoppedAt: float | None = None
    #: Why it was stopped, where the worker has to know.
    reason: str | None = None


class BrainsfitServer:
    """Serves the worker's requests for BRAINSFit, one at a time and without blocking.

    Args:
        onAnswer: called with the line for the worker: ``{"id": N, "ok": True, "program":
            "..."}`` or the same with ``False`` and a ``message``. All nodes are gone by then.
    """

    def __init__(self, onAnswer: Callable[[dict[str, Any]], None]) -> None:
        self._onAnswer = onAnswer
        self._job: _Job | None = None

    @property
    def active(self) -> bool:
        """Whether a request is under way; `poll` until it is not."""
        return self._job is not None

    def serve(self, request: Mapping[str, Any]) -> None:
        """Start BRAINSFit for a request of the worker.

        What cannot be started is answered at once. A request is a mapping with ``id``;
        ``fixed`` and ``moving``, image files; ``parameters``, BRAINSFit's own by name;
        ``initial_transform``, an ITK transform file or None; ``transform``, the file to write
        the result to, an ITK rigid transform from points of the fixed to points of the moving
        scan (LPS, mm); ``volume``, a file for the resampled moving scan, or None; and
        optionally ``time_limit_s``.

        Raises:
            RuntimeError: when the request before is still under way.
        """
        if self._job is not None:
            raise RuntimeError("BRAINSFit serves one request at a time.")
        import slicer

        job = self._job = _Job(request, slicer.mrmlScene)
        try:
            _start(job)
        except (BrainTumorSegError, KeyError, RuntimeError, TypeError, AttributeError) as error:
            self._finish(job, _failure(job, later("it could not be started: {error}"), error))

    def poll(self) -> None:
        """Look how far the module is; answers the worker when it has ended."""
        job = self._job
        if job is None:
            return
        if not job.scene.IsNodePresent(job.cliNode):
            job.cliNode.Cancel()
            closed = _failure(job, "{error}", later("the scene was closed"))
            self._finish(job, closed if job.stoppedAt is None else _stopped(job))
            return
        status = job.cliNode.GetStatus()
        if job.stoppedAt is not None:
            self._pollStopping(job, status)
        elif _busy(job, status):
            self._watchTheTime(job, status)
        else:
            self._finish(job, _outcome(job, status))

    def cancel(self) -> None:
        """Stop the request under way, if any; the worker gets no answer to it.

        Returns at once. The nodes go when the module has really ended, since it reads them
        until then; `poll` sees to it, within two seconds unless the module waits behind
        another one of the user's, whose end is then awaited without us (`active` is False).
        """
        if self._job is not None:
            self._job.reason = None
            if self._job.stoppedAt is None:
                self._stop(self._job, None)

    def _watchTheTime(self, job: _Job, status: int) -> None:
        if job.runningSince is None:
            # Waiting behind the user's other modules is no fault of ours.
            job.runningSince = time.monotonic() if status == job.cliNode.Running else None
            return
        limit = float(job.request.get("time_limit_s") or TIME_LIMIT_S)
        if time.monotonic() - job.runningSince > limit:
            self._stop(job, later("it did not finish within {seconds:.0f} s").format(seconds=limit))

    def _stop(self, job: _Job, reason: str | None) -> None:
        job.stoppedAt, job.reason = time.monotonic(), reason
        _cancelModule(job)

    def _pollStopping(self, job: _Job, status: int) -> None:
        if not _busy(job, status):
            self._finish(job, _stopped(job))
            return
        # Slicer forgets a request that comes while the inputs are being written.
        _cancelModule(job)
        if time.monotonic() - (job.stoppedAt or 0.0) > LEAVE_AFTER_S:
            _clearWhenEnded(job)
            self._goOn(_stopped(job))

    def _finish(self, job: _Job, answer: dict[str, Any] | None) -> None:
        _removeNodes(job)
        self._goOn(answer)

    def _goOn(self, answer: dict[str, Any] | None) -> None:
        self._job = None
        if answer is not None:
            self._onAnswer(answer)


class BrainsfitRequests:
    """Serves the worker's requests one after the other."""

    def __init__(self, answer: Callable[[dict[str, Any]], None]) -> None:
        self._server = BrainsfitServer(answer)
        self._waiting: deque[dict[str, Any]] = deque()

    @property
    def active(self) -> bool:
        """Whether BRAINSFit is at work."""
        return self._server.active

    def onMessage(self, line: dict[str, Any]) -> None:
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


def _start(job: _Job) -> None:
    if not brainsfitAvailable():
        raise RegistrationError(later("This Slicer has no BRAINSFit module."))
    import slicer
    from slicer import cli

    request = job.request
    kinds = {
        "fixedVolume": "vtkMRMLScalarVolumeNode",
        "movingVolume": "vtkMRMLScalarVolumeNode",
        "linearTransform": "vtkMRMLLinearTransformNode",
    }
    if request.get("volume"):
        kinds["outputVolume"] = "vtkMRMLScalarVolumeNode"
    if request.get("initial_transform"):
        kinds["initialTransform"] = "vtkMRMLLinearTransformNode"
    for name, kind in kinds.items():
        job.nodes[name] = hiddenNode(job.scene, kind, name)
    readVolume(job.nodes["fixedVolume"], Path(request["fixed"]))
    readVolume(job.nodes["movingVolume"], Path(request["moving"]))
    if "initialTransform" in job.nodes:
        readTransform(job.nodes["initialTransform"], Path(request["initial_transform"]))
    job.cliNode = cli.run(
        slicer.modules.brainsfit,
        None,
        moduleParameters(
            request["parameters"], {name: node.GetID() for name, node in job.nodes.items()}
        ),
        wait_for_completion=False,
        update_display=False,
    )
    if job.cliNode is None:
        raise RegistrationError(later("Slicer could not make a node for the module."))
    job.cliNode.SetSaveWithScene(False)
    if job.cliNode.GetStatus() == job.cliNode.Idle:
        raise RegistrationError(later("Slicer did not schedule the module."))


def moduleParameters(
    parameters: Mapping[str, Any], nodeIds: Mapping[str, str]
) -> dict[str, str | int | float | bool]:
    """BRAINSFit's parameters as Slicer's module takes them: node ids in place of files."""
    chosen = {name: value for name, value in parameters.items() if name not in NODE_PARAMETERS}
    return {**nodeIds, **chosen}


def _busy(job: _Job, status: int) -> bool:
    return bool(status & job.cliNode.BusyMask)


def _cancelModule(job: _Job) -> None:
    """Ask the module to end, unless its results are being loaded, which takes an instant.

    A request between the end of the program and the loading would leave the node cancelling
    for ever.
    """
    if job.cliNode.GetStatus() != job.cliNode.Completing:
        job.cliNode.Cancel()


def _outcome(job: _Job, status: int) -> dict[str, Any]:
    """The answer for a module that has ended, its results written to the request's files."""
    node = job.cliNode
    if status & node.ErrorsMask:
        return _failure(job, "{error}", _lastLines(node))
    if status != node.Completed:
        return _failure(job, later("it did not complete: {error}"), node.GetStatusString())
    try:
        writeTransform(job.nodes["linearTransform"], Path(job.request["transform"]))
        if "outputVolume" in job.nodes:
            writeVolume(
                job.nodes["outputVolume"], Path(job.request["volume"]), Path(job.request["fixed"])
            )
    except (BrainTumorSegError, OSError, RuntimeError) as error:
        return _failure(job, later("it left no usable result: {error}"), error)
    return {"id": job.request["id"], "ok": True, "program": _program(node)}


def _stopped(job: _Job) -> dict[str, Any] | None:
    if job.reason is None:
        return None
    return _failure(job, "{error}", job.reason)


def _failure(job: _Job, text: str, error: object) -> dict[str, Any]:
    output = error.message if isinstance(error, BrainTumorSegError) else str(error)
    answer = {"id": job.request.get("id"), "ok": False, "message": text.format(error=output)}
    return {**answer, "program": _program(job.cliNode)}


def _lastLines(node: Any) -> str:
    output = f"{node.GetOutputText()}\n{node.GetErrorText()}".strip().splitlines()
    lines = [line.strip() for line in output if line.strip()]
    return " / ".join(lines[-3:]) or later("it printed nothing")


def _program(node: Any) -> str:
    """What ran, for the record: *3D Slicer 5.12.0 (BRAINSFit 5.4.0)*."""
    import slicer

    version = getattr(getattr(slicer, "app", None), "applicationVersion", "")
    module = "" if node is None else node.GetModuleVersion()
    return f"3D Slicer {version}".strip() + f" ({f'BRAINSFit {module}'.strip()})"


def _removeNodes(job: _Job) -> None:
    """Remove the temporary nodes with what Slicer gave them, and the module's own node."""
    moving = job.nodes.get("movingVolume")
    if moving is not None:
        moving.SetAndObserveTransformNodeID(None)
    if "linearTransform" in job.nodes:
        removeInverse(job.nodes["linearTransform"].GetID())
    for node in (job.cliNode, *job.nodes.values()):
        if node is not None and job.scene.IsNodePresent(node):
            removeWithParts(node)
    job.nodes.clear()


def _clearWhenEnded(job: _Job) -> None:
    """Remove the nodes once the module, which still waits or runs, lets go of them."""
    node = job.cliNode

    def onStatus(*_: object) -> None:
        if not _busy(job, node.GetStatus()):
            node.RemoveObserver(tag)
            _removeNodes(job)

    tag = node.AddObserver(node.StatusModifiedEvent, onStatus)
