"""``brain-tumor-seg evaluate``: score a pack on labelled cases."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "evaluate",
        help="score a model pack on labelled cases",
        description="Segment every case of a cohort and compare with its labels. By default out "
        "of fold: each case by the member that was trained without it.",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cases.tsv")
    parser.add_argument("--pack", help="model pack: a name or a folder")
    parser.add_argument(
        "--tta",
        nargs="+",
        default=["none", "tta1", "tta2", "tta3"],
        choices=["none", "tta1", "tta2", "tta3"],
        help="sets of views to compare (default: all)",
    )
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these cases")
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="use all members for every case: only for cases that no member was trained on",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder for cases.csv, summary.json and tables.md",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda[:n] or mps")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    parser.add_argument("--progress", choices=["bar", "json", "none"], default="bar")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import json

    from BrainTumorSegLib.commands.segment import limit_threads, make_progress
    from BrainTumorSegLib.errors import TrainingError
    from BrainTumorSegLib.io.atomic import atomic_path
    from BrainTumorSegLib.packs import load_pack
    from BrainTumorSegLib.training.cohort import read_cohort
    from BrainTumorSegLib.training.scoring import (
        markdown_tables,
        score_cases,
        summarise,
        write_case_table,
    )

    limit_threads(args.threads)
    cases = read_cohort(args.data)
    if args.cases:
        unknown = set(args.cases) - {case.name for case in cases}
        if unknown:
            raise TrainingError(f"{args.data} has no case {', '.join(sorted(unknown))}.")
        cases = tuple(case for case in cases if case.name in args.cases)
    progress = make_progress(args.progress, {"evaluate": 1.0})
    scores = score_cases(
        cases,
        load_pack(args.pack),
        args.tta,
        device=args.device,
        out_of_fold=not args.ensemble,
        progress=progress,
    )
    progress.finish()
    args.output.mkdir(parents=True, exist_ok=True)
    write_case_table(scores, args.output / "cases.csv")
    tables = markdown_tables(scores)
    what = f" --pack {args.pack}" if args.pack else ""
    how = " --ensemble" if args.ensemble else ""
    summary = {
        "command": f"brain-tumor-seg evaluate --data DATA{what}{how} --tta {' '.join(args.tta)}",
        "views": summarise(scores),
    }
    for name, text in (("tables.md", tables), ("summary.json", json.dumps(summary, indent=2))):
        with atomic_path(args.output / name, overwrite=True) as path:
            path.write_text(text, encoding="utf-8")
    print(tables)
    return 0
