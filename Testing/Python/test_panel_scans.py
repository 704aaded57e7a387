"""Choosing the scans: what is removed leaves, what is doubtful is seen and asked about once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_nodes import add_volume, head
from mrml_results import add_result
from panel_steps import choose, live, pump, start

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.guess.doubts import doubtsAbout, impressionOf
from BrainTumorSegLib.slicer_app.panel.wording import costOfMissing
from BrainTumorSegLib.slicer_app.scene.provenance import ROLE, registeredRole

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR


@pytest.fixture
def play(scene):
    """Makes a volume one frame of a sequence of two."""

    def make(node):
        frames = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "dynamic")
        for moment in "01":
            frames.SetDataNodeAtValue(node, moment)
        browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
        browser.SetAndObserveMasterSequenceNodeID(frames.GetID())
        browser.AddProxyNode(node, frames, False)
        return node

    return make


def doubtful(widget, sequence):
    """Whether the line below a scan is amber and has a sign, both or neither."""
    label = getattr(widget.ui, f"{sequence}Reason")
    mark = getattr(widget.ui, f"{sequence}Mark")
    amber = "background-color" in label.styleSheet()
    assert mark.isVisibleTo(widget.ui._top) == amber
    assert amber <= (not mark.pixmap().isNull())
    return amber


# What is removed leaves its selector empty


@pytest.mark.parametrize("name", ["t1", "t1ce", "flair"])
def test_a_removed_scan_leaves_its_selector_empty(widget, scene, scans, name):
    add_volume(scene, "T2_AX")
    choose(widget, scans)
    scene.RemoveNode(scans[name])
    assert getattr(widget.ui, f"{name}Selector").currentNode() is None
    assert getattr(widget.panel.parameters, name) is None
    left = {other: node for other, node in scans.items() if other != name}
    assert {other: getattr(widget.panel.parameters, other) for other in left} == left


def test_without_our_observer_the_next_volume_would_be_taken(widget, scene, scans):
    """Else the stand-in for Slicer's selector would prove nothing."""
    choose(widget, scans)
    widget.removeObservers(widget.onNodeAboutToBeRemoved)
    scene.RemoveNode(scans["t1"])
    assert widget.ui.t1Selector.currentNode() is scans["t1ce"]


def test_a_removed_t1ce_disables_apply_and_says_so(widget, scene, scans):
    choose(widget, scans)
    scene.RemoveNode(scans["t1ce"])
    assert not widget.ui.applyButton.isEnabled()
    assert widget.ui.stageLabel.text() == "Choose the T1CE scan."


def test_a_scan_removed_during_a_run_is_replaced_by_nothing(widget, scene, scans, module):
    start(widget, scans, module)
    scene.RemoveNode(scans["flair"])
    assert widget.ui.flairSelector.currentNode() is None
    widget.panel.run.cancel()
    pump(widget, lambda: not widget.panel.state.busy, 3)
    assert widget.panel.parameters.flair is None
    assert widget.panel.parameters.t1ce is scans["t1ce"]


@pytest.mark.parametrize("name", ["outputSegmentation", "result"])
def test_a_removed_segmentation_is_replaced_by_nothing(widget, scene, tmp_path, name):
    first = add_result(scene, tmp_path / "one")[0].segmentationNode
    add_result(scene, tmp_path / "two")
    setattr(widget.panel.parameters, name, first)
    scene.RemoveNode(first)
    selector = widget.ui.outputSelector if name != "result" else widget.ui.resultSelector
    assert selector.currentNode() is None
    assert getattr(widget.panel.parameters, name) is None


def test_every_node_selector_may_be_empty(widget):
    from panel_widgets import NodeSelector

    selectors = widget.ui._top.findChildren(NodeSelector)
    assert len(selectors) == 5
    assert all(selector.noneEnabled for selector in selectors)


def test_a_scan_removed_while_another_module_is_shown_is_not_chosen_again(widget, scene, scans):
    choose(widget, scans)
    widget.exit()
    scene.RemoveNode(scans["t1"])
    widget.enter()
    assert widget.ui.t1Selector.currentNode() is None


# Doubt is seen


@pytest.mark.parametrize(
    ("name", "sequence", "seen", "asked"),
    [
        ("Doe T1 post contrast", T1CE, False, False),
        ("Doe T1 native", T1, False, False),
        ("Doe T1", T1, False, False),
        ("IM_0042", FLAIR, False, False),
        ("Doe T1", T1CE, True, False),
        ("Doe post contrast", T1, True, False),
        ("tumour mask", T1, True, True),
        ("Doe T2 ax", FLAIR, True, True),
        ("Doe T1CE", T1, True, True),
        ("Doe T1 native", T1CE, True, True),
        ("Doe FLAIR", T1CE, True, True),
        ("Doe DWI", FLAIR, True, True),
        ("Doe T2 T1", FLAIR, True, True),
    ],
)
def test_a_name_that_speaks_against_the_choice_is_a_doubt(scene, name, sequence, seen, asked):
    impression = impressionOf(add_volume(scene, name), sequence)
    assert (impression.doubtful, impression.wrong) == (seen, asked), impression.reason


