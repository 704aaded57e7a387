"""Does a header say, without contradiction, where the head lies and how large it is?

From a NIfTI header ITK takes the spacing of ``pixdim`` and the directions of sform or
qform. Where these contradict each other it only prints a warning, and volumes in mL
would be wrong. Meaning of the fields: NIfTI-1 standard, ``nifti1.h``, on orientation.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from BrainTumorSegLib.core.errors import InputError

from .headers import metaimage_header, nifti_header, nrrd_header

#: Largest cosine between two axes that still counts as a right angle.
SHEAR_TOLERANCE = 1e-3

#: Largest relative difference between voxel sizes that still counts as rounding.
SPACING_TOLERANCE = 0.01

_CONVERT = "Convert it from DICOM again, for example with dcm2niix."


def check_geometry(path: Path, suffix: str) -> tuple[str, ...]:
    """Check what the header of an image file says about position, direction and spacing.

    Args:
        suffix: its ending as returned by `formats.readable_suffix`.

    Returns:
        Warnings for the record, for example that a NIfTI sform was passed over.

    Raises:
        InputError: when position, direction or size of the voxels is not known for certain.
    """
    if suffix in (".nii", ".nii.gz"):
        return _check_nifti(nifti_header(path), path)
    if suffix in (".mha", ".mhd"):
        known = {"transformmatrix", "rotation", "orientation"} & metaimage_header(path)[0].keys()
    else:
        known = {"space", "space dimension"} & nrrd_header(path)[0].keys()
    if not known:
        raise InputError(
            f"{path} does not say which way the head lies; left and right cannot be told apart.",
            "Open it in 3D Slicer, set its orientation and save it again.",
        )
    return ()


def _check_nifti(header: nibabel.Nifti1Header, path: Path) -> tuple[str, ...]:
    if header["dim"][0] < 3:
        return ()  # a picture, refused for its dimensions elsewhere
    spacing = np.asarray(header["pixdim"][1:4], dtype=float)
    if not np.isfinite(spacing).all() or (spacing <= 0).any():
        raise InputError(
            f"{path} gives no valid voxel size (pixdim {_numbers(spacing)}).", _CONVERT
        )
    sform = _usable(header.get_sform()) if header["sform_code"] > 0 else None
    qform = _usable(_qform(header)) if header["qform_code"] > 0 else None
    if sform is None and qform is None:
        raise _no_position(header, path)
    if sform is not None:
        _check_voxel_sizes(np.linalg.norm(sform, axis=0), spacing, path)
    if sform is not None and qform is not None:
        if np.linalg.det(sform) * np.linalg.det(qform) < 0:
            raise InputError(
                f"{path} contradicts itself: its sform and its qform swap left and right.",
                _CONVERT,
            )
    elif sform is None and header["sform_code"] > 0:
        return (f"{path}: the sform is skewed or empty; the qform is used instead.",)
    return ()


def require_orthogonal_axes(direction: tuple[float, ...], path: Path) -> None:
    """Raise `InputError` unless the three axes of a 3D image stand at right angles."""
    if _usable(np.asarray(direction, dtype=float).reshape(3, 3)) is None:
        raise _skewed(path)


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
        return np.full((4, 4), np.nan)


def _no_position(header: nibabel.Nifti1Header, path: Path) -> InputError:
    if header["sform_code"] <= 0 and header["qform_code"] <= 0:
        return InputError(
            f"{path} does not say where the head lies (its qform and sform are unset).", _CONVERT
        )
    return _skewed(path)


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


def _numbers(values: np.ndarray) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
