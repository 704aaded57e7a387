"""What one member learns from: real cases and synthetic samples, and the batches drawn of them."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.volumes import read_spacing
from BrainTumorSegLib.preprocessing.model_grid import NetworkInput, channel_sequences, stack_slices
from BrainTumorSegLib.synthesis.config import SynthesisConfig, held_out
from BrainTumorSegLib.synthesis.real_scans import RealCase
from BrainTumorSegLib.synthesis.sources import Sources, find_sources

from .augment import augment
from .cohort import LabeledCase, training_cases
from .config import TrainingConfig
from .distributed import Machine
from .head_donors import SIDE, Donors, framed, load_donors
from .losses import BACKGROUND
from .outlined_slices import load_slice_set, read_slice_sets, without_fold
from .volumes import LabeledVolume, load_volume, stored_samples, synthetic_volume

#: Stage of progress in which all cases are read.
PREPARE = "prepare"

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class TrainingData:
    """What one member learns from, and what it is validated on.

    Attributes:
        volumes: training cases, none of the fold left out.
        synthetic: synthetic samples to mix in, none of the held-out generator.
        validation: cases for choosing the checkpoint.
        slices: single slices with an outline to mix in, none of the fold left out.
        donors: heads to put around stripped slices.
    """

    volumes: SequenceOf[LabeledVolume]
    synthetic: SequenceOf[LabeledVolume] = ()
    validation: SequenceOf[LabeledVolume] = ()
    slices: SequenceOf[LabeledVolume] = ()
    donors: Donors | None = None


def prepare_cases(
    cases: SequenceOf[LabeledCase], config: TrainingConfig, cache: Path, progress: Progress
) -> None:
    """Put every case into the cache, so that an unusable one is reported before training.

    Raises:
        TrainingError: when no case shows a tumour, and none is to be synthesised.
        BrainTumorSegError: as `load_volume`.
    """
    progress.stage(PREPARE, len(cases))
    # A list, as any() would leave cases out of the cache once it knows.
    shown = [
        bool((_load(case, config, cache, progress).allowed != BACKGROUND).any()) for case in cases
    ]
    if not any(shown) and not config.synthesis.samples:
        raise TrainingError(
            f"The labels of all {len(cases)} cases are empty.",
            "Check that they are the experts' labels and that label_protocol means them.",
        )


def collect_cases(
    cases: SequenceOf[LabeledCase],
    config: TrainingConfig,
    sources: Path,
    cache: Path,
    workers: int = 0,
    progress: Progress | None = None,
) -> TrainingData:
    """Prepare everything that the member without ``config.fold`` needs; what is cached is kept.

    Synthetic samples are painted on and carved from training cases only. The held-out
    generator is used for choosing checkpoints and for nothing else.

    Args:
        cases: the whole cohort.
        sources: folder that may hold label maps of heads and tumours, see
            `sources.find_sources`.
        cache: folder for prepared volumes.
        workers: processes that make synthetic samples.

    Raises:
        TrainingError: as `training_cases`.
    """
    progress = progress or Progress()
    training = training_cases(cases, config.fold)
    check, mix = config.validation, config.synthesis
    on_fold = check.every and check.on == "fold"
    left_out = [case for case in cases if on_fold and case.fold == config.fold]
    progress.stage(config.stage("read"), len(training) + len(left_out))
    _warn_of_missing(training, progress)
    volumes = [_load(case, config, cache, progress) for case in training]
    validation = [_load(case, config, cache, progress) for case in left_out]
    synthetic: list[LabeledVolume] = []
    if mix.samples:
        found = find_sources(sources, real_cases(_paintable(training, mix.generator, progress)))
        progress.stage(config.stage("make"), mix.samples)
        counted = (mix.seed, mix.samples)
        synthetic = _make(mix.generator, found, counted, config.shown, cache, workers, progress)
    if check.every and check.on == "synthesis":
        found, generator = find_sources(sources), held_out(mix.generator)
        progress.stage(config.stage("look"), check.samples)
        counted = (check.seed, check.samples)
        validation = _make(generator, found, counted, config.shown, cache, workers, progress)
    slices, donors = _load_pictures(config, sources, cache, progress)
    return TrainingData(volumes, synthetic, validation, slices, donors)


def _load_pictures(
    config: TrainingConfig, folder: Path, cache: Path, progress: Progress
) -> tuple[list[LabeledVolume], Donors | None]:
    """Outlined slices that the member may see, and heads, where they are wanted."""
    slices: list[LabeledVolume] = []
    if config.slices.folder:
        sets = without_fold(read_slice_sets(folder / config.slices.folder), config.fold)
        progress.stage(config.stage("outlines"), len(sets))
        for one in sets:
            slices.append(load_slice_set(one, cache, config.shown))
            progress.advance(1, one.name)
    if not config.heads.folder:
        return slices, None
    progress.stage(config.stage("heads"))
    return slices, load_donors(folder / config.heads.folder, cache, config.shown, progress)


def real_cases(cases: SequenceOf[LabeledCase]) -> tuple[RealCase, ...]:
    """Cases to paint on and carve from. Give none of the fold that is left out."""
    return tuple(
        RealCase(case.name, tuple(case.scans.items()), case.labels, case.protocol) for case in cases
    )


def _load(
    case: LabeledCase, config: TrainingConfig, cache: Path, progress: Progress
) -> LabeledVolume:
    volume = load_volume(case, cache, Progress(cancel=progress.cancel), config.shown)
    for text in (f"Case {case.name}: {warning}" for warning in volume.warnings):
        # Every member would say the same of the same cases.
        if text not in progress.warnings:
            progress.warn(text)
    progress.advance(1, case.name)
    return volume


def _make(
    config: SynthesisConfig,
    sources: Sources,
    counted: tuple[int, int],
    shown: NetworkInput,
    cache: Path,
    workers: int,
    progress: Progress,
) -> list[LabeledVolume]:
    """Samples of a set, of which ``counted`` are the seed and how many."""
    seed, count = counted
    stored = stored_samples(cache, config, sources, seed, shown)
    if workers > 1:
        # Fresh processes: threads of torch and ITK do not survive a fork.
        context = multiprocessing.get_context("spawn")
        make = partial(_make_one, config, sources, seed, stored, shown)
        with (
            ProcessPoolExecutor(workers, mp_context=context) as pool,
            # Closed early, it cancels what has not begun.
            closing(pool.map(make, range(count))) as made,
        ):
            for _ in made:
                progress.advance()
        progress = Progress(cancel=progress.cancel)
    volumes = []
    for number in range(count):
        volumes.append(synthetic_volume(config, sources, seed, number, stored, shown))
        progress.advance(1, volumes[-1].name)
    return volumes


def _make_one(
    config: SynthesisConfig,
    sources: Sources,
    seed: int,
    stored: Path,
    shown: NetworkInput,
    number: int,
) -> None:
    """Put one sample into the cache; its arrays need not travel between processes."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    synthetic_volume(config, sources, seed, number, stored, shown)


