"""The count of small parts far from real tumours."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Benchmark"))

import islands


def write_tumor(path, *columns):
    """A cube of 8 mL, and cubes of 0.125 mL that begin at other columns."""
    labels = np.zeros((20, 20, 80), np.uint8)
    labels[:, :, :20] = 1
    for column in columns:
        labels[5:10, 5:10, column : column + 5] = 4
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(path))


def test_parts_are_counted_by_size_and_distance(tmp_path, monkeypatch, capsys):
    write_tumor(tmp_path / "one.nii.gz")
    write_tumor(tmp_path / "two.nii.gz", 24, 35, 60)
    monkeypatch.setattr(sys, "argv", ["islands.py", "--labels", str(tmp_path)])
    assert islands.main() == 0
    told = capsys.readouterr().out
    assert told.startswith("2 label maps, 3 parts of 100 mm3")
    assert "| 2 % | 0 mm | 3 | 1 | 0.4 |" in told
    assert "| 5 % | 10 mm | 2 | 1 | 0.2 |" in told
    assert "| 10 % | 20 mm | 1 | 1 | 0.1 |" in told
