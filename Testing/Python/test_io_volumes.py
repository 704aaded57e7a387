"""Scans in, images out: every format, every grid."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import textwrap
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from nifti_files import STRAIGHT, write_nifti

from BrainTumorSegLib.core.case import make_case
from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.grids import lattice_offset, place_on_grid
from BrainTumorSegLib.io.volumes import (
    WRITABLE_SUFFIXES,
    file_sha256,
    read_image,
    read_scan,
    write_image,
)

CHECKOUT = Path(__file__).resolve().parents[2]
READABLE = (*WRITABLE_SUFFIXES, ".nhdr", ".mhd")


def rotation(*angles):
    transform = sitk.Euler3DTransform()
    transform.SetRotation(*angles)
    return np.array(transform.GetMatrix()).reshape(3, 3)


def scan_image(pixel=sitk.sitkInt16, size=(40, 46, 30), spacing=(4, 4, 5), turn=(0, 0, 0), seed=0):
    """Noise on a grid the size of a head."""
    values = np.random.default_rng(seed).integers(0, 200, size[::-1])
    image = sitk.Cast(sitk.GetImageFromArray(values.astype(np.int16)), pixel)
    image.SetSpacing(spacing)
    image.SetOrigin((-81.5, -90.25, -70.75))
    image.SetDirection((rotation(*turn) @ np.diag([1, -1, 1])).ravel().tolist())
    return image


def assert_same_image(a, b, tolerance=1e-5):
    assert a.GetSize() == b.GetSize()
    assert np.array_equal(sitk.GetArrayFromImage(a), sitk.GetArrayFromImage(b))
    for get in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(a, get)(), getattr(b, get)(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("suffix", READABLE)
@pytest.mark.parametrize("turn", [(0, 0, 0), (0.3, -0.2, 0.1)], ids=["straight", "oblique"])
def test_every_format_keeps_voxels_and_geometry(tmp_path, suffix, turn):
    image, path = scan_image(turn=turn), tmp_path / f"scan{suffix}"
    sitk.WriteImage(image, str(path))
    assert_same_image(read_image(path), image)


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
@pytest.mark.parametrize("pixel", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkFloat32])
def test_what_is_written_reads_back_the_same(tmp_path, suffix, pixel):
    image, path = scan_image(pixel, turn=(0.1, 0.2, 0.3)), tmp_path / f"result{suffix}"
    write_image(image, path)
    again = read_image(path)
    assert again.GetPixelID() == pixel
    assert_same_image(again, image)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_compressed_formats_are_compressed(tmp_path, suffix):
    image, path = sitk.Image(64, 64, 64, sitk.sitkFloat32), tmp_path / f"zeros{suffix}"
    write_image(image, path)
    assert path.stat().st_size < 64**3 / 10


def test_class_probabilities_with_five_values_a_voxel_can_be_written(tmp_path):
    values = np.random.default_rng(0).random((6, 7, 8, 5), np.float32)
    image = sitk.GetImageFromArray(values, isVector=True)
    for suffix in WRITABLE_SUFFIXES:
        write_image(image, tmp_path / f"p{suffix}")
        again = sitk.ReadImage(str(tmp_path / f"p{suffix}"))
        assert np.array_equal(sitk.GetArrayFromImage(again), values)


@pytest.mark.parametrize(
    "name", ["Кирилл Ж.nii.gz", "with blanks and (brackets).nrrd", "ü é 脑.mha"]
)
def test_names_with_blanks_and_foreign_letters_work(tmp_path, name):
    folder = tmp_path / "Папка с данными"
    folder.mkdir()
    image = scan_image()
    write_image(image, folder / name)
    assert_same_image(read_image(folder / name), image)
    assert read_scan(folder / name).source == str(folder / name)


def test_upper_case_endings_work(tmp_path):
    write_image(scan_image(), tmp_path / "T1.NII.GZ")
    assert read_image(tmp_path / "T1.NII.GZ").GetSize() == (40, 46, 30)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii"])
def test_four_dimensions_with_one_time_point_are_read_as_three(tmp_path, suffix):
    image, path = scan_image(), tmp_path / f"one{suffix}"
    sitk.WriteImage(sitk.JoinSeries([image]), str(path))
    again = read_image(path)
    assert again.GetDimension() == 3
    assert np.array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(image))


def test_a_detached_header_finds_its_data_from_any_working_folder(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    image = scan_image()
    for suffix in (".nhdr", ".mhd"):
        sitk.WriteImage(image, str(tmp_path / "in" / f"scan{suffix}"), useCompression=True)
        monkeypatch.chdir(tmp_path)
        assert_same_image(read_image(Path("in") / f"scan{suffix}"), image)


def test_the_hash_of_a_scan_is_that_of_its_file(tmp_path):
    path = tmp_path / "a.nii.gz"
    write_image(scan_image(), path)
    assert read_scan(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_the_hash_behind_a_detached_header_covers_the_data(tmp_path, suffix):
    hashes = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        path = tmp_path / str(seed) / f"scan{suffix}"
        sitk.WriteImage(scan_image(seed=seed), str(path))
        hashes.append(file_sha256(path))
    headers = {(tmp_path / n / f"scan{suffix}").read_bytes() for n in "12"}
    assert len(headers) == 1
    assert hashes[0] != hashes[1]


def test_an_image_is_not_written_in_formats_of_two_files(tmp_path):
    for name in ("a.nhdr", "a.mhd", "a.img", "a.png", "a"):
        with pytest.raises(OutputError, match=r"ending that is not written here.*\.nii\.gz"):
            write_image(scan_image(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_image_is_not_overwritten_unasked(tmp_path):
    path = tmp_path / "a.nrrd"
    write_image(scan_image(seed=1), path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write_image(scan_image(seed=2), path)
    assert path.read_bytes() == before
    write_image(scan_image(seed=2), path, overwrite=True)
    assert path.read_bytes() != before


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on file size")
@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_a_write_that_breaks_off_leaves_no_file_and_says_so(tmp_path, suffix):
    """ITK's NIfTI writer itself reports no error here."""
    script = textwrap.dedent(
        """
        import resource, signal, sys
        import numpy as np, SimpleITK as sitk
        from pathlib import Path
        from BrainTumorSegLib.core.errors import OutputError
        from BrainTumorSegLib.io.volumes import write_image
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        image = sitk.GetImageFromArray(np.random.default_rng(0).random((40, 50, 60)))
        try:
            write_image(image, Path(sys.argv[1]))
        except OutputError as error:
            print(error)
        """
    )
    final = tmp_path / f"probabilities{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", script, str(final)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{final} cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_reading_prints_nothing_even_where_itk_would_warn(tmp_path, capfd):
    skewed = STRAIGHT.copy()
    skewed[0, 1] = 0.5
    path = write_nifti(tmp_path / "skewed.nii", sform=skewed)
    assert read_image(path).GetSpacing() == (4.0, 4.0, 5.0)
    assert read_scan(path).warnings == (
        f"{path}: the sform is skewed or empty; the qform is used instead.",
    )
    assert capfd.readouterr() == ("", "")


