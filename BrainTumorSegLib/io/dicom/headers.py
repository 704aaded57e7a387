"""Reading DICOM headers into frames: one 2D image each, with its place in space.

Headers are read with pydicom, because enhanced multi-frame objects keep geometry
and timing in nested sequences that SimpleITK does not hand out; pixels are read
with SimpleITK's GDCM (`dicom_pixels`), which knows the compressed transfer syntaxes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from BrainTumorSegLib.core.errors import DependencyError

#: Attributes of a series that recognition, messages and records use, as text.
SERIES_KEYWORDS = (
    "Modality",
    "SeriesDescription",
    "SeriesNumber",
    "ProtocolName",
    "ImageType",
    "SequenceName",
    "PulseSequenceName",
    "ScanningSequence",
    "SequenceVariant",
    "ScanOptions",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "AngioFlag",
    "NumberOfTemporalPositions",
    "DiffusionBValue",
    "AcquisitionContrast",
    "ComplexImageComponent",
    "ContrastBolusAgent",
    "ContrastBolusVolume",
    "ContrastBolusAgentAdministered",
    "BodyPartExamined",
    "SliceThickness",
    "SpacingBetweenSlices",
    "ImagesInAcquisition",
    "Manufacturer",
    "ManufacturerModelName",
    "MagneticFieldStrength",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "StudyDate",
    "StudyDescription",
)

#: What can tell volumes apart that share a series and a set of positions, in the
#: order in which it is tried.
SPLIT_KEYWORDS = (
    "EchoNumbers",
    "EchoTime",
    "ImageType",
    "InversionTime",
    "DiffusionBValue",
    "TemporalPositionIdentifier",
    "TriggerTime",
    "AcquisitionNumber",
    "AcquisitionTime",
)

#: Keyword, where enhanced multi-frame objects keep it (functional group, keyword).
_GROUPS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "ImagePositionPatient": (("PlanePositionSequence", "ImagePositionPatient"),),
    "ImageOrientationPatient": (("PlaneOrientationSequence", "ImageOrientationPatient"),),
    "PixelSpacing": (("PixelMeasuresSequence", "PixelSpacing"),),
    "SliceThickness": (("PixelMeasuresSequence", "SliceThickness"),),
    "SpacingBetweenSlices": (("PixelMeasuresSequence", "SpacingBetweenSlices"),),
    "RescaleSlope": (("PixelValueTransformationSequence", "RescaleSlope"),),
    "RescaleIntercept": (("PixelValueTransformationSequence", "RescaleIntercept"),),
    "RepetitionTime": (("MRTimingAndRelatedParametersSequence", "RepetitionTime"),),
    "FlipAngle": (("MRTimingAndRelatedParametersSequence", "FlipAngle"),),
    "EchoTime": (("MREchoSequence", "EffectiveEchoTime"),),
    "InversionTime": (("MRModifierSequence", "InversionTimes"),),
    "DiffusionBValue": (("MRDiffusionSequence", "DiffusionBValue"),),
    "ImageType": (("MRImageFrameTypeSequence", "FrameType"),),
    "AcquisitionContrast": (("MRImageFrameTypeSequence", "AcquisitionContrast"),),
    "ComplexImageComponent": (("MRImageFrameTypeSequence", "ComplexImageComponent"),),
    "TemporalPositionIdentifier": (("FrameContentSequence", "TemporalPositionIndex"),),
    "AcquisitionNumber": (("FrameContentSequence", "FrameAcquisitionNumber"),),
    "AcquisitionDateTime": (
        ("FrameContentSequence", "FrameAcquisitionDateTime"),
        ("FrameContentSequence", "FrameReferenceDateTime"),
    ),
    "ContrastBolusAgentAdministered": (
        ("ContrastBolusUsageSequence", "ContrastBolusAgentAdministered"),
    ),
}

_OTHER_KEYWORDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "TransferSyntaxUID",
    "SpecificCharacterSet",
    "PatientID",
    "IssuerOfPatientID",
    "StudyTime",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDate",
    "ContentDate",
    "ContentTime",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "EchoPulseSequence",
    "InversionRecovery",
    "EchoPlanarPulseSequence",
    "ContrastBolusAgentSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)

#: MR Image Storage: classic, enhanced, enhanced colour, converted from classic.
_MR_IMAGES = tuple(f"1.2.840.10008.5.1.4.1.1.4{more}" for more in ("", ".1", ".3", ".4"))

_WANTED = sorted({*SERIES_KEYWORDS, *SPLIT_KEYWORDS, *_GROUPS, *_OTHER_KEYWORDS})


@dataclass(frozen=True)
class Frame:
    """One 2D image of a file.

    Attributes:
        path: the file.
        index: number of the frame in a multi-frame file from 0, None in a classic one.
        uid: SOP instance UID of the file.
        rows, columns: size in pixels.
        spacing: mm between rows and between columns, or None.
        position: centre of the first pixel (LPS, mm), or None.
        orientation: six direction cosines, along a row and along a column, or None.
        rescale: slope and intercept.
        texts: attributes as text by keyword, several values joined by a backslash.
        moment: when it was acquired, ``YYYYMMDDHHMMSS.ffffff``, or an empty text.
        patient: the patient's identifier; never shown or stored, only compared.
        colors: samples a pixel.
    """

    path: Path
    index: int | None
    uid: str
    rows: int
    columns: int
    spacing: tuple[float, float] | None
    position: tuple[float, float, float] | None
    orientation: tuple[float, ...] | None
    rescale: tuple[float, float]
    texts: Mapping[str, str]
    moment: str
    patient: str
    colors: int = 1


def pydicom_module() -> ModuleType:
    """The pydicom package.

    Raises:
        DependencyError: when it is not installed.
    """
    try:
        import pydicom
    except ImportError as error:
        raise DependencyError(
            "Reading DICOM needs the Python package pydicom.",
            "Install it with: pip install 'BrainTumorSeg[dicom]'",
        ) from error
    return pydicom


def looks_like_dicom(path: Path) -> bool:
    """Whether a file starts like DICOM: with its magic word or, in old files, with group 8."""
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError:
        return False
    if head[128:132] == b"DICM":
        return True
    return len(head) == 132 and head[:2] == b"\x08\x00" and head[2] < 0x20 and head[3] == 0


def read_frames(path: Path) -> list[Frame]:
    """The 2D images of one DICOM file; an empty list when it holds none (reports, DICOMDIR).

    Raises:
        ValueError: when the file is damaged.
        DependencyError: without pydicom.
    """
    return frames_of(path, read_dataset(path, specific_tags=_WANTED))


def frames_of(path: Path, dataset: Any) -> list[Frame]:
    """Like `read_frames`, for a file whose attributes were read already."""
    if not dataset.get("Rows") or not dataset.get("Columns"):
        kind = getattr(dataset.file_meta, "MediaStorageSOPClassUID", dataset.get("SOPClassUID"))
        if kind in _MR_IMAGES:
            raise ValueError("its header ends before the size of the image")
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(_frames(path, dataset))
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        raise ValueError(str(error)) from error


def read_dataset(path: Path, **options: Any) -> Any:
    """A file's attributes, without its pixels unless ``options`` for pydicom say otherwise.

    Raises:
        ValueError: when the file is damaged.
        DependencyError: without pydicom.
    """
    pydicom = pydicom_module()
    try:
        with warnings.catch_warnings():
            # Real headers break the rules in many harmless ways.
            warnings.simplefilter("ignore")
            options = {"stop_before_pixels": True} | options
            return pydicom.dcmread(path, force=True, **options)
    except (
        pydicom.errors.InvalidDicomError,
        pydicom.errors.BytesLengthException,
        OSError,
        EOFError,
        AttributeError,
        KeyError,
        NotImplementedError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(str(error)) from error


def _frames(path: Path, dataset: Any) -> Iterator[Frame]:
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    if per_frame:
        shared = dataset.get("SharedFunctionalGroupsSequence") or [{}]
        for index, own in enumerate(per_frame):
            yield _frame(path, dataset, index, (own, shared[0]))
    else:
        count = int(dataset.get("NumberOfFrames") or 1)
        for index in range(count):
            yield _frame(path, dataset, index if count > 1 else None, ())


def _frame(path: Path, dataset: Any, index: int | None, groups: tuple[Any, ...]) -> Frame:
    def value(keyword: str) -> Any:
        return _value(dataset, groups, keyword)

    texts = {}
    for keyword in dict.fromkeys((*SERIES_KEYWORDS, *SPLIT_KEYWORDS)):
        text = _text(value(keyword))
        if text:
            texts[keyword] = text
    if groups:
        _add_classic_names(texts, dataset)
    if "ContrastBolusAgent" not in texts and dataset.get("ContrastBolusAgentSequence"):
        texts["ContrastBolusAgent"] = _text(dataset.ContrastBolusAgentSequence[0].CodeMeaning)
    identifier = _text(value("PatientID"))
    return Frame(
        path=path,
        index=index,
        uid=str(dataset.get("SOPInstanceUID", "")),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        spacing=cast(tuple[float, float] | None, _numbers(value("PixelSpacing"), 2)),
        position=cast(
            tuple[float, float, float] | None, _numbers(value("ImagePositionPatient"), 3)
        ),
        orientation=_numbers(value("ImageOrientationPatient"), 6),
        rescale=(
            _number(value("RescaleSlope"), 1.0) or 1.0,
            _number(value("RescaleIntercept"), 0.0),
        ),
        texts=texts,
        moment=_moment(value),
        patient=f"{identifier}\\{_text(value('IssuerOfPatientID'))}" if identifier else "",
        colors=int(dataset.get("SamplesPerPixel") or 1),
    )


def _value(dataset: Any, groups: tuple[Any, ...], keyword: str) -> Any:
    """An attribute of a frame: its own groups first, then the shared ones, then the top level."""
    for sequence, inner in _GROUPS.get(keyword, ()) if groups else ():
        for group in groups:
            items = group.get(sequence)
            value = _get(items[0], inner) if items else None
            if value not in (None, ""):
                return value
    return _get(dataset, keyword)


def _get(dataset: Any, keyword: str) -> Any:
    """An attribute, or None when it is missing or breaks the rules of its type."""
    try:
        return dataset.get(keyword)
    except (ValueError, TypeError, OverflowError):
        return None


def _add_classic_names(texts: dict[str, str], dataset: Any) -> None:
    """Say in the words of classic MR what enhanced objects say in their own."""
    if "ScanningSequence" in texts:
        return
    codes = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}.get(
        _text(dataset.get("EchoPulseSequence")), []
    )
    for keyword, code in (("InversionRecovery", "IR"), ("EchoPlanarPulseSequence", "EP")):
        if _text(dataset.get(keyword)) == "YES":
            codes.append(code)
    if codes:
        texts["ScanningSequence"] = "\\".join(codes)


def _moment(value: Any) -> str:
    """Date and time of acquisition; of the series where that is missing."""
    stamp = _text(value("AcquisitionDateTime"))
    if stamp:
        return _sortable(stamp)
    for date, time in (("AcquisitionDate", "AcquisitionTime"), ("SeriesDate", "SeriesTime")):
        clock = _text(value(time)).replace(":", "")
        if clock:
            day = _text(value(date)) or _text(value("StudyDate"))
            return _sortable(day.replace(".", "") + clock)
    return ""


def _sortable(stamp: str) -> str:
    """A time stamp with six decimals, without a zone, so that texts sort by time."""
    whole, _, fraction = stamp.split("+")[0].split("-")[0].partition(".")
    return f"{whole}.{fraction:0<6}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue":
        return "\\".join(_text(v) for v in value)
    return str(value).strip().strip("\0")


def _number(value: Any, default: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(v) for v in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count else None


def dicom_candidates(folder: Path) -> Iterator[Path]:
    """Every regular file below a folder in a stable order; links to folders are not followed."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file():
                yield path
