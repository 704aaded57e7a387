"""Many cases: what a folder holds, and segmenting it, by a child that runs the command `cohort`.

The child judges, computes and resumes; here is only what it tells, by case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import BrainTumorSegError, CohortError
from BrainTumorSegLib.core.sequences import Sequence

from ..host.application import runFolder, workerPython
from ..host.job import PolledJob, callBack
from ..worker.worker import Worker

#: Seconds that a child gets to end its cases in good order before it is ended by force.
PATIENCE_S = 20.0

#: Stage in which the child finds the cases; its steps are folders.
LOOKING = "look"

#: What needs a look comes first; as the page of the results has it.
_ORDER = ("failed", "unusable", "stale", "running", "waiting", "done")

#: What a child tells of a case beside its name, by the names in `FoundCase`.
_TOLD = {
    **{name: name for name in ("state", "run", "dicom", "study", "reason", "remedy", "problem")},
    **{name: name for name in ("log", "seconds", "outputs", "scans", "series", "reasons")},
    "left_out": "leftOut",
    "doubtful_share": "doubtfulShare",
}


@dataclass(frozen=True)
class FoundCase:
    """A case as the child tells of it.

    Attributes:
        name: of the case.
        state: ``waiting``, ``running``, ``done``, ``stale``, ``failed`` or ``unusable``.
        run: whether it would be segmented now.
        scans: file by sequence, of a case of image files.
        dicom, study: folder and StudyInstanceUID of a case from DICOM.
        series: title of the series by sequence, of a case from DICOM.
        reasons: why each was taken, by sequence.
        leftOut: what was not taken, and why.
        reason, remedy: why it is not done, or is to be done again.
        problem: why the series of a DICOM study cannot be told apart.
        log: file with what was printed while it was computed.
        seconds: how long it took.
        outputs: ``file`` and ``sha256`` of each result, by kind.
        doubtfulShare: uncertain volume by that of the tumour; a rank, no probability.
    """

    name: str
    state: str = "waiting"
    run: bool = False
    scans: Mapping[str, str] = field(default_factory=dict)
    dicom: str | None = None
    study: str | None = None
    series: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    leftOut: tuple[str, ...] = ()
    reason: str = ""
    remedy: str = ""
    problem: str = ""
    log: str | None = None
    seconds: float | None = None
    outputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    doubtfulShare: float | None = None

    @property
    def hasResult(self) -> bool:
        """Whether there are files to be opened."""
        return {"segmentation", "report"} <= self.outputs.keys()

    def taken(self) -> dict[Sequence, str]:
        """Name of the file, or title of the series, that was taken for each sequence."""
        found = {key: Path(file).name for key, file in self.scans.items()} | dict(self.series)
        return {sequence: found[sequence.value] for sequence in Sequence if sequence.value in found}


def inOrder(cases: Iterable[FoundCase]) -> list[FoundCase]:
    """What needs a look first, then results from the most uncertain on."""
    rank = {state: number for number, state in enumerate(_ORDER)}
    return sorted(cases, key=lambda case: (rank.get(case.state, 0), -(case.doubtfulShare or 0.0)))


class CohortJob(PolledJob):
    """The command `cohort` in a child. `start` it, then `poll` until that returns True.

    It is ``finished`` also when cases failed, and ``cancelled`` when it was stopped; the cases
    say more.

    Args:
        arguments: of the program, from `settings.cohortArguments`; ``--dry-run`` only looks.
        cases: what is known already, by name.
        onChange: called with this job when something was told.
        onFinished: called once, with this job, when it is over, however it ended.

    Attributes:
        cases: by name.
        fraction: share of the work that is done, 0..1.
        done, total: cases.
        secondsLeft: None where it is not known.
        finishing: whether no other case is begun any more.
        page: the page with all results, if it is there.
        logTail: last lines of the child after a failure.
    """

    def __init__(
        self,
        arguments: list[str],
        cases: Mapping[str, FoundCase] | None = None,
        onChange: Callable[[CohortJob], None] | None = None,
        onFinished: Callable[[CohortJob], None] | None = None,
    ) -> None:
        super().__init__()
        self.arguments = arguments
        self.cases: dict[str, FoundCase] = dict(cases or {})
        self.fraction = 0.0
        self.done, self.total = 0, 0
        self.secondsLeft: float | None = None
        self.finishing = False
        self.page: Path | None = None
        self.logTail = ""
        self._onChange, self._onFinished = onChange, onFinished
        self._lastError: dict[str, Any] | None = None
        self._stoppedAt: float | None = None
        self._worker: Worker | None = None

    @property
    def looksOnly(self) -> bool:
        """Whether nothing is computed."""
        return "--dry-run" in self.arguments

    def start(self) -> None:
        """Start the child; returns at once.

        Raises:
            BrainTumorSegError: when it cannot be started.
        """
        worker = Worker(self.arguments, workerPython(), runFolder())
        try:
            worker.start()
        except BaseException:
            worker.dispose()
            raise
        self._worker, self.state = worker, "running"

    def finish(self) -> None:
        """Let the running cases finish and begin no other."""
        if self.state == "running" and not self.finishing:
            self.finishing = True
            self._worker.answer({"kind": "stop"})

    def stop(self) -> None:
        """End the running cases as well; they wait as if they had never been begun."""
        if self.state == "running":
            self.finish()
            self.state, self._stoppedAt = "cancelling", time.monotonic()
            self._worker.answer({"kind": "stop"})

    def cancel(self) -> None:
        """End everything at once."""
        if self.state in ("running", "cancelling"):
            self.state = "cancelling"
            self._worker.cancel()

    def _step(self) -> None:
        running = self._worker.running
        lines = self._worker.poll()
        for line in lines:
            self._onLine(line)
        if lines:
            callBack(self._onChange, self)
        late = self._stoppedAt is not None and time.monotonic() - self._stoppedAt > PATIENCE_S
        if late and not self._worker.cancelled:
            self._worker.cancel()
        if not running:
            self._end()

    def _onLine(self, line: dict[str, Any]) -> None:
        kind = line.get("kind")
        if kind == "case":
            known = self.cases.get(line["case"], FoundCase(line["case"]))
            told = {ours: line[theirs] for theirs, ours in _TOLD.items() if theirs in line}
            told["leftOut"] = tuple(told.get("leftOut", known.leftOut))
            self.cases[known.name] = replace(known, **told)
        elif kind == "progress" and line.get("stage") != LOOKING:
            self.fraction = float(line.get("fraction") or 0.0)
            self.done, self.total = int(line.get("step") or 0), int(line.get("total") or 0)
            self.secondsLeft = line.get("seconds_left")
        elif kind == "plan":
            self.page = Path(line["page"]) if line.get("page") else None
        elif kind == "error":
            self._lastError = line

    def _end(self) -> None:
        code = self._worker.exitCode
        # It says so when cases are not done; which and why stands in the cases.
        if code in (0, CohortError.exit_code):
            self._close("finished")
        elif self.finishing or self._worker.cancelled:
            self._close("cancelled")
        else:
            raise self._worker.failure(self._lastError)

    def _fail(self, error: BrainTumorSegError, trace: str = "") -> None:
        self.error = error
        self.logTail = trace or self._worker.logTail()
        self._close("failed")

    def _close(self, state: str) -> None:
        self._worker.dispose()
        self.state = state
        callBack(self._onFinished, self)
