"""``brain-tumor-seg segment``: three scans, or a DICOM study, to a segmentation."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.option_fields import add_options, given_options
from BrainTumorSegLib.core.options import Options, ProcessOptions
from BrainTumorSegLib.core.sequences import Sequence

from . import shared

if TYPE_CHECKING:
    from BrainTumorSegLib.core.case import Case
    from BrainTumorSegLib.core.progress import Progress
    from BrainTumorSegLib.preprocessing.registration import BrainsfitClient

#: Given as ``--brainsfit``: who started us runs BRAINSFit, see `registration.brainsfit_client`.
ASK = "ask"


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "segment",
        help="segment one case",
        description="Segment edema, non-enhancing tumour, enhancing tumour and necrosis on "
        "T1, contrast-enhanced T1 and FLAIR. Research use only; not a medical device.",
    )
    scans = parser.add_argument_group("scans (NIfTI, NRRD, MHA), or a DICOM folder")
    shared.add_scans(
        scans,
        t1="T1 without contrast agent",
        t1ce="T1 after contrast agent (always needed)",
        flair="T2-FLAIR",
    )
    scans.add_argument("--dicom", type=Path, metavar="FOLDER", help="a folder holding one study")
    scans.add_argument(
        "--series",
        action="append",
        default=[],
        metavar="SEQUENCE=NUMBER",
        help="with --dicom: choose a series by its number or UID, for example flair=7, or leave "
        "one out: t1=none; repeatable",
    )
    scans.add_argument(
        "--study",
        metavar="UID",
        help="with --dicom: which study, where the folder holds several; 'all' where they are one "
        "examination whose identifiers were changed",
    )
    scans.add_argument(
        "--reference",
        choices=[s.value for s in Sequence],
        default=Sequence.T1CE.value,
        help="the scan on whose grid the result lies (default: t1ce)",
    )
    scans.add_argument("--name", help="name of the case in reports (default: from the files)")

    outputs = parser.add_argument_group("outputs (they appear together, at the end)")
    outputs.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="segmentation: .seg.nrrd for Slicer, or a label map .nii.gz, .nii or .nrrd",
    )
    shared.add_files(
        outputs,
        labelmap="label map as well: .nii.gz, .nii or .nrrd",
        probabilities="class probabilities, a vector image: .nrrd or .nii.gz",
        disagreement="entropy map; members' mutual information is written beside it",
        dicom_seg="DICOM segmentation object; the reference must come from DICOM",
        dicom_sr="DICOM structured report (TID 1500) of volumes and diameters; needs --dicom-seg",
        picture="overlay picture: .png",
    )
    shared.add_seg_type(outputs)
    outputs.add_argument(
        "--report",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="report: .json or .html; repeatable",
    )
    shared.add_language(outputs)
    outputs.add_argument("--overwrite", action="store_true", help="replace existing files")
    add_run_options(parser)
    maps = ("output", "labelmap", "probabilities", "disagreement", "dicom_seg", "dicom_sr")
    parser.set_defaults(run=run, writes=(*maps, "picture", "report"))


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Options that ``segment`` and ``demo`` share."""
    how = parser.add_argument_group("how")
    add_options(how, Options)
    add_options(how, ProcessOptions)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    progress = begin(args)
    with shared.loading():
        from BrainTumorSegLib.inference.pipeline import segment
        from BrainTumorSegLib.io.cases import load_case
        from BrainTumorSegLib.reporting.outputs import Outputs, check_outputs, write_outputs

    outputs = Outputs(
        segmentation=args.output,
        labelmap=args.labelmap,
        probabilities=args.probabilities,
        disagreement=args.disagreement,
        dicom_seg=args.dicom_seg,
        dicom_sr=args.dicom_sr,
        dicom_seg_type=args.dicom_seg_type,
        picture=args.picture,
        reports=tuple(args.report),
        overwrite=args.overwrite,
        language=args.language,
    )
    check_outputs(outputs)
    options = options_from(args, probabilities=args.probabilities is not None)
    paths, reference = shared.scan_paths(args), Sequence(args.reference)
    if args.dicom is not None:
        if paths:
            raise InputError("Both --dicom and single files were given.", "Give one or the other.")
        case = _case_from_dicom(args, reference)
    else:
        if args.series or args.study:
            raise InputError("--series and --study need --dicom FOLDER.")
        case = load_case(paths, reference=reference, identity=args.name)
    check_outputs(outputs, case)
    result = segment(case, options, progress, brainsfit_client(args))
    progress.stage("write")
    written = write_outputs(outputs, case, result)
    progress.finish()
    shared.print_result(args, result.record, written)
    return 0


def begin(args: argparse.Namespace) -> Progress:
    """Check what can be checked, and show a first sign of life before the slow imports.

    Raises:
        InputError: as `check_brainsfit`.
    """
    check_brainsfit(args)
    progress = shared.make_progress(args.progress)
    progress.stage("read")
    return progress


def check_brainsfit(args: argparse.Namespace) -> None:
    """Check that somebody reads the requests for BRAINSFit.

    Raises:
        InputError: when it is to be asked for where nobody does.
    """
    if args.brainsfit == ASK and args.progress != "json":
        raise InputError(
            "--brainsfit ask needs --progress json: the request is one of its lines.",
            f"Add --progress json, or leave --brainsfit out. A program of this name is ./{ASK}.",
        )


def options_from(args: argparse.Namespace, **more: Any) -> Options:
    """The options that were given; computing is limited to ``--threads``.

    Raises:
        InputError: for a value that cannot be taken.
    """
    shared.limit_threads(args.threads)
    if args.brainsfit == ASK:
        more["brainsfit"] = None
    return given_options(Options, args, **more)


def brainsfit_client(args: argparse.Namespace) -> BrainsfitClient | None:
    """Whom to ask to run BRAINSFit, where the caller wants that."""
    from BrainTumorSegLib.preprocessing.registration import BrainsfitClient

    return BrainsfitClient() if args.brainsfit == ASK else None


def _case_from_dicom(args: argparse.Namespace, reference: Sequence) -> Case:
    from BrainTumorSegLib.io.dicom.study import (
        choose_series,
        describe_study,
        load_case_from_study,
        propose_sequences,
        read_study,
    )

    choice: dict[Sequence, str] = {}
    for text in args.series:
        name, _, series = text.partition("=")
        try:
            choice[Sequence(name.strip().lower())] = series.strip()
        except ValueError:
            raise InputError(
                f"--series {text!r} cannot be read.", "Write for example --series flair=7."
            ) from None
    study = read_study(args.dicom, args.study)
    proposal = propose_sequences(study)
    try:
        choose_series(study, choice or proposal)
    except InputError:
        # The error says what is unclear; the table shows what there is to choose from.
        print(describe_study(study, proposal), file=sys.stderr)
        raise
    case = load_case_from_study(study, choice or proposal, reference)
    return replace(case, identity=args.name) if args.name else case
