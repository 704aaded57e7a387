"""The section *Compare visits*: its buttons on real nodes, with a worker that needs no network."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("PySide6", reason="the panel runs on PySide6 here")
pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_results import add_result, correct
from mrml_run import tumor
from mrml_scene import snapshot
from PySide6 import QtCore

from BrainTumorSegLib.cli import main
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.follow_up import compare
from BrainTumorSegLib.slicer_app.export.files import WorkerTask
from BrainTumorSegLib.slicer_app.scene.scene import nodesOfClass
from BrainTumorSegLib.slicer_app.visits.changes import COLORS, GREW


@pytest.fixture
def worker(monkeypatch):
    """The command in this process; visits lie on each other and are brain all over."""
    record = {
        **{"engine": "none", "score": 1.4, "rotation_deg": 0.0, "shift_mm": 0.0, "attempts": []},
        "matrix": np.eye(4).tolist(),
    }
    identity = sitk.Transform(3, sitk.sitkIdentity)
    monkeypatch.setattr(compare, "align_visits", lambda *_: (identity, dict(record)))
    monkeypatch.setattr(
        compare, "_brain", lambda visit, *_: sitk.Cast(visit.scan.image * 0 + 1, sitk.sitkUInt8)
    )
    commands = []

    def run(task, arguments):
        commands.append(list(arguments))
        yield
        without = [str(a) for a in arguments if a not in ("--brainsfit", "ask")]
        with contextlib.chdir(task.folder):
            assert main(without) == 0

    monkeypatch.setattr(WorkerTask, "run", run)
    return commands


@pytest.fixture
def two_visits(scene, tmp_path):
    """Two results in the scene: the tumour of the second has grown, and there is a new one."""
    labels = tumor()
    labels[17:25, 24:27, 20:30] = Tissue.ENHANCING
    labels[3:9, 36:42, 36:44] = Tissue.ENHANCING
    first, _ = add_result(scene, tmp_path / "one")
    second, settings = add_result(scene, tmp_path / "two", labels=labels)
    rescan(settings.t1ce)
    first.segmentationNode.SetName("Doe winter")
    second.segmentationNode.SetName("Doe spring")
    return first.segmentationNode, second.segmentationNode


def rescan(node) -> None:
    """Another scan of the same head: one voxel of it differs."""
    import slicer

    slicer.util.arrayFromVolume(node)[0, 0, 0] += 1
    slicer.util.arrayFromVolumeModified(node)


def mark(widget, *days: str) -> None:
    """Mark every result in the list, with its day."""
    ui = widget.ui
    ui.comparingButton.setCollapsed(False)
    widget.panel.comparing.update()
    for row, day in enumerate(days):
        ui.visitsTable.item(row, 0).setCheckState(QtCore.Qt.CheckState.Checked)
        ui.visitsTable.item(row, 1).setText(day)


def finish(widget) -> None:
    while not widget.panel.comparing.job.poll():
        pass


def test_visits_of_the_scene_are_compared_and_the_change_enters_the_scene(
    widget, module, two_visits, worker, tmp_path
):
    ui = widget.ui
    mark(widget, "2024-01-10", "")
    assert ui.compareButton.isEnabled()
    ui.compareButton.click()
    # Without the date of the second it does not begin.
    assert widget.panel.comparing.job.state == "idle"
    assert "date of Doe spring" in str(errors(module))
    mark(widget, "2024-01-10", "2024-03-10")
    ui.compareButton.click()
    assert ui.compareButton.text() == "Cancel"
    finish(widget)
    assert ui.compareButton.text() == "Compare"
    assert worker[0][-3:] == ["--date", "2024-01-10", "2024-03-10"]
    shown = [[ui.changesTable.item(r, c).text() for c in range(4)] for r in range(7)]
    assert shown[3][1].startswith("+")
    assert "decided by the treating team" in ui.whoDecidesLabel.text()
    nodes = nodesOfClass(widget_scene(), "vtkMRMLSegmentationNode")
    (change,) = (node for node in nodes if "Change" in node.GetName())
    segment = change.GetSegmentation().GetSegment(f"TC-{GREW}")
    assert tuple(segment.GetColor()) == pytest.approx(COLORS[GREW])
    events = [ui.lesionsTable.item(r, 3).text() for r in range(ui.lesionsTable.rowCount())]
    assert events.count("new") == 1
    before = [v.GetSliceToRAS().GetElement(2, 3) for v in slices()]
    ui.lesionsTable.cellClicked.emit(events.index("new"), 0)
    assert [v.GetSliceToRAS().GetElement(2, 3) for v in slices()] != before
    folder = tmp_path / "saved"
    folder.mkdir()
    widget.panel.comparing.save(folder)
    page = (folder / "follow_up.html").read_text(encoding="utf-8")
    assert "Doe winter" in page
    assert "visit-1" not in page
    assert {"follow_up.json", "follow_up.tsv", "lesions.tsv"} <= {p.name for p in folder.iterdir()}


def test_a_comparison_that_fails_leaves_the_scene_as_it_was(
    widget, module, two_visits, worker, monkeypatch
):
    def refuse(*_):
        raise InputError("No.", "Do something else.")
        yield

    monkeypatch.setattr(WorkerTask, "run", refuse)
    mark(widget, "2024-01-10", "2024-03-10")
    before = snapshot(widget_scene())
    widget.ui.compareButton.click()
    finish(widget)
    assert snapshot(widget_scene()) == before
    assert "nothing was added" in widget.ui.compareLabel.text()
    assert errors(module)


def test_corrected_labels_and_a_result_on_disk_are_compared_as_they_are(
    widget, scene, tmp_path, worker
):
    result, settings = add_result(scene, tmp_path / "one")
    saved = tmp_path / "saved"
    saved.mkdir()
    for file in ("labels.nrrd", "report.json", "t1ce-scan.nrrd"):
        (tmp_path / "one" / file).rename(saved / file)
    fix_hash(saved)
    rescan(settings.t1ce)
    added = correct(result.segmentationNode, settings.t1ce, layers=3)
    widget.panel.comparing.add(saved)
    # The corrected one is the later visit; the one on disk comes second in the list.
    mark(widget, "2024-03-10", "2024-01-10")
    widget.ui.compareButton.click()
    finish(widget)
    assert widget.panel.comparing.job.state == "finished", widget.panel.comparing.job.error
    change = widget.panel.comparing.compared.record["changes"][0]["volumes"]
    edema = next(row for row in change if row["key"] == "edema")
    assert edema["change_ml"] == pytest.approx(added, abs=0.01)
    assert widget.panel.comparing.compared.record["visits"][1]["corrected"]


def test_a_folder_without_a_report_is_refused(widget, tmp_path):
    with pytest.raises(InputError, match="report of one run"):
        widget.panel.comparing.add(tmp_path)


def fix_hash(folder) -> None:
    """What `finish_run` leaves open: the name and the hash of the scan."""
    import json

    from BrainTumorSegLib.io.volumes import file_sha256

    path = folder / "report.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for entry in record["case"]["inputs"]:
        if entry["sequence"] == "t1ce":
            entry |= {"source": "t1ce-scan.nrrd", "sha256": file_sha256(folder / entry["source"])}
    path.write_text(json.dumps(record), encoding="utf-8")


def errors(module) -> list:
    """What dialogs have said, which is expected."""
    said = list(module.errors)
    module.errors.clear()
    return said


def widget_scene():
    import slicer

    return slicer.mrmlScene


def slices() -> list:
    return nodesOfClass(widget_scene(), "vtkMRMLSliceNode")
