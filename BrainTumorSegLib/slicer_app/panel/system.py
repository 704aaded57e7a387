"""*Check my system*: what was found, and what can be done about it."""

from __future__ import annotations

import re
from typing import Any

from ..host.job import pollUntilOver
from ..host.translation import tr as _
from ..install.system_check import OK, PROBLEM, WARNING, Finding, SystemCheck, perform
from .dialogs import errorsShown
from .state import PanelState

#: Colours of the statuses, legible on light and dark windows.
COLORS = {OK: "#2e9d4f", WARNING: "#d18b00", PROBLEM: "#d63b3b"}

#: Graphics cards as the doctor names them.
CARD = r"cuda:\d+"


class SystemSection:
    """The section *System*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self.check: SystemCheck | None = None
        self._shown: tuple[Finding, ...] = ()
        ui = state.ui
        self._prepareTree()
        ui.checkButton.clicked.connect(self.onCheck)
        ui.findingsTree.itemSelectionChanged.connect(self.onSelection)
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
        ui.remedyLabel.text = (finding.remedy or "") if finding is not None else ""
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
        ui.findingsTree.visible = bool(findings)
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

    def _prepareTree(self) -> None:
        import qt

        tree = self.state.ui.findingsTree
        tree.columnCount = 2
        tree.setHeaderLabels([_("What"), _("Found")])
        tree.header().setSectionResizeMode(0, qt.QHeaderView.ResizeToContents)
        tree.visible = False

    def _show(self, findings: tuple[Finding, ...]) -> None:
        import qt

        tree = self.state.ui.findingsTree
        tree.clear()
        for finding in findings:
            item = qt.QTreeWidgetItem()
            item.setText(0, finding.name)
            item.setText(1, finding.detail)
            item.setIcon(0, _dot(COLORS[finding.status]))
            for column in (0, 1):
                item.setToolTip(column, "\n".join(filter(None, (finding.detail, finding.remedy))))
            tree.addTopLevelItem(item)
        if findings:
            tree.setCurrentItem(tree.topLevelItem(0))
        self.onSelection()

    def _selected(self) -> Finding | None:
        tree = self.state.ui.findingsTree
        item = tree.currentItem()
        index = tree.indexOfTopLevelItem(item) if item is not None else -1
        return self._shown[index] if 0 <= index < len(self._shown) else None


def _dot(color: str) -> Any:
    """A small round icon."""
    import qt

    pixmap = qt.QPixmap(12, 12)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(pixmap)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    painter.setPen(qt.QPen(qt.QColor(color)))
    painter.setBrush(qt.QBrush(qt.QColor(color)))
    painter.drawEllipse(1, 1, 10, 10)
    painter.end()
    return qt.QIcon(pixmap)
