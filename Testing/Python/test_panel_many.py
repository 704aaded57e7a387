# ruff: noqa: N802  (names of the worker)
"""The page *Many cases* of the panel: found, segmented, stopped, opened one after the other."""

from __future__ import annotations

import time
from typing import ClassVar

import pytest

pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from cohort_cases import write_cases
from mrml_results import correct
from opened_cases import write_result
from panel_steps import choose
from panel_widgets import qt_module
from slicer_fakes import open_widget

from BrainTumorSegLib.core.errors import Cancelled, CohortError
from BrainTumorSegLib.slicer_app.review.reviews import readReviews, writeReview
from BrainTumorSegLib.slicer_app.run import many_cases
from BrainTumorSegLib.slicer_app.run.many_cases import FoundCase, inOrder


class Child:
    """Plays the worker: tells what a test has it tell."""

    made: ClassVar[list] = []

    def __init__(self, arguments, python, folder):
        self.arguments, self.folder = arguments, folder
        self.lines, self.answers = [], []
        self.running, self.cancelled, self.exitCode = True, False, None
        Child.made.append(self)

    def start(self):
        pass

    def poll(self):
        lines, self.lines = self.lines, []
        return lines

    def answer(self, line):
        self.answers.append(line)

    def cancel(self):
        self.cancelled = True
        self.end(-15)

    def end(self, code=0):
        self.running, self.exitCode = False, code

    def failure(self, _error):
        return Cancelled() if self.cancelled else CohortError("It broke.", "Mend it.")

    def logTail(self):
        return "last words"

    def dispose(self):
        self.folder.rmdir()


@pytest.fixture
def child(monkeypatch):
    """The children that the page starts, the latest last."""
    monkeypatch.setattr(many_cases, "Worker", Child)
    Child.made = []
    return Child.made


@pytest.fixture
def page(widget, tmp_path):
    """The page with both folders chosen."""
    (tmp_path / "cases").mkdir(exist_ok=True)
    widget.ui.manyButton.setCollapsed(False)
    widget.ui.casesFolderButton.setDirectory(str(tmp_path / "cases"))
    return widget


def told(case: FoundCase, **more):
    """The line by which a child tells of a case."""
    line = {"kind": "case", "case": case.name, "state": case.state, "run": case.run}
    line |= {"scans": case.scans, "reasons": case.reasons, "outputs": case.outputs}
    return {**line, "doubtful_share": case.doubtfulShare, **more}


def look(page, child, *lines, page_file=None):
    """Press *Look for cases*, and let the child find these."""
    page.ui.lookButton.click()
    child[-1].lines = [*lines, {"kind": "plan", "page": page_file}]
    child[-1].end()
    page.panel.state.many.poll()


def rows(page):
    table = page.ui.casesTable
    return [
        tuple(table.item(row, column).text() for column in range(3))
        for row in range(table.rowCount())
    ]


WAITING = FoundCase("p2", scans={"t1ce": "/in/p2/a_t1c.nii.gz"}, run=True)
LACKING = {
    **told(FoundCase("p9", "unusable")),
    "reason": "Case p9 has no contrast-enhanced T1 scan.",
    "remedy": "Add that scan.",
    "left_out": ["x.nii.gz: the name says nothing."],
}


# Before anything runs


def test_the_page_is_folded_and_asks_for_a_folder_first(widget):
    ui = widget.ui
    assert ui.manyButton.getCollapsed()
    assert ui.manyLabel.text() == "Choose the folder with the cases."
    assert not (ui.lookButton.isEnabled() or ui.segmentAllButton.isEnabled())
    assert not ui.casesTable.isVisibleTo(ui._top)


def test_the_folder_of_results_is_proposed_beside_the_cases_and_both_are_remembered(
    page, module, tmp_path
):
    assert page.ui.resultsFolderButton.directory == str(tmp_path / "cases-results")
    page.ui.resultsFolderButton.setDirectory(str(tmp_path / "out"))
    with open_widget(module) as again:
        assert again.ui.casesFolderButton.directory == str(tmp_path / "cases")
        assert again.ui.resultsFolderButton.directory == str(tmp_path / "out")
        assert again.ui.lookButton.isEnabled()


