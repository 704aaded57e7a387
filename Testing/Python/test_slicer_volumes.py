"""Volume nodes as images and files: in the right place, on every grid, unchanged themselves."""

from __future__ import annotations

import time

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import (
    GRIDS,
    OBLIQUE,
    ORIENTATIONS,
    RAS_LPS,
    add_transform,
    add_volume,
    add_warp,
    affine,
    head,
    image_data,
    matrix_of,
    node_positions,
    put_under,
    rotation,
    to_world,
    vtk_matrix,
)
from mrml_scene import snapshot
from voxel_positions import positions

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.volumes import read_image, read_scan
from BrainTumorSegLib.slicer_app.scene.geometry import sizeChange
from BrainTumorSegLib.slicer_app.scene.volumes import (
    checkVolumes,
    exportVolume,
    imageFromNode,
    setVolume,
)

RIGID = affine(rotation(0.3, -0.2, 0.5), (12, -7, 30))
SCALED = affine(np.diag([1.1, 0.9, 1.3]), (3, 4, 5))
SHEARED = np.array([[1, 0.25, 0, 4], [0, 1, -0.1, 5], [0, 0, 1.1, -6], [0, 0, 0, 1.0]])


def world_positions(image, reference):
    """World RAS position of each voxel of an image in the reference's local LPS coordinates."""
    local = positions(image) @ RAS_LPS[:3, :3].T
    return to_world(reference, local)


@pytest.mark.parametrize("axes", ORIENTATIONS, ids=range(48))
def test_every_orientation_keeps_each_voxel_in_its_place(scene, axes):
    spacing = (0.8, 1.3, 4.0)
    node = add_volume(scene, "scan", head((7, 9, 11)), affine(axes, (5, -60, 33), spacing))
    image = imageFromNode(node)
    assert np.array_equal(sitk.GetArrayFromImage(image), head((7, 9, 11)))
    np.testing.assert_allclose(image.GetSpacing(), spacing)
    np.testing.assert_allclose(world_positions(image, node), node_positions(node), atol=1e-9)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("reference_name", GRIDS)
@pytest.mark.parametrize("nested", [False, True])
def test_rigid_parents_of_both_volumes_are_applied_without_touching_a_voxel(
    scene, name, reference_name, nested
):
    node = add_volume(scene, "moving", head((6, 8, 10)), GRIDS[name])
    reference = add_volume(scene, "reference", head((5, 7, 9)), GRIDS[reference_name])
    mine = add_transform(scene, RIGID)
    if nested:
        mine = add_transform(scene, affine(rotation(1, 0.2, 0), (1, 2, 3)), parent=mine)
    put_under(node, mine)
    put_under(reference, add_transform(scene, affine(rotation(0, 0.9, -2), (-9, 4, 40))))
    image = imageFromNode(node, reference)
    assert np.array_equal(sitk.GetArrayFromImage(image), head((6, 8, 10)))
    np.testing.assert_allclose(image.GetSpacing(), imageFromNode(node).GetSpacing())
    np.testing.assert_allclose(world_positions(image, reference), node_positions(node), atol=1e-9)


def test_a_common_parent_changes_nothing_at_all(scene):
    parent = add_warp(scene)
    node = add_volume(scene, "moving", head((6, 8, 10)), OBLIQUE)
    reference = add_volume(scene, "reference", head((6, 8, 10)))
    before = imageFromNode(node, reference)
    for volume in (node, reference):
        put_under(volume, parent)
    after = imageFromNode(node, reference)
    assert np.array_equal(sitk.GetArrayFromImage(before), sitk.GetArrayFromImage(after))
    assert before.GetOrigin() == after.GetOrigin()
    assert before.GetDirection() == after.GetDirection()


def test_a_parent_that_scales_along_the_axes_changes_the_spacing_only(scene):
    node = add_volume(scene, "moving", head((6, 8, 10)), affine(spacing=(1, 2, 3)))
    put_under(node, add_transform(scene, SCALED))
    reference = add_volume(scene, "reference")
    image = imageFromNode(node, reference)
    assert np.array_equal(sitk.GetArrayFromImage(image), head((6, 8, 10)))
    np.testing.assert_allclose(image.GetSpacing(), (1.1, 1.8, 3.9))
    np.testing.assert_allclose(world_positions(image, reference), node_positions(node), atol=1e-9)


def test_a_mirroring_parent_is_followed(scene):
    node = add_volume(scene, "moving", head((6, 8, 10)), OBLIQUE)
    put_under(node, add_transform(scene, np.diag([-1.0, 1, 1, 1])))
    reference = add_volume(scene, "reference")
    image = imageFromNode(node, reference)
    assert np.array_equal(sitk.GetArrayFromImage(image), head((6, 8, 10)))
    np.testing.assert_allclose(world_positions(image, reference), node_positions(node), atol=1e-9)


