"""Eight-bit weights: symmetric, one scale a channel, chosen for the least squared error."""

from __future__ import annotations

import torch
from torch import Tensor

#: Largest magnitude of a stored integer; -128 is left out so that the range is symmetric.
LARGEST = 127

#: A scale must serve at least this many values. Depthwise kernels have nine: they
#: are tiny, and the layers that suffer most from eight bits.
MIN_VALUES_PER_SCALE = 16

#: Smaller tensors stay in half precision: the first and the last layer are among
#: them, where errors weigh most and bytes least. Measured on a trained RegNetY
#: (0.94 M parameters): 1.10 MB and logits off by 1.2e-3 of their spread; a limit of
#: 1000 gives 1.03 MB and 3.6e-3.
MIN_VALUES = 10_000

#: Shares of a channel's largest magnitude that are tried as clipping point; fine
#: near the whole, where shifting the lattice a little helps more than clipping.
CLIPPING = (
    *(1.0 - 0.004 * step for step in range(26)),
    *(0.86 - 0.04 * step for step in range(8)),
)

#: Rounds of refitting the scale to the integers and the integers to the scale.
REFINEMENTS = 4


def worth_quantising(weight: Tensor, axis: int = 0) -> bool:
    """Whether eight bits with scales along ``axis`` pay off for this tensor."""
    return (
        weight.ndim >= 2
        and weight.numel() >= MIN_VALUES
        and weight.numel() // weight.shape[axis] >= MIN_VALUES_PER_SCALE
    )


def quantise(weight: Tensor, axis: int = 0) -> tuple[Tensor, Tensor]:
    """Round a float tensor to eight-bit integers times one scale a channel.

    For every channel the clipping point is searched that gives the least squared
    error; then scale and integers are fitted to each other in turn, where the
    best scale for given integers q of values x is ``<x, q> / <q, q>`` (least
    squares). An error never exceeds half a scale except where clipping pays.

    Args:
        weight: finite floating point tensor of at least two dimensions.
        axis: the channels' axis: 0 for (grouped) convolutions and linear layers,
            1 for transposed convolutions.

    Returns:
        int8 tensor of the weight's shape, and float32 scales that broadcast to it.
    """
    moved = weight.detach().float().movedim(axis, 0)
    rows = moved.reshape(moved.shape[0], -1)
    largest = rows.abs().amax(dim=1, keepdim=True)
    # All-zero channels need a scale too; any will do.
    full = torch.where(largest > 0, largest / LARGEST, torch.ones_like(largest))
    # A scale must not underflow to zero for channels of denormal numbers.
    full = full.clamp_min(torch.finfo(torch.float32).tiny)
    best = full
    least = _squared_error(rows, best)
    for share in CLIPPING[1:]:
        best, least = _better(rows, best, least, full * share)
    for _ in range(REFINEMENTS):
        integers = _integers(rows, best)
        power = integers.square().sum(dim=1, keepdim=True)
        fitted = (rows * integers).sum(dim=1, keepdim=True) / power.clamp_min(1.0)
        best, least = _better(rows, best, least, torch.where(fitted > 0, fitted, best))
    shape = [1] * weight.ndim
    shape[axis] = weight.shape[axis]
    integers = _integers(rows, best).to(torch.int8).reshape(moved.shape).movedim(0, axis)
    return integers.contiguous(), best.reshape(shape).contiguous()


def dequantise(integers: Tensor, scales: Tensor) -> Tensor:
    """float32 tensor from what `quantise` returned."""
    return integers.float().mul_(scales)


def _integers(rows: Tensor, scales: Tensor) -> Tensor:
    return (rows / scales).round_().clamp_(-LARGEST, LARGEST)


def _squared_error(rows: Tensor, scales: Tensor) -> Tensor:
    return (_integers(rows, scales).mul_(scales) - rows).square_().sum(dim=1, keepdim=True)


def _better(rows: Tensor, best: Tensor, least: Tensor, tried: Tensor) -> tuple[Tensor, Tensor]:
    """Keep, channel by channel, the scale with the smaller error."""
    error = _squared_error(rows, tried)
    wins = error < least
    return torch.where(wins, tried, best), torch.where(wins, error, least)
