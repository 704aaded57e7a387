"""What the header of a NIfTI, NRRD or MetaImage file declares, as it stands in the file.

ITK passes over some fields that tell whether a file can be trusted, and it aborts or
hangs on others. So every header is read here first, within limits, and nothing else of
this library interprets one.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np

from BrainTumorSegLib.core.errors import InputError

_AGAIN = "Copy, download or export it again."
_ONE_FILE = "Open it in 3D Slicer and save it as one file, for example .nrrd."

#: No header of an image is longer; a longer one is a trap or no header.
MAX_HEADER_BYTES = 64 * 1024 * 1024

#: More axes than any of the formats needs. ITK crashes on some headers with more.
MAX_AXES = 7


@dataclass(frozen=True)
class Header:
    """What a header declares of the voxels.

    Attributes:
        path: the file that holds the header.
        suffix: its ending as returned by `formats.readable_suffix`.
        fields: the header's own fields: a `nibabel.Nifti1Header`, or texts and numbers by name.
        size: number of voxels along each axis, fastest first.
        dtype: numpy type of one value as it is stored; of whole numbers only the width counts.
        channels: values a voxel that ``size`` does not count.
        encoding: ``raw``, ``gzip``, ``bzip2`` or ``zlib``.
        data: the file that holds the voxels; the same as ``path`` unless they lie apart.
        offset: where the stored (compressed) stream of voxels begins in ``data``.
        skip: bytes of the decompressed stream before the first voxel; -1 for raw voxels
            that are the last bytes of the file.
        compressed_size: length of the compressed stream, where the header states it.
    """

    path: Path
    suffix: str
    fields: Any
    size: tuple[int, ...]
    dtype: np.dtype
    channels: int
    encoding: str
    data: Path
    offset: int
    skip: int = 0
    compressed_size: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The header and, where the voxels lie apart, their file."""
        return (self.path,) if self.data == self.path else (self.path, self.data)

    @property
    def voxel_bytes(self) -> int:
        """Bytes that the voxels take when they are not compressed."""
        return math.prod(self.size) * self.channels * self.dtype.itemsize


def read_header(path: Path, suffix: str) -> Header:
    """Read and check the header of an image file.

    Args:
        suffix: its ending as returned by `formats.readable_suffix`.

    Raises:
        InputError: when the header is damaged, contradicts itself, or names voxels that
            are not there or lie in several files.
    """
    path = Path(path)
    with _named(path):
        if suffix in (".nii", ".nii.gz"):
            header = _nifti(path, suffix)
        elif suffix in (".mha", ".mhd"):
            header = _metaimage(path, suffix)
        else:
            header = _nrrd(path, suffix)
        if not 1 <= len(header.size) <= MAX_AXES:
            raise ValueError(f"{len(header.size)} axes")
        if min(header.size) < 1 or header.channels < 1:
            size = "x".join(str(n) for n in header.size)
            raise InputError(f"{path} is empty (size {size}).", "Export it again.")
    return header


def detached_data(path: Path) -> Path | None:
    """The file that holds the voxels of a ``.nhdr`` or ``.mhd`` header, if it lies apart.

    Raises:
        InputError: as in `read_header`.
    """
    suffix = path.suffix.lower()
    if suffix not in (".nhdr", ".mhd"):
        return None
    data = read_header(path, suffix).data
    return None if data == path else data


