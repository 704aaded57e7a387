"""Folded cortex of the cerebrum and the leaves of the cerebellum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.synthesis.grid import COARSE, Array, Box, Coordinates, Grid, part, refine
from BrainTumorSegLib.synthesis.materials import Layer, Material, layer
from BrainTumorSegLib.synthesis.noise import Labyrinth, smooth_noise
from BrainTumorSegLib.synthesis.outline import cerebellum, cerebrum, folded
from BrainTumorSegLib.synthesis.shapes import (
    capsule,
    ellipsoid,
    gradient_length,
    intersection,
    ramp,
    union,
)

#: Smallest slope of a labyrinth that counts as the flank of a sulcus (1/mm).
_SLOPE = 0.10


@dataclass(frozen=True)
class Cortex:
    """The folded cerebrum.

    Attributes:
        layers: CSF-free cortex and white matter.
        box: where it lies.
        pia: fine distance to the nearest CSF outside the brain, positive inside the brain.
        vessels: fine distance to the thin vessels that run in the sulci.
    """

    layers: list[Layer]
    box: Box
    pia: Array
    vessels: Array


def fold_cerebrum(grid: Grid, p: Coordinates, rng: np.random.Generator) -> Cortex:
    """Fold the hemispheres: sulci perpendicular to the surface, gyri about 12 mm wide.

    Args:
        grid: where to draw.
        p: coarse coordinates of the brain at rest.
        rng: source of chance.
    """
    step = COARSE * grid.spacing
    box = grid.box((-76, 76), (-112, 76), (-56, 84))
    p = tuple(c[box.coarse] for c in p)
    x, y, z = folded(p)
    hemisphere = intersection(cerebrum(p, step), np.float32(0.8) - x, 4)
    depth = -hemisphere
    noise = [smooth_noise(rng, grid, w)[box.coarse] for w in (24, 40, 14, 60)]

    major = _sulci(p, depth, step, Labyrinth(rng, 22, stretch=(1, 1, 1.35)), 9, bend=2.5 * noise[0])
    minor = _sulci(p, depth, step, Labyrinth(rng, 14), 4, bend=1.5 * noise[2])
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
    pia = depth - np.float32(0.2)
    for sheet, far, width in ((major, reach, opening + 0.35), (minor, small_reach, opening - 0.1)):
        sulcus = np.sqrt(np.square(sheet) + np.square(np.maximum(depth - far, 0)))
        pia = union(pia, sulcus - width, 3.5)
    pia = union(pia, fissures, 3.0)
    ribbon = 2.7 + 0.3 * thick
    layers = [
        layer(Material.GREY, box, -pia),
        layer(Material.WHITE, box, ribbon - pia, softness=1.6),
    ]
    crossing = refine(_crossing(rng, p))
    vessels = np.sqrt(np.square(major) + np.square(crossing)) - np.float32(0.75)
    vessels = np.maximum(vessels, np.maximum(depth - np.minimum(13, reach), -1.0 - depth))
    return Cortex(layers, box, pia, vessels)


def _sulci(
    p: Coordinates, depth: Array, step: float, pattern: Labyrinth, level: float, bend: Array
) -> Array:
    """Signed distance to sheets that stand on the surface along the pattern's zero lines.

    The pattern is read where the normal through a point meets the depth ``level``,
    so that it does not change with depth; ``bend`` (mm) makes the sheets lean.
    """
    smooth = ndimage.gaussian_filter(depth, 2.0)
    normal = [np.gradient(smooth, np.float32(step), axis=axis) for axis in (2, 1, 0)]
    length = np.sqrt(sum(np.square(n) for n in normal)) + np.float32(1e-3)
    shift = np.clip(level - depth, -24, 12)
    feet = tuple(c + shift * n / length for c, n in zip(p, normal, strict=True))
    lean = bend * ramp(depth, 0, 12)
    feet = (feet[0] + lean, feet[1] - lean, feet[2] + lean)
    field = pattern.at(feet)
    return field / np.maximum(gradient_length(field, step), np.float32(_SLOPE))


def _crossing(rng: np.random.Generator, p: Coordinates) -> Array:
    """Distance to surfaces that cut the sulci at odd places."""
    field = Labyrinth(rng, 34).at(p)
    return field / np.maximum(gradient_length(field, 2.0), np.float32(0.04))


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


def fold_cerebellum(grid: Grid, p: Coordinates, rng: np.random.Generator) -> list[Layer]:
    """The cerebellum: leaves that run from side to side around a white core."""
    box = grid.box((-58, 58), (-96, -28), (-62, 6))
    p = part(p, box)
    depth = -cerebellum(p)
    leaves = _leaves(p, depth, Labyrinth(rng, 9, stretch=(4.5, 1, 1)), grid.spacing)
    fissures = _leaves(p, depth, Labyrinth(rng, 24, stretch=(4, 1, 1)), grid.spacing)
    pia = depth - np.float32(0.2)
    for sheet, far, width in ((leaves, 8.0, 0.3), (fissures, 15.0, 0.55)):
        sulcus = np.sqrt(np.square(sheet) + np.square(np.maximum(depth - far, 0)))
        pia = union(pia, sulcus - width, 1.5)
    white = np.minimum(pia - np.float32(2.0), depth - np.float32(6))
    dentate = ellipsoid(folded(p), (15, -56, -34), (7, 8, 5))
    return [
        layer(Material.GREY, box, -pia),
        layer(Material.WHITE, box, -white, softness=1.4),
        layer(Material.DEEP_GREY, box, np.abs(dentate) - 0.8, softness=2.0),
    ]


def _leaves(p: Coordinates, depth: Array, pattern: Labyrinth, step: float) -> Array:
    """Signed distance to the clefts, which point to the roof of the fourth ventricle."""
    x, y, z = p
    # Read on a shell around that roof, so that clefts run radially.
    dy, dz = y + 48, z + 32
    radius = np.sqrt(dy * dy + dz * dz) + np.float32(1)
    shell = np.float32(24) / radius
    field = pattern.at((x, -48 + dy * shell, -32 + dz * shell))
    slope = gradient_length(field, step)
    return field / np.maximum(slope, np.float32(0.2))
