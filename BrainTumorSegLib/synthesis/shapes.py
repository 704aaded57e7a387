"""Signed distances (mm, negative inside) to simple shapes, and how they combine.

The formulas for ellipsoids, capsules and the polynomial smooth minimum are those
of Inigo Quilez, "Distance functions" and "Smooth minimum".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.synthesis.grid import Array, Coordinates

Point = Sequence[float]


def ellipsoid(p: Coordinates, centre: Point, semi: Point, turn: float = 0.0) -> Array:
    """Distance to an ellipsoid, ``turn`` degrees about the axis through z.

    First-order exact near the surface.
    """
    x, y, z = (c - np.float32(m) for c, m in zip(p, centre, strict=True))
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


def capsule(p: Coordinates, start: Point, end: Point, radii: tuple[float, float]) -> Array:
    """Distance to a rod with round ends whose radius changes from one end to the other."""
    axis = np.asarray(end, np.float32) - np.asarray(start, np.float32)
    x, y, z = (c - np.float32(s) for c, s in zip(p, start, strict=True))
    along = (x * axis[0] + y * axis[1] + z * axis[2]) / np.float32((axis * axis).sum())
    np.clip(along, 0, 1, out=along)
    x -= along * axis[0]
    y -= along * axis[1]
    z -= along * axis[2]
    return np.sqrt(x * x + y * y + z * z) - (radii[0] + (radii[1] - radii[0]) * along)


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


def normalised(field: Array, step: float) -> Array:
    """Turn any smooth implicit function into a distance to its zero set, to first order."""
    slope = gradient_length(field, step)
    return field / np.maximum(slope, np.float32(1e-4))


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
