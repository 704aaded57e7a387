"""One DICOM file, rewritten without the identity of its patient."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from BrainTumorSegLib.io.dicom.files import bytes_needed, one_file, pydicom_module

from .identities import words_of
from .profile import (
    CODE,
    CODES,
    DATES,
    EMPTY,
    METHOD,
    NAME,
    NAMES,
    NUMBERS,
    OPTIONS,
    SECONDARY_CAPTURE,
    SEQUENCES,
    TIMES,
    UIDS,
    VENDORS,
)

#: Identifiers of the standard, which tell nothing of a patient.
_STANDARD = "1.2.840.10008."

#: Older people are told by this age (HIPAA, 45 CFR 164.514).
OLDEST = 90

_UNIT_YEARS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


@dataclass(frozen=True)
class Disguise:
    """How the files of a patient are rewritten.

    Attributes:
        pseudonym: in place of name and identifier.
        uid: gives a new identifier for an old one, always the same.
        shift_days: added to every day.
        identities: words, in lower case, that must not be left in any text.
    """

    pseudonym: str
    uid: Callable[[str], str]
    shift_days: int
    identities: Collection[str] = frozenset()


def burned_in(header: Any) -> str:
    """Why something may be burned into the pixels of a file; empty where nothing says so.

    Args:
        header: a pydicom data set with SOPClassUID, BurnedInAnnotation, ConversionType and
            ImageType, where they are there.
    """
    kind = str(header.get("SOPClassUID") or "")
    if str(header.get("BurnedInAnnotation") or "").upper() == "YES":
        return "its header says that something is burned into the image"
    if kind == SECONDARY_CAPTURE or kind.startswith(f"{SECONDARY_CAPTURE}."):
        return "it is a secondary capture, into which anything may be burned"
    if header.get("ConversionType"):
        return "it was made from another image, into which anything may be burned"
    if "SCREEN" in str(header.get("ImageType") or "").upper():
        return "it is a picture of a screen, into which anything may be burned"
    return ""


def age_years(header: Any) -> int | None:
    """Age in whole years at the study, at most `OLDEST`; None where it is not known.

    The birth date counts more than what was typed as the age.
    """
    born, day = (_day(header.get(k)) for k in ("PatientBirthDate", "StudyDate"))
    if born is not None and day is not None and born <= day:
        before_birthday = (day.month, day.day) < (born.month, born.day)
        return min(OLDEST, day.year - born.year - before_birthday)
    told = str(header.get("PatientAge") or "").strip().upper()
    if told[:-1].isdigit() and told[-1:] in _UNIT_YEARS:
        return min(OLDEST, int(int(told[:-1]) * _UNIT_YEARS[told[-1]]))
    return None


def rewrite_file(source: Path, target: Path, disguise: Disguise, description: str) -> str:
    """Write a file without identity.

    Args:
        source: the file as it came.
        target: the new file, which does not exist yet.
        disguise: of its patient.
        description: what its series is called from now on.

    Returns:
        Its new SOPInstanceUID.

    Raises:
        ValueError: when the file is damaged.
        OSError: when the new one cannot be written.
        DependencyError: without pydicom.
    """
    pydicom = pydicom_module()
    with one_file():
        with source.open("rb") as file:
            dataset = pydicom.dcmread(file, force=True)
        new = rewrite(dataset, disguise, description)
        new.save_as(target, enforce_file_format=True)
    return str(new.SOPInstanceUID)


def rewrite(dataset: Any, disguise: Disguise, description: str) -> Any:
    """A new data set with what may stay; the given one is left as it is.

    Args:
        dataset: of pydicom, with pixels.
        disguise: of its patient.
        description: what its series is called from now on.
    """
    pydicom = pydicom_module()
    new = pydicom.Dataset()
    new.SpecificCharacterSet = "ISO_IR 192"
    _copy(dataset, new, disguise)
    for keyword in EMPTY:
        setattr(new, keyword, "")
    new.PatientName = new.PatientID = disguise.pseudonym
    new.PatientSex = new.get("PatientSex", "")
    age = age_years(dataset)
    if age is not None:
        new.PatientAge = f"{age:03d}Y"
    new.StudyDescription, new.SeriesDescription = "MRI of the brain", description
    vendor = vendor_of(str(dataset.get("Manufacturer") or ""))
    if vendor:
        new.Manufacturer = vendor
    _mark(new)
    _copy_pixels(dataset, new)
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        new.SOPClassUID,
        new.SOPInstanceUID,
    )
    syntax = dataset.file_meta.get("TransferSyntaxUID") or pydicom.uid.ImplicitVRLittleEndian
    if not pydicom.uid.UID(syntax).is_encapsulated:
        syntax = pydicom.uid.ExplicitVRLittleEndian
    meta.TransferSyntaxUID = syntax
    new.file_meta = meta
    return new


def _mark(new: Any) -> None:
    pydicom = pydicom_module()
    new.PatientIdentityRemoved = "YES"
    new.DeidentificationMethod = METHOD
    codes = []
    for value, meaning in OPTIONS.items():
        code = pydicom.Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    new.DeidentificationMethodCodeSequence = codes
    new.LongitudinalTemporalInformationModified = "MODIFIED"
    new.RecognizableVisualFeatures = "YES"


def _copy(dataset: Any, new: Any, disguise: Disguise) -> None:
    """Copy what the allow-list names, at any depth; an attribute that breaks rules is left out."""
    pydicom = pydicom_module()
    for tag in dataset.keys():  # noqa: SIM118 - iterating over a data set reads its values
        keyword = pydicom.datadict.keyword_for_tag(tag)
        if keyword in ("ContrastBolusAgent", "ContrastBolusAgentSequence"):
            _copy_agent(dataset, new)
            continue
        if keyword not in _KEPT:
            continue
        value = _value(dataset, tag)
        if keyword in SEQUENCES:
            items = []
            for item in value or ():
                own = pydicom.Dataset()
                _copy(item, own, disguise)
                items.append(own)
            setattr(new, keyword, items)
            continue
        cleaned = _cleaned(keyword, value, disguise)
        if cleaned is not None:
            setattr(new, keyword, cleaned)


def _value(dataset: Any, tag: Any) -> Any:
    """A value; None where it breaks the rules of its type, for then it may be anything."""
    try:
        return dataset[tag].value
    except Exception:
        return None


def _copy_agent(dataset: Any, new: Any) -> None:
    """That contrast agent was given, without the words in which somebody typed it."""
    told = str(dataset.get("ContrastBolusAgent") or "").strip().upper()
    sequence = dataset.get("ContrastBolusAgentSequence")
    if told in ("NO", "NONE", "N", "0"):
        new.ContrastBolusAgent = "NONE"
    elif told or sequence:
        new.ContrastBolusAgent = "gadolinium"


_KEPT = DATES | TIMES | UIDS | NUMBERS | CODES | NAMES | SEQUENCES


def _cleaned(keyword: str, value: Any, disguise: Disguise) -> Any:
    """What is written in the place of a value; None where nothing is."""
    several = value if isinstance(value, list | tuple) or _is_multiple(value) else [value]
    several = [one for one in several if one not in (None, "")]
    if keyword in UIDS:
        found = [_new_uid(str(one), disguise) for one in several]
    elif keyword in DATES:
        found = [moved_day(str(one), disguise.shift_days) for one in several]
    elif keyword in TIMES:
        found = [str(one) for one in several if _is_time(str(one))]
    elif keyword in NUMBERS:
        found = several if all(_is_number(one) for one in several) else []
    else:
        allowed = CODE if keyword in CODES else NAME
        texts = [str(one).strip() for one in several]
        whole = all(allowed.fullmatch(text) for text in texts if keyword in NAMES)
        found = [text for text in texts if allowed.fullmatch(text)] if whole else []
        found = [text for text in found if not words_of(text) & frozenset(disguise.identities)]
    found = [one for one in found if one is not None]
    if not found:
        return None
    return found if len(found) > 1 else found[0]


def _is_multiple(value: Any) -> bool:
    return type(value).__name__ == "MultiValue"


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _is_time(text: str) -> bool:
    return bool(text) and text.replace(".", "").replace(":", "").isdigit()


def _new_uid(old: str, disguise: Disguise) -> str:
    return old if old.startswith(_STANDARD) else disguise.uid(old)


def moved_day(text: str, days: int) -> str | None:
    """A date, or a date and time, on another day; None for what is neither."""
    day = _day(text)
    if day is None:
        return None
    rest = "" if len(text) == 10 and "." in text else text.strip()[8:]
    clock = rest.split("+")[0].split("-")[0]
    if clock and not _is_time(clock):
        return None
    return f"{day + timedelta(days):%Y%m%d}{clock}"


def _day(value: Any) -> datetime | None:
    """The day of a date, or of a date and time; of old files, too (``2024.05.17``)."""
    text = str(value or "").strip()
    for form, length in (("%Y%m%d", 8), ("%Y.%m.%d", 10)):
        try:
            return datetime.strptime(text[:length], form)
        except ValueError:
            continue
    return None


def vendor_of(text: str) -> str:
    """The vendor whom a scanner's text names; empty for an unknown one."""
    found = (name for word, name in VENDORS.items() if word in text.lower())
    return next(found, "GE MEDICAL SYSTEMS" if text.strip().upper() == "GE" else "")


