"""Signed distances (mm, negative inside) to shapes and tumors, and how they combine.

The formulas for ellipsoids, capsules and the polynomial smooth minimum are those
of Inigo Quilez, "Distance functions" and "Smooth minimum".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .fields import (
    COARSE,
    Array,
    Coordinates,
    along,
    coarse_noise,
    coarse_shape,
    random_rotation,
    refined,
    surface_distance,
)

Point = Sequence[float]

#: Distance to a shape that is not there.
FAR = np.float32(50.0)


@dataclass(frozen=True)
class Box:
    """A part of a volume that starts on a coarse node.

    Attributes:
        origin: first voxel ``(slice, row, column)``, even numbers.
        shape: voxels, odd numbers.
    """

    origin: tuple[int, int, int]
    shape: tuple[int, int, int]

    @property
    def nodes(self) -> tuple[int, ...]:
        """Number of coarse nodes along each axis."""
        return coarse_shape(self.shape)

    @property
    def coarse(self) -> tuple[slice, ...]:
        """Slices into a coarse array of the whole volume."""
        return tuple(
            slice(o // COARSE, o // COARSE + n)
            for o, n in zip(self.origin, self.nodes, strict=True)
        )

    @property
    def fine(self) -> tuple[slice, ...]:
        """Slices into a fine array of the whole volume."""
        return tuple(slice(o, o + n) for o, n in zip(self.origin, self.shape, strict=True))

    def offsets(self, center: Point, spacing: int = COARSE) -> Coordinates:
        """Open grids x, y, z (mm) of its nodes (or voxels at ``spacing`` 1) from a voxel."""
        count = self.nodes if spacing == COARSE else self.shape
        z, y, x = (
            along(np.arange(n, dtype=np.float32) + np.float32(o / spacing - c / spacing), axis)
            * np.float32(spacing)
            for axis, (n, o, c) in enumerate(zip(count, self.origin, center, strict=True))
        )
        return x, y, z

    def fine_field(self, coarse: Array) -> Array:
        """A coarse field of this box on its voxels."""
        return refined(coarse, self.shape)


def box_around(shape: Sequence[int], center: Point, reach: float) -> Box:
    """The box within ``reach`` mm of a voxel, cut to a volume of this shape."""
    origin, size = [], []
    for c, n in zip(center, shape, strict=True):
        low = max(0, int(c - reach)) // COARSE * COARSE
        last = (n - 1) // COARSE * COARSE
        high = min(last, int(np.ceil((c + reach) / COARSE)) * COARSE)
        low = min(low, last - 2 * COARSE)
        origin.append(low)
        size.append(max(high, low + 2 * COARSE) - low + 1)
    return Box(tuple(origin), tuple(size))


# Shapes


def ellipsoid(p: Coordinates, center: Point, semi: Point, turn: float = 0.0) -> Array:
    """Distance to an ellipsoid, ``turn`` degrees about the axis through z.

    First-order exact near the surface.
    """
    x, y, z = (c - np.float32(m) for c, m in zip(p, center, strict=True))
    if turn:
        cos, sin = np.float32(np.cos(np.radians(turn))), np.float32(np.sin(np.radians(turn)))
        x, y = cos * x + sin * y, cos * y - sin * x
    u, v, w = (c / np.float32(s) for c, s in zip((x, y, z), semi, strict=True))
    k0 = np.sqrt(u * u + v * v + w * w)
    u, v, w = (c / np.float32(s) for c, s in zip((u, v, w), semi, strict=True))
    k1 = np.sqrt(u * u + v * v + w * w)
    # Both vanish at the centre, which lies as deep as the shortest half-axis is long.
    tiny = np.float32(1e-5)
    return (k0 + tiny * np.float32(min(semi))) * (k0 - 1) / (k1 + tiny)


def turned_ellipsoid(p: Coordinates, center: Point, semi: Array, rotation: Array) -> Array:
    """Distance to an ellipsoid with half axes ``semi`` along the columns of ``rotation``.

    ``p`` and ``center`` are in column, row, slice order.
    """
    shifted = [c - np.float32(m) for c, m in zip(p, center, strict=True)]
    turned = tuple(
        sum(np.float32(rotation[row, axis]) * shifted[row] for row in range(3)) for axis in range(3)
    )
    return ellipsoid(turned, (0.0, 0.0, 0.0), tuple(float(s) for s in semi))


def capsule(p: Coordinates, start: Point, end: Point, radii: tuple[float, float]) -> Array:
    """Distance to a rod with round ends whose radius changes from one end to the other."""
    axis = np.asarray(end, np.float32) - np.asarray(start, np.float32)
    x, y, z = (c - np.float32(s) for c, s in zip(p, start, strict=True))
    share = (x * axis[0] + y * axis[1] + z * axis[2]) / np.float32((axis * axis).sum())
    np.clip(share, 0, 1, out=share)
    x = x - share * axis[0]
    y = y - share * axis[1]
    z = z - share * axis[2]
    return np.sqrt(x * x + y * y + z * z) - (radii[0] + (radii[1] - radii[0]) * share)


def tube(p: Coordinates, points: Sequence[Point], radii: Sequence[float]) -> Array:
    """Distance to a chain of capsules through ``points``, with a radius at each."""
    return np.minimum.reduce(
        [
            capsule(p, points[i], points[i + 1], (radii[i], radii[i + 1]))
            for i in range(len(points) - 1)
        ]
    )


def slab(p: Coordinates, low: Point, high: Point, rounding: float = 2.0) -> Array:
    """Distance to a block with rounded edges."""
    outside = np.zeros_like(p[0])
    inside = np.full_like(p[0], -np.inf)
    for c, a, b in zip(p, low, high, strict=True):
        q = np.abs(c - np.float32((a + b) / 2)) - np.float32((b - a) / 2 - rounding)
        outside += np.square(np.maximum(q, 0))
        np.maximum(inside, q, out=inside)
    return np.sqrt(outside) + np.minimum(inside, 0) - np.float32(rounding)


def union(a: Array, b: Array, blend: float) -> Array:
    """Smooth union: the edge between the two is rounded over about ``blend`` mm."""
    h = np.maximum(blend - np.abs(a - b), 0) / np.float32(blend)
    return np.minimum(a, b) - h * h * np.float32(blend / 4)


def intersection(a: Array, b: Array, blend: float) -> Array:
    """Smooth intersection, the counterpart of `union`."""
    return -union(-a, -b, blend)


def normalized(field: Array, step: float, flattest: float = 1e-4) -> Array:
    """Turn any smooth implicit function into a distance to its zero set, to first order.

    Args:
        field: sampled every ``step`` mm.
        flattest: slopes below this one (1/mm) count as this one.
    """
    return field / np.maximum(gradient_length(field, step), np.float32(flattest))


def deepened(distance: Array, step: float) -> Array:
    """Mend the inside of a union, whose seams seem to lie near the surface.

    Where the distance transform of the inside finds a point to lie far deeper than
    ``distance`` says, it is believed.
    """
    depth = ndimage.distance_transform_edt(distance < 0).astype(np.float32) * np.float32(step)
    depth = ndimage.gaussian_filter(depth, 1.0)
    return np.where(distance < 0, np.minimum(distance, np.float32(2.5) - depth), distance)


def gradient_length(field: Array, step: float) -> Array:
    """Length of the gradient of a field ``[z, y, x]`` sampled every ``step`` mm."""
    total = np.zeros_like(field)
    for axis in range(3):
        total += np.square(np.gradient(field, np.float32(step), axis=axis))
    return np.sqrt(total, out=total)


def coverage(distance: Array, softness: float = 1.0) -> Array:
    """Share 0..1 of a voxel that lies inside, from the distance of its centre.

    ``softness`` is the width of the edge in mm; one voxel for a sharp boundary.
    """
    share = np.float32(0.5) - distance / np.float32(softness)
    return np.clip(share, 0, 1, out=share)


def ramp(value: Array, start: float, end: float) -> Array:
    """Smooth step from 0 at ``start`` to 1 at ``end`` (either may be larger)."""
    t = np.clip((value - np.float32(start)) / np.float32(end - start), 0, 1)
    return t * t * (3 - 2 * t)


# Tumors, on the coarse nodes of a box


def lobed(
    rng: np.random.Generator, box: Box, center: Array, radius: float, lobes: int, rough: float
) -> Array:
    """Ellipsoids that run into each other, with bumps of several sizes.

    Args:
        box: where.
        center: voxel ``(slice, row, column)`` of the volume that the box lies in.
        radius: mm, about that of a ball of the same volume.
        lobes: number of further ellipsoids.
        rough: 0 smooth, 1 bumpy.
    """
    p = box.offsets(center)
    semi = radius * np.exp(rng.normal(0, 0.16, 3))
    semi *= radius / np.prod(semi) ** (1 / 3)
    form = turned_ellipsoid(p, (0, 0, 0), semi * 0.95, random_rotation(rng))
    for _ in range(lobes):
        direction = rng.standard_normal(3)
        direction *= radius * rng.uniform(0.55, 0.95) / np.linalg.norm(direction)
        lobe = radius * rng.uniform(0.35, 0.65) * np.exp(rng.normal(0, 0.15, 3))
        other = turned_ellipsoid(p, direction, lobe, random_rotation(rng))
        form = union(form, other, 0.3 * radius)
    for wavelength, strength in ((2.2 * radius, 0.13), (radius, 0.08), (9.0, 0.03)):
        bumps = coarse_noise(rng, box.nodes, max(wavelength, 6.0))
        form += np.float32(rough * strength * radius) * bumps
    return form


def grown(rng: np.random.Generator, box: Box, center: Array, radius: float, speed: Array) -> Array:
    """A form that has grown from its centre faster in some places than in others.

    Args:
        box: where.
        center: voxel of the volume that the box lies in.
        radius: mm of a ball of the same volume.
        speed: relative speed of growth at each node, which depends on the tissue.
    """
    easy = np.exp(0.55 * coarse_noise(rng, box.nodes, 1.1 * radius + 6))
    easy *= np.exp(0.3 * coarse_noise(rng, box.nodes, 9.0))
    start = (np.asarray(center) - box.origin) / COARSE
    start = np.clip(np.round(start), 0, np.array(box.nodes) - 1).astype(int)
    time = arrival(easy * speed, [tuple(start)], limit=12 * radius)
    wanted = int(4 / 3 * np.pi * radius**3 / COARSE**3)
    inside = time <= np.partition(time.ravel(), min(wanted, time.size - 1))[wanted]
    return signed_distance(inside)


def spread(core: Array, speed: Array, reach: float, noisy: Array) -> Array:
    """Time left (mm, positive inside) of edema that sets out from the surface of a core.

    Args:
        core: coarse distance to the surface.
        speed: coarse speed of the tissue, see `classes.EDEMA_SPEED`.
        reach: mm in white matter.
        noisy: coarse noise of deviation 1 that makes the front uneven.
    """
    pace = np.square(speed) * np.exp(np.float32(0.4) * noisy) + np.float32(0.004)
    # The front leaves the lesion freely, through the cortex that it lies on.
    pace[core < 3] = np.maximum(pace[core < 3], 0.7)
    pace[core < 0] = 4.0
    starts = np.argwhere(np.abs(core) < 1.5)[::2]
    if len(starts) == 0:
        starts = np.argwhere(core <= core.min() + 0.5)[:1]
    return np.float32(reach) - arrival(pace, [tuple(s) for s in starts], reach + 12)


def arrival(speed: Array, starts: list[tuple[int, ...]], limit: float) -> Array:
    """Time (mm at speed 1) for a front to arrive at each node; ``limit`` where it does not.

    Args:
        speed: on coarse nodes.
        starts: nodes ``(slice, row, column)`` where it sets out.
        limit: where to stop.
    """
    image = sitk.GetImageFromArray(np.maximum(speed, 1e-3).astype(np.float32))
    image.SetSpacing([float(COARSE)] * 3)
    points = [[int(n) for n in reversed(node)] for node in starts]
    times = sitk.FastMarching(
        image, trialPoints=points, normalizationFactor=1.0, stoppingValue=float(limit)
    )
    return np.minimum(sitk.GetArrayFromImage(times), limit).astype(np.float32)


def signed_distance(inside: Array, spacing: float = COARSE) -> Array:
    """Distance in mm to the surface of a mask, a little smoothed."""
    # The surface lies half a voxel beyond the outermost voxels inside, where the filter is zero.
    array = (surface_distance(inside) - np.float32(0.5)) * np.float32(spacing)
    return ndimage.gaussian_filter(array, 0.6)
