"""Experiments compare what they say they compare, at one budget, and survive being stopped."""

from __future__ import annotations

import csv
import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_cases import write_toy_cohort

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import Cancelled, TrainingError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.evaluation.experiments import run
from BrainTumorSegLib.evaluation.experiments.config import (
    ARM_KEYS,
    bundled_experiments,
    find_experiment,
    read_experiment,
)
from BrainTumorSegLib.evaluation.experiments.results import case_means, compare_rows, row_figures
from BrainTumorSegLib.evaluation.experiments.run import RowScores, run_experiment, stage_weights
from BrainTumorSegLib.evaluation.metrics import CaseScore, GroupScore
from BrainTumorSegLib.models.weights import load_weights
from BrainTumorSegLib.training.cohort import read_cohort
from BrainTumorSegLib.training.dataset import SliceSampler, TrainingData
from BrainTumorSegLib.training.distributed import Machine
from BrainTumorSegLib.training.volumes import LabeledVolume

TOY = """
title = "A toy"
seeds = [3, 4]
score_every = 2

[training]
steps = 4
batch = 2
crop = [32, 32]
warmup = 1
schedule = "flat-cosine"
weight_decay = 0.0
checkpoint_every = 1

[training.network]
encoder = "mobilenet_v2"
encoder_depth = 3

[[arms]]
name = "first"
optimiser = "adam"

[[arms]]
name = "second one"
optimiser = "radam"
learning_rate = 1e-3

[published]
source = "Somebody: a paper."
columns = ["their Dice"]

[published.rows]
"second one" = ["0.987"]
"""

ENSEMBLE = """
seeds = [0, 1]
members = [1, 2]
views = ["none", "tta1"]
folds = [0, 1]

[training]
steps = 2
batch = 2
crop = [32, 32]
warmup = 1

[training.network]
encoder = "mobilenet_v2"
encoder_depth = 3

[[arms]]
name = "LinkNet"
"""


