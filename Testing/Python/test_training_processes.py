"""Several processes train one member together, with gloo on a CPU."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

import pytest
import torch
from test_training import STILL
from test_training_methods import PLAIN
from torch import nn
from toy_cases import TINY, same, stopping_in

from BrainTumorSegLib.core.errors import Cancelled, TrainingError
from BrainTumorSegLib.models.networks import build_network
from BrainTumorSegLib.training.dataset import SliceSampler, TrainingData, batches
from BrainTumorSegLib.training.distributed import Machine, joined
from BrainTumorSegLib.training.losses import set_cross_entropy, set_dice
from BrainTumorSegLib.training.optimizers import MAX_GRADIENT_NORM, learning_rate_at, make_optimizer
from BrainTumorSegLib.training.trainer import train_member

# RAdam's first steps are plain momentum, which does not blow up differences in rounding.
SHARED = replace(
    TINY,
    batch=4,
    steps=4,
    checkpoint_every=2,
    precision="fp32",
    optimizer="radam",
    augmentation=replace(STILL, mirror=0.5, noise=0.5),
)


def test_processes_share_a_batch_without_overlap():
    config = replace(TINY, batch=6)
    sampler = SliceSampler(TrainingData(PLAIN.volumes), config)
    whole, _ = sampler.batch(3)
    parts = [sampler.batch(3, rank, 2)[0] for rank in (0, 1)]
    assert torch.equal(whole[0::2], parts[0]) and torch.equal(whole[1::2], parts[1])


def test_a_batch_that_cannot_be_shared_evenly_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="divided among 2"):
        train_member(PLAIN, replace(TINY, batch=3), tmp_path, Machine(world=2))


def test_pspnet_needs_two_slices_in_every_process(tmp_path):
    config = replace(TINY, batch=2, network=replace(TINY.network, architecture="pspnet"))
    with pytest.raises(TrainingError, match="each of 2 processes a single slice"):
        train_member(PLAIN, config, tmp_path, Machine(world=2))


def train_twice(rank, port, folder):
    """What each process does: one whole run, and one that is stopped and given again."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2"}
    torch.set_num_threads(1)
    with joined(Machine()) as machine:
        train_member(PLAIN, SHARED, folder / "whole", machine)
        with pytest.raises(Cancelled):
            train_member(PLAIN, SHARED, folder / "resumed", machine, stopping_in(3))
        machine.wait_for_all()
        train_member(PLAIN, SHARED, folder / "resumed", machine)


def trained_by_hand():
    """The network after steps with the mean of the gradients of both parts of each batch."""
    torch.manual_seed(SHARED.seed)
    network = build_network(SHARED.network).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, SHARED)
    sampler = SliceSampler(TrainingData(PLAIN.volumes), SHARED)
    parts = [batches(sampler, SHARED, 0, Machine(rank=rank, world=2)) for rank in (0, 1)]
    for step, both in enumerate(zip(*parts, strict=True)):
        optimizer.zero_grad()
        for images, allowed in both:
            logits = network(images)
            loss = set_cross_entropy(logits, allowed) + set_dice(logits, allowed)
            (loss / 2).backward()
        nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, SHARED)
        optimizer.step()
    return dict(network.named_parameters())


@pytest.mark.skipif(os.name != "posix", reason="gloo is used on POSIX systems")
def test_two_processes_take_the_steps_of_one_with_the_mean_of_both_gradients(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    torch.multiprocessing.spawn(train_twice, (port, tmp_path), nprocs=2)
    whole, resumed = (
        torch.load(tmp_path / name / "checkpoint.pt")["network"] for name in ("whole", "resumed")
    )
    assert same(whole, resumed)
    torch.manual_seed(SHARED.seed)
    before = dict(build_network(SHARED.network).named_parameters())
    for name, parameter in trained_by_hand().items():
        torch.testing.assert_close(whole[name], parameter.detach(), atol=2e-6, rtol=0)
    moved = max(float((whole[n] - p.detach()).abs().max()) for n, p in before.items())
    assert moved > 1e-4, "the comparison would not see a step"
