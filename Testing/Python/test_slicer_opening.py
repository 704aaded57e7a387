"""A result on the disk in the scene, as after a run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("slicer", reason="slicer-core is not installed")

from mrml_results import correct, labels_of
from mrml_run import tumor
from mrml_scene import snapshot
from opened_cases import image_of, write_result

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.export.dicom import wasCorrected
from BrainTumorSegLib.slicer_app.export.files import writeSegNrrd
from BrainTumorSegLib.slicer_app.export.saving import defaultFolder
from BrainTumorSegLib.slicer_app.review.reviews import readReviews, writeReview
from BrainTumorSegLib.slicer_app.review.second_reading import startSecondReading
from BrainTumorSegLib.slicer_app.run.opening import closeCase, openCase, replaceCase
from BrainTumorSegLib.slicer_app.run.result import findResult
from BrainTumorSegLib.slicer_app.run.settings import RunSettings
from BrainTumorSegLib.slicer_app.scene.segments import otherSegments
from BrainTumorSegLib.slicer_app.scene.uncertainty import uncertainRegions

ANY = RunSettings()


@pytest.fixture
def case(tmp_path):
    return write_result(tmp_path, "p1")


def names(scene, kind):
    count = scene.GetNumberOfNodesByClass(kind)
    return [scene.GetNthNodeByClass(n, kind).GetName() for n in range(count)]


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz"])
def test_scans_segmentation_and_record_are_in_the_scene_as_after_a_run(scene, tmp_path, ending):
    opened = openCase(write_result(tmp_path, "p1", ending), ANY)
    assert [node.GetName() for node in opened.scans.values()] == ["t1", "t1ce", "flair"]
    node, reference = opened.segmentation, opened.scans[Sequence.T1CE]
    assert node.GetName() == "p1"
    assert np.array_equal(labels_of(node, reference), tumor())
    result = findResult(node)
    assert result.report["pack"]["name"] == "glioma-lite"
    assert result.disagreementNode is not None and uncertainRegions(node)
    assert result.tableNode.GetNumberOfRows() > 3
    assert not wasCorrected(node) and not opened.isUnsaved()


def test_an_opened_result_can_be_corrected_and_approved_by_two_readers(scene, case):
    opened = openCase(case, ANY)
    correct(opened.segmentation, opened.scans[Sequence.T1CE], layers=2)
    writeReview(opened.segmentation, "Reader One", "corrected")
    second = startSecondReading(opened.segmentation)
    writeReview(second, "Reader Two", "approved")
    first, other = readReviews(second)
    assert first.agreement is not None and other.reader == "Reader Two"


def test_a_result_that_was_corrected_and_saved_back_is_not_taken_for_automatic(scene, case):
    opened = openCase(case, ANY)
    correct(opened.segmentation, opened.scans[Sequence.T1CE], layers=2)
    opened.segmentation.GetSegmentation().AddEmptySegment("skull", "Skull")
    corrected = labels_of(opened.segmentation, opened.scans[Sequence.T1CE])
    path = Path(case.outputs["segmentation"]["file"])
    path.unlink()
    writeSegNrrd(opened.segmentation, path)
    again = replaceCase(opened, case, ANY)
    assert np.array_equal(labels_of(again.segmentation, again.scans[Sequence.T1CE]), corrected)
    assert otherSegments(again.segmentation) == ["skull"]
    assert again.result.automaticNode is None and wasCorrected(again.segmentation)


def test_it_is_saved_where_the_result_lies_and_not_among_the_scans(scene, case):
    opened = openCase(case, ANY)
    assert defaultFolder(opened.segmentation) == Path(case.outputs["report"]["file"]).parent


def damaged(case, kind):
    if kind == "scan":
        Path(case.scans["flair"]).write_bytes(b"no image")
    elif kind == "missing":
        Path(case.scans["t1"]).unlink()
    elif kind == "record":
        Path(case.outputs["report"]["file"]).write_text("{}")
    elif kind == "segmentation":
        Path(case.outputs["segmentation"]["file"]).write_bytes(b"no segmentation")
    elif kind == "map":
        other = image_of(np.zeros((3, 4, 5), np.float32))
        sitk.WriteImage(other, case.outputs["disagreement"]["file"])
    elif kind == "sequences":
        record = json.loads(Path(case.outputs["report"]["file"]).read_text())
        del record["case"]["inputs"][0]
        Path(case.outputs["report"]["file"]).write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("scan", "flair.nii.gz"),
        ("missing", "t1.nii.gz"),
        ("record", "p1_record.json"),
        ("segmentation", "p1.seg.nrrd"),
        ("map", "p1_entropy.nii.gz"),
        ("sequences", "p1_record.json"),
    ],
)
def test_what_is_damaged_is_named_and_the_scene_is_as_before(scene, tmp_path, case, kind, named):
    opened = openCase(write_result(tmp_path, "p0"), ANY)
    before = snapshot(scene)
    damaged(case, kind)
    with pytest.raises(InputError, match=named) as raised:
        replaceCase(opened, case, ANY)
    assert raised.value.remedy
    assert snapshot(scene) == before


def test_without_a_map_of_disagreement_a_result_opens_all_the_same(scene, case):
    outputs = {kind: out for kind, out in case.outputs.items() if kind != "disagreement"}
    opened = openCase(dataclasses.replace(case, outputs=outputs), ANY)
    assert opened.result.disagreementNode is None
    assert uncertainRegions(opened.segmentation) == []


def test_the_next_case_takes_the_place_of_the_one_before(scene, tmp_path, case):
    before = snapshot(scene)
    opened = openCase(case, ANY)
    writeReview(startSecondReading(opened.segmentation), "Reader Two", "approved")
    opened = replaceCase(opened, write_result(tmp_path, "p2"), RunSettings(registeredCopies=True))
    assert names(scene, "vtkMRMLScalarVolumeNode")[:3] == ["t1", "t1ce", "flair"]
    kept = [name for name in names(scene, "vtkMRMLSegmentationNode") if "p1" in name]
    assert kept == []
    closeCase(opened)
    assert list(snapshot(scene)["nodes"]) == list(before["nodes"])


def test_what_a_copy_made_by_a_person_needs_stays(scene, case):
    opened = openCase(case, ANY)
    copy = scene.CopyNode(opened.segmentation)
    closeCase(opened)
    assert opened.segmentation.GetScene() is None
    assert findResult(copy) is not None
    assert opened.scans[Sequence.T1CE].GetScene() is scene


def test_only_what_was_not_saved_is_called_unsaved(scene, case):
    opened = openCase(case, ANY)
    writeReview(opened.segmentation, "Reader One", "approved")
    assert opened.isUnsaved()
    opened.noteSaved()
    assert not opened.isUnsaved()
    correct(opened.segmentation, opened.scans[Sequence.T1CE])
    assert opened.isUnsaved()
    opened.noteSaved(labels=False)
    assert opened.isUnsaved()
    opened.noteSaved(reviews=False)
    assert not opened.isUnsaved()
    closeCase(opened)
    assert not opened.isUnsaved()


def test_a_case_from_dicom_is_read_as_the_run_has_read_it(scene, tmp_path):
    pytest.importorskip("pydicom")
    from dicom_factory import Examination, write_series
    from mrml_nodes import head

    study, examination = tmp_path / "study", Examination()
    for number, sequence in enumerate(Sequence, 1):
        image = image_of(head(seed=number))
        write_series(study / sequence.value, image, number, sequence.value, examination)
    series = {s.value: s.name for s in Sequence}
    case = write_result(
        tmp_path, "p1", scans={s: Path("DICOM") for s in Sequence}, dicom=str(study), series=series
    )
    opened = openCase(dataclasses.replace(case, scans={}), ANY)
    assert [n.GetName() for n in opened.scans.values()][:2] == ["t1_se_tra", "t1_se_tra_KM"]
    assert np.array_equal(labels_of(opened.segmentation, opened.scans[Sequence.T1CE]), tumor())
