"""The panel at work: the module's own widget, on real nodes, without the application."""

from __future__ import annotations

import time

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_nodes import RAS_LPS, add_volume, head
from mrml_results import add_result
from mrml_scene import snapshot
from panel_steps import choose, live, pump, start
from PySide6 import QtGui
from slicer_fakes import open_widget

from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.progress import ProgressEvent
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd
from BrainTumorSegLib.slicer_app.host.application import getSetting
from BrainTumorSegLib.slicer_app.review.reviews import writeReview
from BrainTumorSegLib.slicer_app.review.second_reading import startSecondReading
from BrainTumorSegLib.slicer_app.scene.segments import labelImage

# Before a run


def test_without_scans_apply_says_what_is_missing(widget):
    assert not widget.ui.applyButton.isEnabled()
    assert "T1CE" in widget.ui.applyButton.toolTip()
    assert "T1CE" in widget.ui.stageLabel.text()


def test_with_a_contrast_enhanced_scan_apply_is_enabled(widget, scans):
    widget.panel.parameters.t1ce = scans["t1ce"]
    assert widget.ui.applyButton.isEnabled(), widget.ui.applyButton.toolTip()
    widget.panel.parameters.t1ce = None
    assert not widget.ui.applyButton.isEnabled()


def test_the_same_volume_twice_keeps_apply_disabled(widget, scans):
    choose(widget, {"t1": scans["t1"], "t1ce": scans["t1"]})
    assert not widget.ui.applyButton.isEnabled()
    assert "same volume" in widget.ui.applyButton.toolTip()
    assert "T1CE" in widget.ui.t1Reason.toolTip()


def test_a_volume_without_an_image_keeps_apply_disabled(widget, scene):
    widget.panel.parameters.t1ce = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    assert "holds no image" in widget.ui.applyButton.toolTip()


def test_a_reference_that_is_not_chosen_keeps_apply_disabled(widget, scans, module):
    widget.panel.parameters.t1ce = scans["t1ce"]
    widget.panel.parameters.reference = module.ReferenceScan.FLAIR
    assert "FLAIR" in widget.ui.applyButton.toolTip()
    assert not widget.ui.applyButton.isEnabled()


def test_another_python_that_is_none_keeps_apply_disabled(widget, scans, tmp_path):
    choose(widget, scans)
    widget.ui.pythonEdit.setPath(str(tmp_path / "no-python"))
    assert not widget.ui.applyButton.isEnabled()
    assert "no-python" in widget.ui.applyButton.toolTip()
    assert getSetting("WorkerPython") == str(tmp_path / "no-python")
    widget.ui.pythonEdit.setPath("")
    assert widget.ui.applyButton.isEnabled()
    assert getSetting("WorkerPython") == ""


def test_guessing_chooses_the_scans_and_says_why(widget, scans):
    widget.ui.guessButton.click()
    parameters = widget.panel.parameters
    assert {name: getattr(parameters, name) for name in scans} == scans
    assert widget.ui.t1ceSelector.currentNode() is scans["t1ce"]
    assert "contrast" in widget.ui.t1ceReason.toolTip()
    assert widget.ui.flairReason.isVisibleTo(widget.ui._top)


def test_a_scan_chosen_by_hand_is_described_too(widget, scans):
    widget.panel.parameters.flair = scans["t1"]
    assert "T1" in widget.ui.flairReason.toolTip()


def test_scans_of_two_patients_are_offered_for_choice(widget, scene, scans):
    other = {
        "t1ce": add_volume(scene, "Roe T1 post contrast", head(seed=7)),
        "flair": add_volume(scene, "Roe FLAIR", head(seed=8)),
    }
    widget.panel.scans.guess()
    combo = widget.ui.studyCombo
    assert combo.isVisibleTo(widget.ui._top)
    titles = [combo.itemText(n) for n in range(combo.count())]
    assert len(titles) == 2
    roe = next(n for n, title in enumerate(titles) if "Roe" in title)
    combo.setCurrentIndex(roe)
    combo.activated.emit(roe)
    assert widget.panel.parameters.t1ce is other["t1ce"]
    assert widget.panel.parameters.t1 is None


def test_models_and_devices_are_offered(widget):
    assert widget.ui.packCombo.count() >= 1
    assert "glioma" in widget.ui.packNote.text().lower()
    assert widget.ui.membersSpin.specialValueText() == "All 5"
    assert widget.ui.membersSpin.maximum() == 5
    widget.ui.deviceCombo.setCurrentIndex(1)
    assert widget.panel.parameters.device == "cpu"


def test_a_device_named_by_a_script_is_shown(widget):
    widget.panel.parameters.device = "cuda:3"
    assert widget.ui.deviceCombo.currentText() == "cuda:3"