def landscape(points):
    """A smooth function of world RAS positions ``[..., 3]`` that is different everywhere."""
    x, y, z = np.moveaxis(points, -1, 0)
    return (500 + x + 2 * y - 3 * z + 20 * np.sin(x / 15) * np.cos(y / 18)).astype(np.float32)


def fill_with_landscape(node):
    node.SetAndObserveImageData(image_data(landscape(node_positions(node))))


@pytest.mark.parametrize("kind", ["sheared", "scaled oblique", "thin plate", "grid"])
@pytest.mark.parametrize("reference_moves", [False, True])
def test_shears_and_warps_are_resampled_onto_a_straight_grid(scene, kind, reference_moves):
    node = add_volume(scene, "moving", head((22, 40, 36)), affine(OBLIQUE[:3, :3], (-30, -25, -30)))
    if kind == "sheared":
        parent = add_transform(scene, SHEARED)
    elif kind == "scaled oblique":
        parent = add_transform(scene, SCALED)
    else:
        parent = add_warp(scene, kind)
    put_under(node, parent)
    reference = add_volume(scene, "reference", matrix=OBLIQUE)
    if reference_moves:
        put_under(reference, add_transform(scene, RIGID))
    fill_with_landscape(node)
    image = imageFromNode(node, reference)
    values = sitk.GetArrayFromImage(image)
    found = world_positions(image, reference)
    lowest = landscape(node_positions(node)).min()
    inside = values > lowest + 1  # the background is the lowest value
    assert inside.mean() > 0.4
    error = np.abs(values - landscape(found))[inside]
    # Where the field of view ends, one voxel is a mean with nothing.
    assert np.quantile(error, 0.9) < 1.0
    direction = np.array(image.GetDirection()).reshape(3, 3)
    np.testing.assert_allclose(direction @ direction.T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("kind", ["sheared", "thin plate"])
def test_a_resampled_volume_covers_all_of_the_transformed_one(scene, kind):
    node = add_volume(scene, "moving", np.ones((12, 20, 16), np.int16), OBLIQUE)
    put_under(node, add_transform(scene, SHEARED) if kind == "sheared" else add_warp(scene))
    reference = add_volume(scene, "reference")
    image = imageFromNode(node, reference)
    size = np.array(image.GetSize())
    for point in node_positions(node)[::11, ::19, ::15].reshape(-1, 3):
        lps = (RAS_LPS[:3, :3] @ point).tolist()
        index = np.array(image.TransformPhysicalPointToContinuousIndex(lps))
        assert (index > -0.75).all() and (index < size - 0.25).all()


def test_a_file_holds_what_the_node_holds(scene, tmp_path):
    node = add_volume(scene, "FLAIR", head((44, 50, 48)), OBLIQUE)
    put_under(node, add_transform(scene, RIGID))
    reference = add_volume(scene, "T1CE")
    path = tmp_path / "Ünïcode ordner" / "flair scan.nrrd"
    path.parent.mkdir()
    exportVolume(node, reference, path)
    scan = read_scan(path)
    assert scan.image.GetPixelID() == sitk.sitkInt16
    assert np.array_equal(sitk.GetArrayFromImage(scan.image), head((44, 50, 48)))
    np.testing.assert_allclose(
        world_positions(scan.image, reference), node_positions(node), atol=1e-9
    )
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(scene, tmp_path):
    node = add_volume(scene, "FLAIR")
    with pytest.raises(OutputError, match="absent"):
        exportVolume(node, None, tmp_path / "absent" / "flair.nrrd")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float64])
def test_the_pixel_type_is_kept(scene, dtype):
    node = add_volume(scene, "scan", head((6, 8, 10), dtype=dtype))
    assert sitk.GetArrayFromImage(imageFromNode(node)).dtype == dtype


def test_image_data_that_does_not_begin_at_voxel_zero_lies_where_slicer_shows_it(scene):
    data = image_data(head((6, 8, 10)))
    data.SetExtent(4, 13, -2, 5, 1, 6)
    node = add_volume(scene, "cropped", matrix=OBLIQUE)
    node.SetAndObserveImageData(data)
    image = imageFromNode(node)
    expected = RAS_LPS @ OBLIQUE @ [4, -2, 1, 1]
    np.testing.assert_allclose(image.GetOrigin(), expected[:3])


