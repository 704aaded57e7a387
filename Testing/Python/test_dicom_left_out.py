"""Every file of a study's folder is counted, and what was not taken is named with its reason."""

from __future__ import annotations

import gzip
import os
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.dicom import files
from BrainTumorSegLib.io.dicom.pixels import read_series_image
from BrainTumorSegLib.io.dicom.study import (
    choose_series,
    describe_study,
    load_case_from_study,
    propose_sequences,
    read_study,
)

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra 'dicom'")

from dicom_checks import assert_same_voxels_at_the_same_places, only_series  # noqa: E402
from dicom_factory import Examination, head, write_enhanced, write_series  # noqa: E402

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR
SIZE, SPACING = (20, 24, 10), (10, 9, 12)

links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")


@pytest.fixture
def paths(tmp_path):
    return write_series(tmp_path / "study", head(SIZE, SPACING), 3, "t1ce")


def edit(path, **attributes) -> None:
    """Set attributes of a file; None removes one."""
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


def said(study) -> str:
    return " ".join([*study.warnings, *(w for one in study.series for w in one.warnings)])


# Files that are no images


def test_files_of_other_kinds_are_counted_and_named(tmp_path, paths):
    folder = tmp_path / "study"
    (folder / "README.txt").write_text("no image")
    (folder / "nothing").write_bytes(b"")
    (folder / "more.zip").write_bytes(b"PK\x03\x04" + bytes(200))
    (folder / "IM.dcm.gz").write_bytes(gzip.compress(paths[0].read_bytes()))
    pydicom.dcmread(pydicom.data.get_testdata_file("test-SR.dcm")).save_as(folder / "report")
    study = read_study(folder)
    (warning,) = study.warnings
    assert "5 of 15 files in the folder were left out" in warning
    for text in (
        "README.txt: no DICOM file",
        "nothing: empty",
        "more.zip: a ZIP archive, unpack it first",
        "IM.dcm.gz: packed with gzip, unpack it first",
        "report: no image",
    ):
        assert text in warning
    assert str(tmp_path) not in warning
    table = describe_study(study, propose_sequences(study))
    assert "15 files in the folder, 5 left out" in table
    assert "Left out: nothing: empty." in table
    assert warning in load_case_from_study(study).warnings


def test_a_folder_of_packed_slices_says_to_unpack_them(tmp_path, paths):
    for path in paths:
        path.with_suffix(".dcm.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    with pytest.raises(
        InputError, match=r"no DICOM image.*10 of 10 files.*packed with gzip, unpack"
    ):
        read_study(tmp_path / "study")


def test_a_dicomdir_is_no_loss(tmp_path, paths):
    (tmp_path / "study" / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(100))
    assert read_study(tmp_path / "study").warnings == ()


@links
def test_links_to_folders_and_files_are_followed_and_each_folder_is_read_once(tmp_path, paths):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "series").symlink_to(tmp_path / "study")
    (linked / "again").symlink_to(tmp_path / "study")
    (tmp_path / "study" / "loop").symlink_to(tmp_path / "study")
    study = read_study(linked)
    assert len(study.series[0].files) == 10
    assert study.warnings == study.series[0].warnings == ()
    one_by_one = tmp_path / "files"
    one_by_one.mkdir()
    for path in paths:
        (one_by_one / path.name).symlink_to(path)
    assert len(only_series(one_by_one).files) == 10


