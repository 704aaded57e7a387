"""An ensemble looks at every slice from every view; probabilities are averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from BrainTumorSegLib.engines import Engine
from BrainTumorSegLib.errors import DeviceError
from BrainTumorSegLib.progress import Progress
from BrainTumorSegLib.sequences import Sequence
from BrainTumorSegLib.slices import stack_slices
from BrainTumorSegLib.views import View


@dataclass(frozen=True)
class Prediction:
    """What an ensemble says about one volume on its model grid.

    Attributes:
        probabilities: float32 ``[class, slice, row, column]``, mean over members and views.
        entropy: float32 ``[slice, row, column]``, entropy of that mean divided by the
            logarithm of the number of classes: 0 certain, 1 clueless.
        mutual_information: like entropy; the part of it that comes from members
            contradicting each other: entropy of the mean less mean entropy of the
            members (Houlsby et al. 2011). Zero for a single member.
        engine: the engine that finished the job.
        batch: images at once in the end.
        notes: substitutions that the record must name.
    """

    probabilities: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray
    engine: Engine
    batch: int
    notes: tuple[str, ...]


def predict_volume(
    volumes: Mapping[Sequence, np.ndarray],
    recipe: str,
    views: tuple[View, ...],
    engine: Engine,
    fallback: Callable[[], Engine] | None = None,
    batch: int | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """Run every member on every view of every slice.

    When memory runs out the batch is halved; when a single image does not fit, the
    job moves to the fallback engine; the slices that are done are kept.

    Args:
        volumes: normalised volumes ``[slice, row, column]``; zero outside the brain.
        recipe: a key of `slices.RECIPES`.
        views: from `views.views_by_name`.
        engine: where to run.
        fallback: makes the engine to move to, usually one on the CPU.
        batch: images at once; by default the engine finds out.
        progress: advanced by one a slice.

    Raises:
        DeviceError: when even one image does not fit in memory anywhere.
    """
    progress = progress or Progress()
    depth, height, width = next(iter(volumes.values())).shape
    channels = stack_slices(volumes, recipe, [0]).shape[1]
    notes: list[str] = []
    batch = batch or engine.free_batch((channels, height, width))
    result: _Accumulated | None = None
    occupied = np.flatnonzero([any(v[i].any() for v in volumes.values()) for i in range(depth)])
    progress.stage("segment", max(1, len(occupied)))
    position = 0
    while position < len(occupied):
        # Every view of a slice belongs to the same batch where it fits.
        indices = occupied[position : position + max(1, batch // len(views))]
        try:
            images = torch.from_numpy(stack_slices(volumes, recipe, indices))
            mean, member_entropy = _predict_slices(images, views, engine, batch)
        except MemoryError as error:
            engine, batch = _step_down(engine, batch, fallback, notes, error)
            progress.warn(notes[-1])
            continue
        if result is None:
            result = _Accumulated.empty(mean.shape[1], (depth, height, width))
        result.store(indices, mean, member_entropy)
        position += len(indices)
        progress.advance(len(indices))
    if result is None:
        result = _Accumulated.empty(1, (depth, height, width))
    return Prediction(
        result.probabilities,
        result.entropy,
        result.mutual_information,
        engine,
        batch,
        tuple(notes),
    )


def _predict_slices(
    images: Tensor, views: tuple[View, ...], engine: Engine, batch: int
) -> tuple[Tensor, Tensor]:
    """Mean probabilities ``[N, K, H, W]`` and mean normalised member entropy ``[N, H, W]``."""
    images = images.to(engine.device)
    # Views are built once for all members; those that exchange rows and columns
    # have another shape and run in batches of their own.
    groups = [
        (group, torch.cat([view.apply(images) for view in group]))
        for swaps in (False, True)
        if (group := [view for view in views if view.swaps_axes == swaps])
    ]
    mean: Tensor | None = None
    entropy: Tensor | None = None
    for member in range(engine.members):
        own: Tensor | None = None
        for group, stacked in groups:
            seen = torch.cat([engine.predict(member, part) for part in stacked.split(batch)])
            for view, probabilities in zip(group, seen.chunk(len(group)), strict=True):
                undone = view.undo(probabilities)
                own = undone.clone() if own is None else own.add_(undone)
        own /= len(views)
        own_entropy = normalised_entropy(own)
        mean = own if mean is None else mean.add_(own)
        entropy = own_entropy if entropy is None else entropy.add_(own_entropy)
    return mean / engine.members, entropy / engine.members


def normalised_entropy(probabilities: Tensor) -> Tensor:
    """Shannon entropy over axis 1 divided by its maximum, ``[N, K, ...]`` to ``[N, ...]``."""
    classes = probabilities.shape[1]
    return torch.special.entr(probabilities).sum(dim=1) / math.log(classes)


@dataclass
class _Accumulated:
    probabilities: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray

    @classmethod
    def empty(cls, classes: int, shape: tuple[int, int, int]) -> _Accumulated:
        """Certain background everywhere: slices without brain stay like that."""
        probabilities = np.zeros((classes, *shape), np.float32)
        probabilities[0] = 1.0
        return cls(probabilities, np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def store(self, indices: np.ndarray, mean: Tensor, member_entropy: Tensor) -> None:
        entropy = normalised_entropy(mean)
        self.probabilities[:, indices] = mean.movedim(0, 1).cpu().numpy()
        self.entropy[indices] = entropy.cpu().numpy()
        # Rounding can make the difference of two equal entropies slightly negative.
        information = (entropy - member_entropy).clamp_(min=0)
        self.mutual_information[indices] = information.cpu().numpy()


def _step_down(
    engine: Engine,
    batch: int,
    fallback: Callable[[], Engine] | None,
    notes: list[str],
    error: MemoryError,
) -> tuple[Engine, int]:
    if batch > 1:
        notes.append(f"{engine.device} ran out of memory; the batch was halved to {batch // 2}.")
        return engine, batch // 2
    if fallback is None:
        raise DeviceError(
            f"Not enough memory on {engine.device} for a single slice.",
            "Close other programs, or use fewer members.",
        ) from error
    notes.append(f"{engine.device} ran out of memory; the run moved to the CPU.")
    replacement = fallback()
    if replacement.device == engine.device:
        raise DeviceError(
            f"Not enough memory on {engine.device} for a single slice.",
            "Close other programs, or use fewer members.",
        ) from error
    return replacement, replacement.free_batch((1, 1, 1))
