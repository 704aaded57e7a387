"""Before anything is timed: the case, its sizes, and caches that are filled."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence, recognise_files
from BrainTumorSegLib.evaluation.benchmark.arms import SIZES, WHOLE_CASE, Plan
from BrainTumorSegLib.evaluation.benchmark.runs import Material, run_order
from BrainTumorSegLib.evaluation.benchmark.worker import Order
from BrainTumorSegLib.io.formats import READABLE_SUFFIXES
from BrainTumorSegLib.training.case_files import is_label_file


def case_scans(paths: SequenceOf[Path]) -> dict[Sequence, Path]:
    """The file of each sequence, in a folder or among files; labels are left alone.

    Raises:
        InputError: when a path is not there, or names do not tell which scan is which.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist.", "Give a folder with scans, or their files.")
        files += sorted(path.iterdir()) if path.is_dir() else [path]
    scans = [p for p in files if p.name.lower().endswith(READABLE_SUFFIXES)]
    found = recognise_files([p for p in scans if not is_label_file(p)])
    if found.ambiguities:
        raise InputError(
            f"The scans cannot be told apart: {found.ambiguities[0].reason}",
            "Give --case exactly three files, named like x_t1, x_t1ce, x_flair.",
        )
    if Sequence.T1CE not in found.chosen:
        raise InputError(
            f"No contrast-enhanced T1 scan was found in {', '.join(map(str, paths))}.",
            "Name it like x_t1ce.nii.gz.",
        )
    return dict(found.chosen)


def prepare(
    plan: Plan, scans: dict[Sequence, Path], folder: Path, threads: int | None
) -> tuple[Material, dict[str, Any]]:
    """Run once without timing, so that the files are in memory and all networks converted.

    Args:
        plan: what is going to be measured.
        scans: file of each sequence.
        folder: for temporary files.
        threads: CPU threads.

    Returns:
        What the runs work on, and the answer of the worker: machine, scans, work.

    Raises:
        RunFailed: when the case cannot be segmented at all.
    """
    base = plan.arms[plan.base].options
    runs = [arm for arm in plan.arms.values() if arm.kind == "segment"]
    sizes = {arm.case: SIZES[arm.case] for arm in runs if arm.case != WHOLE_CASE}
    wishes = {
        (arm.options["engine"], arm.options["device"], arm.options["precision"]) for arm in runs
    }
    given = {key.value: str(path.resolve()) for key, path in scans.items()}
    order = Order(
        kind="prepare",
        # Not the engine of the arm: should that fail, the other arms still have their case.
        options={**base, "engine": "auto", "precision": "auto"},
        scans=given,
        folder="",
        started=0.0,
        threads=threads,
        sizes=sizes,
        engines=tuple(
            {"engine": engine, "device": device, "precision": precision}
            for engine, device, precision in sorted(wishes)
        ),
    )
    answer = run_order(order, folder)
    cut = answer.get("sizes", {})
    material = Material(
        scans={WHOLE_CASE: given, **{name: size["scans"] for name, size in cut.items()}},
        masks={name: size["mask"] for name, size in cut.items()},
        threads=threads,
        folder=folder,
    )
    return material, answer
