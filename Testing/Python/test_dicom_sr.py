"""DICOM Structured Reports, read back with highdicom, with pydicom alone, and with dcmqi."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Tissue
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.io.dicom.seg import SegSettings, make_dicom_seg, preflight, write_dicom_seg
from BrainTumorSegLib.io.dicom.sr import check_dicom_sr, make_dicom_sr
from BrainTumorSegLib.measurement.diameters import diameters_record, measure_diameters
from BrainTumorSegLib.reporting.outputs import Outputs, check_outputs

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")
highdicom = pytest.importorskip("highdicom", reason="DICOM needs the extra 'dicom'")

from dicom_checks import read_dicom_seg  # noqa: E402
from dicom_factory import head, rotation, write_series  # noqa: E402

SIZE, SPACING = (24, 28, 10), (4.0, 4.5, 6.0)

ORIENTATIONS = {
    "axial": np.eye(3),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "sagittal": np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float),
    "oblique": rotation(12, -25, 8),
}


def tumor_on(image: sitk.Image, tissues=TUMOR_TISSUES) -> sitk.Image:
    values = np.zeros(image.GetSize()[::-1], np.uint8)
    for tissue, low, high in (
        (Tissue.EDEMA, 3, 20),
        (Tissue.NON_ENHANCING, 5, 18),
        (Tissue.ENHANCING, 7, 16),
        (Tissue.NECROSIS, 9, 13),
    ):
        if tissue in tissues:
            values[2:8, low : high + 1, low:high] = tissue
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(image)
    return labels


@pytest.fixture(params=ORIENTATIONS)
def written(tmp_path, request):
    """A series, labels on it, and what the command writes of both."""
    image = head(SIZE, SPACING, ORIENTATIONS[request.param])
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    labels = tumor_on(image)
    sitk.WriteImage(labels, tmp_path / "labels.nrrd")
    words = ["dicom-seg", "--labels", tmp_path / "labels.nrrd", "--reference", tmp_path / "mr"]
    words += ["-o", tmp_path / "seg.dcm", "--dicom-sr", tmp_path / "sr.dcm"]
    assert cli.main([str(word) for word in words]) == 0
    return files, labels, tmp_path / "seg.dcm", tmp_path / "sr.dcm"


def content(path: Path):
    return highdicom.sr.srread(str(path)).content


def values_of(group) -> dict[str, float]:
    return {m.name.meaning: float(m.value) for m in group.get_measurements()}


def test_volumes_come_back_with_the_segment_that_they_were_measured_of(written):
    files, labels, seg, sr = written
    report = content(sr)
    volumes, segmentation = volumes_ml(labels), pydicom.dcmread(seg)
    groups = report.get_volumetric_roi_measurement_groups()
    assert len(groups) == len(TUMOR_TISSUES)
    for group, tissue in zip(groups, TUMOR_TISSUES, strict=True):
        assert group.finding_type.value == STYLES[tissue].code.value
        assert [site.value.value for site in group.finding_sites] == ["12738006"]
        assert values_of(group) == {"Volume": pytest.approx(1000 * volumes[tissue.key], abs=0.1)}
        assert group.get_measurements()[0].unit.value == "mm3"
        numbers = {
            item.ReferencedSOPSequence[0].ReferencedSegmentNumber
            for item in group[0].ContentSequence
            if "ReferencedSegmentNumber" in item.get("ReferencedSOPSequence", [{}])[0]
        }
        assert numbers == {tissue}
        assert group.tracking_uid == segmentation.SegmentSequence[tissue - 1].TrackingUID
    plain = pydicom.dcmread(sr)
    named = {
        item.ReferencedSOPInstanceUID
        for study in plain.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    images = {pydicom.dcmread(file).SOPInstanceUID for file in files}
    assert named == {segmentation.SOPInstanceUID, *images}


def test_diameters_come_back_with_their_lines_in_space(written):
    _files, labels, _seg, sr = written
    expected = diameters_record(measure_diameters(labels))
    groups = content(sr).get_image_measurement_groups()
    found = {group.tracking_identifier: group for group in groups}
    assert values_of(found["whole tumour"]) == {
        "Volume": pytest.approx(1000 * volumes_ml(labels)["WT"], abs=0.1)
    }
    (lesion,) = expected["lesions"]
    group = found["enhancing lesion 1 (target)"]
    values = values_of(group)
    assert values["Long Axis"] == lesion["long_mm"]
    assert values["Short Axis"] == lesion["short_mm"]
    measurement = group.get_measurements()[0]
    assert measurement.unit.value == "mm"
    (line,) = measurement.referenced_coordinates
    np.testing.assert_allclose(line.value, lesion["long"], atol=1e-3)
    total = values_of(found["target lesions RANO 2.0"])
    assert list(total.values()) == [expected["sum_of_products_mm2"]]


def test_dcmqi_reads_report_and_segmentation(tmp_path):
    pytest.importorskip("dcmqi")
    image = head(SIZE, SPACING, ORIENTATIONS["oblique"])
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    labels = tumor_on(image)
    made = make_dicom_seg(labels, files, SegSettings())
    made.dataset.save_as(tmp_path / "seg.dcm")
    report = make_dicom_sr(made, volumes_ml(labels), diameters_record(measure_diameters(labels)))
    report.save_as(tmp_path / "sr.dcm")
    run_dcmqi(
        "tid1500reader",
        *("--inputDICOM", tmp_path / "sr.dcm", "--outputMetadata", tmp_path / "sr.json"),
    )
    told = json.loads((tmp_path / "sr.json").read_text(encoding="utf-8"))
    volumes = {
        group["Finding"]["CodeValue"]: float(item["value"])
        for group in told["Measurements"]
        for item in group.get("measurementItems", ())
        if item["quantity"]["CodeMeaning"] == "Volume" and "ReferencedSegment" in group
    }
    for tissue in TUMOR_TISSUES:
        expected = 1000 * volumes_ml(labels)[tissue.key]
        assert volumes[STYLES[tissue].code.value] == pytest.approx(expected, abs=0.1)
    (tmp_path / "out").mkdir()
    run_dcmqi(
        "segimage2itkimage",
        *("--inputDICOM", tmp_path / "seg.dcm", "--outputDirectory", tmp_path / "out"),
        *("--outputType", "nrrd"),
    )
    for tissue in TUMOR_TISSUES:
        mask = sitk.ReadImage(str(tmp_path / "out" / f"{int(tissue)}.nrrd"))
        there = sitk.Resample(
            labels == int(tissue), mask, sitk.Transform(), sitk.sitkNearestNeighbor, 0
        )
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(mask) > 0, sitk.GetArrayFromImage(there) > 0
        )


def run_dcmqi(program: str, *arguments) -> None:
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    assert found, f"{program} comes with dcmqi"
    done = subprocess.run(
        [found, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_report_tells_nothing_of_a_person_that_the_source_does_not(written):
    files, _labels, _seg, sr = written
    source, report = pydicom.dcmread(files[0]), pydicom.dcmread(sr)
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "StudyInstanceUID"):
        assert report.get(keyword) == source.get(keyword)
    people = (
        "InstitutionName",
        "OperatorsName",
        "VerifyingObserverSequence",
        "AuthorObserverSequence",
    )
    assert not [keyword for keyword in people if keyword in report]
    assert report.VerificationFlag == "UNVERIFIED"
    names = [item for item in report.iterall() if item.VR == "PN" and item.value]
    known = {str(item.value) for item in source.iterall() if item.VR == "PN"}
    assert {str(item.value) for item in names} <= known


def test_tissues_that_are_not_there_have_no_group(tmp_path):
    image = head(SIZE, SPACING, np.eye(3))
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    labels = tumor_on(image, {Tissue.EDEMA})
    made = make_dicom_seg(labels, files, SegSettings())
    report = make_dicom_sr(made, volumes_ml(labels), diameters_record(measure_diameters(labels)))
    report.save_as(tmp_path / "sr.dcm")
    (group,) = content(tmp_path / "sr.dcm").get_volumetric_roi_measurement_groups()
    assert group.finding_type.value == STYLES[Tissue.EDEMA].code.value


@pytest.mark.parametrize("tissues", [TUMOR_TISSUES, (Tissue.EDEMA,), ()], ids=len)
def test_a_labelmap_segmentation_reads_back(tmp_path, tissues):
    image = head(SIZE, SPACING, ORIENTATIONS["oblique"])
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    labels = tumor_on(image, tissues)
    write_dicom_seg(labels, files, tmp_path / "seg.dcm", kind="labelmap")
    assert pydicom.dcmread(tmp_path / "seg.dcm").SegmentationType == "LABELMAP"
    found = read_dicom_seg(tmp_path / "seg.dcm", labels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(labels))


def test_a_report_refers_to_a_labelmap_segmentation_too(tmp_path):
    image = head(SIZE, SPACING, np.eye(3))
    files = write_series(tmp_path / "mr", image, 3, "t1ce")
    labels = tumor_on(image)
    made = make_dicom_seg(labels, files, SegSettings(kind="labelmap"))
    make_dicom_sr(made, volumes_ml(labels)).save_as(tmp_path / "sr.dcm")
    groups = content(tmp_path / "sr.dcm").get_volumetric_roi_measurement_groups()
    assert len(groups) == len(TUMOR_TISSUES)


def test_the_check_tells_before_a_run_that_no_report_can_be_made(tmp_path):
    files = write_series(tmp_path / "mr", head(SIZE, SPACING, np.eye(3)), 3, "t1ce")
    assert preflight(files, check_dicom_sr) == []

    def refused(_made):
        raise InputError("No DICOM structured report can be written: test.")

    assert preflight(files, refused) == ["No DICOM structured report can be written: test."]


def test_a_report_without_the_segmentation_that_it_refers_to_is_refused(tmp_path):
    with pytest.raises(Exception, match="--dicom-seg FILE"):
        check_outputs(Outputs(tmp_path / "x.seg.nrrd", dicom_sr=tmp_path / "sr.dcm"))


def test_report_and_segmentation_are_both_there_or_neither(tmp_path):
    files = write_series(tmp_path / "mr", head(SIZE, SPACING, np.eye(3)), 3, "t1ce")
    labels = tumor_on(sitk.ReadImage([str(f) for f in files]))
    sitk.WriteImage(labels, tmp_path / "labels.nrrd")
    (tmp_path / "sr.dcm").write_text("mine")
    words = ["dicom-seg", "--labels", tmp_path / "labels.nrrd", "--reference", tmp_path / "mr"]
    words += ["-o", tmp_path / "seg.dcm", "--dicom-sr", tmp_path / "sr.dcm"]
    assert cli.main([str(word) for word in words]) == 4
    assert not (tmp_path / "seg.dcm").exists()
    assert (tmp_path / "sr.dcm").read_text() == "mine"
