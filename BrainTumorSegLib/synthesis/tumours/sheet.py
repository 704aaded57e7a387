"""Contact sheets: many samples at a glance, with their truth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, TUMOUR_TISSUES
from BrainTumorSegLib.synthesis.grid import Array
from BrainTumorSegLib.synthesis.tumours.generate import Sample

_TILE = (200, 172)


def contact_sheet(samples: Iterable[Sample], columns: int = 3) -> Image.Image:
    """A picture with T1, T1CE, FLAIR and T1CE with truth of the telling slice of each sample.

    Args:
        samples: what to show.
        columns: samples side by side.
    """
    tiles = [_strip(sample) for sample in samples]
    width, height = tiles[0].size
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (width + 6), rows * (height + 6)), (60, 60, 60))
    for number, tile in enumerate(tiles):
        place = (number % columns * (width + 6), number // columns * (height + 6))
        sheet.paste(tile, place)
    return sheet


def _strip(sample: Sample) -> Image.Image:
    index = telling_slice(sample)
    parts = []
    for sequence in Sequence:
        scan = sample.scans.get(sequence)
        parts.append(_grey(scan, sample.brain, index) if scan is not None else _empty(sample))
    parts.append(_overlay(parts[list(Sequence).index(Sequence.T1CE)], sample.labels[index]))
    strip = Image.new("RGB", (4 * _TILE[1], _TILE[0] + 14))
    for number, part in enumerate(parts):
        strip.paste(_fitted(part), (number * _TILE[1], 14))
    ImageDraw.Draw(strip).text((3, 1), _caption(sample), fill=(255, 255, 120))
    return strip


def telling_slice(sample: Sample) -> int:
    """The slice with most tumour core, else most tumour, else the middle of the brain."""
    areas = (sample.labels == 1) | (sample.labels >= 3)
    if not areas.any():
        areas = sample.labels > 0
    if not areas.any():
        used = np.nonzero(sample.brain.any(axis=(1, 2)))[0]
        return int(used[int(len(used) * 0.58)])
    return int(areas.sum(axis=(1, 2)).argmax())


def _grey(scan: Array, brain: Array, index: int) -> Array:
    high = float(np.percentile(scan[brain], 99.7))
    values = np.clip(scan[index] / max(high, 1e-6), 0, 1)
    return np.repeat((values * 255).astype(np.uint8)[..., None], 3, axis=2)


def _empty(sample: Sample) -> Array:
    return np.full((*sample.labels.shape[1:], 3), 40, np.uint8)


def _overlay(grey: Array, labels: Array) -> Array:
    result = grey.astype(np.float32)
    for tissue in TUMOUR_TISSUES:
        where = labels == int(tissue)
        result[where] = 0.5 * result[where] + 0.5 * np.array(STYLES[tissue].color)
    return result.astype(np.uint8)


def _fitted(array: Array) -> Image.Image:
    image = Image.fromarray(array)
    scale = min(_TILE[1] / image.width, _TILE[0] / image.height)
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    tile = Image.new("RGB", (_TILE[1], _TILE[0]))
    tile.paste(
        image.resize(size, Image.Resampling.BILINEAR),
        ((_TILE[1] - size[0]) // 2, (_TILE[0] - size[1]) // 2),
    )
    return tile


def _caption(sample: Sample) -> str:
    record = sample.record
    lesion = record["lesion"]
    words = [
        record["kind"],
        lesion.get("form", ""),
        lesion.get("site", lesion.get("side", "")),
        f"r {lesion['radius_mm']}" if "radius_mm" in lesion else "",
        record["contrast"],
        f"{sample.spacing[0]:.1f} mm",
        f"seed {record['seed']}",
    ]
    return "  ".join(w for w in words if w)
