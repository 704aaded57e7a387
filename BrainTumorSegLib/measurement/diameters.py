"""The two diameters of every enhancing lesion, as RANO measures them.

The rules, and where they come from:

* *Two perpendicular diameters of the contrast-enhancing lesion in an axial slice, and their
  product*: RANO 2.0 (Wen PY, van den Bent M, Youssef G, et al. J Clin Oncol 2023;41:5187-5199),
  which keeps the bidimensional measure of Macdonald (J Clin Oncol 1990;8:1277-1280) and of RANO
  (Wen PY, Macdonald DR, Reardon DA, et al. J Clin Oncol 2010;28:1963-1972).
* *Measurable*: both diameters 10 mm or more, seen in two axial slices or more; with slices
  further apart than 5 mm both must be twice the distance of the slices (RANO 2010, taken over
  by RANO 2.0).
* *Cysts and resection cavities are not measured* (RANO 2010 and 2.0): what an enhancing rim
  encloses counts only where it is labeled necrosis, or non-enhancing tumor without a gap.
* *Target lesions*: up to three, the largest measurable ones; RANO 2.0 has three where all are
  enhancing, two enhancing and two others where both kinds are followed. Here only enhancing
  lesions are measured. Their products are summed.

Not said by RANO, and decided here: a line lies wholly inside of the lesion, as in AutoRANO (Chang
K, Beers AL, Bai HX, et al. Neuro Oncol 2019;21:1412-1422); the longer one is the longest of all
axial slices; the other is the longest at a right angle that crosses it in the same slice, as the
calipers of reading stations do; necrosis is enclosed in a slice where at least half of its
border is enhancing tumor, since rims have gaps. Nothing here is a response category: who decides
about that is a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import ConvexHull

from BrainTumorSegLib.core.masks import bounding_box
from BrainTumorSegLib.core.tissue import Tissue

from .lesions import find_lesions
from .outline import find_outline

#: As records name the rules.
CRITERIA = "RANO 2.0"

#: What a lesion must measure both ways, and how many slices must show it.
LEAST_MM, LEAST_SLICES = 10.0, 2

#: How many lesions are followed, at most.
MOST_TARGETS = 3

#: Lesions whose box in the slice is smaller are counted but not measured.
MEASURED_MM = 5.0

#: Lesions that are measured, at most; the largest by volume.
MOST_MEASURED = 20

#: Of the border of necrosis in a slice, the part that is enhancing tumor where it is enclosed.
ENCLOSED = 0.5

#: Share of a voxel that must lie inside along a line, which may graze the border.
_INSIDE = 0.4

#: Pairs of places that are looked at together.
_CHUNK = 1 << 14

#: Neighbors within a slice, corners included, in an array ``[slice, row, column]``.
_IN_SLICE = np.zeros((3, 3, 3), bool)
_IN_SLICE[1] = True

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Line:
    """A straight line between two points (LPS, mm)."""

    start: Point
    end: Point

    @property
    def length_mm(self) -> float:
        """Its length."""
        return math.dist(self.start, self.end)


@dataclass(frozen=True)
class MeasuredLesion:
    """The diameters of one lesion.

    Attributes:
        long: the longest line inside of the lesion in an axial slice.
        short: the longest line at a right angle to it that crosses it in that slice.
        volume_ml: of enhancing tumor and what it encloses.
        slices: how many axial slices show it.
        measurable: whether it is, by RANO.
        target: whether it is among the largest measurable ones.
    """

    long: Line
    short: Line
    volume_ml: float
    slices: int
    measurable: bool
    target: bool

    @property
    def product_mm2(self) -> float:
        """The product of both diameters."""
        return self.long.length_mm * self.short.length_mm


@dataclass(frozen=True)
class Diameters:
    """What was measured of a label map.

    Attributes:
        lesions: from the largest product to the smallest.
        lesions_total: how many enhancing lesions there are, with those too small to measure.
        least_mm: what both diameters of a measurable lesion reach.
        tilt_deg: between the slices measured in and the patient's axial plane.
    """

    lesions: tuple[MeasuredLesion, ...]
    lesions_total: int
    least_mm: float
    tilt_deg: float

    @property
    def sum_of_products_mm2(self) -> float:
        """Over the target lesions."""
        return sum(lesion.product_mm2 for lesion in self.lesions if lesion.target)


def measure_diameters(labels: sitk.Image) -> Diameters:
    """Measure the enhancing lesions of a label map.

    Slices are those across the grid's axis nearest to superior-inferior; a grid that is tilted
    is measured in its own slices.

    Args:
        labels: 3D, values of `Tissue`, any orientation of the grid.
    """
    upright = sitk.DICOMOrient(labels, "LPS")
    spacing = upright.GetSpacing()[::-1]
    direction = upright.GetDirection()
    tilt = math.degrees(math.acos(min(1.0, abs(direction[8]))))
    least = max(LEAST_MM, 2.0 * max(spacing))
    values = sitk.GetArrayViewFromImage(upright)
    enhancing = values == Tissue.ENHANCING
    box = bounding_box(enhancing | _is_core(values)) if enhancing.any() else None
    if box is None:
        return Diameters((), 0, least, tilt)
    mask = lesion_mask(values[box], spacing)
    numbers, found = find_lesions(
        np.where(mask, np.uint8(Tissue.ENHANCING), np.uint8(0)), spacing, {Tissue.ENHANCING}
    )
    start = np.array([side.start for side in box])
    measured = []
    for lesion in found[:MOST_MEASURED]:
        part = numbers[lesion.box] == lesion.number
        lines = _longest_lines(part, spacing)
        if lines is None:
            continue
        corner = start + [side.start for side in lesion.box]
        long, short = (_line(upright, line + corner) for line in lines)
        slices = int(part.any(axis=(1, 2)).sum())
        enough = min(long.length_mm, short.length_mm) >= least and slices >= LEAST_SLICES
        measured.append(
            MeasuredLesion(long, short, lesion.volume_mm3 / 1000, slices, enough, target=False)
        )
    measured.sort(key=lambda lesion: -lesion.product_mm2)
    return Diameters(tuple(_with_targets(measured)), len(found), least, tilt)


def _with_targets(lesions: list[MeasuredLesion]) -> Iterator[MeasuredLesion]:
    left = MOST_TARGETS
    for lesion in lesions:
        target = lesion.measurable and left > 0
        left -= target
        yield replace(lesion, target=target)


def lesion_mask(labels: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Enhancing tumor and what it encloses, slice by slice.

    Args:
        labels: values of `Tissue`, ``[slice, row, column]``, slices axial.
        spacing: mm between slices, rows, columns.
    """
    enhancing = labels == Tissue.ENHANCING
    parts, count = ndimage.label(labels == Tissue.NECROSIS, _IN_SLICE)
    border, rim = np.zeros(count + 1), np.zeros(count + 1)
    for axis, length in ((1, spacing[2]), (2, spacing[1])):
        for step in (1, -1):
            beside = _shifted(labels, axis, step)
            ends = (parts > 0) & (beside != Tissue.NECROSIS)
            border += length * np.bincount(parts[ends], minlength=count + 1)
            touches = ends & (beside == Tissue.ENHANCING)
            rim += length * np.bincount(parts[touches], minlength=count + 1)
    enclosed = (rim >= ENCLOSED * border) & (rim > 0)
    mask: np.ndarray = enhancing | enclosed[parts]
    cross = ndimage.generate_binary_structure(3, 1)
    cross[0] = cross[2] = False
    holes, count = ndimage.label(ndimage.binary_fill_holes(mask, cross) & ~mask, cross)
    mixed = np.bincount(holes[~_is_core(labels)], minlength=count + 1) > 0
    return mask | (~mixed & (np.arange(count + 1) > 0))[holes]


