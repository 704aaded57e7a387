"""Reading DICOM studies: finding files, forming volumes, patients and studies."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import Cancelled, DependencyError, InputError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.sequence_headers import number
from BrainTumorSegLib.core.sequences import Sequence, Verdict
from BrainTumorSegLib.io.dicom.pixels import read_series_image
from BrainTumorSegLib.io.dicom.study import load_case_from_study, propose_sequences, read_study

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

from dicom_checks import assert_same_voxels_at_the_same_places, only_series  # noqa: E402
from dicom_factory import ORIENTATIONS, Examination, head, write_series  # noqa: E402

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR


def test_the_real_study_is_the_same_through_dicom_as_through_nifti(tmp_path, real_data):
    names = {"t1": "T1_AX", "t1ce": "T1_AX_POST_GAD", "flair": "FLAIR_AX"}
    folder, examination = real_data / "clinical" / "TCGA-FG-6692", Examination()
    scans = {k: sitk.ReadImage(str(folder / f"{name}.nii.gz")) for k, name in names.items()}
    small = head((20, 24, 10), (10, 9, 12))
    write_series(tmp_path / "loc", small, 1, "localizer", examination)
    write_series(tmp_path / "t2", small, 2, "t2", examination)
    write_series(tmp_path / "dwi", small, 3, "dwi", examination)
    write_series(tmp_path / "a" / "b", scans["t1"], 4, "t1", examination, "interleaved", suffix="")
    write_series(tmp_path / "a" / "c", scans["flair"], 5, "flair", examination, "descending")
    write_series(tmp_path / "d", scans["t1ce"], 6, "t1ce", examination, suffix=".IMA")
    write_series(tmp_path / "e", small, 7, "subtraction", examination)
    case = load_case_from_study(read_study(tmp_path))
    assert {s.value for s in case.scans} == set(names)
    assert case.warnings == ()
    for sequence, scan in case.scans.items():
        assert_same_voxels_at_the_same_places(scan.image, scans[sequence.value])


def test_files_of_other_kinds_and_strange_names_do_not_matter(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    write_series(tmp_path / "Ordner mit Umlaut ä" / "1" / "2", image, 3, suffix="")
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8" + bytes(500))
    report = pydicom.dcmread(pydicom.data.get_testdata_file("test-SR.dcm"))
    report.save_as(tmp_path / "report")
    assert_same_voxels_at_the_same_places(read_series_image(only_series(tmp_path)), image)


def test_a_dicomdir_may_be_given_and_is_no_image_itself(tmp_path):
    from pydicom.fileset import FileSet

    image = head((20, 24, 10), (10, 9, 12))
    files = FileSet()
    for path in write_series(tmp_path / "in", image, 3):
        files.add(path)
    files.write(tmp_path / "cd")
    for place in (tmp_path / "cd", tmp_path / "cd" / "DICOMDIR"):
        assert len(only_series(place).frames) == 10


def test_old_files_without_a_preamble_are_read(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    for path in write_series(tmp_path, image, 3):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        meta, dataset.preamble = dataset.file_meta, None
        with path.open("wb") as file:
            pydicom.filewriter.write_dataset(_implicit(file), dataset)
        assert meta is not None
        assert path.read_bytes()[128:132] != b"DICM"
    assert_same_voxels_at_the_same_places(read_series_image(only_series(tmp_path)), image)


def _implicit(file):
    from pydicom.filebase import DicomFileLike

    file = DicomFileLike(file)
    file.is_implicit_VR, file.is_little_endian = True, True
    return file


def test_a_localizer_in_three_planes_falls_into_three_volumes(tmp_path):
    uid, examination = pydicom.uid.generate_uid(), Examination()
    for name in ("axial", "sagittal", "coronal"):
        image = head((20, 24, 6), (10, 9, 12), ORIENTATIONS[name])
        write_series(tmp_path / name, image, 1, "localizer", examination, uid=uid)
    study = read_study(tmp_path)
    assert [s.key for s in study.series] == ["1a", "1b", "1c"]
    assert {len(s.frames) for s in study.series} == {6}
    with pytest.raises(InputError, match="holds 3 volumes"):
        study.find("1")
    assert study.find("1b").key == "1b"


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("EchoTime", (10.0, 90.0)),
        ("ImageType", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])),
        ("InversionTime", (700.0, 2500.0)),
        ("AcquisitionNumber", (1, 2)),
        ("TemporalPositionIdentifier", (1, 2)),
    ],
)
def test_volumes_that_share_series_and_positions_are_told_apart(tmp_path, keyword, values):
    uid, examination = pydicom.uid.generate_uid(), Examination()
    images = [head((20, 24, 10), (10, 9, 12), seed=i) for i in range(2)]
    for i, (image, value) in enumerate(zip(images, values, strict=True)):
        write_series(tmp_path / str(i), image, 5, "t1", examination, uid=uid, **{keyword: value})
    study = read_study(tmp_path)
    assert [s.key for s in study.series] == ["5a", "5b"]
    for series, image in zip(study.series, images, strict=True):
        assert_same_voxels_at_the_same_places(read_series_image(series), image)


def test_volumes_that_nothing_tells_apart_are_refused(tmp_path):
    uid, examination = pydicom.uid.generate_uid(), Examination()
    for i in range(2):
        image = head((20, 24, 10), (10, 9, 12), seed=i)
        examination.minutes = 0
        write_series(tmp_path / str(i), image, 5, "t1", examination, uid=uid)
    series = only_series(tmp_path)
    with pytest.raises(InputError, match=r"series 5 .*10 position\(s\) hold several images"):
        read_series_image(series)


def test_copies_of_files_are_left_out_with_a_warning(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    paths = write_series(tmp_path / "a", image, 3)
    shutil.copytree(tmp_path / "a", tmp_path / "backup")
    series = only_series(tmp_path)
    assert len(series.files) == len(paths)
    assert series.warnings == ("10 duplicate image(s) were left out",)


def test_a_file_whose_header_is_damaged_is_left_out_with_a_warning(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    content = bytearray(paths[9].read_bytes())
    paths[9].write_bytes(content[:300])
    study = read_study(tmp_path)
    assert len(study.series[0].frames) == 9
    assert len(study.warnings) == 1
    assert paths[9].name in study.warnings[0]


def test_attributes_that_break_their_own_rules_are_passed_over(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    for path in write_series(tmp_path, image, 3):
        content = path.read_bytes()
        for tag in (b"\x18\x00\x14\x13DS", b"\x18\x00\x81\x00DS"):  # flip angle, echo time
            start = content.index(tag) + 8
            content = content[:start] + b"??" + content[start + 2 :]
        path.write_bytes(content)
    series = only_series(tmp_path)
    assert number(series.attributes, "EchoTime") is None
    assert series.attributes["RepetitionTime"] == "500.0"
    assert_same_voxels_at_the_same_places(read_series_image(series), image)


# Several studies and patients


def test_several_patients_are_refused_without_naming_them(tmp_path):
    small = head((20, 24, 10), (10, 9, 12))
    for i, name in enumerate(("Doe^Jane", "Roe^Richard")):
        examination = Examination(patient=f"ID{i}", name=name, date=f"2024051{i}")
        write_series(tmp_path / str(i), small, 1, "t1ce", examination)
    with pytest.raises(InputError, match="2 patients") as error:
        read_study(tmp_path)
    assert "[1] patient 1, 20240510 MR head, 1 series" in str(error.value)
    assert not any(text in str(error.value) for text in ("Doe", "Roe", "ID0", "ID1"))
    second = read_study(tmp_path, study="2")
    assert second.series[0].files[0].parent.name == "1"
    assert read_study(tmp_path, study=second.uid) == second


def test_several_studies_of_one_patient_are_refused_until_one_is_chosen(tmp_path):
    small = head((20, 24, 10), (10, 9, 12))
    for i, date in enumerate(("20230101", "20240101")):
        write_series(tmp_path / str(i), small, 1, "t1ce", Examination(date=date))
    with pytest.raises(InputError, match="2 studies") as error:
        read_study(tmp_path)
    assert "choose a study" in error.value.remedy
    assert read_study(tmp_path, study="2").series[0].files[0].parent.name == "1"
    with pytest.raises(InputError, match="no study 3"):
        read_study(tmp_path, study="3")


def test_a_study_without_mri_beside_the_mri_is_left_out_with_a_warning(tmp_path):
    small = head((20, 24, 10), (10, 9, 12))
    write_series(tmp_path / "mr", small, 1, "t1ce", Examination())
    write_series(tmp_path / "ct", small, 1, "t1", Examination(), Modality="CT")
    study = read_study(tmp_path)
    assert study.series[0].attributes["Modality"] == "MR"
    assert "without MRI" in study.warnings[0]


def test_real_files_of_several_patients_in_nested_folders_are_told_apart(tmp_path):
    folder = Path(pydicom.data.get_testdata_file("CT_small.dcm")).parent / "dicomdirtests"
    if not folder.is_dir():
        pytest.skip("this pydicom came without its DICOMDIR samples")
    with pytest.raises(InputError, match="2 patients"):
        read_study(folder)
    with pytest.raises(InputError, match=r"3 studies: .*Brain-MRA"):
        read_study(folder / "98892003")
    study = read_study(folder / "98892003", study="1")
    proposal = propose_sequences(study)
    assert len(study.series) >= 3
    assert proposal.chosen == {}
    assert all(r.verdict is Verdict.OTHER for r in proposal.recognitions.values())


# Bad input


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="no DICOM image") as error:
        read_study(tmp_path)
    assert "archives" in error.value.remedy


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_study(tmp_path / "nowhere")
    (tmp_path / "study.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="not a folder"):
        read_study(tmp_path / "study.zip")


def test_a_missing_pydicom_is_reported_with_the_extra_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DependencyError, match="pydicom") as error:
        read_study(tmp_path)
    assert "BrainTumorSeg[dicom]" in error.value.remedy


def test_reading_reports_progress_and_can_be_cancelled(tmp_path):
    write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    events = []
    read_study(tmp_path, progress=Progress(sinks=(events.append,)))
    assert (events[-1].step, events[-1].total) == (10, 10)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        read_study(tmp_path, progress=Progress(cancel=token))


def test_nothing_in_the_folder_is_changed(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    before = {path: path.read_bytes() for path in paths}
    read_series_image(only_series(tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
