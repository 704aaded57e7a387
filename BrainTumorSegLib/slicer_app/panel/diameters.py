"""The diameters of the result: a table, and lines in the views that can be dragged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..host.translation import tr as _
from ..review.measuring import isDragged, isOutdated, linesOf, measure, measuredNow
from ..scene.segments import editState
from .dialogs import confirm, errorsShown
from .looks import fillTable, prepareTable
from .state import PanelState


class DiametersSection:
    """Below the volumes: the diameters of enhancing lesions, and *Measure*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._outdated: tuple[Any, bool] = (None, False)
        self._watched: dict[Any, int] = {}
        ui = state.ui
        prepareTable(ui.diametersTable, [_("Enhancing lesion"), _("mm"), _("mm²")])
        ui.diametersTable.visible = False
        ui.measureButton.clicked.connect(self.onMeasure)
        state.observe(self.update)

    def onMeasure(self) -> None:
        """Measure the segmentation as it is now; dragged lines are replaced only after asking."""
        node = self.state.segmentation
        with errorsShown():
            if isDragged(node) and not confirm(
                _("Replace the lines that were dragged?"), _("Measure")
            ):
                return
            measure(node)
        self._outdated = (None, False)
        self.state.changed()

    def update(self) -> None:
        """Show the figures as the lines are now, or that the segmentation has changed since."""
        ui, result = self.state.ui, self.state.result
        node = self.state.segmentation if result is not None else None
        ui.measureButton.enabled = node is not None and not self.state.busy
        self._watch(node)
        record = measuredNow(node) if node is not None else None
        ui.diametersTable.visible = bool(record and record["lesions"])
        ui.diametersLabel.text = self._said(node, record)
        ui.diametersLabel.visible = bool(ui.diametersLabel.text)
        if record:
            self._fill(record)

    def close(self) -> None:
        """Hear no more of any line."""
        self._watch(None)

    def _said(self, node: Any, record: Mapping[str, Any] | None) -> str:
        """The sum, or what has to be known of the table."""
        if node is None:
            return ""
        if record is None:
            return _("Press Measure for the diameters of enhancing lesions.")
        if self._isOutdated(node):
            return _("The segmentation has changed: press Measure.")
        if not record["lesions"]:
            return _("There is no enhancing lesion large enough to be measured.")
        lines = [
            _("Sum of products of the target lesions: {sum} mm².").format(
                sum=f"{record['sum_of_products_mm2']:.0f}"
            )
        ]
        if record["drawn_by"] == "reader":
            lines.append(_("Lines were dragged."))
        if record["tilt_deg"] >= 1:
            lines.append(
                _("The slices are tilted by {angle}° against the axial plane.").format(
                    angle=f"{record['tilt_deg']:.0f}"
                )
            )
        return " ".join(lines)

    def _isOutdated(self, node: Any) -> bool:
        """Looked up anew only when somebody has edited: it takes a moment."""
        state = editState(node)
        if state != self._outdated[0]:
            try:
                self._outdated = (state, isOutdated(node))
            except Exception:
                self._outdated = (state, True)
        return self._outdated[1]

    def _watch(self, node: Any) -> None:
        """Follow the lines of a segmentation while they are dragged."""
        import slicer

        lines = list(linesOf(node).values()) if node is not None and self.state.shown else []
        if lines == list(self._watched):
            return
        for line, tag in self._watched.items():
            line.RemoveObserver(tag)
        event = slicer.vtkMRMLMarkupsNode.PointModifiedEvent
        self._watched = {line: line.AddObserver(event, self._onDrag) for line in lines}

    def _onDrag(self, _caller: Any, _event: str) -> None:
        self.state.changedSoon()

    def _fill(self, record: Mapping[str, Any]) -> None:
        rows = []
        for number, lesion in enumerate(record["lesions"], start=1):
            name = _("{number}, target") if lesion["target"] else "{number}"
            if not lesion["measurable"]:
                name = _("{number}, too small")
            size = f"{lesion['long_mm']:.1f} × {lesion['short_mm']:.1f}"
            rows.append((name.format(number=number), size, f"{lesion['product_mm2']:.0f}"))
        fillTable(self.state.ui.diametersTable, rows)
