"""The benchmark: what is run, how figures come of it, and that a failing arm loses no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from BrainTumorSegLib import cli
from BrainTumorSegLib.benchmark import arms, clock, document, peaks, preparing, roofline, runs
from BrainTumorSegLib.benchmark.arms import ENGINES, PARTS, SIZES, Arm, Wishes, make_plan
from BrainTumorSegLib.benchmark.picture import draw_benchmark
from BrainTumorSegLib.benchmark.scaling import fit_line, resized
from BrainTumorSegLib.benchmark.spreads import ratios, spread
from BrainTumorSegLib.benchmark.tables import markdown_tables
from BrainTumorSegLib.benchmark.work import ImageWork, image_work
from BrainTumorSegLib.benchmark.worker import Order
from BrainTumorSegLib.commands import benchmark as command
from BrainTumorSegLib.errors import InputError
from BrainTumorSegLib.networks import NetworkSpec
from BrainTumorSegLib.packs import load_pack
from BrainTumorSegLib.progress import Progress
from BrainTumorSegLib.resources import resource_path


def wishes(**changed):
    given = {
        "base": {"pack": str(load_pack().folder), "registration": "none", "brain": "stripped"},
        "engines": ("openvino-fp32", "torch-fp32", "torch-bf16"),
        "views": ("tta1", "none"),
        "members": (1, 5),
    }
    return Wishes(**{**given, **changed})


def write_case(folder):
    """A ball of noise with a bright lesion, small enough to be segmented in a moment."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    z, y, x = np.ogrid[:20, :72, :72]
    brain = ((z - 10) / 10) ** 2 + ((y - 36) / 32) ** 2 + ((x - 36) / 30) ** 2 < 1
    lesion = (z - 10) ** 2 * 4 + (y - 30) ** 2 + (x - 28) ** 2 < 150
    for number, sequence in enumerate(("t1", "t1ce", "flair")):
        values = 100 + 10 * rng.normal(size=brain.shape) + 30 * lesion * (number + 1)
        image = sitk.GetImageFromArray(np.where(brain, values, 0).astype(np.float32))
        image.SetSpacing((2.0, 2.0, 5.0))
        sitk.WriteImage(image, str(folder / f"toy_{sequence}.nii.gz"))
    labels = sitk.GetImageFromArray((lesion & brain).astype(np.uint8))
    sitk.WriteImage(labels, str(folder / "toy_seg.nii.gz"))
    return folder


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return write_case(tmp_path_factory.mktemp("case"))


# What is run


def test_the_plan_has_a_comparison_for_every_part_and_runs_equal_arms_once():
    plan = make_plan(wishes())
    parts = [chosen.part for chosen in plan.comparisons]
    assert parts == [p for p in PARTS if p != "roofline" and (p != "cascade" or arms.has_cascade())]
    named = {name for chosen in plan.comparisons for name in chosen.arms.values()}
    assert named <= plan.arms.keys()
    settings = [
        (tuple(sorted(map(str, arm.options.items()))), arm.case, arm.cases, arm.empty_cache)
        for arm in plan.arms.values()
        if arm.kind == "segment"
    ]
    assert len(set(settings)) == len(settings)


def test_the_baselines_are_torch_in_float32_no_views_one_member_and_the_whole_volume():
    plan = make_plan(wishes())
    baselines = {c.part: plan.arms[c.baseline] for c in plan.comparisons}
    engine = baselines["engines"].options
    assert (engine["engine"], engine["precision"], engine["members"]) == ("torch", "fp32", 5)
    assert baselines["views"].options["views"] == "none"
    assert baselines["members"].options["members"] == 1
    assert SIZES[baselines["size"].case] == 1.0
    assert baselines["cases"] is plan.arms[plan.base]


def test_the_first_engine_the_first_views_and_all_members_are_those_of_the_base():
    options = make_plan(wishes()).arms[make_plan(wishes()).base].options
    assert (options["engine"], options["views"], options["members"]) == ("openvino", "tta1", 5)


