"""Regions where the networks are uncertain, for a reader to look at first; see `viewing.doubt`.

The map of disagreement (entropy) need not stay in the scene: its regions are remembered
with the segmentation, in the segmentation's own coordinates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.masks import Box, bounding_box
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.core.volumes import DOUBTFUL_ENTROPY

from . import provenance
from .geometry import transformToWorld
from .segments import labelImage
from .volumes import imageFromNode

#: Attribute of a segmentation that keeps its uncertain regions.
REGIONS = "BrainTumorSeg.DoubtfulRegions"

#: Regions smaller than this many mL are not worth a reader's time.
MINIMUM_ML = 0.1

#: Regions beyond this number are not remembered.
MAXIMUM_COUNT = 100

#: Standard deviation in mm of the weights by which a voxel's neighbourhood is judged. The
#: border between two tissues is always uncertain by a voxel; without this such rims join
#: everything into one region without a place to look at.
_NEIGHBORHOOD_MM = 1.0

#: ... and, wider, by which the place to look at is found inside a region.
_FOCUS_MM = 2.0

#: Voxels of margin around the uncertain ones, so that smoothing does not feel the edge.
_MARGIN = 4


@dataclass(frozen=True)
class UncertainRegion:
    """A connected region of high disagreement.

    Attributes:
        center: where to look, RAS in mm: the voxel of the region around which
            disagreement is highest, so that it is never outside a bent region.
        volumeMl: volume in mL.
        meanEntropy, maxEntropy: disagreement, 0..1.
        tissuesMl: what the networks decided on in it, mL by `Tissue.key`, the most first;
            empty where it is not known.
    """

    center: tuple[float, float, float]
    volumeMl: float
    meanEntropy: float
    maxEntropy: float
    tissuesMl: Mapping[str, float] = field(default_factory=dict)


def findRegions(
    entropy: sitk.Image,
    threshold: float = DOUBTFUL_ENTROPY,
    minimumMl: float = MINIMUM_ML,
    labels: sitk.Image | None = None,
) -> list[UncertainRegion]:
    """The uncertain regions of a map, largest first.

    Regions form around voxels whose neighbourhood on average exceeds the threshold; those
    that share a face are connected. Uncertain voxels close by belong to them.

    Args:
        entropy: 3D map in LPS, zero outside the brain.
        threshold: entropy above which a voxel counts as uncertain.
        minimumMl: smaller regions are left out.
        labels: what the networks decided on, values of `Tissue` on the same grid.

    Returns:
        Regions with their centres in RAS, in the coordinates of the map.
    """
    uncertain = _uncertainPart(entropy, threshold)
    if uncertain is None:
        return []
    regions = _regions(uncertain, threshold)
    statistics = sitk.LabelIntensityStatisticsImageFilter()
    statistics.Execute(regions, uncertain)
    order = sorted(statistics.GetLabels(), key=statistics.GetPhysicalSize, reverse=True)
    focus = sitk.LabelIntensityStatisticsImageFilter()
    focus.Execute(regions, _smoothed(uncertain, _FOCUS_MM))
    tissues = None if labels is None else _like(labels, regions)
    found = []
    for label in order[:MAXIMUM_COUNT]:
        millilitres = statistics.GetPhysicalSize(label) / 1000.0
        if millilitres < minimumMl:
            break
        x, y, z = regions.TransformIndexToPhysicalPoint(focus.GetMaximumIndex(label))
        found.append(
            UncertainRegion(
                center=(-x, -y, z),
                volumeMl=millilitres,
                meanEntropy=statistics.GetMean(label),
                maxEntropy=statistics.GetMaximum(label),
                tissuesMl={} if tissues is None else _tissuesMl(regions == label, tissues),
            )
        )
    return found


def rememberRegions(
    segmentationNode: Any, entropy: sitk.Image, labels: sitk.Image | None = None
) -> None:
    """Keep the uncertain regions with a segmentation.

    Args:
        entropy: map of disagreement in the segmentation's own coordinates (LPS).
        labels: what the networks decided on, values of `Tissue` on the same grid.
    """
    regions = [_rounded(region) for region in findRegions(entropy, labels=labels)]
    segmentationNode.SetAttribute(REGIONS, json.dumps(regions))


def hasUncertainRegions(segmentationNode: Any) -> bool:
    """Whether a segmentation knows where the networks were uncertain."""
    if segmentationNode is None:
        return False
    return bool(segmentationNode.GetAttribute(REGIONS)) or _map(segmentationNode) is not None


def uncertainRegions(segmentationNode: Any) -> list[UncertainRegion]:
    """The uncertain regions of a segmentation, largest first, where they are now.

    Returns:
        Regions with their centres in world coordinates (RAS), parent transforms applied.
        Empty when nothing is uncertain, or nothing is known (`hasUncertainRegions`).
    """
    toWorld = transformToWorld(segmentationNode)
    return [
        replace(region, center=tuple(toWorld.TransformPoint(region.center)))
        for region in _localRegions(segmentationNode)
    ]


def regionMask(segmentationNode: Any, number: int) -> sitk.Image | None:
    """The voxels of an uncertain region, 1 inside, in the segmentation's coordinates (LPS).

    Args:
        number: from 1, as `uncertainRegions` orders them.

    Returns:
        A part of the grid; None when the map of disagreement is no longer in the scene.
    """
    node = _map(segmentationNode)
    if node is None:
        return None
    uncertain = _uncertainPart(imageFromNode(node, segmentationNode), DOUBTFUL_ENTROPY)
    if uncertain is None:
        return None
    regions = _regions(uncertain, DOUBTFUL_ENTROPY)
    x, y, z = _localRegions(segmentationNode)[number - 1].center
    index = regions.TransformPhysicalPointToIndex((-x, -y, z))
    inside = all(0 <= n < size for n, size in zip(index, regions.GetSize(), strict=True))
    return regions == regions[index] if inside and regions[index] else None


def _map(segmentationNode: Any) -> Any:
    node = segmentationNode.GetNodeReference(provenance.DISAGREEMENT)
    return node if node is not None and node.GetImageData() is not None else None


def _localRegions(segmentationNode: Any) -> list[UncertainRegion]:
    regions = json.loads(segmentationNode.GetAttribute(REGIONS) or "null")
    node = _map(segmentationNode)
    # 0.1.0 did not remember the tissues.
    old = regions is not None and any("tissuesMl" not in region for region in regions)
    if node is not None and (regions is None or old):
        automatic = segmentationNode.GetNodeReference(provenance.AUTOMATIC)
        labels = labelImage(automatic or segmentationNode, node)
        rememberRegions(segmentationNode, imageFromNode(node, segmentationNode), labels)
        regions = json.loads(segmentationNode.GetAttribute(REGIONS))
    if regions is None:
        return []
    # Scenes are saved with the spelling of 0.1.
    return [UncertainRegion(center=tuple(r.pop("centre")), **r) for r in regions]


def _rounded(region: UncertainRegion) -> dict[str, Any]:
    """As JSON, to a hundredth of a millimetre and a microlitre."""
    values = asdict(region)
    values["centre"] = [round(x, 2) for x in values.pop("center")]
    for key in ("volumeMl", "meanEntropy", "maxEntropy"):
        values[key] = round(values[key], 3)
    values["tissuesMl"] = {key: round(ml, 3) for key, ml in region.tissuesMl.items()}
    return values


def _like(labels: sitk.Image, part: sitk.Image) -> np.ndarray:
    """The labels ``[slice, row, column]`` of a part of their grid."""
    start = labels.TransformPhysicalPointToIndex(part.GetOrigin())
    return sitk.GetArrayFromImage(sitk.RegionOfInterest(labels, part.GetSize(), start))


def _tissuesMl(region: sitk.Image, labels: np.ndarray) -> dict[str, float]:
    counts = np.bincount(labels[sitk.GetArrayViewFromImage(region) > 0], minlength=len(Tissue))
    voxelMl = float(np.prod(region.GetSpacing())) / 1000.0
    order = sorted((t for t in Tissue if counts[t]), key=lambda t: -counts[t])
    return {tissue.key: float(counts[tissue]) * voxelMl for tissue in order}


def _uncertainPart(entropy: sitk.Image, threshold: float) -> sitk.Image | None:
    """The map cut to its uncertain voxels and a margin; None when there are none.

    What is uncertain is a small part of a head, and smoothing the rest would take seconds.
    """
    box = bounding_box(sitk.GetArrayViewFromImage(entropy) > threshold, _MARGIN)
    return None if box is None else sitk.Cast(Box(box).cut(entropy), sitk.sitkFloat32)


def _regions(uncertain: sitk.Image, threshold: float) -> sitk.Image:
    """Numbered regions of uncertain voxels, without the thin rims that would join them."""
    above = uncertain > threshold
    core = sitk.And(above, _smoothed(uncertain, _NEIGHBORHOOD_MM) > threshold)
    numbered = sitk.Cast(sitk.ConnectedComponent(core, False), sitk.sitkUInt16)
    # As far as smoothing has eaten away from what was uncertain.
    reach = [round(1.5 * _NEIGHBORHOOD_MM / spacing) for spacing in uncertain.GetSpacing()]
    return sitk.Mask(sitk.GrayscaleDilate(numbered, reach, sitk.sitkBox), above)


def _smoothed(image: sitk.Image, sigma: float) -> sitk.Image:
    # Along an axis of less than four voxels the recursive filter cannot work.
    sigmas = [sigma] * 3
    if min(image.GetSize()) >= 4:
        return sitk.SmoothingRecursiveGaussian(image, sigmas)
    return sitk.DiscreteGaussian(image, [s * s for s in sigmas], useImageSpacing=True)
