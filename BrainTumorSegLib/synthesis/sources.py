"""What samples are made of: label maps of heads, shapes of real tumors, real scans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.io.labelmaps import read_labels
from BrainTumorSegLib.io.volumes import read_image

from .canvas import Anatomy, Bounds, at_nodes, bounds_of
from .classes import PARENCHYMA, A, classes_of, is_any
from .config import Kind
from .drawn_head import drawn_head
from .fields import COARSE, Array, coarse_noise, random_rotation, refine, refined, surface_distance
from .real_scans import MIN_SYMMETRY, RealCase, healthy_half, read_real
from .shapes import FAR, Box, signed_distance

#: Every fifth head and shape is kept for held-out samples.
_HELD_OUT_EVERY = 5

#: Heads that are drawn where there are no label maps, for each part.
_DRAWN = 4

#: Head kept around the brain of a label map, mm.
_BORDER = 34

#: FreeSurfer labels of either hemisphere, by side.
_SIDES = ((2, 3, 10, 11, 12), (41, 42, 49, 50, 51))

#: Where the brain lies in label maps of the BraTS atlas (240x240x155 at 1 mm, LPS):
#: lowest and highest slice, row, column; the medians of 31 stripped scans.
_ATLAS_BRAIN = ((0.0, 138.0), (44.0, 214.0), (50.0, 187.0))


@dataclass(frozen=True)
class Sources:
    """Files that samples are made of.

    Attributes:
        heads: FreeSurfer-style label maps of whole heads at 1 mm; when there are none, a
            few heads are drawn, which needs no data.
        shapes: label maps of real tumors (1 edema, 2 core, 3 enhancing); may be empty.
        cases: real scans to paint on and carve from; may be empty. Give training cases
            only: what is painted on them shows their anatomy.
    """

    heads: tuple[Path, ...] = ()
    shapes: tuple[Path, ...] = ()
    cases: tuple[RealCase, ...] = ()

    def head(self, rng: np.random.Generator, part: str) -> Anatomy:
        """A head of a part, see `config.PARTS`."""
        if not self.heads:
            first = _DRAWN if part == "held_out" else 0
            return drawn_head(first + int(rng.integers(_DRAWN)))
        paths = _of_part(self.heads, part)
        if not paths:
            raise InputError(
                f"There is no head label map for {part} samples.",
                "Give five label maps at least, or none, so that heads are drawn.",
            )
        return read_head(paths[rng.integers(len(paths))])

    def shape(self, rng: np.random.Generator, kind: Kind, part: str) -> RealShape | None:
        """A real shape that suits a kind of glioma; None when a few tries found none."""
        paths = _of_part(self.shapes, part)
        for _ in range(12 if paths else 0):
            shape = read_shape(paths[rng.integers(len(paths))])
            if shape is None:
                continue
            enhancing = shape.enhancing_ml > 0.12 * shape.core_ml
            if enhancing == (kind is Kind.GLIOBLASTOMA):
                return shape
        return None

    def case(self, rng: np.random.Generator) -> Anatomy:
        """A real case with its tumor."""
        return read_real(self.cases[rng.integers(len(self.cases))])

    def case_with_a_healthy_half(self, rng: np.random.Generator, symmetric: bool) -> Anatomy | None:
        """A real case one half of which is free of tumor; None when a few tries found none.

        Args:
            symmetric: whether its midline must not be shifted, so that it can be mirrored.
        """
        for _ in range(8 if self.cases else 0):
            anatomy = self.case(rng)
            if symmetric and anatomy.symmetry < MIN_SYMMETRY:
                continue
            if healthy_half(anatomy) is not None:
                return anatomy
        return None


def find_sources(data: Path, cases: Iterable[RealCase] = ()) -> Sources:
    """The sources in a data folder: ``synthseg_head_labels/`` and ``msd_tumour_labels/``.

    Either may be missing: then heads are drawn, and shapes are made up.

    Raises:
        InputError: when there is no such folder.
    """
    if not data.is_dir():
        raise InputError(f"The folder {data} does not exist.", "Check its name.")
    heads = tuple(sorted((data / "synthseg_head_labels").glob("*.nii.gz")))
    shapes = tuple(sorted((data / "msd_tumour_labels").glob("*.nii.gz")))
    return Sources(heads, shapes, tuple(cases))


def _of_part(paths: tuple[Path, ...], part: str) -> list[Path]:
    if part == "all":
        return list(paths)
    held_out = part == "held_out"
    return [p for n, p in enumerate(paths) if (n % _HELD_OUT_EVERY == 4) == held_out]


# Label maps of heads


@lru_cache(maxsize=20)
def read_head(path: Path) -> Anatomy:
    """Read a label map with FreeSurfer-style ids; heads that were read are kept in memory.

    Raises:
        InputError: when the file holds no brain.
    """
    image = sitk.DICOMOrient(read_image(path), "LPS")
    if max(abs(s - 1) for s in image.GetSpacing()) > 0.05:
        raise InputError(f"{path} is not sampled at 1 mm.", "Resample the label map first.")
    labels = sitk.GetArrayFromImage(image).astype(np.int32)
    return head_from_labels(labels, path.name.split(".")[0])


def head_from_labels(labels: Array, name: str) -> Anatomy:
    """Anatomy of a label map ``[slice, row, column]`` at 1 mm in LPS order.

    Raises:
        InputError: when it holds no brain.
    """
    classes = classes_of(labels)
    tissue = is_any(classes, PARENCHYMA) & (labels != 512)
    if tissue.sum() < 200_000:
        raise InputError(f"{name} holds no whole brain.", "Give FreeSurfer-style label maps.")
    bounds = tuple((2 * low, 2 * high) for low, high in bounds_of(tissue[::2, ::2, ::2]))
    cut = tuple(
        slice(max(0, low - _BORDER), min(n, high + _BORDER))
        for (low, high), n in zip(bounds, labels.shape, strict=True)
    )
    labels, classes, tissue = labels[cut], classes[cut], tissue[cut]
    bounds: Bounds = tuple(
        (low - c.start, high - c.start) for (low, high), c in zip(bounds, cut, strict=True)
    )
    depth = _cavity_depth(classes, tissue, bounds[0][0])
    left, right = (_distance(np.isin(labels, side)) for side in _SIDES)
    _add_dura(labels, classes, depth, left - right)
    _split_soft_tissue(classes)
    # What lies outside the skull but has the label of fluid belongs to the neck and face.
    classes[(classes == A.CSF) & (depth < -3)] = A.MUSCLE
    ventricle = np.argwhere(labels == 15)
    if len(ventricle) == 0:
        raise InputError(f"{name} has no fourth ventricle.", "Give FreeSurfer-style label maps.")
    close = (np.abs(left - right) < 1.5) & tissue
    midline = float(np.median(np.nonzero(close)[2])) if close.any() else labels.shape[2] / 2
    fourth = tuple(ventricle.mean(0).tolist())
    return Anatomy(name, classes, at_nodes(depth), midline, fourth, bounds)


def _distance(mask: Array) -> Array:
    """Distance in mm to a mask, coarse and interpolated (smooth enough for folds)."""
    fine = refine(surface_distance(np.ascontiguousarray(mask[::2, ::2, ::2])) * np.float32(2))
    pads = [(0, max(0, n - f)) for n, f in zip(mask.shape, fine.shape, strict=True)]
    return np.pad(fine, pads, mode="edge")[tuple(slice(n) for n in mask.shape)]


def _cavity_depth(classes: Array, tissue: Array, lowest: int) -> Array:
    """Depth below the wall of the cranial cavity, which is smooth and has no holes."""
    near = _distance(tissue) < 14
    # The floor of the cavity is where the brain ends: fluid below belongs to the spine.
    near[: max(0, lowest - 2)] = False
    inside = tissue | (near & is_any(classes, (A.CSF, A.VENTRICLE, A.CHOROID, A.VEIN, A.NERVE)))
    # Open, so that veins and fluid outside the skull fall off; then fill sulci and sinuses.
    opened = (_distance(~inside) > 2.0) | tissue
    parts, count = ndimage.label(opened[::2, ::2, ::2])
    if count > 1:
        largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
        opened &= np.kron(parts == largest, np.ones((2, 2, 2), bool))[
            tuple(slice(n) for n in opened.shape)
        ]
    closed = _distance(_distance(opened) > 6.0) > 6.0
    return -_distance(closed | opened)


def _add_dura(labels: Array, classes: Array, depth: Array, side: Array) -> None:
    """Draw dura on the wall, the falx between the hemispheres and the tentorium (in place)."""
    wall = (depth > -1.2) & (depth <= 0.3)
    fluid = classes == A.CSF
    classes[wall & ~is_any(classes, PARENCHYMA) & (classes != A.VEIN)] = A.DURA
    cerebrum = _distance(np.isin(labels, (2, 3, 41, 42)))
    cerebellum = _distance(np.isin(labels, (7, 8, 46, 47)))
    inner = fluid & (depth > 0.3)
    falx = (np.abs(side) < 0.9) & (cerebrum < 7) & (cerebellum > 8)
    tentorium = (np.abs(cerebrum - cerebellum) < 1.0) & (cerebrum < 6)
    classes[inner & (falx | tentorium)] = A.DURA


def _split_soft_tissue(classes: Array) -> None:
    """Part the one class of soft tissue into muscle and fat (in place)."""
    soft = classes == A.MUSCLE
    skin = _distance((classes == A.SKIN) | (classes == A.AIR))
    nodes = tuple(n // COARSE + 1 for n in classes.shape)
    field = refined(coarse_noise(np.random.default_rng(7), nodes, 15.0), classes.shape)
    bone = _distance((classes == A.BONE) | (classes == A.MARROW))
    fatty = (skin < 5 + field) | (field > 0.9) | ((skin < 9) & (bone > 3) & (field > 0))
    classes[soft & fatty] = A.FAT


# Shapes of real tumors


@dataclass(frozen=True)
class RealShape:
    """A tumor cut out of its label map, at 1 mm.

    Attributes:
        name: of the file.
        core: signed distance to necrosis, non-enhancing and enhancing tumor, mm.
        enhancing: signed distance to enhancing tumor.
        whole: signed distance to all with edema.
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
    """Read a label map with 1 edema, 2 core without enhancement, 3 enhancing tumor.

    Returns:
        None when its core is smaller than 1.5 mL.
    """
    labels = sitk.GetArrayFromImage(sitk.DICOMOrient(read_labels(path), "LPS"))
    core = labels >= 2
    if core.sum() < 1500:
        return None
    cut = tuple(slice(max(0, low - 4), high + 5) for low, high in bounds_of(labels > 0))
    labels, middle = labels[cut], np.array(ndimage.center_of_mass(core))
    up, back, side = (
        (m - low) / (high - low) for m, (low, high) in zip(middle, _ATLAS_BRAIN, strict=True)
    )
    core, enhancing, whole = labels >= 2, labels == 3, labels > 0
    return RealShape(
        path.name.split(".")[0],
        signed_distance(core, 1.0),
        signed_distance(enhancing, 1.0) if enhancing.any() else np.full(core.shape, FAR),
        signed_distance(whole, 1.0),
        tuple(middle - [c.start for c in cut]),
        (float(up), float(back), float(2 * side - 1)),
        *(float(mask.sum()) / 1000 for mask in (enhancing, core, whole)),
    )


