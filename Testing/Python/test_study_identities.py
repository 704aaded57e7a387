"""De-identification: what is kept of a header, what is removed, and how identities are found."""

from __future__ import annotations

import gzip
import importlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_factory import head, write_enhanced, write_series

from BrainTumorSegLib.io.dicom.study import read_study
from BrainTumorSegLib.study.deid.audit import audit
from BrainTumorSegLib.study.deid.identities import Finder, identities_of
from BrainTumorSegLib.study.deid.keys import Key
from BrainTumorSegLib.study.deid.profile import EMPTY
from BrainTumorSegLib.study.deid.rewrite import (
    Disguise,
    age_years,
    burned_in,
    rewrite,
    rewrite_file,
)

KNOWN = {
    "name": ["Щербаков^Пётр^Ильич=SHCHERBAKOV^PETR"],
    "identifier": ["NSK-70310"],
    "birth date": ["19471209"],
}
FOUND = identities_of("sub-001", KNOWN)
KEY = Key(Path("key"), "study", b"s" * 32)
DISGUISE = Disguise("sub-001", KEY.uid, -400, frozenset(one.text for one in FOUND))


@pytest.mark.parametrize(
    "text",
    [
        *("Щербаков", "ЩЕРБАКОВ", "щербаков", "shcherbakov", "SHHERBAKOV", "Scherbakov"),
        *("пётр", "Petr", "PYOTR", "ильич", "Ilich", "nsk-70310", "NSK-70310"),
        *("19471209", "1947-12-09", "09.12.1947", "12/09/1947"),
    ],
)
def test_an_identity_is_found_however_it_is_written(tmp_path, text):
    encodings = ["utf-8", "utf-16-le", "utf-16", "iso8859-5", "cp1251"]
    for encoding in encodings:
        (tmp_path / f"{encoding}.txt").write_bytes(f"x {text}, y\n".encode(encoding))
    places = {leak.place for leak in audit(tmp_path, FOUND).leaks}
    assert places == {f"{encoding}.txt" for encoding in encodings}


@pytest.mark.parametrize("text", ["Petrov-less", "ванна", "NSK-703", "1947-12-10", "petrify"])
def test_what_merely_looks_alike_is_not_taken_for_an_identity(tmp_path, text):
    (tmp_path / "notes.txt").write_text(text)
    assert audit(tmp_path, FOUND).leaks == ()


def _png(path: Path) -> None:
    from PIL import Image, PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_itxt("Comment", "Щербаков", zip=True)
    Image.new("L", (4, 4)).save(path, pnginfo=text)


def _pixels(path: Path) -> None:
    from PIL import Image

    letters = np.frombuffer("Щербаков".encode("cp1251").ljust(64, b" "), np.uint8)
    Image.fromarray(letters.reshape(1, 64)).save(path)


def _book(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active["B2"] = "Щербаков"
    book.save(path)


def _archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b.gz", gzip.compress("Щербаков".encode()))


def _binary(path: Path) -> None:
    path.write_bytes(b"\0\1" * 999 + "Щербаков".encode("cp1251") + b"\xff\0" * 99)


def _header(path: Path) -> None:
    (one,) = write_series(path.parent, head((4, 4, 1)), 1, PatientComments="Это Пётр")
    one.rename(path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("x.nii.gz", lambda path: path.write_bytes(gzip.compress("Щербаков".encode("utf-16-le")))),
        ("a.png", _png),
        ("b.png", _pixels),
        ("a.xlsx", _book),
        ("a.zip", _archive),
        ("a.bin", _binary),
        ("a.dcm", _header),
        ("a.json", lambda path: path.write_text(json.dumps(["Щербаков"]))),
        ("Shcherbakov.txt", lambda path: path.write_text("")),
    ],
)
def test_an_identity_is_found_in_whatever_it_is_packed(tmp_path, name, write):
    write(tmp_path / name)
    found = audit(tmp_path, FOUND)
    assert found.leaks and found.leaks[0].place.startswith(name)
    assert "Щербаков" not in str(found.leaks[0].place + found.leaks[0].kind)


