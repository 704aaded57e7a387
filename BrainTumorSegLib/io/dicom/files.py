"""One DICOM file: opened, read, and checked for what its header promises.

Whatever pydicom meets in a file is that file's own fault and is reported in one way, see
`one_file`. What a header declares is held against the size of the file before anything of
that size is made.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple

from BrainTumorSegLib.core.errors import DependencyError

#: Most bytes that a file of the deflated transfer syntax may hold when inflated.
MOST_INFLATED = 256 << 20

#: More images than any file of a scanner holds.
MOST_FRAMES = 1 << 17

_DEFLATED = "1.2.840.10008.1.2.1.99"

#: What pixel data of a known length needs, by keyword; missing ones count as the second.
_PIXEL_KEYWORDS = (
    ("BitsAllocated", 16),
    ("BitsStored", 0),
    ("HighBit", 0),
    ("PixelRepresentation", 0),
    ("SamplesPerPixel", 1),
)

#: Attributes that tell how pixels are stored.
PIXEL_KEYWORDS = (
    *(keyword for keyword, _ in _PIXEL_KEYWORDS),
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "NumberOfFrames",
)

_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF


class PixelFormat(NamedTuple):
    """How the pixels of a file are stored.

    Attributes:
        allocated: bits a sample takes.
        signed: whether samples may be negative.
        samples: samples a pixel; more than one are colours.
        photometric: Photometric Interpretation.
    """

    allocated: int = 16
    signed: bool = False
    samples: int = 1
    photometric: str = "MONOCHROME2"

    def __str__(self) -> str:
        sign = "signed" if self.signed else "unsigned"
        return f"{self.samples} x {self.allocated} bits, {sign}, {self.photometric or 'untold'}"


GRAY_16 = PixelFormat()


def pydicom_module() -> ModuleType:
    """The pydicom package.

    Raises:
        DependencyError: when it is not installed.
    """
    try:
        import pydicom
    except ImportError as error:
        raise DependencyError(
            "Reading DICOM needs the Python package pydicom.",
            "Install it with: pip install 'BrainTumorSeg[dicom]'",
        ) from error
    return pydicom


@contextmanager
def one_file() -> Iterator[None]:
    """Turn whatever goes wrong while one DICOM file is read into a ValueError with its reason.

    pydicom, its decoders and zlib raise errors of a dozen kinds for damaged files, some of
    them on access to an attribute long after reading.

    Raises:
        ValueError: why the file cannot be used, as a clause that follows its name.
    """
    try:
        with warnings.catch_warnings():
            # Real headers break the rules in many harmless ways.
            warnings.simplefilter("ignore")
            yield
    except (DependencyError, UnusableFile):
        raise
    except OSError as error:
        raise UnusableFile(f"not readable ({error.strerror or error})") from error
    except RecursionError as error:
        raise UnusableFile("damaged (sequences within sequences without end)") from error
    except MemoryError as error:
        raise UnusableFile("larger than the memory") from error
    except zlib.error as error:
        raise UnusableFile("damaged (its compressed content cannot be inflated)") from error
    except Exception as error:
        raise UnusableFile(f"damaged ({_first_line(error)})") from error


class UnusableFile(ValueError):
    """Why one DICOM file cannot be used, as a clause that follows its name.

    Attributes:
        series: the SeriesInstanceUID of the file, where that could be read.
    """

    series = ""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:120].rstrip(".")


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first 132 bytes are those of DICOM: a magic word or, in old files, group 8."""
    if head[128:132] == b"DICM":
        return True
    return len(head) >= 132 and head[:2] == b"\x08\x00" and head[2] < 0x20 and head[3] == 0


def read_dataset(path: Path, **options: Any) -> Any:
    """A file's attributes, without its pixels unless ``options`` for pydicom say otherwise.

    Raises:
        ValueError: when the file is damaged.
        DependencyError: without pydicom.
    """
    pydicom_module()
    with one_file(), path.open("rb") as file:
        return _parse(file, **options)


def read_image_header(path: Path, keywords: list[str]) -> tuple[Any, str]:
    """Attributes of a file whose pixel data was found to be as long as they say.

    Returns:
        The attributes, none of them the pixels, and what is odd about the pixel data.

    Raises:
        ValueError: when the file is damaged, or its pixels are missing or too few.
        DependencyError: without pydicom.
    """
    pydicom_module()
    with one_file(), path.open("rb") as file:
        dataset = _parse(file, specific_tags=[*keywords, *PIXEL_KEYWORDS])
        if not dataset.get("Rows") or not dataset.get("Columns"):
            return dataset, ""
        try:
            return dataset, _check_pixels(file, dataset)
        except UnusableFile as error:
            error.series = str(dataset.get("SeriesInstanceUID") or "")
            raise


