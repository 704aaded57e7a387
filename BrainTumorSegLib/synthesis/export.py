"""Samples for people and for training: contact sheets, and cohorts of files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES
from BrainTumorSegLib.io.atomic import atomic_group, check_writable, make_folder
from BrainTumorSegLib.io.tables import write_table
from BrainTumorSegLib.io.volumes import write_image

from .canvas import BACKGROUND
from .fields import Array
from .generator import Sample

_PROTOCOL = "necrosis1_edema2_nonenhancing3_enhancing4"

#: Height and width of a picture on a contact sheet.
_TILE = (200, 172)


@dataclass
class CohortWriter:
    """Writes samples to ``<folder>/brats/<case>/`` and lists them in ``<folder>/cases.tsv``.

    Raises:
        OutputError: when a file exists and ``overwrite`` is not set, or cannot be written.
    """

    folder: Path
    overwrite: bool = False
    _rows: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        make_folder(self.folder)
        check_writable(self.table, self.overwrite)

    @property
    def table(self) -> Path:
        """The table of cases."""
        return self.folder / "cases.tsv"

    def add(self, name: str, fold: int, sample: Sample) -> None:
        """Write one sample: scans, labels, brain mask, and the record as JSON.

        Raises:
            InputError: when its labels merge tissues, which one label map cannot state.
        """
        # A mask that cut tumor off allows background there, which is no merging.
        merged = sample.allowed & ~np.uint8(BACKGROUND)
        if np.any(merged & (merged - 1)):
            raise InputError(
                f"The labels of {name} merge tissues.",
                "Carved samples cannot be written as files.",
            )
        place = self.folder / "brats" / name
        make_folder(place)
        arrays = {s.value: a * sample.brain for s, a in sample.scans.items()}
        arrays |= {"seg": sample.labels, "brain": sample.brain.astype(np.uint8)}
        paths = {key: place / f"{name}_{key}.nii.gz" for key in arrays}
        record = place / f"{name}.json"
        with atomic_group([*paths.values(), record], self.overwrite) as temporary:
            for key, array in arrays.items():
                write_image(sample.image(array), temporary[paths[key]])
            text = json.dumps(dict(sample.record), indent=2, sort_keys=True)
            temporary[record].write_text(text, encoding="utf-8")
        self._rows.append((name, str(sample.record["kind"]), str(fold), _PROTOCOL))

    def finish(self) -> Path:
        """Write the table and return its path."""
        columns = ("case", "looks_like", "fold", "label_protocol")
        write_table(self.table, columns, self._rows, "\t", self.overwrite)
        return self.table


def contact_sheet(samples: Iterable[Sample], columns: int = 3) -> Image.Image:
    """T1, T1CE, FLAIR and T1CE with labels of the most telling slice of each sample.

    Args:
        columns: samples side by side.
    """
    strips = [_strip(sample) for sample in samples]
    width, height = strips[0].width + 6, strips[0].height + 6
    rows = -(-len(strips) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), (60, 60, 60))
    for number, strip in enumerate(strips):
        sheet.paste(strip, (number % columns * width, number // columns * height))
    return sheet


def telling_slice(sample: Sample) -> int:
    """The slice with most tumor core, else most tumor, else the middle of the brain."""
    areas = (sample.labels == 1) | (sample.labels >= 3)
    if not areas.any():
        areas = sample.labels > 0
    if not areas.any():
        used = np.nonzero(sample.brain.any(axis=(1, 2)))[0]
        return int(used[int(len(used) * 0.58)])
    return int(areas.sum(axis=(1, 2)).argmax())


def _strip(sample: Sample) -> Image.Image:
    index = telling_slice(sample)
    parts = {sequence: _gray(sample, sequence, index) for sequence in Sequence}
    overlay = parts[Sequence.T1CE].astype(np.float32)
    for tissue in TUMOR_TISSUES:
        where = sample.labels[index] == int(tissue)
        overlay[where] = 0.5 * overlay[where] + 0.5 * np.array(STYLES[tissue].color)
    strip = Image.new("RGB", (4 * _TILE[1], _TILE[0] + 14))
    for number, part in enumerate((*parts.values(), overlay.astype(np.uint8))):
        strip.paste(_fitted(part), (number * _TILE[1], 14))
    ImageDraw.Draw(strip).text((3, 1), _caption(sample), fill=(255, 255, 120))
    return strip


def _gray(sample: Sample, sequence: Sequence, index: int) -> Array:
    scan = sample.scans.get(sequence)
    if scan is None:
        return np.full((*sample.labels.shape[1:], 3), 40, np.uint8)
    high = float(np.percentile(scan[sample.brain], 99.7))
    values = np.clip(scan[index] / max(high, 1e-6), 0, 1)
    return np.repeat((values * 255).astype(np.uint8)[..., None], 3, axis=2)


def _fitted(array: Array) -> Image.Image:
    image = Image.fromarray(array)
    scale = min(_TILE[1] / image.width, _TILE[0] / image.height)
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    tile = Image.new("RGB", (_TILE[1], _TILE[0]))
    corner = ((_TILE[1] - size[0]) // 2, (_TILE[0] - size[1]) // 2)
    tile.paste(image.resize(size, Image.Resampling.BILINEAR), corner)
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
