"""Doubtful regions are marked: outline, crosshair, and what is doubtful in words."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import OBLIQUE, add_transform, affine, matrix_of, put_under, rotation
from mrml_scene import snapshot
from test_slicer_uncertainty import entropy_map

from BrainTumorSegLib.core.tissue import STYLES
from BrainTumorSegLib.slicer_app.scene.scene import nodesOfClass
from BrainTumorSegLib.slicer_app.scene.segments import labelImage
from BrainTumorSegLib.slicer_app.scene.uncertainty import (
    regionMask,
    rememberRegions,
    uncertainRegions,
)
from BrainTumorSegLib.slicer_app.scene.volumes import setVolume
from BrainTumorSegLib.slicer_app.viewing.doubt import (
    MARK_COLOR,
    RegionNavigator,
    markRegion,
    removeMark,
)


@pytest.fixture
def node(made):
    result, settings = made
    entropy = entropy_map(OBLIQUE)
    setVolume(result.disagreementNode, entropy)
    labels = labelImage(result.automaticNode, settings.t1ce)
    rememberRegions(result.segmentationNode, entropy, labels)
    return result.segmentationNode


@pytest.fixture
def crosshair(scene):
    return scene.AddNewNodeByClass("vtkMRMLCrosshairNode")


def mark_of(scene):
    """The segmentation that marks, if there is one."""
    nodes = nodesOfClass(scene, "vtkMRMLSegmentationNode")
    marks = [n for n in nodes if n.GetAttribute("BrainTumorSeg.Role") == "DoubtMark"]
    assert len(marks) < 2
    return marks[0] if marks else None


def view_matrix(view):
    return matrix_of(lambda matrix: matrix.DeepCopy(view.GetSliceToRAS()))


def distance_to_slice(view, point) -> float:
    """How far in mm a point lies before a slice."""
    toRAS = np.array(view_matrix(view))
    return float(np.dot(np.subtract(point, toRAS[:3, 3]), toRAS[:3, 2]))


def test_every_slice_passes_through_the_region_and_the_crosshair_is_there(scene, node, crosshair):
    region = markRegion(node, 2)
    assert region == uncertainRegions(node)[1]
    for view in nodesOfClass(scene, "vtkMRMLSliceNode"):
        assert distance_to_slice(view, region.center) == pytest.approx(0, abs=1e-6)
    assert np.allclose(crosshair.GetCrosshairRAS(), region.center)
    assert crosshair.GetCrosshairMode() != crosshair.NoCrosshair


def test_the_field_of_view_stays_on_the_brain(scene, node):
    views = nodesOfClass(scene, "vtkMRMLSliceNode")
    for view in views:
        view.SetFieldOfView(400, 400, 1)
    before = [np.array(view_matrix(view)) for view in views]
    markRegion(node, 1)
    for view, was in zip(views, before, strict=True):
        moved = np.array(view_matrix(view))[:3, 3] - was[:3, 3]
        along = moved @ was[:3, 2]
        assert np.allclose(moved, along * was[:3, 2], atol=1e-6)
        assert tuple(view.GetFieldOfView()) == (400, 400, 1)


def test_an_enlarged_view_follows_to_a_region_outside_it(scene, node):
    view = scene.GetFirstNodeByClass("vtkMRMLSliceNode")
    view.SetFieldOfView(20, 15, 1)
    view.JumpSliceByCentering(500, 500, 500)
    region = markRegion(node, 1)
    assert np.allclose(np.array(view_matrix(view))[:3, 3], region.center)
    assert tuple(view.GetFieldOfView()) == (20, 15, 1)


def test_the_outline_is_the_region_in_a_color_of_its_own(scene, node):
    markRegion(node, 1)
    mark = mark_of(scene)
    segment = mark.GetSegmentation().GetNthSegment(0)
    assert segment.GetColor() == MARK_COLOR
    tissues = [np.divide(style.color, 255) for style in STYLES.values()]
    assert min(np.linalg.norm(color - MARK_COLOR) for color in tissues) > 0.5
    display = mark.GetDisplayNode()
    assert display.GetVisibility2DOutline()
    assert not display.GetVisibility2DFill()
    shown = segment.GetRepresentation("Binary labelmap")
    mask = regionMask(node, 1)
    assert np.count_nonzero(voxels_of(shown)) == np.count_nonzero(sitk.GetArrayViewFromImage(mask))
    corner = (matrix_of(shown.GetImageToWorldMatrix) @ np.array([*shown.GetExtent()[::2], 1]))[:3]
    first = np.argwhere(sitk.GetArrayViewFromImage(mask)).min(axis=0)[::-1].tolist()
    expected = np.array(mask.TransformIndexToPhysicalPoint(first)) * (-1, -1, 1)
    assert np.allclose(corner, expected, atol=1e-3)


def voxels_of(image):
    from vtk.util.numpy_support import vtk_to_numpy

    return vtk_to_numpy(image.GetPointData().GetScalars())


def test_the_mark_follows_the_transform_of_the_segmentation(scene, made, node):
    turn = add_transform(scene, affine(rotation(0.3, -0.2, 0.5), (30, -12, 7)))
    for moved in (made[1].t1ce, node, made[0].disagreementNode):
        put_under(moved, turn)
    markRegion(node, 1)
    assert mark_of(scene).GetTransformNodeID() == turn.GetID()


def test_the_mark_is_taken_away_and_all_is_as_before(scene, node, crosshair):
    before = snapshot(scene)
    markRegion(node, 1)
    removeMark(scene)
    after = snapshot(scene)
    # The slices and the crosshair stay where they are.
    for shot in (before, after):
        for name in [n for n in shot["nodes"] if "SliceNode" in n or "Crosshair" in n]:
            del shot["nodes"][name]
    assert after == before
    assert crosshair.GetCrosshairMode() == crosshair.NoCrosshair
    assert crosshair.GetAttribute("BrainTumorSeg.CrosshairBefore") is None


def test_there_is_one_mark_however_far_one_walks(scene, node):
    walk = RegionNavigator(node)
    count = scene.GetNumberOfNodes()
    for _ in range(5):
        walk.next()
        assert mark_of(scene) is not None
    assert scene.GetNumberOfNodes() == count + 2


def test_the_mark_is_not_saved_with_the_scene(scene, node, tmp_path):
    markRegion(node, 1)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    assert "DoubtMark" not in (tmp_path / "scene.mrml").read_text(encoding="utf-8")
    assert mark_of(scene) is not None


def test_without_the_map_the_region_is_shown_without_an_outline(scene, made, node, crosshair):
    scene.RemoveNode(made[0].disagreementNode)
    region = markRegion(node, 1)
    assert mark_of(scene) is None
    assert np.allclose(crosshair.GetCrosshairRAS(), region.center)


# Walking


def test_the_walk_goes_round(node):
    walk = RegionNavigator(node)
    assert (walk.position, walk.count) == (0, 3)
    assert walk.text.startswith("3 doubtful regions, ")
    seen = [walk.next() for _ in range(4)]
    assert seen[:3] == uncertainRegions(node)
    assert seen[3] == seen[0]
    assert walk.position == 1
    assert walk.previous() == seen[2]


def test_the_walk_may_begin_backwards(node):
    walk = RegionNavigator(node)
    assert walk.previous() == uncertainRegions(node)[-1]
    assert walk.position == 3


def test_the_walk_says_which_tissues_are_in_doubt_and_by_how_much(node):
    walk = RegionNavigator(node)
    walk.next()
    where, what = walk.text.split("\n")
    assert where.startswith("1 of 3: 2.")
    assert where.endswith("mL, doubt 70 % on average, 70 % at most.")
    assert what.startswith("The networks wavered and decided on: ")
    shown = uncertainRegions(node)[0].tissuesMl
    assert {"background": "no tumour", "edema": "Peritumoral edema"}[next(iter(shown))] in what


def test_where_all_agree_there_is_nowhere_to_go(node):
    rememberRegions(node, entropy_map(boxes=()))
    walk = RegionNavigator(node)
    assert walk.next() is None
    assert walk.text == "No doubtful region."


def test_the_end_of_the_walk_takes_the_mark_away(scene, node):
    walk = RegionNavigator(node)
    walk.next()
    walk.end()
    assert mark_of(scene) is None
    assert walk.position == 0
    assert walk.text.startswith("3 doubtful regions, ")


def test_a_region_that_is_not_there_is_not_marked(scene, node):
    assert markRegion(node, 4) is None
    assert mark_of(scene) is None
