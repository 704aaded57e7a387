"""``brain-tumor-seg models``: list, verify, import, export and remove model packs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from BrainTumorSegLib.cli.commands.pack_making import add_export_options


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Describe the command."""
    parser = commands.add_parser("models", help="list, verify, import, export, remove model packs")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    action = actions.add_parser("list", help="every pack that can be used, and where it lies")
    action.add_argument("--json", action="store_true", help="as JSON")
    action.set_defaults(run=run_list)

    action = actions.add_parser("verify", help="check every hash and load every member")
    action.add_argument("pack", nargs="*", help="name or folder (default: all)")
    action.set_defaults(run=run_verify)

    action = actions.add_parser("import", help="copy a pack into your own folder of packs")
    action.add_argument("source", type=Path, help="a pack's folder or .zip")
    action.add_argument("--overwrite", action="store_true", help="replace a pack of that name")
    action.set_defaults(run=run_import)

    action = actions.add_parser(
        "export",
        help="write a pack, or make one of a training run, as a folder or .zip",
        description="Write a verified copy of a pack, or make a pack of a training run's folder: "
        "weights are stored in fewer bits, compared with fp32 on cases that each member did not "
        "see, and refused when they lose too much.",
    )
    action.add_argument("pack", help="name or folder of a pack, or folder of a training run")
    action.add_argument("destination", type=Path, help="a new folder, or a .zip file")
    action.add_argument("--overwrite", action="store_true", help="replace an existing one")
    add_export_options(action.add_argument_group("for a training run"))
    action.set_defaults(run=run_export)

    action = actions.add_parser("remove", help="delete a pack from your own folder of packs")
    action.add_argument("pack", help="name")
    action.set_defaults(run=run_remove)


def run_list(args: argparse.Namespace) -> int:
    """List the packs."""
    from BrainTumorSegLib.models.packs import models_table

    rows = models_table()
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    if not rows:
        print("No model pack was found. Import one: brain-tumor-seg models import FILE")
        return 0
    columns = list(rows[0])
    widths = [max(len(c), *(len(str(row[c])) for row in rows)) for c in columns]
    for line in (dict(zip(columns, columns, strict=True)), *rows):
        cells = (str(line[c]).ljust(w) for c, w in zip(columns, widths, strict=True))
        print("  ".join(cells).rstrip())
    return 0


def run_verify(args: argparse.Namespace) -> int:
    """Verify packs; without names every pack in every place, damaged ones included."""
    from BrainTumorSegLib.core.errors import PackError
    from BrainTumorSegLib.models.packs import find_packs, load_pack, verify_pack

    if args.pack:
        packs = [load_pack(name) for name in args.pack]
    else:
        found = find_packs()
        problems = [entry.problem for entry in found if entry.problem]
        if problems:
            raise PackError(" ".join(problems))
        packs = [entry.pack for entry in found if entry.pack]
    for pack in packs:
        verify_pack(pack)
        print(f"{pack.name} {pack.version}: {len(pack.members)} members, all hashes agree")
    return 0


def run_import(args: argparse.Namespace) -> int:
    """Import a pack."""
    from BrainTumorSegLib.models.packs import import_pack

    pack = import_pack(args.source, overwrite=args.overwrite)
    print(f"{pack.name} {pack.version} is now in {pack.folder}")
    return 0


def run_export(args: argparse.Namespace) -> int:
    """Export a pack, or make one of a run."""
    from BrainTumorSegLib.cli.commands.pack_making import export_run, is_run
    from BrainTumorSegLib.models.packs import export_pack, load_pack

    if is_run(args.pack):
        print(export_run(args))
        return 0
    print(export_pack(load_pack(args.pack), args.destination, overwrite=args.overwrite))
    return 0


def run_remove(args: argparse.Namespace) -> int:
    """Remove a pack."""
    from BrainTumorSegLib.models.packs import remove_pack

    print(f"Removed {remove_pack(args.pack)}")
    return 0
