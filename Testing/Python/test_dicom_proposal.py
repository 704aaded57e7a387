"""Choosing the sequences of a DICOM study: order of acquisition, rival series, a person's word."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence, Verdict
from BrainTumorSegLib.io.dicom.study import (
    choose_series,
    describe_study,
    load_case_from_study,
    propose_sequences,
    read_study,
)

pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

from dicom_factory import Examination, head, write_series

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR

SAGITTAL = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float)


class Builder:
    """Writes series of one examination one after the other."""

    def __init__(self, folder: Path, **examination) -> None:
        self.folder = folder
        self.examination = Examination(**examination)
        self.number = 0

    def add(self, kind: str, **attributes) -> Builder:
        self.number += 1
        size = attributes.pop("size", (20, 24, 10))
        spacing = attributes.pop("spacing", (10, 9, 12))
        direction = attributes.pop("direction", None)
        origin = (-90.0, -110.0, -60.0) if direction is None else (-60.0, -90.0, 110.0)
        image = head(size, spacing, direction, seed=self.number, origin=origin)
        write_series(
            self.folder / str(self.number), image, self.number, kind, self.examination, **attributes
        )
        return self

    def study(self):
        return read_study(self.folder)


@pytest.fixture
def build(tmp_path):
    return Builder(tmp_path / "study")


def chosen_keys(study) -> dict[Sequence, str]:
    return {s: series.key for s, series in propose_sequences(study).chosen.items()}


def test_a_whole_clinical_study_is_sorted_out(build):
    for kind in ("localizer", "t2", "dwi", "t1", "flair", "t1ce", "subtraction"):
        build.add(kind)
    study = build.study()
    proposal = propose_sequences(study)
    assert chosen_keys(study) == {T1: "4", T1CE: "6", FLAIR: "5"}
    assert proposal.ambiguities == ()
    assert proposal.warnings == ()
    for key, what in {"1": "localizer", "2": "T2", "3": "diffusion", "7": "subtraction"}.items():
        assert what in proposal.recognitions[key].reason
    text = describe_study(study, proposal)
    assert len(text.splitlines()) == 8
    assert "70 files in the folder, 0 left out" in text
    assert "t2_tirm_tra_dark-fluid" in text


# Order of acquisition


def test_every_t1_after_contrast_agent_is_t1ce(build):
    build.add("t1").add("t1ce", spacing=(10, 9, 24), size=(20, 24, 6)).add("t1")
    study = build.study()
    proposal = propose_sequences(study)
    assert chosen_keys(study) == {T1: "1", T1CE: "3"}
    assert "after series 2" in proposal.recognitions["3"].reason
    assert "before the first series" in proposal.recognitions["1"].reason


def test_a_native_t1_acquired_after_contrast_agent_is_contradictory(build):
    build.add("t1ce").add("t1", SeriesDescription="t1 nativ")
    proposal = propose_sequences(build.study())
    assert proposal.recognitions["2"].verdict is Verdict.AMBIGUOUS
    assert T1 not in proposal.chosen
    assert [a.sequence for a in proposal.ambiguities] == [T1]


def test_the_later_of_two_silent_t1_is_probably_t1ce_but_must_be_confirmed(build):
    build.add("t1").add("flair").add("t1")
    study = build.study()
    proposal = propose_sequences(study)
    assert proposal.recognitions["3"].verdict is Verdict.AMBIGUOUS
    (question,) = proposal.ambiguities
    assert question.sequence is T1CE
    assert question.candidates == ("3",)
    assert "Probably T1CE" in question.reason
    assert "8 minutes after series 1" in question.reason
    with pytest.raises(InputError, match="Probably T1CE") as error:
        load_case_from_study(study)
    assert "T1CE=3" in error.value.remedy
    case = load_case_from_study(study, {T1CE: "3"})
    assert case.scans[T1].dicom["SeriesNumber"] == "1"
    assert case.scans[T1CE].dicom["SeriesNumber"] == "3"


@pytest.mark.parametrize(
    ("keyword", "text"),
    [("StudyDescription", "MRI BRAIN W/WO CONTRAST"), ("ProtocolName", "Kopf mit KM")],
)
def test_the_later_of_two_silent_t1_is_t1ce_when_the_examination_had_contrast_agent(
    build, keyword, text
):
    both = {keyword: text, "Manufacturer": "GE MEDICAL SYSTEMS"}
    build.add("t1", **both).add("flair", **both).add("t1", **both)
    study = build.study()
    assert chosen_keys(study) == {T1: "1", T1CE: "3", FLAIR: "2"}
    case = load_case_from_study(study)
    assert any(text in warning for warning in case.warnings)


def test_two_silent_t1_of_different_protocols_are_not_taken_for_a_pair(build):
    build.add("t1").add("t1", RepetitionTime=650, EchoTime=20)
    proposal = propose_sequences(build.study())
    assert {r.sequence for r in proposal.recognitions.values()} == {T1}


def test_a_contrast_agent_written_on_the_localizer_tells_nothing(build):
    agent = {"ContrastBolusAgent": "Gadovist"}
    for kind in ("localizer", "t1", "flair"):
        build.add(kind, **agent)
    build.add("t1", SeriesDescription="t1 KM", **agent)
    study = build.study()
    assert chosen_keys(study) == {T1: "2", T1CE: "4", FLAIR: "3"}
    assert "localizer" in propose_sequences(study).warnings[0]


def test_a_contrast_agent_written_on_every_series_tells_nothing(build):
    agent = {"ContrastBolusAgent": "Gadovist"}
    for kind in ("t2", "t1", "flair"):
        build.add(kind, **agent)
    build.add("t1", SeriesDescription="t1 KM", **agent)
    study = build.study()
    assert chosen_keys(study) == {T1: "2", T1CE: "4", FLAIR: "3"}
    assert "every series" in propose_sequences(study).warnings[0]


def test_the_agent_none_tells_nothing_where_the_field_is_never_filled_in(build):
    none = {"ContrastBolusAgent": "NONE"}
    build.add("t1", **none).add("t1", SeriesDescription="t1 KM", **none).add("flair", **none)
    assert chosen_keys(build.study()) == {T1: "1", T1CE: "2", FLAIR: "3"}


def test_the_agent_none_contradicts_a_name_where_the_field_is_filled_in_elsewhere(build):
    build.add("t1ce", SeriesDescription="t1 cor")
    build.add("t1", SeriesDescription="t1 tra KM", ContrastBolusAgent="NONE")
    proposal = propose_sequences(build.study())
    assert proposal.recognitions["2"].verdict is Verdict.AMBIGUOUS


@pytest.mark.parametrize(
    "made",
    [
        {"SeriesDescription": "Screen Save t1 KM", "ImageType": ["DERIVED", "SECONDARY"]},
        {"SeriesDescription": "t1 KM MPR cor"},
        {"SeriesDescription": "t1 KM", "ImageType": ["DERIVED", "SECONDARY", "OTHER"]},
        {"SeriesDescription": "t1_sub", "ContrastBolusAgent": "Gadovist"},
    ],
)
def test_what_was_made_from_other_images_tells_nothing_about_contrast_timing(build, made):
    """Their times come before the injection; those of a copied header, or another day's."""
    build.add("t1", **made, AcquisitionTime="080000").add("t1").add("flair").add("t1ce")
    study = build.study()
    assert chosen_keys(study) == {T1: "2", FLAIR: "3", T1CE: "4"}
    assert "before the first series" in propose_sequences(study).recognitions["2"].reason


