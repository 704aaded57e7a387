"""Everything a person may hand us by mistake: each is refused by name, with a remedy."""

from __future__ import annotations

import gzip
import os
import shutil
from types import SimpleNamespace

import nibabel
import numpy as np
import psutil
import pytest
import SimpleITK as sitk
from nifti_files import STRAIGHT, head_values, write_nifti

from BrainTumorSegLib.core import case as case_module
from BrainTumorSegLib.core.errors import BrainTumorSegError, InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io import volumes
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.headers import nifti_header
from BrainTumorSegLib.io.labelmaps import read_labels
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd
from BrainTumorSegLib.io.volumes import read_image, read_scan

FORMATS = [
    (".nii", False),
    (".nii.gz", True),
    (".nrrd", False),
    (".nrrd", True),
    (".mha", False),
    (".mha", True),
]
FORMAT_NAMES = [f"{suffix}{'-compressed' if packed else ''}" for suffix, packed in FORMATS]


def scan_file(path, packed=False):
    image = sitk.GetImageFromArray(head_values().transpose(2, 1, 0))
    image.SetSpacing((4, 4, 5))
    sitk.WriteImage(image, str(path), useCompression=packed)
    return path


def refused(path, reading=read_image):
    """The error for a file; it must name the file and say what to do, and print nothing."""
    with pytest.raises(InputError) as caught:
        reading(path)
    error = caught.value
    assert str(path) in error.message
    assert error.remedy
    return error


@pytest.fixture(autouse=True)
def nothing_is_printed(capfd):
    yield
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize("reading", [read_image, read_scan, read_labels, read_seg_nrrd])
def test_a_missing_file(tmp_path, reading):
    error = refused(tmp_path / "T1 Иванов.nii.gz", reading)
    assert "does not exist" in error.message


def test_a_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / "scans.nii.gz").mkdir()
    error = refused(tmp_path / "scans.nii.gz")
    assert "is a folder" in error.message
    assert "DICOM folder" in error.remedy


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "cannot be opened: Not a directory" in refused(tmp_path / "file" / "t1.nii").message


def test_a_file_that_may_not_be_read_for_real(tmp_path):
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("the administrator may read everything")
    path = scan_file(tmp_path / "t1.nii")
    path.chmod(0)
    assert "Permission denied" in refused(path).message


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = scan_file(tmp_path / "t1.nii")

    def deny(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "open", deny)
    error = refused(path)
    assert "cannot be opened: Permission denied" in error.message
    assert "may read it" in error.remedy


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_an_empty_file(tmp_path, suffix):
    path = tmp_path / f"t1{suffix}"
    path.touch()
    assert "is empty" in refused(path).message


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("I0001.dcm", "folder of the whole study"),
        ("I0001.dcm.gz", "unpack the whole study"),
        ("scan.hdr", "left and right"),
        ("scan.img", "left and right"),
        ("brain.mgz", "mri_convert"),
        ("study.zip", "Unpack"),
        ("scan.raw", "header file"),
        ("report.pdf", ".nii, .nii.gz, .nrrd"),
        ("scan", ".nii, .nii.gz, .nrrd"),
    ],
)
def test_a_format_that_cannot_be_read(tmp_path, name, hint):
    (tmp_path / name).write_bytes(b"something")
    error = refused(tmp_path / name)
    assert "format that cannot be read" in error.message
    assert hint in error.remedy


@pytest.mark.parametrize("name", ["IM0001", "1.2.840.113619.2.5"])
def test_a_dicom_slice_without_an_ending(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(128) + b"DICM" + bytes(300))
    assert "folder of the whole study" in refused(tmp_path / name).remedy


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_text_under_the_name_of_a_scan(tmp_path, suffix):
    path = tmp_path / f"t1{suffix}"
    path.write_text("<html><body>404 not found</body></html>\n" * 20)
    assert "of no known format" in refused(path).message


