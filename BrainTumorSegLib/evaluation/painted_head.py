"""A drawn head round a stripped brain, so that brain extraction has something to do."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.synthesis.canvas import Anatomy
from BrainTumorSegLib.synthesis.classes import A
from BrainTumorSegLib.synthesis.config import ContrastConfig
from BrainTumorSegLib.synthesis.contrast import draw_contrast, render_head
from BrainTumorSegLib.synthesis.drawn_head import drawn_head
from BrainTumorSegLib.synthesis.fields import COARSE, Array, coarse_shape, refined
from BrainTumorSegLib.synthesis.scanner import rician

#: Drawn heads to choose from; each takes some seconds once.
HEADS = 2

#: Fluid between the brain and the wall of the cavity, and clefts of the brain that the wall
#: does not follow (half their width).
GAP_MM, CLEFT_MM = 2.0, 8.0

#: Noise of the head around the brain, relative to white matter: air is not exactly zero.
NOISE = 0.015


def with_head(case: Case, rng: np.random.Generator) -> Case:
    """Paint scalp, skull, face and fluid round the brain of registered, stripped scans.

    Inside the brain no value is changed but for noise. The head is one of a few drawn ones,
    stretched to the brain's size; signals are those typical of each sequence, relative to
    the brain's own.

    Args:
        case: scans on one grid, zero outside the brain.

    Raises:
        InputError: when the scans are not on one grid or not stripped.
    """
    reference = case.reference_scan.image
    arrays = {s: sitk.GetArrayFromImage(scan.image) for s, scan in case.scans.items()}
    shapes = {array.shape for array in arrays.values()}
    brain = np.zeros(next(iter(shapes)), bool)
    if len(shapes) == 1:
        for array in arrays.values():
            brain |= array != 0
        brain = ndimage.binary_fill_holes(brain)
    if len(shapes) > 1 or not 0.02 < brain.mean() < 0.6:
        raise InputError(
            f"No head can be painted round the brain of case {case.identity!r}.",
            "That needs stripped scans on one grid; leave the condition skull out.",
        )
    anatomy = drawn_head(int(rng.integers(HEADS)))
    outside = ndimage.distance_transform_edt(~brain, reference.GetSpacing()[::-1])
    classes = _classes(anatomy, reference, brain, outside)
    contrast = draw_contrast(rng, ContrastConfig(typical=1.0, ordered=0.0, free=0.0))
    pictures = render_head(rng, classes, contrast)
    images: dict[Sequence, sitk.Image] = {}
    for sequence, array in arrays.items():
        white = _white(array[brain], sequence)
        # The brain's edge is half brain, half fluid in a scan of a whole head.
        share = np.clip(1 - outside / 1.5, 0, 1).astype(np.float32) * ~brain
        inner = ndimage.gaussian_filter(array.astype(np.float32) * brain, 1.0)
        weight = ndimage.gaussian_filter(brain.astype(np.float32), 1.0)
        edge = inner / np.maximum(weight, 1e-3)
        picture = pictures[sequence] * np.float32(white)
        picture += 0.6 * share * (edge - picture)
        whole = rician(rng, np.where(brain, array, picture).astype(np.float32), NOISE * white)
        image = sitk.GetImageFromArray(whole)
        image.CopyInformation(case.scans[sequence].image)
        images[sequence] = image
    return case.with_images(images)


def _classes(anatomy: Anatomy, reference: sitk.Image, brain: Array, outside: Array) -> Array:
    """What each voxel is made of when the head is fitted about the brain."""
    index = np.stack(
        [refined(line, brain.shape) for line in _head_index(anatomy, reference, brain)]
    )
    classes = ndimage.map_coordinates(anatomy.classes, index, order=0, mode="constant", cval=A.AIR)
    depth = ndimage.map_coordinates(anatomy.depth, index / COARSE, order=1, mode="nearest")
    # Of the head's own brain nothing is left; what the patient's does not fill is fluid.
    classes[(depth > 0) & ~brain & (classes != A.DURA)] = A.CSF
    classes[(outside > 0) & (outside <= 1.0)] = A.CSF
    return classes


def _head_index(anatomy: Anatomy, reference: sitk.Image, brain: Array) -> Array:
    """Indices into the drawn head, ``[3, slice, row, column]``, at coarse nodes of a scan.

    The box around the brain goes to the box around the head's own brain. Then every point is
    moved along the slope of the depth until its depth is that below a cavity which leaves
    `GAP_MM` about the brain: the skull follows the brain.
    """
    nodes = coarse_shape(brain.shape)
    pads = [(0, COARSE * (n - 1) + 1 - size) for n, size in zip(nodes, brain.shape, strict=True)]
    small = np.pad(brain, pads)[::COARSE, ::COARSE, ::COARSE]
    index = _boxed(anatomy, reference, small)
    sides = [COARSE * spacing for spacing in reversed(reference.GetSpacing())]
    away = ndimage.distance_transform_edt(~small, sides)
    grown = away <= CLEFT_MM
    hull = np.where(grown, CLEFT_MM - ndimage.distance_transform_edt(grown, sides), away)
    depth = ndimage.map_coordinates(anatomy.depth, index / COARSE, order=1, mode="nearest")
    shift = ndimage.gaussian_filter((GAP_MM - hull - depth).astype(np.float32), 2.0)
    slopes = np.stack(np.gradient(ndimage.gaussian_filter(anatomy.depth, 2.0), COARSE))
    slopes = np.stack(
        [ndimage.map_coordinates(g, index / COARSE, order=1, mode="nearest") for g in slopes]
    )
    slopes /= np.maximum(np.sqrt((slopes**2).sum(axis=0)), 0.5)
    return index + shift * slopes


def _boxed(anatomy: Anatomy, reference: sitk.Image, small: Array) -> Array:
    """Indices into the head of coarse nodes of a scan, box of the brain to box of the brain."""
    direction = np.array(reference.GetDirection()).reshape(3, 3)
    places = np.nonzero(small)
    result = np.empty((3, *small.shape), np.float32)
    # The head's slices ascend, its rows run backwards and its columns to the left (LPS).
    for number, world in enumerate((2, 1, 0)):
        along = int(np.abs(direction[world]).argmax())
        axis = 2 - along
        low, high = float(places[axis].min()), float(places[axis].max())
        start, end = anatomy.brain[number]
        if direction[world, along] < 0:
            low, high = high, low
        scale = (end - start) / (high - low)
        line = (np.arange(small.shape[axis], dtype=np.float32) - low) * scale + start
        result[number] = line.reshape([-1 if a == axis else 1 for a in range(3)])
    return result


def _white(values: Array, sequence: Sequence) -> float:
    """About the signal of white matter: bright on T1, middling on FLAIR."""
    return float(np.percentile(values, 50 if sequence is Sequence.FLAIR else 70))