def test_the_time_of_a_derived_t1_does_not_make_it_a_t1ce(build):
    build.add("t1").add("t1ce")
    build.add("t1", ImageType=["DERIVED", "SECONDARY", "OTHER"])
    study = build.study()
    found = propose_sequences(study).recognitions["3"]
    assert found.verdict is Verdict.AMBIGUOUS and "made from other images" in found.reason
    assert chosen_keys(study) == {T1: "1", T1CE: "2"}


def test_screen_captures_without_agent_do_not_hide_that_every_series_has_one(build):
    agent = {"ContrastBolusAgent": "Gadovist"}
    for kind in ("t2", "t1", "flair"):
        build.add(kind, **agent)
    build.add("t1", SeriesDescription="t1 KM", **agent).add("t1", SeriesDescription="screenshot")
    study = build.study()
    assert chosen_keys(study) == {T1: "2", T1CE: "4", FLAIR: "3"}
    assert "every series" in propose_sequences(study).warnings[0]


# Rival series


def test_two_equal_flairs_are_ambiguous_and_settled_by_a_number(build):
    build.add("t1ce").add("flair").add("flair")
    study = build.study()
    with pytest.raises(InputError, match="2 series may be FLAIR") as error:
        load_case_from_study(study)
    assert "FLAIR=2" in error.value.remedy
    case = load_case_from_study(study, {FLAIR: "3"})
    assert case.scans[FLAIR].dicom["SeriesNumber"] == "3"
    assert set(load_case_from_study(study, {FLAIR: "none"}).scans) == {T1CE}


