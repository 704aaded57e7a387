"""What tests of DICOM ask of what was read or written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES
from BrainTumorSegLib.io.dicom.study import read_study
from BrainTumorSegLib.io.grids import place_on_grid


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


def read_dicom_seg(path: Path, grid: sitk.Image) -> sitk.Image:
    """A DICOM segmentation on its reference's grid, segments told by their coded type."""
    from highdicom.seg import segread

    segmentation = segread(str(path))
    volume = segmentation.get_volume(combine_segments=False)
    tissues = {STYLES[t].code.value: t for t in TUMOR_TISSUES}
    labels = np.zeros(volume.spatial_shape, np.uint8)
    for channel, number in enumerate(segmentation.segment_numbers):
        kind = segmentation.get_segment_description(number).segmented_property_type.value
        labels[volume.array[..., channel] > 0] = tissues[kind]
    axes = volume.affine[:3, :3][:, ::-1]
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(np.linalg.norm(axes, axis=0).tolist())
    image.SetDirection((axes / np.linalg.norm(axes, axis=0)).ravel().tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    return place_on_grid(image, grid, str(path))
