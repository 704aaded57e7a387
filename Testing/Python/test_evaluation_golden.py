"""``evaluate`` writes for two toy cases what it wrote when its files were recorded.

The networks are replaced by thresholds, so that every figure follows from fixed labels. A change
that should move a figure remakes the files with ``python Testing/Python/test_evaluation_golden.py``
and says in its commit why.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
import SimpleITK as sitk
from toy_cases import write_toy_cohort

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.evaluation import runs

FOLDER = Path(__file__).resolve().parents[1] / "Golden" / "evaluation"
TABLES = ("cases.csv", "groups.csv", "comparisons.csv", "tumour_free.csv")


def threshold(case, options, progress):
    """Labels of bright voxels of T1CE, smoothed once a view."""
    image = case.scans[Sequence.T1CE].image
    for _ in range(1 if options.tta == "none" else 2):
        image = sitk.Mean(image, (1, 1, 0))
    edema, enhancing = (sitk.GetArrayViewFromImage(image) > limit for limit in (128, 165))
    labels = sitk.GetImageFromArray(np.where(enhancing, 4, 2 * edema).astype(np.uint8))
    labels.CopyInformation(image)
    return SimpleNamespace(labels=labels, record={"warnings": []})


def evaluate(folder: Path) -> Path:
    """The folder with the results of two cases, two arms, a condition and a tumor-free scan."""
    write_toy_cohort(folder, 2)
    healthy = folder / "healthy"
    healthy.mkdir()
    for sequence in Sequence:
        name = f"toy1_{sequence.value}.nii.gz"
        scan = sitk.ReadImage(str(folder / "brats" / "toy1" / name))
        sitk.WriteImage(sitk.Clamp(scan, upperBound=128.5), str(healthy / name))
    output = folder / "scores"
    with patch.object(runs, "segment", threshold):
        code = cli.main(
            [
                *("evaluate", "--data", str(folder), "--pack", "glioma-lite", "-o", str(output)),
                *("--tta", "none", "tta1", "--conditions", "noise"),
                *("--measures", "surface", "lesions", "--tumour-free", str(healthy)),
                *("--progress", "none"),
            ]
        )
    assert code == 0
    return output


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    pytest.importorskip("monai", reason="HD95 and NSD need the extra evaluate (MONAI)")
    pytest.importorskip("panoptica", reason="lesions need the extra evaluate (panoptica)")
    return evaluate(tmp_path_factory.mktemp("golden"))


def near(value):
    """The value with its numbers compared to four digits, as files round them."""
    if isinstance(value, dict):
        return {key: near(item) for key, item in value.items()}
    if isinstance(value, list):
        return [near(item) for item in value]
    return pytest.approx(value, abs=1e-3) if isinstance(value, float) else value


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_on_record(output, name):
    found, expected = (
        list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        for path in (output / name, FOLDER / name)
    )
    assert found == expected


def test_the_summary_is_that_on_record(output):
    found, expected = (
        json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        for folder in (output, FOLDER)
    )
    assert found == near(expected)


def test_the_tables_for_people_are_those_on_record(output):
    found, expected = (
        (folder / "tables.md").read_text(encoding="utf-8") for folder in (output, FOLDER)
    )
    assert found == expected


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        made = evaluate(Path(temporary))
        FOLDER.mkdir(parents=True, exist_ok=True)
        for file in (*TABLES, "summary.json", "tables.md"):
            text = (made / file).read_text(encoding="utf-8")
            if file == "summary.json":
                text = json.dumps(json.loads(text)) + "\n"
            (FOLDER / file).write_text(text, encoding="utf-8", newline="\n")
    sys.exit(0)
