"""*Apply*, *Cancel*, and how far the run has come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.progress import ProgressEvent
from BrainTumorSegLib.slicer_app import api
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.install.dependencies import (
    install,
    missingPackages,
    usesOtherPython,
)
from BrainTumorSegLib.slicer_app.panel.dialogs import confirm, showError, showFailure
from BrainTumorSegLib.slicer_app.panel.wording import duration, progressText
from BrainTumorSegLib.slicer_app.run.readiness import whatIsMissing
from BrainTumorSegLib.slicer_app.run.segmentation_run import SegmentationRun
from BrainTumorSegLib.slicer_app.run.settings import settingsFrom
from BrainTumorSegLib.slicer_app.viewing.display import show3D, showResult

if TYPE_CHECKING:
    from BrainTumorSegLib.slicer_app.panel.panel import Panel

RUNNING = ("running", "cancelling")

#: Steps of the progress bar.
FULL = 1000

#: Seconds that the application waits for a run to end before it quits.
PATIENCE_S = 5.0


class RunSection:
    """The buttons that start and stop, the progress bar and the line below it."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.current: SegmentationRun | None = None
        self._started = 0.0
        self._abandoned = False
        self._said = ""
        panel.ui.applyButton.clicked.connect(self.onApply)
        panel.ui.cancelButton.clicked.connect(self.cancel)

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self.current is not None and self.current.state in RUNNING

    def onApply(self) -> None:
        """Start, after asking what must be asked; an error is shown once, in one window."""
        try:
            self.apply()
        except Exception as error:
            self._said = _("It could not be started.")
            self.panel.update()
            showError(error)

    def apply(self) -> None:
        """Start a run with what is chosen.

        Raises:
            BrainTumorSegError: when it cannot start; nothing was changed.
        """
        if self.busy or self.missing():
            return
        settings = settingsFrom(self.panel.parameters)
        if not self._mayReplace(settings.outputSegmentation):
            return
        self._installPackages(("hdbet",) if settings.options.brain == "hdbet" else ())
        self._started = time.monotonic()
        self._said = ""
        self._show(0.0, _("Starting"))
        self.current = api.start(settings, self.onProgress, self.onFinished)
        self.panel.update()

    def cancel(self) -> None:
        """Ask the run to stop; the answer is seen at once, the end follows within seconds."""
        if self.busy:
            self.panel.ui.cancelButton.enabled = False
            self.panel.ui.stageLabel.text = _("Cancelling …")
            self.current.cancel()

    def abandon(self) -> None:
        """Stop without touching a widget again: the panel is about to be destroyed."""
        self._abandoned = True
        if not self.busy:
            return
        self.current.cancel()
        end = time.monotonic() + PATIENCE_S
        # Without handling events: windows are being destroyed meanwhile.
        while not self.current.poll() and time.monotonic() < end:
            time.sleep(0.02)

    def missing(self) -> list[str]:
        """What must be done before *Apply* can work."""
        return whatIsMissing(
            settingsFrom(self.panel.parameters),
            self.panel.settings.pack(),
            self.panel.settings.python,
        )

    def update(self) -> None:
        """Enable *Apply* when it can work; its tooltip says what is missing."""
        ui, busy = self.panel.ui, self.busy
        missing = [] if busy else self.missing()
        ui.applyButton.enabled = not busy and not missing
        ui.cancelButton.enabled = busy and self.current.state == "running"
        ui.progressBar.visible = busy
        if busy:
            ui.applyButton.toolTip = _("A run is in progress.")
            return
        ui.applyButton.toolTip = (
            "\n".join(missing) if missing else _("Segment the tumour on the chosen scans.")
        )
        ui.stageLabel.text = self._said or (missing[0] if missing else _("Ready."))

    def onProgress(self, event: ProgressEvent) -> None:
        """Show what the run reports."""
        if self._abandoned:
            return
        cancelling = self.current is not None and self.current.state == "cancelling"
        if event.kind == "progress" and not cancelling:
            self._show(event.fraction, progressText(event))
        self.panel.log.update()

    def onFinished(self, run: SegmentationRun) -> None:
        """The run is over, one way or the other."""
        if self._abandoned:
            return
        self.current = run
        spent = duration(time.monotonic() - self._started)
        if run.state == "finished":
            self._said = _("Done in {time}.").format(time=spent)
            self._present(run)
        elif run.state == "cancelled":
            self._said = _("Cancelled; nothing was changed.")
        else:
            self._said = _("It failed; nothing was changed.")
            self.panel.ui.logBox.collapsed = False
        self.panel.update()
        if run.state == "failed" and run.failure is not None:
            showFailure(run.failure)

    def _present(self, run: SegmentationRun) -> None:
        """Show the new result; that it cannot be shown does not make it fail."""
        parameters = self.panel.parameters
        if parameters is None:
            return
        node = run.result.segmentationNode
        self.panel.result.forget()
        self.panel.doubt.forget()
        parameters.result = node
        self.panel.ui.resultButton.collapsed = False
        try:
            showResult(run.result, show3D=parameters.show3D)
            if not parameters.show3D:
                show3D(node, False)
        except Exception as error:
            showError(error)

    def _show(self, fraction: float, text: str) -> None:
        self.panel.ui.progressBar.value = round(FULL * fraction)
        self.panel.ui.stageLabel.text = text

    def _mayReplace(self, node: object) -> bool:
        if node is None or node.GetSegmentation().GetNumberOfSegments() == 0:
            return True
        return confirm(
            _("Replace the tumour in “{name}”? Corrections made to it are lost.").format(
                name=node.GetName()
            ),
            _("Replace segmentation"),
        )

    def _installPackages(self, extras: tuple[str, ...]) -> None:
        """Another Python brings its own packages; for Slicer's the person is asked once."""
        if not usesOtherPython() and missingPackages(extras):
            self._show(0.0, _("Installing packages …"))
            install(confirm=True, extras=extras)
