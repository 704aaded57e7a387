"""A change of the scene that fails leaves no trace; one that succeeds stays."""

from __future__ import annotations

import numpy as np
import pytest
from mrml_nodes import (
    OBLIQUE,
    add_segmentation,
    add_transform,
    add_volume,
    affine,
    head,
    image_data,
)
from mrml_scene import hierarchy_items, make_scene, snapshot

from BrainTumorSegLib.slicer_app.scene.scene import SceneEdit, hierarchyOf, placeBeside


class Trouble(Exception):
    """What goes wrong in these tests."""


@pytest.fixture
def furnished(scene):
    """A scene in use: a patient with a scan in two transforms, a segmentation, a selection."""
    hierarchy = hierarchyOf(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    study = hierarchy.CreateStudyItem(patient, "Study")
    scan = add_volume(scene, "scan", head((6, 7, 8)), OBLIQUE)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(scan), study)
    outer = add_transform(scene, affine(origin=(1, 2, 3)), name="outer")
    inner = add_transform(scene, OBLIQUE, parent=outer, name="inner")
    scan.SetAndObserveTransformNodeID(inner.GetID())
    first, second = np.zeros((6, 7, 8), np.uint8), np.zeros((6, 7, 8), np.uint8)
    first[1:3, 2:5, 3:6], second[2:4, 1:3, 0:4] = 1, 1
    drawn = add_segmentation(scene, [("Edema", "", first), ("Ventricle", "", second)], OBLIQUE)
    drawn.SetReferenceImageGeometryParameterFromVolumeNode(scan)
    drawn.SetAttribute("Somebody.Else", "attribute; with: signs %")
    drawn.GetDisplayNode().SetSegmentOpacity3D(drawn.GetSegmentation().GetNthSegmentID(0), 0.25)
    selection = scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    selection.SetReferenceActiveVolumeID(scan.GetID())
    scene.GetNodeByID("vtkMRMLSliceCompositeNodeRed").SetBackgroundVolumeID(scan.GetID())
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "table")
    table.AddColumn().SetName("numbers")
    table.AddEmptyRow()
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", "text")
    text.SetText("before")
    return scene


def node_named(scene, name):
    return scene.GetFirstNodeByName(name)


def fails(scene, change):
    """Apply a change inside an edit that then goes wrong."""
    before = snapshot(scene)
    with pytest.raises(Trouble), SceneEdit(scene) as edit:
        change(edit)
        assert snapshot(scene) != before, "the change must change something"
        raise Trouble
    after = snapshot(scene)
    assert after["order"] == before["order"]
    assert after["hierarchy"] == before["hierarchy"]
    for identity, node in before["nodes"].items():
        assert after["nodes"][identity] == node
    assert after == before


def test_what_succeeds_stays(furnished):
    with SceneEdit(furnished) as edit:
        node = edit.add("vtkMRMLTextNode", "note", attributes={"a": "b"})
    assert furnished.GetNodeByID(node.GetID()) is node
    assert node.GetAttribute("a") == "b"


def test_added_nodes_go_with_all_that_came_along(furnished):
    def change(edit):
        volume = edit.add("vtkMRMLScalarVolumeNode", "new")
        volume.SetAndObserveImageData(image_data(head((3, 4, 5))))
        volume.CreateDefaultDisplayNodes()
        volume.AddDefaultStorageNode()
        segmentation = edit.add("vtkMRMLSegmentationNode", "new")
        segmentation.CreateDefaultDisplayNodes()
        segmentation.GetSegmentation().AddEmptySegment("a", "A")
        placeBeside(segmentation, node_named(furnished, "scan"))
        edit.add("vtkMRMLTextNode", "hidden", hidden=True)
        furnished.AddNewNodeByClass("vtkMRMLTableNode", "not added by the edit itself")

    fails(furnished, change)


def test_a_new_name_is_unique_and_hidden_nodes_have_no_item(furnished):
    with SceneEdit(furnished) as edit:
        assert edit.add("vtkMRMLTableNode", "scan").GetName() != "scan"
        hidden = edit.add("vtkMRMLTextNode", "hidden", hidden=True)
    assert hidden.GetHideFromEditors()
    assert not hierarchyOf(furnished).GetItemByDataNode(hidden)


def test_a_hidden_segmentation_has_the_item_slicer_looks_for_but_the_tree_leaves_it_out(furnished):
    with SceneEdit(furnished) as edit:
        hidden = edit.add("vtkMRMLSegmentationNode", "hidden", hidden=True)
    assert hidden.GetHideFromEditors()
    assert hierarchyOf(furnished).GetItemByDataNode(hidden)
    assert hidden.GetAttribute("SubjectHierarchy.ExcludeFromPotentialNodesList")


