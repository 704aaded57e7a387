"""Exports of a PACS for tests of studies: patients with names in many places, and the truth."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from dicom_factory import Examination, head, write_series

from BrainTumorSegLib.study.settings import TUMOR_TYPES

#: Family and given names: Cyrillic, Latin, short ones.
FAMILIES = ("Иванов", "Щербаков", "Ким", "Юсупова", "Ёлкина", "Smirnow", "Жданов", "Оганесян")
GIVEN = ("Пётр", "Анна", "Сергей", "Maria", "Юлия")

SIZE, SPACING = (14, 16, 3), (14.0, 14.0, 45.0)


@dataclass
class Person:
    """A patient as the hospital knows them, and what must become of them."""

    number: int
    family: str
    given: str
    identifier: str
    born: date
    sex: str
    tumor: str
    visits: list[date] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.family}^{self.given}"

    def age(self, day: date) -> int:
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


def people(count: int, twice: int = 0) -> list[Person]:
    """So many patients, the first ones with two visits."""
    found = []
    for number in range(count):
        family = FAMILIES[number % len(FAMILIES)] + (
            "" if number < len(FAMILIES) else f"-{'абвг'[number // 8 % 4]}ский"
        )
        first = date(2015, 3, 1) + timedelta(days=37 * number)
        person = Person(
            number,
            family,
            GIVEN[number % len(GIVEN)],
            f"NSK-{70310 + 17 * number}",
            date(1930 + 2 * number, 1 + number % 12, 1 + number % 28),
            "FM"[number % 2],
            TUMOR_TYPES[number % 4],
            [first],
        )
        if number < twice:
            person.visits.append(first + timedelta(days=91 + number))
        found.append(person)
    return found


def write_visit(
    folder: Path, person: Person, visit: int, planted: bool = True, charset: str = "ISO_IR 192"
) -> Path:
    """One examination; with ``planted`` the name stands in twelve kinds of places besides."""
    from pydicom.dataset import Dataset

    day = person.visits[visit]
    place = (
        folder
        / (f"{person.family}_{person.given}" if planted else f"p{person.number}")
        / f"{day:%Y%m%d}"
    )
    rng = np.random.default_rng(100 * person.number + visit)
    examination = Examination(
        patient=person.identifier,
        name=person.name,
        description=f"МРТ {person.family}" if planted else "MR head",
        date=f"{day:%Y%m%d}",
    )
    nested = Dataset()
    nested.PatientName = person.name
    nested.PatientID = person.identifier
    request = Dataset()
    request.RequestingPhysician = "Кузнецова^Ольга"
    request.ScheduledProcedureStepDescription = f"Контроль {person.family}"
    common = {
        "SpecificCharacterSet": charset,
        "PatientBirthDate": f"{person.born:%Y%m%d}",
        "PatientSex": person.sex,
        "PatientAge": "099Y",
        "InstitutionName": "Городская больница 25",
        "AccessionNumber": f"ACC{84000 + person.number}",
        "ReferringPhysicianName": "Кузнецова^Ольга",
    }
    if planted:
        common |= {
            "PatientComments": f"Жена: {person.given} {person.family}",
            "ImageComments": f"{person.name} {person.born:%d.%m.%Y}",
            "OtherPatientIDsSequence": [nested],
            "RequestAttributesSequence": [request],
            "ProtocolName": f"{person.family} head",
            "OperatorsName": "Кузнецова^Ольга",
            "SequenceName": "IVANOV" if person.family == "Иванов" else "*se2d1",
        }
    kinds = ("t1", "t1ce", "flair")
    uids = {}
    for number, kind in enumerate(kinds, 1):
        image = head(SIZE, SPACING, seed=int(rng.integers(1 << 30)))
        title = {"t1": "t1_se_tra", "t1ce": "t1_se_tra_KM", "flair": "t2_tirm_dark-fluid"}[kind]
        more = {"SeriesDescription": f"{title} {person.family}" if planted else title}
        if kind == "t1ce":
            # With a name in it, nobody but a person could tell what it is.
            more = {}
        if planted and kind == "flair":
            more["ContrastBolusAgent"] = f"Gadovist {person.family}"
        paths = write_series(
            place / (f"{person.family} {kind}" if planted else kind),
            image,
            number,
            kind,
            examination,
            **{**common, **more},
        )
        uids[kind] = paths
    _refer(uids["t1ce"], uids["t1"])
    if planted:
        for paths in uids.values():
            _plant(paths[0], person)
    return place


def _refer(paths: list[Path], to: list[Path]) -> None:
    """Each image refers to the one before contrast agent, one level deep and two."""
    import pydicom

    for path, other in zip(paths, to, strict=True):
        dataset = pydicom.dcmread(path)
        target = pydicom.dcmread(other, stop_before_pixels=True)
        item, source = pydicom.Dataset(), pydicom.Dataset()
        item.ReferencedSOPClassUID = source.ReferencedSOPClassUID = target.SOPClassUID
        item.ReferencedSOPInstanceUID = source.ReferencedSOPInstanceUID = target.SOPInstanceUID
        made = pydicom.Dataset()
        made.SourceImageSequence = [source]
        dataset.ReferencedImageSequence = [item]
        dataset.DerivationImageSequence = [made]
        dataset.save_as(path)


def _plant(path: Path, person: Person) -> None:
    """The name in a private block, in raw bytes, an overlay, the preamble and behind the pixels."""
    import pydicom

    dataset = pydicom.dcmread(path)
    block = dataset.private_block(0x0019, "HOSPITAL", create=True)
    block.add_new(0x01, "LO", person.name)
    block.add_new(0x02, "UN", person.family.encode("cp1251", "replace") + b" ")
    dataset.add_new(0x60004000, "LT", person.name)
    raw = f"{person.family} {person.given}".encode("iso8859-5", "replace")
    dataset.preamble = raw[:100].ljust(128, b"\0")
    dataset.PixelData += f"{person.name}  ".encode("utf-16-le")
    dataset.save_as(path)


def write_burned_in(folder: Path, person: Person, examination_of: Path) -> Path:
    """A picture of a screen, and an image that says that something is burned in."""
    import pydicom

    first = sorted(examination_of.rglob("*.dcm"))[0]
    for number, change in enumerate(
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, {"BurnedInAnnotation": "YES"})
    ):
        dataset = pydicom.dcmread(first)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = (
            pydicom.uid.generate_uid()
        )
        dataset.SeriesInstanceUID = pydicom.uid.generate_uid()
        dataset.SeriesNumber = 90 + number
        for key, value in change.items():
            setattr(dataset, key, value)
        pixels = dataset.pixel_array.copy()
        pixels[2:4] = 4000
        dataset.PixelData = pixels.tobytes()
        dataset.save_as(examination_of / f"screen_{person.family}_{number}.dcm")
    return examination_of


def zipped(folder: Path, archive: Path) -> Path:
    """The folder as a ZIP archive, in its place."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder.parent))
    shutil.rmtree(folder)
    return archive


def write_export(folder: Path, count: int, twice: int) -> list[Person]:
    """A whole export: folders and ZIP archives, copies, pictures of screens and other files."""
    persons = people(count, twice)
    for person in persons:
        charset = (
            "ISO_IR 144" if person.number % 3 == 1 and not person.family.isascii() else "ISO_IR 192"
        )
        for visit in range(len(person.visits)):
            place = write_visit(folder, person, visit, charset=charset)
        if person.number % 10 == 0:
            write_burned_in(folder, person, place)
        if person.number % 7 == 3:
            zipped(place.parent, folder / f"{person.family} {person.number}.zip")
        if person.number == 1:
            shutil.copytree(place / f"{person.family} t1", folder / "copy")
    (folder / "readme.txt").write_text("Export")
    (folder / "empty").touch()
    return persons