def _paintable(
    cases: SequenceOf[LabeledCase], config: SynthesisConfig, progress: Progress
) -> list[LabeledCase]:
    """Cases that lesions can be painted on and carved from, where that is wanted."""
    if not config.real_share and not config.kinds.carved:
        # Then all folds share one set of samples.
        return []
    fit = [case for case in cases if _is_paintable(case)]
    if len(fit) < len(cases):
        progress.warn(
            f"{len(cases) - len(fit)} of {len(cases)} training cases are not painted on or carved "
            "from: that needs all three sequences, registered, stripped, at 1 mm."
        )
    return fit


def _is_paintable(case: LabeledCase) -> bool:
    if not case.preparation.nothing_to_do or len(case.scans) < len(Sequence):
        return False
    spacings = [read_spacing(path) for path in case.scans.values()]
    return max(abs(spacing - 1) for one in spacings for spacing in one[:3]) <= 0.05


def _warn_of_missing(cases: SequenceOf[LabeledCase], progress: Progress) -> None:
    for sequence in Sequence:
        lacking = [case.name for case in cases if sequence not in case.scans]
        if lacking:
            shown = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
            progress.warn(f"{sequence.name} is missing in {len(lacking)} case(s): {shown}.")


# --- batches -------------------------------------------------------------------------------


