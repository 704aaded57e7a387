"""What lies inside the cerebrum: commissures, ventricles, deep grey matter, brain stem."""

from __future__ import annotations

import numpy as np

from BrainTumorSegLib.synthesis.grid import Array, Coordinates, Grid, part
from BrainTumorSegLib.synthesis.materials import Layer, Material, layer
from BrainTumorSegLib.synthesis.outline import brain_stem, folded
from BrainTumorSegLib.synthesis.shapes import capsule, ellipsoid, slab, tube, union

#: Corpus callosum in the midline, front to back: (y, z, half thickness).
_CALLOSUM = (
    (20, -5, 1.5),
    (28, 0, 3.0),
    (31, 8, 4.5),
    (26, 17, 4.0),
    (14, 23.5, 3.2),
    (-4, 27, 3.0),
    (-20, 26, 3.0),
    (-32, 21, 3.6),
    (-39, 13, 5.0),
    (-36, 8, 3.5),
)


def draw_deep_brain(grid: Grid, p: Coordinates) -> list[Layer]:
    """Layers from back to front; to be laid over the folded hemispheres.

    Args:
        grid: where to draw.
        p: coarse coordinates of the brain at rest, for the whole grid.
    """
    box = grid.box((-46, 46), (-82, 48), (-30, 40))
    q = folded(part(p, box))
    layers = [layer(Material.WHITE, box, _white_core(q), softness=2.5)]
    layers += [layer(Material.CSF, box, _ventricles(q)), *_nuclei(grid, p)]
    layers.append(layer(Material.CSF, box, _third_ventricle(q)))
    septum = np.maximum(slab(q, (-9, 2, 8), (0.4, 24, 24), 0.4), -_callosum(q) - 30)
    layers.append(layer(Material.WHITE, box, septum))
    floor = ellipsoid(q, (0, -5, -8), (9, 12, 8))
    chiasm = tube(q, [(0, 3, -15), (7, -2, -14), (15, -10, -11)], [2.2, 1.6, 1.4])
    layers.insert(1, layer(Material.DEEP_GREY, box, np.minimum(floor, chiasm), softness=1.5))
    fornix = tube(
        q,
        [(2, 2, -6), (1.8, 2, 8), (1.8, -8, 17), (4, -24, 20), (13, -36, 12)],
        [1.5, 1.8, 2.0, 1.8, 1.5],
    )
    layers.append(layer(Material.WHITE, box, fornix))
    layers.append(layer(Material.WHITE, box, _callosum(q)))
    layers.append(layer(Material.CHOROID, box, _choroid(q)))
    return layers


def _callosum(q: Coordinates) -> Array:
    """The commissure as an arch in the sagittal plane, drawn out to both sides."""
    x, y, z = q
    beyond = np.maximum(x - 13, 0)
    arch = tube(
        (beyond, y, z - 0.012 * x * x),
        [(0, a, b) for a, b, _ in _CALLOSUM],
        [r for _, _, r in _CALLOSUM],
    )
    return arch


def _white_core(q: Coordinates) -> Array:
    """White matter between insula and midline, and the callosal radiation."""
    core = ellipsoid(q, (13, -6, 8), (20, 34, 18))
    back = capsule(q, (24, -36, 10), (25, -66, 5), (11, 6))
    return union(union(core, back, 6), _callosum(q), 6)


def _ventricles(q: Coordinates) -> Array:
    """Lateral ventricle of one side."""
    frontal = tube(
        q,
        [(15, 33, 3), (12, 26, 8), (9, 14, 15), (9, 0, 19.5), (12, -15, 21), (17, -27, 19)],
        [2.5, 5.5, 6.2, 4.8, 4.6, 5.2],
    )
    medial = tube(q, [(4, 16, 12), (3, 4, 15), (3, -6, 19), (3, -20, 21)], [2.5, 4.5, 3.0, 2.0])
    atrium = tube(
        q,
        [(17, -27, 19), (23, -38, 12), (25, -50, 7), (24, -66, 4)],
        [5.2, 6.6, 4.6, 1.2],
    )
    temporal = tube(
        q,
        [(24, -38, 10), (31, -31, -4), (33, -18, -12), (30, -8, -16)],
        [4.6, 2.9, 2.2, 1.6],
    )
    return union(union(union(frontal, medial, 4), atrium, 4), temporal, 4)


