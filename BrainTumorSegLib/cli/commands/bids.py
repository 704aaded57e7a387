"""``brain-tumor-seg bids``: the command line of a BIDS App."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import InputError

from .cohort import add_cohort_options, run_cohort

if TYPE_CHECKING:
    from BrainTumorSegLib.cohort.cases import CohortCase
    from BrainTumorSegLib.core.progress import Progress


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "bids",
        help="segment a BIDS data set, as a BIDS App does",
        description="Segment every session of a BIDS data set and write a BIDS derivative. The "
        "contrast-enhanced T1 is the T1w image with the entity ce, for example ce-gadolinium. "
        "Research use only; not a medical device.",
    )
    parser.add_argument("input", type=Path, metavar="BIDS", help="the data set")
    parser.add_argument("output", type=Path, metavar="FOLDER", help="where the derivative goes")
    parser.add_argument(
        "analysis_level", choices=("participant",), help="each participant by itself"
    )
    for kind, plural in (("participant", "subjects"), ("session", "sessions")):
        parser.add_argument(
            f"--{kind}-label",
            f"--{kind}_label",
            nargs="+",
            default=[],
            metavar="LABEL",
            help=f"only these {plural}, with or without the entity's name before the label",
        )
    add_cohort_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from BrainTumorSegLib.cohort.bids import find_bids_cases, is_bids

    if not is_bids(args.input):
        raise InputError(
            f"{args.input} is no BIDS data set: it has neither dataset_description.json nor "
            "folders like sub-01/anat.",
            "Give the top folder of the data set, or use the command cohort.",
        )

    def find(_progress: Progress) -> list[CohortCase]:
        cases = find_bids_cases(args.input, args.participant_label, args.session_label)
        if not cases:
            raise InputError(f"{args.input} holds no subject.", "Check the folder.")
        return cases

    return run_cohort(args, find, args.input)
