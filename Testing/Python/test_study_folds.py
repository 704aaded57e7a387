"""Folds by patient and who reads what: balanced, drawn once, and never moved."""

from __future__ import annotations

from collections import Counter

import pytest

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.study.assignment import ToRead, assign, doubt_of, reading_list
from BrainTumorSegLib.study.folds import assign_folds

TYPES = ("astrocytoma", "glioblastoma", "meningioma", "neurinoma")


def patients(numbers):
    return {f"sub-{n:03d}": TYPES[n % 4] for n in numbers}


def cases(numbers, doubts=()):
    doubt = dict(doubts)
    return [ToRead(f"sub-{n:03d}", TYPES[n % 4], doubt.get(n)) for n in numbers]


def test_patients_that_come_later_move_nobody_to_another_fold():
    first = assign_folds(patients(range(30)), {}, 5)
    later = assign_folds(patients(range(40)), first, 5)
    assert {name: later[name] for name in first} == first
    assert set(later) == set(patients(range(40)))


def test_every_tumor_type_is_spread_evenly_over_the_folds_also_when_patients_come_by_and_by():
    groups, fixed = {}, {}
    for end in (7, 8, 19, 40):
        groups = patients(range(end))
        fixed = assign_folds(groups, fixed, 5)
        for kind in TYPES:
            sizes = Counter(fixed[name] for name, own in groups.items() if own == kind)
            assert max(sizes.values()) - min(sizes.get(n, 0) for n in range(5)) <= 1
        sizes = Counter(fixed.values())
        assert max(sizes.values()) - min(sizes.get(n, 0) for n in range(5)) <= 2


def test_the_order_in_which_patients_are_listed_changes_nothing_and_the_seed_does():
    groups = patients(range(20))
    backwards = dict(reversed(list(groups.items())))
    assert assign_folds(groups, {}, 5) == assign_folds(backwards, {}, 5)
    assert assign_folds(groups, {}, 5) != assign_folds(groups, {}, 5, seed=1)


def test_fewer_folds_than_patients_were_dealt_to_are_refused():
    with pytest.raises(InputError, match="fold 4"):
        assign_folds({"a": "", "b": ""}, {"a": 4}, 3)
    with pytest.raises(InputError, match="1 folds"):
        assign_folds({"a": ""}, {}, 1)


def test_a_share_of_each_tumor_type_is_read_twice_and_readers_have_equal_work():
    found = assign(cases(range(40)), ["A", "B"], 0.3)
    assert set(found) == {one.case for one in cases(range(40))}
    doubles = [case for case, names in found.items() if len(names) == 2]
    assert len(doubles) == 12
    assert set(Counter(TYPES[int(case[4:]) % 4] for case in doubles).values()) == {3}
    work = Counter(name for names in found.values() for name in names)
    assert work["A"] == work["B"] == 26
    for kind in range(4):
        own = Counter(n for c, names in found.items() if int(c[4:]) % 4 == kind for n in names)
        assert abs(own["A"] - own["B"]) <= 1


def test_cases_that_come_later_change_nothing_of_what_was_assigned():
    first = assign(cases(range(20)), ["A", "B"], 0.3)
    later = assign(cases(range(40)), ["A", "B", "C"], 0.3, fixed=first)
    assert {case: later[case] for case in first} == first
    assert sum(len(names) == 2 for names in later.values()) == 12
    assert Counter(n for names in later.values() for n in names)["C"] > 10


def test_the_same_seed_gives_the_same_readers_whatever_the_order_of_the_cases():
    given = assign(cases(range(12)), ["A", "B"], 0.5)
    assert assign(cases(reversed(range(12))), ["A", "B"], 0.5) == given
    assert assign(cases(range(12)), ["A", "B"], 0.5, seed=3) != given


def test_who_reads_sees_the_most_doubtful_case_first_and_unknown_ones_last():
    listed = cases(range(4), {1: 0.2, 2: 0.9, 3: 0.5})
    readers = {one.case: ("A",) for one in listed} | {"sub-003": ("B",)}
    assert [one.case for one in reading_list(listed, readers, "A")] == [
        *("sub-002", "sub-001", "sub-000"),
    ]


def test_doubt_is_the_lowest_expected_dice_else_agreement_else_entropy():
    region = {"low": 0.1, "high": 1.0, "light": "green"}
    trust = {
        "WT": {**region, "expected": 0.9, "agreement": 0.5},
        "TC": {**region, "expected": 0.6, "agreement": 0.8},
    }
    assert doubt_of({"trust": {"regions": trust}}) == pytest.approx(0.4)
    for one in trust.values():
        one["expected"] = None
    assert doubt_of({"trust": {"regions": trust}}) == pytest.approx(0.5)
    confidence = {"mean_entropy": {"edema": 0.3, "necrosis": None}}
    assert doubt_of({"confidence": confidence}) == 0.3
    assert doubt_of({}) is None


@pytest.mark.parametrize(
    ("readers", "share", "text"),
    [
        ([], 0.0, "Nobody"),
        (["A", "A"], 0.0, "twice"),
        (["A"], 0.3, "One reader"),
        (["A", "B"], 1.5, "share"),
    ],
)
def test_an_assignment_that_cannot_be_met_is_refused(readers, share, text):
    with pytest.raises(InputError, match=text):
        assign(cases(range(3)), readers, share)
