"""Ways of looking that end: what nodes were before, and what a scene saved meanwhile holds.

What is changed only for looking is written down at the node itself, so that it can be
taken back even after the scene was loaded again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from BrainTumorSegLib.core.errors import BrainTumorSegError

from ..host.host import inApplication
from ..scene.scene import nodesOfClass

#: Observers of the ways of looking in progress, by the name of each.
_watching: dict[str, list[tuple[Any, int]]] = {}


def remember(node: Any, name: str, values: dict[str, Any]) -> bool:
    """Write down what a node was before, once; whether it was not written down already."""
    if node.GetAttribute(name) is not None:
        return False
    node.SetAttribute(name, json.dumps(values))
    return True


def recall(node: Any, name: str) -> dict[str, Any] | None:
    """What was written down, and forget it; None when nothing was."""
    text = node.GetAttribute(name)
    if text is None:
        return None
    node.RemoveAttribute(name)
    values = json.loads(text)
    # 0.1.0 wrote down only whether a segmentation was visible.
    return values if isinstance(values, dict) else {"visible": values}


def recalled(scene: Any, className: str, name: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The nodes of a class that something was written down of, with what it was; see `recall`."""
    for node in nodesOfClass(scene, className):
        before = recall(node, name)
        if before is not None:
            yield node, before


def watchSaving(
    scene: Any, name: str, suspend: Callable[[], None], resume: Callable[[], None]
) -> None:
    """Whenever the scene is about to be written, take back how one looks at it, for that time.

    Slicer declares events for the start and the end of saving but never invokes them (5.12).
    What it does before it writes the scene is to name the files of the nodes: of hidden ones,
    which each of our results has, every time. A file named for another reason is no harm.

    Args:
        suspend: must neither add nor remove nodes: Slicer is walking through them.
        resume: called by the event loop when the scene is written; without one, never.
    """
    import slicer
    import vtk

    if name in _watching:
        return
    watched = _watching[name] = []

    def onFile(*_: Any) -> None:
        if name not in _watching:
            return
        unwatchSaving(name)
        suspend()
        if inApplication():
            import qt

            qt.QTimer.singleShot(0, again)

    def again() -> None:
        # What is looked at may be gone meanwhile.
        with contextlib.suppress(BrainTumorSegError):
            resume()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNode(_caller: Any, _event: str, node: Any) -> None:
        if node.IsA("vtkMRMLStorageNode"):
            onFile()

    watched.append((scene, scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, onNode)))
    for storage in nodesOfClass(scene, "vtkMRMLStorageNode"):
        watched.append((storage, storage.AddObserver(vtk.vtkCommand.ModifiedEvent, onFile)))


def unwatchSaving(name: str) -> None:
    """Let the scene be saved as it is."""
    for caller, tag in _watching.pop(name, []):
        caller.RemoveObserver(tag)
