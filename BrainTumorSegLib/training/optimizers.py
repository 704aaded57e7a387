"""Optimizers by name, the learning rate that they share, and steps in mixed precision.

The four that the data set's authors compared are taken from libraries: Adam and RAdam
from torch, Ranger and Ralamb (RAdam with LAMB's trust ratio and Lookahead) from
pytorch_optimizer. Its Lamb with rectification and a plain momentum step while the
variance is not tractable is the public Ralamb, whose trust ratio divides by the norm of
the updated weights; the tests hold it to that formula.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from BrainTumorSegLib.core.errors import DependencyError, TrainingError

from .config import TrainingConfig

#: Zhang et al. 2019, as Ranger and Ralamb use it: every sixth step halfway back.
LOOKAHEAD_STEPS, LOOKAHEAD_ALPHA = 6, 0.5

#: Gradients are clipped to this norm.
MAX_GRADIENT_NORM = 5.0


def make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimizer that a configuration names; weight decay acts on kernels only.

    Raises:
        DependencyError: when Ranger or Ralamb is asked for and pytorch_optimizer is missing.
    """
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = config.learning_rate
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate)
    if config.optimizer == "radam":
        return torch.optim.RAdam(groups, lr=rate, decoupled_weight_decay=True)
    try:
        from pytorch_optimizer import Lamb, Lookahead, Ranger
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"The optimizer {config.optimizer} needs the package pytorch_optimizer.",
            "Install the extra: pip install 'BrainTumorSeg[train]'.",
        ) from error
    if config.optimizer == "ranger":
        return Ranger(groups, lr=rate, k=LOOKAHEAD_STEPS, alpha=LOOKAHEAD_ALPHA)
    lamb = Lamb(groups, lr=rate, rectify=True, degenerated_to_sgd=True, eps=1e-8)
    return Lookahead(lamb, k=LOOKAHEAD_STEPS, alpha=LOOKAHEAD_ALPHA)


def learning_rate_at(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, flat for a while if the schedule says so, then a cosine to zero."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    first = config.warmup
    if config.schedule == "flat-cosine":
        first = max(first, round(config.flat * config.steps))
    done = max(0, step - first) / max(1, config.steps - first)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


class MixedPrecision:
    """Forward passes in ``bf16``, ``fp16`` or ``fp32``, steps in float32.

    Raises:
        TrainingError: for ``fp16`` on anything but CUDA.
    """

    def __init__(self, precision: str, device: str) -> None:
        self._kind = torch.device(device).type
        if precision == "fp16" and self._kind != "cuda":
            raise TrainingError(
                f"fp16 training needs an NVIDIA GPU; this run is on {device}.",
                'Set precision = "bf16" in the recipe.',
            )
        self._type = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        # Gradients of half precision vanish unless the loss is multiplied; bf16 has the
        # exponents of float32.
        self.scaler = torch.amp.GradScaler("cuda", enabled=precision == "fp16")

    def autocast(self) -> AbstractContextManager:
        """Context of a forward pass."""
        # Not every device knows autocast, even when it is to do nothing.
        return torch.autocast(self._kind, dtype=self._type) if self._type else nullcontext()

    def step(self, loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Backpropagate the loss and take one step with clipped gradients."""
        optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        self.scaler.step(optimizer)
        self.scaler.update()
