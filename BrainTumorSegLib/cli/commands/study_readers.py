"""``brain-tumor-seg study``: assign, list, read, agreement, adjudicate."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.core.option_fields import number

from . import shared

if TYPE_CHECKING:
    import numpy as np

    from BrainTumorSegLib.study.deciding import Adjudication
    from BrainTumorSegLib.study.layout import CaseName
    from BrainTumorSegLib.study.opening import Study

_MEASURES = ("dice", "surface")


def add_parsers(actions: argparse._SubParsersAction) -> None:
    """Describe the actions of readers."""
    for add in (_add_assign, _add_list, _add_read, _add_agreement, _add_adjudicate):
        add(actions)


def _add_case(action: argparse.ArgumentParser) -> None:
    action.add_argument("case", metavar="CASE", help="such as sub-001_ses-01")


def percent(text: str) -> float:
    """A share from 0 to 1, given as ``30%`` or ``0.3``.

    Raises:
        ArgumentTypeError: for anything else.
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: give 0% to 100%, or 0 to 1")
    return value


def choice(text: str) -> tuple[int, str]:
    """A region and what becomes of it, given as ``1=A``.

    Raises:
        ArgumentTypeError: for anything else.
    """
    number, _, what = text.partition("=")
    if not number.isdecimal() or not what:
        raise argparse.ArgumentTypeError(f"{text!r} is no choice: write it like 1=A or 2=edited")
    return int(number), what


def _add_assign(actions: argparse._SubParsersAction) -> None:
    action = shared.add_study_action(
        actions,
        "assign",
        "say who reads which case",
        "Give every segmented case without a reader its readers: balanced by tumour type, a share "
        "of them two. Which ones is drawn. What was assigned before stays.",
    )
    action.add_argument(
        "--readers",
        nargs="+",
        metavar="LETTER",
        help="letters of the table [readers] of study.toml (default: all)",
    )
    how_many = action.add_mutually_exclusive_group()
    how_many.add_argument(
        "--double",
        type=percent,
        default=0.0,
        metavar="SHARE",
        help="share of the cases that two readers read, such as 30%% (default: 0%%)",
    )
    how_many.add_argument("--every", action="store_true", help="all readers read every case")
    action.add_argument(
        "--seed", type=shared.from_zero, default=0, metavar="N", help="of what is drawn"
    )
    action.set_defaults(run=run_assign)


def run_assign(args: argparse.Namespace) -> int:
    """Run ``assign``."""
    from BrainTumorSegLib.study.opening import open_study
    from BrainTumorSegLib.study.work import assign_cases

    study = open_study(args.study)
    readers = args.readers or list(study.settings.readers)
    found = assign_cases(study, readers, args.double, args.every, args.seed)
    for case, letters in found.items():
        print(f"{case}\t{' '.join(letters)}")
    print(f"{len(found)} cases were assigned.")
    return 0


def _add_list(actions: argparse._SubParsersAction) -> None:
    action = shared.add_study_action(
        actions,
        "list",
        "the cases of a reader",
        "The cases of a reader: those to read first, the most doubtful before the others.",
    )
    action.add_argument("--reader", required=True, metavar="LETTER", help="whose list")
    action.set_defaults(run=run_list)


def run_list(args: argparse.Namespace) -> int:
    """Run ``list``."""
    from BrainTumorSegLib.study.opening import open_study
    from BrainTumorSegLib.study.work import tasks

    print("case\ttumour_type\tstate\tdoubt\tminutes")
    for task in tasks(open_study(args.study), args.reader):
        numbers = (
            "" if value is None else f"{value:.{digits}f}"
            for value, digits in ((task.doubt, 2), (task.minutes, 1))
        )
        print("\t".join((str(task.case), task.group, task.state, *numbers)))
    return 0


def _add_read(actions: argparse._SubParsersAction) -> None:
    action = shared.add_study_action(
        actions,
        "read",
        "keep the reading of a case that was made in any program",
        "Keep labels as the reading of a case and finish it. Whatever of it differs from the "
        "automatic result is counted. A case whose readers have all finished is approved if they "
        "agree in every voxel, else it is in dispute.",
    )
    _add_case(action)
    action.add_argument("--reader", required=True, metavar="LETTER", help="who has read it")
    what = action.add_mutually_exclusive_group()
    what.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="label map or .seg.nrrd on the grid of the automatic result (default: the draft that "
        "was kept, else the automatic result as it is)",
    )
    what.add_argument(
        "--reopen", metavar="REASON", help="take the finished reading back, and say why"
    )
    shared.add_numbering(action)
    action.add_argument("--minutes", type=number(float, 0), metavar="N", help="that it took in all")
    action.add_argument("--draft", action="store_true", help="keep it, but do not finish it")
    action.add_argument(
        "--exclude", metavar="REASON", help="leave the case out: one of the study's reasons"
    )
    action.set_defaults(run=run_read)


def run_read(args: argparse.Namespace) -> int:
    """Run ``read``."""
    from BrainTumorSegLib.io.reference_labels import read_tissues
    from BrainTumorSegLib.study.deciding import conclude
    from BrainTumorSegLib.study.opening import open_study
    from BrainTumorSegLib.study.readings import finish_reading, reopen, save_reading, start_of

    study = open_study(args.study)
    case = _case(study, args.case)
    if args.reopen is not None:
        reopen(study, case, args.reader, args.reopen)
        print(f"{case}: {study.state(case).state}")
        return 0
    if args.draft and args.exclude:
        raise InputError("A draft excludes no case.", "Leave --draft or --exclude out.")
    if args.labels is not None:
        labels = read_tissues(args.labels, args.numbering)
    else:
        labels = start_of(study, case, args.reader)
    if args.draft:
        save_reading(study, case, args.reader, labels, args.minutes)
        print(f"{case}: {study.state(case).state}")
        return 0
    done = finish_reading(study, case, args.reader, labels, args.minutes, args.exclude or "")
    state = conclude(study, case)
    print(f"{case}: {done.verdict} by {args.reader}, {done.changed_voxels} voxels changed; {state}")
    return 0


