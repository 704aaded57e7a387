"""*Many cases*: a folder of cases is looked at, segmented, and its results are opened in turn."""

from __future__ import annotations

import time
from collections import Counter
from html import escape
from pathlib import Path

from ..host.application import CASES_FOLDER, RESULTS_FOLDER, getSetting, setSetting
from ..host.job import endBeforeQuitting, pollUntilOver
from ..host.translation import told
from ..host.translation import tr as _
from ..install.dependencies import installMissing
from ..run.many_cases import CohortJob, FoundCase, inOrder
from ..run.opening import replaceCase
from ..run.progress import duration
from ..run.settings import cohortArguments, extrasFor, settingsFrom
from ..viewing.display import showResult
from ..viewing.ending import endLooking
from ..viewing.reading import isReading, showReadingLayout
from .dialogs import confirm, errorsShown, showError
from .looks import (
    DOUBT,
    FULL,
    GOOD,
    ROW_HEIGHT,
    WRONG,
    bringIntoSight,
    dot,
    prepareTable,
    tableItem,
)
from .state import PanelState
from .wording import caseState, timeLeft

#: Color of the sign of each state; others have none.
COLORS = {"done": GOOD, "stale": DOUBT, "failed": WRONG, "unusable": WRONG}

#: Pixels that the list of cases takes at most.
TABLE_HEIGHT = 180

#: What is added to the name of the folder of cases for that of the results.
ENDING = "-results"


