"""Moving label maps between grids without changing a voxel where that is possible."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError

#: Largest distance, in voxels, at which two grids still count as one lattice.
LATTICE_TOLERANCE = 0.01


def place_on_grid(labels: sitk.Image, grid: sitk.Image, source: str) -> sitk.Image:
    """Put labels onto another grid: voxel by voxel on the same lattice, else by nearest neighbour.

    Args:
        labels: 3D label image; 0 is background.
        grid: an image with the wanted size, spacing, origin and direction.
        source: the file the labels come from; used in messages.

    Returns:
        Image of the labels' pixel type on the grid.

    Raises:
        InputError: when labelled voxels lie outside the grid.
    """
    offset = lattice_offset(labels, grid)
    if offset is None:
        return _resampled(labels, grid, source)
    placed = np.zeros(grid.GetSize()[::-1], sitk.GetArrayViewFromImage(labels).dtype)
    values = sitk.GetArrayViewFromImage(labels)
    first = np.maximum(offset, 0)
    last = np.minimum(np.array(offset) + labels.GetSize(), grid.GetSize())
    inside = np.zeros(values.shape, bool)
    if (last > first).all():
        to_grid = tuple(slice(a, b) for a, b in zip(first[::-1], last[::-1], strict=True))
        shift = np.array(offset)[::-1]
        from_labels = tuple(
            slice(side.start - n, side.stop - n) for side, n in zip(to_grid, shift, strict=True)
        )
        placed[to_grid] = values[from_labels]
        inside[from_labels] = True
    lost = int(np.count_nonzero(values[~inside]))
    if lost:
        raise _outside(source, lost)
    result = sitk.GetImageFromArray(placed)
    result.CopyInformation(grid)
    return result


def lattice_offset(image: sitk.Image, grid: sitk.Image) -> tuple[int, int, int] | None:
    """Where the first voxel of ``image`` lies in ``grid``, as ``(x, y, z)`` index.

    None when the voxels of the two do not fall onto each other, all over the image.
    """
    size = np.array(image.GetSize())
    offset = np.round(_index_in(grid, image, np.zeros(3)))
    for bits in np.ndindex(2, 2, 2):
        corner = np.array(bits) * (size - 1)
        if np.abs(_index_in(grid, image, corner) - corner - offset).max() > LATTICE_TOLERANCE:
            return None
    x, y, z = (int(n) for n in offset)
    return x, y, z


def _index_in(grid: sitk.Image, image: sitk.Image, index: np.ndarray) -> np.ndarray:
    point = image.TransformContinuousIndexToPhysicalPoint(index.astype(float).tolist())
    return np.array(grid.TransformPhysicalPointToContinuousIndex(point))


def _resampled(labels: sitk.Image, grid: sitk.Image, source: str) -> sitk.Image:
    indices = np.argwhere(sitk.GetArrayViewFromImage(labels))[:, ::-1]
    axes = np.array(labels.GetDirection()).reshape(3, 3) * np.array(labels.GetSpacing())
    points = indices @ axes.T + np.array(labels.GetOrigin())
    grid_axes = np.array(grid.GetDirection()).reshape(3, 3) * np.array(grid.GetSpacing())
    found = (points - np.array(grid.GetOrigin())) @ np.linalg.inv(grid_axes).T
    outside = ((found < -0.5) | (found > np.array(grid.GetSize()) - 0.5)).any(axis=1)
    if outside.any():
        raise _outside(source, int(outside.sum()))
    return sitk.Resample(
        labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0, labels.GetPixelID()
    )


def _outside(source: str, count: int) -> InputError:
    return InputError(
        f"{count} labelled voxels of {source} lie outside the reference scan.",
        "Check that the segmentation belongs to this scan.",
    )
