"""Scores with known answers: surfaces, lesions, groups that a truth cannot tell."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.core.tissue import PROTOCOLS
from BrainTumorSegLib.evaluation import report
from BrainTumorSegLib.evaluation.metrics import score_labels
from BrainTumorSegLib.io.labelmaps import allowed_tissues

MERGED = PROTOCOLS["core1_edema2_enhancing4"]
SEPARATED = PROTOCOLS["necrosis1_edema2_nonenhancing3_enhancing4"]


def cube(shape=(24, 40, 40), start=(6, 10, 10), size=10):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(s, s + size) for s in start)] = True
    return mask


@pytest.fixture
def surface_score():
    pytest.importorskip("monai", reason="HD95 and NSD need the extra evaluate (MONAI)")
    from BrainTumorSegLib.evaluation.metrics import surface_score

    return lambda *masks: SimpleNamespace(**surface_score(*masks))


@pytest.fixture
def lesion_score():
    pytest.importorskip("panoptica", reason="lesions need the extra evaluate (panoptica)")
    from BrainTumorSegLib.evaluation.metrics import lesion_score

    # Without the words lesion and lesions.
    return lambda *masks: SimpleNamespace(
        **{name.partition("_")[2]: value for name, value in lesion_score(*masks).items()}
    )


@pytest.mark.parametrize(("axis", "distance"), [(0, 10.0), (1, 2.0), (2, 1.0)])
def test_hd95_of_a_shifted_cube_is_the_shift_in_mm_along_every_axis(surface_score, axis, distance):
    shifted = np.roll(cube(), 2, axis)
    assert surface_score(shifted, cube(), (5.0, 1.0, 0.5)).hd95_mm == pytest.approx(distance)


def test_hd95_leaves_a_far_speck_out_that_the_largest_distance_would_not(surface_score):
    predicted = cube()
    predicted[20, 35, 35] = True
    assert surface_score(predicted, cube(), (1, 1, 1)).hd95_mm == 0.0


def test_hd95_does_not_depend_on_which_mask_is_the_truth(surface_score):
    small, large = cube(size=6), cube()
    there, back = (surface_score(*p, (2, 1, 1)) for p in ((small, large), (large, small)))
    assert there.hd95_mm == back.hd95_mm > 0
    assert there.nsd == pytest.approx(back.nsd)


def test_nsd_counts_surface_within_a_millimetre_and_not_beyond(surface_score):
    assert surface_score(np.roll(cube(), 1, 1), cube(), (1, 1, 1)).nsd == 1.0
    assert surface_score(np.roll(cube(), 1, 1), cube(), (1, 0.9, 1)).nsd == 1.0
    # The inner cube's faces lie 2 mm inside the outer one's, everywhere.
    assert surface_score(cube(start=(8, 12, 12), size=6), cube(), (1, 1, 1)).nsd == 0.0
    assert surface_score(cube(start=(8, 12, 12), size=6), cube(), (0.5, 0.5, 0.5)).nsd > 0.5
    # Of a cube moved by half its length about half of the four faces along the way agree.
    assert 0.4 < surface_score(np.roll(cube(), 5, 1), cube(), (1, 1, 1)).nsd < 0.55


def test_identical_masks_agree_fully_even_at_the_border_of_the_volume(surface_score):
    mask = np.zeros((6, 6, 6), bool)
    mask[:3] = True
    score = surface_score(mask, mask, (5, 1, 1))
    assert (score.hd95_mm, score.nsd) == (0.0, 1.0)
    assert surface_score(~np.zeros_like(mask), mask, (1, 1, 1)).hd95_mm == pytest.approx(3.0)


def test_surfaces_of_empty_masks_have_no_distance(surface_score):
    nothing = np.zeros((8, 8, 8), bool)
    something = cube((8, 8, 8), (2, 2, 2), 3)
    both = surface_score(nothing, nothing, (1, 1, 1))
    missed, false = (
        surface_score(*p, (1, 1, 1)) for p in ((nothing, something), (something, nothing))
    )
    assert both.hd95_mm is None and both.nsd == 1.0
    assert missed.hd95_mm is None and false.hd95_mm is None
    assert missed.nsd == false.nsd == 0.0


def test_lesions_found_missed_and_false_are_counted(lesion_score):
    truth = cube(start=(1, 2, 2)) | cube(start=(12, 28, 28))
    predicted = cube(start=(1, 2, 2)) | cube(start=(1, 2, 28))
    score = lesion_score(predicted, truth, (1, 1, 1))
    assert (score.found, score.missed, score.false) == (1, 1, 1)
    assert score.f1 == pytest.approx(0.5)
    assert score.dice == pytest.approx(1 / 3)


def test_two_predicted_parts_of_one_lesion_are_neither_false_nor_two(lesion_score):
    predicted = cube()
    predicted[:, 14] = False
    score = lesion_score(predicted, cube(), (1, 1, 1))
    assert (score.found, score.missed, score.false, score.f1) == (1, 0, 0, 1.0)
    assert score.dice == pytest.approx(2 * 900 / 1900)


@pytest.mark.parametrize(("gap", "lesions"), [(4, 1), (9, 2)])
def test_parts_of_the_truth_near_to_each_other_are_one_lesion(lesion_score, gap, lesions):
    truth = np.zeros((20, 20, 40), bool)
    truth[5:15, 5:15, 2:12] = truth[5:15, 5:15, 12 + gap : 22 + gap] = True
    score = lesion_score(truth, truth, (1, 1, 1))
    assert (score.found, score.missed, score.false) == (lesions, 0, 0) and score.dice == 1.0


def test_nearness_of_parts_is_measured_in_mm_not_voxels(lesion_score):
    truth = np.zeros((20, 20, 20), bool)
    truth[2:8, 5:15, 5:15] = truth[11:17, 5:15, 5:15] = True
    assert lesion_score(truth, truth, (1, 1, 1)).found == 1
    assert lesion_score(truth, truth, (5, 1, 1)).found == 2


def test_specks_are_neither_missed_nor_false(lesion_score):
    truth, predicted = cube(), cube()
    truth[1, 2, 2] = True
    predicted[20, 35, 35] = True
    score = lesion_score(predicted, truth, (1, 1, 1))
    assert (score.found, score.missed, score.false, score.dice) == (1, 0, 0, 1.0)
    only_specks = lesion_score(truth & ~cube(), predicted & ~cube(), (1, 1, 1))
    assert (only_specks.found, only_specks.f1, only_specks.dice) == (0, None, None)
    assert lesion_score(predicted, truth, (5, 5, 5)).missed == 1


def test_a_prediction_of_a_speck_of_the_truth_is_not_false(lesion_score):
    truth = cube()
    truth[1, 2, 2] = True
    predicted = cube() | cube(start=(0, 0, 0), size=4)
    assert lesion_score(predicted, truth, (1, 1, 1)).false == 0


def test_lesions_of_empty_masks(lesion_score):
    nothing = np.zeros_like(cube())
    empty = lesion_score(nothing, nothing, (1, 1, 1))
    assert (empty.found, empty.missed, empty.false, empty.f1) == (0, 0, 0, None)
    missed, false = (
        lesion_score(nothing, cube(), (1, 1, 1)),
        lesion_score(cube(), nothing, (1,) * 3),
    )
    assert (missed.missed, missed.false, missed.f1, missed.dice) == (1, 0, 0.0, 0.0)
    assert (false.missed, false.false, false.f1, false.dice) == (0, 1, 0.0, 0.0)


def test_more_lesions_than_a_byte_counts_are_all_told_apart(lesion_score):
    truth = np.zeros((10, 160, 160), bool)
    for row in range(2, 156, 9):
        for column in range(2, 156, 9):
            truth[2:5, row : row + 3, column : column + 3] = True
    score = lesion_score(truth, truth, (2, 2, 2))
    assert score.found == 18 * 18 and score.dice == 1.0


def test_what_a_truth_cannot_tell_has_no_score_and_what_it_can_tell_has(lesion_score):
    pytest.importorskip("monai")
    values = np.zeros((20, 20, 20), np.uint8)
    values[4:16, 4:16, 4:16], values[6:14, 6:14, 6:14], values[8:12, 8:12, 8:12] = 2, 4, 1
    for protocol, undecided in ((MERGED, {"necrosis", "non_enhancing"}), (SEPARATED, set())):
        allowed = allowed_tissues(values, protocol)
        scores = score_labels(values, allowed, (1, 1, 1), ("dice", "surface", "lesions"))
        assert {name for name, score in scores.items() if score is None} == undecided
        for name, score in scores.items():
            if score is None or not score.reference:
                continue
            assert score.dice == score.nsd == 1.0 and score.hd95_mm == 0.0
            assert (score.lesion_f1 is not None) == (name in ("WT", "TC", "ET"))


def test_labels_that_separate_the_core_score_every_tissue_and_merged_ones_the_core():
    values, predicted = np.array([[[0, 1, 3, 2, 4]]]), np.array([[[0, 1, 1, 2, 4]]], np.uint8)
    scores = score_labels(predicted, allowed_tissues(values, SEPARATED), (1, 1, 1))
    assert scores["necrosis"].dice == pytest.approx(2 / 3)
    assert scores["non_enhancing"].dice == 0.0 and scores["core"].dice == 1.0
    merged = allowed_tissues(np.where(values == 3, 1, values), MERGED)
    scores = score_labels(predicted, merged, (1, 1, 1))
    assert scores["necrosis"] is None and scores["non_enhancing"] is None
    assert {scores[name].dice for name in ("core", "WT", "TC", "ET")} == {1.0}


def test_volumes_of_groups_are_millilitres():
    values = np.zeros((10, 10, 10), np.uint8)
    values[:5] = 2
    scores = score_labels(np.zeros_like(values), allowed_tissues(values, MERGED), (2, 1, 1))
    assert scores["WT"].reference_ml == pytest.approx(1.0) and scores["WT"].predicted_ml == 0.0
    assert scores["WT"].dice == 0.0 and scores["ET"].dice == 1.0
    assert scores["WT"].nsd is None and scores["WT"].lesions_found is None


def test_without_the_extra_dice_is_taken_and_the_rest_named(monkeypatch):
    monkeypatch.setattr(report, "has_package", lambda name: name is None)
    assert report.choose_measures(None) == (("dice",), ("surface", "lesions"))
    assert report.choose_measures(["dice"]) == (("dice",), ())
    for measure, package in (("surface", "monai"), ("lesions", "panoptica")):
        with pytest.raises(DependencyError, match=package) as caught:
            report.choose_measures([measure])
        assert "BrainTumorSeg[evaluate]" in caught.value.remedy