@pytest.mark.parametrize("grid", GRIDS)
def test_an_image_becomes_a_volume_in_the_same_place(scene, grid):
    source = add_volume(scene, "source", head((6, 8, 10)), GRIDS[grid])
    copy = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "copy")
    setVolume(copy, imageFromNode(source))
    np.testing.assert_allclose(matrix_of(copy.GetIJKToRASMatrix), GRIDS[grid], atol=1e-12)
    again = imageFromNode(copy)
    assert np.array_equal(sitk.GetArrayFromImage(again), head((6, 8, 10)))


def test_exporting_leaves_the_scene_exactly_as_it_was(scene, tmp_path):
    node = add_volume(scene, "moving", matrix=OBLIQUE)
    reference = add_volume(scene, "reference")
    parents = [add_transform(scene, RIGID), add_transform(scene, SHEARED), add_warp(scene)]
    for number, parent in enumerate(parents):
        put_under(node, parent)
        image, before = node.GetImageData(), snapshot(scene)
        mtimes = image.GetMTime(), node.GetMTime(), parent.GetMTime()
        checkVolumes({Sequence.T1CE: reference, Sequence.FLAIR: node})
        exportVolume(node, reference, tmp_path / f"{number}.nrrd")
        assert snapshot(scene) == before
        assert (image.GetMTime(), node.GetMTime(), parent.GetMTime()) == mtimes


def test_a_whole_head_is_written_in_well_under_a_second(scene, tmp_path):
    values = head((160, 256, 256), dtype=np.float32)
    node = add_volume(scene, "T1CE", values, affine(OBLIQUE[:3, :3]))
    began = time.process_time()
    exportVolume(node, node, tmp_path / "t1ce.nrrd")
    assert time.process_time() - began < 1.0
    assert (tmp_path / "t1ce.nrrd").stat().st_size >= values.nbytes


@pytest.mark.parametrize(
    ("matrix", "factor"),
    [(RIGID, 1.0), (SCALED, 1.1 * 0.9 * 1.3), (SHEARED, 1.1), (np.diag([-1.0, 1, 1, 1]), 1.0)],
)
def test_a_parent_that_changes_volumes_is_noticed(scene, matrix, factor):
    node = add_volume(scene, "T1CE", matrix=OBLIQUE)
    assert sizeChange(node) == 1.0
    put_under(node, add_transform(scene, matrix))
    assert sizeChange(node) == pytest.approx(factor)


# What cannot be segmented is refused by name, with a remedy.


@pytest.fixture
def scans(scene):
    return {
        sequence: add_volume(
            scene, f"my {sequence.name}", head(seed=number), affine(spacing=(2,) * 3)
        )
        for number, sequence in enumerate(Sequence)
    }


def refused(scans, match, reference=Sequence.T1CE):
    with pytest.raises(InputError, match=match) as caught:
        checkVolumes(scans, reference)
    assert caught.value.remedy
    return caught.value


def test_three_good_scans_are_accepted(scans):
    checkVolumes(scans)
    checkVolumes(scans, reference="flair")
    checkVolumes({Sequence.T1CE: scans[Sequence.T1CE], Sequence.T1: None})


def test_t1ce_cannot_be_done_without(scans):
    refused({**scans, Sequence.T1CE: None}, "No T1CE")
    refused({}, "No T1CE")


def test_the_reference_must_have_been_chosen(scans):
    refused({**scans, Sequence.FLAIR: None}, "reference is FLAIR", Sequence.FLAIR)


def test_an_empty_volume_is_refused(scene, scans):
    scans[Sequence.T1] = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    refused(scans, "T1 volume “nothing” holds no voxels")


def test_a_colour_volume_is_refused(scene, scans):
    picture = np.zeros((40, 40, 40, 3), np.uint8)
    scans[Sequence.FLAIR] = add_volume(scene, "photo", picture, kind="vtkMRMLVectorVolumeNode")
    refused(scans, "“photo” has 3 values a voxel")


def test_several_values_a_voxel_are_refused_in_a_scalar_volume_too(scene, scans):
    node = scans[Sequence.FLAIR]
    node.SetAndObserveImageData(image_data(np.zeros((40, 40, 40, 2), np.int16)))
    refused(scans, "“my FLAIR” has 2 values a voxel")


def test_a_label_map_is_refused_as_a_scan(scene, scans):
    scans[Sequence.T1] = add_volume(scene, "mask", head(), kind="vtkMRMLLabelMapVolumeNode")
    refused(scans, "T1 volume “mask” is a label map")


def test_a_node_of_another_kind_is_refused(scene, scans):
    scans[Sequence.T1] = scene.AddNewNodeByClass("vtkMRMLModelNode", "brain surface")
    refused(scans, "“brain surface” is no volume")


