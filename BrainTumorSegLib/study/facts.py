"""What an addition tells people: rows of the registry, and the inventory of all files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from BrainTumorSegLib.io.tables import original_cell, write_rows, write_table

from .deid.keys import Key, write_private
from .deid.profile import NAME
from .deid.rewrite import moved_day, vendor_of
from .inventory import Became, Item
from .layout import CaseName, Layout
from .registry import OF_PATIENT, Row
from .visits import Visit

#: Columns of the inventory in the study; the one beside the key has the file's name besides.
COLUMNS = ("file", "became", "case", "reason")
NAMED = ("name", *COLUMNS)


def registry_rows(
    rows: Mapping[CaseName, Row], key: Key, visit: Visit
) -> dict[CaseName, dict[str, str]]:
    """The rows of a patient with what a visit tells; what people have typed stays.

    Args:
        rows: of the registry.
        key: of the study, which learns of a new hospital and is saved then.
        visit: what was received.
    """
    case = visit.case
    mine = {c: dict(row) for c, row in rows.items() if c.subject == case.subject}
    row = mine.setdefault(case, {})
    for name, value in _told(key, visit).items():
        row[name] = row.get(name) or value
    for name in OF_PATIENT:
        told = next((r[name] for r in mine.values() if r.get(name)), "")
        for other in mine.values():
            other[name] = told
    days = {c: day for c, r in mine.items() if (day := _ordinal(r.get("visit_date", "")))}
    for c, day in days.items():
        mine[c]["days"] = str(day - min(days.values()))
    return mine


def _told(key: Key, visit: Visit) -> dict[str, str]:
    attributes = visit.study.series[0].attributes
    facts = dict(visit.facts)
    hospital = facts.pop("hospital", "")
    if hospital and hospital not in key.sites:
        key.sites[hospital] = f"site-{len(key.sites) + 1}"
        key.save()
    model = attributes.get("ManufacturerModelName", "")
    parts = [vendor_of(attributes.get("Manufacturer", "")), model if NAME.fullmatch(model) else ""]
    shift = key.shift_days(visit.case.subject)
    day = moved_day(attributes.get("StudyDate", ""), shift) or ""
    return {
        **facts,
        "site": key.sites.get(hospital, ""),
        "scanner": " ".join(filter(None, parts)),
        "visit_date": f"{day[:4]}-{day[4:6]}-{day[6:8]}" if day else "",
    }


def _ordinal(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


def write_inventory(layout: Layout, key: Key, items: Iterable[Item]) -> None:
    """Write what became of every file, in the study and, with names, beside the key.

    What is known of files that were given before stays; one that was taken then stays taken.

    Raises:
        OutputError: when it cannot be written.
    """
    rows = {(row["name"], row["file"]): row for row in _read(key.inventory)}
    for item in items:
        row = {
            "name": item.shown,
            "file": key.file_id(item.sha256 or item.shown),
            "became": str(item.became),
            "case": item.case,
            "reason": item.reason,
        }
        if item.became is not Became.THERE or (row["name"], row["file"]) not in rows:
            rows[row["name"], row["file"]] = row
    stream = io.StringIO(newline="")
    write_rows(stream, [NAMED, *([row[n] for n in NAMED] for row in rows.values())], "\t")
    write_private(key.inventory, stream.getvalue().encode("utf-8"))
    cells = ([row[name] for name in COLUMNS] for row in rows.values())
    write_table(layout.inventory, COLUMNS, cells, delimiter="\t")


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return [{key: original_cell(value or "") for key, value in row.items()} for row in rows]