@links
def test_links_to_nothing_are_counted_and_git_annex_is_named(tmp_path, paths):
    for path in paths[-2:]:
        path.unlink()
    paths[-1].symlink_to("../.git/annex/objects/aa/bb/MD5E-s1--0.dcm/MD5E-s1--0.dcm")
    paths[-2].symlink_to("/nowhere/IM")
    study = read_study(tmp_path / "study")
    assert "2 of 10 files" in study.warnings[0]
    assert f"{paths[-1].name}: a link of git-annex whose content is not here" in study.warnings[0]
    assert f"{paths[-2].name}: a link to a file that does not exist" in study.warnings[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_the_folder_is_named_and_not_waited_for(tmp_path, paths):
    os.mkfifo(tmp_path / "study" / "pipe")
    assert "pipe: no regular file" in read_study(tmp_path / "study").warnings[0]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_utf8_are_read_and_shown(tmp_path, paths):
    folder = os.fsencode(tmp_path / "study")
    for path in paths:
        os.rename(path, os.path.join(folder, b"IM\xe4" + os.fsencode(path.name)))  # noqa: PTH104, PTH118
    with open(os.path.join(folder, b"notes\xff"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"x")
    study = read_study(tmp_path / "study")
    study.warnings[0].encode()
    assert "notes\\xff: no DICOM file" in study.warnings[0]
    assert read_series_image(study.series[0]).GetSize() == SIZE


# Damaged files


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda d: setattr(d, "PixelData", b""), "cut short (960 of 960 bytes"),
        (lambda d: setattr(d, "PixelData", d.PixelData[:-400]), "cut short (400 of 960 bytes"),
        (lambda d: delattr(d, "PixelData"), "without pixels"),
        (lambda d: setattr(d, "NumberOfFrames", 20_000_000), "announces 20000000 images"),
        (lambda d: setattr(d, "Rows", 65535), "cut short"),
        (lambda d: setattr(d, "BitsAllocated", 32), "cut short"),
    ],
    ids=["empty", "short", "none", "frames", "rows", "bits"],
)  # fmt: skip
def test_a_file_whose_pixels_are_too_few_is_left_out_and_named(tmp_path, paths, damage, reason):
    for path, place in ((paths[-1], "end"), (paths[4], "middle")):
        dataset = pydicom.dcmread(path)
        damage(dataset)
        dataset.save_as(path)
        study = read_study(tmp_path / "study")
        assert path.name in said(study) and reason in said(study)
        if place == "end":
            assert len(study.series[0].files) == 9
            assert any(path.name in text for text in load_case_from_study(study).warnings)
    with pytest.raises(InputError, match=rf"1 slice is missing.*{paths[4].name}"):
        load_case_from_study(study)


def test_too_few_pixels_of_a_multi_frame_object_are_told(tmp_path):
    path = write_enhanced(tmp_path / "e.dcm", head(SIZE, SPACING), 3)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = dataset.PixelData[:-960]
    dataset.save_as(path)
    with pytest.raises(InputError, match=r"e\.dcm: cut short \(960 of 9600 bytes"):
        read_study(tmp_path)
    dataset.NumberOfFrames = 9
    dataset.save_as(path)
    with pytest.raises(InputError, match=r"e\.dcm: damaged \(of 9 images it places 10\)"):
        read_study(tmp_path)


def test_too_few_images_of_a_compressed_object_are_told(tmp_path):
    path = write_enhanced(tmp_path / "e.dcm", head(SIZE, SPACING), 3)
    dataset = pydicom.dcmread(path)
    dataset.compress(pydicom.uid.RLELossless)
    dataset.save_as(path)
    assert_same_voxels_at_the_same_places(
        read_series_image(only_series(tmp_path)), head(SIZE, SPACING)
    )
    frames = list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=10))
    dataset.PixelData = pydicom.encaps.encapsulate(frames[:9])
    dataset.save_as(path)
    with pytest.raises(InputError, match=r"e\.dcm: cut short \(9 of 10 images are there\)"):
        read_study(tmp_path)


def test_a_run_length_image_that_unpacks_to_too_little_is_refused(tmp_path):
    paths = write_series(tmp_path, head(SIZE, SPACING), 3, syntax=pydicom.uid.RLELossless)
    dataset = pydicom.dcmread(paths[4])
    (frame,) = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1)
    dataset.PixelData = pydicom.encaps.encapsulate([frame[:-200]])
    dataset.save_as(paths[4])
    with pytest.raises(InputError, match=rf"{paths[4].name}.*cut short"):
        read_series_image(only_series(tmp_path))