def test_one_frame_of_a_sequence_is_refused(scene, scans):
    frames = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "perfusion")
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(frames.GetID())
    frames.SetDataNodeAtValue(scans[Sequence.FLAIR], "0")
    browser.AddProxyNode(scans[Sequence.FLAIR], frames, False)
    checkVolumes(scans)  # one frame is as good as a volume
    frames.SetDataNodeAtValue(scans[Sequence.FLAIR], "1")
    refused(scans, "“my FLAIR” shows one frame of a sequence")


def test_a_single_slice_is_refused(scene, scans):
    scans[Sequence.FLAIR] = add_volume(scene, "localiser", head((1, 256, 256)))
    refused(scans, "“localiser” has only 1 slice")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(scene, scans, value):
    values = head(dtype=np.float32)
    values[3, 4, 5] = value
    scans[Sequence.T1] = add_volume(scene, "broken", values, affine(spacing=(2,) * 3))
    refused(scans, "“broken” contains NaN")


def test_a_volume_of_nothing_but_nan_is_refused(scene, scans):
    values = np.full((40, 40, 40), np.nan, np.float32)
    scans[Sequence.T1] = add_volume(scene, "broken", values, affine(spacing=(2,) * 3))
    refused(scans, "“broken” contains NaN")


def test_a_volume_of_one_value_is_refused(scene, scans):
    values = np.full((40, 40, 40), 7, np.int16)
    scans[Sequence.T1] = add_volume(scene, "blank", values, affine(spacing=(2,) * 3))
    refused(scans, "“blank” has the same value 7")


def test_a_volume_too_small_for_a_head_is_refused(scene, scans):
    scans[Sequence.T1] = add_volume(scene, "micro", head(), affine(spacing=(0.01,) * 3))
    refused(scans, "“micro” covers .* cannot be a head")


def test_the_same_node_twice_is_refused(scans):
    refused({**scans, Sequence.T1: scans[Sequence.FLAIR]}, "T1 and FLAIR are the same volume")


def test_two_nodes_that_share_their_voxels_are_refused(scene, scans):
    scans[Sequence.T1].SetAndObserveImageData(scans[Sequence.FLAIR].GetImageData())
    refused(scans, "T1 and FLAIR are the same volume")


def test_a_node_that_was_removed_is_refused(scene, scans):
    scene.RemoveNode(scans[Sequence.FLAIR])
    refused(scans, "“my FLAIR” is no longer in the scene")


def test_a_node_of_another_scene_is_refused(scans):
    import slicer

    elsewhere = slicer.vtkMRMLScene()
    scans[Sequence.T1] = add_volume(elsewhere, "foreign")
    refused(scans, "“foreign” is no longer in the scene")


def test_skewed_axes_are_refused(scene, scans):
    scans[Sequence.T1].SetIJKToRASMatrix(vtk_matrix(SHEARED * 2))
    error = refused(scans, "axes of volume “my T1” are skewed")
    with pytest.raises(InputError, match="skewed"):
        imageFromNode(scans[Sequence.T1])
    assert "Resample" in error.remedy


@pytest.mark.parametrize("matrix", [np.diag([1.0, 1, 0, 1]), affine(np.diag([1, np.nan, 1]))])
def test_a_transform_that_flattens_is_refused_by_name(scene, scans, matrix):
    put_under(scans[Sequence.T1], add_transform(scene, matrix))
    with pytest.raises(InputError, match="transform of volume “my T1” cannot be used"):
        imageFromNode(scans[Sequence.T1], scans[Sequence.T1CE])


def test_what_a_section_of_the_panel_asks_at_every_change_is_answered_at_once(scans):
    began = time.process_time()
    for _ in range(20):
        checkVolumes(scans, content=False)
    assert (time.process_time() - began) / 20 < 0.02


def test_a_real_scan_that_slicer_loaded_is_written_as_it_was(scene, real_data, tmp_path):
    path = real_data / "clinical" / "TCGA-FG-6692" / "T1_AX_POST_GAD.nii.gz"
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1CE")
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    checkVolumes({Sequence.T1CE: node})
    exportVolume(node, node, tmp_path / "t1ce.nrrd")
    ours, theirs = read_image(tmp_path / "t1ce.nrrd"), read_image(path)
    # Slicer's reader turns the order of the slices round; each voxel keeps its place.
    assert sitk.GetArrayFromImage(ours).shape == sitk.GetArrayFromImage(theirs).shape
    placed = sitk.Resample(ours, theirs, sitk.Transform(), sitk.sitkNearestNeighbor, -1)
    assert np.array_equal(sitk.GetArrayFromImage(placed), sitk.GetArrayFromImage(theirs))
    np.testing.assert_allclose(sorted(ours.GetSpacing()), sorted(theirs.GetSpacing()), atol=1e-5)
