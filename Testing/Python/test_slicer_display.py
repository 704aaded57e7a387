"""What is shown: the scans, the tumour in the middle, the alignment, surfaces."""

from __future__ import annotations

import numpy as np
import pytest
from mrml_nodes import (
    OBLIQUE,
    add_segmentation,
    add_transform,
    add_volume,
    add_warp,
    affine,
    head,
    matrix_of,
    node_positions,
    put_under,
    rotation,
    to_world,
)
from mrml_run import finish_run, tumor

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue
from BrainTumorSegLib.slicer_app.run.result import findResult, importResult
from BrainTumorSegLib.slicer_app.scene.registered import registeredCopy
from BrainTumorSegLib.slicer_app.viewing.display import (
    FOREGROUND_OPACITY,
    centerViews,
    show3D,
    showResult,
    tumorCenter,
)

VIEWS = ("Red", "Yellow", "Green")
RIGID = affine(rotation(0.3, -0.2, 0.5), (12, -7, 30))


def composites(scene):
    return [scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}") for name in VIEWS]


def slices(scene):
    return [scene.GetNodeByID(f"vtkMRMLSliceNode{name}") for name in VIEWS]


def layers(scene):
    return {
        (
            composite.GetBackgroundVolumeID(),
            composite.GetForegroundVolumeID(),
            round(composite.GetForegroundOpacity(), 3),
        )
        for composite in composites(scene)
    }


def voxel_position(node, index):
    """World position of a voxel (slice, row, column)."""
    local = (matrix_of(node.GetIJKToRASMatrix) @ [*index[::-1], 1])[:3]
    return to_world(node, local.reshape(1, 3))[0]


def middle_of_tumor(labels):
    """The tumour voxel nearest to the middle of the big part, found apart from the code."""
    labels = labels.copy()
    labels[35, 40, 45] = 0  # the small separate part of the test tumour
    voxels = np.argwhere(labels)
    spacing = np.array([3.5, 1.1, 0.9])
    apart = ((voxels - voxels.mean(axis=0)) * spacing) ** 2
    return voxels[apart.sum(axis=1).argmin()]


# The result in slice views.


def test_the_reference_lies_under_flair_as_it_was_aligned(scene, settings, result):
    showResult(result)
    copy = findResult(result.segmentationNode).registeredNodes[Sequence.FLAIR]
    assert copy.GetName() == "Kopf FLAIR registered"
    assert layers(scene) == {(settings.t1ce.GetID(), copy.GetID(), FOREGROUND_OPACITY)}
    selection = scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    assert selection.GetActiveVolumeID() == settings.t1ce.GetID()


def test_a_flair_that_did_not_move_is_shown_itself(scene, settings, tmp_path):
    finish_run(tmp_path, settings)
    unmoved = {"registration": [still("t1"), still("flair")]}
    finish_run(tmp_path, settings, **unmoved)
    result = importResult(tmp_path, settings)
    showResult(result)
    assert layers(scene) == {(settings.t1ce.GetID(), settings.flair.GetID(), FOREGROUND_OPACITY)}
    assert not findResult(result.segmentationNode).registeredNodes


def still(sequence):
    return {
        "sequence": sequence,
        "source": f"{sequence}-scan.nrrd",
        "engine": "none",
        "already_aligned": True,
        "chosen": None,
        "matrix": np.eye(4).tolist(),
        "attempts": [],
    }


def test_where_flair_is_the_reference_t1ce_lies_over_it(scene, settings, tmp_path):
    settings.reference = Sequence.FLAIR
    finish_run(tmp_path, settings)
    result = importResult(tmp_path, settings)
    showResult(result)
    (background, foreground, _opacity), *more = layers(scene)
    assert not more
    assert background == settings.flair.GetID()
    assert foreground == settings.t1ce.GetID()


def test_without_flair_the_reference_is_shown_alone(scene, settings, tmp_path):
    settings.flair = None
    finish_run(tmp_path, settings)
    showResult(importResult(tmp_path, settings))
    assert {layer[:2] for layer in layers(scene)} == {(settings.t1ce.GetID(), None)}


