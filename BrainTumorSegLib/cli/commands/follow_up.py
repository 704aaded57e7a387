"""``brain-tumor-seg follow-up``: what changed between visits of one patient."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.core.option_fields import add_options
from BrainTumorSegLib.core.options import Options

from . import segment, shared

if TYPE_CHECKING:
    from BrainTumorSegLib.core.progress import Progress
    from BrainTumorSegLib.follow_up.compare import Comparison
    from BrainTumorSegLib.follow_up.visits import Visit


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "follow-up",
        help="compare two and more visits of one patient",
        description="Compare visits of one patient: volumes over days and how fast they change, "
        "new and vanished lesions, a map of what grew and shrank. A change is called certain only "
        "above the measurement error. Nothing is called progression: that is for people to decide. "
        "Research use only; not a medical device.",
    )
    visits = parser.add_argument_group("visits, two or more in all")
    visits.add_argument(
        "results",
        nargs="*",
        type=Path,
        metavar="RESULT",
        help="folder that segment has written, with its report in JSON, the segmentation, and the "
        "scan on whose grid it lies",
    )
    visits.add_argument(
        "--date",
        nargs="+",
        default=[],
        metavar="DATE",
        help="day of the scan of each RESULT, in their order: 2024-05-31 (default: the day in the "
        "scan's DICOM header)",
    )
    visits.add_argument(
        "--scans",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="files, folders or DICOM series where the scans of the RESULTs lie, unless beside "
        "their reports; they are told by their SHA-256",
    )
    visits.add_argument(
        "--visit",
        nargs=3,
        action="append",
        default=[],
        metavar=("DATE", "SEGMENTATION", "T1CE"),
        help="a visit of other origin: its day ('auto' for that of a DICOM series), its labels "
        "and the scan they lie on; repeatable",
    )
    shared.add_numbering(visits)
    shared.add_folder(
        parser,
        "folder for follow_up.json, follow_up.tsv, lesions.tsv, follow_up.html, pictures, and maps "
        "of what grew (1), shrank (2) and stayed (3)",
    )
    shared.add_language(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    how = parser.add_argument_group("how")
    add_options(how, Options, ["registration", "brainsfit"])
    shared.add_machine(how)
    parser.set_defaults(run=run, writes=("output",))


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    segment.check_brainsfit(args)
    _check_visits(args)
    with shared.loading():
        from BrainTumorSegLib.follow_up.compare import STAGES, compare_visits
        from BrainTumorSegLib.follow_up.outputs import check_outputs, write_comparison

    progress = shared.make_progress(args.progress, STAGES)
    options = segment.options_from(args)
    count = len(args.results) + len(args.visit)
    progress.stage("read", count)
    check_outputs(args.output, count, args.overwrite)
    visits = _visits(args, progress)
    comparison = compare_visits(
        visits,
        options.registration,
        progress,
        segment.brainsfit_client(args) or options.brainsfit,
        _device(args.device),
    )
    progress.stage("write")
    written = write_comparison(args.output, comparison, args.overwrite, args.language)
    progress.finish()
    _print(args, comparison, written)
    return 0


def _check_visits(args: argparse.Namespace) -> None:
    if len(args.results) + len(args.visit) < 2:
        raise InputError(
            "There are no two visits to compare.",
            "Give two folders of results or more, or --visit two times or more.",
        )
    if args.date and len(args.date) != len(args.results):
        raise InputError(
            f"--date was given {len(args.date)} times for {len(args.results)} folders of results.",
            "Give it once for each folder, in their order.",
        )


def _device(name: str) -> str:
    from BrainTumorSegLib.inference.engines.torch_engine import choose_device

    return str(choose_device(name))


def _visits(args: argparse.Namespace, progress: Progress) -> list[Visit]:
    from BrainTumorSegLib.follow_up.folders import visit_from_files, visit_from_result

    found = []
    days = args.date or [None] * len(args.results)
    for folder, day in zip(args.results, days, strict=True):
        found.append(visit_from_result(folder, day, args.scans, progress.warn))
        progress.advance()
    for day, segmentation, scan in args.visit:
        found.append(
            visit_from_files(day, Path(segmentation), Path(scan), args.numbering, progress.warn)
        )
        progress.advance()
    return found


def _print(args: argparse.Namespace, comparison: Comparison, written: list[Path]) -> None:
    """The changes in a few lines, or one JSON line for a program."""
    record = comparison.record
    if args.progress == "json":
        shown = {key: record[key] for key in ("visits", "changes", "lesions", "warnings")}
        shared.print_json(outputs=[printable(str(path)) for path in written], **shown)
        return
    from BrainTumorSegLib.core.volumes import volume_title

    for change in record["changes"]:
        print(f"visit {change['from']} to {change['to']}, {change['days']} days")
        for row in change["volumes"]:
            percent = "" if row["percent"] is None else f"{row['percent']:+8.1f} %"
            verdict = "" if row["certain"] else "  within the measurement error"
            print(
                f"  {volume_title(row['key']):<24} {row['change_ml']:+9.2f} mL {percent:>11}"
                f"  ± {row['error_ml']:.2f}{verdict}"
            )
    for path in written:
        print(printable(str(path)))