def test_a_copy_registered_here_is_doubted_but_not_asked_about(scene):
    copy = add_volume(scene, "Doe FLAIR registered")
    copy.SetAttribute(ROLE, registeredRole(FLAIR))
    assert impressionOf(copy, FLAIR).doubtful and not impressionOf(copy, FLAIR).wrong
    assert impressionOf(copy, T1).wrong


def test_a_doubt_is_amber_with_a_sign_and_a_good_reason_is_not(widget, scene, scans):
    choose(widget, {**scans, "flair": add_volume(scene, "Doe T2 ax")})
    assert doubtful(widget, "flair")
    assert not doubtful(widget, "t1") and not doubtful(widget, "t1ce")
    widget.panel.parameters.flair = scans["flair"]
    assert not doubtful(widget, "flair")


def test_the_same_volume_twice_is_a_doubt_on_both(widget, scans):
    choose(widget, {"t1": scans["t1"], "t1ce": scans["t1"]})
    assert doubtful(widget, "t1") and doubtful(widget, "t1ce")


def test_the_reason_why_guessing_left_a_scan_out_is_a_doubt(widget, scene, scans):
    add_volume(scene, "Doe FLAIR axial")
    widget.ui.guessButton.click()
    assert widget.panel.parameters.flair is None
    assert doubtful(widget, "flair")


def test_an_empty_selector_without_reason_has_no_sign(widget):
    assert not any(doubtful(widget, name) for name in ("t1", "t1ce", "flair"))


def test_amber_has_a_text_color_of_its_own_for_dark_and_light_windows():
    from PySide6.QtGui import QColor

    from BrainTumorSegLib.slicer_app.panel.looks import AMBER

    back, text = (QColor(c) for c in re.findall(r"color: (#\w{6})", AMBER))

    def luminance(color):
        linear = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
            for c in (color.redF(), color.greenF(), color.blueF())
        ]
        return np.dot(linear, (0.2126, 0.7152, 0.0722))

    # Web Content Accessibility Guidelines 2.2, 1.4.6: at least 7 to 1.
    assert (luminance(back) + 0.05) / (luminance(text) + 0.05) > 7


# Doubt is asked about, once


def apply(widget):
    widget.panel.parameters.device = "cpu"
    widget.panel.parameters.registration = type(widget.panel.parameters.registration)["NONE"]
    widget.ui.applyButton.click()


def refused(widget, module, *words):
    """Press *Apply*, decline, and look whether the one question has these words."""
    module.answer = False
    module.questions.clear()
    apply(widget)
    assert not widget.panel.state.busy
    assert len(module.questions) == 1
    assert [word for word in words if word not in module.questions[0]] == [], module.questions[0]


def test_swapped_scans_are_asked_about(widget, scans, module):
    choose(widget, {**scans, "t1": scans["t1ce"], "t1ce": scans["t1"]})
    said = "T1 and T1CE seem to be swapped. “Doe T1 post contrast” is chosen as T1. T1CE: the name"
    refused(widget, module, said)


def test_a_mask_is_asked_about(widget, scene, scans, module):
    choose(widget, {**scans, "t1": add_volume(scene, "tumour mask", head(seed=9))})
    refused(widget, module, "“tumour mask” is chosen as T1.", "segmentation or mask")


def test_a_wrong_weighting_is_asked_about(widget, scene, scans, module):
    choose(widget, {**scans, "flair": add_volume(scene, "Doe T2 ax", head(seed=9))})
    refused(widget, module, "“Doe T2 ax” is chosen as FLAIR.", "T2-weighted")


def test_one_scan_loaded_twice_is_asked_about(widget, scene, scans, module):
    again = add_volume(scene, "Doe FLAIR again", head(seed=0))
    choose(widget, {**scans, "flair": again})
    refused(widget, module, "“Doe T1 native” and “Doe FLAIR again” hold the same image.")


def test_several_doubts_are_one_question(widget, scene, scans, module):
    choose(widget, {"t1ce": scans["t1"], "flair": add_volume(scene, "Doe T2 ax", head(seed=9))})
    refused(widget, module, "T1CE", "T2-weighted", "T1 is not chosen", "all the same?")


