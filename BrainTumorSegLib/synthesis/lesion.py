"""Lesions: where and how large, how they push the brain, and how they are painted over it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue

from .canvas import Canvas
from .classes import EDEMA_SPEED, PARENCHYMA, A, value_of
from .config import Kind
from .contrast import Tones
from .fields import Array, along, coarse_noise, texture
from .scanner import SliceGrid, take_slices
from .shapes import FAR, Box, lobed, spread


@dataclass(frozen=True)
class Push:
    """Mass effect.

    Attributes:
        center: canvas voxel from which tissue is pushed away.
        share: how much of the lesion is new volume: 1 pushes everything out of it, 0 nothing.
        decay: mm over which the displacement falls to 1/e beyond the lesion.
    """

    center: tuple[float, float, float]
    share: float
    decay: float


@dataclass(frozen=True)
class Plan:
    """A lesion that is to be painted.

    Attributes:
        kind: what it is.
        box: the part of the canvas it may touch.
        core: coarse mm to the surface of its solid part, negative inside, on ``box``.
        push: its mass effect; None without one.
        fields: further coarse fields on ``box`` by name, for the painter.
        fine_fields: further fine fields on ``box``.
        settings: numbers and words that describe it, for the record and the painter.
    """

    kind: Kind
    box: Box
    core: Array
    push: Push | None
    fields: Mapping[str, Array] = field(default_factory=dict)
    fine_fields: Mapping[str, Array] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Surroundings:
    """The head about a lesion, as the lesion has pushed it, on the plan's box.

    Attributes:
        coarse: `Anatomical` values on the coarse nodes.
        classes: the same on the voxels.
        depth: mm of the voxels from the wall of the cavity.
    """

    coarse: Array
    classes: Array
    depth: Array


@dataclass(frozen=True)
class Layer:
    """One layer of paint.

    Attributes:
        tone: which tone of `contrast.Tones` it has.
        alpha: fine share 0..1 of each voxel that it hides, on the plan's box.
        tissue: the label it carries; None for what is no tumor.
        shade: fine relative change of FLAIR brightness, or None.
    """

    tone: str
    alpha: Array
    tissue: Tissue | None = None
    shade: Array | None = None


def displacement(plan: Plan, canvas: Canvas) -> Array | None:
    """Coarse vectors ``[3, ...]`` (mm) from each node to where its tissue lay at rest.

    A point at distance ``d`` from the centre, beyond a surface at distance ``R`` in its
    direction, lay at ``d - share * R * exp(-(d - R) / decay)``; at the wall of the skull
    everything stays where it is.
    """
    if plan.push is None or plan.push.share <= 0:
        return None
    x, y, z = plan.box.offsets(plan.push.center)
    length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-3)
    core = ndimage.gaussian_filter(plan.core, 1.0)
    outside = np.maximum(core, 0)
    radius = np.maximum(length - outside, 0)
    amount = plan.push.share * radius * np.exp(-outside / np.float32(plan.push.decay))
    depth = canvas.depth[plan.box.coarse]
    amount *= np.clip((depth - 0.5) / 5, 0, 1)
    amount *= _taper(canvas, plan.box)
    result = np.zeros((3, *canvas.depth.shape), np.float32)
    for axis, part in enumerate((z, y, x)):
        result[axis][plan.box.coarse] = -part / length * amount
    return result


def _taper(canvas: Canvas, box: Box) -> Array:
    """1 inside, falling to 0 over the last nodes before those faces of the box that cut brain."""
    total = np.ones(box.nodes, np.float32)
    for axis, count in enumerate(box.nodes):
        ramp = np.ones(count, np.float32)
        width = min(6, count // 3)
        slope = np.arange(width, dtype=np.float32) / width
        if box.origin[axis] > 0:
            ramp[:width] = slope
        if box.coarse[axis].stop < canvas.depth.shape[axis]:
            ramp[-width:] = np.minimum(ramp[-width:], slope[::-1])
        total *= along(ramp, axis)
    return total


def ball_inside(
    rng: np.random.Generator, plan: Plan, smallest: float, size: tuple[float, float]
) -> Array:
    """Distance to a bumpy ball somewhere inside the core; `shapes.FAR` where it is too thin.

    Args:
        plan: of the lesion.
        smallest: radius in mm.
        size: least and largest radius relative to that of the core.
    """
    nodes = np.argwhere(plan.core < -2)
    if len(nodes) == 0:
        return np.full(plan.core.shape, FAR)
    center = nodes[rng.integers(len(nodes))] * 2 + np.array(plan.box.origin)
    radius = max(smallest, plan.settings["radius_mm"] * rng.uniform(*size))
    return lobed(rng, plan.box, center, radius, int(rng.integers(0, 2)), 0.8)


# Edema


def tissue_speed(classes: Array, floor: float = 0.0) -> Array:
    """How fast edema or tumor spreads through each class; ``floor`` at the least."""
    return np.maximum(value_of(classes, EDEMA_SPEED), np.float32(floor))


def edema_layer(
    rng: np.random.Generator, plan: Plan, around: Surroundings, core: Array, reach: float
) -> Layer | None:
    """Edema around a core: through white matter, hardly into cortex, never into fluid.

    Args:
        plan: of the lesion.
        around: what it lies in.
        core: coarse distance to where the edema sets out.
        reach: mm in white matter.
    """
    if reach < 1.5:
        return None
    noisy = coarse_noise(rng, plan.box.nodes, 16.0)
    left = plan.box.fine_field(spread(core, tissue_speed(around.coarse), reach, noisy))
    alpha = np.clip(0.5 + left / np.float32(4.0), 0, 1)
    alpha *= np.float32(0.78) + np.float32(0.22) * np.clip(left / np.float32(reach), 0, 1)
    return Layer("edema", alpha * wettable(around.classes), Tissue.EDEMA)


def wettable(classes: Array) -> Array:
    """How much edema each class of tissue can hold, 0..1."""
    values = dict.fromkeys(PARENCHYMA, 1.0)
    values |= {A.CORTEX: 0.55, A.CEREBELLAR_CORTEX: 0.55, A.VEIN: 0.5, A.ARTERY: 0.5}
    return value_of(classes, values)


# Painting


def paint(
    rng: np.random.Generator,
    pictures: Mapping[Sequence, Array],
    layers: SequenceOf[Layer],
    tones: Tones,
    box: Box,
    rows: slice,
    family: str,
) -> None:
    """Lay layers over pictures (in place).

    Args:
        pictures: float32 ``[slice, row, column]``, slices ``rows`` of the canvas.
        layers: from back to front, on ``box``.
        tones: their signals.
        box: where on the canvas.
        rows: slices of the canvas that the pictures hold.
        family: of the texture, see `fields.TEXTURES`.
    """
    inner, outer = overlap(box, rows)
    scale = float(rng.uniform(0.7, 1.5))
    shape = tuple(s.stop - s.start for s in outer)
    mottle = [texture(rng, shape, family, scale) for _ in range(2)]
    for number, layer in enumerate(layers):
        alpha = layer.alpha[inner]
        if not alpha.any():
            continue
        tone = tones[layer.tone]
        # Neighbouring tissues are mottled by different fields, sequences by the same.
        uneven = np.float32(1) + np.float32(tone.mottling) * mottle[number % 2]
        for sequence, picture in pictures.items():
            target = np.float32(tone.signal[sequence]) * uneven
            if layer.shade is not None and sequence is Sequence.FLAIR:
                target = target * (1 + layer.shade[inner])
            view = picture[outer]
            view += alpha * (np.maximum(target, 0) - view)


def overlap(box: Box, rows: slice) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices into arrays of a lesion's box, and into arrays of the rows of the canvas it is on."""
    start = box.origin[0]
    first, last = max(start, rows.start), min(box.fine[0].stop, rows.stop)
    inner = (slice(first - start, last - start), slice(None), slice(None))
    return inner, (slice(first - rows.start, last - rows.start), *box.fine[1:])


