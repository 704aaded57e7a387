"""Pictures of a result: slices in radiological convention with the labels over them.

The patient's right is on the left of axial and coronal pictures, anterior is on the
left of sagittal ones. Arrays are ``[slice, row, column]`` in LPS order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Region, Tissue
from BrainTumorSegLib.measurement.diameters import Line

#: What is left around the brain in mm, so that the skull can be seen.
MARGIN_MM = 10.0

#: Opacity of filled labels.
FILL = 0.42


class Plane(IntEnum):
    """A plane of view; the value is the array axis that it cuts."""

    AXIAL = 0
    CORONAL = 1
    SAGITTAL = 2


#: Letters at the left, right, upper and lower edge of a picture.
_EDGES: Mapping[Plane, tuple[str, str, str, str]] = {
    Plane.AXIAL: ("R", "L", "A", "P"),
    Plane.CORONAL: ("R", "L", "S", "I"),
    Plane.SAGITTAL: ("A", "P", "S", "I"),
}


@dataclass(frozen=True)
class Scene:
    """Scans and labels on one grid, cut to the head around the brain.

    Attributes:
        scans: brightness 0..255 by sequence, ``[slice, row, column]``.
        labels: values of `Tissue`, same shape.
        geometry: image with the grid (LPS order, mm) and no content worth reading.
        unregistered: sequences shown where their headers place them.
    """

    scans: Mapping[Sequence, np.ndarray]
    labels: np.ndarray
    geometry: sitk.Image
    unregistered: tuple[Sequence, ...] = ()

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Mm along slices, rows, columns."""
        x, y, z = self.geometry.GetSpacing()
        return z, y, x

    def place(self, point: tuple[float, float, float]) -> tuple[float, float, float]:
        """The continuous index (column, row, slice) of a point (LPS, mm)."""
        return self.geometry.TransformPhysicalPointToContinuousIndex(point)

    def position_mm(self, plane: Plane, index: int) -> float:
        """Where the middle of a slice lies along the patient's S, P or L axis, mm."""
        place = [(n - 1) / 2 for n in self.geometry.GetSize()]
        axis = 2 - plane
        place[axis] = float(index)
        return self.geometry.TransformContinuousIndexToPhysicalPoint(place)[axis]


def make_scene(case: Case, result: Segmentation) -> Scene:
    """Bring the scans of a case onto the reference's grid for showing.

    The registration is taken from the result's record; the grid is the reference's
    own, its axes put into LPS order, so that labels are shown as they are.
    """
    labels = sitk.DICOMOrient(result.labels, "LPS")
    brain = sitk.DICOMOrient(result.brain, "LPS")
    start, size = _frame(brain)
    labels = sitk.RegionOfInterest(labels, size, start)
    inside = sitk.GetArrayFromImage(sitk.RegionOfInterest(brain, size, start)) > 0
    transforms = _transforms(result.record)
    scans, unregistered = {}, []
    for sequence in Sequence:
        if sequence not in case.scans:
            continue
        transform = transforms.get(sequence.value, sitk.Transform(3, sitk.sitkIdentity))
        if sequence is not case.reference and sequence.value not in transforms:
            unregistered.append(sequence)
        image = sitk.Resample(
            sitk.Cast(case.scans[sequence].image, sitk.sitkFloat32),
            labels,
            transform,
            sitk.sitkLinear,
            0.0,
        )
        scans[sequence] = _brightness(sitk.GetArrayFromImage(image), inside)
    return Scene(scans, sitk.GetArrayFromImage(labels), labels, tuple(unregistered))


def _transforms(record: Mapping[str, Any]) -> dict[str, sitk.Transform]:
    """Transforms from the reference to each moving scan, by sequence value."""
    transforms: dict[str, sitk.Transform] = {}
    for entry in record.get("registration", ()):
        if entry.get("matrix") is not None:
            matrix = np.asarray(entry["matrix"], float)
            affine = sitk.AffineTransform(3)
            affine.SetMatrix(matrix[:3, :3].ravel().tolist())
            affine.SetTranslation(matrix[:3, 3].tolist())
            transforms[entry["sequence"]] = affine
    return transforms


