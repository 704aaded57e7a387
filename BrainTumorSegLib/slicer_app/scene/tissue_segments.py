"""The four tissues as segments of a segmentation node."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.tissue import TUMOUR_TISSUES, Tissue
from BrainTumorSegLib.slicer_app.scene.geometry import (
    asTransform,
    gridMatrix,
    imageData,
    matrixFromArray,
    transformBetween,
)
from BrainTumorSegLib.slicer_app.scene.label_images import (
    BINARY_LABELMAP,
    otherSegments,
    tissueSegments,
)
from BrainTumorSegLib.slicer_app.scene.terminology import dressSegment

CLOSED_SURFACE = "Closed surface"

#: Enough to see the scan through the tissue; the outline says where it ends.
FILL_OPACITY, OUTLINE_OPACITY = 0.3, 1.0

#: In 3D, edema hides the tumour that it surrounds unless one can look through it.
EDEMA_OPACITY_3D = 0.25


def setTissues(segmentationNode: Any, labels: sitk.Image, reference: Any) -> None:
    """Make the four tissues of a segmentation those of a label map.

    The node gets the reference's grid and parent transform. All four segments are there
    afterwards, also empty ones, on one layer. Segments of other things stay in their
    place on layers of their own.

    Args:
        segmentationNode: new or with segments.
        labels: values of `Tissue` on the reference's grid, in its local coordinates.
        reference: volume node.
    """
    import slicer

    segmentation = segmentationNode.GetSegmentation()
    for segmentId in tissueSegments(segmentationNode):
        segmentation.RemoveSegment(segmentId)
    hadSurface = segmentation.ContainsRepresentation(CLOSED_SURFACE)
    others = otherSegments(segmentationNode)
    if others:
        _moveBelow(segmentationNode, reference)
        segmentation.CreateRepresentation(BINARY_LABELMAP)
    segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    segmentation.RemoveRepresentation(CLOSED_SURFACE)
    segmentationNode.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    layer = _layer(labels)
    for tissue in TUMOUR_TISSUES:
        segment = slicer.vtkSegment()
        dressSegment(segment, tissue)
        segment.SetLabelValue(int(tissue))
        segment.AddRepresentation(BINARY_LABELMAP, layer)
        segmentId = tissue.key
        if segmentation.GetSegment(segmentId) is not None:
            segmentId = segmentation.GenerateUniqueSegmentID(segmentId)
        segmentation.AddSegment(segment, segmentId)
        if tissue is Tissue.EDEMA and segmentationNode.GetDisplayNode() is not None:
            segmentationNode.GetDisplayNode().SetSegmentOpacity3D(segmentId, EDEMA_OPACITY_3D)
    if hadSurface and others:
        segmentation.CreateRepresentation(CLOSED_SURFACE)


def dressSegmentation(segmentationNode: Any) -> None:
    """Display settings of a new segmentation: seen through in slices, nothing in 3D."""
    segmentationNode.CreateDefaultDisplayNodes()
    display = segmentationNode.GetDisplayNode()
    display.SetOpacity2DFill(FILL_OPACITY)
    display.SetOpacity2DOutline(OUTLINE_OPACITY)
    display.SetVisibility3D(False)
    display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)


def _layer(labels: sitk.Image) -> Any:
    """A label map as ``vtkOrientedImageData``, cropped to what is labelled."""
    values = sitk.GetArrayViewFromImage(labels)
    bounds = []
    for axis in (2, 1, 0):
        used = np.flatnonzero(values.any(axis=tuple({0, 1, 2} - {axis})))
        bounds.append((int(used[0]), int(used[-1]) + 1) if used.size else (0, 1))
    columns, rows, slices = (slice(*bound) for bound in bounds)
    layer = imageData(values[slices, rows, columns].astype(np.uint8), "vtkOrientedImageData")
    layer.SetExtent(*(n for low, high in bounds for n in (low, high - 1)))
    layer.SetImageToWorldMatrix(matrixFromArray(gridMatrix(labels)))
    return layer


def _moveBelow(segmentationNode: Any, reference: Any) -> None:
    """Bring segments into the reference's local coordinates without moving them in the world."""
    if segmentationNode.GetTransformNodeID() == reference.GetTransformNodeID():
        return
    segmentation = segmentationNode.GetSegmentation()
    move = transformBetween(segmentationNode, reference)
    if isinstance(move, np.ndarray):
        segmentation.ApplyLinearTransform(asTransform(move))
    else:
        segmentation.ApplyNonLinearTransform(move)
