"""Bringing slices to the device on which the networks run.

A GPU gets each volume once, and stacks slices of it for every member by itself. What it still
needs from the host, numbers of slices, comes from page-locked memory, so that the host goes on
while the device computes; a plain copy would wait until all that was asked before is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import numpy as np
import torch
from torch import Tensor

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.model_grid import recipe_by_name, stack_slices

#: Gives the network input ``[N, C, H, W]`` for numbers of slices, on the device.
Batches = Callable[[np.ndarray], Tensor]


def slice_batches(volumes: Mapping[Sequence, np.ndarray], recipe: str, device: str) -> Batches:
    """How to get network input on a device; the numbers are those of `stack_slices`.

    Stacking on the device is tested on the CPU, and was never run on a GPU.

    Args:
        volumes: normalised volumes ``[slice, row, column]``.
        recipe: a key of `slices.RECIPES`.
        device: of the engine. CUDA holds the volumes where there is room; for all others the
            host stacks.
    """
    if torch.device(device).type == "cuda":
        with suppress(torch.cuda.OutOfMemoryError):
            return device_batches(volumes, recipe, device)
    return lambda indices: send(
        torch.from_numpy(stack_slices(volumes, recipe, indices.tolist())), device
    )


def device_batches(volumes: Mapping[Sequence, np.ndarray], recipe: str, device: str) -> Batches:
    """A feed whose volumes lie on the device, 4 bytes a voxel.

    Raises:
        torch.cuda.OutOfMemoryError: when they do not fit.
    """
    held = {
        sequence: send(torch.from_numpy(np.ascontiguousarray(volume, np.float32)), device)
        for sequence, volume in volumes.items()
    }
    return partial(_stack_there, held, recipe)


def send(tensor: Tensor, device: torch.device | str) -> Tensor:
    """A tensor on a device; CUDA may still be fetching it when this returns."""
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    # Systems limit how much memory may be locked; other memory only takes longer.
    with suppress(RuntimeError):
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _stack_there(held: Mapping[Sequence, Tensor], recipe: str, indices: np.ndarray) -> Tensor:
    sequences, offsets = recipe_by_name(recipe)
    some = next(iter(held.values()))
    missing = some.new_zeros(len(indices), *some.shape[1:])
    channels = []
    for offset in offsets:
        rows = np.clip(np.asarray(indices) + offset, 0, len(some) - 1)
        there = send(torch.from_numpy(rows), some.device)
        channels += [held[s].index_select(0, there) if s in held else missing for s in sequences]
    return torch.stack(channels, dim=1)
