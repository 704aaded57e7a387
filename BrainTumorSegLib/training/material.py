"""What one member learns from: real cases, synthetic samples, and cases to choose it on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence as SequenceOf
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import SimpleITK as sitk

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.synthesis.tumours.settings import SynthesisConfig, held_out
from BrainTumorSegLib.synthesis.tumours.sources import Sources, find_sources
from BrainTumorSegLib.training.cohort import LabelledCase
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.loop import TrainingData
from BrainTumorSegLib.training.synthetic import real_cases, stored_samples, synthetic_volume
from BrainTumorSegLib.training.volumes import LabelledVolume, load_volume

#: Stage of progress in which all cases are read.
PREPARE = "prepare"


def training_cases(cases: SequenceOf[LabelledCase], fold: int) -> list[LabelledCase]:
    """The cases that a member without this fold may see.

    Raises:
        TrainingError: when there would be none, or none is left out.
    """
    training = [case for case in cases if case.fold != fold]
    if not training or len(training) == len(cases):
        raise TrainingError(
            f"Leaving out fold {fold} leaves {len(training)} of {len(cases)} cases.",
            f"Folds of this cohort: {sorted({case.fold for case in cases})}.",
        )
    return training


def gather(
    cases: SequenceOf[LabelledCase],
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
        config: of the member.
        sources: folder that may hold label maps of heads and tumours, see
            `sources.find_sources`.
        cache: folder for prepared volumes.
        workers: processes that make synthetic samples.
        progress: one stage for the cases, one for the samples.

    Raises:
        TrainingError: as `training_cases`.
    """
    progress = progress or Progress()
    training = training_cases(cases, config.fold)
    look = config.validation
    on_fold = look.every and look.on == "fold"
    looked_at = [case for case in cases if on_fold and case.fold == config.fold]
    progress.stage(config.stage("read"), len(training) + len(looked_at))
    _warn_of_missing(training, progress)
    volumes = [_load(case, cache, progress) for case in training]
    validation = [_load(case, cache, progress) for case in looked_at]
    mix = config.synthesis
    synthetic: list[LabelledVolume] = []
    if mix.samples:
        paintable = _paintable(training, mix.generator, progress)
        found = find_sources(sources, real_cases(paintable))
        synthetic = _make(
            *(mix.generator, found, mix.seed, mix.samples, cache, workers),
            *(progress, config.stage("make")),
        )
    if look.every and look.on == "synthesis":
        found = find_sources(sources)
        generator = held_out(mix.generator)
        validation = _make(
            *(generator, found, look.seed, look.samples, cache, workers),
            *(progress, config.stage("look")),
        )
    return TrainingData(volumes, synthetic, validation)


def prepare_cases(
    cases: SequenceOf[LabelledCase], config: TrainingConfig, cache: Path, progress: Progress
) -> None:
    """Put every case into the cache, so that one that cannot be used is told before training.

    Raises:
        TrainingError: when no case shows a tumour, and none is to be synthesised.
        BrainTumorSegError: as `load_volume`.
    """
    progress.stage(PREPARE, len(cases))
    background = 1 << int(Tissue.BACKGROUND)
    # All are to be loaded, so no generator.
    shown = [bool((_load(case, cache, progress).allowed != background).any()) for case in cases]
    if not any(shown) and not config.synthesis.samples:
        raise TrainingError(
            f"The labels of all {len(cases)} cases are empty.",
            "Check that they are the experts' labels and that label_protocol means them.",
        )


def _load(case: LabelledCase, cache: Path, progress: Progress) -> LabelledVolume:
    volume = load_volume(case, cache, Progress(cancel=progress.cancel))
    progress.advance(1, case.name)
    return volume


def _make(
    config: SynthesisConfig,
    sources: Sources,
    seed: int,
    count: int,
    cache: Path,
    workers: int,
    progress: Progress,
    stage: str,
) -> list[LabelledVolume]:
    progress.stage(stage, count)
    stored = stored_samples(cache, config, sources, seed)
    if workers > 1:
        # Fresh processes: threads of torch and ITK do not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            tasks = [
                pool.submit(_make_one, config, sources, seed, number, stored)
                for number in range(count)
            ]
            try:
                for task in tasks:
                    task.result()
                    progress.advance()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        progress = Progress(cancel=progress.cancel)
    volumes = []
    for number in range(count):
        volumes.append(synthetic_volume(config, sources, seed, number, stored))
        progress.advance(1, volumes[-1].name)
    return volumes


def _make_one(
    config: SynthesisConfig, sources: Sources, seed: int, number: int, stored: Path
) -> None:
    """Put one sample into the cache; its arrays need not travel between processes."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    synthetic_volume(config, sources, seed, number, stored)


def _paintable(
    cases: SequenceOf[LabelledCase], config: SynthesisConfig, progress: Progress
) -> list[LabelledCase]:
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


def _is_paintable(case: LabelledCase) -> bool:
    if not case.preparation.nothing_to_do or len(case.scans) < len(Sequence):
        return False
    reader = sitk.ImageFileReader()
    for path in case.scans.values():
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        if max(abs(spacing - 1) for spacing in reader.GetSpacing()) > 0.05:
            return False
    return True


def _warn_of_missing(cases: SequenceOf[LabelledCase], progress: Progress) -> None:
    for sequence in Sequence:
        lacking = [case.name for case in cases if sequence not in case.scans]
        if lacking:
            shown = ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else "")
            progress.warn(f"{sequence.name} is missing in {len(lacking)} case(s): {shown}.")
