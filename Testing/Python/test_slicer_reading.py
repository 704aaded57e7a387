"""The reading layout, and brightness and contrast from the brain."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import OBLIQUE, add_volume, head, matrix_of
from mrml_results import add_result
from mrml_scene import snapshot

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.run.result import findResult
from BrainTumorSegLib.slicer_app.scene.registered import registeredCopy
from BrainTumorSegLib.slicer_app.scene.scene import nodesOfClass
from BrainTumorSegLib.slicer_app.scene.volumes import imageFromNode, setVolume
from BrainTumorSegLib.slicer_app.viewing.brightness import brainWindow, showBrain
from BrainTumorSegLib.slicer_app.viewing.display import showResult, tumorCenter
from BrainTumorSegLib.slicer_app.viewing.reading import (
    LAYOUT,
    endReadingLayout,
    isReading,
    showReadingLayout,
    watchLayout,
)

FOUR_UP = 3


@pytest.fixture
def made(scene, tmp_path):
    t1 = add_volume(scene, "T1", head(seed=1), OBLIQUE)
    return add_result(scene, tmp_path / "run", t1=t1)


@pytest.fixture
def result(made):
    return made[0]


@pytest.fixture
def layout(scene):
    """Slicer's own maker of views, at work in this scene."""
    import slicer

    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLScene(scene)
    node = logic.GetLayoutNode()
    node.SetViewArrangement(FOUR_UP)
    yield node
    logic.SetMRMLScene(None)


def named(scene, className, name):
    nodes = nodesOfClass(scene, className)
    (found,) = [node for node in nodes if node.GetLayoutName() == name]
    return found


def view_names(scene):
    views = nodesOfClass(scene, "vtkMRMLSliceNode")
    return [v.GetLayoutName() for v in views if v.GetLayoutName().startswith("BrainTumorSeg")]


# Side by side


def test_t1_t1ce_and_flair_lie_side_by_side_as_they_were_aligned(scene, made, layout):
    result = made[0]
    showReadingLayout(result)
    assert layout.GetViewArrangement() == LAYOUT
    assert isReading(scene)
    assert view_names(scene) == ["BrainTumorSegT1", "BrainTumorSegT1CE", "BrainTumorSegFLAIR"]
    for sequence in Sequence:
        composite = named(scene, "vtkMRMLSliceCompositeNode", f"BrainTumorSeg{sequence.name}")
        assert composite.GetBackgroundVolumeID() == registeredCopy(result, sequence).GetID()
        assert composite.GetForegroundVolumeID() is None


def test_the_views_are_axial_linked_and_labelled(scene, result, layout):
    showReadingLayout(result)
    groups = set()
    for sequence in Sequence:
        view = named(scene, "vtkMRMLSliceNode", f"BrainTumorSeg{sequence.name}")
        composite = named(scene, "vtkMRMLSliceCompositeNode", f"BrainTumorSeg{sequence.name}")
        assert composite.GetLinkedControl() and composite.GetHotLinkedControl()
        assert view.GetLayoutLabel() == sequence.name
        groups.add(view.GetViewGroup())
        toRAS = np.array(matrix_of(lambda m, v=view: m.DeepCopy(v.GetSliceToRAS())))
        # The reference is tilted: its own slices, within 45 degrees of axial.
        assert abs(toRAS[2, 2]) > np.cos(np.radians(45))
        normal = OBLIQUE[:3, 2] / np.linalg.norm(OBLIQUE[:3, 2])
        assert abs(toRAS[:3, 2] @ normal) == pytest.approx(1, abs=1e-6)
    red = named(scene, "vtkMRMLSliceNode", "Red")
    assert len(groups) == 1
    assert red.GetViewGroup() not in groups


def test_the_slices_pass_through_the_tumour(scene, result, layout):
    showReadingLayout(result)
    center = np.array(tumorCenter(result.segmentationNode))
    for name in view_names(scene):
        view = named(scene, "vtkMRMLSliceNode", name)
        toRAS = np.array(matrix_of(lambda m, v=view: m.DeepCopy(v.GetSliceToRAS())))
        assert (center - toRAS[:3, 3]) @ toRAS[:3, 2] == pytest.approx(0, abs=1e-6)


def test_the_tumour_is_an_outline_and_then_as_before(scene, result, layout):
    display = result.segmentationNode.GetDisplayNode()
    display.SetVisibility(False)
    showReadingLayout(result)
    assert display.GetVisibility()
    assert display.GetVisibility2DOutline()
    assert not display.GetVisibility2DFill()
    assert endReadingLayout(scene)
    assert display.GetVisibility2DFill()
    assert layout.GetViewArrangement() == FOUR_UP
    assert not isReading(scene)
    assert not endReadingLayout(scene)


def test_the_layout_may_be_shown_twice(scene, result, layout):
    for _ in range(2):
        showReadingLayout(result)
        showReadingLayout(result)
        endReadingLayout(scene)
    assert layout.GetViewArrangement() == FOUR_UP
    assert len(view_names(scene)) == 3


