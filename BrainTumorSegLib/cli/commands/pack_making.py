"""``brain-tumor-seg models export`` of a training run: from its folder to a verified pack."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.cli.commands.train import add_pack_options

from . import shared

if TYPE_CHECKING:
    from collections.abc import Sequence as SequenceOf

    from BrainTumorSegLib.training.cohort import LabelledCase
    from BrainTumorSegLib.training.config import RunConfig
    from BrainTumorSegLib.training.export import QuantizationCheck


def add_export_options(parser: argparse._ArgumentGroup) -> None:
    """Describe what only a training run needs."""
    parser.add_argument(
        "--recipe", type=Path, metavar="FILE", help="its recipe (default: the one kept in it)"
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="its cases (default: its own cases.tsv)"
    )
    parser.add_argument(
        "--members", nargs="+", metavar="NAME", help="only these members, such as fold0 (all)"
    )
    add_pack_options(parser)
    parser.add_argument(
        "--check-slices",
        type=shared.from_one,
        default=32,
        metavar="N",
        help="slices of each case that are compared (default: 32)",
    )
    shared.add_machine(parser, "threads", "progress")


def is_run(text: str) -> bool:
    """Whether this names a training run rather than a pack. The name of a pack takes precedence."""
    from BrainTumorSegLib.models.packs import find_packs
    from BrainTumorSegLib.models.packs.manifest import MANIFEST
    from BrainTumorSegLib.training.checkpoint import find_members

    folder = Path(text).expanduser()
    if (folder / MANIFEST).is_file() or not find_members(folder):
        return False
    return text not in {found.name for found in find_packs()}


def export_run(args: argparse.Namespace) -> Path:
    """Make a pack of a run, at ``args.destination``, which is returned."""
    from BrainTumorSegLib.io.atomic import check_writable
    from BrainTumorSegLib.models.packs import export_pack
    from BrainTumorSegLib.models.packs.files import check_free
    from BrainTumorSegLib.training.config import run_command
    from BrainTumorSegLib.training.export import STAGE, pack_run, read_evaluation

    shared.limit_threads(args.threads)
    folder = Path(args.pack).expanduser()
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
    from BrainTumorSegLib.core.errors import TrainingError
    from BrainTumorSegLib.training.checkpoint import find_members

    found = {m.folder.name: m.folder for m in find_members(folder)}
    unknown = [name for name in names or () if name not in found]
    if unknown:
        raise TrainingError(
            f"{folder} has no finished member {unknown[0]!r}.", f"It has {', '.join(found)}."
        )
    return [found[name] for name in dict.fromkeys(names or found)]


def _config(folder: Path, given: Path | None) -> tuple[Path, RunConfig]:
    from BrainTumorSegLib.core.errors import TrainingError
    from BrainTumorSegLib.training.config import KEPT_RECIPE, read_config

    path = given or folder / KEPT_RECIPE
    if given is None and not path.is_file():
        raise TrainingError(
            f"{folder} keeps no recipe, so that nothing says what the pack is called.",
            "Give the recipe of the run (--recipe FILE).",
        )
    return path, read_config(path)


def _cases(args: argparse.Namespace, folder: Path, config: RunConfig) -> tuple[LabelledCase, ...]:
    """The cohort; none where only synthetic samples are to be looked at, or none is known."""
    from BrainTumorSegLib.core.errors import TrainingError
    from BrainTumorSegLib.training.cohort import TABLE, read_cohort

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
    args: argparse.Namespace, folder: Path, cases: SequenceOf[LabelledCase]
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
