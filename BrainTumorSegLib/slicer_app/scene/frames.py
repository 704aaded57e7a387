"""Volumes that are one frame of a sequence: they become another image while it is played."""

from __future__ import annotations

from typing import Any

from .scene import nodesOfClass, placeBeside


def isOneOfManyFrames(node: Any) -> bool:
    """Whether a volume node of the scene shows one frame of a sequence of several."""
    for browser in nodesOfClass(node.GetScene(), "vtkMRMLSequenceBrowserNode"):
        frames = browser.GetSequenceNode(node) if browser.IsProxyNode(node.GetID()) else None
        if frames is not None and frames.GetNumberOfDataNodes() > 1:
            return True
    return False


def cloneFrame(node: Any) -> Any:
    """A volume node of its own with the image that is shown now, beside the sequence's."""
    import slicer

    scene = node.GetScene()
    clone = slicer.modules.volumes.logic().CloneVolume(
        scene, node, scene.GenerateUniqueName(node.GetName())
    )
    placeBeside(clone, node)
    return clone
