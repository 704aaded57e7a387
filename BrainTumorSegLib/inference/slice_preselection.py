"""Where the whole ensemble looks after its first member had one look everywhere.

Only whole slices are left out: the networks weigh their channels by means over the slice, and
labels change with what else is shown (Testing/Benchmark/cascade.md has the figures).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.options import SlicePreselection

CASCADES = tuple(SlicePreselection)


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


def choose_preselection(wish: str, advised: bool) -> Preselection | None:
    """The cascade to use, None for none; ``auto`` follows the pack's advice.

    Raises:
        InputError: for an unknown wish.
    """
    if wish not in CASCADES:
        raise InputError(f"Unknown cascade {wish!r}.", f"Choose one of {', '.join(CASCADES)}.")
    return Preselection() if wish == "on" or (wish == "auto" and advised) else None


def near_tumor(highest: np.ndarray, cascade: Preselection) -> np.ndarray:
    """Which slices are near tumour.

    Args:
        highest: the highest probability of tumour in each slice of the volume, in order.

    Returns:
        Booleans, one a slice.
    """
    shows = highest > cascade.threshold
    counted = np.convolve(shows, np.ones(2 * cascade.reach + 1), mode="full")
    return counted[cascade.reach : cascade.reach + len(highest)] > 0
