"""Labels are decided from the whole tumour to its parts."""

from __future__ import annotations

import numpy as np
import pytest

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.inference.labels import decode_labels, smooth_across_slices


def label(background, necrosis, edema, non_enhancing, enhancing) -> Tissue:
    voxel = (background, necrosis, edema, non_enhancing, enhancing)
    assert sum(voxel) == pytest.approx(1)
    return Tissue(int(decode_labels([np.array([p], np.float32) for p in voxel])[0]))


@pytest.mark.parametrize("tissue", Tissue)
def test_what_is_certain_is_what_it_is(tissue):
    assert label(*(float(other is tissue) for other in Tissue)) is tissue


def test_tumour_of_an_uncertain_kind_is_still_tumour():
    assert label(0.4, 0.0, 0.35, 0.0, 0.25) is Tissue.EDEMA


def test_what_is_most_likely_no_tumour_at_all_is_background():
    assert label(0.6, 0.1, 0.1, 0.1, 0.1) is Tissue.BACKGROUND


def test_core_that_is_divided_among_its_tissues_is_not_lost_to_edema():
    assert label(0.0, 0.25, 0.4, 0.35, 0.0) is Tissue.NON_ENHANCING
    assert label(0.1, 0.3, 0.35, 0.05, 0.2) is Tissue.NECROSIS


def test_enhancement_must_outweigh_the_rest_of_the_core():
    assert label(0.0, 0.3, 0.0, 0.3, 0.4) is Tissue.NECROSIS
    assert label(0.0, 0.2, 0.0, 0.25, 0.55) is Tissue.ENHANCING


def test_every_region_is_where_its_probability_outweighs_that_of_its_surroundings():
    raw = np.random.default_rng(3).gamma(0.5, size=(5, 20, 30, 40))
    p = raw / raw.sum(axis=0)
    labels = decode_labels(p)
    core = p[Tissue.NECROSIS] + p[Tissue.NON_ENHANCING] + p[Tissue.ENHANCING]
    whole = core + p[Tissue.EDEMA] > p[Tissue.BACKGROUND]
    assert np.array_equal(labels > 0, whole)
    in_core = whole & (core > p[Tissue.EDEMA])
    assert np.array_equal((labels > 0) & (labels != Tissue.EDEMA), in_core)
    assert np.array_equal(labels == Tissue.ENHANCING, in_core & (2 * p[Tissue.ENHANCING] > core))


def test_maps_are_taken_one_at_a_time_and_left_as_they_are():
    maps = np.random.default_rng(0).dirichlet(np.ones(5), size=(4, 6)).transpose(2, 0, 1)
    before = maps.copy()
    labels = decode_labels(one for one in maps)
    assert labels.dtype == np.uint8 and labels.shape == (4, 6)
    assert np.array_equal(maps, before)


def test_a_slice_that_contradicts_its_neighbors_gives_way_where_slices_are_thin():
    probabilities = np.zeros((5, 9, 2, 2), np.float32)
    probabilities[2] = 0.7
    probabilities[2, 4] = 0.3
    probabilities[0] = 1 - probabilities[2]
    thick = smooth_across_slices(probabilities.copy(), 6.0)
    np.testing.assert_allclose(thick, probabilities, atol=0.01)
    thin = smooth_across_slices(probabilities, 1.0)
    np.testing.assert_allclose(thin.sum(axis=0), 1, atol=1e-6)
    assert (decode_labels(thin)[4] == Tissue.EDEMA).all()
    assert (decode_labels(thick)[4] == Tissue.BACKGROUND).all()


def test_a_volume_of_one_slice_is_not_smoothed():
    probabilities = np.random.default_rng(0).random((5, 1, 3, 3), np.float32)
    np.testing.assert_allclose(
        smooth_across_slices(probabilities.copy(), 1.0), probabilities, rtol=1e-6
    )
