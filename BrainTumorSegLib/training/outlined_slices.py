"""Single contrast-enhanced slices with an outline of the lesion, as published sets have them.

A folder holds ``slices.tsv`` with the columns ``slice``, ``tumour_type`` and ``fold``, perhaps also
``run`` (of neighboring slices of one scan) and ``plane``, and for each
row ``fold<k>/<slice>.webp`` (or ``.png``), the T1CE slice of a whole head at about 1 mm, and
``fold<k>/<slice>_mask.png``. What an outline says differs with the type of tumour, see `OUTLINES`.

The slices of one type and fold are one volume whose slices are no neighbours.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Region, Tissue
from BrainTumorSegLib.preprocessing.model_grid import NetworkInput, normalize

from .losses import BACKGROUND, tissue_bits
from .volumes import LabeledVolume, cached, digest, file_stamps

TABLE = "slices.tsv"

_COLUMNS = ("tumour_type", "fold", "slice", "run", "plane")

#: A pixel of a head is brighter than this part of the slice's brightest ones; air is not.
_AIR = 0.08

#: Gaps of the skin's outline up to twice this are closed, in pixels.
_CLOSING = 5

_CORE = tissue_bits(*Region.TC.value)
_EDEMA = tissue_bits(Tissue.EDEMA)


@dataclass(frozen=True)
class Outline:
    """What an outline says of the pixels in and around it.

    Attributes:
        inside: tissue bits.
        edema_mm: outside, but no further from it than this, there may be edema, which nobody
            outlined; beyond is background.
    """

    inside: int
    edema_mm: int


#: By type of tumour. What was outlined is the core, of gliomas sometimes with edema.
OUTLINES: Mapping[str, Outline] = {
    "meningioma": Outline(_CORE, 30),
    "pituitary": Outline(_CORE, 0),
    "glioma": Outline(_CORE | _EDEMA, 40),
}


@dataclass(frozen=True)
class OutlinedSlice:
    """A row of the table.

    Attributes:
        name: of the slice.
        kind: a key of `OUTLINES`.
        fold: number of the fold that keeps it out of training.
        run: shared by neighboring slices of one scan; the slice's own name where none is told.
        plane: ``axial``, ``coronal`` or ``sagittal``; empty where none is told.
        image, outline: its files.
    """

    name: str
    kind: str
    fold: int
    run: str
    plane: str
    image: Path
    outline: Path


@dataclass(frozen=True)
class SliceSet:
    """The slices of one type of tumour and one fold.

    Attributes:
        kind: a key of `OUTLINES`.
        fold: number of the fold that keeps them out of training.
        slices: file of each slice and of its outline.
    """

    kind: str
    fold: int
    slices: tuple[tuple[Path, Path], ...]

    @property
    def name(self) -> str:
        """For progress and messages."""
        return f"{self.kind}-fold{self.fold}"


def read_slice_sets(folder: Path) -> tuple[SliceSet, ...]:
    """The slices of a folder by type and fold; raises as `read_slices`."""
    found: dict[tuple[str, int], list[tuple[Path, Path]]] = {}
    for one in read_slices(folder):
        found.setdefault((one.kind, one.fold), []).append((one.image, one.outline))
    return tuple(SliceSet(*key, tuple(files)) for key, files in sorted(found.items()))


def read_slices(folder: Path) -> list[OutlinedSlice]:
    """The rows of a folder's table.

    Raises:
        TrainingError: when the table cannot be read, names an unknown type or no fold, or a file
            is missing.
    """
    table = folder / TABLE
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(
            f"{table} cannot be read: {error}.",
            "It needs the columns slice, tumour_type and fold, separated by tabs.",
        ) from error
    found = []
    for number, row in enumerate(rows, start=2):
        kind, fold, name, run, plane = (row.get(column) or "" for column in _COLUMNS)
        if kind not in OUTLINES or not fold.isdecimal() or not name:
            raise TrainingError(
                f"{table}, line {number}: slice {name!r}, tumour_type {kind!r}, fold {fold!r}.",
                f"Known types: {', '.join(OUTLINES)}; folds are numbers from 0.",
            )
        stem = folder / f"fold{fold}" / name
        image = next((p for p in map(stem.with_suffix, (".webp", ".png")) if p.is_file()), None)
        outline = stem.with_name(f"{name}_mask.png")
        if image is None or not outline.is_file():
            missing = f"{stem}.webp" if image is None else outline
            raise TrainingError(f"{missing} is missing, which {table} lists.", "Get the set again.")
        found.append(OutlinedSlice(name, kind, int(fold), run or name, plane, image, outline))
    if not found:
        raise TrainingError(f"{table} lists no slice.")
    return found


def load_slice_set(slices: SliceSet, cache: Path | None, shown: NetworkInput) -> LabeledVolume:
    """The prepared volume of a set, mapped from the cache folder where it lies there already."""
    if cache is None:
        return prepare_slice_set(slices, shown)
    files = file_stamps([path for pair in slices.slices for path in pair])
    key = digest("slices", slices.name, files, astuple(shown))
    path = cache / f"slices-{slices.name}-{key}.safetensors"
    return cached(path, lambda: prepare_slice_set(slices, shown))


def prepare_slice_set(slices: SliceSet, shown: NetworkInput) -> LabeledVolume:
    """Read the slices of a set; smaller ones are padded to the size of the largest.

    Intensities are relative to the head, as there is no brain mask of a single slice.

    Raises:
        TrainingError: when a picture cannot be read, is empty, or its outline is of another size.
    """
    read = [read_slice(*files) for files in slices.slices]
    height, width = np.max([image.shape for image, _, _ in read], axis=0)
    scans = np.zeros((len(Sequence), len(read), height, width), np.float16)
    allowed = np.full(scans.shape[1:], BACKGROUND, np.uint8)
    channel = list(Sequence).index(Sequence.T1CE)
    for number, (image, outline, head) in enumerate(read):
        rows, columns = slice(0, image.shape[0]), slice(0, image.shape[1])
        scans[channel, number, rows, columns] = normalize(image, head, shown)
        allowed[number, rows, columns] = outline_bits(outline, head, OUTLINES[slices.kind])
    return LabeledVolume(slices.name, scans, allowed)


def read_slice(path: Path, outline_path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A slice, the mask inside its outline and that of its head, all ``[row, column]``.

    Raises:
        TrainingError: when a picture cannot be read, is empty, or its outline is of another size.
    """
    image, outline = _read(path), _read(outline_path) > 0
    if image.shape != outline.shape:
        raise TrainingError(
            f"{path} and its outline differ in size: {image.shape} and {outline.shape}."
        )
    head = head_of_slice(image)
    if not head.any():
        raise TrainingError(f"{path} shows nothing.", "Leave it out of the table.")
    return image, outline, head