@pytest.mark.parametrize(
    ("worse", "better", "because"),
    [
        ({"spacing": (10, 9, 20)}, {"size": (20, 24, 20), "spacing": (10, 9, 6)}, "thinner"),
        ({"ImageType": ["DERIVED", "SECONDARY", "OTHER"]}, {}, "original"),
        ({"size": (20, 24, 6)}, {}, "covers more of the head"),
        (
            {"direction": SAGITTAL, "size": (48, 48, 8), "spacing": (4, 4, 16)},
            {"size": (48, 48, 8), "spacing": (4, 4, 16)},
            "is axial",
        ),
        (
            {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]},
            {"ImageType": ["ORIGINAL", "PRIMARY", "M", "DIS2D"]},
            "corrected for distortion",
        ),
        ({"ScanOptions": ["FS", "PFP"]}, {}, "without fat saturation"),
        ({"SeriesDescription": "flair_fs_tra"}, {}, "without fat saturation"),
        ({"ContrastBolusAgent": "Gadovist"}, {}, "before contrast agent"),
        ({"skip": (4,)}, {}, "complete volume"),
    ],
)
@pytest.mark.parametrize("better_first", [True, False])
def test_a_clearly_better_flair_is_preferred_and_the_reason_given(
    build, worse, better, because, better_first
):
    pair = [better, worse] if better_first else [worse, better]
    for attributes in pair:
        build.add("flair", **attributes)
    study = build.study()
    proposal = propose_sequences(study)
    wanted, other = ("1", "2") if better_first else ("2", "1")
    assert proposal.chosen[FLAIR].key == wanted, proposal.ambiguities
    assert re.search(rf"Preferred to series {other} .*{because}", proposal.reasons[FLAIR])


def test_slightly_thinner_slices_are_not_clearly_better(build):
    build.add("flair", spacing=(10, 9, 12)).add("flair", spacing=(10, 9, 10.5))
    assert [a.sequence for a in propose_sequences(build.study()).ambiguities] == [FLAIR]


def test_the_t1_in_the_plane_of_the_t1ce_is_preferred(build):
    thin = {"size": (48, 48, 40), "spacing": (4, 4, 4)}
    build.add("t1", SeriesDescription="t1 nativ sag", direction=SAGITTAL, **thin)
    build.add("t1", SeriesDescription="t1 nativ", **thin)
    build.add("t1ce", **thin)
    study = build.study()
    assert chosen_keys(study) == {T1: "2", T1CE: "3"}
    assert "like the T1CE" in propose_sequences(study).reasons[T1]


def test_an_incomplete_t1ce_that_is_the_only_one_is_reported_not_loaded(build):
    build.add("t1").add("t1ce", skip=(3, 4))
    with pytest.raises(InputError, match="2 slices are missing"):
        load_case_from_study(build.study())


def test_a_missing_slice_is_not_passed_over_by_an_explicit_choice(build):
    build.add("t1").add("t1ce", skip=(3,))
    with pytest.raises(InputError, match="1 slice is missing"):
        load_case_from_study(build.study(), {T1CE: "2"})


def test_a_weakly_recognised_series_must_be_confirmed(build):
    weak = {"ScanningSequence": "GR", "RepetitionTime": 5, "EchoTime": 2, "FlipAngle": 12}
    build.add("t1", SeriesDescription="ax", **weak).add("t1ce")
    proposal = propose_sequences(build.study())
    assert set(proposal.chosen) == {T1CE}
    (question,) = proposal.ambiguities
    assert question.sequence is T1
    assert question.candidates == ("1",)
    assert "uncertain" in question.reason


