"""Volumes, scores against sets of allowed tissues, specks and islands."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.masks import largest_component, mask_volume_ml
from BrainTumorSegLib.core.tissue import PROTOCOLS, Region, Tissue
from BrainTumorSegLib.core.volumes import dice, reference_mask, volume_title, volumes_ml
from BrainTumorSegLib.inference.postprocessing import (
    DistantComponents,
    remove_distant_components,
    remove_small_components,
)
from BrainTumorSegLib.io.labelmaps import allowed_tissues


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
    kept = sitk.GetArrayFromImage(largest_component(label_image(mask)))
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


def test_reference_masks_of_regions_are_decided_under_every_protocol():
    for protocol in PROTOCOLS.values():
        allowed = allowed_tissues(np.array(list(protocol.labels)), protocol)
        for region in Region:
            assert reference_mask(allowed, region.value) is not None


def test_specks_go_and_lesions_stay_with_all_their_tissues():
    labels = np.zeros((20, 40, 40), np.uint8)
    labels[5:11, 5:11, 5:11] = Tissue.EDEMA
    labels[7, 7, 7] = Tissue.ENHANCING
    labels[15, 30:33, 30] = Tissue.ENHANCING
    image = label_image(labels)
    image.SetOrigin((1, 2, 3))
    cleaned = remove_small_components(image, 100.0)
    kept = sitk.GetArrayFromImage(cleaned)
    assert kept[7, 7, 7] == Tissue.ENHANCING
    assert not kept[15].any()
    assert (kept[:12] == labels[:12]).all()
    assert cleaned.GetOrigin() == (1, 2, 3)


def test_the_smallest_lesion_is_measured_in_cubic_millimetres_not_voxels():
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[2, 2, 2:6] = Tissue.EDEMA
    assert sitk.GetArrayFromImage(
        remove_small_components(label_image(labels, (5, 5, 5)), 100.0)
    ).any()
    assert not sitk.GetArrayFromImage(remove_small_components(label_image(labels), 100.0)).any()


def test_parts_that_touch_by_a_corner_are_one_lesion():
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[2, 2, 2], labels[3, 3, 3] = Tissue.EDEMA, Tissue.NECROSIS
    assert (
        sitk.GetArrayFromImage(remove_small_components(label_image(labels), 2.0)) == labels
    ).all()


def tumor_with(*parts):
    """A cube of 20 voxels a side at the left of the image, and other parts."""
    labels = np.zeros((30, 30, 100), np.uint8)
    labels[5:25, 5:25, 5:25] = Tissue.EDEMA
    for part in parts:
        labels[part] = Tissue.ENHANCING
    return labels


def cube_at(column, side=6):
    return np.s_[10 : 10 + side, 10 : 10 + side, column : column + side]


def without_islands(labels, spacing=(1, 1, 1)):
    image = label_image(labels, spacing)
    image.SetDirection((0, 1, 0, 0, 0, -1, -1, 0, 0))
    cleaned, islands = remove_distant_components(image)
    assert cleaned.IsSameImageGeometryAs(image) and cleaned.GetPixelID() == image.GetPixelID()
    return sitk.GetArrayFromImage(cleaned), islands


def test_a_small_part_far_from_the_tumour_goes_and_is_told():
    kept, islands = without_islands(tumor_with(cube_at(50), cube_at(80)))
    assert (kept == tumor_with()).all()
    assert islands == DistantComponents(2, pytest.approx(0.432))
    assert islands.as_record() == {"removed": 2, "ml": 0.432}


def test_a_part_near_the_tumour_stays_however_small():
    labels = tumor_with(cube_at(34, side=1))
    kept, islands = without_islands(labels)
    assert (kept == labels).all() and islands == DistantComponents(0, 0.0)
    assert without_islands(tumor_with(cube_at(35, side=1)))[1].removed == 1


def test_distances_between_parts_are_millimetres_not_voxels():
    labels = tumor_with(cube_at(28))
    assert without_islands(labels)[1].removed == 0
    assert without_islands(labels, (4, 1, 1))[1].removed == 1
    assert without_islands(tumor_with(cube_at(50)), (0.3, 1, 1))[1].removed == 0


def test_a_second_tumour_that_is_not_small_beside_the_first_stays():
    labels = tumor_with(cube_at(80, side=8))
    kept, islands = without_islands(labels)
    assert (kept == labels).all() and islands.removed == 0


@pytest.mark.parametrize("labels", [tumor_with(), np.zeros((5, 5, 5), np.uint8)])
def test_one_tumour_alone_and_none_at_all_stay_as_they_are(labels):
    kept, islands = without_islands(labels)
    assert (kept == labels).all() and islands == DistantComponents(0, 0.0)


def test_a_small_tumour_that_is_alone_stays():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[cube_at(10, side=2)] = Tissue.ENHANCING
    assert without_islands(labels)[0].any()
