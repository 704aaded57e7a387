"""Exports and learning: folds by patient, formats that others read, and a pack from a study."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import defaultdict

import numpy as np
import pytest
import SimpleITK as sitk
from study_readers import add_cases, case_name, changed, small_study
from toy_cases import toy_recipe

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import InputError, OutputError, TrainingError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.engines import choosing
from BrainTumorSegLib.models.packs import load_pack
from BrainTumorSegLib.study import deciding
from BrainTumorSegLib.study.exporting import export
from BrainTumorSegLib.study.journal import Event, read_journal
from BrainTumorSegLib.study.layout import APPROVED, AUTO
from BrainTumorSegLib.study.learning import check_kept_out
from BrainTumorSegLib.study.opening import open_study
from BrainTumorSegLib.study.readings import finish_reading, labels_of
from BrainTumorSegLib.study.states import State
from BrainTumorSegLib.training.cohort import read_cohort


def approve(study, *cases):
    for case in cases:
        finish_reading(study, case, "A", labels_of(study, case, AUTO))
        assert deciding.conclude(study, case) is State.APPROVED


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Five patients, the first with two visits; all approved but the last."""
    study = small_study(tmp_path_factory.mktemp("template") / "study", cases=5)
    add_cases(study, [case_name(1, 2)], (6, 20, 20))
    approve(study, case_name(1), case_name(1, 2), *map(case_name, range(2, 5)))
    return study.folder


@pytest.fixture
def study(template, tmp_path):
    shutil.copytree(template, tmp_path / "study")
    return open_study(tmp_path / "study")


def folds_of(folder):
    with (folder / "cases.tsv").open(newline="") as stream:
        return {row["case"]: int(row["fold"]) for row in csv.DictReader(stream, delimiter="\t")}


def patients_of(folds):
    found = defaultdict(set)
    for case, fold in folds.items():
        found[case.split("_")[0]].add(fold)
    return found


def test_only_approved_cases_are_exported_and_visits_of_a_patient_share_a_fold(study, tmp_path):
    found = export(study, tmp_path / "cases", folds=2)
    folds = folds_of(tmp_path / "cases")
    assert set(folds) == {str(case.name) for case in found.cases}
    assert len(folds) == 5 and str(case_name(5)) not in folds
    assert all(len(own) == 1 for own in patients_of(folds).values())
    told = [e for e in read_journal(study.layout) if e.what is Event.EXPORTED]
    assert told[0].more["cases"] == sorted(folds) and len(told[0].files) == 5


def test_no_patient_moves_to_another_fold_when_ten_more_and_another_visit_are_added(
    study, tmp_path
):
    export(study, tmp_path / "first", folds=3)
    before = patients_of(folds_of(tmp_path / "first"))
    new = [case_name(number) for number in range(6, 16)]
    add_cases(study, [*new, case_name(2, 2)], (4, 8, 8))
    approve(study, *new, case_name(5), case_name(2, 2))
    export(study, tmp_path / "second", folds=3)
    after = patients_of(folds_of(tmp_path / "second"))
    assert len(after) == 15 and all(len(own) == 1 for own in after.values())
    assert {patient: after[patient] for patient in before} == before
    with pytest.raises(InputError, match="patients never move"):
        export(study, tmp_path / "third", folds=2)
    assert not (tmp_path / "third").exists()


def test_exported_cases_are_read_as_they_stand_for_training(study, tmp_path):
    export(study, tmp_path / "cases", folds=2, brain="stripped")
    cases = read_cohort(tmp_path / "cases")
    first = next(case for case in cases if case.name == str(case_name(1)))
    assert first.group == "astrocytoma" and set(first.scans) == set(Sequence)
    assert first.preparation.nothing_to_do
    assert np.array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(str(first.labels))),
        sitk.GetArrayFromImage(labels_of(study, case_name(1), APPROVED)),
    )


def test_scans_that_are_not_registered_are_registered_by_training_and_kept_out_of_nnunet(
    study, tmp_path
):
    study.layout.registered(case_name(2), Sequence.FLAIR).unlink()
    export(study, tmp_path / "cases", folds=2)
    ways = {case.name: case.preparation.registration for case in read_cohort(tmp_path / "cases")}
    assert ways[str(case_name(2))] == "auto" and ways[str(case_name(1))] == "none"
    found = export(study, tmp_path / "Dataset501_Tumours", "nnunet", folds=2)
    assert list(found.left_out) == [case_name(2)]
    assert "FLAIR is not registered" in found.left_out[case_name(2)]


