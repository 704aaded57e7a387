"""The success test: it must pass what is right and refuse what only looks so."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from registration_scans import SIZE, phantom, rigid

from BrainTumorSegLib.core.errors import RegistrationError
from BrainTumorSegLib.core.masks import mask_volume_ml
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.registration.head import find_head
from BrainTumorSegLib.preprocessing.registration.multistart import (
    assess_registration,
    identity,
    look_before,
)
from BrainTumorSegLib.preprocessing.registration.quality import (
    Pair,
    distance_mm,
    make_pair,
    overlap,
    score,
    settle,
    shift_mm,
)
from BrainTumorSegLib.preprocessing.registration.rigid import (
    matrix_and_offset,
    rigid_from_matrix,
    rotation_deg,
)
from BrainTumorSegLib.preprocessing.registration.starts import distinct_starts, start_transform

TRUTH = rigid((2, -1, 2), 15.0, (10.0, 6.0, -14.0))


@pytest.fixture(scope="module")
def displaced() -> Pair:
    """T1CE, and a FLAIR that lies 19 mm and 15 degrees off."""
    fixed = find_head(phantom(Sequence.T1CE), "t1ce")
    return make_pair(fixed, find_head(phantom(Sequence.FLAIR, moved_by=TRUTH), "flair"))


@pytest.fixture(scope="module")
def aligned() -> Pair:
    fixed = find_head(phantom(Sequence.T1CE), "t1ce")
    return make_pair(fixed, find_head(phantom(Sequence.FLAIR), "flair"))


def part(share: float) -> sitk.VersorRigid3DTransform:
    transform = sitk.VersorRigid3DTransform(TRUTH)
    transform.SetParameters([share * p for p in TRUTH.GetParameters()])
    return transform


def test_the_score_rises_all_the_way_to_the_right_place(displaced):
    scores = [score(displaced, part(share)) for share in (0.0, 0.5, 0.75, 1.0)]
    assert scores == sorted(scores)
    assert scores[-1] > scores[0] + 0.05
    assert score(displaced, part(1.25)) < scores[-1]


def test_the_right_transform_passes(displaced):
    before = score(displaced, identity(displaced))
    verdict = assess_registration(displaced, TRUTH, before)
    assert verdict.problems == ()
    assert verdict.rotation_deg == pytest.approx(15.0, abs=0.01)
    assert verdict.overlap > 0.95
    assert verdict.unsettled_mm <= 1.0


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.85])
def test_a_registration_that_stopped_half_way_is_refused_though_its_score_rose(displaced, share):
    before = score(displaced, identity(displaced))
    verdict = assess_registration(displaced, part(share), before)
    assert verdict.score > before
    assert len(verdict.problems) == 1 and "half way" in verdict.problems[0]
    assert verdict.settled is not None
    left = distance_mm(displaced, part(share), TRUTH)
    assert distance_mm(displaced, verdict.settled, TRUTH) < left


def test_a_worse_score_than_before_is_refused(aligned):
    before = score(aligned, identity(aligned))
    verdict = assess_registration(aligned, rigid((0, 0, 1), 8.0, (5.0, 0.0, 0.0)), before)
    assert any("mutual information fell" in p for p in verdict.problems)


@pytest.mark.parametrize(
    "transform", [rigid((0, 0, 1), 31.0, (0, 0, 0)), rigid((0, 0, 1), 0.0, (0, 61.0, 0))]
)
def test_more_than_a_patient_can_move_is_refused(aligned, transform):
    verdict = assess_registration(aligned, transform, 1.0)
    assert any("not plausible" in p for p in verdict.problems)


def test_heads_that_hardly_overlap_are_refused(aligned):
    verdict = assess_registration(aligned, rigid((0, 0, 1), 0.0, (55.0, 0.0, 0.0)), 1.0)
    assert any("overlap" in p for p in verdict.problems)
    assert overlap(aligned, identity(aligned)) > 0.95


def test_transforms_that_are_not_finite_or_not_rigid_are_refused(aligned):
    lost = sitk.TranslationTransform(3, (float("nan"), 0.0, 0.0))
    assert "finite" in assess_registration(aligned, lost, 1.0).problems[0]
    stretched = sitk.AffineTransform(3)
    stretched.Scale(1.05)
    assert "rigid" in assess_registration(aligned, stretched, 1.0).problems[0]
    mirrored = sitk.AffineTransform([-1.0, 0, 0, 0, 1, 0, 0, 0, 1], [0.0, 0, 0], [0.0, 0, 0])
    assert "rigid" in assess_registration(aligned, mirrored, 1.0).problems[0]


def test_what_is_aligned_is_recognised(aligned):
    assert look_before(aligned).already_aligned


def test_equal_headers_do_not_make_scans_aligned(displaced):
    outcome = look_before(displaced)
    assert displaced.fixed.image.GetSize() == displaced.moving.image.GetSize()
    assert not outcome.already_aligned
    assert outcome.chosen is None


@pytest.mark.parametrize(("shift", "left_alone"), [(0.3, True), (2.0, False), (4.0, False)])
def test_small_displacements_are_left_alone_and_larger_ones_are_not(shift, left_alone):
    moved = rigid((0, 0, 1), 0.0, (shift, 0.0, 0.0))
    fixed = find_head(phantom(Sequence.T1CE, (2.0, 2.0, 2.0)), "t1ce")
    moving = find_head(phantom(Sequence.T1, (2.0, 2.0, 2.0), moved_by=moved), "t1")
    assert look_before(make_pair(fixed, moving)).already_aligned is left_alone


def test_settling_climbs_to_the_right_place_and_stays_there(displaced):
    settled = settle(displaced, part(0.8))
    assert distance_mm(displaced, settled, TRUTH) < 1.5
    assert distance_mm(displaced, settle(displaced, settled), settled) == pytest.approx(0, abs=0.5)


def test_the_same_seed_scores_the_same_and_another_nearly_so(displaced):
    again = make_pair(displaced.fixed, displaced.moving, seed=0)
    other = make_pair(displaced.fixed, displaced.moving, seed=1)
    assert score(again, TRUTH) == score(displaced, TRUTH)
    assert score(other, TRUTH) != score(displaced, TRUTH)
    assert score(other, TRUTH) == pytest.approx(score(displaced, TRUTH), abs=0.005)


def test_rotation_and_shift_are_measured_in_degrees_and_mm(aligned):
    assert rotation_deg(TRUTH) == pytest.approx(15.0, abs=1e-6)
    assert rotation_deg(rigid((1, 0, 0), 170.0, (0, 0, 0))) == pytest.approx(170.0, abs=1e-6)
    assert rotation_deg(identity(aligned)) == 0
    assert shift_mm(aligned, rigid((1, 0, 0), 0.0, (3.0, 4.0, 12.0))) == pytest.approx(13.0)


def test_a_matrix_becomes_the_same_transform_about_any_centre():
    matrix, offset = matrix_and_offset(TRUTH)
    rebuilt = rigid_from_matrix(matrix, offset, np.array([30.0, -20.0, 10.0]))
    for point in ((0.0, 0.0, 0.0), (50.0, -70.0, 20.0)):
        assert rebuilt.TransformPoint(point) == pytest.approx(TRUTH.TransformPoint(point))


def test_the_starts_agree_when_the_boxes_and_heads_do_and_differ_when_they_do_not(aligned):
    assert [name for name, _ in distinct_starts(aligned.fixed, aligned.moving)] == ["headers"]
    moved = phantom(Sequence.FLAIR)
    moved.SetOrigin([o + s for o, s in zip(moved.GetOrigin(), (20.0, 0.0, 0.0), strict=True)])
    moving = find_head(moved, "flair")
    names = [name for name, _ in distinct_starts(aligned.fixed, moving)]
    assert names == ["headers", "geometry"]
    for name in ("geometry", "moments"):
        shift = start_transform(name, aligned.fixed, moving).GetTranslation()
        assert shift == pytest.approx((20.0, 0.0, 0.0), abs=1.0)


def test_the_head_is_found_whatever_the_grid():
    volumes = [
        mask_volume_ml(find_head(phantom(Sequence.T1CE, spacing), "t1ce").mask)
        for spacing in ((2.0, 2.0, 2.0), (3.0, 3.0, 3.0), (1.0, 1.0, 5.5), (5.0, 1.0, 1.0))
    ]
    truth = 4 / 3 * np.pi * 75 * 92 * 80 * SIZE**3 / 1000
    assert volumes == pytest.approx([truth] * 4, rel=0.08)


def test_the_head_is_found_where_air_is_not_zero():
    scan = phantom(Sequence.T1CE)
    plain, shifted = (find_head(i, "t1ce") for i in (scan, scan - 1024.0))
    assert mask_volume_ml(shifted.mask) == pytest.approx(mask_volume_ml(plain.mask), rel=0.01)


def test_a_scan_without_a_head_is_refused_by_name():
    empty = np.zeros((40, 40, 40), np.float32)
    empty[20, 20, 20] = 100
    image = sitk.GetImageFromArray(empty)
    image.SetSpacing((4.0, 4.0, 4.0))
    with pytest.raises(RegistrationError, match=r"No head was found on speck\.nii"):
        find_head(image, "speck.nii")


def test_stripped_and_whole_heads_are_told_apart(real_data):
    name = "BraTS2021_01657"
    stripped = sitk.ReadImage(real_data / "brats" / name / f"{name}_t1ce.nii.gz")
    whole = sitk.ReadImage(real_data / "clinical" / "TCGA-FG-6692" / "FLAIR_AX.nii.gz")
    assert find_head(stripped, "stripped").stripped
    assert not find_head(whole, "whole").stripped