def test_the_warning_display_of_itk_is_left_as_it_was(tmp_path):
    write_image(scan_image(), tmp_path / "a.nrrd")
    for state in (True, False, True):
        sitk.ProcessObject.SetGlobalWarningDisplay(state)
        read_image(tmp_path / "a.nrrd")
        assert sitk.ProcessObject.GetGlobalWarningDisplay() is state


def test_a_case_is_loaded_from_files(tmp_path):
    paths = {}
    for number, (sequence, suffix) in enumerate(
        zip(Sequence, (".nii.gz", ".nrrd", ".mha"), strict=True)
    ):
        paths[sequence] = tmp_path / f"Ivanov_{sequence.value}{suffix}"
        write_image(scan_image(seed=number), paths[sequence])
    case = load_case(paths)
    assert set(case.scans) == set(Sequence)
    assert case.reference is Sequence.T1CE
    assert case.identity == f"case-{file_sha256(paths[Sequence.T1CE])[:8]}"
    assert "Ivanov" not in case.identity
    assert all("very large voxels (4.0 x 4.0 x 5.0 mm)" in text for text in case.warnings)
    assert len(case.warnings) == 3
    named = load_case(paths, Sequence.FLAIR, "phantom 7")
    assert (named.identity, named.reference) == ("phantom 7", Sequence.FLAIR)


