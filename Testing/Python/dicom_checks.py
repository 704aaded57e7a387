"""What tests of reading DICOM ask of what was read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.io.dicom.study import read_study


def only_series(folder: Path):
    (series,) = read_study(folder).series
    return series


def assert_same_voxels_at_the_same_places(image: sitk.Image, expected: sitk.Image) -> None:
    """Compared by physical position through SimpleITK, whatever the order of the axes."""
    assert np.prod(image.GetSize()) == np.prod(expected.GetSize())
    there = sitk.Resample(image, expected, sitk.Transform(), sitk.sitkNearestNeighbor, -1.0)
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(there), sitk.GetArrayFromImage(expected).astype(there_type(there))
    )
    corner = [n - 1 for n in expected.GetSize()]
    for index in ([0, 0, 0], corner):
        point = expected.TransformIndexToPhysicalPoint(index)
        found = image.TransformPhysicalPointToContinuousIndex(point)
        assert np.abs(np.array(found) - np.round(found)).max() < 1e-3


def there_type(image: sitk.Image) -> np.dtype:
    return sitk.GetArrayViewFromImage(image).dtype
