"""Networks converted for an engine, kept on disk between runs.

An entry is a folder named by a hash of everything that the conversion depends on. It is
made under a temporary name and renamed when it is complete, so that two processes can make
the same one at the same time; whoever comes second takes what the first has made. It lists
the hashes of its files: an entry that does not agree with them is thrown away.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from BrainTumorSegLib.core.resources import cache_folder
from BrainTumorSegLib.io.digests import sha256_of

#: Version of the layout of an entry; others are never looked at.
FORMAT_VERSION = 1

#: Above this the entries used longest ago are removed, but none used within a day.
MAX_BYTES = 5 * 1024**3
_DAY_S = 24 * 3600

_CONTENTS = "entry.json"
_UNFINISHED, _THROWN_AWAY = ".new-", ".old-"


def networks_folder() -> Path:
    """The person's folder of converted networks; it may not exist yet."""
    return cache_folder("Networks")


def entry_key(parts: Mapping[str, object]) -> str:
    """Name of the entry that depends on these parts, plain JSON types."""
    text = json.dumps({"format": FORMAT_VERSION, **parts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def find_entry(folder: Path, key: str) -> Path | None:
    """The folder of an entry whose files are all there and unchanged.

    Returns:
        None when there is no such entry; a damaged one is removed, if that can be done.
    """
    entry = folder / key
    if not entry.is_dir():
        return None
    if not _is_whole(entry):
        remove_entry(folder, key)
        return None
    # A folder that is only for reading still serves; it just cannot tell when it last did.
    with suppress(OSError):
        os.utime(entry / _CONTENTS)
    return entry


def store_entry(folder: Path, key: str, make: Callable[[Path], None]) -> Path:
    """Make an entry; it appears whole or not at all.

    Args:
        folder: of the cache, made if it is not there.
        key: from `entry_key`.
        make: writes the files into the empty folder that it is given.

    Returns:
        The folder of the entry: ours, or that of another process that was quicker.

    Raises:
        OSError: when the cache cannot be written; and whatever ``make`` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder))
    try:
        make(unfinished)
        hashes = {path.name: sha256_of(path) for path in sorted(unfinished.iterdir())}
        text = json.dumps({"format": FORMAT_VERSION, "files": hashes}, indent=2)
        (unfinished / _CONTENTS).write_text(text, encoding="utf-8")
        try:
            unfinished.rename(folder / key)
        except OSError:
            found = find_entry(folder, key)
            if found is None:
                raise
            return found
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _tidy(folder)
    return folder / key


def remove_entry(folder: Path, key: str) -> None:
    """Remove an entry, if there is one and it can be removed."""
    thrown_away = folder / f"{_THROWN_AWAY}{secrets.token_hex(6)}"
    try:
        # Renamed first, so that nobody finds half of it.
        (folder / key).rename(thrown_away)
    except OSError:
        return
    shutil.rmtree(thrown_away, ignore_errors=True)


def _is_whole(entry: Path) -> bool:
    try:
        contents = json.loads((entry / _CONTENTS).read_text(encoding="utf-8"))
        files = contents["files"]
        return bool(files) and all(sha256_of(entry / name) == files[name] for name in files)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _tidy(folder: Path) -> None:
    """Remove what other runs left unfinished, and old entries when there is too much."""
    now = time.time()
    entries: list[tuple[float, int, Path]] = []
    total = 0
    for path, used, size in _listing(folder):
        if path.name.startswith((_UNFINISHED, _THROWN_AWAY)):
            if now - used > _DAY_S:
                shutil.rmtree(path, ignore_errors=True)
            continue
        total += size
        entries.append((used, size, path))
    for used, size, path in sorted(entries):
        if total <= MAX_BYTES or now - used < _DAY_S:
            return
        remove_entry(folder, path.name)
        total -= size


def _listing(folder: Path) -> Iterator[tuple[Path, float, int]]:
    """Folders in the cache with when they were last used and how many bytes they hold."""
    for path in folder.iterdir():
        try:
            files = [file.stat() for file in path.iterdir()]
            contents = path / _CONTENTS
            used = (contents if contents.exists() else path).stat().st_mtime
        except OSError:
            continue  # no folder, or another process has just removed it
        yield path, used, sum(file.st_size for file in files)
