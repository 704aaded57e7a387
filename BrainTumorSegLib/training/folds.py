"""Dividing cases into folds where nobody has done so."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf

import numpy as np


def make_folds(groups: SequenceOf[str], count: int, seed: int) -> list[int]:
    """A fold for each case, at random, so that every group is spread evenly.

    Args:
        groups: what each case looks like; equal words are one group.
        count: number of folds; with fewer cases each is a fold of its own.
        seed: of the division.

    Returns:
        Numbers from 0, in the order of the cases; sizes differ by one at most.
    """
    count = min(count, len(groups))
    rng = np.random.default_rng(seed)
    folds = [0] * len(groups)
    dealt = 0
    for group in sorted(set(groups)):
        members = [number for number, own in enumerate(groups) if own == group]
        for number in rng.permutation(members):
            folds[int(number)] = dealt % count
            dealt += 1
    return folds
