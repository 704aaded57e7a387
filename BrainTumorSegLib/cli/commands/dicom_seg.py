"""``brain-tumor-seg dicom-seg``: labels to a DICOM segmentation object for the archive."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.file_names import printable

from . import shared

if TYPE_CHECKING:
    import SimpleITK as sitk

    from BrainTumorSegLib.io.dicom.series import Series

STAGES = {"read": 5, "check": 2, "write": 3}


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "dicom-seg",
        help="write labels as a DICOM segmentation object",
        description="Write a DICOM segmentation object (DICOM SEG) of a segmentation or label map "
        "that lies on the grid of a DICOM series. Needs the extra 'dicom'.",
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help=".seg.nrrd, or a label map with values 0 to 4"
    )
    shared.add_numbering(parser)
    parser.add_argument(
        "--reference",
        type=Path,
        nargs="+",
        required=True,
        metavar="FOLDER|FILE",
        help="the folder of a study, or the DICOM files of the one series the labels belong to",
    )
    parser.add_argument(
        "--series",
        metavar="NUMBER",
        help="with a folder: which series, by number or UID (default: the one the labels fit)",
    )
    parser.add_argument(
        "--study", metavar="UID", help="which study, where there are several, or 'all'"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    parser.add_argument("--pack", metavar="NAME", help="model pack that made the labels, to record")
    shared.add_files(
        parser,
        record="the JSON report of the run: its warnings and model pack are recorded",
        dicom_sr="also write a DICOM structured report (TID 1500) of volumes and diameters",
    )
    shared.add_seg_type(parser)
    parser.add_argument(
        "--corrected", action="store_true", help="an expert has edited the labels (SEMIAUTOMATIC)"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing, only say what keeps the series from carrying a segmentation; exits "
        "with 3 when something does",
    )
    shared.add_machine(parser, "progress")
    parser.set_defaults(run=run, writes=("output", "dicom_sr"))


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    _check_given(args)
    progress = shared.make_progress(args.progress, STAGES)
    progress.stage("read")
    from BrainTumorSegLib.io.dicom.lattice import pasted
    from BrainTumorSegLib.io.dicom.seg import highdicom_module, preflight
    from BrainTumorSegLib.io.dicom.sr import check_dicom_sr
    from BrainTumorSegLib.io.reference_labels import read_tissues
    from BrainTumorSegLib.reporting.record import read_record

    record = None if args.record is None else read_record(args.record)
    labels = None
    if args.labels is not None:
        labels = read_tissues(args.labels, args.numbering, progress.warn)
    files, series = _reference(args, labels)
    progress.stage("check")
    missing = preflight(files, check_dicom_sr if args.dicom_sr is not None else None)
    if args.check:
        progress.finish()
        return _say_what_is_missing(args, series, missing)
    if missing:
        highdicom_module()
        raise InputError(
            f"No DICOM segmentation can be written for {_title(series, files)}: "
            f"{'; '.join(missing)}.",
            "Write a .seg.nrrd or a label map instead, or export the series again.",
        )
    assert labels is not None
    # The writer reports in which way other labels do not fit.
    placed = pasted(labels, _empty(series)) if series is not None else None
    progress.stage("write")
    written = _write(args, labels if placed is None else placed, files, record)
    progress.finish()
    names = [printable(str(path)) for path in written]
    if args.progress == "json":
        shared.print_json(outputs=names, warnings=progress.warnings)
    else:
        print("\n".join(names))
    return 0


def _check_given(args: argparse.Namespace) -> None:
    """Check what can be checked without reading anything."""
    from BrainTumorSegLib.io.atomic import check_writable

    if args.check:
        return
    if args.labels is None:
        raise InputError("There are no labels to write.", "Give --labels FILE.")
    if args.output is None:
        raise InputError("No file to write was named.", "Give -o FILE.dcm.")
    outputs = [path for path in (args.output, args.dicom_sr) if path is not None]
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise OutputError("Two outputs have the same name.", "Give each a file of its own.")
    for path in outputs:
        check_writable(path, args.overwrite)


def _write(
    args: argparse.Namespace,
    labels: sitk.Image,
    files: tuple[Path, ...],
    record: Mapping[str, Any] | None,
) -> list[Path]:
    """Write the segmentation, and the report that refers to it, together."""
    from BrainTumorSegLib.core.notices import notices
    from BrainTumorSegLib.io.atomic import atomic_group
    from BrainTumorSegLib.io.dicom.seg import SegSettings, make_dicom_seg
    from BrainTumorSegLib.io.dicom.sr import make_dicom_sr
    from BrainTumorSegLib.reporting.record import drawn_by_reader, measured

    settings = SegSettings(
        pack=args.pack or (record and record["pack"]["name"]),
        corrected=args.corrected,
        warnings=notices(record) if record else (),
        kind=args.dicom_seg_type,
    )
    made = make_dicom_seg(labels, files, settings)
    objects = {args.output: made.dataset}
    if args.dicom_sr is not None:
        found = measured(labels, brain_ml=1.0)
        if record is not None and drawn_by_reader(record):
            found["diameters"] = record["diameters"]
        objects[args.dicom_sr] = make_dicom_sr(made, found["volumes_ml"], found["diameters"])
    with atomic_group(list(objects), args.overwrite) as temporary:
        for path, dataset in objects.items():
            dataset.save_as(temporary[path])
    return list(objects)


def _reference(
    args: argparse.Namespace, labels: sitk.Image | None
) -> tuple[tuple[Path, ...], Series | None]:
    """The files of the reference series, and that series where they form just one."""
    from BrainTumorSegLib.io.dicom.headers import read_frames
    from BrainTumorSegLib.io.dicom.series import build_series

    missing = [path for path in args.reference if not path.exists()]
    if missing:
        raise InputError(f"{missing[0]} does not exist.", "Check the path.")
    if len(args.reference) == 1 and (
        args.reference[0].is_dir() or args.reference[0].name.upper() == "DICOMDIR"
    ):
        series = _from_study(args, labels)
        return series.files, series
    folders = [path for path in args.reference if path.is_dir()]
    if folders:
        raise InputError(
            f"{folders[0]} is a folder among several references.",
            "Give one folder, or the files of one series.",
        )
    if args.series or args.study:
        raise InputError("--series and --study need a folder as --reference.")
    files = tuple(args.reference)
    try:
        found = build_series(frame for file in files for frame in read_frames(file))
    except ValueError:
        # The check names the file that cannot be read.
        return files, None
    return files, found[0] if len(found) == 1 else None


def _from_study(args: argparse.Namespace, labels: sitk.Image | None) -> Series:
    from BrainTumorSegLib.io.dicom.study import describe_study, propose_sequences, read_study

    study = read_study(args.reference[0], args.study)
    if args.series:
        # As with `segment`, the number may stand behind the sequence: t1ce=6.
        return study.find(args.series.rpartition("=")[2])
    fitting = [s for s in study.series if labels is None or _fits(labels, s)]
    if len(fitting) == 1:
        return fitting[0]
    print(describe_study(study, propose_sequences(study)), file=sys.stderr)
    keys = ", ".join(s.key for s in (fitting or study.series))
    if labels is None or fitting:
        what = "Several series" if labels is None else "The labels fit several series"
        raise InputError(
            f"{what} of {study.folder} may be meant.", f"Give --series, one of {keys}."
        )
    raise InputError(
        f"{args.labels} fits no series of {study.folder}: its voxels are not those of any.",
        f"Give the study that was segmented. Its series here: {keys}.",
    )


def _fits(labels: sitk.Image, series: Series) -> bool:
    from BrainTumorSegLib.io.dicom.lattice import pasted

    return series.grid is not None and pasted(labels, _empty(series)) is not None


def _empty(series: Series) -> sitk.Image:
    """An image without content on the grid of a series."""
    import SimpleITK as sitk

    grid = series.grid
    if grid is None:
        raise InputError(
            f"{series.title} is no volume: {series.problem}.", "Choose another series."
        )
    image = sitk.Image(list(grid.size), sitk.sitkUInt8)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image


def _say_what_is_missing(
    args: argparse.Namespace, series: Series | None, missing: list[str]
) -> int:
    if args.progress == "json":
        key = None if series is None else series.key
        shared.print_json(outputs=[], series=key, missing=missing)
    else:
        for text in missing or ["A DICOM segmentation can be written."]:
            print(text)
    return InputError.exit_code if missing else 0


def _title(series: Series | None, files: tuple[Path, ...]) -> str:
    return series.title if series is not None else f"these {len(files)} file(s)"