def test_a_compressed_image_of_another_size_is_refused(tmp_path):
    from test_dicom_pixels import _encode_with_gdcm

    paths = write_series(tmp_path, head(SIZE, SPACING), 3)
    for path in paths:
        _encode_with_gdcm(path, "JPEG")
    small = write_series(tmp_path / "small", head((16, 12, 1), SPACING), 4)[0]
    _encode_with_gdcm(small, "JPEG")
    pixels = pydicom.dcmread(small).PixelData
    small.unlink()
    edit(paths[4], PixelData=pixels)
    with pytest.raises(InputError, match=rf"{paths[4].name}.*of another size, 12 x 16"):
        read_series_image(only_series(tmp_path))


def test_an_attribute_of_unknown_type_leaves_its_file_out(tmp_path, paths):
    content = bytearray(paths[-1].read_bytes())
    at = content.index(b"\x18\x00\x81\x00DS")
    content[at + 4 : at + 6] = b"QQ"
    paths[-1].write_bytes(bytes(content))
    study = read_study(tmp_path / "study")
    assert len(study.series[0].files) == 9
    assert f"{paths[-1].name}: damaged" in study.warnings[0]


@pytest.mark.parametrize("syntax", [b"1.2.840.113619.5.2", b"1.2.840.10008.1.2.9"])
def test_an_unknown_encoding_is_named(tmp_path, paths, syntax):
    for path in paths:
        content = path.read_bytes()
        padded = syntax.ljust(20, b"\0")
        path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", padded, 1))
    with pytest.raises(InputError, match=f"transfer syntax {syntax.decode()}"):
        read_study(tmp_path / "study")


def test_more_pixel_data_than_an_image_needs_is_told(tmp_path, paths):
    edit(paths[4], PixelData=pydicom.dcmread(paths[4]).PixelData + bytes(64))
    series = only_series(tmp_path / "study")
    assert series.warnings == (
        "1 image(s) have more pixel data than their size needs; the rest was ignored",
    )
    assert_same_voxels_at_the_same_places(read_series_image(series), head(SIZE, SPACING))


def test_a_deflated_series_is_read_and_one_that_inflates_without_end_is_not(tmp_path, monkeypatch):
    paths = write_series(tmp_path, head(SIZE, SPACING), 3)
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
        dataset.save_as(path)
    series = only_series(tmp_path)
    assert_same_voxels_at_the_same_places(read_series_image(series), head(SIZE, SPACING))
    monkeypatch.setattr(files, "MOST_INFLATED", 1 << 20)
    edit(paths[4], PixelData=bytes(2 << 20))
    with pytest.raises(InputError, match=rf"{paths[4].name}.*inflated larger than 1 MiB"):
        load_case_from_study(read_study(tmp_path), {T1CE: "3"})


