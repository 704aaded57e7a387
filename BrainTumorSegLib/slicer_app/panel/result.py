"""The result: which one, its volumes, and ways to look at it and correct it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.tissue import STYLES, TUMOUR_TISSUES, Region, Tissue
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.panel.dialogs import showError
from BrainTumorSegLib.slicer_app.panel.wording import millilitres
from BrainTumorSegLib.slicer_app.run.readiness import hasPixels
from BrainTumorSegLib.slicer_app.run.result import RunResult, findResult
from BrainTumorSegLib.slicer_app.scene.label_images import editState, labelImage
from BrainTumorSegLib.slicer_app.scene.provenance import PREFIX
from BrainTumorSegLib.slicer_app.viewing.display import show3D, showResult
from BrainTumorSegLib.slicer_app.viewing.editing import editInSegmentEditor

if TYPE_CHECKING:
    from BrainTumorSegLib.slicer_app.panel.panel import Panel

#: Side of a colour patch in pixels.
PATCH = 12


class ResultSection:
    """The section *Result*: volumes, views, *Edit*."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._result: RunResult | None = None
        self._shown: tuple[Any, ...] | None = None
        ui = panel.ui
        self._prepareTable()
        # Only what a run has made, or was made from it.
        ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", f"{PREFIX}Version")
        ui.resultSelector.nodeAboutToBeRemoved.connect(self.onRemoval)
        ui.showButton.clicked.connect(self.onShow)
        ui.threeDButton.clicked.connect(self.onThreeD)
        ui.editButton.clicked.connect(self.onEdit)

    @property
    def current(self) -> RunResult | None:
        """The chosen segmentation with all that belongs to it; None when it is none of ours."""
        node = self.panel.segmentation
        if node is None or node.GetScene() is None:
            return None
        if self._result is None or self._result.segmentationNode is not node:
            self._result = findResult(node)
        return self._result

    def referenceNode(self) -> Any:
        """The scan on whose grid the chosen result lies, if it is still there."""
        import slicer

        node = self.panel.segmentation
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        return node.GetNodeReference(role) if node is not None else None

    def onRemoval(self, _node: Any) -> None:
        """Look again when it has gone: what is seen while it goes is half of the truth."""
        import qt

        qt.QTimer.singleShot(0, self.panel.update)

    def onShow(self) -> None:
        """Show scan and result, centred on the tumour."""
        self._try(lambda: showResult(self.current))

    def onThreeD(self) -> None:
        """Show or hide the surfaces."""
        on = self.panel.ui.threeDButton.checked
        self._try(lambda: show3D(self.panel.segmentation, on))

    def onEdit(self) -> None:
        """Hand the segmentation over to Segment Editor."""
        self.panel.alignment.end()
        self._try(lambda: editInSegmentEditor(self.panel.segmentation))

    def forget(self) -> None:
        """Look everything up again: the result was made anew or changed elsewhere."""
        self._result = self._shown = None

    def update(self) -> None:
        """Show the volumes as they are now."""
        import slicer

        ui, result = self.panel.ui, self.current
        idle = not self.panel.run.busy
        for widget in (ui.showButton, ui.threeDButton, ui.editButton):
            widget.enabled = result is not None and idle
        ui.editButton.enabled &= hasattr(slicer.modules, "segmenteditor")
        node = self.panel.segmentation
        state = editState(node) if result is not None else None
        if state == self._shown and state is not None:
            return
        self._shown = state
        ui.volumesTable.visible = result is not None
        warnings = list(result.warnings) if result is not None else []
        ui.warningsLabel.text = "\n".join(f"⚠ {warning}" for warning in warnings)
        ui.warningsLabel.visible = bool(warnings)
        if result is not None:
            self._showVolumes(result)
            display = node.GetDisplayNode()
            ui.threeDButton.checked = bool(
                display and display.GetVisibility3D() and self._hasSurface(node)
            )

    @staticmethod
    def _hasSurface(node: Any) -> bool:
        return bool(node.GetSegmentation().ContainsRepresentation("Closed surface"))

    def _volumes(self, result: RunResult) -> dict[str, float]:
        """Volumes in mL of the segmentation as it is now; as computed if it cannot be measured."""
        from BrainTumorSegLib.core.volumes import volumes_ml

        reference = self.referenceNode()
        if reference is None or not hasPixels(reference):
            return dict(result.volumes)
        return volumes_ml(labelImage(result.segmentationNode, reference))

    def _showVolumes(self, result: RunResult) -> None:
        import qt

        table, volumes = self.panel.ui.volumesTable, self._volumes(result)
        brain = float(result.report.get("brain", {}).get("volume_ml") or 0.0)
        keys = [tissue.key for tissue in TUMOUR_TISSUES] + [region.name for region in Region]
        table.rowCount = len(keys)
        for row, key in enumerate(keys):
            percent = f"{100 * volumes[key] / brain:.1f}" if brain > 0 else "–"
            cells = (volume_title(key), millilitres(volumes[key]), percent)
            for column, text in enumerate(cells):
                cell = qt.QTableWidgetItem(text)
                if column:
                    cell.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
                table.setItem(row, column, cell)
            if row < len(TUMOUR_TISSUES):
                table.item(row, 0).setIcon(_patch(TUMOUR_TISSUES[row]))
        height = table.horizontalHeader().height + 4
        height += sum(table.rowHeight(row) for row in range(len(keys)))
        table.setFixedHeight(height)

    def _prepareTable(self) -> None:
        import qt

        table = self.panel.ui.volumesTable
        table.columnCount = 3
        table.setHorizontalHeaderLabels([_("Tissue"), _("mL"), _("% of brain")])
        table.verticalHeader().visible = False
        table.verticalHeader().defaultSectionSize = 22
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.visible = False

    def _try(self, action: Any) -> None:
        try:
            action()
        except Exception as error:
            showError(error)


def _patch(tissue: Tissue) -> Any:
    """A small square in a tissue's colour."""
    import qt

    pixmap = qt.QPixmap(PATCH, PATCH)
    pixmap.fill(qt.QColor(*STYLES[tissue].color))
    return qt.QIcon(pixmap)
