"""From one doubtful region to the next, largest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from BrainTumorSegLib.slicer_app.panel.dialogs import showError
from BrainTumorSegLib.slicer_app.scene.doubt import DoubtCursor

if TYPE_CHECKING:
    from BrainTumorSegLib.slicer_app.panel.panel import Panel


class DoubtSection:
    """The part *Doubtful regions* of the section *Result*."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._cursor: DoubtCursor | None = None
        self._of: str | None = None
        panel.ui.nextDoubtButton.clicked.connect(self.onNext)
        panel.ui.previousDoubtButton.clicked.connect(self.onPrevious)

    def onNext(self) -> None:
        """Jump to the next region; after the last one comes the first again."""
        self._go(DoubtCursor.next)

    def onPrevious(self) -> None:
        """Jump to the region before."""
        self._go(DoubtCursor.previous)

    def forget(self) -> None:
        """The segmentation was made anew."""
        self._of = None

    def update(self) -> None:
        """Start over with another result."""
        ui, result = self.panel.ui, self.panel.result.current
        of = result.segmentationNode.GetID() if result is not None else None
        if of != self._of:
            self._of = of
            self._cursor = DoubtCursor(result.segmentationNode) if result is not None else None
        found = self._cursor is not None and self._cursor.count > 0
        idle = not self.panel.run.busy
        ui.doubtBox.enabled = result is not None and idle
        ui.nextDoubtButton.enabled = found and idle
        ui.previousDoubtButton.enabled = found and idle and self._cursor.position > 0
        ui.doubtLabel.text = self._cursor.text if self._cursor is not None else ""

    def _go(self, step: object) -> None:
        self.panel.alignment.end()
        try:
            step(self._cursor)
        except Exception as error:
            showError(error)
        self.update()
