"""Saving a result: every format, all of it or nothing, and what is said when it cannot be."""

from __future__ import annotations

import gc
import html
import json
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_factory import Examination, write_series
from dicom_factory import rotation as dicom_rotation
from mrml_nodes import (
    OBLIQUE,
    add_transform,
    add_volume,
    affine,
    head,
    node_positions,
    put_under,
    rotation,
)
from mrml_results import add_result, correct, labels_of
from mrml_scene import snapshot

from BrainTumorSegLib.core.errors import BrainTumorSegError, InputError, OutputError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd
from BrainTumorSegLib.slicer_app.export import dicom as export_dicom
from BrainTumorSegLib.slicer_app.export.saving import (
    FORMATS,
    SaveJob,
    defaultTargets,
    dicomPreflight,
    save,
)
from BrainTumorSegLib.slicer_app.review.reviews import writeReview
from BrainTumorSegLib.slicer_app.review.second_reading import startSecondReading
from BrainTumorSegLib.slicer_app.scene.geometry import gridMatrix
from BrainTumorSegLib.slicer_app.scene.scene_scans import hierarchyPath
from BrainTumorSegLib.slicer_app.scene.volumes import imageFromNode

#: SOP class of a DICOM SEG.
SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"


@pytest.fixture
def made(scene, tmp_path):
    t1 = add_volume(scene, "Kopf T1 ü", head(seed=1), OBLIQUE)
    return add_result(scene, tmp_path / "run", t1=t1)


@pytest.fixture
def node(made):
    return made[0].segmentationNode


@pytest.fixture
def reference(made):
    return made[1].t1ce


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def header_of(path: Path):
    import pydicom

    return pydicom.dcmread(path)


def saved(node, folder, *formats, **options) -> SaveJob:
    folder.mkdir(exist_ok=True)
    job = save(node, folder, formats, **options)
    job.wait()
    assert job.state == "finished", f"{job.error} {job.logTail}"
    assert set(job.written) == set(job.targets.values())
    return job


def test_a_result_is_never_saved_over_the_scan_that_it_was_made_of(
    scene, node, reference, tmp_path
):
    scan = tmp_path / "t1ce.nii.gz"
    scan.write_text("the scan")
    (tmp_path / "link.nii.gz").symlink_to(scan)
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(scan))
    reference.SetAndObserveStorageNodeID(storage.GetID())
    for target in (scan, tmp_path / "link.nii.gz"):
        job = SaveJob(node, {"nii.gz": target}, overwrite=True)
        with pytest.raises(OutputError, match="inputs are never replaced"):
            job.start()
        assert job.state == "idle"
    assert scan.read_text() == "the scan"


# Files that need no worker


@pytest.mark.parametrize("change", ["as made", "corrected", "empty"])
def test_the_library_reads_back_exactly_what_slicer_writes(scene, tmp_path, change):
    labels = np.zeros((40, 48, 50), np.uint8) if change == "empty" else None
    result, settings = add_result(scene, tmp_path / "run", labels=labels)
    if change == "corrected":
        correct(result.segmentationNode, settings.t1ce)
    job = saved(result.segmentationNode, tmp_path / "out ü", "seg.nrrd")
    image = read_seg_nrrd(job.written[0])
    grid = imageFromNode(settings.t1ce)
    assert np.array_equal(
        sitk.GetArrayFromImage(image), labels_of(result.segmentationNode, settings.t1ce)
    )
    assert np.allclose(gridMatrix(image), gridMatrix(grid), atol=1e-4)


def test_saving_does_not_change_the_scene(scene, node, tmp_path):
    before = snapshot(scene)
    saved(node, tmp_path / "out", "seg.nrrd", "nii.gz", "json", "html")
    assert snapshot(scene) == before


