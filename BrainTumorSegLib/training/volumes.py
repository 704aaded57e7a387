"""Labelled cases and synthetic samples as the networks see them, kept on disk between runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from scipy import ndimage

from BrainTumorSegLib.core.case import Case, check_one_place, missing_sequences
from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled, TrainingError
from BrainTumorSegLib.core.masks import mask_volume_ml
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.labelmaps import allowed_tissues
from BrainTumorSegLib.io.reference_labels import read_reference_labels
from BrainTumorSegLib.preprocessing.brain import BrainMask, extract_brain
from BrainTumorSegLib.preprocessing.brain.field_of_view import field_of_view
from BrainTumorSegLib.preprocessing.doubts import doubts_about_scans
from BrainTumorSegLib.preprocessing.model_grid import (
    ModelGrid,
    NetworkInput,
    model_grid,
    normalize,
    to_grid,
)
from BrainTumorSegLib.preprocessing.registration import align
from BrainTumorSegLib.synthesis.config import SynthesisConfig
from BrainTumorSegLib.synthesis.generator import GENERATOR_VERSION, Sample, synthesize
from BrainTumorSegLib.synthesis.sources import Sources

from .cohort import LabeledCase
from .label_placement import check_placement
from .losses import BACKGROUND, tissue_bits

#: Raise when the preparation or its checks change, so that old files are not used.
CACHE_VERSION = 3

#: A larger share of a scan than this cannot be brain: a skull and noise in the air are there.
MOST_BRAIN = 0.9

#: Gaps in the enhancing rim up to twice this are closed before looking for what it encloses.
RIM_CLOSING_MM = 2.0

#: Less enhancing tumour than this is a vessel or noise rather than a rim.
MIN_ENHANCING_MM3 = 50.0


@dataclass(frozen=True)
class LabeledVolume:
    """One case on its model grid.

    Attributes:
        scans: float16 ``[3, slice, row, column]``, normalised, in the order of `Sequence`;
            a sequence that is missing is zero, the mean of a normalised brain.
        allowed: uint8 ``[slice, row, column]``; bit ``t`` is set when the voxel may
            be tissue ``t`` (see `io.labelmaps.allowed_tissues`).
        warnings: what whoever trains on it must know of its scans.
        stripped: whether nothing is shown outside the brain.
    """

    name: str
    scans: np.ndarray
    allowed: np.ndarray
    warnings: tuple[str, ...] = ()
    stripped: bool = False


def load_volume(
    case: LabeledCase,
    cache: Path | None,
    progress: Progress | None = None,
    shown: NetworkInput | None = None,
) -> LabeledVolume:
    """Prepared volume of a case, mapped from the cache folder where it lies there already."""
    shown = shown or NetworkInput()
    if cache is None:
        return prepare_volume(case, progress, shown)
    # Two files may be T1 and T1CE as well as T1CE and FLAIR.
    sequences = [sequence.value for sequence in case.scans]
    files = file_stamps((*case.scans.values(), case.labels))
    key = digest(case.protocol.name, sequences, astuple(case.preparation), files, astuple(shown))
    path = cache / f"{case.stem}-{key}.safetensors"
    return cached(path, lambda: prepare_volume(case, progress, shown))


def synthetic_volume(
    config: SynthesisConfig,
    sources: Sources,
    seed: int,
    number: int,
    stored: Path | None = None,
    shown: NetworkInput | None = None,
) -> LabeledVolume:
    """One prepared sample, mapped from the cache where it lies there already.

    Args:
        seed: of the whole set.
        number: of the sample; samples do not depend on each other, so that several
            processes may make a set together.
        stored: from `stored_samples`, of the same set; None makes the sample anew.
    """

    def make() -> LabeledVolume:
        sample = synthesize(config, sources, [seed, number])
        name = f"synthetic-{sample.record['kind']}-{seed}-{number}"
        return prepare_sample(sample, name, shown)

    if stored is None:
        return make()
    return cached(stored.with_name(f"{stored.name}-{number:06d}.safetensors"), make)


def stored_samples(
    cache: Path,
    config: SynthesisConfig,
    sources: Sources,
    seed: int,
    shown: NetworkInput | None = None,
) -> Path:
    """Where the samples of a set lie in a cache folder, but for their numbers.

    It looks at every file that the set is made of: ask once a set, not once a sample.
    """
    files = [*sources.heads, *sources.shapes]
    for case in sources.cases:
        files += [*(path for _, path in case.scans), case.labels]
    names = [case.name for case in sources.cases]
    told = astuple(shown or NetworkInput())
    key = digest(GENERATOR_VERSION, config.as_dict(), names, file_stamps(files), seed, told)
    return cache / f"synthetic-{key}"


def store_volume(path: Path, volume: LabeledVolume) -> None:
    """Write a prepared volume as ``.safetensors``; the file appears whole or not at all.

    Several runs may share a cache: where two make the same file at once, the later one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"scans": volume.scans, "allowed": volume.allowed}
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()
    }
    with atomic_path(path, overwrite=True) as temporary:
        told = json.dumps(volume.warnings)
        stripped = "yes" if volume.stripped else "no"
        save_file(tensors, temporary, {"name": volume.name, "warnings": told, "stripped": stripped})


