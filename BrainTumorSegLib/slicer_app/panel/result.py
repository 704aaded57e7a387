"""The result: its volumes, and ways to show and correct it; see `viewing` for closer looks."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from BrainTumorSegLib.core.language import catalogue
from BrainTumorSegLib.core.place import place_sentences
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Region, Tissue
from BrainTumorSegLib.core.trust import region_trust, sign_remarks, trust_remarks
from BrainTumorSegLib.core.volumes import volume_title

from ..host.translation import language, told
from ..host.translation import tr as _
from ..run.inputs import hasPixels
from ..run.result import RunResult
from ..scene.provenance import PREFIX
from ..scene.segments import editState, labelImage
from ..viewing.display import show3D, showResult
from ..viewing.editing import editInSegmentEditor
from ..viewing.ending import endLooking
from .dialogs import errorsShown
from .looks import fillTable, prepareTable
from .state import PanelState
from .wording import millilitres

#: Side of a color patch in pixels.
PATCH = 12


class ResultSection:
    """The section *Result*: volumes, views, *Edit*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._shown: RunResult | None = None
        self._shownState: tuple[Any, ...] | None = None
        ui = state.ui
        prepareTable(ui.volumesTable, [_("Tissue"), _("mL"), _("% of brain")])
        ui.volumesTable.visible = False
        # Only what a run has made, or was made from it.
        ui.resultSelector.addAttribute("vtkMRMLSegmentationNode", f"{PREFIX}Version")
        ui.showButton.clicked.connect(self.onShow)
        ui.threeDButton.clicked.connect(self.onThreeD)
        ui.editButton.clicked.connect(self.onEdit)
        state.observe(self.update)

    def referenceNode(self) -> Any:
        """The scan on whose grid the chosen result lies, if it is still there."""
        import slicer

        node = self.state.segmentation
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        return node.GetNodeReference(role) if node is not None else None

    def onShow(self) -> None:
        """Show scan and result, centered on the tumour."""
        with errorsShown():
            endLooking()
            showResult(self.state.result)
        self.state.changed()

    def onThreeD(self) -> None:
        """Show or hide the surfaces."""
        with errorsShown():
            show3D(self.state.segmentation, self.state.ui.threeDButton.checked)

    def onEdit(self) -> None:
        """Hand the segmentation over to Segment Editor."""
        with errorsShown():
            endLooking(layout=False, mark=False)
        self.state.changed()
        with errorsShown():
            editInSegmentEditor(self.state.segmentation)

    def update(self) -> None:
        """Show the volumes as they are now."""
        import slicer

        ui, result = self.state.ui, self.state.result
        idle = not self.state.busy
        for widget in (ui.showButton, ui.threeDButton, ui.editButton):
            widget.enabled = result is not None and idle
        ui.editButton.enabled &= hasattr(slicer.modules, "segmenteditor")
        node = self.state.segmentation
        state = editState(node) if result is not None else None
        if result is not None and result is self._shown and state == self._shownState:
            return
        if self._shown is None and result is not None:
            # The first one, such as that of a scene that was loaded, is not overlooked.
            ui.resultButton.collapsed = False
        self._shown, self._shownState = result, state
        ui.volumesTable.visible = result is not None
        warnings = list(result.warnings) if result is not None else []
        ui.warningsLabel.text = "\n".join(f"⚠ {told(warning)}" for warning in warnings)
        ui.warningsLabel.visible = bool(warnings)
        shown, remarks = trustText(result.report) if result is not None else ("", "")
        ui.trustLabel.text = shown
        ui.trustLabel.toolTip = remarks
        ui.trustLabel.visible = bool(shown)
        if result is not None:
            self._showVolumes(result)
            display = node.GetDisplayNode()
            surface = node.GetSegmentation().ContainsRepresentation("Closed surface")
            ui.threeDButton.checked = bool(display and display.GetVisibility3D() and surface)

    def _volumes(self, result: RunResult) -> dict[str, float]:
        """Volumes in mL of the segmentation as it is now; as computed if it cannot be measured."""
        from BrainTumorSegLib.core.volumes import volumes_ml

        reference = self.referenceNode()
        if reference is None or not hasPixels(reference):
            return dict(result.volumes)
        return volumes_ml(labelImage(result.segmentationNode, reference))

    def _showVolumes(self, result: RunResult) -> None:
        table, volumes = self.state.ui.volumesTable, self._volumes(result)
        brain = float(result.report.get("brain", {}).get("volume_ml") or 0.0)
        keys = [tissue.key for tissue in TUMOR_TISSUES] + [region.name for region in Region]
        rows = []
        for key in keys:
            percent = f"{100 * volumes[key] / brain:.1f}" if brain > 0 else "–"
            rows.append((told(volume_title(key)), millilitres(volumes[key]), percent))
        fillTable(table, rows)
        for row, tissue in enumerate(TUMOR_TISSUES):
            table.item(row, 0).setIcon(_patch(tissue))


def trustText(report: Mapping[str, Any]) -> tuple[str, str]:
    """What is shown of trust and place, as rich text, and what is said about it in a tooltip.

    Both are empty for a record of an older release.
    """
    words = catalogue(language())
    lines = []
    for one in region_trust(report):
        title = told(volume_title(one.region.name))
        if one.agreement is None:
            lines.append(html.escape(_("{region}: none found").format(region=title)))
            continue
        figure = one.figure(words)
        if one.expected is not None:
            figure = _("expected Dice {figure}").format(figure=figure)
        color = "#{:02x}{:02x}{:02x}".format(*one.light.color)
        text = html.escape(f"{title}: {one.light.words(words)}, {figure}")
        lines.append(f'<span style="color:{color}">●</span> {text}')
    lines += [f"⚠ {html.escape(text)}" for text in sign_remarks(report, words)]
    *place, source = list(place_sentences(report, words)) or [""]
    lines += [html.escape(" ".join(place))] if place else []
    remarks = [html.escape(text) for text in (*trust_remarks(report, words), source) if text]
    return "<br>".join(lines), "<br>".join(remarks)


def _patch(tissue: Tissue) -> Any:
    """A small square in a tissue's color."""
    import qt

    pixmap = qt.QPixmap(PATCH, PATCH)
    pixmap.fill(qt.QColor(*STYLES[tissue].color))
    return qt.QIcon(pixmap)
