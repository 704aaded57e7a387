"""Regions where the networks are uncertain, for a reader to look at first.

The map of disagreement (entropy) need not stay in the scene: its regions are remembered
with the segmentation, in the segmentation's own coordinates.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import SimpleITK as sitk

from BrainTumorSegLib.core.masks import Box, bounding_box
from BrainTumorSegLib.core.volumes import DOUBTFUL_ENTROPY

from ..host.translation import tr as _
from .geometry import transformToWorld
from .volumes import imageFromNode

#: Attribute of a segmentation that keeps its uncertain regions.
REGIONS = "BrainTumorSeg.DoubtfulRegions"

#: Reference role by which a segmentation knows its map of disagreement.
DISAGREEMENT_ROLE = "BrainTumorSeg.Disagreement"

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
    """

    center: tuple[float, float, float]
    volumeMl: float
    meanEntropy: float
    maxEntropy: float


def findRegions(
    entropy: sitk.Image, threshold: float = DOUBTFUL_ENTROPY, minimumMl: float = MINIMUM_ML
) -> list[UncertainRegion]:
    """The uncertain regions of a map, largest first.

    Regions form around voxels whose neighbourhood on average exceeds the threshold; those
    that share a face are connected. Uncertain voxels close by belong to them.

    Args:
        entropy: 3D map in LPS, zero outside the brain.
        threshold: entropy above which a voxel counts as uncertain.
        minimumMl: smaller regions are left out.

    Returns:
        Regions with their centres in RAS, in the coordinates of the map.
    """
    uncertain = _uncertainPart(entropy, threshold)
    if uncertain is None:
        return []
    regions = _regions(uncertain, threshold)
    statistics = sitk.LabelIntensityStatisticsImageFilter()
    statistics.Execute(regions, uncertain)
    labels = sorted(statistics.GetLabels(), key=statistics.GetPhysicalSize, reverse=True)
    focus = sitk.LabelIntensityStatisticsImageFilter()
    focus.Execute(regions, _smoothed(uncertain, _FOCUS_MM))
    found = []
    for label in labels[:MAXIMUM_COUNT]:
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
            )
        )
    return found


def rememberRegions(segmentationNode: Any, entropy: sitk.Image) -> None:
    """Keep the uncertain regions with a segmentation.

    Args:
        entropy: map of disagreement in the segmentation's own coordinates (LPS).
    """
    regions = [_rounded(region) for region in findRegions(entropy)]
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


def jumpTo(region: UncertainRegion) -> None:
    """Show a region in the middle of all slice views, and put the crosshair there."""
    import slicer

    slicer.vtkMRMLSliceNode.JumpAllSlices(
        slicer.mrmlScene, *region.center, slicer.vtkMRMLSliceNode.CenteredJumpSlice
    )
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is not None:
        crosshair.SetCrosshairRAS(*region.center)


class RegionNavigator:
    """A walk through the uncertain regions of one segmentation.

    The regions are looked up at every step: a transform may have moved them meanwhile.

    Attributes:
        count: how many regions there are.
        position: which one was shown last, from 1; 0 before the first.
    """

    def __init__(self, segmentationNode: Any) -> None:
        self.segmentationNode = segmentationNode
        self.count = len(_localRegions(segmentationNode))
        self.position = 0

    def next(self) -> UncertainRegion | None:
        """Go to the next region, after the last to the first again; None when there is none."""
        return self._step(1)

    def previous(self) -> UncertainRegion | None:
        """Go back to the region before, from the first to the last."""
        return self._step(-1)

    @property
    def text(self) -> str:
        """Where the walk is, for example *3 of 7, 0.4 mL*."""
        regions = uncertainRegions(self.segmentationNode)
        if not regions:
            if hasUncertainRegions(self.segmentationNode):
                return _("No doubtful region.")
            return _("Nothing is known about doubtful regions of this segmentation.")
        if not 0 < self.position <= len(regions):
            return _countText(regions)
        region = regions[self.position - 1]
        return _("{position} of {count}, {volume} mL").format(
            position=self.position, count=len(regions), volume=_volumeText(region.volumeMl)
        )

    def _step(self, by: int) -> UncertainRegion | None:
        regions = uncertainRegions(self.segmentationNode)
        self.count = len(regions)
        if not regions:
            self.position = 0
            return None
        before = self.position - 1 if self.position or by > 0 else 0
        self.position = (before + by) % len(regions) + 1
        region = regions[self.position - 1]
        jumpTo(region)
        return region


def _countText(regions: Sequence[UncertainRegion]) -> str:
    total = _volumeText(sum(region.volumeMl for region in regions))
    if len(regions) == 1:
        return _("1 doubtful region, {volume} mL").format(volume=total)
    return _("{count} doubtful regions, {volume} mL").format(count=len(regions), volume=total)


def _volumeText(millilitres: float) -> str:
    return f"{millilitres:.1f}" if millilitres >= 0.1 else f"{millilitres:.2f}"


def _map(segmentationNode: Any) -> Any:
    node = segmentationNode.GetNodeReference(DISAGREEMENT_ROLE)
    return node if node is not None and node.GetImageData() is not None else None


def _localRegions(segmentationNode: Any) -> list[UncertainRegion]:
    stored = segmentationNode.GetAttribute(REGIONS)
    if not stored:
        node = _map(segmentationNode)
        if node is None:
            return []
        rememberRegions(segmentationNode, imageFromNode(node, segmentationNode))
        stored = segmentationNode.GetAttribute(REGIONS)
    regions = json.loads(stored)
    # Scenes are saved with the spelling of 0.1.
    return [UncertainRegion(center=tuple(r.pop("centre")), **r) for r in regions]


def _rounded(region: UncertainRegion) -> dict[str, Any]:
    """As JSON, to a hundredth of a millimetre and a microlitre."""
    values = asdict(region)
    values["centre"] = [round(x, 2) for x in values.pop("center")]
    for key in ("volumeMl", "meanEntropy", "maxEntropy"):
        values[key] = round(values[key], 3)
    return values


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
