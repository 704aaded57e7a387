"""The headers of NIfTI, NRRD and MetaImage files as they stand in the file.

ITK gives no access to some fields that tell whether a file can be trusted.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel
import nrrd
from nibabel.spatialimages import HeaderDataError

from BrainTumorSegLib.core.errors import InputError

_AGAIN = "Copy, download or export it again."


def nifti_header(path: Path) -> nibabel.Nifti1Header:
    """The header of a ``.nii`` or ``.nii.gz`` file, unchecked.

    Raises:
        InputError: when there is no whole header.
    """
    opened = gzip.open if path.name.lower().endswith(".gz") else Path.open
    try:
        with opened(path, "rb") as file:
            return nibabel.Nifti1Header.from_fileobj(file, check=False)
    except (EOFError, OSError, zlib.error, HeaderDataError) as error:
        raise InputError(f"The NIfTI header of {path} is damaged or cut short.", _AGAIN) from error


def nrrd_header(path: Path) -> tuple[dict[str, Any], int]:
    """Fields of an NRRD header, and where the voxels begin in the same file.

    Raises:
        InputError: when the header cannot be understood.
    """
    try:
        with path.open("rb") as file:
            fields = dict(nrrd.read_header(file))
            offset = file.tell()
    except (nrrd.NRRDError, ValueError, KeyError, IndexError) as error:
        raise InputError(
            f"The NRRD header of {path} cannot be understood ({error}).", "Export it again."
        ) from error
    if "datafile" in fields:
        fields["data file"] = fields.pop("datafile")
    return fields, offset


def metaimage_header(path: Path) -> tuple[dict[str, str], int]:
    """Fields of a MetaImage header by lower-case name, and where the voxels begin.

    Raises:
        InputError: when the header ends too early.
    """
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while line := file.readline(4096):
            name, _, value = line.decode("utf-8", "replace").partition("=")
            fields[name.strip().lower()] = value.strip()
            if "elementdatafile" in fields:
                return fields, file.tell()
    raise InputError(f"{path} is cut short: its header names no data.", _AGAIN)


def data_file(path: Path, name: object) -> Path | None:
    """The one file that a detached header names for its voxels.

    Args:
        path: the header.
        name: what its data field says; none for lists of files and for data behind the header.

    Raises:
        InputError: when the file does not exist.
    """
    if not isinstance(name, str) or name.upper().startswith(("LOCAL", "LIST")) or "%" in name:
        return None
    data = path.parent / name
    if not data.is_file():
        raise InputError(
            f"{path} keeps its voxels in {data}, which does not exist.",
            "Keep header and data file together, under the names they were written with.",
        )
    return data


def detached_data(path: Path) -> Path | None:
    """The file that holds the voxels of a ``.nhdr`` or ``.mhd`` header, if it is a single one.

    Raises:
        InputError: when it does not exist.
    """
    suffix = path.suffix.lower()
    if suffix == ".nhdr":
        return data_file(path, nrrd_header(path)[0].get("data file"))
    if suffix == ".mhd":
        return data_file(path, metaimage_header(path)[0]["elementdatafile"])
    return None
