"""A segmentation that is deleted takes its hidden companions along, and nothing else."""

from __future__ import annotations

import pytest
from mrml_results import add_result, correct
from mrml_scene import snapshot

from BrainTumorSegLib.slicer_app.review.reviews import writeReview
from BrainTumorSegLib.slicer_app.review.second_reading import startSecondReading
from BrainTumorSegLib.slicer_app.run.result import findResult
from BrainTumorSegLib.slicer_app.scene.provenance import watchDeletions
from BrainTumorSegLib.slicer_app.scene.scene import removeWithParts


@pytest.fixture
def watched(scene, tmp_path):
    """A reviewed result, and what the scene was before."""
    tags = watchDeletions(scene)
    yield add_result(scene, tmp_path / "run")
    for tag in tags:
        scene.RemoveObserver(tag)


def ours(scene):
    """Names of all hidden nodes that carry our marks."""
    nodes = [scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes())]
    return sorted(
        node.GetName()
        for node in nodes
        if node.GetHideFromEditors() and node.GetAttribute("BrainTumorSeg.Role")
    )


def test_hidden_companions_go_with_the_segmentation(scene, watched):
    result, settings = watched
    writeReview(result.segmentationNode, "AB", "approved")
    assert len(ours(scene)) >= 4
    table, count = result.tableNode, scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    removeWithParts(result.segmentationNode)
    assert ours(scene) == []
    assert table.GetScene() is scene
    assert settings.t1ce.GetScene() is scene
    # The hidden map of disagreement went, the scans stayed.
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == count - 1
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationDisplayNode") == 0


def test_companions_stay_as_long_as_a_reading_needs_them(scene, watched):
    result, settings = watched
    second = startSecondReading(result.segmentationNode)
    correct(second, settings.t1ce)
    before = ours(scene)
    scene.RemoveNode(result.segmentationNode)
    assert ours(scene) == before
    assert findResult(second).automaticNode is not None
    scene.RemoveNode(second)
    assert ours(scene) == []


def test_a_companion_that_somebody_wants_to_see_stays(scene, watched):
    result, _ = watched
    result.disagreementNode.SetHideFromEditors(False)
    scene.RemoveNode(result.segmentationNode)
    assert result.disagreementNode.GetScene() is scene


def test_deleting_anything_else_changes_nothing_more(scene, watched):
    _, settings = watched
    hidden = ours(scene)
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    before = snapshot(scene)
    scene.RemoveNode(scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "another"))
    assert snapshot(scene) == before
    scene.RemoveNode(other)
    scene.RemoveNode(settings.flair)
    assert ours(scene) == hidden


def test_where_deleting_can_be_undone_nothing_is_removed(scene, watched):
    result, _ = watched
    hidden = ours(scene)
    scene.SetUndoOn()
    try:
        scene.RemoveNode(result.segmentationNode)
    finally:
        scene.SetUndoOff()
    assert ours(scene) == hidden


def test_closing_the_scene_is_left_to_the_scene(scene, watched):
    scene.Clear(False)
    assert ours(scene) == []


def test_a_part_that_the_application_removes_with_its_node_is_not_removed_twice(scene, watched):
    """Removing a node that is in no scene any more brings errors into the application's log."""
    result, _ = watched
    automatic = result.automaticNode
    display, gone = automatic.GetDisplayNode(), []
    import vtk

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def along(_caller, _event, node):
        gone.append(node)
        if node is automatic:
            scene.RemoveNode(display)

    tag = scene.AddObserver(scene.NodeAboutToBeRemovedEvent, along)
    removeWithParts(automatic)
    scene.RemoveObserver(tag)
    assert gone == [automatic, display]
