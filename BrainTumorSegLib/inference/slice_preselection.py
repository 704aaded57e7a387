"""Which slices the whole ensemble predicts, after its first member has predicted all of them.

Only whole slices are left out: the networks weigh their channels by means over the slice, and
labels change with what else is shown (Testing/Benchmark/cascade.md has the figures).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.options import SlicePreselection

SLICE_PRESELECTIONS = tuple(SlicePreselection)


@dataclass(frozen=True)
class Preselection:
    """When a slice is near tumour.

    Attributes:
        threshold: a slice shows tumour where one of its pixels has a larger probability of any
            tumour tissue than this, as the first member says from the first view.
        reach: slices up to this far from one that shows tumour are near it, too.
    """

    threshold: float = 0.2
    reach: int = 2


def choose_preselection(requested: str, advised: bool) -> Preselection | None:
    """The preselection to use, None for none; ``auto`` follows the pack's advice.

    Raises:
        InputError: for an unknown request.
    """
    if requested not in SLICE_PRESELECTIONS:
        raise InputError(
            f"Unknown slice preselection {requested!r}.",
            f"Choose one of {', '.join(SLICE_PRESELECTIONS)}.",
        )
    return Preselection() if requested == "on" or (requested == "auto" and advised) else None


def near_tumor(highest: np.ndarray, preselection: Preselection) -> np.ndarray:
    """Which slices are near tumour.

    Args:
        highest: the highest probability of tumour in each slice of the volume, in order.

    Returns:
        Booleans, one a slice.
    """
    shows = highest > preselection.threshold
    counted = np.convolve(shows, np.ones(2 * preselection.reach + 1), mode="full")
    return counted[preselection.reach : preselection.reach + len(highest)] > 0
