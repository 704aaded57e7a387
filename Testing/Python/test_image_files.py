"""What is checked of an image file is what is read of it, and it says where the head lies."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from nifti_files import STRAIGHT, head_values, write_nifti

from BrainTumorSegLib.core.case import image_matrix
from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.labelmaps import read_labels
from BrainTumorSegLib.io.reference_labels import read_tissues, with_numbering
from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from BrainTumorSegLib.io.volumes import (
    file_sha256,
    read_image,
    read_scan,
    read_spacing,
    write_image,
)
from BrainTumorSegLib.preprocessing.registration import align
from BrainTumorSegLib.reporting.record import write_report_json

CHECKOUT = Path(__file__).resolve().parents[2]
T1CE, FLAIR = Sequence.T1CE, Sequence.FLAIR


def head(seed=0):
    """Noise on the grid of `nifti_files.STRAIGHT`."""
    values = np.random.default_rng(seed).integers(1, 200, (30, 46, 40)).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((4, 4, 5))
    image.SetOrigin((80, 90, -70))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return image


def moved(millimeters):
    matrix = STRAIGHT.copy()
    matrix[0, 3] += millimeters
    return matrix


def changed(path, old, new):
    raw = path.read_bytes()
    assert old in raw
    path.write_bytes(raw.replace(old, new, 1))
    return path


def refused(path, reading=read_image):
    with pytest.raises(InputError) as caught:
        reading(path)
    assert str(path) in caught.value.message
    assert caught.value.remedy
    return str(caught.value)


# One opened file


@pytest.mark.parametrize(
    ("name", "neighbours"),
    [
        ("x.nii.gz", ("x.nii", "x.hdr", "x.img", "x.mha")),
        ("x.nii", ("x.nii.gz", "x.hdr", "x.img.gz")),
        ("x.mha", ("x.mhd", "x.raw")),
        ("x.mhd", ("x.mha", "x.zraw")),
        ("x.nhdr", ("x.nrrd",)),
        ("x.nrrd", ("x.nhdr",)),
    ],
)
def test_a_file_is_read_whatever_lies_beside_it_under_the_same_stem(tmp_path, name, neighbours):
    path, other = tmp_path / name, tmp_path / "other"
    other.mkdir()
    sitk.WriteImage(head(1), str(path))
    expected = file_sha256(path)
    for neighbour in neighbours:
        pair = {".hdr": ".hdr", ".img": ".hdr", ".img.gz": ".hdr"}
        suffix = neighbour.removeprefix("x")
        sitk.WriteImage(head(2), str(other / f"y{pair.get(suffix, '.nii')}"))
        found = other / f"y{suffix}"
        (tmp_path / neighbour).write_bytes(
            found.read_bytes() if found.exists() else (other / "y.nii").read_bytes()
        )
    scan = read_scan(path)
    assert np.array_equal(sitk.GetArrayFromImage(scan.image), sitk.GetArrayFromImage(head(1)))
    assert scan.sha256 == expected


@pytest.mark.parametrize("reading", [read_labels, read_tissues, read_image])
def test_labels_are_read_whatever_lies_beside_them(tmp_path, reading):
    labels = sitk.Cast(head(1) < 100, sitk.sitkUInt8)
    sitk.WriteImage(labels, str(tmp_path / "seg.nii.gz"))
    sitk.WriteImage(labels * 0, str(tmp_path / "seg.nii"))
    assert sitk.GetArrayViewFromImage(reading(tmp_path / "seg.nii.gz")).any()


def test_spacing_is_that_of_the_named_file(tmp_path):
    write_image(head(), tmp_path / "x.nii.gz")
    other = head()
    other.SetSpacing((1, 1, 1))
    write_image(other, tmp_path / "x.nii")
    assert read_spacing(tmp_path / "x.nii.gz") == (4, 4, 5)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.nrrd"
    write_image(head(), path)
    whole = sitk.ImageFileReader.Execute

    def meanwhile(self):
        write_image(head(2), path, overwrite=True)
        return whole(self)

    monkeypatch.setattr(sitk.ImageFileReader, "Execute", meanwhile)
    assert "changed while it was read" in refused(path)


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_a_data_file_may_lie_in_another_folder_under_any_name(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    sitk.WriteImage(head(), str(path))
    (data,) = (p for p in tmp_path.iterdir() if p != path)
    (tmp_path / "Снимки").mkdir()
    data.rename(tmp_path / "Снимки" / "голова.raw")
    changed(path, data.name.encode(), "Снимки/голова.raw".encode())
    assert np.array_equal(sitk.GetArrayFromImage(read_image(path)), sitk.GetArrayFromImage(head()))


def test_voxels_in_several_files_are_refused(tmp_path):
    path = tmp_path / "x.mhd"
    sitk.WriteImage(head(), str(path))
    for several in (b"LIST\nx.raw\n", b"x%03d.raw 1 30 1\n"):
        sitk.WriteImage(head(), str(path))
        assert "several files" in refused(changed(path, b"x.raw\n", several))


# The sform and the qform of NIfTI


@pytest.mark.parametrize(("code", "used"), [(1, "sform"), (2, "qform")])
def test_two_places_in_one_nifti_header_are_told_with_the_one_that_was_used(tmp_path, code, used):
    path = write_nifti(tmp_path / "t1ce.nii", sform=moved(18), sform_code=code)
    (warning,) = read_scan(path).warnings
    assert re.search(rf"{path}: its sform and its qform .* 18\.0 mm apart; the {used} was", warning)
    assert warning in load_case({T1CE: path}).warnings
    heard = []
    read_image(path, heard.append)
    assert heard == [warning]


def test_rounding_between_sform_and_qform_is_no_difference(tmp_path):
    scan = read_scan(write_nifti(tmp_path / "t1ce.nii", sform=moved(0.2), sform_code=2))
    assert (scan.warnings, scan.forms) == ((), None)


def test_without_registration_a_scan_with_two_places_is_refused(tmp_path):
    fixed = write_nifti(tmp_path / "t1ce.nii")
    values = head_values()[::-1]
    moving = write_nifti(tmp_path / "flair.nii", values, sform=moved(18), sform_code=2)
    with pytest.raises(InputError, match=r"FLAIR lies on T1CE.*flair\.nii differ, by up to 18\.0"):
        align(load_case({T1CE: fixed, FLAIR: moving}), "none")
    with pytest.raises(InputError, match=r"T1CE lies on FLAIR.*flair\.nii differ"):
        align(load_case({FLAIR: fixed, T1CE: moving}, reference=FLAIR), "none")


def test_without_registration_two_places_do_no_harm_that_agree_about_all_scans(tmp_path):
    both = {"sform": moved(18), "sform_code": 2}
    fixed = write_nifti(tmp_path / "t1ce.nii", **both)
    moving = write_nifti(tmp_path / "flair.nii", head_values()[::-1], **both)
    assert len(align(load_case({T1CE: fixed, FLAIR: moving}), "none").records) == 1


def test_a_skewed_sform_counts_as_a_place_that_other_programs_use(tmp_path):
    skewed = moved(30)
    skewed[0, 1] = 0.4
    fixed = write_nifti(tmp_path / "t1ce.nii")
    moving = write_nifti(tmp_path / "flair.nii", head_values()[::-1], sform=skewed)
    case = load_case({T1CE: fixed, FLAIR: moving})
    assert any("sform is skewed or empty; the qform is used" in text for text in case.warnings)
    with pytest.raises(InputError, match="not certain where FLAIR lies"):
        align(case, "none")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("code", [1, 2])
def test_a_result_lies_on_the_scan_by_either_form(tmp_path, suffix, code):
    path = write_nifti(tmp_path / "t1ce.nii", sform=moved(18), sform_code=code)
    scan = read_scan(path)
    labels = sitk.Cast(scan.image > 100, sitk.sitkUInt8)
    write_image(labels, tmp_path / f"result{suffix}", forms=scan.forms)
    theirs = nibabel.load(path)
    ours = nibabel.load(tmp_path / f"result{suffix}")
    for form in ("get_sform", "get_qform"):
        a, b = getattr(ours, form)(coded=True), getattr(theirs, form)(coded=True)
        np.testing.assert_allclose(a[0], b[0], atol=1e-3)
        assert a[1] == b[1]
    again = read_image(tmp_path / f"result{suffix}")
    np.testing.assert_allclose(image_matrix(again), image_matrix(scan.image), atol=1e-3)
    assert np.array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(labels))


def test_a_qfac_of_zero_counts_as_one(tmp_path):
    path = write_nifti(tmp_path / "t1.nii", sform=None)
    raw = bytearray(path.read_bytes())
    raw[76:80] = bytes(4)
    path.write_bytes(bytes(raw))
    np.testing.assert_allclose(
        image_matrix(read_image(path)), np.diag([-1, -1, 1, 1]) @ STRAIGHT, atol=1e-4
    )


def test_a_nifti_file_in_meters_is_brought_to_millimeters(tmp_path):
    meters = np.diag([1e-3, 1e-3, 1e-3, 1]) @ STRAIGHT
    path = tmp_path / "t1.nii"
    image = nibabel.Nifti1Image(head_values(), meters)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, path)
    assert read_image(path).GetSpacing() == pytest.approx((4, 4, 5), rel=1e-5)


# Fields that ITK passes over


@pytest.mark.parametrize(
    "fields",
    [
        {"bitpix": 8},
        {"bitpix": 32},
        {"magic": b"n+2"},
        {"magic": b"ni1"},
        {"magic": b"\0\0\0"},
        {"scl_slope": np.inf},
    ],
    ids=str,
)
def test_a_damaged_nifti_field_is_refused(tmp_path, fields):
    path = write_nifti(tmp_path / "t1.nii")
    header = nibabel.load(path).header
    raw = bytearray(path.read_bytes())
    for name, value in fields.items():
        header[name] = value
        field, start = header.template_dtype.fields[name]
        raw[start : start + field.itemsize] = header[name].tobytes()
    path.write_bytes(bytes(raw))
    assert "header" in refused(path)


@pytest.mark.parametrize("size", [b"0", b"1", b"99999999", b"-1", b"many"])
def test_a_compressed_size_that_is_not_that_of_the_data_is_refused(tmp_path, size):
    path = tmp_path / "t1.mha"
    sitk.WriteImage(head(), str(path), useCompression=True)
    stated = re.search(rb"CompressedDataSize = \d+", path.read_bytes())[0]
    assert "damaged" in refused(changed(path, stated, b"CompressedDataSize = " + size))


def test_a_compressed_size_that_is_not_stated_is_refused(tmp_path):
    """ITK takes it for 0."""
    path = tmp_path / "t1.mha"
    sitk.WriteImage(head(), str(path), useCompression=True)
    stated = re.search(rb"CompressedDataSize = \d+\n", path.read_bytes())[0]
    assert "damaged" in refused(changed(path, stated, b""))


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_axes_that_are_not_of_length_one_are_refused(tmp_path, suffix):
    path = tmp_path / f"t1{suffix}"
    image = head()
    image.SetDirection(np.eye(3).ravel().tolist())
    for scale in (b"2", b"0.5"):
        sitk.WriteImage(image, str(path))
        doubled = b"1 0 0 0 1 0 0 0 1".replace(b"1", scale)
        assert "not of length 1" in refused(changed(path, b"1 0 0 0 1 0 0 0 1", doubled))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30, -1e30])
@pytest.mark.parametrize("form", ["sform", "qform", "both"])
def test_a_position_that_is_no_place_is_refused_in_nifti(tmp_path, form, bad):
    fields = {} if form == "sform" else {"qoffset_y": bad}
    sform = STRAIGHT.copy()
    if form != "qform":
        sform[1, 3] = bad
    path = write_nifti(tmp_path / "t1.nii", sform=sform, **fields)
    assert "damaged position" in refused(path)


@pytest.mark.parametrize("bad", [b"nan", b"inf", b"1e30", b"-1e30"])
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_a_position_that_is_no_place_is_refused_in_text_headers(tmp_path, suffix, bad):
    path = tmp_path / f"t1{suffix}"
    sitk.WriteImage(head(), str(path))
    origin = b"80 90 -70" if suffix in (".mha", ".mhd") else b"(80,90,-70)"
    assert "damaged position" in refused(changed(path, origin, origin.replace(b"90", bad)))


@pytest.mark.parametrize(
    "space", ["3D-right-handed", "3D-left-handed", "scanner-xyz", "right-up", None]
)
@pytest.mark.parametrize("reading", [read_image, read_seg_nrrd])
def test_an_nrrd_file_that_does_not_tell_left_from_right_is_refused(tmp_path, space, reading):
    suffix = ".seg.nrrd" if reading is read_seg_nrrd else ".nrrd"
    path = tmp_path / f"t1{suffix}"
    if reading is read_seg_nrrd:
        write_seg_nrrd(sitk.Cast(sitk.Modulus(head(), 5), sitk.sitkUInt8), path, "T1CE")
    else:
        sitk.WriteImage(head(), str(path))
    line = f"space: {space}" if space else "space dimension: 3"
    changed(path, b"space: left-posterior-superior", line.encode())
    assert "left and right cannot be told apart" in refused(path, reading)


@pytest.mark.parametrize(
    ("space", "flips"), [("right-anterior-superior", (-1, -1, 1)), ("LAS", (1, -1, 1))]
)
def test_the_other_spaces_of_nrrd_that_tell_left_from_right_are_read(tmp_path, space, flips):
    path = tmp_path / "t1.nrrd"
    sitk.WriteImage(head(), str(path))
    changed(path, b"left-posterior-superior", space.encode())
    assert read_image(path).GetOrigin() == pytest.approx(np.multiply(flips, (80, 90, -70)))


def test_a_missing_position_is_warned_of(tmp_path):
    for suffix, line in ((".mha", b"Offset = 80 90 -70\n"), (".nrrd", b"space origin: ")):
        path = tmp_path / f"t1{suffix}"
        sitk.WriteImage(head(), str(path))
        found = re.search(re.escape(line) + b"[^\n]*\n?", path.read_bytes())[0]
        changed(path, found, b"")
        assert any("does not say where the head lies" in w for w in read_scan(path).warnings)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_slices_that_the_header_does_not_count_are_warned_of(tmp_path, suffix):
    path = tmp_path / f"t1{suffix}"
    sitk.WriteImage(head(), str(path), useCompression=suffix == ".nii.gz")
    assert read_scan(path).warnings == ()
    if suffix.startswith(".nii"):
        raw = path.read_bytes()
        raw = bytearray(gzip.decompress(raw) if suffix == ".nii.gz" else raw)
        raw[46:48] = (25).to_bytes(2, "little")
        path.write_bytes(gzip.compress(raw) if suffix == ".nii.gz" else bytes(raw))
    else:
        changed(path, b"40 46 30", b"40 46 25")
    assert any("holds more than its header says" in w for w in read_scan(path).warnings)


# Limits


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_a_file_that_unpacks_to_far_more_than_it_says_is_not_unpacked(tmp_path, suffix):
    path, zeros = tmp_path / f"t1{suffix}", bytes(1 << 24)
    sitk.WriteImage(head(), str(path), useCompression=True)
    raw = path.read_bytes()
    if suffix == ".mha":
        begin = raw.index(b"LOCAL\n") + 6
        packer = zlib.compressobj(1)
        voxels = zlib.decompress(raw[begin:])
    else:
        begin = 0 if suffix == ".nii.gz" else raw.index(b"\n\n") + 2
        packer = zlib.compressobj(1, wbits=31)
        voxels = gzip.decompress(raw[begin:])
    packed = packer.compress(voxels)
    packed += b"".join(packer.compress(zeros) for _ in range(32)) + packer.flush()
    size = b"CompressedDataSize = %d" % len(packed)
    header = re.sub(rb"CompressedDataSize = \d+", size, raw[:begin])
    path.write_bytes(header + packed)
    began = time.monotonic()
    assert any("holds more than its header says" in w for w in read_scan(path).warnings)
    assert time.monotonic() - began < 5


def test_more_axes_than_itk_takes_are_refused(tmp_path):
    mha, nrrd = tmp_path / "t1.mha", tmp_path / "t1.nrrd"
    ones = " ".join(["1"] * 99)
    mha.write_text(
        f"ObjectType = Image\nNDims = 99\nBinaryData = True\nDimSize = {ones}\n"
        f"ElementSpacing = {ones}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    nrrd.write_text(
        f"NRRD0004\ntype: short\ndimension: 99\nsizes: {ones}\nencoding: raw\nendian: little\n\n"
    )
    for path in (mha, nrrd):
        assert "99 axes" in refused(path)


def test_voxels_written_as_text_are_refused(tmp_path):
    nrrd, mha = tmp_path / "t1.nrrd", tmp_path / "t1.mha"
    for path in (nrrd, mha):
        sitk.WriteImage(head(), str(path))
    assert "as text" in refused(changed(nrrd, b"encoding: raw", b"encoding: ascii"))
    assert "as text" in refused(changed(mha, b"BinaryData = True", b"BinaryData = False"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t1.nii.gz")
    assert "no ordinary file" in refused(tmp_path / "t1.nii.gz")
    path = tmp_path / "t1.mhd"
    sitk.WriteImage(head(), str(path))
    (tmp_path / "t1.raw").unlink()
    os.mkfifo(tmp_path / "t1.raw")
    with pytest.raises(InputError, match=r"t1\.raw is no ordinary file"):
        read_image(path)


# Names


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are letters")
@pytest.mark.parametrize("locale", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=["", "C"])
def test_names_that_are_no_letters_are_read_written_and_shown(tmp_path, locale):
    """In a process of its own: ITK would end it."""
    script = """
        import json, os, sys
        from pathlib import Path
        sys.path.insert(0, "Testing/Python")
        from nifti_files import write_nifti
        from BrainTumorSegLib.core.errors import InputError
        from BrainTumorSegLib.core.file_names import printable
        from BrainTumorSegLib.core.sequences import Sequence
        from BrainTumorSegLib.io.cases import load_case
        from BrainTumorSegLib.io.volumes import read_image, write_image
        from BrainTumorSegLib.reporting.record import write_report_json
        folder = Path(os.fsdecode(os.fsencode(sys.argv[1]) + bytes([47, 0xFF, 0xCD])))
        folder.mkdir()
        path = Path(os.fsdecode(os.fsencode(folder) + bytes([47, 0xFE]) + b".nii.gz"))
        write_nifti(Path(sys.argv[1]) / "x.nii.gz").rename(path)
        scan = load_case({Sequence.T1CE: path}).reference_scan
        for suffix in (".nii", ".nii.gz", ".nrrd", ".mha"):
            write_image(scan.image, folder / f"out{suffix}")
            read_image(folder / f"out{suffix}")
        write_report_json({"source": str(path)}, folder / "r.json")
        print(printable(scan.source), json.loads((folder / "r.json").read_text("utf-8"))["source"])
        try:
            read_image(folder / "none.nii")
        except InputError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **locale},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = f"{tmp_path}/\\xff\\xcd".encode()
    first, second = done.stdout.splitlines()
    assert first == shown + b"/\\xfe.nii.gz " + shown + b"/\\xfe.nii.gz"
    assert second.startswith(shown + b"/none.nii does not exist.")


