"""Is an image file whole? ITK reads some damaged files without a word.

Measured with SimpleITK 2.5: a NIfTI file cut short, compressed or not, and a
compressed MetaImage with a damaged byte are read as noise; a damaged byte in a
compressed NRRD goes unnoticed now and then; NaN in a NIfTI file becomes 0. ITK's
NIfTI writer says nothing either when the disk runs full, so outputs are checked in
the same way.
"""

from __future__ import annotations

import bz2
import gzip
import io
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from BrainTumorSegLib.core.errors import InputError

from .headers import data_file, metaimage_header, nifti_header, nrrd_header

_CHUNK = 1 << 20
_AGAIN = "Copy, download or export it again."


def check_whole(path: Path, suffix: str) -> None:
    """Check that all voxels that the header promises are in the file, undamaged.

    Compressed data is decompressed once, in pieces, for its length and check sum.

    Args:
        suffix: its ending as returned by `formats.readable_suffix`.

    Raises:
        InputError: naming the file.
    """
    if suffix in (".nii", ".nii.gz"):
        _check_nifti(path, suffix == ".nii.gz")
    elif suffix in (".mha", ".mhd"):
        _check_metaimage(path)
    else:
        _check_nrrd(path)


def _check_nifti(path: Path, compressed: bool) -> None:
    header = nifti_header(path)
    rank = min(7, max(0, int(header["dim"][0])))
    voxels = math.prod(max(0, int(n)) for n in header["dim"][1 : rank + 1])
    promised = int(header["vox_offset"]) + voxels * int(header["bitpix"]) // 8
    with path.open("rb") as file:
        found = _length(gzip.GzipFile(fileobj=file), path) if compressed else _size(file)
    _compare(path, found, promised)
    if header.get_data_dtype().kind == "f":
        _check_finite(path, compressed, int(header["vox_offset"]), header.get_data_dtype())


def _check_finite(path: Path, compressed: bool, offset: int, dtype: np.dtype) -> None:
    with path.open("rb") as file:
        stream = gzip.GzipFile(fileobj=file) if compressed else file
        stream.seek(offset)
        while piece := stream.read(_CHUNK * dtype.itemsize):
            whole = len(piece) - len(piece) % dtype.itemsize
            if not np.isfinite(np.frombuffer(piece[:whole], dtype)).all():
                raise InputError(
                    f"{path} contains NaN or infinite values.",
                    "Replace them by 0 and save it again.",
                )


def _check_metaimage(path: Path) -> None:
    header, offset = metaimage_header(path)
    name = header["elementdatafile"]
    detached = data_file(path, name)
    if not detached and name.upper() != "LOCAL":
        return  # one file a slice: ITK itself checks each
    voxels = math.prod(int(n) for n in header.get("dimsize", "0").split())
    width = _META_BYTES.get(header.get("elementtype", "").upper(), 0)
    promised = voxels * width * int(header.get("elementnumberofchannels", 1))
    with (detached or path).open("rb") as file:
        file.seek(0 if detached else offset)
        if header.get("compresseddata", "false").lower() == "true":
            found = _length(_Inflating(file), path)
        else:
            found = _size(file) - file.tell()
    _compare(path, found, promised)


_META_BYTES = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_LONG": 4,
    "MET_ULONG": 4,
    "MET_LONG_LONG": 8,
    "MET_ULONG_LONG": 8,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}


def _check_nrrd(path: Path) -> None:
    header, offset = nrrd_header(path)
    encoding = str(header.get("encoding", "")).lower()
    detached = data_file(path, header.get("data file"))
    several = not detached and "data file" in header
    if several or header.get("byte skip") or header.get("line skip"):
        return  # ITK itself checks the length of these
    promised = math.prod(int(n) for n in header["sizes"]) * _nrrd_bytes(str(header["type"]))
    with (detached or path).open("rb") as file:
        file.seek(0 if detached else offset)
        if encoding in ("gzip", "gz"):
            found = _length(gzip.GzipFile(fileobj=file), path)
        elif encoding in ("bzip2", "bz2"):
            found = _length(bz2.BZ2File(file), path)
        elif encoding == "raw":
            found = _size(file) - file.tell()
        else:
            return  # numbers as text: ITK itself counts them
    _compare(path, found, promised)


def _nrrd_bytes(kind: str) -> int:
    """Bytes a voxel of an NRRD type name, for example ``unsigned short`` or ``uint16_t``."""
    plain = kind.replace("unsigned ", "").replace("signed ", "").removesuffix("_t")
    plain = plain.removesuffix(" int").removeprefix("u")
    widths = {"char": 1, "int8": 1, "short": 2, "int16": 2, "int": 4, "int32": 4, "float": 4}
    return widths.get(plain, 8)


class _Inflating(io.RawIOBase):
    """Reads a zlib stream; the standard library has file objects for gzip and bzip2 only."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._engine = zlib.decompressobj()

    def read(self, size: int = -1) -> bytes:
        while not self._engine.eof:
            block = self._file.read(_CHUNK // 16)
            if not block:
                raise EOFError("zlib stream ends early")
            if piece := self._engine.decompress(block):
                return piece
        return b""


def _length(stream: IO[bytes] | io.IOBase, path: Path) -> int:
    """Number of decompressed bytes; the decompressor checks the sums on the way."""
    found = 0
    try:
        while piece := stream.read(_CHUNK):
            found += len(piece)
    except EOFError as error:
        raise InputError(f"{path} is cut short.", _AGAIN) from error
    except (OSError, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}).", _AGAIN) from error
    return found


def _size(file: IO[bytes]) -> int:
    position = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(position)
    return size


def _compare(path: Path, found: int, promised: int) -> None:
    if found < promised:
        raise InputError(
            f"{path} is cut short: it holds {max(0, found)} of {promised} bytes.", _AGAIN
        )
