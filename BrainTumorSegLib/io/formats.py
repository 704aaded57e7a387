"""Which image files can be read, recognized by their ending and their first bytes."""

from __future__ import annotations

import struct
from pathlib import Path

from BrainTumorSegLib.core.errors import InputError

#: File endings that can be read; an ending made of two parts comes before its last part.
READABLE_SUFFIXES = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")

_KNOWN = "Files ending in .nii, .nii.gz, .nrrd, .nhdr, .mha and .mhd can be read."

_ANALYZE = "The Analyze format does not say where left and right are; convert it to NIfTI."
_DICOM = "It is a DICOM file; give the folder of the whole study instead."
_OTHER_FORMATS = {
    ".dcm": _DICOM,
    ".ima": _DICOM,
    ".hdr": _ANALYZE,
    ".img": _ANALYZE,
    ".mgz": "Convert it to NIfTI, for example with FreeSurfer's mri_convert.",
    ".zip": "Unpack it first.",
    ".7z": "Unpack it first.",
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
        raise InputError(
            f"{path} is in a format that cannot be read here.",
            _OTHER_FORMATS.get(path.suffix.lower(), _KNOWN),
        )
    if not start:
        raise InputError(f"{path} is empty.", "Export, copy or download it again.")
    _check_ending(path, _FORMAT_BY_SUFFIX[suffix], start)
    return suffix


def _check_ending(path: Path, expected: str, start: bytes) -> None:
    found = _format_of(start)
    if found == expected:
        return
    if found == "NIfTI-2":
        raise InputError(f"{path} is a NIfTI-2 file.", "Convert it to NIfTI-1 (.nii.gz) or NRRD.")
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
    for header_size, name in ((348, "NIfTI"), (540, "NIfTI-2")):
        if start[:4] in (struct.pack("<i", header_size), struct.pack(">i", header_size)):
            return name
    first_line = start.split(b"\n", 1)[0]
    if b"=" in first_line and first_line.replace(b"\r", b"").isascii():
        return "MetaImage"
    return None
