"""Reading DICOM headers into frames: one 2D image each, with its place in space.

Headers are read with pydicom, because enhanced multi-frame objects keep geometry
and timing in nested sequences that SimpleITK does not hand out; see `pixels` for the images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, cast

from .files import (
    GRAY_16,
    PixelFormat,
    UnusableFile,
    frame_count,
    one_file,
    pixel_format,
    read_image_header,
)

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
    "StudyTime",
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
        pixels: how its pixels are stored.
        oddities: what is wrong with the file that does not keep it from being used.
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
    pixels: PixelFormat = GRAY_16
    oddities: tuple[str, ...] = ()


def read_frames(path: Path) -> list[Frame]:
    """The 2D images of one DICOM file; an empty list when it holds none (reports, DICOMDIR).

    Raises:
        ValueError: when the file is damaged, or its pixels are missing or too few.
        DependencyError: without pydicom.
    """
    dataset, oddity = read_image_header(path, _WANTED)
    return frames_of(path, dataset, (oddity,) if oddity else ())


def frames_of(path: Path, dataset: Any, oddities: tuple[str, ...] = ()) -> list[Frame]:
    """Like `read_frames`, for a file whose attributes were read already."""
    with one_file():
        if not dataset.get("Rows") or not dataset.get("Columns"):
            kind = getattr(dataset.file_meta, "MediaStorageSOPClassUID", dataset.get("SOPClassUID"))
            if kind in _MR_IMAGES:
                raise UnusableFile("cut short (its header ends before the size of the image)")
            return []
        return list(_frames(path, dataset, oddities))


def _frames(path: Path, dataset: Any, oddities: tuple[str, ...]) -> Iterator[Frame]:
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    count = frame_count(dataset)
    if per_frame:
        if count != len(per_frame):
            raise UnusableFile(f"damaged (of {count} images it places {len(per_frame)})")
        shared = dataset.get("SharedFunctionalGroupsSequence") or [{}]
        for index, own in enumerate(per_frame):
            yield _frame(path, dataset, index, (own, shared[0]), oddities)
    else:
        for index in range(count):
            yield _frame(path, dataset, index if count > 1 else None, (), oddities)


def _frame(
    path: Path,
    dataset: Any,
    index: int | None,
    groups: tuple[Any, ...],
    oddities: tuple[str, ...],
) -> Frame:
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
            _rescale(dataset, groups, "RescaleSlope", 1.0) or 1.0,
            _rescale(dataset, groups, "RescaleIntercept", 0.0),
        ),
        texts=texts,
        moment=_moment(value),
        patient=f"{identifier}\\{_text(value('IssuerOfPatientID'))}" if identifier else "",
        pixels=pixel_format(dataset),
        oddities=oddities,
    )


def _value(
    dataset: Any,
    groups: tuple[Any, ...],
    keyword: str,
    get: Callable[[Any, str], Any] | None = None,
) -> Any:
    """An attribute of a frame: its own groups first, then the shared ones, then the top level."""
    get = get or _get
    for sequence, inner in _GROUPS.get(keyword, ()) if groups else ():
        for group in groups:
            items = group.get(sequence)
            value = get(items[0], inner) if items else None
            if value not in (None, ""):
                return value
    return get(dataset, keyword)


def _get(dataset: Any, keyword: str) -> Any:
    """An attribute, or None when it is missing or breaks the rules of its type."""
    try:
        return dataset.get(keyword)
    except (ValueError, TypeError, OverflowError):
        return None


def _raw(dataset: Any, keyword: str) -> Any:
    return dataset.get(keyword)


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


def _rescale(dataset: Any, groups: tuple[Any, ...], keyword: str, default: float) -> float:
    """A factor or offset of the values; unlike other attributes it may not be passed over."""
    number = _value(dataset, groups, keyword, _raw)
    number = default if number in (None, "") else float(number)
    if not isfinite(number):
        raise UnusableFile(f"damaged (its {keyword} is no number)")
    return number


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(v) for v in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(isfinite, numbers)) else None