def _frame(brain: sitk.Image) -> tuple[list[int], list[int]]:
    """Start and size (columns, rows, slices) of the brain's box with its margin."""
    mask = sitk.GetArrayViewFromImage(brain)
    start, size = [], []
    for axis, (count, step) in enumerate(zip(brain.GetSize(), brain.GetSpacing(), strict=True)):
        others = tuple(a for a in range(3) if a != 2 - axis)
        used = np.flatnonzero(mask.any(axis=others))
        low, high = (used[0], used[-1]) if used.size else (0, count - 1)
        # Along slices the brain itself is enough.
        margin = 0 if axis == 2 else round(MARGIN_MM / step)
        start.append(max(0, int(low) - margin))
        size.append(min(count, int(high) + margin + 1) - start[-1])
    return start, size


def _brightness(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Scale to 0..255 so that the brain's own range of values is well seen."""
    sample = values[inside] if inside.any() else values.ravel()
    low, high = np.percentile(sample, [0.5, 99.7])
    low = min(float(low), 0.25 * float(high))
    scaled = (values - low) * (255.0 / max(float(high) - low, 1e-6))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def weights_along(labels: np.ndarray, plane: Plane) -> np.ndarray:
    """How much there is to see in each slice: tumour area, the core counting fourfold."""
    others = tuple(a for a in range(3) if a != plane)
    core = np.isin(labels, [int(t) for t in Region.TC.value])
    return (labels > 0).sum(axis=others) + 3 * core.sum(axis=others)


def best_slice(labels: np.ndarray, plane: Plane) -> int:
    """The slice that shows most tumour; the middle one when there is none."""
    weights = weights_along(labels, plane)
    return int(weights.argmax()) if weights.any() else labels.shape[plane] // 2


def spread_slices(labels: np.ndarray, plane: Plane, count: int) -> list[int]:
    """Up to ``count`` different slices, evenly through the tumour, or through the brain."""
    used = np.flatnonzero(weights_along(labels, plane))
    if used.size == 0:
        length = labels.shape[plane]
        used = np.arange(length)[length // 8 : length - length // 8]
    places = np.linspace(used[0], used[-1], count + 2)[1:-1] if used.size > count else used
    return sorted({round(float(p)) for p in places})


def picture(
    scene: Scene,
    sequence: Sequence,
    plane: Plane,
    index: int,
    overlay: str = "none",
    pixels_per_mm: float = 2.0,
    lines: Iterable[Line] = (),
) -> Image.Image:
    """Draw one slice with its true proportions.

    Args:
        sequence: which scan; its brightness was set in `make_scene`.
        index: along the axis that ``plane`` cuts.
        overlay: ``none``, ``outline``, or ``fill`` (with a fine outline).
        pixels_per_mm: magnification.
        lines: in an axial slice, drawn over it.
    """
    gray = np.take(scene.scans[sequence], index, axis=plane)
    labels = np.take(scene.labels, index, axis=plane)
    steps = [s for axis, s in enumerate(scene.spacing) if axis != plane]
    if plane is not Plane.AXIAL:
        gray, labels = gray[::-1], labels[::-1]
    height, width = (
        max(1, round(n * step * pixels_per_mm)) for n, step in zip(gray.shape, steps, strict=True)
    )
    image = Image.fromarray(np.ascontiguousarray(gray)).resize((width, height), Image.BICUBIC)
    colors = np.repeat(np.asarray(image)[..., None], 3, axis=2).astype(np.float32)
    if overlay != "none" and labels.any():
        enlarged = Image.fromarray(np.ascontiguousarray(labels)).resize(
            (width, height), Image.NEAREST
        )
        _paint(colors, np.asarray(enlarged), filled=overlay == "fill")
    drawn = Image.fromarray(np.clip(colors, 0, 255).astype(np.uint8))
    _draw_lines(drawn, scene, lines, pixels_per_mm)
    _mark_edges(drawn, plane)
    return drawn


def _draw_lines(
    image: Image.Image, scene: Scene, lines: Iterable[Line], pixels_per_mm: float
) -> None:
    """Draw lines on an axial picture, light with a dark rim and a tick at either end."""
    draw = ImageDraw.Draw(image)
    for line in lines:
        ends = np.array([scene.place(point)[:2] for point in (line.start, line.end)])
        ends = (ends + 0.5) * scene.geometry.GetSpacing()[:2] * pixels_per_mm
        along = (ends[1] - ends[0]) / max(float(np.hypot(*(ends[1] - ends[0]))), 1e-6)
        tick = np.array([-along[1], along[0]]) * 4
        for color, width in (((0, 0, 0), 4), ((255, 255, 255), 2)):
            draw.line([tuple(end) for end in ends], color, width)
            for end in ends:
                draw.line([tuple(end - tick), tuple(end + tick)], color, width)


def diameter_slices(
    scene: Scene, record: Mapping[str, Any]
) -> list[tuple[int, Mapping[str, Any], tuple[Line, Line]]]:
    """The axial slices in which the target lesions were measured; else that of the largest one.

    Returns:
        For each such lesion the index of the slice, its entry in the record, and its lines.
    """
    lesions = (record.get("diameters") or {}).get("lesions") or []
    found = []
    for lesion in [one for one in lesions if one["target"]] or lesions[:1]:
        lines = [Line(*(tuple(point) for point in lesion[key])) for key in ("long", "short")]
        index = round(scene.place(lines[0].start)[2])
        if 0 <= index < len(scene.labels):
            found.append((index, lesion, (lines[0], lines[1])))
    return found


def _paint(colors: np.ndarray, labels: np.ndarray, filled: bool) -> None:
    """Draw the inner edge of each tissue in place; tint what it encloses, or widen the edge."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        ahead = np.roll(labels, -1, axis=axis)
        behind = np.roll(labels, 1, axis=axis)
        edge |= (labels != ahead) | (labels != behind)
    if not filled:
        edge = ndimage.binary_dilation(edge)
    for tissue in TUMOR_TISSUES:
        here = labels == int(tissue)
        color = np.asarray(STYLES[tissue].color, np.float32)
        if filled:
            colors[here] = (1 - FILL) * colors[here] + FILL * color
        colors[here & edge] = 0.15 * colors[here & edge] + 0.85 * color


def _mark_edges(image: Image.Image, plane: Plane) -> None:
    """Write R, L, A ... at the four edges."""
    draw = ImageDraw.Draw(image)
    size = max(12, min(24, min(image.size) // 15))
    left, right, top, bottom = _EDGES[plane]
    middle, center = image.height / 2, image.width / 2
    for letter, place, anchor in (
        (left, (3, middle), "lm"),
        (right, (image.width - 3, middle), "rm"),
        (top, (center, 2), "mt"),
        (bottom, (center, image.height - 2), "mb"),
    ):
        write(draw, place, letter, size, anchor)


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    anchor: str = "la",
    color: tuple[int, int, int] = (235, 235, 235),
) -> None:
    """Write light text with a dark rim, legible on any picture."""
    draw.text(place, text, color, font(size), anchor=anchor, stroke_width=1, stroke_fill=(0, 0, 0))


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font: nothing need be installed."""
    return ImageFont.load_default(size)


def caption(
    scene: Scene,
    sequence: Sequence,
    plane: Plane,
    index: int,
    _: Callable[[str], str] = str,
) -> str:
    """What a picture shows, for example ``T1CE, axial, 31.5 mm superior``; ``_`` translates."""
    title, *names = {
        Plane.AXIAL: (_("axial"), _("superior"), _("inferior")),
        Plane.CORONAL: (_("coronal"), _("posterior"), _("anterior")),
        Plane.SAGITTAL: (_("sagittal"), _("left"), _("right")),
    }[plane]
    place = scene.position_mm(plane, index)
    side = names[0] if place >= 0 else names[1]
    shown = sequence.name
    if sequence in scene.unregistered:
        shown = f"{shown}, {_('not registered')}"
    return f"{shown}, {title}, {abs(place):.1f} {_('mm')} {side}"


def present(labels: np.ndarray) -> list[Tissue]:
    """The tumour tissues that occur."""
    found = np.unique(labels)
    return [tissue for tissue in TUMOR_TISSUES if int(tissue) in found]
