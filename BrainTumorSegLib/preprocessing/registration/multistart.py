"""One moving scan to the reference: is it aligned already, and if not, from which start.

The same frame of reference in the headers proves nothing, one start proves nothing
and a good exit code proves nothing; every attempt is judged by `quality.assess_registration`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import DependencyError, RegistrationError

from . import quality
from .quality import Pair, Verdict
from .rigid import matrix_and_offset, rotation_deg

#: A scan whose best place is nearer than this (mm, or share of the coarsest voxel side)
#: is left alone: moving it would blur more than it mends.
ALIGNED_MM, ALIGNED_SHARE = 0.75, 0.2

#: Below this score, registered or not, two scans hardly show the same head.
POOR_SCORE = 1.08


@dataclass(frozen=True)
class Start:
    """Where an attempt begins, and what is worth recording of how it is made.

    Attributes:
        name: ``headers``, ``geometry``, ``moments`` or ``search``.
        parameters: plain JSON values.
        run: makes the attempt; raises `RegistrationError` when it fails.
    """

    name: str
    parameters: dict[str, Any]
    run: Callable[[], sitk.VersorRigid3DTransform]


@dataclass
class Outcome:
    """What became of one moving scan; filled in as attempts are made.

    Attributes:
        transform: the one chosen, from points of the reference to the moving scan.
        attempts: one plain-JSON dict each.
        chosen: name of the start whose result was taken, ``as is``, or None.
    """

    before: float
    already_aligned: bool = False
    transform: sitk.Transform = field(default_factory=sitk.VersorRigid3DTransform)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    chosen: str | None = None
    best_seen: sitk.VersorRigid3DTransform | None = None


def identity(pair: Pair) -> sitk.VersorRigid3DTransform:
    """The transform that trusts the headers, stated about the reference head's centre."""
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter(pair.fixed.center.tolist())
    return transform


def look_before(pair: Pair) -> Outcome:
    """Score the scan as it is and see whether it is aligned already.

    It is when no place nearby makes the scans agree better, and their heads overlap.
    """
    as_is = identity(pair)
    outcome = Outcome(quality.score(pair, as_is), transform=as_is)
    settled = quality.settle(pair, as_is)
    outcome.best_seen = settled
    coarsest = max(*pair.fixed.image.GetSpacing(), *pair.moving.image.GetSpacing())
    outcome.already_aligned = (
        quality.distance_mm(pair, as_is, settled) <= max(ALIGNED_MM, ALIGNED_SHARE * coarsest)
        and quality.overlap(pair, as_is) >= quality.LEAST_OVERLAP
    )
    if outcome.already_aligned:
        outcome.chosen = "as is"
    return outcome


def try_starts(
    pair: Pair,
    outcome: Outcome,
    engine: str,
    starts: Iterable[Start],
    search: Callable[[sitk.VersorRigid3DTransform], Start],
) -> bool:
    """Try the starts in order until one is judged a success; then the search.

    Args:
        search: makes a last start from the best-scoring place seen so far.

    Returns:
        Whether ``outcome.transform`` may be used: a start succeeded, or leaving the
        scan as it is passes the same test and none of the starts does better.
    """
    for start in starts:
        if _attempt(pair, outcome, engine, start):
            return True
    if outcome.best_seen is not None and _attempt(pair, outcome, engine, search(outcome.best_seen)):
        return True
    verdict = assess_registration(pair, identity(pair), outcome.before)
    if not verdict.problems and verdict.score + quality.SCORE_NOISE >= _best_score(outcome):
        outcome.transform, outcome.chosen = identity(pair), "as is"
        return True
    return False


def assess_registration(pair: Pair, transform: sitk.Transform, before: float) -> Verdict:
    """`quality.assess_registration` with the tolerance that fits the scans' voxels."""
    return quality.assess_registration(pair, transform, before, quality.settling_tolerance_mm(pair))


def _attempt(pair: Pair, outcome: Outcome, engine: str, start: Start) -> bool:
    began = time.monotonic()
    entry: dict[str, Any] = {
        "engine": engine,
        "start": start.name,
        "parameters": start.parameters,
        "score_before": round(outcome.before, 4),
        "score_after": None,
        "overlap": None,
        "rotation_deg": None,
        "shift_mm": None,
        "unsettled_mm": None,
    }
    outcome.attempts.append(entry)
    try:
        transform = start.run()
    except RegistrationError as error:
        entry |= {"seconds": _since(began), "outcome": "refused", "reason": error.message}
        return False
    except DependencyError as error:
        entry |= {"seconds": _since(began), "outcome": "refused", "reason": error.message}
        raise
    verdict = assess_registration(pair, transform, outcome.before)
    good = not verdict.problems
    entry |= {
        "score_after": rounded(verdict.score, 4),
        "overlap": rounded(verdict.overlap, 3),
        "rotation_deg": rounded(verdict.rotation_deg, 2),
        "shift_mm": rounded(verdict.shift_mm, 2),
        "unsettled_mm": rounded(verdict.unsettled_mm, 2),
        "seconds": _since(began),
        "outcome": "accepted" if good else "refused",
        "reason": None if good else "; ".join(verdict.problems),
    }
    if good:
        outcome.transform, outcome.chosen = transform, start.name
    elif verdict.settled is not None:
        _remember(pair, outcome, verdict.settled)
    return good


def _remember(pair: Pair, outcome: Outcome, settled: sitk.VersorRigid3DTransform) -> None:
    if rotation_deg(settled) > quality.MOST_ROTATION_DEG:
        return
    if outcome.best_seen is None or quality.score(pair, settled) > quality.score(
        pair, outcome.best_seen
    ):
        outcome.best_seen = settled


def _best_score(outcome: Outcome) -> float:
    return max((a["score_after"] or 1.0 for a in outcome.attempts), default=1.0)


def describe(pair: Pair, transform: sitk.Transform) -> dict[str, Any]:
    """A transform in plain JSON: score, movement, and the 4x4 matrix in LPS mm."""
    matrix, offset = matrix_and_offset(transform)
    return {
        "score": round(quality.score(pair, transform), 4),
        "overlap": round(quality.overlap(pair, transform), 3),
        "rotation_deg": round(rotation_deg(transform), 2),
        "shift_mm": round(quality.shift_mm(pair, transform), 2),
        "matrix": [*np.column_stack([matrix, offset]).tolist(), [0.0, 0.0, 0.0, 1.0]],
    }


def rounded(value: float, digits: int) -> float | None:
    """The value rounded, or None where JSON has no word for it."""
    return round(value, digits) if math.isfinite(value) else None


def _since(began: float) -> float:
    return round(time.monotonic() - began, 2)
