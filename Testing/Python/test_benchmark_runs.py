"""Running a benchmark: in turns, with failing arms, as a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from benchmark_cases import check_schema, write_case

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.cli.commands import benchmark as command
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.evaluation.benchmark import run as runs
from BrainTumorSegLib.evaluation.benchmark.plan import PARTS, Arm
from BrainTumorSegLib.evaluation.benchmark.worker import Order
from BrainTumorSegLib.models.packs import load_pack


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return write_case(tmp_path_factory.mktemp("case"))


def test_arms_run_in_turns_and_a_failing_one_is_tried_once(monkeypatch, tmp_path):
    order = []

    def run_arm(arm, inputs):
        order.append(arm.name)
        if arm.name == "b":
            raise runs.RunFailed("It broke.", "Mend it.")
        return {"wall_s": 1.0}

    monkeypatch.setattr(runs, "run_arm", run_arm)
    rounds, progress = [], Progress()
    measured = runs.measure(
        {name: Arm(name) for name in "abc"},
        3,
        runs.Inputs({}, tmp_path),
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
        runs.run_arm(
            Arm("x", case="1/3 of the slices"), runs.Inputs({"case": {"scans": {}}}, tmp_path)
        )


def test_an_explained_error_of_a_run_comes_back_with_its_remedy_and_leaves_nothing(tmp_path):
    with pytest.raises(runs.RunFailed) as caught:
        runs.run_arm(
            Arm("x", "open", {"pack": "nonesuch"}), runs.Inputs({"case": {"scans": {}}}, tmp_path)
        )
    assert "nonesuch" in caught.value.message and caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_dies_is_reported_with_what_it_said(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.sys, "executable", "/bin/false" if os.name == "posix" else "false")
    with pytest.raises(runs.RunFailed, match="ended with code 1"):
        runs.run_order(Order("open", {}, {}), tmp_path)


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
        (["--members", "77"], "members"),
        (["--engines", "abacus"], "abacus"),
        (["--json", "--progress", "json"], "standard output"),
        (["--case", "nowhere"], "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(arguments, words, capsys):
    assert cli.main(["benchmark", *arguments]) == 3
    assert words in capsys.readouterr().err


def quick_plan(*more):
    args = cli.build_parser().parse_args(["benchmark", "--quick", *more])
    return command._plan(args, load_pack())[0]


def test_a_quick_benchmark_leaves_out_members_sizes_cases_and_most_engines_and_views():
    plan = quick_plan()
    assert [c.part for c in plan.comparisons] == ["engines", "views", "cascade"]
    engines, views, _ = (list(c.arms) for c in plan.comparisons)
    assert engines[0] == "torch-fp32" and len(engines) <= 2
    assert views == ["none", load_pack().advised_views]
    whole = [arm for arm in plan.arms.values() if arm.kind == "segment" and arm.case == "case"]
    assert {arm.options["cascade"] for arm in whole} == {"off", "on"} and len(whole) == 2
    assert len(plan.arms) <= 6


def test_what_is_named_by_hand_is_measured_even_by_a_quick_benchmark():
    plan = quick_plan("--engines", "torch", "--views", "none", "tta1", "--cases", "4")
    by_part = {c.part: c for c in plan.comparisons}
    assert list(by_part["engines"].arms) == ["torch-fp32", "torch-bf16"]
    assert list(by_part["views"].arms) == ["none", "tta1"]
    assert "4 cases in one process" in by_part["cases"].arms
    (_, _, members, _) = quick_plan("--members", "2", "3").comparisons
    assert list(members.arms) == ["2", "3"]
    (only,) = quick_plan("--only", "size").comparisons
    assert list(only.arms) == ["all slices", "1/3 of the slices"]


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
