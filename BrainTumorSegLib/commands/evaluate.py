"""``brain-tumor-seg evaluate``: score packs on labelled cases, side by side."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from BrainTumorSegLib.training.cohort import LabelledCase

_VIEWS = ("none", "tta1", "tta2", "tta3")
_MEASURES = ("dice", "surface", "lesions")


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
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cases.tsv")
    parser.add_argument(
        "--pack", nargs="+", metavar="PACK", help="model packs to compare: names or folders"
    )
    parser.add_argument(
        "--tta",
        nargs="+",
        default=list(_VIEWS),
        choices=_VIEWS,
        help="sets of views to compare (default: all)",
    )
    parser.add_argument(
        "--members",
        nargs="+",
        metavar="N",
        help="numbers of members to compare, such as 1 2 all: the first ones of the pack, out of "
        "fold the first ones trained without the case's fold (default: all)",
    )
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these cases")
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
        choices=_MEASURES,
        help="surface: HD95 and NSD; lesions: lesion by lesion; Dice is always taken "
        "(default: all whose packages are installed)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder for cases.csv, groups.csv, comparisons.csv, tumour_free.csv, summary.json, "
        "tables.md and scores.png",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="where to draw the scores (default: scores.png in the folder, if matplotlib is "
        "installed)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda[:n] or mps")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    parser.add_argument("--progress", choices=["bar", "json", "none"], default="bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from BrainTumorSegLib.commands.segment import limit_threads, make_progress
    from BrainTumorSegLib.evaluation.arms import make_arms
    from BrainTumorSegLib.evaluation.extras import (
        MEASURES,
        PICTURE_PACKAGE,
        choose_measures,
        has_package,
        require,
    )
    from BrainTumorSegLib.evaluation.files import (
        summary_json,
        write_case_table,
        write_comparisons,
        write_false_table,
        write_group_table,
    )
    from BrainTumorSegLib.evaluation.picture import draw_scores
    from BrainTumorSegLib.evaluation.runs import score_cases, score_tumour_free, tumour_free_case
    from BrainTumorSegLib.evaluation.summary import false_findings
    from BrainTumorSegLib.evaluation.tables import markdown_tables
    from BrainTumorSegLib.io.atomic import atomic_path
    from BrainTumorSegLib.packs import load_pack

    limit_threads(args.threads)
    measures, left_out = choose_measures(args.measures)
    if args.picture is not None:
        require(PICTURE_PACKAGE, "--picture", "leave --picture out")
    cases = _cases(args)
    arms = make_arms(
        [load_pack(name) for name in args.pack or [None]], args.tta, _member_counts(args.members)
    )
    progress = make_progress(
        args.progress,
        {"evaluate": float(len(cases)), "tumour-free": float(len(args.tumour_free))},
    )
    for name in left_out:
        progress.warn(
            f"{name} is not measured: {MEASURES[name]} is not installed. "
            'pip install "BrainTumorSeg[evaluate]" has it.'
        )
    controls = [tumour_free_case(path) for path in args.tumour_free]
    scores = score_cases(cases, arms, measures, args.device, not args.ensemble, progress)
    findings = score_tumour_free(controls, arms, args.device, progress) + false_findings(scores)
    progress.finish()

    folder = args.output
    folder.mkdir(parents=True, exist_ok=True)
    write_case_table(scores, folder / "cases.csv")
    write_group_table(scores, folder / "groups.csv")
    if len(arms) > 1:
        write_comparisons(scores, folder / "comparisons.csv")
    if findings:
        write_false_table(findings, folder / "tumour_free.csv")
    tables = markdown_tables(scores, findings, left_out)
    summary = summary_json(scores, findings, _command(args), left_out)
    for name, text in (("tables.md", tables), ("summary.json", summary)):
        with atomic_path(folder / name, overwrite=True) as path:
            path.write_text(text, encoding="utf-8")
    if args.picture is not None or has_package(PICTURE_PACKAGE):
        draw_scores(scores, args.picture or folder / "scores.png")
    else:
        progress.warn(f"No picture was drawn: {PICTURE_PACKAGE} is not installed.")
    print(tables)
    return 0


def _cases(args: argparse.Namespace) -> tuple[LabelledCase, ...]:
    from BrainTumorSegLib.errors import TrainingError
    from BrainTumorSegLib.training.cohort import read_cohort

    cases = read_cohort(args.data)
    if args.cases:
        unknown = set(args.cases) - {case.name for case in cases}
        if unknown:
            raise TrainingError(f"{args.data} has no case {', '.join(sorted(unknown))}.")
        cases = tuple(case for case in cases if case.name in args.cases)
    if not cases:
        raise TrainingError(f"{args.data} lists no case.", "Add a row a case to cases.tsv.")
    return cases


def _member_counts(texts: list[str] | None) -> tuple[int | None, ...]:
    from BrainTumorSegLib.errors import InputError

    counts: list[int | None] = []
    for text in texts or ["all"]:
        if text != "all" and not (text.isdigit() and int(text) > 0):
            raise InputError(
                f"--members {text} makes no sense.", "Give numbers from 1, or the word all."
            )
        counts.append(None if text == "all" else int(text))
    return tuple(counts)


def _command(args: argparse.Namespace) -> str:
    """The command without places on this machine, for whoever repeats it elsewhere."""
    words = ["brain-tumor-seg", "evaluate", "--data", "DATA"]
    if args.pack:
        words += ["--pack", *(Path(name).name for name in args.pack)]
    if args.ensemble:
        words.append("--ensemble")
    words += ["--tta", *args.tta]
    for option in ("members", "cases", "measures"):
        if getattr(args, option):
            words += [f"--{option}", *getattr(args, option)]
    if args.tumour_free:
        words += ["--tumour-free", *(folder.name for folder in args.tumour_free)]
    return shlex.join(words)
