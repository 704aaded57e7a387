"""``brain-tumor-seg report``: the report of labels that an expert has gone over."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.sequences import Sequence

from . import shared

if TYPE_CHECKING:
    import SimpleITK as sitk

    from BrainTumorSegLib.core.case import Case
    from BrainTumorSegLib.core.progress import Progress

STAGES = {"read": 5, "measure": 2, "write": 3}


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "report",
        help="report on labels that an expert has corrected",
        description="Write the report of a segmentation anew for labels that an expert has gone "
        "over: volumes and pictures are theirs, how the automatic labels were made comes from "
        "the report of the run, and so do reviews that were added to it.",
    )
    shared.add_scans(parser.add_argument_group("the scans that were segmented, unregistered"))
    parser.add_argument(
        "--labels",
        type=Path,
        required=True,
        metavar="FILE",
        help="the expert's labels: .seg.nrrd, or a label map with values 0 to 4",
    )
    parser.add_argument(
        "--record", type=Path, required=True, metavar="FILE", help="the JSON report of the run"
    )
    shared.add_numbering(parser)
    shared.add_files(
        parser,
        disagreement="entropy map of the run, to measure the networks' confidence where the new "
        "labels are",
        brain_mask="brain mask, which frames the pictures (default: found)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="report: .json or .html; repeatable",
    )
    parser.add_argument(
        "--unchanged",
        action="store_true",
        help="the expert changed nothing: the labels are those of the run",
    )
    shared.add_language(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    shared.add_machine(parser, "progress")
    parser.set_defaults(run=run, writes=("output",))


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    progress = shared.make_progress(args.progress, STAGES)
    progress.stage("read")
    from BrainTumorSegLib.core.file_names import without_folders
    from BrainTumorSegLib.core.result import Segmentation
    from BrainTumorSegLib.io.atomic import write_all
    from BrainTumorSegLib.io.volumes import file_sha256
    from BrainTumorSegLib.reporting.outputs import report_writer
    from BrainTumorSegLib.reporting.record import corrected_record, read_record

    _check_outputs(args)
    record = read_record(args.record)
    case = _case(args, record)
    _check_scans(case, record, progress)
    labels = _labels(args, case, progress)
    entropy = None if args.disagreement is None else _entropy(args.disagreement, case, progress)
    progress.stage("measure")
    brain = _brain(args, case, entropy, progress)
    corrected = dict(record)
    if not args.unchanged:
        corrected = corrected_record(
            record, labels, args.labels.name, file_sha256(args.labels), entropy
        )
    corrected["warnings"] = list(dict.fromkeys([*record["warnings"], *progress.warnings]))
    # Records of release 0.1 hold whole paths.
    corrected = without_folders(corrected, _known_paths(args, record))
    result = Segmentation(
        labels=labels,
        brain=brain,
        disagreement=_zeros(labels) if entropy is None else entropy,
        record=corrected,
    )
    progress.stage("write")
    write_all(
        {path: report_writer(path, case, result, args.language) for path in args.output},
        args.overwrite,
    )
    progress.finish()
    shared.print_result(args, corrected, args.output)
    return 0


def _check_outputs(args: argparse.Namespace) -> None:
    from BrainTumorSegLib.io.atomic import check_writable
    from BrainTumorSegLib.reporting.outputs import check_reports

    check_reports(args.output)
    for path in args.output:
        check_writable(path, args.overwrite)
    if len({path.resolve() for path in args.output}) < len(args.output):
        raise OutputError("Two outputs have the same name.", "Give each a file of its own.")


def _known_paths(args: argparse.Namespace, record: dict[str, Any]) -> list[Path | str]:
    """Paths that the texts of a record may name: what was given now, and then."""
    given = (*shared.scan_paths(args).values(), args.labels, args.disagreement, args.brain_mask)
    before = (entry["source"] for entry in record["case"]["inputs"])
    absolute = (
        text
        for text in before
        if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()
    )
    return [*(path for path in given if path is not None), *absolute]


def _case(args: argparse.Namespace, record: dict[str, Any]) -> Case:
    from BrainTumorSegLib.io.cases import load_case

    paths, case = shared.scan_paths(args), record["case"]
    known = {entry["sequence"] for entry in case["inputs"]}
    unknown = [s for s in paths if s.value not in known]
    if unknown:
        raise InputError(
            f"{args.record} is the report of a run without {unknown[0].name}.",
            f"Leave --{unknown[0].value} out, or give the report of another run.",
        )
    return load_case(paths, Sequence(case["reference"]), case["identity"])


def _check_scans(case: Case, record: dict[str, Any], progress: Progress) -> None:
    """The scans must be those that the record speaks of, or pictures would show others."""
    for entry in record["case"]["inputs"]:
        sequence = Sequence(entry["sequence"])
        scan = case.scans.get(sequence)
        if scan is None:
            progress.warn(f"{sequence.name} was not given, so the pictures do not show it.")
            continue
        near = zip(scan.image.GetSpacing(), entry["spacing"], strict=True)
        if list(scan.image.GetSize()) != entry["size"] or any(abs(a - b) > 1e-3 for a, b in near):
            raise InputError(
                f"{scan.source} is not the {sequence.name} that was segmented: its voxels are "
                "others in number or size.",
                f"Give {entry['source']}.",
            )
        if entry["sha256"] and scan.sha256 and entry["sha256"] != scan.sha256:
            progress.warn(
                f"{sequence.name} ({scan.source}) was saved anew since the run, or is another scan "
                "of the same size: its SHA-256 differs."
            )


def _labels(args: argparse.Namespace, case: Case, progress: Progress) -> sitk.Image:
    """The labels on the grid of the reference."""
    from BrainTumorSegLib.core.tissue import OWN_NUMBERING
    from BrainTumorSegLib.io.dicom.lattice import pasted
    from BrainTumorSegLib.io.grids import place_on_grid
    from BrainTumorSegLib.io.reference_labels import read_tissues

    # Labels that nobody changed are numbered as we number them.
    path, numbering = args.labels, args.numbering or (OWN_NUMBERING if args.unchanged else None)
    labels, reference = read_tissues(path, numbering, progress.warn), case.reference_scan.image
    placed = pasted(labels, reference)
    if placed is not None:
        return placed
    placed = place_on_grid(labels, reference, str(path))
    progress.warn(
        f"{path} lies on another grid than the reference; its labels were brought there by "
        "nearest neighbour, which changes volumes a little."
    )
    return placed


def _entropy(path: Path, case: Case, progress: Progress) -> sitk.Image:
    import numpy as np
    import SimpleITK as sitk

    from BrainTumorSegLib.io.dicom.lattice import pasted
    from BrainTumorSegLib.io.volumes import read_image

    image = sitk.Cast(read_image(path, progress.warn), sitk.sitkFloat32)
    values = sitk.GetArrayViewFromImage(image)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1.001:
        raise InputError(
            f"{path} is no disagreement map: its values leave 0 to 1.",
            "Give what --disagreement of the run wrote.",
        )
    placed = pasted(image, case.reference_scan.image)
    if placed is None or image.GetNumberOfPixels() != placed.GetNumberOfPixels():
        raise InputError(
            f"{path} does not lie on the grid of {case.reference_scan.source}.",
            "Give what --disagreement of the run wrote.",
        )
    return placed


def _brain(
    args: argparse.Namespace, case: Case, entropy: sitk.Image | None, progress: Progress
) -> sitk.Image:
    """What frames the pictures: the given mask, the region that was segmented, or the head."""
    import SimpleITK as sitk

    from BrainTumorSegLib.io.grids import place_on_grid
    from BrainTumorSegLib.io.labelmaps import read_labels
    from BrainTumorSegLib.preprocessing.registration.head import find_head

    scan = case.reference_scan
    if args.brain_mask is not None:
        mask = read_labels(args.brain_mask, progress.warn)
        mask = place_on_grid(mask, scan.image, str(args.brain_mask))
        return sitk.Cast(mask > 0, sitk.sitkUInt8)
    if entropy is not None:
        return sitk.Cast(entropy > 0, sitk.sitkUInt8)
    mask = find_head(scan.image, scan.source).mask
    return sitk.Resample(mask, scan.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)


def _zeros(labels: sitk.Image) -> sitk.Image:
    import SimpleITK as sitk

    image = sitk.Image(labels.GetSize(), sitk.sitkFloat32)
    image.CopyInformation(labels)
    return image
