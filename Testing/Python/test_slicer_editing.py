"""Handing a result to Segment Editor, set up for four exclusive tissues."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import add_segmentation, add_volume, affine
from mrml_results import add_result, labels_of
from mrml_run import tumor

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.slicer_app.scene.volumes import imageFromNode, setVolume
from BrainTumorSegLib.slicer_app.viewing.editing import (
    editInSegmentEditor,
    editorNode,
    intensityRange,
)


@pytest.fixture
def node(made):
    return made[0].segmentationNode


@pytest.fixture
def scan(made):
    return made[1].t1ce


def test_segmentation_and_t1ce_are_chosen(scene, node, scan):
    editor = editInSegmentEditor(node)
    assert editor.GetSegmentationNode() is node
    assert editor.GetSourceVolumeNode() is scan
    assert editor is scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")


def test_settings_suit_tissues_that_exclude_each_other(node):
    import slicer

    editor = editorNode()
    editor.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    editor.SetMaskSegmentID("edema")
    editor.SetSourceVolumeIntensityMask(True)
    editInSegmentEditor(node)
    assert editor.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments
    assert editor.GetMaskMode() == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
    assert not editor.GetMaskSegmentID()
    assert not editor.GetSourceVolumeIntensityMask()


def test_opening_twice_uses_one_editor_node(scene, node):
    assert editInSegmentEditor(node) is editInSegmentEditor(node)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentEditorNode") == 1


def test_everything_that_can_be_overwritten_is_visible(node):
    display = node.GetDisplayNode()
    display.SetVisibility(False)
    display.SetSegmentVisibility("edema", False)
    editInSegmentEditor(node)
    assert display.GetVisibility()
    assert display.GetSegmentVisibility("edema")


def test_it_begins_with_enhancing_tumour_unless_told_otherwise(node):
    editor = editInSegmentEditor(node)
    assert editor.GetSelectedSegmentID() == "enhancing"
    editInSegmentEditor(node, tissue=Tissue.EDEMA)
    assert editor.GetSelectedSegmentID() == "edema"
    editInSegmentEditor(node)
    assert editor.GetSelectedSegmentID() == "edema"


def test_with_flair_as_reference_the_aligned_t1ce_is_drawn_on(scene, tmp_path):
    made, _ = add_result(scene, tmp_path / "run", reference=Sequence.FLAIR)
    source = editInSegmentEditor(made.segmentationNode).GetSourceVolumeNode()
    assert source.GetName() == "Kopf T1 KM registered"
    assert source.GetImageData().GetDimensions() == (50, 48, 40)


def test_a_chosen_scan_is_drawn_on(made, node):
    assert editInSegmentEditor(node, made[1].flair).GetSourceVolumeNode() is made[1].flair


def test_a_scan_that_was_removed_is_asked_for(scene, node, scan):
    scene.RemoveNode(scan)
    with pytest.raises(InputError, match="no longer in the scene"):
        editInSegmentEditor(node)


def test_a_segmentation_of_something_else_is_refused(scene):
    other = add_segmentation(scene, [("Skull", "", np.ones((5, 6, 7), bool))], affine(), "Other")
    with pytest.raises(InputError, match="no segment of a tumour tissue"):
        editInSegmentEditor(other, add_volume(scene, "T1CE"))


def test_the_range_of_enhancing_tumour_is_prepared_but_not_used(node, scan):
    brighten(scan)
    editor = editInSegmentEditor(node)
    low, high = editor.GetSourceVolumeIntensityMaskRange()
    assert 1450 < low < 1600
    assert high == sitk.GetArrayFromImage(imageFromNode(scan)).max()
    assert not editor.GetSourceVolumeIntensityMask()


def brighten(scan) -> None:
    """Give T1CE a bright rim: 1500 to 1700 where there is enhancing tumour."""
    image = imageFromNode(scan)
    values = sitk.GetArrayFromImage(image).astype(np.int16)
    rim = tumor() == Tissue.ENHANCING
    values[rim] = np.random.default_rng(2).integers(1500, 1700, int(rim.sum()))
    values[0, 0, 0] = 3000
    changed = sitk.GetImageFromArray(values)
    changed.CopyInformation(image)
    setVolume(scan, changed)


def test_the_range_of_another_tissue_has_both_ends(node, scan):
    brighten(scan)
    values = sitk.GetArrayFromImage(imageFromNode(scan))[labels_of(node, scan) == Tissue.EDEMA]
    low, high = intensityRange(node, scan, Tissue.EDEMA)
    assert (low, high) == tuple(np.percentile(values, (5, 95)))


def test_too_little_of_a_tissue_tells_no_range(scene, tmp_path):
    labels = np.zeros((40, 48, 50), np.uint8)
    labels[5, 5, :20] = Tissue.ENHANCING
    made, settings = add_result(scene, tmp_path / "run", labels=labels)
    assert intensityRange(made.segmentationNode, settings.t1ce) is None
    editor = editInSegmentEditor(made.segmentationNode)
    assert not editor.GetSourceVolumeIntensityMask()


def test_painting_through_slicers_own_editor_keeps_tissues_exclusive(node, scan):
    """The editor's logic paints edema over everything: nothing else is left there."""
    import slicer

    editor = editInSegmentEditor(node, tissue=Tissue.EDEMA)
    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLScene(slicer.mrmlScene)
    logic.SetSegmentEditorNode(editor)
    if not logic.UpdateReferenceGeometryImage():
        pytest.fail("no reference geometry")
    logic.ResetModifierLabelmapToDefault()
    brush = logic.GetModifierLabelmap()
    from vtk.util.numpy_support import vtk_to_numpy

    values = vtk_to_numpy(brush.GetPointData().GetScalars())
    values.reshape(brush.GetDimensions()[::-1])[18:22, 15:20, 20:30] = 1
    brush.Modified()
    logic.ModifySegmentByLabelmap(node, "edema", brush, logic.ModificationModeAdd, False, False)
    labels = labels_of(node, scan)
    assert (labels[18:22, 15:20, 20:30] == Tissue.EDEMA).all()
    expected = tumor()
    expected[18:22, 15:20, 20:30] = Tissue.EDEMA
    assert np.array_equal(labels, expected)
