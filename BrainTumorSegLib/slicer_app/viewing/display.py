"""Looking at a result: slice views and surfaces.

Everything acts on nodes of the scene, which the views of the application follow; without
an application the nodes can be examined.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
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
from .alignment import endAlignmentCheck, setLayers
from .brightness import showBrain

#: How much of the second scan shines through when a result is shown.
FOREGROUND_OPACITY = 0.3

#: Begins the names of the views of the reading layout, each of which shows a scan of its own.
READING_VIEW = "BrainTumorSeg"

#: Part of a 3D view's height that the tumour takes up.
_PART_OF_VIEW = 0.8


def showResult(result: RunResult, show3D: bool = False) -> None:
    """Show the reference with FLAIR over it in all slice views, centred on the tumour.

    FLAIR is shown as it was aligned: itself when it lies right already, else its
    registered copy, which is made when there is none. Where FLAIR is the reference, T1CE
    takes its place. Brightness and contrast follow the brain, unless somebody has set them.

    Args:
        show3D: show surfaces of the tissues too; otherwise 3D views are left alone.
    """
    node = result.segmentationNode
    endAlignmentCheck(node.GetScene())
    reference = _referenceNode(result)
    if reference is not None:
        foreground = _foreground(result, reference)
        showBrain(node, filter(None, (reference, foreground)))
        for composite in nodesOfClass(node.GetScene(), "vtkMRMLSliceCompositeNode"):
            if not (composite.GetLayoutName() or "").startswith(READING_VIEW):
                setLayers(composite, reference, foreground, FOREGROUND_OPACITY)
        _select(reference)
        fitSlices(node.GetScene())
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
    """Move all slices to a point (world, RAS, mm), and the crosshair.

    The field of view stays, so that the whole brain stays in sight; only where the point
    lies outside it, as in an enlarged view, the view follows.
    """
    for view in nodesOfClass(scene, "vtkMRMLSliceNode"):
        view.JumpSliceByOffsetting(*point)
        if not isInView(view, point):
            view.JumpSliceByCentering(*point)
    for crosshair in nodesOfClass(scene, "vtkMRMLCrosshairNode"):
        crosshair.SetCrosshairRAS(*point)


def isInView(view: Any, point: tuple[float, float, float]) -> bool:
    """Whether a slice view's field of view takes in a point (world, RAS, mm)."""
    import slicer

    toRAS = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    inSlice = (np.linalg.inv(toRAS) @ [*point, 1.0])[:2]
    apart = np.abs(inSlice - np.array(view.GetXYZOrigin())[:2])
    return bool((apart <= np.array(view.GetFieldOfView())[:2] / 2).all())


def _show3D(node: Any, on: bool, center: tuple[float, float, float] | None) -> None:
    if on:
        node.CreateDefaultDisplayNodes()
        node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
        if center is not None:
            middle, radius = _extent(node)
            for camera in nodesOfClass(node.GetScene(), "vtkMRMLCameraNode"):
                _lookAt(camera, middle, radius)
    elif node.GetSegmentation().GetSourceRepresentationName() != CLOSED_SURFACE:
        node.RemoveClosedSurfaceRepresentation()
    if node.GetDisplayNode() is not None:
        node.GetDisplayNode().SetVisibility3D(on)


def _extent(node: Any) -> tuple[np.ndarray, float]:
    """Middle (world, RAS, mm) and half of the longest side, in mm, of a box around all segments."""
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    low, high = np.reshape(bounds, (3, 2)).T
    return (low + high) / 2, float((high - low).max() / 2)


def _lookAt(camera: Any, point: np.ndarray, radius: float) -> None:
    """Turn around a point from now on, at a distance that fits; the direction stays."""
    away = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
    length = float(np.linalg.norm(away))
    away = away / length if length > 0 else np.array([0.0, 1.0, 0.0])
    distance = radius / _PART_OF_VIEW / np.sin(np.radians(camera.GetViewAngle()) / 2)
    camera.SetFocalPoint(*point)
    camera.SetPosition(*(point + away * distance))
    camera.SetParallelScale(radius / _PART_OF_VIEW)
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


def fitSlices(scene: Any, names: Collection[str] = ()) -> None:
    """Show the whole field of view of the background; only the application has slice logics.

    Args:
        names: of the layout's views; none for all.
    """
    if not inApplication():
        return
    import slicer

    application = slicer.app.applicationLogic()
    for view in nodesOfClass(scene, "vtkMRMLSliceNode"):
        logic = application.GetSliceLogic(view)
        if logic is not None and (not names or view.GetLayoutName() in names):
            logic.FitSliceToBackground()