def test_a_label_map_lies_where_the_views_show_it(scene, made, node, reference, tmp_path):
    turn = add_transform(scene, affine(rotation(0.3, -0.2, 0.5), (30, -12, 7)))
    put_under(reference, turn)
    put_under(node, turn)
    job = saved(node, tmp_path / "out", "nii.gz")
    image = sitk.ReadImage(str(job.written[0]))
    values = sitk.GetArrayFromImage(image)
    assert np.array_equal(values, labels_of(node, reference))
    world = node_positions(reference)
    for index in ((3, 5, 7), (40, 2, 30), (0, 0, 0)):
        point = np.array(image.TransformIndexToPhysicalPoint(index)) * (-1, -1, 1)
        assert np.allclose(point, world[index[::-1]], atol=1e-3)
    assert "lies below a transform" in job.warnings[0]


def test_an_identity_transform_is_no_reason_to_warn(scene, node, reference, tmp_path):
    still = add_transform(scene, np.eye(4))
    put_under(reference, still)
    put_under(node, still)
    assert saved(node, tmp_path / "out", "nii.gz", "seg.nrrd").warnings == []


@pytest.mark.parametrize("bend", ["shear", "warp"])
def test_what_a_label_map_cannot_express_is_refused_beforehand(
    scene, node, reference, tmp_path, bend
):
    from mrml_nodes import add_warp

    shear = np.eye(4)
    shear[0, 1] = 0.3
    transform = add_transform(scene, shear) if bend == "shear" else add_warp(scene)
    put_under(reference, transform)
    put_under(node, transform)
    with pytest.raises(OutputError, match=r"bends or skews the scan.*\.seg\.nrrd"):
        save(node, tmp_path, ["seg.nrrd", "nii.gz"])
    assert files_in(tmp_path) == ["run"]
    saved(node, tmp_path / "out", "seg.nrrd")


def test_a_segmentation_of_surfaces_is_refused_with_the_remedy(scene, node, tmp_path):
    node.GetSegmentation().CreateRepresentation("Closed surface")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    job = save(node, tmp_path, ["seg.nrrd"])
    job.wait()
    assert job.state == "failed"
    assert "binary labelmap" in job.error.remedy
    assert files_in(tmp_path) == ["run"]


# All or nothing


def test_existing_files_are_replaced_only_when_allowed(node, tmp_path):
    targets = defaultTargets(node, tmp_path, ["seg.nrrd", "nii.gz"])
    targets["nii.gz"].write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        SaveJob(node, targets).start()
    assert targets["nii.gz"].read_text() == "mine"
    assert not targets["seg.nrrd"].exists()
    job = SaveJob(node, targets, overwrite=True)
    job.start()
    job.wait()
    assert job.state == "finished"
    assert targets["nii.gz"].stat().st_size > 100


def test_nothing_appears_before_everything_is_done(node, tmp_path):
    job = save(node, tmp_path, ["seg.nrrd", "nii.gz"])
    while not job.poll():
        assert [name for name in files_in(tmp_path) if not name.startswith(".")] == ["run"]
    assert len(files_in(tmp_path)) == 3


def test_a_failure_leaves_nothing_behind(node, tmp_path, monkeypatch):
    import BrainTumorSegLib.slicer_app.export.saving as saving

    def fail(*_):
        raise OutputError("The disk is full.", "Free some space.")

    monkeypatch.setattr(saving, "writeLabelMap", fail)
    ended = []
    job = save(node, tmp_path, ["seg.nrrd", "nii.gz"], onFinished=ended.append)
    assert job.wait() == []
    assert (job.state, str(job.error)) == ("failed", "The disk is full. Free some space.")
    assert files_in(tmp_path) == ["run"]
    assert ended == [job]


def test_an_unexpected_error_is_told_and_leaves_nothing_behind(node, tmp_path, monkeypatch):
    import BrainTumorSegLib.slicer_app.export.saving as saving

    monkeypatch.setattr(saving, "writeSegNrrd", lambda *_: 1 / 0)
    job = save(node, tmp_path, ["seg.nrrd"])
    job.wait()
    assert job.state == "failed"
    assert "ZeroDivisionError" in str(job.error)
    assert files_in(tmp_path) == ["run"]