def test_looking_gives_the_settings_of_the_panel_to_the_child(page, child, module, tmp_path):
    parameters = page.panel.parameters
    parameters.members, parameters.views = 2, module.Views.NONE
    parameters.registration, parameters.reference = (
        module.Registration.NONE,
        module.ReferenceScan.FLAIR,
    )
    page.ui.niftiCheck.setChecked(True)
    page.ui.retryCheck.setChecked(True)
    page.ui.lookButton.click()
    words = child[-1].arguments
    assert words[:3] == ["cohort", str(tmp_path / "cases"), f"--output={tmp_path}/cases-results"]
    given = {"--members=2", "--tta=none", "--registration=none", "--also=labelmap", "--dry-run"}
    assert given | {"--also=disagreement", "--retry-failed", "--stop-by-input"} <= set(words)
    assert words[words.index("--reference") + 1] == "flair"
    assert words[words.index("--format") + 1] == "seg.nrrd"
    page.ui.cancelManyButton.click()
    page.panel.state.many.poll()


def test_what_was_found_is_shown_with_the_reason_for_every_file(page, child):
    reason = {"reasons": {"t1ce": "T1CE: the name says “t1c”."}}
    look(page, child, {**told(WAITING), **reason}, LACKING)
    assert rows(page) == [("p9", "cannot run", ""), ("p2", "waiting", "")]
    ui = page.ui
    assert "no contrast-enhanced T1" in ui.caseLabel.text() and "Add that" in ui.caseLabel.text()
    assert "Left out: x.nii.gz" in ui.caseLabel.text()
    ui.casesTable.selectRow(1)
    assert "<b>T1CE</b>: a_t1c.nii.gz" in ui.caseLabel.text()
    assert "the name says “t1c”" in ui.caseLabel.text()
    assert "2 cases, 1 to be segmented" in ui.manyLabel.text()
    assert ui.segmentAllButton.isEnabled() and not ui.openCaseButton.isEnabled()


def test_with_other_settings_the_cases_are_looked_for_again(page, child):
    look(page, child, told(WAITING))
    page.panel.parameters.members = 1
    assert not page.ui.segmentAllButton.isEnabled()
    assert "look for cases again" in page.ui.manyLabel.text()
    look(page, child, told(WAITING))
    assert page.ui.segmentAllButton.isEnabled()


def test_a_study_whose_series_cannot_be_told_apart_says_so(page, child):
    line = told(WAITING, dicom="/in/p2", scans={}, problem="The study in /in/p2 is ambiguous.")
    look(page, child, line)
    assert "ambiguous" in page.ui.caseLabel.text()
    assert not page.ui.casesTable.item(0, 0).icon().isNull()


def test_a_child_that_cannot_look_says_why(page, child, module):
    page.ui.lookButton.click()
    child[-1].end(3)
    page.panel.state.many.poll()
    assert module.errors == ["It broke.\n\nMend it."]
    module.errors.clear()
    assert page.ui.lookButton.isEnabled()


# Running


def running(page, child, *cases):
    look(page, child, *map(told, cases))
    page.ui.segmentAllButton.click()
    return page.panel.state.many, child[-1]


def test_progress_and_time_left_are_shown_and_apply_waits(page, child, scans):
    choose(page, scans)
    assert page.ui.applyButton.isEnabled()
    job, worker = running(page, child, WAITING)
    worker.lines = [{"kind": "progress", "fraction": 0.3, "step": 3, "total": 10}]
    worker.lines[0]["seconds_left"] = 400.0
    job.poll()
    assert page.ui.manyLabel.text() == "3 of 10 cases · about 7 min left"
    assert page.ui.manyProgress.value() == 300
    worker.lines = [{"kind": "progress", "stage": "look", "fraction": 0.9, "step": 4, "total": 5}]
    job.poll()
    assert page.ui.manyLabel.text().startswith("3 of 10 cases")
    assert page.ui.casesFolderButton.text() == page.ui.casesFolderButton.directory
    assert not page.ui.applyButton.isEnabled()
    assert not (page.ui.lookButton.isEnabled() or page.ui.casesFolderButton.isEnabled())
    worker.end()
    job.poll()
    child[-1].end()
    page.panel.state.many.poll()
    assert page.ui.applyButton.isEnabled()


