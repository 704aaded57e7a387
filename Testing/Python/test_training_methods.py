"""Optimisers, schedules, precision, choosing checkpoints, mixing: each does what it says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from toy_cases import BIT, TINY, same, stopping_in, toy_volume

from BrainTumorSegLib.core.errors import Cancelled, TrainingError
from BrainTumorSegLib.core.tissue import LabelProtocol, Tissue
from BrainTumorSegLib.synthesis.config import SynthesisConfig, held_out
from BrainTumorSegLib.training import dataset, trainer
from BrainTumorSegLib.training.checkpoint import find_members
from BrainTumorSegLib.training.cohort import LabeledCase
from BrainTumorSegLib.training.config import FORMER_KEYS, SyntheticShare, Validation
from BrainTumorSegLib.training.dataset import SliceSampler, TrainingData, collect_cases
from BrainTumorSegLib.training.distributed import Machine
from BrainTumorSegLib.training.logger import draw_curves
from BrainTumorSegLib.training.optimizers import MixedPrecision, learning_rate_at, make_optimizer
from BrainTumorSegLib.training.trainer import train_member, validate
from BrainTumorSegLib.training.volumes import LabeledVolume

DATA = TrainingData(
    [toy_volume("a", 0), toy_volume("b", 1)],
    synthetic=[toy_volume("s", 2)],
    validation=[toy_volume("v", 3)],
)
PLAIN = TrainingData(DATA.volumes)
NO_DECAY = replace(TINY, weight_decay=0.0)


# --- resuming ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "architecture"),
    [*((name, "linknet") for name in ("adamw", "adam", "radam", "ranger")), ("ralamb", "fpn")],
)
def test_every_optimizer_goes_on_bit_for_bit_with_dropout_synthesis_and_a_best_checkpoint(
    tmp_path, optimizer, architecture
):
    # Seven steps pass the sixth, where Lookahead goes back; the checkpoint is at four.
    config = replace(
        NO_DECAY,
        optimizer=optimizer,
        network=replace(TINY.network, architecture=architecture),
        schedule="flat-cosine",
        steps=7,
        checkpoint_every=4,
        synthesis=SyntheticShare(samples=1, share=0.5),
        validation=Validation(every=3, slices=2),
    )
    whole = train_member(DATA, config, tmp_path / "whole")
    with pytest.raises(Cancelled):
        train_member(DATA, config, tmp_path / "killed", progress=stopping_in(6))
    resumed = train_member(DATA, config, tmp_path / "killed")
    assert same(whole.state, resumed.state)
    assert (whole.step, whole.score) == (resumed.step, resumed.score)
    for name in ("log.csv", "validation.csv"):
        tables = [(tmp_path / run / name).read_text() for run in ("whole", "killed")]
        assert tables[0] == tables[1]
    last = [torch.load(tmp_path / run / "checkpoint.pt") for run in ("whole", "killed")]
    assert same(last[0]["network"], last[1]["network"])


def test_a_checkpoint_of_release_0_1_is_continued(tmp_path):
    config = replace(TINY, checkpoint_every=2)
    whole = train_member(PLAIN, config, tmp_path / "whole")
    with pytest.raises(Cancelled):
        train_member(PLAIN, config, tmp_path / "old", progress=stopping_in(5))
    path = tmp_path / "old" / "checkpoint.pt"
    state = torch.load(path)
    for old, new in FORMER_KEYS.items():
        state["config"][old] = state["config"].pop(new)
    torch.save(state | {"scaler": None, "best": {"score": -1.0, "step": 0, "state": {}}}, path)
    assert same(train_member(PLAIN, config, tmp_path / "old").state, whole.state)


@pytest.mark.parametrize("half", ["x", "1"])
def test_a_half_written_line_is_forgotten(tmp_path, half):
    train_member(PLAIN, replace(TINY, steps=1), tmp_path)
    whole = (tmp_path / "log.csv").read_text()
    with (tmp_path / "log.csv").open("a") as stream:
        stream.write(half)
    train_member(PLAIN, replace(TINY, steps=1), tmp_path)
    assert (tmp_path / "log.csv").read_text() == whole


def test_a_damaged_checkpoint_is_named(tmp_path):
    train_member(PLAIN, replace(TINY, steps=1), tmp_path)
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(b"\x80\x02")] ^= 0xFF
    for damaged in (whole[:-2000], b"", b"something else", bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(
            TrainingError, match=r"checkpoint\.pt is damaged: .* Delete it to start"
        ):
            train_member(PLAIN, replace(TINY, steps=1), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: [1, 2],
        lambda state: {},
        lambda state: {"config": state["config"]},
        lambda state: state | {"config": 3},
        lambda state: state | {"network": {}},
        lambda state: state | {"network": {k: v.flatten() for k, v in state["network"].items()}},
        lambda state: state | {"average": 3},
        lambda state: state | {"optimiser": {"state": {}, "param_groups": []}},
        lambda state: state | {"step": "many"},
        lambda state: state | {"best": {"state": {"a": 1}, "unknown": 2}},
    ],
)
def test_a_checkpoint_that_holds_something_else_is_named(tmp_path, change):
    train_member(PLAIN, replace(TINY, steps=1), tmp_path)
    path = tmp_path / "checkpoint.pt"
    torch.save(change(torch.load(path)), path)
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged: .* Delete it to start"):
        train_member(PLAIN, replace(TINY, steps=1), tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"config": {}}', '{"cases": 1}', "\xff"])
def test_a_damaged_record_of_a_member_is_named(tmp_path, text):
    (tmp_path / "fold0").mkdir()
    (tmp_path / "fold0" / "run.json").write_text(text, encoding="latin-1")
    with pytest.raises(TrainingError, match=r"run\.json is damaged: .* Delete it"):
        find_members(tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a,b\n1,2\n"])
def test_a_damaged_table_of_a_member_is_named(tmp_path, content):
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(TrainingError, match=r"log\.csv is damaged: .* Remove it"):
        train_member(PLAIN, replace(TINY, steps=1), tmp_path)


def test_threads_that_prepare_batches_change_nothing(tmp_path):
    alone = train_member(PLAIN, TINY, tmp_path / "0")
    helped = train_member(PLAIN, TINY, tmp_path / "2", Machine(workers=2))
    assert same(alone.state, helped.state)


# --- optimisers ----------------------------------------------------------------------------


def public_ralamb(parameter, gradients, rate, betas=(0.9, 0.999), eps=1e-8):
    """RAdam (Liu et al. 2019) with LAMB's trust ratio over the norm of the updated weights."""
    m, v = torch.zeros_like(parameter), torch.zeros_like(parameter)
    longest = 2 / (1 - betas[1]) - 1
    for step, gradient in enumerate(gradients, start=1):
        m = betas[0] * m + (1 - betas[0]) * gradient
        v = betas[1] * v + (1 - betas[1]) * gradient**2
        length = longest - 2 * step * betas[1] ** step / (1 - betas[1] ** step)
        size = rate / (1 - betas[0] ** step)
        if length >= 5:
            rectified = (length - 4) / (longest - 4) * (length - 2) / length
            size *= math.sqrt((1 - betas[1] ** step) * rectified * longest / (longest - 2))
            direction = m / (v.sqrt() + eps)
        else:
            direction = m
        updated = parameter - size * direction
        ratio = parameter.norm().clamp(0, 10) / updated.norm()
        parameter = parameter - size * ratio * direction
    return parameter