def test_a_job_that_is_dropped_leaves_nothing_behind(node, tmp_path):
    job = save(node, tmp_path, ["seg.nrrd", "nii.gz"])
    job.poll()
    job.poll()
    del job
    gc.collect()
    assert files_in(tmp_path) == ["run"]


def test_cancelling_the_worker_is_quick_and_leaves_nothing(node, reference, tmp_path):
    correct(node, reference)
    job = save(node, tmp_path, ["seg.nrrd", "html"])
    while job.step != "Making the report":
        job.poll()
    for _ in range(5):
        job.poll()
    began = time.monotonic()
    job.cancel()
    assert job.state == "cancelling"
    assert job.wait() == []
    assert job.state == "cancelled"
    assert time.monotonic() - began < 2
    assert files_in(tmp_path) == ["run"]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({}, "Nothing to save was chosen"),
        ({"stl": "x.stl"}, "format stl is not known"),
        ({"nii.gz": "x.nrrd"}, r"does not end in \.nii\.gz"),
        ({"html": "missing/x.html"}, "does not exist"),
    ],
)
def test_wrong_targets_are_refused_at_once(node, tmp_path, targets, message):
    with pytest.raises((InputError, OutputError), match=message):
        SaveJob(node, {key: tmp_path / name for key, name in targets.items()}).start()


def test_a_segmentation_without_report_can_be_saved_without_one_only(scene, node, tmp_path):
    node.SetNodeReferenceID("BrainTumorSeg.Report", None)
    with pytest.raises(InputError, match="has no report"):
        save(node, tmp_path, ["json"])
    saved(node, tmp_path / "out", "seg.nrrd", "nii.gz")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Müller / T1: «KM»?", "Müller - T1- «KM»"),
        ("опухоль", "опухоль"),
        ("..\\..", "segmentation"),
        ("CON", "CON_"),
        ("x" * 300, "x" * 100),
        ("", "segmentation"),
    ],
)
def test_file_names_are_such_that_every_system_takes_them(node, name, stem):
    targets = defaultTargets(node, Path("out"), ["dcm", "seg.nrrd"], name or None)
    if name:
        assert list(targets.values()) == [Path(f"out/{stem}.seg.nrrd"), Path(f"out/{stem}.dcm")]
    node.SetName(name)
    assert defaultTargets(node, Path("out"), ["html"])["html"].name == f"{stem}.html"


# Reports


def test_an_untouched_result_keeps_the_report_of_its_run(made, node, tmp_path):
    job = saved(node, tmp_path / "out", "json", "html")
    assert json.loads(job.targets["json"].read_text(encoding="utf-8")) == made[0].report
    assert job.targets["html"].read_text(encoding="utf-8") == made[0].pageNode.GetText()


def test_a_corrected_and_reviewed_result_gets_a_new_report(node, reference, tmp_path):
    added = correct(node, reference, Tissue.EDEMA, 3)
    writeReview(node, "Dr. Йванова", "corrected", "<b>Ödem</b> & Rand")
    writeReview(startSecondReading(node), "B", "approved")
    job = saved(node, tmp_path / "out", "json", "html")
    record = json.loads(job.targets["json"].read_text(encoding="utf-8"))
    from BrainTumorSegLib.reporting.record import check_record

    check_record(record, "report.json")
    automatic = record["correction"]["automatic"]["volumes_ml"]
    assert record["volumes_ml"]["edema"] == pytest.approx(automatic["edema"] + added, abs=0.01)
    assert [review["reader"] for review in record["reviews"]] == ["Dr. Йванова", "B"]
    assert record["correction"]["labels"]["source"] == node.GetName()
    page = job.targets["html"].read_text(encoding="utf-8")
    assert "Dr. Йванова" in page
    assert "&lt;b&gt;Ödem&lt;/b&gt;" in page
    assert "-scan.nrrd" not in page + json.dumps(record)


