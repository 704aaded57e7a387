"""Rigid alignment of one patient's scans to the reference.

Either with BRAINSFit, 3D Slicer's registration program, or with SimpleITK. Whatever
made it, a transform is used only after it was judged from the images (`quality`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case, Scan, check_one_place
from BrainTumorSegLib.core.errors import DependencyError, RegistrationError
from BrainTumorSegLib.core.options import Registration
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence

from .brainsfit_client import BrainsfitClient
from .discovery import Executable, find_brainsfit
from .engines import Task, search_start, starts
from .head import find_head
from .multistart import POOR_SCORE, Outcome, describe, look_before, try_starts
from .quality import leave_out, make_pair
from .rigid import matrix_and_offset, rigid_from_matrix

#: What `align` takes as engine.
ENGINES = tuple(Registration)

#: Heads of two visits whose centers are farther apart are first laid on each other (mm).
FAR_MM = 20.0

__all__ = [
    "ENGINES",
    "Alignment",
    "BrainsfitClient",
    "Executable",
    "align",
    "align_visits",
    "find_brainsfit",
]


@dataclass(frozen=True)
class Alignment:
    """How each scan of a case lies on the reference.

    Attributes:
        transforms: by sequence, from points of the reference to points of that scan
            (LPS, mm): what ``sitk.Resample(scan, reference, transform)`` takes. The
            reference has the identity.
        records: one plain-JSON dict a moving scan, with every attempt's score.
    """

    transforms: Mapping[Sequence, sitk.Transform]
    records: tuple[dict[str, Any], ...]


def align(
    case: Case,
    engine: str = "auto",
    progress: Progress | None = None,
    brainsfit: Path | BrainsfitClient | None = None,
    seed: int = 0,
) -> Alignment:
    """Find the rigid transform of every scan of the case to its reference.

    A scan that is aligned already is left alone, whatever its header says.

    Args:
        engine: ``brainsfit``; ``simpleitk``; ``auto`` for BRAINSFit where it is given
            or found and SimpleITK otherwise; ``none`` to trust the headers, with a
            warning where the images contradict them, unless a header contradicts itself.
        progress: takes messages and warnings, and one step a moving scan; the stage
            is the caller's to open. It can be cancelled at any time.
        brainsfit: the BRAINSFit executable, when it is not to be looked for, or whom to
            ask to run BRAINSFit.
        seed: of the sampling; the same seed gives the same transforms.

    Raises:
        ValueError: for an unknown engine.
        DependencyError: when BRAINSFit was asked for and is missing or does not start.
        RegistrationError: when a scan cannot be brought into register; it names the
            scan and what was tried.
        InputError: when who should run BRAINSFit has gone, or for ``none`` when it is not
            certain where a scan lies.
        Cancelled: when the progress was cancelled. No temporary file stays behind.
    """
    program = _find_program(engine, brainsfit)
    if engine == "none":
        check_one_place(case.scans, case.reference)
    progress = progress or Progress()
    fixed = case.reference_scan
    transforms: dict[Sequence, sitk.Transform] = {case.reference: sitk.VersorRigid3DTransform()}
    records: list[dict[str, Any]] = []
    moving = {s: scan for s, scan in case.scans.items() if s is not case.reference}
    fixed_head = None
    for sequence, scan in moving.items():
        began = time.monotonic()
        progress.message(f"Registering {sequence.name} to {case.reference.name}.")
        try:
            fixed_head = fixed_head or find_head(fixed.image, fixed.source)
            pair = make_pair(fixed_head, find_head(scan.image, scan.source), seed)
        except RegistrationError as error:
            if engine != "none":
                raise
            transforms[sequence] = sitk.VersorRigid3DTransform()
            records.append(_unscored_record(sequence, scan, error))
            continue
        task = Task(sequence, scan, fixed, pair, progress, seed, program, case.reference)
        outcome = look_before(pair)
        used = "none"
        if engine == "none":
            _warn_when_out_of_register(task, outcome)
        elif not outcome.already_aligned:
            used = _register(task, outcome, engine)
        transforms[sequence] = outcome.transform
        records.append(_record(task, outcome, used, time.monotonic() - began))
        progress.advance(1)
    _warn_of_substitution(engine, program, records, progress)
    return Alignment(transforms, tuple(records))


def align_visits(
    fixed: tuple[Scan, Sequence, sitk.Image | None],
    moving: tuple[Scan, Sequence, sitk.Image | None],
    engine: str = "auto",
    progress: Progress | None = None,
    brainsfit: Path | BrainsfitClient | None = None,
    seed: int = 0,
) -> tuple[sitk.Transform, dict[str, Any]]:
    """Find the rigid transform between scans of two visits, and judge it as `align` does.

    Visits may have been scanned in any place: where the heads lie far from each other, the
    moving one is laid on the other by its center before anything else.

    Args:
        fixed: a scan, what it shows, and a mask on its grid of what may have changed between the
            visits and has no say in how good a place is; None for nothing.
        moving: likewise.
        engine, progress, brainsfit, seed: as in `align`.

    Returns:
        The transform from points of the fixed to points of the moving scan (LPS, mm), and a
        plain-JSON dict like those of `Alignment.records`.

    Raises:
        ValueError, DependencyError, RegistrationError, InputError, Cancelled: as `align`.
    """
    program = _find_program(engine, brainsfit)
    progress = progress or Progress()
    began = time.monotonic()
    heads = [find_head(scan.image, scan.source) for scan, _, _ in (fixed, moving)]
    gap = heads[1].center - heads[0].center
    if engine == "none" or float(np.linalg.norm(gap)) <= FAR_MM:
        gap = np.zeros(3)
    nearer, left_out = (_shifted(image, -gap) for image in (moving[0].image, moving[2]))
    scan = replace(moving[0], image=nearer)
    pair = make_pair(heads[0], find_head(nearer, scan.source), seed)
    pair = leave_out(pair, fixed[2], left_out)
    task = Task(moving[1], scan, fixed[0], pair, progress, seed, program, fixed[1])
    outcome = look_before(pair)
    used = "none"
    if engine == "none":
        _warn_when_out_of_register(task, outcome)
    elif not outcome.already_aligned:
        used = _register(task, outcome, engine)
    record = _record(task, outcome, used, time.monotonic() - began)
    matrix, offset = matrix_and_offset(outcome.transform)
    transform = rigid_from_matrix(matrix, offset + gap, heads[0].center)
    record["matrix"] = [
        *np.column_stack([matrix, offset + gap]).tolist(),
        [0.0, 0.0, 0.0, 1.0],
    ]
    return transform, record


def _shifted(image: sitk.Image | None, shift: np.ndarray) -> sitk.Image | None:
    if image is None or not shift.any():
        return image
    moved = sitk.Image(image)
    moved.SetOrigin((np.array(image.GetOrigin()) + shift).tolist())
    return moved


def _find_program(
    engine: str, brainsfit: Path | BrainsfitClient | None
) -> Executable | BrainsfitClient | None:
    """The BRAINSFit that an engine may use."""
    if engine not in ENGINES:
        raise ValueError(f"unknown registration engine {engine!r}; one of {', '.join(ENGINES)}")
    program: Executable | BrainsfitClient | None = None
    if engine in ("auto", "brainsfit"):
        program = brainsfit if isinstance(brainsfit, BrainsfitClient) else find_brainsfit(brainsfit)
    if engine == "brainsfit" and program is None:
        raise DependencyError(
            "BRAINSFit was asked for but not found.",
            "Install 3D Slicer, give --brainsfit PATH, or choose --registration simpleitk.",
        )
    return program


def _register(task: Task, outcome: Outcome, engine: str) -> str:
    """Register one scan, and return the name of the engine that did."""
    if task.program is not None:
        try:
            if _try(task, outcome, "brainsfit"):
                return "brainsfit"
        except DependencyError as error:
            if engine == "brainsfit":
                raise
            task.progress.warn(f"{error} SimpleITK registers {task.sequence.name} instead.")
        else:
            if engine == "auto":
                task.progress.warn(
                    f"BRAINSFit did not bring {task.sequence.name} into register; "
                    "SimpleITK is tried."
                )
    if engine != "brainsfit" and _try(task, outcome, "simpleitk"):
        return "simpleitk"
    raise _all_failed(task, outcome)


def _try(task: Task, outcome: Outcome, engine: str) -> bool:
    done = try_starts(
        task.pair,
        outcome,
        engine,
        starts(task, engine),
        lambda begin: search_start(task, engine, begin),
    )
    if done and outcome.chosen == "as is":
        task.progress.warn(
            f"{task.sequence.name} ({task.scan.source}) was left as it is: no registration made "
            "it agree better with the reference, from which it may be off by a millimetre or two."
        )
    return done


def _record(task: Task, outcome: Outcome, engine: str, seconds: float) -> dict[str, Any]:
    placed = describe(task.pair, outcome.transform)
    if placed["score"] < POOR_SCORE:
        task.progress.warn(
            f"{task.sequence.name} ({task.scan.source}) and the reference agree poorly "
            f"(normalised mutual information {placed['score']:.3f}); check that both show the "
            "same patient, and look at the overlay."
        )
    return {
        "sequence": task.sequence.value,
        "source": task.scan.source,
        "engine": engine,
        **_program(task.program if engine == "brainsfit" else None),
        "already_aligned": outcome.already_aligned,
        "attempts": outcome.attempts,
        "chosen": outcome.chosen,
        "score_before": round(outcome.before, 4),
        **placed,
        "seconds": round(seconds, 2),
    }


def _program(program: Executable | BrainsfitClient | None) -> dict[str, str | None]:
    return {
        "executable": str(program.path) if isinstance(program, Executable) else None,
        "run_by": program.run_by if isinstance(program, BrainsfitClient) else None,
    }


def _unscored_record(sequence: Sequence, scan: Scan, error: RegistrationError) -> dict[str, Any]:
    return {
        "sequence": sequence.value,
        "source": scan.source,
        "engine": "none",
        **_program(None),
        "already_aligned": None,
        "attempts": [],
        "chosen": "as is",
        "score_before": None,
        "score": None,
        "note": error.message,
        "seconds": 0.0,
    }


def _warn_when_out_of_register(task: Task, outcome: Outcome) -> None:
    if not outcome.already_aligned:
        outcome.chosen = "as is"
        task.progress.warn(
            f"{task.sequence.name} ({task.scan.source}) seems out of register with the "
            "reference, and registration was switched off."
        )


def _warn_of_substitution(
    engine: str,
    program: Executable | BrainsfitClient | None,
    records: list[dict[str, Any]],
    progress: Progress,
) -> None:
    replaced = [r["sequence"].upper() for r in records if r["engine"] == "simpleitk"]
    if engine == "auto" and program is None and replaced:
        progress.warn(
            f"BRAINSFit was not found; SimpleITK registered {' and '.join(replaced)} instead."
        )


def _all_failed(task: Task, outcome: Outcome) -> RegistrationError:
    tried = "; ".join(f"{a['engine']} from {a['start']}: {a['reason']}" for a in outcome.attempts)
    return RegistrationError(
        f"The {task.sequence.name} scan {task.scan.source} could not be brought into register "
        f"with the reference {task.reference.source} ({tried}).",
        "Look at both scans side by side: do they show the same patient's whole head? Register "
        "them by hand in 3D Slicer, or use --registration none if you are sure that they match.",
    )