def _third_ventricle(q: Coordinates) -> Array:
    third = ellipsoid(q, (0, -12, 0), (2.1, 13, 9))
    window = tube(q, [(1, 3, 6), (5, 6, 10)], [1.4, 1.6])
    recess = tube(q, [(0, 2, -8), (0, -4, -12)], [1.6, 1.2])
    adhesion = capsule(q, (-3, -12, 3), (3, -12, 3), (2.5, 2.5))
    aqueduct = tube(q, [(0, -24, -2), (0, -30, -8), (0, -36, -20)], [1.2, 1.0, 1.4])
    open_space = union(union(np.maximum(third, -adhesion), window, 1.5), recess, 1.5)
    return np.minimum(open_space, aqueduct)


def _nuclei(grid: Grid, p: Coordinates) -> list[Layer]:
    box = grid.box((-42, 42), (-42, 36), (-26, 34))
    q = folded(part(p, box))
    thalamus = union(
        ellipsoid(q, (11.5, -17, 7), (9, 14, 9), turn=24),
        ellipsoid(q, (15, -27, 5), (7, 6, 6)),
        4,
    )
    caudate = tube(
        q,
        [(13, 20, 0), (15, 14, 9), (17, 0, 18), (20, -16, 20), (27, -32, 14), (33, -26, -4)],
        [6.5, 6.2, 3.8, 2.6, 1.8, 1.2],
    )
    putamen = ellipsoid(q, (25.5, 3, 1), (5.0, 17, 11), turn=-14)
    accumbens = capsule(q, (13, 15, -4), (22, 12, -5), (4.5, 4))
    striatum = union(union(caudate, accumbens, 3), putamen, 2)
    pallidum = ellipsoid(q, (19.5, -3, -1), (4.2, 9, 7), turn=-22)
    claustrum = np.abs(ellipsoid(q, (25.5, 3, 1), (8.3, 21, 16), turn=-14)) - 0.45
    claustrum = np.maximum(claustrum, np.maximum(24 - q[0], np.abs(q[1]) - 14))
    hippocampus = tube(
        q,
        [(20, -6, -19), (25, -10, -19), (27, -20, -15), (25, -31, -7), (20, -36, 2)],
        [5.5, 5.0, 4.2, 3.4, 1.5],
    )
    return [
        layer(Material.GREY, box, claustrum),
        layer(Material.DEEP_GREY, box, thalamus, softness=2.0),
        layer(Material.GREY, box, striatum, softness=1.6),
        layer(Material.PALLIDUM, box, pallidum, softness=1.6),
        layer(Material.GREY, box, hippocampus, softness=1.4),
    ]


def _choroid(q: Coordinates) -> Array:
    return tube(
        q,
        [(5, 2, 13), (8, -12, 17), (16, -27, 16), (22, -36, 11), (27, -33, 1)],
        [0.6, 0.8, 1.4, 2.8, 1.2],
    )


def draw_stem(grid: Grid, p: Coordinates) -> list[Layer]:
    """Brain stem with its nuclei and the fourth ventricle; laid over the cerebellum."""
    box = grid.box((-40, 40), (-66, 0), (-130, 8))
    p = part(p, box)
    q = folded(p)
    stem = brain_stem(p)
    nigra = np.maximum(np.abs(ellipsoid(q, (9, -19, -12), (9, 3.5, 8), turn=35)) - 0.8, 2.0 + stem)
    tracts = capsule(q, (4, -18, -26), (5, -17, -40), (3.5, 3.5))
    fourth = union(
        ellipsoid(q, (0, -42, -33), (7, 5.5, 10)),
        tube(q, [(0, -37, -22), (0, -42, -33), (0, -42, -50)], [1.8, 3.0, 1.2]),
        3,
    )
    fourth = union(fourth, tube(q, [(4, -41, -36), (13, -37, -40)], [1.8, 1.2]), 2)
    peak = tube(q, [(0, -42, -32), (0, -50, -31)], [4.0, 1.0])
    fourth = union(fourth, peak, 3)
    plate = np.minimum(
        ellipsoid(q, (5, -35, -5), (4.5, 3.5, 3.5)), ellipsoid(q, (5, -36, -12), (4, 3, 3.5))
    )
    return [
        layer(Material.STEM, box, stem, softness=1.4),
        layer(Material.STEM, box, plate),
        layer(Material.WHITE, box, tracts, softness=3.0),
        layer(Material.GREY, box, nigra, softness=2.0),
        layer(Material.CSF, box, fourth),
        layer(
            Material.CSF,
            box,
            tube(p, [(0, -22, -4), (0, -31, -8), (0, -36, -20)], [1.1, 0.9, 1.3]),
        ),
    ]
