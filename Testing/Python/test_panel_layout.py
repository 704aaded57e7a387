"""The panel at the width of a laptop: what is in sight, what is readable, what is true now."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_nodes import add_volume, head
from mrml_results import add_result, correct
from panel_steps import choose, live, pump, start
from panel_widgets import DOCK_HEIGHT as HEIGHT
from panel_widgets import DOCK_WIDTH as WIDTH
from panel_widgets import Folding, docked
from PySide6 import QtCore, QtWidgets

from BrainTumorSegLib.bootstrap.doctor import OK, PROBLEM, WARNING
from BrainTumorSegLib.core.progress import ProgressEvent
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.slicer_app.host.application import setSetting
from BrainTumorSegLib.slicer_app.install.system_check import Finding
from BrainTumorSegLib.slicer_app.panel.looks import bringIntoSight
from BrainTumorSegLib.slicer_app.panel.wording import timeLeft
from BrainTumorSegLib.slicer_app.review.reviews import writeReview
from BrainTumorSegLib.slicer_app.review.second_reading import startSecondReading
from BrainTumorSegLib.slicer_app.run.progress import duration

#: What Slicer shows above a module: *Help & Acknowledgement* and an empty strip.
ABOVE = 40


@pytest.fixture
def dock(widget):
    """The panel below what Slicer shows above it."""
    with docked(widget.ui._top, ABOVE) as area:
        yield area


def picture(dock, name):
    """Keep a picture where `BRAINTUMORSEG_PICTURES` asks for it."""
    live(None, 0.2)
    folder = os.environ.get("BRAINTUMORSEG_PICTURES")
    if folder:
        dock.grab().save(str(Path(folder) / f"{name}.png"))


def whole(dock, name):
    """The same of all that the area holds."""
    live(None, 0.2)
    folder = os.environ.get("BRAINTUMORSEG_PICTURES")
    if folder:
        dock.widget().grab().save(str(Path(folder) / f"{name}.png"))


def bottom(dock, *widgets):
    """Lowest edge in the area's contents of widgets that are shown."""
    for widget in widgets:
        assert widget.isVisible(), widget.objectName()
    corners = [w.mapTo(dock.widget(), QtCore.QPoint(0, w.height())).y() for w in widgets]
    return max(corners)


def wrapped(dock):
    """Labels with several lines that are shown."""
    labels = [w for w in dock.widget().findChildren(QtWidgets.QLabel) if w.isVisible()]
    return [w for w in labels if w.wordWrap() and QtWidgets.QLabel.text.__get__(w)()]


# What is in sight


def test_after_guessing_the_scans_and_apply_are_in_sight(widget, dock, scans):
    widget.ui.guessButton.click()
    live(widget)
    ui = widget.ui
    lines = (ui.t1Reason, ui.t1ceReason, ui.flairReason)
    assert all(line.height() < 1.5 * line.fontMetrics().height() for line in lines)
    picture(dock, "guessed")
    assert bottom(dock, *lines, ui.applyButton, ui.cancelButton, ui.stageLabel) <= HEIGHT


def test_during_a_run_progress_stage_and_time_left_are_in_sight(widget, dock, scans, module):
    widget.ui.guessButton.click()
    start(widget, {}, module)
    widget.panel.run.onProgress(ProgressEvent("progress", "segment", 3, 10, "", 0.42, 95.0))
    live(widget)
    ui = widget.ui
    picture(dock, "running")
    assert bottom(dock, ui.applyButton, ui.progressBar, ui.stageLabel) <= HEIGHT
    text = ui.stageLabel.text()
    assert text == "Looking for the tumour · step 4 of 10 · about 1 min 35 s left"
    assert ui.stageLabel.fontMetrics().horizontalAdvance(text) <= 2 * ui.stageLabel.width()
    widget.panel.run.cancel()
    pump(widget, lambda: not widget.panel.state.busy, 3)


def test_with_two_patients_and_three_doubts_apply_is_still_in_sight(widget, dock, scene, scans):
    add_volume(scene, "Roe T1 post contrast", head(seed=7))
    add_volume(scene, "Roe FLAIR", head(seed=8))
    widget.ui.guessButton.click()
    choose(widget, {"t1": scans["t1ce"], "t1ce": scans["t1"], "flair": add_volume(scene, "x T2")})
    live(widget)
    picture(dock, "doubts")
    assert widget.ui.studyCombo.isVisible()
    assert bottom(dock, widget.ui.applyButton, widget.ui.stageLabel) <= HEIGHT


def test_settings_and_what_is_rare_are_folded(widget):
    ui = widget.ui
    folded = (ui.settingsButton, ui.advancedBox, ui.logBox, ui.systemButton)
    assert all(part.getCollapsed() for part in folded)


