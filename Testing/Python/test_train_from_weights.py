"""A member can begin with weights of a pack or of another run, and never with a leak."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_cases import PACK_TABLE, TINY, toy_volume

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.networks import NetworkSpec, build_network
from BrainTumorSegLib.models.packs import NewMember, make_pack
from BrainTumorSegLib.models.packs.manifest import label_key
from BrainTumorSegLib.models.weights import save_weights
from BrainTumorSegLib.training import checkpoint, imagenet
from BrainTumorSegLib.training.case_files import read_protocol
from BrainTumorSegLib.training.checkpoint import find_initial_weights, load_initial_weights
from BrainTumorSegLib.training.cohort import LabeledCase, join_folds
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.dataset import TrainingData
from BrainTumorSegLib.training.trainer import train_member


def write_run(folder, folds, cases=("seen",), config=TINY):
    """A finished run whose members hold random weights."""
    for fold in folds:
        member = folder / f"fold{fold}"
        member.mkdir(parents=True)
        torch.manual_seed(fold)
        state = build_network(config.network).state_dict()
        save_weights(state, member / "weights.safetensors", "fp32", config.network)
        record = {"config": replace(config, fold=fold).as_dict(), "cases": list(cases)}
        (member / "run.json").write_text(json.dumps(record))
    return folder


def start_from(place, fold=0, **changes):
    return replace(TINY, start_from=str(place), fold=fold, **changes)


def labeled(name, fold):
    return LabeledCase(
        name, "toy", fold, read_protocol("core1_edema2_enhancing4"), {}, Path("labels")
    )


def left_out(fold, *names):
    return [labeled(name, fold) for name in names]


def test_the_first_step_is_taken_from_the_weights_given(tmp_path):
    run = write_run(tmp_path / "run", [0])
    config = start_from(run, steps=1, learning_rate=1e-12, weight_decay=0.0, ema_decay=0.0)
    initial = find_initial_weights(config, left_out(0, "left out"))
    data = TrainingData([toy_volume()])
    state = train_member(data, config, tmp_path / "out", initial=initial).state
    kernels = [name for name, value in initial.state.items() if value.dim() == 4]
    assert kernels
    for name in kernels:
        torch.testing.assert_close(state[name], initial.state[name], atol=1e-6, rtol=0)


def test_of_several_members_the_one_without_the_same_fold_is_taken(tmp_path):
    run = write_run(tmp_path / "run", [0, 1, 2])
    assert find_initial_weights(start_from(run, 1), []).origin == "run fold1"


def test_a_run_with_one_member_serves_every_fold_it_has_not_seen(tmp_path):
    run = write_run(tmp_path / "base", [0])
    assert find_initial_weights(start_from(run, 2), left_out(2, "other")).origin == "base fold0"


def test_a_member_that_has_seen_the_fold_left_out_is_refused(tmp_path):
    run = write_run(tmp_path / "run", [0], cases=["seen", "also"])
    with pytest.raises(TrainingError, match="also and 1 more cases of fold 2") as caught:
        find_initial_weights(start_from(run, 2), left_out(2, "seen", "also", "other"))
    assert "--join-folds" in caught.value.remedy


def test_a_run_without_a_member_for_the_fold_is_refused(tmp_path):
    run = write_run(tmp_path / "run", [0, 1])
    with pytest.raises(TrainingError, match="several members for fold 4: fold0, fold1"):
        find_initial_weights(start_from(run, 4), [])


@pytest.mark.parametrize(
    "change",
    [
        {"network": NetworkSpec(encoder="mobilenet_v2", encoder_depth=4)},
        {"network": NetworkSpec("unet", "mobilenet_v2", 3)},
        {"input_channels": "neighbours"},
    ],
)
def test_weights_of_another_network_or_input_are_refused(tmp_path, change):
    run = write_run(tmp_path / "run", [0])
    with pytest.raises(TrainingError, match="linknet with mobilenet_v2, depth 3, input mixture"):
        find_initial_weights(start_from(run, **change), [])


def test_a_pack_gives_the_member_of_the_fold_and_any_to_folds_it_does_not_know(
    tmp_path, pack_fields
):
    pack = tmp_path / "pack"
    members = []
    for fold in (0, 1):
        torch.manual_seed(fold)
        network = build_network(TINY.network)
        members.append(NewMember(f"fold{fold}", network.state_dict(), {"fold": fold}))
    make_pack(pack, pack_fields, members, "fp32")
    assert find_initial_weights(start_from(pack, 1), []).origin.endswith("fold1")
    assert find_initial_weights(start_from(pack, 2), []).origin.endswith("fold0")


def test_a_pack_that_names_its_labels_gives_a_member_that_never_saw_those_left_out(
    tmp_path, pack_fields
):
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        file.write_text(file.name)
    keys = [label_key(file_sha256(file)) for file in files]
    state = build_network(TINY.network).state_dict()
    members = [
        NewMember(f"saw-{file.name}", state, {"fold": 1 - n}, frozenset({keys[n]}))
        for n, file in enumerate(files)
    ]
    make_pack(tmp_path / "pack", pack_fields, members, "fp32")
    # What is called fold 0 today was fold 1 when the pack was trained.
    case = replace(labeled("x", 0), labels=files[0])
    config = start_from(tmp_path / "pack", 0)
    assert find_initial_weights(config, [case]).origin.endswith("saw-b")
    both = [case, replace(labeled("y", 0), labels=files[1])]
    with pytest.raises(TrainingError, match="was trained on"):
        find_initial_weights(config, both)


@pytest.fixture
def pack_fields():
    fields = tomllib.loads(PACK_TABLE)["pack"]
    return {
        "recipe": TINY.input_channels,
        "network": TINY.network.as_dict(),
        "provenance": {
            "sources": fields.pop("sources"),
            "command": "none",
            "date": "2026-01-01",
            "code_version": "0",
        },
        "validation": [],
        **fields,
    }


def test_joined_folds_are_left_out_together():
    cases = [labeled(f"case{fold}", fold) for fold in range(4)]
    joined = join_folds(cases, [1, 3])
    assert [case.fold for case in joined] == [0, 1, 2, 1]
    assert join_folds(cases, []) == cases
    with pytest.raises(TrainingError, match="no fold 9"):
        join_folds(cases, [1, 9])


def test_an_older_configuration_starts_from_nothing():
    fields = TINY.as_dict()
    del fields["start_from"]
    assert TrainingConfig.from_dict(fields) == TINY


def test_an_encoder_starts_from_imagenet_and_the_decoder_from_random_weights(tmp_path, monkeypatch):
    spec = NetworkSpec(encoder="tu-tf_efficientnet_lite0", encoder_depth=5)
    torch.manual_seed(1)
    encoder = build_network(spec).encoder.state_dict()
    stored = [*(f"a{n}" for n in range(len(encoder))), "classifier.weight"]
    values = [value + 1 for value in encoder.values()]
    torch.save(dict(zip(stored, [*values, torch.zeros(9)], strict=True)), tmp_path / "e.pth")
    monkeypatch.setattr(checkpoint, "imagenet_file", lambda _: tmp_path / "e.pth")
    monkeypatch.setattr(imagenet, "imagenet_file", lambda _: tmp_path / "e.pth")
    initial = find_initial_weights(start_from("imagenet", network=spec), [])
    torch.manual_seed(2)
    network = build_network(spec)
    decoder = {n: v.clone() for n, v in network.state_dict().items() if "encoder" not in n}
    load_initial_weights(network, spec, initial)
    state = network.state_dict()
    assert all(torch.equal(state[f"encoder.{n}"], v + 1) for n, v in encoder.items())
    assert all(torch.equal(state[name], value) for name, value in decoder.items())
    with pytest.raises(TrainingError, match="are not those of 'mobilenet_v2'"):
        imagenet.imagenet_weights(TINY.network)


def test_encoders_without_such_weights_are_named_with_those_that_have_them():
    with pytest.raises(TrainingError, match="no ImageNet weights of 'mobilenet_v2'") as caught:
        find_initial_weights(start_from("imagenet"), [])
    assert "tu-tf_efficientnet_lite0" in caught.value.remedy
