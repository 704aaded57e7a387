"""Handing a segmentation over to Segment Editor, set up for tissues that exclude each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue

from ..host.host import inApplication
from ..host.translation import tr as _
from ..scene import provenance
from ..scene.registered import registeredCopy
from ..scene.segments import BINARY_LABELMAP, labelImage, tissueSegments
from ..scene.volumes import imageFromNode

#: By this tag the module Segment Editor finds its parameters.
_EDITOR_TAG = "SegmentEditor"

#: Fewer voxels than this say nothing about the intensities of a tissue.
_ENOUGH_VOXELS = 50

#: Percentiles of a tissue's voxels that its intensity range spans.
_PERCENTILES = (5.0, 95.0)


def editInSegmentEditor(
    segmentationNode: Any, sourceVolume: Any = None, tissue: Tissue | None = None
) -> Any:
    """Open Segment Editor on a segmentation.

    What is painted becomes the chosen tissue and nothing else, wherever it is painted: all
    other segments give way, hidden ones too. Intensities do not limit painting, but the
    range of enhancing tumour is prepared for who ticks *Editable intensity range*.

    Args:
        sourceVolume: the scan to draw on; None for the T1CE as it was aligned.
        tissue: the segment to begin with; None for the one selected before, else enhancing.

    Returns:
        The ``vtkMRMLSegmentEditorNode`` with the settings.

    Raises:
        InputError: when the segmentation holds none of the four tissues, or no scan
            to draw on is left.
    """
    segments = tissueSegments(segmentationNode)
    if not segments:
        raise InputError(
            _("Segmentation “{name}” has no segment of a tumour tissue.").format(
                name=segmentationNode.GetName()
            ),
            _("Choose a segmentation made by this module."),
        )
    source = sourceVolume if sourceVolume is not None else enhancedScan(segmentationNode)
    _prepareSegmentation(segmentationNode)
    editor = editorNode()
    editor.SetAndObserveSegmentationNode(segmentationNode)
    _setExclusive(editor)
    low, high = intensityRange(segmentationNode, source) or (0.0, 0.0)
    editor.SetSourceVolumeIntensityMaskRange(low, high)
    before = editor.GetSelectedSegmentID()
    if inApplication():
        import slicer

        # Segment Editor chooses the reference and the first segment when it sees another
        # segmentation; what shall be chosen is set after that.
        slicer.util.selectModule("SegmentEditor")
    editor.SetAndObserveSourceVolumeNode(source)
    editor.SetSelectedSegmentID(_segmentToBegin(segments, tissue, before))
    return editor


def editorNode() -> Any:
    """The node with the parameters of the module Segment Editor; made if there is none."""
    import slicer

    scene = slicer.mrmlScene
    node = scene.GetSingletonNode(_EDITOR_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag(_EDITOR_TAG)
        node = scene.AddNode(node)
    return node


def intensityRange(
    segmentationNode: Any, sourceVolume: Any, tissue: Tissue = Tissue.ENHANCING
) -> tuple[float, float] | None:
    """Between which intensities of a scan a tissue lies, robustly.

    Enhancing tumour is the brightest tissue on T1CE, so its range has no end above.

    Returns:
        Lowest and highest intensity; None where there is too little of the tissue.
    """
    labels = sitk.GetArrayViewFromImage(labelImage(segmentationNode, sourceVolume))
    inside = labels == tissue
    if np.count_nonzero(inside) < _ENOUGH_VOXELS:
        return None
    values = sitk.GetArrayFromImage(imageFromNode(sourceVolume))
    low, high = np.percentile(values[inside], _PERCENTILES)
    if tissue is Tissue.ENHANCING:
        high = values.max()
    return float(low), float(high)


def enhancedScan(segmentationNode: Any) -> Any:
    """The T1CE that a result was made of, on the grid of the result.

    Raises:
        InputError: when it is no longer in the scene.
    """
    try:
        reference = provenance.reportOf(segmentationNode)["case"]["reference"]
    except InputError:  # made elsewhere, or its record is gone
        reference = Sequence.T1CE.value
    if reference != Sequence.T1CE.value:
        return registeredCopy(segmentationNode, Sequence.T1CE)
    return provenance.inputScan(segmentationNode, Sequence.T1CE)


def _setExclusive(editor: Any) -> None:
    import slicer

    editor.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
    editor.SetMaskSegmentID("")
    editor.SetSourceVolumeIntensityMask(False)


def _prepareSegmentation(segmentationNode: Any) -> None:
    """Voxels to edit, all of them visible: nobody shall overwrite what they do not see."""
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetSourceRepresentationName() != BINARY_LABELMAP:
        segmentation.CreateRepresentation(BINARY_LABELMAP)
        segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    segmentationNode.CreateDefaultDisplayNodes()
    display = segmentationNode.GetDisplayNode()
    display.SetVisibility(True)
    display.SetVisibility2D(True)
    display.SetAllSegmentsVisibility(True)
    display.SetPreferredDisplayRepresentationName2D(BINARY_LABELMAP)


def _segmentToBegin(segments: dict[str, Tissue], tissue: Tissue | None, before: str | None) -> str:
    if tissue is None and before in segments:
        return before
    wanted = Tissue.ENHANCING if tissue is None else tissue
    return next((key for key, found in segments.items() if found is wanted), next(iter(segments)))
