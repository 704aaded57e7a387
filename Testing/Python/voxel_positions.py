"""Where the voxels of an image lie, computed apart from the code under test."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk


def positions(image: sitk.Image) -> np.ndarray:
    """LPS position of every voxel, ``[slice, row, column, 3]``."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in image.GetSize()[::-1]), indexing="ij")
    index = np.stack([i, j, k], axis=-1) * np.array(image.GetSpacing())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return index @ direction.T + np.array(image.GetOrigin())


def with_values(array: np.ndarray, like: sitk.Image) -> sitk.Image:
    """An image of the array with the geometry of another."""
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(like)
    return image