# A person's word


def test_a_study_without_t1ce_is_refused_with_its_list_of_series(build):
    build.add("localizer").add("t1").add("flair")
    with pytest.raises(InputError, match="No contrast-enhanced T1") as error:
        load_case_from_study(build.study())
    assert "[2] t1_se_tra: T1" in str(error.value)


def test_an_explicit_choice_overrules_recognition_and_is_recorded(build):
    build.add("t2").add("flair").add("t1ce")
    case = load_case_from_study(build.study(), {T1: "1"})
    assert set(case.scans) == {T1, T1CE, FLAIR}
    assert any("given as T1, although" in warning for warning in case.warnings)


def test_a_choice_by_series_uid_works_and_a_wrong_number_is_refused(build):
    study = build.add("t1ce").add("flair").study()
    assert choose_series(study, {FLAIR: study.series[1].uid})[FLAIR].key == "2"
    with pytest.raises(InputError, match="no series 12") as error:
        choose_series(study, {FLAIR: "12"})
    assert "1, 2" in error.value.remedy


def test_taking_the_proposed_t1_for_t1ce_leaves_no_t1(build):
    study = build.add("t1").add("flair").study()
    assert set(choose_series(study, {T1CE: "1"})) == {T1CE, FLAIR}


def test_a_proposal_can_be_followed(build):
    study = build.add("t1").add("t1ce").add("flair").study()
    proposal = propose_sequences(study)
    case = load_case_from_study(study, proposal)
    assert set(case.scans) == {T1, T1CE, FLAIR}
    assert case.reference is T1CE


def test_another_reference_can_be_asked_for(build):
    study = build.add("t1").add("t1ce").add("flair").study()
    assert load_case_from_study(study, reference=FLAIR).reference is FLAIR


def test_a_missing_flair_is_a_warning(build):
    case = load_case_from_study(build.add("t1").add("t1ce").study())
    assert any("FLAIR was not given" in warning for warning in case.warnings)


def test_warnings_of_a_series_reach_the_case(build):
    build.add("t1").add("t1ce", ImagesInAcquisition=12)
    case = load_case_from_study(build.study())
    assert "T1CE, series 2 (t1_se_tra_KM): 10 of 12 announced images were found." in case.warnings


# Privacy


def test_neither_name_nor_number_of_the_patient_gets_into_a_case(tmp_path):
    builder = Builder(tmp_path / "Doe_Jane", patient="PAT-4711", name="Doe^Jane")
    case = load_case_from_study(builder.add("t1").add("t1ce").study())
    kept = [case.identity, *case.warnings]
    for scan in case.scans.values():
        kept += [scan.source, *scan.dicom.values()]
    text = " ".join(kept)
    # Four digits alone turn up in a random UID now and then.
    for secret in ("Doe", "Jane", "PAT-4711", "19600101", "20240517"):
        assert secret not in text
    assert case.identity.startswith("study-")


def test_the_patient_s_hash_is_short_salted_and_tells_patients_apart(tmp_path):
    ids = []
    for i, patient in enumerate(("A1", "A1", "B2")):
        builder = Builder(tmp_path / str(i), patient=patient).add("t1ce")
        ids.append(load_case_from_study(builder.study()).scans[T1CE].dicom["PatientID"])
    assert ids[0] == ids[1] != ids[2]
    assert re.fullmatch(r"[0-9a-f]{12}", ids[0])
    for guess in ("A1", "A1\\"):
        assert ids[0] not in hashlib.sha256(guess.encode()).hexdigest()


def test_the_useful_attributes_are_kept(build):
    dicom = load_case_from_study(build.add("t1ce").study()).scans[T1CE].dicom
    assert dicom["Manufacturer"] == "SIEMENS"
    assert dicom["MagneticFieldStrength"] == "1.5"
    assert dicom["SeriesDescription"] == "t1_se_tra_KM"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert dicom[keyword].startswith("1.2.")