def _add_agreement(actions: argparse._SubParsersAction) -> None:
    action = shared.add_study_action(
        actions,
        "agreement",
        "how far readers agree with each other and with the automatic result",
        "Compare the finished readings of every case with each other and with the automatic "
        "result: Dice, NSD and HD95 of tissues and regions, intraclass correlation and limits of "
        "agreement of volumes, Cohen's kappa, changed voxels and minutes. From three readers on "
        "also with their consensus (STAPLE).",
    )
    shared.add_folder(
        action, "folder for agreement.tsv, agreement.json, agreement.html and agreement.png"
    )
    action.add_argument("--cases", nargs="+", default=[], metavar="CASE", help="only these cases")
    action.add_argument(
        "--measures",
        nargs="+",
        choices=_MEASURES,
        help="surface: HD95 and NSD; Dice is always taken (default: all whose packages are "
        "installed)",
    )
    action.add_argument("--overwrite", action="store_true", help="replace existing files")
    shared.add_machine(action, "threads", "progress")
    action.set_defaults(run=run_agreement)


def run_agreement(args: argparse.Namespace) -> int:
    """Run ``agreement``."""
    with shared.loading():
        from BrainTumorSegLib.evaluation.report import choose_measures
        from BrainTumorSegLib.io.atomic import check_folder, check_writable
        from BrainTumorSegLib.study.agreement_outputs import output_paths, write_agreement
        from BrainTumorSegLib.study.opening import open_study
        from BrainTumorSegLib.study.work import agreement_pairs

    shared.limit_threads(args.threads)
    study = open_study(args.study)
    cases = [_case(study, name) for name in args.cases]
    measures, left_out = choose_measures(args.measures)
    check_folder(args.output)
    if args.output.is_dir():
        for path in output_paths(args.output):
            check_writable(path, args.overwrite)
    progress = shared.make_progress(args.progress, {"compare": 1.0})
    pairs = agreement_pairs(
        study, cases, [name for name in measures if name in _MEASURES], progress
    )
    told = [name for name in left_out if name in _MEASURES]
    title = study.settings.title
    written = write_agreement(args.output, pairs, title, told, args.overwrite)
    progress.finish()
    for path in written:
        print(printable(str(path)))
    return 0


def _add_adjudicate(actions: argparse._SubParsersAction) -> None:
    action = shared.add_study_action(
        actions,
        "adjudicate",
        "decide the regions in which readings of a case differ",
        "Without a choice, list the regions in dispute, the largest first. With choices, decide "
        "them: as one of the readers has it, or edited. Nothing else of the labels is touched. "
        "What is decided is kept; when nothing is left, the case is approved.",
    )
    _add_case(action)
    action.add_argument(
        "--choose",
        nargs="+",
        type=choice,
        default=[],
        metavar="N=WHO",
        help="region and letter of the reader, or N=edited",
    )
    action.add_argument("--rest", metavar="LETTER", help="decide all other regions as this reader")
    action.add_argument(
        "--edited", type=Path, metavar="FILE", help="labels for the regions that are edited"
    )
    shared.add_numbering(action)
    action.add_argument(
        "--include", action="store_true", help="keep a case that a reader would leave out"
    )
    action.set_defaults(run=run_adjudicate)


def run_adjudicate(args: argparse.Namespace) -> int:
    """Run ``adjudicate``."""
    from BrainTumorSegLib.study.deciding import approve, decide, open_adjudication
    from BrainTumorSegLib.study.opening import open_study

    study = open_study(args.study)
    case = _case(study, args.case)
    open_ = open_adjudication(study, case)
    choices = dict(args.choose)
    if args.rest:
        choices |= {number: args.rest for number in open_.undecided if number not in choices}
    if choices:
        open_ = decide(study, open_, choices, _edited(study, case, args))
    include = args.include or not open_.excluded_by
    if not open_.undecided and include and (choices or args.include):
        approve(study, open_)
        print(f"{case}: {study.state(case).state}")
        return 0
    _print_disputes(open_)
    return 0


def _edited(study: Study, case: CaseName, args: argparse.Namespace) -> np.ndarray | None:
    """The edited labels on the grid of the readings; None where none were given."""
    if args.edited is None:
        return None
    import SimpleITK as sitk

    from BrainTumorSegLib.io.grids import place_on_grid
    from BrainTumorSegLib.io.reference_labels import read_tissues
    from BrainTumorSegLib.study.readings import grid_of

    labels = read_tissues(args.edited, args.numbering)
    return sitk.GetArrayFromImage(place_on_grid(labels, grid_of(study, case), str(args.edited)))


def _print_disputes(open_: Adjudication) -> None:
    if open_.excluded_by:
        who = ", ".join(open_.excluded_by)
        print(f"{who} would leave it out: give --include, or use `study exclude`.")
    print("region\tmm3\tslice\trow\tcolumn\tdecided")
    for region in open_.disputes.regions:
        center = "\t".join(f"{place:.0f}" for place in region.center)
        decided = open_.choices.get(region.number, "")
        print(f"{region.number}\t{region.volume_mm3:.0f}\t{center}\t{decided}")


def _case(study: Study, name: str) -> CaseName:
    from BrainTumorSegLib.study.opening import require_cases

    (case,) = require_cases(study, [name])
    return case