class ManySection:
    """The section *Many cases*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._shown: list[FoundCase] = []
        #: What was found, with these arguments; with others it says nothing any more.
        self._found: dict[str, FoundCase] = {}
        self._foundWith: list[str] | None = None
        self._page: Path | None = None
        self._outcome = ""
        self._started = 0.0
        self._abandoned = self._filling = False
        self._casesFolder = self._resultsFolder = ""
        ui = state.ui
        self._prepareTable()
        ui.casesFolderButton.directoryChanged.connect(self.onCasesFolder)
        ui.resultsFolderButton.directoryChanged.connect(self.onResultsFolder)
        # Both are read first: choosing the first proposes the second.
        folders = getSetting(CASES_FOLDER), getSetting(RESULTS_FOLDER)
        buttons = ui.casesFolderButton, ui.resultsFolderButton
        for button, folder in zip(buttons, folders, strict=True):
            if folder:
                button.directory = folder
            else:
                button.text = _("Choose a folder …")
        ui.retryCheck.toggled.connect(state.changed)
        ui.lookButton.clicked.connect(self.onLook)
        ui.segmentAllButton.clicked.connect(self.onSegment)
        ui.cancelManyButton.clicked.connect(self.onCancel)
        ui.casesTable.itemSelectionChanged.connect(self.onSelection)
        ui.casesTable.cellDoubleClicked.connect(self.onOpen)
        ui.openCaseButton.clicked.connect(self.onOpen)
        ui.previousCaseButton.clicked.connect(self.onPrevious)
        ui.nextCaseButton.clicked.connect(self.onNext)
        ui.pageButton.clicked.connect(self.onPage)
        state.observe(self.update)

    # Folders

    def onCasesFolder(self, folder: str) -> None:
        """Remember the folder, and propose one beside it for the results."""
        self._casesFolder = str(folder)
        # Said here: of a folder that was never chosen the button says the present one.
        self.state.ui.casesFolderButton.text = str(folder)
        setSetting(CASES_FOLDER, folder)
        place = Path(folder)
        self.state.ui.resultsFolderButton.directory = str(place.with_name(place.name + ENDING))
        self.state.changed()

    def onResultsFolder(self, folder: str) -> None:
        """Remember the folder."""
        self._resultsFolder = str(folder)
        self.state.ui.resultsFolderButton.text = str(folder)
        setSetting(RESULTS_FOLDER, folder)
        self.state.changed()

    def arguments(self) -> list[str]:
        """The command line for what is chosen."""
        return cohortArguments(
            settingsFrom(self.state.parameters),
            Path(self._casesFolder),
            Path(self._resultsFolder),
            self.state.formats,
            self.state.ui.retryCheck.checked,
        )

    # Looking and segmenting

    def onLook(self) -> None:
        """Find the cases; nothing is computed."""
        with errorsShown():
            self._outcome = ""
            self._start([*self.arguments(), "--dry-run"])
        self.state.changed()

    def onSegment(self) -> None:
        """Segment what was found."""
        with errorsShown():
            self._started, self._outcome = time.monotonic(), ""
            self._start(self.arguments())
        self.state.changed()

    def _start(self, arguments: list[str]) -> None:
        if self.state.busy or self.state.manyBusy:
            return
        installMissing(extrasFor(settingsFrom(self.state.parameters)), self._showInstalling)
        self._launch(arguments)

    def _launch(self, arguments: list[str]) -> None:
        looks = "--dry-run" in arguments
        known = {} if looks else self._found
        job = CohortJob(arguments, known, self.onChange, self.onFinished)
        job.start()
        self.state.many = job
        pollUntilOver(job)

    def _showInstalling(self) -> None:
        self.state.ui.manyLabel.text = _("Installing packages …")

    def onCancel(self) -> None:
        """First let the running cases finish, then stop them too."""
        job = self.state.many
        if not self.state.manyBusy:
            return
        if job.looksOnly:
            job.cancel()
        elif job.finishing:
            job.stop()
        else:
            job.finish()
        self.update()

    def onChange(self, job: CohortJob) -> None:
        """The child has told something."""
        if self._abandoned:
            return
        if not job.looksOnly:
            self._found = job.cases
        self.update()

    def onFinished(self, job: CohortJob) -> None:
        """The child has ended, one way or the other."""
        if self._abandoned:
            return
        if job.looksOnly and job.state == "finished":
            self._found, self._page = job.cases, job.page
            self._foundWith = [word for word in job.arguments if word != "--dry-run"]
        elif not job.looksOnly:
            self._found = job.cases
            self._outcome = self._told(job)
        self.state.changed()
        if job.error is not None:
            showError(job.error, job.logTail)
        elif not job.looksOnly:
            # Where every case stands now, and whether the page is there.
            with errorsShown():
                self._launch([*job.arguments, "--dry-run"])
            self.state.changed()

    def abandon(self) -> None:
        """End it without touching a widget again; what is done stays done."""
        self._abandoned = True
        job = self.state.many
        if not self.state.manyBusy:
            return
        job.cancel()
        endBeforeQuitting(job)

    # Opening results

    def onOpen(self, *_cell: int) -> None:
        """Open the result of the chosen case."""
        case = self._selected()
        if case is not None and self._mayOpen(case):
            self._open(case)

    def onPrevious(self) -> None:
        """Open the result above."""
        self._step(-1)

    def onNext(self) -> None:
        """Open the result below."""
        self._step(1)

    def _step(self, by: int) -> None:
        number = self._neighbour(by)
        if number is not None and self._open(self._shown[number]):
            self.state.ui.casesTable.selectRow(number)

    def _neighbour(self, by: int) -> int | None:
        """Line of the next result above or below the one that is open; the first if none is."""
        numbers = [n for n, case in enumerate(self._shown) if self._mayOpen(case)]
        opened = self.state.opened.name if self.state.opened is not None else None
        names = [case.name for case in self._shown]
        here = names.index(opened) if opened in names else -1
        beyond = [n for n in numbers if (n - here) * by > 0]
        return (min if by > 0 else max)(beyond, default=None)

    def _mayOpen(self, case: FoundCase) -> bool:
        return case.hasResult and case.state in ("done", "stale") and not self.state.busy

    def _open(self, case: FoundCase) -> bool:
        """Replace the case that is open, after asking; whether it was done."""
        opened, parameters = self.state.opened, self.state.parameters
        if opened is not None and opened.isUnsaved():
            question = _(
                "Corrections or reviews of “{name}” are not saved. Open “{other}” and lose them?"
            )
            question = question.format(name=opened.name, other=case.name)
            if not confirm(question, _("Not saved")):
                return False
        reading = isReading()
        with errorsShown():
            endLooking()
            self.state.opened = opened = replaceCase(opened, case, settingsFrom(parameters))
            for sequence in ("t1", "t1ce", "flair"):
                scans = {s.value: node for s, node in opened.scans.items()}
                setattr(parameters, sequence, scans.get(sequence))
            self.state.forgetResult()
            parameters.outputSegmentation, parameters.result = None, opened.segmentation
            self.state.ui.resultButton.collapsed = False
            showResult(opened.result, show3D=parameters.show3D)
            if reading:
                # Who reads side by side goes on so with the next case.
                showReadingLayout(opened.result)
            self.state.changed()
            # The result begins right below these buttons.
            bringIntoSight(self.state.ui.openCaseButton)
            return True
        self.state.changed()
        return False

    def onPage(self) -> None:
        """Show the page with all results in the browser."""
        import qt

        if self._page is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._page)))

    # What is shown

    def update(self) -> None:
        """Show what was found, how far it is, and what can be pressed."""
        if self.state.parameters is None:
            return
        ui, job = self.state.ui, self.state.many
        busy = self.state.manyBusy
        idle = not (busy or self.state.busy)
        ready = bool(self._casesFolder and self._resultsFolder)
        current = ready and self._foundWith == self.arguments()
        toRun = sum(case.run for case in self._found.values())
        for widget in (ui.casesFolderButton, ui.resultsFolderButton, ui.retryCheck):
            widget.enabled = not busy
        ui.lookButton.enabled = idle and ready
        ui.segmentAllButton.enabled = idle and current and toRun > 0
        ui.segmentAllButton.toolTip = (
            _("Segment every case that is not done.") if current else _("Look for cases first.")
        )
        ui.cancelManyButton.enabled = busy and job.state == "running"
        finishing = busy and job.finishing
        ui.cancelManyButton.text = _("Stop now") if finishing else _("Cancel")
        ui.manyProgress.visible = busy
        if busy:
            ui.manyProgress.value = round(FULL * job.fraction)
        ui.manyLabel.text = self._status(ready, current, toRun)
        ui.pageButton.enabled = self._page is not None
        self._showCases()

    def _status(self, ready: bool, current: bool, toRun: int) -> str:
        job = self.state.many
        if self.state.manyBusy:
            return _progress(job)
        if not ready:
            return _("Choose the folder with the cases.")
        if self._outcome and current:
            return self._outcome
        if self._foundWith is None:
            return _("Look for cases first.")
        if not current:
            return _("Folders or settings have changed: look for cases again.")
        counts = Counter(case.state for case in self._found.values())
        told_ = ", ".join(f"{caseState(state)} {count}" for state, count in counts.items())
        text = _("{count} cases, {run} to be segmented ({states}).")
        return text.format(count=len(self._found), run=toRun, states=told_)

    def _told(self, job: CohortJob) -> str:
        """How a run has ended."""
        if job.state == "failed":
            return _("It failed. What was done stays done.")
        counts = Counter(case.state for case in job.cases.values())
        text = (
            _("Stopped after {time}. Segment all goes on with the rest. {states}.")
            if job.state == "cancelled"
            else _("Ended after {time}. {states}.")
        )
        states = ", ".join(f"{caseState(state)} {count}" for state, count in counts.items())
        return text.format(time=duration(time.monotonic() - self._started), states=states)

    def _prepareTable(self) -> None:
        table = self.state.ui.casesTable
        prepareTable(table, [_("Case"), _("State"), _("Uncertain")])
        table.horizontalHeaderItem(2).setToolTip(
            _("Volume in which the networks were uncertain, in percent of the tumour.")
        )

    def _showCases(self) -> None:
        """Fill the table when the cases have changed; the chosen one stays chosen."""
        ui, cases = self.state.ui, inOrder(self._found.values())
        ui.casesTable.visible = bool(cases)
        for button in (ui.previousCaseButton, ui.openCaseButton, ui.nextCaseButton, ui.pageButton):
            button.visible = bool(cases)
        if cases != self._shown:
            chosen = self._selected()
            self._shown, self._filling = cases, True
            self._fill()
            names = [case.name for case in cases]
            if cases:
                ui.casesTable.selectRow(
                    names.index(chosen.name) if chosen is not None and chosen.name in names else 0
                )
            self._filling = False
        self.onSelection()

    def _fill(self) -> None:
        table = self.state.ui.casesTable
        table.rowCount = len(self._shown)
        for row, case in enumerate(self._shown):
            share = case.doubtfulShare
            uncertain = f"{100 * share:.0f} %" if share is not None else ""
            texts = (case.name, caseState(case.state, case.run), uncertain)
            for column, text in enumerate(texts):
                cell = tableItem(text, figure=column == 2)
                cell.setToolTip(case.name if column == 0 else told(case.reason))
                table.setItem(row, column, cell)
            color = DOUBT if case.problem else COLORS.get(case.state)
            if color is not None:
                table.item(row, 0).setIcon(dot(color))
        height = table.horizontalHeader().height + 4 + ROW_HEIGHT * len(self._shown)
        table.setFixedHeight(min(height, TABLE_HEIGHT))

    def onSelection(self) -> None:
        """Another case was chosen: say what was taken for it, and why it is not done."""
        if self._filling:
            return
        ui, case = self.state.ui, self._selected()
        ui.caseLabel.text = _description(case) if case is not None else ""
        ui.caseLabel.visible = bool(ui.caseLabel.text)
        ui.openCaseButton.enabled = case is not None and self._mayOpen(case)
        ui.previousCaseButton.enabled = self._neighbour(-1) is not None
        ui.nextCaseButton.enabled = self._neighbour(1) is not None

    def _selected(self) -> FoundCase | None:
        row = self.state.ui.casesTable.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else None


def _progress(job: CohortJob) -> str:
    """How far a job is, in one line."""
    if job.looksOnly:
        return _("Looking for cases …")
    if job.state == "cancelling":
        return _("Stopping …")
    parts = [_("{done} of {total} cases").format(done=job.done, total=job.total)]
    if job.finishing:
        parts.append(_("finishing the cases that are running"))
    elif job.secondsLeft is not None:
        parts.append(timeLeft(job.secondsLeft))
    return " · ".join(parts)


def _description(case: FoundCase) -> str:
    """What is known of a case, as rich text."""
    remedy = told(case.remedy)
    if case.state == "stale" and not case.run:
        remedy = _("It is left as it is. To have it made again, move it away.")
    reasons = " ".join(filter(None, (told(case.reason), remedy, told(case.problem))))
    lines = [f"⚠ {escape(reasons)}"] if reasons else []
    for sequence, name in case.taken().items():
        reason = escape(
            told(case.reasons.get(sequence.value, "")).removeprefix(f"{sequence.name}: ")
        )
        said = ", ".join(filter(None, (escape(name), reason)))
        lines.append(f"<b>{sequence.name}</b>: {said}")
    if case.leftOut:
        left = "; ".join(escape(told(text)) for text in case.leftOut)
        lines.append(_("Left out: {files}").format(files=left))
    if case.log:
        lines.append(f'<a href="{Path(case.log).as_uri()}">{_("Log")}</a>')
    return "<br>".join(lines)