def test_only_the_parts_that_were_asked_for_are_planned():
    plan = make_plan(wishes(parts=("views",)))
    assert [c.part for c in plan.comparisons] == ["views"]
    assert {arm.kind for arm in plan.arms.values()} == {"segment"}
    assert len(plan.arms) == 2


def test_a_cascade_gets_arms_of_its_own_and_is_off_in_all_others(monkeypatch):
    monkeypatch.setattr(arms, "has_cascade", lambda: True)
    plan = make_plan(wishes())
    chosen = next(c for c in plan.comparisons if c.part == "cascade")
    off, on = (plan.arms[name] for name in chosen.arms.values())
    assert off.name == plan.base and on.options["cascade"] == "on"
    others = [arm for arm in plan.arms.values() if arm.kind == "segment" and arm is not on]
    assert {arm.options["cascade"] for arm in others} == {"off"}


def test_an_engine_without_a_precision_means_all_of_them():
    assert arms.engines_by_name(["torch", "openvino-bf16", "torch-bf16"]) == (
        *("torch-fp32", "torch-bf16", "openvino-bf16"),
    )
    with pytest.raises(InputError, match="abacus"):
        arms.engines_by_name(["abacus"])


def test_engines_that_cannot_be_tried_here_are_named_with_the_reason():
    there, absent = arms.available_engines()
    assert {*there, *absent} == set(ENGINES) and not set(there) & set(absent)
    assert "torch-fp32" in there
    if not torch.cuda.is_available():
        assert "not there" in absent["cuda-fp16"]


def test_scans_are_told_from_labels_in_a_folder(case):
    found = preparing.case_scans([case])
    assert {s.value: p.name for s, p in found.items()} == {
        name: f"toy_{name}.nii.gz" for name in ("t1", "t1ce", "flair")
    }


@pytest.mark.parametrize("names", [["toy_t1.nii.gz"], ["nothing"]])
def test_a_case_without_the_scan_that_is_always_needed_is_refused(case, names):
    with pytest.raises(InputError):
        preparing.case_scans([case / name for name in names])


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


# Arithmetic


def test_a_spread_is_the_median_with_the_ends():
    assert spread([3.0, 1.0, 8.0]) == {"median": 3.0, "low": 1.0, "high": 8.0, "runs": 3}
    assert spread([]) is None


def test_ratios_are_taken_between_runs_of_the_same_round():
    slow = [{"round": 0, "s": 10.0}, {"round": 1, "s": 40.0}, {"round": 2, "s": 99.0}]
    fast = [{"round": 1, "s": 10.0}, {"round": 0, "s": 5.0}]
    found = ratios(fast, slow, lambda run: run["s"])
    assert found == {"median": 0.375, "low": 0.25, "high": 0.5, "runs": 2}
    assert ratios(fast, [], lambda run: run["s"]) is None


def test_a_line_tells_what_is_fixed_and_what_each_slice_costs():
    assert fit_line([10, 20, 40], [3.0, 5.0, 9.0]) == pytest.approx({"fixed": 1.0, "each": 0.2})
    assert fit_line([10, 10], [3.0, 5.0]) is None


def test_the_counted_operations_of_a_network_are_those_of_its_convolutions():
    spec = NetworkSpec("linknet", "mobilenet_v2", 3, 3, 5)
    small, large = image_work(spec, 64, 64), image_work(spec, 128, 64)
    assert large.flop == pytest.approx(2 * small.flop, rel=0.01)
    assert large.weights == small.weights > 10_000
    assert 0 < small.fused < small.unfused


def test_moved_numbers_are_inputs_and_outputs_and_weights_once_a_batch():
    work = ImageWork(flop=100, weights=8, fused=10, unfused=30)
    assert work.bytes_an_image(4, 1) == 4 * 18
    assert work.bytes_an_image(2, 4) == 2 * 12


