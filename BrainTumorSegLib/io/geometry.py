"""Does a header say, without contradiction, where the head lies and how large it is?

From a NIfTI header ITK takes the spacing of ``pixdim`` and the directions of sform or
qform, by rules that other programs do not share. Where these contradict each other it
only prints a warning, and volumes in mL would be wrong. Meaning of the fields: NIfTI-1
standard, ``nifti1.h``, on orientation; NRRD standard, section 5; MetaIO documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import (
    PLACE_TOLERANCE_MM,
    NiftiForms,
    corner_gap,
    image_matrix,
)
from BrainTumorSegLib.core.errors import InputError

from .headers import Header

#: Largest cosine between two axes that still counts as a right angle.
SHEAR_TOLERANCE = 1e-3

#: Largest relative difference between voxel sizes that still counts as rounding.
SPACING_TOLERANCE = 0.01

#: No scanner is as large; what lies farther from its centre is a damaged number.
MAX_OFFSET_MM = 10_000.0

_CONVERT = "Convert it from DICOM again, for example with dcm2niix."
_SET_IN_SLICER = "Open it in 3D Slicer, check its orientation and save it again."

#: What ITK makes LPS of. It takes the other spaces of NRRD for LPS without a word.
_NRRD_SPACES = {
    **dict.fromkeys(("left-posterior-superior", "lps"), (1.0, 1.0, 1.0)),
    **dict.fromkeys(("right-anterior-superior", "ras"), (-1.0, -1.0, 1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (1.0, -1.0, 1.0)),
}


def check_geometry(header: Header) -> tuple[str, ...]:
    """Check what a header says about position, direction and spacing, before ITK reads it.

    Returns:
        Warnings for the record, for example that the position is missing.

    Raises:
        InputError: when position, direction or size of the voxels is not known for certain.
    """
    if len(header.size) < 3:
        return ()  # a picture, refused for its dimensions elsewhere
    warnings: list[str] = []
    for matrix in _matrices(header, warnings).values():
        _check_matrix(matrix, header.path)
    return tuple(warnings)


def check_placed(image: sitk.Image, header: Header) -> tuple[str, ...]:
    """Check that ITK placed an image as its header says.

    Returns:
        Warnings: which of two contradicting NIfTI forms was used.

    Raises:
        InputError: when it was placed otherwise.
    """
    matrices = _matrices(header, [])
    found = image_matrix(image)
    apart = {name: corner_gap(found, m, image.GetSize()) for name, m in matrices.items()}
    used = min(apart, key=lambda name: np.nan_to_num(apart[name], nan=np.inf))
    if not apart[used] <= PLACE_TOLERANCE_MM:
        raise InputError(
            f"{header.path} contradicts itself about where the head lies.", _SET_IN_SLICER
        )
    others = {name: gap for name, gap in apart.items() if not gap <= PLACE_TOLERANCE_MM}
    return tuple(
        f"{header.path}: its sform and its qform place the head differently, up to "
        f"{gap:.1f} mm apart; the {used} was used, and {other} is what some other programs use."
        for other, gap in others.items()
    )


def nifti_forms(header: Header) -> NiftiForms | None:
    """Both places that a NIfTI header gives its image, where they differ.

    A skewed form counts as well: ITK passes it over, but other programs use it.
    """
    fields = header.fields
    if not isinstance(fields, nibabel.Nifti1Header):
        return None
    given = _given_forms(fields)
    if len(given) < 2 or any(
        not np.isfinite(form).all() or not form[:3, :3].any() for form in given.values()
    ):
        return None
    lps = {name: _lps_mm(fields) @ form for name, form in given.items()}
    if corner_gap(lps["sform"], lps["qform"], header.size[:3]) <= PLACE_TOLERANCE_MM:
        return None
    return NiftiForms(
        sform=lps["sform"],
        sform_code=int(fields["sform_code"]),
        qform=lps["qform"],
        qform_code=int(fields["qform_code"]),
    )


def require_orthogonal_axes(direction: tuple[float, ...], path: Path) -> None:
    """Raise `InputError` unless the three axes of a 3D image stand at right angles."""
    if _usable(np.asarray(direction, dtype=float).reshape(3, 3)) is None:
        raise _skewed(path)


def _matrices(header: Header, warnings: list[str]) -> Mapping[str, np.ndarray]:
    """From voxel to LPS in mm, by the name of what says so in the header."""
    if isinstance(header.fields, nibabel.Nifti1Header):
        return _nifti(header.fields, header.path, warnings)
    read = _metaimage if header.suffix in (".mha", ".mhd") else _nrrd
    try:
        return {"header": read(header.fields, header.path, warnings)}
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(
            f"The header of {header.path} is damaged: its directions or its position are "
            f"no numbers ({error}).",
            _SET_IN_SLICER,
        ) from error


def _nifti(
    header: nibabel.Nifti1Header, path: Path, warnings: list[str]
) -> Mapping[str, np.ndarray]:
    spacing = np.asarray(header["pixdim"][1:4], dtype=float)
    if not np.isfinite(spacing).all() or (spacing <= 0).any():
        raise InputError(
            f"{path} gives no valid voxel size (pixdim {_numbers(spacing)}).", _CONVERT
        )
    given = _given_forms(header)
    if not given:
        raise InputError(
            f"{path} does not say where the head lies (its qform and sform are unset).", _CONVERT
        )
    for name, form in given.items():
        if _is_broken(form[:3, 3]):
            raise InputError(
                f"{path} has a damaged position ({name}: {_numbers(form[:3, 3], ', ')} mm).",
                _CONVERT,
            )
    usable = {name: form for name, form in given.items() if _usable(form) is not None}
    # ITK looks at a form with NaN as well, and says so on the terminal.
    if not usable or not np.isfinite(header.get_sform()).all():
        raise _skewed(path)
    if "sform" in usable:
        _check_voxel_sizes(np.linalg.norm(given["sform"][:3, :3], axis=0), spacing, path)
    if len(usable) == 2:
        if np.linalg.det(given["sform"]) * np.linalg.det(given["qform"]) < 0:
            raise InputError(
                f"{path} contradicts itself: its sform and its qform swap left and right.",
                _CONVERT,
            )
    else:
        unused = given.keys() - usable.keys()
        warnings += [
            f"{path}: the {name} is skewed or empty; the {next(iter(usable))} is used instead."
            for name in unused
        ]
    return {name: _lps_mm(header) @ form for name, form in usable.items()}


def _given_forms(header: nibabel.Nifti1Header) -> dict[str, np.ndarray]:
    """The forms whose code says that they are set, from voxel to RAS in the header's unit."""
    given = {}
    if header["sform_code"] > 0:
        given["sform"] = header.get_sform()
    if header["qform_code"] > 0:
        given["qform"] = _qform(header)
    return given