def test_cancel_lets_running_cases_finish_and_a_second_one_stops_them(page, child):
    job, worker = running(page, child, WAITING)
    page.ui.cancelManyButton.click()
    assert len(worker.answers) == 1 and job.state == "running"
    assert page.ui.cancelManyButton.text() == "Stop now"
    assert "finishing" in page.ui.manyLabel.text()
    page.ui.cancelManyButton.click()
    assert len(worker.answers) == 2 and not page.ui.cancelManyButton.isEnabled()
    worker.end(130)
    job.poll()
    assert job.state == "cancelled"
    # What became of the cases is looked for at once.
    look_again = child[-1]
    assert "--dry-run" in look_again.arguments
    look_again.lines = [told(WAITING)]
    look_again.end()
    page.panel.state.many.poll()
    assert page.ui.manyLabel.text().startswith("Stopped after 0 s. Segment all goes on")
    assert page.ui.segmentAllButton.isEnabled()


def test_a_child_that_does_not_stop_is_ended_by_force(page, child, monkeypatch):
    job, worker = running(page, child, WAITING)
    monkeypatch.setattr(many_cases, "PATIENCE_S", 0.0)
    job.stop()
    time.sleep(0.01)
    job.poll()
    assert worker.cancelled
    job.poll()
    assert job.state == "cancelled"
    page.panel.state.many.cancel()
    page.panel.state.many.poll()


def test_a_closed_panel_leaves_no_child_behind(module, child, tmp_path):
    with open_widget(module) as page:
        page.ui.casesFolderButton.setDirectory(str(tmp_path))
        _job, worker = running(page, child, WAITING)
    assert worker.cancelled


def test_failed_cases_come_first_with_reason_remedy_and_log(page, child, tmp_path):
    log = tmp_path / "p2.log"
    log.touch()
    job, worker = running(page, child, WAITING, FoundCase("p4", run=True))
    failed = {"reason": "It crashed, most likely for lack of memory.", "remedy": "Use fewer."}
    worker.lines = [
        {"kind": "case", "case": "p4", "state": "done", "seconds": 9.0, "reason": "", "remedy": ""},
        {"kind": "case", "case": "p2", "state": "failed", "seconds": 3.0, **failed},
    ]
    worker.end(10)
    job.poll()
    child[-1].lines = [
        told(FoundCase("p4", "done", outputs={}, doubtfulShare=0.25)),
        told(FoundCase("p2", "failed"), log=str(log), **failed),
    ]
    child[-1].end()
    page.panel.state.many.poll()
    assert rows(page) == [("p2", "failed", ""), ("p4", "done", "25 %")]
    text = page.ui.caseLabel.text()
    assert "lack of memory" in text and "Use fewer" in text and log.as_uri() in text
    assert page.ui.manyLabel.text() == "Ended after 0 s. failed 1, done 1."


# Results


@pytest.fixture
def three(page, child, tmp_path):
    """Three results, found; the most uncertain first: p2, p3, p1."""
    shares = {"p1": 0.1, "p2": 0.9, "p3": 0.5}
    cases = [write_result(tmp_path, name, share=share) for name, share in shares.items()]
    look(page, child, *map(told, cases), LACKING)
    return page


def name_of_open(page):
    return page.panel.state.segmentation.GetName()


def test_results_are_opened_one_after_the_other_the_most_uncertain_first(three, module):
    ui = three.ui
    ui.nextCaseButton.click()
    assert name_of_open(three) == "p2"
    parameters = three.panel.parameters
    assert [getattr(parameters, s).GetName() for s in ("t1", "t1ce", "flair")] == [
        *("t1", "t1ce", "flair")
    ]
    assert not ui.resultButton.getCollapsed() and ui.volumesTable.rowCount() > 3
    ui.nextCaseButton.click()
    assert name_of_open(three) == "p3"
    ui.nextCaseButton.click()
    assert name_of_open(three) == "p1"
    assert not ui.nextCaseButton.isEnabled()
    ui.previousCaseButton.click()
    assert name_of_open(three) == "p3"
    ui.casesTable.selectRow(1)
    ui.openCaseButton.click()
    assert name_of_open(three) == "p2" and not ui.previousCaseButton.isEnabled()
    assert module.questions == []
    ui.readerEdit.setText("Reader One")
    ui.recordButton.click()
    assert [r.reader for r in readReviews(three.panel.state.segmentation)] == ["Reader One"]


def test_unsaved_corrections_are_lost_only_after_asking(three, module):
    ui = three.ui
    ui.nextCaseButton.click()
    correct(three.panel.state.segmentation, three.panel.parameters.t1ce)
    module.answer = False
    ui.nextCaseButton.click()
    assert name_of_open(three) == "p2"
    assert "“p2” are not saved. Open “p3”" in module.questions[0]
    module.answer = True
    ui.nextCaseButton.click()
    assert name_of_open(three) == "p3" and len(module.questions) == 2