def test_a_flair_moved_since_is_not_shown_in_the_wrong_place(scene, settings, result):
    put_under(settings.flair, add_transform(scene, RIGID))
    showResult(result)
    assert {layer[:2] for layer in layers(scene)} == {(settings.t1ce.GetID(), None)}


def test_brightness_and_contrast_stay(scene, settings, result):
    display = settings.t1ce.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(123, 45)
    settings.flair.GetDisplayNode().SetAutoWindowLevel(False)
    settings.flair.GetDisplayNode().SetWindowLevel(67, 89)
    showResult(result)
    assert (display.GetWindow(), display.GetLevel()) == (123, 45)
    copy = registeredCopy(result, Sequence.FLAIR).GetDisplayNode()
    assert (copy.GetWindow(), copy.GetLevel()) == (67, 89)


@pytest.mark.parametrize("parent", ["none", "rigid", "warp"])
def test_all_slices_meet_in_the_middle_of_the_largest_part_of_the_tumour(
    scene, settings, tmp_path, parent
):
    if parent != "none":
        node = add_transform(scene, RIGID) if parent == "rigid" else add_warp(scene)
        for scan in (settings.t1, settings.t1ce, settings.flair):
            put_under(scan, node)
    labels = finish_run(tmp_path, settings)
    result = importResult(tmp_path, settings)
    showResult(result)
    expected = voxel_position(settings.t1ce, middle_of_tumor(labels))
    for view in slices(scene):
        assert distance_to_slice(view, expected) == pytest.approx(0, abs=1e-6)


def distance_to_slice(view, point) -> float:
    """How far in mm a point lies before a slice."""
    toRAS = matrix_of_slice(view)
    return float((np.array(point) - toRAS[:3, 3]) @ toRAS[:3, 2])


def matrix_of_slice(view):
    matrix = view.GetSliceToRAS()
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def test_the_orientation_of_the_slices_stays(scene, result):
    before = [view.GetOrientation() for view in slices(scene)]
    showResult(result)
    assert (
        [view.GetOrientation() for view in slices(scene)]
        == before
        == [
            "Axial",
            "Sagittal",
            "Coronal",
        ]
    )


def test_the_middle_of_a_ring_lies_in_the_ring(scene):
    ring = np.zeros((9, 30, 30), np.uint8)
    row, column = np.mgrid[:30, :30]
    ring[:, np.abs(np.hypot(row - 15, column - 15) - 10) < 2] = 1
    reference = add_volume(scene, "reference", head((9, 30, 30)), OBLIQUE)
    node = add_segmentation(scene, [("Enhancing", "", ring)], OBLIQUE)
    center = np.array(tumorCenter(node, reference))
    places = node_positions(reference)[ring > 0]
    assert np.linalg.norm(places - center, axis=1).min() < 1e-6


def test_without_a_tumour_the_middle_of_the_scan_is_shown(scene, settings, tmp_path):
    finish_run(tmp_path, settings, np.zeros_like(tumor()))
    result = importResult(tmp_path, settings)
    assert tumorCenter(result.segmentationNode) is None
    showResult(result, show3D=True)
    expected = (OBLIQUE @ [24.5, 23.5, 19.5, 1])[:3]
    for view in slices(scene):
        assert distance_to_slice(view, expected) == pytest.approx(0, abs=1e-6)


def test_slices_are_moved_and_not_the_field_of_view(scene):
    crosshair = scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    before = [matrix_of_slice(view) for view in slices(scene)]
    centerViews(scene, (11.0, -22.0, 33.0))
    for view, was in zip(slices(scene), before, strict=True):
        assert distance_to_slice(view, (11, -22, 33)) == pytest.approx(0, abs=1e-9)
        moved = matrix_of_slice(view)[:3, 3] - was[:3, 3]
        np.testing.assert_allclose(moved, (moved @ was[:3, 2]) * was[:3, 2], atol=1e-9)
    assert tuple(crosshair.GetCrosshairRAS()) == (11, -22, 33)