def test_the_scans_come_first_and_then_the_run(widget, dock):
    ui = widget.ui
    parts = (ui.scansButton, ui.applyButton, ui.settingsButton, ui.resultButton, ui.reviewButton)
    tops = [part.mapTo(dock.widget(), QtCore.QPoint(0, 0)).y() for part in parts]
    assert tops == sorted(tops)


def test_the_result_is_brought_into_sight(widget, dock):
    bringIntoSight(widget.ui.resultButton)
    live(widget)
    top = widget.ui.resultButton.mapTo(dock.viewport(), QtCore.QPoint(0, 0)).y()
    assert top == 0 or dock.verticalScrollBar().value() == dock.verticalScrollBar().maximum()
    assert dock.verticalScrollBar().value() > 0


def test_a_finished_run_brings_its_result_into_sight(widget, dock, scene, tmp_path, monkeypatch):
    from types import SimpleNamespace

    from BrainTumorSegLib.slicer_app.panel import run as run_section

    shown = []
    monkeypatch.setattr(run_section, "bringIntoSight", shown.append)
    result, settings = add_result(scene, tmp_path / "run")
    choose(widget, {"t1ce": settings.t1ce})
    done = SimpleNamespace(state="finished", result=result, failure=None, log=[])
    widget.panel.run.onFinished(done)
    assert shown == [widget.ui.resultButton]


# What is readable


def test_a_reason_is_cut_to_one_line_and_its_tooltip_has_all(widget, dock, scene, scans):
    name = "Doe T1 post contrast with a very long name that somebody has typed"
    choose(widget, {"t1ce": add_volume(scene, name), "t1": scans["t1"]})
    live(widget)
    label = widget.ui.t1ceReason
    assert label.text().endswith("…")
    assert label.toolTip().startswith("T1CE: the name says") and label.toolTip().endswith(".")
    cut = label.text()
    dock.resize(2 * WIDTH, HEIGHT)
    live(widget)
    assert len(label.text()) > len(cut)


def test_with_everything_folded_the_panel_is_not_narrower_than_its_reasons_need(widget, dock):
    for part in widget.ui._top.findChildren(Folding):
        part.setCollapsed(True)
    live(widget)
    least = dock.widget().minimumSizeHint().width()
    assert 350 <= least <= dock.viewport().width()


def test_nothing_is_wider_than_the_dock_with_everything_unfolded(widget, dock):
    for part in widget.ui._top.findChildren(Folding):
        part.setCollapsed(False)
    live(widget)
    whole(dock, "unfolded")
    assert dock.widget().minimumSizeHint().width() <= dock.viewport().width()


def test_long_names_and_paths_do_not_widen_the_dock(widget, dock, tmp_path):
    ui = widget.ui
    for part in ui._top.findChildren(Folding):
        part.setCollapsed(False)
    name = "T1_AX_POST_GAD_" * 8
    for label in [w for w in ui._top.findChildren(QtWidgets.QLabel) if w.wordWrap()]:
        label.setText(name)
        label.setVisible(True)
    ui.folderButton.setDirectory(str(tmp_path / name))
    live(widget)
    assert dock.widget().minimumSizeHint().width() <= dock.viewport().width()


def test_below_wrapped_lines_there_is_no_gap(widget, dock, scene, tmp_path):
    for part in widget.ui._top.findChildren(Folding):
        part.setCollapsed(False)
    widget.panel.parameters.result = add_result(scene, tmp_path / "run")[0].segmentationNode
    text = "A line that is long enough to be wrapped in a narrow panel, and then once more."
    labels = [w for w in widget.ui._top.findChildren(QtWidgets.QLabel) if w.wordWrap()]
    for label in labels:
        label.setText(text)
        label.setVisible(True)
    live(widget)
    whole(dock, "wrapped")
    assert len(wrapped(dock)) > 8
    gaps = {w.objectName(): w.height() - w.heightForWidth(w.width()) for w in wrapped(dock)}
    assert {name: gap for name, gap in gaps.items() if gap > 3} == {}


