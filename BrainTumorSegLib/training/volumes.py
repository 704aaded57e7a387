"""Labelled cases as the networks see them, kept on disk between runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.io.labelmaps import allowed_tissues, read_labels
from BrainTumorSegLib.io.volumes import read_image
from BrainTumorSegLib.sequences import Sequence
from BrainTumorSegLib.slices import model_grid, normalise, to_grid
from BrainTumorSegLib.training.cohort import LabelledCase
from BrainTumorSegLib.training.weak_labels import separate_core

#: Raise when the preparation changes, so that old files are not used.
CACHE_VERSION = 1


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


def prepare_volume(case: LabelledCase) -> LabelledVolume:
    """Read a case and bring it to its model grid, as `segment` does with a new case.

    The scans of a cohort are registered and stripped of the skull already.
    """
    images = {s: read_image(path) for s, path in case.scans.items()}
    reference = images[Sequence.T1CE]
    brain = stripped_brain(images)
    grid = model_grid(reference, brain)
    inside = to_grid(brain, grid, interpolator=sitk.sitkNearestNeighbor) > 0
    scans = np.stack([normalise(to_grid(images[s], grid), inside) for s in Sequence])
    labels = to_grid(read_labels(case.labels), grid, interpolator=sitk.sitkNearestNeighbor)
    allowed = allowed_tissues(labels, case.protocol, str(case.labels))
    allowed = separate_core(allowed, grid.spacing[::-1])
    return LabelledVolume(case.name, scans.astype(np.float16), allowed)


def stripped_brain(images: dict[Sequence, sitk.Image]) -> sitk.Image:
    """Where any of the registered, skull-stripped scans has signal, holes filled."""
    mask = None
    for image in images.values():
        signal = sitk.Cast(image != 0, sitk.sitkUInt8)
        mask = signal if mask is None else sitk.Or(mask, signal)
    return sitk.BinaryFillhole(mask)


def load_volume(case: LabelledCase, cache: Path | None) -> LabelledVolume:
    """Prepared volume of a case, from the cache folder where it lies there already."""
    if cache is None:
        return prepare_volume(case)
    stamp = "|".join(
        f"{p.name}:{p.stat().st_size}:{p.stat().st_mtime_ns}"
        for p in (*case.scans.values(), case.labels)
    )
    key = hashlib.sha256(f"{CACHE_VERSION}|{case.protocol.name}|{stamp}".encode()).hexdigest()[:16]
    path = cache / f"{case.name}-{key}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return LabelledVolume(case.name, stored["scans"], stored["allowed"])
    volume = prepare_volume(case)
    cache.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part.npz")
    np.savez(temporary, scans=volume.scans, allowed=volume.allowed)
    temporary.replace(path)
    return volume
