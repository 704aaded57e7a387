"""Enhanced multi-frame objects of DICOM."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.sequences import Sequence, Verdict
from BrainTumorSegLib.io.dicom.pixels import read_series_image
from BrainTumorSegLib.io.dicom.study import propose_sequences, read_study

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

from dicom_checks import assert_same_voxels_at_the_same_places, only_series  # noqa: E402
from dicom_factory import head, rotation, write_enhanced, write_series  # noqa: E402

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR


@pytest.mark.parametrize("order", ["ascending", "descending", "interleaved"])
def test_an_enhanced_object_lies_where_it_was(tmp_path, order):
    image = head((20, 24, 10), (5, 4, 7), rotation(12, -25, 8))
    write_enhanced(tmp_path / "e.dcm", image, 3, order=order)
    assert_same_voxels_at_the_same_places(read_series_image(only_series(tmp_path)), image)


@pytest.mark.parametrize("even", [True, False])
def test_rescale_slopes_of_an_enhanced_object_are_applied(tmp_path, even):
    image = head((20, 24, 10), (10, 9, 12))
    slopes = [2.5] * 10 if even else [1.0 + 0.25 * k for k in range(10)]
    write_enhanced(tmp_path / "e.dcm", image, 3, order="interleaved", slopes=slopes)
    found = sitk.GetArrayFromImage(read_series_image(only_series(tmp_path)))
    expected = sitk.GetArrayFromImage(image) * np.array(slopes)[:, None, None]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_timing_of_an_enhanced_object_is_found_in_its_groups(tmp_path):
    times = {"RepetitionTime": 9000.0, "EchoTime": 120.0, "InversionTime": 2500.0}
    write_enhanced(
        tmp_path / "e.dcm",
        head((20, 24, 10), (10, 9, 12)),
        3,
        contrast="FLUID_ATTENUATED",
        frames=times,
        EchoPulseSequence="SPIN",
        InversionRecovery="YES",
    )
    series = only_series(tmp_path)
    assert series.attributes["ScanningSequence"] == "SE\\IR"
    found = propose_sequences(read_study(tmp_path)).recognitions["3"]
    assert found.sequence is FLAIR
    assert "TI 2500 ms" in found.reason
    assert "FLUID_ATTENUATED" in found.reason


def test_an_object_converted_from_classic_files_is_the_same_volume(tmp_path):
    highdicom = pytest.importorskip("highdicom", reason="DICOM needs the extra 'dicom'")
    from highdicom.legacy import LegacyConvertedEnhancedMRImage

    image = head((20, 24, 10), (5, 4, 7), rotation(12, -25, 8))
    paths = write_series(tmp_path / "classic", image, 3, "t1ce", order="interleaved")
    converted = LegacyConvertedEnhancedMRImage(
        [pydicom.dcmread(path) for path in paths],
        series_instance_uid=highdicom.UID(),
        series_number=103,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
    )
    (tmp_path / "enhanced").mkdir()
    converted.save_as(tmp_path / "enhanced" / "e.dcm")
    assert_same_voxels_at_the_same_places(
        read_series_image(only_series(tmp_path / "enhanced")), image
    )


def _nibabel_sample(name: str, folder: Path) -> Path:
    source = Path(nibabel.__file__).parent / "nicom" / "tests" / "data" / name
    if not source.is_file():
        pytest.skip("this nibabel came without its DICOM samples")
    folder.mkdir(parents=True, exist_ok=True)
    content = source.read_bytes()
    target = folder / name.removesuffix(".gz")
    target.write_bytes(gzip.decompress(content) if name.endswith(".gz") else content)
    return target


def test_a_real_enhanced_object_of_a_scanner_is_read_and_recognised(tmp_path):
    path = _nibabel_sample("philips_mprage.dcm.gz", tmp_path / "mr")
    study = read_study(tmp_path)
    (series,) = study.series
    assert propose_sequences(study).recognitions[series.key].sequence is T1
    image = read_series_image(series)
    assert image.GetSize() == (256, 256, 176)
    assert image.GetSpacing() == pytest.approx((1, 1, 1), abs=1e-4)
    stored = pydicom.dcmread(path)
    slope = stored.PerFrameFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    for frame in (0, 100):
        position = stored.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0]
        index = image.TransformPhysicalPointToIndex(
            [float(v) for v in position.ImagePositionPatient]
        )
        assert index[:2] == (0, 0)
        np.testing.assert_allclose(
            sitk.GetArrayViewFromImage(image)[index[2]],
            stored.pixel_array[frame] * float(slope.RescaleSlope),
            rtol=1e-5,
        )


@pytest.mark.parametrize("name", ["siemens_dwi_1000.dcm.gz", "slicethickness_empty_string.dcm"])
def test_real_diffusion_and_projection_images_are_refused(tmp_path, name):
    _nibabel_sample(name, tmp_path)
    (found,) = propose_sequences(read_study(tmp_path)).recognitions.values()
    assert found.verdict is Verdict.OTHER