def nifti_header(path: Path) -> nibabel.Nifti1Header:
    """The header of a ``.nii`` or ``.nii.gz`` file, unchecked but for its length.

    A qfac (``pixdim[0]``) of 0 counts as 1, as the NIfTI-1 standard has it.

    Raises:
        InputError: when there is no whole header, or it is one of NIfTI-2.
    """
    with _named(path), _opened(path) as file:
        raw = file.read(348)
        if raw[:4] in (struct.pack("<i", 540), struct.pack(">i", 540)):
            raise InputError(
                f"{path} is a NIfTI-2 file.", "Convert it to NIfTI-1 (.nii.gz) or NRRD."
            )
        header = nibabel.Nifti1Header(raw, check=False)
        header["pixdim"][0] = -1 if header["pixdim"][0] < 0 else 1
        return header


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Whatever a parser raises about a header becomes an error that names the file.

    No list of exceptions: those of nibabel, pynrrd, struct and zlib are more than one
    can know, and a header is small enough that nothing else can go wrong here.
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist.", "Check the path and its spelling.") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"The header of {path} is damaged or cut short ({reason}).", _AGAIN
        ) from error


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _nifti(path: Path, suffix: str) -> Header:
    fields = nifti_header(path)
    if int(fields["sizeof_hdr"]) != 348 or fields["magic"].item() != b"n+1":
        # ITK takes a file without the magic for Analyze, which has no directions.
        raise ValueError("the mark of NIfTI-1 is damaged")
    rank = int(fields["dim"][0])
    if not 1 <= rank <= MAX_AXES:
        raise ValueError(f"{rank} axes")
    dtype = fields.get_data_dtype()
    if int(fields["bitpix"]) != 8 * dtype.itemsize:
        raise ValueError(f"bitpix {int(fields['bitpix'])} does not fit datatype {dtype}")
    start = float(fields["vox_offset"])
    if not 348 <= start <= MAX_HEADER_BYTES or start != int(start):
        raise ValueError(f"vox_offset {start:g}")
    if np.isinf([fields["scl_slope"], fields["scl_inter"]]).any():
        raise ValueError("the scaling of values is infinite")
    return Header(
        path=path,
        suffix=suffix,
        fields=fields,
        size=tuple(int(n) for n in fields["dim"][1 : rank + 1]),
        dtype=dtype,
        channels=1,
        encoding="gzip" if suffix == ".nii.gz" else "raw",
        data=path,
        offset=0,
        skip=int(start),
    )


_META_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def _metaimage(path: Path, suffix: str) -> Header:
    fields, offset = _metaimage_fields(path)
    size = tuple(int(n) for n in fields["DimSize"].split())
    if int(fields["NDims"]) != len(size):
        raise ValueError(f"NDims {fields['NDims'][:20]}, but DimSize has {len(size)} numbers")
    if not _is_true(fields, "BinaryData", "True"):
        raise InputError(f"{path} holds its voxels as text.", _ONE_FILE)
    data = _data_file(path, fields["ElementDataFile"])
    big = _is_true(fields, _byte_order_key(fields))
    dtype = np.dtype(_META_TYPES[fields["ElementType"]])
    packed = _is_true(fields, "CompressedData")
    skip = int(fields.get("HeaderSize", "0"))
    if skip and (packed or data is None):
        raise ValueError(f"HeaderSize {skip} where no bytes can be skipped")
    stated = fields.get("CompressedDataSize")
    return Header(
        path=path,
        suffix=suffix,
        fields=fields,
        size=size,
        dtype=dtype.newbyteorder(">" if big else "<"),
        channels=int(fields.get("ElementNumberOfChannels", "1")),
        encoding="zlib" if packed else "raw",
        data=data or path,
        offset=0 if data else offset,
        skip=skip,
        # ITK takes a size that is not stated for 0, and reads noise.
        compressed_size=int(stated or 0) if packed else None,
    )


