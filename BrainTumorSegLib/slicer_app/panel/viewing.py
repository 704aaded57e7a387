"""Closer looks at a result: side by side, through the tumour, alignment, doubtful regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from BrainTumorSegLib.core.sequences import Sequence

from ..host.translation import tr as _
from ..run.result import RunResult
from ..viewing.alignment import alignmentCheck, checkAlignment, endAlignmentCheck
from ..viewing.doubt import RegionNavigator, removeMark
from ..viewing.reading import endReadingLayout, isReading, showReadingLayout, watchLayout
from .dialogs import errorsShown
from .state import PanelState

#: Steps of the sliders.
FULL = 100

#: Which comparison of the alignment stands where in its combo box.
BLEND, SQUARES = 0, 1


class LookingSection:
    """Side by side, opacity and hiding; whatever else changes them shows here too."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._filling = False
        self._stopDisplay: Callable[[], None] | None = None
        self._display: Any = None
        self._stopLayout: Callable[[], None] | None = None
        ui = state.ui
        ui.readingButton.clicked.connect(self.onReading)
        ui.hideButton.clicked.connect(self.onHide)
        ui.opacitySlider.valueChanged.connect(self.onOpacity)
        state.observe(self.update)

    def onReading(self) -> None:
        """Lay the scans side by side, or go back."""
        with errorsShown():
            if self.state.ui.readingButton.checked:
                showReadingLayout(self.state.result)
            else:
                endReadingLayout()
        self.state.changed()

    def onHide(self) -> None:
        """Hide the segmentation, or show it."""
        display = self._shown()
        if display is not None:
            display.SetVisibility(not self.state.ui.hideButton.checked)

    def onOpacity(self, value: int) -> None:
        """See more or less of the scan through the segmentation."""
        display = self._shown()
        if display is not None and not self._filling:
            display.SetOpacity(value / FULL)

    def update(self) -> None:
        """Follow the chosen segmentation, its display and the layout."""
        import slicer

        if self._stopLayout is None:
            self._stopLayout = watchLayout(slicer.mrmlScene, self.onLayout)
        self._follow(self._shown())
        self.show()

    def onLayout(self) -> None:
        """Another layout was chosen: also one of Slicer's own, which ends the reading layout."""
        if not isReading():
            endReadingLayout()
        self.show()

    def show(self, *_: object) -> None:
        """Show how it is."""
        ui, display = self.state.ui, self._shown()
        usable = display is not None and not self.state.busy
        checked = alignmentCheck() is not None
        self._filling = True
        ui.readingButton.enabled = usable
        ui.readingButton.checked = isReading()
        for widget in (ui.hideButton, ui.opacitySlider):
            widget.enabled = usable and not checked
        if display is not None:
            ui.hideButton.checked = not display.GetVisibility() and not checked
            ui.opacitySlider.value = round(display.GetOpacity() * FULL)
        self._filling = False

    def close(self) -> None:
        """Follow nothing any more."""
        self._follow(None)
        if self._stopLayout is not None:
            self._stopLayout()
        self._stopLayout = None

    def _shown(self) -> Any:
        node = self.state.segmentation if self.state.result is not None else None
        return node.GetDisplayNode() if node is not None else None

    def _follow(self, display: Any) -> None:
        import vtk

        if display is self._display:
            return
        if self._stopDisplay is not None:
            self._stopDisplay()
        self._display, self._stopDisplay = display, None
        if display is not None:
            tag = display.AddObserver(vtk.vtkCommand.ModifiedEvent, self.show)
            self._stopDisplay = lambda: display.RemoveObserver(tag)