def _lps_mm(header: nibabel.Nifti1Header) -> np.ndarray:
    """From the header's RAS to LPS in mm, as ITK brings metres and micrometres to mm."""
    unit = {1: 1e3, 3: 1e-3}.get(int(header["xyzt_units"]) & 7, 1.0)
    return np.diag([-unit, -unit, unit, 1.0])


def _metaimage(fields: Mapping[str, str], path: Path, warnings: list[str]) -> np.ndarray:
    rank = int(fields["NDims"])
    turn = _one_of(fields, ("TransformMatrix", "Rotation", "Orientation"), rank * rank)
    spacing = _one_of(fields, ("ElementSpacing", "ElementSize"), rank)
    origin = _one_of(fields, ("Offset", "Position", "Origin"), rank)
    if turn is None:
        raise _no_direction(path)
    if spacing is None:
        raise InputError(f"{path} does not say how large its voxels are.", _SET_IN_SLICER)
    if origin is None:
        origin = np.zeros(rank)
        warnings.append(f"{path} does not say where the head lies; it is taken to begin at 0.")
    order = {"BinaryDataByteOrderMSB", "ElementByteOrderMSB"} & fields.keys()
    if not order and "CHAR" not in fields["ElementType"]:
        warnings.append(f"{path} does not say the order of its bytes; the usual one is taken.")
    axes = turn.reshape(rank, rank)[:3, :3].T
    if not np.allclose(np.linalg.norm(axes, axis=0), 1.0, rtol=0, atol=SPACING_TOLERANCE):
        raise InputError(
            f"{path} gives axes that are not of length 1 (TransformMatrix), so the size of its "
            "voxels is not certain.",
            _SET_IN_SLICER,
        )
    return _matrix(axes * spacing[:3], origin[:3])


