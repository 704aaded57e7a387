"""TensorBoard shows what the tables of a member say, also after a run was stopped."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from toy_cases import TINY, stopping_in, toy_volume

from BrainTumorSegLib.core.errors import Cancelled, DependencyError
from BrainTumorSegLib.training.config import Validation
from BrainTumorSegLib.training.dataset import TrainingData
from BrainTumorSegLib.training.logger import LOG, TENSORBOARD, VALIDATION, read_rows
from BrainTumorSegLib.training.trainer import train_member, train_members

SHOWN = replace(TINY, tensorboard=True, checkpoint_every=2, validation=Validation(3, slices=2))
DATA = TrainingData([toy_volume("a", 0)], (), [toy_volume("b", 1)])


def on_the_board(folder) -> dict[str, list[tuple[int, float]]]:
    events = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard is not installed: pip install 'BrainTumorSeg[train]'",
    )
    board = events.EventAccumulator(str(folder / TENSORBOARD))
    board.Reload()
    return {
        name: [(e.step, e.value) for e in board.Scalars(name)] for name in board.Tags()["scalars"]
    }


def in_the_tables(folder) -> dict[str, list[tuple[int, float]]]:
    return {
        f"{group}/{name}": [
            (int(row["step"]), pytest.approx(float(row[name]), rel=1e-5)) for row in rows
        ]
        for group, rows in (
            ("training", read_rows(folder / LOG)),
            ("validation", read_rows(folder / VALIDATION)),
        )
        for name in rows[0]
        if name != "step"
    }


def test_the_board_shows_the_lines_of_both_tables(tmp_path):
    pytest.importorskip("tensorboard")
    train_member(DATA, SHOWN, tmp_path)
    shown = on_the_board(tmp_path)
    assert shown == in_the_tables(tmp_path)
    assert [step for step, _ in shown["training/loss"]] == [2, 4, 6]
    assert [step for step, _ in shown["validation/mean"]] == [3, 6]


def test_steps_that_are_taken_again_are_shown_once(tmp_path):
    pytest.importorskip("tensorboard")
    config = replace(SHOWN, checkpoint_every=5)
    with pytest.raises(Cancelled):
        train_member(DATA, config, tmp_path, progress=stopping_in(4))
    assert [step for step, _ in on_the_board(tmp_path)["validation/mean"]] == [3]
    train_member(DATA, config, tmp_path)
    assert on_the_board(tmp_path) == in_the_tables(tmp_path)


def test_nothing_is_written_for_it_unless_it_is_wanted(tmp_path):
    train_member(DATA, replace(SHOWN, tensorboard=False), tmp_path)
    assert not (tmp_path / TENSORBOARD).exists()


def test_a_missing_tensorboard_is_noticed_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(DependencyError, match=r"training\.tensorboard") as caught:
        train_members([], SHOWN, [0], tmp_path / "run")
    assert "BrainTumorSeg[train]" in caught.value.remedy
    assert not (tmp_path / "run").exists()
