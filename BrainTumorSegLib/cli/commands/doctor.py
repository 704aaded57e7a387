"""``brain-tumor-seg doctor``: what is installed, and what to do about what is not."""

from __future__ import annotations

import argparse


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "doctor",
        help="check this installation",
        description="Look at packages, devices, model packs, memory and BRAINSFit; name a remedy "
        "for whatever is missing. Exits with 1 when something needed does not work.",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from BrainTumorSegLib.bootstrap.doctor import PROBLEM, as_json, as_text, examine, worst

    findings = examine()
    print(as_json(findings) if args.json else as_text(findings))
    return 1 if worst(findings) == PROBLEM else 0
