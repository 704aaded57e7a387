"""Real heads around stripped slices, so that networks learn what skulls and faces look like.

Labelled cases usually come without skull. Donors are whole heads in all three sequences, without
labels. On every ray from the middle of a slice the donor's brain ends at one distance and that of
the case at another: what lies beyond the former is put beyond the latter. Inside the case's brain
nothing is changed.

A folder of donors holds ``cases.tsv`` with the column ``case`` and, of each, ``CASE_t1``,
``CASE_t1ce`` and ``CASE_flair`` as ``.nii.gz``, or as ``.webp``: registered slices of 256x256
pixels in rows of eight, whose number the column ``slices`` gives, from the feet upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image
from safetensors.numpy import load_file, save_file
from scipy import ndimage

from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.errors import BrainTumorSegError, TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.preprocessing.brain import extract_brain
from BrainTumorSegLib.preprocessing.model_grid import NetworkInput, to_grid
from BrainTumorSegLib.preprocessing.registration import align

from .case_table import TABLE, read_table
from .volumes import digest, file_stamps, scans_on_grid

#: Side of a donor's slice in pixels of 1 mm, and number of rays.
SIDE, RAYS = 256, 180

#: Slices with less brain than this (mm2) have no edge to speak of.
_LEAST_BRAIN = 2500

#: The ring begins up to this far from the brain (mm), as fluid between them varies.
_GAP_MM = 4.0

#: A donor is taken from so near in height, as a share of the brain's.
_NEAR = 0.1

#: Sheets of slices: pixels of the slices' side, slices in a row, mm a pixel.
_SHEET_SIDE, _SHEET_ROW, _SHEET_MM = 256, 8, 0.94

#: A head's slices span about this much; sheets do not say how thick their slices are.
_SHEET_SPAN_MM = 150.0

_Edge = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Donors:
    """Slices of heads as networks see them.

    Attributes:
        images: float16 ``[n, 3, SIDE, SIDE]``, normalised, in the order of `Sequence`.
        middles: row and column of the middle of the brain, ``[n, 2]``.
        edges: distance of the brain's edge on each ray in pixels, ``[n, RAYS]``.
        places: height in the brain, from 0 at its lowest slice to 1, ``[n]``.
    """

    images: np.ndarray
    middles: np.ndarray
    edges: np.ndarray
    places: np.ndarray

    def around(self, image: np.ndarray, place: float, rng: np.random.Generator) -> np.ndarray:
        """A stripped slice with a head around it.

        Args:
            image: ``[3, row, column]`` at 1 mm, zero outside the brain, at most of `SIDE`.
            place: its height in the brain, 0 to 1.

        Returns:
            float32 ``[3, SIDE, SIDE]`` with the slice in the middle, see `framed`.
        """
        inside = framed(image.astype(np.float32), 0.0)
        brain = ndimage.binary_fill_holes(inside.any(axis=0))
        if brain.sum() < _LEAST_BRAIN:
            return inside
        near = np.flatnonzero(np.abs(self.places - place) <= _NEAR)
        if not near.size:
            near = np.array([np.abs(self.places - place).argmin()])
        donor = int(rng.choice(near))
        mirrored, gap = bool(rng.integers(2)), rng.uniform(0.0, _GAP_MM)
        middle, edge = edge_of(brain)
        y, x = np.mgrid[:SIDE, :SIDE] - middle[:, None, None]
        radius = np.hypot(y, x)
        own = _on_rays(edge, y, x)
        if mirrored:
            x = -x
        wanted = radius - own - gap + _on_rays(self.edges[donor], y, x)
        stretch = np.maximum(wanted, 0) / np.maximum(radius, 1e-3)
        rows, columns = (
            start + offset * stretch
            for start, offset in zip(self.middles[donor], (y, x), strict=True)
        )
        ring = np.stack(
            [
                ndimage.map_coordinates(channel.astype(np.float32), (rows, columns), order=1)
                for channel in self.images[donor]
            ]
        )
        # A sequence that the case lacks is not given to it by the head.
        taken = image.any(axis=(1, 2))[:, None, None]
        return np.where(brain, inside, ring * taken)


def framed(array: np.ndarray, fill: float) -> np.ndarray:
    """The last two axes in the middle of a square of `SIDE`."""
    height, width = array.shape[-2:]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    result = np.full((*array.shape[:-2], SIDE, SIDE), fill, array.dtype)
    result[..., top : top + height, left : left + width] = array
    return result


def edge_of(brain: np.ndarray) -> _Edge:
    """Middle (row, column) of a mask, and the distance of its edge on each ray, in pixels."""
    middle = np.argwhere(brain).mean(axis=0)
    y, x = np.argwhere(brain & ~ndimage.binary_erosion(brain)).T - middle[:, None]
    ray = (_turns(y, x) * RAYS).astype(int) % RAYS
    distance = np.zeros(RAYS)
    np.maximum.at(distance, ray, np.hypot(y, x))
    known = np.flatnonzero(distance)
    distance = np.interp(np.arange(RAYS), known, distance[known], period=RAYS)
    return middle, ndimage.gaussian_filter1d(distance, 2.0, mode="wrap")


def _turns(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.arctan2(y, x) / (2 * np.pi) % 1.0


def _on_rays(edge: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.interp(_turns(y, x) * RAYS, np.arange(RAYS + 1), np.append(edge, edge[0]))


def load_donors(
    folder: Path, cache: Path | None, shown: NetworkInput, progress: Progress | None = None
) -> Donors:
    """Prepare the donors of a folder, or read them from the cache where they lie there already.

    A head that cannot be used is left out with a warning.

    Raises:
        TrainingError: when the table cannot be read or no head can be used.
    """
    progress = progress or Progress()
    rows = read_table(folder / TABLE)
    files = file_stamps(path for row in rows for path in _files(folder, row).values())
    path = cache and cache / f"donors-{digest('donors', files, astuple(shown))}.safetensors"
    if path and path.is_file():
        return Donors(**load_file(path))
    slices: list[tuple[np.ndarray, _Edge, float]] = []
    for row in rows:
        progress.cancel.raise_if_cancelled()
        if len(_files(folder, row)) < len(Sequence):
            continue
        try:
            slices += _slices_of(folder, row, shown, progress)
        except (BrainTumorSegError, OSError, ValueError) as error:
            progress.warn(f"Head {row['case']} is not used: {error}")
    if not slices:
        raise TrainingError(
            f"No head in {folder} can be used.", "Give whole heads in T1, T1CE and FLAIR."
        )
    fields = {
        "images": np.stack([image for image, _, _ in slices]),
        "middles": np.stack([middle for _, (middle, _), _ in slices]),
        "edges": np.stack([edge for _, (_, edge), _ in slices]),
        "places": np.array([place for _, _, place in slices]),
    }
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path, overwrite=True) as temporary:
            save_file(fields, temporary)
    return Donors(**fields)


def _slices_of(
    folder: Path, row: Mapping[str, str], shown: NetworkInput, progress: Progress
) -> Iterator[tuple[np.ndarray, _Edge, float]]:
    """Each slice of a head with enough brain, where its brain ends, and its height."""
    files = _files(folder, row)
    quiet = Progress(cancel=progress.cancel)
    if all(path.suffix == ".webp" for path in files.values()):
        case, engine = _case_of_sheets(row, files), "none"
    else:
        case, engine = load_case(files, identity=row["case"]), "auto"
    transforms = align(case, engine=engine, progress=quiet).transforms
    brain = extract_brain(case, transforms, progress=quiet)
    images = {sequence: scan.image for sequence, scan in case.scans.items()}
    reference = case.reference_scan.image
    scans, grid, _ = scans_on_grid(images, reference, brain, shown, transforms, np.nan)
    if brain.stripped or max(grid.shape[1:]) > SIDE:
        raise TrainingError("it has no skull, or is larger than a head.")
    inside = to_grid(brain.image, grid, interpolator=sitk.sitkNearestNeighbor) > 0
    heights = np.flatnonzero(inside.any(axis=(1, 2)))
    for z in heights:
        brain_here = ndimage.binary_fill_holes(framed(inside[z], False))
        if brain_here.sum() >= _LEAST_BRAIN:
            image = framed(scans[:, z], 0.0)
            place = (z - heights[0]) / max(1, heights[-1] - heights[0])
            yield image, edge_of(brain_here), float(place)


def _files(folder: Path, row: Mapping[str, str]) -> dict[Sequence, Path]:
    """Those that there are, of one kind."""
    for suffix in (".nii.gz", ".webp"):
        paths = {s: folder / f"{row['case']}_{s.value}{suffix}" for s in Sequence}
        found = {s: path for s, path in paths.items() if path.is_file()}
        if found:
            return found
    return {}


def _case_of_sheets(row: Mapping[str, str], files: Mapping[Sequence, Path]) -> Case:
    count = int(row.get("slices") or 0)
    stacks = {s: np.stack(list(_sheet(path, count))) for s, path in files.items()}
    # Slices that are black in a sequence lie outside that scan.
    shown = np.all([stack.max(axis=(1, 2)) > 20 for stack in stacks.values()], axis=0)
    first, last = np.flatnonzero(shown)[[0, -1]]
    scans = {}
    for sequence, stack in stacks.items():
        image = sitk.GetImageFromArray(stack[first : last + 1])
        image.SetSpacing((_SHEET_MM, _SHEET_MM, _SHEET_SPAN_MM / (last + 1 - first)))
        scans[sequence] = Scan(image, files[sequence].name)
    # Not checked as scans are: eight bits of grey would pass for labels.
    return Case(row["case"], scans)


def _sheet(path: Path, count: int) -> Iterable[np.ndarray]:
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("L")).astype(np.float32)
    for number in range(count):
        top, left = (_SHEET_SIDE * n for n in divmod(number, _SHEET_ROW))
        yield pixels[top : top + _SHEET_SIDE, left : left + _SHEET_SIDE]
