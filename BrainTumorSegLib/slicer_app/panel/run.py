"""*Apply*, *Cancel*, how far the run has come, and its log."""

from __future__ import annotations

import platform
import time
from typing import Any

from BrainTumorSegLib.core.option_fields import command_line
from BrainTumorSegLib.core.progress import ProgressEvent
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.version import __version__

from .. import api
from ..guess.doubts import doubtsAbout
from ..host.job import endBeforeQuitting
from ..host.translation import tr as _
from ..install.dependencies import installMissing
from ..run.inputs import whatIsMissing
from ..run.progress import duration
from ..run.segmentation_run import SegmentationRun
from ..run.settings import RunSettings, extrasFor, settingsFrom
from ..viewing.display import show3D, showResult
from .dialogs import confirm, errorsShown, showError, showFailure
from .looks import FULL, bringIntoSight
from .state import PanelState
from .wording import costOfMissing, progressText


class RunSection:
    """The buttons that start and stop, the progress bar, the line below it, and the log."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._started = 0.0
        self._abandoned = False
        self._outcome = ""
        #: What was chosen when that came about; with other choices it says nothing any more.
        self._outcomeOf: tuple[Any, ...] | None = None
        #: Questions that were answered with yes, and are not asked again.
        self._agreed: set[str] = set()
        self._shownLog: list[str] = []
        state.ui.applyButton.clicked.connect(self.onApply)
        state.ui.cancelButton.clicked.connect(self.cancel)
        state.ui.copyReportButton.clicked.connect(self.onCopyReport)
        state.observe(self.update)

    def onApply(self) -> None:
        """Start, after asking what must be asked; an error is shown once, in one window."""
        try:
            self.apply()
        except Exception as error:
            self._setOutcome(_("It could not be started."))
            self.state.changed()
            showError(error)

    def apply(self) -> None:
        """Start a run with what is chosen.

        Raises:
            BrainTumorSegError: when it cannot start; nothing was changed.
        """
        if self.state.busy or self.missing():
            return
        settings = settingsFrom(self.state.parameters)
        if not (self._mayCompute(settings) and self._mayReplace(settings.outputSegmentation)):
            return
        installMissing(extrasFor(settings), lambda: self._show(0.0, _("Installing packages …")))
        self._started = time.monotonic()
        self._setOutcome("")
        self._show(0.0, _("Starting"))
        self.state.run = api.start(settings, self.onProgress, self.onFinished)
        self.state.changed()

    def cancel(self) -> None:
        """Ask the run to stop; the answer is seen at once, the end follows within seconds."""
        if self.state.busy:
            self.state.ui.cancelButton.enabled = False
            self.state.ui.stageLabel.text = _("Cancelling …")
            self.state.run.cancel()

    def abandon(self) -> None:
        """Stop without touching a widget again: the panel is about to be destroyed."""
        self._abandoned = True
        if not self.state.busy:
            return
        self.state.run.cancel()
        endBeforeQuitting(self.state.run)

    def missing(self) -> list[str]:
        """What must be done before *Apply* can work."""
        if self.state.manyBusy:
            # Both together would lack memory and cores.
            return [_("Wait until the search for cases, or their segmentation, has ended.")]
        return whatIsMissing(
            settingsFrom(self.state.parameters),
            self.state.pack,
            self.state.python,
        )

    def update(self) -> None:
        """Enable *Apply* when it can work; its tooltip says what is missing."""
        self._showLog()
        ui, busy = self.state.ui, self.state.busy
        missing = [] if busy else self.missing()
        ui.applyButton.enabled = not busy and not missing
        ui.cancelButton.enabled = busy and self.state.run.state == "running"
        ui.progressBar.visible = busy
        if busy:
            ui.applyButton.toolTip = _("A run is in progress.")
            return
        ui.applyButton.toolTip = (
            "\n".join(missing) if missing else _("Segment the tumour on the chosen scans.")
        )
        if self._outcomeOf != self._present():
            self._setOutcome("")
        ui.stageLabel.text = missing[0] if missing else self._outcome or _("Ready.")

    def forget(self) -> None:
        """The scene was emptied: what was done in it is of no interest any more."""
        self._setOutcome("")
        self._agreed.clear()
        self.state.ui.stageLabel.text = ""

    def _setOutcome(self, text: str) -> None:
        self._outcome, self._outcomeOf = text, self._present()

    def _present(self) -> tuple[Any, ...]:
        """What an outcome speaks of: the choices, and the result."""
        parameters = self.state.parameters
        if parameters is None:
            return ()
        return settingsFrom(parameters), self.state.segmentation

    def onProgress(self, event: ProgressEvent) -> None:
        """Show what the run reports."""
        if self._abandoned:
            return
        cancelling = self.state.run is not None and self.state.run.state == "cancelling"
        if event.kind == "progress" and not cancelling:
            self._show(event.fraction, progressText(event))
        self._showLog()

    def onFinished(self, run: SegmentationRun) -> None:
        """The run is over, one way or the other."""
        if self._abandoned:
            return
        self.state.run = run
        spent = duration(time.monotonic() - self._started)
        if run.state == "finished":
            self._showResult(run)
            self._setOutcome(_("Done in {time}.").format(time=spent))
        elif run.state == "cancelled":
            self._setOutcome(_("Cancelled; nothing was changed."))
        else:
            self._setOutcome(_("It failed; nothing was changed."))
            self.state.ui.logBox.collapsed = False
        self.state.changed()
        if run.state == "failed" and run.failure is not None:
            showFailure(run.failure)

    def _showResult(self, run: SegmentationRun) -> None:
        """Show the new result; that it cannot be shown does not make it fail."""
        parameters = self.state.parameters
        if parameters is None:
            return
        node = run.result.segmentationNode
        self.state.forgetResult()
        parameters.result = node
        self.state.ui.resultButton.collapsed = False
        with errorsShown():
            showResult(run.result, show3D=parameters.show3D)
            if not parameters.show3D:
                show3D(node, False)
        bringIntoSight(self.state.ui.resultButton)

    def _show(self, fraction: float, text: str) -> None:
        self.state.ui.progressBar.value = round(FULL * fraction)
        self.state.ui.stageLabel.text = text

    def _mayCompute(self, settings: RunSettings) -> bool:
        """Ask once whether a run that will probably be wrong, or worse, is meant."""
        doubts = doubtsAbout(settings.scans)
        doubts += [costOfMissing(s) for s in Sequence if s not in settings.scans]
        question = "\n\n".join([*doubts, _("Segment all the same?")])
        if doubts and question not in self._agreed:
            if not confirm(question, _("Before the run")):
                return False
            self._agreed.add(question)
        return True

    def _mayReplace(self, node: object) -> bool:
        if node is None or node.GetSegmentation().GetNumberOfSegments() == 0:
            return True
        return confirm(
            _("Replace the tumour in “{name}”? Corrections made to it are lost.").format(
                name=node.GetName()
            ),
            _("Replace segmentation"),
        )

    def _showLog(self) -> None:
        """Show lines that have come; the view stays where a reader has scrolled to."""
        run = self.state.run
        lines = list(run.log) if run is not None else []
        text = self.state.ui.logText
        if lines[: len(self._shownLog)] != self._shownLog or not lines:
            text.plainText = "\n".join(lines)
        elif len(lines) > len(self._shownLog):
            text.appendPlainText("\n".join(lines[len(self._shownLog) :]))
        self._shownLog = lines
        self.state.ui.copyReportButton.enabled = bool(lines)

    def onCopyReport(self) -> None:
        """Put the report into the clipboard."""
        import qt

        qt.QApplication.clipboard().setText(self.report())
        self.state.ui.stageLabel.text = _("The report is in the clipboard.")

    def report(self) -> str:
        """Versions, choices, outcome and log; the log has the names of the scans in it."""
        run = self.state.run
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
        return "\n".join([*lines, "", *self._shownLog]) + "\n"


def _application() -> str:
    import slicer

    app = getattr(slicer, "app", None)
    return f"{app.applicationName} {app.applicationVersion}" if app is not None else "no Slicer"
