"""The table of a cohort, ``cases.tsv``: its columns, and reading it."""

from __future__ import annotations

import csv
import difflib
from pathlib import Path

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.io.tables import original_cell

TABLE = "cases.tsv"
COLUMNS = (
    *("case", "looks_like", "fold", "label_protocol"),
    *("t1", "t1ce", "flair", "labels", "registration", "brain"),
)

#: A column that runs add: the SHA-256 of the labels.
DIGEST = "labels_sha256"

_FORMAT = (
    "Columns are separated by tabs, the text is in UTF-8; case, looks_like, fold and "
    "label_protocol are the usual columns."
)


def read_table(table: Path) -> list[dict[str, str]]:
    """Rows by names of columns in lower case, stripped; columns of one's own stay.

    Raises:
        TrainingError: when it cannot be read, a column is misspelled, a row has no case, or
            a case two rows.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter="\t")
            header = [name.strip().lower() for name in next(reader, [])]
            found = [
                (reader.line_num, [original_cell(cell.strip()) for cell in cells])
                for cells in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{table} cannot be read: {error}.", _FORMAT) from error
    # A column that is nearly one of ours would be left unread without a word.
    missing = [name for name in COLUMNS if name not in header]
    for name in header:
        near = difflib.get_close_matches(name, missing, n=1, cutoff=0.85)
        if near and name not in COLUMNS:
            raise TrainingError(
                f"{table} has a column {name}; did you mean {near[0]}?",
                "Rename the column, or give it a name that is less alike.",
            )
    rows: dict[str, dict[str, str]] = {}
    for number, cells in found:
        if not any(cells):
            continue
        row = dict(zip(header, cells, strict=False))
        name = row.get("case")
        if not name:
            raise TrainingError(
                f"{table}, line {number} has no value in the column case: {row}", _FORMAT
            )
        if name in rows:
            raise TrainingError(
                f"{table} lists {name} twice.", "Give each case one row and a name of its own."
            )
        rows[name] = row
    if not rows:
        raise TrainingError(f"{table} lists no case.", _FORMAT)
    return list(rows.values())
