"""``brain-tumor-seg segment``: three scans, or a DICOM study, to a segmentation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.cli.commands.loading import loading
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence

if TYPE_CHECKING:
    from BrainTumorSegLib.core.case import Case
    from BrainTumorSegLib.core.options import Options
    from BrainTumorSegLib.core.progress import Progress
    from BrainTumorSegLib.reporting.outputs import Outputs


#: Given as ``--brainsfit``: have BRAINSFit run by who started us, see `registration.asking`.
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
    for sequence, what in (
        (Sequence.T1, "T1 without contrast agent"),
        (Sequence.T1CE, "T1 after contrast agent (always needed)"),
        (Sequence.FLAIR, "T2-FLAIR"),
    ):
        scans.add_argument(f"--{sequence.value}", type=Path, metavar="FILE", help=what)
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
        "--study", metavar="UID", help="with --dicom: which study, where the folder holds several"
    )
    scans.add_argument(
        "--reference",
        choices=[s.value for s in Sequence],
        default=Sequence.T1CE.value,
        help="the scan on whose grid the result lies (default: t1ce)",
    )
    scans.add_argument("--name", help="name of the case in reports (default: from the files)")

    outputs = parser.add_argument_group("outputs (nothing appears unless everything succeeded)")
    outputs.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="segmentation: .seg.nrrd for Slicer, or a label map .nii.gz, .nii or .nrrd",
    )
    for name, text in (
        ("labelmap", "label map as well: .nii.gz, .nii or .nrrd"),
        ("probabilities", "class probabilities, a vector image: .nrrd or .nii.gz"),
        ("disagreement", "entropy map; members' mutual information is written beside it"),
        ("dicom-seg", "DICOM segmentation object; the reference must come from DICOM"),
        ("picture", "overlay picture: .png"),
    ):
        outputs.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    outputs.add_argument(
        "--report",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="report: .json or .html; repeatable",
    )
    outputs.add_argument("--overwrite", action="store_true", help="replace existing files")
    add_run_options(parser)
    parser.set_defaults(run=run)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Options that ``segment`` and ``demo`` share."""
    how = parser.add_argument_group("how")
    how.add_argument("--pack", metavar="NAME", help="model pack: a name or a folder")
    how.add_argument("--members", metavar="N|NAMES", help="how many members, or names with commas")
    how.add_argument(
        "--tta",
        choices=["none", "tta1", "tta2", "tta3"],
        help="views to average over (default: the pack's advice)",
    )
    how.add_argument(
        "--cascade",
        choices=["auto", "on", "off"],
        default="auto",
        help="have the whole ensemble look only at slices near tumour, as its first member sees "
        "it (auto: the pack's advice)",
    )
    how.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda[:n]|mps", help="where to compute"
    )
    how.add_argument(
        "--engine",
        choices=["auto", "torch", "openvino"],
        default="auto",
        help="auto takes OpenVINO on the CPU where it is installed, else torch",
    )
    how.add_argument(
        "--precision",
        choices=["auto", "fp32", "bf16", "fp16"],
        default="auto",
        help="auto is fp32, on CUDA fp16, with OpenVINO bf16 where the processor has it and the "
        "pack was checked for it; bf16 is faster and moves a few voxels in a thousand",
    )
    how.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")
    how.add_argument("--batch", type=int, metavar="N", help="slices at once (default: found)")
    how.add_argument(
        "--registration",
        choices=["auto", "brainsfit", "simpleitk", "none"],
        default="auto",
        help="auto takes BRAINSFit where it is found; none trusts the files' positions",
    )
    how.add_argument(
        "--brainsfit",
        metavar="FILE|ask",
        help="the BRAINSFit executable; ask, with --progress json, has the calling program run it",
    )
    how.add_argument(
        "--brain",
        default="auto",
        metavar="auto|stripped|deepbet|hdbet|FILE",
        help="how to find the brain, or a mask file",
    )
    how.add_argument(
        "--shading",
        choices=["auto", "n4", "off"],
        default="auto",
        help="correct the smooth brightening by a coil with N4 (auto: where it is strong)",
    )
    how.add_argument(
        "--min-lesion",
        type=float,
        metavar="MM3",
        help="remove separate lesions smaller than this (default: 100)",
    )
    how.add_argument(
        "--keep-islands",
        action="store_true",
        help="keep small parts far from the largest lesion, which are mostly false",
    )
    how.add_argument(
        "--progress",
        choices=["bar", "json", "none"],
        default="bar",
        help="a bar on a terminal, JSON lines on standard output for programs, or nothing",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    check_asking(args)
    progress = make_progress(args.progress)
    # Before the slow imports, so that who waits for the first sign of life gets it.
    progress.stage("read")
    with loading():
        from BrainTumorSegLib.inference.pipeline import segment
        from BrainTumorSegLib.io.cases import load_case
        from BrainTumorSegLib.reporting.outputs import check_outputs, write_outputs

    outputs = outputs_from(args)
    check_outputs(outputs)
    options = options_from(args)
    paths = {s: getattr(args, s.value) for s in Sequence if getattr(args, s.value) is not None}
    reference = Sequence(args.reference)
    if args.dicom is not None:
        if paths:
            raise InputError("Both --dicom and single files were given.", "Give one or the other.")
        case = _case_from_dicom(args, reference)
    else:
        if args.series or args.study:
            raise InputError("--series and --study need --dicom FOLDER.")
        case = load_case(paths, reference=reference, identity=args.name)
    check_outputs(outputs, case)
    result = segment(case, options, progress)
    progress.stage("write")
    written = write_outputs(outputs, case, result)
    progress.finish()
    if args.progress == "json":
        report_result(result.record, written)
    else:
        print_volumes(result.record)
        for path in written:
            print(path)
    return 0


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


def outputs_from(args: argparse.Namespace) -> Outputs:
    """The files that were asked for."""
    from BrainTumorSegLib.reporting.outputs import Outputs

    return Outputs(
        segmentation=args.output,
        labelmap=args.labelmap,
        probabilities=args.probabilities,
        disagreement=args.disagreement,
        dicom_seg=args.dicom_seg,
        picture=args.picture,
        reports=tuple(args.report),
        overwrite=args.overwrite,
    )


def check_asking(args: argparse.Namespace) -> None:
    """Refuse to ask for BRAINSFit where nobody reads the question.

    Raises:
        InputError: unless progress is told in JSON lines.
    """
    if args.brainsfit == ASK and args.progress != "json":
        raise InputError(
            "--brainsfit ask needs --progress json: the question is one of its lines.",
            f"Add --progress json, or leave --brainsfit out. A program of this name is ./{ASK}.",
        )


def options_from(args: argparse.Namespace) -> Options:
    """The choices that were made."""
    from BrainTumorSegLib.core.options import MIN_LESION_MM3, Options
    from BrainTumorSegLib.io.volumes import read_image
    from BrainTumorSegLib.preprocessing.registration import Asker

    brainsfit = None
    if args.brainsfit is not None:
        brainsfit = Asker() if args.brainsfit == ASK else Path(args.brainsfit)
    limit_threads(args.threads)
    method, mask = args.brain, None
    if method not in ("auto", "stripped", "deepbet", "hdbet"):
        method, mask = "auto", read_image(Path(args.brain))
    return Options(
        pack=args.pack,
        members=parse_members(args.members),
        views=args.tta,
        cascade=args.cascade,
        device=args.device,
        engine=args.engine,
        precision=args.precision,
        registration=args.registration,
        brainsfit=brainsfit,
        brain=method,
        brain_mask=mask,
        shading=args.shading,
        min_lesion_mm3=MIN_LESION_MM3 if args.min_lesion is None else args.min_lesion,
        keep_islands=args.keep_islands,
        batch=args.batch,
        probabilities=getattr(args, "probabilities", None) is not None,
    )


def parse_members(text: str | None) -> tuple[str, ...] | int | None:
    """``3`` is the first three members, ``a,b`` two by name, nothing is all."""
    if text is None:
        return None
    if text.isdecimal():
        return int(text)
    return tuple(name.strip() for name in text.split(",") if name.strip())


def make_progress(kind: str, stages: Mapping[str, float] | None = None) -> Progress:
    """Progress that shows itself the way ``--progress`` says; stages of `segment` by default."""
    from BrainTumorSegLib.core.progress import JsonLines, Progress, TerminalBar, WarningLines

    sinks = {"json": JsonLines, "bar": TerminalBar, "none": WarningLines}
    # A bar drawn into a log file is only noise.
    if kind == "bar" and not sys.stderr.isatty():
        kind = "none"
    if stages is None:
        from BrainTumorSegLib.core.stages import STAGES

        stages = STAGES
    return Progress(stages, (sinks[kind](),))


def print_volumes(record: dict) -> None:
    """The result in a few lines, for a person."""
    from BrainTumorSegLib.core.volumes import volume_title

    for name, millilitres in record["volumes_ml"].items():
        share = record["percent_of_brain"][name]
        print(f"{volume_title(name):<24} {millilitres:9.2f} mL  {share:6.2f} % of brain")


def report_result(record: dict, written: list[Path]) -> None:
    """The result as one JSON line, for a program."""
    import json

    line = {
        "kind": "result",
        "outputs": [str(path) for path in written],
        "volumes_ml": record["volumes_ml"],
        "warnings": record["warnings"],
    }
    print(json.dumps(line), flush=True)


def limit_threads(count: int | None) -> None:
    """Use so many CPU threads; None leaves the libraries' own choice."""
    if count is None:
        return
    import SimpleITK as sitk
    import torch

    if count < 1:
        raise InputError(f"--threads {count} makes no sense.", "Give 1 or more.")
    torch.set_num_threads(count)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
