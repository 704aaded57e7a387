"""``brain-tumor-seg study``: from the export of a PACS to a data set of de-identified cases."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import CohortError, InputError
from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.core.option_fields import add_options
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.study.groups import GROUPS

from . import segment, shared, study_exports, study_readers
from .cohort import add_cohort_options, cohort_settings, run_cohort

if TYPE_CHECKING:
    from BrainTumorSegLib.cohort.cases import CohortCase
    from BrainTumorSegLib.core.progress import Progress
    from BrainTumorSegLib.study.adding import Added
    from BrainTumorSegLib.study.deid.keys import Key
    from BrainTumorSegLib.study.opening import Study

#: How the table of states is shown.
_FORMATS = ("text", "tsv", "json")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "study",
        help="make and keep a data set: de-identify, register, segment, count",
        description="A folder is a study: de-identified DICOM, scans in BIDS, a registry of "
        "patients, results, and a journal of who did what. What a case has come to is derived from "
        "these. Research use only; not a medical device.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for add_action in (_add_init, _add_add, _add_registry, _add_register, _add_segment):
        add_action(actions)
    for add_action in (_add_status, _add_exclude, _add_audit):
        add_action(actions)
    study_readers.add_parsers(actions)
    study_exports.add_parsers(actions)


def _action(
    actions: argparse._SubParsersAction, name: str, help_: str, more: str = ""
) -> argparse.ArgumentParser:
    return shared.add_study_action(actions, name, help_, f"{help_.capitalize()}. {more}")


def _add_keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FOLDER",
        help="where the keys of all studies lie, outside of them (default: what BRAINTUMORSEG_KEYS "
        "names, else a folder of your own)",
    )


def _key(args: argparse.Namespace, study: Study) -> Key:
    from BrainTumorSegLib.study.deid.keys import open_key

    return open_key(study.settings.id, study.folder, args.keys)


def _study(args: argparse.Namespace) -> Study:
    from BrainTumorSegLib.study.opening import open_study

    return open_study(args.study)


# init


def _add_init(actions: argparse._SubParsersAction) -> None:
    parser = _action(
        actions,
        "init",
        "make a new study and its key",
        "The key says who the patients are. It lies outside the study and must be kept: without it "
        "no later visit of a patient can be added.",
    )
    parser.add_argument("--title", required=True, help="what the study is called")
    _add_keys(parser)
    parser.set_defaults(run=_run_init)


def _run_init(args: argparse.Namespace) -> int:
    from BrainTumorSegLib.study.deid.keys import key_folder, make_key
    from BrainTumorSegLib.study.opening import make_study

    place = key_folder("", args.keys).resolve()
    if place.is_relative_to(args.study.resolve()):
        raise InputError(
            f"The key would lie in the study ({place}).", "Keep it elsewhere: --keys FOLDER."
        )
    study = make_study(args.study, args.title)
    key = make_key(study.settings.id, study.folder, args.keys)
    print(printable(study.folder))
    print(printable(key.path))
    return 0


# add


def _add_add(actions: argparse._SubParsersAction) -> None:
    parser = _action(
        actions,
        "add",
        "de-identify and take whole exports of a PACS",
        "Every file is listed in inventory.tsv with what became of it. The same command again goes "
        "on where it was stopped.",
    )
    parser.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help="folders, DICOMDIRs, ZIP archives, files",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write nothing; say what would become of each file"
    )
    parser.add_argument(
        "--choose",
        action="append",
        default=[],
        metavar="SEQUENCE=NUMBER",
        help="for one visit: which series a sequence is, for example t1ce=7, or t1=none; "
        "repeatable",
    )
    _add_keys(parser)
    shared.add_machine(parser, "progress")
    parser.set_defaults(run=_run_add)


def _run_add(args: argparse.Namespace) -> int:
    from BrainTumorSegLib.study.adding import STAGES, add

    study = _study(args)
    progress = shared.make_progress(args.progress, STAGES)
    choice = _choice(args.choose)
    added = add(study, _key(args, study), args.sources, choice, args.dry_run, progress)
    progress.finish()
    if args.progress == "json":
        counts = Counter(str(item.became) for item in added.items)
        cases = {str(visit.case): visit.problem for visit in added.visits}
        shared.print_json(files=dict(counts), cases=cases)
    else:
        _print_added(added, args.dry_run)
    return 0


def _choice(words: list[str]) -> dict[Sequence, str]:
    chosen = {}
    for word in words:
        name, mark, series = word.partition("=")
        try:
            chosen[Sequence(name.lower())] = series
        except ValueError:
            mark = ""
        if not mark or not series:
            raise InputError(f"--choose cannot be {word!r}.", "Write for example t1ce=7.")
    return chosen


def _print_added(added: Added, dry_run: bool) -> None:
    for visit in added.visits:
        taken = ", ".join(s.name for s in visit.chosen)
        print(f"{visit.case}: {visit.problem or taken}")
    reasons = Counter((str(item.became), item.reason) for item in added.items)
    for (became, reason), count in sorted(reasons.items()):
        print(f"{count:7d}  {became}: {reason}")
    print(f"{len(added.items)} files{', nothing was written' if dry_run else ''}.")


# register and segment


def _add_register(actions: argparse._SubParsersAction) -> None:
    parser = _action(
        actions,
        "register",
        "bring the scans of every case that needs it onto the grid of its T1CE",
        "The same command again goes on where it was stopped.",
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="only these cases")
    parser.add_argument(
        "--retry-failed", action="store_true", help="try cases again that failed before"
    )
    add_options(parser, Options, ["registration", "brainsfit"])
    shared.add_machine(parser, "progress")
    parser.set_defaults(run=_run_register)


def _run_register(args: argparse.Namespace) -> int:
    from BrainTumorSegLib.study.opening import require_cases
    from BrainTumorSegLib.study.running import register_cases, to_register

    if args.brainsfit == segment.ASK:
        raise InputError("--brainsfit ask is for a program that segments one case.", None)
    study = _study(args)
    statuses = to_register(study, require_cases(study, args.only), args.retry_failed)
    progress = shared.make_progress(args.progress, {"register": 1})
    failed = register_cases(
        study, statuses, str(args.registration), args.brainsfit, progress=progress
    )
    progress.finish()
    if args.progress == "json":
        shared.print_json(registered=len(statuses) - len(failed), failed=list(map(str, failed)))
    else:
        print(f"{len(statuses) - len(failed)} of {len(statuses)} cases were registered.")
    if failed:
        raise CohortError(
            f"Not registered: {', '.join(map(str, failed[:10]))}.",
            "brain-tumor-seg study status says why. --retry-failed tries them again.",
        )
    return 0


def _add_segment(actions: argparse._SubParsersAction) -> None:
    parser = _action(
        actions,
        "segment",
        "segment every case that needs it",
        "As the command cohort does; results lie below derivatives, and the journal learns of it.",
    )
    add_cohort_options(parser)
    parser.set_defaults(run=_run_segment)


def _run_segment(args: argparse.Namespace) -> int:
    from BrainTumorSegLib.cohort.plan import make_plan
    from BrainTumorSegLib.study.running import cohort_cases, journal_results

    study = _study(args)
    args.input, args.output = study.folder, study.layout.derivatives
    # One for readers in Slicer, one for programs.
    args.format = args.format or "seg.nrrd"
    args.also = [*args.also, *(["labelmap"] if args.format != "nii.gz" else [])]

    def find(_progress: Progress) -> list[CohortCase]:
        cases = cohort_cases(study)
        if not cases:
            raise InputError(f"{study.folder} has no case with scans.", "Add some: study add.")
        return cases

    try:
        return run_cohort(args, find, study.folder)
    finally:
        if not args.dry_run:
            journal_results(
                study, make_plan(cohort_cases(study), cohort_settings(args, study.folder))
            )


# status, exclude, registry, audit


def _add_status(actions: argparse._SubParsersAction) -> None:
    parser = _action(actions, "status", "count what the cases have come to")
    parser.add_argument(
        "--by",
        default="",
        metavar="GROUP,...",
        help=f"what rows are told apart by, of {', '.join(GROUPS)} (default: {GROUPS[0]})",
    )
    parser.add_argument(
        "--reached", action="store_true", help="count a case in every state that it has come to"
    )
    parser.add_argument(
        "--suppress-small",
        action="store_true",
        help="for sharing: show no number of cases below 5, and no case",
    )
    parser.add_argument("--format", choices=_FORMATS, default=_FORMATS[0], help="of the output")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with pictures of every case as well"
    )
    parser.set_defaults(run=_run_status)


def _run_status(args: argparse.Namespace) -> int:
    from BrainTumorSegLib.study.status import as_json, as_lines, as_text, study_status

    study = _study(args)
    groups = [name.strip() for name in args.by.split(",") if name.strip()]
    status = study_status(study, groups, args.reached, args.suppress_small)
    if args.html is not None:
        from BrainTumorSegLib.io.atomic import check_suffix
        from BrainTumorSegLib.study.page import write_page

        check_suffix(args.html, (".html",), "page")
        write_page(study, status, args.html, pictures=not args.suppress_small)
    if args.format == "json":
        print(as_json(status), end="")
    elif args.format == "tsv":
        print("\n".join(as_lines(status, "\t")))
    else:
        print(as_text(status), end="")
    return 0


def _add_exclude(actions: argparse._SubParsersAction) -> None:
    parser = _action(actions, "exclude", "leave cases out of the study, with a reason")
    parser.add_argument("cases", nargs="+", metavar="CASE", help="for example sub-001_ses-01")
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--reason", help="one of those in study.toml")
    group.add_argument("--undo", action="store_true", help="take them in again")
    parser.set_defaults(run=_run_exclude)


def _run_exclude(args: argparse.Namespace) -> int:
    from BrainTumorSegLib.core.config_tables import suggestion
    from BrainTumorSegLib.study.journal import Event, append
    from BrainTumorSegLib.study.opening import require_cases

    study = _study(args)
    cases = require_cases(study, args.cases)
    if args.reason is not None and args.reason not in study.settings.exclusions:
        raise InputError(
            f"--reason is {args.reason!r}.", suggestion(args.reason, study.settings.exclusions)
        )
    for case in cases:
        if args.undo:
            append(study.layout, Event.INCLUDED, case)
        else:
            append(study.layout, Event.EXCLUDED, case, reason=args.reason)
    return 0


def _add_registry(actions: argparse._SubParsersAction) -> None:
    parser = _action(
        actions, "registry", "bring the registry to or from a spreadsheet (.xlsx, .csv, .tsv)"
    )
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--export", type=Path, metavar="FILE", help="write it")
    group.add_argument(
        "--import",
        dest="take",
        type=Path,
        metavar="FILE",
        help="take the cells of a table; empty ones change nothing",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    parser.set_defaults(run=_run_registry, writes=("export",))


def _run_registry(args: argparse.Namespace) -> int:
    from BrainTumorSegLib.study.exchange import export_registry, import_registry
    from BrainTumorSegLib.study.opening import write_dataset

    study = _study(args)
    if args.export is not None:
        export_registry(study, args.export, args.overwrite)
        print(printable(args.export))
        return 0
    done = import_registry(study, args.take)
    write_dataset(study)
    print(f"{done.rows} rows, {done.changed} cells were changed.")
    if done.added:
        print(f"New columns: {', '.join(done.added)}.")
    return 0


def _add_audit(actions: argparse._SubParsersAction) -> None:
    parser = _action(
        actions,
        "audit",
        "search every byte of the study for the identities that its key knows",
        "Exit code 3 where one was found.",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="search another folder, such as an export"
    )
    _add_keys(parser)
    parser.set_defaults(run=_run_audit)


def _run_audit(args: argparse.Namespace) -> int:
    from BrainTumorSegLib.study.deid.audit import audit

    study = _study(args)
    key = _key(args, study)
    folder = study.folder if args.folder is None else args.folder
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.", "Check the path.")
    found = audit(folder, key.identities())
    for leak in found.leaks:
        print(f"{printable(leak.place)}: {leak.kind} of {leak.of}")
    for name in found.unread:
        print(f"{printable(name)}: could not be read", file=sys.stderr)
    print(f"{found.files} files were searched for {found.looked_for} names, numbers and dates.")
    if found.leaks or found.unread:
        raise InputError(
            f"{len(found.leaks)} places may tell who a patient is, and {len(found.unread)} files "
            "could not be read.",
            "Look at each. Do not hand the study on before none is left.",
        )
    print("None was found.")
    return 0
