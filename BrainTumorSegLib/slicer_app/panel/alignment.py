"""Checking by eye whether the scans were aligned well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.panel.dialogs import showError
from BrainTumorSegLib.slicer_app.viewing.display import checkAlignment, endAlignmentCheck

if TYPE_CHECKING:
    from BrainTumorSegLib.slicer_app.panel.panel import Panel

#: Steps of the blend slider.
FULL = 100


class AlignmentSection:
    """The part *Check alignment* of the section *Result*."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._offered: list[Sequence] = []
        self._filling = False
        panel.ui.alignmentCombo.activated.connect(self.onSequence)
        panel.ui.blendSlider.valueChanged.connect(self.onBlend)

    def onSequence(self) -> None:
        """Lay another scan over the reference."""
        self._show()

    def onBlend(self) -> None:
        """Fade from one to the other."""
        if not self._filling:
            self._show()

    def end(self) -> None:
        """Show again what was shown before; nothing happens where nothing was checked."""
        try:
            endAlignmentCheck()
        except Exception as error:
            showError(error)

    def update(self) -> None:
        """Offer the scans that were aligned to the reference."""
        ui, result = self.panel.ui, self.panel.result.current
        offered: list[Sequence] = []
        if result is not None:
            case = result.report.get("case", {})
            given = {entry["sequence"] for entry in case.get("inputs", [])}
            offered = [
                sequence
                for sequence in (Sequence.FLAIR, Sequence.T1, Sequence.T1CE)
                if sequence.value in given and sequence.value != case.get("reference")
            ]
        ui.alignmentBox.enabled = bool(offered) and not self.panel.run.busy
        if offered == self._offered:
            return
        self._offered = offered
        self._filling = True
        ui.alignmentCombo.clear()
        for sequence in offered:
            ui.alignmentCombo.addItem(sequence.name)
        ui.blendSlider.value = FULL // 2
        self._filling = False
        ui.alignmentCombo.toolTip = (
            _("The scan to lay over the reference, as it was aligned.")
            if offered
            else _("There is no other scan to lay over the reference.")
        )

    def _show(self) -> None:
        index = self.panel.ui.alignmentCombo.currentIndex
        if not 0 <= index < len(self._offered):
            return
        try:
            checkAlignment(
                self.panel.segmentation,
                self._offered[index],
                self.panel.ui.blendSlider.value / FULL,
            )
        except Exception as error:
            showError(error)