def shares_of(layers: SequenceOf[Layer], inner: tuple[slice, ...]) -> Array:
    """Share of each tumor tissue that is seen where layers hide each other.

    Arrays are ``[tissue, slice, row, column]`` in the order of `TUMOR_TISSUES`.
    """
    shape = layers[0].alpha[inner].shape
    shares = np.zeros((len(TUMOR_TISSUES), *shape), np.float32)
    for layer in layers:
        alpha = layer.alpha[inner]
        if not alpha.any():
            continue
        shares *= 1 - alpha
        if layer.tissue is not None:
            shares[TUMOR_TISSUES.index(layer.tissue)] += alpha
    return shares


def labels_on(layers: SequenceOf[Layer], box: Box, rows: slice, slices: SliceGrid) -> Array:
    """Labels of painted layers: the tissue that fills most of each voxel.

    Args:
        layers: from back to front, on ``box``.
        box: where on the canvas.
        rows: slices of the canvas that are computed.
        slices: of the sample.

    Returns:
        uint8 labels ``[slice, row, column]`` on the sample's slices, the rows and columns of
        the box; background where tumor fills less than half.
    """
    inner, outer = overlap(box, rows)
    shares, first = shares_of(layers, inner), outer[0].start
    whole = np.zeros((len(shares), rows.stop - rows.start, *shares.shape[2:]), np.float32)
    whole[:, first : first + shares.shape[1]] = shares
    if slices.spacing > 1:
        whole = np.stack([take_slices(s, 0, slices.positions, slices.spacing) for s in whole])
    return tissue_of(whole)


def tissue_of(shares: Array) -> Array:
    """The tissue with the largest share; background where they make less than half.

    Args:
        shares: ``[tissue, slice, row, column]`` in the order of `TUMOR_TISSUES`.
    """
    labels = np.array([int(t) for t in TUMOR_TISSUES], np.uint8)[shares.argmax(axis=0)]
    labels[shares.sum(axis=0) < 0.5] = int(Tissue.BACKGROUND)
    return labels


def remove_small_components(labels: Array, least: int = 4) -> Array:
    """Labels without components of fewer voxels, which noise leaves at thin edges."""
    parts, count = ndimage.label(labels > 0)
    if count == 0:
        return labels
    small = np.bincount(parts.ravel()) < least
    small[0] = False
    return np.where(small[parts], 0, labels).astype(np.uint8)
