"""Copies of the inputs resampled onto the reference as they were aligned."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import (
    OBLIQUE,
    PARENTS,
    add_transform,
    affine,
    image_data,
    local_positions,
    matrix_of,
    node_positions,
    put_under,
    rotation,
    vtk_matrix,
)
from mrml_run import TURN, finish_run, lps_to_ras
from mrml_scene import image_content, references, snapshot

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.run.result import findResult, importResult
from BrainTumorSegLib.slicer_app.scene.registered import registeredCopy
from BrainTumorSegLib.slicer_app.scene.volumes import imageFromNode


def test_a_registered_copy_shows_each_point_as_the_matrix_says(scene, settings, tmp_path):
    settings.registeredCopies = True
    put_under(settings.flair, add_transform(scene, PARENTS["rigid"]))
    put_under(settings.t1ce, add_transform(scene, affine(rotation(0.1, 0, 0), (4, 5, 6))))
    fill(settings.flair, settings.t1ce)
    finish_run(tmp_path, settings)
    result = importResult(tmp_path, settings)
    copy, scan = result.registeredNodes[Sequence.FLAIR], settings.flair
    assert copy.GetName() == "Kopf FLAIR registered"
    assert copy.GetTransformNodeID() == settings.t1ce.GetTransformNodeID()
    np.testing.assert_allclose(matrix_of(copy.GetIJKToRASMatrix), OBLIQUE, atol=1e-9)
    values = sitk.GetArrayFromImage(imageFromNode(copy))
    local = local_positions(settings.t1ce)
    there = np.c_[local.reshape(-1, 3), np.ones(local.size // 3)] @ lps_to_ras(TURN).T
    expected = plane(there[:, :3]).reshape(values.shape)
    inside = values != 0
    assert inside.mean() > 0.15
    assert np.quantile(np.abs(values - expected)[inside], 0.8) < 0.01
    assert scan.GetTransformNodeID() != copy.GetTransformNodeID()


def plane(points):
    """A function of positions that linear interpolation meets exactly."""
    return 5000 + points @ [1.0, 2.0, -3.0]


def fill(node, reference):
    """Give each voxel of a node the value of `plane` at its place for the reference."""
    world = node_positions(node)
    to_reference = np.linalg.inv(
        matrix_of(reference.GetParentTransformNode().GetMatrixTransformToParent)
    )
    local = np.concatenate([world, np.ones((*world.shape[:-1], 1))], axis=-1) @ to_reference.T
    node.SetAndObserveImageData(image_data(plane(local[..., :3]).astype(np.float32)))


def test_a_registered_copy_is_made_once_and_leaves_the_scan_alone(scene, settings, result):
    scan = settings.flair
    before = image_content(scan.GetImageData()), references(scan), scan.GetName()
    copy = registeredCopy(result, Sequence.FLAIR)
    assert registeredCopy(result.segmentationNode, "flair") is copy
    assert findResult(result.segmentationNode).registeredNodes == {Sequence.FLAIR: copy}
    assert (image_content(scan.GetImageData()), references(scan), scan.GetName()) == before
    assert registeredCopy(result, Sequence.T1CE) is settings.t1ce


def test_a_deleted_registered_copy_is_made_again(scene, result):
    scene.RemoveNode(registeredCopy(result, Sequence.FLAIR))
    assert registeredCopy(result, Sequence.FLAIR).GetScene() is scene


@pytest.mark.parametrize("how", ["transform", "own place", "reference"])
def test_a_scan_that_was_moved_since_is_not_passed_off_as_aligned(scene, settings, result, how):
    if how == "own place":
        settings.flair.SetIJKToRASMatrix(vtk_matrix(affine(OBLIQUE[:3, :3], (-31.5, 12.25, 49))))
    else:
        scan = settings.flair if how == "transform" else settings.t1ce
        put_under(scan, add_transform(scene, affine(origin=(0, 0, 1))))
    before = snapshot(scene)
    with pytest.raises(InputError, match="“Kopf FLAIR” or its parent transform was moved"):
        registeredCopy(result, Sequence.FLAIR)
    assert snapshot(scene) == before


def test_scans_that_move_together_stay_aligned(scene, settings, result):
    parent = add_transform(scene, affine(origin=(0, 0, 1)))
    put_under(settings.flair, parent)
    put_under(settings.t1ce, parent)
    assert registeredCopy(result, Sequence.FLAIR).GetTransformNodeID() == parent.GetID()


def test_a_scan_moved_during_the_run_is_noticed_afterwards(scene, settings, finished):
    put_under(settings.flair, add_transform(scene, affine(origin=(0, 0, 1))))
    result = importResult(finished, settings)
    with pytest.raises(InputError, match="was moved"):
        registeredCopy(result, Sequence.FLAIR)


def test_a_missing_scan_is_named(scene, settings, result):
    scene.RemoveNode(settings.flair)
    with pytest.raises(InputError, match="FLAIR volume “Kopf FLAIR” is no longer"):
        registeredCopy(result, Sequence.FLAIR)


def test_a_segmentation_without_report_has_no_registered_copies(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "foreign")
    with pytest.raises(InputError, match="“foreign” has no report"):
        registeredCopy(node, Sequence.FLAIR)
