"""Names of our own for files that ITK opens.

ITK goes by names: of ``x.nii.gz`` it opens ``x.nii`` where that lies beside it, and a
name whose bytes are no UTF-8 ends the process. Under a private name there is no
neighbour, and what is checked is what is read.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from BrainTumorSegLib.core.errors import InputError

from .headers import MAX_HEADER_BYTES, Header

_VOXELS = "voxels.raw"
_DATA_LINE = re.compile(rb"^(ElementDataFile\s*=|data ?file\s*:)[^\r\n]*", re.MULTILINE)


@contextmanager
def private_name(header: Header) -> Iterator[Path]:
    """Give the file of a header, and its data file, names in a folder of their own.

    Yields:
        The name to open. It goes when the context ends.

    Raises:
        InputError: when there is no room for temporary files, or the file was changed
            while the context was open.
    """
    before = _state(header)
    with _folder() as folder:
        name = folder / f"image{header.suffix}"
        if header.data == header.path:
            _link(header.path, name)
        else:
            _link(header.data, folder / _VOXELS)
            name.write_bytes(_naming_voxels(header))
        yield name
    if _state(header) != before:
        raise InputError(
            f"{header.path} was changed while it was read.", "Wait until it is complete."
        )


@contextmanager
def private_folder(folder: Path) -> Iterator[Path]:
    """Give a folder a name that ITK can take, for writing into it."""
    try:
        str(folder).encode("utf-8")
    except UnicodeEncodeError:
        with _folder() as private:
            link = private / "folder"
            link.symlink_to(folder.absolute(), target_is_directory=True)
            yield link
    else:
        yield folder


@contextmanager
def _folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="brain-tumor-seg-")
    except OSError as error:
        raise InputError(
            f"There is no folder for temporary files ({error.strerror}).",
            "Name one that you may write to in the variable TMPDIR.",
        ) from error
    with folder as name:
        yield Path(name)


def _link(target: Path, name: Path) -> None:
    """Link, or copy where the system allows no links (Windows, for most people)."""
    target = target.absolute()
    for attempt in (os.symlink, os.link, shutil.copyfile):
        try:
            attempt(target, name)
        except OSError as error:
            failure = error
        else:
            return
    raise InputError(
        f"{target} cannot be copied to the folder for temporary files ({failure.strerror}).",
        "Free some space there, or name another one in the variable TMPDIR.",
    ) from failure


def _naming_voxels(header: Header) -> bytes:
    """The text of a detached header, naming the private link of its data file."""
    with header.path.open("rb") as file:
        text = file.read(MAX_HEADER_BYTES)
    return _DATA_LINE.sub(rb"\1 " + _VOXELS.encode(), text, count=1)


def _state(header: Header) -> list[tuple[int, ...]]:
    try:
        found = [path.stat() for path in header.files]
    except OSError:
        return []
    return [(one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in found]
