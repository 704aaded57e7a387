"""Segmentations as label maps, whatever people have made of them."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import (
    OBLIQUE,
    PARENTS,
    add_segmentation,
    add_transform,
    add_warp,
    affine,
    local_positions,
    node_positions,
    put_under,
)
from mrml_run import tumor
from mrml_scene import snapshot

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue
from BrainTumorSegLib.io.terminology import terminology_entry
from BrainTumorSegLib.slicer_app.run.result import findResult
from BrainTumorSegLib.slicer_app.scene.segments import editState, labelImage, otherSegments


def labels_of(node, reference=None):
    return sitk.GetArrayFromImage(labelImage(node, reference))


def test_renamed_and_reordered_segments_are_recognised_by_their_codes(result, settings):
    node = result.segmentationNode
    segmentation = node.GetSegmentation()
    segmentation.SetSegmentIndex("enhancing", 0)
    for number in range(4):
        segmentation.GetNthSegment(number).SetName(f"Область {number}")
    assert np.array_equal(labels_of(node, settings.t1ce), tumor())


def test_segments_without_code_are_recognised_by_name(scene, settings):
    labels = tumor()
    names = {
        Tissue.EDEMA: "Peritumoral oedema",
        Tissue.NECROSIS: "necrotic core",
        Tissue.ENHANCING: "Enhancing Tumor",
        Tissue.NON_ENHANCING: "NET",
    }
    parts = [(names[tissue], "", labels == tissue) for tissue in TUMOR_TISSUES]
    node = add_segmentation(scene, [*parts, ("Segment_5", "", labels == 0)], OBLIQUE)
    assert np.array_equal(labels_of(node, settings.t1ce), labels)
    assert len(otherSegments(node)) == 1


def test_where_tissues_overlap_the_more_specific_one_wins(scene, settings):
    shape = (40, 48, 50)
    parts, masks = [], {}
    order = (Tissue.ENHANCING, Tissue.NECROSIS, Tissue.NON_ENHANCING, Tissue.EDEMA)
    for number, tissue in enumerate(order):
        mask = np.zeros(shape, np.uint8)
        mask[10 - number : 14 + number, 10:20, 10:20] = 1
        masks[tissue] = mask.astype(bool)
        parts.append((tissue.key, terminology_entry(tissue), mask))
    expected = np.zeros(shape, np.uint8)
    for tissue in reversed(order):
        expected[masks[tissue]] = tissue
    for arranged in (parts, parts[::-1]):
        node = add_segmentation(scene, arranged, OBLIQUE)
        assert np.array_equal(labels_of(node, settings.t1ce), expected)


def test_two_segments_of_one_tissue_are_united(scene, settings):
    first, second = np.zeros((2, 40, 48, 50), np.uint8)
    first[1:5, 2:9, 3:7], second[3:9, 4:12, 5:10] = 1, 1
    entry = terminology_entry(Tissue.EDEMA)
    node = add_segmentation(scene, [("left", entry, first), ("right", entry, second)], OBLIQUE)
    assert np.array_equal(labels_of(node, settings.t1ce), (first | second) * Tissue.EDEMA)


def test_label_maps_with_other_extents_are_put_where_they_belong(scene, settings):
    mask = np.random.default_rng(5).integers(0, 2, (6, 7, 8)).astype(np.uint8)
    entry = terminology_entry(Tissue.EDEMA)
    # Some of it lies beyond the reference on every side but one.
    node = add_segmentation(scene, [("e", entry, mask)], OBLIQUE, first=(-3, 44, 36))
    expected = np.zeros((40, 48, 50), np.uint8)
    expected[36:40, 44:48, 0:5] = mask[:4, :4, 3:] * Tissue.EDEMA
    assert np.array_equal(labels_of(node, settings.t1ce), expected)


def test_a_segment_wholly_outside_the_reference_is_left_out(scene, settings):
    entry = terminology_entry(Tissue.EDEMA)
    part = ("e", entry, np.ones((3, 3, 3), np.uint8))
    node = add_segmentation(scene, [part], OBLIQUE, first=(100, 0, 0))
    assert not labels_of(node, settings.t1ce).any()


def test_a_finer_grid_of_its_own_is_met_by_nearest_neighbour(scene, settings):
    fine = np.repeat(np.repeat(np.repeat(tumor(), 2, 0), 2, 1), 2, 2)
    half = OBLIQUE @ affine(spacing=(0.5,) * 3, origin=(-0.25,) * 3)
    parts = [(t.key, terminology_entry(t), fine == t) for t in TUMOR_TISSUES]
    node = add_segmentation(scene, parts, half)
    assert np.array_equal(labels_of(node, settings.t1ce), tumor())


@pytest.mark.parametrize("parent", ["rigid", "sheared", "warp"])
def test_parents_of_segmentation_and_reference_are_applied(scene, settings, parent):
    labels = tumor()
    parts = [(t.key, terminology_entry(t), labels == t) for t in TUMOR_TISSUES]
    node = add_segmentation(scene, parts, OBLIQUE)
    transform = add_warp(scene) if parent == "warp" else add_transform(scene, PARENTS[parent])
    put_under(node, transform)
    apart = labels_of(node, settings.t1ce)
    assert not np.array_equal(apart, labels)
    expected = nearest_labels(node, settings.t1ce, labels)
    assert (apart != expected).mean() < 0.001
    put_under(settings.t1ce, transform)
    assert np.array_equal(labels_of(node, settings.t1ce), labels)


def nearest_labels(node, reference, labels):
    """The label at each voxel of the reference, looked up point by point."""
    import vtk

    back = vtk.vtkGeneralTransform()
    node.GetParentTransformNode().GetTransformFromWorld(back)
    world = node_positions(reference)[:, :, :].reshape(-1, 3)
    local = np.array([back.TransformPoint(point) for point in world])
    indices = np.c_[local, np.ones(len(local))] @ np.linalg.inv(OBLIQUE).T
    i, j, k = np.floor(indices[:, :3] + 0.5).astype(int).T
    size = np.array(labels.shape)
    inside = (i >= 0) & (j >= 0) & (k >= 0) & (k < size[0]) & (j < size[1]) & (i < size[2])
    found = np.zeros(len(local), np.uint8)
    found[inside] = labels[k[inside], j[inside], i[inside]]
    return found.reshape(labels.shape)


def test_a_segmentation_that_knows_no_grid_is_refused_without_a_reference(scene):
    node = add_segmentation(scene, [], OBLIQUE, name="loose")
    with pytest.raises(InputError, match="“loose” does not say on which scan"):
        labelImage(node)


def test_surfaces_from_elsewhere_become_voxels(scene, settings):
    import slicer
    import vtk

    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surface")
    node.SetReferenceImageGeometryParameterFromVolumeNode(settings.t1ce)
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    center = (OBLIQUE @ [25, 24, 20, 1])[:3]
    sphere = vtk.vtkSphereSource()
    sphere.SetRadius(12)
    sphere.SetCenter(*center)
    sphere.SetThetaResolution(60)
    sphere.SetPhiResolution(60)
    sphere.Update()
    segment = slicer.vtkSegment()
    segment.SetName("Edema")
    segment.AddRepresentation("Closed surface", sphere.GetOutput())
    node.GetSegmentation().AddSegment(segment)
    labels = labels_of(node, settings.t1ce)
    distance = np.linalg.norm(local_positions(settings.t1ce) - center, axis=-1)
    assert (labels[distance < 10] == Tissue.EDEMA).all()
    assert not labels[distance > 14].any()


def test_reading_labels_changes_nothing(scene, result, settings):
    before = snapshot(scene)
    labelImage(result.segmentationNode, settings.t1ce)
    findResult(result.segmentationNode)
    assert snapshot(scene) == before


def test_painting_into_the_voxels_changes_the_edit_state(result, settings):
    """As Segment Editor does it: into the label map that is there."""
    import slicer.util

    node = result.segmentationNode
    before, segmentation = editState(node), node.GetSegmentation().GetMTime()
    assert editState(node) == before
    segment = node.GetSegmentation().GetSegment("edema")
    voxels = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, "edema")
    voxels[voxels == 0] = segment.GetLabelValue()
    segment.GetRepresentation("Binary labelmap").Modified()
    assert node.GetSegmentation().GetMTime() == segmentation
    assert not np.array_equal(labels_of(node, settings.t1ce), tumor())
    assert editState(node) != before
