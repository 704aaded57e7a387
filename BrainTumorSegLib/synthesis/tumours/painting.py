"""Laying the coats of a lesion over pictures, and what truth they leave."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import TUMOUR_TISSUES
from BrainTumorSegLib.synthesis.grid import Array
from BrainTumorSegLib.synthesis.tumours.fields import texture
from BrainTumorSegLib.synthesis.tumours.plan import Box, Coat
from BrainTumorSegLib.synthesis.tumours.scanner import SliceGrid, take_slices
from BrainTumorSegLib.synthesis.tumours.tones import Tones


def paint(
    rng: np.random.Generator,
    pictures: Mapping[Sequence, Array],
    coats: SequenceOf[Coat],
    tones: Tones,
    box: Box,
    rows: slice,
    family: str,
) -> None:
    """Lay coats over pictures (in place).

    Args:
        rng: source of chance.
        pictures: float32 ``[slice, row, column]``, slices ``rows`` of the canvas.
        coats: from back to front, on ``box``.
        tones: their signals.
        box: where on the canvas.
        rows: slices of the canvas that the pictures hold.
        family: of the texture.
    """
    inner, outer = overlap(box, rows)
    if outer is None:
        return
    scale = float(rng.uniform(0.7, 1.5))
    shape = tuple(s.stop - s.start for s in outer)
    mottle = [texture(rng, shape, family, scale) for _ in range(2)]
    for number, coat in enumerate(coats):
        alpha = coat.alpha[inner]
        if not alpha.any():
            continue
        tone = tones[coat.tone]
        # Neighbouring tissues are mottled by different fields, sequences by the same.
        uneven = np.float32(1) + np.float32(tone.mottling) * mottle[number % 2]
        for sequence, picture in pictures.items():
            target = np.float32(tone.signal[sequence]) * uneven
            if coat.shade is not None and sequence is Sequence.FLAIR:
                target = target * (1 + coat.shade[inner])
            view = picture[outer]
            view += alpha * (np.maximum(target, 0) - view)


def overlap(box: Box, rows: slice) -> tuple[tuple[slice, ...] | None, tuple[slice, ...] | None]:
    """Slices into arrays of the box, and into arrays of these rows of the canvas."""
    first, last = max(box.fine[0].start, rows.start), min(box.fine[0].stop, rows.stop)
    if first >= last:
        return None, None
    start = box.origin[0]
    inner = (slice(first - start, last - start), slice(None), slice(None))
    outer = (slice(first - rows.start, last - rows.start), *box.fine[1:])
    return inner, outer


def shares_of(coats: SequenceOf[Coat], inner: tuple[slice, ...]) -> Array:
    """Share of each tumour tissue, ``[tissue, slice, row, column]`` in the order of
    `TUMOUR_TISSUES`, that is seen where coats hide each other.
    """
    shape = coats[0].alpha[inner].shape
    shares = np.zeros((len(TUMOUR_TISSUES), *shape), np.float32)
    for coat in coats:
        alpha = coat.alpha[inner]
        if not alpha.any():
            continue
        shares *= 1 - alpha
        if coat.tissue is not None:
            shares[TUMOUR_TISSUES.index(coat.tissue)] += alpha
    return shares


def labels_on(shares: Array, first: int, depth: int, slices: SliceGrid) -> Array:
    """The tissue that fills most of each voxel; background where tumour fills less than half.

    Args:
        shares: from `shares_of`, at 1 mm, starting at slice ``first`` of the picture.
        first: see there.
        depth: slices of the picture.
        slices: of the sample.

    Returns:
        uint8 ``[slice, row, column]`` labels on the sample's slices.
    """
    if slices.spacing > 1:
        whole = np.zeros((len(shares), depth, *shares.shape[2:]), np.float32)
        whole[:, first : first + shares.shape[1]] = shares
        shares = np.stack([take_slices(s, 0, slices.positions, slices.spacing) for s in whole])
    values = np.array([int(t) for t in TUMOUR_TISSUES], np.uint8)
    labels = values[shares.argmax(axis=0)]
    labels[shares.sum(axis=0) < 0.5] = 0
    if slices.spacing > 1:
        return labels
    result = np.zeros((depth, *labels.shape[1:]), np.uint8)
    result[first : first + len(labels)] = labels
    return result


def without_specks(labels: Array, least: int = 4) -> Array:
    """Labels without islands of fewer voxels, which noise leaves at thin edges."""
    parts, count = ndimage.label(labels > 0)
    if count == 0:
        return labels
    sizes = np.bincount(parts.ravel())
    small = sizes < least
    small[0] = False
    return np.where(small[parts], 0, labels).astype(np.uint8)
