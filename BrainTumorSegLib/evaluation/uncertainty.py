"""How sure a mean over cases is, and whether two arms differ: bootstrap and Wilcoxon.

Cases are what is resampled, never voxels or slices: they are what was drawn from the
population. The same resamples serve all arms, so that differences stay paired.
"""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

#: Number of resamples, their seed, and the level of the intervals.
RESAMPLES, SEED, LEVEL = 10_000, 0, 0.95

#: With fewer pairs no exact test reaches 0.05 (2 / 2^n, all differences of one sign), but any
#: two that agree would give the bootstrap's smallest p.
FEWEST_PAIRS = 6


@dataclass(frozen=True)
class Estimate:
    """A mean over cases and its bootstrap interval (percentile method, Efron 1979).

    Attributes:
        value: mean over the cases.
        low, high: bounds of the interval of `LEVEL`; NaN with fewer than two cases.
        cases: how many were averaged.
    """

    value: float
    low: float
    high: float
    cases: int


@dataclass(frozen=True)
class Comparison:
    """Paired difference of two arms in one measure, second less first.

    Attributes:
        difference: mean over the cases that both arms have, with its interval.
        bootstrap_p: two-sided: twice the smaller share of resampled differences on either
            side of zero, at least one in the number of resamples; NaN with fewer than
            `FEWEST_PAIRS` cases.
        wilcoxon_p: two-sided Wilcoxon signed-rank test. Zero differences are ranked and
            then left out (Pratt 1959); 1 when all are zero.
        zeros: number of zero differences.
    """

    difference: Estimate
    bootstrap_p: float
    wilcoxon_p: float
    zeros: int


@lru_cache(maxsize=16)
def resampled_cases(cases: int, seed: int = SEED, resamples: int = RESAMPLES) -> np.ndarray:
    """Numbers of cases drawn with replacement, ``[resample, case]``; read-only."""
    drawn = np.random.default_rng(seed).integers(cases, size=(resamples, cases))
    drawn.setflags(write=False)
    return drawn


def mean_estimate(values: SequenceOf[float], seed: int = SEED) -> Estimate:
    """Mean over cases with its bootstrap interval; NaN without any case."""
    known = np.asarray(values, float)
    if not len(known):
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    return _estimate(float(known.mean()), _means(known, seed), len(known))


def pooled_estimate(counts: SequenceOf[tuple[int, int, int]], seed: int = SEED) -> Estimate:
    """One Dice over the voxels of all cases, with a bootstrap interval over the cases.

    Args:
        counts: for each case the voxels that both share, predicted, of the truth.
    """
    table = np.asarray(counts, float).reshape(-1, 3)
    if not table[:, 1:].any():
        return Estimate(float("nan"), float("nan"), float("nan"), len(table))
    sums = table[resampled_cases(len(table), seed)].sum(axis=1)
    return _estimate(float(_dice(table.sum(axis=0))), _dice(sums), len(table))


def compare(first: SequenceOf[float], second: SequenceOf[float], seed: int = SEED) -> Comparison:
    """Test whether two arms differ on the same cases.

    Args:
        first: one value a case.
        second: values of the other arm in the same order.
    """
    from scipy.stats import wilcoxon

    differences = np.asarray(second, float) - np.asarray(first, float)
    # What is equal but for rounding is no difference, and no rank.
    differences[np.abs(differences) < 1e-12] = 0.0
    difference = mean_estimate(differences, seed)
    zeros = int((differences == 0).sum())
    if not len(differences):
        return Comparison(difference, float("nan"), float("nan"), 0)
    if zeros == len(differences):
        return Comparison(difference, 1.0, 1.0, zeros)
    return Comparison(
        difference,
        bootstrap_p=_bootstrap_p(differences, seed),
        wilcoxon_p=float(wilcoxon(differences, zero_method="pratt").pvalue),
        zeros=zeros,
    )


def _bootstrap_p(differences: np.ndarray, seed: int) -> float:
    if len(differences) < FEWEST_PAIRS:
        return float("nan")
    means = _means(differences, seed)
    side = min(float((means <= 0).mean()), float((means >= 0).mean()))
    return min(1.0, max(2 * side, 1 / len(means)))


def _means(values: np.ndarray, seed: int) -> np.ndarray:
    return values[resampled_cases(len(values), seed)].mean(axis=1)


def _dice(counts: np.ndarray) -> np.ndarray:
    """Dice of counts ``[..., (both, predicted, truth)]``; 1 where nothing was to find or found."""
    total = counts[..., 1] + counts[..., 2]
    return np.where(total > 0, 2 * counts[..., 0] / np.maximum(total, 1), 1.0)


def _estimate(value: float, resampled: np.ndarray, cases: int) -> Estimate:
    if cases < 2:
        return Estimate(value, float("nan"), float("nan"), cases)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high), cases)
