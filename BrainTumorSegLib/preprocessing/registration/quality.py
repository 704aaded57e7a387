"""Did a registration work? Answered from the images alone, whatever engine made it.

An engine's exit code and its own cost say little: BRAINSFit exits 0 after running
out of iterations half way. So every transform is judged by normalised mutual
information over the head (Studholme, Hill and Hawkes, Pattern Recognition 1999,
equation 5), by whether that score has really reached its top, and by whether the
movement is one that a person in a scanner can make.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .head import Head, index_to_point
from .rigid import matrix_and_offset, rigid_from_matrix, rotation_deg

HISTOGRAM_BINS = 64
SAMPLE_POINTS = 30_000

#: Background around the head that is scored with it; its edge says much about position.
HEAD_MARGIN_MM = 6.0

#: Largest movement of a head between the scans of one sitting.
MOST_ROTATION_DEG, MOST_SHIFT_MM = 30.0, 60.0

#: Share of the smaller head that must lie inside the other one.
LEAST_OVERLAP = 0.8

#: Share of the reference's head that the moving scan must cover.
LEAST_COVERAGE = 0.4

#: Steps (mm, and degrees about the head's centre) of the search for a better place.
SEARCH_STEPS = (8.0, 4.0, 2.0, 1.0, 0.5)

#: Rounding and interpolation noise of the score.
SCORE_NOISE = 5e-4


@dataclass(frozen=True)
class Pair:
    """A reference and a moving head, ready to score transforms between them.

    Attributes:
        points: sample points in and around the reference's head, ``[n, 3]``, LPS mm.
        in_head: which of the points lie in the head itself, ``[n]``.
        fixed_bins: histogram bin of the reference at each point, ``[n]``.
        moving_values: the moving scan, ``[slice, row, column]``, scaled to 0..bins.
        moving: the moving head.
        fixed: the reference's head.
    """

    points: np.ndarray
    in_head: np.ndarray
    fixed_bins: np.ndarray
    moving_values: np.ndarray
    moving: Head
    fixed: Head


@dataclass(frozen=True)
class Verdict:
    """What became of one transform. ``problems`` is empty when it is a success.

    Attributes:
        score: normalised mutual information, 1 (nothing in common) to 2.
        overlap: share of the smaller head that lies inside the other one.
        rotation_deg, shift_mm: of the head about and with its own centre.
        unsettled_mm: mean distance over the head to the best place nearby.
        problems: each reason to refuse it, in words.
        settled: the best place nearby; None when the transform is no rigid one.
    """

    score: float
    overlap: float
    rotation_deg: float
    shift_mm: float
    unsettled_mm: float
    problems: tuple[str, ...]
    settled: sitk.VersorRigid3DTransform | None = None


def make_pair(fixed: Head, moving: Head, seed: int = 0) -> Pair:
    """Draw the sample points and prepare both scans for scoring."""
    around = _dilated(fixed.mask, HEAD_MARGIN_MM)
    points = _jittered_points(around, SAMPLE_POINTS, seed)
    values = _interpolate(
        sitk.GetArrayViewFromImage(fixed.image), to_index(fixed.image, points), np.nan
    )
    points, values = points[np.isfinite(values)], values[np.isfinite(values)]
    in_head = _inside(fixed.mask, points) > 0.5
    low, high = np.percentile(values, [0.1, 99.9])
    return Pair(
        points,
        in_head,
        np.clip(_scaled(values, low, high), 0, HISTOGRAM_BINS - 1).astype(np.int32),
        _moving_in_bins(moving),
        moving,
        fixed,
    )


def leave_out(pair: Pair, fixed: sitk.Image | None, moving: sitk.Image | None) -> Pair:
    """The same pair, scored only outside two masks: of what has changed between the scans.

    Args:
        fixed, moving: unsigned 8-bit masks, each in the place of its scan; None for nothing.
    """
    if fixed is not None:
        inside = _inside(fixed, pair.points)
        kept = ~(np.isfinite(inside) & (inside > 0.0))
        pair = replace(
            pair,
            points=pair.points[kept],
            in_head=pair.in_head[kept],
            fixed_bins=pair.fixed_bins[kept],
        )
    if moving is not None:
        covered = sitk.Resample(
            moving, pair.moving.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0
        )
        values = np.where(sitk.GetArrayViewFromImage(covered) > 0, np.nan, pair.moving_values)
        pair = replace(pair, moving_values=values)
    return pair


def score(pair: Pair, transform: sitk.Transform) -> float:
    """Normalised mutual information of the two scans over the reference's head.

    Only points inside the moving scan's field of view count; with fewer than
    `LEAST_COVERAGE` of them nothing can be said and the score is 1.
    """
    return _score(pair, *matrix_and_offset(transform))


def shift_mm(pair: Pair, transform: sitk.Transform) -> float:
    """How far the transform moves the centre of the reference's head, in mm."""
    moved = np.array(transform.TransformPoint(pair.fixed.center.tolist()))
    return float(np.linalg.norm(moved - pair.fixed.center))