def test_good_scans_are_not_asked_about(widget, scans, module):
    start(widget, scans, module)
    assert module.questions == []
    widget.panel.run.cancel()
    pump(widget, lambda: not widget.panel.state.busy, 3)


def test_what_was_agreed_to_is_not_asked_again(widget, scans, module):
    for _ in range(2):
        start(widget, {"t1": scans["t1"], "t1ce": scans["t1ce"]}, module)
        widget.panel.run.cancel()
        pump(widget, lambda: not widget.panel.state.busy, 3)
        assert len(module.questions) == 1


def test_a_closed_scene_is_asked_about_anew(widget, scene, scans, module):
    choose(widget, {"t1ce": scans["t1ce"]})
    widget.panel.run._agreed.add("anything")
    widget.onSceneStartClose(None, "")
    assert widget.panel.run._agreed == set()


# Without T1 or FLAIR


def test_a_run_without_flair_says_what_it_costs(widget, scans, module):
    choose(widget, {"t1": scans["t1"], "t1ce": scans["t1ce"]})
    refused(widget, module, "FLAIR is not chosen", "0.60 instead of 0.86")
    assert "T1 is not chosen" not in module.questions[0]


def test_a_run_without_t1_says_what_it_costs(widget, scans, module):
    choose(widget, {"t1ce": scans["t1ce"], "flair": scans["flair"]})
    refused(widget, module, "T1 is not chosen", "0.66 instead of 0.70")


@pytest.mark.parametrize(("sequence", "region"), [(T1, 1), (FLAIR, 0)])
def test_the_cost_is_what_was_measured(sequence, region):
    """Means over the three high-grade and three lower-grade cases of the default pack."""
    text = (Path(__file__).parents[2] / "Resources/Experiments/packs.md").read_text("utf-8")
    table = text[text.index("| condition | high-grade: glioma-lite") :]

    def measured(condition):
        cells = re.search(rf"^\| {condition} \|(.*)\|$", table, re.MULTILINE).group(1).split("|")
        return np.mean([float(cell.split("/")[region]) for cell in (cells[1], cells[3])])

    figures = f"{measured(f'without {sequence.name}'):.2f} instead of "
    assert figures + f"{measured('as they are'):.2f}" in costOfMissing(sequence)


# A frame of a sequence


def test_a_frame_of_a_sequence_is_refused_when_chosen(widget, scans, play):
    assert not widget.ui.frameButton.isVisibleTo(widget.ui._top)
    choose(widget, {"flair": play(scans["flair"])})
    assert widget.panel.parameters.flair is None
    assert widget.ui.flairSelector.currentNode() is None
    assert doubtful(widget, "flair")
    assert "“Doe FLAIR” is one frame of a sequence" in widget.ui.flairReason.toolTip()
    assert widget.ui.frameButton.isVisibleTo(widget.ui._top)


def test_clone_this_frame_chooses_a_copy_that_stays(widget, scene, scans, play):
    choose(widget, {"t1ce": scans["t1ce"], "flair": play(scans["flair"])})
    before = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    widget.ui.frameButton.click()
    clone = widget.panel.parameters.flair
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == before + 1
    assert clone is not scans["flair"] and clone.GetName().startswith("Doe FLAIR")
    assert clone.GetImageData() is not scans["flair"].GetImageData()
    assert clone.GetImageData().GetDimensions() == scans["flair"].GetImageData().GetDimensions()
    assert not doubtful(widget, "flair")
    assert not widget.ui.frameButton.isVisibleTo(widget.ui._top)


def test_another_choice_withdraws_the_offer_to_clone(widget, scene, scans, play):
    choose(widget, {"flair": play(scans["flair"])})
    widget.panel.parameters.flair = add_volume(scene, "Doe FLAIR axial")
    assert not widget.ui.frameButton.isVisibleTo(widget.ui._top)


def test_a_removed_frame_withdraws_the_offer_to_clone(widget, scene, scans, play):
    choose(widget, {"flair": play(scans["flair"])})
    scene.RemoveNode(scans["flair"])
    live(widget)
    assert not widget.ui.frameButton.isVisibleTo(widget.ui._top)
    assert widget.ui.flairReason.toolTip() == ""


def test_guessing_passes_over_frames(widget, scans, play):
    play(scans["flair"])
    widget.ui.guessButton.click()
    assert widget.panel.parameters.flair is None
    assert widget.panel.parameters.t1ce is scans["t1ce"]


def test_doubts_are_none_for_the_three_scans_of_one_patient(scans):
    assert doubtsAbout({Sequence(name): node for name, node in scans.items()}) == []
