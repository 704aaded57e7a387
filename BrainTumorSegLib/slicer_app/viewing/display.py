"""Looking at a result: slice views, alignment, surfaces.

Everything acts on nodes of the scene, which the views of the application follow; without
an application the nodes can be examined.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence

from ..host.host import inApplication
from ..host.translation import tr as _
from ..run.result import RunResult
from ..scene import provenance
from ..scene.geometry import transformToWorld
from ..scene.registered import registeredCopy
from ..scene.scene import nodesOfClass
from ..scene.segments import CLOSED_SURFACE, labelImage
from ..scene.volumes import localGrid

#: How much of the second scan shines through when a result is shown.
FOREGROUND_OPACITY = 0.3

#: On views and displays while alignment is checked: what was shown before, as JSON.
_BEFORE = provenance.PREFIX + "ShownBefore"


def showResult(result: RunResult, show3D: bool = False) -> None:
    """Show the reference with FLAIR over it in all slice views, centred on the tumour.

    FLAIR is shown as it was aligned: itself when it lies right already, else its
    registered copy, which is made when there is none. Where FLAIR is the reference, T1CE
    takes its place. Brightness and contrast stay as they are.

    Args:
        show3D: show surfaces of the tissues too; otherwise 3D views are left alone.
    """
    node = result.segmentationNode
    endAlignmentCheck(node.GetScene())
    reference = _referenceNode(result)
    if reference is not None:
        foreground = _foreground(result, reference)
        for composite in nodesOfClass(node.GetScene(), "vtkMRMLSliceCompositeNode"):
            _setLayers(composite, reference, foreground, FOREGROUND_OPACITY)
        _select(reference)
        _fitSlices(node.GetScene())
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetVisibility(True)
    center = tumorCenter(node, reference)
    if center is None and reference is not None:
        center = _middle(reference)
    if center is not None:
        centerViews(node.GetScene(), center)
    if show3D:
        _show3D(node, True, center)


def show3D(segmentationNode: Any, on: bool) -> None:
    """Show or hide the surfaces of a segmentation in 3D views.

    Hidden surfaces are removed, since keeping them up to date makes editing slow.
    """
    center = None
    if on:
        with suppress(InputError):  # a segmentation without a grid can be shown all the same
            center = tumorCenter(segmentationNode)
    _show3D(segmentationNode, on, center)


def checkAlignment(segmentationNode: Any, sequence: Sequence | str, blend: float) -> None:
    """Fade between the reference and a scan as it was aligned to it, in all slice views.

    The segmentation is out of the way meanwhile. `endAlignmentCheck` brings back what was
    shown before the first call.

    Args:
        sequence: the scan to lay over the reference.
        blend: 0 shows the reference alone, 1 the scan alone.

    Raises:
        InputError: when the scan, the reference or the record is gone.
    """
    copy = registeredCopy(segmentationNode, sequence)
    reference = segmentationNode.GetNodeReference(
        provenance.scanRole(
            Sequence(segmentationNode.GetAttribute(provenance.PREFIX + "Reference"))
        )
    )
    display = segmentationNode.GetDisplayNode()
    if display is not None and display.GetAttribute(_BEFORE) is None:
        display.SetAttribute(_BEFORE, json.dumps(bool(display.GetVisibility())))
        display.SetVisibility(False)
    for composite in nodesOfClass(segmentationNode.GetScene(), "vtkMRMLSliceCompositeNode"):
        if composite.GetAttribute(_BEFORE) is None:
            composite.SetAttribute(_BEFORE, json.dumps(_layers(composite)))
        composite.SetCompositing(composite.Alpha)
        _setLayers(composite, reference, copy, min(max(float(blend), 0.0), 1.0))


def endAlignmentCheck(scene: Any | None = None) -> bool:
    """Show again what was shown before alignment was checked; whether it was being checked."""
    import slicer

    scene = scene if scene is not None else slicer.mrmlScene
    ended = False
    for display in nodesOfClass(scene, "vtkMRMLSegmentationDisplayNode"):
        before = display.GetAttribute(_BEFORE)
        if before is not None:
            display.RemoveAttribute(_BEFORE)
            display.SetVisibility(json.loads(before))
            ended = True
    for composite in nodesOfClass(scene, "vtkMRMLSliceCompositeNode"):
        before = composite.GetAttribute(_BEFORE)
        if before is not None:
            composite.RemoveAttribute(_BEFORE)
            _restoreLayers(composite, json.loads(before))
            ended = True
    return ended


def tumorCenter(
    segmentationNode: Any, reference: Any | None = None
) -> tuple[float, float, float] | None:
    """The labelled voxel nearest to the middle of the largest connected part of the tumour.

    Args:
        reference: on whose grid to look; None for the segmentation's own.

    Returns:
        World coordinates (RAS, mm); None where there is no tumour.

    Raises:
        InputError: when the segmentation knows no grid.
    """
    labels = labelImage(segmentationNode, reference)
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(labels > 0), sortByObjectSize=True)
    voxels = np.argwhere(sitk.GetArrayViewFromImage(parts) == 1)
    if not len(voxels):
        return None
    spacing = np.array(labels.GetSpacing())[::-1]
    distances = np.linalg.norm((voxels - voxels.mean(axis=0)) * spacing, axis=1)
    index = voxels[int(distances.argmin())][::-1].tolist()
    x, y, z = labels.TransformIndexToPhysicalPoint(index)
    toWorld = transformToWorld(segmentationNode if reference is None else reference)
    return tuple(toWorld.TransformPoint(-x, -y, z))


def centerViews(scene: Any, point: tuple[float, float, float]) -> None:
    """Bring a point (world, RAS, mm) into the middle of all slice views; the crosshair too."""
    for view in nodesOfClass(scene, "vtkMRMLSliceNode"):
        view.JumpSliceByCentering(*point)
    for crosshair in nodesOfClass(scene, "vtkMRMLCrosshairNode"):
        crosshair.SetCrosshairRAS(*point)


def _show3D(node: Any, on: bool, center: tuple[float, float, float] | None) -> None:
    if on:
        node.CreateDefaultDisplayNodes()
        node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
        if center is not None:
            for camera in nodesOfClass(node.GetScene(), "vtkMRMLCameraNode"):
                _lookAt(camera, center)
    elif node.GetSegmentation().GetSourceRepresentationName() != CLOSED_SURFACE:
        node.RemoveClosedSurfaceRepresentation()
    if node.GetDisplayNode() is not None:
        node.GetDisplayNode().SetVisibility3D(on)


def _lookAt(camera: Any, point: tuple[float, float, float]) -> None:
    """Turn around a point from now on; direction and distance of the view stay."""
    shift = np.subtract(point, camera.GetFocalPoint())
    camera.SetPosition(*np.add(camera.GetPosition(), shift))
    camera.SetFocalPoint(*point)
    camera.ResetClippingRange()


def _referenceNode(result: RunResult) -> Any | None:
    sequence = Sequence(result.report["case"]["reference"])
    return result.segmentationNode.GetNodeReference(provenance.scanRole(sequence))


def _foreground(result: RunResult, reference: Any) -> Any | None:
    """The scan to lay over the reference; None when it cannot be shown where it belongs."""
    name = result.report["case"]["reference"]
    sequence = Sequence.T1CE if name == Sequence.FLAIR.value else Sequence.FLAIR
    node = result.segmentationNode
    scan = node.GetNodeReference(provenance.scanRole(sequence))
    if scan is None:
        return None
    try:
        entry = provenance.registrationEntry(result.report, sequence)
        if not result.registeredNodes.get(sequence) and np.allclose(entry["matrix"], np.eye(4)):
            return scan
        return registeredCopy(node, sequence)
    except InputError as error:
        text = _("“{scan}” is not shown over “{reference}”: {error}")
        logging.warning(
            text.format(scan=scan.GetName(), reference=reference.GetName(), error=error)
        )
        return None


def _middle(reference: Any) -> tuple[float, float, float]:
    """The centre of a volume in the world."""
    matrix, size = localGrid(reference)
    toWorld = transformToWorld(reference)
    return tuple(toWorld.TransformPoint((matrix @ [*((np.array(size) - 1) / 2), 1])[:3]))


def _select(reference: Any) -> None:
    """Other modules start from the active volume."""
    selection = reference.GetScene().GetFirstNodeByClass("vtkMRMLSelectionNode")
    if selection is not None:
        selection.SetReferenceActiveVolumeID(reference.GetID())


def _fitSlices(scene: Any) -> None:
    """Show the whole field of view of the background; only the application has slice logics."""
    if not inApplication():
        return
    import slicer

    application = slicer.app.applicationLogic()
    for view in nodesOfClass(scene, "vtkMRMLSliceNode"):
        logic = application.GetSliceLogic(view)
        if logic is not None:
            logic.FitSliceToBackground()


def _setLayers(composite: Any, background: Any, foreground: Any | None, opacity: float) -> None:
    composite.SetBackgroundVolumeID(background.GetID())
    composite.SetForegroundVolumeID(foreground.GetID() if foreground is not None else None)
    composite.SetForegroundOpacity(opacity)


def _layers(composite: Any) -> dict[str, Any]:
    return {
        "background": composite.GetBackgroundVolumeID(),
        "foreground": composite.GetForegroundVolumeID(),
        "opacity": composite.GetForegroundOpacity(),
        "compositing": composite.GetCompositing(),
    }


def _restoreLayers(composite: Any, layers: dict[str, Any]) -> None:
    scene = composite.GetScene()
    there = {name: layers[name] for name in ("background", "foreground")}
    # What was deleted meanwhile cannot be shown again.
    there = {n: i if i and scene.GetNodeByID(i) else None for n, i in there.items()}
    composite.SetBackgroundVolumeID(there["background"])
    composite.SetForegroundVolumeID(there["foreground"])
    composite.SetForegroundOpacity(layers["opacity"])
    composite.SetCompositing(layers["compositing"])