def distance_mm(pair: Pair, first: sitk.Transform, second: sitk.Transform) -> float:
    """Mean distance in mm, over the head, between where two transforms put a point."""
    points = pair.points[pair.in_head]
    (a, s), (b, t) = matrix_and_offset(first), matrix_and_offset(second)
    return float(np.linalg.norm(points @ (a - b).T + (s - t), axis=1).mean())


def overlap(pair: Pair, transform: sitk.Transform) -> float:
    """Share of the smaller head that lies inside the other one, within both fields of view."""
    there = pair.points[pair.in_head]
    matrix, offset = matrix_and_offset(transform)
    forward = _inside(pair.moving.mask, there @ matrix.T + offset)
    back = mask_points(pair.moving.mask, 4000)
    backward = _inside(pair.fixed.mask, (back - offset) @ matrix)
    shares = [np.nanmean(x > 0.5) if x.size else 0.0 for x in map(_finite, (forward, backward))]
    return float(max(shares))


def settle(pair: Pair, transform: sitk.Transform) -> sitk.VersorRigid3DTransform:
    """Climb from the transform to the best-scoring place nearby (compass search).

    An optimum stays where it is; a registration that stopped half way moves on.
    """
    matrix, offset = matrix_and_offset(transform)
    center = pair.fixed.center
    best = _score(pair, matrix, offset)
    for step in SEARCH_STEPS:
        moved = True
        rounds = 0
        while moved and rounds < 12:
            moved, rounds = False, rounds + 1
            for turn, shift in _compass(step):
                trial = matrix @ turn
                trial_offset = matrix @ (center - turn @ center + shift) + offset
                value = _score(pair, trial, trial_offset)
                if value > best + SCORE_NOISE:
                    matrix, offset, best, moved = trial, trial_offset, value, True
    return rigid_from_matrix(matrix, offset, center)


def assess_registration(
    pair: Pair, transform: sitk.Transform, score_before: float, tolerance_mm: float
) -> Verdict:
    """Say whether the transform is a registration that can be relied on.

    Args:
        score_before: score of leaving the scan as it is.
        tolerance_mm: how far the best place nearby may be, see `settling_tolerance_mm`.
    """
    matrix, offset = matrix_and_offset(transform)
    if not (np.isfinite(matrix).all() and np.isfinite(offset).all()):
        nan = float("nan")
        return Verdict(1.0, 0.0, nan, nan, nan, ("the transform is not finite",))
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > 1e-4 or np.linalg.det(matrix) < 0:
        nan = float("nan")
        return Verdict(1.0, 0.0, nan, nan, nan, ("the transform is not rigid",))
    problems = []
    after, shared = _score(pair, matrix, offset), overlap(pair, transform)
    turned, shifted = rotation_deg(transform), shift_mm(pair, transform)
    if turned > MOST_ROTATION_DEG or shifted > MOST_SHIFT_MM:
        problems.append(
            f"{turned:.0f} degrees and {shifted:.0f} mm are not plausible within one sitting"
        )
    if after < score_before - SCORE_NOISE:
        problems.append(f"mutual information fell from {score_before:.4f} to {after:.4f}")
    if shared < LEAST_OVERLAP:
        problems.append(f"only {shared:.0%} of the heads overlap")
    settled = settle(pair, transform)
    unsettled = distance_mm(pair, transform, settled)
    if unsettled > tolerance_mm:
        problems.append(f"it stopped half way: a better place lies {unsettled:.1f} mm on")
    return Verdict(after, shared, turned, shifted, unsettled, tuple(problems), settled)


