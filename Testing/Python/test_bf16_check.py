"""The check of bf16 against fp32: its arithmetic, and that it runs on a real case."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).resolve().parents[1] / "Benchmark"
sys.path.insert(0, str(BENCHMARK))

import bf16 as check  # noqa: E402

from BrainTumorSegLib.core.requirements import installed_version  # noqa: E402
from BrainTumorSegLib.inference.engines.choosing import native_bf16  # noqa: E402
from BrainTumorSegLib.models.packs import load_pack  # noqa: E402
from BrainTumorSegLib.models.packs.card import model_card  # noqa: E402
from BrainTumorSegLib.models.packs.manifest import BF16_LIMIT  # noqa: E402


def row(case: str, fp32: dict, bf16: dict) -> dict:
    return {"case": case, "differing": 1e-4, "fp32": fp32, "bf16": bf16}


def rows() -> list[dict]:
    return [
        row("a", {"WT": 0.9, "TC": 0.8, "ET": 0.5}, {"WT": 0.901, "TC": 0.8, "ET": 0.4}),
        row("b", {"WT": 0.7, "TC": 0.6}, {"WT": 0.7, "TC": 0.602}),
        row("c", {"WT": 0.5, "ET": 0.1}, {"WT": 0.499, "ET": 0.18}),
    ]


def test_a_mean_is_taken_over_the_cases_whose_truth_can_tell():
    changes = check.mean_changes(rows())
    assert changes == pytest.approx({"WT": 0.0, "TC": 0.001, "ET": -0.01}, abs=1e-12)


def test_the_tables_show_the_worst_case_and_leave_out_what_cannot_be_told():
    *_, last = check.summary(rows())
    assert last == "| ET | 0.30000 | 0.29000 | -0.01000 | -0.10000 (a) |"
    assert check.rounded_up(abs(c) for c in check.changes(rows()[2]).values()) in (0.08, 0.08001)
    line = list(check.by_case(rows()))[3]
    assert line == "| b | 100 in a million | 0.7000, +0.0000 | 0.6000, +0.0020 |  |"


def test_labels_are_compared_after_cleaning_up():
    allowed = np.full((12, 40, 40), 1, np.uint8)  # background alone is allowed
    tumor = (slice(3, 9), slice(5, 20), slice(5, 20))
    allowed[tumor] = 1 << 2
    fp32 = np.zeros(allowed.shape, np.uint8)
    fp32[tumor] = 2
    bf16 = fp32.copy()
    bf16[11, 38, 38] = 2  # a speck, which no run reports
    found = check.compare("a", {"fp32": fp32, "bf16": bf16, "brain": np.array(1000)}, allowed)
    assert found["differing"] == 0 and found["fp32"]["WT"] == found["bf16"]["WT"] == 1
    bf16[4, 5:15, 5:15] = 0
    found = check.compare("a", {"fp32": fp32, "bf16": bf16, "brain": np.array(1000)}, allowed)
    assert found["differing"] == 0.1
    assert found["bf16"]["WT"] == pytest.approx(2 * 1250 / (1350 + 1250))


def test_bf16_is_allowed_by_a_small_change_of_the_means_alone_and_the_card_tells_both_changes():
    found = {"dice_change": BF16_LIMIT, "case_change": 0.003}
    found |= {"cases": 31, "data": "real cases", "command": "check it"}
    pack = replace(load_pack("glioma-lite"), bf16=found)
    assert pack.allows_bf16
    assert not replace(pack, bf16={**found, "dice_change": 1.01 * BF16_LIMIT}).allows_bf16
    assert not replace(pack, bf16=None).allows_bf16
    # Nobody vouches for a manifest that was only listed.
    assert not replace(pack, checked=False).allows_bf16
    told = "by at most 0.001, Dice of a case by 0.003 (31 real cases; `check it`)"
    assert told in model_card(pack)
    assert "bf16" not in model_card(replace(pack, bf16=None))


@pytest.mark.skipif(installed_version("openvino") is None, reason="OpenVINO is not installed")
@pytest.mark.skipif(not native_bf16(), reason="this processor has no bf16")
def test_a_real_case_hardly_changes_and_the_last_line_fits_a_manifest(
    real_data, tmp_path, monkeypatch, capsys
):
    whole = check.load_volume

    def few_slices(case, cache):
        volume = whole(case, None)
        tumor = ((np.asarray(volume.allowed) & 1) == 0).sum(axis=(1, 2))
        middle = int(tumor.argmax())
        part = slice(middle - 4, middle + 4)
        return check.argparse.Namespace(
            scans=np.asarray(volume.scans)[:, part], allowed=np.asarray(volume.allowed)[part]
        )

    monkeypatch.setattr(check, "load_volume", few_slices)
    words = ["--data", str(real_data), "--work", str(tmp_path), "--cases", "BraTS2021_01477"]
    monkeypatch.setattr(sys, "argv", ["bf16.py", *words, "--pack", "glioma-lite"])
    check.main()
    out = capsys.readouterr().out
    assert "1 cases, pack glioma-lite" in out
    figure = json.loads("{" + out.splitlines()[-1].split("manifest: ")[1] + "}")["bf16"]
    assert figure["cases"] == 1 and 0 <= figure["dice_change"] <= figure["case_change"] < 0.01
    (kept,) = tmp_path.glob("*-bf16-check.npz")
    labels = np.load(kept)
    assert len(labels["fp32"]) == 8 and (labels["fp32"] > 0).sum() > 1000
    differing = (labels["fp32"] != labels["bf16"]).sum()
    assert 0 < differing < 0.02 * (labels["fp32"] > 0).sum()
