"""Dural folds, venous sinuses and arteries: what contrast agent makes bright."""

from __future__ import annotations

import numpy as np

from BrainTumorSegLib.synthesis.cortex import Cortex
from BrainTumorSegLib.synthesis.grid import Array, Coordinates, Grid, part, refine
from BrainTumorSegLib.synthesis.materials import Layer, Material, layer
from BrainTumorSegLib.synthesis.outline import folded, tentorium_height
from BrainTumorSegLib.synthesis.shapes import ellipsoid, tube


def draw_vessels(grid: Grid, p: Coordinates, cavity: Array, cortex: Cortex) -> list[Layer]:
    """Layers to be laid over the brain.

    Args:
        grid: where to draw.
        p: coarse coordinates of the brain at rest, for the whole grid.
        cavity: coarse distance to the cranial cavity.
        cortex: for the vessels that lie in its sulci.
    """
    return [
        layer(Material.VEIN, cortex.box, cortex.vessels),
        *_folds_and_sinuses(grid, p, cavity),
        *_arteries(grid, p),
    ]


def _folds_and_sinuses(grid: Grid, p: Coordinates, cavity: Array) -> list[Layer]:
    box = grid.box((-66, 66), (-112, 76), (-48, 86))
    x, y, z = q = folded(part(p, box))
    wall = refine(cavity[box.coarse])
    tent = tentorium_height(x, y)
    callosal = ellipsoid(q, (0, -8, 2), (99, 46, 36))
    falx = np.maximum(np.maximum(x - 0.55, wall), np.maximum(-callosal, tent - z - 1))
    falx = np.maximum(falx, -12 - z)
    notch = ellipsoid(q, (0, -22, -10), (27, 33, 30))
    sheet = np.maximum(np.maximum(np.abs(z - tent) - 0.6, wall), np.maximum(-notch, y + 20))
    inward = wall + 2.2
    crest = np.sqrt(np.square(x * 0.9) + np.square(inward)) - (1.6 + 1.6 * _along(y))
    sagittal = np.maximum(crest, -12 - z + 0.25 * np.maximum(y, 0))
    transverse = np.sqrt(np.square(z - tent) + np.square(inward)) - 3.2
    transverse = np.maximum(transverse, y + 34)
    straight = tube(q, [(0, -44, 3), (0, -70, -3), (0, -100, -9)], [1.9, 2.0, 2.4])
    galen = tube(q, [(1.8, -4, 13), (1.8, -26, 14), (0.5, -40, 6), (0, -45, 3)], [0.8, 1, 1.8, 2])
    veins = np.minimum.reduce([sagittal, transverse, np.maximum(straight, wall), galen])
    return [
        layer(Material.DURA, box, np.minimum(falx, sheet)),
        layer(Material.VEIN, box, veins),
    ]


def _along(y: Array) -> Array:
    """The sagittal sinus widens from front (0) to back (1)."""
    return np.clip((60 - y) / np.float32(150), 0, 1)


def _arteries(grid: Grid, p: Coordinates) -> list[Layer]:
    box = grid.box((-60, 60), (-60, 50), (-130, 46))
    q = folded(part(p, box))
    carotid = tube(
        q,
        [(28, -12, -130), (26, -10, -60), (22, -8, -42), (13, -4, -36), (11, 6, -29), (10, 2, -20)],
        [3.2, 3, 2.4, 2.2, 2.2, 2],
    )
    cavernous = tube(q, [(11, 8, -29), (11, -4, -30)], [4.2, 4.2])
    middle = tube(
        q,
        [(10, 2, -20), (20, 3, -18), (32, 6, -15), (37.5, 2, -6), (37.5, -12, 2), (38, -26, 10)],
        [1.8, 1.6, 1.5, 1.2, 1.0, 0.8],
    )
    upper = tube(q, [(37.5, 2, -6), (37, 10, 2), (38, 14, 10)], [1.1, 0.9, 0.7])
    anterior = tube(
        q,
        [(10, 2, -20), (2, 14, -14), (1.4, 30, -6), (1.4, 38, 9), (1.4, 28, 24), (1.4, 8, 32)],
        [1.4, 1.2, 1.2, 1.1, 1.0, 0.8],
    )
    posterior = tube(
        q, [(0, -11, -19), (13, -18, -17), (20, -30, -10), (17, -44, 0)], [1.7, 1.4, 1.3, 1.0]
    )
    basilar = tube(q, [(0, -11, -19), (0, -9, -34), (0, -13, -46)], [1.8, 1.8, 1.7])
    vertebral = tube(
        q, [(0, -13, -46), (9, -26, -58), (16, -34, -72), (18, -26, -130)], [1.6, 1.5, 1.6, 1.6]
    )
    jugular = tube(
        q, [(44, -46, -36), (36, -32, -52), (32, -18, -62), (32, -14, -130)], [3.2, 3.6, 4, 4.4]
    )
    lumen = np.minimum.reduce([carotid, middle, upper, anterior, posterior, basilar, vertebral])
    return [
        layer(Material.VEIN, box, np.minimum(cavernous, jugular)),
        layer(Material.ARTERY, box, lumen),
    ]