def test_cyrillic_whose_header_does_not_say_so_is_known_all_the_same():
    mistaken = "Щербаков".encode("cp1251").decode("latin-1")
    finder = Finder(tuple(identities_of("sub-001", {"name": [mistaken]})))
    assert finder.in_text("Щербаков") and finder.in_bytes("щербаков".encode("cp1251"))


def dataset(**attributes):
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.3.4"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


#: What options of the profile keep, in part: days are moved, age and sex are those of a patient.
KEPT_BY_OPTIONS = {
    *("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime"),
    *("InstanceCreationDate", "FrameReferenceDateTime", "FrameAcquisitionDateTime"),
    *("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime"),
    *("PatientAge", "PatientSex", "PatientSize", "PatientWeight"),
    # Written anew.
    *("StudyDescription", "SeriesDescription", "PatientName", "PatientID", "ContrastBolusAgent"),
    *("DeidentificationMethod", "DeidentificationMethodCodeSequence"),
}


def test_every_attribute_of_table_e_1_1_goes_or_becomes_another():
    try:
        table = importlib.import_module(
            "dicomanonymizer.dicom_anonymization_databases.dicomfields_2024b"
        )
    except ImportError:
        pytest.skip("dicom-anonymizer is not installed")
    groups = {n: getattr(table, n) for n in dir(table) if n.endswith("_TAGS") and n != "ALL_TAGS"}
    seen = 0
    for tags in groups.values():
        for tag in tags:
            if len(tag) != 2:
                continue  # a range: curves and overlays
            keyword = pydicom.datadict.keyword_for_tag(tag)
            if not keyword or keyword in KEPT_BY_OPTIONS:
                continue
            vr = pydicom.datadict.dictionary_VR(tag).split(" ")[0]
            planted = {"UI": "1.2.3.4.5", "DA": "20240517", "TM": "091500", "DT": "20240517091500"}
            value = planted.get(vr, "SECRET")
            if vr in ("OB", "OW", "UN"):
                value = b"SECRET"
            elif vr in ("US", "UL", "SS", "SL", "FD", "FL", "IS", "DS", "AS", "AT"):
                value = {"AS": "044Y", "DS": "12.5", "IS": "125"}.get(vr, 125)
            elif vr == "SQ":
                value = [dataset(PatientComments="SECRET")]
            original = dataset()
            if tag[0] != 2:
                original.add_new(tag, vr, value)
            new = rewrite(original, DISGUISE, "T1")
            seen += 1
            assert tag not in new or keyword in EMPTY or new[tag].value != value, keyword
            assert "SECRET" not in str(new), keyword
    assert seen > 400


def test_identifiers_change_alike_at_any_depth_and_those_of_the_standard_stay():
    item = dataset(
        ReferencedSOPInstanceUID="1.2.3.4", ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.4"
    )
    new = rewrite(dataset(ReferencedImageSequence=[item]), DISGUISE, "T1")
    inner = new.ReferencedImageSequence[0]
    assert inner.ReferencedSOPInstanceUID == new.SOPInstanceUID == KEY.uid("1.2.3.4")
    assert inner.ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.4"
    assert KEY.uid("1.2.3.4") != Key(Path(), "study", b"t" * 32).uid("1.2.3.4")


