"""How figures, tables and pictures of a benchmark come of its runs."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from benchmark_cases import check_schema, planned

from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.evaluation.benchmark import report, roofline, worker
from BrainTumorSegLib.evaluation.benchmark.figures import draw_benchmark
from BrainTumorSegLib.evaluation.benchmark.plan import SIZES, Arm, Measured
from BrainTumorSegLib.evaluation.benchmark.report import fit_line, markdown_tables, ratios
from BrainTumorSegLib.evaluation.benchmark.roofline import ImageWork, image_work, spread
from BrainTumorSegLib.models.networks import NetworkSpec
from BrainTumorSegLib.models.packs import load_pack


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
    assert work.bytes_an_image("fp32", 1) == 4 * 18
    assert work.bytes_an_image("bf16", 4) == 2 * 12


@pytest.mark.parametrize(("precision", "floor"), [("fp32", 20.0), ("bf16", 10.0)])
def test_the_floor_is_the_slower_of_arithmetic_and_memory(precision, floor):
    work = ImageWork(flop=1000, weights=0, fused=50, unfused=90)
    machine = {"device": "cpu", "threads": 2, "bytes_per_s": 100.0}
    machine["flop_per_s"] = {"fp32": 500.0, "bf16": 1e9}
    arm = Arm("x", options={"device": "cpu", "views": "none", "members": 1})
    run = fake_run(0, 40.0, slices=10)
    run["engine"] = {"device": "cpu", "precision": precision, "batch": 1}
    place = roofline.achieved(Measured(arm, [run]), work, {"cpu": machine})
    assert (place["images"], place["floor_s"]) == (10, floor)
    assert place["times_floor"] == 40 / floor


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
    monkeypatch.setattr(roofline, "_MATRIX", {"cpu": 64})
    monkeypatch.setattr(roofline, "_TRIAD", {"cpu": 1000})
    monkeypatch.setattr(roofline, "_CHANNELS", 8)
    found = roofline.measure_peaks("cpu", seconds=0.001)
    assert set(found["flop_per_s"]) == {"fp32", "bf16"}
    assert all(rate > 0 for rates in found["flop_per_s"].values() for rate in rates.values())
    assert found["triad_bytes"] == 12_000 and found["bytes_per_s"] > 0


def test_the_clock_gives_every_stage_its_time_and_none_to_the_end():
    watch = worker.StageClock()
    progress = Progress({}, (watch,))
    progress.stage("a", 2)
    progress.advance()
    time.sleep(0.02)
    progress.stage("b")
    sum(number**2 for number in range(100_000))
    progress.finish()
    spent = watch.spent
    assert list(spent) == ["a", "b"]
    assert spent["a"]["wall_s"] >= 0.02 and spent["b"]["cpu_s"] >= 0


def test_peak_memory_is_that_of_this_process():
    before = worker.peak_memory_bytes()
    held = np.ones(200_000_000, np.uint8)
    assert worker.peak_memory_bytes() >= max(before, held.nbytes)


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
        measured = Measured(arm)
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


def fake_document(plan, measured):
    pack = load_pack()
    setting = report.describe_setting(
        {
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
        pack,
        "demonstration case",
        command="brain-tumor-seg benchmark",
        settings={"runs": 3, "threads": None},
        unavailable={"cuda-fp16": "Device 'cuda' is not there."},
    )
    return report.make_document(setting, plan, pack, measured)


@pytest.fixture(scope="module")
def made():
    plan = planned()
    return fake_document(plan, fake_measured(plan))


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


def test_a_benchmark_with_crops_is_a_document_and_its_roofline_is_of_the_whole_case():
    plan = planned(quick=True)
    made = fake_document(plan, fake_measured(plan))
    check_schema(made)
    assert made["roofline"]["arms"][0]["arm"] == plan.base
    assert all(plan.arms[p["arm"]].case == "case" for p in made["roofline"]["arms"])
    assert "## Views (TTA); 1 member, 1/3 of the slices" in markdown_tables(made)


def test_the_picture_is_drawn_from_a_whole_document_and_from_one_with_failures(made, tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    draw_benchmark(made, tmp_path / "whole.png")
    with Image.open(tmp_path / "whole.png") as picture:
        assert min(picture.size) > 800
    plan = planned()
    measured = fake_measured(plan)
    for found in measured.values():
        found.runs, found.failure = [], {"message": "no", "remedy": None}
    draw_benchmark(fake_document(plan, measured), tmp_path / "none.png")
    assert (tmp_path / "none.png").stat().st_size > 1000


@pytest.mark.parametrize("failing", ["base", "baseline", "peaks", "all but one"])
def test_failed_arms_are_listed_and_the_others_keep_their_figures(failing):
    plan = planned()
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
    broken = fake_document(plan, measured)
    check_schema(broken)
    assert [failure["arm"] for failure in broken["failures"]] == lost
    others = [a for a in broken["arms"] if a["kind"] == "segment" and a["name"] not in lost]
    assert others and all(arm["summary"]["whole_wall_s"] for arm in others)
    text = markdown_tables(broken)
    assert "## Failed" in text and "It broke. Mend it." in text