def test_approving_makes_no_correction_of_the_report(made, node, tmp_path):
    writeReview(node, "A", "approved")
    job = saved(node, tmp_path / "out", "json", "html")
    record = json.loads(job.targets["json"].read_text(encoding="utf-8"))
    assert "correction" not in record
    assert record["reviews"][0]["verdict"] == "approved"
    assert record["volumes_ml"] == made[0].report["volumes_ml"]
    page = job.targets["html"].read_text(encoding="utf-8")
    assert "those of an expert" not in page
    assert "approved" in page


def test_the_second_reading_has_a_report_of_its_own_labels(node, reference, tmp_path):
    second = startSecondReading(node)
    added = correct(second, reference, Tissue.NECROSIS, 2)
    job = saved(second, tmp_path / "out", "json")
    record = json.loads(job.written[0].read_text(encoding="utf-8"))
    automatic = record["correction"]["automatic"]["volumes_ml"]
    assert record["volumes_ml"]["necrosis"] == pytest.approx(
        automatic["necrosis"] + added, abs=0.01
    )


def test_a_report_without_the_scan_says_what_to_do(scene, node, reference, tmp_path):
    correct(node, reference)
    scene.RemoveNode(reference)
    job = save(node, tmp_path, ["html"])
    job.wait()
    assert job.state == "failed"
    assert "no longer in the scene" in str(job.error)
    assert files_in(tmp_path) == ["run"]


def test_a_worker_without_packages_ends_in_a_remedy(node, reference, tmp_path, monkeypatch):
    from dataclasses import replace

    import BrainTumorSegLib.slicer_app.export.files as worker_task
    from BrainTumorSegLib.slicer_app.host.application import workerPython

    script = tmp_path / "worker.py"
    script.write_text("import jsonschema_that_is_not_there\n", encoding="utf-8")
    python = replace(workerPython(), program=(str(script),))
    monkeypatch.setattr(worker_task, "workerPython", lambda: python)
    correct(node, reference)
    (tmp_path / "out").mkdir()
    job = save(node, tmp_path / "out", ["html"])
    job.wait()
    assert job.state == "failed"
    assert "jsonschema_that_is_not_there" in str(job.error)
    assert files_in(tmp_path / "out") == []


# DICOM SEG


class Database:
    """What is asked of Slicer's DICOM database, answered from files."""

    isOpen = True  # noqa: N815

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.inserted: list[str] = []

    def fileForInstance(self, uid):  # noqa: N802
        return str(self.files.get(uid, ""))

    def instanceValue(self, uid, tag):  # noqa: N802
        import pydicom

        group, element = (int(part, 16) for part in tag.split(","))
        found = pydicom.dcmread(self.files[uid], stop_before_pixels=True).get((group, element))
        return "" if found is None else str(found.value)

    def instancesForSeries(self, series):  # noqa: N802
        return [u for u in self.files if self.instanceValue(u, "0020,000e") == series]


@pytest.fixture
def dicom(scene, tmp_path, monkeypatch):
    """A result on a T1CE that was loaded from DICOM, oblique, below patient and study."""
    pytest.importorskip("highdicom")
    import pydicom
    import slicer
    from mrml_nodes import vtk_matrix

    axes = dicom_rotation(8, -5, 12)
    values = np.random.default_rng(5).integers(0, 900, (40, 48, 50)).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.9, 1.1, 3.5))
    image.SetDirection(axes.ravel().tolist())
    image.SetOrigin((-20, -30, -40))
    files = write_series(tmp_path / "dicom", image, 7, "t1ce", Examination(), order="interleaved")
    headers = [pydicom.dcmread(file) for file in files]
    database = Database()
    database.files = {h.SOPInstanceUID: f for h, f in zip(headers, files, strict=True)}
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node = add_volume(scene, "7: t1ce", values, gridMatrix(image))
    node.SetIJKToRASMatrix(vtk_matrix(gridMatrix(image)))
    node.SetAttribute("DICOM.instanceUIDs", " ".join(database.files))
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = tree.CreateSubjectItem(tree.GetSceneItemID(), "Doe")
    study = tree.CreateStudyItem(patient, "MR head")
    tree.SetItemParent(tree.GetItemByDataNode(node), study)
    result, _ = add_result(scene, tmp_path / "run", t1ce=node, flair=None, t1=None)
    return result.segmentationNode, node, database


