"""The search of every byte of a study for the identities that its key knows.

Files are searched as they are, and unpacked where they are packed (gzip, ZIP and what is one, such
as .xlsx, PNG, DICOM); so are their names.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from BrainTumorSegLib.io.dicom.files import read_dataset

from .identities import Finder, Identity

#: Nothing that a study holds unpacks to more; the rest of it is not searched.
_MOST_UNPACKED = 1 << 31

#: Archives in archives are opened so deep.
_DEEPEST = 3

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Leak:
    """An identity that was found.

    Attributes:
        place: the file, and what in it; without the identity itself unless its name holds it.
        kind: what was found.
        of: the pseudonym of the patient whose it is.
    """

    place: str
    kind: str
    of: str


@dataclass(frozen=True)
class Audit:
    """What a search has found.

    Attributes:
        leaks: what was found; none where all is well.
        files: how many files were searched.
        looked_for: how many names, numbers and dates were looked for.
        unread: files that could not be searched.
    """

    leaks: tuple[Leak, ...]
    files: int
    looked_for: int
    unread: tuple[str, ...]


def audit(folder: Path, identities: Iterable[Identity]) -> Audit:
    """Search a folder, at any depth, hidden files included.

    Args:
        folder: of a study, or of anything that is to be handed on.
        identities: what to look for, see `keys.Key.identities`.
    """
    finder = Finder(tuple(identities))
    leaks: dict[Leak, None] = {}
    unread, count = [], 0
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        leaks |= dict.fromkeys(
            _told(finder.in_content(name.encode("utf-8", "replace")), name, "name")
        )
        count += 1
        try:
            content = path.read_bytes()
        except OSError:
            unread.append(name)
            continue
        for inside, piece in unpacked(content, path):
            leaks |= dict.fromkeys(_told(finder.in_content(piece), name, inside))
    return Audit(tuple(leaks), count, len(finder.identities), tuple(unread))


def _told(found: Iterable[Identity], name: str, inside: str) -> Iterator[Leak]:
    place = f"{name} ({inside})" if inside else name
    return (Leak(place, one.kind, one.of) for one in found)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (
            Path(place, name) for name in sorted(names) if not Path(place, name).is_symlink()
        )


def unpacked(
    content: bytes, path: Path | None = None, depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    """A file's bytes, and those of all that is packed in it, with what they are."""
    yield "", content
    if depth >= _DEEPEST:
        return
    if content[:2] == b"\x1f\x8b":
        yield from _deeper("unpacked", _gunzipped(content), depth)
    elif content[:4] == b"PK\x03\x04":
        yield from _members(content, depth)
    elif content[:8] == _PNG:
        yield from _chunks(content)
    elif content[128:132] == b"DICM" and path is not None:
        text = _header(path)
        if text:
            yield "header", text.encode("utf-8", "replace")


def _deeper(what: str, content: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    for inside, piece in unpacked(content, depth=depth + 1):
        yield f"{what}, {inside}" if inside else what, piece


def _gunzipped(content: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return file.read(_MOST_UNPACKED)
    except (OSError, EOFError, zlib.error):
        return b""


def _members(content: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield "names of members", "\n".join(archive.namelist()).encode()
            for member in archive.infolist():
                with archive.open(member) as file:
                    piece = file.read(_MOST_UNPACKED)
                yield from _deeper(f"member {member.header_offset}", piece, depth)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, NotImplementedError):
        return


def _chunks(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Texts and pixels of a PNG (ISO/IEC 15948), unpacked."""
    position = 8
    while position + 12 <= len(content):
        (length,) = struct.unpack(">L", content[position : position + 4])
        kind, body = content[position + 4 : position + 8], content[position + 8 :][:length]
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            yield "text", body.replace(b"\0", b" ")
            for begin in (m + 1 for m in range(len(body)) if body[m] == 0):
                inflated = _inflated(body[begin:]) or _inflated(body[begin + 1 :])
                if inflated:
                    yield "packed text", inflated
        position += 12 + length
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            yield "pixels", image.tobytes()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return


def _inflated(content: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, _MOST_UNPACKED)
    except zlib.error:
        return b""


def _header(path: Path) -> str:
    """All values of a DICOM header as texts, at any depth, identifiers of objects left out."""
    texts: list[str] = []

    def look(_dataset: object, element: object) -> None:
        value, vr = getattr(element, "value", ""), getattr(element, "VR", "")
        if vr not in ("UI", "SQ", "OB", "OW", "UN", "OF", "OD", "OL"):
            texts.append(str(value))
        elif isinstance(value, bytes):
            texts.append(value.decode("cp1251", "replace"))

    try:
        header = read_dataset(path)
        header.walk(look)
    except Exception:
        return ""
    return "\n".join(texts)