def _is_core(labels: np.ndarray) -> np.ndarray:
    return (labels == Tissue.NECROSIS) | (labels == Tissue.NON_ENHANCING)


def _shifted(labels: np.ndarray, axis: int, step: int) -> np.ndarray:
    """The neighbors along an axis; background beyond the edge."""
    beside = np.roll(labels, -step, axis=axis)
    edge: list[Any] = [slice(None)] * labels.ndim
    edge[axis] = -1 if step > 0 else 0
    beside[tuple(edge)] = Tissue.BACKGROUND
    return beside


def _line(image: sitk.Image, ends: np.ndarray) -> Line:
    """A line given by continuous indices ``[end, (slice, row, column)]``."""
    first, second = (image.TransformContinuousIndexToPhysicalPoint(end[::-1]) for end in ends)
    return Line(tuple(first), tuple(second))


def _longest_lines(part: np.ndarray, spacing: Sequence[float]) -> tuple[np.ndarray, ...] | None:
    """Both diameters of a lesion, as indices ``[end, (slice, row, column)]``; None if too small.

    Args:
        part: boolean ``[slice, row, column]``, cut to the lesion.
        spacing: mm between slices, rows, columns.
    """
    step = np.array(spacing[1:])
    if np.hypot(*(step * part.shape[1:])) < MEASURED_MM:
        return None
    # No line is longer than the hull: slices that cannot hold the longest are passed over.
    reach = {z: _reach(part[z], step) for z in np.flatnonzero(part.any(axis=(1, 2)))}
    best, found = 0.0, None
    for z in sorted(reach, key=lambda z: (-reach[z], z)):
        if reach[z] <= best:
            break
        outline = find_outline(part[z])
        line = _longest_inside(part[z], outline.points, step, best)
        if line is not None:
            best, found = float(np.hypot(*((line[1] - line[0]) * step))), (z, outline, line)
    if found is None:
        return None
    z, outline, line = found
    across = _longest_across(outline.edges * step, line * step) / step
    return tuple(np.insert(ends, 0, z, axis=1) for ends in (line, across))