def test_a_model_that_is_not_there_is_said(widget, scans):
    choose(widget, scans)
    widget.panel.parameters.pack = "other-model"
    assert "other-model" in widget.ui.packNote.text()
    assert not widget.ui.applyButton.isEnabled()


def test_choices_become_settings(widget, scans, module):
    from BrainTumorSegLib.slicer_app.run.settings import settingsFrom

    choose(widget, scans)
    parameters = widget.panel.parameters
    # Slicer's own BRAINSFit; all else as the library advises.
    assert settingsFrom(parameters).options == Options(registration="brainsfit")
    widget.ui.viewsCombo.setCurrentIndex(4)
    widget.ui.membersSpin.setValue(2)
    widget.ui.shadingCombo.setCurrentIndex(2)
    widget.ui.minLesionSpin.setValue(250)
    widget.ui.islandsCheck.setChecked(True)
    widget.ui.copiesCheck.setChecked(True)
    settings = settingsFrom(parameters)
    assert settings.options == Options(
        registration="brainsfit",
        tta="tta3",
        members=2,
        bias_field="off",
        min_lesion_mm3=250,
        keep_distant_components=True,
    )
    assert settings.registeredCopies
    assert settings.flair is scans["flair"]


def test_a_scan_removed_while_the_panel_is_hidden_counts_as_not_chosen(widget, scene, scans):
    choose(widget, scans)
    widget.exit()
    scene.RemoveNode(scans["t1ce"])
    widget.enter()
    assert not widget.ui.applyButton.isEnabled()


def test_without_brainsfit_the_panel_says_what_is_used_instead(widget, module):
    assert "SimpleITK" in widget.ui.registrationNote.text()
    widget.panel.parameters.registration = module.Registration.SIMPLEITK
    assert widget.ui.registrationNote.text() == ""


# A run


def test_a_run_disables_the_settings_and_cancel_is_answered_at_once(widget, scene, scans, module):
    start(widget, scans, module)
    before = snapshot(scene)
    ui = widget.ui
    for locked in (ui.applyButton, ui.guessButton, ui.t1Selector, ui.viewsCombo, ui.packCombo):
        assert not locked.isEnabled()
    assert ui.cancelButton.isEnabled()
    pump(widget, lambda: widget.panel.state.run.log, 20)
    began = time.monotonic()
    ui.cancelButton.click()
    assert time.monotonic() - began < 0.3
    assert not ui.cancelButton.isEnabled()
    assert "Cancelling" in ui.stageLabel.text()
    pump(widget, lambda: not widget.panel.state.busy, 3)
    assert widget.panel.state.run.state == "cancelled"
    assert ui.applyButton.isEnabled()
    assert snapshot(scene) == before


def test_leaving_and_entering_the_panel_keeps_the_run(widget, scans, module):
    start(widget, scans, module)
    widget.exit()
    widget.panel.state.run.poll()
    widget.enter()
    assert widget.panel.state.busy
    assert widget.ui.cancelButton.isEnabled()
    widget.panel.run.cancel()
    pump(widget, lambda: not widget.panel.state.busy, 3)


def test_closing_the_scene_ends_the_run(widget, scene, scans, module):
    start(widget, scans, module)
    widget.onSceneStartClose(None, "")
    pump(widget, lambda: not widget.panel.state.busy, 3)
    assert widget.panel.state.run.state == "cancelled"
    widget.onSceneReplaced(None, "")
    assert not widget.panel.state.busy


def test_what_a_loaded_scene_had_chosen_is_chosen(widget, scene):
    """The nodes of a scene file follow after the parameters that refer to them."""
    parameters = widget.panel.parameters
    parameters.parameterNode.SetNodeReferenceID("result", "vtkMRMLSegmentationNode1")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "loaded")
    assert node.GetID() == "vtkMRMLSegmentationNode1"
    assert widget.panel.state.segmentation is None
    scene.InvokeEvent(scene.EndImportEvent)
    assert widget.panel.state.segmentation is node


def test_while_a_scene_is_loading_the_panel_waits(widget, scene, tmp_path):
    result, settings = add_result(scene, tmp_path / "run")
    scene.StartState(scene.ImportState)
    image = settings.t1ce.GetImageData()
    settings.t1ce.SetAndObserveImageData(None)
    widget.panel.parameters.result = result.segmentationNode
    assert not widget.ui.showButton.isEnabled()
    settings.t1ce.SetAndObserveImageData(image)
    scene.EndState(scene.ImportState)
    assert widget.ui.showButton.isEnabled()


