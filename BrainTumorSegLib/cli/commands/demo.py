"""``brain-tumor-seg demo``: make a case, segment it, show how well that went."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import shared
from .segment import add_run_options, begin, brainsfit_client, options_from


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "demo",
        help="segment a generated demonstration case",
        description="Generate a head with a tumour (no patient data), segment it, compare with "
        "the reference labels, and write a .seg.nrrd, reports and a picture.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("demo-output"),
        metavar="FOLDER",
        help="where to put everything (default: demo-output); earlier demo files are replaced",
    )
    add_run_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    progress = begin(args)
    with shared.loading():
        import SimpleITK as sitk

        from BrainTumorSegLib.core.volumes import SCORED, dice, tissue_mask, volume_title
        from BrainTumorSegLib.inference.pipeline import segment
        from BrainTumorSegLib.io.atomic import make_folder
        from BrainTumorSegLib.io.cases import load_case
        from BrainTumorSegLib.reporting.outputs import Outputs, check_outputs, write_outputs
        from BrainTumorSegLib.synthesis.demo_case import make_demo_case

    folder = args.output
    make_folder(folder)
    outputs = Outputs(
        segmentation=folder / "demo.seg.nrrd",
        picture=folder / "demo.png",
        reports=(folder / "demo.json", folder / "demo.html"),
        overwrite=True,
    )
    check_outputs(outputs)
    options = options_from(args)
    demo = make_demo_case(folder / "scans")
    case = load_case(demo.paths, identity="demonstration")
    result = segment(case, options, progress, brainsfit_client(args))
    progress.stage("write")
    written = write_outputs(outputs, case, result)
    progress.finish()

    shared.print_volumes(result.record)
    print("\nDice against the generator's labels:")
    labels = sitk.GetArrayViewFromImage(result.labels)
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(demo.reference_labels)))
    for name in ("WT", "TC", "ET", "necrosis", "edema", "non_enhancing"):
        score = dice(tissue_mask(labels, SCORED[name]), tissue_mask(truth, SCORED[name]))
        print(f"{volume_title(name):<24} {score:9.3f}")
    print()
    for path in written:
        print(path)
    return 0