def pixel_format(dataset: Any) -> PixelFormat:
    """How the pixels of a file are stored."""
    allocated, _, _, signed, samples = (
        int(default if dataset.get(keyword) is None else dataset.get(keyword))
        for keyword, default in _PIXEL_KEYWORDS
    )
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    return PixelFormat(allocated, bool(signed), samples, photometric)


def frame_count(dataset: Any) -> int:
    """How many images a header announces."""
    count = int(dataset.get("NumberOfFrames") or 1)
    if not 0 < count <= MOST_FRAMES:
        raise UnusableFile(f"damaged (it announces {count} images)")
    return count


def bytes_needed(dataset: Any) -> int:
    """Bytes that the pixels of an uncompressed file take (DICOM PS3.5, 8.1.1)."""
    layout = pixel_format(dataset)
    pixels = int(dataset.Rows) * int(dataset.Columns) * layout.samples * frame_count(dataset)
    return -(-pixels * layout.allocated // 8)


def _parse(file: IO[bytes], **options: Any) -> Any:
    _check_inflated(file)
    file.seek(0)
    options = {"stop_before_pixels": True} | options
    return pydicom_module().dcmread(file, force=True, **options)


def _check_inflated(file: IO[bytes]) -> None:
    """Refuse a deflated file that would not fit; pydicom inflates it whole.

    The transfer syntax stands within the first kilobytes, and the deflated part is the rest.
    """
    file.seek(0)
    head = file.read(4096)
    if head[128:132] != b"DICM" or _DEFLATED.encode() not in head:
        return
    # Preamble, magic word, and the element that says how long the group of it and its like is.
    if head[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        raise UnusableFile("damaged (the length of its meta information is not told)")
    file.seek(144 + struct.unpack("<L", head[140:144])[0])
    inflate, found = zlib.decompressobj(-zlib.MAX_WBITS), 0
    piece = file.read(1 << 16)
    while piece and not inflate.eof:
        found += len(inflate.decompress(piece, 1 << 24))
        if found > MOST_INFLATED:
            raise UnusableFile(f"inflated larger than {MOST_INFLATED >> 20} MiB")
        piece = inflate.unconsumed_tail or file.read(1 << 16)


def _check_pixels(file: IO[bytes], dataset: Any) -> str:
    """Hold the pixel data element, at which ``file`` stands, against the header."""
    from pydicom.uid import UID

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax == _DEFLATED:
        found = len(_parse(file, stop_before_pixels=False).get("PixelData") or b"")
        return _compare(found, bytes_needed(dataset))
    implicit, little = dataset.original_encoding
    order = "<" if little else ">"
    head = file.read(8)
    if len(head) < 8 or struct.unpack(f"{order}HH", head[:4]) != (0x7FE0, 0x0010):
        raise UnusableFile("without pixels (header only, or cut short)")
    if implicit:
        (length,) = struct.unpack(f"{order}L", head[4:])
    elif head[4:6] in (b"OW", b"OB", b"UN"):
        (length,) = struct.unpack(f"{order}L", file.read(4))
    else:
        raise UnusableFile("damaged (its pixels are of an unknown type)")
    if syntax is not None and UID(syntax).type != "Transfer Syntax":
        raise UnusableFile(f"in an unknown encoding (transfer syntax {syntax})")
    encapsulated = syntax is not None and UID(syntax).is_encapsulated
    if encapsulated != (length == _UNDEFINED):
        name = "unstated" if syntax is None else UID(syntax).name
        raise UnusableFile(f"damaged (its pixels are not in the transfer syntax it names, {name})")
    if encapsulated:
        _check_fragments(file, frame_count(dataset))
        return ""
    present = os.fstat(file.fileno()).st_size - file.tell()
    return _compare(min(length, present), bytes_needed(dataset))


def _compare(found: int, needed: int) -> str:
    if found < needed:
        missing = needed - found
        raise UnusableFile(f"cut short ({missing} of {needed} bytes of its pixels are missing)")
    # An odd number of bytes is padded to an even one.
    return "more pixel data than their size needs" if found > needed + needed % 2 else ""


def _check_fragments(file: IO[bytes], frames: int) -> None:
    """Walk through encapsulated pixel data without reading it (DICOM PS3.5, A.4)."""
    size, fragments = os.fstat(file.fileno()).st_size, -1  # the first item is the offset table
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise UnusableFile("cut short (its compressed pixels do not end)")
        group, element, length = struct.unpack("<HHL", head)
        if (group, element) == _SEQUENCE_END:
            break
        if (group, element) != _ITEM or file.tell() + length > size:
            raise UnusableFile("cut short or damaged (its compressed pixels do not end)")
        file.seek(length, io.SEEK_CUR)
        fragments += 1
    if fragments < frames:
        raise UnusableFile(f"cut short ({max(0, fragments)} of {frames} images are there)")
