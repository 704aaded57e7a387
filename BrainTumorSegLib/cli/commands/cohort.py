"""``brain-tumor-seg cohort``: many cases, resumed where they were stopped."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import CohortError, InputError
from BrainTumorSegLib.core.option_fields import (
    add_option,
    add_options,
    given_options,
    options_of,
)
from BrainTumorSegLib.core.options import Options, ProcessOptions
from BrainTumorSegLib.core.sequences import Sequence

from . import shared
from .cohort_display import CohortDisplay, print_plan
from .cohort_engines import (
    NETWORK_ENGINE,
    CohortEngine,
    add_engine_options,
    cases_pool,
    check_engine,
    script,
    workers_and_threads,
)
from .segment import ASK

if TYPE_CHECKING:
    from BrainTumorSegLib.cohort.cases import CohortCase
    from BrainTumorSegLib.cohort.engine import Stop
    from BrainTumorSegLib.cohort.plan import Planned, Settings
    from BrainTumorSegLib.core.progress import Progress


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "cohort",
        help="segment many cases",
        description="Segment many cases. The same command again goes on where it was stopped: "
        "a case is done when its results stand as they were written, and its inputs, the model "
        "pack and the options are the same. Research use only; not a medical device.",
    )
    parser.add_argument(
        "input",
        type=Path,
        metavar="INPUT",
        help="a folder with a folder for each case (image files or a DICOM study), a folder with "
        "cases.tsv, such a table, or a BIDS data set",
    )
    shared.add_folder(parser, "where all results go; made if it is not there")
    add_cohort_options(parser)
    parser.set_defaults(run=run)


def add_cohort_options(parser: argparse.ArgumentParser) -> None:
    """Options that ``cohort`` and ``bids`` share."""
    which = parser.add_argument_group("which cases")
    which.add_argument(
        "--dry-run",
        action="store_true",
        help="compute nothing; say which case would run, with which files and why, and which not",
    )
    for flag, meaning in (("only", "segment only cases"), ("exclude", "leave out cases")):
        which.add_argument(
            f"--{flag}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"{meaning} of this name; * stands for anything; repeatable",
        )
    which.add_argument(
        "--retry-failed", action="store_true", help="try cases again that failed before"
    )
    which.add_argument("--part", type=_part, metavar="I/N", help="only the I-th of N parts")

    what = parser.add_argument_group("results of each case")
    what.add_argument(
        "--reference",
        choices=[s.value for s in Sequence],
        default=Sequence.T1CE.value,
        help="the scan on whose grid results lie (default: t1ce)",
    )
    what.add_argument(
        "--format",
        choices=("seg.nrrd", "nii.gz", "nii", "nrrd", "mha"),
        help="of the segmentation (default: seg.nrrd, of a BIDS data set nii.gz)",
    )
    what.add_argument(
        "--also",
        action="append",
        default=[],
        choices=("html", "labelmap", "probabilities", "disagreement", "dicom-seg", "dicom-sr"),
        help="besides segmentation, record and picture; repeatable",
    )
    what.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that were changed after they were made, or made by others",
    )

    where = parser.add_argument_group("how the cases are run")
    add_engine_options(where)
    where.add_argument(
        "--retries",
        type=shared.from_zero,
        default=1,
        metavar="N",
        help="how often a case is tried again that crashed or ran out of memory (default: 1)",
    )
    where.add_argument(
        "--max-failures",
        type=shared.from_one,
        metavar="N",
        help="begin no other case after N have failed",
    )
    where.add_argument(
        "--stop-by-input",
        action="store_true",
        help="for a program that starts this one: a line on standard input, or its end, lets the "
        "running cases finish; another line stops at once",
    )

    how = parser.add_argument_group("how each case is segmented, as with segment")
    for name in options_of(Options):
        add_option(how, Options, name, (NETWORK_ENGINE,) if name == "engine" else ())
    add_options(how, ProcessOptions)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from BrainTumorSegLib.cohort.finding import bids_dataset, find_cases

    def find(progress: Progress) -> list[CohortCase]:
        return find_cases(args.input, args.output, progress)

    return run_cohort(args, find, bids_dataset(args.input))


def run_cohort(
    args: argparse.Namespace,
    find: Callable[[Progress], list[CohortCase]],
    dataset: Path | None,
) -> int:
    """Run the cases that ``find`` gives; ``args`` are those of `add_cohort_options`.

    Raises:
        CohortError: when not all cases are done.
    """
    from BrainTumorSegLib.cohort.bids import write_dataset_files
    from BrainTumorSegLib.cohort.cases import choose_cases, part_of
    from BrainTumorSegLib.cohort.plan import make_plan
    from BrainTumorSegLib.core.progress import Progress
    from BrainTumorSegLib.io.atomic import make_folder

    settings = cohort_settings(args, dataset)
    _check_folder(args)
    sink = shared.progress_sink(args.progress)
    found = find(Progress({"look": 1}, (sink,)))
    cases = choose_cases(found, args.only, args.exclude)
    if args.part:
        cases = part_of(cases, *args.part)
    plan = make_plan(cases, settings, args.retry_failed)
    if args.dry_run:
        print_plan(plan, settings, args.progress)
        return 0
    if args.cohort_engine == CohortEngine.ARRAY:
        # Slurm makes no folder for what a job prints.
        make_folder(settings.folder / "logs")
        print(script(args, settings, len(cases)), end="")
        return 0
    if dataset is not None:
        make_folder(settings.folder)
        write_dataset_files(settings.folder, dataset)
    display = CohortDisplay(args, plan, sink)
    try:
        _run_plan(args, settings, plan, display)
    finally:
        # Also what is done stands in the table when the rest was stopped, or was not chosen.
        everything = make_plan(found, settings)
        written = _write_tables(settings, everything)
    chosen = {case.name for case in cases}
    plan = [planned for planned in everything if planned.case.name in chosen]
    return _conclude(args, plan, written)


def _part(text: str) -> tuple[int, int]:
    """The type of ``--part``: a part and how many there are."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    part, parts = (int(number) for number in found.groups()) if found else (0, 0)
    if not 1 <= part <= parts:
        raise argparse.ArgumentTypeError(f"it cannot be {text!r}. Write for example 3/10.")
    return part, parts


