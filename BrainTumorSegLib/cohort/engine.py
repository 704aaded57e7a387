"""What every engine does: give out cases, count tries and failures, and tell what became of each.

Where the cases are computed is a pool's business, see `local` and `cluster`.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from BrainTumorSegLib.io.atomic import make_folder

from .attempt import TICK_S, End, Outcome, Try
from .cases import STATE_FOLDER
from .lease import is_held, take_lease
from .plan import Planned, Settings, make_order
from .state import State, lease_path, read_state, state_path, write_state

#: How often cases that another engine works on are looked at.
_LOOK_S = 2.0

#: How often a case may be given to a worker that is lost before it has begun with it.
_MOST_LOSSES = 10

_LOST = {
    "reason": "The worker that computed it was lost.",
    "remedy": "Look at the logs of the workers. A job may have had too little memory or time.",
    "out_of_memory": False,
}


@dataclass
class Stop:
    """A request to stop: 1 finishes what is running, 2 ends it."""

    level: int = 0


@dataclass
class Finished:
    """A case that has ended, for whoever shows the progress.

    Attributes:
        planned: the case.
        state: done, failed, or waiting where it will be tried again.
        known: what is on the disk about it now.
        elsewhere: whether another engine has computed it.
    """

    planned: Planned
    state: State
    known: Mapping[str, Any]
    elsewhere: bool = False


class Pool(Protocol):
    """Where cases are computed; ``key`` is what the engine calls a case."""

    def room(self) -> int:
        """How many more cases can be given to it."""

    def begin(self, key: str, one: Try) -> None:
        """Take a case on."""

    def ended(self, timeout: float) -> list[tuple[str, Outcome]]:
        """What has ended; waits for it so many seconds at most."""

    def hold(self) -> None:
        """Begin nothing more: what has been taken on and not begun ends as stopped."""

    def close(self) -> None:
        """End all that runs."""


def run_cases(
    to_run: Iterable[Planned],
    settings: Settings,
    pool: Pool,
    retries: int = 1,
    max_failures: int | None = None,
    on_finish: Callable[[Finished], None] = lambda _: None,
    stop: Stop | None = None,
) -> None:
    """Compute cases in a pool, which is closed then.

    Whatever ends this function ends what runs in the pool too; what was done stays done.

    Args:
        to_run: from `make_plan`.
        settings: how.
        pool: where.
        retries: how often a case is tried again that crashed, had too little memory, or whose
            worker was lost.
        max_failures: begin no other case after so many have failed.
        on_finish: is told of every case that has ended.
        stop: looked at all the time.

    Raises:
        OutputError: when the folder of results cannot be written.
    """
    engine = _Engine(settings, pool, retries, max_failures, on_finish, stop or Stop())
    engine.run(to_run)


class _Engine:
    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        retries: int,
        max_failures: int | None,
        on_finish: Callable[[Finished], None],
        stop: Stop,
    ) -> None:
        self.settings, self.pool, self.retries = settings, pool, retries
        self.max_failures, self.on_finish, self.stop = max_failures, on_finish, stop
        #: Stands in the state of every case that this run has begun.
        self.name = secrets.token_hex(8)
        self.queue: deque[tuple[Planned, int]] = deque()
        #: Cases that had too little memory; they are tried again when nothing else runs.
        self.alone: deque[tuple[Planned, int]] = deque()
        #: Cases that another engine works on, or a worker that seems lost; should it have died,
        #: they are ours.
        self.held: list[tuple[Planned, int]] = []
        self.looked = 0.0
        self.running: dict[str, tuple[Planned, int]] = {}
        self.failures = 0
        self.losses: Counter[str] = Counter()

    def run(self, to_run: Iterable[Planned]) -> None:
        try:
            self.queue.extend((planned, 1) for planned in to_run)
            for folder in (STATE_FOLDER, "logs"):
                make_folder(self.settings.folder / folder)
            while self._begin_what_can_be() or self.running:
                for key, outcome in self.pool.ended(TICK_S):
                    self._take(*self.running.pop(key), outcome)
                if self.stop.level > 1:
                    break
        finally:
            self.pool.close()

    def _begin_what_can_be(self) -> bool:
        """Begin cases while there is room; whether one could be begun or is left."""
        tired = self.max_failures is not None and self.failures >= self.max_failures
        if self.stop.level or tired:
            self.pool.hold()
            return False
        if not self.queue and time.monotonic() - self.looked > _LOOK_S:
            self.looked = time.monotonic()
            self._look_at_held()
        while self.queue and self.pool.room() > 0:
            self._begin(*self.queue.popleft())
        if not self.queue and not self.running and self.alone:
            self._begin(*self.alone.popleft())
        return bool(self.queue or self.alone or self.held)

    def _begin(self, planned: Planned, number: int) -> None:
        before = planned.known or {}
        order = make_order(planned, self.settings, int(before.get("attempts", 0)) + number)
        order = replace(order, known={**order.known, "run": self.name})
        self.running[planned.case.key] = planned, number
        self.pool.begin(planned.case.key, Try(order, before, number, number > self.retries))

    def _take(self, planned: Planned, number: int, outcome: Outcome) -> None:
        """See to a case of which we have heard."""
        known = outcome.known
        if outcome.end in (End.HELD, End.LOST):
            self.held.append((planned, number))
        elif outcome.end is End.STOPPED:
            self.queue.append((planned, number))
        elif outcome.end is End.AGAIN:
            waiting = self.alone if known["out_of_memory"] else self.queue
            waiting.append((planned, number + 1))
            self.on_finish(Finished(planned, State.WAITING, known))
        else:
            ours = known.get("run") == self.name
            self.failures += ours and outcome.end is End.FAILED
            self.on_finish(Finished(planned, State(outcome.end), known, elsewhere=not ours))

    def _look_at_held(self) -> None:
        """See what became of cases that another engine works on, or a worker that seems lost."""
        for planned, number in list(self.held):
            lease = lease_path(self.settings.folder, planned.case)
            if is_held(lease):
                continue
            self.held.remove((planned, number))
            known = read_state(state_path(self.settings.folder, planned.case))
            ours = known.get("run") == self.name
            if known.get("state") in (State.DONE, State.FAILED):
                self._take(planned, number, Outcome(End(known["state"]), known))
            elif ours and known.get("state") == State.RUNNING:
                self._lost(planned, number, known)
            else:
                self._not_begun(planned, number, known)

    def _not_begun(self, planned: Planned, number: int, known: Mapping[str, Any]) -> None:
        """Whoever had the case has gone before it computed anything; the case is not to blame."""
        self.losses[planned.case.key] += 1
        if self.losses[planned.case.key] > _MOST_LOSSES:
            self._lost(planned, self.retries + 1, known)
        elif known.get("run") == self.name:
            self.queue.append((planned, number))
        else:
            self.queue.append((replace(planned, known=known), number))

    def _lost(self, planned: Planned, number: int, known: Mapping[str, Any]) -> None:
        """A worker has gone while it computed the case, which may be to blame."""
        lease = take_lease(lease_path(self.settings.folder, planned.case))
        if lease is None:
            self.held.append((planned, number))
            return
        now = time.time()
        again = number <= self.retries
        known = {
            "case": planned.case.name,
            **known,
            "run": self.name,
            "state": State.WAITING if again else State.FAILED,
            "ended": now,
            "seconds": round(now - known.get("begun", now), 3),
            **_LOST,
        }
        write_state(state_path(self.settings.folder, planned.case), known)
        lease.release()
        self._take(planned, number, Outcome(End.AGAIN if again else End.FAILED, known))
