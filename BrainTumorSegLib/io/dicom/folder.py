"""Every file of a folder that may hold a study: which are DICOM, and why the others are not."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from BrainTumorSegLib.core.file_names import printable

from .files import looks_like_dicom

#: Folders of programs, which hold the files of the working copy a second time.
_OF_PROGRAMS = frozenset({".git", ".datalad", ".svn", ".hg"})

#: First bytes of what has to be unpacked before it can be read.
_PACKED = {
    b"\x1f\x8b": "packed with gzip, unpack it first",
    b"PK\x03\x04": "a ZIP archive, unpack it first",
    b"7z\xbc\xaf": "a 7z archive, unpack it first",
    b"Rar!": "a RAR archive, unpack it first",
    b"BZh": "packed with bzip2, unpack it first",
    b"\xfd7zX": "packed with xz, unpack it first",
}

NO_DICOM = "no DICOM file"

#: So many names are shown for each reason.
_NAMED = 3


@dataclass(frozen=True)
class LeftOut:
    """A file that was not taken.

    Attributes:
        path: the file.
        reason: a clause that follows its name.
        series: its SeriesInstanceUID, where that is known.
    """

    path: Path
    reason: str
    series: str = ""


def files_below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below a folder in a stable order, with the reason why it is no DICOM file.

    Links to folders are followed, each folder is read once. The reason is empty for what
    begins like DICOM.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        try:
            identity = parent.stat()
            paths = sorted(parent.iterdir())
        except OSError as error:
            yield parent, f"a folder that cannot be opened ({error.strerror or error})"
            continue
        if (identity.st_dev, identity.st_ino) in seen:
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders = [path for path in paths if path.is_dir()]
        waiting += [path for path in reversed(folders) if path.name not in _OF_PROGRAMS]
        for path in paths:
            if path not in folders:
                yield path, _why_not(path)


def _why_not(path: Path) -> str:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return "no regular file"
        if found.st_size == 0:
            return "empty"
        with path.open("rb") as file:
            head = file.read(132)
    except FileNotFoundError:
        if path.is_symlink() and "annex" in path.readlink().parts:
            return "a link of git-annex whose content is not here, fetch it with: git annex get"
        return "a link to a file that does not exist"
    except OSError as error:
        return f"not readable ({error.strerror or error})"
    packed = next((what for start, what in _PACKED.items() if head.startswith(start)), None)
    return "" if looks_like_dicom(head) else packed or NO_DICOM


def left_out_summary(left_out: Iterable[LeftOut], total: int) -> str:
    """One sentence that counts what was left out and names it; empty when nothing was."""
    left_out = list(left_out)
    if not left_out:
        return ""
    count = f"{len(left_out)} of {total} files in the folder were left out"
    return f"{count}. {reasons_by_file(left_out)}."


def reasons_by_file(left_out: Iterable[LeftOut]) -> str:
    """Names of files with the reason why they were left out, shortened.

    Only names of files are shown, for folders are often called after patients.
    """
    by_reason: dict[str, list[str]] = {}
    for one in left_out:
        by_reason.setdefault(one.reason, []).append(printable(one.path.name))
    parts = []
    for reason, names in by_reason.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        parts.append(f"{', '.join(names[:_NAMED])}{more}: {reason}")
    return "; ".join(parts)