def test_messages_warnings_and_records_show_bytes_that_are_no_letters(tmp_path):
    name, shown = "/scans/\udcff.nii", "/scans/\\xff.nii"
    error = OutputError(f"{name} exists.", f"Move {name}.")
    assert str(error) == f"{shown} exists. Move {shown}."
    said = []
    Progress(sinks=(said.append,)).warn(f"{name} is odd.")
    assert said[0].message == f"{shown} is odd."
    write_report_json({"a": name, "b": [name, "ü"]}, tmp_path / "r.json")
    assert (tmp_path / "r.json").read_text("utf-8").count("\\\\xff") == 2


# Pairs


@pytest.mark.parametrize("ending", [".hdr", ".img"])
def test_a_pair_of_nifti_files_is_called_so(tmp_path, ending):
    nibabel.save(nibabel.Nifti1Pair(head_values(), STRAIGHT), tmp_path / "t1.hdr")
    assert "half of a NIfTI image in two files" in refused(tmp_path / f"t1{ending}")
    nibabel.save(nibabel.AnalyzeImage(head_values(), STRAIGHT), tmp_path / "t1.hdr")
    assert "Analyze format does not say" in refused(tmp_path / f"t1{ending}")


# Labels


@pytest.mark.parametrize("highest", [3, 4])
def test_labels_that_were_stored_with_a_scale_are_recognized(tmp_path, highest):
    values = (head_values() % (highest + 1)).astype(float)
    image = nibabel.Nifti1Image(values, STRAIGHT)
    image.set_data_dtype(np.uint8)
    nibabel.save(image, tmp_path / "seg.nii.gz")
    stored = np.unique(nibabel.load(tmp_path / "seg.nii.gz").get_fdata())
    assert not np.array_equal(stored, np.round(stored))
    read = sitk.GetArrayFromImage(read_labels(tmp_path / "seg.nii.gz"))
    assert np.array_equal(read, values.transpose(2, 1, 0))


