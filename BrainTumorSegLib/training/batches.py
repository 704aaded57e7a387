"""Augmented batches, made ahead of time by threads if wanted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from BrainTumorSegLib.preprocessing.model_grid import channel_sequences
from BrainTumorSegLib.training.augment import augment
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.distributed import ALONE, Ranks
from BrainTumorSegLib.training.sampling import SliceSampler

Batch = tuple[Tensor, Tensor]


def step_seed(config: TrainingConfig, step: int, rank: int = 0) -> int:
    """Seed of everything random in one step of one process, 64 bits."""
    seed = (config.seed * 1_000_003 + config.fold) * 1_000_003 + step + rank * 2_147_483_647
    # A date makes a seed of eight digits, and more than torch takes.
    return seed % 2**64


def batches(
    sampler: SliceSampler,
    config: TrainingConfig,
    first: int,
    workers: int = 0,
    ranks: Ranks = ALONE,
) -> Iterator[Batch]:
    """Augmented batches of the steps from ``first`` on; the same with any number of workers.

    Args:
        sampler: draws the slices.
        config: of the run.
        first: step to begin with.
        workers: threads that prepare batches ahead; 0 prepares each when it is due.
        ranks: which part of each batch is ours.
    """
    shown = channel_sequences(config.recipe)

    def make(step: int) -> Batch:
        generator = torch.Generator().manual_seed(step_seed(config, step, ranks.rank))
        images, allowed = sampler.batch(step, ranks)
        return augment(images, allowed, shown, config.augmentation, generator)

    return _ahead(make, range(first, config.steps), workers)


def _ahead(make: Callable[[int], Batch], steps: range, workers: int) -> Iterator[Batch]:
    if workers < 1:
        yield from map(make, steps)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Batch]] = deque()
        try:
            for step in steps:
                waiting.append(pool.submit(make, step))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
