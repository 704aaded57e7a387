"""Prepared volumes on disk, read through memory maps.

A set of synthetic samples is larger than the memory of most computers; of a mapped file
only the slices that are drawn are read, and several processes share them.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from BrainTumorSegLib.io.atomic import atomic_path

#: Length of the fixed part of a local header in a zip file, and where the lengths of the
#: two variable parts stand in it (PKWARE APPNOTE 4.3.7).
_HEADER, _LENGTHS = 30, 26


def file_stamps(paths: Iterable[Path]) -> str:
    """What changes with any of some files: their names, sizes and times of the last change."""
    looked_at = ((path.name, path.stat()) for path in paths)
    return "|".join(f"{name}:{found.st_size}:{found.st_mtime_ns}" for name, found in looked_at)


def store_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays uncompressed into one ``.npz`` file, which appears whole or not at all.

    Several runs may share a cache: where two make the same file at once, the later one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path, overwrite=True) as temporary:
        np.savez(temporary, **arrays)


def map_array(path: Path, name: str) -> np.ndarray:
    """One array of a file that `store_arrays` wrote, mapped and read-only.

    No file stays open: the maps of a set of some hundred samples would else reach the number
    of open files that systems allow, often 1024 and on macOS 256.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as member:
            major, _ = np.lib.format.read_magic(member)
            read = (
                np.lib.format.read_array_header_1_0
                if major == 1
                else np.lib.format.read_array_header_2_0
            )
            shape, by_columns, kind = read(member)
            header = member.tell()
    if info.compress_type != zipfile.ZIP_STORED or kind.hasobject:
        raise ValueError(f"{path} was not written by store_arrays")
    with path.open("rb") as stream:
        stream.seek(info.header_offset + _LENGTHS)
        variable = sum(struct.unpack("<HH", stream.read(4)))
    start = info.header_offset + _HEADER + variable + header
    # Python's own maps, and numpy's with them, keep a file open each; those of torch do not.
    size = path.stat().st_size
    whole = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).numpy()
    array = np.ndarray(shape, kind, whole, start, order="F" if by_columns else "C")
    array.flags.writeable = False
    return array


def read_text(path: Path, name: str) -> str:
    """A text that was stored as an array of one string."""
    with np.load(path, allow_pickle=False) as stored:
        return str(stored[name])
