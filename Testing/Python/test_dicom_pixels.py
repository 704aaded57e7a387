"""Pixels of DICOM files: slopes, compression, damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.io.dicom.pixels import read_series_image

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

from dicom_checks import assert_same_voxels_at_the_same_places, only_series  # noqa: E402
from dicom_factory import head, write_series  # noqa: E402


def test_rescale_slopes_are_applied_each_to_its_slice(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    slopes = [1.0 + 0.25 * k for k in range(10)]
    write_series(tmp_path, image, 3, slope=slopes)
    found = sitk.GetArrayFromImage(read_series_image(only_series(tmp_path)))
    expected = sitk.GetArrayFromImage(image) * np.array(slopes)[:, None, None]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def _encode_with_gdcm(path: Path, compressor: str) -> None:
    """Replace a file's pixels by a stream that SimpleITK's own DICOM writer encoded."""
    dataset = pydicom.dcmread(path)
    picture = sitk.GetImageFromArray(dataset.pixel_array[None])
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.SetFileName(str(path.with_suffix(".tmp.dcm")))
    writer.Execute(picture)
    encoded = pydicom.dcmread(path.with_suffix(".tmp.dcm"))
    path.with_suffix(".tmp.dcm").unlink()
    dataset.file_meta.TransferSyntaxUID = encoded.file_meta.TransferSyntaxUID
    dataset.PixelData = encoded.PixelData
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)


@pytest.mark.parametrize("kind", ["RLE", "JPEG-LS", "JPEG lossless", "JPEG 2000"])
def test_compressed_series_are_decoded_exactly(tmp_path, kind):
    syntaxes = {"RLE": pydicom.uid.RLELossless, "JPEG-LS": pydicom.uid.JPEGLSLossless}
    if kind == "JPEG-LS":
        pytest.importorskip("jpeg_ls", reason="pyjpegls writes the JPEG-LS test series")
    image = head((20, 24, 10), (10, 9, 12))
    paths = write_series(tmp_path, image, 3, syntax=syntaxes.get(kind))
    if kind not in syntaxes:
        for path in paths:
            _encode_with_gdcm(path, {"JPEG lossless": "JPEG", "JPEG 2000": "JPEG2000"}[kind])
    assert pydicom.dcmread(paths[0]).file_meta.TransferSyntaxUID.is_compressed
    assert_same_voxels_at_the_same_places(read_series_image(only_series(tmp_path)), image)


def test_a_file_that_was_cut_is_named(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    paths[4].write_bytes(paths[4].read_bytes()[:-700])
    with pytest.raises(
        InputError, match=f"1 slice is missing.*{paths[4].name}: cut short"
    ) as error:
        read_series_image(only_series(tmp_path))
    assert "again" in error.value.remedy


def test_a_compressed_file_that_was_cut_is_named(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    _encode_with_gdcm(paths[4], "JPEG")
    paths[4].write_bytes(paths[4].read_bytes()[:-300])
    with pytest.raises(InputError, match=rf"{paths[4].name}: cut short"):
        read_series_image(only_series(tmp_path))


def test_colour_pictures_are_refused(tmp_path):
    source = pydicom.data.get_testdata_file("SC_rgb_rle_2frame.dcm")
    shutil.copy(source, tmp_path / "a.dcm")
    assert only_series(tmp_path).problem is not None
    with pytest.raises(InputError):
        read_series_image(only_series(tmp_path))
