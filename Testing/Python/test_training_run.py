"""What is asked of the folder of a run before hours are spent in it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import SimpleITK as sitk
from toy_cases import toy_recipe, train, write_toy_cohort

from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.training.cohort import read_cohort
from BrainTumorSegLib.training.trainer import run_lock
from BrainTumorSegLib.training.volumes import load_volume, prepare_volume

CHECKOUT = Path(__file__).resolve().parents[2]

RECIPE = toy_recipe(2)

HOLD = """
import sys, time
from pathlib import Path
from BrainTumorSegLib.training.trainer import run_lock
with run_lock([Path(sys.argv[1])]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def cohort(tmp_path):
    folder = tmp_path / "cohort"
    folder.mkdir()
    write_toy_cohort(folder)
    (folder / "toy.toml").write_text(RECIPE)
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_member_is_not_trained_by_two_processes_and_a_killed_one_holds_nothing(tmp_path):
    member = tmp_path / "run" / "fold0"
    words = [sys.executable, "-c", HOLD, str(member)]
    with subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(TrainingError, match="Another process is training") as caught,
            run_lock([tmp_path / "run" / "fold1", member]),
        ):
            pytest.fail("both hold it")
        assert "fold0" in caught.value.message
        assert "Wait" in caught.value.remedy
        other.kill()
    with run_lock([member, tmp_path / "run" / "fold1"]):
        pass


def test_the_same_command_given_twice_at_once_leaves_the_first_run_as_it_is(
    cohort, tmp_path, capsys
):
    run = tmp_path / "run"
    with run_lock([run / "fold1"]):
        before = contents(run)
        assert train(cohort, run) == 9
        assert "fold1" in capsys.readouterr().err
        assert contents(run).keys() - before.keys() == {run / "fold0" / "training.lock"}
    assert train(cohort, run, "--folds", "1") == 0


def test_a_file_in_the_place_of_the_run_is_told_before_training(cohort, tmp_path, capsys):
    (tmp_path / "run").write_text("notes")
    assert train(cohort, tmp_path / "run") == 4
    assert "run is a file, not a folder" in capsys.readouterr().err


def test_an_unreadable_case_of_the_last_fold_is_told_before_the_first_member_is_trained(
    cohort, tmp_path, capsys
):
    broken = cohort / "brats" / "toy3" / "toy3_flair.nii.gz"
    broken.write_bytes(broken.read_bytes()[:500])
    # Fold 1 is left out of the only member that is wanted, and compared with at its end.
    assert train(cohort, tmp_path / "run", "--folds", "1") == 3
    told = capsys.readouterr().err
    assert "Case toy3" in told and "toy3_flair.nii.gz is cut short" in told
    assert not list((tmp_path / "run").rglob("checkpoint.pt"))


def test_a_scan_that_is_empty_is_told_with_the_name_of_its_case(cohort):
    path = cohort / "brats" / "toy2" / "toy2_t1.nii.gz"
    sitk.WriteImage(sitk.ReadImage(str(path)) * 0, str(path))
    with pytest.raises(InputError, match=r"Case toy2: The T1 scan .* has the same value"):
        prepare_volume(read_cohort(cohort)[2])


def test_labels_that_are_all_empty_are_not_trained_on(cohort, tmp_path, capsys):
    for path in cohort.rglob("*_seg.nii.gz"):
        sitk.WriteImage(sitk.ReadImage(str(path)) * 0, str(path))
    assert train(cohort, tmp_path / "run") == 9
    assert "The labels of all 4 cases are empty" in capsys.readouterr().err


def test_the_name_of_a_case_never_leads_out_of_the_cache(cohort, tmp_path):
    case = replace(read_cohort(cohort)[0], name="../../site ä/1")
    load_volume(case, tmp_path / "run" / "cache")
    assert case.stem != replace(case, name=".._.._site ä_1").stem
    (made,) = tmp_path.rglob("*.safetensors")
    assert made.parent == tmp_path / "run" / "cache" and "site ä_1" in made.name


