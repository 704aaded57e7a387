"""*Check my system*: what was found, and what can be done about it."""

from __future__ import annotations

import re

from ..host.job import pollUntilOver
from ..host.translation import told
from ..host.translation import tr as _
from ..install.system_check import OK, PROBLEM, WARNING, Finding, SystemCheck, perform
from .dialogs import errorsShown
from .looks import DOUBT, GOOD, WRONG, dot
from .state import PanelState

#: Colors of the statuses.
COLORS = {OK: GOOD, WARNING: DOUBT, PROBLEM: WRONG}

#: Pixels for the names of what was looked at; longer ones are wrapped.
NAME_WIDTH = 120

#: Graphics cards as the doctor names them.
CARD = r"cuda:\d+"


class SystemSection:
    """The section *System*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self.check: SystemCheck | None = None
        self._shown: tuple[Finding, ...] = ()
        ui = state.ui
        self._prepareTable()
        ui.checkButton.clicked.connect(self.onCheck)
        ui.findingsTable.itemSelectionChanged.connect(self.onSelection)
        ui.remedyButton.clicked.connect(self.onRemedy)
        ui.copyFindingsButton.clicked.connect(self.onCopy)
        state.observe(self.update)

    def onCheck(self) -> None:
        """Start the check; it takes seconds and blocks nothing."""
        self.cancel()
        self._shown = ()
        self.check = SystemCheck(self.onFinished)
        self.check.start()
        if self.check is not None and self.check.running:
            pollUntilOver(self.check)
        self.update()

    def onFinished(self, check: SystemCheck) -> None:
        """The check is complete."""
        self.check = check
        cards = [f for f in check.findings if re.fullmatch(CARD, f.name) and f.status != PROBLEM]
        self.state.devices = [(f.name, f"{f.name}: {f.detail}") for f in cards]
        self.state.changed()
        self.update()

    def onSelection(self) -> None:
        """Another finding was chosen: show what can be done about it."""
        finding = self._selected()
        ui = self.state.ui
        ui.remedyLabel.text = told(finding.remedy or "") if finding is not None else ""
        ui.remedyLabel.visible = bool(ui.remedyLabel.text)
        action = finding.action if finding is not None else None
        ui.remedyButton.enabled = action is not None
        ui.remedyButton.text = action.title if action is not None else _("Nothing to do")

    def onRemedy(self) -> None:
        """Do what is advised for the chosen finding."""
        finding = self._selected()
        if finding is None or finding.action is None:
            return
        with errorsShown():
            message = perform(finding.action)
            if message:
                self.state.ui.systemLabel.text = message
            self.state.readPacks()
            self.state.changed()

    def onCopy(self) -> None:
        """Put all findings into the clipboard."""
        import qt

        if self.check is not None:
            qt.QApplication.clipboard().setText(self.check.text())
            self.state.ui.systemLabel.text = _("The findings are in the clipboard.")

    def cancel(self) -> None:
        """Stop the check."""
        if self.check is not None and self.check.running:
            self.check.cancel()
        self.check = None

    def update(self) -> None:
        """Show what was found."""
        ui, check = self.state.ui, self.check
        running = check is not None and check.running
        findings = check.findings if check is not None else ()
        ui.checkButton.enabled = not running
        ui.findingsTable.visible = bool(findings)
        ui.remedyButton.visible = bool(findings)
        ui.copyFindingsButton.visible = bool(findings)
        if findings != self._shown or not findings:
            self._shown = findings
            self._show(findings)
            ui.systemLabel.text = self._summary(findings, running)
            ui.systemLabel.visible = bool(ui.systemLabel.text)

    def _summary(self, findings: tuple[Finding, ...], running: bool) -> str:
        if running:
            return _("Looking …")
        if not findings:
            return ""
        wrong = sum(finding.status == PROBLEM for finding in findings)
        doubtful = sum(finding.status == WARNING for finding in findings)
        if wrong:
            return _("{count} of {total} need attention before a run can work.").format(
                count=wrong, total=len(findings)
            )
        if doubtful:
            return _("Everything works; {count} of {total} could be better.").format(
                count=doubtful, total=len(findings)
            )
        return _("Everything is in order.")

    def _prepareTable(self) -> None:
        import qt

        table = self.state.ui.findingsTable
        table.columnCount = 2
        table.setHorizontalHeaderLabels([_("What"), _("Found")])
        table.verticalHeader().visible = False
        # Rows as high as their wrapped texts, whatever the width.
        table.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header = table.horizontalHeader()
        header.resizeSection(0, NAME_WIDTH)
        header.setSectionResizeMode(1, qt.QHeaderView.Stretch)
        table.visible = False

    def _show(self, findings: tuple[Finding, ...]) -> None:
        import qt

        table = self.state.ui.findingsTable
        table.rowCount = len(findings)
        for row, finding in enumerate(findings):
            name, detail, remedy = map(told, (finding.name, finding.detail, finding.remedy or ""))
            for column, text in enumerate((name, detail)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip("\n".join(filter(None, (detail, remedy))))
                table.setItem(row, column, item)
            table.item(row, 0).setIcon(dot(COLORS[finding.status]))
        if findings:
            table.selectRow(0)
        self.onSelection()

    def _selected(self) -> Finding | None:
        row = self.state.ui.findingsTable.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else None
