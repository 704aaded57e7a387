"""Drawn heads as anatomy, so that samples can be made without any data."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from BrainTumorSegLib.synthesis.anatomy import make_anatomy
from BrainTumorSegLib.synthesis.grid import COARSE, Array, Grid, refine
from BrainTumorSegLib.synthesis.materials import Layer, Material
from BrainTumorSegLib.synthesis.outline import tentorium_height
from BrainTumorSegLib.synthesis.tumours.anatomy_classes import PARENCHYMA, A, is_any
from BrainTumorSegLib.synthesis.tumours.canvas import Anatomy

#: The middle of the fourth ventricle of drawn heads, RAS mm.
_FOURTH_VENTRICLE = (0.0, -42.0, -33.0)

_CLASSES = {
    Material.AIR: A.AIR,
    Material.SKIN: A.SKIN,
    Material.FAT: A.FAT,
    Material.MUSCLE: A.MUSCLE,
    Material.MUCOSA: A.MUCOSA,
    Material.BONE: A.BONE,
    Material.MARROW: A.MARROW,
    Material.CARTILAGE: A.MUSCLE,
    Material.VITREOUS: A.EYE,
    Material.GLAND: A.MUCOSA,
    Material.CSF: A.CSF,
    Material.DURA: A.DURA,
    Material.GREY: A.CORTEX,
    Material.WHITE: A.WHITE,
    Material.DEEP_GREY: A.STRIATUM,
    Material.PALLIDUM: A.PALLIDUM,
    Material.STEM: A.STEM,
    Material.CHOROID: A.CHOROID,
    Material.VEIN: A.VEIN,
    Material.ARTERY: A.ARTERY,
}


@lru_cache(maxsize=8)
def drawn_head(seed: int) -> Anatomy:
    """The head that a seed draws; the last few are kept in memory (some seconds each)."""
    drawing = make_anatomy(np.random.default_rng([seed, 4]))
    grid = drawing.grid
    classes = _stacked(grid, drawing.layers)
    x, y, z = grid.coordinates()
    below = refine(z - tentorium_height(np.abs(x), y)) < 0
    behind = below & (refine(y) < -30)
    classes[behind & (classes == A.WHITE)] = A.CEREBELLAR_WHITE
    classes[behind & (classes == A.CORTEX)] = A.CEREBELLAR_CORTEX
    classes[(classes == A.STRIATUM) & (refine(y) < -2) & (refine(np.abs(x)) < 22)] = A.THALAMUS
    inner = (classes == A.CSF) & (drawing.depth > 18) & (refine(np.abs(x)) < 32)
    classes[inner & ~below & (refine(np.abs(x)) > 2)] = A.VENTRICLE
    # From RAS to LPS order.
    classes, depth = (np.ascontiguousarray(a[:, ::-1, ::-1]) for a in (classes, drawing.depth))
    # The cavity ends at the foramen magnum; the cord below is not brain.
    height = np.arange(len(depth), dtype=np.float32) + np.float32(grid.origin[2] + 66)
    depth = np.minimum(depth, height[:, None, None])
    places = np.argwhere(is_any(classes, PARENCHYMA) & (depth > 0))
    bounds = tuple(zip(places.min(0).tolist(), places.max(0).tolist(), strict=True))
    right, front, up = (_index(grid, axis, at) for axis, at in enumerate(_FOURTH_VENTRICLE))
    rows, columns = classes.shape[1] - 1, classes.shape[2] - 1
    middle = columns - right
    return Anatomy(
        f"drawn head {seed}",
        classes,
        depth[::COARSE, ::COARSE, ::COARSE].astype(np.float32),
        middle,
        (up, rows - front, middle),
        bounds,
    )


def _stacked(grid: Grid, layers: Iterable[Layer]) -> Array:
    """The class that is seen most in each voxel."""
    classes = np.zeros(grid.whole.fine_shape, np.uint8)
    for coat in layers:
        if coat.material in _CLASSES:
            view = classes[coat.box.fine]
            view[coat.cover > 127] = _CLASSES[coat.material]
    return classes


def _index(grid: Grid, axis: int, millimetres: float) -> float:
    return (millimetres - grid.origin[axis]) / grid.spacing