def test_what_the_check_of_the_system_found_can_be_read(widget, dock):
    detail = "this Slicer has no BRAINSFit module; SimpleITK registers the scans instead, slowly"
    remedy = "Enable command line modules in the application settings, or install Slicer anew."
    found = [
        Finding("Python of the computation", OK, "Slicer's Python (/opt/Slicer/bin/PythonSlicer)"),
        Finding("BRAINSFit", WARNING, detail, remedy),
        Finding("torch", PROBLEM, "not installed", remedy),
    ]
    from types import SimpleNamespace

    widget.ui.systemButton.setCollapsed(False)
    widget.panel.system.check = SimpleNamespace(findings=tuple(found), running=False)
    widget.panel.system.check.cancel = lambda: None
    widget.panel.system.update()
    live(widget)
    whole(dock, "system")
    table = widget.ui.findingsTable
    for row, finding in enumerate(found):
        for column, text in enumerate((finding.name, finding.detail)):
            # The sign takes its place as well.
            width = table.columnWidth(column) - (26 if column == 0 else 8)
            area, wrap = QtCore.QRect(0, 0, width, 1000), QtCore.Qt.TextFlag.TextWordWrap
            need = table.fontMetrics().boundingRect(area, wrap, text)
            assert need.height() <= table.rowHeight(row), text
            assert need.width() <= width, text
    assert table.horizontalHeader().length() <= table.viewport().width()


def test_the_agreement_of_two_readers_fits_the_dock(widget, dock, scene, tmp_path):
    result, settings = add_result(scene, tmp_path / "run")
    first = result.segmentationNode
    correct(first, settings.t1ce, layers=4)
    writeReview(first, "A reader with a long name", "corrected", "A comment of some length.")
    second = startSecondReading(first)
    writeReview(second, "Reader Two", "approved")
    widget.panel.parameters.result = second
    widget.ui.reviewButton.setCollapsed(False)
    live(widget)
    whole(dock, "review")
    label = widget.ui.agreementLabel
    assert label.isVisible() and "ET" in label.text()
    assert label.minimumSizeHint().width() <= label.width()
    assert dock.widget().minimumSizeHint().width() <= dock.viewport().width()


# What is true now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (95, "1 min 35 s"),
        (119.7, "2 min"),
        (3600, "1 h 0 min"),
        (3725, "1 h 2 min"),
    ],
)
def test_a_time_is_written_in_minutes_and_seconds(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (4, "a few seconds left"),
        (33, "about 35 s left"),
        (95, "about 1 min 35 s left"),
        (400, "about 7 min left"),
    ],
)
def test_the_time_left_is_as_exact_as_it_can_be_known(seconds, text):
    assert timeLeft(seconds) == text


@pytest.fixture
def done(widget, scene, tmp_path):
    """The panel after a run of 95 seconds."""
    import time
    from types import SimpleNamespace

    result, settings = add_result(scene, tmp_path / "run")
    choose(widget, {"t1": settings.t1, "t1ce": settings.t1ce, "flair": settings.flair})
    widget.panel.run._started = time.monotonic() - 95
    run = SimpleNamespace(state="finished", result=result, failure=None, log=[])
    widget.panel.run.onFinished(run)
    assert widget.ui.stageLabel.text() == "Done in 1 min 35 s."
    return result


def test_with_the_result_its_time_disappears(widget, scene, done):
    scene.RemoveNode(done.segmentationNode)
    assert widget.ui.stageLabel.text() == "Ready."


def test_in_a_closed_scene_nothing_is_done(widget, scene, done):
    widget.onSceneStartClose(None, "")
    assert widget.ui.stageLabel.text() == ""
    scene.Clear(False)
    widget.onSceneReplaced(None, "")
    assert widget.ui.stageLabel.text() == "Choose the T1CE scan."


def test_what_is_missing_now_comes_before_what_was_done(widget, scene, done):
    scene.RemoveNode(widget.panel.parameters.t1ce)
    assert widget.ui.stageLabel.text() == "Choose the T1CE scan."


def test_other_choices_are_not_said_to_be_done(widget, scans, done):
    widget.panel.parameters.flair = scans["flair"]
    assert widget.ui.stageLabel.text() == "Ready."


def edema(widget):
    return float(widget.ui.volumesTable.item(int(Tissue.EDEMA) - 1, 1).text())


def volumes(widget):
    table = widget.ui.volumesTable
    return [table.item(row, 1).text() for row in range(table.rowCount())]


def test_volumes_follow_an_edit_and_its_undoing_at_once(widget, scene, tmp_path):
    import slicer

    result, settings = add_result(scene, tmp_path / "run")
    node = result.segmentationNode
    widget.panel.parameters.result = node
    before = volumes(widget)
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(node.GetSegmentation())
    history.SaveState()
    correct(node, settings.t1ce, layers=4)
    live(widget)
    assert volumes(widget) != before
    assert history.RestorePreviousState()
    live(widget)
    assert volumes(widget) == before


def test_painting_while_another_module_is_shown_costs_nothing_here(
    widget, scene, tmp_path, monkeypatch
):
    result, settings = add_result(scene, tmp_path / "run")
    widget.panel.parameters.result = result.segmentationNode
    widget.exit()
    before = volumes(widget)
    correct(result.segmentationNode, settings.t1ce, layers=4)
    live(widget)
    assert volumes(widget) == before
    widget.enter()
    assert volumes(widget) != before


