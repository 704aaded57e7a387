"""Segmentations as label maps of `Tissue` values, however people have changed them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.io.segment_names import tissue_of_segment
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.scene.geometry import (
    gridMatrix,
    ijkToRAS,
    imageToWorld,
    latticeOffset,
    resample,
    setGrid,
    transformBetween,
    voxels,
)

BINARY_LABELMAP = "Binary labelmap"

#: Where segments overlap, the later one wins.
PRECEDENCE = (Tissue.EDEMA, Tissue.NON_ENHANCING, Tissue.NECROSIS, Tissue.ENHANCING)


def labelImage(segmentationNode: Any, reference: Any | None = None) -> sitk.Image:
    """The four tissues of a segmentation on the grid of a reference volume.

    Segments are recognised by terminology, else by name; others are left out. Several
    of one tissue are united. Where tissues overlap, enhancing wins over necrosis, over
    non-enhancing tumour, over edema. Parent transforms of both nodes are applied; what
    lies outside the reference is left out. Voxels that fall onto voxels of the
    reference are taken as they are, others by nearest neighbour.

    Args:
        segmentationNode: ``vtkMRMLSegmentationNode``, also edited ones.
        reference: volume node; None for the reference geometry that the segmentation keeps.

    Returns:
        Unsigned 8-bit image with values of `Tissue`, in the reference's local
        coordinates (LPS, mm).

    Raises:
        InputError: when a segment cannot be turned into voxels, or there is no grid.
    """
    image = _emptyImage(segmentationNode, reference)
    move = transformBetween(segmentationNode, reference)
    labels = sitk.GetArrayFromImage(image)
    grid = gridMatrix(image)
    owners: dict[Tissue, list[str]] = {tissue: [] for tissue in PRECEDENCE}
    for segmentId, tissue in tissueSegments(segmentationNode).items():
        owners[tissue].append(segmentId)
    for tissue in PRECEDENCE:
        for segmentId in owners[tissue]:
            for labelmap, value in _segmentVoxels(segmentationNode, segmentId):
                _paint(labels, grid, labelmap, value, move, tissue)
    result = sitk.GetImageFromArray(labels)
    result.CopyInformation(image)
    return result


def tissueSegments(segmentationNode: Any) -> dict[str, Tissue]:
    """Which segments, by id in order, stand for which tissue."""
    segmentation = segmentationNode.GetSegmentation()
    found = {}
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        tissue = tissue_of_segment(terminologyOf(segment), segment.GetName() or "")
        if tissue is not None:
            found[segmentation.GetNthSegmentID(number)] = tissue
    return found


def editState(segmentationNode: Any) -> tuple[Any, ...]:
    """Equal as long as nobody edits a segmentation; quick, whatever its size.

    Segment Editor paints into the label maps, of which the segmentation itself knows nothing.
    """
    segmentation = segmentationNode.GetSegmentation()
    state: list[Any] = [segmentationNode.GetID(), segmentation.GetMTime()]
    for number in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(number)
        content = segment.GetRepresentation(segmentation.GetSourceRepresentationName())
        state.append((segment.GetMTime(), content.GetMTime() if content is not None else 0))
    return tuple(state)


def otherSegments(segmentationNode: Any) -> list[str]:
    """Ids of the segments that stand for none of the four tissues, in order."""
    segmentation, ours = segmentationNode.GetSegmentation(), tissueSegments(segmentationNode)
    ids = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    return [segmentId for segmentId in ids if segmentId not in ours]


def terminologyOf(segment: Any) -> str:
    """The terminology entry of a segment; empty when it has none."""
    import slicer
    import vtk

    entry = vtk.reference("")
    segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
    return str(entry)


def _emptyImage(segmentationNode: Any, reference: Any | None) -> sitk.Image:
    import slicer

    if reference is not None:
        extent, matrix = reference.GetImageData().GetExtent(), ijkToRAS(reference)
    else:
        geometry = slicer.vtkOrientedImageData()
        converter = slicer.vtkSegmentationConverter
        text = segmentationNode.GetSegmentation().GetConversionParameter(
            converter.GetReferenceImageGeometryParameterName()
        )
        if not text or not converter.DeserializeImageGeometry(text, geometry, False):
            raise InputError(
                _("Segmentation “{name}” does not say on which scan it was drawn.").format(
                    name=segmentationNode.GetName()
                ),
                _("Choose its source volume in the module Segment Editor."),
            )
        extent, matrix = geometry.GetExtent(), imageToWorld(geometry)
    low, high = np.reshape(extent, (3, 2)).T
    image = sitk.Image([int(n) for n in high - low + 1], sitk.sitkUInt8)
    shift = np.eye(4)
    shift[:3, 3] = low
    setGrid(image, matrix @ shift)
    return image


def _segmentVoxels(segmentationNode: Any, segmentId: str) -> Iterator[tuple[Any, int]]:
    """The label map that holds a segment and its value there; nothing for an empty segment."""
    import slicer

    segmentation = segmentationNode.GetSegmentation()
    segment = segmentation.GetSegment(segmentId)
    labelmap, value = segment.GetRepresentation(BINARY_LABELMAP), segment.GetLabelValue()
    if labelmap is None:
        source = segment.GetRepresentation(segmentation.GetSourceRepresentationName())
        if source is None or source.GetNumberOfPoints() == 0:
            return
        labelmap, value = slicer.vtkOrientedImageData(), 1
        converted = slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentBinaryLabelmapRepresentation(
            segmentationNode, segmentId, labelmap, False
        )
        if not converted:
            raise InputError(
                _("Segment “{segment}” of “{name}” cannot be turned into voxels.").format(
                    segment=segment.GetName(), name=segmentationNode.GetName()
                ),
                _("Create its binary labelmap in the module Segmentations."),
            )
    low, high = np.reshape(labelmap.GetExtent(), (3, 2)).T
    if (high >= low).all() and labelmap.GetPointData().GetScalars() is not None:
        yield labelmap, value


def _paint(
    labels: np.ndarray,
    grid: np.ndarray,
    labelmap: Any,
    value: int,
    move: np.ndarray | Any,
    tissue: Tissue,
) -> None:
    """Write a tissue into ``labels[slice, row, column]`` where a label map has a value."""
    extent, matrix = labelmap.GetExtent(), imageToWorld(labelmap)
    offset = None
    if isinstance(move, np.ndarray):
        offset = latticeOffset(move @ matrix, extent, grid)
    if offset is None:
        found = resample(labelmap, matrix, move, grid, labels.shape[::-1], nearest=True)
        labels[found == value] = tissue
        return
    starts = np.array(offset) + extent[::2]
    size = np.array(labelmap.GetDimensions())
    low = np.maximum(starts, 0)
    high = np.minimum(starts + size, labels.shape[::-1])
    if (high <= low).any():
        return
    there = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
    here = tuple(
        slice(a, b) for a, b in zip((low - starts)[::-1], (high - starts)[::-1], strict=True)
    )
    labels[there][voxels(labelmap)[here] == value] = tissue
