"""One patient's scans at one time, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .errors import InputError
from .mix_ups import is_same_scan, refuse_label_map
from .sequences import Sequence

#: Largest number of voxels a scan may have: 1024 x 1024 x 512, far above any
#: clinical brain MRI, and small enough that its float32 copy fits in memory.
MAX_VOXELS = 1024 * 1024 * 512

#: Shortest and longest side of the imaged box in mm that can hold a head.
MIN_EXTENT_MM, MAX_EXTENT_MM = 40.0, 600.0

#: Voxels with two sides of the former length in mm, or slices farther apart than the latter, are
#: worth a warning. The usual clinical slice is 5 mm with a gap of up to 1 mm.
COARSE_VOXEL_MM, COARSE_SLICES_MM = 4.0, 6.0

#: Places of one image that differ by no more are the same: a NIfTI quaternion is no finer.
PLACE_TOLERANCE_MM = 0.5


@dataclass(frozen=True, eq=False)
class NiftiForms:
    """The two places that a NIfTI header gives one image, where they differ.

    Attributes:
        sform, qform: 4x4 matrices from voxel ``(x, y, z)`` to LPS in mm.
        sform_code, qform_code: what each is aligned to, see ``nifti1.h``.
    """

    sform: np.ndarray
    sform_code: int
    qform: np.ndarray
    qform_code: int


@dataclass(frozen=True)
class Scan:
    """One sequence of one patient.

    Attributes:
        image: 3D scalar SimpleITK image with its geometry (LPS, mm).
        source: the file, folder or node it came from; used in messages.
        sha256: of the file's bytes, when it came from one file.
        dicom: DICOM attributes worth keeping (keyword to text), when it came from DICOM.
        files: the files of its DICOM series, in slice order, when it came from DICOM.
        forms: both places that its NIfTI header gives it, where they differ.
        warnings: what a reader of the result must know about the file.
    """

    image: sitk.Image
    source: str
    sha256: str | None = None
    dicom: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    forms: NiftiForms | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One patient's scans at one time.

    Attributes:
        identity: a name for reports; never a patient's name.
        scans: what there is, by sequence.
        reference: the sequence on whose grid the result lives.
        warnings: what a reader of the result must know about the input.
    """

    identity: str
    scans: Mapping[Sequence, Scan]
    reference: Sequence = Sequence.T1CE
    warnings: tuple[str, ...] = ()

    @property
    def reference_scan(self) -> Scan:
        """The scan on whose grid the result lies."""
        return self.scans[self.reference]

    def with_images(self, images: Mapping[Sequence, sitk.Image]) -> Case:
        """The same case with some images replaced, for example by registered ones."""
        scans = {
            sequence: replace(scan, image=images.get(sequence, scan.image))
            for sequence, scan in self.scans.items()
        }
        return replace(self, scans=scans)


def make_case(
    identity: str, scans: Mapping[Sequence, Scan], reference: Sequence = Sequence.T1CE
) -> Case:
    """Check the scans singly and together, and return them as a case.

    Raises:
        InputError: when a scan cannot be used, when T1CE or the reference is
            missing, when one scan is given twice, also rescaled, or when scans do not overlap.
    """
    for sequence, scan in scans.items():
        check_scan(scan, sequence)
    if Sequence.T1CE not in scans:
        raise InputError(
            f"Case {identity!r} has no contrast-enhanced T1 scan.",
            "Give the scan taken after contrast agent as T1CE; it cannot be done without.",
        )
    if reference not in scans:
        raise InputError(
            f"The reference {reference.name} of case {identity!r} was not given.",
            f"Choose one of {', '.join(s.name for s in scans)} as reference.",
        )
    _check_distinct_images(scans)
    _check_overlap(scans, reference)
    return Case(identity, dict(scans), reference, _suspicions(scans))


def check_one_place(scans: Mapping[Sequence, Scan], reference: Sequence) -> None:
    """Check that it is certain where scans that are not registered lie on the reference.

    NIfTI headers hold two places, the sform and the qform. Which of them counts does not
    matter as long as both put a scan onto the same voxels of the reference.

    Raises:
        InputError: naming the scan whose two places differ.
    """
    fixed = scans[reference]
    for sequence, scan in scans.items():
        if sequence is reference or (scan.forms is None and fixed.forms is None):
            continue
        to_mm = np.diag([*fixed.image.GetSpacing(), 1.0])
        by_sform, by_qform = (
            to_mm @ np.linalg.inv(_place(fixed, form)) @ _place(scan, form)
            for form in ("sform", "qform")
        )
        gap = corner_gap(by_sform, by_qform, scan.image.GetSize())
        if gap > PLACE_TOLERANCE_MM:
            unclear = scan if scan.forms is not None else fixed
            raise InputError(
                f"It is not certain where {sequence.name} lies on {reference.name}: the sform "
                f"and the qform of {unclear.source} differ, by up to {gap:.1f} mm.",
                "Let the scans be registered (registration auto), or make both forms of that "
                "file the same.",
            )


def _place(scan: Scan, form: str) -> np.ndarray:
    """From voxel to LPS in mm, by one of the forms of the file where they differ."""
    if scan.forms is not None:
        matrix: np.ndarray = getattr(scan.forms, form)
        return matrix
    return image_matrix(scan.image)


