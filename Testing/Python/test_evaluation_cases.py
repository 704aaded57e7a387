"""Labels are scored where they lie; what cannot be scored is told before anything is computed."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from toy_cases import toy_recipe, write_toy_cohort

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.evaluation.runs import load_labeled
from BrainTumorSegLib.training.cohort import read_cohort

RECIPE = toy_recipe(1)


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    write_toy_cohort(folder, 2)
    (folder / "toy.toml").write_text(RECIPE)
    words = ["train", "--recipe", str(folder / "toy.toml"), "--data", str(folder)]
    assert cli.main([*words, "-o", str(folder / "run"), "--precision", "fp32"]) == 0
    return folder / "run" / "toy"


@pytest.fixture
def cohort(tmp_path):
    write_toy_cohort(tmp_path, 2)
    return tmp_path


def evaluate(cohort, pack, output, *more):
    words = ["evaluate", "--data", str(cohort), "--pack", str(pack), "--tta", "none"]
    return cli.main([*words, "--measures", "dice", "--progress", "none", "-o", str(output), *more])


def change(path, how):
    sitk.WriteImage(how(sitk.ReadImage(str(path))), str(path))


def labels_of(cohort, name):
    return cohort / "brats" / name / f"{name}_seg.nii.gz"


def finer(image):
    """The same labels, four voxels in the place of each."""
    return sitk.Expand(image, [2, 2, 1], sitk.sitkNearestNeighbor)


@pytest.mark.parametrize(
    "otherwise",
    [
        pytest.param(lambda image: sitk.Flip(image, [True, False, True]), id="flipped"),
        pytest.param(lambda image: sitk.DICOMOrient(image, "SAR"), id="turned"),
        pytest.param(lambda image: image[8:64, 10:60, 2:], id="cut"),
        pytest.param(finer, id="finer"),
    ],
)
def test_labels_on_another_grid_are_scored_in_their_place(cohort, otherwise):
    case = read_cohort(cohort)[0]
    expected = sitk.GetArrayFromImage(load_labeled(case)[1])
    change(labels_of(cohort, "toy0"), otherwise)
    loaded, truth = load_labeled(read_cohort(cohort)[0])
    assert truth.IsSameImageGeometryAs(loaded.reference_scan.image)
    assert np.array_equal(sitk.GetArrayFromImage(truth), expected)


def test_labels_that_lie_elsewhere_are_not_scored_as_if_they_lay_on_the_scan(cohort, pack, capsys):
    def away(image):
        image.SetOrigin((500, 500, 500))
        return image

    change(labels_of(cohort, "toy1"), away)
    with pytest.raises(TrainingError, match="have the voxels of its T1 but lie 500 mm"):
        load_labeled(read_cohort(cohort)[1])
    assert evaluate(cohort, pack, cohort / "scores") == 9
    assert "toy1" in capsys.readouterr().err


def test_a_sequence_that_a_pack_needs_and_one_case_lacks_is_told_before_any_is_segmented(
    cohort, pack, monkeypatch, capsys
):
    rows = ["case\tfold\tlabel_protocol\tt1\tt1ce\tflair\tlabels"]
    for number in range(2):
        name = f"toy{number}"
        files = [f"brats/{name}/{name}_{word}.nii.gz" for word in ("t1", "t1ce", "flair", "seg")]
        files[2] = "" if number else files[2]
        rows.append("\t".join([name, str(number), "core1_edema2_enhancing4", *files]))
    (cohort / "cases.tsv").write_text("\n".join(rows))
    monkeypatch.setattr(
        "BrainTumorSegLib.evaluation.runs.segment", lambda *_: pytest.fail("computed")
    )
    assert evaluate(cohort, pack, cohort / "scores") == 3
    assert "needs FLAIR, which case 'toy1' does not have" in capsys.readouterr().err


def test_a_file_in_the_place_of_the_scores_is_told_before_any_case_is_read(cohort, pack, capsys):
    (cohort / "scores").write_text("notes")
    labels_of(cohort, "toy1").write_bytes(b"")
    assert evaluate(cohort, pack, cohort / "scores") == 4
    assert "scores is a file, not a folder" in capsys.readouterr().err
    assert (cohort / "scores").read_text() == "notes"


def test_without_folds_nobody_can_tell_which_members_saw_a_case(cohort, pack, capsys):
    table = cohort / "cases.tsv"
    rows = [row.split("\t") for row in table.read_text().splitlines()]
    table.write_text("\n".join(f"{name}\t{protocol}" for name, _, _, protocol in rows))
    assert evaluate(cohort, pack, cohort / "scores") == 9
    told = capsys.readouterr().err
    assert "which fold" in told and "--data RUN" in told and "--ensemble" in told
    assert evaluate(cohort, pack, cohort / "scores", "--ensemble") == 0


def test_the_tables_of_an_evaluation_agree_with_one_another(cohort, pack, tmp_path):
    again = tmp_path / "again"
    assert evaluate(cohort, pack, again, "--tta", "none", "tta1") == 0
    with (again / "groups.csv").open() as stream:
        groups = list(csv.DictReader(stream))
    with (again / "cases.csv").open() as stream:
        cases = list(csv.DictReader(stream))
    with (again / "comparisons.csv").open() as stream:
        (row,) = [
            r for r in csv.DictReader(stream) if (r["tissues"], r["measure"]) == ("WT", "dice")
        ]
    dice = {(g["case"], g["arm"]): float(g["dice"]) for g in groups if g["tissues"] == "WT"}
    assert {(c["case"], c["arm"]): float(c["WT"]) for c in cases} == pytest.approx(dice, abs=6e-4)
    gained = np.mean([dice[name, "tta1"] - dice[name, "none"] for name in ("toy0", "toy1")])
    assert float(row["difference"]) == pytest.approx(gained, abs=2e-3)
