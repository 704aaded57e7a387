"""What storing weights in fewer bits may cost, and packs made of a training run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_cases import PACK_TABLE

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.errors import PackError, TrainingError
from BrainTumorSegLib.inference.labels import decode_slices
from BrainTumorSegLib.models.network_spec import NetworkSpec
from BrainTumorSegLib.models.networks import build_network
from BrainTumorSegLib.models.packs import load_pack, verify_pack
from BrainTumorSegLib.models.weights import save_weights
from BrainTumorSegLib.training import export
from BrainTumorSegLib.training.cohort import read_cohort, write_cohort
from BrainTumorSegLib.training.config import TrainingConfig, keep_config, run_command
from BrainTumorSegLib.training.export import QuantizationCheck, check_member, require_small_loss
from BrainTumorSegLib.training.volumes import LabeledVolume

SPEC = NetworkSpec(encoder="mobilenet_v2", encoder_depth=4)
CONFIG = TrainingConfig(network=SPEC, fold=0)

RECIPE = f"""
[training.network]
encoder = "mobilenet_v2"
encoder_depth = 4

{PACK_TABLE}"""


def member(seed=0):
    """A network of chance whose norms fit its input, so that its labels vary."""
    torch.manual_seed(seed)
    network = build_network(SPEC)
    for norm in network.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(6, 3, 64, 64))
    return network.eval()


def called_by(network, name="own"):
    """A volume of noise whose truth is what a network calls it: its Dice is 1."""
    scans = np.random.default_rng(0).normal(size=(3, 6, 64, 64)).astype(np.float16)
    images = torch.from_numpy(scans.astype(np.float32)).transpose(0, 1)
    with torch.inference_mode():
        labels = decode_slices(network(images).softmax(dim=1).numpy())
    return LabeledVolume(name, scans, (1 << labels).astype(np.uint8))


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A cohort of two cases by name alone; their volumes come from elsewhere."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = ["case\tlooks_like\tfold\tlabel_protocol"]
    for number in range(2):
        place = folder / f"c{number}"
        place.mkdir()
        for key in ("t1", "t1ce", "flair", "seg"):
            (place / f"c{number}_{key}.nii.gz").touch()
        rows.append(f"c{number}\ttoy\t{number}\tcore1_edema2_enhancing4")
    (folder / "cases.tsv").write_text("\n".join(rows) + "\n")
    return read_cohort(folder)


@pytest.fixture
def volumes(monkeypatch):
    """Volumes by case, each what the member of its fold calls it; who asked for which."""
    made = {f"c{n}": called_by(member(n), f"c{n}") for n in range(2)}
    asked = []

    def load(case, cache, progress, shown):
        asked.append(case.name)
        return made[case.name]

    monkeypatch.setattr(export, "load_volume", load)
    return asked


@pytest.fixture
def run(tmp_path, cases):
    """A finished run of two members."""
    folder = tmp_path / "run"
    for fold in range(2):
        place = folder / f"fold{fold}"
        place.mkdir(parents=True)
        save_weights(member(fold).state_dict(), place / "weights.safetensors", "fp32", SPEC)
        record = {
            "config": replace(CONFIG, fold=fold).as_dict(),
            "cases": [],
            "finished": "2026-11-23T11:54:37+00:00",
            "version": "0.1.0",
        }
        (place / "run.json").write_text(json.dumps(record))
    write_cohort(cases, folder)
    recipe = tmp_path / "toy.toml"
    recipe.write_text(RECIPE)
    keep_config(recipe, "brain-tumor-seg train --recipe toy.toml --folds 0", folder)
    return folder


def test_a_member_is_compared_on_the_cases_that_were_left_out_of_it(cases, volumes):
    check = check_member(
        "fold1", member(1).state_dict(), replace(CONFIG, fold=1), _check(cases, "fp16")
    )
    assert volumes == ["c1"]
    assert check.cases == 1 and check.slices == 6
    assert check.means[0] == pytest.approx(1.0)


def test_the_figures_are_those_of_the_stored_weights(cases, volumes):
    check = check_member("fold0", member().state_dict(), CONFIG, _check(cases, "int8"))
    assert check.loss > 0 and check.differing > 0 and check.worst == "c0"
    finer = check_member("fold0", member().state_dict(), CONFIG, _check(cases, "fp16"))
    assert finer.loss < check.loss and finer.differing < check.differing
    assert finer.probability < check.probability


def test_weights_as_trained_lose_nothing(cases, volumes):
    check = check_member("fold0", member().state_dict(), CONFIG, _check(cases, "fp32"))
    assert check.loss == 0 and check.differing == 0 and check.probability == 0


def test_what_loses_too_much_is_refused_with_the_figures_and_a_way_out(cases, volumes):
    check = check_member("fold0", member().state_dict(), CONFIG, _check(cases, "int8"))
    require_small_loss([check], check.loss)
    with pytest.raises(PackError) as caught:
        require_small_loss([check], check.loss / 2)
    assert "fold0 from 1.0000 to" in caught.value.message
    assert f"{check.loss:.4f}" in caught.value.message
    assert "--precision fp16" in caught.value.remedy


def test_a_member_without_a_case_is_compared_on_held_out_synthesis(monkeypatch):
    asked = []

    def make(config, sources, seed, number, cache, shown):
        asked.append((config.part, seed, number))
        return called_by(member(), f"s{number}")

    monkeypatch.setattr(export, "synthetic_volume", make)
    check = check_member("fold0", member().state_dict(), CONFIG, QuantizationCheck("fp16"))
    assert asked == [("held_out", CONFIG.validation.seed, n) for n in range(export.SAMPLES)]
    assert check.cases == export.SAMPLES and "held-out" in check.data
    with pytest.raises(TrainingError, match="fold 0"):
        check_member("fold0", member().state_dict(), CONFIG, QuantizationCheck("fp16", on="cases"))


def test_a_pack_is_made_of_the_folder_of_a_run(run, volumes, tmp_path):
    assert _export(run, tmp_path / "pack", "--allowed-loss", "1") == 0
    pack = load_pack(tmp_path / "pack")
    verify_pack(pack)
    assert [m.name for m in pack.members] == ["fold0", "fold1"]
    assert {m.precision for m in pack.members} == {"int8"}
    assert pack.provenance["command"] == "brain-tumor-seg train --recipe toy.toml --folds 0"
    assert [figure["measure"][-5:] for figure in pack.validation] == ["fold0", "fold1"]
    assert all(figure["value"] > 0 for figure in pack.validation)
    assert all("models export RUN PACK" in figure["command"] for figure in pack.validation)
    card = (pack.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "## Stored in int8, against fp32" in card and "1.0000 /" in card


def test_a_run_that_loses_too_much_makes_no_pack(run, volumes, tmp_path, capsys):
    assert _export(run, tmp_path / "pack", "--allowed-loss", "1e-9") == PackError.exit_code
    assert not (tmp_path / "pack").exists()
    assert "--precision fp16" in capsys.readouterr().err


def test_a_pack_of_some_members_in_a_zip_in_full_precision(run, volumes, tmp_path):
    archive = tmp_path / "pack.zip"
    assert _export(run, archive, "--members", "fold1", "--precision", "fp32") == 0
    assert archive.is_file() and not volumes
    shutil.unpack_archive(archive, tmp_path / "out")
    pack = load_pack(tmp_path / "out" / "toy")
    assert [m.name for m in pack.members] == ["fold1"] and not pack.validation


def test_a_finished_pack_is_exported_as_before(run, volumes, tmp_path):
    assert _export(run, run / "toy", "--precision", "fp32") == 0
    assert cli.main(["models", "export", str(run / "toy"), str(tmp_path / "copy")]) == 0
    assert load_pack(tmp_path / "copy").members == load_pack(run / "toy").members


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: (run / "recipe.toml").unlink(), "--recipe"),
        (lambda run: (run / "cases.tsv").write_text("case\nabsent\n"), "--check-on synthesis"),
    ],
)
def test_what_is_missing_in_a_run_is_named(run, tmp_path, capsys, spoil, words):
    spoil(run)
    assert _export(run, tmp_path / "pack") == TrainingError.exit_code
    assert words in capsys.readouterr().err


def test_commands_that_trained_parts_of_a_run_all_stay_on_record(run, tmp_path):
    again = "brain-tumor-seg train --recipe toy.toml --folds 1"
    for _ in range(2):
        keep_config(tmp_path / "toy.toml", again, run)
    assert run_command(run, tmp_path / "toy.toml").split(" && ")[1:] == [again]
    for number in range(40):
        keep_config(tmp_path / "toy.toml", f"{again} --seeds {number}", run)
    assert len(run_command(run, tmp_path / "toy.toml")) <= 1000


def _check(cases, precision):
    return QuantizationCheck(precision, cases)


def _export(run, destination, *options):
    return cli.main(
        ["models", "export", str(run), str(destination), "--progress", "none", *options]
    )