def test_the_floor_is_the_slower_of_arithmetic_and_memory():
    work = ImageWork(flop=1000, weights=0, fused=50, unfused=90)
    machine = {"flop_per_s": {"fp32": 500.0, "bf16": 1e9}, "bytes_per_s": 100.0}
    assert roofline.floors(work, 10, 1, "fp32", machine) == {
        "compute_s": 20.0,
        "memory_s": 20.0,
        "floor_s": 20.0,
    }
    assert roofline.floors(work, 10, 1, "bf16", machine)["floor_s"] == 10.0


def test_the_best_peak_is_the_best_kernel_of_the_best_round():
    def measured(product, convolution, memory):
        rates = {"matrix product": product, "convolution": convolution}
        return {
            "device": "cpu",
            "threads": {"torch": 1},
            "flop_per_s": {"fp32": rates},
            "bytes_per_s": memory,
        }

    best = roofline.best_peaks([measured(5.0, 9.0, 2.0), measured(7.0, 8.0, 3.0)])
    assert best["flop_per_s"] == {"fp32": 9.0} and best["bytes_per_s"] == 3.0
    assert best["kernels"]["fp32"] == {"matrix product": 7.0, "convolution": 9.0}
    assert best["spread"]["fp32"]["low"] == 8.0
    assert roofline.best_peaks([]) is None


def test_peaks_are_rates_of_every_precision_of_the_device(monkeypatch):
    monkeypatch.setattr(peaks, "_MATRIX", {"cpu": 64})
    monkeypatch.setattr(peaks, "_TRIAD", {"cpu": 1000})
    monkeypatch.setattr(peaks, "_CHANNELS", 8)
    found = peaks.measure_peaks("cpu", seconds=0.0)
    assert set(found["flop_per_s"]) == {"fp32", "bf16"}
    assert all(rate > 0 for rates in found["flop_per_s"].values() for rate in rates.values())
    assert found["triad_bytes"] == 12_000 and found["bytes_per_s"] > 0


def test_the_clock_gives_every_stage_its_time_and_none_to_the_end():
    watch = clock.StageClock()
    progress = Progress({}, (watch,))
    progress.stage("a", 2)
    progress.advance()
    time.sleep(0.02)
    progress.stage("b")
    sum(number**2 for number in range(100_000))
    progress.finish()
    spent = watch.spent()
    assert list(spent) == ["a", "b"]
    assert spent["a"]["wall_s"] >= 0.02 and spent["b"]["cpu_s"] >= 0


def test_peak_memory_is_that_of_this_process():
    before = clock.peak_memory_bytes()
    held = np.ones(200_000_000, np.uint8)
    assert clock.peak_memory_bytes() >= max(before, held.nbytes)


# From runs to a document


def fake_run(number, seconds, slices=100, engine="openvino", cases=1, same=True):
    stages = {"start": 2.0, "read": 1.0, "segment": seconds * cases, "write": 0.5}
    return {
        "round": number,
        "load_average": 0.5,
        "wall_s": 4.0 + seconds * cases,
        "cpu_s": 4.0 + 2 * seconds * cases,
        "stages": {name: {"wall_s": s, "cpu_s": 2 * s} for name, s in stages.items()},
        "case_wall_s": [seconds + 1.5] * cases,
        "threads": {"torch": 2, "SimpleITK": 2},
        "peak_bytes": 700_000_000,
        "labels_sha256": "a" if same else "b",
        "engine": {"name": engine, "device": "cpu", "precision": "fp32", "batch": 4},
        "work": {"slices": slices, "rows": 192, "columns": 160},
        "warnings": [],
    }