def test_what_was_saved_back_is_not_asked_for(three, module, tmp_path):
    ui = three.ui
    ui.nextCaseButton.click()
    node = three.panel.state.segmentation
    correct(node, three.panel.parameters.t1ce)
    writeReview(node, "Reader One", "corrected")
    assert ui.folderButton.directory == str(tmp_path / "results" / "p2")
    for check in (ui.htmlCheck, ui.niftiCheck, ui.dicomCheck):
        check.setChecked(False)
    ui.segNrrdCheck.setChecked(True)
    ui.jsonCheck.setChecked(True)
    ui.saveButton.click()
    assert "Replace p2.seg.nrrd" in module.questions.pop()
    three.panel.saving._noteSaved(three.panel.saving.job)
    ui.nextCaseButton.click()
    assert name_of_open(three) == "p3" and module.questions == []


def test_a_result_that_cannot_be_opened_leaves_the_one_before(three, module, tmp_path):
    three.ui.nextCaseButton.click()
    (tmp_path / "results" / "p3" / "p3.seg.nrrd").unlink()
    three.ui.nextCaseButton.click()
    assert "p3.seg.nrrd" in module.errors.pop()
    assert name_of_open(three) == "p2"


def test_a_result_changed_by_hand_can_be_opened_and_is_said_to_stay(page, child, tmp_path):
    case = write_result(tmp_path, "p1")
    changed = {"reason": "p1.seg.nrrd was changed after it was made.", "remedy": "--overwrite"}
    look(page, child, {**told(case), "state": "stale", **changed})
    assert rows(page)[0][1] == "changed by hand"
    assert "left as it is" in page.ui.caseLabel.text()
    assert "--overwrite" not in page.ui.caseLabel.text()
    page.ui.openCaseButton.click()
    assert name_of_open(page) == "p1"


def test_the_page_with_all_results_is_opened_in_the_browser(page, child, monkeypatch, tmp_path):
    import sys

    opened = []
    qt = qt_module()
    qt.QDesktopServices = type("Services", (), {"openUrl": staticmethod(opened.append)})
    monkeypatch.setitem(sys.modules, "qt", qt)
    look(page, child, told(WAITING))
    assert not page.ui.pageButton.isEnabled()
    look(page, child, told(WAITING), page_file=str(tmp_path / "cohort.html"))
    page.ui.pageButton.click()
    assert opened[0].toLocalFile() == str(tmp_path / "cohort.html")


def test_cases_are_in_the_order_of_the_page():
    states = ("done", "waiting", "running", "stale", "unusable", "failed")
    cases = [FoundCase(f"c{n}", state) for n, state in enumerate(states)]
    cases.append(FoundCase("c9", "done", doubtfulShare=0.5))
    assert [case.name for case in inOrder(cases)] == [*("c5", "c4", "c3", "c2", "c1", "c9", "c0")]


# With the real child


def test_a_folder_is_segmented_by_the_real_child_and_opened(widget, module, tmp_path):
    write_cases(tmp_path / "cases", 1)
    widget.ui.manyButton.setCollapsed(False)
    widget.ui.casesFolderButton.setDirectory(str(tmp_path / "cases"))
    parameters = widget.panel.parameters
    parameters.members, parameters.device = 1, "cpu"
    parameters.views, parameters.registration = module.Views.NONE, module.Registration.NONE
    parameters.brain, parameters.shading = module.Brain.STRIPPED, module.Shading.OFF
    state, ui = widget.panel.state, widget.ui

    def until(condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, ui.manyLabel.text()
            state.many.poll()
            time.sleep(0.02)

    ui.lookButton.click()
    until(lambda: not state.manyBusy)
    assert [row[1] for row in rows(widget)] == ["waiting"]
    assert "the name says" in ui.caseLabel.text()
    ui.segmentAllButton.click()
    until(lambda: not state.manyBusy, 300)
    assert [case.state for case in state.many.cases.values()] == ["done"]
    ui.nextCaseButton.click()
    assert state.result.report["pack"]["name"] == "glioma-lite"
    assert not ui.segmentAllButton.isEnabled() and ui.pageButton.isEnabled()
