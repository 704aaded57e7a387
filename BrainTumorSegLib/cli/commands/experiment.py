"""``brain-tumor-seg experiment``: compare ways of training and segmenting at one budget."""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import DependencyError, TrainingError

from . import shared

if TYPE_CHECKING:
    from BrainTumorSegLib.evaluation.experiments.config import Experiment


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "experiment",
        help="compare ways of training and of segmenting at one budget",
        description="Train every arm of an experiment with the same budget on the same slices, "
        "score all on cases that no member saw, and write table, picture and tests, with "
        "published figures beside them where there are any. An experiment that was stopped goes "
        "on when the command is given again.",
    )
    parser.add_argument(
        "--config",
        metavar="NAME|FILE",
        help="a bundled experiment, see --list, or a .toml file of your own",
    )
    parser.add_argument("--list", action="store_true", help="list the bundled experiments")
    parser.add_argument(
        "--data", type=Path, help="folder with the cases, with or without cases.tsv"
    )
    shared.add_folder(
        parser,
        "folder for everything: table.md, table.csv, comparisons.csv, cases.csv, scores.png, "
        "and the members of every arm",
        required=False,
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what the arms and their budget are"
    )
    shared.add_machine(parser)
    shared.add_workers(parser, "threads that prepare batches")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from BrainTumorSegLib.evaluation.experiments.config import (
        find_experiment,
        plan,
        read_experiment,
    )
    from BrainTumorSegLib.evaluation.experiments.run import run_experiment, stage_weights
    from BrainTumorSegLib.inference.engines.torch_engine import choose_device
    from BrainTumorSegLib.training.cohort import read_cohort
    from BrainTumorSegLib.training.distributed import Machine

    if args.list:
        return _list()
    if args.config is None:
        raise TrainingError("No experiment was named.", "Give --config NAME|FILE, or --list.")
    experiment = read_experiment(find_experiment(args.config))
    cases = read_cohort(args.data, experiment.data) if args.data else None
    if args.dry_run:
        print(plan(experiment, cases))
        return 0
    if cases is None or args.output is None:
        raise TrainingError(
            "An experiment needs cases and a folder.",
            "Give --data FOLDER and -o FOLDER, or --dry-run to see what it would do.",
        )
    shared.limit_threads(args.threads)
    _require_packages(experiment)
    device = choose_device(args.device)
    progress = shared.make_progress(args.progress, stage_weights(experiment, cases))
    # Without places on this machine, for whoever repeats it elsewhere.
    command = f"brain-tumor-seg experiment --config {quote(Path(args.config).name)}"
    command += " --data DATA -o OUT"
    machine = Machine(device, shared.workers_for(device, args.workers))
    scored = run_experiment(experiment, cases, args.output, args.data, machine, progress)
    progress.finish()
    print(_write(experiment, cases, scored, args.output, command))
    return 0


def _write(experiment: Experiment, cases: tuple, scored: tuple, folder: Path, command: str) -> str:
    """Write all files of a finished experiment and return its account."""
    from BrainTumorSegLib.evaluation.experiments.results import (
        draw_experiment,
        markdown,
        write_cases,
        write_row_comparisons,
        write_row_table,
    )
    from BrainTumorSegLib.io.atomic import write_text

    write_row_table(experiment, scored, command, folder / "table.csv")
    write_cases(scored, folder / "cases.csv")
    if len(scored) > 1:
        write_row_comparisons(scored, folder / "comparisons.csv")
    draw_experiment(experiment, scored, folder, folder / "scores.png")
    text = markdown(experiment, cases, scored, command, "scores.png")
    write_text(folder / "table.md", text, overwrite=True)
    return text


def _require_packages(experiment: Experiment) -> None:
    """Find out now, and not after hours, that a package is missing."""
    from BrainTumorSegLib.evaluation.report import has_package

    needed = {"matplotlib"}
    if {arm.training.optimizer for arm in experiment.arms} & {"ranger", "ralamb"}:
        needed.add("pytorch_optimizer")
    missing = sorted(name for name in needed if not has_package(name))
    if missing:
        raise DependencyError(
            f"This experiment needs packages that are not installed: {', '.join(missing)}.",
            "Install the extra: pip install 'BrainTumorSeg[train]'.",
        )


def _list() -> int:
    from BrainTumorSegLib.evaluation.experiments.config import bundled_experiments, read_experiment

    for name, path in bundled_experiments().items():
        print(f"{name}: {read_experiment(path).title}")
    return 0