def _metaimage_fields(path: Path) -> tuple[dict[str, str], int]:
    """Fields by name, as written: MetaIO, too, tells upper from lower case."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while file.tell() < MAX_HEADER_BYTES and (line := file.readline(1 << 16)):
            name, _, value = os.fsdecode(line).partition("=")
            if name.strip() in fields:
                raise ValueError(f"{name.strip()[:40]} is given twice")
            fields[name.strip()] = value.strip()
            if "ElementDataFile" in fields:
                return fields, file.tell()
    raise InputError(f"{path} is cut short: its header names no data.", _AGAIN)


def _byte_order_key(fields: Mapping[str, str]) -> str:
    return "ElementByteOrderMSB" if "ElementByteOrderMSB" in fields else "BinaryDataByteOrderMSB"


def _is_true(fields: Mapping[str, str], name: str, default: str = "False") -> bool:
    value = fields.get(name, default)
    if value.lower() not in ("true", "false", "1", "0"):
        raise ValueError(f"{name} is {value[:20]!r}")
    return value.lower() in ("true", "1")


#: Type names of NRRD without signs (which `Header.dtype` does not need) and what they take.
_NRRD_TYPES = {
    **{"char": "i1", "int8": "i1", "short": "i2", "int16": "i2", "int": "i4", "int32": "i4"},
    **{"longlong": "i8", "int64": "i8", "float": "f4", "double": "f8"},
}


def _nrrd(path: Path, suffix: str) -> Header:
    with path.open("rb") as file:
        # Decoded piece by piece, so that a file without an end of line fills no memory.
        text = io.BytesIO(file.read(MAX_HEADER_BYTES))
    fields = {_NRRD_ALIASES.get(k, k): v for k, v in nrrd.read_header(text).items()}
    offset = text.tell()
    size = tuple(int(n) for n in fields["sizes"])
    if int(fields["dimension"]) != len(size):
        raise ValueError(f"dimension {fields['dimension']}, but {len(size)} sizes")
    encoding = fields["encoding"].lower()
    encoding = {"gz": "gzip", "bz2": "bzip2"}.get(encoding, encoding)
    if encoding in ("ascii", "text", "txt", "hex"):
        raise InputError(f"{path} holds its voxels as text.", _ONE_FILE)
    if encoding not in ("raw", "gzip", "bzip2"):
        raise ValueError(f"encoding {encoding[:20]!r}")
    skip = int(fields.get("byte skip", 0))
    if int(fields.get("line skip", 0)) or (skip < 0 and encoding != "raw"):
        raise InputError(f"{path} skips lines of text before its voxels.", _ONE_FILE)
    data = None
    if "data file" in fields:
        data = _data_file(path, _nrrd_data_name(text.getvalue()[:offset]))
        if data is None:
            raise ValueError("it names no file of voxels")
    dtype = _nrrd_type(str(fields["type"]))
    if dtype.itemsize > 1:
        big = {"little": False, "big": True}[fields["endian"].lower()]
        dtype = dtype.newbyteorder(">" if big else "<")
    return Header(
        path=path,
        suffix=suffix,
        fields=fields,
        size=size,
        dtype=dtype,
        channels=1,
        encoding=encoding,
        data=data or path,
        offset=0 if data else offset,
        skip=skip,
    )


_NRRD_ALIASES = {"datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip"}


def _nrrd_type(kind: str) -> np.dtype:
    """The numpy type of an NRRD type name, for example ``unsigned short`` or ``uint16_t``."""
    plain = kind.replace("unsigned ", "").replace("signed ", "").replace("long long", "longlong")
    plain = plain.removesuffix("_t").removesuffix(" int").removeprefix("u")
    return np.dtype(_NRRD_TYPES[plain])


def _nrrd_data_name(header: bytes) -> str:
    """What the header names for its voxels; pynrrd drops letters that are not ASCII."""
    for line in header.splitlines():
        name, colon, value = line.partition(b":")
        if colon and name.strip().lower() in (b"data file", b"datafile"):
            return os.fsdecode(value.strip())
    return ""


def _data_file(path: Path, name: str) -> Path | None:
    """The file beside a header that holds its voxels; None where they follow the header."""
    if name.upper() == "LOCAL":
        return None
    if name.upper().startswith("LIST") or "%" in name or not name:
        raise InputError(f"{path} keeps its voxels in several files.", _ONE_FILE)
    data = path.parent / name
    if not data.exists():
        raise InputError(
            f"{path} keeps its voxels in {data}, which does not exist.",
            "Keep header and data file together, under the names they were written with.",
        )
    require_ordinary_file(data)
    return data


def require_ordinary_file(path: Path) -> None:
    """Raise `InputError` for a pipe or device: reading one may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(
            f"{path} is no ordinary file (a pipe, device or folder).",
            "Copy the scan into a file and give that.",
        )