def outline_bits(outline: np.ndarray, head: np.ndarray, meaning: Outline) -> np.ndarray:
    """Tissue bits ``[row, column]`` of a slice at 1 mm; there is no edema in the air."""
    bits = np.full(outline.shape, BACKGROUND, np.uint8)
    if meaning.edema_mm and outline.any():
        near = ndimage.distance_transform_edt(~outline) <= meaning.edema_mm
        bits[near & head] = BACKGROUND | _EDEMA
    bits[outline] = meaning.inside
    return bits


def head_of_slice(image: np.ndarray) -> np.ndarray:
    """Everything within the skin of a slice ``[row, column]``: the largest piece, holes filled."""
    smooth = ndimage.gaussian_filter(image.astype(np.float32), 1.5)
    signal = np.pad(smooth > _AIR * np.percentile(image, 99.5), _CLOSING + 1)
    closed = ndimage.binary_closing(signal, iterations=_CLOSING)
    pieces, count = ndimage.label(
        closed[_CLOSING + 1 : -_CLOSING - 1, _CLOSING + 1 : -_CLOSING - 1]
    )
    if count > 1:
        pieces = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
    return ndimage.binary_fill_holes(pieces > 0)


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L")).astype(np.float32)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be read: {error}.", "Get the picture again.") from error


def without_fold(sets: SequenceOf[SliceSet], fold: int) -> list[SliceSet]:
    """What a member without this fold may see."""
    return [slices for slices in sets if slices.fold != fold]