def test_with_the_first_reading_its_reviews_disappear(widget, scene, tmp_path):
    first = add_result(scene, tmp_path / "run")[0].segmentationNode
    writeReview(first, "R. One", "approved")
    second = startSecondReading(first)
    writeReview(second, "R. Two", "approved")
    widget.panel.parameters.result = second
    widget.ui.reviewButton.setCollapsed(False)
    assert "R. One" in widget.ui.reviewsLabel.text()
    scene.RemoveNode(first)
    live(widget)
    assert widget.ui.reviewsLabel.text() == ""
    assert widget.panel.state.segmentation is second


def test_quitting_the_application_ends_the_run(widget, scans, module):
    start(widget, scans, module)
    run = widget.panel.state.run
    widget.cleanup()
    assert run.over


def test_unusable_scans_are_an_error_in_one_window(module, scene):
    with open_widget(module) as widget:
        flat = {"t1ce": add_volume(scene, "T1CE", np.zeros((40, 48, 50), np.int16))}
        before = snapshot(scene)
        choose(widget, flat)
        widget.panel.parameters.registration = module.Registration.NONE
        widget.ui.applyButton.click()
        if widget.panel.state.busy:
            pump(widget, lambda: not widget.panel.state.busy, 60)
        assert len(module.errors) == 1
        assert "T1CE" in module.errors[0]
        assert (
            "failed" in widget.ui.stageLabel.text()
            or "not be started" in widget.ui.stageLabel.text()
        )
        before["nodes"] = {k: v for k, v in before["nodes"].items() if "ScriptedModule" not in k}
        after = snapshot(scene)
        after["nodes"] = {k: v for k, v in after["nodes"].items() if "ScriptedModule" not in k}
        assert after == before


def test_replacing_a_segmentation_is_asked_for(widget, scene, scans, module):
    old = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Yesterday")
    old.GetSegmentation().AddEmptySegment("one")
    choose(widget, scans)
    widget.panel.parameters.outputSegmentation = old
    module.answer = False
    widget.ui.applyButton.click()
    assert not widget.panel.state.busy
    assert len(module.questions) == 1
    assert "Yesterday" in module.questions[0]


def test_progress_is_shown_with_stage_step_and_time_left(widget, scans, module):
    start(widget, scans, module)
    event = ProgressEvent("progress", "segment", 3, 10, "", 0.42, 95.0)
    widget.panel.run.onProgress(event)
    assert widget.ui.progressBar.value() == 420
    text = "Looking for the tumour · step 4 of 10 · about 1 min 35 s left"
    assert widget.ui.stageLabel.text() == text
    widget.panel.run.cancel()
    pump(widget, lambda: not widget.panel.state.busy, 3)


def test_the_report_can_be_copied(widget, scans, module):
    start(widget, scans, module)
    pump(widget, lambda: widget.panel.state.run.log, 20)
    widget.panel.run.cancel()
    pump(widget, lambda: not widget.panel.state.busy, 3)
    assert widget.ui.logText.toPlainText()
    widget.ui.copyReportButton.click()
    text = QtGui.QGuiApplication.clipboard().text()
    assert "BrainTumorSeg" in text
    assert "cancelled" in text
    assert "--registration=none" in text


# With a result


@pytest.fixture(scope="module")
def demonstration():
    """The generated case, and what the command line makes of it with one network."""
    from BrainTumorSegLib.slicer_app.self_test import demonstration

    return demonstration()


def load(scene, path, name):
    image = sitk.ReadImage(str(path))
    direction = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = direction, image.GetOrigin()
    return add_volume(scene, name, sitk.GetArrayFromImage(image), RAS_LPS @ matrix)


