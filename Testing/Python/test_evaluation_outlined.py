"""Packs are scored on single slices with an outline, by the whole pipeline."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from outlined_pictures import write_slices

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.evaluation import runs
from BrainTumorSegLib.evaluation.outlined import SliceScore, score_slices, summarize_slices
from BrainTumorSegLib.evaluation.runs import make_arms
from BrainTumorSegLib.models.packs import load_pack
from BrainTumorSegLib.training.outlined_slices import read_slices

ROWS = [
    *(("1", "meningioma", 0, 96), ("2", "meningioma", 0, 96), ("3", "meningioma", 1, 96)),
    *(("4", "glioma", 1, 80), ("5", "pituitary", 0, 80)),
]
SCANS = ("7\taxial", "7\taxial", "8\tcoronal", "9\taxial", "10\tsagittal")


@pytest.fixture
def seen(monkeypatch) -> list:
    """What was segmented: all that is bright is enhancing tumor, but in scan 8 nothing is."""
    asked = []

    def segment(case, options, progress):
        asked.append((case, options))
        image = case.scans[Sequence.T1CE].image
        bright = sitk.GetArrayViewFromImage(image) > 150
        values = bright * np.uint8(Tissue.ENHANCING) * (case.identity != "meningioma-8")
        labels = sitk.GetImageFromArray(values)
        labels.CopyInformation(image)
        return SimpleNamespace(labels=labels, record={"warnings": []})

    monkeypatch.setattr(runs, "segment", segment)
    return asked


def test_the_command_scores_every_slice_and_writes_tables_by_plane(seen, tmp_path, capsys):
    write_slices(tmp_path / "set", ROWS, *SCANS)
    given = ["--slices", tmp_path / "set", "--pack", "four-tumours", "--tta", "none", "--ensemble"]
    command = ["evaluate", *given, "-o", tmp_path / "out", "--progress", "none"]
    assert cli.main(list(map(str, command))) == 0
    with (tmp_path / "out" / "slices.csv").open(encoding="utf-8", newline="") as lines:
        rows = {row["slice"]: row for row in csv.DictReader(lines)}
    assert {name: float(row["dice"]) for name, row in rows.items()} == pytest.approx(
        {"1": 1, "2": 1, "3": 0, "4": 1, "5": 1}, abs=0.05
    )
    content = json.loads((tmp_path / "out" / "slices.json").read_text(encoding="utf-8"))
    groups = {(g["kind"], g["plane"]): g for g in content["groups"]}
    every = groups["meningioma", "all"]
    assert (every["slices"], every["scans"]) == (3, 2)
    assert every["found"] == pytest.approx(2 / 3)
    assert groups["meningioma", "coronal"]["dice"]["value"] == 0
    assert "--slices set" in content["command"] and "--data" not in content["command"]
    assert "| meningioma | axial | none | 2 | 1 |" in capsys.readouterr().out


def test_slices_of_one_scan_are_one_volume_of_a_head_without_neighbors_of_others(seen, tmp_path):
    write_slices(tmp_path, ROWS, *SCANS)
    arms = make_arms([load_pack("four-tumours")], ["none"])
    scores = score_slices(read_slices(tmp_path), arms, "cpu", out_of_fold=False)
    assert len(scores) == len(ROWS) and len(seen) == len({*SCANS})
    case, options = next(found for found in seen if found[0].identity == "meningioma-7")
    assert set(case.scans) == {Sequence.T1CE}
    head = sitk.GetArrayViewFromImage(options.brain_mask)
    assert head.shape == (5, 96, 96) and 0.5 < head.mean() < 0.8


def test_slices_are_scored_by_members_that_never_saw_their_fold(seen, tmp_path):
    write_slices(tmp_path, ROWS, *SCANS)
    pack = load_pack("four-tumours")
    unseen = {m.name: m.trained["fold"] for m in pack.members}
    scores = score_slices(read_slices(tmp_path), make_arms([pack], ["none"]), "cpu")
    assert all(unseen[score.members] == score.fold for score in scores)


def test_the_interval_resamples_scans_and_not_slices():
    def score(run: int, dice: float) -> SliceScore:
        return SliceScore("a", "x", "glioma", "", str(run), 1, "fold1", dice)

    one_each = [score(run, run / 10) for run in range(8)]
    three_each = [score(run, run / 10) for run in range(8) for _ in range(3)]
    (few,), (many,) = summarize_slices(one_each), summarize_slices(three_each)
    assert (many.slices, many.scans) == (24, 8)
    assert (many.dice.low, many.dice.high) == pytest.approx((few.dice.low, few.dice.high))


def test_a_run_of_slices_of_two_sizes_and_a_pack_that_needs_t1_are_refused(seen, tmp_path):
    write_slices(tmp_path, [("1", "glioma", 0, 80), ("2", "glioma", 0, 96)], *["7\taxial"] * 2)
    slices = read_slices(tmp_path)
    with pytest.raises(TrainingError, match="run 7"):
        score_slices(slices, make_arms([load_pack("four-tumours")], ["none"]), "cpu")
    with pytest.raises(InputError, match="needs T1"):
        strict = replace(load_pack("four-tumours"), may_be_missing=())
        score_slices(slices, make_arms([strict], ["none"]), "cpu")


def test_nothing_to_score_is_said(capsys, tmp_path):
    assert cli.main(["evaluate", "-o", str(tmp_path / "out")]) != 0
    assert "nothing to score" in capsys.readouterr().err
