"""The comparison with peers: its arithmetic, its tables, its turns. No peer is needed."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[1] / "Benchmark"
sys.path.insert(0, str(BENCHMARK))

import run as side_by_side  # noqa: E402
from sidebyside.contestants import CONTESTANTS, Cost, Task, run_measured, variant  # noqa: E402
from sidebyside.results import Run, Spread, draw, markdown, missing_time, rows  # noqa: E402

OURS = "ours-openvino"


def ours(wall: float, network: float = 20.0) -> Run:
    return Run(OURS, wall, 2 * wall, network, 10**9)


def peer(wall: float, network: float | None = 100.0, timed: int = 10) -> Run:
    return Run("nnunet-1", wall, 2 * wall, network, 3 * 10**9, timed, 10)


def a_pass(items: int, wall: float) -> dict:
    return {"items": items, "wall_s": wall, "cpu_s": 2 * wall}


def make_task(tmp_path: Path, **changes) -> Task:
    scans = {name: tmp_path / f"{name}.nii.gz" for name in ("t1", "t1ce", "flair")}
    fields = {
        **{"scans": scans, "as_scanned": False, "pack": "glioma-lite", "views": "tta1"},
        **{"members": None, "threads": 2, "batch": 8},
        **{"exported": tmp_path / "members", "peers_python": "other-python"},
    }
    return Task(**{**fields, **changes})


# Arithmetic


def test_nothing_is_added_where_nothing_was_skipped():
    assert missing_time({"timed": [a_pass(8, 1.0)], "skipped_items": 0}) == (0.0, 0.0)


def test_skipped_items_cost_the_mean_of_the_timed_ones_without_the_warm_up():
    passes = {"timed": [a_pass(8, 100.0), a_pass(8, 4.0), a_pass(4, 2.0)], "skipped_items": 24}
    assert missing_time(passes) == (12.0, 24.0)


def test_a_single_timed_pass_is_better_than_nothing():
    assert missing_time({"timed": [a_pass(2, 3.0)], "skipped_items": 4}) == (6.0, 12.0)


def test_nothing_timed_is_nothing_to_extrapolate_from():
    with pytest.raises(ValueError, match="nothing was timed"):
        missing_time({"timed": [], "skipped_items": 4})


def test_ratios_are_between_medians_and_their_spread_is_what_single_runs_allow():
    table = {row.name: row for row in rows([ours(10), peer(60), ours(8), ours(12)], OURS)}
    assert table["nnunet-1"].wall_ratio == Spread(6.0, 5.0, 7.5)
    assert table["nnunet-1"].network_ratio == Spread(5.0, 5.0, 5.0)
    assert table[OURS].wall_ratio == Spread(1.0, 8 / 12, 12 / 8)
    assert (table[OURS].runs, table["nnunet-1"].runs) == (3, 1)


def test_the_greatest_of_the_peaks_counts():
    runs = [ours(1), Run(OURS, 1, 1, 1, 5), Run(OURS, 1, 1, 1, 2 * 10**9)]
    assert rows(runs, OURS)[0].peak_bytes == 2 * 10**9


def test_a_network_stage_that_was_not_told_has_no_ratio():
    table = rows([ours(10), peer(60, None)], OURS)
    assert table[1].network is None and table[1].network_ratio is None


def test_without_a_yardstick_there_is_no_comparison():
    with pytest.raises(ValueError, match="did not run"):
        rows([peer(60)], OURS)


# Tables


def titles() -> dict[str, str]:
    return {name: one.title for name, one in CONTESTANTS.items()}


def test_the_table_says_who_is_the_yardstick_and_what_was_extrapolated():
    table = rows([ours(10), peer(60, timed=3)], OURS)
    text = markdown(table, titles(), OURS)
    assert "| **BrainTumorSeg, OpenVINO** | 1.00 (1.00-1.00) |" in text
    assert "1 fold (extrapolated from 3 of 10) | 6.00 (6.00-6.00) | 5.00 (5.00-5.00) |" in text
    assert "was added for the rest" in text


def test_a_table_without_extrapolation_does_not_speak_of_it():
    assert "xtrapolated" not in markdown(rows([ours(10), peer(60)], OURS), titles(), OURS)


def test_every_row_of_the_table_has_all_columns():
    text = markdown(rows([ours(10), peer(60, None)], OURS), titles(), OURS)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 4 and len({line.count("|") for line in lines}) == 1
    assert "not told" in lines[-1]


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    table = rows([ours(10), ours(11), peer(60, timed=3)], OURS)
    draw(table, titles(), {OURS}, "two threads", tmp_path / "bars.png")
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")


# Processes


def test_a_process_is_measured_with_all_its_threads_and_its_memory(tmp_path):
    code = (
        "import time; block = bytearray(200_000_000); end = time.process_time() + 0.2\n"
        "while time.process_time() < end: pass\nprint('done')"
    )
    cost = run_measured([sys.executable, "-c", code], tmp_path / "log.txt")
    assert cost.exit_code == 0 and (tmp_path / "log.txt").read_text() == "done\n"
    assert cost.cpu_s >= 0.2 and cost.wall_s > 0
    assert cost.peak_bytes > 200_000_000


def test_a_process_that_fails_says_so(tmp_path):
    assert run_measured([sys.executable, "-c", "exit(3)"], tmp_path / "log.txt").exit_code == 3


def test_a_process_that_takes_too_long_is_stopped(tmp_path):
    with pytest.raises(TimeoutError, match="stopped after"):
        run_measured(
            [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", timeout_s=0.3
        )


# Contestants


def test_all_are_given_the_same_scans_and_threads(tmp_path):
    task = make_task(tmp_path)
    for one in CONTESTANTS.values():
        command = one.command(task, tmp_path)
        assert command[command.index("--threads") + 1] == "2"
        for name, path in task.scans.items():
            assert command[command.index(f"--{name}") + 1] == str(path)


def test_our_command_is_one_that_the_command_line_takes(tmp_path):
    from BrainTumorSegLib.cli.application import build_parser

    extra = variant("bf16=--engine openvino --precision bf16")
    for one in (CONTESTANTS[OURS], CONTESTANTS["ours-torch"], extra):
        words = one.command(make_task(tmp_path, members=2), tmp_path)[3:]
        args = build_parser().parse_args(words)
        assert (args.tta, args.members, args.threads) == ("tta1", 2, 2)


def test_a_peer_warms_up_on_one_pass_and_we_on_everything(tmp_path):
    task, plain = make_task(tmp_path), replace(CONTESTANTS["plain"], passes=7)
    warm, cut = (plain.command(task, tmp_path, warming_up) for warming_up in (True, False))
    assert [command[command.index("--passes") + 1] for command in (warm, cut)] == ["1", "7"]
    assert "--passes" not in CONTESTANTS["plain"].command(task, tmp_path)
    ours_warm = CONTESTANTS[OURS].command(task, tmp_path, warming_up=True)
    assert ours_warm == CONTESTANTS[OURS].command(task, tmp_path)


@pytest.mark.parametrize(
    ("text", "runs", "passes"), [("plain", 3, 9), ("plain:2", 2, 9), ("plain:1:4", 1, 4)]
)
def test_runs_and_passes_of_one_contestant_go_before_those_of_all(text, runs, passes):
    one, count = side_by_side._chosen(text, dict(CONTESTANTS), Namespace(runs=3, passes=9))
    assert (one.name, count, one.passes) == ("plain", runs, passes)


@pytest.mark.parametrize("text", ["nobody", "plain:often", "plain:1:2:3"])
def test_an_unknown_contestant_is_refused(text):
    with pytest.raises(SystemExit, match="known are"):
        side_by_side._chosen(text, dict(CONTESTANTS), Namespace(runs=3, passes=None))


def test_notes_of_a_peer_become_a_run_with_what_is_missing_added(tmp_path):
    notes = {
        "stages": {"network": {"wall_s": 5.0, "cpu_s": 9.0}},
        "passes": {"timed": [a_pass(8, 2.0), a_pass(8, 1.0)], "skipped_items": 16},
    }
    (tmp_path / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
    run = CONTESTANTS["plain"].read(tmp_path, Cost(10.0, 15.0, 7, 0))
    assert run == Run("plain", 12.0, 19.0, 7.0, 7, 16, 32)
    assert run.extrapolated


def test_our_report_becomes_a_run(tmp_path):
    (tmp_path / "notes.json").write_text(
        json.dumps({"timings_s": {"segment": 4.5, "read": 1}}), encoding="utf-8"
    )
    run = CONTESTANTS[OURS].read(tmp_path, Cost(10.0, 15.0, 7, 0))
    assert (run.network_s, run.wall_s, run.extrapolated) == (4.5, 10.0, False)


@pytest.mark.parametrize("text", ["", "no-options", "=--cascade on", "plain=--threads 3"])
def test_a_variant_needs_a_new_name_and_options(text):
    with pytest.raises(ValueError, match="new name"):
        variant(text)


def test_turns_alternate_and_each_contestant_begins_once():
    chosen = [(CONTESTANTS["plain"], 1), (CONTESTANTS[OURS], 3)]
    turns = [(number, one.name) for number, one in side_by_side._turns(chosen, warm_up=True)]
    assert turns == [
        *[(0, "plain"), (0, OURS), (1, "plain"), (1, OURS)],
        *[(2, OURS), (3, OURS)],
    ]
    both = [(CONTESTANTS["plain"], 2), (CONTESTANTS[OURS], 2)]
    names = [one.name for _, one in side_by_side._turns(both, warm_up=False)]
    assert names == ["plain", OURS, OURS, "plain"]


def test_scans_are_found_by_their_names(tmp_path):
    for name in ("a_t1.nii.gz", "a_t1ce.nii.gz", "a_flair.nii.gz", "a_seg.nii.gz"):
        (tmp_path / name).touch()
    assert side_by_side._scans(tmp_path)["t1ce"] == tmp_path / "a_t1ce.nii.gz"
    (tmp_path / "a_flair.nii.gz").unlink()
    with pytest.raises(SystemExit, match="flair"):
        side_by_side._scans(tmp_path)