class SliceSampler:
    """Draws training slices, every case as often as every other.

    A batch depends on nothing but the seed and the step. ``slices.share`` of its slices
    are outlined ones, where there are any, and `SyntheticShare.share` of the others come from
    synthetic samples; ``heads.share`` of those that are stripped get a head around them.
    """

    def __init__(self, data: TrainingData, config: TrainingConfig) -> None:
        self._config, self._donors = config, data.donors
        self._real, self._synthetic, self._slices = (
            [(v, np.flatnonzero((v.allowed != BACKGROUND).any(axis=(1, 2)))) for v in pool]
            for pool in (data.volumes, data.synthetic, data.slices)
        )

    def batch(self, step: int, rank: int = 0, world: int = 1) -> Batch:
        """Slices of one step.

        Args:
            step: from 0.
            rank, world: of several processes each gets its own part of the batch.

        Returns:
            float32 images ``[N, C, H, W]`` and uint8 tissue bits ``[N, H, W]``.
        """
        config = self._config
        rng = np.random.default_rng([config.seed, config.fold, step])
        images, labels = [], []
        for number in range(config.batch):
            volume, index = self._draw(rng)
            headed = self._donors is not None and volume.stripped
            headed = headed and rng.random() < config.heads.share
            shape = (SIDE, SIDE) if headed else volume.allowed.shape[1:]
            window = _window(shape, config.crop, rng)
            # Of a process's own, so that the others need not put heads around its slices.
            own = np.random.default_rng(int(rng.integers(2**32))) if headed else rng
            if number % world != rank:
                continue
            if headed:
                image, allowed = self._with_head(volume, index, own)
            else:
                scans = dict(zip(Sequence, volume.scans, strict=True))
                image = stack_slices(scans, config.input_channels, [index])[0]
                allowed = volume.allowed[index]
            images.append(_cut(image, window, config.crop, 0))
            labels.append(_cut(allowed, window, config.crop, BACKGROUND))
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels))

    def _with_head(
        self, volume: LabeledVolume, index: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """A slice of a stripped volume in a head, and its labels."""
        place = index / max(1, volume.allowed.shape[0] - 1)
        image = self._donors.around(np.asarray(volume.scans[:, index]), place, rng)
        return image, framed(np.asarray(volume.allowed[index]), BACKGROUND)

    def _draw(self, rng: np.random.Generator) -> tuple[LabeledVolume, int]:
        """A volume and the number of one of its slices."""
        pool = self._real
        # Where there is nothing to choose from no number is drawn, so that such runs stay what
        # they were.
        if self._slices and rng.random() < self._config.slices.share:
            pool = self._slices
        elif self._synthetic and rng.random() < self._config.synthesis.share:
            pool = self._synthetic
        volume, tumor = pool[int(rng.integers(len(pool)))]
        if len(tumor) and rng.random() < self._config.tumor_share:
            return volume, int(rng.choice(tumor))
        return volume, int(rng.integers(volume.allowed.shape[0]))


def step_seed(config: TrainingConfig, step: int, rank: int = 0) -> int:
    """Seed of everything random in one step of one process, 64 bits."""
    seed = (config.seed * 1_000_003 + config.fold) * 1_000_003 + step + rank * 2_147_483_647
    # A date makes a seed of eight digits, and more than torch takes.
    return seed % 2**64


def batches(
    sampler: SliceSampler, config: TrainingConfig, first: int, machine: Machine
) -> Iterator[Batch]:
    """Augmented batches of the steps from ``first`` on; the same with any number of workers."""
    shown = channel_sequences(config.input_channels)

    def make(step: int) -> Batch:
        generator = torch.Generator().manual_seed(step_seed(config, step, machine.rank))
        images, allowed = sampler.batch(step, machine.rank, machine.world)
        return augment(images, allowed, shown, config.augmentation, generator)

    steps = iter(range(first, config.steps))
    if machine.workers < 1:
        yield from map(make, steps)
        return
    # Threads, as volumes are mapped: processes would have to map all of them again.
    with ThreadPoolExecutor(machine.workers) as pool:
        waiting: deque[Future[Batch]] = deque(
            pool.submit(make, step) for step in islice(steps, 2 * machine.workers)
        )
        try:
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(pool.submit(make, step) for step in islice(steps, 1))
                yield batch
        finally:
            for future in waiting:
                future.cancel()


def spread_slices(
    volume: LabeledVolume, input_channels: str, wanted: int
) -> tuple[np.ndarray, np.ndarray]:
    """Evenly spread slices of a case; all of them where it has no more than are wanted.

    Returns:
        Network input, float32 ``[N, C, H, W]``, and tissue bits ``[N, H, W]``.
    """
    depth = volume.allowed.shape[0]
    indices = np.unique(np.linspace(0, depth - 1, min(depth, wanted)).round().astype(int))
    scans = dict(zip(Sequence, volume.scans, strict=True))
    return stack_slices(scans, input_channels, indices.tolist()), volume.allowed[indices]


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
