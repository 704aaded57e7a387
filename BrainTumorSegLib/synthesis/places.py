"""Where lesions grow, in anatomical coordinates that do not depend on the pose of the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.errors import InputError

from .canvas import Canvas, coarse_positions
from .classes import A, is_any
from .fields import COARSE, Array, slope_at

#: Sites of meningiomas with their frequencies (after Louis et al., WHO classification, and
#: textbook series): convexity, parasagittal, falx, sphenoid wing, anterior skull base,
#: tentorium, posterior fossa.
MENINGIOMA_SITES = {
    "convexity": 0.32,
    "parasagittal": 0.2,
    "falx": 0.12,
    "sphenoid wing": 0.14,
    "anterior base": 0.08,
    "tentorium": 0.06,
    "posterior fossa": 0.08,
}

#: White matter of a lobe; thalamus, basal ganglia or insula; genu or splenium in the midline;
#: cerebellum or brain stem.
GLIOMA_SITES = ("lobar", "deep", "callosal", "infratentorial")


class NoRoomError(InputError):
    """This head has no place for this lesion; another draw may find one."""


@dataclass(frozen=True)
class Atlas:
    """Anatomical coordinates of the coarse nodes of a canvas.

    Attributes:
        lateral: mm from the midline, positive to the patient's left.
        x, y, z: relative coordinates in the brain's bounding box: -1 right to 1 left,
            0 front to 1 back, 0 bottom to 1 top.
        positions: in the anatomy at rest, ``[3, ...]``.
    """

    lateral: Array
    x: Array
    y: Array
    z: Array
    positions: Array


def atlas_of(canvas: Canvas) -> Atlas:
    """Anatomical coordinates of the coarse nodes."""
    where = coarse_positions(canvas.pose)
    (low_z, high_z), (low_y, high_y), (low_x, high_x) = canvas.anatomy.brain
    lateral = where[2] - np.float32(canvas.anatomy.midline)
    return Atlas(
        lateral,
        lateral / np.float32((high_x - low_x) / 2),
        (where[1] - low_y) / np.float32(high_y - low_y),
        (where[0] - low_z) / np.float32(high_z - low_z),
        where,
    )


def pick(
    rng: np.random.Generator, canvas: Canvas, room: Array, weights: Array | None = None
) -> Array:
    """A random voxel ``(slice, row, column)`` near a free node where there is room.

    Args:
        canvas: of the head.
        room: coarse nodes that may be chosen.
        weights: how likely each node is chosen, relative to the others.

    Raises:
        NoRoomError: when there is no such node.
    """
    nodes = np.argwhere(room & canvas.free)
    if len(nodes) == 0:
        raise NoRoomError(
            "This anatomy has no room for this lesion.", "Choose another seed or kind."
        )
    if weights is None:
        chosen = nodes[rng.integers(len(nodes))]
    else:
        values = weights[tuple(nodes.T)].astype(float)
        chosen = nodes[rng.choice(len(nodes), p=values / values.sum())]
    return (chosen + rng.uniform(-0.5, 0.5, 3)) * COARSE


def wall_normal(canvas: Canvas, place: Array) -> Array:
    """Unit vector ``(slice, row, column)`` from the wall of the cavity inwards, near a voxel."""
    vector = slope_at(canvas.depth, np.round(place / COARSE).astype(int), 3)
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


def glioma_place(rng: np.random.Generator, canvas: Canvas, site: str) -> Array:
    """A voxel at one of `GLIOMA_SITES`; where stripped scans know no such class, about there.

    Raises:
        NoRoomError: when there is none.
    """
    atlas, classes, depth = atlas_of(canvas), canvas.classes, canvas.depth
    lateral, weights = np.abs(atlas.lateral), None
    if site == "lobar":
        room = (classes == A.WHITE) & (depth > 9) & (lateral > 12)
        # In stripped scans the cerebellum counts as white matter too.
        room &= (atlas.z > 0.33) | (atlas.y < 0.55)
        weights = np.where(atlas.y < 0.45, 1.25, np.where(atlas.y > 0.8, 0.45, 1.0))
        weights = weights * np.where((atlas.z < 0.45) & (np.abs(atlas.x) > 0.45), 1.6, 1.0)
    elif site == "deep":
        room = is_any(classes, (A.THALAMUS, A.STRIATUM, A.PALLIDUM))
        if not room.any():
            room = (classes > 0) & (lateral > 9) & (lateral < 28) & (depth > 30)
    elif site == "callosal":
        room = (classes == A.WHITE) & (lateral < 5) & (depth > 15)
        room &= (atlas.z > 0.45) & (np.abs(atlas.y - 0.5) > 0.1)
    else:
        room = is_any(classes, (A.CEREBELLAR_WHITE, A.STEM)) & (depth > 8)
        if not room.any():
            room = (atlas.z > 0.08) & (atlas.z < 0.25) & (atlas.y > 0.55) & (depth > 12)
    return pick(rng, canvas, room, weights)


def meningioma_place(rng: np.random.Generator, canvas: Canvas, site: str) -> tuple[Array, Array]:
    """A point on dura and the unit normal that points into the brain.

    Raises:
        InputError: for an unknown site.
        NoRoomError: when the anatomy lacks it.
    """
    atlas = atlas_of(canvas)
    wall = (canvas.depth > 0) & (canvas.depth < 3)
    side = np.abs(atlas.x)
    rooms = {
        "convexity": wall & (atlas.z > 0.5) & (side > 0.35) & (atlas.y > 0.05),
        "parasagittal": wall & (atlas.z > 0.66) & (atlas.z < 0.96) & (np.abs(atlas.lateral) < 16),
        "falx": (np.abs(atlas.lateral) < 2) & (atlas.z > 0.55) & (canvas.depth > 10),
        "sphenoid wing": wall & (atlas.z > 0.2) & (atlas.z < 0.42) & (side > 0.3) & (side < 0.85),
        "anterior base": wall & (atlas.z > 0.28) & (atlas.z < 0.5) & (side < 0.3) & (atlas.y < 0.4),
        "tentorium": (canvas.depth > 12) & (atlas.y > 0.6) & (side > 0.12) & (side < 0.6),
        "posterior fossa": wall & (atlas.z < 0.2) & (atlas.y > 0.6),
    }
    if site not in rooms:
        raise InputError(f"Unknown site {site!r}.", f"Known sites: {', '.join(rooms)}.")
    room = rooms[site]
    if site == "sphenoid wing":
        room &= (atlas.y > 0.12) & (atlas.y < 0.4)
    if site == "falx":
        fluid = is_any(canvas.classes, (A.CSF, A.DURA))
        room &= fluid if (room & fluid).any() else True
        room &= ((atlas.y < 0.35) | (atlas.y > 0.65)) | (atlas.z > 0.72)
    if site == "tentorium":
        room &= (canvas.classes == A.DURA) | _between_brains(canvas)
        room &= (atlas.z > 0.18) & (atlas.z < 0.45)
    place = pick(rng, canvas, room)
    if site == "falx":
        lateral = canvas.pose.matrix[2] / np.linalg.norm(canvas.pose.matrix[2])
        return place, lateral * (1 if rng.random() < 0.5 else -1)
    if site == "tentorium":
        up = np.array([1.0, -0.35, 0.0]) / np.hypot(1, 0.35)
        return place, up * (1 if rng.random() < 0.6 else -1)
    return place, wall_normal(canvas, place)


def canal_place(rng: np.random.Generator, canvas: Canvas, side: int) -> tuple[Array, Array]:
    """The opening of the internal auditory canal and the unit vector along it, outwards.

    It lies on the posterior face of the petrous bone, about 17 mm in front of the middle
    of the fourth ventricle and 19 mm beside it.

    Args:
        canvas: of the head.
        side: 1 for the patient's left, -1 for the right.
    """
    atlas = atlas_of(canvas)
    up, back, _ = canvas.anatomy.fourth_ventricle
    target = (up + 1.0, back - 17.0, canvas.anatomy.midline + side * 19.0)
    away = sum(np.square(atlas.positions[axis] - target[axis]) for axis in range(3))
    near_wall = (canvas.depth > 0) & (canvas.depth < 2.5) & (atlas.lateral * side > 10)
    node = np.unravel_index(np.argmin(np.where(near_wall, away, np.inf)), away.shape)
    place = np.array(node, float) * COARSE + rng.uniform(-1, 1, 3)
    outwards = canvas.pose.matrix[2] / np.linalg.norm(canvas.pose.matrix[2]) * side
    outwards = outwards + rng.normal(0, 0.08, 3)
    return place, outwards / np.linalg.norm(outwards)


def _between_brains(canvas: Canvas) -> Array:
    """Real scans know no dura: take the band where the tentorium must lie."""
    if canvas.anatomy.images is None:
        return np.zeros(canvas.depth.shape, bool)
    atlas = atlas_of(canvas)
    return np.abs(atlas.z - 0.3) < 0.03