def place_shape(
    rng: np.random.Generator, shape: RealShape, box: Box, center: Array
) -> tuple[Array, Array, Array]:
    """A real shape turned by up to 25 degrees, perhaps mirrored, scaled by up to 25 %, and bent.

    Args:
        shape: which.
        box: where on the canvas.
        center: canvas voxel where its core has its centre.

    Returns:
        Distances (mm) to core and whole on the box's coarse nodes, and to enhancing tumor on its
        fine voxels.
    """
    bends = [coarse_noise(rng, box.nodes, 40.0) for _ in range(3)]
    flip = np.diag([1.0, 1.0, -1.0 if rng.random() < 0.5 else 1.0])
    zoom = np.diag(np.exp(rng.uniform(-0.22, 0.22) + rng.uniform(-0.1, 0.1, 3)))
    matrix = random_rotation(rng, 25.0) @ flip @ zoom
    bend = np.stack(bends) * np.float32(rng.uniform(0.5, 2.5))
    scale = np.float32(abs(np.linalg.det(matrix)) ** (-1 / 3))

    def sample(field: Array, fine: bool) -> Array:
        x, y, z = box.offsets(center, 1 if fine else COARSE)
        where = []
        for axis in range(3):
            line = sum(np.float32(matrix[axis, n]) * part for n, part in enumerate((z, y, x)))
            own = box.fine_field(bend[axis]) if fine else bend[axis]
            where.append(line + np.float32(shape.middle[axis]) + own)
        values = ndimage.map_coordinates(field, np.stack(where), order=1, mode="nearest")
        beyond = sum(
            np.square(np.maximum(np.maximum(-w, w - (n - 1)), 0))
            for w, n in zip(where, field.shape, strict=True)
        )
        return ((values + np.sqrt(beyond)) * scale).astype(np.float32)

    return sample(shape.core, False), sample(shape.whole, False), sample(shape.enhancing, True)