def test_ralamb_is_the_public_one_with_lookahead_every_sixth_step():
    generator = torch.Generator().manual_seed(0)
    module = nn.Linear(7, 5, bias=False)
    start = module.weight.detach().clone()
    optimizer = make_optimizer(module, replace(NO_DECAY, optimizer="ralamb", learning_rate=1e-2))
    inner = optimizer.optimizer
    gradients = [torch.randn(5, 7, generator=generator) for _ in range(60)]
    for gradient in gradients[:6]:
        module.weight.grad = gradient.clone()
        optimizer.step()
    fast = public_ralamb(start, gradients[:6], 1e-2)
    torch.testing.assert_close(module.weight.detach(), (start + fast) / 2, atol=1e-7, rtol=0)

    # Without Lookahead all sixty steps can be compared, past the point of rectification.
    module.weight.data.copy_(start)
    inner.state.clear()
    for group in inner.param_groups:
        group["step"] = 0
    for gradient in gradients:
        module.weight.grad = gradient.clone()
        inner.step()
    expected = public_ralamb(start, gradients, 1e-2)
    torch.testing.assert_close(module.weight.detach(), expected, atol=2e-7, rtol=0)


def test_ranger_centralises_gradients_and_looks_ahead():
    module = nn.Linear(7, 5, bias=False)
    start = module.weight.detach().clone()
    optimizer = make_optimizer(module, replace(NO_DECAY, optimizer="ranger", learning_rate=1e-2))
    (group,) = (g for g in optimizer.param_groups if g["params"])
    assert (group["k"], group["alpha"]) == (6, 0.5) and optimizer.use_gc
    # A gradient that is the same in each row has nothing left when its mean is taken off.
    for _ in range(6):
        module.weight.grad = torch.arange(5.0)[:, None].expand(5, 7).clone()
        optimizer.step()
    assert torch.equal(module.weight.detach(), start)