def map_volume(path: Path) -> LabeledVolume:
    """A volume that `store_volume` wrote, its arrays mapped and read-only.

    A set of synthetic samples is larger than the memory of most computers; of a mapped file
    only the slices that are drawn are read, and several processes share them. The maps of
    torch hold no file open: those of numpy would reach the number of open files that systems
    allow, often 1024 and on macOS 256.
    """
    with safe_open(path, "pt") as file:
        scans, allowed = (file.get_tensor(name).numpy() for name in ("scans", "allowed"))
        told = file.metadata()
    scans.flags.writeable = allowed.flags.writeable = False
    warnings = tuple(json.loads(told["warnings"]))
    return LabeledVolume(told["name"], scans, allowed, warnings, told["stripped"] == "yes")


def prepare_volume(
    case: LabeledCase, progress: Progress | None = None, shown: NetworkInput | None = None
) -> LabeledVolume:
    """Read a case and bring it to its model grid, as `segment` does with a new case.

    Raises:
        TrainingError: when the scans are not registered or stripped of the skull though they
            should be, or no labelled voxel lies where the brain is though there are some.
        BrainTumorSegError: when a file cannot be read, or registration or finding the
            brain fails.
    """
    try:
        loaded = load_case(case.scans, identity=case.name)
        transforms, brain = _register_and_strip(case, loaded, progress)
        images = {sequence: scan.image for sequence, scan in loaded.scans.items()}
        outside = 0.0 if transforms is None else np.nan
        scans, grid, doubts = scans_on_grid(
            images, loaded.reference_scan.image, brain, shown, transforms, outside, loaded
        )
    except (TrainingError, Cancelled):
        raise
    except BrainTumorSegError as error:
        raise type(error)(f"Case {case.name}: {error.message}", error.remedy) from error
    reference_labels = read_reference_labels(case.labels, progress.warn if progress else None)
    check_placement(case, reference_labels, images, brain.image)
    labels = to_grid(reference_labels, grid, interpolator=sitk.sitkNearestNeighbor)
    allowed = allowed_tissues(labels, case.protocol, str(case.labels))
    expected = missing_sequences(loaded.scans)
    warnings = tuple(text for text in loaded.warnings if text not in expected)
    separated = separate_core(allowed, grid.spacing[::-1])
    return LabeledVolume(case.name, scans, separated, (*warnings, *doubts), brain.stripped)


def prepare_sample(sample: Sample, name: str, shown: NetworkInput | None = None) -> LabeledVolume:
    """Bring a synthetic sample to its model grid, as `prepare_volume` does with a real case."""
    images = {s: sample.image(array) for s, array in sample.scans.items()}
    brain = sample.image(sample.brain.astype(np.uint8))
    mask = BrainMask(brain, "given", not sample.record["skull"], mask_volume_ml(brain))
    scans, grid, _ = scans_on_grid(images, images[Sequence.T1CE], mask, shown)
    allowed = to_grid(
        sample.image(sample.allowed),
        grid,
        interpolator=sitk.sitkNearestNeighbor,
        outside=BACKGROUND,
    )
    allowed = separate_core(allowed.astype(np.uint8), grid.spacing[::-1])
    return LabeledVolume(name, scans, allowed, stripped=mask.stripped)


