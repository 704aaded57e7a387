"""Checking the alignment: begun, seen, ended, and never left in a saved scene."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import add_volume
from mrml_scene import snapshot
from test_slicer_display import composites, layers

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.run.result import findResult
from BrainTumorSegLib.slicer_app.scene.registered import registeredCopy
from BrainTumorSegLib.slicer_app.scene.volumes import imageFromNode
from BrainTumorSegLib.slicer_app.viewing.alignment import (
    SQUARE_MM,
    alignmentCheck,
    checkAlignment,
    endAlignmentCheck,
)
from BrainTumorSegLib.slicer_app.viewing.display import FOREGROUND_OPACITY, showResult

# Blending


@pytest.fixture
def in_use(scene, settings, result):
    """Views that show something else before."""
    other = add_volume(scene, "other")
    for number, composite in enumerate(composites(scene)):
        composite.SetBackgroundVolumeID(other.GetID())
        composite.SetForegroundVolumeID(settings.t1.GetID() if number else None)
        composite.SetForegroundOpacity(0.1 * number)
        composite.SetCompositing(2)
    registeredCopy(result, Sequence.FLAIR)
    return result


def test_alignment_is_checked_by_fading_and_then_all_is_as_before(scene, settings, in_use):
    node = in_use.segmentationNode
    before = snapshot(scene)
    copy = registeredCopy(in_use, Sequence.FLAIR)
    for blend in (0.5, 0.0, 1.0, 0.25):
        checkAlignment(node, Sequence.FLAIR, blend)
        assert layers(scene) == {(settings.t1ce.GetID(), copy.GetID(), blend)}
        assert {composite.GetCompositing() for composite in composites(scene)} == {0}
        assert not node.GetDisplayNode().GetVisibility()
    assert endAlignmentCheck()
    assert snapshot(scene) == before
    assert not endAlignmentCheck()


def test_another_scan_can_be_checked_in_between(scene, settings, in_use):
    registeredCopy(in_use, "t1")
    before = snapshot(scene)
    checkAlignment(in_use.segmentationNode, "flair", 0.5)
    checkAlignment(in_use.segmentationNode, "t1", 0.75)
    copy = registeredCopy(in_use, "t1")
    assert layers(scene) == {(settings.t1ce.GetID(), copy.GetID(), 0.75)}
    endAlignmentCheck(scene)
    assert snapshot(scene) == before


def test_the_registered_copy_is_made_when_alignment_is_first_checked(scene, result):
    checkAlignment(result.segmentationNode, "flair", 0.5)
    copy = findResult(result.segmentationNode).registeredNodes[Sequence.FLAIR]
    assert {layer[1] for layer in layers(scene)} == {copy.GetID()}


@pytest.mark.parametrize(("blend", "shown"), [(-1, 0.0), (7, 1.0)])
def test_the_blend_stays_between_none_and_all(scene, result, blend, shown):
    checkAlignment(result.segmentationNode, "flair", blend)
    assert {layer[2] for layer in layers(scene)} == {shown}


def test_what_was_deleted_meanwhile_is_not_shown_again(scene, in_use):
    checkAlignment(in_use.segmentationNode, "flair", 0.5)
    scene.RemoveNode(scene.GetFirstNodeByName("other"))
    endAlignmentCheck(scene)
    assert {layer[0] for layer in layers(scene)} == {None}


def test_showing_the_result_ends_the_check(scene, in_use):
    checkAlignment(in_use.segmentationNode, "flair", 0.9)
    showResult(in_use)
    assert {layer[2] for layer in layers(scene)} == {FOREGROUND_OPACITY}
    assert in_use.segmentationNode.GetDisplayNode().GetVisibility()
    assert not endAlignmentCheck(scene)


@pytest.mark.parametrize("gone", ["flair", "t1ce"])
def test_an_alignment_that_cannot_be_shown_changes_nothing(scene, settings, result, gone):
    scene.RemoveNode(getattr(settings, gone))
    before = snapshot(scene)
    with pytest.raises(InputError, match="is no longer in the scene"):
        checkAlignment(result.segmentationNode, "flair", 0.5)
    assert snapshot(scene) == before


# What is being checked


def test_it_is_known_what_is_checked_and_how(scene, result):
    node = result.segmentationNode
    assert alignmentCheck(scene) is None
    checkAlignment(node, "flair", 0.25)
    check = alignmentCheck(scene)
    assert check.segmentationNode is node
    assert (check.sequence, check.blend, check.squares) == (Sequence.FLAIR, 0.25, False)
    checkAlignment(node, "t1", 0.25, squares=True)
    assert (alignmentCheck(scene).sequence, alignmentCheck(scene).squares) == (Sequence.T1, True)
    endAlignmentCheck(scene)
    assert alignmentCheck(scene) is None


def test_the_blend_is_what_the_views_show(scene, result):
    checkAlignment(result.segmentationNode, "flair", 0.25)
    for composite in composites(scene):
        composite.SetForegroundOpacity(0.75)
    assert alignmentCheck(scene).blend == 0.75


def test_checking_another_result_shows_the_first_again(scene, result, settings, tmp_path):
    from mrml_results import add_result

    other = add_result(scene, tmp_path / "other")[0].segmentationNode
    checkAlignment(result.segmentationNode, "flair", 0.5)
    checkAlignment(other, "flair", 0.5)
    assert result.segmentationNode.GetDisplayNode().GetVisibility()
    assert alignmentCheck(scene).segmentationNode is other


# In squares


def squares_in(scene):
    node = scene.GetNodeByID(composites(scene)[0].GetBackgroundVolumeID())
    return node if node.GetAttribute("BrainTumorSeg.Role") == "Checkerboard" else None


def test_squares_show_both_scans_in_turn(scene, settings, result):
    copy = registeredCopy(result, "flair")
    for volume, (low, high) in ((settings.t1ce, (100, 600)), (copy, (200, 900))):
        volume.GetDisplayNode().SetAutoWindowLevel(False)
        volume.GetDisplayNode().SetWindowLevelMinMax(low, high)
    checkAlignment(result.segmentationNode, "flair", squares=True)
    node = squares_in(scene)
    assert node is not None
    assert composites(scene)[0].GetForegroundVolumeID() is None
    shown = sitk.GetArrayFromImage(imageFromNode(node)).astype(float)
    image = imageFromNode(settings.t1ce)
    reference = np.clip((sitk.GetArrayFromImage(image) - 100) / 500, 0, 1) * 255
    scan = sitk.GetArrayFromImage(imageFromNode(copy)).astype(float)
    scan = np.clip((scan - 200) / 700, 0, 1) * 255
    index = np.indices(shown.shape)
    sides = [round(SQUARE_MM / spacing) for spacing in image.GetSpacing()[::-1]]
    odd = sum(axis // side for axis, side in zip(index, sides, strict=True)) % 2 == 1
    assert 0.4 < odd.mean() < 0.6
    assert np.abs(shown - reference)[~odd].max() <= 0.51
    assert np.abs(shown - scan)[odd].max() <= 0.51


def test_the_squares_lie_where_the_reference_lies(scene, settings, result):
    checkAlignment(result.segmentationNode, "flair", squares=True)
    node = squares_in(scene)
    theirs, mine = imageFromNode(settings.t1ce), imageFromNode(node)
    assert np.allclose(theirs.GetOrigin(), mine.GetOrigin())
    assert np.allclose(theirs.GetDirection(), mine.GetDirection())
    assert node.GetHideFromEditors()


def test_squares_are_one_volume_that_goes_with_the_check(scene, in_use):
    before = snapshot(scene)
    node = in_use.segmentationNode
    for sequence in ("flair", "flair"):
        checkAlignment(node, sequence, squares=True)
    assert scene.GetNumberOfNodes() == len(before["order"]) + 2
    endAlignmentCheck(scene)
    assert snapshot(scene) == before


def test_back_from_squares_to_blending_no_volume_is_left(scene, settings, in_use):
    count = scene.GetNumberOfNodes()
    checkAlignment(in_use.segmentationNode, "flair", squares=True)
    checkAlignment(in_use.segmentationNode, "flair", 0.5)
    assert scene.GetNumberOfNodes() == count
    assert {layer[0] for layer in layers(scene)} == {settings.t1ce.GetID()}


# Saving meanwhile


def saved_scene(scene, path) -> str:
    """Save as file or bundle; what stands in the scene's file."""
    if path.suffix == ".mrb":
        assert scene.WriteToMRB(str(path))
        with zipfile.ZipFile(path) as bundle:
            (name,) = [n for n in bundle.namelist() if n.endswith(".mrml")]
            return bundle.read(name).decode()
    scene.SetURL(str(path))
    assert scene.Commit()
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["scene.mrml", "scene.mrb"])
@pytest.mark.parametrize("squares", [False, True])
def test_a_scene_saved_meanwhile_is_as_before_the_check(scene, in_use, tmp_path, name, squares):
    composite = composites(scene)[0]
    shown = composite.GetBackgroundVolumeID()
    # Saved before, too: then the files of the nodes have names already.
    saved_scene(scene, tmp_path / name)
    for turn in range(2):
        checkAlignment(in_use.segmentationNode, "flair", 0.5, squares)
        assert composite.GetBackgroundVolumeID() != shown
        text = saved_scene(scene, tmp_path / name)
        assert "ShownBefore" not in text, turn
        assert "Checkerboard" not in text, turn
        assert in_use.segmentationNode.GetDisplayNode().GetVisibility()
        assert composite.GetBackgroundVolumeID() == shown
        endAlignmentCheck(scene)


def test_after_the_end_saving_is_watched_no_more(scene, in_use, tmp_path):
    checkAlignment(in_use.segmentationNode, "flair", 0.5)
    endAlignmentCheck(scene)
    in_use.segmentationNode.GetDisplayNode().SetVisibility(False)
    saved_scene(scene, tmp_path / "scene.mrml")
    assert not in_use.segmentationNode.GetDisplayNode().GetVisibility()


def test_a_check_that_0_1_0_has_saved_is_ended(scene, result):
    display = result.segmentationNode.GetDisplayNode()
    display.SetAttribute("BrainTumorSeg.ShownBefore", "true")
    display.SetVisibility(False)
    assert endAlignmentCheck(scene)
    assert display.GetVisibility()