@pytest.mark.parametrize("optimizer", ["adamw", "radam", "ranger", "ralamb"])
def test_weight_decay_shrinks_kernels_and_leaves_biases_alone(optimizer):
    module = nn.Linear(3, 2)
    nn.init.ones_(module.weight), nn.init.ones_(module.bias)
    made = make_optimizer(
        module, replace(TINY, optimizer=optimizer, weight_decay=0.1, learning_rate=0.5)
    )
    module.weight.grad, module.bias.grad = torch.zeros(2, 3), torch.zeros(2)
    made.step()
    assert torch.allclose(module.weight, torch.tensor(0.95))
    assert torch.equal(module.bias.detach(), torch.ones(2))


def test_the_learning_rate_warms_up_and_falls_to_zero_after_staying_up_if_asked():
    config = replace(TINY, steps=100, warmup=10, learning_rate=1.0)
    rates = [learning_rate_at(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[100] == pytest.approx(0.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    config = replace(config, schedule="flat-cosine", flat=0.7)
    rates = [learning_rate_at(step, config) for step in range(101)]
    assert rates[4] == pytest.approx(0.5) and set(rates[10:71]) == {1.0}
    assert rates[70:] == sorted(rates[70:], reverse=True)
    assert rates[85] == pytest.approx(0.5) and rates[100] == pytest.approx(0)


# --- precision -----------------------------------------------------------------------------


def test_half_precision_is_refused_on_a_cpu_and_float32_differs_from_bf16(tmp_path):
    with pytest.raises(TrainingError, match="bf16"):
        train_member(PLAIN, replace(TINY, precision="fp16"), tmp_path / "half")
    runs = [
        train_member(PLAIN, replace(TINY, steps=1, precision=p), tmp_path / p)
        for p in ("bf16", "fp32")
    ]
    assert not same(runs[0].state, runs[1].state)


# --- choosing the checkpoint ---------------------------------------------------------------


def test_the_average_that_scored_best_is_kept(tmp_path, monkeypatch):
    scores, seen = iter((0.2, 0.9, 0.5)), []

    def judged(network, *_):
        seen.append({k: v.clone() for k, v in network.state_dict().items()})
        return {"WT": next(scores)}

    monkeypatch.setattr(trainer, "validate", judged)
    kept = train_member(DATA, replace(TINY, validation=Validation(every=2)), tmp_path)
    assert (kept.step, kept.score) == (4, 0.9)
    assert same(kept.state, seen[1]) and not same(kept.state, seen[2])
    table = (tmp_path / "validation.csv").read_text().split()
    assert table == ["step,WT,mean", "2,0.2000,0.2000", "4,0.9000,0.9000", "6,0.5000,0.5000"]
    assert draw_curves(tmp_path).stat().st_size > 5000


def test_being_looked_at_does_not_change_training(tmp_path):
    train_member(PLAIN, TINY, tmp_path / "unseen")
    train_member(
        TrainingData(DATA.volumes, (), DATA.validation),
        replace(TINY, validation=Validation(every=2, slices=2)),
        tmp_path / "seen",
    )
    states = [torch.load(tmp_path / run / "checkpoint.pt") for run in ("unseen", "seen")]
    assert same(states[0]["average"], states[1]["average"])


class Oracle(nn.Module):
    """Calls everything edema whose first channel is positive."""

    def forward(self, images):
        logits = torch.zeros(len(images), len(Tissue), *images.shape[2:])
        logits[:, Tissue.EDEMA] = 9 * images[:, 0].sign()
        logits[:, Tissue.BACKGROUND] = -logits[:, Tissue.EDEMA]
        return logits


def test_validation_scores_the_regions_and_leaves_undecided_voxels_out():
    allowed = np.full((4, 32, 32), BIT[Tissue.BACKGROUND], np.uint8)
    allowed[:, 8:24, 8:24] = BIT[Tissue.EDEMA]
    scans = np.where(allowed == BIT[Tissue.EDEMA], 1, -1)[None].repeat(3, 0).astype(np.float16)
    scans[0, :, :4] = 1  # a false alarm, but where the truth allows both
    allowed[:, :4] = BIT[Tissue.BACKGROUND] | BIT[Tissue.EDEMA]
    mixed = MixedPrecision("fp32", "cpu")
    network = Oracle().train()
    right = validate(network, [LabeledVolume("x", scans, allowed)], TINY, "cpu", mixed)
    assert right == pytest.approx({"WT": 1, "TC": 1, "ET": 1}) and network.training
    wrong = validate(network, [LabeledVolume("x", -scans, allowed)], TINY, "cpu", mixed)
    assert wrong["WT"] < 0.05


def test_choosing_on_nothing_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="no case to choose"):
        train_member(PLAIN, replace(TINY, validation=Validation(every=2)), tmp_path)


# --- synthesis -----------------------------------------------------------------------------


def constant(value):
    allowed = np.full((4, 32, 32), BIT[Tissue.BACKGROUND], np.uint8)
    return LabeledVolume(str(value), np.full((3, 4, 32, 32), value, np.float16), allowed)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_wanted_share_of_slices_is_synthetic(share):
    config = replace(TINY, batch=400, synthesis=SyntheticShare(1, share))
    images, _ = SliceSampler(TrainingData([constant(1)], [constant(2), constant(2)]), config).batch(
        0
    )
    assert float((images[:, 0, 0, 0] == 2).float().mean()) == pytest.approx(share, abs=0.08)


def test_no_synthetic_sample_is_made_of_the_fold_left_out_and_held_out_ones_are_only_looked_at(
    tmp_path, monkeypatch
):
    asked = []

    def pretend(config, sources, seed, number, cache, shown):
        asked.append((config, {case.name for case in sources.cases}, seed))
        return toy_volume(f"{seed}-{number}")

    monkeypatch.setattr(dataset, "synthetic_volume", pretend)
    # The toy cases have no files to look at.
    monkeypatch.setattr(dataset, "stored_samples", lambda cache, *_: cache)
    monkeypatch.setattr(dataset, "load_volume", lambda case, *_: toy_volume(case.name))
    monkeypatch.setattr(dataset, "_is_paintable", lambda _: True)
    protocol = LabelProtocol("x", {0: frozenset({Tissue.BACKGROUND})})
    cases = [
        LabeledCase(f"c{n}", "", n % 3, protocol, {}, tmp_path / "none.nii.gz") for n in range(6)
    ]
    config = replace(
        TINY,
        fold=1,
        synthesis=SyntheticShare(2, 0.5, 5),
        validation=Validation(every=2, on="synthesis", samples=3, seed=9),
    )
    data = collect_cases(cases, config, tmp_path, tmp_path / "cache")
    assert [v.name for v in data.volumes] == ["c0", "c2", "c3", "c5"]
    assert [v.name for v in data.synthetic] == ["5-0", "5-1"]
    assert [v.name for v in data.validation] == ["9-0", "9-1", "9-2"]
    mixed, looked_at = asked[:2], asked[2:]
    assert all(call == (SynthesisConfig(), {"c0", "c2", "c3", "c5"}, 5) for call in mixed)
    assert all(call == (held_out(SynthesisConfig()), set(), 9) for call in looked_at)

    config = replace(config, validation=Validation(every=2))
    on_fold = collect_cases(cases, config, tmp_path, tmp_path)
    assert [v.name for v in on_fold.validation] == ["c1", "c4"]
