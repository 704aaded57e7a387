"""``brain-tumor-seg evaluate``: score packs on labelled cases, side by side."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.option_fields import add_option
from BrainTumorSegLib.core.options import Options, Tta

from . import shared

if TYPE_CHECKING:
    from collections.abc import Sequence as SequenceOf

    from BrainTumorSegLib.evaluation.conditions import Condition
    from BrainTumorSegLib.evaluation.runs import Subject
    from BrainTumorSegLib.training.cohort import LabeledCase

_CONDITIONS = (
    *("as-is-corrected", "as-is-islands"),
    *("thick-slices", "misregistered", "misregistered-registered"),
    *("without-t1", "without-flair", "cropped", "skull", "noise"),
    *("bias-field", "bias-field-corrected"),
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "evaluate",
        help="score model packs on labelled cases, side by side",
        description="Segment every case of a cohort and compare with its labels. By default out "
        "of fold: each case by the member that was trained without it. Every pack is tried with "
        "every set of views and every number of members; the first is what the others are "
        "compared with.",
    )
    parser.add_argument(
        "--data", type=Path, help="folder that holds cases.tsv; needed but for --slices alone"
    )
    parser.add_argument(
        "--slices",
        type=Path,
        metavar="FOLDER",
        help="also score the tumour core in single contrast-enhanced slices with an outline: a "
        "folder with slices.tsv (slice, tumour_type, fold, run, plane) and "
        "foldK/SLICE.webp and foldK/SLICE_mask.png; with slices.csv and slices.md",
    )
    parser.add_argument(
        "--pack", nargs="+", metavar="PACK", help="model packs to compare: names or folders"
    )
    add_option(
        parser,
        Options,
        "tta",
        nargs="+",
        default=[*map(str, Tta)],
        help="kinds of test-time augmentation to compare (default: all)",
    )
    parser.add_argument(
        "--members",
        nargs="+",
        type=shared.count_or_all,
        default=[None],
        metavar="N",
        help="numbers of members to compare, such as 1 2 all: the first ones of the pack, out of "
        "fold the first ones trained without the case's fold (default: all)",
    )
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these cases, or none")
    parser.add_argument(
        "--folds",
        nargs="+",
        type=shared.from_zero,
        metavar="N",
        help="only the cases of these folds, such as those that a pack's members left out",
    )
    parser.add_argument(
        "--conditions",
        nargs="+",
        default=[],
        metavar="NAME",
        help="also segment the cases under harder conditions, made in memory, and compare with the "
        f"scans as they are: {', '.join(_CONDITIONS)}, or all",
    )
    parser.add_argument(
        "--synthetic",
        type=shared.from_zero,
        default=0,
        metavar="N",
        help="also score N synthetic samples of each of the four tumours, and of healthy brains "
        "and multiple sclerosis, by the held-out settings of the generator; tables in the folder "
        "synthetic",
    )
    parser.add_argument(
        "--sources",
        type=Path,
        metavar="FOLDER",
        help="holds label maps for synthetic samples: synthseg_head_labels/, msd_tumour_labels/ "
        "(default: DATA; heads are drawn where there are none)",
    )
    parser.add_argument(
        "--seed",
        type=shared.from_zero,
        default=0,
        metavar="N",
        help="of conditions and synthetic samples",
    )
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="use all members for every case: only for cases that no member was trained on",
    )
    parser.add_argument(
        "--tumour-free",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="also segment these brains without tumour, as scanned: one folder each, with files "
        "named like x_t1, x_t1ce, x_flair",
    )
    parser.add_argument(
        "--measures",
        nargs="+",
        choices=shared.MEASURES,
        help="surface: HD95 and NSD; lesions: lesion by lesion; Dice is always taken "
        "(default: all whose packages are installed)",
    )
    shared.add_folder(
        parser,
        "folder for cases.csv, groups.csv, comparisons.csv, tumour_free.csv, summary.json, "
        "tables.md and scores.png, and conditions.png with --conditions",
    )
    shared.add_files(
        parser,
        picture="where to draw the scores (default: scores.png in the folder, if matplotlib is "
        "installed)",
    )
    shared.add_machine(parser)
    parser.set_defaults(run=run, writes=("picture",))


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from BrainTumorSegLib.evaluation.conditions import read_conditions
    from BrainTumorSegLib.evaluation.figures import check_picture
    from BrainTumorSegLib.evaluation.metrics import MEASURES
    from BrainTumorSegLib.evaluation.outlined import (
        choose_slices,
        score_slices,
        write_slice_results,
    )
    from BrainTumorSegLib.evaluation.report import (
        PICTURE_PACKAGE,
        choose_measures,
        has_package,
        require,
        write_results,
    )
    from BrainTumorSegLib.evaluation.runs import (
        cohort_subjects,
        make_arms,
        score_subjects,
        tumor_free_subject,
        with_conditions,
    )
    from BrainTumorSegLib.io.atomic import check_folder
    from BrainTumorSegLib.models.packs import load_pack

    shared.limit_threads(args.threads)
    measures, left_out = choose_measures(args.measures)
    if args.picture is not None:
        require(PICTURE_PACKAGE, "--picture", "leave --picture out")
    cases = _cases(args)
    plain = make_arms([load_pack(name) for name in args.pack or [None]], args.tta, args.members)
    conditions = read_conditions(args.conditions)
    arms = with_conditions(plain, conditions)
    # Without conditions these are all.
    untouched = arms[: len(plain)]
    subjects = _synthetic(args)
    slices = choose_slices(args.slices, args.folds) if args.slices else []
    check_folder(args.output)
    if args.picture is not None:
        check_picture(args.picture)
    progress = shared.make_progress(
        args.progress,
        {
            "evaluate": float(len(cases) * len(conditions)),
            "synthetic": 2.0 * len(subjects),
            "tumour-free": float(len(args.tumour_free)),
            "slices": 0.2 * len(slices),
        },
    )
    for name in left_out:
        progress.warn(
            f"{name} is not measured: {MEASURES[name]} is not installed. "
            'pip install "BrainTumorSeg[evaluate]" has it.'
        )
    if not has_package(PICTURE_PACKAGE):
        progress.warn(f"No picture is drawn: {PICTURE_PACKAGE} is not installed.")
    controls = [tumor_free_subject(path) for path in args.tumour_free]
    command, device = _command(args), args.device
    common = {"measures": measures, "device": device, "progress": progress, "seed": args.seed}
    cohort = cohort_subjects(cases, arms)
    scores = score_subjects(cohort, arms, out_of_fold=not args.ensemble, **common)
    outlined = slices and score_slices(slices, plain, device, not args.ensemble, progress)
    free = []
    if controls:
        measured = {**common, "measures": ("dice",), "stage": "tumour-free"}
        free = score_subjects(
            controls, untouched if cases else plain, out_of_fold=False, **measured
        )
    if len(conditions) > 1 and has_package(PICTURE_PACKAGE) and cases:
        _draw_conditions(args, cases[0], conditions)
    tables = []
    if scores:
        tables.append(write_results(args.output, scores, free, command, left_out, args.picture))
    if subjects:
        made = score_subjects(subjects, plain, out_of_fold=False, stage="synthetic", **common)
        # Without cases the controls have no other table to stand in.
        own = () if scores else free
        tables.append(write_results(args.output / "synthetic", made, own, command, left_out))
    if outlined:
        tables.append(write_slice_results(args.output, outlined, command))
    progress.finish()
    print("\n".join(tables))
    return 0


def _synthetic(args: argparse.Namespace) -> list[Subject]:
    from BrainTumorSegLib.evaluation.runs import synthetic_subjects
    from BrainTumorSegLib.synthesis.sources import find_sources

    if not args.synthetic:
        return []
    return synthetic_subjects(
        args.synthetic, find_sources(args.sources or args.data or Path()), args.seed
    )


def _draw_conditions(
    args: argparse.Namespace, case: LabeledCase, conditions: SequenceOf[Condition]
) -> None:
    from BrainTumorSegLib.evaluation.figures import draw_conditions
    from BrainTumorSegLib.evaluation.runs import load_labeled
    from BrainTumorSegLib.io.atomic import make_folder

    make_folder(args.output)
    loaded, labels = load_labeled(case)
    draw_conditions(loaded, labels, conditions, args.output / "conditions.png", args.seed)


def _cases(args: argparse.Namespace) -> tuple[LabeledCase, ...]:
    from BrainTumorSegLib.training.cohort import in_folds, names_folds, read_cohort

    if args.cases == ["none"] or (args.data is None and not args.cases):
        if not args.slices and (not args.synthetic or args.folds):
            raise TrainingError(
                "There is nothing to score.", "Give --data, --slices or --synthetic N."
            )
        return ()
    if args.data is None:
        raise TrainingError("--cases names cases of no folder.", "Give it with --data.")
    cases = read_cohort(args.data)
    if (args.folds or not args.ensemble) and not names_folds(args.data):
        raise TrainingError(
            f"{args.data} does not say which fold each case belongs to, so that nothing tells "
            "which members saw it.",
            "Give the folder of the training run (--data RUN), whose cases.tsv does, or score with "
            "all members if none was trained on these cases (--ensemble, without --folds).",
        )
    if args.folds:
        cases = in_folds(cases, args.folds)
    if args.cases:
        unknown = set(args.cases) - {case.name for case in cases}
        if unknown:
            where = f" in fold {', '.join(map(str, args.folds))}" if args.folds else ""
            raise TrainingError(f"{args.data} has no case {', '.join(sorted(unknown))}{where}.")
        cases = tuple(case for case in cases if case.name in args.cases)
    if not cases:
        raise TrainingError(f"{args.data} lists no case.", "Add a row a case to cases.tsv.")
    return cases


def _command(args: argparse.Namespace) -> str:
    """The command without places on this machine, for whoever repeats it elsewhere."""
    return shared.repeated(
        args,
        ("brain-tumor-seg", "evaluate", *(("--data", "DATA") if args.data else ())),
        *("pack", "ensemble", "tta", "members", "cases", "folds", "conditions", "measures"),
        *("slices", "tumour_free", "synthetic", "sources", "seed"),
        pack=shared.without_folders(args.pack),
        members=[] if args.members == [None] else args.members,
        sources=args.synthetic and args.sources,
    )