@pytest.mark.parametrize(
    ("true", "claimed", "told"),
    [
        (".nrrd", ".nii.gz", "NRRD"),
        (".nii", ".nii.gz", "NIfTI"),
        (".nii.gz", ".nii", "compressed NIfTI"),
        (".mha", ".nrrd", "MetaImage"),
        (".nii", ".mha", "NIfTI"),
    ],
)
def test_a_true_scan_under_a_wrong_ending(tmp_path, true, claimed, told):
    path = tmp_path / f"t1{claimed}"
    shutil.move(scan_file(tmp_path / f"x{true}"), path)
    error = refused(path)
    assert f"its content is {told}" in error.message
    assert "true format" in error.remedy


def test_a_dicom_file_under_the_name_of_a_scan(tmp_path):
    path = tmp_path / "t1.nii"
    path.write_bytes(bytes(128) + b"DICM" + bytes(1000))
    assert "its content is DICOM" in refused(path).message


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_nifti_2_file(tmp_path, suffix):
    path = tmp_path / f"t1{suffix}"
    nibabel.save(nibabel.Nifti2Image(head_values(), STRAIGHT), path)
    error = refused(path)
    assert "NIfTI-2" in error.message
    assert "Convert it" in error.remedy


@pytest.mark.parametrize(("suffix", "packed"), FORMATS, ids=FORMAT_NAMES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.999])
def test_a_file_cut_short(tmp_path, suffix, packed, share):
    path = scan_file(tmp_path / f"t1{suffix}", packed)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    error = refused(path)
    assert "again" in error.remedy


