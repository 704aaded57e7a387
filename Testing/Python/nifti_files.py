"""NIfTI files with any header, also those that no careful program would write."""

from __future__ import annotations

import nibabel
import numpy as np

STRAIGHT = np.array([[4.0, 0, 0, -80], [0, 4, 0, -90], [0, 0, 5, -70], [0, 0, 0, 1]])


def head_values(size=(40, 46, 30), dtype=np.int16):
    """Noise ``[x, y, z]`` on the number of voxels of a coarse head scan."""
    return np.random.default_rng(0).integers(1, 200, size).astype(dtype)


def write_nifti(path, values=None, sform=STRAIGHT, qform=STRAIGHT, **fields):
    """Write a NIfTI file as told.

    Args:
        path: the file, ``.nii`` or ``.nii.gz``.
        values: array ``[x, y, z, ...]``.
        sform: 4x4 matrix in RAS, or None to leave it unset.
        qform: 4x4 matrix in RAS, or None to leave it unset.
        fields: header fields that are set last, whatever they contradict.
    """
    values = head_values() if values is None else values
    image = nibabel.Nifti1Image(values, None)
    image.header.set_zooms([4, 4, 5, *[1] * 4][: values.ndim])
    if qform is not None:
        image.header.set_qform(qform, 1)
    if sform is not None:
        image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = sform[:3]
    image.header["qform_code"] = int(qform is not None)
    image.header["sform_code"] = int(sform is not None)
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path