# Where files go


def stored(scene, node, folder):
    folder.mkdir(exist_ok=True)
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(folder / "scan.nii.gz"))
    node.SetAndObserveStorageNodeID(storage.GetID())


def test_files_go_to_the_folder_of_the_scans(widget, scene, tmp_path):
    result, settings = add_result(scene, tmp_path / "run")
    stored(scene, settings.t1ce, tmp_path / "Doe")
    widget.panel.parameters.result = result.segmentationNode
    assert widget.ui.folderButton.getDirectory() == str((tmp_path / "Doe").resolve())


def test_files_of_another_patient_do_not_go_to_the_folder_of_the_first(widget, scene, tmp_path):
    for patient in ("Doe", "Roe"):
        result, settings = add_result(scene, tmp_path / f"run {patient}")
        stored(scene, settings.t1ce, tmp_path / patient)
        widget.panel.parameters.result = result.segmentationNode
        assert widget.ui.folderButton.getDirectory() == str((tmp_path / patient).resolve())
    result, _ = add_result(scene, tmp_path / "without files")
    widget.panel.parameters.result = result.segmentationNode
    assert widget.ui.folderButton.getDirectory() == str(Path.home())


def test_a_folder_that_was_chosen_stays_for_the_other_reading(widget, scene, tmp_path):
    result, settings = add_result(scene, tmp_path / "run")
    stored(scene, settings.t1ce, tmp_path / "Doe")
    widget.panel.parameters.result = result.segmentationNode
    widget.ui.folderButton.setDirectory(str(tmp_path))
    widget.panel.parameters.result = startSecondReading(result.segmentationNode)
    assert widget.ui.folderButton.getDirectory() == str(tmp_path)


def test_scans_without_a_folder_go_to_the_one_that_was_chosen_last(widget, scene, tmp_path):
    setSetting("SaveFolder", str(tmp_path))
    result, _ = add_result(scene, tmp_path / "run")
    widget.panel.parameters.result = result.segmentationNode
    assert widget.ui.folderButton.getDirectory() == str(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_not_proposed(widget, scene, tmp_path, monkeypatch):
    from BrainTumorSegLib.slicer_app.export import saving

    result, settings = add_result(scene, tmp_path / "run")
    stored(scene, settings.t1ce, tmp_path / "CD")
    monkeypatch.setattr(saving.os, "access", lambda path, mode: "CD" not in str(path))
    widget.panel.parameters.result = result.segmentationNode
    assert widget.ui.folderButton.getDirectory() == str(Path.home())


def test_copies_of_slicers_own_are_no_place_for_results(scene, tmp_path, monkeypatch):
    from types import SimpleNamespace

    import slicer

    from BrainTumorSegLib.slicer_app.scene.scene_scans import folderOf

    node = add_volume(scene, "scan", np.zeros((6, 6, 6), np.int16))
    stored(scene, node, tmp_path / "database")
    assert folderOf(node) == (tmp_path / "database").resolve()
    database = SimpleNamespace(databaseDirectory=str(tmp_path))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    assert folderOf(node) is None


def test_of_a_new_result_it_is_not_said_that_it_was_saved(widget, scene, tmp_path):
    widget.panel.parameters.result = add_result(scene, tmp_path / "one")[0].segmentationNode
    widget.panel.saving._outcome = "Saved in …"
    widget.panel.state.changed()
    assert widget.ui.savedLabel.text() == "Saved in …"
    widget.panel.parameters.result = add_result(scene, tmp_path / "two")[0].segmentationNode
    assert widget.ui.savedLabel.text() == ""


def test_the_result_of_a_scene_that_was_loaded_is_unfolded(widget, scene, tmp_path):
    assert widget.ui.resultButton.getCollapsed()
    widget.panel.parameters.result = add_result(scene, tmp_path / "run")[0].segmentationNode
    assert not widget.ui.resultButton.getCollapsed()


def test_the_heading_stays_at_the_top_when_what_lies_above_grows(widget, dock):
    bringIntoSight(widget.ui.reviewButton)
    live(widget, 0.06)
    widget.ui.settingsButton.setCollapsed(False)
    live(widget)
    top = widget.ui.reviewButton.mapTo(dock.viewport(), QtCore.QPoint(0, 0)).y()
    assert top == 0 or dock.verticalScrollBar().value() == dock.verticalScrollBar().maximum()


def test_many_cases_do_not_push_the_run_out_of_sight(widget, dock, scans):
    widget.ui.manyButton.setCollapsed(False)
    widget.ui.guessButton.click()
    live(widget)
    picture(dock, "many")
    ui = widget.ui
    assert bottom(dock, ui.applyButton, ui.cancelButton, ui.stageLabel) <= HEIGHT
