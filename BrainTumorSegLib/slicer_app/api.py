"""Segmenting from the Python console and from scripts, with or without a main window.

`segment` waits for the result while the application stays alive; `start` returns at
once. Volumes are given as nodes, node ids, or names that only one volume has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from BrainTumorSegLib.core.errors import Cancelled, InputError
from BrainTumorSegLib.core.progress import ProgressEvent
from BrainTumorSegLib.core.sequences import Sequence

from .host.job import pollUntilOver
from .host.translation import tr as _
from .run.result import RunResult
from .run.segmentation_run import SegmentationRun
from .run.settings import RunSettings, optionsFrom
from .scene.scene import nodesOfClass


def runSettings(
    t1: Any = None,
    t1ce: Any = None,
    flair: Any = None,
    outputSegmentation: Any = None,
    *,
    reference: Sequence | str = Sequence.T1CE,
    disagreementVolume: bool = False,
    registeredCopies: bool = False,
    name: str | None = None,
    **options: Any,
) -> RunSettings:
    """Check and complete what a script gives.

    Args:
        t1, t1ce, flair: volume nodes, their ids, or unique names; T1 and FLAIR may be
            None where the model pack can do without.
        outputSegmentation: a segmentation whose content is replaced; None for a new one.
        reference: the sequence on whose grid the result lies.
        disagreementVolume: keep the map of disagreement as a volume.
        registeredCopies: keep the scans resampled onto the reference.
        name: of the case in reports.
        options: of `core.options.Options`, such as ``pack``, ``members``, ``tta``, ``device``,
            ``registration``, ``brain``, ``shading``, ``minLesion`` and ``keepIslands``;
            None leaves the default.

    Raises:
        InputError: when something cannot be what is meant.
        TypeError: for an option that there is not.
    """
    words = [sequence.value for sequence in Sequence]
    word = reference.value if isinstance(reference, Sequence) else reference.lower()
    if word not in words:
        raise InputError(
            _("reference cannot be {given}.").format(given=repr(reference)),
            _("Choose one of {choices}.").format(choices=", ".join(words)),
        )
    return RunSettings(
        t1=findNode(t1, "vtkMRMLScalarVolumeNode"),
        t1ce=findNode(t1ce, "vtkMRMLScalarVolumeNode"),
        flair=findNode(flair, "vtkMRMLScalarVolumeNode"),
        reference=Sequence(word),
        outputSegmentation=findNode(outputSegmentation, "vtkMRMLSegmentationNode"),
        options=optionsFrom(options),
        disagreementVolume=disagreementVolume,
        registeredCopies=registeredCopies,
        name=name,
    )


def start(
    settings: RunSettings,
    onProgress: Callable[[ProgressEvent], None] | None = None,
    onFinished: Callable[[SegmentationRun], None] | None = None,
) -> SegmentationRun:
    """Start a run and return at once; in the application it goes on by itself.

    On plain Python call ``poll()`` of the run until it is True, or ``wait()``.

    Raises:
        BrainTumorSegError: when it cannot start; nothing was changed.
    """
    run = SegmentationRun(settings, onProgress, onFinished)
    run.start()
    pollUntilOver(run)
    return run


def segment(
    settings: RunSettings, onProgress: Callable[[ProgressEvent], None] | None = None
) -> RunResult:
    """Segment and wait for the result; the application's windows stay alive meanwhile.

    Raises:
        Cancelled: when the run was cancelled meanwhile.
        BrainTumorSegError: with the remedy; the scene is as it was before.
    """
    run = SegmentationRun(settings, onProgress)
    run.start()
    run.wait()
    if run.result is not None:
        return run.result
    raise run.error or Cancelled()


def findNode(given: Any, className: str) -> Any:
    """The node that a script means.

    Args:
        given: a node, a node id, a name that only one such node has, or None.

    Raises:
        InputError: when there is none, or several.
    """
    import slicer

    if given is None:
        return None
    if not isinstance(given, str):
        if not (hasattr(given, "IsA") and given.IsA(className)):
            raise InputError(
                _("{given} is no {kind}.").format(given=_shown(given), kind=_KINDS[className]),
                _("Give a node, its id or its name."),
            )
        return given
    node = slicer.mrmlScene.GetNodeByID(given)
    if node is not None and node.IsA(className):
        return node
    named = [n for n in nodesOfClass(slicer.mrmlScene, className) if n.GetName() == given]
    if len(named) == 1:
        return named[0]
    message = (
        _("{count} nodes are called {name}.").format(count=len(named), name=repr(given))
        if named
        else _("The scene has no {kind} {name}.").format(kind=_KINDS[className], name=repr(given))
    )
    raise InputError(message, _("Give the node itself, or its id."))


_KINDS = {"vtkMRMLScalarVolumeNode": "volume", "vtkMRMLSegmentationNode": "segmentation"}


def _shown(given: Any) -> str:
    return given.GetName() or given.GetID() if hasattr(given, "GetName") else repr(given)