@pytest.mark.parametrize(
    ("keyword", "given", "kept"),
    [
        ("StudyDate", "20240517", "20230413"),
        ("AcquisitionDateTime", "20240517091500.500+0700", "20230413091500.500"),
        ("StudyDate", "Петров", None),
        ("StudyTime", "091500.25", "091500.25"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "M"]),
        ("ImageType", ["ORIGINAL", "PETR"], "ORIGINAL"),
        ("SequenceName", "*se2d1", "*se2d1"),
        ("SequenceName", "petr 1", None),
        ("Manufacturer", "Siemens Healthineers of Petr", "SIEMENS"),
        ("Manufacturer", "Petr & sons", None),
        ("ContrastBolusAgent", "Gadovist для Петра", "gadolinium"),
        ("ContrastBolusAgent", "NONE", "NONE"),
        ("RepetitionTime", "500", "500"),
        ("PatientPosition", "Lying^on^back", None),
    ],
)
def test_values_are_kept_moved_or_cleaned_by_their_kind(keyword, given, kept):
    new = rewrite(dataset(**{keyword: given}), DISGUISE, "T1")
    found = new.get(keyword)
    found = list(found) if type(found).__name__ == "MultiValue" else found
    assert (str(found) if isinstance(kept, str) else found) == kept


@pytest.mark.parametrize(
    ("born", "day", "typed", "age"),
    [
        ("19470517", "20240517", "", 77),
        ("19470518", "20240517", "099Y", 76),
        ("", "20240517", "018M", 1),
        ("19200101", "20240517", "", 90),
        ("", "20240517", "120Y", 90),
        ("20300101", "20240517", "", None),
        ("", "", "old", None),
    ],
)
def test_the_age_is_computed_before_the_birth_date_goes(born, day, typed, age):
    header = pydicom.Dataset()
    header.PatientBirthDate, header.StudyDate = born, day
    header.PatientAge = typed
    assert age_years(header) == age


@pytest.mark.parametrize(
    "change",
    [
        {"BurnedInAnnotation": "YES"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.4"},
        {"ConversionType": "WSD"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
    ],
)
def test_what_may_be_burned_in_is_noticed(change):
    assert burned_in(dataset(**change)) and not burned_in(dataset(BurnedInAnnotation="NO"))


@pytest.mark.parametrize("signed", [0, 1])
def test_spare_bits_in_which_an_overlay_may_hide_are_cleared(tmp_path, signed):
    (path,) = write_series(tmp_path, head((8, 8, 1)), 1)
    made = pydicom.dcmread(path)
    made.BitsStored, made.HighBit, made.PixelRepresentation = 12, 11, signed
    plain = np.arange(64, dtype=np.uint16).reshape(8, 8) * 60
    made.PixelData = (plain | 0xA000).tobytes() + b"Petr"
    made.save_as(path)
    rewrite_file(path, tmp_path / "new.dcm", DISGUISE, "T1")
    kept = np.frombuffer(pydicom.dcmread(tmp_path / "new.dcm").PixelData, np.uint16).reshape(8, 8)
    extended = np.where(plain & 0x800, plain | 0xF000, plain) if signed else plain
    assert (kept == extended).all()


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2"])
def test_pixels_of_any_encoding_are_the_same_afterwards(tmp_path, syntax):
    paths = write_series(tmp_path / "a", head((10, 12, 3)), 1, syntax=None)
    (tmp_path / "b").mkdir()
    for path in paths:
        made = pydicom.dcmread(path)
        before = made.pixel_array.copy()
        if syntax.endswith("5"):
            made.compress(syntax)
            made.save_as(path)
        else:
            made.file_meta.TransferSyntaxUID = syntax
            made.save_as(path)
        rewrite_file(path, tmp_path / "b" / path.name, DISGUISE, "T1")
        assert (pydicom.dcmread(tmp_path / "b" / path.name).pixel_array == before).all()


def test_an_enhanced_object_is_read_the_same_afterwards(tmp_path):
    (tmp_path / "b").mkdir()
    path = write_enhanced(tmp_path / "a" / "x.dcm", head((10, 12, 3)), 1, slopes=[1.0, 2.0, 3.0])
    rewrite_file(path, tmp_path / "b" / "x.dcm", DISGUISE, "T1")
    (old,), (new,) = (read_study(tmp_path / name).series for name in "ab")
    assert new.grid == old.grid
    assert [f.rescale for f in new.frames] == [f.rescale for f in old.frames]
    for keyword in ("RepetitionTime", "EchoTime", "AcquisitionContrast"):
        assert new.attributes[keyword] == old.attributes[keyword]
