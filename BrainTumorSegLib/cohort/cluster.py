"""The engine of a cluster: Dask gives the cases to workers on other computers.

Dask distributes and no more: what is known of a case is on the disk, tries are counted by the
engine, and every case has a process of its own in its worker.
"""

from __future__ import annotations

import logging
import queue
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import CohortError, DependencyError, InputError
from BrainTumorSegLib.core.version import __version__

from .attempt import End, Outcome, Try
from .dask_worker import check_worker, compute_case, dask_setup, stop_cases

if TYPE_CHECKING:
    from distributed import Client, Future
    from distributed.deploy.cluster import Cluster

#: A case counts as this long before one has been seen, so that the first ones ask for as many
#: workers as there may be; and how much work a worker should have before there is another one.
_FIRST_GUESS, _TARGET = "60s", "1s"

#: After so many seconds without a worker people are told.
_NO_WORKER_S = 60.0

#: How long to wait for an answer, and how often the workers of a scheduler are counted.
_CONNECT_S, _COUNT_S = 30, 2.0

#: Before the time of a job is up, its worker begins no other case; see `lifetime`.
_MARGIN_S, _STAGGER_S = 120, 300

_WALLTIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


class DaskPool:
    """Computes cases in the workers of Dask; see `engine.Pool`.

    Args:
        client: of a scheduler.
        workers: how many cases may be given out at a time; None for one for each thread of each
            worker.
        on_warning: is told when no worker comes.
    """

    def __init__(
        self,
        client: Client,
        workers: int | None,
        on_warning: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.client, self.workers, self.on_warning = client, workers, on_warning
        self.run = secrets.token_hex(8)
        self.futures: dict[str, Future] = {}
        self.over: queue.SimpleQueue[tuple[str, Future]] = queue.SimpleQueue()
        self.level = 0
        self.threads, self.counted = 1, -_COUNT_S
        self.seen, self.warned = time.monotonic(), False

    def room(self) -> int:
        """How many more cases can be given out."""
        return self.side_by_side() - len(self.futures)

    def side_by_side(self) -> int:
        """How many cases may be given out at a time; workers come and go."""
        if self.workers is not None:
            return self.workers
        self._count()
        return max(1, self.threads)

    def begin(self, key: str, one: Try) -> None:
        """Give a case out; a worker begins it when it has time."""
        future = self.client.submit(
            compute_case, one, self.run, key, __version__, pure=False, retries=0
        )
        self.futures[key] = future
        future.add_done_callback(lambda done: self.over.put((key, done)))

    def ended(self, timeout: float) -> list[tuple[str, Outcome]]:
        """What has ended; waits for it so many seconds at most."""
        self._count()
        found = []
        with suppress(queue.Empty):
            while True:
                key, future = self.over.get(timeout=0 if found else timeout)
                # A case that was given out again has another future.
                if self.futures.get(key) is future:
                    del self.futures[key]
                    found.append((key, self._outcome(future)))
        return found

    def hold(self) -> None:
        """Have the workers begin nothing more."""
        self._stop(1)

    def close(self) -> None:
        """End all that runs."""
        if self.futures:
            self._stop(2)
            deadline = time.monotonic() + _CONNECT_S
            while self.futures and time.monotonic() < deadline:
                with suppress(CohortError):
                    self.ended(timeout=1)

    def _stop(self, level: int) -> None:
        if level <= self.level:
            return
        self.level = level
        running: set[str] = set()
        with suppress(OSError, ValueError):
            told = self.client.run(stop_cases, self.run, level, on_error="ignore")
            running.update(*told.values())
        # What no worker has begun, none will.
        for key, future in self.futures.items():
            if key not in running and not future.done():
                future.cancel()

    def _outcome(self, future: Future) -> Outcome:
        from distributed import CancelledError, KilledWorker

        try:
            return future.result(timeout=_CONNECT_S)
        except KilledWorker:
            return Outcome(End.LOST)
        except CancelledError:
            if self.level:
                return Outcome(End.STOPPED)
            raise CohortError(
                "The Dask scheduler has gone.",
                "What was done is kept. Give the same command again to go on.",
            ) from None
        except ImportError as error:
            raise _not_installed(error) from error

    def _count(self) -> None:
        """Count the threads of all workers; say once that none has come."""
        now = time.monotonic()
        if now - self.counted < _COUNT_S:
            return
        self.counted = now
        self.threads = sum(self.client.nthreads().values())
        if self.threads or not self.futures:
            self.seen = now
        elif now - self.seen > _NO_WORKER_S and not self.warned:
            self.warned = True
            self.on_warning(
                "No worker of Dask has come so far. Of jobs of Slurm, squeue and the logs tell why."
            )


@contextmanager
def dask_pool(
    folder: Path,
    workers: int | None,
    threads: int | None,
    scheduler: str | None = None,
    slurm: Mapping[str, str] | None = None,
    on_warning: Callable[[str], None] = lambda _: None,
) -> Iterator[DaskPool]:
    """A pool while active: of a scheduler that runs, of jobs of Slurm, or of local processes.

    Args:
        folder: of all results.
        workers: processes, jobs, or with a scheduler cases at a time; there it may be None, for
            one for each thread of each worker.
        threads: CPU cores of a case.
        scheduler: address of one that runs.
        slurm: how to ask Slurm for a job, by the names of its options; for `memory` and
            `interface` by those of dask-jobqueue.
        on_warning: is told when no worker comes.

    Raises:
        DependencyError: when Dask or Slurm is not there, or a worker cannot compute cases.
        InputError: when no scheduler answers, or a worker does not see the folder.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise DependencyError(
            f"The engine dask needs the Python package {error.name}.",
            "Install it with: pip install 'BrainTumorSeg[cluster]'",
        ) from error
    # A lost worker is no news for people: its case says so.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        if scheduler is None:
            stack.enter_context(dask.config.set(_CONFIGURATION))
            cluster = _slurm_cluster(folder, threads, slurm) if slurm is not None else _processes()
            stack.callback(cluster.close, timeout=_CONNECT_S)
            cluster.adapt(minimum=0, maximum=workers, target_duration=_TARGET)
            client = stack.enter_context(Client(cluster, set_as_default=False))
        else:
            client = stack.enter_context(_connect(scheduler))
            _check_workers(client, folder)
        yield DaskPool(client, workers, on_warning)


#: Tries are counted by the engine, not by Dask; a worker starts the processes of cases, which
#: those of Dask's nannies may not do otherwise.
_CONFIGURATION = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.default-task-durations": {compute_case.__name__: _FIRST_GUESS},
    "distributed.worker.daemon": False,
    "distributed.worker.preload": [dask_setup.__module__],
}


def read_slurm(text: str) -> dict[str, str]:
    """The value of ``--slurm``: ``partition=gpu,walltime=2:00:00``, of any options of sbatch.

    Raises:
        ValueError: when it is no such text.
    """
    found = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z-]*", name) or not value.strip():
            raise ValueError(f"{part!r} is not like partition=NAME")
        found[name] = value.strip()
    if "walltime" in found:
        seconds(found["walltime"])
    return found


def seconds(walltime: str) -> int:
    """Seconds of a time as Slurm writes it: ``30``, ``30:00``, ``2:00:00``, ``1-0``, ``1-0:0:0``.

    Source: the manual page of sbatch, ``--time``.

    Raises:
        ValueError: when it is none.
    """
    found = _WALLTIME.fullmatch(walltime)
    if found is None:
        raise ValueError(f"{walltime!r} is no time like 2:00:00")
    days, *rest = found.groups()
    numbers = [int(number) for number in rest if number is not None]
    if days is None and len(numbers) < 3:
        # Minutes, or minutes and seconds.
        numbers.insert(0, 0)
    hours, minutes, over = [*numbers, 0, 0][:3]
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + over


def lifetime(walltime: int) -> tuple[int, int]:
    """After how many seconds a worker begins no other case, and by how many that may differ.

    Workers that began together do not end together then, and none is ended by Slurm.
    """
    margin, stagger = min(_MARGIN_S, walltime // 10), min(_STAGGER_S, walltime // 10)
    return walltime - margin - stagger, stagger


def _processes() -> Cluster:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        memory_limit=0,
        dashboard_address=None,
    )


def _slurm_cluster(folder: Path, threads: int | None, slurm: Mapping[str, str]) -> Cluster:
    import dask

    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise DependencyError(
            f"--slurm needs the Python package {error.name}.",
            "Install it with: pip install 'BrainTumorSeg[cluster]'",
        ) from error
    if shutil.which("sbatch") is None:
        raise DependencyError("There is no sbatch here.", "Use a computer that can submit jobs.")
    given = dict(slurm)
    walltime = given.pop("walltime", None) or dask.config.get("jobqueue.slurm.walltime")
    after, stagger = lifetime(seconds(walltime))
    return SLURMCluster(
        queue=given.pop("partition", None),
        account=given.pop("account", None),
        walltime=walltime,
        memory=given.pop("memory"),
        interface=given.pop("interface", None),
        cores=1,
        job_cpu=threads,
        processes=1,
        nanny=False,
        job_name="brain-tumor-seg",
        log_directory=str(folder / "logs"),
        worker_extra_args=[f"--lifetime={after}s", f"--lifetime-stagger={stagger}s"],
        job_extra_directives=[f"--{name}={value}" for name, value in given.items()],
        scheduler_options={"dashboard": False},
    )


def _connect(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No Dask scheduler answers at {address}: {error}.",
            "Give its address like tcp://HOST:8786, as it prints when it starts.",
        ) from error


def _check_workers(client: Client, folder: Path) -> None:
    try:
        client.run(check_worker, __version__, str(folder))
    except ImportError as error:
        raise _not_installed(error) from error


def _not_installed(error: ImportError) -> DependencyError:
    return DependencyError(
        f"A Dask worker lacks a Python package: {error}.",
        "Install BrainTumorSeg in the Python environment of the workers too.",
    )
