"""Optimisers by name, and the learning rate that they all share.

The four that the data set's authors compared are taken from libraries: Adam and RAdam
from torch, Ranger and Ralamb (RAdam with LAMB's trust ratio and Lookahead) from
pytorch_optimizer. Its Lamb with rectification and a plain momentum step while the
variance is not tractable is the public Ralamb, whose trust ratio divides by the norm of
the updated weights; the tests hold it to that formula.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.training.config import TrainingConfig

#: Zhang et al. 2019, as Ranger and Ralamb use it: every sixth step halfway back.
LOOKAHEAD_STEPS, LOOKAHEAD_ALPHA = 6, 0.5


def make_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser that a configuration names.

    Raises:
        DependencyError: when Ranger or Ralamb is asked for and pytorch_optimizer is missing.
    """
    groups, rate = parameter_groups(network, config.weight_decay), config.learning_rate
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=rate)
    if config.optimiser == "adam":
        return torch.optim.Adam(groups, lr=rate)
    if config.optimiser == "radam":
        return torch.optim.RAdam(groups, lr=rate, decoupled_weight_decay=True)
    try:
        from pytorch_optimizer import Lamb, Lookahead, Ranger
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"The optimiser {config.optimiser} needs the package pytorch_optimizer.",
            "Install the extra: pip install 'BrainTumorSeg[train]'.",
        ) from error
    if config.optimiser == "ranger":
        return Ranger(groups, lr=rate, k=LOOKAHEAD_STEPS, alpha=LOOKAHEAD_ALPHA)
    lamb = Lamb(groups, lr=rate, rectify=True, degenerated_to_sgd=True, eps=1e-8)
    return Lookahead(lamb, k=LOOKAHEAD_STEPS, alpha=LOOKAHEAD_ALPHA)


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay on kernels only; norms and biases are left free."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def learning_rate_at(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, flat for a while if the schedule says so, then a cosine to zero."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    first = config.warmup
    if config.schedule == "flat-cosine":
        first = max(first, round(config.flat * config.steps))
    done = max(0, step - first) / max(1, config.steps - first)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
