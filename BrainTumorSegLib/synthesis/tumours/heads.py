"""Whole-head label maps as anatomy: classes, cavity of the skull, dural folds, landmarks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.io.volumes import read_image
from BrainTumorSegLib.synthesis.grid import COARSE, Array, Grid, refine
from BrainTumorSegLib.synthesis.noise import smooth_noise
from BrainTumorSegLib.synthesis.tumours.anatomy_classes import PARENCHYMA, A, classes_of, is_any
from BrainTumorSegLib.synthesis.tumours.canvas import Anatomy

#: Head kept around the brain, mm.
_BORDER = 34

#: FreeSurfer labels of either hemisphere, by side.
_SIDES = ((2, 3, 10, 11, 12), (41, 42, 49, 50, 51))


@lru_cache(maxsize=20)
def read_head(path: Path) -> Anatomy:
    """Read a label map with FreeSurfer-style ids; heads that were read are kept in memory.

    Raises:
        InputError: when the file holds no brain.
    """
    image = sitk.DICOMOrient(read_image(path), "LPS")
    if max(abs(s - 1) for s in image.GetSpacing()) > 0.05:
        raise InputError(f"{path} is not sampled at 1 mm.", "Resample the label map first.")
    labels = sitk.GetArrayFromImage(image).astype(np.int32)
    return head_from_labels(labels, path.name.split(".")[0])


def head_from_labels(labels: Array, name: str) -> Anatomy:
    """Anatomy of a label map ``[slice, row, column]`` at 1 mm in LPS order.

    Raises:
        InputError: when it holds no brain.
    """
    classes = classes_of(labels)
    tissue = is_any(classes, PARENCHYMA) & (labels != 512)
    if tissue.sum() < 200_000:
        raise InputError(f"{name} holds no whole brain.", "Give FreeSurfer-style label maps.")
    places = np.argwhere(tissue[::2, ::2, ::2]) * 2
    bounds = tuple(zip(places.min(0).tolist(), places.max(0).tolist(), strict=True))
    cut = tuple(
        slice(max(0, low - _BORDER), min(n, high + _BORDER))
        for (low, high), n in zip(bounds, labels.shape, strict=True)
    )
    labels, classes, tissue = labels[cut], classes[cut], tissue[cut]
    bounds = tuple((lo - c.start, hi - c.start) for (lo, hi), c in zip(bounds, cut, strict=True))

    depth = _cavity_depth(classes, tissue, bounds[0][0])
    left, right = (_distance(np.isin(labels, side)) for side in _SIDES)
    _add_dura(labels, classes, depth, left - right)
    _split_soft_tissue(classes)
    # What lies outside the skull but has the label of fluid belongs to the neck and face.
    classes[(classes == A.CSF) & (depth < -3)] = A.MUSCLE
    ventricle = np.argwhere(labels == 15)
    if len(ventricle) == 0:
        raise InputError(f"{name} has no fourth ventricle.", "Give FreeSurfer-style label maps.")
    close = (np.abs(left - right) < 1.5) & tissue
    midline = float(np.median(np.nonzero(close)[2])) if close.any() else labels.shape[2] / 2
    return Anatomy(
        name,
        classes,
        depth[::COARSE, ::COARSE, ::COARSE].astype(np.float32),
        midline,
        tuple(ventricle.mean(0).tolist()),
        bounds,
    )


def _distance(mask: Array) -> Array:
    """Distance in mm to a mask, coarse and interpolated (smooth enough for folds)."""
    small = np.ascontiguousarray(mask[::2, ::2, ::2])
    image = sitk.GetImageFromArray(small.astype(np.uint8))
    field = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=False)
    )
    fine = refine(field * np.float32(2))
    pads = [(0, max(0, n - f)) for n, f in zip(mask.shape, fine.shape, strict=True)]
    return np.pad(fine, pads, mode="edge")[tuple(slice(n) for n in mask.shape)]


def _cavity_depth(classes: Array, tissue: Array, lowest: int) -> Array:
    """Depth below the wall of the cranial cavity, which is smooth and has no holes."""
    near = _distance(tissue) < 14
    # The floor of the cavity is where the brain ends: fluid below belongs to the spine.
    near[: max(0, lowest - 2)] = False
    inside = tissue | (near & is_any(classes, (A.CSF, A.VENTRICLE, A.CHOROID, A.VEIN, A.NERVE)))
    # Open, so that veins and fluid outside the skull fall off; then fill sulci and sinuses.
    opened = (_distance(~inside) > 2.0) | tissue
    parts, count = ndimage.label(opened[::2, ::2, ::2])
    if count > 1:
        largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
        opened &= np.kron(parts == largest, np.ones((2, 2, 2), bool))[
            tuple(slice(n) for n in opened.shape)
        ]
    closed = _distance(_distance(opened) > 6.0) > 6.0
    return -_distance(closed | opened)


def _add_dura(labels: Array, classes: Array, depth: Array, side: Array) -> None:
    """Draw dura on the wall, the falx between the hemispheres and the tentorium (in place)."""
    wall = (depth > -1.2) & (depth <= 0.3)
    fluid = classes == A.CSF
    classes[wall & ~is_any(classes, PARENCHYMA) & (classes != A.VEIN)] = A.DURA
    cerebrum = _distance(np.isin(labels, (2, 3, 41, 42)))
    cerebellum = _distance(np.isin(labels, (7, 8, 46, 47)))
    inner = fluid & (depth > 0.3)
    falx = (np.abs(side) < 0.9) & (cerebrum < 7) & (cerebellum > 8)
    tentorium = (np.abs(cerebrum - cerebellum) < 1.0) & (cerebrum < 6)
    classes[inner & (falx | tentorium)] = A.DURA


def _split_soft_tissue(classes: Array) -> None:
    """Part the one class of soft tissue into muscle and fat (in place)."""
    soft = classes == A.MUSCLE
    skin = _distance((classes == A.SKIN) | (classes == A.AIR))
    nodes = tuple(n // 2 + 1 for n in reversed(classes.shape))
    field = refine(smooth_noise(np.random.default_rng(7), Grid((0.0, 0.0, 0.0), nodes), 15.0))
    field = field[tuple(slice(n) for n in classes.shape)]
    bone = _distance((classes == A.BONE) | (classes == A.MARROW))
    fatty = (skin < 5 + field) | (field > 0.9) | ((skin < 9) & (bone > 3) & (field > 0))
    classes[soft & fatty] = A.FAT
