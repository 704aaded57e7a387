"""Smooth outlines of brain and cranial cavity, the frame of everything else.

Coordinates are RAS with the origin at the anterior commissure, in mm. Sizes and
places follow what atlases in Montreal (MNI) space show, shrunk to an average head.
"""

from __future__ import annotations

import numpy as np

from BrainTumorSegLib.synthesis.grid import Array, Coordinates
from BrainTumorSegLib.synthesis.shapes import (
    capsule,
    deepened,
    ellipsoid,
    intersection,
    normalised,
    ramp,
    tube,
    union,
)


def folded(p: Coordinates) -> Coordinates:
    """The same points with both halves of the head laid upon each other (x >= 0)."""
    return np.abs(p[0]), p[1], p[2]


def tentorium_height(x: Array, y: Array) -> Array:
    """Height z in mm of the tent between cerebrum and cerebellum."""
    return 4 - 0.21 * np.maximum(0, -(y + 42)) - 0.40 * np.sqrt(x * x + 9)


def cerebrum(p: Coordinates, step: float) -> Array:
    """Distance to the unfolded outline of both hemispheres together."""
    x, y, z = folded(p)
    power = np.float32(2.35)
    width = 65 * (1 - 0.09 * ramp(y, -20, 70))
    u = (x / width) ** power
    v = (np.abs(y + 16) / np.float32(84)) ** power
    w = (np.abs(z - 12) / np.float32(62)) ** power
    vault = normalised((u + v + w) ** (1 / power) - 1, step)
    # The under-surface: orbital roofs, then the diencephalon, then the tent.
    orbital = -23 + 6 * np.exp(-np.square((x - 30) / 13)) + 0.12 * np.maximum(0, y - 30)
    tent = tentorium_height(x, y) + 1.2
    before, behind = ramp(y, 2, 16), ramp(y, -26, -40)
    base = before * orbital + (1 - before) * (behind * tent + (1 - behind) * -9)
    vault = intersection(vault, (base - z) * np.float32(0.9), 4)
    temporal = ellipsoid((x, y, z), (42, -17, -21), (24.5, 43, 23), turn=-9)
    # Behind the petrous ridge the tent carries the temporal lobe too.
    ridge = ramp(y, -26, -44)
    temporal = intersection(temporal, ridge * tent - (1 - ridge) * 60 - z, 4)
    return deepened(union(vault, temporal, 5), step)


def cerebellum(p: Coordinates) -> Array:
    """Distance to the unfolded outline of the cerebellum."""
    x, y, z = folded(p)
    halves = ellipsoid((x, y, z), (25, -61, -34), (27, 27, 23), turn=-8)
    vermis = ellipsoid((x, y, z), (0, -56, -27), (14, 26, 27))
    shoulders = ellipsoid((x, y, z), (15, -60, -26), (19, 25, 20))
    body = union(union(halves, shoulders, 6), vermis, 9)
    return intersection(body, (z - tentorium_height(x, y)) * np.float32(0.92) + 1.2, 3)


def brain_stem(p: Coordinates) -> Array:
    """Distance to midbrain, pons, medulla and upper cord."""
    midbrain = union(
        ellipsoid(p, (0, -27, -10), (15, 10.5, 14)),
        capsule(folded(p), (12, -17, -4), (7, -18, -22), (5, 5)),
        4,
    )
    pons = ellipsoid(p, (0, -23, -32), (18, 13.5, 13))
    arms = capsule(folded(p), (12, -28, -33), (24, -50, -36), (8, 7))
    medulla = tube(
        p,
        [(0, -29, -42), (0, -36, -60), (0, -41, -80), (0, -47, -140)],
        [9.5, 7.0, 5.5, 5.5],
    )
    return union(union(union(midbrain, pons, 6), arms, 6), medulla, 6)


def brain(p: Coordinates, step: float) -> Array:
    """Distance to everything that a brain mask holds: sulci and ventricles included."""
    whole = union(cerebrum(p, step), cerebellum(p), 4)
    stem = intersection(brain_stem(p), -62 - p[2], 2)
    return union(whole, stem, 6)


def cavity(p: Coordinates, step: float) -> Array:
    """Distance to the inside of skull and upper spinal canal."""
    whole = union(cerebrum(p, step), cerebellum(p), 12)
    stem = union(ellipsoid(p, (0, -22, -28), (22, 16, 22)), brain_stem(p) - 3, 6)
    return deepened(union(whole, stem, 8) - np.float32(2.2), step)
