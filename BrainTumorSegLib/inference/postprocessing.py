"""Post-processing of a label map: what is too small, or too small and too far, is no lesion."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.options import MIN_LESION_MM3

#: Beside a larger lesion, a part below this share of its volume and further from it than this
#: (mm) is taken for a false finding: see Resources/Experiments/packs.md for how often it is one.
ISLAND_SHARE, ISLAND_MM = 0.05, 10.0


class DistantComponents(NamedTuple):
    """What `remove_distant_components` removed: how many parts, and their volume in mL."""

    removed: int
    ml: float

    def as_record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {"removed": self.removed, "ml": round(self.ml, 3)}


def remove_small_components(labels: sitk.Image, min_mm3: float = MIN_LESION_MM3) -> sitk.Image:
    """Remove connected tumour regions below a volume.

    All four tissues together form the regions, with 26 neighbours, so that no
    tissue of a larger lesion is touched.

    Args:
        labels: unsigned 8-bit label map.
        min_mm3: smallest volume that stays.

    Returns:
        A new image with the same geometry.
    """
    smallest = max(1, int(np.ceil(min_mm3 / _voxel_mm3(labels))))
    kept = sitk.RelabelComponent(_regions(labels), minimumObjectSize=smallest) > 0
    return sitk.Mask(labels, kept)


def remove_distant_components(
    labels: sitk.Image, share: float = ISLAND_SHARE, distance_mm: float = ISLAND_MM
) -> tuple[sitk.Image, DistantComponents]:
    """Remove connected tumour regions that are small beside the largest one and far from it.

    A lesion that is alone stays however small it is, and so do several of similar size.

    Args:
        labels: unsigned 8-bit label map.
        share: of the volume of the largest region; what has as much stays.
        distance_mm: between the centres of the nearest voxels; what is no further stays.

    Returns:
        A new image with the same geometry, or the one given where nothing was to be
        removed; and what was.
    """
    # Sorted by size: the largest is 1.
    regions = sitk.RelabelComponent(_regions(labels))
    sizes = np.bincount(sitk.GetArrayViewFromImage(regions).ravel())
    if len(sizes) <= 2:
        return labels, DistantComponents(0, 0.0)
    small = np.flatnonzero(sizes < share * sizes[1])
    if not small.size:
        return labels, DistantComponents(0, 0.0)
    distances = _distances_mm(regions)
    far = [int(number) for number in small if distances.GetMinimum(int(number)) > distance_mm]
    if not far:
        return labels, DistantComponents(0, 0.0)
    kept = sitk.ChangeLabel(regions, dict.fromkeys(far, 0)) > 0
    volume = float(sizes[far].sum()) * _voxel_mm3(labels) / 1000
    return sitk.Mask(labels, kept), DistantComponents(len(far), volume)


def _distances_mm(regions: sitk.Image) -> sitk.LabelStatisticsImageFilter:
    """Of every region's voxels to region 1."""
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(regions > 0)
    box = shape.GetBoundingBox(1)
    cut = sitk.RegionOfInterest(regions, box[3:], box[:3])
    distance = sitk.SignedMaurerDistanceMap(
        cut == 1, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    statistics = sitk.LabelStatisticsImageFilter()
    statistics.Execute(distance, cut)
    return statistics


def _regions(labels: sitk.Image) -> sitk.Image:
    return sitk.ConnectedComponent(labels > 0, True)


def _voxel_mm3(labels: sitk.Image) -> float:
    return float(np.prod(labels.GetSpacing()))
