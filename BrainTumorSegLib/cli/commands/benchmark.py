"""``brain-tumor-seg benchmark``: what a run costs on this machine, and where the time goes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.file_names import without_folders
from BrainTumorSegLib.core.option_fields import add_option, add_options, number
from BrainTumorSegLib.core.options import Brain, Options, Tta

from . import shared

if TYPE_CHECKING:
    from BrainTumorSegLib.core.progress import Progress
    from BrainTumorSegLib.evaluation.benchmark.plan import Measured, Plan
    from BrainTumorSegLib.models.packs import ModelPack

_PARTS = ("engines", "views", "members", "cascade", "size", "cases", "roofline")

#: What --quick measures.
_QUICK_PARTS = ("engines", "views", "cascade", "roofline")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "benchmark",
        help="measure what a run costs on this machine",
        description="Time every stage, engine, set of views and number of members on one case, "
        "in turns and each run in a fresh process; measure what the machine can do at best and "
        "how near the networks come to it. For figures to show, let nothing else run.",
    )
    parser.add_argument(
        "--case",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="a folder with the scans of one case, or their files, recognised by their names "
        "(default: the generated demonstration case)",
    )
    add_options(parser, Options, ["pack"])
    parser.add_argument(
        "--engines",
        nargs="+",
        metavar="ENGINE",
        help="such as torch, openvino-bf16, cuda-fp16; the first is that of the other comparisons "
        "(default: all that there are, first what a run takes by itself)",
    )
    parser.add_argument(
        "--views",
        nargs="+",
        choices=[*map(str, Tta)],
        help="sets of views; the first is that of the other comparisons (default: all, first the "
        "pack's advice)",
    )
    parser.add_argument(
        "--members",
        nargs="+",
        type=shared.count_or_all,
        metavar="N",
        help="numbers of members, such as 1 3 all; the largest is that of the other comparisons "
        "(default: 1, half and all)",
    )
    parser.add_argument(
        "--only", nargs="+", choices=_PARTS, metavar="PART", help=f"of {', '.join(_PARTS)}"
    )
    parser.add_argument(
        "--runs", type=shared.from_one, metavar="N", help="of every arm (default: 3)"
    )
    parser.add_argument(
        "--cases",
        type=number(int, 2),
        metavar="N",
        help="done by one process, against one a case (default 3)",
    )
    add_options(parser, Options, ["registration"])
    parser.add_argument("--brainsfit", type=Path, metavar="FILE", help="the BRAINSFit executable")
    add_option(
        parser,
        Options,
        "brain",
        choices=[*map(str, Brain)],
        metavar=None,
        help="how to find the brain",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="about a minute for a light pack on two cores: one run of everything; the case in "
        "full only for its stages, the cascade and the roofline; a third of its slices and one "
        "member for views (none and the pack's advice) and engines (the usual one and PyTorch in "
        "fp32). It leaves out other engines, precisions and views, members, sizes, several cases "
        "and all spreads. Options that name some of these still hold",
    )
    shared.add_folder(
        parser,
        "folder for benchmark.json, benchmark.md and benchmark.png; the JSON is renewed after "
        "every round, so that what was measured survives a stop",
        required=False,
    )
    parser.add_argument("--json", action="store_true", help="print the JSON instead of the tables")
    shared.add_machine(parser, "threads", "progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    import json
    import tempfile

    _check(args)
    progress = shared.make_progress(args.progress, {"prepare": 5.0, "measure": 95.0})
    progress.stage("prepare")
    with shared.loading():
        from BrainTumorSegLib.evaluation.benchmark.report import (
            describe_setting,
            make_document,
            markdown_tables,
        )
        from BrainTumorSegLib.evaluation.benchmark.run import case_scans, measure, prepare
        from BrainTumorSegLib.models.packs import load_pack
        from BrainTumorSegLib.synthesis.demo_case import make_demo_case

    pack = load_pack(args.pack)
    plan, absent = _plan(args, pack)
    for name, reason in absent.items():
        progress.message(f"{name} is not measured: {reason}")
    scans = case_scans(args.case) if args.case else None
    runs = args.runs or (1 if args.quick else 3)
    with tempfile.TemporaryDirectory(prefix="brain-tumor-seg-benchmark-") as temporary:
        folder = Path(temporary)
        if scans is None:
            scans = dict(make_demo_case(folder / "demo").paths)
        inputs, prepared = prepare(plan, scans, folder, args.threads)
        setting = describe_setting(
            prepared,
            pack,
            prepared["identity"] if args.case else "demonstration case",
            command=_command(args),
            settings={"runs": runs, "threads": args.threads},
            unavailable=absent,
        )
        kept: list[Path] = []

        def keep(measured: Mapping[str, Measured]) -> None:
            if args.output is not None:
                document = without_folders(
                    make_document(setting, plan, pack, measured, complete=False), args.case or ()
                )
                kept.append(_write_json(args.output, document))

        try:
            measured = measure(plan.arms, runs, inputs, progress, keep)
        except BaseException:
            if kept:
                print(f"{kept[-1]} holds what was measured so far.", file=sys.stderr)
            raise
    # Reasons of failures name files.
    document = without_folders(make_document(setting, plan, pack, measured), args.case or ())
    progress.finish()
    tables = markdown_tables(document)
    if args.output is not None:
        _write(args.output, document, tables, progress)
    print(json.dumps(document, indent=1) if args.json else tables)
    return 0 if measured[plan.base].runs else 1


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is imported or computed."""
    if args.json and args.progress == "json":
        raise InputError("--json and --progress json would mix on standard output.", "Give one.")
    if args.output is not None:
        from BrainTumorSegLib.io.atomic import check_writable, make_folder

        make_folder(args.output)
        for name in ("benchmark.json", "benchmark.md", "benchmark.png"):
            check_writable(args.output / name, overwrite=True)


