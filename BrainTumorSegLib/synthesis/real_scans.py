"""Real stripped scans as anatomy: classes by intensity, the healthy half mirrored, CarveMix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import LabelProtocol
from BrainTumorSegLib.io.labelmaps import allowed_tissues
from BrainTumorSegLib.io.reference_labels import read_reference_labels
from BrainTumorSegLib.io.volumes import read_image

from .canvas import BACKGROUND, WHITE, Anatomy, Levels, at_nodes, bounds_of
from .classes import A
from .fields import Array, surface_distance

#: Below this symmetry the midline is shifted, and a mirrored half shows ventricles twice.
MIN_SYMMETRY = 0.35

#: The middle of the fourth ventricle relative to the brain's bounding box in BraTS scans.
_FOURTH_VENTRICLE = (0.26, 0.63)


@dataclass(frozen=True)
class RealCase:
    """Files of a real, registered, skull-stripped, labeled case at 1 mm.

    Attributes:
        name: of the case.
        scans: file of each sequence.
        labels: file of the label map.
        protocol: what its values mean.
    """

    name: str
    scans: tuple[tuple[Sequence, Path], ...]
    labels: Path
    protocol: LabelProtocol


@lru_cache(maxsize=32)
def read_real(case: RealCase) -> Anatomy:
    """Read a case; the last ones are kept in memory.

    Raises:
        InputError: when a file is missing, unreadable or not at 1 mm.
    """
    images = {s: sitk.DICOMOrient(read_image(path), "LPS") for s, path in case.scans}
    for sequence, image in images.items():
        if max(abs(s - 1) for s in image.GetSpacing()) > 0.05:
            raise InputError(
                f"The {sequence.name} scan of {case.name} is not at 1 mm.",
                "Painting on real scans needs registered scans at 1 mm.",
            )
    arrays = {s: sitk.GetArrayFromImage(i).astype(np.float32) for s, i in images.items()}
    labels = sitk.GetArrayFromImage(sitk.DICOMOrient(read_reference_labels(case.labels), "LPS"))
    allowed = allowed_tissues(labels, case.protocol, str(case.labels))
    return anatomy_from_scans(case.name, arrays, allowed)


def anatomy_from_scans(
    name: str, arrays: Mapping[Sequence, Array], allowed: Array | None
) -> Anatomy:
    """Anatomy of stripped scans ``[slice, row, column]`` at 1 mm in LPS order, 0 off the brain."""
    mask = np.logical_or.reduce([a != 0 for a in arrays.values()])
    bounds = bounds_of(mask)
    cut = tuple(slice(max(0, low - 4), high + 5) for low, high in bounds)
    bounds = tuple((a - c.start, b - c.start) for (a, b), c in zip(bounds, cut, strict=True))
    arrays = {s: a[cut] for s, a in arrays.items()}
    mask = ndimage.binary_fill_holes(mask[cut])
    allowed = None if allowed is None else allowed[cut]
    healthy = mask if allowed is None else mask & (allowed == BACKGROUND)
    depth = _depth(mask)
    t1 = arrays[Sequence.T1]
    fluid, gray, white = _three_means(t1[healthy & (depth > 3)])
    smooth = ndimage.gaussian_filter(t1, 0.6)
    classes = np.full(mask.shape, A.AIR, np.uint8)
    classes[mask] = np.array([A.CSF, A.CORTEX, A.WHITE], np.uint8)[
        np.digitize(smooth[mask], ((fluid + gray) / 2, (gray + white) / 2))
    ]
    classes[(classes == A.CSF) & (depth > 22)] = A.VENTRICLE
    if allowed is not None:
        classes[mask & (allowed != BACKGROUND)] = A.WHITE
    sample = healthy & (depth > 4)
    images, levels = {}, {}
    for sequence, array in arrays.items():
        white = float(np.median(array[sample & (classes == A.WHITE)]))
        gray = float(np.median(array[sample & (classes == A.CORTEX)]))
        levels[sequence] = Levels(1.0, gray / white, float(np.percentile(array[sample], 2)) / white)
        scaled = array * np.float32(WHITE / white)
        images[sequence] = np.clip(np.round(scaled), -32000, 32000).astype(np.int16)
    midline = _midline(mask)
    up, back = (b[0] + f * (b[1] - b[0]) for b, f in zip(bounds, _FOURTH_VENTRICLE, strict=False))
    symmetry = _symmetry(images, midline, allowed)
    fourth = (up, back, midline)
    depth = at_nodes(depth)
    return Anatomy(name, classes, depth, midline, fourth, bounds, images, levels, allowed, symmetry)


def _depth(mask: Array) -> Array:
    return -ndimage.gaussian_filter(surface_distance(mask), 1.0)


def _three_means(values: Array) -> Array:
    """Centres of fluid, grey and white matter by one-dimensional k-means."""
    values = values[:: max(1, len(values) // 40_000)]
    centers = np.percentile(values, [4, 40, 85])
    for _ in range(20):
        nearest = np.abs(values[:, None] - centers).argmin(axis=1)
        centers = np.array([values[nearest == k].mean() for k in range(3)])
    return np.sort(centers)


def _midline(mask: Array) -> float:
    """Column about which the outline is most nearly symmetric."""
    small = mask[::4, ::4].astype(np.int8)
    middle = round(float(np.nonzero(mask)[2].mean()))
    best, column = -1, float(middle)
    for twice in range(2 * middle - 12, 2 * middle + 13):
        mirrored = _mirror(small, twice)
        score = int(np.count_nonzero(small & mirrored))
        if score > best:
            best, column = score, twice / 2
    return column


def _symmetry(images: Mapping[Sequence, Array], midline: float, allowed: Array | None) -> float:
    """Correlation of the middle 14 mm on either side at the height of the ventricles."""
    lateral = np.abs(np.arange(next(iter(images.values())).shape[2]) - midline)
    near = (lateral > 0) & (lateral < 14)
    twice, found = round(2 * midline), []
    for sequence in (Sequence.T1, Sequence.T1CE):
        depth = images[sequence].shape[0]
        rows = slice(int(0.45 * depth), int(0.75 * depth), 2)
        image = images[sequence][rows].astype(np.float32)
        other = _mirror(image, twice)
        use = (image > 0) & (other > 0) & near
        if allowed is not None:
            tumor = allowed[rows] != BACKGROUND
            use &= ~tumor & ~_mirror(tumor, twice)
        if use.sum() > 1000:
            found.append(float(np.corrcoef(image[use], other[use])[0, 1]))
    return float(np.mean(found)) if found else 0.0


def _mirror(array: Array, twice: int) -> Array:
    """The array mirrored about column ``twice / 2``; zero beyond."""
    columns = twice - np.arange(array.shape[2])
    inside = (columns >= 0) & (columns < array.shape[2])
    result = np.zeros_like(array)
    result[..., inside] = array[..., columns[inside]]
    return result


def healthy_half(anatomy: Anatomy) -> int | None:
    """The side without tumor: -1 right, 1 left; None when tumor comes near the midline."""
    if anatomy.allowed is None:
        return None
    columns = np.nonzero(anatomy.allowed != BACKGROUND)[2]
    if len(columns) == 0:
        return None
    lateral = columns - anatomy.midline
    if np.percentile(lateral, 0.5) > 4:
        return -1
    if np.percentile(lateral, 99.5) < -4:
        return 1
    return None


def mirrored_healthy(anatomy: Anatomy) -> Anatomy:
    """The same brain without its tumor: the healthy half on both sides, blended in the middle.

    Raises:
        InputError: when neither half is free of tumor.
    """
    side = healthy_half(anatomy)
    if side is None:
        raise InputError(f"No half of {anatomy.name} is free of tumor.", "Choose another case.")
    twice = round(2 * anatomy.midline)
    lateral = (np.arange(anatomy.classes.shape[2]) - anatomy.midline) * side
    keep = np.clip(0.5 + lateral / 4, 0, 1).astype(np.float32)
    images = {}
    for sequence, image in anatomy.images.items():
        blended = keep * image + (1 - keep) * _mirror(image, twice)
        images[sequence] = np.round(blended).astype(np.int16)
    classes = np.where(lateral > 0, anatomy.classes, _mirror(anatomy.classes, twice))
    return replace(
        anatomy,
        name=f"{anatomy.name} mirrored",
        images=images,
        classes=classes.astype(np.uint8),
        depth=at_nodes(_depth(classes != A.AIR)),
        allowed=None,
    )


def carvemix(rng: np.random.Generator, target: Anatomy, donor: Anatomy) -> Anatomy:
    """Carve a region about the donor's lesion and put it with its labels into the target.

    CarveMix (Zhang et al., MICCAI 2021): the region is where the signed distance to the
    lesion stays below a random threshold, so that it is a little larger or smaller than
    the lesion. Both scans lie in one atlas space; the donor may be mirrored.

    Raises:
        InputError: when the donor has no lesion.
    """
    if donor.allowed is None or not (donor.allowed != BACKGROUND).any():
        raise InputError(f"{donor.name} has no lesion to carve.", "Choose another donor.")
    mirrored = rng.random() < 0.5
    lesion = donor.allowed != BACKGROUND
    distance = _depth(lesion) * -1
    deepest = -float(distance.min())
    # Half of the draws cut inside the lesion, half leave a margin around it.
    limit = rng.uniform(-0.5 * deepest, 0) if rng.random() < 0.5 else rng.uniform(0, 0.5 * deepest)
    region = np.clip(0.5 + (np.float32(limit) - distance) / 2, 0, 1)
    move = _onto(target, donor, mirrored)
    region = move(region.astype(np.float32), 1)
    region *= target.classes != A.AIR
    whole = region > 0.5
    images = {
        s: (image + region * (move(donor.images[s].astype(np.float32), 1) - image)).astype(np.int16)
        for s, image in target.images.items()
    }
    base = target.allowed
    if base is None:
        base = np.full(target.classes.shape, BACKGROUND, np.uint8)
    allowed = np.where(whole, np.maximum(move(donor.allowed, 0), 1), base).astype(np.uint8)
    classes = np.where(whole, np.maximum(move(donor.classes, 0), 1), target.classes)
    return replace(
        target,
        name=f"{donor.name} carved into {target.name}",
        images=images,
        classes=classes.astype(np.uint8),
        allowed=allowed,
    )


def _onto(target: Anatomy, donor: Anatomy, mirrored: bool) -> Callable[[Array, int], Array]:
    """A function that brings the donor's arrays onto the target by their brains' boxes."""
    matrix, offset = [], []
    for (low, high), (first, last) in zip(target.brain, donor.brain, strict=True):
        ratio = (last - first) / (high - low)
        matrix.append(ratio)
        offset.append(first - ratio * low)
    if mirrored:
        offset[2] = 2 * donor.midline - offset[2]
        matrix[2] = -matrix[2]

    def move(array: Array, order: int) -> Array:
        return ndimage.affine_transform(
            array, np.array(matrix), offset, output_shape=target.classes.shape, order=order
        )

    return move