def read_csv(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def write_config(folder, text=TOY, name="toy.toml"):
    path = folder / name
    path.write_text(text)
    return path


def experiment_arguments(config, cohort, folder):
    arguments = ["experiment", "--config", str(config), "--data", str(cohort), "-o", str(folder)]
    return [*arguments, "--device", "cpu", "--progress", "none"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    write_toy_cohort(folder)
    return folder


@pytest.fixture(scope="module")
def toy(cohort, tmp_path_factory):
    """Folder of the finished toy experiment."""
    folder = tmp_path_factory.mktemp("toy")
    config = write_config(folder)
    assert cli.main(experiment_arguments(config, cohort, folder / "out")) == 0
    return folder / "out"


def weights_of(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    return {
        path.parent.relative_to(folder).as_posix(): load_weights(path)
        for path in sorted(folder.rglob("weights.safetensors"))
    }


# --- what comes out ------------------------------------------------------------------------


def test_the_table_has_a_row_an_arm_with_the_published_figure_beside_ours(toy):
    first, second = read_csv(toy / "table.csv")
    assert (first["row"], second["row"]) == ("first", "second one")
    assert (first["published: their Dice"], second["published: their Dice"]) == ("", "0.987")
    text = (toy / "table.md").read_text(encoding="utf-8")
    assert "| *published:* their Dice |" in text and "Somebody: a paper." in text
    assert "no reproduction of the published figures" in text
    command = "brain-tumor-seg experiment --config toy.toml --data DATA -o OUT"
    assert command in text and first["command"] == command
    assert str(toy) not in text


def test_a_row_is_the_mean_over_the_seeds_and_the_cases(toy):
    rows = read_csv(toy / "cases.csv")
    assert len(rows) == 2 * 2 * 2  # arms, seeds, cases of the fold left out
    assert {row["case"] for row in rows} == {"toy0", "toy2"}
    assert {row["members"] for row in rows} == {"fold0-seed3", "fold0-seed4"}
    for row in read_csv(toy / "table.csv"):
        own = [case for case in rows if case["row"] == row["row"]]
        for region in ("WT", "TC", "ET"):
            mean = np.mean([float(case[region]) for case in own])
            assert float(row[region]) == pytest.approx(mean, abs=2e-4)
        seeds = [float(value) for value in row["choices_of_seeds"].split()]
        assert len(seeds) == 2
        assert float(row["mean"]) == pytest.approx(np.mean(seeds), abs=2e-4)


def test_the_differences_are_those_of_the_table(toy):
    first, second = read_csv(toy / "table.csv")
    for row in read_csv(toy / "comparisons.csv"):
        assert (row["row"], row["against"], row["cases"]) == ("second one", "first", "2")
        gain = float(second[row["tissues"]]) - float(first[row["tissues"]])
        assert float(row["difference"]) == pytest.approx(gain, abs=2e-4)


def test_the_picture_can_be_looked_at(toy):
    with Image.open(toy / "scores.png") as picture:
        assert picture.width > 600 and len(picture.convert("RGB").getcolors(10**6)) > 10


def test_every_choice_of_members_is_scored_with_every_set_of_views(cohort, tmp_path):
    config = write_config(tmp_path, ENSEMBLE)
    assert cli.main(experiment_arguments(config, cohort, tmp_path / "out")) == 0
    rows = read_csv(tmp_path / "out" / "table.csv")
    names = ["1 member, none", "1 member, tta1", "2 members, none", "2 members, tta1"]
    assert [row["row"] for row in rows] == names
    assert [len(row["choices_of_seeds"].split()) for row in rows] == [2, 2, 1, 1]
    cases = read_csv(tmp_path / "out" / "cases.csv")
    for case in cases:
        # By members that left out its own fold.
        assert all(m.startswith(f"fold{case['fold']}-") for m in case["members"].split("+"))
    assert len(cases) == 4 * (2 + 2 + 1 + 1)


# --- one budget ----------------------------------------------------------------------------


def test_all_arms_begin_with_the_same_weights_and_slices(toy):
    """The loss of the first step, before any optimiser had a say."""
    for seed in ("fold0-seed3", "fold0-seed4"):
        first, second = (read_csv(toy / arm / seed / "log.csv") for arm in ("first", "second one"))
        assert first[0]["loss"] == second[0]["loss"]
        assert first[-1]["loss"] != second[-1]["loss"]


@pytest.mark.parametrize("name", sorted(bundled_experiments()))
def test_the_arms_of_a_bundled_experiment_draw_the_same_slices_and_differ_in_nothing_else(name):
    experiment = read_experiment(find_experiment(name))
    rng = np.random.default_rng(0)
    allowed = rng.integers(1, 255, (9, 110, 120)).astype(np.uint8)
    data = TrainingData([LabeledVolume("x", rng.normal(size=(3, 9, 110, 120)), allowed)])
    drawn = [SliceSampler(data, arm.training).batch(5)[1] for arm in experiment.arms]
    assert all(torch.equal(one, other) for one, other in pairwise(drawn))
    common = [
        {key: value for key, value in arm.training.as_dict().items() if key not in ARM_KEYS}
        for arm in experiment.arms
    ]
    assert all(one == other for one, other in pairwise(common))


def test_the_bundled_experiments_are_the_four_that_were_published_and_the_choice_of_rates():
    known = {name: read_experiment(path) for name, path in bundled_experiments().items()}
    assert set(known) == {
        *("input-recipes", "architectures", "optimisers", "ensemble-tta", "learning-rates"),
    }
    networks = {
        arm.name: (arm.training.network.architecture, arm.training.network.encoder)
        for arm in known["architectures"].arms
    }
    assert networks == {
        "PSPNet_Sx50": ("pspnet", "se_resnext50_32x4d"),
        "FPN_Sx50": ("fpn", "se_resnext50_32x4d"),
        "LinkNet_Sx50": ("linknet", "se_resnext50_32x4d"),
        "LinkNet_SE154": ("linknet", "senet154"),
    }
    trained = [arm.training for arm in known["optimisers"].arms]
    assert {t.optimizer for t in trained} == {"adam", "radam", "ranger", "ralamb"}
    assert {(t.schedule, t.weight_decay) for t in trained} == {("flat-cosine", 0.0)}
    assert len(known["optimisers"].seeds) >= 2
    assert {arm.training.input_channels for arm in known["input-recipes"].arms} == {
        *("mixture", "neighbours", "wide"),
    }
    assert len(known["ensemble-tta"].rows) == 12
    # Rates are not chosen on the cases that the optimisers are compared on.
    assert not set(known["learning-rates"].folds) & set(known["optimisers"].folds)


def test_the_optimisers_get_rates_that_were_tried():
    rates = read_experiment(find_experiment("learning-rates")).arms
    tried = {(arm.training.optimizer, arm.training.learning_rate) for arm in rates}
    chosen = read_experiment(find_experiment("optimisers")).arms
    assert {(arm.training.optimizer, arm.training.learning_rate) for arm in chosen} <= tried


# --- being stopped -------------------------------------------------------------------------


def test_an_experiment_that_was_stopped_goes_on_to_the_same_weights_and_scores(
    cohort, toy, tmp_path
):
    experiment = read_experiment(write_config(tmp_path))
    cases = read_cohort(cohort)
    token = CancelToken()
    seen = []

    def stop_in_the_second_arm(event):
        seen.append(event.stage)
        if event.stage == "train second one" and event.step > 300:
            token.cancel()

    progress = Progress(stage_weights(experiment, cases), (stop_in_the_second_arm,), token)
    machine = Machine(device="cpu")
    folder = tmp_path / "out"
    with pytest.raises(Cancelled):
        run_experiment(experiment, cases, folder, machine=machine, progress=progress)
    assert "score first" in seen and "score second one" not in seen
    first = folder / "first" / "fold0-seed3" / "weights.safetensors"
    before = first.stat().st_mtime_ns
    assert cli.main(experiment_arguments(tmp_path / "toy.toml", cohort, folder)) == 0
    assert first.stat().st_mtime_ns == before
    whole, resumed = weights_of(toy), weights_of(folder)
    assert whole.keys() == resumed.keys() and len(whole) == 4
    for member, state in whole.items():
        assert all(torch.equal(value, resumed[member][name]) for name, value in state.items())
    assert (folder / "cases.csv").read_bytes() == (toy / "cases.csv").read_bytes()


def test_a_finished_experiment_is_only_written_out_again(cohort, toy, tmp_path, monkeypatch):
    before = (toy / "table.md").read_text(encoding="utf-8")
    monkeypatch.setattr(run, "TorchEngine", None)  # called, it would raise
    monkeypatch.setattr("BrainTumorSegLib.training.trainer.train_member", None)
    assert cli.main(experiment_arguments(write_config(tmp_path), cohort, toy)) == 0
    assert (toy / "table.md").read_text(encoding="utf-8") == before


def test_scores_of_other_weights_are_not_kept(cohort, toy, tmp_path, monkeypatch):
    experiment = read_experiment(write_config(tmp_path))
    arm = experiment.arms[0]
    members = [toy / "first" / f"fold0-seed{seed}" for seed in (3, 4)]
    cases = [case for case in read_cohort(cohort) if case.fold == 0]
    ensemble, machine = run.Ensemble((0,), "none"), Machine(cache=toy / "cache")
    segment, segmented = run._segment, []
    monkeypatch.setattr(run, "_segment", lambda *a: segmented.append(a) or segment(*a))

    def newly_segmented(folders):
        before = len(segmented)
        run.score_ensembles(
            *(cases, arm.training, folders, [ensemble], 2, tmp_path / "scores", machine)
        )
        return len(segmented) - before

    assert newly_segmented(members) == len(cases)
    assert newly_segmented(members[::-1]) == len(cases)
    assert newly_segmented(members[::-1]) == 0


def test_a_folder_of_other_cases_or_of_another_arm_is_refused(
    cohort, toy, tmp_path, capsys, monkeypatch
):
    other = tmp_path / "cohort"
    other.mkdir()
    write_toy_cohort(other, 3)
    config = write_config(tmp_path)
    assert cli.main(experiment_arguments(config, other, toy)) == 9
    assert "other cases" in capsys.readouterr().err
    changed = write_config(tmp_path, TOY.replace('"adam"', '"radam"'))
    assert cli.main(experiment_arguments(changed, cohort, toy)) == 9
    assert "another configuration" in capsys.readouterr().err


# --- arithmetic ----------------------------------------------------------------------------


def made_row(name, *sets):
    """A row whose sets are dice of WT, TC, ET by case; None: the truth has none."""

    def score(case, values):
        groups = {
            region: GroupScore(value or 0.0, 1, 2, 0 if value is None else 2, 0.001)
            for region, value in zip(("WT", "TC", "ET"), values, strict=True)
        }
        return CaseScore(name, "", "none", (), case, "", 0, groups)

    experiment = read_experiment(find_experiment("ensemble-tta"))
    return RowScores(
        experiment.rows[0],
        tuple(tuple(score(case, values) for case, values in cases.items()) for cases in sets),
    )


def test_a_case_counts_with_its_mean_over_the_choices_and_only_where_it_has_the_region():
    row = made_row(
        "a",
        {"x": (0.9, 0.6, 0.3), "y": (0.8, 0.4, None)},
        {"x": (0.7, 0.6, 0.5), "y": (0.6, 0.2, None)},
    )
    assert case_means(row, "WT") == pytest.approx({"x": 0.8, "y": 0.7})
    assert case_means(row, "ET") == pytest.approx({"x": 0.4})
    assert case_means(row, "mean") == pytest.approx({"x": 0.6, "y": 0.5})
    figures = row_figures(row)
    assert figures.dice["mean"].value == pytest.approx(0.55)
    assert (figures.dice["mean"].cases, figures.dice["ET"].cases) == (2, 1)
    assert figures.sets == pytest.approx((0.6, 0.5))
    assert (figures.without_enhancing, figures.silent) == (1, 0)


def test_rows_are_compared_case_by_case():
    first = made_row("a", {"x": (0.9, 0.9, 0.9), "y": (0.1, 0.1, 0.1)})
    second = made_row("b", {"y": (0.3, 0.3, 0.3), "x": (0.8, 0.8, 0.8)})
    result = compare_rows(first, second, "WT")
    assert result.difference.value == pytest.approx(0.05)
    assert result.difference.cases == 2 and math.isnan(result.difference.low)


# --- mistakes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("seeds = [3, 4]", "seedz = [3, 4]"), "Did you mean seeds"),
        (("seeds = [3, 4]", "seeds = []"), "seeds is"),
        (("seeds = [3, 4]", "seeds = [3, 3]"), "3 twice"),
        (("seeds = [3, 4]", 'seeds = "3"'), "list of whole numbers"),
        (("seeds = [3, 4]", "seeds = [3, 4]\nmembers = [3]"), "there are 2 seeds"),
        (("seeds = [3, 4]", "seeds = [3, 4]\nmembers = [0]"), "whole numbers from 1"),
        (("seeds = [3, 4]", 'seeds = [3, 4]\nviews = ["tta4"]'), "Did you mean tta"),
        (("score_every = 2", "score_every = 0"), "score_every"),
        (("steps = 4", "steps = 4\nseed = 1"), "list seeds"),
        (("steps = 4", "stepz = 4"), "Did you mean steps"),
        (
            ("[training.network]", "[training.validation]\nevery = 1\n[training.network]"),
            "are scored",
        ),
        (('name = "first"', 'name = "first"\nsteps = 9'), "part of the budget"),
        (('name = "first"', 'name = "first"\ncrop = [64, 64]'), "same for all arms"),
        (('name = "first"', 'name = "first"\nlerning_rate = 1.0'), "Did you mean learning_rate"),
        (('name = "first"', 'name = "first"\nrecipe = "widen"'), "Did you mean wide"),
        (('name = "first"', 'name = "first"\nweight_decay = 0.1'), "adam has none"),
        (('name = "first"', 'name = "first"\nnetwork = { in_channels = 9 }'), "3 channels"),
        (('name = "first"', 'name = "Second One"'), "Two arms have the name"),
        (('name = "first"', 'name = "../first"'), "letters and digits"),
        (('name = "first"\n', ""), "name is None"),
        (('"adam"', '"adamm"'), "Did you mean adam"),
        (('"second one" = [', '"second" = ['), "Did you mean second one"),
        (('["0.987"]', '["0.987", "0.9"]'), "2 figures for 1 columns"),
        (("[published]", "[data]\nfolds = 1\n[published]"), "data.folds"),
        (("[[arms]]", "[arms]"), "toy.toml"),
        (("[training]", "[training"), "Cannot read"),
    ],
)
def test_mistakes_in_a_configuration_are_named(tmp_path, change, words):
    assert change[0] in TOY
    path = write_config(tmp_path, TOY.replace(*change, 1))
    with pytest.raises(TrainingError) as caught:
        read_experiment(path)
    assert "toy.toml" in caught.value.message
    assert words in f"{caught.value.message} {caught.value.remedy}"


def test_an_experiment_without_arms_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="no arm"):
        read_experiment(write_config(tmp_path, "seeds = [1]\n"))


