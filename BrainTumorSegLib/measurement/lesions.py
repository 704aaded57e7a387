"""The separate lesions of a label map.

Arrays are ``[slice, row, column]``, spacings mm between slices, rows, columns.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue


@dataclass(frozen=True)
class Lesion:
    """One connected part of the chosen tissues.

    Attributes:
        number: its value in the array of numbers; 1 is the largest of a label map.
        voxels: how many it has.
        volume_mm3: their volume.
        center: its middle, as continuous index ``(slice, row, column)``; may lie outside of it.
        box: the smallest box around it, slices of the array.
    """

    number: int
    voxels: int
    volume_mm3: float
    center: tuple[float, float, float]
    box: tuple[slice, slice, slice]


def components(mask: np.ndarray) -> np.ndarray:
    """Numbered parts of a 3D mask that touch by face, edge or corner (26 neighbors); 0 outside."""
    numbers: np.ndarray = ndimage.label(mask, np.ones((3, 3, 3)))[0]
    return numbers


def find_lesions(
    labels: np.ndarray,
    spacing: SequenceOf[float],
    tissues: Collection[Tissue] = TUMOR_TISSUES,
    least_mm3: float = 0.0,
) -> tuple[np.ndarray, list[Lesion]]:
    """The lesions of a label map: connected parts (26 neighbors) of the chosen tissues.

    Args:
        labels: values of `Tissue`, ``[slice, row, column]``.
        spacing: mm between slices, rows, columns.
        tissues: what together makes a lesion.
        least_mm3: smaller parts are left out.

    Returns:
        Numbers of the lesions, of the shape of ``labels``, 0 outside; and the lesions from the
        largest to the smallest, numbered from 1 in this order. Of lesions of one size the one
        that comes first in the array has the lower number.
    """
    parts = components(np.isin(labels, [int(tissue) for tissue in tissues]))
    voxels = np.bincount(parts.ravel())
    voxels[0] = 0
    voxel_mm3 = float(np.prod(spacing))
    order = np.argsort(-voxels, kind="stable")
    kept = [int(part) for part in order if voxels[part] and voxels[part] * voxel_mm3 >= least_mm3]
    renumber = np.zeros(len(voxels), np.int32)
    renumber[kept] = np.arange(1, len(kept) + 1)
    numbers = renumber[parts]
    boxes = ndimage.find_objects(numbers)
    lesions = []
    for number, (part, box) in enumerate(zip(kept, boxes, strict=True), start=1):
        places = np.argwhere(numbers[box] == number).mean(axis=0)
        center = tuple(float(p + b.start) for p, b in zip(places, box, strict=True))
        lesions.append(
            Lesion(number, int(voxels[part]), float(voxels[part]) * voxel_mm3, center, box)
        )
    return numbers, lesions
