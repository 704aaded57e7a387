"""Weights of eight or six bits: symmetric, one scale a channel, of the least squared error."""

from __future__ import annotations

import math
from collections.abc import Sequence as SequenceOf

import torch
from torch import Tensor
from torch.nn import functional

#: Largest magnitude of an integer of so many bits; -128 and -32 are left out so that the range
#: is symmetric.
LARGEST = {8: 127, 6: 31}

#: A scale must serve at least this many values. Depthwise kernels have nine: they
#: are tiny, and the layers that suffer most from eight bits.
MIN_VALUES_PER_SCALE = 16

#: Smaller tensors stay in half precision: the first and the last layer are among
#: them, where errors weigh most and bytes least. Measured on a trained RegNetY
#: (0.94 M parameters): 1.10 MB and logits off by 1.2e-3 of their spread; a limit of
#: 1000 gives 1.03 MB and 3.6e-3.
MIN_VALUES = 10_000

#: Kernels of six bits have at least this many values; in those of a network that is worth six
#: bits lies nearly all of its size. Measured on a trained LinkNet with SE-ResNeXt-50, encoder
#: depth 4: 8.8 instead of 11.5 MB, logits off by 1.7e-3 instead of 0.7e-3 of their spread.
MIN_VALUES_OF_SIX_BITS = 65_536

#: Shares of a channel's largest magnitude that are tried as clipping point; fine
#: near the whole, where shifting the lattice a little helps more than clipping.
CLIPPING = (
    *(1.0 - 0.004 * step for step in range(26)),
    *(0.86 - 0.04 * step for step in range(8)),
)

#: Rounds of refitting the scale to the integers and the integers to the scale.
REFINEMENTS = 4


def worth_quantizing(weight: Tensor, axis: int = 0) -> bool:
    """Whether eight bits with scales along ``axis`` pay off for this tensor."""
    return (
        weight.ndim >= 2
        and weight.numel() >= MIN_VALUES
        and weight.numel() // weight.shape[axis] >= MIN_VALUES_PER_SCALE
    )


def worth_six_bits(weight: Tensor) -> bool:
    """Whether a tensor that is worth quantising saves enough with six bits instead of eight."""
    return weight.numel() >= MIN_VALUES_OF_SIX_BITS


def quantize(weight: Tensor, axis: int = 0, bits: int = 8) -> tuple[Tensor, Tensor]:
    """Round a float tensor to integers of a few bits times one scale a channel.

    For every channel the clipping point is searched that gives the least squared
    error; then scale and integers are fitted to each other in turn, where the
    best scale for given integers q of values x is ``<x, q> / <q, q>`` (least
    squares). An error never exceeds half a scale except where clipping pays.

    Args:
        weight: finite floating point tensor of at least two dimensions.
        axis: the channels' axis: 0 for (grouped) convolutions and linear layers,
            1 for transposed convolutions.
        bits: 8 or 6.

    Returns:
        int8 tensor of the weight's shape, and float32 scales that broadcast to it.
    """
    moved = weight.detach().float().movedim(axis, 0)
    rows = moved.reshape(moved.shape[0], -1)
    limit = LARGEST[bits]
    largest = rows.abs().amax(dim=1, keepdim=True)
    # All-zero channels need a scale too; any will do.
    full = torch.where(largest > 0, largest / limit, torch.ones_like(largest))
    # A scale must not underflow to zero for channels of denormal numbers.
    full = full.clamp_min(torch.finfo(torch.float32).tiny)
    best = full
    least = _squared_error(rows, best, limit)
    for share in CLIPPING[1:]:
        best, least = _better(rows, best, least, full * share, limit)
    for _ in range(REFINEMENTS):
        integers = _integers(rows, best, limit)
        power = integers.square().sum(dim=1, keepdim=True)
        fitted = (rows * integers).sum(dim=1, keepdim=True) / power.clamp_min(1.0)
        tried = torch.where(fitted > 0, fitted, best)
        best, least = _better(rows, best, least, tried, limit)
    shape = [1] * weight.ndim
    shape[axis] = weight.shape[axis]
    integers = _integers(rows, best, limit).to(torch.int8).reshape(moved.shape)
    return integers.movedim(0, axis).contiguous(), best.reshape(shape).contiguous()


def dequantize(integers: Tensor, scales: Tensor) -> Tensor:
    """float32 tensor from what `quantize` returned."""
    return integers.float().mul_(scales)


def pack_six_bits(integers: Tensor) -> Tensor:
    """Four values of six bits in three bytes.

    Args:
        integers: int8 of any shape, from -31 to 31.

    Returns:
        uint8 of one axis; unused bits at its end are zero.
    """
    values = (integers.flatten().to(torch.int16) & 63).to(torch.uint8)
    fours = functional.pad(values, (0, -len(values) % 4)).reshape(-1, 4)
    a, b, c, d = fours.unbind(dim=1)
    return torch.stack([a | b << 6, b >> 2 | c << 4, c >> 4 | d << 2], dim=1).flatten()


def unpack_six_bits(packed: Tensor, shape: SequenceOf[int]) -> Tensor:
    """int8 integers of ``shape`` from what `pack_six_bits` returned.

    Raises:
        ValueError: when the bytes are too few or too many for the shape.
    """
    count = math.prod(shape)
    if packed.ndim != 1 or len(packed) != 3 * -(-count // 4):
        raise ValueError(f"{tuple(packed.shape)} bytes are not {count} values of six bits")
    x, y, z = packed.reshape(-1, 3).unbind(dim=1)
    values = torch.stack([x, x >> 6 | y << 2, y >> 4 | z << 4, z >> 2], dim=1) & 63
    # The sixth bit is the sign: up into that of a byte, and down again.
    signed = (values << 2).view(torch.int8) >> 2
    return signed.flatten()[:count].reshape(*shape)


def _integers(rows: Tensor, scales: Tensor, limit: int) -> Tensor:
    return (rows / scales).round_().clamp_(-limit, limit)


def _squared_error(rows: Tensor, scales: Tensor, limit: int) -> Tensor:
    return (_integers(rows, scales, limit).mul_(scales) - rows).square_().sum(dim=1, keepdim=True)


def _better(
    rows: Tensor, best: Tensor, least: Tensor, tried: Tensor, limit: int
) -> tuple[Tensor, Tensor]:
    """Keep, channel by channel, the scale with the smaller error."""
    error = _squared_error(rows, tried, limit)
    wins = error < least
    return torch.where(wins, tried, best), torch.where(wins, error, least)
