"""Regions in dispute between readings of a case, and settling them one after the other.

Label maps are values of `Tissue`, ``[slice, row, column]``, on one grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.measurement.lesions import Lesion, find_lesions

#: The choice of labels that are none of the readings.
EDITED = "edited"


@dataclass(frozen=True)
class Disputes:
    """Where readings differ.

    Attributes:
        readings: labels by letter of the reader; of what nobody has decided the first one's stay.
        numbers: of the regions, of the shape of the readings; 0 where all agree.
        regions: from the largest to the smallest, numbered from 1 in this order.
    """

    readings: Mapping[str, np.ndarray]
    numbers: np.ndarray
    regions: tuple[Lesion, ...]


def find_disputes(readings: Mapping[str, np.ndarray], spacing: SequenceOf[float]) -> Disputes:
    """Connected parts (26 neighbors) of all voxels that not all readings give the same tissue.

    Args:
        readings: labels by letter of the reader; a single one is in no dispute.
        spacing: mm between slices, rows, columns.

    Raises:
        InputError: when they have different shapes.
    """
    first, *others = readings.values()
    differs = np.zeros(first.shape, np.uint8)
    for other in others:
        _check_shapes(first, other)
        differs |= first != other
    numbers, regions = find_lesions(differs, spacing)
    return Disputes(readings, numbers, tuple(regions))


def settle(
    disputes: Disputes, choices: Mapping[int, str], edited: np.ndarray | None = None
) -> np.ndarray:
    """The labels after some or all regions were decided; nothing else is touched.

    Args:
        disputes: from `find_disputes`.
        choices: by number of the region, the letter of a reader or `EDITED`.
        edited: labels for regions that are as in none of the readings; only what lies in these
            regions is taken.

    Raises:
        InputError: when a region or a reading does not exist, or an edited one has no labels or
            other ones than tissues.
    """
    first = next(iter(disputes.readings.values()))
    merged = first.copy()
    for number, choice in choices.items():
        region = _region(disputes, number)
        source = _source(disputes, choice, edited)
        where = disputes.numbers[region.box] == number
        merged[region.box][where] = source[region.box][where]
    return merged


def outside_of(edited: np.ndarray, before: np.ndarray, disputes: Disputes, number: int) -> int:
    """How many voxels an edit has changed outside of the region that it was meant for."""
    _check_shapes(before, edited)
    return int(((edited != before) & (disputes.numbers != number)).sum())


def _region(disputes: Disputes, number: int) -> Lesion:
    if not 1 <= number <= len(disputes.regions):
        raise InputError(
            f"There is no region {number} in dispute.",
            f"Choose one of 1 to {len(disputes.regions)}.",
        )
    return disputes.regions[number - 1]


def _source(disputes: Disputes, choice: str, edited: np.ndarray | None) -> np.ndarray:
    if choice in disputes.readings:
        return disputes.readings[choice]
    if choice != EDITED:
        raise InputError(
            f"There is no reading {choice!r} of this case.",
            f"Choose one of {', '.join((*disputes.readings, EDITED))}.",
        )
    if edited is None:
        raise InputError(
            "A region is to be edited, but there are no edited labels.", "Give the labels."
        )
    _check_shapes(next(iter(disputes.readings.values())), edited)
    if edited.min() < 0 or edited.max() > max(Tissue):
        raise InputError(
            f"The edited labels hold {edited.max()}, which is no tissue.",
            f"Use labels from 0 to {int(max(Tissue))}.",
        )
    return edited


def _check_shapes(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape:
        raise InputError(
            f"The two readings have {first.shape} and {second.shape} voxels.",
            "Compare readings on the grid of one scan.",
        )
