"""Regions in dispute, and settling them: nothing but disputed voxels is ever touched."""

from __future__ import annotations

import numpy as np
import pytest

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.study.disputes import EDITED, find_disputes, outside_of, settle

SPACING = (1.0, 1.0, 1.0)


@pytest.fixture
def readings():
    """Two readings that differ in three places, of 8, 3 and 1 voxels."""
    first = np.zeros((6, 10, 10), np.uint8)
    first[1:5, 2:8, 2:8] = Tissue.EDEMA
    second = first.copy()
    second[2:4, 3:5, 3:5] = Tissue.ENHANCING
    second[4, 7, 5:8] = 0
    second[1, 2, 7] = Tissue.NECROSIS
    return {"A": first, "B": second}


def test_disputes_come_largest_first_and_cover_every_voxel_that_differs(readings):
    found = find_disputes(readings, SPACING)
    assert [region.voxels for region in found.regions] == [8, 3, 1]
    assert np.array_equal(found.numbers > 0, readings["A"] != readings["B"])


def test_a_choice_touches_the_voxels_of_its_region_and_no_other(readings):
    found = find_disputes(readings, SPACING)
    merged = settle(found, {1: "B", 2: "A", 3: "B"})
    inside = np.isin(found.numbers, [1, 3])
    assert np.array_equal(merged[inside], readings["B"][inside])
    assert np.array_equal(merged[~inside], readings["A"][~inside])
    assert np.array_equal(settle(found, {}), readings["A"])


def test_an_edited_region_takes_new_labels_inside_of_it_only(readings):
    first = readings["A"]
    found = find_disputes(readings, SPACING)
    edited = np.full_like(first, Tissue.NON_ENHANCING)
    merged = settle(found, {2: EDITED}, edited)
    assert np.array_equal(merged == Tissue.NON_ENHANCING, found.numbers == 2)
    assert np.array_equal(merged[found.numbers != 2], first[found.numbers != 2])
    assert outside_of(edited, first, found, 2) == int((found.numbers != 2).sum())


def test_three_readings_are_in_dispute_where_any_of_them_differs(readings):
    third = readings["A"].copy()
    third[0, 0, 0] = Tissue.EDEMA
    found = find_disputes({**readings, "C": third}, SPACING)
    assert [region.voxels for region in found.regions] == [8, 3, 1, 1]
    merged = settle(found, dict.fromkeys(range(1, 5), "C"))
    assert np.array_equal(merged, third)


def test_readings_that_agree_leave_nothing_to_settle(readings):
    first = readings["A"]
    found = find_disputes({"A": first, "B": first.copy()}, SPACING)
    assert not found.regions and np.array_equal(settle(found, {}), first)
    assert not find_disputes({"A": first}, SPACING).regions


def test_what_cannot_be_settled_is_refused_by_name(readings):
    first, second = readings.values()
    found = find_disputes(readings, SPACING)
    with pytest.raises(InputError, match="no region 4"):
        settle(found, {4: "A"})
    with pytest.raises(InputError, match="no reading 'C'"):
        settle(found, {1: "C"})
    with pytest.raises(InputError, match="no edited labels"):
        settle(found, {1: EDITED})
    with pytest.raises(InputError, match="hold 9"):
        settle(found, {1: EDITED}, np.full_like(first, 9))
    with pytest.raises(InputError, match="voxels"):
        find_disputes({"A": first, "B": second[1:]}, SPACING)
