"""``brain-tumor-seg synthesise``: make synthetic cases, look at them on a contact sheet."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import InputError

from . import shared

if TYPE_CHECKING:
    from BrainTumorSegLib.synthesis.config import SynthesisConfig
    from BrainTumorSegLib.synthesis.generator import Sample
    from BrainTumorSegLib.synthesis.sources import Sources

_KINDS = (
    *("glioblastoma", "astrocytoma", "meningioma", "neurinoma"),
    *("healthy", "multiple_sclerosis", "small_vessel", "carved", "mixed"),
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "synthesise",
        aliases=["synthesize"],
        help="make synthetic cases and a contact sheet of them",
        description="Make synthetic cases of four tumour types and of none, with their truth. "
        "Without --data heads are drawn; with it, label maps of real heads, shapes of real "
        "tumours and real scans are used where the folder holds them.",
    )
    parser.add_argument("--kind", choices=_KINDS, default="mixed", help="default: mixed")
    parser.add_argument(
        "--count", type=shared.from_one, default=12, metavar="N", help="default: 12"
    )
    parser.add_argument("--seed", type=shared.from_zero, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="holds synthseg_head_labels/, msd_tumour_labels/, and cases.tsv with real scans",
    )
    parser.add_argument(
        "--leave-out", type=shared.from_zero, metavar="K", help="use no real scan of this fold"
    )
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE", help="a .toml file with a table [synthesis]"
    )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="make them differently and of other heads and shapes, for choosing checkpoints",
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="contact sheet (.png)")
    parser.add_argument(
        "--columns", type=shared.from_one, default=2, metavar="N", help="of the sheet"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write the cases as NIfTI files with a cases.tsv, ready for `train --data FOLDER`: "
        "all sequences, stripped of the skull, without tumours whose labels merge tissues",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    shared.add_machine(parser, "progress")
    parser.set_defaults(run=run, writes=("sheet",))


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from BrainTumorSegLib.io.atomic import (
        atomic_path,
        check_not_inputs,
        check_suffix,
        check_writable,
    )
    from BrainTumorSegLib.synthesis.export import CohortWriter, contact_sheet
    from BrainTumorSegLib.synthesis.generator import synthesize

    if args.sheet is None and args.out is None:
        raise InputError("Nothing would be written.", "Give --sheet FILE, --out FOLDER, or both.")
    if args.sheet is not None:
        check_suffix(args.sheet, (".png", ".jpg", ".jpeg"), "contact sheet")
        check_writable(args.sheet, args.overwrite)
    if args.out is not None and args.data is not None:
        check_not_inputs([args.out / "cases.tsv"], [args.data])
    config, sources = _config(args), _sources(args)
    writer = CohortWriter(args.out, args.overwrite) if args.out is not None else None
    progress = shared.make_progress(args.progress)
    progress.stage("synthesise", args.count)
    shown: list[Sample] = []
    for number in range(args.count):
        sample = synthesize(config, sources, [args.seed, number])
        name = f"{sample.record['kind']}-{args.seed}-{number:03d}"
        if writer is not None:
            writer.add(name, number % 5, sample)
        if args.sheet is not None:
            shown.append(sample)
        progress.advance(1, name)
    if args.sheet is not None:
        with atomic_path(args.sheet, args.overwrite) as path:
            contact_sheet(shown, args.columns).save(path)
    progress.finish()
    for path in (args.sheet, writer.finish() if writer is not None else None):
        if path is not None:
            print(path)
    return 0


def _config(args: argparse.Namespace) -> SynthesisConfig:
    from dataclasses import replace

    from BrainTumorSegLib.synthesis.config import (
        Kind,
        SynthesisConfig,
        held_out,
        read_synthesis_table,
    )

    config = read_synthesis_table(args.recipe) if args.recipe else SynthesisConfig()
    if args.held_out:
        config = held_out(config)
    if args.kind != "mixed":
        config = config.only(Kind(args.kind))
    if args.out is not None:
        acquisition = replace(config.acquisition, missing=0.0, skull=0.0)
        kinds = config.kinds if args.kind == "carved" else replace(config.kinds, carved=0.0)
        config = replace(config, acquisition=acquisition, keep_tumour=0.0, kinds=kinds)
    return config


def _sources(args: argparse.Namespace) -> Sources:
    from BrainTumorSegLib.synthesis.sources import Sources, find_sources
    from BrainTumorSegLib.training.cohort import read_cohort
    from BrainTumorSegLib.training.dataset import real_cases

    if args.data is None:
        return Sources()
    cases = read_cohort(args.data) if (args.data / "cases.tsv").is_file() else ()
    return find_sources(
        args.data, real_cases(case for case in cases if case.fold != args.leave_out)
    )
