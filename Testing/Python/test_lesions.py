"""The separate lesions of a label map."""

from __future__ import annotations

import numpy as np
import pytest

from BrainTumorSegLib.core.tissue import Region, Tissue
from BrainTumorSegLib.measurement.lesions import find_lesions


def test_what_touches_by_a_corner_only_is_one_lesion():
    labels = np.zeros((6, 6, 6), np.uint8)
    labels[1, 1, 1], labels[2, 2, 2], labels[4, 4, 4] = Tissue.ENHANCING, Tissue.EDEMA, 1
    numbers, lesions = find_lesions(labels, (1, 1, 1))
    assert [lesion.voxels for lesion in lesions] == [2, 1]
    assert numbers[1, 1, 1] == numbers[2, 2, 2] == 1
    assert numbers[4, 4, 4] == 2


def test_lesions_are_numbered_from_the_largest_with_volume_middle_and_box():
    labels = np.zeros((8, 10, 12), np.uint8)
    labels[0, 0, 0:2] = Tissue.EDEMA
    labels[4:7, 5:8, 6:9] = Tissue.NECROSIS
    numbers, (first, second) = find_lesions(labels, (5.0, 0.5, 2.0))
    assert first.volume_mm3 == pytest.approx(27 * 5)
    assert first.center == (5, 6, 7)
    assert first.box == (slice(4, 7), slice(5, 8), slice(6, 9))
    assert second.center == (0, 0, 0.5)
    assert (numbers[first.box] == 1).all()


def test_only_the_chosen_tissues_make_a_lesion_and_specks_are_left_out():
    labels = np.zeros((5, 5, 9), np.uint8)
    labels[2, 2, :] = Tissue.EDEMA
    labels[2, 2, 1:4] = Tissue.ENHANCING
    labels[2, 2, 7] = Tissue.NECROSIS
    numbers, lesions = find_lesions(labels, (1, 1, 1), Region.TC.value, least_mm3=2)
    assert [lesion.volume_mm3 for lesion in lesions] == [3]
    assert numbers.max() == 1
    assert find_lesions(np.zeros((3, 3, 3), np.uint8), (1, 1, 1))[1] == []
