"""The anatomy on which a lesion is painted, at rest and as it is seen.

All arrays are ``[slice, row, column]`` at 1 mm: slices ascend to the head's top, rows run
from anterior to posterior, columns from the patient's right to the left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue

from .classes import PARENCHYMA, A, is_any
from .fields import COARSE, Array, along, coarse_noise, coarse_shape, random_rotation, refined

#: White matter in the stored images of real scans, which keeps them small in memory.
WHITE = 2000

#: Tissue bits of what is no tumor.
BACKGROUND = 1 << int(Tissue.BACKGROUND)

Bounds = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Levels:
    """White matter, grey matter and fluid of one scan."""

    white: float
    gray: float
    fluid: float


@dataclass(frozen=True)
class Anatomy:
    """A head or a stripped brain at rest.

    Attributes:
        name: of the file or case it comes from.
        classes: uint8 `Anatomical` values.
        depth: float32 mm from the wall of the cranial cavity inwards, negative outside, at
            every `COARSE`-th voxel.
        midline: column of the plane between the hemispheres.
        fourth_ventricle: its middle ``(slice, row, column)``, the landmark of the
            posterior fossa.
        brain: bounds of the brain, lowest and highest index along each axis.
        images: scans by sequence for real ones, int16 with white matter at `WHITE`; None for
            label maps.
        levels: white matter, grey matter and fluid of those scans, by sequence.
        allowed: tissue bits of a tumor that the scans show already; None without one.
        symmetry: correlation of what lies on either side of the midline; low when a tumor
            has shifted it. 1 for label maps.
    """

    name: str
    classes: Array
    depth: Array
    midline: float
    fourth_ventricle: tuple[float, float, float]
    brain: Bounds
    images: Mapping[Sequence, Array] | None = None
    levels: Mapping[Sequence, Levels] | None = None
    allowed: Array | None = None
    symmetry: float = 1.0


def bounds_of(mask: Array) -> Bounds:
    """Lowest and highest index of a mask along each axis."""
    places = np.argwhere(mask)
    return tuple(zip(places.min(0).tolist(), places.max(0).tolist(), strict=True))


def at_nodes(depth: Array) -> Array:
    """A fine field at every `COARSE`-th voxel, float32."""
    return depth[::COARSE, ::COARSE, ::COARSE].astype(np.float32)


@dataclass(frozen=True)
class Pose:
    """A random head position and shape: where a voxel of the canvas lies in the anatomy.

    Attributes:
        shape: voxels of the canvas.
        matrix: linear part, canvas to anatomy.
        shift: added to it.
        wave: coarse displacement in voxels, one array an axis, added on top.
    """

    shape: tuple[int, int, int]
    matrix: Array
    shift: Array
    wave: Array


def draw_pose(
    rng: np.random.Generator,
    anatomy: Anatomy,
    margin: float,
    rotation: float = 8.0,
    scale: float = 0.07,
    wave: float = 2.2,
) -> Pose:
    """A pose whose canvas holds the whole brain and ``margin`` mm around it.

    Args:
        anatomy: which may be mirrored.
        rotation: largest turn in degrees.
        scale: largest logarithm of a change of size.
        wave: largest typical displacement in voxels.
    """
    low, high = (np.array(side, float) for side in zip(*anatomy.brain, strict=True))
    zoom = np.exp(rng.uniform(-scale, scale, 3) * 0.5 + rng.uniform(-scale, scale) * 0.5)
    size = tuple(int(n) for n in np.ceil((high - low + 1) * zoom + 2 * margin))
    flip = np.array([1.0, 1.0, -1.0 if rng.random() < 0.5 else 1.0])
    matrix = random_rotation(rng, rotation) @ np.diag(flip / zoom)
    middle = (np.array(size) - 1) / 2
    shift = (low + high) / 2 - matrix @ middle
    waves = np.stack([coarse_noise(rng, coarse_shape(size), 70.0) for _ in range(3)])
    strength = rng.uniform(0, wave)
    return Pose(size, matrix, shift, (waves * np.float32(strength)).astype(np.float32))


@dataclass(frozen=True)
class Canvas:
    """Anatomy seen in a pose, on coarse nodes for planning (every `COARSE` voxels).

    Attributes:
        anatomy, pose: what is seen, and how.
        classes, depth: as in `Anatomy`, on the nodes.
        free: nodes where a lesion may have its centre: not near a real tumor.
    """

    anatomy: Anatomy
    pose: Pose
    classes: Array
    depth: Array
    free: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the fine canvas."""
        return self.pose.shape


def make_canvas(anatomy: Anatomy, pose: Pose) -> Canvas:
    """The anatomy in its pose, sampled on the coarse nodes."""
    where = coarse_positions(pose)
    scaled = where / np.float32(COARSE)
    depth = ndimage.map_coordinates(anatomy.depth, scaled, order=1, mode="nearest")
    free = np.ones(depth.shape, bool)
    if anatomy.allowed is not None:
        tumor = sample_labels(anatomy.allowed, where, BACKGROUND) != BACKGROUND
        free = ~ndimage.binary_dilation(tumor, iterations=9)
    return Canvas(anatomy, pose, sample_labels(anatomy.classes, where, A.AIR), depth, free)


def coarse_positions(pose: Pose, displacement: Array | None = None) -> Array:
    """Positions in the anatomy, ``[3, ...]``, of the coarse nodes of the canvas.

    Args:
        pose: of the canvas.
        displacement: mm ``[3, ...]`` from each node to where its tissue lay at rest.
    """
    nodes = coarse_shape(pose.shape)
    where = pose.wave.copy()
    matrix = pose.matrix.astype(np.float32)
    for own in range(3):
        for axis in range(3):
            line = np.arange(nodes[axis], dtype=np.float32) * np.float32(COARSE)
            where[own] += matrix[own, axis] * along(line, axis)
            if displacement is not None:
                where[own] += matrix[own, axis] * displacement[axis]
        where[own] += np.float32(pose.shift[own])
    return where


def fine_positions(where: Array, shape: tuple[int, int, int], rows: slice) -> Array:
    """Positions of the fine voxels ``[3, slices of rows, row, column]`` from the coarse ones."""
    first, last = rows.start // COARSE, -(-(rows.stop - 1) // COARSE) + 1
    part = where[:, first:last]
    size = (rows.stop - first * COARSE, *shape[1:])
    cut = slice(rows.start - first * COARSE, None)
    return np.stack([refined(axis, size)[cut] for axis in part])


def sample_labels(labels: Array, where: Array, outside: int) -> Array:
    """Nearest value at positions ``[3, ...]``; ``outside`` beyond the volume."""
    return ndimage.map_coordinates(labels, where, order=0, mode="constant", cval=int(outside))


def brain_mask(classes: Array, depth: Array, rind: float) -> Array:
    """A brain mask: parenchyma and what lies deeper than ``rind`` mm, with small gaps closed.

    Args:
        classes: fine `Anatomical` values.
        depth: fine mm from the wall of the cavity.
        rind: fluid nearer to the wall than this is left out unless brain reaches there.
    """
    inside = is_any(classes, (*PARENCHYMA, A.VENTRICLE, A.CHOROID)) & (depth > -2)
    return inside | (depth > np.float32(rind))
