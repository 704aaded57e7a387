"""From labelled cases to a verified pack with figures, through the command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_cases import toy_recipe, train, write_toy_cohort

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.evaluation.runs import make_arms, members_for
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.packs import load_pack, verify_pack
from BrainTumorSegLib.models.packs.members import unseen_members
from BrainTumorSegLib.training.cohort import read_cohort
from BrainTumorSegLib.training.config import read_config
from BrainTumorSegLib.training.evaluated import Evaluation, read_evaluation

CHECKOUT = Path(__file__).resolve().parents[2]

RECIPE = toy_recipe(3)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    write_toy_cohort(folder)
    (folder / "toy.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def run_folder(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    assert train(cohort, folder) == 0
    return folder


def test_one_command_trains_a_member_for_each_fold_and_packs_them(run_folder):
    pack = load_pack(run_folder / "toy")
    verify_pack(pack)
    assert [member.trained["fold"] for member in pack.members] == [0, 1]
    assert pack.network.encoder == "mobilenet_v2" and pack.recipe == "mixture"


def test_the_record_of_a_member_names_the_cases_it_saw_and_no_other(run_folder):
    record = json.loads((run_folder / "fold0" / "run.json").read_text())
    assert record["cases"] == ["toy1", "toy3"]
    assert unseen_members(load_pack(run_folder / "toy"), 0) == ("fold0",)


def test_giving_the_command_again_trains_nothing_and_makes_the_same_pack(
    cohort, run_folder, tmp_path
):
    before = (run_folder / "fold0" / "weights.safetensors").stat().st_mtime_ns
    assert train(cohort, run_folder, "--pack", str(tmp_path / "again")) == 0
    assert (run_folder / "fold0" / "weights.safetensors").stat().st_mtime_ns == before
    again, first = load_pack(tmp_path / "again"), load_pack(run_folder / "toy")
    assert [m.sha256 for m in again.members] == [m.sha256 for m in first.members]


def test_evaluation_scores_each_case_by_the_member_that_never_saw_it_and_fills_the_card(
    cohort, run_folder, tmp_path
):
    results = tmp_path / "evaluation"
    arguments = ["--data", str(cohort), "--pack", str(run_folder / "toy"), "-o", str(results)]
    assert cli.main(["evaluate", *arguments, "--tta", "none", "tta1"]) == 0
    with (results / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    assert all(row["members"] == f"fold{row['fold']}" for row in rows)
    assert all(0 <= float(row["WT"]) <= 1 for row in rows)
    summary = read_evaluation(results).summary
    mean = np.mean([float(row["WT"]) for row in rows if row["views"] == "tta1"])
    assert summary["tta1"]["WT"] == pytest.approx(mean, abs=1e-3)

    options = ["--pack", str(tmp_path / "with-figures"), "--evaluation", str(results)]
    assert train(cohort, run_folder, *options) == 0
    pack = load_pack(tmp_path / "with-figures")
    assert {figure["measure"] for figure in pack.validation} >= {
        "Dice, whole tumour (WT), views none"
    }
    card = (pack.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| toy3 |" in card and "brain-tumor-seg evaluate" in card
    assert "## Case by case, each by members that never saw it" in card
    told = {figure["data"] for figure in pack.validation}
    assert "labelled cases, each by members that never saw it" in told


def test_an_evaluation_of_several_packs_gives_no_figures_for_one(tmp_path):
    (tmp_path / "tables.md").write_text("")
    (tmp_path / "summary.json").write_text('{"command": "brain-tumor-seg evaluate"}')
    with pytest.raises(TrainingError, match="compares more than views"):
        read_evaluation(tmp_path)


def test_figures_of_a_whole_ensemble_do_not_pass_for_out_of_fold():
    evaluation = Evaluation({}, "", "brain-tumor-seg evaluate --data DATA --ensemble --tta none")
    assert evaluation.how == "all by the whole ensemble"


def test_evaluation_compares_numbers_of_members_and_tells_what_it_finds_without_tumour(
    cohort, run_folder, tmp_path, capsys
):
    free = tmp_path / "free"
    free.mkdir()
    for sequence in ("t1", "t1ce", "flair"):
        source = cohort / "brats" / "toy0" / f"toy0_{sequence}.nii.gz"
        (free / source.name).write_bytes(source.read_bytes())
    results = tmp_path / "evaluation"
    code = cli.main(
        [
            *("evaluate", "--data", str(cohort), "--pack", str(run_folder / "toy")),
            *("-o", str(results), "--ensemble", "--members", "1", "all", "--tta", "none"),
            *("--cases", "toy1", "toy2", "--measures", "dice", "--tumour-free", str(free)),
        ]
    )
    assert code == 0
    with (results / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["members"] for row in rows] == ["fold0", "fold0+fold1"] * 2
    assert [row["arm"] for row in rows] == ["1 member", "all members"] * 2
    with (results / "comparisons.csv").open() as stream:
        differences = list(csv.DictReader(stream))
    gain = np.mean([float(r["WT"]) * (-1) ** (r["arm"] == "1 member") for r in rows]) * 2
    (whole,) = (row for row in differences if row["tissues"] == "WT")
    assert float(whole["difference"]) == pytest.approx(gain, abs=2e-3)
    with (results / "tumour_free.csv").open() as stream:
        assert [row["case"] for row in csv.DictReader(stream)] == ["free", "free"]
    assert "1 member" in capsys.readouterr().out
    summary = json.loads((results / "summary.json").read_text())
    assert "--members 1 all" in summary["command"] and str(tmp_path) not in summary["command"]
    with pytest.raises(TrainingError, match="compares more than views"):
        read_evaluation(results)


def test_folds_choose_cases_and_stand_in_the_command_that_is_told(cohort, run_folder, tmp_path):
    results = tmp_path / "evaluation"
    arguments = ["--data", str(cohort), "--pack", str(run_folder / "toy"), "-o", str(results)]
    arguments += ["--tta", "none", "--measures", "dice", "--folds", "1"]
    assert cli.main(["evaluate", *arguments]) == 0
    with (results / "cases.csv").open() as stream:
        assert {row["fold"] for row in csv.DictReader(stream)} == {"1"}
    assert "--folds 1" in json.loads((results / "summary.json").read_text())["command"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--members", "2"], 9, "has 1 that were trained without fold 0"),
        (["--members", "3", "--ensemble"], 9, "has 2 in all"),
        (["--cases", "nobody"], 9, "no case nobody"),
        (["--folds", "7"], 9, "no fold 7"),
        (["--folds", "0", "--cases", "toy1"], 9, "no case toy1 in fold 0"),
        (["--folds", "0", "--cases", "none", "--synthetic", "1"], 9, "nothing to score"),
        (["--tumour-free", "nowhere"], None, "nowhere is no folder"),
    ],
)
def test_mistakes_are_told_before_anything_is_segmented(
    cohort, run_folder, tmp_path, capsys, arguments, code, words
):
    command = ["evaluate", "--data", str(cohort), "--pack", str(run_folder / "toy")]
    found = cli.main([*command, "-o", str(tmp_path / "out"), "--tta", "none", *arguments])
    assert found != 0 and code in (None, found)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_measure_whose_package_is_missing_names_the_extra(cohort, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("BrainTumorSegLib.evaluation.report.has_package", lambda name: name is None)
    command = ["evaluate", "--data", str(cohort), "-o", str(tmp_path / "out")]
    assert cli.main([*command, "--measures", "lesions"]) == 7
    assert "BrainTumorSeg[evaluate]" in capsys.readouterr().err
    assert cli.main([*command, "--picture", "scores.png"]) == 7
    assert "matplotlib" in capsys.readouterr().err


def test_cases_that_a_member_saw_are_not_scored_out_of_fold(run_folder):
    (arm,) = make_arms([load_pack(run_folder / "toy")], ["none"])
    with pytest.raises(TrainingError, match="fold 7"):
        members_for(arm, 7)


def test_a_case_is_known_by_its_labels_whatever_its_fold_is_called(cohort, run_folder):
    pack = load_pack(run_folder / "toy")
    labels = {c.name: file_sha256(c.labels) for c in read_cohort(cohort)}
    for case in labels:
        left_out = unseen_members(pack, None, labels[case])
        assert left_out == ("fold0" if case in ("toy0", "toy2") else "fold1",)
        assert left_out == unseen_members(pack, 7, labels[case])
    assert unseen_members(pack, 0, 64 * "0") == ("fold0",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("steps = 3", "stepz = 3"), "Did you mean steps"),
        (("encoder_depth = 3", "encoder_depht = 3"), "Did you mean encoder_depth"),
        (("batch = 2", 'batch = 2\noptimiser = "rallamb"'), "Did you mean ralamb"),
        (("batch = 2", 'batch = 2\nrecipe = "mixtur"'), "Did you mean mixture"),
        (("batch = 2", 'batch = 2\noptimiser = "adam"'), "weight_decay"),
        (("batch = 2", "batch = 2\ntumour_share = 7"), "0 to 1"),
        (("steps = 3", "steps = 3\nseed = -1"), "seed is -1"),
        *(
            (("steps = 3", f"steps = 3\nlearning_rate = {rate}"), f"learning_rate is {rate}")
            for rate in ("nan", "inf", "0.0", "-1.0")
        ),
        (("batch = 2", "batch = true"), "int was expected"),
        (("[pack]", "[data]\nfolds = 1\n[pack]"), "data.folds"),
        (("[pack]", '[data]\nbrain = "deepbed"\n[pack]'), "Did you mean deepbet"),
        (("[pack]", '[data]\nlabel_protocol = "x"\n[pack]'), "label protocol"),
        (("[pack]", "[synthesis]\nslap = 9\n[pack]"), "synthesis.slap"),
        (
            ("[pack]", '[training.synthesis]\nsamples = 1\n[synthesis]\npart = "all"\n[pack]'),
            "Held-out",
        ),
        (("steps = 3", 'steps = "three"'), "steps"),
        (("steps = 3", "steps = 0"), "steps"),
        (("crop = [64, 64]", "crop = [60, 64]"), "divisible"),
        (("[training.network]", "[training.network]\nin_channels = 9"), "channels"),
        (("[training]", "[training"), "toy.toml"),
        (("[pack]", "[package]"), "package"),
    ],
)
def test_mistakes_in_a_recipe_are_named(tmp_path, change, words):
    path = tmp_path / "toy.toml"
    path.write_text(RECIPE.replace(*change))
    with pytest.raises(TrainingError, match=words):
        read_config(path)


def test_keys_of_release_0_1_mean_what_they_meant(tmp_path):
    path = tmp_path / "toy.toml"
    old = 'recipe = "mixture"\noptimiser = "radam"\ntumour_share = 0.5'
    path.write_text(RECIPE.replace("batch = 2", f"batch = 2\n{old}"))
    training = read_config(path).training
    assert (training.input_channels, training.optimizer, training.tumor_share) == (
        *("mixture", "radam", 0.5),
    )
    new = 'input_channels = "mixture"\noptimizer = "radam"\ntumor_share = 0.5'
    path.write_text(RECIPE.replace("batch = 2", f"batch = 2\n{new}"))
    assert read_config(path).training == training
    path.write_text(RECIPE.replace("batch = 2", f"batch = 2\n{new}\ntumour_share = 0.6"))
    with pytest.raises(TrainingError, match=r"tumour_share is 0\.6, but training\.tumor_share"):
        read_config(path)


@pytest.mark.parametrize(
    "path", sorted(resource_path("Training").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_recipes_that_ship_can_be_read(path):
    pack = read_config(path).pack
    assert pack["sources"]
    if path.stem == "glioma-lite":
        assert sum(source["cases"] for source in pack["sources"]) == 31


def test_several_seeds_of_one_fold_make_an_ensemble_that_left_it_out(cohort, tmp_path):
    assert train(cohort, tmp_path, "--folds", "1", "--seeds", "0", "5") == 0
    pack = load_pack(tmp_path / "toy")
    assert [member.name for member in pack.members] == ["fold1-seed0", "fold1-seed5"]
    assert unseen_members(pack, 1) == ("fold1-seed0", "fold1-seed5")


def test_seeds_trained_one_at_a_time_into_one_run_stand_beside_each_other(cohort, tmp_path):
    for seed in ("0", "5"):
        pack = str(tmp_path / f"toy{seed}")
        assert train(cohort, tmp_path, "--folds", "1", "--seeds", seed, "--pack", pack) == 0
    assert [folder.name for folder in sorted(tmp_path.glob("fold*"))] == [
        "fold1-seed0",
        "fold1-seed5",
    ]


def test_a_finished_member_of_another_recipe_is_not_taken_for_this_one(
    cohort, run_folder, tmp_path, capsys
):
    other = tmp_path / "other.toml"
    other.write_text(RECIPE.replace("steps = 3", "steps = 4"))
    code = train(cohort, run_folder, "--overwrite", recipe=other)
    assert code == 9 and "another configuration" in capsys.readouterr().err


def test_the_run_keeps_its_cohort_its_curves_and_how_the_weights_were_chosen(cohort, run_folder):
    assert [c.name for c in read_cohort(run_folder)] == [c.name for c in read_cohort(cohort)]
    with Image.open(run_folder / "fold0" / "curves.png") as picture:
        assert picture.width > 300
    record = json.loads((run_folder / "fold0" / "run.json").read_text())
    assert record["kept"] == {"step": 3, "chosen_on": None, "score": None}
    config = record["config"]
    assert config["input_channels"] == config["recipe"] == "mixture"


def test_synthetic_samples_and_a_chosen_checkpoint_through_the_command(cohort, tmp_path):
    recipe = tmp_path / "mixed.toml"
    mixing = "[training.synthesis]\nsamples = 1\n[training.validation]\nevery = 2\nslices = 3\n"
    making = "[synthesis]\nslab = 8\nreal_share = 0\n[synthesis.kinds]\nhealthy = 1\n"
    none = "".join(
        f"{kind} = 0\n"
        for kind in (
            *("glioblastoma", "astrocytoma", "meningioma", "neurinoma"),
            *("multiple_sclerosis", "small_vessel", "carved"),
        )
    )
    recipe.write_text(RECIPE.replace("[pack]", f"{mixing}{making}{none}[pack]", 1))
    assert train(cohort, tmp_path / "run", "--folds", "0", recipe=recipe) == 0
    assert len(list((tmp_path / "run" / "cache").glob("synthetic-*.safetensors"))) == 1
    record = json.loads((tmp_path / "run" / "fold0" / "run.json").read_text())
    assert record["kept"]["chosen_on"] == "fold" and record["kept"]["step"] in (2, 3)
    pack = load_pack(tmp_path / "run" / "toy")
    assert pack.members[0].trained["chosen_on"] == "fold"
    assert "a little too good" in (pack.folder / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="gloo with torchrun is used on POSIX systems")
def test_two_processes_train_one_member_together(cohort, tmp_path):
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "BrainTumorSegLib", "train", "--recipe", str(cohort / "toy.toml")),
        *("--data", str(cohort), "-o", str(tmp_path), "--folds", "0"),
        *("--device", "cpu", "--threads", "1", "--progress", "none"),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("MB in") == 1
    record = json.loads((tmp_path / "fold0" / "run.json").read_text())
    assert record["processes"] == 2
    verify_pack(load_pack(tmp_path / "toy"))


def test_a_fold_that_nobody_has_is_refused(cohort, tmp_path, capsys):
    assert train(cohort, tmp_path, "--folds", "9") == 9
    assert "fold 9" in capsys.readouterr().err
