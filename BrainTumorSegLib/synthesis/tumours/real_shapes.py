"""Shapes of real tumours from label maps: oedema, core, enhancing tumour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.io.labelmaps import read_labels
from BrainTumorSegLib.synthesis.grid import COARSE, Array
from BrainTumorSegLib.synthesis.tumours.fields import random_rotation
from BrainTumorSegLib.synthesis.tumours.forms import signed_distance
from BrainTumorSegLib.synthesis.tumours.plan import Box

#: Where the brain lies in label maps of the BraTS atlas (240x240x155 at 1 mm, LPS):
#: lowest and highest slice, row, column; the medians of 31 stripped scans.
_ATLAS_BRAIN = ((0.0, 138.0), (44.0, 214.0), (50.0, 187.0))


@dataclass(frozen=True)
class RealShape:
    """A tumour cut out of its label map, at 1 mm.

    Attributes:
        name: of the file.
        core: signed distance to necrosis, non-enhancing and enhancing tumour, mm.
        enhancing: signed distance to enhancing tumour.
        whole: signed distance to all with oedema.
        middle: voxel of the core's centre in these arrays.
        place: the centre relative to the brain: 0..1 upwards, 0..1 from front to back,
            -1..1 from right to left.
        enhancing_ml, core_ml, whole_ml: volumes.
    """

    name: str
    core: Array
    enhancing: Array
    whole: Array
    middle: tuple[float, ...]
    place: tuple[float, float, float]
    enhancing_ml: float
    core_ml: float
    whole_ml: float


@lru_cache(maxsize=64)
def read_shape(path: Path) -> RealShape | None:
    """Read a label map with 1 oedema, 2 core without enhancement, 3 enhancing tumour.

    Returns:
        None when its core is smaller than 1.5 mL.
    """
    image = sitk.DICOMOrient(read_labels(path), "LPS")
    labels = sitk.GetArrayFromImage(image)
    core = labels >= 2
    if core.sum() < 1500:
        return None
    places = np.argwhere(labels > 0)
    cut = tuple(slice(max(0, a - 4), b + 5) for a, b in zip(*_bounds(places), strict=True))
    labels, middle = labels[cut], np.array(ndimage.center_of_mass(core))
    relative = [(m - lo) / (hi - lo) for m, (lo, hi) in zip(middle, _ATLAS_BRAIN, strict=True)]
    core, enhancing, whole = labels >= 2, labels == 3, labels > 0
    return RealShape(
        path.name.split(".")[0],
        signed_distance(core, 1.0),
        signed_distance(enhancing, 1.0) if enhancing.any() else np.full(core.shape, 50, np.float32),
        signed_distance(whole, 1.0),
        tuple(middle - [c.start for c in cut]),
        (float(relative[0]), float(relative[1]), float(2 * relative[2] - 1)),
        float(enhancing.sum()) / 1000,
        float(core.sum()) / 1000,
        float(whole.sum()) / 1000,
    )


def _bounds(places: Array) -> tuple[Array, Array]:
    return places.min(axis=0), places.max(axis=0)


@dataclass(frozen=True)
class Placement:
    """How a real shape lies on the canvas: turned, mirrored, scaled, bent."""

    matrix: Array
    bend: Array

    def sample(self, shape: RealShape, field: Array, box: Box, centre: Array, fine: bool) -> Array:
        """A distance field of the shape on the box's coarse nodes, or on its fine voxels."""
        step = 1 if fine else COARSE
        x, y, z = box.offsets(centre, step)
        where = []
        for axis in range(3):
            line = sum(np.float32(self.matrix[axis, n]) * part for n, part in enumerate((z, y, x)))
            bend = box.fine_field(self.bend[axis]) if fine else self.bend[axis]
            where.append(line + np.float32(shape.middle[axis]) + bend)
        values = ndimage.map_coordinates(field, np.stack(where), order=1, mode="nearest")
        outside = [
            np.maximum(np.maximum(-w, w - (n - 1)), 0)
            for w, n in zip(where, field.shape, strict=True)
        ]
        beyond = sum(o * o for o in outside)
        scale = np.float32(abs(np.linalg.det(self.matrix)) ** (-1 / 3))
        return ((values + np.sqrt(beyond)) * scale).astype(np.float32)


def draw_placement(rng: np.random.Generator, box: Box, noise: list[Array]) -> Placement:
    """A turn of up to 25 degrees, perhaps a mirror, a change of size by up to 25 %, a bend."""
    flip = np.diag([1.0, 1.0, -1.0 if rng.random() < 0.5 else 1.0])
    zoom = np.diag(np.exp(rng.uniform(-0.22, 0.22) + rng.uniform(-0.1, 0.1, 3)))
    matrix = random_rotation(rng, 25.0) @ flip @ zoom
    strength = np.float32(rng.uniform(0.5, 2.5))
    return Placement(matrix, np.stack(noise) * strength)
