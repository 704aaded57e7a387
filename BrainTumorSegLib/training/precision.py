"""Mixed precision: autocast, and scaled gradients where half precision needs them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from BrainTumorSegLib.core.errors import TrainingError

#: Gradients are clipped to this norm.
MAX_GRADIENT_NORM = 5.0

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class MixedPrecision:
    """Forward passes in few bits, steps in float32.

    Args:
        precision: ``bf16``, ``fp16`` or ``fp32``.
        device: torch device.

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
        self._type = _TYPES.get(precision)
        # Gradients of half precision vanish unless the loss is multiplied; bf16 has the
        # exponents of float32.
        self.scaler = torch.amp.GradScaler("cuda") if precision == "fp16" else None

    def autocast(self) -> AbstractContextManager:
        """Context of a forward pass."""
        if self._type is None:
            return nullcontext()
        return torch.autocast(self._kind, dtype=self._type)

    def step(self, loss: Tensor, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Go back from the loss and take one step with clipped gradients."""
        optimiser.zero_grad(set_to_none=True)
        if self.scaler is None:
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
            optimiser.step()
            return
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(optimiser)
        nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        self.scaler.step(optimiser)
        self.scaler.update()
