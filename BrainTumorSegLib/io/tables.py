"""Tables as CSV, which spreadsheets open without running anything that stands in them.

A cell that begins like a formula gets an apostrophe before it, by which a spreadsheet takes it
for a text (OWASP, CSV Injection). Numbers stay as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from BrainTumorSegLib.core.file_names import printable

from .atomic import atomic_path

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_table(
    final: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    delimiter: str = ",",
    overwrite: bool = True,
) -> None:
    """Write a table, which appears whole or not at all.

    Raises:
        OutputError: naming the file and the remedy.
    """
    with (
        atomic_path(final, overwrite) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        write_rows(stream, [columns, *rows], delimiter)


def write_rows(stream: IO[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
    """Write rows to a stream that was opened with ``newline=""``."""
    csv.writer(stream, delimiter=delimiter).writerows([*map(safe_cell, row)] for row in rows)


def safe_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_BEGINS_FORMULA) and not _is_number(text) else text


def original_cell(text: str) -> str:
    """What `safe_cell` was given."""
    return text[1:] if text.startswith(tuple(f"'{c}" for c in _BEGINS_FORMULA)) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
