"""Means under both conventions, bootstrap, paired tests, tables and the picture."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.volumes import SCORED
from BrainTumorSegLib.evaluation.metrics import CaseScore, GroupScore
from BrainTumorSegLib.evaluation.report import (
    markdown_tables,
    summary_json,
    write_case_table,
    write_comparisons,
    write_false_table,
    write_group_table,
)
from BrainTumorSegLib.evaluation.runs import make_arms, members_for
from BrainTumorSegLib.evaluation.statistics import (
    compare,
    compare_arms,
    flat_summary,
    mean_estimate,
    pooled_estimate,
    resampled_cases,
    summarize_false,
    summarize_group,
)


def group(both, predicted, reference, *measured):
    total = predicted + reference
    dice = 2 * both / total if total else 1.0
    return GroupScore(dice, both, predicted, reference, 1e-3, *measured)


def case(name, arm="none", whole=None, enhancing=None, predict_batches="glioma"):
    whole, enhancing = whole or group(800, 1000, 1000), enhancing or group(90, 100, 100)
    groups = dict.fromkeys(SCORED)
    groups |= {"WT": whole, "TC": whole, "ET": enhancing, "edema": whole, "core": whole}
    return CaseScore(arm, "pack", arm, ("fold0",), name, predict_batches, 0, groups)


def both_arms(gain, cases=12):
    rng = np.random.default_rng(3)
    rows = []
    for number in range(cases):
        both = int(rng.integers(500, 800))
        rows.append(case(f"c{number}", "none", group(both, 1000, 1000)))
        rows.append(case(f"c{number}", "tta1", group(both + gain, 1000, 1000)))
    return rows


def test_the_mean_runs_over_cases_that_have_the_tissue_and_brats_over_all():
    rows = [
        case("with"),
        case("false", enhancing=group(0, 50, 0)),
        case("silent", enhancing=group(0, 0, 0)),
        case("missed", enhancing=group(0, 0, 100)),
    ]
    figures = summarize_group(rows, "ET")
    assert figures.present["dice"].value == pytest.approx((0.9 + 0.0) / 2)
    assert figures.present["dice"].cases == 2
    assert figures.brats["dice"].value == pytest.approx((0.9 + 0 + 1 + 0) / 4)
    assert (figures.detected, figures.with_group) == (1, 2)
    assert (figures.silent, figures.without_group) == (1, 2)
    assert figures.false_ml == pytest.approx(0.025)
    flat = flat_summary(rows)
    assert flat["ET"] == 0.45 and flat["ET_all"] == 0.475 and flat["cases_with_ET"] == 2
    assert flat["false_ET_ml"] == 0.025 and flat["WT"] == 0.8


def test_the_pooled_dice_weighs_voxels_where_the_mean_weighs_cases():
    rows = [case("small", whole=group(0, 10, 10)), case("large", whole=group(1000, 1000, 1000))]
    figures = summarize_group(rows, "WT")
    assert figures.present["dice"].value == pytest.approx(0.5)
    assert figures.pooled_dice.value == pytest.approx(2000 / 2020)


def test_hd95_of_a_miss_is_left_out_and_counted_and_374_mm_for_brats():
    found = group(90, 100, 100, 4.0, 0.8, 1, 0, 1, 2 / 3, 0.45)
    missed = group(0, 0, 100, None, 0.0, 0, 1, 0, 0.0, 0.0)
    neither = group(0, 0, 0, None, 1.0, 0, 0, 0, None, None)
    rows = [case(str(n), enhancing=score) for n, score in enumerate((found, missed, neither))]
    figures = summarize_group(rows, "ET")
    assert (figures.present["hd95_mm"].value, figures.present["hd95_mm"].cases) == (4.0, 1)
    assert figures.present["nsd"].value == pytest.approx(0.4)
    assert figures.brats["hd95_mm"].value == pytest.approx((4 + 374 + 0) / 3)
    assert figures.present["lesion_f1"].value == pytest.approx(1 / 3)
    assert figures.lesions == (1, 1, 1)
    assert "(1 missed)" in markdown_tables(
        [case(r.case, whole=r.groups["ET"], enhancing=r.groups["ET"]) for r in rows]
    )


def test_groups_that_a_truth_cannot_tell_do_not_enter_any_mean():
    figures = summarize_group([case("a")], "necrosis")
    assert figures.present["dice"].cases == 0 and math.isnan(figures.present["dice"].value)
    assert "necrosis" not in flat_summary([case("a")])


def test_bootstrap_is_the_same_every_time_and_another_seed_is_another_draw():
    values = np.random.default_rng(0).normal(size=20)
    assert mean_estimate(values) == mean_estimate(values)
    assert mean_estimate(values, seed=1).low != mean_estimate(values).low
    assert resampled_cases(5).shape == (10_000, 5)
    assert set(np.unique(resampled_cases(5))) == {0, 1, 2, 3, 4}


def test_the_bootstrap_interval_of_many_cases_is_that_of_the_normal_approximation():
    values = np.random.default_rng(0).normal(size=400)
    estimate = mean_estimate(values)
    error = values.std() / 20
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_one_case_has_a_mean_and_no_interval_and_none_has_nothing():
    assert mean_estimate([0.5]).value == 0.5 and math.isnan(mean_estimate([0.5]).low)
    assert mean_estimate([]).cases == 0 and math.isnan(mean_estimate([]).value)


def test_few_cases_have_no_interval_and_equal_ones_have_a_narrow_one():
    assert math.isnan(mean_estimate([0.1, 0.5, 0.6, 0.9]).low)
    same = mean_estimate([0.5] * 5)
    assert (same.low, same.high) == (0.5, 0.5)


def test_intervals_of_seven_cases_hold_the_true_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    trials = [mean_estimate(1 - rng.beta(1.2, 5, 7)) for _ in range(600)]
    held = np.mean([trial.low <= 5 / 6.2 <= trial.high for trial in trials])
    assert 0.92 <= held <= 0.98


def test_a_pooled_dice_weighs_cases_by_their_voxels_and_its_interval_resamples_cases():
    counts = [(5, 10, 10), (6, 10, 10), (7, 10, 10), (8, 10, 10), (9, 10, 10)]
    plain, by_mean = pooled_estimate(counts), mean_estimate([0.5, 0.6, 0.7, 0.8, 0.9])
    assert (plain.value, plain.low, plain.high) == pytest.approx(
        (by_mean.value, by_mean.low, by_mean.high)
    )
    assert pooled_estimate([(0, 10, 10), (1000, 1000, 1000)]).value == pytest.approx(2000 / 2020)
    assert math.isnan(pooled_estimate([(0, 0, 0)]).value)


def test_medians_volumes_and_cases_below_a_half_stand_beside_the_mean():
    rows = [case(str(n), whole=group(both, 100, 100)) for n, both in enumerate((20, 90, 100))]
    figures = summarize_group(rows, "WT")
    assert (figures.median_dice, figures.below_half) == (0.9, 1)
    assert figures.volume_error_ml == 0.0
    larger = summarize_group([case("a", whole=group(100, 300, 100))], "WT")
    assert larger.volume_error_ml == pytest.approx(0.2)


def test_a_steady_gain_is_seen_by_both_tests():
    result = compare_arms(*split(both_arms(gain=20)), "WT", "dice")
    assert result.difference.value == pytest.approx(0.02)
    assert result.difference.low == pytest.approx(0.02)
    # All signs alike in 12 cases: 2 / 2**12 exactly, or its normal approximation with ties.
    assert result.wilcoxon_p < 0.005 and result.bootstrap_p == pytest.approx(1e-4)


def test_a_few_cases_that_agree_prove_nothing():
    few = compare([0.5] * 5, [0.6, 0.7, 0.8, 0.9, 1.0])
    assert math.isnan(few.bootstrap_p) and few.wilcoxon_p > 0.05
    six = compare([0.5] * 6, [0.6, 0.7, 0.8, 0.9, 1.0, 0.55])
    assert 1e-3 < six.bootstrap_p < 0.05 and six.wilcoxon_p < 0.05


def test_no_difference_is_no_evidence_and_zeros_are_counted():
    result = compare([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert (result.wilcoxon_p, result.bootstrap_p, result.zeros) == (1.0, 1.0, 3)


def test_wilcoxon_ranks_zeros_before_it_leaves_them_out():
    from scipy.stats import wilcoxon

    differences = np.array([0.0, 0.0, 0.0, 0.1, -0.2, 0.3, 0.4, 0.5, -0.05, 0.6])
    result = compare(np.zeros(10), differences)
    assert result.zeros == 3
    assert result.wilcoxon_p == pytest.approx(wilcoxon(differences, zero_method="pratt").pvalue)
    assert result.wilcoxon_p != pytest.approx(wilcoxon(differences, zero_method="wilcox").pvalue)


def test_comparisons_pair_cases_by_name_and_leave_out_what_one_arm_lacks():
    first, second = split(both_arms(gain=20, cases=5))
    shuffled = [second[i] for i in (3, 1, 4, 0)]
    result = compare_arms(first, shuffled, "WT", "dice")
    assert result.difference.cases == 4
    assert result.difference.value == pytest.approx(0.02)


def split(rows):
    return [r for r in rows if r.arm == "none"], [r for r in rows if r.arm == "tta1"]


def test_tables_say_which_dice_is_which_and_compare_with_the_first_arm():
    text = markdown_tables(both_arms(gain=20), [], ["lesions"])
    assert "Slice-style pooled" in text and "BraTS convention" in text and "Pratt" in text
    assert "| tta1 | none | WT | 12 | +0.020 [+0.020, +0.020] | 0 | < 0.001 |" in text
    assert "Not measured, because a package is not installed: lesions." in text
    assert "| c11 | glioma |" in text
    widths = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    tables = "\n".join(line if line.startswith("|") else "" for line in text.splitlines())
    for table in filter(None, tables.split("\n\n")):
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1
    assert max(widths) < 20


@pytest.mark.parametrize("known", [True, False])
def test_surfaces_stand_below_their_titles_where_no_truth_has_enhancing_tumour(known):
    whole = group(800, 1000, 1000, 4.0, 0.8)
    row = case("a", whole=whole, enhancing=group(0, 0, 0, None, 1.0))
    if not known:
        row = replace(row, groups={**row.groups, "ET": None})
    lines = markdown_tables([row]).splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("| arm | NSD WT"))
    values = (" 0.800 ", " 0.800 ", " - ", " 4.0 ", " 4.0 ", " - ")
    brats = f" 4.0 / 4.0 / {'0.0' if known else '-'} "
    assert lines[at + 2].split("|")[2:-1] == [*values, brats]


def test_false_findings_of_the_cohort_and_of_single_scans_are_told():
    free = case("free", whole=group(0, 2000, 0), enhancing=group(0, 500, 0))
    free = CaseScore(**{**vars(free), "groups": dict.fromkeys(SCORED, free.groups["WT"])})
    rows = [case("a"), free]
    assert [row.tumor_free for row in rows] == [False, True]
    nothing = dict.fromkeys(SCORED, group(0, 0, 0))
    findings = [free, replace(free, case="control", groups=nothing)]
    summary = summarize_false(findings)
    assert (summary.scans, summary.with_findings) == (2, 1)
    assert (summary.mean_ml, summary.max_ml) == (1.0, 2.0)
    assert "1 of 2 | 1.00 | 2.00" in markdown_tables(rows, findings)


def test_files_hold_a_row_a_case_and_a_row_a_group(tmp_path):
    rows = both_arms(gain=20)
    write_case_table(rows, tmp_path / "cases.csv")
    write_group_table(rows, tmp_path / "groups.csv")
    write_comparisons(rows, tmp_path / "comparisons.csv")
    free = replace(rows[0], groups=dict.fromkeys(SCORED, group(0, 1500, 0)))
    write_false_table([free], tmp_path / "free.csv")
    cases, groups, differences, free = (
        list(csv.DictReader((tmp_path / name).open()))
        for name in ("cases.csv", "groups.csv", "comparisons.csv", "free.csv")
    )
    assert len(cases) == 24 and cases[0]["necrosis"] == ""
    assert len(groups) == 24 * 5 and groups[0]["truth_ml"] == "1.000" and not groups[0]["nsd"]
    assert {row["tissues"] for row in groups} == {"WT", "TC", "ET", "edema", "core"}
    assert differences[0]["difference"] == "0.0200" and differences[0]["against"] == "none"
    assert free[0] | {"case": "c0", "arm": "none", "WT_ml": "1.500"} == free[0]
    names = ("necrosis", "edema", "non_enhancing", "enhancing", "WT", "TC", "ET")
    assert list(free[0]) == ["case", "arm", *(f"{name}_ml" for name in names)]


def test_the_summary_is_strict_json_with_views_only_where_they_alone_differ():
    rows = both_arms(gain=20)
    content = json.loads(summary_json(rows, [], "command"), parse_constant=pytest.fail)
    assert content["views"]["tta1"]["cases"] == 12
    assert content["arms"]["none"]["necrosis"]["present"]["dice"]["value"] is None
    assert content["comparisons"][0]["difference"]["cases"] == 12
    assert content["settings"]["nsd_tolerance_mm"] == 1.0
    packs = [CaseScore(**{**vars(row), "pack": row.arm}) for row in rows]
    assert "views" not in json.loads(summary_json(packs, [], "command"))


def test_the_picture_shows_every_arm(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib (extra evaluate)")
    from PIL import Image

    from BrainTumorSegLib.evaluation.figures import draw_scores

    rows = [*both_arms(gain=20), case("x", "one", group(900, 1000, 1000, 4.0, 0.8))]
    draw_scores(rows, tmp_path / "scores.png")
    picture = np.asarray(Image.open(tmp_path / "scores.png").convert("RGB"))
    assert picture.std() > 10
    for color in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), (0x00, 0x9E, 0x73)):
        assert (np.abs(picture.astype(int) - color).max(axis=-1) < 3).any()
    draw_scores(rows[:1], tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 5_000


def pack(name, folds, folder=None):
    members = [
        SimpleNamespace(name=f"m{i}", trained={"fold": fold}, labels=frozenset())
        for i, fold in enumerate(folds)
    ]
    return SimpleNamespace(name=name, folder=folder or name, members=tuple(members))


def test_arms_are_named_by_what_differs_and_the_first_is_the_first_given():
    one, two = pack("one", [0, 1]), pack("two", [0, 1])
    assert [arm.name for arm in make_arms([one], ["none", "tta1"])] == ["none", "tta1"]
    assert [arm.name for arm in make_arms([one, two], ["tta2"])] == ["one", "two"]
    assert [arm.name for arm in make_arms([one], ["none"], [1, None])] == [
        "1 member",
        "all members",
    ]
    names = [arm.name for arm in make_arms([one, two], ["none", "tta1"], [1, 2])]
    assert names[0] == "one, none, 1 member" and len(set(names)) == 8
    twins = make_arms([pack("one", [0], "a"), pack("one", [0], "b")], ["none"])
    assert [arm.name for arm in twins] == ["one (a)", "one (b)"]
    assert len(make_arms([one, one], ["none", "none"])) == 1


def test_member_counts_take_the_first_members_that_never_saw_the_case():
    seeds = pack("seeds", [0, 1, 0, 0])
    (two,) = make_arms([seeds], ["none"], [2])
    assert members_for(two, 0) == ("m0", "m2")
    assert members_for(two, None) == ("m0", "m1")
    with pytest.raises(TrainingError, match="has 1 that were trained without fold 1"):
        members_for(two, 1)
