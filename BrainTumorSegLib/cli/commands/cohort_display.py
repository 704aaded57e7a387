"""What the commands ``cohort`` and ``bids`` show: a plan, and how far its cases have come."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import InputError

if TYPE_CHECKING:
    from BrainTumorSegLib.cohort.cases import CohortCase
    from BrainTumorSegLib.cohort.engine import Finished
    from BrainTumorSegLib.cohort.plan import Planned, Settings
    from BrainTumorSegLib.core.progress import Sink


class CohortDisplay:
    """Shows how far the cohort has come, as ``--progress`` says."""

    def __init__(self, args: argparse.Namespace, plan: SequenceOf[Planned], sink: Sink) -> None:
        from BrainTumorSegLib.cohort.state import State

        self.folder = args.output
        self.sink, self.json, self.workers = sink, args.progress == "json", args.workers
        self.total, self.done = sum(planned.to_run for planned in plan), 0
        before = [p.known["seconds"] for p in plan if p.state is State.DONE and p.known]
        self.durations: list[float] = before
        for planned in plan:
            if not planned.to_run and planned.state is not State.DONE:
                self._case(planned.case.name, planned.state, planned.reason, planned.remedy)
        self._event("progress", "")

    def finished(self, one: Finished) -> None:
        """Show that a case has ended."""
        from BrainTumorSegLib.cohort.state import State

        known, name = one.known, one.planned.case.name
        if one.elsewhere:
            pass  # that run tells of it
        elif one.state is State.DONE:
            self.durations.append(known["seconds"])
            self._case(name, one.state, "", "", known["seconds"], known)
        else:
            again = " It will be tried again." if one.state is State.WAITING else ""
            self._case(name, one.state, known["reason"] + again, known["remedy"], known["seconds"])
        self.done += one.state is not State.WAITING
        self._event("progress", name)

    def warn(self, message: str) -> None:
        """Show what people should know of."""
        self._event("warning", message)

    def end(self) -> None:
        """Show that no case runs any more."""
        self._event("progress", "", "done")

    def _case(
        self,
        name: str,
        state: str,
        reason: str,
        remedy: str,
        seconds: float | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        from BrainTumorSegLib.cohort.table import result_of

        if self.json:
            line = {"kind": "case", "case": name, "state": state, "seconds": seconds}
            line |= {"reason": reason, "remedy": remedy, **result_of(known, self.folder)}
            print(json.dumps(line), flush=True)
        elif reason:
            self._event("warning", f"{name}: {state}. {reason} {remedy}".rstrip())

    def _event(self, kind: str, message: str, stage: str = "cohort") -> None:
        from BrainTumorSegLib.cohort.table import seconds_left
        from BrainTumorSegLib.core.progress import ProgressEvent

        left = seconds_left(self.durations, self.total - self.done, (), self.workers)
        whole = stage == "done"
        fraction = 1.0 if whole or not self.total else self.done / self.total
        # A bar takes the whole for the end.
        fraction = fraction if whole else min(fraction, 0.999)
        self.sink(ProgressEvent(kind, stage, self.done, self.total, message, fraction, left))


def print_plan(plan: SequenceOf[Planned], settings: Settings, progress: str) -> None:
    """Say what would be done with every case, and why, as ``--progress`` says."""
    from BrainTumorSegLib.cohort.state import State
    from BrainTumorSegLib.cohort.table import PAGE

    would_run = 0
    for planned in plan:
        case, run_it = planned.case, planned.to_run and planned.state is not State.RUNNING
        would_run += run_it
        if progress == "json":
            print(json.dumps(_planned_line(planned, settings, run_it)))
            continue
        print(f"{case.name}: {planned.state}{', will be run' if run_it else ''}")
        for text in filter(None, (planned.reason, planned.remedy)):
            print(f"    {text}")
        for sequence, path in case.scans.items():
            print(f"    {sequence.name:<5} {path}  ({case.reasons.get(sequence, '')})")
        if case.dicom is not None:
            print(f"    DICOM {case.dicom}")
            _print_study(case)
        for text in case.left_out:
            print(f"    left out: {text}")
    if progress == "json":
        page = (settings.folder / PAGE).resolve()
        print(json.dumps({"kind": "plan", "page": str(page) if page.is_file() else None}))
    else:
        counts = Counter(planned.state for planned in plan)
        shown = ", ".join(f"{count} {state}" for state, count in counts.items())
        print(f"{len(plan)} cases: {shown}. {would_run} would be run.")


def _planned_line(planned: Planned, settings: Settings, run_it: bool) -> dict[str, Any]:
    """A case of a plan as a JSON line."""
    from BrainTumorSegLib.cohort.state import log_path
    from BrainTumorSegLib.cohort.table import result_of

    case, log = planned.case, log_path(settings.folder, planned.case)
    line: dict[str, Any] = {
        "kind": "case",
        "case": case.name,
        "state": planned.state,
        "run": run_it,
        "scans": {s.value: str(path) for s, path in case.scans.items()},
        "dicom": case.dicom and str(case.dicom),
        "study": case.study,
        "reasons": {s.value: text for s, text in case.reasons.items()},
        "left_out": list(case.left_out),
        "reason": planned.reason,
        "remedy": planned.remedy,
        "log": str(log.resolve()) if log.is_file() else None,
    }
    if case.dicom is not None:
        line |= _told_study(case)
    return line | result_of(planned.known, settings.folder)


def _told_study(case: CohortCase) -> dict[str, Any]:
    """The series that would be taken from a DICOM study and why, and what is not clear."""
    from BrainTumorSegLib.io.dicom.study import choose_series, propose_sequences, read_study

    try:
        study = read_study(case.dicom, case.study)
        proposal = propose_sequences(study)
        choose_series(study, proposal)
    except InputError as error:
        return {"problem": " ".join(filter(None, (error.message, error.remedy)))}
    taken = {one.key for one in proposal.chosen.values()}
    found = proposal.recognitions
    return {
        "series": {s.value: one.title for s, one in proposal.chosen.items()},
        "reasons": {s.value: found[one.key].reason for s, one in proposal.chosen.items()},
        "left_out": [
            f"{one.title}: {found[one.key].reason}" for one in study.series if one.key not in taken
        ],
    }


def _print_study(case: CohortCase) -> None:
    """What the series of a DICOM study would be taken for."""
    from BrainTumorSegLib.io.dicom.study import describe_study, propose_sequences, read_study

    try:
        study = read_study(case.dicom, case.study)
    except InputError as error:
        print(f"    {error}")
        return
    for line in describe_study(study, propose_sequences(study)).splitlines():
        print(f"    {line}")
