"""The registry: one row a patient and visit, and what its columns mean.

``registry.tsv`` is a table for people and programs, ``registry.json`` describes its columns as
BIDS does. Columns that nobody knows are kept as they are.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.io.atomic import write_text
from BrainTumorSegLib.io.tables import original_cell, write_table

from .layout import CaseName, Layout
from .leases import hold
from .settings import Settings

#: A row by column; an empty text where nothing is known.
Row = Mapping[str, str]

PATIENT, VISIT = "participant_id", "session_id"

#: Columns that say the same of every visit of a patient.
OF_PATIENT = ("sex", "tumor_type", "fold")


@dataclass(frozen=True)
class Column:
    """What a column means.

    Attributes:
        description: for people.
        units: of numbers.
        levels: allowed values and what they mean; none where any is allowed.
    """

    description: str
    units: str = ""
    levels: Mapping[str, str] = field(default_factory=dict)


def columns(settings: Settings) -> dict[str, Column]:
    """The columns that every registry has, in their order."""
    return {
        PATIENT: Column("Pseudonym of the patient"),
        VISIT: Column("Number of the visit"),
        "sex": Column("Sex", levels={"F": "female", "M": "male", "O": "other"}),
        "age": Column("Age at the visit; 90 stands for 90 and more", "years"),
        "tumor_type": Column("Tumor type", levels={t: t for t in settings.tumor_types}),
        "histology": Column("Histological diagnosis"),
        "immunohistochemistry": Column("Markers, for example IDH1, Ki-67, MGMT"),
        "who_grade": Column("WHO grade", levels={str(g): f"grade {g}" for g in range(1, 5)}),
        "operation": Column("Operation: none, biopsy, resection, and when"),
        "course": Column("Course of the disease"),
        "site": Column("Where the scans were taken, by number"),
        "scanner": Column("Manufacturer and model of the scanner"),
        "visit_date": Column(
            "Day of the visit, moved by the same number of days for all of a patient's visits"
        ),
        "days": Column("Days since the patient's first visit in the study", "days"),
        "fold": Column("Fold of cross-validation, fixed by patient"),
    }


def column_names(known: Iterable[str], rows: Mapping[CaseName, Row]) -> list[str]:
    """The columns that every registry has, then those that these rows have besides."""
    return list(dict.fromkeys((*known, *(key for row in rows.values() for key in row))))


def read_registry(layout: Layout) -> dict[CaseName, dict[str, str]]:
    """The rows by case, in order; empty where there is no registry.

    Raises:
        InputError: when it cannot be read, or a row is no visit of a patient, or is there twice.
    """
    path = layout.registry
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Save it as TSV, UTF-8.") from error
    found: dict[CaseName, dict[str, str]] = {}
    for number, row in enumerate(rows, 2):
        if PATIENT not in row or VISIT not in row or None in row:
            raise InputError(
                f"{path} has no columns {PATIENT} and {VISIT}, or line {number} is too long.",
                "Save it as TSV with tabs between the columns.",
            )
        case = CaseName.parse(f"{row[PATIENT]}_{row[VISIT]}")
        if case in found:
            raise InputError(f"{path}: {case} has two rows.", "Remove one of them.")
        found[case] = {key: original_cell(value or "") for key, value in row.items()}
    return dict(sorted(found.items()))


def update_registry(
    layout: Layout, settings: Settings, changes: Mapping[CaseName, Row]
) -> dict[CaseName, dict[str, str]]:
    """Change rows, or add them; other rows, and columns that are not named, stay.

    Two that change it at the same time do so one after the other.

    Returns:
        All rows.

    Raises:
        InputError: when a value is not allowed; nothing is changed then.
        OutputError: when the registry cannot be written.
    """
    with hold(layout, "registry"):
        rows = read_registry(layout)
        for case, change in changes.items():
            ids = {PATIENT: f"sub-{case.subject}", VISIT: f"ses-{case.session}"}
            rows[case] = {**rows.get(case, {}), **change, **ids}
        rows = dict(sorted(rows.items()))
        check_rows(rows, settings)
        _write(layout, settings, rows)
    return rows


def check_rows(rows: Mapping[CaseName, Row], settings: Settings) -> None:
    """Refuse values that a column does not allow, and patients who contradict themselves.

    Raises:
        InputError: naming the case and the column.
    """
    known = columns(settings)
    first: dict[tuple[str, str], tuple[CaseName, str]] = {}
    for case, row in rows.items():
        for key, column in known.items():
            value = row.get(key, "")
            if value and column.levels and value not in column.levels:
                raise InputError(
                    f"The registry has {value!r} as {key} of {case}.",
                    f"Allowed are: {', '.join(column.levels)}.",
                )
            if value and column.units and not _is_number(value):
                raise InputError(
                    f"The registry has {value!r} as {key} of {case}.",
                    f"Write a number ({column.units}).",
                )
        for key in OF_PATIENT:
            value = row.get(key, "")
            # A visit that was added later may not say what an earlier one says.
            other, said = (
                first.setdefault((case.subject, key), (case, value)) if value else (case, "")
            )
            if value != said:
                raise InputError(
                    f"The registry has {said!r} as {key} of {other}, and {value!r} of {case}.",
                    "They are one patient: write the same in both rows.",
                )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _write(layout: Layout, settings: Settings, rows: Mapping[CaseName, Row]) -> None:
    known = columns(settings)
    names = column_names(known, rows)
    described = {name: _described(known.get(name)) for name in names}
    try:
        before = json.loads(layout.registry_description.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    # What people wrote about their own columns stays.
    described |= {name: before[name] for name in names if name not in known and name in before}
    text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
    write_text(layout.registry_description, text, overwrite=True)
    cells = ([" ".join(row.get(name, "").split()) for name in names] for row in rows.values())
    write_table(layout.registry, names, cells, delimiter="\t")


def _described(column: Column | None) -> dict[str, Any]:
    if column is None:
        return {"Description": "Added by the study's people"}
    more = {"Units": column.units, "Levels": dict(column.levels)}
    return {"Description": column.description, **{k: v for k, v in more.items() if v}}