def fake_measured(plan, rounds=3):
    """Runs in which torch takes twice as long, and slices decide all else."""
    found = {}
    for name, arm in plan.arms.items():
        measured = runs.Measured(arm)
        for number in range(rounds):
            if arm.kind == "peaks":
                rates = {"matrix product": 1e11, "convolution": 9e10}
                run = {
                    "device": arm.options["device"],
                    "threads": {"torch": 2},
                    "flop_per_s": {"fp32": rates, "bf16": rates},
                    "bytes_per_s": 2e10,
                }
            elif arm.kind == "open":
                run = {"open_s": 9.0 if arm.empty_cache else 1.0, "open_cpu_s": 1.0}
            else:
                share = min(SIZES.get(arm.case, 1.0), 1.0)
                engine = arm.options["engine"]
                seconds = (number + 1) * 10 * share * (2 if engine == "torch" else 1)
                run = fake_run(number, seconds, round(99 * share), engine, arm.cases)
            base = {"round": number, "load_average": None, "wall_s": 5.0, "cpu_s": 5.0}
            measured.runs.append({**base, "peak_bytes": 10**8, **run})
        found[name] = measured
    return found


def fake_setting(plan):
    return document.Setting(
        command="brain-tumor-seg benchmark",
        case="demonstration case",
        prepared={
            "machine": {
                "processor": "Test",
                "instructions": "AVX2",
                "bf16": False,
                "cores": 2,
                "threads": 2,
                "usable_threads": 2,
                "memory_bytes": 16 * 10**9,
                "system": "Linux",
                "versions": {"python": "3.11"},
            },
            "scans": [{"sequence": "t1ce", "size": [240, 240, 155], "spacing": [1.0, 1.0, 1.0]}],
            "work": {"slices": 99, "rows": 192, "columns": 160},
        },
        pack=load_pack(),
        plan=plan,
        runs=3,
        threads=None,
        absent={"cuda-fp16": "Device 'cuda' is not there."},
    )