def _reach(mask: np.ndarray, step: np.ndarray) -> float:
    """The greatest distance of two places of a mask ``[row, column]``, voxels counted whole."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([rows + n, c], 1) for n in (0, 1) for c in (first, last)])
    points = ends * step
    points = points[ConvexHull(points).vertices]
    return float(np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1).max()))


def _longest_inside(
    mask: np.ndarray, points: np.ndarray, step: np.ndarray, longer_than: float
) -> np.ndarray | None:
    """The longest line between two of the points that does not leave the mask."""
    first, second = np.triu_indices(len(points), 1)
    lengths = np.sqrt((((points[first] - points[second]) * step) ** 2).sum(-1))
    kept = np.flatnonzero(lengths > longer_than)
    kept = kept[np.argsort(-lengths[kept], kind="stable")]
    field = np.pad(mask.astype(np.float32), 1)
    for begin in range(0, len(kept), _CHUNK):
        pairs = kept[begin : begin + _CHUNK]
        starts, ends = points[first[pairs]], points[second[pairs]]
        # Few places tell most lines that leave.
        likely = np.flatnonzero(_stays_inside(field, starts, ends, 12))
        for some in np.array_split(likely, max(1, len(likely) // 256)):
            voxels = np.abs(ends[some] - starts[some]).max(initial=1.0)
            good = _stays_inside(field, starts[some], ends[some], 3 * int(voxels) + 2)
            if good.any():
                one = some[good.argmax()]
                return np.stack([starts[one], ends[one]])
    return None


def _stays_inside(
    field: np.ndarray, starts: np.ndarray, ends: np.ndarray, count: int
) -> np.ndarray:
    """Which lines stay inside of a mask padded by one voxel, looked at in ``count`` places."""
    # The outermost voxel of a line holds a corner, of which little is inside.
    lengths = np.maximum(np.abs(ends - starts).max(axis=1), 1e-6)
    margin = np.minimum(1.0 / lengths, 0.5)[:, None]
    shares = margin + (1 - 2 * margin) * np.linspace(0, 1, count)
    places = starts[:, None] + shares[..., None] * (ends - starts)[:, None] + 1
    values = ndimage.map_coordinates(field, places.reshape(-1, 2).T, order=1)
    return (values.reshape(shares.shape) >= _INSIDE).all(axis=1)


def _longest_across(edges: np.ndarray, line: np.ndarray) -> np.ndarray:
    """The longest line at a right angle to another that crosses it inside of an outline.

    Between two corners of the outline the length changes evenly, so that the longest one goes
    through a corner.

    Args:
        edges: ``[piece, end, (row, column)]`` in mm.
        line: ``[end, (row, column)]`` in mm, inside.
    """
    along = line[1] - line[0]
    length = float(np.hypot(*along))
    along = along / length
    across = np.array([-along[1], along[0]])
    far, aside = (edges - line[0]) @ along, (edges - line[0]) @ across
    tiny = 1e-6 * length
    places = np.concatenate([far.ravel() - tiny, far.ravel() + tiny])
    places = np.unique(places[(places > tiny) & (places < length - tiny)].round(9))
    above, below = np.zeros(len(places)), np.zeros(len(places))
    for begin in range(0, len(places), 256):
        some = places[begin : begin + 256, None]
        crossed = (far[:, 0] < some) != (far[:, 1] < some)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (some - far[:, 0]) / (far[:, 1] - far[:, 0])
            height = aside[:, 0] + share * (aside[:, 1] - aside[:, 0])
        upper = np.where(crossed & (height >= 0), height, np.inf).min(axis=1)
        lower = np.where(crossed & (height <= 0), height, -np.inf).max(axis=1)
        above[begin : begin + 256] = np.where(np.isfinite(upper), upper, 0)
        below[begin : begin + 256] = np.where(np.isfinite(lower), lower, 0)
    if not len(places):
        return np.stack([line.mean(axis=0)] * 2)
    one = int((above - below).argmax())
    origin = line[0] + places[one] * along
    return np.stack([origin + below[one] * across, origin + above[one] * across])


def diameters_record(measured: Diameters) -> dict[str, Any]:
    """What was measured, as it stands in a record: lengths in mm, places LPS in mm."""
    return {
        "criteria": CRITERIA,
        "drawn_by": "automatic",
        "tilt_deg": round(measured.tilt_deg, 1),
        "least_mm": round(measured.least_mm, 2),
        "lesions_total": measured.lesions_total,
        "sum_of_products_mm2": round(measured.sum_of_products_mm2, 1),
        "lesions": [
            {
                "long_mm": round(lesion.long.length_mm, 2),
                "short_mm": round(lesion.short.length_mm, 2),
                "product_mm2": round(lesion.product_mm2, 1),
                "volume_ml": round(lesion.volume_ml, 3),
                "slices": lesion.slices,
                "measurable": lesion.measurable,
                "target": lesion.target,
                "long": _ends(lesion.long),
                "short": _ends(lesion.short),
            }
            for lesion in measured.lesions
        ],
    }


def _ends(line: Line) -> list[list[float]]:
    return [[round(float(n), 3) for n in point] for point in (line.start, line.end)]


def read_again(record: Mapping[str, Any], lines: Sequence[tuple[Line, Line]]) -> dict[str, Any]:
    """A record of diameters after a reader has drawn the lines of its lesions anew.

    Args:
        record: from `diameters_record`.
        lines: the longer and the shorter one of each of its lesions, in their order.
    """
    lesions = [
        MeasuredLesion(
            *sorted(pair, key=lambda line: -line.length_mm),
            volume_ml=entry["volume_ml"],
            slices=entry["slices"],
            measurable=entry["slices"] >= LEAST_SLICES
            and min(line.length_mm for line in pair) >= record["least_mm"],
            target=False,
        )
        for entry, pair in zip(record["lesions"], lines, strict=True)
    ]
    lesions.sort(key=lambda lesion: -lesion.product_mm2)
    found = Diameters(
        tuple(_with_targets(lesions)),
        record["lesions_total"],
        record["least_mm"],
        record["tilt_deg"],
    )
    return {**diameters_record(found), "drawn_by": "reader"}
