"""A drawn brain: outlines, folded cortex, cerebellum, deep grey matter, ventricles, stem.

Coordinates are RAS with the origin at the anterior commissure, in mm; arrays are ``[z, y, x]``
and ascend along these axes. Sizes and places follow what atlases in Montreal (MNI) space show,
shrunk to an average head.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from .classes import A
from .fields import COARSE, Array, Coordinates, Labyrinth, coarse_noise, refine
from .shapes import (
    Box,
    capsule,
    deepened,
    ellipsoid,
    intersection,
    normalized,
    ramp,
    slab,
    tube,
    union,
)

#: The grid on which heads are drawn: its first node ``(x, y, z)``, and coarse nodes ``[z, y, x]``.
ORIGIN = (-94.0, -122.0, -132.0)
NODES = (116, 121, 95)

#: What a part of the head is made of, its box in the grid, and bool voxels of the box that it
#: fills. Later layers hide earlier ones.
Layer = tuple[A, Box, Array]


def layer(kind: A, box: Box, distance: Array) -> Layer:
    """A layer of everything that has no positive fine ``distance`` (mm)."""
    return kind, box, distance <= 0


def drawing_box(x: Sequence[float], y: Sequence[float], z: Sequence[float]) -> Box:
    """The smallest box that holds the given ranges (mm), cut to the grid."""
    origin, shape = [], []
    for (first, last), start, count in zip((z, y, x), reversed(ORIGIN), NODES, strict=True):
        low = int(np.clip(np.floor((first - start) / COARSE), 0, count - 2))
        high = int(np.clip(np.ceil((last - start) / COARSE) + 1, low + 2, count))
        origin.append(COARSE * low)
        shape.append(COARSE * (high - low - 1) + 1)
    return Box(tuple(origin), tuple(shape))


def part(p: Coordinates, box: Box) -> Coordinates:
    """Fine coordinates of a box from the coarse coordinates of the grid."""
    x, y, z = (refine(c[box.coarse]) for c in p)
    return x, y, z


def folded(p: Coordinates) -> Coordinates:
    """The same points with both halves of the head laid upon each other (x >= 0)."""
    return np.abs(p[0]), p[1], p[2]


# Outlines


def tentorium_height(x: Array, y: Array) -> Array:
    """Height z in mm of the tent between cerebrum and cerebellum."""
    return 4 - 0.21 * np.maximum(0, -(y + 42)) - 0.40 * np.sqrt(x * x + 9)


def _cerebrum(p: Coordinates) -> Array:
    """Coarse distance to the unfolded outline of both hemispheres together."""
    x, y, z = folded(p)
    power = np.float32(2.35)
    width = 65 * (1 - 0.09 * ramp(y, -20, 70))
    u = (x / width) ** power
    v = (np.abs(y + 16) / np.float32(84)) ** power
    w = (np.abs(z - 12) / np.float32(62)) ** power
    vault = normalized((u + v + w) ** (1 / power) - 1, COARSE)
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
    return deepened(union(vault, temporal, 5), COARSE)


def _cerebellum(p: Coordinates) -> Array:
    """Distance to the unfolded outline of the cerebellum."""
    x, y, z = folded(p)
    halves = ellipsoid((x, y, z), (25, -61, -34), (27, 27, 23), turn=-8)
    vermis = ellipsoid((x, y, z), (0, -56, -27), (14, 26, 27))
    shoulders = ellipsoid((x, y, z), (15, -60, -26), (19, 25, 20))
    body = union(union(halves, shoulders, 6), vermis, 9)
    return intersection(body, (z - tentorium_height(x, y)) * np.float32(0.92) + 1.2, 3)


def _brain_stem(p: Coordinates) -> Array:
    """Distance to midbrain, pons, medulla and upper cord."""
    midbrain = union(
        ellipsoid(p, (0, -27, -10), (15, 10.5, 14)),
        capsule(folded(p), (12, -17, -4), (7, -18, -22), (5, 5)),
        4,
    )
    pons = ellipsoid(p, (0, -23, -32), (18, 13.5, 13))
    arms = capsule(folded(p), (12, -28, -33), (24, -50, -36), (8, 7))
    cord = [(0, -29, -42), (0, -36, -60), (0, -41, -80), (0, -47, -140)]
    medulla = tube(p, cord, [9.5, 7.0, 5.5, 5.5])
    return union(union(union(midbrain, pons, 6), arms, 6), medulla, 6)


def cavity(p: Coordinates) -> Array:
    """Coarse distance to the inside of skull and upper spinal canal."""
    whole = union(_cerebrum(p), _cerebellum(p), 12)
    stem = union(ellipsoid(p, (0, -22, -28), (22, 16, 22)), _brain_stem(p) - 3, 6)
    return deepened(union(whole, stem, 8) - np.float32(2.2), COARSE)


# Cortex


def fold_cerebrum(p: Coordinates, rng: np.random.Generator) -> tuple[list[Layer], Layer]:
    """Fold the hemispheres: sulci perpendicular to the surface, gyri about 12 mm wide.

    From coarse coordinates of the brain, as all functions below; returns cortex with white
    matter, and the thin vessels that run in the sulci.
    """
    box = drawing_box((-76, 76), (-112, 76), (-56, 84))
    p = tuple(c[box.coarse] for c in p)
    x, y, z = folded(p)
    hemisphere = intersection(_cerebrum(p), np.float32(0.8) - x, 4)
    depth = -hemisphere
    noise = [coarse_noise(rng, NODES, w)[box.coarse] for w in (24, 40, 14, 60)]

    major = _sulci(p, depth, Labyrinth(rng, 22, stretch=(1, 1, 1.35)), 9, bend=2.5 * noise[0])
    minor = _sulci(p, depth, Labyrinth(rng, 14), 4, bend=1.5 * noise[2])
    # Deep folds must leave room for ventricles, deep grey matter and their capsules.
    core = ellipsoid((x, y, z), (12, -10, 8), (32, 50, 27))
    room = union(core, ellipsoid((x, y, z), (26, -48, 6), (9, 30, 9)), 8) - 4
    reach = np.minimum(22 + 5 * noise[1], room + depth)
    small_reach = np.minimum(6.5 + 3.5 * noise[3], room + depth)
    fissures = _sylvian(x, y, z, noise)

    depth, reach, small_reach, major, minor, fissures, wide, thick = (
        refine(f) for f in (depth, reach, small_reach, major, minor, fissures, noise[3], noise[2])
    )
    opening = 0.8 * np.exp(-np.maximum(depth, 0) / np.float32(4)) + 0.1 + 0.12 * wide
    pia = _cleft(depth, [(major, reach, opening + 0.35), (minor, small_reach, opening - 0.1)], 3.5)
    pia = union(pia, fissures, 3.0)
    ribbon = 2.7 + 0.3 * thick
    # Vessels run where surfaces that cut the sulci at odd places meet them.
    crossing = refine(normalized(Labyrinth(rng, 34).at(p), 2.0, 0.04))
    vessels = np.sqrt(np.square(major) + np.square(crossing)) - np.float32(0.75)
    vessels = np.maximum(vessels, np.maximum(depth - np.minimum(13, reach), -1.0 - depth))
    cortex = [layer(A.CORTEX, box, -pia), layer(A.WHITE, box, ribbon - pia)]
    return cortex, layer(A.VEIN, box, vessels)


def _cleft(depth: Array, sheets: list[tuple[Array, Array, Array]], blend: float) -> Array:
    """Fine distance to the fluid outside, positive inside the brain.

    Sulci are cut along sheets: distance to the sheet, how deep it reaches, half its width.
    """
    pia = depth - np.float32(0.2)
    for sheet, far, width in sheets:
        sulcus = np.sqrt(np.square(sheet) + np.square(np.maximum(depth - far, 0)))
        pia = union(pia, sulcus - width, blend)
    return pia


def _sulci(p: Coordinates, depth: Array, pattern: Labyrinth, level: float, bend: Array) -> Array:
    """Signed distance to sheets that stand on the surface along the pattern's zero lines.

    The pattern is read where the normal through a point meets the depth ``level``,
    so that it does not change with depth; ``bend`` (mm) makes the sheets lean.
    """
    smooth = ndimage.gaussian_filter(depth, 2.0)
    normal = [np.gradient(smooth, np.float32(COARSE), axis=axis) for axis in (2, 1, 0)]
    length = np.sqrt(sum(np.square(n) for n in normal)) + np.float32(1e-3)
    shift = np.clip(level - depth, -24, 12)
    feet = tuple(c + shift * n / length for c, n in zip(p, normal, strict=True))
    lean = bend * ramp(depth, 0, 12)
    feet = (feet[0] + lean, feet[1] - lean, feet[2] + lean)
    return normalized(pattern.at(feet), COARSE, 0.10)


def _sylvian(x: Array, y: Array, z: Array, noise: list[Array]) -> Array:
    """Distance to the lateral fissure with the insula at its floor (coarse)."""
    level = -10 - 0.46 * (y - 8) - 0.0035 * np.square(y - 8) + 2.2 * noise[0]
    ends = np.maximum(np.maximum(y - 27, -46 - y), 0)
    stem = np.maximum(36 - x, 0)
    lateral = np.sqrt(np.square((z - level) * 0.92) + np.square(ends) + np.square(stem)) - 1.3
    floor = 36.5 - 0.0035 * np.square(y + 6) + 1.0 * noise[2] + 0.05 * (z - level)
    height = np.maximum(np.abs(z - level - 3) - 14 + 0.22 * np.abs(y + 5), 0)
    length = np.maximum(np.abs(y + 5) - 24, 0)
    insula = np.sqrt(np.square(x - floor) + np.square(height) + np.square(length)) - 1.1
    temporal_stem = capsule((x, y, z), (20, 6, -19), (36, 12, -13), (1.8, 1.5))
    return np.minimum(union(lateral, insula, 2.5), temporal_stem)


def fold_cerebellum(p: Coordinates, rng: np.random.Generator) -> list[Layer]:
    """The cerebellum: leaves that run from side to side around a white core."""
    box = drawing_box((-58, 58), (-96, -28), (-62, 6))
    p = part(p, box)
    depth = -_cerebellum(p)
    leaves = _leaves(p, Labyrinth(rng, 9, stretch=(4.5, 1, 1)))
    fissures = _leaves(p, Labyrinth(rng, 24, stretch=(4, 1, 1)))
    pia = _cleft(depth, [(leaves, 8.0, 0.3), (fissures, 15.0, 0.55)], 1.5)
    white = np.minimum(pia - np.float32(2.0), depth - np.float32(6))
    dentate = ellipsoid(folded(p), (15, -56, -34), (7, 8, 5))
    return [
        layer(A.CORTEX, box, -pia),
        layer(A.WHITE, box, -white),
        layer(A.STRIATUM, box, np.abs(dentate) - 0.8),
    ]


def _leaves(p: Coordinates, pattern: Labyrinth) -> Array:
    """Signed distance to the clefts, which point to the roof of the fourth ventricle."""
    x, y, z = p
    # Read on a shell around that roof, so that clefts run radially.
    dy, dz = y + 48, z + 32
    radius = np.sqrt(dy * dy + dz * dz) + np.float32(1)
    shell = np.float32(24) / radius
    return normalized(pattern.at((x, -48 + dy * shell, -32 + dz * shell)), 1.0, 0.2)


# Deep structures


def draw_deep_brain(p: Coordinates) -> list[Layer]:
    """Layers from back to front; to be laid over the folded hemispheres."""
    box = drawing_box((-46, 46), (-82, 48), (-30, 40))
    q = folded(part(p, box))
    callosum = _callosum(q)
    floor = ellipsoid(q, (0, -5, -8), (9, 12, 8))
    chiasm = tube(q, [(0, 3, -15), (7, -2, -14), (15, -10, -11)], [2.2, 1.6, 1.4])
    septum = np.maximum(slab(q, (-9, 2, 8), (0.4, 24, 24), 0.4), -callosum - 30)
    arch = [(2, 2, -6), (1.8, 2, 8), (1.8, -8, 17), (4, -24, 20), (13, -36, 12)]
    fornix = tube(q, arch, [1.5, 1.8, 2.0, 1.8, 1.5])
    plexus = [(5, 2, 13), (8, -12, 17), (16, -27, 16), (22, -36, 11), (27, -33, 1)]
    return [
        layer(A.WHITE, box, _white_core(q, callosum)),
        layer(A.STRIATUM, box, np.minimum(floor, chiasm)),
        layer(A.CSF, box, _ventricles(q)),
        *_nuclei(p),
        layer(A.CSF, box, _third_ventricle(q)),
        layer(A.WHITE, box, septum),
        layer(A.WHITE, box, fornix),
        layer(A.WHITE, box, callosum),
        layer(A.CHOROID, box, tube(q, plexus, [0.6, 0.8, 1.4, 2.8, 1.2])),
    ]


def _callosum(q: Coordinates) -> Array:
    """The commissure as an arch in the sagittal plane, drawn out to both sides."""
    x, y, z = q
    lifted = np.maximum(x - 13, 0), y, z - 0.012 * x * x
    front = [(0, 20, -5), (0, 28, 0), (0, 31, 8), (0, 26, 17), (0, 14, 23.5), (0, -4, 27)]
    back = [(0, -20, 26), (0, -32, 21), (0, -39, 13), (0, -36, 8)]
    return tube(lifted, front + back, [1.5, 3.0, 4.5, 4.0, 3.2, 3.0, 3.0, 3.6, 5.0, 3.5])


def _white_core(q: Coordinates, callosum: Array) -> Array:
    """White matter between insula and midline, and the callosal radiation."""
    core = ellipsoid(q, (13, -6, 8), (20, 34, 18))
    back = capsule(q, (24, -36, 10), (25, -66, 5), (11, 6))
    return union(union(core, back, 6), callosum, 6)


def _ventricles(q: Coordinates) -> Array:
    """Lateral ventricle of one side."""
    horn = [(15, 33, 3), (12, 26, 8), (9, 14, 15), (9, 0, 19.5), (12, -15, 21), (17, -27, 19)]
    frontal = tube(q, horn, [2.5, 5.5, 6.2, 4.8, 4.6, 5.2])
    medial = tube(q, [(4, 16, 12), (3, 4, 15), (3, -6, 19), (3, -20, 21)], [2.5, 4.5, 3.0, 2.0])
    back = [(17, -27, 19), (23, -38, 12), (25, -50, 7), (24, -66, 4)]
    atrium = tube(q, back, [5.2, 6.6, 4.6, 1.2])
    low = [(24, -38, 10), (31, -31, -4), (33, -18, -12), (30, -8, -16)]
    temporal = tube(q, low, [4.6, 2.9, 2.2, 1.6])
    return union(union(union(frontal, medial, 4), atrium, 4), temporal, 4)


def _third_ventricle(q: Coordinates) -> Array:
    third = ellipsoid(q, (0, -12, 0), (2.1, 13, 9))
    window = tube(q, [(1, 3, 6), (5, 6, 10)], [1.4, 1.6])
    recess = tube(q, [(0, 2, -8), (0, -4, -12)], [1.6, 1.2])
    adhesion = capsule(q, (-3, -12, 3), (3, -12, 3), (2.5, 2.5))
    aqueduct = tube(q, [(0, -24, -2), (0, -30, -8), (0, -36, -20)], [1.2, 1.0, 1.4])
    open_space = union(union(np.maximum(third, -adhesion), window, 1.5), recess, 1.5)
    return np.minimum(open_space, aqueduct)


def _nuclei(p: Coordinates) -> list[Layer]:
    box = drawing_box((-42, 42), (-42, 36), (-26, 34))
    q = folded(part(p, box))
    pulvinar = ellipsoid(q, (15, -27, 5), (7, 6, 6))
    thalamus = union(ellipsoid(q, (11.5, -17, 7), (9, 14, 9), turn=24), pulvinar, 4)
    arc = [(13, 20, 0), (15, 14, 9), (17, 0, 18), (20, -16, 20), (27, -32, 14), (33, -26, -4)]
    caudate = tube(q, arc, [6.5, 6.2, 3.8, 2.6, 1.8, 1.2])
    putamen = ellipsoid(q, (25.5, 3, 1), (5.0, 17, 11), turn=-14)
    accumbens = capsule(q, (13, 15, -4), (22, 12, -5), (4.5, 4))
    striatum = union(union(caudate, accumbens, 3), putamen, 2)
    pallidum = ellipsoid(q, (19.5, -3, -1), (4.2, 9, 7), turn=-22)
    claustrum = np.abs(ellipsoid(q, (25.5, 3, 1), (8.3, 21, 16), turn=-14)) - 0.45
    claustrum = np.maximum(claustrum, np.maximum(24 - q[0], np.abs(q[1]) - 14))
    curl = [(20, -6, -19), (25, -10, -19), (27, -20, -15), (25, -31, -7), (20, -36, 2)]
    return [
        layer(A.CORTEX, box, claustrum),
        layer(A.STRIATUM, box, thalamus),
        layer(A.CORTEX, box, striatum),
        layer(A.PALLIDUM, box, pallidum),
        layer(A.CORTEX, box, tube(q, curl, [5.5, 5.0, 4.2, 3.4, 1.5])),
    ]


def draw_stem(p: Coordinates) -> list[Layer]:
    """Brain stem with its nuclei and the fourth ventricle; laid over the cerebellum."""
    box = drawing_box((-40, 40), (-66, 0), (-130, 8))
    p = part(p, box)
    q = folded(p)
    stem = _brain_stem(p)
    nigra = np.maximum(np.abs(ellipsoid(q, (9, -19, -12), (9, 3.5, 8), turn=35)) - 0.8, 2.0 + stem)
    tracts = capsule(q, (4, -18, -26), (5, -17, -40), (3.5, 3.5))
    canal = tube(q, [(0, -37, -22), (0, -42, -33), (0, -42, -50)], [1.8, 3.0, 1.2])
    fourth = union(ellipsoid(q, (0, -42, -33), (7, 5.5, 10)), canal, 3)
    fourth = union(fourth, tube(q, [(4, -41, -36), (13, -37, -40)], [1.8, 1.2]), 2)
    fourth = union(fourth, tube(q, [(0, -42, -32), (0, -50, -31)], [4.0, 1.0]), 3)
    upper = ellipsoid(q, (5, -35, -5), (4.5, 3.5, 3.5))
    plate = np.minimum(upper, ellipsoid(q, (5, -36, -12), (4, 3, 3.5)))
    aqueduct = tube(p, [(0, -22, -4), (0, -31, -8), (0, -36, -20)], [1.1, 0.9, 1.3])
    return [
        layer(A.STEM, box, np.minimum(stem, plate)),
        layer(A.WHITE, box, tracts),
        layer(A.CORTEX, box, nigra),
        layer(A.CSF, box, np.minimum(fourth, aqueduct)),
    ]