def test_the_library_writes_a_dicom_seg_that_reads_back(dicom, tmp_path):
    from dicom_checks import read_dicom_seg

    node, reference, _ = dicom
    assert dicomPreflight(node) == []
    job = saved(node, tmp_path / "out ü", "dcm")
    read = read_dicom_seg(job.written[0], imageFromNode(reference))
    assert np.array_equal(sitk.GetArrayFromImage(read), labels_of(node, reference))
    import pydicom

    header = pydicom.dcmread(job.written[0])
    assert {s.SegmentAlgorithmType for s in header.SegmentSequence} == {"AUTOMATIC"}
    assert header.PatientID == "PAT-4711"
    assert job.warnings == []


def test_a_corrected_result_is_marked_semiautomatic(dicom, tmp_path):
    import pydicom

    node, reference, _ = dicom
    correct(node, reference)
    job = saved(node, tmp_path / "out", "dcm")
    header = pydicom.dcmread(job.written[0])
    assert {s.SegmentAlgorithmType for s in header.SegmentSequence} == {"SEMIAUTOMATIC"}


def test_a_transform_above_the_scan_does_not_matter_to_dicom(scene, dicom, tmp_path):
    from dicom_checks import read_dicom_seg

    node, reference, _ = dicom
    grid = imageFromNode(reference)
    turn = add_transform(scene, affine(rotation(0.3, -0.2, 0.5), (30, -12, 7)))
    put_under(reference, turn)
    put_under(node, turn)
    job = saved(node, tmp_path / "out", "dcm")
    read = read_dicom_seg(job.written[0], grid)
    assert np.array_equal(sitk.GetArrayFromImage(read), labels_of(node, reference))


def test_a_scan_that_is_not_from_dicom_is_said_so(node):
    (missing,) = dicomPreflight(node, "library")
    assert "“Kopf T1 KM” was not loaded from DICOM" in missing


def test_preflight_names_a_database_that_is_missing(dicom, monkeypatch):
    import slicer

    monkeypatch.setattr(slicer, "dicomDatabase", None)
    assert dicomPreflight(dicom[0]) == ["No DICOM database is open: open the module DICOM once."]


def test_preflight_counts_images_that_the_database_does_not_know(dicom):
    node, _, database = dicom
    for uid in list(database.files)[:3]:
        del database.files[uid]
    (missing,) = dicomPreflight(node)
    assert "3 of 40 images of “7: t1ce” are not in the DICOM database" in missing


def test_preflight_names_files_that_were_moved_away(dicom):
    node, _, database = dicom
    list(database.files.values())[4].unlink()
    (missing,) = dicomPreflight(node)
    assert "1 of 40 DICOM files" in missing


def test_preflight_notices_a_series_that_was_loaded_in_part(dicom):
    node, reference, database = dicom
    reference.SetAttribute("DICOM.instanceUIDs", " ".join(list(database.files)[:30]))
    (missing,) = dicomPreflight(node)
    assert "only 30 of 40 images" in missing


def test_preflight_notices_a_scan_that_was_resampled(dicom):
    node, reference, database = dicom
    uids = [uid for uid in database.files if uid in list(database.files)[:30]]
    database.files = {uid: database.files[uid] for uid in uids}
    reference.SetAttribute("DICOM.instanceUIDs", " ".join(uids))
    (missing,) = dicomPreflight(node)
    assert "comes from 30 images but has 40 slices" in missing


def test_preflight_notices_an_empty_segmentation(scene, dicom, tmp_path):
    _, reference, _ = dicom
    empty, _ = add_result(
        scene,
        tmp_path / "empty",
        labels=np.zeros((40, 48, 50), np.uint8),
        t1ce=reference,
        t1=None,
        flair=None,
    )
    assert ["is empty" in text for text in dicomPreflight(empty.segmentationNode)] == [True]


