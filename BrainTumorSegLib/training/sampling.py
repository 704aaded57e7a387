"""Drawing batches of slices. A batch depends on nothing but the seed and the step."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf

import numpy as np
import torch
from torch import Tensor

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.preprocessing.model_grid import stack_slices
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.distributed import ALONE, Ranks
from BrainTumorSegLib.training.volumes import LabelledVolume

_BACKGROUND = 1 << int(Tissue.BACKGROUND)


class SliceSampler:
    """Draws training slices, every case as often as every other.

    Args:
        volumes: the cases to draw from.
        config: batch size, crop, share of slices with tumour, of synthetic ones, seed.
        synthetic: synthetic samples, from which `SyntheticShare.share` of the slices come.
    """

    def __init__(
        self,
        volumes: SequenceOf[LabelledVolume],
        config: TrainingConfig,
        synthetic: SequenceOf[LabelledVolume] = (),
    ) -> None:
        self._config = config
        self._real, self._synthetic = _indexed(volumes), _indexed(synthetic)

    def batch(self, step: int, ranks: Ranks = ALONE) -> tuple[Tensor, Tensor]:
        """Slices of one step.

        Args:
            step: from 0.
            ranks: of several processes each gets its own part of the batch.

        Returns:
            float32 images ``[N, C, H, W]`` and uint8 tissue bits ``[N, H, W]``.
        """
        config = self._config
        rng = np.random.default_rng([config.seed, config.fold, step])
        images, labels = [], []
        for number in range(config.batch):
            volume, index = self._draw(rng)
            window = _window(volume.allowed.shape[1:], config.crop, rng)
            if number % ranks.world != ranks.rank:
                continue
            scans = {s: volume.scans[n] for n, s in enumerate(Sequence)}
            image = stack_slices(scans, config.recipe, [index])[0]
            images.append(_cut(image, window, config.crop, 0))
            labels.append(_cut(volume.allowed[index], window, config.crop, _BACKGROUND))
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels))

    def _draw(self, rng: np.random.Generator) -> tuple[LabelledVolume, int]:
        """A volume and the number of one of its slices."""
        pool = self._real
        # Without synthetic samples no number is drawn, so that such runs stay what they were.
        if self._synthetic and rng.random() < self._config.synthesis.share:
            pool = self._synthetic
        volume, tumour = pool[int(rng.integers(len(pool)))]
        if len(tumour) and rng.random() < self._config.tumour_share:
            return volume, int(rng.choice(tumour))
        return volume, int(rng.integers(volume.allowed.shape[0]))


def _indexed(volumes: SequenceOf[LabelledVolume]) -> list[tuple[LabelledVolume, np.ndarray]]:
    """Each volume with the numbers of its slices that show tumour."""
    return [(v, np.flatnonzero((v.allowed != _BACKGROUND).any(axis=(1, 2)))) for v in volumes]


def _window(
    shape: tuple[int, ...], crop: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int]:
    """First row and column of a crop; negative where the slice is smaller than the crop."""
    first = []
    for have, want in zip(shape, crop, strict=True):
        slack = have - want
        first.append(int(rng.integers(slack + 1)) if slack > 0 else slack // 2)
    return first[0], first[1]


def _cut(
    array: np.ndarray, window: tuple[int, int], crop: tuple[int, int], fill: int
) -> np.ndarray:
    """The last two axes cut or padded to ``crop``."""
    result = np.full((*array.shape[:-2], *crop), fill, array.dtype)
    source, target = [], []
    for first, want, have in zip(window, crop, array.shape[-2:], strict=True):
        low, high = max(first, 0), min(first + want, have)
        source.append(slice(low, high))
        target.append(slice(low - first, high - first))
    result[..., target[0], target[1]] = array[..., source[0], source[1]]
    return result