def check_schema(made):
    schema = resource_path("Schemas", "benchmark.schema.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(json.loads(schema)).validate(json.loads(json.dumps(made)))


@pytest.fixture(scope="module")
def made():
    plan = make_plan(wishes())
    return document.make_document(fake_setting(plan), fake_measured(plan))


def test_the_document_follows_its_schema(made):
    check_schema(made)


def test_the_document_names_no_place_on_this_machine(made):
    assert str(load_pack().folder) not in json.dumps(made)


def test_ratios_of_the_document_are_to_the_baseline(made):
    engines = next(c for c in made["comparisons"] if c["part"] == "engines")
    by_label = {row["label"]: row["ratios"] for row in engines["rows"]}
    assert by_label["torch-fp32"]["network_wall_s"]["median"] == 1.0
    assert by_label["openvino-fp32"]["network_wall_s"] == {
        "median": 0.5,
        "low": 0.5,
        "high": 0.5,
        "runs": 3,
    }
    assert by_label["openvino-fp32"]["same_labels"] is True


def test_several_cases_in_one_process_are_told_a_case(made):
    rows = next(c for c in made["comparisons"] if c["part"] == "cases")["rows"]
    together = next(a for a in made["arms"] if a["name"] == rows[1]["arm"])
    assert together["cases"] == 3
    # 4 s once and 20 s for each of three cases, in the middle round.
    assert together["summary"]["whole_wall_s"]["median"] == pytest.approx((4 + 3 * 20) / 3)
    assert made["cases"]["networks_converted_and_loaded_s"]["median"] == 9.0
    assert made["cases"]["start_s"]["median"] == 2.0


def test_the_growth_with_slices_is_a_line_through_the_crops_alone(made):
    assert set(made["size"]["slices"].values()) == {33, 66, 99}
    fit = made["size"]["stages"]["segment"]
    assert fit["each"] == pytest.approx(20 / 99) and fit["fixed"] == pytest.approx(0, abs=1e-9)


def test_what_was_achieved_is_counted_work_by_measured_time(made):
    image = made["roofline"]["image"]
    place = next(p for p in made["roofline"]["arms"] if p["arm"] == made["base"])
    assert place["images"] == 99 * 2 * 5
    assert place["flop"] == image["flop"] * place["images"]
    assert place["flop_per_s"] == pytest.approx(place["flop"] / 20)
    assert place["share_of_peak"] == pytest.approx(place["flop_per_s"] / 1e11)
    assert place["times_floor"] == pytest.approx(20 / place["floor_s"])
    assert {p["arm"] for p in made["roofline"]["arms"]}.isdisjoint(
        {a["name"] for a in made["arms"] if a["case"] != "case"}
    )


def test_the_tables_hold_every_comparison_and_say_how_they_came_about(made):
    text = markdown_tables(made)
    for title in ("Stages", "Engines", "Views", "Members", "Size", "Cases", "Roofline"):
        assert f"## {title}" in text
    assert "0.50 (0.50 to 0.50)" in text
    assert "Not measured here: cuda-fp16" in text
    assert "Load average" in text and "CPU threads: torch 2" in text
    for table in text.split("\n\n"):
        widths = {line.count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(widths) <= 1, table


def test_the_picture_is_drawn_from_a_whole_document_and_from_one_with_failures(made, tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    draw_benchmark(made, tmp_path / "whole.png")
    with Image.open(tmp_path / "whole.png") as picture:
        assert min(picture.size) > 800
    plan = make_plan(wishes())
    measured = fake_measured(plan)
    for found in measured.values():
        found.runs, found.failure = [], {"message": "no", "remedy": None}
    draw_benchmark(document.make_document(fake_setting(plan), measured), tmp_path / "none.png")
    assert (tmp_path / "none.png").stat().st_size > 1000


@pytest.mark.parametrize("failing", ["base", "baseline", "peaks", "all but one"])
def test_failed_arms_are_listed_and_the_others_keep_their_figures(failing):
    plan = make_plan(wishes())
    measured = fake_measured(plan)
    lost = {
        "base": [plan.base],
        "baseline": [plan.comparisons[0].baseline],
        "peaks": [name for name, arm in plan.arms.items() if arm.kind == "peaks"],
        "all but one": [name for name in plan.arms if name != plan.base],
    }[failing]
    for name in lost:
        measured[name].runs = []
        measured[name].failure = {"message": "It broke.", "remedy": "Mend it."}
    broken = document.make_document(fake_setting(plan), measured)
    check_schema(broken)
    assert [failure["arm"] for failure in broken["failures"]] == lost
    others = [a for a in broken["arms"] if a["kind"] == "segment" and a["name"] not in lost]
    assert others and all(arm["summary"]["whole_wall_s"] for arm in others)
    text = markdown_tables(broken)
    assert "## Failed" in text and "It broke. Mend it." in text


# Running


def test_arms_run_in_turns_and_a_failing_one_is_tried_once(monkeypatch, tmp_path):
    order = []

    def run_arm(arm, material):
        order.append(arm.name)
        if arm.name == "b":
            raise runs.RunFailed("It broke.", "Mend it.")
        return {"wall_s": 1.0}

    monkeypatch.setattr(runs, "run_arm", run_arm)
    rounds, progress = [], Progress()
    measured = runs.measure(
        {name: Arm(name) for name in "abc"},
        3,
        runs.Material({}, tmp_path),
        progress,
        lambda found: rounds.append(len(found["a"].runs)),
    )
    assert [n for n in order if n != "b"] == ["a", "c", "c", "a", "c", "a"]
    assert order.count("b") == 1 and rounds == [1, 2, 3]
    assert measured["b"].failure == {"message": "It broke.", "remedy": "Mend it."}
    assert [run["round"] for run in measured["c"].runs] == [0, 1, 2]
    assert progress.warnings == ["b: It broke."]


def test_a_size_that_could_not_be_made_fails_alone(tmp_path):
    with pytest.raises(runs.RunFailed, match="1/3"):
        runs.run_arm(Arm("x", case="1/3 of the slices"), runs.Material({"case": {}}, tmp_path))


def test_an_explained_error_of_a_run_comes_back_with_its_remedy_and_leaves_nothing(tmp_path):
    order = Order("open", {"pack": "nonesuch"}, {}, "", 0.0)
    with pytest.raises(runs.RunFailed) as caught:
        runs.run_order(order, tmp_path)
    assert "nonesuch" in caught.value.message and caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_dies_is_reported_with_what_it_said(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.sys, "executable", "/bin/false" if os.name == "posix" else "false")
    with pytest.raises(runs.RunFailed, match="ended with code 1"):
        runs.run_order(Order("open", {}, {}, "", 0.0), tmp_path)


def test_the_whole_command_measures_a_small_case_and_reports_the_arm_that_failed(
    case, tmp_path, capsys
):
    absent = "mps-fp32" if not torch.backends.mps.is_available() else "cuda-fp16"
    code = cli.main(
        [
            *("benchmark", "--case", str(case), "--brain", "stripped", "--registration", "none"),
            *("--engines", "torch-fp32", absent, "--views", "none", "--members", "1"),
            *("--only", "engines", "--runs", "1", "--threads", "1"),
            *("-o", str(tmp_path / "out"), "--json", "--progress", "none"),
        ]
    )
    out, err = capsys.readouterr()
    assert code == 0, err
    found = json.loads(out)
    check_schema(found)
    assert found == json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert found["complete"] and str(tmp_path) not in out and str(case) not in out
    (failure,) = found["failures"]
    assert failure["arm"].startswith(absent) and "not there" in failure["message"]
    assert absent in err
    (run,) = next(a for a in found["arms"] if a["name"] == found["base"])["runs"]
    assert list(run["stages"]) == [
        *("start", "read", "register", "brain", "prepare", "segment", "restore", "write"),
    ]
    assert sum(s["wall_s"] for s in run["stages"].values()) <= run["wall_s"] + 0.1
    assert run["threads"] == {"torch": 1, "SimpleITK": 1} and run["peak_bytes"] > 10**8
    assert found["case"]["work"] == run["work"] and run["work"]["slices"] == 19
    assert (tmp_path / "out" / "benchmark.md").read_text().startswith("# Benchmark")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for child processes")
def test_a_stopped_benchmark_stops_its_run_and_leaves_no_temporary_files(case, tmp_path):
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "BrainTumorSegLib", "benchmark", "--case", str(case)),
            *("--only", "engines", "--engines", "torch-fp32", "--progress", "json"),
            *("-o", str(tmp_path / "out")),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    while not any(tmp_path.glob("brain-tumor-seg-benchmark-*/prepared/order.json")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143 and "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert list((tmp_path / "out").iterdir()) == []


# The command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--runs", "0"], "runs"),
        (["--cases", "1"], "cases"),
        (["--threads", "0"], "threads"),
        (["--members", "77"], "members"),
        (["--engines", "abacus"], "abacus"),
        (["--json", "--progress", "json"], "standard output"),
        (["--case", "nowhere"], "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(arguments, words, capsys):
    assert cli.main(["benchmark", *arguments]) == 3
    assert words in capsys.readouterr().err


def test_the_parts_that_the_help_names_are_those_there_are():
    assert command._PARTS == PARTS


def test_the_command_in_the_report_names_no_place_and_no_case(tmp_path):
    args = cli.build_parser().parse_args(
        [
            *("benchmark", "--case", str(tmp_path), "--pack", str(tmp_path / "mine"), "--quick"),
            *("--views", "none", "--threads", "2", "-o", str(tmp_path / "out")),
        ]
    )
    assert command._command(args) == (
        "brain-tumor-seg benchmark --case CASE --pack mine --views none --threads 2 --quick"
    )