def test_what_is_odd_about_a_header_is_told_with_the_case(tmp_path):
    path = write_nifti(tmp_path / "t1ce.nii", sform=np.zeros((4, 4)))
    case = load_case({Sequence.T1CE: path})
    assert any("sform is skewed or empty" in text for text in case.warnings)
    assert case.reference_scan.image.GetSpacing() == (4.0, 4.0, 5.0)


def test_all_real_scans_load_as_cases(real_data):
    folders = sorted((real_data / "brats").iterdir())[::6]
    folders.append(real_data / "ms_control" / "patient07")
    for folder in folders:
        paths = {s: folder / f"{folder.name}_{s.value}.nii.gz" for s in Sequence}
        assert load_case(paths).warnings == ()
    folder = real_data / "clinical" / "TCGA-FG-6692"
    names = {Sequence.T1: "T1_AX", Sequence.T1CE: "T1_AX_POST_GAD", Sequence.FLAIR: "FLAIR_AX"}
    case = load_case({s: folder / f"{name}.nii.gz" for s, name in names.items()})
    assert case.reference_scan.image.GetSize() == (256, 224, 26)


@pytest.mark.parametrize("offset", list(product((-3, 0, 4), repeat=2)))
def test_labels_move_between_grids_of_one_lattice_without_loss(offset):
    grid = scan_image(sitk.sitkUInt8, size=(20, 22, 24), turn=(0.2, 0.4, -0.1))
    values = np.zeros((24, 22, 20), np.uint8)
    values[8:14, 7:15, 6:12] = np.random.default_rng(0).integers(0, 5, (6, 8, 6))
    labels = sitk.GetImageFromArray(values)
    labels.CopyInformation(grid)
    x, y = offset
    pad = [max(0, -x), max(0, -y), 2]
    moved = sitk.ConstantPad(labels, pad, [3, 0, 1])[max(0, x) :, max(0, y) :, :]
    assert lattice_offset(moved, grid) == (x, y, -2)
    assert_same_image(place_on_grid(moved, grid, "labels"), labels)


def test_labels_of_another_lattice_are_resampled_to_the_nearest_voxel():
    fine = sitk.Image(40, 40, 40, sitk.sitkUInt8)
    fine[8:32, 8:32, 8:32] = 3
    fine.SetSpacing((1, 1, 1))
    coarse = sitk.Image(20, 20, 20, sitk.sitkUInt8)
    coarse.SetSpacing((2, 2, 2))
    coarse.SetOrigin((0.5, 0.5, 0.5))
    assert lattice_offset(fine, coarse) is None
    placed = sitk.GetArrayFromImage(place_on_grid(fine, coarse, "labels"))
    expected = np.zeros((20, 20, 20), np.uint8)
    expected[4:16, 4:16, 4:16] = 3
    assert np.array_equal(placed, expected)


def test_labels_of_another_lattice_outside_the_grid_are_refused():
    fine = sitk.Image(40, 40, 40, sitk.sitkUInt8)
    fine[39, 0, 0] = 1
    coarse = sitk.Image(10, 10, 10, sitk.sitkUInt8)
    coarse.SetSpacing((2.2, 2.2, 2.2))
    with pytest.raises(InputError, match="1 labelled voxels of drawing lie outside"):
        place_on_grid(fine, coarse, "drawing")


def test_one_voxel_on_the_border_is_enough_to_be_refused():
    grid = sitk.Image(10, 10, 10, sitk.sitkUInt8)
    labels = sitk.Image(12, 10, 10, sitk.sitkUInt8)
    labels[9, 9, 9] = 4
    assert place_on_grid(labels, grid, "labels")[9, 9, 9] == 4
    labels[10, 9, 9] = 4
    with pytest.raises(InputError, match="1 labelled voxels of labels lie outside"):
        place_on_grid(labels, grid, "labels")


def test_load_case_checks_what_make_case_checks(tmp_path):
    path = tmp_path / "only.nii.gz"
    write_image(scan_image(), path)
    with pytest.raises(InputError, match="no contrast-enhanced T1"):
        load_case({Sequence.T1: path})
    with pytest.raises(InputError, match="no contrast-enhanced T1"):
        make_case("c", {Sequence.T1: read_scan(path)})
    with pytest.raises(InputError, match="no contrast-enhanced T1"):
        load_case({})
