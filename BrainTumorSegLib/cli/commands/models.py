"""``brain-tumor-seg models``: list, verify, import, export and remove model packs.

``export`` also makes a verified pack of a training run.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import PackError, TrainingError
from BrainTumorSegLib.core.file_names import expanded
from BrainTumorSegLib.core.option_fields import add_option
from BrainTumorSegLib.core.options import Options

from . import shared
from .train import add_pack_options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence as SequenceOf
    from typing import Any

    from BrainTumorSegLib.models.packs import ModelPack
    from BrainTumorSegLib.training.cohort import LabeledCase
    from BrainTumorSegLib.training.config import RunConfig
    from BrainTumorSegLib.training.export import QuantizationCheck


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
    group = action.add_argument_group("for a training run")
    shared.add_files(group, recipe="its recipe (default: the one kept in it)")
    group.add_argument(
        "--data", type=Path, metavar="FOLDER", help="its cases (default: its own cases.tsv)"
    )
    group.add_argument(
        "--members", nargs="+", metavar="NAME", help="only these members, such as fold0 (all)"
    )
    add_pack_options(group)
    group.add_argument(
        "--check-slices",
        type=shared.from_one,
        default=32,
        metavar="N",
        help="slices of each case that are compared (default: 32)",
    )
    shared.add_machine(group, "threads", "progress")
    action.set_defaults(run=run_export, writes=("destination",))

    action = actions.add_parser(
        "calibrate",
        help="measure on labelled cases which Dice to expect of a pack, and keep that in it",
        description="Segment every case by the members that never saw it, compare how far they, or "
        "the views of a single one, agree with how good the result is, and write calibration.json "
        "and a section of the model card into the pack's folder. To be run again when a pack "
        "changes.",
    )
    action.add_argument("pack", help="name or folder; its folder is written to")
    action.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders that hold cases.tsv"
    )
    add_option(action, Options, "tta", help="for which test-time augmentation (pack's advice)")
    action.add_argument(
        "--leave-out", nargs="+", default=[], metavar="CASE", help="cases that count as seen"
    )
    action.add_argument(
        "--conditions",
        nargs="+",
        default=[],
        metavar="NAME",
        help="also measure what harder scans cost, as named by evaluate --conditions",
    )
    action.add_argument(
        "--condition-cases",
        nargs="+",
        metavar="CASE",
        help="only these cases under harder conditions (default: all)",
    )
    action.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="keep what was measured of each case here, and go on from it after an interruption",
    )
    shared.add_machine(action)
    action.set_defaults(run=run_calibrate)

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
    from BrainTumorSegLib.models.packs import export_pack, load_pack

    if is_run(args.pack):
        print(export_run(args))
        return 0
    print(export_pack(load_pack(args.pack), args.destination, overwrite=args.overwrite))
    return 0


def run_calibrate(args: argparse.Namespace) -> int:
    """Calibrate a pack."""
    from BrainTumorSegLib.evaluation.calibration import fit_calibration, measure_pack, trust_section
    from BrainTumorSegLib.evaluation.conditions import read_conditions
    from BrainTumorSegLib.evaluation.trust_cases import STAGE
    from BrainTumorSegLib.models.packs import load_pack
    from BrainTumorSegLib.models.packs.making import add_calibration

    shared.limit_threads(args.threads)
    pack, conditions = load_pack(args.pack), read_conditions(args.conditions)
    progress = shared.make_progress(args.progress, {STAGE: 1.0})
    tta = args.tta or pack.advised_views
    cases = _labelled_cases(args)
    rows = measure_pack(
        pack,
        cases,
        tta,
        conditions,
        args.condition_cases,
        kept=args.keep,
        device=args.device,
        progress=progress,
    )
    command = shared.repeated(
        args,
        ("brain-tumor-seg", "models", "calibrate", pack.name),
        *("data", "tta", "leave_out", "conditions", "condition_cases"),
        data=[f"DATA{at or ''}" for at in range(len(args.data))],
    )
    fields = fit_calibration(pack, rows, tta, command)
    fields["costs"] = {**_known_costs(pack), **fields["costs"]}
    section = trust_section(fields)
    add_calibration(pack, fields, section)
    progress.finish()
    print(section)
    return 0


def _known_costs(pack: ModelPack) -> Mapping[str, Any]:
    """What conditions were found to cost before; nothing of other weights."""
    from BrainTumorSegLib.models.packs.calibration import read_calibration

    try:
        before = read_calibration(pack)
    except PackError:
        return {}
    return before.costs if before else {}


def _labelled_cases(args: argparse.Namespace) -> list[LabeledCase]:
    """The cases of all folders but those that count as seen."""
    from BrainTumorSegLib.training.cohort import names_folds, read_cohort

    cases: dict[str, LabeledCase] = {}
    for folder in args.data:
        if not names_folds(folder):
            raise TrainingError(
                f"{folder} does not say which fold each case belongs to, so that nothing tells "
                "which members saw it.",
                "Add the column fold to its cases.tsv.",
            )
        cases |= {case.name: case for case in read_cohort(folder)}
    unknown = sorted({*args.leave_out, *(args.condition_cases or ())} - cases.keys())
    if unknown:
        raise TrainingError(f"There is no case {unknown[0]}.", "Name cases of the data.")
    return [case for name, case in cases.items() if name not in args.leave_out]


def run_remove(args: argparse.Namespace) -> int:
    """Remove a pack."""
    from BrainTumorSegLib.models.packs import remove_pack

    print(f"Removed {remove_pack(args.pack)}")
    return 0


def is_run(text: str) -> bool:
    """Whether this names a training run rather than a pack. The name of a pack takes precedence."""
    from BrainTumorSegLib.models.packs import find_packs
    from BrainTumorSegLib.models.packs.manifest import MANIFEST
    from BrainTumorSegLib.training.checkpoint import find_members

    folder = expanded(text)
    if (folder / MANIFEST).is_file() or not find_members(folder):
        return False
    return text not in {found.name for found in find_packs()}


def export_run(args: argparse.Namespace) -> Path:
    """Make a pack of a run, at ``args.destination``, which is returned."""
    from BrainTumorSegLib.io.atomic import check_writable
    from BrainTumorSegLib.models.packs import export_pack
    from BrainTumorSegLib.models.packs.files import check_free
    from BrainTumorSegLib.training.config import run_command
    from BrainTumorSegLib.training.evaluated import read_evaluation
    from BrainTumorSegLib.training.export import STAGE, pack_run

    shared.limit_threads(args.threads)
    folder = expanded(args.pack)
    members = _members(folder, args.members)
    path, config = _config(folder, args.recipe)
    evaluation = read_evaluation(args.evaluation, args.notes)
    zipped = args.destination.suffix.lower() == ".zip"
    if zipped:
        check_writable(args.destination, args.overwrite)
    else:
        check_free(args.destination, args.overwrite)
    progress = shared.make_progress(args.progress, {STAGE: 1.0})
    check = _check(args, folder, _cases(args, folder, config))
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary, "pack") if zipped else args.destination
        pack = pack_run(
            members,
            config.pack,
            run_command(folder, path),
            made,
            check,
            evaluation,
            args.overwrite,
            progress,
        )
        if zipped:
            export_pack(pack, args.destination, args.overwrite)
    progress.finish()
    return args.destination


def _members(folder: Path, names: SequenceOf[str] | None) -> list[Path]:
    from BrainTumorSegLib.training.checkpoint import find_members

    found = {m.folder.name: m.folder for m in find_members(folder)}
    unknown = [name for name in names or () if name not in found]
    if unknown:
        raise TrainingError(
            f"{folder} has no finished member {unknown[0]!r}.", f"It has {', '.join(found)}."
        )
    return [found[name] for name in dict.fromkeys(names or found)]


def _config(folder: Path, given: Path | None) -> tuple[Path, RunConfig]:
    from BrainTumorSegLib.training.config import KEPT_RECIPE, read_config

    path = given or folder / KEPT_RECIPE
    if given is None and not path.is_file():
        raise TrainingError(
            f"{folder} keeps no recipe, so that nothing says what the pack is called.",
            "Give the recipe of the run (--recipe FILE).",
        )
    return path, read_config(path)


def _cases(args: argparse.Namespace, folder: Path, config: RunConfig) -> tuple[LabeledCase, ...]:
    """The cohort; none where only synthetic samples are to be looked at, or none is known."""
    from BrainTumorSegLib.training.case_table import TABLE
    from BrainTumorSegLib.training.cohort import read_cohort

    if args.check_on == "synthesis" or args.precision == "fp32":
        return ()
    if args.data is None and not (folder / TABLE).is_file():
        if args.check_on == "cases":
            raise TrainingError(f"{folder} has no {TABLE}.", "Name the cohort (--data FOLDER).")
        return ()
    try:
        return read_cohort(args.data or folder, config.data)
    except TrainingError as error:
        raise TrainingError(
            error.message,
            "Name the cohort where it lies now (--data FOLDER), or compare on synthetic samples "
            "(--check-on synthesis).",
        ) from error


def _check(
    args: argparse.Namespace, folder: Path, cases: SequenceOf[LabeledCase]
) -> QuantizationCheck:
    from BrainTumorSegLib.training.export import QuantizationCheck

    return QuantizationCheck(
        args.precision,
        cases,
        on=args.check_on,
        allowed_loss=args.allowed_loss,
        slices=args.check_slices,
        sources=args.data,
        cache=_cache(folder),
        command=shared.repeated(
            args,
            ("brain-tumor-seg", "models", "export", "RUN", "PACK"),
            *("precision", "data", "members", "check_on", "check_slices"),
            data=args.data and "DATA",
        ),
    )


def _cache(run: Path) -> Path | None:
    """Volumes that training has prepared; None where the run is read-only."""
    folder = run / "cache"
    return folder if folder.is_dir() and os.access(folder, os.W_OK) else None
