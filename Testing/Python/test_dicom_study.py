"""Reading DICOM studies: finding files, forming volumes, geometry and pixels."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import binary_erosion

from BrainTumorSegLib.errors import Cancelled, DependencyError, InputError
from BrainTumorSegLib.io.dicom_pixels import read_series_image
from BrainTumorSegLib.io.dicom_study import (
    load_case_from_study,
    propose_sequences,
    read_study,
)
from BrainTumorSegLib.progress import CancelToken, Progress
from BrainTumorSegLib.sequence_headers import number
from BrainTumorSegLib.sequences import Sequence, Verdict

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

from dicom_factory import (  # noqa: E402
    Examination,
    head,
    rotation,
    write_enhanced,
    write_series,
)

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR

ORIENTATIONS = {
    "axial": np.eye(3),
    "axial from above, left-handed": np.diag([1.0, 1.0, -1.0]),
    "sagittal": np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float),
    "coronal": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float),
    "feet first": np.diag([-1.0, 1.0, -1.0]),
    "oblique": rotation(12, -25, 8),
    "oblique sagittal": rotation(7, 9, -11) @ np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]]),
    "upside down, oblique": rotation(170, 10, 30),
}


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


def test_the_real_study_is_the_same_through_dicom_as_through_nifti(tmp_path, real_data):
    names = {"t1": "T1_AX", "t1ce": "T1_AX_POST_GAD", "flair": "FLAIR_AX"}
    folder, examination = real_data / "clinical" / "TCGA-FG-6692", Examination()
    scans = {k: sitk.ReadImage(str(folder / f"{name}.nii.gz")) for k, name in names.items()}
    small = head((20, 24, 10), (10, 9, 12))
    write_series(tmp_path / "loc", small, 1, "localizer", examination)
    write_series(tmp_path / "t2", small, 2, "t2", examination)
    write_series(tmp_path / "dwi", small, 3, "dwi", examination)
    write_series(tmp_path / "a" / "b", scans["t1"], 4, "t1", examination, "interleaved", suffix="")
    write_series(tmp_path / "a" / "c", scans["flair"], 5, "flair", examination, "descending")
    write_series(tmp_path / "d", scans["t1ce"], 6, "t1ce", examination, suffix=".IMA")
    write_series(tmp_path / "e", small, 7, "subtraction", examination)
    case = load_case_from_study(read_study(tmp_path))
    assert {s.value for s in case.scans} == set(names)
    assert case.warnings == ()
    for sequence, scan in case.scans.items():
        assert_same_voxels_at_the_same_places(scan.image, scans[sequence.value])


def test_files_of_other_kinds_and_strange_names_do_not_matter(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    write_series(tmp_path / "Ordner mit Umlaut ä" / "1" / "2", image, 3, suffix="")
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8" + bytes(500))
    report = pydicom.dcmread(pydicom.data.get_testdata_file("test-SR.dcm"))
    report.save_as(tmp_path / "report")
    assert_same_voxels_at_the_same_places(read_series_image(only_series(tmp_path)), image)


def test_a_dicomdir_may_be_given_and_is_no_image_itself(tmp_path):
    from pydicom.fileset import FileSet

    image = head((20, 24, 10), (10, 9, 12))
    files = FileSet()
    for path in write_series(tmp_path / "in", image, 3):
        files.add(path)
    files.write(tmp_path / "cd")
    for place in (tmp_path / "cd", tmp_path / "cd" / "DICOMDIR"):
        assert len(only_series(place).frames) == 10


def test_old_files_without_a_preamble_are_read(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    for path in write_series(tmp_path, image, 3):
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        meta, dataset.preamble = dataset.file_meta, None
        with path.open("wb") as file:
            pydicom.filewriter.write_dataset(_implicit(file), dataset)
        assert meta is not None
        assert path.read_bytes()[128:132] != b"DICM"
    assert_same_voxels_at_the_same_places(read_series_image(only_series(tmp_path)), image)


def _implicit(file):
    from pydicom.filebase import DicomFileLike

    file = DicomFileLike(file)
    file.is_implicit_VR, file.is_little_endian = True, True
    return file


def test_a_localizer_in_three_planes_falls_into_three_volumes(tmp_path):
    uid, examination = pydicom.uid.generate_uid(), Examination()
    for name in ("axial", "sagittal", "coronal"):
        image = head((20, 24, 6), (10, 9, 12), ORIENTATIONS[name])
        write_series(tmp_path / name, image, 1, "localizer", examination, uid=uid)
    study = read_study(tmp_path)
    assert [s.key for s in study.series] == ["1a", "1b", "1c"]
    assert {len(s.frames) for s in study.series} == {6}
    with pytest.raises(InputError, match="holds 3 volumes"):
        study.find("1")
    assert study.find("1b").key == "1b"


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("EchoTime", (10.0, 90.0)),
        ("ImageType", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])),
        ("InversionTime", (700.0, 2500.0)),
        ("AcquisitionNumber", (1, 2)),
        ("TemporalPositionIdentifier", (1, 2)),
    ],
)
def test_volumes_that_share_series_and_positions_are_told_apart(tmp_path, keyword, values):
    uid, examination = pydicom.uid.generate_uid(), Examination()
    images = [head((20, 24, 10), (10, 9, 12), seed=i) for i in range(2)]
    for i, (image, value) in enumerate(zip(images, values, strict=True)):
        write_series(tmp_path / str(i), image, 5, "t1", examination, uid=uid, **{keyword: value})
    study = read_study(tmp_path)
    assert [s.key for s in study.series] == ["5a", "5b"]
    for series, image in zip(study.series, images, strict=True):
        assert_same_voxels_at_the_same_places(read_series_image(series), image)


def test_volumes_that_nothing_tells_apart_are_refused(tmp_path):
    uid, examination = pydicom.uid.generate_uid(), Examination()
    for i in range(2):
        image = head((20, 24, 10), (10, 9, 12), seed=i)
        examination.minutes = 0
        write_series(tmp_path / str(i), image, 5, "t1", examination, uid=uid)
    series = only_series(tmp_path)
    with pytest.raises(InputError, match=r"series 5 .*10 position\(s\) hold several images"):
        read_series_image(series)


def test_copies_of_files_are_left_out_with_a_warning(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    paths = write_series(tmp_path / "a", image, 3)
    shutil.copytree(tmp_path / "a", tmp_path / "backup")
    series = only_series(tmp_path)
    assert len(series.files) == len(paths)
    assert series.warnings == ("10 duplicate image(s) were left out",)


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
    with pytest.raises(InputError, match=f"{paths[4].name} is cut short") as error:
        read_series_image(only_series(tmp_path))
    assert "again" in error.value.remedy


def test_a_damaged_compressed_file_is_named_with_its_syntax(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    _encode_with_gdcm(paths[4], "JPEG")
    paths[4].write_bytes(paths[4].read_bytes()[:-300])
    with pytest.raises(InputError, match=rf"{paths[4].name} \(transfer syntax JPEG Lossless"):
        read_series_image(only_series(tmp_path))


def test_a_file_whose_header_is_damaged_is_left_out_with_a_warning(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    content = bytearray(paths[9].read_bytes())
    paths[9].write_bytes(content[:300])
    study = read_study(tmp_path)
    assert len(study.series[0].frames) == 9
    assert len(study.warnings) == 1
    assert paths[9].name in study.warnings[0]


def test_attributes_that_break_their_own_rules_are_passed_over(tmp_path):
    image = head((20, 24, 10), (10, 9, 12))
    for path in write_series(tmp_path, image, 3):
        content = path.read_bytes()
        for tag in (b"\x18\x00\x14\x13DS", b"\x18\x00\x81\x00DS"):  # flip angle, echo time
            start = content.index(tag) + 8
            content = content[:start] + b"??" + content[start + 2 :]
        path.write_bytes(content)
    series = only_series(tmp_path)
    assert number(series.attributes, "EchoTime") is None
    assert series.attributes["RepetitionTime"] == "500.0"
    assert_same_voxels_at_the_same_places(read_series_image(series), image)


def test_colour_pictures_are_refused(tmp_path):
    source = pydicom.data.get_testdata_file("SC_rgb_rle_2frame.dcm")
    shutil.copy(source, tmp_path / "a.dcm")
    assert only_series(tmp_path).problem is not None
    with pytest.raises(InputError):
        read_series_image(only_series(tmp_path))


# Enhanced multi-frame objects


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


@pytest.mark.parametrize(
    "name", ["siemens_dwi_1000.dcm.gz", "csa_slice_norm.dcm", "slicethickness_empty_string.dcm"]
)
def test_real_diffusion_functional_and_projection_images_are_refused(tmp_path, name):
    _nibabel_sample(name, tmp_path)
    (found,) = propose_sequences(read_study(tmp_path)).recognitions.values()
    assert found.verdict is Verdict.OTHER


# Several studies and patients


def test_several_patients_are_refused_without_naming_them(tmp_path):
    small = head((20, 24, 10), (10, 9, 12))
    for i, name in enumerate(("Doe^Jane", "Roe^Richard")):
        examination = Examination(patient=f"ID{i}", name=name, date=f"2024051{i}")
        write_series(tmp_path / str(i), small, 1, "t1ce", examination)
    with pytest.raises(InputError, match="2 patients") as error:
        read_study(tmp_path)
    assert "[1] patient 1, 20240510 MR head, 1 series" in str(error.value)
    assert not any(text in str(error.value) for text in ("Doe", "Roe", "ID0", "ID1"))
    second = read_study(tmp_path, study="2")
    assert second.series[0].files[0].parent.name == "1"
    assert read_study(tmp_path, study=second.uid) == second


def test_several_studies_of_one_patient_are_refused_until_one_is_chosen(tmp_path):
    small = head((20, 24, 10), (10, 9, 12))
    for i, date in enumerate(("20230101", "20240101")):
        write_series(tmp_path / str(i), small, 1, "t1ce", Examination(date=date))
    with pytest.raises(InputError, match="2 studies") as error:
        read_study(tmp_path)
    assert "choose a study" in error.value.remedy
    assert read_study(tmp_path, study="2").series[0].files[0].parent.name == "1"
    with pytest.raises(InputError, match="no study 3"):
        read_study(tmp_path, study="3")


def test_a_study_without_mri_beside_the_mri_is_left_out_with_a_warning(tmp_path):
    small = head((20, 24, 10), (10, 9, 12))
    write_series(tmp_path / "mr", small, 1, "t1ce", Examination())
    write_series(tmp_path / "ct", small, 1, "t1", Examination(), Modality="CT")
    study = read_study(tmp_path)
    assert study.series[0].attributes["Modality"] == "MR"
    assert "without MRI" in study.warnings[0]


def test_real_files_of_several_patients_in_nested_folders_are_told_apart(tmp_path):
    folder = Path(pydicom.data.get_testdata_file("CT_small.dcm")).parent / "dicomdirtests"
    if not folder.is_dir():
        pytest.skip("this pydicom came without its DICOMDIR samples")
    with pytest.raises(InputError, match="2 patients"):
        read_study(folder)
    with pytest.raises(InputError, match=r"3 studies: .*Brain-MRA"):
        read_study(folder / "98892003")
    study = read_study(folder / "98892003", study="1")
    proposal = propose_sequences(study)
    assert len(study.series) >= 3
    assert proposal.chosen == {}
    assert all(r.verdict is Verdict.OTHER for r in proposal.recognitions.values())


# Bad input


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="no DICOM image") as error:
        read_study(tmp_path)
    assert "archives" in error.value.remedy


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_study(tmp_path / "nowhere")
    (tmp_path / "study.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="not a folder"):
        read_study(tmp_path / "study.zip")


def test_a_missing_pydicom_is_reported_with_the_extra_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DependencyError, match="pydicom") as error:
        read_study(tmp_path)
    assert "BrainTumorSeg[dicom]" in error.value.remedy


def test_reading_reports_progress_and_can_be_cancelled(tmp_path):
    write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    events = []
    read_study(tmp_path, progress=Progress(sinks=(events.append,)))
    assert (events[-1].step, events[-1].total) == (10, 10)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        read_study(tmp_path, progress=Progress(cancel=token))


def test_nothing_in_the_folder_is_changed(tmp_path):
    paths = write_series(tmp_path, head((20, 24, 10), (10, 9, 12)), 3)
    before = {path: path.read_bytes() for path in paths}
    read_series_image(only_series(tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
