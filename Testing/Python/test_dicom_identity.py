"""Copies and identifiers made anew: what belongs together where identifiers do not say so."""

from __future__ import annotations

import shutil

import pytest

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.dicom.pixels import read_series_image
from BrainTumorSegLib.io.dicom.study import load_case_from_study, propose_sequences, read_study

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

from dicom_checks import assert_same_voxels_at_the_same_places, only_series  # noqa: E402
from dicom_factory import Examination, head, write_series  # noqa: E402

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR
SIZE, SPACING = (20, 24, 10), (10, 9, 12)
ALL = {T1: "1", FLAIR: "2", T1CE: "3"}


def uid() -> str:
    return str(pydicom.uid.generate_uid())


@pytest.fixture
def study(tmp_path):
    """Files by sequence of a whole study in one folder."""
    examination, files = Examination(), {}
    for number, kind in enumerate(("t1", "flair", "t1ce"), 1):
        image = head(SIZE, SPACING, seed=number)
        files[kind] = write_series(tmp_path / "in" / kind, image, number, kind, examination)
    return files


def renew(files, **make) -> None:
    """Give every file new values; each is a function without arguments."""
    for file in files:
        dataset = pydicom.dcmread(file)
        for keyword, new in make.items():
            setattr(dataset, keyword, new())
        dataset.save_as(file)


def chosen(folder) -> dict[Sequence, str]:
    return {s: one.key for s, one in propose_sequences(read_study(folder)).chosen.items()}


# Copies


@pytest.mark.parametrize("new", [("SOPInstanceUID",), ("SOPInstanceUID", "SeriesInstanceUID")])
def test_equal_copies_under_new_identifiers_are_left_out(tmp_path, study, new):
    series = uid()
    for file in study["t1ce"]:
        copy = file.with_name(f"{file.stem}_copy.dcm")
        shutil.copy(file, copy)
        made = {"SOPInstanceUID": uid, "SeriesInstanceUID": lambda: series}
        renew([copy], **{keyword: made[keyword] for keyword in new})
    assert chosen(tmp_path / "in") == ALL
    case = load_case_from_study(read_study(tmp_path / "in"))
    assert any("10 duplicate image(s) were left out" in warning for warning in case.warnings)
    assert_same_voxels_at_the_same_places(case.scans[T1CE].image, head(SIZE, SPACING, seed=3))


def test_images_at_one_place_with_other_pixels_are_no_copies(tmp_path, study):
    for file in study["t1ce"]:
        copy = file.with_name(f"{file.stem}_copy.dcm")
        shutil.copy(file, copy)
        renew([copy], SOPInstanceUID=uid, PixelData=lambda: bytes(960))
    with pytest.raises(InputError, match=r"10 position\(s\) hold several images"):
        load_case_from_study(read_study(tmp_path / "in"), {T1CE: "3"})


def test_one_instance_identifier_for_all_images_loses_none(tmp_path, study):
    same = uid()
    renew(study["t1ce"], SOPInstanceUID=lambda: same)
    assert chosen(tmp_path / "in") == ALL


# Series


def test_a_series_identifier_for_every_slice_is_told_and_the_slices_are_joined(tmp_path, study):
    for files in study.values():
        renew(files, SeriesInstanceUID=uid)
    assert chosen(tmp_path / "in") == ALL
    case = load_case_from_study(read_study(tmp_path / "in"))
    assert sum("10 SeriesInstanceUIDs were taken for one series" in w for w in case.warnings) == 3
    for sequence, seed in ((T1, 1), (FLAIR, 2), (T1CE, 3)):
        assert_same_voxels_at_the_same_places(
            case.scans[sequence].image, head(SIZE, SPACING, seed=seed)
        )


def test_slices_with_series_numbers_of_their_own_are_joined_too(tmp_path, study):
    numbers = iter(range(1, 100))
    for files in study.values():
        renew(files, SeriesInstanceUID=uid, SeriesNumber=lambda: next(numbers))
    assert set(chosen(tmp_path / "in")) == {T1, FLAIR, T1CE}


