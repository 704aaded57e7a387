"""How far two and more readers of the same cases agree in numbers and in classes."""

from __future__ import annotations

import math
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np

#: Level of the intervals, and what covers it in a normal distribution.
LEVEL, COVERING = 0.95, 1.96

#: With fewer cases an interval of the ICC spans nearly everything.
LEAST_CASES = 3


@dataclass(frozen=True)
class Reliability:
    """Intraclass correlation ICC(2,1); NaN where it is undefined.

    Attributes:
        value: the share of all variance that is between cases.
        low, high: bounds of the interval of `LEVEL`; NaN with fewer than `LEAST_CASES` cases.
        cases: how many were read by all.
    """

    value: float
    low: float
    high: float
    cases: int


@dataclass(frozen=True)
class Limits:
    """Limits of agreement of two readers (Bland and Altman, Lancet 1986).

    Attributes:
        bias: mean of the differences, second less first.
        low, high: bias less and plus 1.96 standard deviations of the differences; NaN with
            fewer than two cases.
        cases: how many.
    """

    bias: float
    low: float
    high: float
    cases: int


def icc(ratings: SequenceOf[SequenceOf[float]] | np.ndarray) -> Reliability:
    """ICC(2,1): two-way random effects, absolute agreement, a single reader.

    The value is that of Shrout and Fleiss (Psychological Bulletin 1979), the interval that of
    McGraw and Wong (Psychological Methods 1996, table 7, ICC(A,1)).

    Args:
        ratings: ``[case, reader]``, without gaps.
    """
    table = np.asarray(ratings, float)
    cases, readers = table.shape if table.ndim == 2 else (len(table), 0)
    nothing = Reliability(math.nan, math.nan, math.nan, cases)
    if cases < 2 or readers < 2:
        return nothing
    mean = table.mean()
    of_cases, of_readers = table.mean(axis=1), table.mean(axis=0)
    between = readers * float(((of_cases - mean) ** 2).sum()) / (cases - 1)
    columns = cases * float(((of_readers - mean) ** 2).sum()) / (readers - 1)
    rest = table - of_cases[:, None] - of_readers[None, :] + mean
    error = float((rest**2).sum()) / ((cases - 1) * (readers - 1))
    total = between + (readers - 1) * error + readers * (columns - error) / cases
    # All volumes alike leave nothing that could agree or not.
    if total <= 1e-12 * max(1.0, mean**2):
        return nothing
    value = (between - error) / total
    if cases < LEAST_CASES:
        return Reliability(value, math.nan, math.nan, cases)
    low, high = _interval(value, between, columns, error, (cases, readers))
    return Reliability(value, low, high, cases)


def _interval(
    value: float, between: float, columns: float, error: float, shape: tuple[int, int]
) -> tuple[float, float]:
    """The interval of ICC(A,1) from the mean squares; exact agreement has no width."""
    from scipy.stats import f

    n, k = shape
    if value >= 1 - 1e-12:
        return 1.0, 1.0
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    squares = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    if squares == 0:
        return math.nan, math.nan
    freedom = (a * columns + b * error) ** 2 / squares
    tail = (1 - LEVEL) / 2
    lower, upper = f.isf(tail, n - 1, freedom), f.isf(tail, freedom, n - 1)
    spread = k * columns + (k * n - k - n) * error
    low = n * (between - lower * error) / (lower * spread + n * between)
    high = n * (upper * between - error) / (spread + n * upper * between)
    return float(low), float(high)


def limits_of_agreement(first: SequenceOf[float], second: SequenceOf[float]) -> Limits:
    """Bias and limits of agreement of two readers, given one value a case in one order."""
    differences = np.asarray(second, float) - np.asarray(first, float)
    cases = len(differences)
    if not cases:
        return Limits(math.nan, math.nan, math.nan, 0)
    bias = float(differences.mean())
    if cases < 2:
        return Limits(bias, math.nan, math.nan, cases)
    width = COVERING * float(differences.std(ddof=1))
    return Limits(bias, bias - width, bias + width, cases)


def cohen_kappa(first: np.ndarray, second: np.ndarray) -> float:
    """Cohen's kappa of two readers over classes (Educational and Psychological Measurement 1960).

    Args:
        first, second: whole numbers of one shape: the class that each reader gave.

    Returns:
        1 for full agreement, 0 for that of chance; NaN where both gave everything one class, so
        that chance alone agrees fully, and for nothing.
    """
    total = first.size
    if not total:
        return math.nan
    classes = int(max(first.max(), second.max())) + 1
    pairs = first.astype(np.int64).ravel() * classes + second.astype(np.int64).ravel()
    table = np.bincount(pairs, minlength=classes**2).reshape(classes, classes) / total
    chance = float((table.sum(axis=0) * table.sum(axis=1)).sum())
    if chance >= 1 - 1e-12:
        return math.nan
    return (float(np.trace(table)) - chance) / (1 - chance)
