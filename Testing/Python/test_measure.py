"""Volumes, scores against sets of allowed tissues, and specks."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.cleanup import remove_specks
from BrainTumorSegLib.io.labelmaps import allowed_tissues
from BrainTumorSegLib.masks import largest_piece, mask_volume_ml
from BrainTumorSegLib.measure import (
    dice,
    dice_scores,
    truth_mask,
    volume_title,
    volumes_ml,
)
from BrainTumorSegLib.tissue import PROTOCOLS, Region, Tissue


def label_image(array, spacing=(1.0, 1.0, 1.0)):
    image = sitk.GetImageFromArray(np.asarray(array, np.uint8))
    image.SetSpacing(spacing)
    return image


def test_volumes_are_millilitres_and_regions_are_sums_of_tissues():
    labels = np.zeros((10, 10, 10))
    labels[0] = Tissue.NECROSIS
    labels[1] = Tissue.EDEMA
    labels[2, :5] = Tissue.NON_ENHANCING
    labels[3] = Tissue.ENHANCING
    volumes = volumes_ml(label_image(labels, (2.0, 2.0, 5.0)))
    assert volumes["necrosis"] == pytest.approx(2.0)
    assert volumes["non_enhancing"] == pytest.approx(1.0)
    assert volumes["WT"] == pytest.approx(7.0)
    assert volumes["TC"] == pytest.approx(5.0)
    assert volumes["ET"] == pytest.approx(2.0)


def test_an_empty_label_map_has_volumes_of_zero():
    assert set(volumes_ml(label_image(np.zeros((3, 3, 3)))).values()) == {0.0}


def test_a_mask_s_volume_counts_everything_above_zero():
    mask = np.zeros((10, 10, 10))
    mask[:5] = 7
    assert mask_volume_ml(label_image(mask, (1, 1, 2))) == pytest.approx(1.0)


def test_the_largest_piece_of_a_mask_is_kept_alone():
    mask = np.zeros((5, 20, 20))
    mask[2, 2:4, 2:4], mask[2, 10:18, 10:18] = 1, 1
    kept = sitk.GetArrayFromImage(largest_piece(label_image(mask)))
    assert kept.sum() == 64 and kept[2, 12, 12] == 1


def test_titles_name_tissues_and_regions_for_people():
    assert volume_title("edema") == "Peritumoral edema"
    assert volume_title("TC") == "Tumour core (TC)"


def test_dice_of_half_overlapping_boxes_is_one_half():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[:2], b[1:3] = True, True
    assert dice(a, b) == pytest.approx(0.5)


def test_dice_follows_the_brats_convention_for_empty_masks():
    nothing, something = np.zeros(5, bool), np.ones(5, bool)
    assert dice(nothing, nothing) == 1.0
    assert dice(something, nothing) == dice(nothing, something) == 0.0


def test_a_truth_that_merges_the_core_cannot_score_necrosis_but_scores_the_core():
    truth = np.array([0, 1, 1, 2, 4])
    predicted = np.array([0, 1, 3, 2, 4], np.uint8)
    scores = dice_scores(predicted, allowed_tissues(truth, PROTOCOLS["core1_edema2_enhancing4"]))
    assert scores["necrosis"] is None and scores["non_enhancing"] is None
    assert scores["core"] == scores["WT"] == scores["TC"] == scores["ET"] == 1.0


def test_a_truth_that_separates_the_core_scores_every_tissue():
    protocol = PROTOCOLS["necrosis1_edema2_nonenhancing3_enhancing4"]
    truth = np.array([0, 1, 3, 2, 4])
    scores = dice_scores(np.array([0, 1, 1, 2, 4], np.uint8), allowed_tissues(truth, protocol))
    assert scores["necrosis"] == pytest.approx(2 / 3)
    assert scores["non_enhancing"] == 0.0
    assert scores["core"] == 1.0


def test_truth_masks_of_regions_are_decided_under_every_protocol():
    for protocol in PROTOCOLS.values():
        allowed = allowed_tissues(np.array(list(protocol.labels)), protocol)
        for region in Region:
            assert truth_mask(allowed, region.value) is not None


def test_specks_go_and_lesions_stay_with_all_their_tissues():
    labels = np.zeros((20, 40, 40), np.uint8)
    labels[5:11, 5:11, 5:11] = Tissue.EDEMA
    labels[7, 7, 7] = Tissue.ENHANCING
    labels[15, 30:33, 30] = Tissue.ENHANCING
    image = label_image(labels)
    image.SetOrigin((1, 2, 3))
    cleaned = remove_specks(image, 100.0)
    kept = sitk.GetArrayFromImage(cleaned)
    assert kept[7, 7, 7] == Tissue.ENHANCING
    assert not kept[15].any()
    assert (kept[:12] == labels[:12]).all()
    assert cleaned.GetOrigin() == (1, 2, 3)


def test_the_smallest_lesion_is_measured_in_cubic_millimetres_not_voxels():
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[2, 2, 2:6] = Tissue.EDEMA
    assert sitk.GetArrayFromImage(remove_specks(label_image(labels, (5, 5, 5)), 100.0)).any()
    assert not sitk.GetArrayFromImage(remove_specks(label_image(labels), 100.0)).any()


def test_parts_that_touch_by_a_corner_are_one_lesion():
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[2, 2, 2], labels[3, 3, 3] = Tissue.EDEMA, Tissue.NECROSIS
    assert (sitk.GetArrayFromImage(remove_specks(label_image(labels), 2.0)) == labels).all()
