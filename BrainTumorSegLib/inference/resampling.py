"""From the networks' grid back to the reference: labels and maps.

Outside the brain everything is background, so that only the brain's box is computed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.masks import Box, mask_box, whole_box
from BrainTumorSegLib.preprocessing.model_grid import ModelGrid, restore

from .labels import decode_labels


def labels_on_reference(
    probabilities: np.ndarray,
    grid: ModelGrid,
    reference: sitk.Image,
    brain: sitk.Image,
    keep_probabilities: bool = False,
) -> tuple[sitk.Image, sitk.Image | None]:
    """Label of every voxel of the reference; background outside the brain.

    Args:
        probabilities: ``[class, slice, row, column]`` on the grid.
        grid: where they live.
        reference: where the labels shall live.
        brain: mask on the reference's grid, not empty.
        keep_probabilities: return them as well, on the reference's grid, a vector image.
    """
    box = whole_box(reference) if keep_probabilities else mask_box(brain)
    kept = []

    def carried() -> Iterator[np.ndarray]:
        for values in restore(list(probabilities), grid, box.cut(reference)):
            if keep_probabilities:
                image = sitk.GetImageFromArray(values)
                image.CopyInformation(reference)
                kept.append(image)
            yield values

    labels = decode_labels(carried())
    return _inside(labels, box, brain), sitk.Compose(kept) if kept else None


def map_on_reference(
    values: np.ndarray, grid: ModelGrid, reference: sitk.Image, brain: sitk.Image
) -> sitk.Image:
    """A map ``[slice, row, column]`` carried to the reference; zero outside the brain."""
    box = mask_box(brain)
    resampled = sitk.Resample(
        grid.image(values),
        box.cut(reference),
        sitk.Transform(3, sitk.sitkIdentity),
        sitk.sitkLinear,
        0.0,
    )
    return _inside(sitk.GetArrayFromImage(resampled), box, brain)


def _inside(values: np.ndarray, box: Box, brain: sitk.Image) -> sitk.Image:
    """An image on the brain's grid of values in a box; zero outside the brain."""
    inside = sitk.GetArrayViewFromImage(brain)
    values[inside[box.slices] == 0] = 0
    whole = np.zeros(inside.shape, values.dtype)
    whole[box.slices] = values
    image = sitk.GetImageFromArray(whole)
    image.CopyInformation(brain)
    return image