def cohort_settings(args: argparse.Namespace, dataset: Path | None) -> Settings:
    """How all cases are segmented; ``args`` are those of `add_cohort_options`."""
    from BrainTumorSegLib.cohort.plan import Settings
    from BrainTumorSegLib.models.packs import load_pack

    if args.brainsfit == ASK:
        raise InputError(
            "--brainsfit ask is for a program that segments one case.",
            "Give the BRAINSFit executable, or leave the option out.",
        )
    check_engine(args)
    options = given_options(Options, args)
    # Jobs may run in another folder.
    places = {
        n: p.resolve() for n in ("brain", "brainsfit") if isinstance(p := getattr(options, n), Path)
    }
    options = replace(options, **places)
    threads = workers_and_threads(args, options)
    ending = args.format or ("seg.nrrd" if dataset is None else "nii.gz")
    return Settings(
        folder=args.output,
        options=options,
        pack=load_pack(options.pack),
        reference=Sequence(args.reference),
        ending=f".{ending}",
        also=tuple(dict.fromkeys(args.also)),
        threads=threads,
        overwrite=args.overwrite,
        dataset=dataset,
    )


def _check_folder(args: argparse.Namespace) -> None:
    """Before anything is looked for: results must not lie among the scans of one case."""
    from BrainTumorSegLib.io.atomic import check_folder

    if args.input.resolve() == args.output.resolve():
        raise InputError(
            f"{args.output} holds the scans.", "Choose another folder for the results."
        )
    if not args.dry_run:
        check_folder(args.output.resolve())


# Running


def _run_plan(
    args: argparse.Namespace, settings: Settings, plan: list[Planned], display: CohortDisplay
) -> None:
    from BrainTumorSegLib.cohort.engine import Stop, run_cases

    to_run = [planned for planned in plan if planned.to_run]
    if not to_run:
        return
    stop = Stop()
    if args.stop_by_input:
        threading.Thread(target=_input_stops, args=(stop,), daemon=True).start()
    with _ctrl_c_stops(stop), cases_pool(args, settings, display) as pool:
        run_cases(
            to_run,
            settings,
            pool,
            retries=args.retries,
            max_failures=args.max_failures,
            on_finish=display.finished,
            stop=stop,
        )
    display.end()
    if stop.level:
        raise KeyboardInterrupt


@contextmanager
def _ctrl_c_stops(stop: Stop) -> Iterator[None]:
    """While active, Ctrl-C once lets running cases finish, and twice ends them."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.level += 1
        if stop.level == 1:
            print(
                "\nThe cases that are running will be finished. Ctrl-C again stops them at once.",
                file=sys.stderr,
                flush=True,
            )

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _input_stops(stop: Stop) -> None:
    """Take each line of standard input for a Ctrl-C, and its end for one: nobody is there then."""
    try:
        # Python's own stream would be locked by this thread when the interpreter ends.
        while given := os.read(0, 1024):
            stop.level += given.count(b"\n")
    except OSError:
        pass  # there is no standard input
    stop.level = max(stop.level, 1)


# What is shown and written


def _write_tables(settings: Settings, plan: list[Planned]) -> list[Path]:
    from BrainTumorSegLib.cohort.table import (
        PAGE,
        TABLE,
        table_rows,
        write_cohort_table,
        write_page,
    )

    table, page = settings.folder / TABLE, settings.folder / PAGE
    rows = table_rows(plan, settings)
    write_cohort_table(rows, table)
    write_page(rows, plan, settings, page)
    return [table, page]


def _conclude(args: argparse.Namespace, plan: list[Planned], written: list[Path]) -> int:
    from BrainTumorSegLib.cohort.state import State

    counts = Counter(planned.state for planned in plan)
    done = counts[State.DONE]
    if args.progress == "json":
        states = {state.value: counts[state] for state in State if counts[state]}
        shared.print_json(outputs=[str(path) for path in written], cases=states)
    else:
        print(f"{done} of {len(plan)} cases are done.")
        for path in written:
            print(path)
    if done == len(plan):
        return 0
    others = ", ".join(f"{counts[s]} {s}" for s in State if counts[s] and s is not State.DONE)
    names = [planned.case.name for planned in plan if planned.state is not State.DONE]
    raise CohortError(
        f"{len(plan) - done} of {len(plan)} cases are not done ({others}): "
        f"{', '.join(names[:10])}{', ...' if len(names) > 10 else ''}.",
        f"{written[0]} says why and what to do about it. Give the same command again to go on, "
        "with --retry-failed to try failed cases again.",
    )
