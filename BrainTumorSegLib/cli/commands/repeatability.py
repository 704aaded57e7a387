"""``brain-tumor-seg repeatability``: the error of measuring volumes, for follow-up."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.option_fields import add_option
from BrainTumorSegLib.core.options import Options

from . import shared


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "repeatability",
        help="measure how much volumes differ when a scan is sliced anew",
        description="Segment real cases as they are and sliced anew: turned, on another grid, in "
        "thick slices. Nothing has changed in the patient, so the difference is the error of "
        "measuring, below which follow-up calls no change certain. Out of fold: each case is "
        "segmented by members that were trained without it.",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cases.tsv")
    parser.add_argument("--pack", metavar="PACK", help="model pack: a name or a folder")
    add_option(parser, Options, "tta", help="test-time augmentation (default: the pack's advice)")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these cases")
    parser.add_argument(
        "--seed", type=shared.from_zero, default=0, metavar="N", help="of the turns"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the figures: .json"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    shared.add_machine(parser)
    parser.set_defaults(run=run, writes=("output",))


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    with shared.loading():
        from BrainTumorSegLib.evaluation.repeatability import RESLICINGS, measure_repeatability
        from BrainTumorSegLib.evaluation.runs import cohort_subjects, make_arms
        from BrainTumorSegLib.io.atomic import check_suffix, check_writable, write_text
        from BrainTumorSegLib.models.packs import load_pack
        from BrainTumorSegLib.training.cohort import names_folds, read_cohort

    shared.limit_threads(args.threads)
    check_suffix(args.output, (".json",), "table of figures")
    check_writable(args.output, args.overwrite)
    cases = read_cohort(args.data)
    if not names_folds(args.data):
        raise TrainingError(
            f"{args.data} does not say which fold each case belongs to.",
            "Give the folder of the training run, whose cases.tsv does.",
        )
    if args.cases:
        unknown = set(args.cases) - {case.name for case in cases}
        if unknown:
            raise TrainingError(f"{args.data} has no case {', '.join(sorted(unknown))}.")
        cases = tuple(case for case in cases if case.name in args.cases)
    pack = load_pack(args.pack)
    (arm,) = make_arms([pack], [args.tta or pack.advised_views])
    progress = shared.make_progress(
        args.progress, {"segment": float(len(cases) * (1 + len(RESLICINGS)))}
    )
    subjects = cohort_subjects(cases, (arm,))
    found = measure_repeatability(subjects, arm, args.device, args.seed, progress)
    command = shared.repeated(
        args,
        ("brain-tumor-seg", "repeatability", "--data", "DATA"),
        *("pack", "tta", "cases", "seed"),
        pack=" ".join(shared.without_folders(args.pack)),
    )
    write_text(args.output, json.dumps({**found, "command": command}, indent=1) + "\n", True)
    progress.finish()
    for kind, by_key in found["kinds"].items():
        for key, figures in by_key.items():
            print(f"{kind:<6} {key:<14} limit {figures['limit']} n {figures['n']}")
    print(args.output)
    return 0