def test_a_fold_that_is_not_there_is_refused_before_anything_is_trained(cohort, tmp_path, capsys):
    config = write_config(tmp_path, TOY.replace("seeds", "folds = [7]\nseeds"))
    assert cli.main(experiment_arguments(config, cohort, tmp_path / "out")) == 9
    assert "fold 7" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# --- the command ---------------------------------------------------------------------------


def test_an_encoder_of_the_last_arm_that_nobody_knows_is_told_before_the_first_is_trained(
    cohort, tmp_path, capsys
):
    own = 'learning_rate = 1e-3\nnetwork = {encoder = "mobilenet_v9"}'
    config = write_config(tmp_path, TOY.replace("learning_rate = 1e-3", own))
    assert cli.main(experiment_arguments(config, cohort, tmp_path / "out")) == 6
    assert "mobilenet_v9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_bundled_experiments_are_listed(capsys):
    assert cli.main(["experiment", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == sorted(bundled_experiments())


def test_a_dry_run_tells_arms_and_budget_and_touches_nothing(cohort, tmp_path, capsys):
    config = write_config(tmp_path)
    arguments = experiment_arguments(config, cohort, tmp_path / "out")
    assert cli.main([*arguments, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "4 steps of 2 slices (8 slices)" in told and "second one: linknet" in told
    assert "4 cases, 2 of them scored" in told and "4 networks" in told
    assert not (tmp_path / "out").exists()
    assert cli.main(["experiment", "--config", "architectures", "--dry-run"]) == 0
    assert "senet154" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--list"),
        (["--config", "optimizers"], "Did you mean optimisers"),
        (["--config", "optimisers"], "--data FOLDER"),
    ],
)
def test_what_is_missing_is_asked_for(capsys, arguments, words):
    assert cli.main(["experiment", *arguments]) == 9
    assert words in capsys.readouterr().err


def test_a_missing_package_is_told_before_anything_is_trained(
    cohort, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("BrainTumorSegLib.evaluation.report.has_package", lambda name: False)
    config = write_config(tmp_path, re.sub('"adam"', '"ralamb"', TOY))
    assert cli.main(experiment_arguments(config, cohort, tmp_path / "out")) == 7
    error = capsys.readouterr().err
    assert "matplotlib, pytorch_optimizer" in error and "BrainTumorSeg[train]" in error
    assert not (tmp_path / "out").exists()
