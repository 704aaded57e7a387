"""Which image files can be read, recognized by their ending and their first bytes."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

from BrainTumorSegLib.core.errors import InputError

from .folders import READABLE_SUFFIXES
from .headers import require_ordinary_file

_KNOWN = "Files ending in .nii, .nii.gz, .nrrd, .nhdr, .mha and .mhd can be read."

_ANALYZE = "The Analyze format does not say where left and right are; convert it to NIfTI."
_PAIR = (
    "It is half of a NIfTI image in two files (.hdr and .img). Save it as one file, for example "
    "in 3D Slicer as .nii.gz, and give that."
)
_DICOM = "It is a DICOM file; give the folder of the whole study instead."
_OTHER_FORMATS = {
    ".dcm": _DICOM,
    ".ima": _DICOM,
    ".mgz": "Convert it to NIfTI, for example with FreeSurfer's mri_convert.",
    ".zip": "Unpack it first.",
    ".7z": "Unpack it first.",
    ".bz2": "Unpack it first.",
    ".xz": "Unpack it first.",
    ".raw": "Give the header file (.mhd or .nhdr) that belongs to it.",
    ".zraw": "Give the header file (.mhd) that belongs to it.",
}

_FORMAT_BY_SUFFIX = {
    ".nii.gz": "compressed NIfTI",
    ".nii": "NIfTI",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
    ".nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".seg.nrrd": "NRRD",
}


def readable_suffix(path: Path) -> str:
    """The ending of an image file that exists, holds something and is what it says.

    Raises:
        InputError: when the file is missing, a folder, empty, unreadable, or of
            a format that cannot be read.
    """
    if path.is_dir():
        raise InputError(
            f"{path} is a folder, not an image file.",
            "Give one file for each sequence, or give a DICOM folder as a study.",
        )
    try:
        require_ordinary_file(path)
        with path.open("rb") as file:
            start = file.read(348)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.", "Check the path and its spelling.") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be opened: {error.strerror}.", "Check that you may read it."
        ) from error
    name = path.name.lower()
    suffix = next((s for s in READABLE_SUFFIXES if name.endswith(s)), None)
    if suffix is None:
        remedy = _of_a_pair(path) or _way_on(name, start)
        raise InputError(f"{path} is in a format that cannot be read here.", remedy)
    if not start:
        raise InputError(f"{path} is empty.", "Export, copy or download it again.")
    _check_ending(path, _FORMAT_BY_SUFFIX[suffix], start)
    return suffix


def _of_a_pair(path: Path) -> str | None:
    """What to do with half of a ``.hdr``/``.img`` pair: NIfTI and Analyze share the endings."""
    name = path.name.lower().removesuffix(".gz")
    if not name.endswith((".hdr", ".img")):
        return None
    packed = path.name[len(name) :]
    stem = path.name[: len(name) - 4]
    for header in (path.with_name(f"{stem}{end}{packed}") for end in (".hdr", ".HDR")):
        try:
            with (gzip.open if packed else open)(header, "rb") as file:
                magic = file.read(348)[344:347]
        except (OSError, EOFError, zlib.error):
            continue
        return _PAIR if magic in (b"ni1", b"n+1") else _ANALYZE
    return _ANALYZE


def _way_on(name: str, start: bytes) -> str:
    """What to do with a file of another format, by its content where that is DICOM."""
    if _format_of(start) == "DICOM":
        return _DICOM
    if name.endswith((".dcm.gz", ".ima.gz")):
        return "It is a packed DICOM file; unpack the whole study and give its folder instead."
    return _OTHER_FORMATS.get(Path(name).suffix, _KNOWN)


def _check_ending(path: Path, expected: str, start: bytes) -> None:
    found = _format_of(start)
    if found == expected:
        return
    raise InputError(
        f"{path} is not the {expected} file that its name says; "
        f"its content is {found or 'of no known format'}.",
        "Give it the ending of its true format, or export it again.",
    )


def _format_of(start: bytes) -> str | None:
    if start[:2] == b"\x1f\x8b":
        return "compressed NIfTI"
    if start[:4] == b"NRRD":
        return "NRRD"
    if start[128:132] == b"DICM":
        return "DICOM"
    for header_size in (348, 540):  # NIfTI-1 and 2
        if start[:4] in (struct.pack("<i", header_size), struct.pack(">i", header_size)):
            return "NIfTI"
    first_line = start.split(b"\n", 1)[0]
    if b"=" in first_line and first_line.replace(b"\r", b"").isascii():
        return "MetaImage"
    return None