def test_a_segmentation_gets_everything_back(furnished):
    drawn = node_named(furnished, "Drawn")
    segmentation, display = drawn.GetSegmentation(), drawn.GetDisplayNode()

    def change(edit):
        edit.willChange(drawn)
        drawn.SetName("Changed")
        drawn.SetAttribute("Somebody.Else", "other")
        drawn.SetAttribute("BrainTumorSeg.Version", "1")
        drawn.SetAndObserveTransformNodeID(node_named(furnished, "inner").GetID())
        drawn.SetNodeReferenceID("BrainTumorSeg.Report", node_named(furnished, "text").GetID())
        segmentation.RemoveSegment(segmentation.GetNthSegmentID(0))
        segmentation.AddEmptySegment("new", "New")
        segmentation.GetNthSegment(0).SetName("Renamed")
        segmentation.GetNthSegment(0).SetColor(0, 1, 0)
        segmentation.SetConversionParameter("Reference image geometry", "")
        display.SetVisibility(False)
        display.SetOpacity2DFill(0.1)
        drawn.SetHideFromEditors(True)

    fails(furnished, change)


def test_shared_layers_are_shared_again(furnished):
    drawn = node_named(furnished, "Drawn")
    drawn.GetSegmentation().CollapseBinaryLabelmaps(False)

    def change(edit):
        edit.willChange(drawn)
        drawn.GetSegmentation().RemoveSegment(drawn.GetSegmentation().GetNthSegmentID(1))

    fails(furnished, change)


@pytest.mark.parametrize("name", ["scan", "table", "text", "inner"])
def test_nodes_of_other_kinds_get_everything_back(furnished, name):
    node = node_named(furnished, name)

    def change(edit):
        edit.willChange(node)
        node.SetName("Changed")
        node.SetAttribute("more", "attributes")
        if name == "scan":
            node.SetAndObserveImageData(image_data(head((3, 4, 5))))
            node.SetSpacing(9, 9, 9)
            node.SetAndObserveTransformNodeID(None)
            node.SetAndObserveDisplayNodeID(None)
        elif name == "table":
            node.RemoveAllColumns()
        elif name == "text":
            node.SetText("after")
        else:
            import vtk

            node.SetMatrixTransformToParent(vtk.vtkMatrix4x4())
            node.SetAndObserveTransformNodeID(None)

    fails(furnished, change)


def test_the_selection_and_places_in_the_hierarchy_come_back(furnished):
    hierarchy = hierarchyOf(furnished)
    scan, drawn = node_named(furnished, "scan"), node_named(furnished, "Drawn")

    def change(edit):
        selection = furnished.GetFirstNodeByClass("vtkMRMLSelectionNode")
        selection.SetReferenceActiveVolumeID(None)
        selection.SetReferenceActiveLabelVolumeID(scan.GetID())
        placeBeside(drawn, scan)
        hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "new folder")

    fails(furnished, change)


def test_a_node_named_twice_gets_back_its_first_state(furnished):
    text = node_named(furnished, "text")

    def change(edit):
        edit.willChange(text)
        text.SetText("once")
        edit.willChange(text)
        text.SetText("twice")

    fails(furnished, change)
    assert text.GetText() == "before"


def test_being_interrupted_counts_as_failing(furnished):
    before = snapshot(furnished)
    with pytest.raises(KeyboardInterrupt), SceneEdit(furnished) as edit:
        edit.add("vtkMRMLTextNode", "note")
        raise KeyboardInterrupt
    assert snapshot(furnished) == before


def test_nothing_is_watched_after_the_edit(furnished):
    with pytest.raises(Trouble), SceneEdit(furnished) as edit:
        edit.add("vtkMRMLTextNode", "note")
        raise Trouble
    later = furnished.AddNewNodeByClass("vtkMRMLTextNode", "later")
    assert later.GetScene() is furnished
    assert not any(later is node for node in edit._added)


def test_an_edit_within_an_edit_is_undone_with_it(furnished):
    text = node_named(furnished, "text")

    def change(edit):
        edit.willChange(text)
        with SceneEdit(furnished) as inner:
            inner.willChange(text)
            text.SetText("inner")
            inner.add("vtkMRMLTextNode", "note")

    fails(furnished, change)


def test_a_node_is_placed_beside_its_reference(furnished):
    scan, drawn = node_named(furnished, "scan"), node_named(furnished, "Drawn")
    placeBeside(drawn, scan)
    hierarchy = hierarchyOf(furnished)
    items = [hierarchy.GetItemByDataNode(node) for node in (scan, drawn)]
    parents = {hierarchy.GetItemParent(item) for item in items}
    assert {hierarchy.GetItemName(parent) for parent in parents} == {"Study"}
    count = len(hierarchy_items(furnished))
    placeBeside(drawn, scan)
    assert len(hierarchy_items(furnished)) == count


def test_a_scene_for_tests_leaves_no_rules_behind_that_slow_down_the_next(scene):
    import slicer

    factory = slicer.vtkSegmentationConverterFactory.GetInstance()
    before = set(factory.GetConverterRules())
    with make_scene():
        assert set(factory.GetConverterRules()) > before
    assert set(factory.GetConverterRules()) == before != set()