def test_from_guess_to_saved_files(module, scene, demonstration, tmp_path):
    names = {"t1": "Head T1 native", "t1ce": "Head T1 post contrast", "flair": "Head FLAIR"}
    nodes = {
        sequence.value: load(scene, path, names[sequence.value])
        for sequence, path in demonstration.scans.items()
    }
    with open_widget(module) as widget:
        ui, panel = widget.ui, widget.panel
        widget.panel.scans.guess()
        assert {name: getattr(panel.parameters, name) for name in nodes} == nodes
        start(widget, {}, module)
        bar = []
        pump(widget, lambda: bar.append(ui.progressBar.value()) or not panel.state.busy, 600)
        assert panel.state.run.state == "finished", panel.state.run.log
        assert module.errors == []

        # The result is the command line's.
        node = panel.state.segmentation
        mine = sitk.GetArrayFromImage(labelImage(node, nodes["t1ce"]))
        theirs = sitk.GetArrayFromImage(read_seg_nrrd(demonstration.labels))
        assert theirs.any()
        assert (mine == theirs).all()

        # Its volumes are shown.
        assert ui.volumesTable.rowCount() == 7
        assert ui.volumesTable.item(4, 0).text() == "Whole tumour (WT)"
        shown = float(ui.volumesTable.item(4, 1).text())
        assert shown == pytest.approx(np.count_nonzero(mine) * 0.9 * 0.9 * 2 / 1000, rel=0.02)
        assert 0 < float(ui.volumesTable.item(4, 2).text()) < 30

        # Doubtful regions, one after the other.
        assert ui.nextDoubtButton.isEnabled()
        ui.nextDoubtButton.click()
        assert ui.doubtLabel.text().startswith("1 of ")
        # Alignment can be looked at.
        assert ui.alignmentCombo.itemText(0) == "FLAIR"
        assert not ui.blendSlider.isEnabled()
        ui.alignmentButton.click()
        ui.blendSlider.setValue(80)
        composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
        assert composite.GetForegroundOpacity() == pytest.approx(0.8)
        assert not node.GetDisplayNode().GetVisibility()
        ui.nextDoubtButton.click()
        assert node.GetDisplayNode().GetVisibility()

        # The first reader corrects nothing and approves; the second judges blind.
        ui.reviewButton.setCollapsed(False)
        assert ui.verdictCombo.currentText() == "Approved"
        ui.readerEdit.setText("R. One")
        ui.recordButton.click()
        assert module.errors == []
        assert "R. One" in ui.reviewsLabel.text()
        ui.secondReadingButton.click()
        assert panel.state.segmentation is not node
        assert ui.positionCombo.currentIndex() == 1
        assert "R. One" not in ui.reviewsLabel.text()
        ui.readerEdit.setText("R. Two")
        ui.recordButton.click()
        assert module.errors == []
        assert "R. One" in ui.reviewsLabel.text() and "R. Two" in ui.reviewsLabel.text()
        assert "Reader 1 – reader 2" in ui.agreementLabel.text()
        ui.positionCombo.setCurrentIndex(0)
        ui.positionCombo.activated.emit(0)
        assert panel.state.segmentation is node
        # A review is not replaced without asking.
        module.answer = False
        ui.recordButton.click()
        assert len(module.questions) == 1
        assert "R. One" in module.questions[0]

        # Saved; DICOM says exactly what is missing; files are not replaced without asking.
        ui.savingButton.setCollapsed(False)
        ui.dicomCheck.setChecked(True)
        assert "not loaded from DICOM" in ui.preflightLabel.text()
        assert not ui.saveButton.isEnabled()
        ui.dicomCheck.setChecked(False)
        ui.htmlCheck.setChecked(False)
        ui.niftiCheck.setChecked(True)
        ui.folderButton.setDirectory(str(tmp_path))
        save(widget)
        assert module.errors == []
        assert sorted(path.name.split(".", 1)[1] for path in tmp_path.iterdir()) == [
            "nii.gz",
            "seg.nrrd",
        ]
        assert tmp_path.as_uri() in ui.savedLabel.text()
        ui.saveButton.click()
        assert len(module.questions) == 2
        assert ".nii.gz" in module.questions[1]
        ui.identityButton.click()
        assert module.errors == [] and "scene-without-identity.mrb" in ui.savedLabel.text()
        assert (tmp_path / "scene-without-identity.mrb").is_file()
    assert bar == sorted(bar)
    assert len(set(bar)) > 10


def save(widget):
    widget.ui.saveButton.click()
    end = time.monotonic() + 120
    while widget.panel.saving.busy:
        assert time.monotonic() < end
        widget.panel.saving.job.poll()


# The system


def test_the_system_is_looked_at_and_every_remedy_offered(widget):
    ui, system = widget.ui, widget.panel.system
    ui.checkButton.click()
    assert not ui.checkButton.isEnabled()
    end = time.monotonic() + 120
    while system.check.running:
        assert time.monotonic() < end
        system.check.poll()
        time.sleep(0.05)
    assert ui.checkButton.isEnabled()
    table = ui.findingsTable
    names = [table.item(row, 0).text() for row in range(table.rowCount())]
    assert {"torch", "memory"} <= set(names)
    assert ui.systemLabel.text()
    for number, finding in enumerate(system.check.findings):
        table.selectRow(number)
        assert ui.remedyButton.isEnabled() == (finding.action is not None)
        assert ui.remedyLabel.text() == (finding.remedy or "")
    ui.copyFindingsButton.click()
    assert "memory" in QtGui.QGuiApplication.clipboard().text()


def test_an_unfinished_look_at_the_system_ends_with_the_panel(module):
    with open_widget(module) as widget:
        widget.ui.checkButton.click()
        check = widget.panel.system.check
        assert check.running
    assert not check.running