def test_nnunet_gets_channels_labels_and_our_folds(study, tmp_path):
    folder = tmp_path / "Dataset501_Tumours"
    export(study, folder, "nnunet", folds=2)
    description = json.loads((folder / "dataset.json").read_text())
    assert description["channel_names"] == {"0": "T1", "1": "T1CE", "2": "FLAIR"}
    assert description["labels"] == {
        **{"background": 0, "necrosis": 1, "edema": 2, "non_enhancing": 3, "enhancing": 4},
    }
    assert description["numTraining"] == 5 and description["file_ending"] == ".nii.gz"
    names = {path.name for path in (folder / "imagesTr").iterdir()}
    assert len(names) == 15 and f"{case_name(1)}_0002.nii.gz" in names
    labels = {path.name.removesuffix(".nii.gz") for path in (folder / "labelsTr").iterdir()}
    splits = json.loads((folder / "splits_final.json").read_text())
    assert len(splits) == 2
    for split in splits:
        assert set(split["train"]) | set(split["val"]) == labels
        of = [{name.split("_")[0] for name in split[part]} for part in ("train", "val")]
        assert not of[0] & of[1]


def test_bids_gets_raw_scans_participants_and_approved_labels_only(study, tmp_path):
    folder = tmp_path / "bids"
    export(study, folder, "bids", folds=2)
    with (folder / "participants.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["participant_id"] for row in rows] == ["sub-001", "sub-002", "sub-003", "sub-004"]
    assert {row["fold"] for row in rows} == {"0", "1"}
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.nii.gz")}
    stem = "sub-001/ses-02/anat/sub-001_ses-02_ce-gadolinium"
    assert f"{stem}_T1w.nii.gz" in names
    assert f"derivatives/braintumorseg/{stem}_desc-approved_dseg.nii.gz" in names
    assert len(names) == 20 and not any("reader" in name or "auto" in name for name in names)
    assert not (folder / "registry.tsv").exists() and not (folder / "journal").exists()


def test_the_bids_export_validates_without_errors(study, tmp_path):
    validator = shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    export(study, tmp_path / "bids", "bids", folds=2)
    for folder in (tmp_path / "bids", tmp_path / "bids" / "derivatives" / "braintumorseg"):
        told = subprocess.run([validator, str(folder), "--json"], capture_output=True, text=True)
        issues = json.loads(told.stdout)["issues"]["issues"]
        assert [issue for issue in issues if issue["severity"] == "error"] == [], told.stderr


def test_an_export_is_whole_or_not_there_and_never_in_the_study_or_over_something(study, tmp_path):
    with pytest.raises(OutputError, match="lies in the study"):
        export(study, study.folder / "out")
    with pytest.raises(OutputError, match="Dataset501_Tumors"):
        export(study, tmp_path / "somewhere", "nnunet")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(OutputError, match="exists already"):
        export(study, tmp_path / "full")
    # Labels that a scan does not fit are found while the folder is written.
    scan = study.layout.registered(case_name(3), Sequence.T1)
    image = sitk.ReadImage(str(scan))
    image.SetOrigin((0.0, 0.0, 0.0))
    sitk.WriteImage(image, str(scan))
    with pytest.raises(InputError, match="does not lie on the grid"):
        export(study, tmp_path / "Dataset501_Tumours", "nnunet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "study"]


def test_a_study_without_approved_cases_says_so(tmp_path):
    study = small_study(tmp_path / "study", cases=1)
    with pytest.raises(InputError, match="no approved case"):
        export(study, tmp_path / "cases")


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """Six generated patients, read and approved by command, and two packs learned from them."""
    top = tmp_path_factory.mktemp("worked")
    study = small_study(top / "study", cases=6, shape=(8, 64, 64))
    place = str(study.folder)

    def run(*words):
        assert cli.main(["study", *words]) == 0

    run("assign", place, "--double", "50%")
    for number in range(1, 7):
        case = case_name(number)
        auto = labels_of(study, case, AUTO)
        for letter in read_journal(study.layout, case)[-1].more["readers"]:
            path = top / f"{case}-{letter}.nii.gz"
            sitk.WriteImage(changed(auto, (0, 0, ord(letter) - 60)), str(path))
            words = ("--labels", str(path), "--numbering", "brats2015", "--minutes", "4")
            run("read", place, str(case), "--reader", letter, *words)
        if study.state(case).state is State.IN_DISPUTE:
            run("adjudicate", place, str(case), "--rest", "B")
    recipe = top / "toy.toml"
    recipe.write_text(toy_recipe(1))
    run("export", place, "-o", str(top / "cases"), "--folds", "3", "--brain", "stripped")
    common = ["--recipe", str(recipe), "--threads", "1", "--progress", "none"]
    words = ["--data", str(top / "cases"), "--folds", "0", "--precision", "fp32"]
    assert cli.main(["train", *common, *words, "-o", str(top / "old")]) == 0
    return top, common


def test_read_and_adjudicated_cases_are_approved_and_their_export_trains(worked):
    top, _ = worked
    study = open_study(top / "study")
    assert {one.state for one in study.states()} == {State.APPROVED}
    entries = read_journal(study.layout)
    assert sum(entry.what is Event.ADJUDICATED for entry in entries) == 3
    assert [member.name for member in load_pack(top / "old" / "toy").members] == ["fold0"]


def test_agreement_and_lists_of_the_readers_are_told_by_command(worked, capsys):
    top, _ = worked
    place = str(top / "study")
    words = ("-o", str(top / "agreement"), "--measures", "dice", "--progress", "none")
    assert cli.main(["study", "agreement", place, *words]) == 0
    pairs = json.loads((top / "agreement" / "agreement.json").read_text())["pairs"]
    assert pairs["A-B"]["cases"] == 3 and pairs["A-B"]["minutes_median"] == 4
    assert pairs["auto-A"]["cases"] + pairs["auto-B"]["cases"] == 9
    # Each reader has changed one voxel of each case, of 2 x 2 x 5 mm, elsewhere than the other.
    assert pairs["A-B"]["changed_ml"]["value"] == pytest.approx(0.04)
    capsys.readouterr()
    assert cli.main(["study", "list", place, "--reader", "A"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split("\t") == ["case", "tumour_type", "state", "doubt", "minutes"]
    assert len(rows) == pairs["auto-A"]["cases"]
    assert {tuple(row.split("\t")[2:]) for row in rows} == {("corrected", "", "4.0")}


def test_learning_compares_old_and_new_pack_on_the_patients_that_were_kept_out(
    worked, capsys, monkeypatch
):
    # To convert the networks for OpenVINO would take longer than all the rest.
    monkeypatch.setattr(choosing, "_why_no_openvino", lambda: "left out")
    top, common = worked
    words = ["--start-from", str(top / "old" / "toy"), "-o", str(top / "learned")]
    words += ["--folds", "3", "--brain", "stripped", "--precision", "fp32", "--tta", "none"]
    words += ["--measures", "dice"]
    assert cli.main(["study", "learn", str(top / "study"), *common, *words]) == 0
    assert "learned from 4 cases, compared on 2" in capsys.readouterr().out
    kept_out = {case for case, fold in folds_of(top / "learned" / "data").items() if fold == 0}
    record = json.loads((top / "learned" / "run" / "fold0" / "run.json").read_text())
    assert not kept_out & set(record["cases"]) and len(record["cases"]) == 4
    results = top / "learned" / "evaluation"
    with (results / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["case"] for row in rows} == kept_out and len(rows) == 4
    with (results / "comparisons.csv").open() as stream:
        compared = list(csv.DictReader(stream))
    assert {row["tissues"] for row in compared} == {"WT", "TC", "ET"}
    assert all(row["wilcoxon_p"] for row in compared)
    pack = load_pack(top / "learned" / "toy")
    study = open_study(top / "study")
    check_kept_out(pack, study, 0)
    with pytest.raises(TrainingError, match="would be too good"):
        check_kept_out(pack, study, 1)
