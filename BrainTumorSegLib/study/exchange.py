"""The registry to and from spreadsheets: ``.xlsx`` and CSV, Cyrillic and dates included."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.config_tables import suggestion
from BrainTumorSegLib.core.errors import DependencyError, InputError
from BrainTumorSegLib.io.atomic import atomic_path, check_suffix
from BrainTumorSegLib.io.tables import original_cell, safe_cell, write_table

from .layout import CaseName
from .opening import Study
from .registry import PATIENT, VISIT, Column, column_names, columns

#: Endings of tables; ``.tsv`` as the registry itself is.
SUFFIXES = (".xlsx", ".csv", ".tsv")

#: What spreadsheets in Russia and elsewhere save CSV in.
_ENCODINGS = ("utf-8-sig", "cp1251")


@dataclass(frozen=True)
class Imported:
    """What a table has brought.

    Attributes:
        rows: how many rows were taken.
        changed: how many cells are other than before.
        added: columns that the registry did not have.
    """

    rows: int
    changed: int
    added: tuple[str, ...]


def export_registry(study: Study, path: Path, overwrite: bool = False) -> None:
    """Write the registry as a spreadsheet or CSV.

    In ``.xlsx`` numbers are numbers and days are days, the first row stays in sight, and a second
    sheet says what the columns mean.

    Raises:
        OutputError: when it cannot be written, or the ending is another one.
        DependencyError: for ``.xlsx`` without openpyxl.
    """
    check_suffix(path, SUFFIXES, "table")
    known, rows = columns(study.settings), study.registry()
    names = column_names(known, rows)
    cells = [[row.get(name, "") for name in names] for row in rows.values()]
    if path.suffix.lower() != ".xlsx":
        write_table(path, names, cells, _delimiter(path), overwrite)
        return
    openpyxl = _openpyxl()
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "registry"
    sheet.append(names)
    for row in cells:
        sheet.append([_cell(names[i], text, known) for i, text in enumerate(row)])
    sheet.freeze_panes = "C2"
    about = book.create_sheet("columns")
    about.append(["column", "meaning", "units", "allowed values"])
    for name, column in known.items():
        about.append([name, column.description, column.units, ", ".join(column.levels)])
    with atomic_path(path, overwrite) as temporary:
        book.save(temporary)


def import_registry(study: Study, path: Path) -> Imported:
    """Take the cells of a table into the registry; all of them, or none.

    An empty cell changes nothing. Rows are told by the columns ``participant_id`` and
    ``session_id``; where there is no ``session_id``, a row counts for all visits of the patient.

    Raises:
        InputError: when the table cannot be read, a row is no visit of the study, or a value is not
            allowed.
        OutputError: when the registry cannot be written.
        DependencyError: for ``.xlsx`` without openpyxl.
    """
    names, rows = _read(path)
    before = study.registry()
    if PATIENT not in names:
        raise InputError(
            f"{path} has no column {PATIENT}.",
            f"{suggestion(PATIENT, names)} Export the registry first and fill that in.",
        )
    changes: dict[CaseName, dict[str, str]] = {}
    for number, row in enumerate(rows, 2):
        told = {key: value for key, value in zip(names, row, strict=False) if key and value}
        if not told:
            continue
        for case in _cases_of(told, before, path, number):
            cells = {k: v for k, v in told.items() if k not in (PATIENT, VISIT)}
            changes.setdefault(case, {}).update(cells)
    after = study.update(changes)
    changed = sum(
        before[case].get(key, "") != after[case].get(key, "")
        for case, row in changes.items()
        for key in row
    )
    had = {key for row in before.values() for key in row}
    return Imported(len(rows), changed, tuple(n for n in names if n and n not in had))


def _cases_of(
    row: dict[str, str], known: Iterable[CaseName], path: Path, number: int
) -> list[CaseName]:
    subject = row.get(PATIENT, "").removeprefix("sub-")
    session = row.get(VISIT, "").removeprefix("ses-")
    found = [c for c in known if c.subject == subject and session in ("", c.session)]
    if not found:
        raise InputError(
            f"{path}, row {number}: the study has no visit sub-{subject} {session}.".replace(
                " .", "."
            ),
            "Write the pseudonyms of the study, for example sub-001 and ses-01.",
        )
    return found


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is no known table.", f"Give one of {', '.join(SUFFIXES)}.")
    try:
        table = _read_book(path) if path.suffix.lower() == ".xlsx" else _read_text(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.", "Check it."
        ) from error
    if not table:
        raise InputError(f"{path} is empty.", "Export the registry first and fill that in.")
    return [name.strip() for name in table[0]], table[1:]


def _read_book(path: Path) -> list[list[str]]:
    openpyxl = _openpyxl()
    try:
        # Of formulas the values count that the spreadsheet has computed.
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = [[_text(value) for value in row] for row in book.worksheets[0].values]
        book.close()
    except OSError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be read as .xlsx.", "Save it again as .xlsx.") from error
    return rows


def _read_text(path: Path) -> list[list[str]]:
    content = path.read_bytes()
    for encoding in _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        first = text.partition("\n")[0]
        # Where the comma is a decimal point, spreadsheets part cells by semicolons.
        mark = max("\t;,", key=first.count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        return [[original_cell(cell.strip()) for cell in row] for row in rows]
    raise InputError(f"{path} is neither UTF-8 nor windows-1251.", "Save it as UTF-8.")


def _text(value: Any) -> str:
    """A cell as the registry has it: days as ISO 8601, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        midnight = (value.hour, value.minute, value.second) == (0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return original_cell(str(value).strip())


def _cell(name: str, text: str, known: dict[str, Column]) -> Any:
    """A cell of a spreadsheet: a number, a day, or a text that is no formula."""
    column = known.get(name)
    if column is not None and (column.units or name == "fold") and text:
        try:
            return int(text) if text.lstrip("-").isdigit() else float(text)
        except ValueError:
            return text
    try:
        return date.fromisoformat(text) if len(text) == 10 else safe_cell(text)
    except ValueError:
        return safe_cell(text)


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise DependencyError(
            "Spreadsheets (.xlsx) need the Python package openpyxl.",
            "Install it with: pip install 'BrainTumorSeg[study]', or use .csv.",
        ) from error
    return openpyxl