def test_a_layout_that_a_person_has_chosen_meanwhile_stays(scene, result, layout):
    showReadingLayout(result)
    layout.SetViewArrangement(6)
    assert endReadingLayout(scene)
    assert layout.GetViewArrangement() == 6
    assert result.segmentationNode.GetDisplayNode().GetVisibility2DFill()


def test_a_scan_that_was_not_given_has_no_view(scene, tmp_path, layout):
    result, _ = add_result(scene, tmp_path / "run", t1=None)
    showReadingLayout(result)
    assert view_names(scene) == ["BrainTumorSegT1CE", "BrainTumorSegFLAIR"]


def test_the_chosen_layout_can_be_watched(scene, result, layout):
    heard = []
    stop = watchLayout(scene, lambda: heard.append(isReading(scene)))
    showReadingLayout(result)
    assert heard[-1]
    stop()
    count = len(heard)
    endReadingLayout(scene)
    assert len(heard) == count


def test_showing_the_result_leaves_the_side_by_side_views_alone(scene, result, layout):
    showReadingLayout(result)
    showResult(result)
    composite = named(scene, "vtkMRMLSliceCompositeNode", "BrainTumorSegT1")
    assert composite.GetBackgroundVolumeID() == registeredCopy(result, "t1").GetID()


def test_without_views_the_layout_is_refused_and_nothing_changes(scene, result):
    for sequence in ("t1", "flair"):
        registeredCopy(result, sequence)
    before = snapshot(scene)
    with pytest.raises(InputError, match="no views"):
        showReadingLayout(result)
    assert snapshot(scene) == before


def test_a_scan_that_is_gone_is_an_error_and_nothing_changes(scene, made, layout):
    result, settings = made
    scene.RemoveNode(settings.flair)
    count = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="is no longer in the scene"):
        showReadingLayout(result)
    assert scene.GetNumberOfNodes() == count
    assert layout.GetViewArrangement() == FOUR_UP
    assert result.segmentationNode.GetDisplayNode().GetVisibility2DFill()


def test_a_scene_saved_meanwhile_needs_no_layout_of_ours(scene, result, layout, tmp_path):
    showReadingLayout(result)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    text = (tmp_path / "scene.mrml").read_text(encoding="utf-8")
    assert f'currentViewArrangement="{LAYOUT}"' not in text
    assert "ReadingBefore" not in text
    assert "BrainTumorSegFLAIR" not in text
    # Another layout is saved again.
    endReadingLayout(scene)
    scene.Commit()
    assert "<Layout" in (tmp_path / "scene.mrml").read_text(encoding="utf-8")


# Brightness


def test_black_and_white_are_taken_from_the_brain(scene, made):
    result, settings = made
    brain = np.zeros((40, 48, 50), np.float32)
    brain[10:30, 10:35, 10:40] = 0.01
    image = imageFromNode(result.disagreementNode)
    values = sitk.GetImageFromArray(brain)
    values.CopyInformation(image)
    setVolume(result.disagreementNode, values)
    low, high = brainWindow(result.segmentationNode, settings.t1ce)
    inside = sitk.GetArrayFromImage(imageFromNode(settings.t1ce))[brain > 0]
    assert (low, high) == pytest.approx(tuple(np.percentile(inside, (0.5, 99.5))))


def test_bright_fat_outside_the_brain_does_not_darken_it(scene, made):
    result, settings = made
    before = brainWindow(result.segmentationNode, settings.t1ce)
    image = imageFromNode(settings.t1ce)
    values = sitk.GetArrayFromImage(image)
    outside = sitk.GetArrayFromImage(imageFromNode(result.disagreementNode)) == 0
    values[outside] = 30000
    bright = sitk.GetImageFromArray(values)
    bright.CopyInformation(image)
    setVolume(settings.t1ce, bright)
    assert brainWindow(result.segmentationNode, settings.t1ce) == before


def test_what_a_person_or_a_file_has_set_stays_until_the_scans_are_read(scene, made, layout):
    result, settings = made
    display = settings.t1ce.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(123, 45)
    showResult(result)
    assert (display.GetWindow(), display.GetLevel()) == (123, 45)
    showReadingLayout(result)
    low, high = brainWindow(result.segmentationNode, settings.t1ce)
    assert display.GetWindowLevelMin() == pytest.approx(low)
    assert display.GetWindowLevelMax() == pytest.approx(high)
    # What is changed while reading stays.
    display.SetWindowLevel(222, 111)
    showReadingLayout(result)
    assert (display.GetWindow(), display.GetLevel()) == (222, 111)


def test_showing_a_result_sets_what_slicer_had_guessed(scene, made):
    result, settings = made
    assert settings.t1ce.GetDisplayNode().GetAutoWindowLevel()
    showResult(result)
    low, high = brainWindow(result.segmentationNode, settings.t1ce)
    display = settings.t1ce.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((low, high))
    assert not display.GetAutoWindowLevel()


def test_without_the_map_of_disagreement_brightness_stays(scene, made):
    result, settings = made
    scene.RemoveNode(result.disagreementNode)
    result = findResult(result.segmentationNode)
    assert brainWindow(result.segmentationNode, settings.t1ce) is None
    showBrain(result.segmentationNode, [settings.t1ce], again=True)
    assert settings.t1ce.GetDisplayNode().GetAutoWindowLevel()
