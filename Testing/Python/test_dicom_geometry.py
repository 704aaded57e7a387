"""Series of DICOM files lie where they were, and uneven ones are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import binary_erosion

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.io.dicom.pixels import read_series_image

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

from dicom_checks import assert_same_voxels_at_the_same_places, only_series  # noqa: E402
from dicom_factory import ORIENTATIONS, head, rotation, write_series  # noqa: E402


@pytest.mark.parametrize("order", ["ascending", "descending", "interleaved"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_series_lies_where_it_was_whatever_its_orientation_and_order(
    tmp_path, orientation, order
):
    image = head((20, 24, 10), (5.0, 4.0, 7.0), ORIENTATIONS[orientation])
    write_series(tmp_path, image, 3, order=order)
    series = only_series(tmp_path)
    found = read_series_image(series)
    assert series.warnings == ()
    assert_same_voxels_at_the_same_places(found, image)
    assert np.linalg.det(np.array(found.GetDirection()).reshape(3, 3)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("skip", "text"),
    [
        ((4,), r"1 slice is missing \(after slice 4 of 11\)"),
        ((4, 5), r"2 slices are missing \(after slice 4 of 10\)"),
        ((3, 8), r"2 slices are missing \(after slice 3, after slice 7 of 10\)"),
    ],
)
def test_missing_slices_are_counted_and_refused(tmp_path, skip, text):
    write_series(tmp_path, head((20, 24, 12), (10, 9, 12)), 8, "t1ce", skip=skip)
    series = only_series(tmp_path)
    with pytest.raises(InputError, match=text) as error:
        read_series_image(series)
    assert "series 8" in str(error.value)
    assert "Export it again" in error.value.remedy


def test_slices_missing_at_the_end_are_noticed_when_the_header_announces_them(tmp_path):
    image = head((20, 24, 12), (10, 9, 12))
    write_series(tmp_path, image, 8, "t1ce", skip=(11,), ImagesInAcquisition=12)
    assert only_series(tmp_path).warnings == ("11 of 12 announced images were found",)


def _move_slices(paths: list[Path], shifts: list[float], axis: int = 2) -> None:
    for path, shift in zip(paths, shifts, strict=True):
        dataset = pydicom.dcmread(path)
        position = [float(v) for v in dataset.ImagePositionPatient]
        position[axis] += shift
        dataset.ImagePositionPatient = [f"{v:.6f}" for v in position]
        dataset.save_as(path)


def test_slightly_uneven_slices_are_accepted_with_a_warning(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    _move_slices(paths, [0, 0.3, 0, 0.4, 0, 0, 0.3, 0, 0, 0])
    series = only_series(tmp_path)
    assert "unevenly spaced (11.60 to 12.40 mm)" in series.warnings[0]
    assert read_series_image(series).GetSpacing()[2] == pytest.approx(12.0)


def test_rounded_positions_are_accepted_in_silence(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    _move_slices(paths, [0.004, -0.004] * 5)
    assert only_series(tmp_path).warnings == ()


def test_grossly_uneven_slices_are_refused(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    _move_slices(paths, [0, 5, 0, 0, 4, 0, 0, 0, 0, 0])
    with pytest.raises(InputError, match="unevenly spaced"):
        read_series_image(only_series(tmp_path))


def test_slices_that_wander_sideways_are_refused(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    _move_slices(paths, [0, 30, 0, 0, 0, 0, 0, 0, 0, 0], axis=0)
    with pytest.raises(InputError, match="do not lie behind one another"):
        read_series_image(only_series(tmp_path))


@pytest.mark.parametrize("per_slice", [3.0, -3.0])
def test_a_slanted_stack_is_straightened_with_a_warning(tmp_path, per_slice):
    """The values are a linear function of position, which linear interpolation keeps."""
    image = head((30, 32, 12), (6.0, 6.0, 10.0), rotation(10, -5, 20))
    axes = np.array(image.GetDirection()).reshape(3, 3)
    paths = write_series(tmp_path, image, 3)
    gradient = np.array([3.0, -2.0, 4.0])
    for k, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        corner = np.array([float(v) for v in dataset.ImagePositionPatient])
        corner += k * per_slice * axes[:, 1]
        dataset.ImagePositionPatient = [f"{v:.8f}" for v in corner]
        rows, columns = np.mgrid[:32, :30] * 6.0
        points = corner + rows[..., None] * axes[:, 1] + columns[..., None] * axes[:, 0]
        dataset.PixelData = np.round(points @ gradient + 3000).astype(np.int16).tobytes()
        dataset.save_as(path)
    series = only_series(tmp_path)
    assert "slant of 16.7 degrees" in series.warnings[0]
    found = read_series_image(series)
    values = sitk.GetArrayFromImage(found)
    assert found.GetSize() == (30, 32 + 6, 12)
    # At the rim ITK repeats the outermost values for half a pixel.
    inside = np.argwhere(binary_erosion(values > 0, np.ones((1, 3, 3))))
    assert len(inside) >= 0.97 * 28 * 29 * 12
    for k, j, i in inside[:: len(inside) // 200]:
        point = found.TransformIndexToPhysicalPoint((int(i), int(j), int(k)))
        assert values[k, j, i] == pytest.approx(gradient @ point + 3000, abs=1.5)
