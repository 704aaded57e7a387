"""A whole head without any scan: layers of material on a grid of 1 mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.synthesis.cortex import fold_cerebellum, fold_cerebrum
from BrainTumorSegLib.synthesis.deep_brain import draw_deep_brain, draw_stem
from BrainTumorSegLib.synthesis.grid import COARSE, Array, Coordinates, Grid, refine
from BrainTumorSegLib.synthesis.head import draw_head
from BrainTumorSegLib.synthesis.materials import Layer
from BrainTumorSegLib.synthesis.noise import smooth_noise
from BrainTumorSegLib.synthesis.outline import brain, cavity
from BrainTumorSegLib.synthesis.shapes import coverage, ramp
from BrainTumorSegLib.synthesis.vessels import draw_vessels

HEAD_GRID = Grid(origin=(-94.0, -122.0, -132.0), nodes=(95, 121, 116))


@dataclass(frozen=True)
class Anatomy:
    """A head.

    Attributes:
        grid: where it is drawn.
        layers: from back to front.
        depth: fine distance from the inner skull inwards, mm (negative outside).
        brain: share 0..1 of each fine voxel that a brain mask should hold.
    """

    grid: Grid
    layers: tuple[Layer, ...]
    depth: Array
    brain: Array


def make_anatomy(
    rng: np.random.Generator,
    displacement: Coordinates | None = None,
    grid: Grid = HEAD_GRID,
) -> Anatomy:
    """Draw a head.

    Args:
        rng: source of chance; the same state gives the same head.
        displacement: coarse fields (mm, RAS): the brain seen at a point is the brain
            at rest at the point plus this. It fades out towards the skull by itself.
        grid: where to draw.
    """
    step = COARSE * grid.spacing
    p = grid.coordinates()
    # No two halves and no two heads are alike.
    head = tuple(c + 0.4 * smooth_noise(rng, grid, 100) for c in p)
    walls = cavity(head, step)
    inside = ramp(walls, 0, -14)
    rest = tuple(c + inside * 1.2 * smooth_noise(rng, grid, 45) for c in head)
    if displacement is not None:
        rest = tuple(c + inside * d for c, d in zip(rest, displacement, strict=True))
    layers = draw_head(grid, head, walls, rng)
    cortex = fold_cerebrum(grid, rest, rng)
    layers += fold_cerebellum(grid, rest, rng)
    layers += cortex.layers
    layers += draw_stem(grid, rest)
    layers += draw_deep_brain(grid, rest)
    layers += draw_vessels(grid, rest, walls, cortex)
    depth = -refine(walls)
    # Brain masks hold the thin sheet of CSF on the surface.
    mask = coverage(refine(brain(rest, step)) - np.float32(0.8))
    return Anatomy(grid, tuple(layers), depth, mask)
