"""What is to be read in a study, by whom, and how far its readers agree."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.progress import Progress

from .agreement import AUTOMATIC, CasePair, compare_readings
from .assignment import ToRead, assign, doubt_of, reading_list
from .journal import Entry, Event, append, entries_by_case
from .layout import AUTO, CaseName, reader_description
from .opening import Study
from .readings import Verdict, assigned, check_letters, finished, labels_of
from .registry import Row
from .states import CaseStatus, State


@dataclass(frozen=True)
class Task:
    """A case on the list of a reader.

    Attributes:
        case: which.
        group: its tumor type.
        state: ``to read``, ``begun``, or the verdict of the reader.
        doubt: of the automatic result, 0 to 1; None where its record does not tell.
        minutes: that the reader has spent; None where nobody counted.
    """

    case: CaseName
    group: str
    state: str
    doubt: float | None
    minutes: float | None


def assign_cases(
    study: Study,
    readers: SequenceOf[str],
    double_share: float = 0.0,
    every: bool = False,
    seed: int = 0,
) -> dict[CaseName, tuple[str, ...]]:
    """Give every segmented case that has no reader its readers, and journal it.

    Args:
        study: whose cases.
        readers: letters of the study's readers.
        double_share: of the cases that two readers read, see `assignment.assign`.
        every: whether all readers read every case instead.
        seed: of what is drawn.

    Returns:
        What is new.

    Raises:
        InputError: when a reader is unknown, or the share cannot be met.
    """
    check_letters(study, readers)
    by_case = entries_by_case(study.layout)
    before = assigned(entry for entries in by_case.values() for entry in entries)
    rows = study.registry()
    states = study.states(by_case)
    cases = [_to_read(study, s.case, rows) for s in states if is_readable(study, s)]
    if every:
        if len(set(readers)) < len(readers) or not readers:
            raise InputError("Readers are named twice, or none is.", "Name each reader once.")
        found = {one.case: tuple(readers) for one in cases}
    else:
        fixed = {str(case): names for case, names in before.items()}
        found = assign(cases, readers, double_share, seed, fixed)
    fresh = {}
    for one in cases:
        case = CaseName.parse(one.case)
        if case not in before:
            fresh[case] = found[one.case]
            append(study.layout, Event.ASSIGNED, case, readers=list(fresh[case]))
    return fresh


def tasks(study: Study, letter: str) -> list[Task]:
    """The list of a reader: what is to be read, the most doubtful first, then what is finished.

    Raises:
        InputError: when the study has no such reader.
    """
    check_letters(study, [letter])
    by_case, rows = entries_by_case(study.layout), study.registry()
    readers, readable = {}, {}
    for status in study.states(by_case):
        mine = assigned(by_case.get(status.case, ())).get(status.case, ())
        if letter in mine and is_readable(study, status):
            name = str(status.case)
            readers[name], readable[name] = mine, status
    cases = [_to_read(study, status.case, rows) for status in readable.values()]
    found = []
    for one in reading_list(cases, readers, letter):
        status = readable[one.case]
        entries = by_case[status.case]
        done = finished(entries).get(letter)
        state = "begun" if letter in status.begun else "to read"
        said = str(done.verdict) if done else state
        found.append(Task(status.case, one.group, said, one.doubt, _minutes(entries, letter)))
    return sorted(found, key=lambda task: task.state in tuple(Verdict))


def is_readable(study: Study, status: CaseStatus) -> bool:
    """Whether a case has something to read, and nobody has excluded it."""
    return status.state is not State.EXCLUDED and study.layout.has_segmentation(status.case, AUTO)


def agreement_pairs(
    study: Study,
    cases: Collection[CaseName] = (),
    measures: Collection[str] = ("dice",),
    progress: Progress | None = None,
) -> list[CasePair]:
    """Every pair of automatic result and finished readings, of all cases or some.

    Readings that exclude a case are left out.

    Args:
        study: whose readings.
        cases: only these; all unless given.
        measures: keys of `evaluation.metrics.MEASURES`.
        progress: one step a case.

    Raises:
        InputError: when labels cannot be read.
    """
    progress = progress or Progress()
    rows, pairs = study.registry(), []
    by_case = entries_by_case(study.layout)
    wanted = [case for case in sorted(by_case) if not cases or case in cases]
    progress.stage("compare", len(wanted))
    for case in wanted:
        done = [
            one
            for one in finished(by_case[case]).values()
            if one.verdict is not Verdict.EXCLUDED
            and study.layout.has_segmentation(case, reader_description(one.reader))
        ]
        labels = {}
        if study.layout.has_segmentation(case, AUTO):
            labels[AUTOMATIC] = labels_of(study, case, AUTO)
        for one in done:
            labels[one.reader] = labels_of(study, case, reader_description(one.reader))
        if done and len(labels) > 1:
            minutes = {one.reader: one.minutes for one in done if one.minutes is not None}
            group = rows.get(case, {}).get("tumor_type", "")
            pairs += compare_readings(str(case), group, labels, minutes, measures)
        progress.advance(1, str(case))
    return pairs


def _to_read(study: Study, case: CaseName, rows: Mapping[CaseName, Row]) -> ToRead:
    """A case with what its work is balanced and ordered by."""
    return ToRead(str(case), rows.get(case, {}).get("tumor_type", ""), _doubt(study, case))


def _minutes(entries: Iterable[Entry], letter: str) -> float | None:
    """What the reader's last entry says."""
    told = None
    for entry in entries:
        if entry.what in (Event.SAVED, Event.READ) and entry.more.get("reader") == letter:
            told = entry.more.get("minutes", told)
    return told


def _doubt(study: Study, case: CaseName) -> float | None:
    path = study.layout.segmentation(case, AUTO, "_record.json")
    try:
        return doubt_of(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