def test_preflight_names_missing_packages_and_the_remedy(dicom, monkeypatch):
    import BrainTumorSegLib.slicer_app.install.packages as packages

    class Absent(packages.Requirement):
        installed = None

    monkeypatch.setattr(
        packages, "EXTRAS", {"dicom": ("", (Absent("highdicom", "0.24"), Absent("pydicom", "3")))}
    )
    (missing,) = dicomPreflight(dicom[0])
    assert "highdicom, pydicom" in missing
    assert "Install packages" in missing


def test_preflight_asks_for_the_scan_that_was_removed(scene, dicom):
    node, reference, _ = dicom
    scene.RemoveNode(reference)
    (missing,) = dicomPreflight(node)
    assert "no longer in the scene" in missing


def test_a_job_repeats_what_preflight_says(node, tmp_path):
    with pytest.raises(InputError, match="was not loaded from DICOM"):
        save(node, tmp_path, ["dcm"])


# Slicer's own export


def exporter_that(problem="", files=1):
    """A stand-in for Slicer's export; keeps what it was given."""
    import pydicom
    import slicer

    class Exportable:
        def __init__(self) -> None:
            self.directory, self.tags = "", {}

        def setTag(self, name, value):  # noqa: N802
            self.tags[name] = value

    class Exporter:
        seen: ClassVar[dict] = {}

        def examineForExport(self, item):  # noqa: N802
            tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
            node = tree.GetItemDataNode(item)
            self.seen["segments"] = node.GetSegmentation().GetSegmentIDs()
            self.seen["levels"] = [level for _, level, _ in hierarchyPath(node)]
            import vtk

            kind = vtk.reference("")
            node.GetSegmentation().GetNthSegment(0).GetTag("DICOM.SegmentAlgorithmType", kind)
            self.seen["kind"] = str(kind)
            return [Exportable()]

        def export(self, exportables):
            for number in range(files):
                dataset = pydicom.Dataset()
                dataset.SeriesDescription = "from Slicer"
                dataset.SpecificCharacterSet = "ISO_IR 100"
                dataset.file_meta = pydicom.dataset.FileMetaDataset()
                dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
                dataset.file_meta.MediaStorageSOPClassUID = SEGMENTATION_STORAGE
                dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
                path = Path(exportables[0].directory, f"{number}.dcm")
                dataset.save_as(path, enforce_file_format=True)
            return problem

    return Exporter


@pytest.fixture
def slicer_export(monkeypatch):
    import slicer

    def install(converter=True, **options):
        exporter = exporter_that(**options)
        plugins = {"DICOMSegmentationPlugin": exporter}
        monkeypatch.setattr(slicer.modules, "dicomPlugins", plugins, raising=False)
        monkeypatch.setattr(export_dicom, "_hasConverter", lambda: converter)
        return exporter.seen

    return install


def test_slicers_export_is_used_where_it_is_installed(scene, dicom, slicer_export, tmp_path):
    node, reference, _ = dicom
    labels = labels_of(node, reference)
    seen = slicer_export()
    before = snapshot(scene)
    job = saved(node, tmp_path / "out", "dcm")
    assert header_of(job.written[0]).SeriesDescription == "from Slicer"
    assert snapshot(scene) == before
    assert seen["levels"] == ["Study", "Patient"]
    assert seen["kind"] == "AUTOMATIC"
    assert set(seen["segments"]) == {
        tissue.key for tissue in Tissue if tissue and (labels == tissue).any()
    }


@pytest.mark.parametrize("options", [{"problem": "No dcmqi."}, {"files": 0}])
def test_where_slicers_export_fails_ours_is_used_and_that_is_told(
    scene, dicom, slicer_export, tmp_path, options
):
    slicer_export(**options)
    before = snapshot(scene)
    job = saved(dicom[0], tmp_path / "out", "dcm")
    assert job.written[0].read_bytes()[128:132] == b"DICM"
    assert "Slicer's DICOM export failed" in job.warnings[0]
    assert "own export was used instead" in job.warnings[0]
    assert snapshot(scene) == before


