"""``brain-tumor-seg study``: export, learn."""

from __future__ import annotations

import argparse
from pathlib import Path

from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.core.option_fields import add_option
from BrainTumorSegLib.core.options import Brain, Options

from . import shared
from .train import add_weights_options

_FORMATS = ("cases", "nnunet", "bids")


def add_parsers(actions: argparse._SubParsersAction) -> None:
    """Describe the actions that use what was approved."""
    _add_export(actions)
    _add_learn(actions)


def _add_export(actions: argparse._SubParsersAction) -> None:
    action = shared.add_study_action(
        actions,
        "export",
        "approved cases for training, for nnU-Net, or as BIDS",
        "Write the approved cases into a new folder. Folds go by patient and are kept in the "
        "registry: no patient ever moves from training to validation.",
    )
    shared.add_folder(action, "new folder, outside of the study")
    action.add_argument(
        "--format",
        choices=_FORMATS,
        default=_FORMATS[0],
        help="cases: what `train --data` takes (default); nnunet: a raw data set of nnU-Net 2 with "
        "splits_final.json, in a folder like Dataset501_Tumours; bids: scans as scanned with the "
        "approved labels as a derivative",
    )
    _add_folds(action)
    action.add_argument(
        "--seed", type=shared.from_zero, default=0, metavar="N", help="of the division into folds"
    )
    shared.add_machine(action, "progress")
    action.set_defaults(run=run_export)


def _add_folds(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--folds",
        type=shared.from_one,
        default=5,
        metavar="N",
        help="number of folds; patients that have one keep it (default: 5)",
    )
    action.add_argument(
        "--brain",
        choices=[str(name) for name in Brain],
        default=str(Brain.AUTO),
        help="how training finds the brain in the scans (default: auto)",
    )


def run_export(args: argparse.Namespace) -> int:
    """Run ``export``."""
    with shared.loading():
        from BrainTumorSegLib.study.exporting import export
        from BrainTumorSegLib.study.opening import open_study

    progress = shared.make_progress(args.progress, {"export": 1.0})
    found = export(
        open_study(args.study),
        args.output,
        args.format,
        args.folds,
        args.seed,
        args.brain,
        progress,
    )
    for case, reason in found.left_out.items():
        progress.warn(f"{case} is left out. {reason}")
    progress.finish()
    print(f"{len(found.cases)} cases in {printable(str(found.folder))}")
    return 0


def _add_learn(actions: argparse._SubParsersAction) -> None:
    action = shared.add_study_action(
        actions,
        "learn",
        "train a new pack on approved cases and compare it with the old one",
        "Export the approved cases, train on all folds but one, starting from a pack, and score "
        "both packs on the patients that were kept out, with a paired test. Given again with the "
        "same folder it goes on where it was stopped.",
    )
    action.add_argument("--recipe", type=Path, required=True, metavar="FILE", help="a .toml file")
    action.add_argument(
        "--start-from", required=True, metavar="PACK", help="the old pack: a name or a folder"
    )
    shared.add_folder(action, "folder for data, run, the new pack and evaluation")
    action.add_argument(
        "--fold",
        type=shared.from_zero,
        default=0,
        metavar="K",
        help="whose patients are kept out (default: 0); the old pack must not have seen them",
    )
    _add_folds(action)
    action.add_argument(
        "--sources",
        type=Path,
        metavar="FOLDER",
        help="where the recipe looks for everything else than the cases",
    )
    action.add_argument(
        "--measures",
        nargs="+",
        choices=shared.MEASURES,
        help="of the comparison, as for `evaluate` (default: all whose packages are installed)",
    )
    add_option(action, Options, "tta", help="of the comparison (default: the old pack's advice)")
    add_weights_options(action)
    shared.add_machine(action)
    shared.add_workers(action, "threads that prepare batches")
    action.set_defaults(run=run_learn)


def run_learn(args: argparse.Namespace) -> int:
    """Run ``learn``."""
    with shared.loading():
        from BrainTumorSegLib.evaluation.report import choose_measures
        from BrainTumorSegLib.inference.engines.torch_engine import choose_device
        from BrainTumorSegLib.study.learning import Plan, learn, stage_weights
        from BrainTumorSegLib.study.opening import open_study
        from BrainTumorSegLib.training.distributed import Machine

    shared.limit_threads(args.threads)
    plan = Plan(
        recipe=args.recipe,
        start_from=args.start_from,
        folder=args.output,
        fold=args.fold,
        folds=args.folds,
        brain=args.brain,
        tta=args.tta,
        precision=args.precision,
        allowed_loss=args.allowed_loss,
        sources=args.sources,
    )
    measures, _ = choose_measures(args.measures)
    device = choose_device(args.device)
    machine = Machine(device, shared.workers_for(device, args.workers))
    progress = shared.make_progress(args.progress, stage_weights(plan))
    found = learn(open_study(args.study), plan, machine, measures, progress)
    progress.finish()
    print(found.tables)
    print(
        f"{found.pack.name} {found.pack.version} in {printable(str(found.pack.folder))}: learned "
        f"from {found.cases} cases, compared on {found.kept_out}"
    )
    return 0
