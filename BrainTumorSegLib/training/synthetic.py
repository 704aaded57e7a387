"""Synthetic samples in the form in which training consumes real cases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.preprocessing.model_grid import model_grid, normalise, to_grid
from BrainTumorSegLib.synthesis.tumours.generate import GENERATOR_VERSION, Sample, synthesise
from BrainTumorSegLib.synthesis.tumours.real_scans import RealCase
from BrainTumorSegLib.synthesis.tumours.settings import SynthesisConfig
from BrainTumorSegLib.synthesis.tumours.sources import Sources
from BrainTumorSegLib.training.cohort import LabelledCase
from BrainTumorSegLib.training.stored import file_stamps, map_array, read_text, store_arrays
from BrainTumorSegLib.training.volumes import CACHE_VERSION, LabelledVolume
from BrainTumorSegLib.training.weak_labels import separate_core

_BACKGROUND = 1 << int(Tissue.BACKGROUND)


def real_cases(cases: Iterable[LabelledCase]) -> tuple[RealCase, ...]:
    """Cases to paint on and carve from. Give none of the fold that is left out."""
    return tuple(
        RealCase(case.name, tuple(case.scans.items()), case.labels, case.protocol) for case in cases
    )


def prepare_sample(sample: Sample, name: str) -> LabelledVolume:
    """Bring a sample to its model grid, as `volumes.prepare_volume` does with a real case.

    A sequence that was not taken is zero, the mean of a normalised brain.
    """
    images = {s: sample.image(array) for s, array in sample.scans.items()}
    reference = images[Sequence.T1CE]
    brain = sample.image(sample.brain.astype(np.uint8))
    grid = model_grid(reference, brain)
    inside = to_grid(brain, grid, interpolator=sitk.sitkNearestNeighbor) > 0
    scans = np.zeros((len(Sequence), *grid.shape), np.float16)
    for number, sequence in enumerate(Sequence):
        if sequence in images:
            scans[number] = normalise(to_grid(images[sequence], grid), inside)
    allowed = to_grid(
        sample.image(sample.allowed),
        grid,
        interpolator=sitk.sitkNearestNeighbor,
        outside=_BACKGROUND,
    )
    allowed = separate_core(allowed.astype(np.uint8), grid.spacing[::-1])
    return LabelledVolume(name, scans, allowed)


def synthetic_volume(
    config: SynthesisConfig, sources: Sources, seed: int, number: int, stored: Path | None = None
) -> LabelledVolume:
    """One prepared sample, mapped from the cache where it lies there already.

    Args:
        config: what to make.
        sources: what to make it of.
        seed: of the whole set.
        number: of the sample; samples do not depend on each other, so that several
            processes may make a set together.
        stored: from `stored_samples`, of the same set; None makes the sample anew.
    """
    if stored is None:
        return _make(config, sources, seed, number)
    path = stored.with_name(f"{stored.name}-{number:06d}.npz")
    if not path.is_file():
        volume = _make(config, sources, seed, number)
        name = np.array(volume.name)
        store_arrays(path, name=name, scans=volume.scans, allowed=volume.allowed)
    return LabelledVolume(
        read_text(path, "name"), map_array(path, "scans"), map_array(path, "allowed")
    )


def stored_samples(cache: Path, config: SynthesisConfig, sources: Sources, seed: int) -> Path:
    """Where the samples of a set lie in a cache folder, but for their numbers.

    It looks at every file that the set is made of: ask once a set, not once a sample.
    """
    return cache / f"synthetic-{_key(config, sources, seed)}"


def _make(config: SynthesisConfig, sources: Sources, seed: int, number: int) -> LabelledVolume:
    sample = synthesise(config, sources, [seed, number])
    return prepare_sample(sample, f"synthetic-{sample.record['kind']}-{seed}-{number}")


def _key(config: SynthesisConfig, sources: Sources, seed: int) -> str:
    files = [*sources.heads, *sources.shapes]
    for case in sources.cases:
        files += [*(path for _, path in case.scans), case.labels]
    names = [case.name for case in sources.cases]
    told = [GENERATOR_VERSION, CACHE_VERSION, config.as_dict(), names, file_stamps(files), seed]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
