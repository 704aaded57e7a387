"""Names of files as texts for people: always writable as UTF-8, and without folders."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

#: What may stand before a path in a sentence.
_BEFORE = r"(?<![^\s\"'“‘`(\[{<=:,;])"

#: An absolute path up to its last name, POSIX or Windows, without blanks in it.
_FOLDERS = re.compile(_BEFORE + r"(?:[A-Za-z]:[/\\]|\\\\|/)(?:[^/\\\s\"'<>|]+[/\\])+")


def printable(name: object) -> str:
    r"""A name or text that can be written as UTF-8.

    Bytes of a file name that are no UTF-8, which Python keeps as lone surrogates
    (``surrogateescape``), are shown as ``\xNN``.
    """
    text = str(name)
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # Windows allows half a surrogate pair in a name
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def without_folders(value: Any, known: Iterable[str | PurePath] = ()) -> Any:
    """Plain JSON types whose texts hold names of files but no folders, which may name a patient.

    Args:
        value: a text, or lists and dicts of such.
        known: paths that may stand in the texts, relative ones and ones with blanks too. Other
            absolute paths are recognized as long as there are no blanks in them.

    Returns:
        The same with every path cut down to its last part, and texts made `printable`.
    """
    folders = {
        str(folder).rstrip("/\\")
        for path in known
        for given in (PurePath(path), PureWindowsPath(path), _absolute(path))
        for folder in given.parents
    } - {"", ".", "C:"}
    known_folders = None
    if folders:
        longest_first = "|".join(map(re.escape, sorted(folders, key=len, reverse=True)))
        known_folders = re.compile(f"{_BEFORE}(?:{longest_first})[/\\\\]")
    return _cut(value, known_folders)


def _absolute(path: str | PurePath) -> Path:
    try:
        return Path(path).absolute()
    except OSError:  # the working folder was removed
        return Path(path)


def _cut(value: Any, known: re.Pattern[str] | None) -> Any:
    if isinstance(value, str):
        # Known folders first: they may hold blanks, at which the general pattern ends.
        text = value if known is None else known.sub("", value)
        return printable(_FOLDERS.sub("", text))
    if isinstance(value, dict):
        return {key: _cut(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(item, known) for item in value]
    return value


def home_folder() -> Path:
    """The user's home; the root where a user has none, as containers have it for such users."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(Path(__file__).resolve().anchor)


def expanded(path: str | Path) -> Path:
    """A path with ``~`` replaced by the home it means, if there is one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
