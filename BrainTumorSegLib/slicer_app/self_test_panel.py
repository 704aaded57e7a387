"""The panel's part of the module's own test: presses its buttons in the application.

Each function takes the test case and the module's widget and does what a person does in one
section of the panel; `pressPanel` does it all, with and without a main window.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from .install.system_check import COPY
from .run.opening import closeCase
from .self_test import TIME_LIMIT_S, demonstration, loadScans, sceneState, waitFor

#: They would install packages on the computer, open a browser, and wait for a person to choose
#: a folder.
NOT_PRESSED = ("installDicomButton", "pageButton", "addVisitButton", "saveComparisonButton")


def pressPanel(test: Any, widget: Any) -> None:
    """Everything that the panel can do, once, on the demonstration case."""
    test.assertFalse(widget.ui.applyButton.enabled)
    scans = loadScans()
    pressScans(test, widget, scans)
    pressRun(test, widget)
    pressResult(test, widget)
    pressReview(test, widget)
    pressComparing(test, widget)
    pressSaving(test, widget)
    pressSystem(test, widget)
    pressMany(test, widget)
    saveAndReload(test, widget)


def pressScans(test: Any, widget: Any, scans: dict[str, Any]) -> None:
    """Choose the scans; a removed one and a frame of a sequence leave their selector empty."""
    import slicer

    ui, parameters = widget.ui, widget.panel.parameters
    frame = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, scans["flair"], "Frame")
    frames = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "Frames")
    for moment in "01":
        frames.SetDataNodeAtValue(frame, moment)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(frames.GetID())
    browser.AddProxyNode(frame, frames, False)
    ui.t1Selector.setCurrentNode(frame)
    test.assertIsNone(ui.t1Selector.currentNode())
    ui.frameButton.click()
    clone = ui.t1Selector.currentNode()
    test.assertNotIn(clone, (None, frame))
    slicer.mrmlScene.RemoveNode(clone)
    test.assertIsNone(ui.t1Selector.currentNode())
    for node in (browser, frames, frame):
        slicer.mrmlScene.RemoveNode(node)
    ui.guessButton.click()
    test.assertEqual({name: getattr(parameters, name) for name in scans}, scans)
    test.assertTrue(ui.applyButton.enabled, ui.applyButton.toolTip)


def pressRun(test: Any, widget: Any) -> None:
    """A run that is cancelled changes nothing; the next one ends with a result in the panel."""
    ui, panel = widget.ui, widget.panel
    _setQuickly(panel.parameters)
    before = sceneState()
    ui.applyButton.click()
    test.assertTrue(panel.state.busy)
    test.assertFalse(ui.applyButton.enabled or ui.registrationCombo.enabled)
    ui.cancelButton.click()
    test.assertTrue(waitFor(lambda: not panel.state.busy, 10))
    test.assertEqual(panel.state.run.state, "cancelled")
    test.assertEqual(sceneState(), before)
    ui.applyButton.click()
    test.assertTrue(waitFor(lambda: not panel.state.busy, TIME_LIMIT_S))
    test.assertEqual(panel.state.run.state, "finished", panel.state.run.error)
    test.assertIsNotNone(panel.parameters.result)
    ui.copyReportButton.click()
    test.assertIn("finished", panel.run.report())


def _setQuickly(parameters: Any) -> None:
    """Two networks that see each slice once, on the scans as they lie."""
    parameters.members, parameters.device = 2, "cpu"
    parameters.views = type(parameters.views)["NONE"]
    parameters.registration = type(parameters.registration)["NONE"]


def pressResult(test: Any, widget: Any) -> None:
    """Look at the result, and hand it over to Segment Editor and back."""
    import slicer

    ui = widget.ui
    test.assertGreater(ui.volumesTable.rowCount, 0)
    ui.showButton.click()
    for _time in range(2):
        ui.threeDButton.click()
    ui.measureButton.click()
    test.assertTrue(ui.diametersLabel.text)
    test.assertGreater(ui.diametersTable.rowCount, 0)
    if ui.nextDoubtButton.enabled:
        for button in (ui.nextDoubtButton, ui.nextDoubtButton, ui.previousDoubtButton):
            button.click()
        test.assertIn("1", ui.doubtLabel.text)
    if slicer.util.mainWindow() is not None:
        ui.editButton.click()
        waitFor(lambda: False, 1)
        slicer.util.selectModule("BrainTumorSeg")


def pressReview(test: Any, widget: Any) -> None:
    """Record the reviews of two readers."""
    from .review.reviews import readReviews

    ui, state = widget.ui, widget.panel.state
    ui.readerEdit.text = "Reader One"
    ui.recordButton.click()
    test.assertEqual([r.reader for r in readReviews(state.segmentation)], ["Reader One"])
    ui.secondReadingButton.click()
    ui.readerEdit.text = "Reader Two"
    ui.recordButton.click()
    test.assertEqual(len(readReviews(state.segmentation)), 2)


def pressComparing(test: Any, widget: Any) -> None:
    """The result is listed; without a second one there is nothing to compare."""
    ui = widget.ui
    ui.comparingButton.collapsed = False
    test.assertGreater(ui.visitsTable.rowCount, 0)
    test.assertFalse(ui.compareButton.enabled)


def pressSaving(test: Any, widget: Any) -> None:
    """Save all files but DICOM, for which these scans have no header."""
    ui, saving = widget.ui, widget.panel.saving
    ui.savingButton.collapsed = False
    with tempfile.TemporaryDirectory() as folder:
        ui.folderButton.directory = folder
        for check in (ui.segNrrdCheck, ui.niftiCheck, ui.htmlCheck, ui.jsonCheck):
            check.checked = True
        ui.dicomCheck.checked = True
        test.assertFalse(ui.saveButton.enabled)
        test.assertTrue(ui.preflightLabel.text)
        ui.dicomCheck.checked = False
        ui.saveButton.click()
        test.assertTrue(waitFor(lambda: not saving.busy, TIME_LIMIT_S))
        test.assertEqual(saving.job.state, "finished", saving.job.error)
        ui.identityButton.click()
        endings = {path.name.split(".", 1)[1] for path in Path(folder).iterdir()}
        test.assertEqual(endings, {"seg.nrrd", "nii.gz", "html", "json", "mrb"})


def pressSystem(test: Any, widget: Any) -> None:
    """Check the system and copy what was found."""
    ui, system = widget.ui, widget.panel.system
    ui.systemButton.collapsed = False
    ui.checkButton.click()
    test.assertTrue(waitFor(lambda: not system.check.running, TIME_LIMIT_S))
    test.assertGreater(ui.findingsTable.rowCount, 3)
    for row, finding in enumerate(system.check.findings):
        # Other remedies would change the computer, or leave the panel.
        if finding.action is not None and finding.action.kind == COPY:
            ui.findingsTable.selectRow(row)
            ui.remedyButton.click()
            break
    ui.copyFindingsButton.click()
    test.assertIn("clipboard", ui.systemLabel.text)


def pressMany(test: Any, widget: Any) -> None:
    """Segment two cases, stopped once on the way, and open their results."""
    ui, state = widget.ui, widget.panel.state
    kept = widget.panel.parameters.result
    ui.manyButton.collapsed = False
    with tempfile.TemporaryDirectory() as folder:
        cases = Path(folder) / "cases"
        for name in ("first", "second"):
            (cases / name).mkdir(parents=True)
            for sequence, path in demonstration().scans.items():
                shutil.copyfile(path, cases / name / f"{sequence.value}.nii.gz")
        ui.casesFolderButton.directory = str(cases)
        # How many cases are done when the first run is stopped depends on the computer.
        for button, stopped in (
            (ui.lookButton, False),
            (ui.segmentAllButton, True),
            (ui.segmentAllButton, False),
        ):
            if button is ui.lookButton or button.enabled:
                button.click()
            if stopped:
                ui.cancelManyButton.click()
            test.assertTrue(waitFor(lambda: not state.manyBusy, 2 * TIME_LIMIT_S))
        states = [case.state for case in state.many.cases.values()]
        test.assertEqual(states, ["done", "done"], ui.manyLabel.text)
        test.assertTrue((cases.with_name("cases-results") / "cohort.html").is_file())
        opened = []
        ui.casesTable.selectRow(0)
        for button in (ui.openCaseButton, ui.nextCaseButton, ui.previousCaseButton):
            button.click()
            opened.append(state.segmentation.GetName())
        test.assertEqual(opened[0], opened[2])
        test.assertEqual(sorted(opened[:2]), ["first", "second"])
        test.assertGreater(ui.volumesTable.rowCount, 0)
        closeCase(state.opened)
    state.opened = None
    widget.panel.parameters.result = kept
    ui.guessButton.click()


def saveAndReload(test: Any, widget: Any) -> None:
    """A saved scene brings back the choices, the result and its volumes."""
    import slicer

    ui, panel = widget.ui, widget.panel
    name = panel.state.segmentation.GetName()
    rows = [ui.volumesTable.item(row, 1).text() for row in range(ui.volumesTable.rowCount)]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "scene.mrb")
        test.assertTrue(slicer.util.saveScene(path))
        slicer.mrmlScene.Clear()
        test.assertIsNone(panel.state.segmentation)
        slicer.util.loadScene(path)
    widget.enter()
    test.assertEqual(panel.state.segmentation.GetName(), name)
    test.assertIsNotNone(panel.parameters.t1ce)
    test.assertEqual(
        [ui.volumesTable.item(row, 1).text() for row in range(ui.volumesTable.rowCount)], rows
    )
