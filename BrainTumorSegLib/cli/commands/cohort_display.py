"""What the commands ``cohort`` and ``bids`` show: a plan, and how far its cases have come."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence as SequenceOf
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import InputError

if TYPE_CHECKING:
    from BrainTumorSegLib.cohort.cases import CohortCase
    from BrainTumorSegLib.cohort.engine import Finished
    from BrainTumorSegLib.cohort.plan import Planned
    from BrainTumorSegLib.core.progress import Sink


class CohortDisplay:
    """Shows how far the cohort has come, as ``--progress`` says."""

    def __init__(self, args: argparse.Namespace, plan: SequenceOf[Planned], sink: Sink) -> None:
        from BrainTumorSegLib.cohort.state import State

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
            self._case(name, one.state, "", "", known["seconds"])
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
        self, name: str, state: str, reason: str, remedy: str, seconds: float | None = None
    ) -> None:
        if self.json:
            line = {"kind": "case", "case": name, "state": state, "seconds": seconds}
            print(json.dumps({**line, "reason": reason, "remedy": remedy}), flush=True)
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


def print_plan(plan: SequenceOf[Planned], progress: str) -> None:
    """Say what would be done with every case, and why, as ``--progress`` says."""
    from BrainTumorSegLib.cohort.state import State

    would_run = 0
    for planned in plan:
        case, run_it = planned.case, planned.to_run and planned.state is not State.RUNNING
        would_run += run_it
        if progress == "json":
            scans = {s.value: str(path) for s, path in case.scans.items()}
            line = {"kind": "case", "case": case.name, "state": planned.state, "run": run_it}
            line |= {"scans": scans, "dicom": case.dicom and str(case.dicom)}
            line |= {"reasons": {s.value: text for s, text in case.reasons.items()}}
            line |= {"left_out": case.left_out}
            print(json.dumps({**line, "reason": planned.reason, "remedy": planned.remedy}))
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
    if progress != "json":
        counts = Counter(planned.state for planned in plan)
        shown = ", ".join(f"{count} {state}" for state, count in counts.items())
        print(f"{len(plan)} cases: {shown}. {would_run} would be run.")


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
