"""``brain-tumor-seg train``: members for the folds of a cohort, then a pack of them."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from BrainTumorSegLib.core.option_fields import number

from . import shared


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "train",
        help="train an ensemble and make a model pack of it",
        description="Train one member for each fold left out and write them as a model pack. A run "
        "that was stopped goes on from its last checkpoint when the command is given again. "
        "Several GPUs: torchrun --nproc-per-node N -m BrainTumorSegLib train ...",
    )
    parser.add_argument("--recipe", type=Path, required=True, metavar="FILE", help="a .toml file")
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help="folder with the cases, with or without cases.tsv; of several folders the first one "
        "is where the recipe looks for everything else",
    )
    shared.add_folder(parser, "folder of the run")
    parser.add_argument(
        "--folds",
        type=shared.from_zero,
        nargs="+",
        metavar="K",
        help="folds to leave out in turn (all)",
    )
    parser.add_argument(
        "--start-from",
        metavar="PACK|RUN",
        help="begin with the weights of a pack or of another run instead of random ones",
    )
    parser.add_argument(
        "--join-folds",
        type=shared.from_zero,
        nargs="+",
        metavar="K",
        help="count these folds as one, the first of them: for a member from which members "
        "without any of them may start",
    )
    parser.add_argument(
        "--seeds",
        type=shared.from_zero,
        nargs="+",
        metavar="N",
        help="one member a seed (that of the recipe)",
    )
    parser.add_argument(
        "--pack",
        type=Path,
        metavar="FOLDER",
        help="where to write the pack (default: a folder of the pack's name in the run)",
    )
    add_pack_options(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace an existing pack")
    shared.add_machine(parser)
    shared.add_workers(
        parser,
        "threads that prepare batches, processes that make synthetic samples; they change "
        "nothing but the time",
    )
    parser.set_defaults(run=run, writes=("pack",))


def add_pack_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Options of making a pack, which ``models export`` shares."""
    add_weights_options(parser)
    parser.add_argument(
        "--check-on",
        choices=["auto", "cases", "synthesis"],
        default="auto",
        help="what to compare on: labelled cases of the fold left out, or samples of the held-out "
        "generator; auto takes the latter for members without such a case",
    )
    parser.add_argument(
        "--evaluation",
        type=Path,
        metavar="FOLDER",
        help="put the figures of `brain-tumor-seg evaluate` into manifest and model card",
    )
    parser.add_argument(
        "--notes", type=Path, metavar="FILE", help="Markdown for the end of the model card"
    )


def add_weights_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """How a pack's weights are stored, which ``study learn`` shares, too."""
    parser.add_argument(
        "--precision",
        choices=["int6", "int8", "fp16", "fp32"],
        default="int8",
        help="of the pack's weights; int6 is for large networks (default: int8)",
    )
    parser.add_argument(
        "--allowed-loss",
        type=number(float, 0),
        default=0.002,
        metavar="DICE",
        help="refuse a pack whose weights lose more than this against fp32, by the mean Dice of "
        "WT, TC and ET of any member on cases left out of it (default: 0.002)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from BrainTumorSegLib.inference.engines.torch_engine import choose_device
    from BrainTumorSegLib.models.packs.files import check_free
    from BrainTumorSegLib.training.cohort import join_folds, read_cohorts
    from BrainTumorSegLib.training.config import keep_config, read_config, run_command
    from BrainTumorSegLib.training.distributed import Machine, joined
    from BrainTumorSegLib.training.evaluated import read_evaluation
    from BrainTumorSegLib.training.export import (
        STAGE,
        QuantizationCheck,
        check_pack,
        pack_run,
    )
    from BrainTumorSegLib.training.trainer import check_computable, stages, train_members

    shared.limit_threads(args.threads)
    config = read_config(args.recipe)
    training, pack_fields = config.training, config.pack
    if args.start_from:
        training = replace(training, start_from=args.start_from)
    evaluation = read_evaluation(args.evaluation, args.notes)
    cases = join_folds(read_cohorts(args.data, config.data), args.join_folds or ())
    check_pack(pack_fields, training, args.recipe)
    destination = args.pack or args.output / pack_fields["name"]
    check_free(destination, args.overwrite)
    folds = args.folds or sorted({case.fold for case in cases})
    device = choose_device(args.device)
    with joined(Machine(device, shared.workers_for(device, args.workers))) as machine:
        # Before data are prepared, which may take long.
        check_computable(training, machine)
        progress = shared.make_progress(
            args.progress if machine.first else "none",
            stages(training, folds, args.seeds or ()) | {STAGE: 2.0},
        )
        members = train_members(
            cases,
            training,
            folds,
            args.output,
            args.seeds or (),
            args.data[0],
            machine,
            progress,
        )
        if not machine.first:
            progress.finish()
            return 0
    keep_config(args.recipe, _command(args), args.output)
    pack = pack_run(
        members,
        pack_fields,
        run_command(args.output, args.recipe),
        destination,
        QuantizationCheck(
            args.precision,
            cases,
            on=args.check_on,
            allowed_loss=args.allowed_loss,
            sources=args.data[0],
            cache=args.output / "cache",
            device=machine.device,
            command=_command(args),
        ),
        evaluation,
        args.overwrite,
        progress,
    )
    progress.finish()
    print(f"{pack.name} {pack.version}: {pack.bytes / 1e6:.1f} MB in {pack.folder}")
    return 0


def _command(args: argparse.Namespace) -> str:
    """For the provenance: what changes the outcome, and no folders of this computer."""
    return shared.repeated(
        args,
        (
            *("brain-tumor-seg", "train", "--recipe", args.recipe.name, "--data", "DATA"),
            *(f"DATA/{os.path.relpath(folder, args.data[0])}" for folder in args.data[1:]),
        ),
        *("output", "start_from", "join_folds", "folds", "seeds", "precision", "check_on"),
        output="RUN",
        start_from=shared.without_folders(args.start_from),
        precision=args.precision != "int8" and args.precision,
        check_on=args.check_on != "auto" and args.check_on,
    )