def image_matrix(image: sitk.Image) -> np.ndarray:
    """The 4x4 matrix from voxel ``(x, y, z)`` of a 3D image to LPS in mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    return matrix


def corner_gap(a: np.ndarray, b: np.ndarray, size: SequenceOf[int]) -> float:
    """Largest distance in mm between the corner voxels of a box under two 4x4 matrices.

    Args:
        a, b: from voxel ``(x, y, z)`` to mm.
        size: number of voxels along each axis; of more than three the first count.
    """
    corners = [
        [*(bit * (n - 1) for bit, n in zip(bits, size[:3], strict=True)), 1]
        for bits in np.ndindex(2, 2, 2)
    ]
    return float(np.linalg.norm(((a - b) @ np.array(corners, dtype=float).T)[:3], axis=0).max())


def check_scan(scan: Scan, sequence: Sequence) -> None:
    """Check that one scan is a plausible 3D head MRI.

    Raises:
        InputError: naming the source and the remedy.
    """
    image, name = scan.image, f"The {sequence.name} scan {scan.source}"
    if image.GetDimension() != 3:
        raise InputError(
            f"{name} has {image.GetDimension()} dimensions, not 3.",
            "Extract one 3D volume from it.",
        )
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"{name} has {image.GetNumberOfComponentsPerPixel()} values a voxel (colour, vector).",
            "Give the original scalar scan, not a colour picture.",
        )
    size = image.GetSize()
    if min(size) == 0:
        raise InputError(f"{name} is empty (size {size}).", "Export it again.")
    if int(np.prod(size, dtype=np.int64)) > MAX_VOXELS:
        raise InputError(
            f"{name} is too large ({size[0]}x{size[1]}x{size[2]} voxels).",
            "Resample it to 0.4 mm or coarser.",
        )
    if min(size) < 5:
        raise InputError(
            f"{name} has only {min(size)} slice(s) along one axis (size {size}).",
            "Give the whole 3D volume; five slices are the least that can be segmented.",
        )
    extent = [n * s for n, s in zip(size, image.GetSpacing(), strict=True)]
    if min(extent) < MIN_EXTENT_MM or max(extent) > MAX_EXTENT_MM:
        shown = "x".join(f"{e:.0f}" for e in extent)
        raise InputError(
            f"{name} covers {shown} mm, which cannot be a head.",
            "Check the voxel spacing in the file's header.",
        )
    values = sitk.GetArrayViewFromImage(image)
    if np.issubdtype(values.dtype, np.complexfloating):
        raise InputError(f"{name} holds complex numbers.", "Give the magnitude image.")
    if not np.isfinite(values).all():
        raise InputError(
            f"{name} contains NaN or infinite values.", "Replace them by 0 and save it again."
        )
    if values.min() == values.max():
        raise InputError(
            f"{name} has the same value {values.flat[0]} everywhere.",
            "The scan is empty or was exported wrongly; export it again.",
        )
    refuse_label_map(image, name)


def _check_distinct_images(scans: Mapping[Sequence, Scan]) -> None:
    items = list(scans.items())
    for position, (first, a) in enumerate(items):
        for second, b in items[position + 1 :]:
            same_file = a.sha256 is not None and a.sha256 == b.sha256
            if same_file or is_same_scan(a.image, b.image):
                raise InputError(
                    f"{first.name} ({a.source}) and {second.name} ({b.source}) are the same scan.",
                    "Give each sequence its own scan.",
                )


def _check_overlap(scans: Mapping[Sequence, Scan], reference: Sequence) -> None:
    """Scans of one sitting share most of their field of view.

    Headers may disagree by centimetres (registration mends that), so only boxes
    that hardly touch are refused: different body parts, or a broken header.
    """
    fixed = scans[reference]
    low, high = physical_bounds(fixed.image)
    for sequence, scan in scans.items():
        if sequence is reference:
            continue
        other_low, other_high = physical_bounds(scan.image)
        shared = np.minimum(high, other_high) - np.maximum(low, other_low)
        smaller = np.minimum(high - low, other_high - other_low)
        if (shared < 0.25 * smaller).any():
            raise InputError(
                f"{sequence.name} ({scan.source}) and {reference.name} ({fixed.source}) "
                "hardly overlap in space.",
                "Check that both show the same patient's head and were exported with their "
                "positions; if only the header is wrong, centre the volumes first.",
            )


def physical_bounds(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest LPS coordinate in mm, each ``[x, y, z]``, over the eight corners."""
    size = image.GetSize()
    corners = np.array(
        [
            image.TransformContinuousIndexToPhysicalPoint(
                [(-0.5 if bit == 0 else n - 0.5) for bit, n in zip(bits, size, strict=True)]
            )
            for bits in np.ndindex(2, 2, 2)
        ]
    )
    return corners.min(axis=0), corners.max(axis=0)


def _suspicions(scans: Mapping[Sequence, Scan]) -> tuple[str, ...]:
    """Warnings that need a look at the scans together but no computation."""
    patients = {scan.dicom["PatientID"] for scan in scans.values() if scan.dicom.get("PatientID")}
    if len(patients) > 1:
        names = ", ".join(scan.source for scan in scans.values())
        raise InputError(
            f"The scans {names} belong to different patients.",
            "Give scans of one patient from one study.",
        )
    warnings = list(missing_sequences(scans))
    for sequence, scan in scans.items():
        if _is_coarse(scan.image):
            sides = " x ".join(f"{side:.1f}" for side in scan.image.GetSpacing())
            warnings.append(
                f"{sequence.name} ({scan.source}) has very large voxels ({sides} mm); small parts "
                "of the tumour may be missed, and the volumes are less certain."
            )
    return tuple(warnings)


def missing_sequences(scans: Mapping[Sequence, Scan]) -> tuple[str, ...]:
    """A warning for every sequence that there is no scan of."""
    return tuple(
        f"{missing.name} was not given; the result is less certain."
        for missing in Sequence
        if missing not in scans
    )


def _is_coarse(image: sitk.Image) -> bool:
    _, middle, longest = sorted(image.GetSpacing())
    return bool(middle >= COARSE_VOXEL_MM or longest > COARSE_SLICES_MM)
