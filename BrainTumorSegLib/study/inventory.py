"""Every file of an export from a PACS: found, unpacked, and what became of it."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.io.dicom.files import looks_like_dicom, read_dataset
from BrainTumorSegLib.io.dicom.folder import files_below
from BrainTumorSegLib.io.digests import sha256_of

from .deid.profile import IDENTIFYING
from .deid.rewrite import burned_in

#: Archives in archives are unpacked so deep.
_DEEPEST = 3

#: More is not unpacked out of one archive.
_MOST_MEMBERS = 1_000_000

#: What is read of every file before all else.
_HEAD = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("IssuerOfPatientID", "BurnedInAnnotation", "ConversionType", "ImageType"),
    *("StudyDate", "PatientAge", "PatientSex", "SpecificCharacterSet", "Rows"),
    *IDENTIFYING,
)

#: DICOMDIR.
_DIRECTORY = "1.2.840.10008.1.3.10"


class Became(StrEnum):
    """What became of a file."""

    TAKEN = "taken"
    THERE = "already there"
    DUPLICATE = "duplicate"
    NOT_TAKEN = "not taken"
    QUARANTINE = "quarantine"
    UNUSABLE = "not usable"
    OTHER = "no DICOM"


@dataclass(frozen=True)
class Item:
    """A file that was given, and what became of it.

    Attributes:
        path: where it can be read now.
        shown: its name as it was given, for the owner of the key: it may name a patient.
        became: what became of it; None as long as that is open.
        reason: why, without anything that a file says.
        case: name of its case, where it has one.
        head: its attributes, of pydicom.
        sha256: of its content; only of DICOM files.
    """

    path: Path
    shown: str
    became: Became | None = None
    reason: str = ""
    case: str = ""
    head: Any = None
    sha256: str = ""

    def settled(self, became: Became, reason: str = "", case: str = "") -> Item:
        """The same, with what became of it."""
        return replace(self, became=became, reason=reason, case=case or self.case)

    def text(self, keyword: str) -> str:
        """An attribute as text; empty where there is none."""
        try:
            return str(self.head.get(keyword) or "").strip()
        except Exception:
            return ""


def find_items(sources: Iterable[Path], unpacked: Path) -> Iterator[Item]:
    """Every file of folders, DICOMDIRs, ZIP archives and single files.

    Args:
        sources: what was given.
        unpacked: folder for what is unpacked, for the owner of the key alone.

    Raises:
        InputError: when a source is not there.
        OutputError: when an archive does not fit on the disk.
    """
    for source in sources:
        if not source.exists():
            raise InputError(f"{source} does not exist.", "Check the path and its spelling.")
    for source in sources:
        if source.is_dir():
            yield from _of_folder(source, source.name, unpacked, 0)
        elif source.name.upper() == "DICOMDIR":
            yield from _of_folder(source.parent, source.parent.name, unpacked, 0)
        else:
            yield from _of_file(source, source.name, "", unpacked, 0)


def _of_folder(folder: Path, shown: str, unpacked: Path, depth: int) -> Iterator[Item]:
    for path, reason in files_below(folder):
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
        yield from _of_file(path, f"{shown}/{printable(name)}", reason, unpacked, depth)


def _of_file(path: Path, shown: str, reason: str, unpacked: Path, depth: int) -> Iterator[Item]:
    if "ZIP" in reason or (not reason and path.is_file() and _is_zip(path)):
        yield from _of_archive(path, shown, unpacked, depth)
    elif reason:
        yield Item(path, shown, Became.OTHER, reason)
    else:
        yield _looked_at(Item(path, shown))


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _looked_at(item: Item) -> Item:
    try:
        with item.path.open("rb") as file:
            if not looks_like_dicom(file.read(132)):
                return item.settled(Became.OTHER, "no DICOM file")
        head = read_dataset(item.path, specific_tags=[*_HEAD])
        digest = sha256_of(item.path)
    except (ValueError, OSError) as error:
        # What pydicom says may repeat what stands in the file.
        return item.settled(Became.UNUSABLE, str(error).partition(" (")[0])
    item = replace(item, head=head, sha256=digest)
    if item.text("SOPClassUID") == _DIRECTORY or item.path.name.upper() == "DICOMDIR":
        return item.settled(Became.NOT_TAKEN, "an index of other files (DICOMDIR)")
    return item


def _of_archive(path: Path, shown: str, unpacked: Path, depth: int) -> Iterator[Item]:
    if depth >= _DEEPEST:
        yield Item(path, shown, Became.OTHER, "an archive in archives, unpack it first")
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            _check_room(path, members, unpacked)
            for member in members:
                yield from _of_member(archive, member, shown, unpacked, depth)
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        yield Item(path, shown, Became.UNUSABLE, "a damaged ZIP archive")


def _of_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, shown: str, unpacked: Path, depth: int
) -> Iterator[Item]:
    name = f"{shown}!/{printable(member.filename)}"
    if member.flag_bits & 1:
        yield Item(Path(member.filename), name, Became.UNUSABLE, "in an encrypted archive")
        return
    if member.file_size == 0:
        yield Item(Path(member.filename), name, Became.OTHER, "empty")
        return
    # A name of our own: those in archives may lead anywhere.
    place = unpacked / hashlib.sha256(name.encode()).hexdigest()[:32]
    if Path(member.filename).name.upper() == "DICOMDIR":
        place = place / "DICOMDIR"
        place.parent.mkdir(exist_ok=True)
    try:
        with archive.open(member) as content, place.open("wb") as file:
            shutil.copyfileobj(content, file)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        place.unlink(missing_ok=True)
        yield Item(Path(member.filename), name, Became.UNUSABLE, "damaged in its archive")
        return
    yield from _of_file(place, name, "", unpacked, depth + 1)


def _check_room(path: Path, members: list[zipfile.ZipInfo], unpacked: Path) -> None:
    needed = sum(member.file_size for member in members)
    if needed > shutil.disk_usage(unpacked).free or len(members) > _MOST_MEMBERS:
        raise OutputError(
            f"{path} unpacks to {needed >> 20} MiB in {len(members)} files, for which there is no "
            f"room beside the key ({unpacked.parent}).",
            "Free some space, or keep the key on a larger disk (--keys).",
        )


@contextmanager
def unpacking(folder: Path) -> Iterator[Path]:
    """A folder for what is unpacked; it is removed in the end, and what a crash has left before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def by_patient(items: Iterable[Item]) -> list[list[Item]]:
    """Open DICOM files by patient, in the order in which they come.

    Files of one patient share an identifier, or a series: some exports give each file a patient
    of its own.
    """
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    items = list(items)
    for item in items:
        series = item.text("SeriesInstanceUID")
        if series:
            leader[find(f"series\\{series}")] = find(patient_key(item))
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(find(patient_key(item)), []).append(item)
    return list(groups.values())


def patient_key(item: Item) -> str:
    """By what a patient is told: identifier and issuer; else name and birth date; else study."""
    identifier = item.text("PatientID")
    if identifier:
        return f"id\\{identifier}\\{item.text('IssuerOfPatientID')}"
    name = item.text("PatientName").replace("^", " ").strip()
    if name:
        return f"name\\{name}\\{item.text('PatientBirthDate')}"
    return f"study\\{item.text('StudyInstanceUID')}"


def without_duplicates(items: Iterable[Item]) -> list[Item]:
    """The same files; those that are there twice are settled as duplicates."""
    seen: dict[str, Item] = {}
    told = []
    for item in items:
        if item.became is None:
            uid = item.text("SOPInstanceUID")
            known = item.sha256 in seen or (uid and uid in seen)
            if known:
                first = seen.get(item.sha256)
                reason = (
                    "the same file is there twice"
                    if first
                    else "an image of the same identifier is there already"
                )
                item = item.settled(Became.DUPLICATE, reason)
            else:
                seen[item.sha256] = item
                if uid:
                    seen[uid] = item
        told.append(item)
    return told


def quarantined(item: Item) -> str:
    """Why an open file goes into quarantine; empty where it does not."""
    return burned_in(item.head) if item.head is not None else ""
