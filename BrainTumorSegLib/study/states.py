"""What a case has come to: derived from the files of the study and its journal, never typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from BrainTumorSegLib.core.sequences import Sequence

from .journal import Entry, Event, entries_by_case, read_journal
from .layout import APPROVED, AUTO, CaseName, Layout, reader_description
from .registry import read_registry


class State(StrEnum):
    """Where a case stands, from first to last."""

    RECEIVED = "received"
    ANONYMISED = "anonymised"
    REGISTERED = "registered"
    AUTOMATIC = "automatic"
    CORRECTED = "corrected"
    READ_A = "read by A"
    READ_B = "read by B"
    IN_DISPUTE = "in dispute"
    ADJUDICATED = "adjudicated"
    APPROVED = "approved"
    EXCLUDED = "excluded"


@dataclass(frozen=True)
class CaseStatus:
    """A case, where it stands, and why.

    Attributes:
        case: which.
        state: where it stands.
        reason: why it is excluded, or why it does not go on; may be empty.
        since: when the last thing happened to it, as `Entry.time`; may be empty.
        begun: letters of readers who have saved something and not finished.
        finished: letters of readers who have finished.
        more: of the last automatic segmentation: what its entry in the journal says.
    """

    case: CaseName
    state: State
    reason: str = ""
    since: str = ""
    begun: tuple[str, ...] = ()
    finished: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stuck(self) -> bool:
        """Whether it does not go on by itself, though it is not excluded."""
        return bool(self.reason) and self.state is not State.EXCLUDED


def all_states(
    layout: Layout, entries: Mapping[CaseName, SequenceOf[Entry]] | None = None
) -> list[CaseStatus]:
    """Where every case of a study stands, in order of their names.

    Args:
        layout: of the study.
        entries: of `entries_by_case`, where they were read already.

    Raises:
        InputError: when the registry cannot be read.
    """
    by_case = entries_by_case(layout) if entries is None else entries
    cases = known_cases(layout, by_case)
    return [derive(layout, case, by_case.get(case, ())) for case in cases]


def known_cases(layout: Layout, named: Iterable[CaseName]) -> list[CaseName]:
    """The cases of a study by name, in order: of its registry, its folders, and those given."""
    return sorted({*read_registry(layout), *named, *layout.cases()})


def state_of(layout: Layout, case: CaseName) -> CaseStatus:
    """Where a case stands."""
    return derive(layout, case, read_journal(layout, case))


def derive(layout: Layout, case: CaseName, entries: SequenceOf[Entry]) -> CaseStatus:
    """Where a case stands.

    Args:
        layout: of the study.
        case: which.
        entries: of the journal about it, in order of time.
    """
    since = entries[-1].time if entries else ""
    excluded = _last(entries, Event.EXCLUDED, Event.INCLUDED)
    if excluded is not None and excluded.what is Event.EXCLUDED:
        return CaseStatus(case, State.EXCLUDED, str(excluded.more.get("reason", "")), since)
    begun, finished = _readings(layout, case, entries)
    segmented = _last(entries, Event.SEGMENTED)
    more = segmented.more if segmented is not None else {}
    state, reason = _stand(layout, case, entries, begun, finished)
    return CaseStatus(case, state, reason, since, begun, finished, more)


def _stand(
    layout: Layout,
    case: CaseName,
    entries: SequenceOf[Entry],
    begun: SequenceOf[str],
    finished: SequenceOf[str],
) -> tuple[State, str]:
    """The furthest state whose files and entries are there, and why it does not go on."""
    decided = _decided(layout, case, entries, finished)
    if decided is not None:
        return decided, ""
    if finished:
        return (State.READ_B if "B" in finished else State.READ_A), ""
    if begun:
        return State.CORRECTED, ""
    return _before_reading(layout, case, entries)


def _decided(
    layout: Layout, case: CaseName, entries: SequenceOf[Entry], finished: SequenceOf[str]
) -> State | None:
    decided = _last(entries, *_DECISIONS, Event.REOPENED)
    if decided is None:
        return None
    if decided.what is Event.DISPUTED:
        return State.IN_DISPUTE if len(finished) > 1 else None
    there = layout.has_segmentation(case, APPROVED)
    states = {Event.APPROVED: State.APPROVED, Event.ADJUDICATED: State.ADJUDICATED}
    return states.get(decided.what) if there else None


def _before_reading(
    layout: Layout, case: CaseName, entries: SequenceOf[Entry]
) -> tuple[State, str]:
    failed = _last(entries, Event.FAILED, Event.SEGMENTED, Event.REGISTERED)
    problem = ""
    if failed is not None and failed.what is Event.FAILED:
        problem = str(failed.more.get("reason", ""))
    if layout.has_segmentation(case, AUTO):
        return State.AUTOMATIC, problem
    scans = layout.scans(case)
    if Sequence.T1CE not in scans or _last(entries, Event.ANONYMISED) is None:
        received = _last(entries, Event.RECEIVED)
        told = str(received.more.get("reason", "")) if received is not None else ""
        return State.RECEIVED, told or "Its scans are not here: add them again."
    others = [sequence for sequence in scans if sequence is not Sequence.T1CE]
    placed = all(layout.registered(case, sequence).is_file() for sequence in others)
    if placed and _last(entries, Event.REGISTERED) is not None:
        return State.REGISTERED, problem
    return State.ANONYMISED, problem


#: What is decided about finished readings.
_DECISIONS = (Event.DISPUTED, Event.AGREED, Event.ADJUDICATED, Event.APPROVED)


def _readings(
    layout: Layout, case: CaseName, entries: Iterable[Entry]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Letters of readers who have begun, and of those who have finished."""
    last: dict[str, Event] = {}
    for entry in entries:
        letter = entry.more.get("reader")
        if letter and entry.what in (Event.SAVED, Event.READ, Event.REOPENED):
            last[str(letter)] = entry.what
    there = {
        letter: what
        for letter, what in sorted(last.items())
        if layout.has_segmentation(case, reader_description(letter))
    }
    finished = tuple(letter for letter, what in there.items() if what is Event.READ)
    return tuple(letter for letter in there if letter not in finished), finished


def _last(entries: Iterable[Entry], *kinds: Event) -> Entry | None:
    found = None
    for entry in entries:
        if entry.what in kinds:
            found = entry
    return found