class AlignmentSection:
    """The part *Alignment* of the section *Result*; it begins and ends with one button."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._offered: list[Sequence] = []
        self._filling = False
        ui = state.ui
        ui.compareCombo.clear()
        for title in (_("Blended"), _("In squares")):
            ui.compareCombo.addItem(title)
        ui.alignmentButton.clicked.connect(self.onCheck)
        ui.alignmentCombo.activated.connect(self.onChoice)
        ui.compareCombo.activated.connect(self.onChoice)
        ui.blendSlider.valueChanged.connect(self.onBlend)
        state.observe(self.update)

    def onCheck(self) -> None:
        """Begin or end the check."""
        if self.state.ui.alignmentButton.checked:
            self.check()
        else:
            with errorsShown():
                endAlignmentCheck()
        self.state.changed()

    def onChoice(self, *_: object) -> None:
        """Another scan, or another way to compare, while it is being checked."""
        if alignmentCheck() is not None:
            self.check()
            self.state.changed()

    def onBlend(self, *_: object) -> None:
        """Fade from one to the other."""
        if not self._filling and alignmentCheck() is not None:
            self.check()

    def check(self) -> None:
        """Lay the chosen scan over the reference."""
        ui = self.state.ui
        index = ui.alignmentCombo.currentIndex
        if not 0 <= index < len(self._offered):
            return
        squares = ui.compareCombo.currentIndex == SQUARES
        blend = ui.blendSlider.value / FULL
        with errorsShown():
            checkAlignment(self.state.segmentation, self._offered[index], blend, squares)

    def update(self) -> None:
        """Offer the scans that were aligned to the reference; say what is being checked."""
        ui, result = self.state.ui, self.state.result
        offered: list[Sequence] = []
        if result is not None:
            case = result.report.get("case", {})
            given = {entry["sequence"] for entry in case.get("inputs", [])}
            offered = [
                sequence
                for sequence in (Sequence.FLAIR, Sequence.T1, Sequence.T1CE)
                if sequence.value in given and sequence.value != case.get("reference")
            ]
        check = alignmentCheck()
        if check is None or check.segmentationNode is not self.state.segmentation:
            # Also what a deleted segmentation or a saved scene has left.
            endAlignmentCheck()
            check = None
        self._filling = True
        ui.alignmentBox.enabled = bool(offered) and not self.state.busy
        if offered != self._offered:
            self._offer(offered)
        ui.alignmentButton.checked = check is not None
        ui.alignmentButton.text = _("End check") if check is not None else _("Check alignment")
        ui.blendSlider.enabled = check is not None and not check.squares
        ui.blendSlider.value = round(check.blend * FULL) if check is not None else FULL // 2
        if check is not None and check.sequence in offered:
            ui.alignmentCombo.currentIndex = offered.index(check.sequence)
            ui.compareCombo.currentIndex = SQUARES if check.squares else BLEND
        self._filling = False
        ui.alignmentLabel.text = self._banner(check.sequence) if check is not None else ""
        ui.alignmentLabel.visible = check is not None

    def _banner(self, sequence: Sequence) -> str:
        reference = self.state.result.report["case"]["reference"]
        return _(
            "{scan} is compared with {reference}. The segmentation is hidden until you end the "
            "check."
        ).format(scan=sequence.name, reference=Sequence(reference).name)

    def _offer(self, offered: list[Sequence]) -> None:
        ui = self.state.ui
        self._offered = offered
        ui.alignmentCombo.clear()
        for sequence in offered:
            ui.alignmentCombo.addItem(sequence.name)
        ui.alignmentCombo.toolTip = (
            _("The scan to lay over the reference, as it was aligned.")
            if offered
            else _("There is no other scan to lay over the reference.")
        )


class UncertaintySection:
    """The part *Doubtful regions* of the section *Result*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._cursor: RegionNavigator | None = None
        self._result: RunResult | None = None
        ui = state.ui
        ui.nextDoubtButton.clicked.connect(self.onNext)
        ui.previousDoubtButton.clicked.connect(self.onPrevious)
        ui.endDoubtButton.clicked.connect(self.onEnd)
        state.observe(self.update)

    def onNext(self) -> None:
        """Jump to the next region; after the last one comes the first again."""
        self._go(RegionNavigator.next)

    def onPrevious(self) -> None:
        """Jump to the region before."""
        self._go(RegionNavigator.previous)

    def onEnd(self) -> None:
        """Take the mark away."""
        with errorsShown():
            self._cursor.end()
        self.update()

    def update(self) -> None:
        """Start over with another result."""
        ui, result = self.state.ui, self.state.result
        if result is not self._result:
            if self._result is not None:
                removeMark()
            self._result = result
            self._cursor = RegionNavigator(result.segmentationNode) if result is not None else None
        hasRegions = self._cursor is not None and self._cursor.count > 0
        idle = not self.state.busy
        ui.doubtBox.enabled = result is not None and idle
        ui.nextDoubtButton.enabled = hasRegions and idle
        isMarked = hasRegions and self._cursor.position > 0
        ui.previousDoubtButton.enabled = isMarked and idle
        ui.endDoubtButton.enabled = isMarked and idle
        ui.doubtLabel.text = self._cursor.text if self._cursor is not None else ""

    def _go(self, step: Callable[[Any], Any]) -> None:
        with errorsShown():
            endAlignmentCheck()
            step(self._cursor)
        self.state.changed()