def test_a_run_is_not_continued_with_other_folds(cohort, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(cohort, run, "--folds", "0") == 0
    before = contents(run)
    table = (cohort / "cases.tsv").read_text()
    (cohort / "cases.tsv").write_text(table.replace("toy\t0", "toy\t2", 1))
    assert train(cohort, run, "--folds", "1", "--overwrite") == 9
    told = capsys.readouterr().err
    assert "1 differ, such as toy0" in told and "another folder" in told
    assert {p: b for p, b in contents(run).items() if p.name != "training.lock"} == {
        p: b for p, b in before.items() if p.name != "training.lock"
    }


def test_labels_that_were_corrected_are_not_learned_under_members_that_saw_the_old_ones(
    cohort, tmp_path, capsys
):
    run = tmp_path / "run"
    assert train(cohort, run, "--folds", "0") == 0
    path = cohort / "brats" / "toy2" / "toy2_seg.nii.gz"
    labels = sitk.ReadImage(str(path))
    sitk.WriteImage(sitk.ChangeLabel(labels, {4: 2}), str(path))
    for fold in ("0", "1"):
        assert train(cohort, run, "--folds", fold, "--overwrite") == 9
        told = capsys.readouterr().err
        assert "1 case(s) have changed" in told and "toy2_seg" in told and "another folder" in told
    assert train(cohort, tmp_path / "anew", "--folds", "0") == 0


def test_cases_may_change_while_no_member_has_learned_from_them(cohort, tmp_path):
    run = tmp_path / "run"
    broken = cohort / "brats" / "toy3" / "toy3_t1.nii.gz"
    broken.write_bytes(b"")
    assert train(cohort, run) == 3
    rows = (cohort / "cases.tsv").read_text().splitlines()
    (cohort / "cases.tsv").write_text("\n".join(row for row in rows if "toy3" not in row))
    assert train(cohort, run) == 0


def test_a_recipe_that_changed_is_told_before_any_other_member_is_trained(cohort, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(cohort, run, "--folds", "1") == 0
    (cohort / "toy.toml").write_text(RECIPE.replace("steps = 2", "steps = 3"))
    assert train(cohort, run, "--overwrite") == 9
    assert "fold1 is finished, but was trained with another" in capsys.readouterr().err
    assert not (run / "fold0").exists()


def test_an_encoder_that_nobody_knows_is_told_before_any_case_is_read(cohort, tmp_path, capsys):
    (cohort / "toy.toml").write_text(RECIPE.replace("mobilenet_v2", "mobilenet_v2b"))
    assert train(cohort, tmp_path / "run") != 0
    told = capsys.readouterr().err
    assert "mobilenet_v2b" in told and "Did you mean mobilenet_v2?" in told
    assert not (tmp_path / "run").exists()


def test_a_precision_that_the_device_lacks_is_told_before_any_case_is_read(
    cohort, tmp_path, capsys
):
    (cohort / "toy.toml").write_text(RECIPE.replace("steps = 2", 'steps = 2\nprecision = "fp16"'))
    assert train(cohort, tmp_path / "run", "--device", "cpu") == 9
    assert "fp16 training needs an NVIDIA GPU" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_notes_that_are_missing_in_the_end_are_refused_at_once(cohort, tmp_path, capsys):
    assert train(cohort, tmp_path / "run", "--notes", "nowhere.md") == 9
    assert "the notes nowhere.md" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_pack_of_another_network_to_start_from_is_told_before_any_case_is_read(
    cohort, tmp_path, capsys
):
    assert train(cohort, tmp_path / "run", "--start-from", "glioma-lite") == 9
    assert "Make training.network and training.input_channels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "instead", "words"),
    [
        ('name = "toy"', 'name = "My toy"', "name: 'My toy'"),
        ('name = "toy"', "name = 7", "name: 7"),
        ('version = "0.0.1"', 'version = "1.0"', "version: '1.0'"),
        ('title = "A toy"', 'titel = "A toy"', "titel"),
        ('licence = "CC0-1.0"', "licence = 2026-01-01", "JSON"),
        ("[[pack.sources]]", "[[pack.origins]]", "names no data sources"),
        ('used = ["t1", "t1ce", "flair"]', 'used = ["t1ce"]', "sequences.used"),
    ],
)
def test_a_recipe_that_makes_no_pack_is_told_before_training(
    cohort, tmp_path, capsys, line, instead, words
):
    recipe = cohort / "toy.toml"
    recipe.write_text(RECIPE.replace(line, instead, 1))
    assert train(cohort, tmp_path / "run") == 9
    told = capsys.readouterr().err
    assert words in told and f"[pack] of {recipe}" in told
    assert not (tmp_path / "run").exists()


def test_a_pack_that_lies_there_is_told_before_training(cohort, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    assert train(cohort, tmp_path / "run", "--pack", str(tmp_path / "other")) == 4
    assert "holds something else than a model pack" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
