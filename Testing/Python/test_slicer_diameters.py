"""Diameters in Slicer: lines that can be dragged, on real nodes, and their table in the panel."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")
pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")

from mrml_results import add_result, correct
from panel_steps import live

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.measurement.diameters import diameters_record, measure_diameters
from BrainTumorSegLib.slicer_app.export.files import finishedReports, reportRecord
from BrainTumorSegLib.slicer_app.review.measuring import (
    isDragged,
    isOutdated,
    linesOf,
    measure,
    measuredNow,
)
from BrainTumorSegLib.slicer_app.review.readings import labelsOf


@pytest.fixture
def result(scene, tmp_path):
    return add_result(scene, tmp_path / "run")[0]


def drag(line, by=(0.0, 0.0, 6.0), end=1) -> None:
    place = np.array(line.GetNthControlPointPosition(end)) + by
    line.SetNthControlPointPosition(end, *place)


def test_two_lines_a_lesion_lie_where_they_were_measured(result):
    node = result.segmentationNode
    record = measure(node)
    assert record == diameters_record(measure_diameters(labelsOf(node)))
    lines = linesOf(node)
    assert len(lines) == 2 * len(record["lesions"]) > 0
    for (number, which), line in lines.items():
        lesion = record["lesions"][number - 1]
        assert line.GetClassName() == "vtkMRMLMarkupsLineNode"
        assert line.GetLineLengthWorld() == pytest.approx(lesion[f"{which}_mm"], abs=0.02)
        place = np.array(line.GetNthControlPointPosition(0)) * (-1, -1, 1)
        np.testing.assert_allclose(place, lesion[which][0], atol=1e-3)
        assert line.GetTransformNodeID() == node.GetTransformNodeID()
    assert measuredNow(node) == record
    assert not isDragged(node) and not isOutdated(node)


def test_a_dragged_line_changes_the_product_and_what_is_saved(result):
    node = result.segmentationNode
    before = measure(node)
    drag(linesOf(node)[1, "long"])
    now = measuredNow(node)
    assert isDragged(node) and now["drawn_by"] == "reader"
    assert now["lesions"][0]["product_mm2"] != before["lesions"][0]["product_mm2"]
    assert reportRecord(node)["diameters"] == now
    ready = finishedReports(node, {"json", "html"})
    assert json.loads(ready["json"])["diameters"] == now
    # The page of the run shows other lines.
    assert "html" not in ready


def test_measuring_again_makes_the_lines_anew_and_leaves_no_old_ones(result, scene):
    node = result.segmentationNode
    record = measure(node)
    drag(linesOf(node)[1, "short"])
    assert measure(node) == record
    assert not isDragged(node)
    lines = 2 * len(record["lesions"])
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == lines


def test_after_an_edit_the_lines_are_outdated_and_not_saved(result):
    node = result.segmentationNode
    measure(node)
    drag(linesOf(node)[1, "long"])
    reference = node.GetNodeReference("BrainTumorSeg.Scan.t1ce")
    correct(node, reference, Tissue.ENHANCING)
    assert isOutdated(node)
    assert reportRecord(node).get("diameters", {}).get("drawn_by") != "reader"
    measure(node)
    assert not isOutdated(node)


def test_a_line_that_was_deleted_counts_as_it_was(result, scene):
    node = result.segmentationNode
    record = measure(node)
    scene.RemoveNode(linesOf(node)[1, "long"])
    assert measuredNow(node) == record


def test_lines_survive_in_a_saved_scene(result, scene, tmp_path):
    node = result.segmentationNode
    measure(node)
    drag(linesOf(node)[1, "long"])
    now = measuredNow(node)
    text = node.GetAttribute("BrainTumorSeg.Diameters")
    assert json.loads(text)["lesions"]
    roles = {line.GetAttribute("BrainTumorSeg.Role") for line in linesOf(node).values()}
    assert {"Diameter.1.long", "Diameter.1.short"} <= roles
    assert now["drawn_by"] == "reader"


def test_without_enhancing_tumor_there_are_no_lines(scene, tmp_path):
    labels = np.zeros((40, 40, 48), np.uint8)
    from mrml_run import tumor

    labels = tumor()
    labels[labels == Tissue.ENHANCING] = Tissue.EDEMA
    node = add_result(scene, tmp_path / "run", labels=labels)[0].segmentationNode
    assert measure(node)["lesions"] == [] and linesOf(node) == {}


# The panel


@pytest.fixture
def shown(widget, result):
    widget.panel.parameters.result = result.segmentationNode
    widget.ui.resultButton.setCollapsed(False)
    live(widget)
    return widget


def test_measure_fills_the_table_and_it_follows_the_lines(shown, result):
    ui, node = shown.ui, result.segmentationNode
    assert ui.measureButton.isEnabled()
    assert "Measure" in ui.diametersLabel.text()
    ui.measureButton.click()
    live(shown)
    record = measuredNow(node)
    assert ui.diametersTable.rowCount() == len(record["lesions"])
    lesion = record["lesions"][0]
    sides = f"{lesion['long_mm']:.1f} × {lesion['short_mm']:.1f}"
    assert ui.diametersTable.item(0, 1).text() == sides
    assert f"{record['sum_of_products_mm2']:.0f} mm²" in ui.diametersLabel.text()
    drag(linesOf(node)[1, "long"])
    live(shown)
    assert ui.diametersTable.item(0, 1).text() != sides
    assert "dragged" in ui.diametersLabel.text()
    # Under testing every question is answered with OK.
    ui.measureButton.click()
    live(shown)
    assert ui.diametersTable.item(0, 1).text() == sides


def test_after_an_edit_the_panel_asks_to_measure_again(shown, result):
    node = result.segmentationNode
    shown.ui.measureButton.click()
    correct(node, node.GetNodeReference("BrainTumorSeg.Scan.t1ce"), Tissue.ENHANCING)
    live(shown)
    assert "has changed" in shown.ui.diametersLabel.text()
    shown.ui.measureButton.click()
    live(shown)
    assert "has changed" not in shown.ui.diametersLabel.text()


def test_the_dicom_report_is_offered_only_with_the_segmentation(shown):
    ui, state = shown.ui, shown.panel.state
    ui.savingButton.setCollapsed(False)
    ui.dicomCheck.setChecked(False)
    ui.dicomReportCheck.setChecked(True)
    live(shown)
    assert not ui.dicomReportCheck.isEnabled()
    assert "sr.dcm" not in state.formats
    ui.dicomCheck.setChecked(True)
    live(shown)
    assert ui.dicomReportCheck.isEnabled()
    assert state.formats[-2:] == ["dcm", "sr.dcm"]
