"""Registration of real scans: offsets that are known, and one study really out of register."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from registration_scans import (
    case_of,
    fake_brainsfit,
    landmark_error,
    rescanned,
    rigid,
    with_moved_header,
)

from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.registration import Alignment, align
from BrainTumorSegLib.preprocessing.registration.head import find_head
from BrainTumorSegLib.preprocessing.registration.multistart import assess_registration, identity
from BrainTumorSegLib.preprocessing.registration.quality import distance_mm, make_pair, score

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR

#: Middle of the head on the 240 x 240 x 155 mm grid of the co-registered cases.
BRATS_MIDDLE = (120.0, -120.0, 75.0)


def brats(real_data: Path, name: str, sequence: Sequence) -> sitk.Image:
    return sitk.ReadImage(real_data / "brats" / name / f"{name}_{sequence.value}.nii.gz")


# --- offsets that are known -------------------------------------------------------------------

OFFSETS = {
    "20 degrees and 30 mm": rigid((1, 1, 1), 20.0, (17.0, -18.0, 17.0), BRATS_MIDDLE),
    "nodding": rigid((1, 0, 0), -18.0, (0.0, 12.0, -22.0), BRATS_MIDDLE),
    "turning": rigid((0.2, 0, 1), 20.0, (-14.0, 3.0, 2.0), BRATS_MIDDLE),
    "tilting": rigid((0, 1, -0.2), 12.0, (6.0, -6.0, 26.0), BRATS_MIDDLE),
}


@pytest.mark.parametrize(
    ("name", "sequence", "offset"),
    [
        ("BraTS2021_01657", FLAIR, "20 degrees and 30 mm"),
        ("Brats18_2013_3_1", T1, "nodding"),
        ("Brats18_TCIA02_135_1", FLAIR, "turning"),
        ("BraTS2021_01485", T1, "tilting"),
    ],
)
def test_simpleitk_recovers_a_known_offset_to_a_millimetre(real_data, name, sequence, offset):
    fixed, truth = brats(real_data, name, T1CE), OFFSETS[offset]
    moving = with_moved_header(brats(real_data, name, sequence), truth)
    found = align(case_of(fixed, moving, sequence), "simpleitk")
    assert found.records[0]["already_aligned"] is False
    assert landmark_error(fixed, found.transforms[sequence], truth) < 1.0


@pytest.mark.parametrize(
    ("name", "fixed_mm", "moving_mm", "tilt", "flips", "offset"),
    [
        ("BraTS2021_01479", (1, 1, 5), (0.9, 0.9, 5.5), (14, -3, 2), (0, 0, 1), "turning"),
        ("BraTS2021_01481", (1, 1, 1), (5, 0.9, 0.9), (0, 5, -8), (1, 1, 0), "nodding"),
        ("Brats18_TCIA10_628_1", (1, 1, 5), (0.8, 6, 0.8), (-6, 0, 9), (1, 0, 1), "tilting"),
    ],
)
def test_simpleitk_recovers_offsets_of_thick_tilted_flipped_slices_to_half_a_slice(
    real_data, name, fixed_mm, moving_mm, tilt, flips, offset
):
    truth = OFFSETS[offset]
    fixed = rescanned(brats(real_data, name, T1CE), fixed_mm)
    moving = rescanned(brats(real_data, name, FLAIR), moving_mm, truth, tilt, flips)
    found = align(case_of(fixed, moving), "simpleitk")
    assert landmark_error(fixed, found.transforms[FLAIR], truth) < max(*fixed_mm, *moving_mm) / 2


def test_a_scan_that_covers_only_part_of_the_head_is_registered(real_data):
    name, truth = "BraTS2021_01657", OFFSETS["turning"]
    fixed = brats(real_data, name, T1CE)
    slab = with_moved_header(brats(real_data, name, FLAIR)[:, :, 55:130], truth)
    found = align(case_of(fixed, slab), "simpleitk")
    assert landmark_error(fixed, found.transforms[FLAIR], truth) < 2.0


def test_brainsfit_recovers_a_known_offset_on_a_real_case(real_data, tmp_path, monkeypatch):
    name, truth = "Brats18_2013_3_1", OFFSETS["20 degrees and 30 mm"]
    fixed = brats(real_data, name, T1CE)
    moving = with_moved_header(brats(real_data, name, FLAIR), truth)
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "Off=halfway,else=good")
    found = align(case_of(fixed, moving), "brainsfit", brainsfit=fake_brainsfit(tmp_path))
    record = found.records[0]
    assert [a["outcome"] for a in record["attempts"]] == ["refused", "accepted"]
    assert record["attempts"][0]["parameters"]["maskProcessingMode"] == "NOMASK"
    assert landmark_error(fixed, found.transforms[FLAIR], truth) < 1.0


# --- aligned scans stay as they are -----------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["BraTS2021_01657", "BraTS20_Training_001", "Brats18_2013_23_1", "Brats18_TCIA10_637_1"]
)
def test_aligned_cases_are_left_alone_quickly(real_data, name):
    scans = {s: Scan(brats(real_data, name, s), f"{name}_{s.value}") for s in Sequence}
    progress = Progress()
    began = time.process_time()
    found = align(Case(name, scans), "simpleitk", progress)
    seconds = time.process_time() - began
    for record in found.records:
        assert record["already_aligned"] and record["attempts"] == []
    for transform in found.transforms.values():
        assert np.allclose(transform.GetParameters(), 0)
    assert progress.warnings == []
    assert seconds < 3


@pytest.mark.parametrize("slices", [(1, 1, 5), (1, 5, 1)])
def test_aligned_thick_slices_on_differently_tilted_grids_are_left_alone(real_data, slices):
    name = "BraTS2021_01483"
    fixed = rescanned(brats(real_data, name, T1CE), (1, 1, 5))
    moving = rescanned(brats(real_data, name, FLAIR), slices, tilt=(12, -4, 3))
    assert align(case_of(fixed, moving), "simpleitk").records[0]["already_aligned"]


def test_the_control_without_tumour_is_left_alone(real_data):
    folder = real_data / "ms_control" / "patient07"
    scans = {
        s: Scan(sitk.ReadImage(folder / f"patient07_{s.value}.nii.gz"), s.value) for s in Sequence
    }
    assert all(r["already_aligned"] for r in align(Case("control", scans), "simpleitk").records)


# --- TCGA-FG-6692: headers agree, heads do not ------------------------------------------------

#: What the real BRAINSFit found for FLAIR to T1CE (versor; shift of the head in LPS mm).
PUBLISHED_VERSOR = (0.0345, -0.0623, -0.0934)
PUBLISHED_SHIFT = (-7.3, -1.6, -14.4)


@pytest.fixture(scope="module")
def clinical(real_data) -> Case:
    folder = real_data / "clinical" / "TCGA-FG-6692"
    names = {T1: "T1_AX", T1CE: "T1_AX_POST_GAD", FLAIR: "FLAIR_AX"}
    return Case(
        "TCGA-FG-6692",
        {s: Scan(sitk.ReadImage(folder / f"{n}.nii.gz"), f"{n}.nii.gz") for s, n in names.items()},
    )


@pytest.fixture(scope="module")
def registered(clinical) -> Alignment:
    return align(clinical, "simpleitk")


def test_the_displaced_flair_is_brought_to_where_brainsfit_brings_it(clinical, registered):
    record = next(r for r in registered.records if r["sequence"] == "flair")
    parameters = registered.transforms[FLAIR].GetParameters()
    assert not record["already_aligned"]
    assert parameters[:3] == pytest.approx(PUBLISHED_VERSOR, abs=0.004)
    assert parameters[3:] == pytest.approx(PUBLISHED_SHIFT, abs=1.0)
    assert record["rotation_deg"] == pytest.approx(13.5, abs=0.5)
    assert record["shift_mm"] == pytest.approx(16.2, abs=1.0)
    assert record["score_before"] < record["score"] - 0.05


def test_its_t1_lies_off_too_and_all_three_registrations_agree(clinical, registered):
    """FLAIR to T1CE must be FLAIR to T1 after T1 to T1CE."""
    assert not next(r for r in registered.records if r["sequence"] == "t1")["already_aligned"]
    t1 = Case("by T1", {s: clinical.scans[s] for s in (T1, T1CE, FLAIR)}, T1)
    onto_t1 = align(t1, "simpleitk").transforms
    by_t1 = sitk.CompositeTransform([onto_t1[FLAIR], registered.transforms[T1]])
    reference = clinical.reference_scan.image
    assert landmark_error(reference, by_t1, registered.transforms[FLAIR]) < 5.5 / 2
    back = sitk.CompositeTransform([onto_t1[T1CE], registered.transforms[T1]])
    assert landmark_error(reference, back, sitk.Transform()) < 1.0


def test_half_way_its_score_has_risen_but_the_result_is_refused(clinical, registered):
    pair = make_pair(
        find_head(clinical.reference_scan.image, "t1ce"),
        find_head(clinical.scans[FLAIR].image, "flair"),
    )
    right = sitk.VersorRigid3DTransform(registered.transforms[FLAIR])
    half = sitk.VersorRigid3DTransform(right)
    half.SetParameters([0.5 * p for p in right.GetParameters()])
    before = score(pair, identity(pair))
    assert before < score(pair, half) < score(pair, right)
    assert assess_registration(pair, right, before).problems == ()
    verdict = assess_registration(pair, half, before)
    assert len(verdict.problems) == 1 and "half way" in verdict.problems[0]
    assert 8 < distance_mm(pair, half, right) < 14


def test_brainsfit_stopping_half_way_on_it_is_noticed_and_retried(
    clinical, registered, tmp_path, monkeypatch
):
    truth = tmp_path / "truth.txt"
    sitk.WriteTransform(registered.transforms[FLAIR], truth)
    monkeypatch.setenv("BRAINSFIT_FAKE_TRUTH", str(truth))
    monkeypatch.setenv("BRAINSFIT_FAKE_MODE", "Off=halfway,useGeometryAlign=good")
    case = Case("FLAIR only", {s: clinical.scans[s] for s in (T1CE, FLAIR)})
    found = align(case, "auto", brainsfit=fake_brainsfit(tmp_path))
    record = found.records[0]
    assert [a["outcome"] for a in record["attempts"]] == ["refused", "accepted"]
    assert record["attempts"][0]["parameters"]["maskProcessingMode"] == "ROIAUTO"
    assert record["engine"] == "brainsfit" and record["chosen"] == "geometry"


@pytest.mark.parametrize("sequence", [T1, FLAIR])
def test_a_further_offset_on_the_clinical_scans_is_recovered(clinical, registered, sequence):
    base = registered.transforms[sequence]
    offset = rigid((-1, 1, 2), 16.0, (9.0, -14.0, 12.0), (2.0, -15.0, 16.0))
    moving = with_moved_header(clinical.scans[sequence].image, offset)
    truth = sitk.CompositeTransform([offset, base])
    reference = clinical.reference_scan.image
    found = align(case_of(reference, moving, sequence), "simpleitk")
    assert landmark_error(reference, found.transforms[sequence], truth) < 5.5 / 2
