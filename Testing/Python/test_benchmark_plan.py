"""What a benchmark runs: comparisons, engines, scans and sizes."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from benchmark_cases import planned, write_case

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.evaluation.benchmark.plan import (
    ENGINES,
    PARTS,
    SIZES,
    available_engines,
    engines_by_name,
)
from BrainTumorSegLib.evaluation.benchmark.run import case_scans
from BrainTumorSegLib.evaluation.benchmark.worker import resized


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return write_case(tmp_path_factory.mktemp("case"))


def test_the_plan_has_a_comparison_for_every_part_and_runs_equal_arms_once():
    plan = planned()
    parts = [chosen.part for chosen in plan.comparisons]
    assert parts == [part for part in PARTS if part != "roofline"]
    named = {name for chosen in plan.comparisons for name in chosen.arms.values()}
    assert named <= plan.arms.keys()
    settings = [
        (tuple(sorted(map(str, arm.options.items()))), arm.case, arm.cases, arm.empty_cache)
        for arm in plan.arms.values()
        if arm.kind == "segment"
    ]
    assert len(set(settings)) == len(settings)


def test_the_baselines_are_torch_in_float32_no_views_one_member_and_the_whole_volume():
    plan = planned()
    baselines = {c.part: plan.arms[c.baseline] for c in plan.comparisons}
    engine = baselines["engines"].options
    assert (engine["engine"], engine["precision"], engine["members"]) == ("torch", "fp32", 5)
    assert baselines["views"].options["views"] == "none"
    assert baselines["members"].options["members"] == 1
    assert SIZES[baselines["size"].case] == 1.0
    assert baselines["cases"] is plan.arms[plan.base]


def test_the_first_engine_the_first_views_and_all_members_are_those_of_the_base():
    options = planned().arms[planned().base].options
    assert (options["engine"], options["views"], options["members"]) == ("openvino", "tta1", 5)


def test_on_a_crop_engines_and_views_have_few_members_and_the_whole_case_keeps_the_stages():
    crop = "1/3 of the slices"
    plan = planned(quick=True)
    of = {c.part: [plan.arms[name] for name in c.arms.values()] for c in plan.comparisons}
    for part, members in (("engines", {1}), ("views", {1}), ("members", {1, 5})):
        assert {arm.case for arm in of[part]} == {crop}
        assert {arm.options["members"] for arm in of[part]} == members
    assert {(arm.case, arm.options["members"]) for arm in of["cascade"]} == {("case", 5)}
    assert (plan.arms[plan.base].case, plan.arms[plan.base].options["members"]) == ("case", 5)
    titles = {c.part: c.title for c in plan.comparisons}
    assert titles["engines"] == f"Engines and precisions; 1 member, {crop}"
    assert titles["members"] == f"Members of the ensemble; {crop}"
    assert plan.arms["peaks of cpu"].options == {"device": "cpu", "seconds": 0.2}


def test_only_the_parts_that_were_asked_for_are_planned():
    plan = planned(parts=("views",))
    assert [c.part for c in plan.comparisons] == ["views"]
    assert {arm.kind for arm in plan.arms.values()} == {"segment"}
    assert len(plan.arms) == 2


def test_a_cascade_gets_arms_of_its_own_and_is_off_in_all_others():
    plan = planned()
    chosen = next(c for c in plan.comparisons if c.part == "cascade")
    off, on = (plan.arms[name] for name in chosen.arms.values())
    assert off.name == plan.base and on.options["cascade"] == "on"
    others = [arm for arm in plan.arms.values() if arm.kind == "segment" and arm is not on]
    assert {arm.options["cascade"] for arm in others} == {"off"}


def test_an_engine_without_a_precision_means_all_of_them():
    assert engines_by_name(["torch", "openvino-bf16", "torch-bf16"]) == (
        *("torch-fp32", "torch-bf16", "openvino-bf16"),
    )
    with pytest.raises(InputError, match="abacus"):
        engines_by_name(["abacus"])


def test_engines_that_cannot_be_tried_here_are_named_with_the_reason():
    there, absent = available_engines()
    assert {*there, *absent} == set(ENGINES) and not set(there) & set(absent)
    assert "torch-fp32" in there
    if not torch.cuda.is_available():
        assert "not there" in absent["cuda-fp16"]


def test_scans_are_told_from_labels_in_a_folder(case):
    found = case_scans([case])
    assert {s.value: p.name for s, p in found.items()} == {
        name: f"toy_{name}.nii.gz" for name in ("t1", "t1ce", "flair")
    }


@pytest.mark.parametrize("names", [["toy_t1.nii.gz"], ["nothing"]])
def test_a_case_without_the_scan_that_is_always_needed_is_refused(case, names):
    with pytest.raises(InputError):
        case_scans([case / name for name in names])


# Sizes


def ball(shape=(40, 30, 30)):
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    inside = ((z - 20) / 15) ** 2 + ((y - 15) / 10) ** 2 + ((x - 15) / 10) ** 2 < 1
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    image.SetSpacing((4.0, 4.0, 4.0))
    return image


def slices_with_brain(image):
    return int(sitk.GetArrayViewFromImage(image).any(axis=(1, 2)).sum())


def test_a_size_is_a_share_of_the_slices_with_brain_and_stays_in_its_place():
    brain = ball()
    cut = resized(brain, brain, 2 / 3)
    assert slices_with_brain(cut) == round(2 / 3 * slices_with_brain(brain)) == cut.GetSize()[2]
    back = sitk.Resample(cut, brain, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert not sitk.GetArrayFromImage(sitk.And(back, sitk.Not(brain)))[back.GetSize()[2] // 2].any()
    both = sitk.GetArrayFromImage(back) & sitk.GetArrayFromImage(brain)
    assert np.array_equal(both, sitk.GetArrayFromImage(back))


def test_a_scan_of_sagittal_slices_is_cut_along_the_axis_of_the_body():
    brain = sitk.PermuteAxes(ball(), [2, 0, 1])
    axis = int(np.argmax(np.abs(np.array(brain.GetDirection()).reshape(3, 3)[2])))
    cut = resized(brain, brain, 1 / 2)
    changed = [a for a in range(3) if cut.GetSize()[a] != brain.GetSize()[a]]
    assert axis != 2 and changed == [axis]


def test_a_larger_size_puts_zeros_around_and_keeps_the_positions():
    brain = ball()
    wide = resized(brain, brain, 1.5)
    assert wide.GetSize() == tuple(round(1.5 * n) for n in brain.GetSize())
    inside = sitk.Resample(wide, brain, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert np.array_equal(sitk.GetArrayFromImage(inside), sitk.GetArrayFromImage(brain))
    assert sitk.GetArrayFromImage(wide).sum() == sitk.GetArrayFromImage(brain).sum()


def test_no_size_is_thinner_than_a_head_can_be():
    brain = ball()
    assert resized(brain, brain, 0.01).GetSize()[2] * 4.0 >= 40