@pytest.mark.parametrize(("suffix", "packed"), FORMATS, ids=FORMAT_NAMES)
def test_a_file_that_lacks_its_last_byte_of_voxels(tmp_path, suffix, packed):
    path = scan_file(tmp_path / f"t1{suffix}", packed)
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut short" in refused(path).message


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_damaged_byte_in_compressed_voxels_is_never_read_as_noise(tmp_path, suffix):
    path = scan_file(tmp_path / f"t1{suffix}", packed=True)
    whole, pixels = path.read_bytes(), sitk.GetArrayFromImage(read_image(path))
    random, noticed = np.random.default_rng(0), 0
    for position in random.integers(len(whole) // 10, len(whole), 40):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << random.integers(8)
        path.write_bytes(bytes(damaged))
        try:
            assert np.array_equal(sitk.GetArrayFromImage(read_image(path)), pixels)
        except InputError as error:
            noticed += 1
            assert str(path) in error.message
    assert noticed >= 35


def test_a_gzip_file_may_have_several_members_and_padding(tmp_path):
    plain = scan_file(tmp_path / "t1.nii").read_bytes()
    path = tmp_path / "t1.nii.gz"
    path.write_bytes(gzip.compress(plain[:5000]) + gzip.compress(plain[5000:]) + bytes(512))
    assert np.array_equal(
        sitk.GetArrayFromImage(read_image(path)),
        sitk.GetArrayFromImage(read_image(tmp_path / "t1.nii")),
    )


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_detached_header_without_its_data(tmp_path, suffix, packed):
    path = scan_file(tmp_path / f"t1{suffix}", packed)
    (data,) = [p for p in tmp_path.iterdir() if p != path]
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    assert "cut short" in refused(path).message
    data.unlink()
    error = refused(path)
    assert f"keeps its voxels in {data}, which does not exist" in error.message
    assert "together" in error.remedy
    assert str(data) in refused(path, read_scan).message


def test_several_time_points(tmp_path):
    path = write_nifti(tmp_path / "perfusion.nii", np.stack([head_values()] * 3, axis=-1))
    error = refused(path)
    assert "4 dimensions (40x46x30x3)" in error.message
    assert "one time point" in error.remedy


def test_a_colour_picture(tmp_path):
    values = np.zeros((40, 46, 30), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    error = refused(write_nifti(tmp_path / "screenshot.nii", values))
    assert "3 values a voxel" in error.message
    assert "scalar" in error.remedy


def test_complex_numbers(tmp_path):
    path = write_nifti(tmp_path / "kspace.nii", head_values(dtype=np.complex64))
    error = refused(path)
    assert "complex" in error.message
    assert "magnitude" in error.remedy


def test_a_single_picture(tmp_path):
    path = tmp_path / "slice.nrrd"
    sitk.WriteImage(sitk.Image(64, 64, sitk.sitkUInt8), str(path))
    assert "single 2D picture" in refused(path).message
    path = write_nifti(tmp_path / "slice.nii", head_values((40, 46)))
    assert "single 2D picture" in refused(path).message


def test_a_volume_of_one_slice(tmp_path):
    path = write_nifti(tmp_path / "slice.nii", head_values((240, 240, 1)))
    error = refused(path, lambda p: load_case({Sequence.T1CE: p}))
    assert "only 1 slice(s)" in error.message


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_values(tmp_path, suffix, bad):
    """ITK's NIfTI reader would turn them into zeros without a word."""
    values = head_values(dtype=np.float32)
    values[-1, -1, -1] = bad
    path = tmp_path / f"t1ce{suffix}"
    if suffix.startswith(".nii"):
        write_nifti(path, values)
    else:
        image = sitk.GetImageFromArray(values.transpose(2, 1, 0))
        image.SetSpacing((4, 4, 5))
        sitk.WriteImage(image, str(path))
    error = refused(path, lambda p: load_case({Sequence.T1CE: p}))
    assert "NaN or infinite" in error.message


def test_a_constant_scan(tmp_path):
    path = write_nifti(tmp_path / "t1ce.nii.gz", np.full((40, 46, 30), 7, np.int16))
    error = refused(path, lambda p: load_case({Sequence.T1CE: p}))
    assert "same value 7 everywhere" in error.message


def huge_nifti(path, size):
    """A header that promises far more than the file holds; the file itself is tiny."""
    write_nifti(path)
    header = nifti_header(path)
    header["dim"][1:4] = size
    raw = bytearray(path.read_bytes())
    raw[:348] = header.binaryblock
    path.write_bytes(bytes(raw))
    return path


def test_a_huge_scan_is_refused_from_its_header(tmp_path, monkeypatch):
    path = huge_nifti(tmp_path / "micro.nii", (3000, 3000, 2000))

    def never(*_):
        pytest.fail("the voxels must not be touched")

    monkeypatch.setattr(volumes, "_execute", never)
    monkeypatch.setattr(volumes, "check_whole", never)
    error = refused(path)
    assert "too large (3000x3000x2000 voxels)" in error.message
    assert "Resample" in error.remedy


def test_a_header_that_promises_more_than_the_file_holds(tmp_path):
    path = huge_nifti(tmp_path / "t1.nii", (60, 60, 60))
    assert "cut short: it holds" in refused(path).message


def test_a_scan_as_large_as_allowed_is_not_refused_for_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(volumes, "MAX_VOXELS", 40 * 46 * 30)
    assert read_image(write_nifti(tmp_path / "t1.nii")).GetSize() == (40, 46, 30)
    monkeypatch.setattr(volumes, "MAX_VOXELS", 40 * 46 * 30 - 1)
    assert "too large" in refused(tmp_path / "t1.nii").message
    assert case_module.MAX_VOXELS >= 512**3


def test_a_scan_that_the_memory_cannot_hold(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "t1.nii")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100_000))
    monkeypatch.setattr(volumes, "_execute", lambda *_: pytest.fail("must not be read"))
    error = refused(path)
    assert "GB of memory" in error.message
    assert "Close other programs" in error.remedy


def test_memory_that_runs_out_while_reading(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "t1.nii")

    class Reader(sitk.ImageFileReader):
        def Execute(self):  # noqa: N802
            raise RuntimeError("ITK ERROR: Failed to allocate memory for image.")

    monkeypatch.setattr(sitk, "ImageFileReader", Reader)
    assert "not enough memory to read" in refused(path).message


def test_a_nifti_file_that_does_not_say_where_the_head_lies(tmp_path):
    error = refused(write_nifti(tmp_path / "t1.nii", sform=None, qform=None))
    assert "does not say where the head lies" in error.message
    assert "dcm2niix" in error.remedy