def test_a_three_without_a_four_is_asked_about(tmp_path):
    values = (head_values() % 4).astype(np.uint8)
    path = write_nifti(tmp_path / "seg.nii.gz", values)
    told = refused(path, read_tissues)
    assert "--numbering brats2015 or --numbering brats2023" in told
    assert "enhancing tumour in BraTS 2023" in told
    expected = values.transpose(2, 1, 0)
    assert np.array_equal(sitk.GetArrayFromImage(read_tissues(path, "brats2015")), expected)
    found = sitk.GetArrayFromImage(read_tissues(path, "brats2023"))
    assert np.array_equal(found, np.where(expected == 3, 4, expected))


def test_a_label_that_the_numbering_does_not_know_is_refused(tmp_path):
    path = write_nifti(tmp_path / "seg.nii", (head_values() % 5).astype(np.uint8))
    assert np.array_equal(
        sitk.GetArrayFromImage(read_tissues(path)), sitk.GetArrayFromImage(read_labels(path))
    )
    told = refused(path, lambda p: read_tissues(p, "brats2023"))
    assert "label 4, which brats2023 does not know" in told


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_a_label_map_of_ours_says_itself_how_it_is_numbered(tmp_path, suffix):
    labels = sitk.Cast(sitk.Modulus(head(), 4), sitk.sitkUInt8)
    write_image(with_numbering(labels), tmp_path / f"seg{suffix}")
    found = sitk.GetArrayFromImage(read_tissues(tmp_path / f"seg{suffix}"))
    assert np.array_equal(found, sitk.GetArrayFromImage(labels))