def separate_core(allowed: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Weak labels: tell necrosis from non-enhancing tumour where the situation is clear.

    Almost all public labels merge both into one "core". Left alone, nothing tells a
    network which of the two an ambiguous voxel is. Two situations hardly leave a
    doubt, by the definitions of the BraTS labels themselves (Menze et al. 2015,
    section III-C): core enclosed by an enhancing rim is necrosis, and the core of a
    tumour that does not enhance at all is non-enhancing tumour. Those voxels get a
    single label; everything else stays a set. Weak labels are for training only:
    no score is ever computed on them.

    Args:
        allowed: uint8 ``[slice, row, column]`` of tissue bits.
        spacing: mm a voxel, ``(slice, row, column)``.

    Returns:
        A copy in which some ``necrosis | non-enhancing`` voxels allow only one.
    """
    result = allowed.copy()
    ambiguous = allowed == tissue_bits(Tissue.NECROSIS, Tissue.NON_ENHANCING)
    if not ambiguous.any():
        return result
    rim = allowed == tissue_bits(Tissue.ENHANCING)
    if rim.sum() * float(np.prod(spacing)) < MIN_ENHANCING_MM3:
        result[ambiguous] = tissue_bits(Tissue.NON_ENHANCING)
        return result
    enclosed = np.zeros_like(rim)
    radius = max(1, round(RIM_CLOSING_MM / spacing[1]))
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = rows**2 + columns**2 <= radius**2
    for index in np.flatnonzero(rim.any(axis=(1, 2))):
        closed = ndimage.binary_closing(np.pad(rim[index], radius), disk)
        enclosed[index] = ndimage.binary_fill_holes(closed)[radius:-radius, radius:-radius]
    result[ambiguous & enclosed] = tissue_bits(Tissue.NECROSIS)
    return result


def stripped_brain(images: Mapping[Sequence, sitk.Image]) -> sitk.Image:
    """Where any of the registered, skull-stripped scans has signal, holes filled."""
    mask = None
    for image in images.values():
        signal = sitk.Cast(image != 0, sitk.sitkUInt8)
        mask = signal if mask is None else sitk.Or(mask, signal)
    return sitk.BinaryFillhole(mask)


def _register_and_strip(
    case: LabeledCase, loaded: Case, progress: Progress | None
) -> tuple[Mapping[Sequence, sitk.Transform] | None, BrainMask]:
    """Transforms, None for scans that are in register, and the brain on the grid of T1CE."""
    if not case.preparation.nothing_to_do:
        alignment = align(loaded, engine=case.preparation.registration, progress=progress)
        transforms, method = alignment.transforms, case.preparation.brain
        return transforms, extract_brain(loaded, transforms, method=method, progress=progress)
    check_one_place(loaded.scans, Sequence.T1CE)
    reference = loaded.reference_scan.image
    for sequence, scan in loaded.scans.items():
        if not scan.image.IsSameImageGeometryAs(reference):
            raise TrainingError(
                f"The {sequence.name} scan of case {case.name} does not lie on the voxels of T1CE.",
                "Set registration = 'auto' in the table [data] of the recipe.",
            )
    brain = stripped_brain({sequence: scan.image for sequence, scan in loaded.scans.items()})
    filled = float(sitk.GetArrayViewFromImage(brain).mean())
    if filled > MOST_BRAIN:
        raise TrainingError(
            f"The scans of case {case.name} have signal in {100 * filled:.0f} % of their volume: "
            "the skull was not removed.",
            "Set brain = 'auto' in the table [data] of the recipe.",
        )
    return None, BrainMask(brain, "stripped", True, mask_volume_ml(brain))


def scans_on_grid(
    images: Mapping[Sequence, sitk.Image],
    reference: sitk.Image,
    brain: BrainMask,
    shown: NetworkInput | None = None,
    transforms: Mapping[Sequence, sitk.Transform] | None = None,
    outside: float = 0.0,
    case: Case | None = None,
) -> tuple[np.ndarray, ModelGrid, list[str]]:
    """Scans as networks see them, ``[3, slice, row, column]``, float16, and their grid.

    Args:
        images: by sequence; the other sequences are zero.
        reference: the grid's axes and slices are near to it.
        brain: on the grid of the reference.
        shown: how networks see a scan.
        transforms: points of the reference to those of each image; None where they lie alike.
        outside: value beyond an image, see `to_grid`.
        case: that they belong to.

    Returns:
        Scans, grid, and what is doubtful about the scans of the case.
    """
    shown = shown or NetworkInput()
    field = field_of_view(brain, shown.field_of_view)
    grid = model_grid(reference, field)
    inside, seen = (
        to_grid(mask, grid, interpolator=sitk.sitkNearestNeighbor) > 0
        for mask in (brain.image, field)
    )
    raw = {
        sequence: to_grid(image, grid, transforms and transforms[sequence], outside=outside)
        for sequence, image in images.items()
    }
    scans = np.zeros((len(Sequence), *grid.shape), np.float16)
    for number, sequence in enumerate(Sequence):
        if sequence in raw:
            scans[number] = normalize(raw[sequence], inside, shown, seen | inside)
    doubts = [] if case is None else doubts_about_scans(case, raw, inside, grid.spacing[0])
    return scans, grid, doubts


def cached(path: Path, make: Callable[[], LabeledVolume]) -> LabeledVolume:
    """A volume mapped from a file, which is made where there is none."""
    if not path.is_file():
        store_volume(path, make())
    return map_volume(path)


def file_stamps(paths: Iterable[Path]) -> list[tuple[str, int, int]]:
    """What changes with any of some files: their names, sizes and times of the last change."""
    found = ((path.name, path.stat()) for path in paths)
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]


def digest(*parts: Any) -> str:
    """What tells files of the cache apart: 16 hexadecimal digits of plain JSON types."""
    text = json.dumps([CACHE_VERSION, *parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