def test_warnings_of_the_run_are_comments_of_what_slicer_writes(dicom, slicer_export, tmp_path):
    slicer_export()
    text = json.loads(dicom[0].GetAttribute("BrainTumorSeg.Warnings"))
    job = saved(dicom[0], tmp_path / "out", "dcm")
    assert text and header_of(job.written[0]).ImageComments.splitlines() == text


def test_where_slicers_export_lacks_its_converter_it_is_not_tried_and_that_is_told(
    dicom, slicer_export, tmp_path
):
    seen = slicer_export(converter=False)
    assert "needs “dcmqi”" in dicomPreflight(dicom[0], "slicer")[0]
    assert dicomPreflight(dicom[0]) == []
    job = saved(dicom[0], tmp_path / "out", "dcm")
    assert job.written[0].read_bytes()[128:132] == b"DICM"
    assert seen == {}
    (warning,) = job.warnings
    assert "“dcmqi”" in warning
    assert "own export was used instead" in warning


def test_slicers_export_alone_may_be_asked_for(dicom, slicer_export, tmp_path):
    slicer_export(problem="No dcmqi.")
    job = SaveJob(dicom[0], {"dcm": tmp_path / "x.dcm"}, dicomEngine="slicer")
    job.start()
    job.wait()
    assert "No dcmqi" in str(job.error)
    assert not (tmp_path / "x.dcm").exists()


def test_without_a_study_only_slicers_own_export_is_impossible(
    scene, dicom, slicer_export, tmp_path
):
    import slicer

    node, reference, _ = dicom
    slicer_export()
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    tree.SetItemParent(tree.GetItemByDataNode(reference), tree.GetSceneItemID())
    texts = dicomPreflight(node, "slicer")
    assert ["patient" in texts[0], "study" in texts[1]] == [True, True]
    assert dicomPreflight(node) == []
    (warning,) = saved(node, tmp_path / "out", "dcm").warnings
    assert "below no patient" in warning


def test_every_format_at_once(dicom, tmp_path):
    job = saved(dicom[0], tmp_path / "alles", *FORMATS)
    assert len(job.written) == len(FORMATS)
    assert files_in(tmp_path / "alles") == sorted(path.name for path in job.written)


@pytest.mark.parametrize("corrected", [False, True])
def test_every_warning_of_the_run_stands_in_every_saved_report(dicom, tmp_path, corrected):
    node, reference, _ = dicom
    told = json.loads(node.GetAttribute("BrainTumorSeg.Warnings"))
    if corrected:
        correct(node, reference)
    job = saved(node, tmp_path / "out", "json", "html", "dcm")
    files = {path.suffix: path for path in job.written}
    page = html.unescape(files[".html"].read_text(encoding="utf-8"))
    comments = header_of(files[".dcm"]).ImageComments
    report = json.loads(files[".json"].read_text(encoding="utf-8"))
    for text in told:
        assert text in report["warnings"] and text in page and text in comments
    assert told


def test_a_job_that_was_not_started_cannot_be_waited_for(node, tmp_path):
    job = SaveJob(node, {"seg.nrrd": tmp_path / "a.seg.nrrd"})
    with pytest.raises(BrainTumorSegError, match="was not started"):
        job.wait()
    assert list(tmp_path.glob("*.nrrd")) == []


def test_a_job_that_could_not_start_can_be_started_once_that_is_mended(node, tmp_path):
    target = tmp_path / "a.seg.nrrd"
    target.write_text("of yesterday")
    job = SaveJob(node, {"seg.nrrd": target})
    with pytest.raises(OutputError):
        job.start()
    target.unlink()
    job.start()
    assert job.wait() == [target] and job.state == "finished"
