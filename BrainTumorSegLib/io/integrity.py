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
import zlib
from collections.abc import Iterator
from typing import IO

import numpy as np

from BrainTumorSegLib.core.errors import InputError

from .headers import Header

_CHUNK = 1 << 20
_ZLIB_OR_GZIP = 47
_AGAIN = "Copy, download or export it again."


def check_whole(header: Header) -> tuple[str, ...]:
    """Check that all voxels that the header promises are in the file, undamaged.

    Compressed data is decompressed once, in pieces, for its length and check sum, and
    hardly further than the header promises.

    Returns:
        Warnings: that the file holds more than its header says.

    Raises:
        InputError: naming the file.
    """
    promised = max(0, header.skip) + header.voxel_bytes
    values = _FiniteCheck(header)
    found = 0
    with header.data.open("rb") as file:
        file.seek(header.offset)
        if header.skip < 0:
            file.seek(max(0, _size(file) - promised))
        try:
            for piece in _pieces(header, file):
                values.take(piece, found)
                found += len(piece)
                if found > promised:
                    break
        except EOFError as error:
            raise InputError(f"{header.path} is cut short.", _AGAIN) from error
        except (OSError, zlib.error, ValueError) as error:
            raise InputError(f"{header.path} is damaged ({error}).", _AGAIN) from error
    if found < promised:
        raise InputError(
            f"{header.path} is cut short: it holds {found} of {promised} bytes.", _AGAIN
        )
    if found > promised:
        return (
            f"{header.path} holds more than its header says; is the number of its slices right?",
        )
    return ()


def _pieces(header: Header, file: IO[bytes]) -> Iterator[bytes]:
    """The decompressed stream; the decompressor checks the sums on the way."""
    if header.encoding == "zlib":
        yield from _inflated(header, file)
        return
    stream: IO[bytes] | io.BufferedIOBase = file
    if header.encoding == "gzip":
        stream = gzip.GzipFile(fileobj=file)
    elif header.encoding == "bzip2":
        stream = bz2.BZ2File(file)
    while piece := stream.read(_CHUNK):
        yield piece


def _inflated(header: Header, file: IO[bytes]) -> Iterator[bytes]:
    """A zlib stream; the standard library has file objects for gzip and bzip2 only.

    ITK reads no further than the length that the header states, and takes noise for the rest.
    """
    engine, taken, stated = zlib.decompressobj(_ZLIB_OR_GZIP), 0, header.compressed_size
    while not engine.eof:
        block = engine.unconsumed_tail or file.read(_CHUNK // 16)
        if not block:
            raise EOFError("zlib stream ends early")
        piece = engine.decompress(block, _CHUNK)
        taken += len(block) - len(engine.unconsumed_tail) - len(engine.unused_data)
        there = taken + len(engine.unused_data) + len(engine.unconsumed_tail) + _rest(file)
        # A stream that is not at its end may have been cut, which is said at its end.
        if stated is not None and (stated < taken or (engine.eof and stated > there)):
            raise ValueError(f"CompressedDataSize is {stated}, where the data takes {taken} bytes")
        if piece:
            yield piece


class _FiniteCheck:
    """Looks for NaN and infinite values in a stream that comes in pieces of any length."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._floating = header.dtype.kind == "f"
        self._rest = b""

    def take(self, piece: bytes, position: int) -> None:
        """Look at the next piece, which begins at ``position`` of the stream.

        Raises:
            InputError: when a value of the voxels is NaN or infinite.
        """
        if not self._floating:
            return
        first = max(0, self._header.skip)
        last = first + self._header.voxel_bytes
        values = self._rest + piece[max(0, first - position) : max(0, last - position)]
        whole = len(values) - len(values) % self._header.dtype.itemsize
        self._rest = values[whole:]
        if not np.isfinite(np.frombuffer(values[:whole], self._header.dtype)).all():
            raise InputError(
                f"{self._header.path} contains NaN or infinite values.",
                "Replace them by 0 and save it again.",
            )


def _size(file: IO[bytes]) -> int:
    position = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(position)
    return size


def _rest(file: IO[bytes]) -> int:
    return _size(file) - file.tell()
