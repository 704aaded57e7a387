"""Losses and scores against reference labels that are sets of allowed tissues."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from BrainTumorSegLib.core.tissue import Region, Tissue

CLASSES = len(Tissue)

Bits = TypeVar("Bits", Tensor, np.ndarray)

#: Added to both sides of a case's Dice, in voxels: a case without a region scores near 1
#: as long as little of it is found there, instead of falling from 1 to 0 by one voxel.
SMOOTH = 50.0


def tissue_bits(*tissues: Tissue) -> int:
    """A set of tissues as a number: bit ``t`` is set for ``Tissue(t)``."""
    return sum(1 << int(tissue) for tissue in tissues)


BACKGROUND = tissue_bits(Tissue.BACKGROUND)


def bit_table(classes: int = CLASSES) -> Tensor:
    """Boolean ``[2**classes, classes]``: row ``b`` tells which tissues the bits ``b`` allow."""
    codes = torch.arange(2**classes)
    return (codes[:, None] >> torch.arange(classes)[None]) % 2 == 1


def set_cross_entropy(logits: Tensor, allowed: Tensor) -> Tensor:
    """Cross-entropy against sets: ``-log`` of the summed probability of what is allowed.

    For a voxel that may be necrosis or non-enhancing tumour this is
    ``-log(p_necrosis + p_nonenhancing)``; for a set of one it is the usual loss.

    Args:
        logits: ``[N, C, H, W]``.
        allowed: integer tissue bits ``[N, H, W]``, never 0.

    Returns:
        Scalar mean over voxels.
    """
    table = bit_table(logits.shape[1]).to(logits.device)
    permitted = table[allowed.long()].movedim(-1, 1)
    logits = logits.float()
    within = logits.masked_fill(~permitted, float("-inf")).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - within).mean()


def set_dice(logits: Tensor, allowed: Tensor, smooth: float = 1.0) -> Tensor:
    """Soft Dice over every set of tissues that the reference labels of a batch can decide.

    The groups scored are the sets that occur in the batch, and the regions WT and TC. Voxels
    that cannot decide about a group are left out of it, see `split_voxels`. Sums run over the
    whole batch. Groups with nothing inside are skipped: cross-entropy punishes false alarms
    there.

    Args:
        logits: ``[N, C, H, W]``.
        allowed: integer tissue bits ``[N, H, W]``.
        smooth: added to both sides of the fraction, in voxels.

    Returns:
        Scalar, one minus the mean soft Dice; zero when the batch has no tumour.
    """
    probabilities = logits.float().softmax(dim=1)
    groups = {int(code) for code in allowed.unique()}
    groups |= {tissue_bits(*region.value) for region in (Region.WT, Region.TC)}
    allowed = allowed.long()
    scores = []
    for group in sorted(groups):
        if group & BACKGROUND:
            continue
        inside, decided = split_voxels(allowed, group)
        if not bool(inside.any()):
            continue
        members = [t for t in range(logits.shape[1]) if group >> t & 1]
        p = probabilities[:, members].sum(dim=1) * decided
        overlap = (p * inside).sum()
        scores.append((2 * overlap + smooth) / (p.sum() + inside.sum() + smooth))
    if not scores:
        return logits.sum() * 0.0
    return 1 - torch.stack(scores).mean()


#: What each of the four outputs of `network_spec.HEADS` ``regions`` says yes to.
REGION_HEADS = (
    *(tissue_bits(*region.value) for region in (Region.WT, Region.TC, Region.ET)),
    tissue_bits(Tissue.NECROSIS),
)

#: How much more cross-entropy counts than Dice for regions; it decides how fast small ones are
#: found.
_ENTROPY_WEIGHT = 2.0


def region_loss(logits: Tensor, allowed: Tensor, smooth: float = SMOOTH) -> Tensor:
    """Cross-entropy and Dice of regions, each yes or no, where the reference decides.

    Args:
        logits: ``[N, 4, H, W]``, in the order of `REGION_HEADS`.
        allowed: integer tissue bits ``[N, H, W]``.
        smooth: added to both sides of the Dice, in voxels; sums run over the whole batch.

    Returns:
        Scalar, the mean over the regions of twice the cross-entropy plus one minus the Dice.
    """
    allowed = allowed.long()
    pairs = [split_voxels(allowed, group) for group in REGION_HEADS]
    inside, decided = (torch.stack(masks, dim=1).float() for masks in zip(*pairs, strict=True))
    logits, axes = logits.float(), (0, 2, 3)
    entropy = functional.binary_cross_entropy_with_logits(logits, inside, reduction="none")
    entropy = (entropy * decided).sum(axes) / decided.sum(axes).clamp(min=1)
    probability, inside = logits.sigmoid() * decided, inside * decided
    sizes = probability.sum(axes) + inside.sum(axes) + smooth
    dice = (2 * (probability * inside).sum(axes) + smooth) / sizes
    return (_ENTROPY_WEIGHT * entropy + 1 - dice).mean()


def loss_of(heads: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss for what a network gives, a key of `network_spec.HEADS`."""
    if heads == "regions":
        return region_loss
    return lambda logits, allowed: set_cross_entropy(logits, allowed) + set_dice(logits, allowed)


def split_voxels(allowed: Bits, group: int) -> tuple[Bits, Bits]:
    """Where voxels lie in a group of tissues for certain, and where it is certain at all.

    A voxel is inside when all it may be lies in the group, outside when none of it does, and
    undecided otherwise.

    Args:
        allowed: tissue bits, any shape.
        group: tissue bits.

    Returns:
        Two masks of the same shape: inside, and decided.
    """
    # Without the sign that ~ gives: bits may be unsigned.
    inside = (allowed & (0xFF & ~group)) == 0
    return inside, inside | ((allowed & group) == 0)


def region_dice(labels: np.ndarray, allowed: np.ndarray) -> dict[str, float]:
    """Dice of each region, with `SMOOTH` voxels on both sides; undecided voxels do not count.

    Args:
        labels: values of `Tissue`, any shape.
        allowed: tissue bits of the same shape.
    """
    dice = {}
    for region in Region:
        inside, decided = split_voxels(allowed, tissue_bits(*region.value))
        found = np.isin(labels, [int(tissue) for tissue in region.value]) & decided
        both = (found & inside).sum()
        dice[region.name] = float((2 * both + SMOOTH) / (found.sum() + inside.sum() + SMOOTH))
    return dice
