"""What lies in a folder: images and records, but nothing that is hidden.

A run that was killed leaves half of a file under a hidden name, and so do other programs.
"""

from __future__ import annotations

import json
from pathlib import Path

#: File endings of images that can be read; an ending made of two parts comes before its last part.
READABLE_SUFFIXES = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")

#: What a record says it is.
SCHEMA = "brain-tumor-seg-report/1"

#: A record is some kilobytes; anything much larger is something else.
MAX_RECORD_BYTES = 16 * 1024**2


def visible_files(folder: Path, suffixes: tuple[str, ...] = ("",)) -> list[Path]:
    """The files of a folder that are not hidden and end so, in any case, in order of their names.

    Raises:
        OSError: when the folder cannot be read.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.lower().endswith(suffixes) and path.is_file()
    )


def image_files(folder: Path) -> list[Path]:
    """The files of a folder whose names end like those of images; see `visible_files`."""
    return visible_files(folder, READABLE_SUFFIXES)


def record_files(folder: Path) -> list[Path]:
    """The files of a folder that say that they are records; `read_record` tells which are whole."""
    return [path for path in visible_files(folder, (".json",)) if _is_record(path)]


def _is_record(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MAX_RECORD_BYTES))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("schema") == SCHEMA
