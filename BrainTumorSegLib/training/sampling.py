"""Drawing batches of slices. A batch depends on nothing but the seed and the step."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf

import numpy as np
import torch
from torch import Tensor

from BrainTumorSegLib.sequences import Sequence
from BrainTumorSegLib.slices import stack_slices
from BrainTumorSegLib.tissue import Tissue
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.volumes import LabelledVolume

_BACKGROUND = 1 << int(Tissue.BACKGROUND)


class SliceSampler:
    """Draws training slices, every case as often as every other.

    Args:
        volumes: the cases to draw from.
        config: batch size, crop, share of slices with tumour, seed.
    """

    def __init__(self, volumes: SequenceOf[LabelledVolume], config: TrainingConfig) -> None:
        self._volumes = volumes
        self._config = config
        self._with_tumour = [
            np.flatnonzero((v.allowed != _BACKGROUND).any(axis=(1, 2))) for v in volumes
        ]

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Slices of one step.

        Returns:
            float32 images ``[N, C, H, W]`` and uint8 tissue bits ``[N, H, W]``.
        """
        config = self._config
        rng = np.random.default_rng([config.seed, config.fold, step])
        images, labels = [], []
        for _ in range(config.batch):
            number = int(rng.integers(len(self._volumes)))
            volume, tumour = self._volumes[number], self._with_tumour[number]
            if len(tumour) and rng.random() < config.tumour_share:
                index = int(rng.choice(tumour))
            else:
                index = int(rng.integers(volume.allowed.shape[0]))
            window = _window(volume.allowed.shape[1:], config.crop, rng)
            scans = {s: volume.scans[n] for n, s in enumerate(Sequence)}
            image = stack_slices(scans, config.recipe, [index])[0]
            images.append(_cut(image, window, config.crop, 0))
            labels.append(_cut(volume.allowed[index], window, config.crop, _BACKGROUND))
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels))


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
