"""DICOM Segmentation objects out, for archives and viewers, and back in (highdicom)."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import DependencyError, InputError
from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.core.notices import dicom_comment
from BrainTumorSegLib.core.tissue import ANATOMY, CATEGORY, STYLES, TUMOR_TISSUES, Code, Tissue
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.io.atomic import atomic_path, check_writable

from .files import pydicom_module, read_dataset
from .headers import frames_of
from .lattice import aligned, geometry, shown
from .series import Series, build_series
from .stack import Grid

#: Attributes that a segmentation must copy and that may not be empty (type 1).
_NEEDED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
)

#: Attributes that a segmentation must have but that may be empty (type 2).
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)


@dataclass(frozen=True)
class SegSettings:
    """What is told of the labels in a DICOM Segmentation.

    Attributes:
        pack: name of the model pack, recorded as a parameter of the algorithm.
        corrected: whether a person edited the result (SEMIAUTOMATIC).
        series_description: at most 64 characters.
        warnings: of the run, which become Image Comments.
        kind: one of `options.SEG_TYPES`.
    """

    pack: str | None = None
    corrected: bool = False
    series_description: str = "Brain tumour segmentation (BrainTumorSeg)"
    warnings: Sequence[str] = ()
    kind: str = "binary"


@dataclass(frozen=True)
class MadeSegmentation:
    """A DICOM Segmentation in memory.

    Attributes:
        dataset: the object.
        sources: headers of the images that it refers to.
        series_number: of the series that they form; empty where it has none.
    """

    dataset: Any
    sources: tuple[Any, ...]
    series_number: str


def make_dicom_seg(
    labels: sitk.Image, reference_files: Sequence[Path], settings: SegSettings
) -> MadeSegmentation:
    """Make a DICOM Segmentation that refers to the reference series, in memory.

    The segments are numbered like `Tissue` and all four are always there. Frames
    without any voxel are left out, unless a tissue is absent altogether: some
    viewers cannot open a segment without frames, so then every frame is written.

    Args:
        labels: unsigned 8-bit image, values of `Tissue`, on the reference's grid
            (its axes may be ordered or directed differently).
        reference_files: the DICOM files of the reference series.
        settings: what is told of the labels.

    Raises:
        InputError: when the reference lacks what a segmentation needs, or the labels
            lie on another grid or hold unknown values.
        DependencyError: without highdicom.
    """
    highdicom_module()
    datasets, missing = _read(reference_files)
    series = () if missing else _series(datasets)
    missing = missing or _volume_problems(series, datasets)
    if missing:
        raise InputError(
            f"No DICOM segmentation can be written for these files: {'; '.join(missing)}.",
            "Write a .seg.nrrd or a label map instead, or export the series again.",
        )
    grid = series[0].grid
    assert grid is not None  # `_volume_problems` would have said so
    made = _segmentation(series[0], datasets, _values_on(labels, grid), settings)
    if settings.warnings:
        made.dataset.ImageComments = dicom_comment(list(settings.warnings))
    return made


def write_dicom_seg(
    labels: sitk.Image,
    reference_files: Sequence[Path],
    path: Path,
    overwrite: bool = False,
    **settings: Any,
) -> None:
    """Write labels as a DICOM Segmentation that refers to the reference series.

    Args:
        labels, reference_files: see `make_dicom_seg`.
        path: where the object shall appear.
        overwrite: whether an existing file may be replaced.
        settings: those of `SegSettings`.

    Raises:
        InputError: as `make_dicom_seg`.
        OutputError: when the file cannot be written.
        DependencyError: without highdicom.
    """
    path = Path(path)
    check_writable(path, overwrite)
    made = make_dicom_seg(labels, reference_files, SegSettings(**settings))
    save_dicom(made.dataset, path, overwrite)


def save_dicom(dataset: Any, path: Path, overwrite: bool = False) -> None:
    """Write a DICOM object that was made in memory.

    Raises:
        OutputError: when the file cannot be written.
    """
    with atomic_path(Path(path), overwrite) as temporary:
        dataset.save_as(temporary)


def _segmentation(
    reference: Series,
    datasets: Mapping[Path, Any],
    values: np.ndarray,
    settings: SegSettings,
) -> MadeSegmentation:
    """The object in memory, of labels ``[slice, row, column]`` on the grid of the reference.

    Raises:
        InputError: when highdicom cannot make one of what stands in the headers.
    """
    highdicom, grid = highdicom_module(), reference.grid
    assert grid is not None  # `_volume_problems` would have said so
    number = reference.attributes.get("SeriesNumber", "")
    binary = settings.kind == "binary"
    absent = any(not (values == tissue).any() for tissue in TUMOR_TISSUES)
    try:
        sources = [_completed(datasets[file], grid) for file in reference.files]
        segmentation = highdicom.seg.Segmentation(
            source_images=sources,
            pixel_array=_volume(highdicom, values, grid, sources[0]),
            segmentation_type=highdicom.seg.SegmentationTypeValues[settings.kind.upper()],
            segment_descriptions=_descriptions(highdicom, settings.pack, settings.corrected),
            series_instance_uid=highdicom.UID(),
            series_number=result_series_number(number, 1),
            series_description=settings.series_description[:64],
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="BrainTumorSeg",
            manufacturer_model_name="BrainTumorSeg",
            software_versions=__version__,
            device_serial_number="none",
            content_label="BRAIN_TUMOUR",
            content_description="Necrosis, edema, non-enhancing, enhancing tumour",
            # A map without any label has no frame at all if empty ones are left out.
            omit_empty_frames=not absent if binary else bool(values.any()),
        )
        segmentation.save_as(io.BytesIO())
    except Exception as error:  # what stands in a foreign header meets every line of highdicom
        raise InputError(
            f"No DICOM segmentation can be written for {reference.title}: {error}.",
            "Write a .seg.nrrd or a label map instead.",
        ) from error
    return MadeSegmentation(segmentation, tuple(sources), number)


def result_series_number(reference: str, which: int) -> int:
    """The number of a series made from another; ``which`` of them it is, from 1."""
    usable = reference.isdigit() and int(reference) > 0
    return 100 * int(reference) + which if usable else 9000 + which


def preflight(
    reference_files: Sequence[Path], also: Callable[[MadeSegmentation], Any] | None = None
) -> list[str]:
    """What keeps `write_dicom_seg` from working with these files; empty when nothing does.

    A small segmentation is made in memory, for highdicom needs more than standard and
    list of attributes tell. Every statement names exactly what is missing. Nothing is
    written or raised.

    Args:
        reference_files: the DICOM files of the reference series.
        also: what else is made of the small segmentation and may fail with an `InputError`.
    """
    try:
        highdicom_module()
    except DependencyError as error:
        return [str(error)]
    datasets, missing = _read(reference_files)
    series = () if missing else _series(datasets)
    missing = missing or _volume_problems(series, datasets)
    if missing:
        return missing
    grid = series[0].grid
    assert grid is not None  # `_volume_problems` would have said so
    values = np.zeros(grid.size[::-1], np.uint8)
    # Each tissue in the first slice: a frame each, and all others are omitted.
    values[0].flat[: len(TUMOR_TISSUES)] = TUMOR_TISSUES
    try:
        made = _segmentation(series[0], datasets, values, SegSettings())
        if also is not None:
            also(made)
    except InputError as error:
        return [error.message]
    return []


def _read(files: Sequence[Path]) -> tuple[dict[Path, Any], list[str]]:
    """The headers by file, and what they lack."""
    if not files:
        return {}, ["no DICOM file of the reference series was given"]
    datasets, missing = {}, []
    for file in map(Path, files):
        try:
            dataset = datasets[file] = read_dataset(file)
            frames_of(file, dataset)
        except ValueError as error:
            return {}, [f"{printable(file)} cannot be read as DICOM ({error})"]
        lacking = [keyword for keyword in _NEEDED if not dataset.get(keyword)]
        if lacking:
            missing.append(f"{printable(file.name)} lacks {', '.join(lacking)}")
    if len(missing) > 3:
        missing = [*missing[:3], f"{len(missing) - 3} more files lack attributes"]
    return datasets, missing


def _series(datasets: Mapping[Path, Any]) -> tuple[Series, ...]:
    return build_series(f for file, dataset in datasets.items() for f in frames_of(file, dataset))


def _volume_problems(series: Sequence[Series], datasets: Mapping[Path, Any]) -> list[str]:
    if not series:
        return ["the files hold no image"]
    if len(series) > 1:
        titles = ", ".join(one.title for one in series[:6])
        return [f"the files form {len(series)} volumes ({titles}) instead of one"]
    reference = series[0]
    if reference.problem is not None or reference.grid is None:
        return [f"{reference.title} is no volume: {reference.problem}"]
    if reference.grid.sheared:
        return [f"the slices of {reference.title} are stacked at a slant"]
    frames_of_reference = {f.texts.get("FrameOfReferenceUID") for f in reference.frames}
    if len(frames_of_reference) > 1:
        return [f"{reference.title} has several frames of reference"]
    if len({dataset.SeriesInstanceUID for dataset in datasets.values()}) > 1:
        return [f"each image of {reference.title} has a SeriesInstanceUID of its own"]
    if len(reference.files) > 1 and any(f.index is not None for f in reference.frames):
        return [f"{reference.title} is spread over several multi-frame files"]
    return []


def highdicom_module() -> ModuleType:
    """The package highdicom.

    Raises:
        DependencyError: naming the extra to install.
    """
    pydicom_module()
    try:
        import highdicom
        import highdicom.seg
    except ImportError as error:
        raise DependencyError(
            "DICOM segmentations need the Python package highdicom.",
            "Install it with: pip install 'BrainTumorSeg[dicom]'",
        ) from error
    return highdicom


def _completed(dataset: Any, grid: Grid) -> Any:
    """Fill in, empty, what a source header lacks but may have empty, and empty what is invalid.

    A segmentation's voxels reach from slice to slice, so where the header does not say how
    thick a slice is, the distance of the slices stands for it.
    """
    from pydicom.valuerep import DA, TM

    if not dataset.get("SliceThickness"):
        dataset.SliceThickness = f"{grid.spacing[2]:.8g}"
    for keyword in _MAY_BE_EMPTY:
        if dataset.get(keyword) is None:
            setattr(dataset, keyword, "")
    if dataset.PatientSex not in ("M", "F", "O", ""):
        dataset.PatientSex = ""
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            kind(dataset.get(keyword))
        except ValueError:
            setattr(dataset, keyword, "")
    return dataset


def _volume(highdicom: ModuleType, values: np.ndarray, grid: Grid, source: Any) -> Any:
    """The labels with their place, arranged ``[slice, row, column]`` as highdicom does."""
    axes = np.array(grid.direction).reshape(3, 3) * np.array(grid.spacing)
    affine = np.eye(4)
    affine[:3, :3] = axes[:, ::-1]
    affine[:3, 3] = grid.origin
    return highdicom.Volume(
        array=values,
        affine=affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=source.FrameOfReferenceUID,
    )


def _descriptions(highdicom: ModuleType, pack: str | None, corrected: bool) -> list[Any]:
    from pydicom.sr.codedict import codes

    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="BrainTumorSeg",
        family=codes.DCM.ArtificialIntelligence,
        version=__version__,
        parameters={"pack": pack} if pack else None,
    )
    return [
        highdicom.seg.SegmentDescription(
            segment_number=int(tissue),
            segment_label=STYLES[tissue].title,
            segmented_property_category=_code(CATEGORY),
            segmented_property_type=_code(STYLES[tissue].code),
            algorithm_type="SEMIAUTOMATIC" if corrected else "AUTOMATIC",
            algorithm_identification=algorithm,
            tracking_uid=highdicom.UID(),
            tracking_id=f"brain tumour: {STYLES[tissue].title.lower()}",
            anatomic_regions=[_code(ANATOMY)],
            display_color=highdicom.color.CIELabColor.from_rgb(*STYLES[tissue].color),
        )
        for tissue in TUMOR_TISSUES
    ]


def _code(code: Code) -> Any:
    from pydicom.sr.coding import Code as DicomCode

    return DicomCode(code.value, code.scheme, code.meaning)


def _values_on(labels: sitk.Image, grid: Grid) -> np.ndarray:
    """Labels as ``[slice, row, column]`` of the series.

    Raises:
        InputError: when they are not labels of tissues on this very grid.
    """
    values = sitk.GetArrayViewFromImage(labels)
    if labels.GetDimension() != 3 or not np.issubdtype(values.dtype, np.integer):
        raise InputError("The labels are not a 3D image of whole numbers.", "Give a label map.")
    unknown = sorted(set(np.unique(values).tolist()) - {int(t) for t in Tissue})
    if unknown:
        raise InputError(
            f"The labels hold the values {unknown}, which stand for no tissue.",
            "Labels are 0 to 4 as in BraTS 2013-2015.",
        )
    placed = aligned(labels, grid)
    if placed is not None and placed[0].shape == grid.size[::-1] and not placed[1].any():
        return np.ascontiguousarray(placed[0].astype(np.uint8))
    raise InputError(
        f"The labels ({shown(geometry(labels))}) do not lie on the grid of the reference "
        f"series ({shown(grid)}).",
        "Give the files of the series on whose grid the labels were made.",
    )
