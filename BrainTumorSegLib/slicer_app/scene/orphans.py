"""What a deleted segmentation leaves behind: hidden companions, which nobody could delete."""

from __future__ import annotations

from typing import Any

from BrainTumorSegLib.slicer_app.host.host import inApplication
from BrainTumorSegLib.slicer_app.scene import provenance
from BrainTumorSegLib.slicer_app.scene.scene import removeWithParts


def companions(node: Any) -> list[Any]:
    """What a run or a review has made beside a segmentation."""
    found = (node.GetNodeReference(role) for role in provenance.REPLACED)
    return [companion for companion in found if companion is not None]


def isOrphan(companion: Any) -> bool:
    """Whether no segmentation refers to a companion; clones and second readings do."""
    scene = companion.GetScene()
    segmentations = (
        scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode")
        for n in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"))
    )
    return not any(companion in companions(segmentation) for segmentation in segmentations)


def watchDeletions(scene: Any) -> list[int]:
    """From now on hidden companions are removed with the last segmentation they belong to.

    Tables and volumes that people see stay. Nothing is removed while a scene is closed or
    loaded, nor where deletions can be undone.

    Returns:
        Tags of the observers.
    """
    import vtk

    left: list[Any] = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def willGo(_caller: Any, _event: str, node: Any) -> None:
        busy = scene.IsClosing() or scene.IsImporting() or scene.GetUndoFlag()
        if not busy and node.IsA("vtkMRMLSegmentationNode"):
            left.extend(c for c in companions(node) if c.GetHideFromEditors())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def hasGone(_caller: Any, _event: str, _node: Any) -> None:
        if left:
            _later(tidy)

    def tidy() -> None:
        candidates = list(left)
        left.clear()
        for companion in candidates:
            if companion.GetScene() is scene and isOrphan(companion):
                removeWithParts(companion)

    return [
        scene.AddObserver(scene.NodeAboutToBeRemovedEvent, willGo),
        scene.AddObserver(scene.NodeRemovedEvent, hasGone),
    ]


def _later(action: Any) -> None:
    """After the present deletion, which may go on with what lies beside the node."""
    if inApplication():
        import qt

        qt.QTimer.singleShot(0, action)
    else:
        action()
