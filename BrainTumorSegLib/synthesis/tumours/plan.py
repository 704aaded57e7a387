"""What a lesion is before it is painted: where, how large, and how it pushes the brain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.synthesis.grid import COARSE, Array
from BrainTumorSegLib.synthesis.tumours.canvas import Canvas
from BrainTumorSegLib.synthesis.tumours.fields import coarse_shape, offsets, refined
from BrainTumorSegLib.synthesis.tumours.kinds import Kind


@dataclass(frozen=True)
class Box:
    """A part of the canvas that starts on a coarse node.

    Attributes:
        origin: first fine voxel ``(slice, row, column)``, even numbers.
        shape: fine voxels, odd numbers.
    """

    origin: tuple[int, int, int]
    shape: tuple[int, int, int]

    @property
    def nodes(self) -> tuple[int, ...]:
        """Number of coarse nodes along each axis."""
        return coarse_shape(self.shape)

    @property
    def coarse(self) -> tuple[slice, ...]:
        """Slices into a coarse array of the whole canvas."""
        return tuple(
            slice(o // COARSE, o // COARSE + n)
            for o, n in zip(self.origin, self.nodes, strict=True)
        )

    @property
    def fine(self) -> tuple[slice, ...]:
        """Slices into a fine array of the whole canvas."""
        return tuple(slice(o, o + n) for o, n in zip(self.origin, self.shape, strict=True))

    def offsets(self, centre: Array, spacing: int = COARSE) -> tuple[Array, Array, Array]:
        """Open grids x, y, z (mm) of its nodes (or fine voxels at ``spacing`` 1) from a centre."""
        count = self.nodes if spacing == COARSE else self.shape
        scaled = [c / spacing for c in centre]
        start = [o / spacing for o in self.origin]
        x, y, z = offsets(start, count, scaled)
        return x * np.float32(spacing), y * np.float32(spacing), z * np.float32(spacing)

    def fine_field(self, coarse: Array) -> Array:
        """A coarse field of this box on its fine voxels."""
        return refined(coarse, self.shape)


def box_around(canvas: Canvas, centre: Array, reach: float) -> Box:
    """The box within ``reach`` mm of a voxel, cut to the canvas."""
    origin, shape = [], []
    for c, n in zip(centre, canvas.shape, strict=True):
        low = max(0, int(c - reach)) // COARSE * COARSE
        last = (n - 1) // COARSE * COARSE
        high = min(last, int(np.ceil((c + reach) / COARSE)) * COARSE)
        low = min(low, last - 2 * COARSE)
        origin.append(low)
        shape.append(max(high, low + 2 * COARSE) - low + 1)
    return Box(tuple(origin), tuple(shape))


@dataclass(frozen=True)
class Push:
    """Mass effect.

    Attributes:
        centre: canvas voxel from which tissue is pushed away.
        share: how much of the lesion is new volume: 1 pushes everything out of it, 0 nothing.
        decay: mm over which the displacement falls to 1/e beyond the lesion.
    """

    centre: tuple[float, float, float]
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
class Coat:
    """One layer of paint.

    Attributes:
        tone: which tone of `tones.Tones` it has.
        alpha: fine share 0..1 of each voxel that it hides, on the plan's box.
        tissue: the label it carries; None for what is no tumour.
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
    x, y, z = plan.box.offsets(np.array(plan.push.centre))
    length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-3)
    core = ndimage.gaussian_filter(plan.core, 1.0)
    outside = np.maximum(core, 0)
    radius = np.maximum(length - outside, 0)
    amount = plan.push.share * radius * np.exp(-outside / np.float32(plan.push.decay))
    depth = canvas.depth[plan.box.coarse]
    amount *= np.clip((depth - 0.5) / 5, 0, 1)
    amount *= _taper(amount.shape, canvas, plan.box)
    result = np.zeros((3, *canvas.depth.shape), np.float32)
    for axis, part in enumerate((z, y, x)):
        result[axis][plan.box.coarse] = -part / length * amount
    return result


def _taper(shape: tuple[int, ...], canvas: Canvas, box: Box) -> Array:
    """1 inside, falling to 0 over the last nodes before those faces of the box that cut brain."""
    total = np.ones(shape, np.float32)
    for axis, count in enumerate(shape):
        ramp = np.ones(count, np.float32)
        width = min(6, count // 3)
        slope = np.arange(width, dtype=np.float32) / width
        if box.origin[axis] > 0:
            ramp[:width] = slope
        if box.coarse[axis].stop < canvas.depth.shape[axis]:
            ramp[-width:] = np.minimum(ramp[-width:], slope[::-1])
        total *= ramp.reshape([-1 if a == axis else 1 for a in range(3)])
    return total
