"""Synthetic samples as subjects, of settings, heads and shapes that training never has."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import replace
from functools import partial

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case, Scan, make_case
from BrainTumorSegLib.evaluation.runs import Subject
from BrainTumorSegLib.synthesis.tumours.generate import synthesise
from BrainTumorSegLib.synthesis.tumours.kinds import Kind
from BrainTumorSegLib.synthesis.tumours.settings import SynthesisConfig, held_out
from BrainTumorSegLib.synthesis.tumours.sources import Sources

#: The four tumours, then brains in which all that is found is false.
KINDS = (
    *(Kind.GLIOBLASTOMA, Kind.ASTROCYTOMA, Kind.MENINGIOMA, Kind.NEURINOMA),
    *(Kind.HEALTHY, Kind.MULTIPLE_SCLEROSIS),
)


def synthetic_subjects(
    count: int, sources: Sources, seed: int = 0, kinds: SequenceOf[Kind] = KINDS
) -> list[Subject]:
    """So many samples of each kind, made when they are loaded.

    Whole heads at the settings of `settings.held_out`, stripped of the skull, all sequences.

    Args:
        count: of each kind.
        sources: label maps to make them of; real cases in it are not used.
        seed: the same one gives the same voxels.
        kinds: what to make.
    """
    config = held_out(SynthesisConfig())
    acquisition = replace(config.acquisition, missing=0.0, skull=0.0)
    config = replace(config, acquisition=acquisition)
    return [
        Subject(
            f"{kind.value}-{seed}-{number}",
            kind.value,
            None,
            partial(_load, config.only(kind), sources, seed, number, place),
        )
        for place, kind in enumerate(kinds)
        for number in range(count)
    ]


def _load(
    config: SynthesisConfig, sources: Sources, seed: int, number: int, place: int
) -> tuple[Case, sitk.Image]:
    sample = synthesise(config, sources, [seed, place, number])
    name = f"{sample.record['kind']}-{seed}-{number}"
    scans = {
        sequence: Scan(sample.image((array * sample.brain).astype(np.float32)), name)
        for sequence, array in sample.scans.items()
    }
    return make_case(name, scans), sample.image(sample.allowed)