def _one_of(fields: Mapping[str, str], names: tuple[str, ...], count: int) -> np.ndarray | None:
    """The numbers of a field that has several names; None where it is missing."""
    found = [fields[name] for name in names if name in fields]
    if not found:
        return None
    if len(set(found)) > 1:
        raise ValueError(f"{' and '.join(n for n in names if n in fields)} differ")
    values = np.array([float(text) for text in found[0].split()])
    if len(values) != count:
        raise ValueError(f"{len(values)} numbers where {count} are needed")
    return values


def _nrrd(fields: Mapping[str, Any], path: Path, warnings: list[str]) -> np.ndarray:
    flips = _NRRD_SPACES.get(str(fields.get("space", "")).lower().removesuffix("-time"))
    if flips is None and "space" not in fields and fields.get("space dimension") == 4:
        # NRRD has no name for four axes that are not time; ITK writes LPS so.
        warnings.append(f"{path} does not say left from right; it is taken for LPS.")
        flips = (1.0, 1.0, 1.0)
    if flips is None or "space directions" not in fields:
        raise _no_direction(path)
    units = {str(unit).lower() for unit in fields.get("space units", ())}
    if not units <= {"mm", "", "millimeter", "millimeters"}:
        raise InputError(f"{path} is measured in {', '.join(sorted(units))}.", _SET_IN_SLICER)
    rows = [row for row in np.asarray(fields["space directions"], dtype=float) if _any_number(row)]
    axes = np.array([row[:3] for row in rows[:3]]).T
    if axes.shape != (3, 3):
        raise ValueError(f"{len(rows)} space directions")
    origin = fields.get("space origin")
    if origin is None:
        warnings.append(f"{path} does not say where the head lies; it is taken to begin at 0.")
        origin = np.zeros(3)
    return _matrix(np.transpose(axes.T * flips), np.asarray(origin, dtype=float)[:3] * flips)


def _any_number(row: np.ndarray) -> bool:
    """Whether this axis lies in space: the axis of a list of values has none."""
    return not np.isnan(row).all()


def _matrix(axes: np.ndarray, origin: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes, origin
    return matrix


def _check_matrix(matrix: np.ndarray, path: Path) -> None:
    if _usable(matrix) is None:
        raise _skewed(path)
    if _is_broken(matrix[:3, 3]):
        raise InputError(
            f"{path} has a damaged position ({_numbers(matrix[:3, 3], ', ')} mm).", _SET_IN_SLICER
        )


def _is_broken(position: np.ndarray) -> bool:
    return not (np.abs(position) < MAX_OFFSET_MM).all()


def _usable(affine: np.ndarray) -> np.ndarray | None:
    """The 3x3 part when its columns are finite, non-zero and at right angles."""
    matrix = np.asarray(affine, dtype=float)[:3, :3]
    norms = np.linalg.norm(matrix, axis=0)
    if not np.isfinite(matrix).all() or (norms < 1e-6).any():
        return None
    cosines = (matrix / norms).T @ (matrix / norms) - np.eye(3)
    return matrix if np.abs(cosines).max() <= SHEAR_TOLERANCE else None


def _qform(header: nibabel.Nifti1Header) -> np.ndarray:
    try:
        return header.get_qform()
    except ValueError:  # a quaternion longer than one is no rotation
        broken = np.full((4, 4), np.nan)
        broken[:3, 3] = [header[f"qoffset_{axis}"] for axis in "xyz"]
        return broken


def _no_direction(path: Path) -> InputError:
    return InputError(
        f"{path} does not say which way the head lies; left and right cannot be told apart.",
        "Open it in 3D Slicer, set its orientation and save it again.",
    )


def _skewed(path: Path) -> InputError:
    return InputError(
        f"{path} has voxel axes that are skewed, empty or not finite; only boxes with right "
        "angles can be segmented.",
        "Resample it onto a straight grid, or convert it from DICOM again.",
    )


def _check_voxel_sizes(sform: np.ndarray, pixdim: np.ndarray, path: Path) -> None:
    if np.abs(sform / pixdim - 1).max() > SPACING_TOLERANCE:
        raise InputError(
            f"{path} contradicts itself: by pixdim a voxel measures {_numbers(pixdim)} mm, "
            f"by its sform {_numbers(sform)} mm.",
            _CONVERT,
        )


def _numbers(values: np.ndarray, joint: str = " x ") -> str:
    return joint.join(f"{value:.4g}" for value in values)
