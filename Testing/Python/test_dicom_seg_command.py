"""The command that writes DICOM segmentation objects: which series, what is missing, what comes."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_checks import read_dicom_seg

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES
from BrainTumorSegLib.io.seg_nrrd import write_seg_nrrd

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")
pytest.importorskip("highdicom", reason="DICOM needs the extra 'dicom'")

from dicom_factory import Examination, head, rotation, write_series  # noqa: E402

SIZE, SPACING = (20, 24, 12), (10.0, 9.0, 12.0)


@pytest.fixture
def t1ce() -> sitk.Image:
    return head(SIZE, SPACING, rotation(12, -25, 8))


@pytest.fixture
def study(tmp_path, t1ce):
    """A study of one examination: T1CE, and FLAIR with thinner slices."""
    folder, examination = tmp_path / "Studie für Ärzte", Examination()
    write_series(folder / "6", t1ce, 6, "t1ce", examination, order="descending")
    flair = head((20, 24, 18), (10.0, 9.0, 8.0), rotation(12, -25, 8))
    write_series(folder / "7", flair, 7, "flair", examination)
    return folder


def labels_on(image: sitk.Image) -> sitk.Image:
    """Random labels in a lopsided box, so that no flip or swap of axes goes unseen."""
    values = np.zeros(image.GetSize()[::-1], np.uint8)
    choice = np.array([0, *TUMOR_TISSUES], np.uint8)
    values[2:9, 3:20, 5:17] = np.random.default_rng(0).choice(choice, (7, 17, 12))
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(image)
    return labels


def saved(labels: sitk.Image, path) -> str:
    if path.name.endswith(".seg.nrrd"):
        write_seg_nrrd(labels, path, "T1CE")
    else:
        sitk.WriteImage(labels, path)
    return str(path)


def run(*arguments, capsys):
    code = cli.main(["dicom-seg", *map(str, arguments)])
    return code, *capsys.readouterr()


def series_of(path) -> tuple[str, set[str]]:
    """The series and the images that a segmentation refers to."""
    (reference,) = pydicom.dcmread(path).ReferencedSeriesSequence
    return reference.SeriesInstanceUID, {
        item.ReferencedSOPInstanceUID for item in reference.ReferencedInstanceSequence
    }


@pytest.mark.parametrize("name", ["labels.seg.nrrd", "labels.nrrd", "labels.nii.gz", "labels.mha"])
def test_labels_in_every_format_come_back_from_the_object(tmp_path, study, t1ce, capsys, name):
    labels = labels_on(t1ce)
    given = saved(labels, tmp_path / name)
    out = tmp_path / "seg.dcm"
    code, said, err = run("--labels", given, "--reference", study, "-o", out, capsys=capsys)
    assert code == 0, err
    assert said.strip() == str(out)
    found = read_dicom_seg(out, labels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(labels))
    files = sorted((study / "6").iterdir())
    expected = {pydicom.dcmread(f).SOPInstanceUID for f in files}
    assert series_of(out)[0] == pydicom.dcmread(files[0]).SeriesInstanceUID
    assert series_of(out)[1] <= expected


def test_labels_that_slicer_cropped_are_put_back_in_place(tmp_path, study, t1ce, capsys):
    labels = labels_on(t1ce)
    cropped = tmp_path / "cropped.nrrd"
    sitk.WriteImage(labels[4:18, 2:21, 1:10], cropped)
    out = tmp_path / "seg.dcm"
    code, _, err = run("--labels", cropped, "--reference", study, "-o", out, capsys=capsys)
    assert code == 0, err
    found = read_dicom_seg(out, labels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(labels))


def test_files_of_a_series_may_be_given_in_any_order(tmp_path, study, t1ce, capsys):
    labels = labels_on(t1ce)
    given, out = saved(labels, tmp_path / "a.seg.nrrd"), tmp_path / "seg.dcm"
    files = sorted((study / "6").iterdir())
    shuffled = files[1::2] + files[::2]
    words = ("--labels", given, "--reference", *shuffled, "-o", out, "--corrected")
    code, _, err = run(*words, "--pack", "glioma-lite", capsys=capsys)
    assert code == 0, err
    found = read_dicom_seg(out, labels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(labels))
    segment = pydicom.dcmread(out).SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert "glioma-lite" in algorithm.AlgorithmParameters


def test_without_a_hint_the_labels_are_called_automatic(tmp_path, study, t1ce, capsys):
    given, out = saved(labels_on(t1ce), tmp_path / "a.nrrd"), tmp_path / "seg.dcm"
    assert run("--labels", given, "--reference", study, "-o", out, capsys=capsys)[0] == 0
    assert pydicom.dcmread(out).SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"


@pytest.mark.parametrize("series", ["8", "flair=8", "uid"])
def test_where_several_series_fit_one_has_to_be_named(tmp_path, t1ce, capsys, series):
    folder, examination = tmp_path / "study", Examination()
    write_series(folder / "6", t1ce, 6, "t1ce", examination)
    files = write_series(folder / "8", t1ce, 8, "flair", examination)
    given, out = saved(labels_on(t1ce), tmp_path / "a.nrrd"), tmp_path / "seg.dcm"
    words = ("--labels", given, "--reference", folder, "-o", out)
    code, _, err = run(*words, capsys=capsys)
    assert code == 3 and "several series" in err and "6, 8" in err
    assert "t1_se_tra_KM" in err, "the table shows what there is to choose from"
    assert not out.exists()
    uid = pydicom.dcmread(files[0]).SeriesInstanceUID
    code, _, err = run(*words, "--series", uid if series == "uid" else series, capsys=capsys)
    assert code == 0, err
    assert series_of(out)[0] == uid


def test_several_studies_need_a_choice(tmp_path, t1ce, capsys):
    older, newer = Examination(date="20230101"), Examination(date="20240101")
    write_series(tmp_path / "dicom" / "a", t1ce, 6, "t1ce", older)
    write_series(tmp_path / "dicom" / "b", t1ce, 6, "t1ce", newer)
    given, out = saved(labels_on(t1ce), tmp_path / "a.nrrd"), tmp_path / "seg.dcm"
    words = ("--labels", given, "--reference", tmp_path / "dicom", "-o", out)
    code, _, err = run(*words, capsys=capsys)
    assert code == 3 and "20230101" in err
    code, _, err = run(*words, "--study", newer.uid, capsys=capsys)
    assert code == 0, err
    assert pydicom.dcmread(out).StudyInstanceUID == newer.uid


def test_programs_get_json_lines(tmp_path, study, t1ce, capsys):
    given, out = saved(labels_on(t1ce), tmp_path / "a.nrrd"), tmp_path / "seg.dcm"
    words = ("--labels", given, "--reference", study, "-o", out, "--progress", "json")
    code, said, _ = run(*words, capsys=capsys)
    lines = [json.loads(line) for line in said.splitlines()]
    assert code == 0
    assert lines[-1] == {"kind": "result", "outputs": [str(out)], "warnings": []}
    stages = [line["stage"] for line in lines if line["kind"] == "progress"]
    assert list(dict.fromkeys(stages)) == ["read", "check", "write", "done"]
    code, said, _ = run(*words, capsys=capsys)
    assert code == 4 and json.loads(said.splitlines()[-1])["exit_code"] == 4


# --- what is missing ------------------------------------------------------------------------------


@pytest.fixture
def lacking(tmp_path, t1ce):
    """The files of a series two of which lack what a segmentation must copy."""
    files = write_series(tmp_path / "mr", t1ce, 6, "t1ce")
    for file, keyword in zip(files[3:5], ("FrameOfReferenceUID", "SOPInstanceUID"), strict=True):
        dataset = pydicom.dcmread(file)
        delattr(dataset, keyword)
        dataset.save_as(file)
    return files


def test_everything_that_is_missing_is_listed(tmp_path, lacking, t1ce, capsys):
    given, out = saved(labels_on(t1ce), tmp_path / "a.nrrd"), tmp_path / "seg.dcm"
    code, _, err = run("--labels", given, "--reference", *lacking, "-o", out, capsys=capsys)
    assert code == 3
    assert f"{lacking[3].name} lacks FrameOfReferenceUID" in err
    assert f"{lacking[4].name} lacks SOPInstanceUID" in err
    assert ".seg.nrrd" in err
    assert not out.exists()


def test_a_check_writes_nothing_and_says_what_is_missing(tmp_path, lacking, study, capsys):
    before = sorted(tmp_path.rglob("*"))
    words = ("--reference", *lacking, "--check", "--progress", "json")
    code, said, _ = run(*words, capsys=capsys)
    last = json.loads(said.splitlines()[-1])
    assert code == 3 and last["kind"] == "result" and len(last["missing"]) == 2
    assert "FrameOfReferenceUID" in last["missing"][0]
    code, said, _ = run("--reference", study, "--series", "6", "--check", capsys=capsys)
    assert code == 0 and "can be written" in said
    code, said, _ = run(
        *("--reference", study, "--series", "6", "--check", "--progress", "json"), capsys=capsys
    )
    last = json.loads(said.splitlines()[-1])
    assert (code, last["missing"], last["series"]) == (0, [], "6")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_slice_is_named(tmp_path, t1ce, capsys):
    files = write_series(tmp_path / "mr", t1ce, 6, "t1ce", skip=(5,))
    code, said, _ = run("--reference", *files, "--check", capsys=capsys)
    assert code == 3 and "no volume" in said


def test_a_file_that_is_no_dicom_is_named(tmp_path, study, t1ce, capsys):
    stray = tmp_path / "stray.dcm"
    stray.write_bytes(b"nothing of the kind" * 40)
    files = [*(study / "6").iterdir(), stray]
    code, said, _ = run("--reference", *files, "--check", capsys=capsys)
    assert code == 3 and "stray.dcm" in said


def test_without_highdicom_the_extra_is_named(tmp_path, study, t1ce, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    given, out = saved(labels_on(t1ce), tmp_path / "a.nrrd"), tmp_path / "seg.dcm"
    code, _, err = run("--labels", given, "--reference", study, "-o", out, capsys=capsys)
    assert code == 7 and "BrainTumorSeg[dicom]" in err
    code, said, _ = run("--reference", study, "--series", "6", "--check", capsys=capsys)
    assert code == 3 and "highdicom" in said


# --- mistakes -------------------------------------------------------------------------------------


def test_labels_of_another_grid_are_refused(tmp_path, study, capsys):
    elsewhere = labels_on(head(SIZE, (9.0, 9.0, 12.0)))
    given, out = saved(elsewhere, tmp_path / "a.nrrd"), tmp_path / "seg.dcm"
    words = ("--labels", given, "--reference", study, "-o", out)
    code, _, err = run(*words, capsys=capsys)
    assert code == 3 and "fits no series" in err and "6, 7" in err
    code, _, err = run(*words, "--series", "6", capsys=capsys)
    assert code == 3 and "do not lie on the grid" in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--reference", "{study}", "-o", "{tmp}/s.dcm"], 3, "--labels"),
        (["--reference", "{study}", "--labels", "{labels}"], 3, "-o"),
        (["--reference", "{tmp}/no", "--labels", "{labels}", "-o", "{tmp}/s.dcm"], 3, "not exist"),
        (
            ["--reference", "{study}", "--labels", "{tmp}/no.nrrd", "-o", "{tmp}/s.dcm"],
            3,
            "no.nrrd",
        ),
        (["--reference", "{study}", "--labels", "{labels}", "-o", "{tmp}/no/s.dcm"], 4, "folder"),
        (["--reference", "{study}", "--labels", "{odd}", "-o", "{tmp}/s.dcm"], 3, "label 9"),
        (["--reference", "{study}", "{study}", "--check"], 3, "one folder"),
        (["--reference", "{study}", "--check"], 3, "--series"),
        (["--reference", "{study}", "--series", "99", "--check"], 3, "no series 99"),
        (["--reference", "{file}", "--series", "6", "--check"], 3, "folder"),
        (["--reference", "{tmp}/empty", "--check"], 3, "no DICOM image"),
    ],
)
def test_mistakes_are_named_and_write_nothing(tmp_path, study, t1ce, capsys, words, code, text):
    (tmp_path / "empty").mkdir()
    odd = labels_on(t1ce)
    odd[5, 5, 5] = 9
    places = {
        "tmp": tmp_path,
        "study": study,
        "file": next((study / "6").iterdir()),
        "labels": saved(labels_on(t1ce), tmp_path / "labels.nrrd"),
        "odd": saved(odd, tmp_path / "odd.nrrd"),
    }
    got, _, err = run(*(word.format(**places) for word in words), capsys=capsys)
    assert got == code, err
    assert text in err and "Traceback" not in err
    assert list(tmp_path.glob("s.dcm")) == []