def _copy_pixels(dataset: Any, new: Any) -> None:
    """The pixels, without what may be hidden behind them or in their spare bits."""
    if "PixelData" not in dataset:
        return
    element = dataset["PixelData"]
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax.is_encapsulated:
        new["PixelData"] = element
        return
    needed = bytes_needed(dataset)
    pixels = element.value[:needed]
    bits, stored = int(dataset.BitsAllocated), int(dataset.get("BitsStored") or 0)
    little = dataset.original_encoding[1] is not False
    if bits == 16:
        values = np.frombuffer(pixels, "<u2" if little else ">u2").astype("<u2")
        if 0 < stored < bits and int(dataset.get("HighBit") or 0) == stored - 1:
            values = values & np.uint16((1 << stored) - 1)
            if int(dataset.get("PixelRepresentation") or 0):
                sign = np.uint16(1 << (stored - 1))
                values = np.where(
                    values & sign, values | np.uint16(-(1 << stored) & 0xFFFF), values
                )
        pixels = values.astype("<u2").tobytes()
    elif bits > 16 and not little:
        pixels = np.frombuffer(pixels, f">u{bits // 8}").astype(f"<u{bits // 8}").tobytes()
    new.PixelData = pixels + b"\0" * (len(pixels) % 2)
    new["PixelData"].VR = "OW" if bits > 8 else "OB"
