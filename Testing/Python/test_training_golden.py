"""The same seeds give the batches and the weights that they gave in release 0.1."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_cases import TINY, toy_volume

from BrainTumorSegLib.preprocessing.model_grid import channel_sequences
from BrainTumorSegLib.training.augment import AugmentationConfig, augment
from BrainTumorSegLib.training.cohort import make_folds
from BrainTumorSegLib.training.config import SyntheticShare, Validation
from BrainTumorSegLib.training.dataset import SliceSampler, TrainingData, step_seed
from BrainTumorSegLib.training.trainer import train_member

DATA = TrainingData(
    [toy_volume("a", 0), toy_volume("b", 1)],
    synthetic=[toy_volume("s", 2)],
    validation=[toy_volume("v", 3)],
)
EVERYTHING = AugmentationConfig(
    deformation_pixels=2.0,
    dihedral_batches=1.0,
    shading=0.5,
    bias_field=0.5,
    noise=0.5,
    blur=0.5,
    drop_sequence=0.5,
)
SPREADS = [
    *(1.5598, 0.6903, 1.3223, 0.3643, 1.1859, 1.2162, 0.8136, 1.0021),
    *(1.0603, 1.1029, 1.2450, 1.3017, 1.0837, 1.4742, 1.4197, 1.1700),
]
SLOPES = [
    *(-0.0259, 0.0395, -0.0549, -0.0688, -0.2874, -0.0795, 0.0993, -0.0446),
    *(-0.1064, -0.0860, -0.0417, -0.0038, 0.0487, -0.0014, -0.1196, 0.0621),
]
MIXED = replace(TINY, batch=4, synthesis=SyntheticShare(samples=1, share=0.5))


def test_batches_are_drawn_as_before():
    digest = hashlib.sha256()
    sampler = SliceSampler(DATA, MIXED)
    for step in range(4):
        for part in sampler.batch(step):
            digest.update(part.numpy().tobytes())
    assert digest.hexdigest() == "c72170666aab2f21a6ba7da6420fdefacc7b62262e27720e4cf962ff28da6c07"


def test_seeds_and_folds_are_as_before():
    config = replace(TINY, seed=20261123, fold=2)
    assert step_seed(config, 7, rank=1) == 1814500495360282151
    groups = ["glioma"] * 5 + ["meningioma"] * 3
    assert make_folds(groups, 3, seed=1) == [1, 2, 0, 1, 0, 0, 2, 1]


def test_augmentation_is_as_before():
    images, allowed = SliceSampler(TrainingData(DATA.volumes), replace(MIXED, batch=16)).batch(0)
    generator = torch.Generator().manual_seed(5)
    shown = channel_sequences("mixture")
    images, allowed = augment(images, allowed, shown, EVERYTHING, generator)
    ramp = torch.linspace(-1, 1, images[0].numel()).reshape(images[0].shape)
    found = (images.flatten(1).std(1), (images * ramp).flatten(1).mean(1))
    assert found[0].tolist() == pytest.approx(SPREADS, abs=1e-3)
    assert found[1].tolist() == pytest.approx(SLOPES, abs=1e-3)
    voxels = np.bincount(allowed.flatten().numpy(), minlength=32)
    assert voxels[[1, 4, 10]] == pytest.approx([13039, 3071, 274], abs=3)
    assert voxels.sum() == voxels[[1, 4, 10]].sum()


@pytest.mark.parametrize(
    ("optimizer", "losses"),
    [
        ("adamw", [2.54332, 2.61351, 2.59105, 2.46889, 2.38519, 2.30374]),
        ("ralamb", [2.54332, 2.66135, 2.70452, 2.65966, 2.58970, 2.59436]),
    ],
)
def test_the_first_steps_are_as_before(tmp_path, optimizer, losses):
    config = replace(
        MIXED,
        optimizer=optimizer,
        weight_decay=0.0,
        precision="fp32",
        checkpoint_every=1,
        augmentation=EVERYTHING,
        validation=Validation(every=3, slices=2),
    )
    trained = train_member(DATA, config, tmp_path)
    tables = {}
    for name in ("log", "validation"):
        with (tmp_path / f"{name}.csv").open() as stream:
            tables[name] = list(csv.DictReader(stream))
    # Threads sum in other orders, which changes the last losses by a thousandth.
    assert [float(row["loss"]) for row in tables["log"]] == pytest.approx(losses, rel=4e-3)
    scores = [float(row["mean"]) for row in tables["validation"]]
    assert scores == pytest.approx([0.3419, 0.3419], rel=1e-2) and trained.step == 3