# Images of a series that are not like the others


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"PhotometricInterpretation": "MONOCHROME1"}, "encoding (1 x 16 bits, signed, MONO"),
        ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "encoding (1 x 8 bits"),
        ({"PixelRepresentation": 0}, "encoding (1 x 16 bits, unsigned"),
        ({"SamplesPerPixel": 3, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7,
          "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}, "encoding (3 x 8 bits"),
        ({"ImagePositionPatient": None}, "missing position"),
        ({"PixelSpacing": [8, 9]}, "pixel spacing"),
    ],
)  # fmt: skip
def test_an_image_unlike_the_others_is_kept_apart_and_named(tmp_path, paths, change, difference):
    if change.get("SamplesPerPixel") == 3:
        change = change | {"PixelData": bytes(3 * 480)}
    edit(paths[-1], **change)
    series = max(read_study(tmp_path / "study").series, key=lambda one: len(one.files))
    assert len(series.files) == 9
    assert difference in series.warnings[0] and paths[-1].name in series.warnings[0]
    edit(paths[4], **change)
    series = max(read_study(tmp_path / "study").series, key=lambda one: len(one.files))
    with pytest.raises(InputError, match=f"1 slice is missing.*{paths[4].name}"):
        read_series_image(series)


def test_a_whole_series_stored_as_negatives_is_turned_round(tmp_path, paths):
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.PixelData = (-1 - dataset.pixel_array).astype(np.int16).tobytes()
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.save_as(path)
    found = read_series_image(only_series(tmp_path / "study"))
    assert_same_voxels_at_the_same_places(found, head(SIZE, SPACING))


def test_values_beyond_the_bits_in_use_are_refused(tmp_path, paths):
    edit(paths[4], BitsStored=8, HighBit=7)
    with pytest.raises(InputError, match=rf"{paths[4].name}.*do not fit into the 8 bits"):
        read_series_image(only_series(tmp_path / "study"))


def test_twelve_bits_with_and_without_a_sign_extended_are_read_alike(tmp_path):
    image = head(SIZE, SPACING) - 500
    for name, mask in (("extended", 0xFFFF), ("bare", 0x0FFF)):
        for path in write_series(tmp_path / name, image, 3):
            pixels = pydicom.dcmread(path).pixel_array
            stored = (pixels.astype(np.int64) & mask).astype(np.uint16)
            edit(path, BitsStored=12, HighBit=11, PixelData=stored.tobytes())
        found = read_series_image(only_series(tmp_path / name))
        assert_same_voxels_at_the_same_places(found, image)


def test_rescale_slopes_that_differ_are_told(tmp_path):
    write_series(tmp_path, head(SIZE, SPACING), 3, slope=[1.0 + 0.25 * k for k in range(10)])
    assert "rescale slopes of their own, 1 to 3.25" in only_series(tmp_path).warnings[0]


# Messages


def test_an_example_never_names_the_broken_series(tmp_path):
    examination = Examination()
    write_series(tmp_path / "2", head(SIZE, SPACING), 2, "t1ce", examination)
    write_series(tmp_path / "3", head(SIZE, SPACING), 3, "flair", examination, skip=(4,))
    study = read_study(tmp_path)
    with pytest.raises(InputError, match="1 slice is missing") as error:
        choose_series(study)
    assert "FLAIR=3" not in error.value.remedy and "FLAIR=none" in error.value.remedy
    assert "Export it again" in error.value.remedy


def test_an_example_for_t1ce_is_a_series_that_may_be_one(tmp_path):
    examination = Examination()
    write_series(tmp_path / "1", head(SIZE, SPACING), 1, "localizer", examination)
    write_series(tmp_path / "2", head(SIZE, SPACING), 2, "t1", examination)
    with pytest.raises(InputError, match="No contrast-enhanced T1") as error:
        choose_series(read_study(tmp_path))
    assert "T1CE=2" in error.value.remedy


def test_one_slice_in_place_of_a_folder_names_the_way(tmp_path, paths):
    bare = paths[0].rename(paths[0].with_suffix(""))
    with pytest.raises(InputError, match="is a file") as error:
        read_study(bare)
    assert "folder in which it lies" in error.value.remedy


def test_what_was_left_out_stands_in_the_error(tmp_path, paths):
    for path in paths:
        path.write_bytes(path.read_bytes()[:-10])
    write_series(tmp_path / "study" / "t1", head(SIZE, SPACING), 2, "t1")
    with pytest.raises(InputError, match=r"No contrast-enhanced T1.*10 of 20 files.*cut short"):
        choose_series(read_study(tmp_path / "study"))


def test_a_file_that_changes_after_its_header_was_read_is_told(tmp_path, paths):
    series = only_series(tmp_path / "study")
    paths[4].write_bytes(paths[4].read_bytes()[:-100])
    with pytest.raises(InputError, match=rf"{paths[4].name} cannot be read: cut short"):
        read_series_image(series)
    assert isinstance(head(SIZE, SPACING), sitk.Image)
