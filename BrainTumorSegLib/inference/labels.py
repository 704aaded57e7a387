"""Labels from class probabilities, decided from the whole tumour to its parts.

The most probable single class would be unfair to whatever is divided among several: where
edema has 0.4, necrosis 0.3 and non-enhancing tumour 0.3, the core (0.6) is more probable
than the edema. Volumes and scores are those of regions, so regions are what is decided.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from BrainTumorSegLib.core.tissue import Tissue


def decode_labels(probabilities: Iterable[np.ndarray]) -> np.ndarray:
    """Labels of voxels: tumour or not, then core or edema, then enhancing or not.

    Each step takes the more probable side: tumour above 0.5; core where its three tissues
    together are more probable than edema; enhancing tumour where it is more probable than
    the rest of the core; of that rest the more probable tissue.

    Args:
        probabilities: one array of any shape for each `Tissue`, in that order, that sum to 1
            in every voxel; taken one at a time, so that not all need be held.

    Returns:
        Values of `Tissue`, uint8, of the shape of one array.
    """
    tissues = iter(probabilities)
    tumor = next(tissues) < 0.5
    necrosis, edema, non_enhancing = (next(tissues) for _ in range(3))
    labels = np.where(non_enhancing > necrosis, Tissue.NON_ENHANCING, Tissue.NECROSIS)
    labels = labels.astype(np.uint8)
    rest = necrosis + non_enhancing
    del necrosis, non_enhancing
    enhancing = next(tissues)
    labels[enhancing > rest] = Tissue.ENHANCING
    labels[enhancing + rest < edema] = Tissue.EDEMA
    labels[~tumor] = Tissue.BACKGROUND
    return labels


def decode_slices(probabilities: np.ndarray) -> np.ndarray:
    """Labels ``[slice, row, column]`` of what networks give: ``[slice, class, row, column]``."""
    return decode_labels(probabilities.swapaxes(0, 1))
