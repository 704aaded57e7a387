"""Where a study stands: a table of states, who its patients are, and what is stuck."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Any

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.version import __version__

from .groups import GROUPS
from .layout import CaseName
from .opening import Study
from .states import CaseStatus, State

SCHEMA = "brain-tumor-seg-study-status/1"

#: Fewer cases than this could tell who they are.
SMALL = 5

#: What stands where a number is too small to be shown.
HIDDEN = f"<{SMALL}"

_UNKNOWN = "not known"


@dataclass(frozen=True)
class Status:
    """Where a study stands.

    Attributes:
        title: of the study.
        by: what rows are told apart by.
        rows: numbers of cases by group and state; `HIDDEN` in the place of small ones.
        people: a line on the patients of each tumor type.
        stuck: cases that do not go on by themselves, and why.
        excluded: numbers of excluded cases by reason.
        reached: whether a case counts in every state that it has come to, not in the last alone.
    """

    title: str
    by: tuple[str, ...]
    rows: Mapping[str, Mapping[State, int | str]]
    people: tuple[str, ...]
    stuck: tuple[tuple[str, str, str], ...]
    excluded: Mapping[str, int | str]
    reached: bool = False

    @property
    def states(self) -> list[State]:
        """The columns: states that any case is in."""
        there = {state for row in self.rows.values() for state, count in row.items() if count}
        return [state for state in State if state in there]


def study_status(
    study: Study, by: SequenceOf[str] = (), reached: bool = False, suppress: bool = False
) -> Status:
    """Where a study stands.

    Args:
        study: which.
        by: of `settings.GROUPS`; the tumor type where none is named.
        reached: count a case in every state that it has come to.
        suppress: show no number of cases below `SMALL`, none from which one follows, and no case.

    Raises:
        InputError: for another group.
    """
    by = tuple(by) or GROUPS[:1]
    for name in by:
        if name not in GROUPS:
            raise InputError(f"--by cannot be {name!r}.", f"Choose of {', '.join(GROUPS)}.")
    registry, statuses = study.registry(), study.states()
    counts: dict[str, Counter[State]] = {}
    if by == GROUPS[:1]:
        counts = {tumor: Counter() for tumor in study.settings.tumor_types}
    order: dict[str, tuple[Any, ...]] = {}
    for status in statuses:
        row = registry.get(status.case, {})
        values = [_group(name, row) for name in by]
        name = ", ".join(values)
        order[name] = tuple((value == _UNKNOWN, value) for value in values)
        counts.setdefault(name, Counter()).update(_counted(status, reached))
    if by != GROUPS[:1]:
        counts = dict(sorted(counts.items(), key=lambda pair: order[pair[0]]))
    rows = {name: _shown(row, suppress) for name, row in counts.items()}
    excluded = Counter(s.reason or _UNKNOWN for s in statuses if s.state is State.EXCLUDED)
    stuck = [(str(s.case), str(s.state), s.reason) for s in statuses if s.stuck]
    return Status(
        study.settings.title,
        by,
        rows,
        tuple(_people(study, registry, statuses, suppress)),
        () if suppress else tuple(stuck),
        {reason: _small(count, suppress) for reason, count in sorted(excluded.items())},
        reached,
    )


def _counted(status: CaseStatus, reached: bool) -> list[State]:
    if not reached or status.state is State.EXCLUDED:
        return [status.state]
    order = list(State)
    so_far = order[: order.index(status.state) + 1]
    # Nobody comes to a dispute, or to a second reader, who was not there.
    optional = (State.CORRECTED, State.READ_A, State.READ_B, State.IN_DISPUTE, State.ADJUDICATED)
    return [state for state in so_far if state not in optional or state is status.state]


def _group(name: str, row: Mapping[str, str]) -> str:
    value = row.get(name, "")
    if name == "age" and value:
        decade = int(float(value)) // 10 * 10
        return f"{decade}-{decade + 9}" if decade < 90 else "90 and more"
    if name == "sex":
        return {"F": "female", "M": "male", "O": "other"}.get(value, _UNKNOWN)
    return value or _UNKNOWN


def _small(count: int, suppress: bool) -> int | str:
    return HIDDEN if suppress and 0 < count < SMALL else count


def _shown(row: Mapping[State, int], suppress: bool) -> dict[State, int | str]:
    """The numbers of a row; a single hidden one would follow from the sum, so two are hidden."""
    shown: dict[State, int | str] = {state: _small(count, suppress) for state, count in row.items()}
    hidden = [state for state, value in shown.items() if value == HIDDEN]
    rest = [state for state, value in shown.items() if isinstance(value, int) and value]
    if len(hidden) == 1 and rest:
        shown[min(rest, key=lambda state: row[state])] = "hidden"
    return shown


def total(row: Mapping[State, int | str]) -> int | str:
    """The sum of a row; nothing where a number is hidden."""
    values = list(row.values())
    if all(isinstance(value, int) for value in values):
        return sum(value for value in values if isinstance(value, int))
    return ""


# Who the patients are


def _people(
    study: Study,
    registry: Mapping[CaseName, Mapping[str, str]],
    statuses: Iterable[CaseStatus],
    suppress: bool,
) -> Iterable[str]:
    """Patients by tumor type, at their first visit; excluded cases do not count."""
    counted = {s.case for s in statuses if s.state is not State.EXCLUDED}
    first: dict[str, Mapping[str, str]] = {}
    for case in sorted(counted):
        first.setdefault(case.subject, registry.get(case, {}))
    groups: dict[str, list[Mapping[str, str]]] = {t: [] for t in study.settings.tumor_types}
    for row in first.values():
        groups.setdefault(row.get("tumor_type") or _UNKNOWN, []).append(row)
    for name, rows in groups.items():
        if rows:
            yield f"{name}: {_described(rows, suppress)}"


def _described(rows: SequenceOf[Mapping[str, str]], suppress: bool) -> str:
    """Number, share of men, median age and interquartile range (NumPy's linear quantiles)."""
    count = len(rows)
    if suppress and count < SMALL:
        return f"n {HIDDEN}"
    sexes = Counter(row.get("sex") for row in rows if row.get("sex"))
    parts = [f"n = {count}"]
    known = sum(sexes.values())
    small = [n for n in (sexes["M"], known - sexes["M"]) if 0 < n < SMALL]
    if known and not (suppress and small):
        parts.append(f"{round(100 * sexes['M'] / known)} % male")
    ages = [float(row["age"]) for row in rows if row.get("age")]
    if ages and not (suppress and len(ages) < SMALL):
        low, median, high = np.percentile(ages, [25, 50, 75])
        parts.append(f"median age {median:g} (IQR {low:g}-{high:g})")
    return ", ".join(parts)


# As text


def as_lines(status: Status, separator: str = "") -> list[str]:
    """The table as lines: aligned for people, or with a separator for programs."""
    head = [" / ".join(status.by), *map(str, status.states), "" if status.reached else "total"]
    table = [head]
    for name, row in status.rows.items():
        cells = [str(row.get(state, 0)) for state in status.states]
        table.append([name, *cells, "" if status.reached else str(total(row))])
    if separator:
        return [separator.join(cells).rstrip(separator) for cells in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in table
    ]


def as_text(status: Status) -> str:
    """Everything for people."""
    lines = [status.title, "", *as_lines(status)]
    if status.people:
        lines += ["", *status.people]
    if status.excluded:
        told = ", ".join(f"{reason} {count}" for reason, count in status.excluded.items())
        lines += ["", f"Excluded: {told}."]
    if status.stuck:
        lines += [
            "",
            "Stuck:",
            *(f"  {case} ({state}): {why}" for case, state, why in status.stuck),
        ]
    return "\n".join(lines) + "\n"


def as_json(status: Status) -> str:
    """Everything for programs; see ``study_status.schema.json``."""
    record = {
        "schema": SCHEMA,
        "version": __version__,
        "title": status.title,
        "by": list(status.by),
        "reached": status.reached,
        "rows": [
            {"group": name, "cases": {str(s): row.get(s, 0) for s in status.states}}
            for name, row in status.rows.items()
        ],
        "people": list(status.people),
        "excluded": dict(status.excluded),
        "stuck": [{"case": c, "state": s, "reason": why} for c, s, why in status.stuck],
    }
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"
