"""Pictures of a comparison: what grew (red) and shrank (blue), how the scans lie, and volumes.

Arrays are ``[slice, row, column]`` in LPS order; pictures follow the radiological convention.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import replace
from typing import Any

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.reporting.figures import (
    Plane,
    Scene,
    best_slice,
    make_scene,
    picture,
    write,
)

from .compare import GREW, MAPPED, SHRANK, STAYED, PairMaps

#: RGB of each value of a map of change.
COLORS: Mapping[int, tuple[int, int, int]] = {
    GREW: (225, 35, 35),
    SHRANK: (40, 110, 240),
    STAYED: (150, 150, 150),
}

#: Opacity of what grew or shrank, and of what stayed.
_OPACITY, _FAINT = 0.6, 0.25

#: Side in mm of the squares that show one visit and the other by turns.
_SQUARE_MM = 25.0

#: Between two slices that are shown, mm.
_APART_MM = 10.0

_GAP, _BACKGROUND = 8, (12, 12, 14)


def change_scene(pair: PairMaps, key: str) -> Scene:
    """The later scan on the grid of its labels, with a map of change in place of labels."""
    return _scene(pair, pair.maps[key], pair.after.scan.image, sitk.Transform())


def change_picture(scene: Scene, plane: Plane, index: int, pixels_per_mm: float) -> Image.Image:
    """One slice of the later scan with what grew in red and what shrank in blue."""
    (sequence,) = scene.scans
    drawn = picture(scene, sequence, plane, index, "none", pixels_per_mm)
    changed = np.take(scene.labels, index, axis=plane)
    if plane is not Plane.AXIAL:
        changed = changed[::-1]
    enlarged = np.asarray(
        Image.fromarray(np.ascontiguousarray(changed)).resize(drawn.size, Image.NEAREST)
    )
    colors = np.asarray(drawn).astype(np.float32)
    for value, color in COLORS.items():
        here = enlarged == value
        share = _FAINT if value == STAYED else _OPACITY
        colors[here] = (1 - share) * colors[here] + share * np.asarray(color, np.float32)
    return Image.fromarray(colors.astype(np.uint8))


def draw_changes(pair: PairMaps, titles: Mapping[str, str], words: SequenceOf[str]) -> Image.Image:
    """A sheet for a slide: of each map the slices with most of it, and a legend.

    Args:
        pair: two visits.
        titles: of the regions, by key of `compare.MAPPED`.
        words: for grew, shrank and stayed.
    """
    rows = []
    for key in MAPPED:
        scene = change_scene(pair, key)
        if not scene.labels.any():
            continue
        pictures = [change_picture(scene, Plane.AXIAL, n, 1.6) for n in busiest_slices(scene, 4)]
        for plane in (Plane.CORONAL, Plane.SAGITTAL):
            place = best_slice(changed_or_all(scene.labels), plane)
            pictures.append(change_picture(scene, plane, place, 1.6))
        rows.append((titles[key], pictures))
    # The font has no dash.
    dates = f"{pair.before.day} / {pair.after.day}"
    return _sheet([dates, *words], rows)


def draw_registration(pair: PairMaps) -> Image.Image:
    """Both scans by turns in squares, in three planes: edges go on where they lie well."""
    later = change_scene(pair, "WT")
    earlier = _scene(pair, pair.maps["WT"], pair.before.scan.image, pair.transform)
    pictures = []
    for plane in Plane:
        place = best_slice(later.labels, plane)
        one, other = (
            np.asarray(picture(scene, next(iter(scene.scans)), plane, place, "none", 2.0))
            for scene in (later, earlier)
        )
        side = round(2.0 * _SQUARE_MM)
        rows, columns = np.indices(one.shape[:2]) // side
        by_turns = np.where(((rows + columns) % 2 == 0)[..., None], one, other)
        pictures.append(Image.fromarray(by_turns))
    return _sheet([f"{pair.before.day} / {pair.after.day}"], [("", pictures)])


def busiest_slices(scene: Scene, count: int) -> list[int]:
    """Up to so many axial slices with most change, each `_APART_MM` from the others.

    Slices spread evenly would pass over a small new lesion between them.
    """
    left = changed_or_all(scene.labels).sum(axis=(1, 2)).astype(float)
    apart = max(1, round(_APART_MM / scene.spacing[0]))
    found: list[int] = []
    while len(found) < count and left.any():
        best = int(left.argmax())
        found.append(best)
        left[max(0, best - apart) : best + apart + 1] = 0
    return sorted(found)


def changed_or_all(values: np.ndarray) -> np.ndarray:
    """What grew or shrank; everything where nothing did, so that the tumor is shown."""
    changed = np.isin(values, (GREW, SHRANK))
    return (changed if changed.any() else values > 0).astype(np.uint8)


def _scene(
    pair: PairMaps, labels: sitk.Image, image: sitk.Image, transform: sitk.Transform
) -> Scene:
    # What lies beyond the field of a scan is dark.
    shown = sitk.Resample(
        sitk.Cast(image, sitk.sitkFloat32), labels, transform, sitk.sitkLinear, 0.0
    )
    brain = labels > 0
    if pair.brain is not None:
        brain = sitk.Resample(pair.brain, labels, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    brain = sitk.Cast(brain, sitk.sitkUInt8)
    scan = replace(pair.after.scan, image=shown)
    case = Case("visit", {Sequence.T1CE: scan}, Sequence.T1CE)
    return make_scene(case, Segmentation(labels=labels, brain=brain, disagreement=labels))


def _sheet(
    head: SequenceOf[str], rows: SequenceOf[tuple[str, SequenceOf[Image.Image]]], width: int = 1500
) -> Image.Image:
    """Rows of pictures, each as wide as the sheet, with a line of text and a legend above."""
    bands = []
    for title, pictures in rows:
        room = width - _GAP * (len(pictures) + 1)
        height = min(420, int(room / sum(one.width / one.height for one in pictures)))
        bands.append((title, height, pictures))
    text = 34
    total = text + sum(height + _GAP + (text if title else 0) for title, height, _ in bands) + _GAP
    sheet = Image.new("RGB", (width, max(total, 2 * text)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    dates, *words = head
    write(draw, (_GAP, 8), dates, 18)
    left = 320
    for value, word in zip(COLORS, words, strict=False):
        draw.rectangle((left, 10, left + 18, 26), fill=COLORS[value])
        write(draw, (left + 26, 8), word, 17)
        left += 60 + 10 * len(word)
    write(draw, (width - _GAP, 10), "Research use only. Not a medical device.", 15, "ra")
    top = text
    for title, height, pictures in bands:
        if title:
            write(draw, (_GAP, top + 8), title, 17)
            top += text
        place = float(_GAP)
        for one in pictures:
            size = (max(1, round(one.width * height / one.height)), height)
            sheet.paste(one.resize(size, Image.LANCZOS), (round(place), top))
            place += size[0] + _GAP
        top += height + _GAP
    return sheet


def plot(
    days: SequenceOf[int], volumes: Mapping[str, SequenceOf[float]], errors: SequenceOf[float]
) -> dict[str, Any]:
    """Places of a plot of volumes over days, for an SVG of 640 by 280.

    Args:
        days: of each visit since the first.
        volumes: mL at each visit, by key.
        errors: half the height of an error bar of the first key at each visit, mL.

    Returns:
        ``lines`` by key, each a list of ``(x, y)``; ``bars`` as ``(x, upper y, lower y)``;
        ``ticks`` of the axis of volumes as ``(y, mL)``; and ``marks`` of the visits as
        ``(x, days)``.
    """
    left, right, top, bottom = 60.0, 620.0, 15.0, 240.0
    highest = max([*(v for line in volumes.values() for v in line), 1e-3])
    step = 10 ** np.floor(np.log10(highest / 2))
    step *= next(n for n in (1, 2, 5, 10) if highest / (step * n) <= 5)
    limit = step * np.ceil(highest * 1.05 / step)
    last = max(days[-1], 1)
    # Visits of one day stand side by side.
    equal = len(set(days)) < len(days)
    places = range(len(days)) if equal else days
    span = (len(days) - 1) if equal else last
    x = [round(left + (right - left) * place / span, 1) for place in places]

    def y(value: float) -> float:
        return round(float(bottom - (bottom - top) * min(max(value, 0), limit) / limit), 1)

    first = next(iter(volumes.values()))
    return {
        "lines": {key: list(zip(x, map(y, line), strict=True)) for key, line in volumes.items()},
        "bars": [
            (place, y(value + error), y(value - error))
            for place, value, error in zip(x, first, errors, strict=True)
        ],
        "ticks": [(y(n * step), round(float(n * step), 4)) for n in range(int(limit / step) + 1)],
        "marks": list(zip(x, days, strict=True)),
        "frame": (left, right, top, bottom),
    }
