"""The engines of ``cohort`` and ``bids``: their options, and where each computes the cases."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.option_fields import command_line
from BrainTumorSegLib.core.options import Options

from . import shared

if TYPE_CHECKING:
    from BrainTumorSegLib.cohort.engine import Pool
    from BrainTumorSegLib.cohort.plan import Settings

    from .cohort_display import CohortDisplay

#: Flag of the option of `segment` whose name means something else here.
NETWORK_ENGINE = "--network-engine"

#: CPU cores of a job of Slurm.
_JOB_THREADS = 2


class CohortEngine(StrEnum):
    """What runs the cases."""

    LOCAL, DASK, ARRAY = "local", "dask", "array"


def add_engine_options(where: argparse._ArgumentGroup) -> None:
    """Options that say what runs the cases."""
    where.add_argument(
        "--engine",
        dest="cohort_engine",
        choices=[engine.value for engine in CohortEngine],
        default=CohortEngine.LOCAL.value,
        help="local: on this machine; dask: by workers of Dask; array: print a script for Slurm "
        f"that runs parts as jobs (default: local). What runs the networks is {NETWORK_ENGINE}",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="with dask: a Dask scheduler that runs, for example tcp://HOST:8786",
    )
    where.add_argument(
        "--slurm",
        type=_slurm,
        metavar="NAME=VALUE,...",
        help="with dask: workers are jobs of Slurm with these options, for example "
        "partition=long,walltime=2:00:00,memory=8G",
    )
    where.add_argument(
        "--workers",
        type=shared.from_one,
        metavar="N",
        help="cases side by side (default: by cores and memory; with --scheduler one for each "
        "thread of its workers)",
    )
    where.add_argument(
        "--jobs",
        type=shared.from_one,
        default=10,
        metavar="N",
        help="with array or --slurm: at most so many jobs (default: 10)",
    )


def check_engine(args: argparse.Namespace) -> None:
    """Refuse options that are for another engine.

    Raises:
        InputError: naming the option.
    """
    given = [name for name in ("scheduler", "slurm") if getattr(args, name) is not None]
    if given and args.cohort_engine != CohortEngine.DASK:
        raise InputError(f"--{given[0]} is for --engine dask.", "Give that too.")
    if len(given) > 1:
        raise InputError("--scheduler and --slurm exclude each other.", "Give one of them.")


def workers_and_threads(args: argparse.Namespace, options: Options) -> int | None:
    """Set how many cases run side by side; how many threads each has."""
    from BrainTumorSegLib.bootstrap.installer import has_nvidia_gpu
    from BrainTumorSegLib.cohort.local import choose_workers

    on_gpu = options.device.startswith(("cuda", "mps"))
    on_gpu = on_gpu or (options.device == "auto" and has_nvidia_gpu())
    if args.scheduler is not None:
        # One thread a case keeps all cores busy also in steps that one thread does.
        return args.threads or 1
    if args.slurm is not None:
        args.workers = args.jobs
        return args.threads or _JOB_THREADS
    args.workers, threads = choose_workers(args.workers, args.threads, on_gpu)
    return threads


@contextmanager
def cases_pool(
    args: argparse.Namespace, settings: Settings, display: CohortDisplay
) -> Iterator[Pool]:
    """Where the cases are computed, while active."""
    from BrainTumorSegLib.cohort.local import LocalPool

    if args.cohort_engine == CohortEngine.LOCAL:
        yield LocalPool(args.workers)
        return
    from BrainTumorSegLib.cohort.cluster import dask_pool
    from BrainTumorSegLib.io.atomic import make_folder

    folder = settings.folder.resolve()
    make_folder(folder / "logs")
    slurm = None if args.slurm is None else {"memory": f"{_job_gigabytes()}GB", **args.slurm}
    with dask_pool(
        folder, args.workers, settings.threads, args.scheduler, slurm, display.warn
    ) as pool:
        display.workers = pool.side_by_side()
        yield pool


def script(args: argparse.Namespace, settings: Settings, cases: int) -> str:
    """The script of ``--engine array``: this command, part by part."""
    from BrainTumorSegLib.cohort.array import slurm_script

    program = [sys.executable, "-m", "BrainTumorSegLib"]
    if args.command == "bids":
        words = ["bids", str(args.input.resolve()), str(args.output.resolve()), "participant"]
        for flag in ("participant_label", "session_label"):
            labels = getattr(args, flag)
            words += [f"--{flag.replace('_', '-')}", *labels] if labels else []
    else:
        words = ["cohort", str(args.input.resolve()), f"--output={args.output.resolve()}"]
    options = replace(settings.options, pack=settings.pack.folder.resolve())
    words += [
        word.replace("--engine=", f"{NETWORK_ENGINE}=", 1) if word.startswith("--engine=") else word
        for word in command_line(options)
    ]
    for name in ("only", "exclude", "also"):
        words += [f"--{name}={value}" for value in getattr(args, name)]
    for name in ("reference", "format", "max_failures", "retries"):
        value = getattr(args, name)
        words += [f"--{name.replace('_', '-')}={value}"] if value is not None else []
    words += ["--retry-failed"] if args.retry_failed else []
    words += ["--overwrite"] if args.overwrite else []
    threads = args.threads or _JOB_THREADS
    words += ["--workers=1", f"--threads={threads}", "--progress=json"]
    jobs = min(args.jobs, cases)
    command = [*program, *words]
    return slurm_script(command, settings.folder, cases, jobs, threads, _job_gigabytes())


def _job_gigabytes() -> int:
    """Memory of a job that computes one case at a time, with room to spare."""
    from BrainTumorSegLib.cohort.local import CASE_BYTES

    return CASE_BYTES // 1024**3 + 2


def _slurm(text: str) -> dict[str, str]:
    """The type of ``--slurm``: options of a job by name."""
    from BrainTumorSegLib.cohort.cluster import read_slurm

    try:
        return read_slurm(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}.") from error
