"""Looking at a network in the midst of training, to keep its best state."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.inference.labels import label_slices
from BrainTumorSegLib.preprocessing.model_grid import stack_slices
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.precision import MixedPrecision
from BrainTumorSegLib.training.volumes import LabelledVolume

#: Slices at once.
BATCH = 8

#: Added to both sides of a case's Dice, in voxels: a case without a region scores near 1
#: as long as little of it is found there, instead of falling from 1 to 0 by one voxel.
SMOOTH = 50.0


@dataclass(frozen=True)
class Scores:
    """Mean over cases of the smoothed Dice of each region, over the slices looked at."""

    regions: dict[str, float]

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.regions.values())))


def validate(
    network: nn.Module,
    volumes: SequenceOf[LabelledVolume],
    config: TrainingConfig,
    device: str,
    mixed: MixedPrecision,
) -> Scores:
    """Score a network on some slices of every case, without views, whole slices at once.

    Voxels whose truth cannot decide about a region do not count for it. Nothing random is
    drawn and the network's mode is given back, so that training goes on as if unseen.
    """
    was_training = network.training
    network.eval()
    dice: dict[str, list[float]] = {region.name: [] for region in Region}
    with torch.inference_mode():
        for volume in volumes:
            counts = {region: np.zeros(3) for region in Region}
            for images, allowed in spread_slices(volume, config.recipe, config.validation.slices):
                images = images.to(device, memory_format=torch.channels_last)
                with mixed.autocast():
                    logits = network(images)
                labels = label_slices(logits.float().softmax(dim=1).cpu().numpy())
                for region in Region:
                    counts[region] += region_counts(labels, allowed, region)
            for region, counted in counts.items():
                dice[region.name].append(smoothed_dice(counted))
    network.train(was_training)
    return Scores({name: float(np.mean(values)) for name, values in dice.items()})


def spread_slices(
    volume: LabelledVolume, recipe: str, wanted: int
) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Evenly spread slices of a case, a few at a time.

    Args:
        volume: the case.
        recipe: a key of `slices.RECIPES`.
        wanted: how many; all where the case has no more.

    Yields:
        Network input ``[N, C, H, W]`` and allowed tissues ``[N, H, W]``.
    """
    depth = volume.allowed.shape[0]
    indices = np.unique(np.linspace(0, depth - 1, min(depth, wanted)).round().astype(int))
    scans = {s: volume.scans[n] for n, s in enumerate(Sequence)}
    for first in range(0, len(indices), BATCH):
        chosen = indices[first : first + BATCH]
        images = stack_slices(scans, recipe, chosen.tolist())
        yield torch.from_numpy(images), np.asarray(volume.allowed[chosen])


def smoothed_dice(counts: np.ndarray) -> float:
    """Dice of what `region_counts` counted, with `SMOOTH` voxels on both sides."""
    both, predicted, truth = counts
    return float((2 * both + SMOOTH) / (predicted + truth + SMOOTH))


def region_counts(labels: np.ndarray, allowed: np.ndarray, region: Region) -> np.ndarray:
    """Voxels in both, found, and true, among those about which the truth decides."""
    group = np.uint8(sum(1 << int(tissue) for tissue in region.value))
    inside = (allowed & ~group) == 0
    decided = inside | ((allowed & group) == 0)
    found = np.isin(labels, [int(tissue) for tissue in region.value]) & decided
    return np.array([(found & inside).sum(), found.sum(), inside.sum()], float)