@pytest.mark.parametrize("place", [4, 9])
def test_a_single_slice_that_strayed_into_a_series_of_its_own_is_brought_back(
    tmp_path, study, place
):
    renew([study["t1ce"][place]], SeriesInstanceUID=uid)
    assert chosen(tmp_path / "in") == ALL
    series = read_study(tmp_path / "in").find("3")
    assert "2 SeriesInstanceUIDs were taken for one series" in series.warnings[0]
    assert_same_voxels_at_the_same_places(read_series_image(series), head(SIZE, SPACING, seed=3))


def test_whole_series_that_agree_in_everything_stay_apart(tmp_path):
    examination = Examination()
    for seed in (1, 2):
        write_series(tmp_path / str(seed), head(SIZE, SPACING, seed=seed), 5, "t1ce", examination)
    assert [one.key for one in read_study(tmp_path).series] == ["5a", "5b"]


def test_a_single_image_at_the_place_of_a_slice_stays_apart(tmp_path, study):
    key_image = tmp_path / "in" / "key.dcm"
    shutil.copy(study["t1ce"][4], key_image)
    renew([key_image], SOPInstanceUID=uid, SeriesInstanceUID=uid, PixelData=lambda: bytes(960))
    found = read_study(tmp_path / "in").series
    assert sorted(len(one.files) for one in found) == [1, 10, 10, 10]


# Studies and patients


def test_a_patient_identifier_for_every_file_is_told_and_they_are_one_patient(tmp_path, study):
    for files in study.values():
        renew(files, PatientID=uid)
    assert chosen(tmp_path / "in") == ALL
    case = load_case_from_study(read_study(tmp_path / "in"))
    assert any("30 different patient identifiers" in warning for warning in case.warnings)


def test_a_study_identifier_for_every_series_is_told_and_they_are_one_study(tmp_path, study):
    for files in study.values():
        new = uid()
        renew(files, StudyInstanceUID=lambda new=new: new)
    assert chosen(tmp_path / "in") == ALL
    (warning,) = read_study(tmp_path / "in").warnings
    assert "3 series have a StudyInstanceUID each" in warning


@pytest.mark.parametrize("date", ["", "20200101"])
def test_without_date_or_time_such_studies_stay_apart(tmp_path, study, date):
    for files in study.values():
        new = uid()
        made = {"StudyDate": lambda: date, "StudyTime": lambda: "000000"}
        renew(files, StudyInstanceUID=lambda new=new: new, **made)
    with pytest.raises(InputError, match="3 studies") as error:
        read_study(tmp_path / "in")
    assert "“all”" in error.value.remedy


def test_a_person_may_say_that_all_files_are_one_study(tmp_path, study):
    for kind, files in study.items():
        new = uid()
        renew(files, StudyInstanceUID=lambda new=new: new, PatientID=lambda kind=kind: kind)
    with pytest.raises(InputError, match="3 patients"):
        read_study(tmp_path / "in")
    found = read_study(tmp_path / "in", study="all")
    assert set(propose_sequences(found).chosen) == {T1, FLAIR, T1CE}
    case = load_case_from_study(found)
    assert any("as was asked for" in warning for warning in case.warnings)


def test_two_patients_with_one_series_each_are_never_joined(tmp_path):
    for i in range(2):
        examination = Examination(patient=f"ID{i}", uid="1.2.3")
        write_series(tmp_path / str(i), head(SIZE, SPACING, seed=i), i, "t1ce", examination)
    with pytest.raises(InputError, match="2 patients"):
        read_study(tmp_path)


def test_a_constant_series_identifier_does_not_join_two_patients(tmp_path):
    for i in range(2):
        examination = Examination(patient=f"ID{i}")
        image = head(SIZE, SPACING, seed=i)
        write_series(tmp_path / str(i), image, i, "t1ce", examination, uid="1.2.3")
    with pytest.raises(InputError, match="2 patients"):
        read_study(tmp_path)


def test_an_ordinary_study_says_nothing_about_identifiers(tmp_path, study):
    found = read_study(tmp_path / "in")
    assert found.warnings == ()
    assert all(one.warnings == () for one in found.series)
    assert len(found.series) == 3
    assert only_series(tmp_path / "in" / "t1").key == "1"