def changed(row, column, value):
    matrix = STRAIGHT.copy()
    matrix[row, column] = value
    return matrix


@pytest.mark.parametrize(
    "sform",
    [changed(0, 1, 1.0), changed(0, 1, 0.02), changed(0, 0, np.nan), np.zeros((4, 4))],
    ids=["skewed", "slightly skewed", "NaN", "zero"],
)
def test_a_nifti_file_whose_only_orientation_is_broken(tmp_path, sform):
    error = refused(write_nifti(tmp_path / "t1.nii", sform=sform, qform=None))
    assert "axes that are skewed, empty or not finite" in error.message
    assert "straight grid" in error.remedy


def test_rounding_in_a_nifti_orientation_is_no_mistake(tmp_path):
    path = write_nifti(tmp_path / "t1.nii", sform=changed(0, 1, 2e-5), qform=None)
    direction = np.array(read_image(path).GetDirection()).reshape(3, 3)
    np.testing.assert_allclose(direction @ direction.T, np.eye(3), atol=1e-4)


def test_two_voxel_sizes_in_one_nifti_header(tmp_path):
    error = refused(write_nifti(tmp_path / "t1.nii", sform=STRAIGHT @ np.diag([1, 1, 0.5, 1])))
    assert "4 x 4 x 5 mm, by its sform 4 x 4 x 2.5 mm" in error.message


def test_an_orientation_that_swaps_left_and_right_within_one_header(tmp_path):
    error = refused(write_nifti(tmp_path / "t1.nii", sform=STRAIGHT @ np.diag([-1, 1, 1, 1])))
    assert "swap left and right" in error.message


@pytest.mark.parametrize("bad", [0, -4, np.nan, np.inf])
def test_a_voxel_size_that_is_none(tmp_path, bad):
    zooms = np.array([1, bad, 4, 5, 1, 1, 1, 1])
    error = refused(write_nifti(tmp_path / "t1.nii", pixdim=zooms))
    assert "no valid voxel size" in error.message


@pytest.mark.parametrize(
    ("directions", "told"),
    [
        ("(4,0,0) (1,4,0) (0,0,5)", "skewed"),
        ("(4,0,0) (4,0,0) (0,0,5)", "skewed"),
        ("(4,0,0) (0,0,0) (0,0,5)", "skewed"),
    ],
)
def test_an_nrrd_file_with_impossible_axes(tmp_path, directions, told):
    path = tmp_path / "t1.nrrd"
    header = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 40 46 30\n"
        f"space directions: {directions}\nencoding: raw\nendian: little\n\n"
    )
    path.write_bytes(header.encode() + head_values().tobytes(order="F"))
    assert told in refused(path).message


def test_files_that_leave_left_and_right_open(tmp_path):
    voxels = head_values().tobytes(order="F")
    nrrd, mha = tmp_path / "t1.nrrd", tmp_path / "t1.mha"
    nrrd.write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 40 46 30\nspacings: 4 4 5\n"
        b"encoding: raw\nendian: little\n\n" + voxels
    )
    mha.write_bytes(
        b"ObjectType = Image\nNDims = 3\nDimSize = 40 46 30\nElementSpacing = 4 4 5\n"
        b"ElementType = MET_SHORT\nElementDataFile = LOCAL\n" + voxels
    )
    for path in (nrrd, mha):
        error = refused(path)
        assert "left and right cannot be told apart" in error.message
        assert "3D Slicer" in error.remedy


def test_an_nrrd_header_that_makes_no_sense(tmp_path):
    path = tmp_path / "t1.nrrd"
    path.write_bytes(b"NRRD0004\ntype: short\nsizes: many\n\n" + bytes(100))
    assert "header" in refused(path).message


def test_every_refusal_counts_as_a_mistake_of_input_for_the_command_line(tmp_path):
    with pytest.raises(BrainTumorSegError) as caught:
        read_image(tmp_path / "none.nii")
    assert caught.value.exit_code == 3
