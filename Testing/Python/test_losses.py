"""Losses against sets of allowed tissues."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.training.losses import bit_table, set_cross_entropy, set_dice

BIT = {tissue: 1 << int(tissue) for tissue in Tissue}
CORE = BIT[Tissue.NECROSIS] | BIT[Tissue.NON_ENHANCING]


def random_logits(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), requires_grad=True)


def sharp(labels):
    return (functional.one_hot(labels, 5).movedim(-1, 1) * 40.0).float()


def test_bits_name_tissues():
    table = bit_table()
    assert table[CORE].tolist() == [False, True, False, True, False]
    assert not table[0].any() and table[31].all()


def test_for_sets_of_one_the_loss_is_ordinary_cross_entropy():
    logits = random_logits(2, 5, 4, 4)
    labels = torch.randint(0, 5, (2, 4, 4), generator=torch.Generator().manual_seed(1))
    ours = set_cross_entropy(logits, (1 << labels).to(torch.uint8))
    assert ours.item() == pytest.approx(functional.cross_entropy(logits, labels).item(), abs=1e-6)


def test_a_merged_label_costs_the_logarithm_of_the_summed_probability():
    logits = random_logits(1, 5, 1, 1)
    p = logits.softmax(1).flatten().tolist()
    loss = set_cross_entropy(logits, torch.full((1, 1, 1), CORE, dtype=torch.uint8))
    expected = -math.log(p[Tissue.NECROSIS] + p[Tissue.NON_ENHANCING])
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_a_merged_label_does_not_care_how_its_probability_is_divided():
    allowed = torch.full((1, 1, 1), CORE, dtype=torch.uint8)
    logits = torch.zeros(1, 5, 1, 1)
    one, other = logits.clone(), logits.clone()
    one[0, Tissue.NECROSIS], other[0, Tissue.NON_ENHANCING] = 3.0, 3.0
    assert set_cross_entropy(one, allowed).item() == pytest.approx(
        set_cross_entropy(other, allowed).item()
    )
    assert set_dice(one, allowed).item() == pytest.approx(set_dice(other, allowed).item())


def test_a_voxel_that_may_be_anything_teaches_nothing():
    logits = random_logits(1, 5, 3, 3)
    loss = set_cross_entropy(logits, torch.full((1, 3, 3), 31, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert logits.grad.abs().max().item() < 1e-7


def test_dice_is_zero_loss_for_the_truth_and_large_for_its_opposite():
    labels = torch.randint(0, 5, (2, 8, 8), generator=torch.Generator().manual_seed(2))
    allowed = (1 << labels).to(torch.uint8)
    assert set_dice(sharp(labels), allowed).item() == pytest.approx(0.0, abs=1e-5)
    assert set_dice(sharp((labels + 1) % 5), allowed).item() > 0.5


def test_a_batch_without_tumour_has_no_dice_but_still_a_gradient_path():
    logits = random_logits(1, 5, 4, 4)
    loss = set_dice(logits, torch.full((1, 4, 4), BIT[Tissue.BACKGROUND], dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0.0


def test_voxels_that_a_group_cannot_decide_do_not_count_for_it():
    # One voxel of certain necrosis, one that may be necrosis or non-enhancing tumour.
    allowed = torch.tensor([[[BIT[Tissue.NECROSIS], CORE]]], dtype=torch.uint8)
    as_necrosis = sharp(torch.tensor([[[int(Tissue.NECROSIS), int(Tissue.NECROSIS)]]]))
    as_other = sharp(torch.tensor([[[int(Tissue.NECROSIS), int(Tissue.NON_ENHANCING)]]]))
    assert set_dice(as_necrosis, allowed).item() == pytest.approx(
        set_dice(as_other, allowed).item()
    )


def test_impossible_logits_stay_finite_in_half_precision():
    logits = torch.full((1, 5, 2, 2), -60.0, dtype=torch.bfloat16)
    logits[:, Tissue.EDEMA] = 60.0
    allowed = torch.full((1, 2, 2), CORE, dtype=torch.uint8)
    assert math.isfinite(set_cross_entropy(logits, allowed).item())
    assert math.isfinite(set_dice(logits, allowed).item())
