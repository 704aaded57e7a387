"""Labelled cases as the networks see them, kept on disk between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled, TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.labelmaps import allowed_tissues
from BrainTumorSegLib.io.truth import read_truth
from BrainTumorSegLib.io.volumes import read_image
from BrainTumorSegLib.preprocessing.brain import extract_brain
from BrainTumorSegLib.preprocessing.model_grid import ModelGrid, model_grid, normalise, to_grid
from BrainTumorSegLib.preprocessing.registration import align
from BrainTumorSegLib.training.cohort import LabelledCase
from BrainTumorSegLib.training.stored import file_stamps, map_array, store_arrays
from BrainTumorSegLib.training.weak_labels import separate_core

#: Raise when the preparation changes, so that old files are not used.
CACHE_VERSION = 1

#: A larger share of a scan than this cannot be brain: a skull and noise in the air are there.
MOST_BRAIN = 0.9


@dataclass(frozen=True)
class LabelledVolume:
    """One case on its model grid.

    Attributes:
        scans: float16 ``[3, slice, row, column]``, normalised, in the order of `Sequence`.
        allowed: uint8 ``[slice, row, column]``; bit ``t`` is set when the voxel may
            be tissue ``t`` (see `io.labelmaps.allowed_tissues`).
    """

    name: str
    scans: np.ndarray
    allowed: np.ndarray


def prepare_volume(case: LabelledCase, progress: Progress | None = None) -> LabelledVolume:
    """Read a case and bring it to its model grid, as `segment` does with a new case.

    A sequence that is missing is zero, the mean of a normalised brain.

    Raises:
        TrainingError: when the scans are not registered or stripped of the skull though they
            should be, or no labelled voxel lies where the brain is though there are some.
        BrainTumorSegError: when a file cannot be read, or registration or finding the
            brain fails.
    """
    try:
        if case.preparation.nothing_to_do:
            scans, grid = _ready_scans(case)
        else:
            scans, grid = _raw_scans(case, progress)
    except (TrainingError, Cancelled):
        raise
    except BrainTumorSegError as error:
        raise type(error)(f"Case {case.name}: {error.message}", error.remedy) from error
    truth = read_truth(case.labels)
    labels = to_grid(truth, grid, interpolator=sitk.sitkNearestNeighbor)
    allowed = allowed_tissues(labels, case.protocol, str(case.labels))
    if not labels.any() and sitk.GetArrayViewFromImage(truth).any():
        raise TrainingError(
            f"No labelled voxel of {case.labels} lies in the brain of case {case.name}.",
            "The labels must lie in the space of the T1CE scan.",
        )
    allowed = separate_core(allowed, grid.spacing[::-1])
    return LabelledVolume(case.name, scans.astype(np.float16), allowed)


def _ready_scans(case: LabelledCase) -> tuple[np.ndarray, ModelGrid]:
    """Scans that are registered and stripped of the skull already."""
    images = {s: read_image(path) for s, path in case.scans.items()}
    reference = images[Sequence.T1CE]
    for sequence, image in images.items():
        if not image.IsSameImageGeometryAs(reference):
            raise TrainingError(
                f"The {sequence.name} scan of case {case.name} does not lie on the voxels of T1CE.",
                "Set registration = 'auto' in the table [data] of the recipe.",
            )
    brain = stripped_brain(images)
    filled = float(sitk.GetArrayViewFromImage(brain).mean())
    if filled > MOST_BRAIN:
        raise TrainingError(
            f"The scans of case {case.name} have signal in {100 * filled:.0f} % of their volume: "
            "the skull was not removed.",
            "Set brain = 'auto' in the table [data] of the recipe.",
        )
    grid = model_grid(reference, brain)
    inside = to_grid(brain, grid, interpolator=sitk.sitkNearestNeighbor) > 0
    raw = {s: to_grid(image, grid) for s, image in images.items()}
    return _normalised(raw, inside), grid


def _raw_scans(case: LabelledCase, progress: Progress | None) -> tuple[np.ndarray, ModelGrid]:
    """Scans that are registered and stripped here, in memory."""
    loaded = load_case(case.scans, identity=case.name)
    alignment = align(loaded, engine=case.preparation.registration, progress=progress)
    brain = extract_brain(
        loaded, alignment.transforms, method=case.preparation.brain, progress=progress
    )
    grid = model_grid(loaded.reference_scan.image, brain.image)
    inside = to_grid(brain.image, grid, interpolator=sitk.sitkNearestNeighbor) > 0
    raw = {
        s: to_grid(scan.image, grid, alignment.transforms[s], outside=np.nan)
        for s, scan in loaded.scans.items()
    }
    return _normalised(raw, inside), grid


def _normalised(raw: Mapping[Sequence, np.ndarray], inside: np.ndarray) -> np.ndarray:
    empty = np.zeros(inside.shape, np.float32)
    return np.stack([normalise(raw[s], inside) if s in raw else empty for s in Sequence])


def stripped_brain(images: dict[Sequence, sitk.Image]) -> sitk.Image:
    """Where any of the registered, skull-stripped scans has signal, holes filled."""
    mask = None
    for image in images.values():
        signal = sitk.Cast(image != 0, sitk.sitkUInt8)
        mask = signal if mask is None else sitk.Or(mask, signal)
    return sitk.BinaryFillhole(mask)


def load_volume(
    case: LabelledCase, cache: Path | None, progress: Progress | None = None
) -> LabelledVolume:
    """Prepared volume of a case, from the cache folder where it lies there already.

    What comes from a cache is mapped rather than read, see `stored`.
    """
    if cache is None:
        return prepare_volume(case, progress)
    stamp = file_stamps((*case.scans.values(), case.labels))
    if len(case.scans) < len(Sequence):
        # Two files may be T1 and T1CE as well as T1CE and FLAIR.
        stamp += "|" + "|".join(sequence.value for sequence in case.scans)
    told = f"{CACHE_VERSION}|{case.protocol.name}|{stamp}"
    if not case.preparation.nothing_to_do:
        told += f"|{case.preparation.registration}|{case.preparation.brain}"
    key = hashlib.sha256(told.encode()).hexdigest()[:16]
    path = cache / f"{case.stem}-{key}.npz"
    if not path.is_file():
        volume = prepare_volume(case, progress)
        store_arrays(path, scans=volume.scans, allowed=volume.allowed)
    return LabelledVolume(case.name, map_array(path, "scans"), map_array(path, "allowed"))
