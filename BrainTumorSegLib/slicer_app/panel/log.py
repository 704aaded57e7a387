"""The log of what was done, and a report of it to paste into a message."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.option_fields import command_line
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.slicer_app.host.translation import tr as _

if TYPE_CHECKING:
    from BrainTumorSegLib.slicer_app.panel.panel import Panel


class LogSection:
    """The collapsible log below the progress bar."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._shown: list[str] = []
        panel.ui.copyReportButton.clicked.connect(self.onCopy)

    def update(self) -> None:
        """Show lines that have come; the view stays where a reader has scrolled to."""
        run = self.panel.run.current
        lines = list(run.log) if run is not None else []
        text = self.panel.ui.logText
        if lines[: len(self._shown)] != self._shown or not lines:
            text.plainText = "\n".join(lines)
        elif len(lines) > len(self._shown):
            text.appendPlainText("\n".join(lines[len(self._shown) :]))
        self._shown = lines
        self.panel.ui.copyReportButton.enabled = bool(lines)

    def onCopy(self) -> None:
        """Put the report into the clipboard."""
        import qt

        qt.QApplication.clipboard().setText(self.report())
        self.panel.ui.stageLabel.text = _("The report is in the clipboard.")

    def report(self) -> str:
        """Versions, choices, outcome and log; the log has the names of the scans in it."""
        run = self.panel.run.current
        lines = [
            f"BrainTumorSeg {__version__}",
            f"{_application()}, Python {platform.python_version()}, {platform.platform()}",
        ]
        if run is not None:
            settings = run.settings
            given = ", ".join(sequence.name for sequence in settings.scans)
            chosen = " ".join(command_line(settings.options))
            lines.append(f"Settings: {given} on {settings.reference.name}, {chosen}")
            lines.append(f"State: {run.state}")
            if run.error is not None:
                lines.append(f"Error: {run.error}")
        return "\n".join([*lines, "", *self._shown]) + "\n"


def _application() -> str:
    import slicer

    app = getattr(slicer, "app", None)
    return f"{app.applicationName} {app.applicationVersion}" if app is not None else "no Slicer"
