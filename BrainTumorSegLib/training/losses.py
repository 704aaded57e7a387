"""Losses for truths that are sets of allowed tissues."""

from __future__ import annotations

import torch
from torch import Tensor

from BrainTumorSegLib.core.tissue import Region, Tissue

CLASSES = len(Tissue)
_BACKGROUND_BIT = 1 << int(Tissue.BACKGROUND)


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
    """Soft Dice over every set of tissues that the truth of a batch can decide.

    The groups scored are the sets that occur in the batch, and the regions WT
    and TC. For a group, a voxel counts as inside when all it may be lies in the
    group, as outside when none of it does, and is left out otherwise. Sums run
    over the whole batch. Groups with nothing inside are skipped: cross-entropy
    punishes false alarms there.

    Args:
        logits: ``[N, C, H, W]``.
        allowed: integer tissue bits ``[N, H, W]``.
        smooth: added to both sides of the fraction, in voxels.

    Returns:
        Scalar, one minus the mean soft Dice; zero when the batch has no tumour.
    """
    probabilities = logits.float().softmax(dim=1)
    groups = {int(code) for code in allowed.unique()} | {
        sum(1 << int(t) for t in region.value) for region in (Region.WT, Region.TC)
    }
    allowed = allowed.long()
    scores = []
    for group in sorted(groups):
        if group & _BACKGROUND_BIT:
            continue
        inside = (allowed & ~group) == 0
        if not bool(inside.any()):
            continue
        decided = inside | ((allowed & group) == 0)
        members = [t for t in range(logits.shape[1]) if group >> t & 1]
        p = probabilities[:, members].sum(dim=1) * decided
        overlap = (p * inside).sum()
        scores.append((2 * overlap + smooth) / (p.sum() + inside.sum() + smooth))
    if not scores:
        return logits.sum() * 0.0
    return 1 - torch.stack(scores).mean()
