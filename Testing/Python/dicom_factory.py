"""Writes DICOM studies for tests: classic and enhanced MR, in order or not, whole or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk

CLASSIC_MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"

#: Plausible attributes by kind of series, at 1.5 T.
KINDS: dict[str, dict] = {
    "localizer": {
        "SeriesDescription": "3-plane localizer",
        "ScanningSequence": "GR",
        "SequenceVariant": "SP",
        "RepetitionTime": 8,
        "EchoTime": 3,
        "FlipAngle": 20,
    },
    "t1": {
        "SeriesDescription": "t1_se_tra",
        "ScanningSequence": "SE",
        "RepetitionTime": 500,
        "EchoTime": 10,
        "FlipAngle": 90,
    },
    "t1ce": {
        "SeriesDescription": "t1_se_tra_KM",
        "ScanningSequence": "SE",
        "RepetitionTime": 500,
        "EchoTime": 10,
        "FlipAngle": 90,
        "ContrastBolusAgent": "Gadovist",
    },
    "flair": {
        "SeriesDescription": "t2_tirm_tra_dark-fluid",
        "ScanningSequence": ["SE", "IR"],
        "RepetitionTime": 9000,
        "EchoTime": 110,
        "InversionTime": 2500,
        "FlipAngle": 150,
    },
    "t2": {
        "SeriesDescription": "t2_tse_tra",
        "ScanningSequence": "SE",
        "RepetitionTime": 4500,
        "EchoTime": 100,
        "FlipAngle": 150,
    },
    "dwi": {
        "SeriesDescription": "ep2d_diff_trace",
        "ScanningSequence": "EP",
        "ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION", "TRACEW"],
        "RepetitionTime": 5000,
        "EchoTime": 90,
    },
    "subtraction": {
        "SeriesDescription": "t1_se_tra_SUB",
        "ImageType": ["DERIVED", "SECONDARY", "SUBTRACTION"],
        "ScanningSequence": "SE",
        "RepetitionTime": 500,
        "EchoTime": 10,
        "ContrastBolusAgent": "Gadovist",
    },
}


@dataclass
class Examination:
    """What all series of one study share; counts the minutes between series."""

    patient: str = "PAT-4711"
    name: str = "Doe^Jane"
    description: str = "MR head"
    date: str = "20240517"
    uid: str = field(default_factory=lambda: _uid())
    frame_of_reference: str = field(default_factory=lambda: _uid())
    minutes: int = 0

    def attributes(self) -> dict:
        self.minutes += 4
        time = f"{9 + self.minutes // 60:02d}{self.minutes % 60:02d}00"
        return {
            "PatientID": self.patient,
            "PatientName": self.name,
            "PatientBirthDate": "19600101",
            "PatientSex": "F",
            "StudyInstanceUID": self.uid,
            "StudyID": "1",
            "StudyDate": self.date,
            "StudyTime": "090000",
            "StudyDescription": self.description,
            "AccessionNumber": "",
            "ReferringPhysicianName": "",
            "FrameOfReferenceUID": self.frame_of_reference,
            "PositionReferenceIndicator": "",
            "AcquisitionDate": self.date,
            "AcquisitionTime": time,
            "SeriesDate": self.date,
            "SeriesTime": time,
            "Modality": "MR",
            "Manufacturer": "SIEMENS",
            "ManufacturerModelName": "Aera",
            "MagneticFieldStrength": 1.5,
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
            "SequenceVariant": "NONE",
            "ScanOptions": "",
            "MRAcquisitionType": "2D",
            "EchoTrainLength": 1,
            "PatientPosition": "HFS",
        }


def write_series(
    folder: Path,
    image: sitk.Image,
    number: int,
    kind: str = "t1",
    examination: Examination | None = None,
    order: str = "ascending",
    skip: tuple[int, ...] = (),
    syntax: str | None = None,
    suffix: str = ".dcm",
    uid: str | None = None,
    slope: float | list[float] | None = None,
    **attributes,
) -> list[Path]:
    """Write an image as classic single-frame files; returns them in slice order of ``image``.

    ``order`` is that of instance numbers and file names: ascending, descending or
    interleaved. ``skip`` names slices to leave out. ``syntax`` compresses.
    """
    common = (examination or Examination()).attributes() | KINDS[kind] | attributes
    common |= {"SeriesNumber": number, "SeriesInstanceUID": uid or _uid()}
    folder.mkdir(parents=True, exist_ok=True)
    slices = list(range(image.GetSize()[2]))
    if order == "descending":
        slices = slices[::-1]
    elif order == "interleaved":
        slices = slices[1::2] + slices[::2]
    paths = {}
    for instance, k in enumerate(slices, 1):
        if k in skip:
            continue
        factor = slope[k] if isinstance(slope, list) else slope
        path = folder / f"IM{number:03d}{instance:04d}{suffix}"
        _write_slice(path, image, k, instance, common, syntax, factor)
        paths[k] = path
    return [paths[k] for k in sorted(paths)]


def write_enhanced(
    path: Path,
    image: sitk.Image,
    number: int,
    examination: Examination | None = None,
    order: str = "ascending",
    slopes: list[float] | None = None,
    contrast: str = "T1",
    frames: dict | None = None,
    **attributes,
) -> Path:
    """Write an image as one Enhanced MR object; timing and geometry in functional groups.

    ``frames`` gives RepetitionTime, EchoTime and the like; ``slopes`` a rescale slope a slice.
    """
    from pydicom.dataset import Dataset

    times = {"RepetitionTime": 500.0, "EchoTime": 10.0, "FlipAngle": 90.0} | (frames or {})
    common = (examination or Examination()).attributes() | attributes
    for keyword in ("AcquisitionDate", "AcquisitionTime"):
        common.pop(keyword)
    common |= {"SeriesNumber": number, "SeriesInstanceUID": _uid(), "AcquisitionContrast": contrast}
    common.setdefault("SeriesDescription", "enhanced")
    common["ImageType"] = ["ORIGINAL", "PRIMARY", contrast, "NONE"]
    slices = list(range(image.GetSize()[2]))
    if order != "ascending":
        slices = slices[::-1] if order == "descending" else slices[1::2] + slices[::2]
    values = sitk.GetArrayFromImage(image)[slices]
    dataset = _dataset(path, common, ENHANCED_MR)
    dataset.NumberOfFrames = len(slices)
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=_orientation(image))]
    x, y, z = image.GetSpacing()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=[y, x], SliceThickness=z)]
    shared.MRTimingAndRelatedParametersSequence = [
        _item(RepetitionTime=times["RepetitionTime"], FlipAngle=times["FlipAngle"])
    ]
    shared.MREchoSequence = [_item(EffectiveEchoTime=times["EchoTime"])]
    if "InversionTime" in times:
        shared.MRModifierSequence = [_item(InversionTimes=times["InversionTime"])]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for position, k in enumerate(slices, 1):
        own = Dataset()
        point = image.TransformIndexToPhysicalPoint((0, 0, k))
        own.PlanePositionSequence = [_item(ImagePositionPatient=[f"{v:.10g}" for v in point])]
        own.FrameContentSequence = [
            _item(
                InStackPositionNumber=position,
                StackID="1",
                FrameAcquisitionDateTime="20240517091500",
            )
        ]
        if slopes is not None:
            own.PixelValueTransformationSequence = [
                _item(RescaleSlope=slopes[k], RescaleIntercept=0, RescaleType="US")
            ]
        groups.append(own)
    dataset.PerFrameFunctionalGroupsSequence = groups
    _add_pixels(dataset, values)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _write_slice(path, image, k, instance, common, syntax, slope) -> None:
    dataset = _dataset(path, common, CLASSIC_MR)
    point = image.TransformIndexToPhysicalPoint((0, 0, k))
    x, y, z = image.GetSpacing()
    dataset.InstanceNumber = instance
    dataset.ImagePositionPatient = [f"{v:.10g}" for v in point]
    dataset.ImageOrientationPatient = _orientation(image)
    dataset.PixelSpacing = [y, x]
    dataset.SliceThickness = z
    if slope is not None:
        dataset.RescaleSlope, dataset.RescaleIntercept = slope, 0
    _add_pixels(dataset, sitk.GetArrayViewFromImage(image)[k])
    if syntax is not None:
        dataset.compress(syntax)
    dataset.save_as(path, enforce_file_format=True)


def _dataset(path: Path, attributes: dict, sop_class: str):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = _uid()
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in attributes.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def _add_pixels(dataset, values: np.ndarray) -> None:
    values = np.ascontiguousarray(values.astype(np.int16))
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.PixelData = values.tobytes()


def _orientation(image: sitk.Image) -> list[str]:
    matrix = np.array(image.GetDirection()).reshape(3, 3)
    return [f"{v:.10g}" for v in [*matrix[:, 0], *matrix[:, 1]]]


def _item(**attributes):
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _uid() -> str:
    from pydicom.uid import generate_uid

    return str(generate_uid())


def head(
    size=(40, 48, 24),
    spacing=(5.0, 5.0, 6.0),
    direction=None,
    seed: int = 0,
    origin=(-90.0, -110.0, -60.0),
) -> sitk.Image:
    """A smooth random volume of a head's size, different in every voxel neighbourhood."""
    values = np.random.default_rng(seed).normal(500, 100, size[::-1])
    image = sitk.GetImageFromArray(values.clip(0, 2000).astype(np.int16))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.asarray(direction, dtype=float).ravel().tolist())
    return image


def rotation(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """A 3x3 rotation by degrees about x, then y, then z."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.radians([x, y, z]).tolist())
    return np.array(turn.GetMatrix()).reshape(3, 3)


ORIENTATIONS = {
    "axial": np.eye(3),
    "axial from above, left-handed": np.diag([1.0, 1.0, -1.0]),
    "sagittal": np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float),
    "coronal": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "oblique": rotation(12, -25, 8),
    "oblique sagittal": rotation(7, 9, -11) @ np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]]),
    "upside down, oblique": rotation(170, 10, 30),
}