def _plan(args: argparse.Namespace, pack: ModelPack) -> tuple[Plan, dict[str, str]]:
    """The arms that follow from the options, and the engines that cannot be tried here."""
    from BrainTumorSegLib.evaluation.benchmark.plan import (
        PARTS,
        available_engines,
        engines_by_name,
        make_plan,
    )

    there, absent = available_engines(pack.allows_bf16)
    if args.engines:
        # Engines that the user has named are tried, and their failures reported.
        there, absent = engines_by_name(args.engines), {}
    views = args.views or [pack.advised_views, *map(str, Tta)]
    if args.quick:
        views = args.views or [pack.advised_views, "none"]
        if not args.engines:
            there = tuple(dict.fromkeys((there[0], "torch-fp32")))
    usual = PARTS
    if args.quick:
        usual = (*_QUICK_PARTS, *(p for p in ("members", "cases") if getattr(args, p)))
    base: dict[str, Any] = {
        "pack": str(pack.folder),
        "registration": args.registration,
        "brainsfit": None if args.brainsfit is None else str(args.brainsfit.resolve()),
        "brain": args.brain,
    }
    plan = make_plan(
        base,
        there,
        tuple(dict.fromkeys(views)),
        _member_counts(args, len(pack.members)),
        cases=args.cases or (2 if args.quick else 3),
        parts=args.only or usual,
        quick=args.quick,
    )
    return plan, absent


def _member_counts(args: argparse.Namespace, there: int) -> tuple[int, ...]:
    usual = [1, *([] if args.quick else [(there + 1) // 2]), None]
    counts = {there if count is None else count for count in args.members or usual}
    if max(counts) > there:
        raise InputError(
            f"--members {max(counts)} makes no sense; the pack has {there}.",
            f"Give numbers from 1 to {there}, or the word all.",
        )
    return tuple(sorted(counts))


def _write(folder: Path, document: Mapping[str, Any], tables: str, progress: Progress) -> None:
    from importlib.util import find_spec

    from BrainTumorSegLib.evaluation.benchmark.figures import draw_benchmark
    from BrainTumorSegLib.io.atomic import write_text

    _write_json(folder, document)
    write_text(folder / "benchmark.md", tables, overwrite=True)
    if find_spec("matplotlib") is None:
        progress.warn(
            "No picture was drawn: matplotlib is not installed. "
            'pip install "BrainTumorSeg[train]" has it.'
        )
        return
    draw_benchmark(document, folder / "benchmark.png")


def _write_json(folder: Path, document: Mapping[str, Any]) -> Path:
    import json

    from BrainTumorSegLib.io.atomic import write_text

    final = folder / "benchmark.json"
    write_text(final, json.dumps(document, indent=1) + "\n", overwrite=True)
    return final


def _command(args: argparse.Namespace) -> str:
    """The command without places on this machine, for whoever repeats it elsewhere."""
    return shared.repeated(
        args,
        ("brain-tumor-seg", "benchmark"),
        *("case", "pack", "engines", "views", "members", "only", "runs", "cases", "threads"),
        *("registration", "brain", "brainsfit", "quick"),
        case=args.case and "CASE",
        pack=shared.without_folders(args.pack),
        registration=args.registration != "auto" and args.registration,
        brain=args.brain != "auto" and args.brain,
    )
