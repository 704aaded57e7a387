"""The starts that each engine offers for one moving scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import SimpleITK as sitk

from BrainTumorSegLib.core.case import Scan
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence

from . import brainsfit, simpleitk
from .brainsfit_client import BrainsfitClient
from .discovery import Executable
from .multistart import Start
from .quality import Pair
from .starts import STARTS, distinct_starts


@dataclass(frozen=True)
class Task:
    """One moving scan that is to be registered.

    Attributes:
        pair: both heads, ready to score transforms between them.
        program: the BRAINSFit that may be used, if any, or whom to ask to run it.
        reference_sequence: what the reference shows.
    """

    sequence: Sequence
    scan: Scan
    reference: Scan
    pair: Pair
    progress: Progress
    seed: int
    program: Executable | BrainsfitClient | None
    reference_sequence: Sequence = Sequence.T1CE


def starts(task: Task, engine: str) -> Iterator[Start]:
    """The engine's starts, in the order of trying."""
    if engine == "brainsfit":
        # Not only distinct ones: with `Off` BRAINSFit turns about the scanner's centre.
        for name, mode in STARTS.items():
            yield _brainsfit(task, name, mode)
    else:
        for name, begin in distinct_starts(task.pair.fixed, task.pair.moving):
            yield _simpleitk(task, name, begin)


def search_start(task: Task, engine: str, begin: sitk.VersorRigid3DTransform) -> Start:
    """The last start: the place that scored best while earlier results were judged."""
    if engine == "brainsfit":
        return _brainsfit(task, "search", "Off", begin)
    return _simpleitk(task, "search", begin)


def _simpleitk(task: Task, name: str, begin: sitk.VersorRigid3DTransform) -> Start:
    pair, cancel = task.pair, task.progress.cancel
    return Start(
        name,
        simpleitk.parameters(),
        lambda: simpleitk.register(pair.fixed, pair.moving, begin, cancel, task.seed),
    )


def _brainsfit(
    task: Task, name: str, mode: str, begin: sitk.VersorRigid3DTransform | None = None
) -> Start:
    stripped = task.pair.fixed.stripped or task.pair.moving.stripped
    chosen = brainsfit.parameters(mode, stripped, begin is not None)
    program, cancel = task.program, task.progress.cancel
    if program is None:
        raise ValueError("a BRAINSFit start needs the program")
    if isinstance(program, BrainsfitClient):
        # The resampled scan would have to be sent through a file for nothing.
        del chosen["outputVolume"]
    return Start(
        name,
        dict(chosen),
        lambda: brainsfit.register(
            program,
            task.reference.image,
            task.scan.image,
            chosen,
            begin,
            cancel,
            sequences=(task.reference_sequence, task.sequence),
        ),
    )
