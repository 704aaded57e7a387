"""Agreement of readers against hand calculations and published figures, and what it writes."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.study.agreement import (
    AUTOMATIC,
    CONSENSUS,
    by_title,
    compare_labels,
    compare_readings,
    consensus,
    summarize_pair,
)
from BrainTumorSegLib.study.agreement_outputs import write_agreement
from BrainTumorSegLib.study.reliability import cohen_kappa, icc, limits_of_agreement

#: Ratings of six targets by four judges (Shrout and Fleiss 1979, table 2).
SHROUT_FLEISS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]

#: Ratings of eight wines by four judges, the example of pingouin's documentation.
WINES = np.transpose(
    [
        [1, 1, 3, 6, 6, 7, 8, 9],
        [2, 3, 8, 4, 5, 5, 7, 9],
        [0, 3, 1, 3, 5, 6, 7, 9],
        [1, 2, 4, 3, 6, 2, 9, 8],
    ]
)


def image(array, spacing=(1.0, 1.0, 1.0)):
    made = sitk.GetImageFromArray(np.asarray(array, np.uint8))
    made.SetSpacing(spacing)
    return made


@pytest.fixture
def bar():
    """A bar of ten voxels of edema, and the same where the last four are enhancing tumor."""
    first = np.zeros((3, 3, 14), np.uint8)
    first[1, 1, 2:12] = Tissue.EDEMA
    second = first.copy()
    second[1, 1, 8:12] = Tissue.ENHANCING
    return first, second


@pytest.mark.parametrize(
    ("ratings", "value", "low", "high"),
    [(SHROUT_FLEISS, 0.290, 0.019, 0.761), (WINES, 0.728, 0.434, 0.927)],
    ids=["shrout-fleiss", "pingouin"],
)
def test_the_icc_and_its_interval_are_those_that_were_published(ratings, value, low, high):
    found = icc(ratings)
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), abs=6e-4)


def test_two_readers_that_differ_by_a_constant_do_not_agree_absolutely():
    # MSR 2, MSC 6, MSE 0: 2 / (2 + 2 * 6 / 3) by hand.
    assert icc([[1, 3], [2, 4], [3, 5]]).value == pytest.approx(1 / 3)
    assert icc([[1, 1], [2, 2], [3, 3]]).value == 1


def test_reliability_of_nothing_is_undefined_and_not_perfect():
    assert math.isnan(icc([[0, 0], [0, 0], [0, 0]]).value)
    assert math.isnan(icc([[5, 6]]).value)
    assert math.isnan(icc([[1, 2], [4, 3]]).low)
    assert math.isnan(limits_of_agreement([], []).bias)


def test_limits_of_agreement_are_bias_and_nearly_two_deviations():
    # Differences 1, 2, 3: mean 2, standard deviation 1.
    found = limits_of_agreement([10, 20, 30], [11, 22, 33])
    assert (found.bias, found.low, found.high) == pytest.approx((2, 0.04, 3.96))


def test_kappa_is_that_of_the_textbook():
    # 20 both yes, 15 both no, 5 and 10 apart: (0.7 - 0.5) / (1 - 0.5).
    first = np.array([1] * 25 + [0] * 25)
    second = np.array([1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert math.isnan(cohen_kappa(np.ones(4, int), np.ones(4, int)))


def test_agreement_of_two_readings_is_that_of_a_hand_calculation(bar):
    first, second = (image(array, (2, 1, 1)) for array in bar)
    found = compare_labels(first, second, ("dice", "surface"))
    assert found.changed_voxels == 4 and found.changed_ml == pytest.approx(0.008)
    assert found.scores["WT"].dice == 1 and found.scores["WT"].hd95_mm == 0
    assert found.scores["edema"].dice == pytest.approx(2 * 6 / 16)
    assert found.scores["ET"].dice == 0 and found.scores["ET"].hd95_mm is None
    assert found.scores["necrosis"].dice == 1
    # The nearest edema of the second is 8 mm from the end of the first: 95 % of 10 distances.
    assert found.scores["edema"].hd95_mm == pytest.approx(np.percentile([0] * 6 + [2, 4, 6, 8], 95))
    # In the box of ten voxels: chance 0.6, since only edema was given by both.
    assert found.kappa == pytest.approx((0.6 - 0.6) / 0.4)
    assert (found.scores["ET"].reference_ml, found.scores["ET"].predicted_ml) == (0, 0.008)


def test_readings_of_a_case_are_compared_with_the_automatic_result_and_each_other(bar):
    first, second = map(image, bar)
    labels = {AUTOMATIC: first, "A": first, "B": second}
    pairs = compare_readings("sub-001", "glioma", labels, {"A": 3.0, "B": 7.5})
    assert [(p.title, p.minutes) for p in pairs] == [("auto-A", 3.0), ("auto-B", 7.5), ("A-B", 7.5)]
    assert [p.agreement.changed_voxels for p in pairs] == [0, 4, 4]


def test_readings_on_two_grids_are_refused(bar):
    with pytest.raises(InputError, match="one grid"):
        compare_labels(image(bar[0]), image(bar[1], (1, 1, 2)))


def test_staple_is_asked_from_three_readers_on_and_never_with_two(bar):
    first, second = map(image, bar)
    with pytest.raises(InputError, match="STAPLE"):
        consensus([first, second])
    titles = by_title(compare_readings("x", "", {"A": first, "B": second}))
    assert list(titles) == ["A-B"]
    three = by_title(compare_readings("x", "", {"A": first, "B": second, "C": second}))
    assert f"{CONSENSUS}-C" in three
    assert three[f"{CONSENSUS}-C"][0].agreement.changed_voxels == 0
    assert three[f"{CONSENSUS}-A"][0].agreement.changed_voxels == 4


def test_means_are_over_the_cases_that_have_the_tissue_and_volumes_over_all(bar):
    first, second = map(image, bar)
    pairs = []
    for case, other in (("1", second), ("2", first), ("3", first)):
        pairs += compare_readings(case, "", {"A": first, "B": other})
    whole, enhancing = (summarize_pair(pairs, group) for group in ("WT", "ET"))
    assert whole.dice.cases == 3 and whole.dice.value == 1
    assert enhancing.dice.cases == 1 and enhancing.dice.value == 0
    assert enhancing.limits.cases == 3 and enhancing.limits.bias == pytest.approx(0.004 / 3)


def test_a_study_gets_a_table_figures_a_picture_and_a_page_or_nothing(bar, tmp_path):
    first, second = map(image, bar)
    pairs = []
    for number in range(3):
        labels = {AUTOMATIC: first, "A": first if number else second, "B": second}
        pairs += compare_readings(f"sub-{number}", "glioma", labels, {"A": 2.0})
    folder = tmp_path / "agreement"
    written = write_agreement(folder, pairs, "Study & <b>title</b>", ("surface",))
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    with (folder / "agreement.tsv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert len(rows) == 3 * 3 * 6
    (row,) = (
        r
        for r in rows
        if (r["case"], r["second"], r["first"], r["tissues"]) == ("sub-0", "A", "auto", "edema")
    )
    assert float(row["dice"]) == 0.75 and row["hd95_mm"] == "" and float(row["minutes"]) == 2
    content = json.loads((folder / "agreement.json").read_text(encoding="utf-8"))
    assert content["pairs"]["auto-A"]["unchanged"] == 2
    assert content["pairs"]["auto-A"]["groups"]["edema"]["dice"]["value"] == pytest.approx(
        2.75 / 3, abs=1e-4
    )
    page = (folder / "agreement.html").read_text(encoding="utf-8")
    assert "Study &amp; &lt;b&gt;title" in page and "data:image/png;base64," in page
    assert "Not measured, because its package is not installed: surface." in page
    assert (folder / "agreement.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="No case has two sets"):
        write_agreement(tmp_path / "nothing", [], "")
    assert not (tmp_path / "nothing").exists()