def test_a_view_follows_to_a_point_outside_its_field_of_view(scene):
    view = slices(scene)[0]
    view.SetFieldOfView(50, 40, 1)
    centerViews(scene, (24.0, -19.0, 3.0))
    assert tuple(matrix_of_slice(view)[:2, 3]) == (0, 0)
    centerViews(scene, (24.0, -21.0, 3.0))
    np.testing.assert_allclose(matrix_of_slice(view)[:3, 3], (24, -21, 3))


def test_a_hidden_segmentation_is_shown_with_its_result(result):
    result.segmentationNode.GetDisplayNode().SetVisibility(False)
    showResult(result)
    assert result.segmentationNode.GetDisplayNode().GetVisibility()


def test_a_result_whose_reference_is_gone_is_shown_as_far_as_possible(scene, settings, result):
    scene.RemoveNode(settings.t1ce)
    showResult(result)
    expected = (OBLIQUE @ [*middle_of_tumor(tumor())[::-1], 1])[:3]
    assert distance_to_slice(slices(scene)[0], expected) == pytest.approx(0, abs=1e-6)


# Surfaces.


def test_surfaces_appear_and_go_on_request(scene, result):
    node = result.segmentationNode
    show3D(node, True)
    display, segmentation = node.GetDisplayNode(), node.GetSegmentation()
    assert display.GetVisibility3D()
    for tissue in TUMOR_TISSUES:
        surface = segmentation.GetSegment(tissue.key).GetRepresentation("Closed surface")
        assert surface.GetNumberOfPoints() > 100
    show3D(node, False)
    assert not display.GetVisibility3D()
    assert not segmentation.ContainsRepresentation("Closed surface")
    assert segmentation.ContainsRepresentation("Binary labelmap")


def test_a_surface_encloses_its_tissue(scene, settings, result):
    show3D(result.segmentationNode, True)
    surface = result.segmentationNode.GetSegmentation().GetSegment("necrosis")
    bounds = np.reshape(surface.GetRepresentation("Closed surface").GetBounds(), (3, 2))
    voxels = np.argwhere(tumor() == Tissue.NECROSIS)[:, ::-1]
    points = (np.c_[voxels, np.ones(len(voxels))] @ OBLIQUE.T)[:, :3]
    np.testing.assert_allclose(bounds[:, 0], points.min(axis=0), atol=3)
    np.testing.assert_allclose(bounds[:, 1], points.max(axis=0), atol=3)


@pytest.mark.parametrize("position", [(10, 500, 20), (10, 21, 20), (10, 20, 20)])
def test_the_3d_view_turns_around_the_tumour_which_fits_into_it(scene, result, position):
    camera = scene.GetFirstNodeByClass("vtkMRMLCameraNode")
    camera.SetFocalPoint(10, 20, 20)
    camera.SetPosition(*position)
    showResult(result, show3D=True)
    bounds = [0.0] * 6
    result.segmentationNode.GetRASBounds(bounds)
    low, high = np.reshape(bounds, (3, 2)).T
    away = np.subtract(camera.GetPosition(), camera.GetFocalPoint())
    np.testing.assert_allclose(camera.GetFocalPoint(), (low + high) / 2, atol=1e-6)
    # The direction stays.
    np.testing.assert_allclose(away / np.linalg.norm(away), (0, 1, 0), atol=1e-6)
    seen = np.tan(np.radians(camera.GetViewAngle() / 2)) * np.linalg.norm(away)
    radius = (high - low).max() / 2
    assert 1.1 * radius < seen < 1.5 * radius
    assert 1.1 * radius < camera.GetParallelScale() < 1.5 * radius
    assert result.segmentationNode.GetDisplayNode().GetVisibility3D()


def test_the_3d_view_stays_when_no_surfaces_are_asked_for(scene, result):
    camera = scene.GetFirstNodeByClass("vtkMRMLCameraNode")
    before = camera.GetPosition(), camera.GetFocalPoint()
    showResult(result)
    assert (camera.GetPosition(), camera.GetFocalPoint()) == before
    assert not result.segmentationNode.GetDisplayNode().GetVisibility3D()


def test_a_segmentation_whose_source_is_a_surface_keeps_it(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surface")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.GetSegmentation().AddEmptySegment("edema", "Edema")
    show3D(node, False)
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")