def settling_tolerance_mm(pair: Pair) -> float:
    """How far from the score's top a good registration may be: it is blunter on thick slices."""
    coarsest = max(*pair.fixed.image.GetSpacing(), *pair.moving.image.GetSpacing())
    return max(1.0, 0.4 * coarsest)


def mask_points(mask: sitk.Image, count: int, seed: int = 0) -> np.ndarray:
    """Points spread over the mask, ``[n, 3]`` in LPS mm."""
    return _jittered_points(mask, count, seed)


def to_index(image: sitk.Image, points: np.ndarray) -> np.ndarray:
    """Continuous ``[slice, row, column]`` indices of LPS points, ``[3, n]``."""
    matrix, origin = index_to_point(image)
    return (np.linalg.inv(matrix) @ (points - origin).T)[::-1]


def _score(pair: Pair, matrix: np.ndarray, offset: np.ndarray) -> float:
    indices = to_index(pair.moving.image, pair.points @ matrix.T + offset)
    moving = _interpolate(pair.moving_values, indices, np.nan)
    seen = np.isfinite(moving)
    if seen.mean() < LEAST_COVERAGE:
        return 1.0
    columns = np.minimum(moving[seen].astype(np.int32), HISTOGRAM_BINS - 1)
    joint = np.bincount(
        pair.fixed_bins[seen] * HISTOGRAM_BINS + columns, minlength=HISTOGRAM_BINS**2
    ).reshape(HISTOGRAM_BINS, HISTOGRAM_BINS)
    both = _entropy(joint.ravel())
    if both <= 0:
        return 1.0
    return (_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / both


def _entropy(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _compass(step: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Twelve small movements: to and fro along, and about, each axis."""
    angle = np.radians(step)
    moves = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            shift = np.zeros(3)
            shift[axis] = sign * step
            moves.append((np.eye(3), shift))
            first, second = (axis + 1) % 3, (axis + 2) % 3
            turn = np.eye(3)
            turn[first, first] = turn[second, second] = np.cos(angle)
            turn[first, second], turn[second, first] = (
                -sign * np.sin(angle),
                sign * np.sin(angle),
            )
            moves.append((turn, np.zeros(3)))
    return moves


def _moving_in_bins(moving: Head) -> np.ndarray:
    values = sitk.GetArrayFromImage(moving.image)
    points = mask_points(moving.mask, 10_000)
    inside = _finite(_interpolate(values, to_index(moving.image, points), np.nan))
    low, high = np.percentile(inside, [0.1, 99.9])
    # The background below the darkest tissue must keep a bin of its own.
    return np.clip(_scaled(values, min(low, float(values.min())), high), 0, HISTOGRAM_BINS)


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values - low) * (HISTOGRAM_BINS / max(high - low, 1e-6))


def _dilated(mask: sitk.Image, margin_mm: float) -> sitk.Image:
    return sitk.BinaryDilate(mask, [max(1, round(margin_mm / s)) for s in mask.GetSpacing()])


def _jittered_points(mask: sitk.Image, count: int, seed: int) -> np.ndarray:
    # Off-grid points: on the grid itself interpolation makes the score jump.
    random = np.random.default_rng(seed)
    indices = np.argwhere(sitk.GetArrayViewFromImage(mask))[:, ::-1]
    repeated = indices[np.sort(random.integers(0, len(indices), count))]
    matrix, origin = index_to_point(mask)
    return (repeated + random.uniform(-0.5, 0.5, repeated.shape)) @ matrix.T + origin


def _interpolate(values: np.ndarray, indices: np.ndarray, outside: float) -> np.ndarray:
    return ndimage.map_coordinates(values, indices, order=1, cval=outside, prefilter=False)


def _inside(mask: sitk.Image, points: np.ndarray) -> np.ndarray:
    values = sitk.GetArrayFromImage(mask).astype(np.float32)
    return _interpolate(values, to_index(mask, points), np.nan)


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]
