"""Importing, exporting and removing packs. What comes from elsewhere is not trusted."""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.io.atomic import atomic_path, check_not_inputs

from .calibration import CALIBRATION
from .card import licence_text
from .files import copy_exactly, new_folder, remove_folder
from .library import BUNDLED, USER, find_packs, user_models_folder
from .manifest import (
    LICENCE_FILE,
    MANIFEST,
    MAX_TEXT_BYTES,
    MODEL_CARD,
    ModelPack,
    parse_manifest,
    read_pack,
    require_checked,
)
from .members import verify_pack

#: Most that a pack may hold: ten of the largest networks in full precision fit.
MAX_PACK_BYTES = 8 * 1024**3

#: A zip with more entries than this is no pack.
MAX_ENTRIES = 1000

#: Time stamp of every entry of an exported zip, so that equal packs give equal files.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)

_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class _MissingFileError(PackError):
    """The source does not hold a file that was looked for."""


Opener = Callable[[str], IO[bytes]]


def import_pack(source: Path, overwrite: bool = False) -> ModelPack:
    """Copy a pack into the person's own folder of packs, after checking all of it.

    Only the files that the manifest names are copied, with model card and licence; a licence
    that is not there is written from the manifest. A zip may hold the pack at its top or
    inside one folder.

    Args:
        source: a pack's folder or ``.zip``.
        overwrite: whether a pack of that name may be replaced or, if it ships with
            the program, hidden.

    Raises:
        PackError: when the pack is damaged or the archive not to be trusted.
        OutputError: when the name is taken or the folder cannot be written.
        DependencyError: without jsonschema, since nothing would vouch for the manifest.
    """
    source = Path(source)
    with _opened(source) as open_file:
        text = _read_text(open_file, MANIFEST, source)
        pack = parse_manifest(text, source / MANIFEST)
        require_checked(pack)
        if pack.bytes > MAX_PACK_BYTES:
            raise PackError(
                f"{source} claims to hold {pack.bytes / 1024**3:.0f} GB.", "Check where it is from."
            )
        if not overwrite and any(f.name == pack.name for f in find_packs() if f.place == BUNDLED):
            raise PackError(
                f"A pack named {pack.name!r} ships with the program and would be hidden.",
                "Give the new pack another name, or allow this one to be overwritten.",
            )
        final = user_models_folder() / pack.name
        check_not_inputs([final], [source])
        with new_folder(final, overwrite) as folder:
            (folder / MANIFEST).write_bytes(text)
            (folder / MODEL_CARD).write_bytes(_read_text(open_file, MODEL_CARD, source))
            (folder / LICENCE_FILE).write_bytes(_licence(open_file, pack, source))
            if "calibration" in pack.manifest:
                text = _read_text(open_file, CALIBRATION, source)
                (folder / CALIBRATION).write_bytes(text)
            for member in pack.members:
                with _reading(source), open_file(member.file) as stream:
                    copy_exactly(stream, folder / member.file, member.bytes, member.file)
            verify_pack(read_pack(folder))
    return read_pack(final)


def export_pack(pack: ModelPack, destination: Path, overwrite: bool = False) -> Path:
    """Write a verified copy of a pack, with a licence even if it has none.

    Args:
        destination: a ``.zip`` file, or the folder that the pack shall become.
        overwrite: whether an existing file or pack may be replaced.

    Returns:
        ``destination``.

    Raises:
        PackError: when the pack is damaged.
        OutputError: when the destination is taken or cannot be written.
    """
    destination = Path(destination)
    check_not_inputs([destination], [pack.folder])
    verify_pack(pack)
    names = [MANIFEST, MODEL_CARD, *(member.file for member in pack.members)]
    if "calibration" in pack.manifest:
        names.append(CALIBRATION)
    licence = _licence(lambda name: _open_in_folder(pack.folder, name), pack, pack.folder)
    if destination.suffix.lower() != ".zip":
        with new_folder(destination, overwrite) as folder:
            for name in names:
                shutil.copyfile(pack.folder / name, folder / name)
            (folder / LICENCE_FILE).write_bytes(licence)
            verify_pack(read_pack(folder))
        return destination
    with (
        atomic_path(destination, overwrite) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(_zip_entry(pack, LICENCE_FILE), licence)
        for name in names:
            entry = _zip_entry(pack, name)
            with (pack.folder / name).open("rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target)
    return destination


def remove_pack(name: str) -> Path:
    """Delete a pack from the person's own folder, damaged or not.

    Returns:
        The folder that is no longer there.

    Raises:
        PackError: when there is no such pack, or it lies elsewhere.
        OutputError: when it cannot be removed.
    """
    found = [f for f in find_packs() if f.name == name]
    for candidate in found:
        if candidate.place == USER:
            remove_folder(candidate.folder)
            return candidate.folder
    if found:
        raise PackError(
            f"Pack {name!r} lies in {found[0].folder} and is not removed from there.",
            f"Only packs in {user_models_folder()} can be removed.",
        )
    raise PackError(f"There is no model pack {name!r}.", "See brain-tumor-seg models list.")


def _zip_entry(pack: ModelPack, name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(f"{pack.name}/{name}", _ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry


def _licence(open_file: Opener, pack: ModelPack, source: Path) -> bytes:
    """The pack's licence as it stands there; made from the manifest where there is none."""
    try:
        return _read_text(open_file, LICENCE_FILE, source)
    except _MissingFileError:
        return licence_text(pack).encode()


@contextmanager
def _opened(source: Path) -> Iterator[Opener]:
    """A function that opens a file of the pack by its plain name."""
    if source.is_dir():
        yield lambda name: _open_in_folder(source, name)
        return
    if not source.is_file():
        raise PackError(f"{source} does not exist.", "Give a pack's folder or .zip file.")
    with _reading(source):
        archive = zipfile.ZipFile(source)
    with archive:
        entries = _trusted_entries(archive, source)
        yield lambda name: _open_in_zip(archive, entries, name, source)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Name the archive when it turns out to be damaged."""
    try:
        yield
    except PackError:
        raise
    except _DAMAGED_ZIP as error:
        raise PackError(
            f"{source} is no .zip file, or a damaged one ({error}).", "Get the pack again."
        ) from error


def _open_in_folder(folder: Path, name: str) -> IO[bytes]:
    path = folder / name
    if path.is_symlink():
        raise PackError(f"{path} is a symbolic link.", "Put the file itself into the pack.")
    if not path.is_file():
        raise _MissingFileError(f"{folder} lacks the file {name}.", "Get the pack again.")
    try:
        return path.open("rb")
    except OSError as error:
        raise PackError(
            f"Cannot read {path}: {error.strerror or error}.", "Check the rights of the file."
        ) from error


def _open_in_zip(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str, source: Path
) -> IO[bytes]:
    if name not in entries:
        raise _MissingFileError(f"{source} lacks the file {name}.", "Get the pack again.")
    return archive.open(entries[name])


def _trusted_entries(archive: zipfile.ZipFile, source: Path) -> dict[str, zipfile.ZipInfo]:
    """The pack's own entries by plain name; refuse archives that try something."""
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise PackError(f"{source} holds {len(infos)} files and is no pack.", "Check the file.")
    seen: set[str] = set()
    for info in infos:
        name = info.orig_filename
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if name.startswith(("/", "\\")) or ".." in parts or re.match(r"^[A-Za-z]:", name):
            raise PackError(
                f"{source} wants to write outside its folder ({name!r}).",
                "Do not use it; ask where it comes from.",
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise PackError(
                f"{source} holds a symbolic link ({name!r}).", "Make the .zip without links."
            )
        if info.flag_bits & 0x1:
            raise PackError(f"{source} is encrypted.", "Unpack it and import the folder.")
        if name in seen:
            raise PackError(f"{source} holds {name!r} twice.", "Get the pack again.")
        seen.add(name)
    roots = [
        name.removesuffix(MANIFEST)
        for name in seen
        if PurePosixPath(name).name == MANIFEST
        and len(PurePosixPath(name).parts) <= 2
        and not name.startswith("__MACOSX/")
    ]
    if len(roots) != 1:
        raise PackError(
            f"{source} holds {len(roots) or 'no'} pack manifests ({MANIFEST}) instead of one.",
            "Unpack it and import the folder of one pack.",
        )
    root = roots[0]
    return {
        info.orig_filename.removeprefix(root): info
        for info in infos
        if info.orig_filename.startswith(root)
    }


def _read_text(open_file: Opener, name: str, source: Path) -> bytes:
    with _reading(source), open_file(name) as stream:
        text = stream.read(MAX_TEXT_BYTES + 1)
    if len(text) > MAX_TEXT_BYTES:
        raise PackError(f"{name} in {source} is far too long.", "Get the pack again.")
    return text
