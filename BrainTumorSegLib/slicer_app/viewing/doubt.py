"""A walk through the regions where the networks were uncertain, each marked in the views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import SimpleITK as sitk

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.core.volumes import volume_title

from ..host.translation import told
from ..host.translation import tr as _
from ..scene import provenance
from ..scene.scene import SceneEdit, nodesOfClass, removeWithParts
from ..scene.segments import BINARY_LABELMAP, labelLayer
from ..scene.uncertainty import (
    UncertainRegion,
    hasUncertainRegions,
    regionMask,
    uncertainRegions,
)
from .display import centerViews
from .meanwhile import recalled, remember

#: Color of the mark (RGB, 0..1): unlike every tissue's.
MARK_COLOR = (1.0, 0.2, 1.0)

#: Width of its line in pixels.
_LINE_WIDTH = 2

_ROLE = "DoubtMark"

#: On the crosshair while a region is marked: how it was before.
_BEFORE = provenance.PREFIX + "CrosshairBefore"


def markRegion(segmentationNode: Any, number: int) -> UncertainRegion | None:
    """Move all slices to an uncertain region, outline it and put the crosshair there.

    The outline is never saved; without the map of disagreement there is none.

    Args:
        number: from 1, as `uncertainRegions` orders them.

    Returns:
        The region; None when there is no such one.
    """
    regions = uncertainRegions(segmentationNode)
    if not 0 < number <= len(regions):
        return None
    scene, region = segmentationNode.GetScene(), regions[number - 1]
    _removeOutline(scene)
    mask = regionMask(segmentationNode, number)
    if mask is not None:
        _outline(segmentationNode, mask)
    for crosshair in nodesOfClass(scene, "vtkMRMLCrosshairNode"):
        before = {"mode": crosshair.GetCrosshairMode(), "color": crosshair.GetCrosshairColor()}
        remember(crosshair, _BEFORE, before)
        crosshair.SetCrosshairColor(*MARK_COLOR)
        crosshair.SetCrosshairMode(crosshair.ShowSmallBasic)
    centerViews(scene, region.center)
    return region


def removeMark(scene: Any | None = None) -> None:
    """Take the mark away, and show the crosshair as before."""
    import slicer

    scene = scene if scene is not None else slicer.mrmlScene
    _removeOutline(scene)
    for crosshair, before in recalled(scene, "vtkMRMLCrosshairNode", _BEFORE):
        crosshair.SetCrosshairColor(*before["color"])
        crosshair.SetCrosshairMode(before["mode"])


def _outline(segmentationNode: Any, mask: sitk.Image) -> None:
    import slicer

    with SceneEdit(segmentationNode.GetScene()) as edit:
        name = _("Doubtful region of {name}").format(name=segmentationNode.GetName())
        node = edit.add(
            "vtkMRMLSegmentationNode", name, hidden=True, attributes={provenance.ROLE: _ROLE}
        )
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        for part in (node, display):
            part.SetSaveWithScene(False)
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.SetColor(*MARK_COLOR)
        segment.SetLabelValue(1)
        segment.AddRepresentation(BINARY_LABELMAP, labelLayer(mask))
        node.GetSegmentation().SetSourceRepresentationName(BINARY_LABELMAP)
        node.GetSegmentation().AddSegment(segment, "doubt")
        node.SetAndObserveTransformNodeID(segmentationNode.GetTransformNodeID())
        display.SetVisibility2DFill(False)
        display.SetVisibility2DOutline(True)
        display.SetVisibility3D(False)
        display.SetSliceIntersectionThickness(_LINE_WIDTH)


def _removeOutline(scene: Any) -> None:
    for node in nodesOfClass(scene, "vtkMRMLSegmentationNode"):
        if node.GetAttribute(provenance.ROLE) == _ROLE:
            removeWithParts(node)


class RegionNavigator:
    """A walk through the uncertain regions of one segmentation.

    The regions are looked up at every step: a transform may have moved them meanwhile.

    Attributes:
        count: how many regions there are.
        position: which one was shown last, from 1; 0 before the first.
    """

    def __init__(self, segmentationNode: Any) -> None:
        self.segmentationNode = segmentationNode
        self.count = len(uncertainRegions(segmentationNode))
        self.position = 0

    def next(self) -> UncertainRegion | None:
        """Go to the next region, after the last to the first again; None when there is none."""
        return self._step(1)

    def previous(self) -> UncertainRegion | None:
        """Go back to the region before, from the first to the last."""
        return self._step(-1)

    def end(self) -> None:
        """Take the mark away; the next step is to the first region again."""
        removeMark(self.segmentationNode.GetScene())
        self.position = 0

    @property
    def text(self) -> str:
        """Where the walk is, what is doubtful there and by how much, in two lines."""
        regions = uncertainRegions(self.segmentationNode)
        if not regions:
            if hasUncertainRegions(self.segmentationNode):
                return _("No doubtful region.")
            return _("Nothing is known about doubtful regions of this segmentation.")
        if not 0 < self.position <= len(regions):
            return _countText(regions)
        region = regions[self.position - 1]
        where = _(
            "{position} of {count}: {volume} mL, doubt {mean} % on average, {highest} % at most."
        ).format(
            position=self.position,
            count=len(regions),
            volume=_volumeText(region.volumeMl),
            mean=round(100 * region.meanEntropy),
            highest=round(100 * region.maxEntropy),
        )
        what = _tissuesText(region)
        return f"{where}\n{what}" if what else where

    def _step(self, by: int) -> UncertainRegion | None:
        self.count = len(uncertainRegions(self.segmentationNode))
        if not self.count:
            self.position = 0
            return None
        before = self.position - 1 if self.position or by > 0 else 0
        self.position = (before + by) % self.count + 1
        return markRegion(self.segmentationNode, self.position)


def _tissuesText(region: UncertainRegion) -> str:
    """What the networks decided on in a region, the most first; rims of a voxel left out."""
    parts = []
    for key, volume in region.tissuesMl.items():
        if volume >= 0.05 * region.volumeMl:
            title = _("no tumour") if key == Tissue.BACKGROUND.key else told(volume_title(key))
            part = _("{tissue} {volume} mL")
            parts.append(part.format(tissue=title, volume=_volumeText(volume)))
    if not parts:
        return ""
    return _("The networks wavered and decided on: {tissues}.").format(tissues=", ".join(parts))


def _countText(regions: Sequence[UncertainRegion]) -> str:
    total = _volumeText(sum(region.volumeMl for region in regions))
    if len(regions) == 1:
        return _("1 doubtful region, {volume} mL").format(volume=total)
    return _("{count} doubtful regions, {volume} mL").format(count=len(regions), volume=total)


def _volumeText(millilitres: float) -> str:
    return f"{millilitres:.1f}" if millilitres >= 0.1 else f"{millilitres:.2f}"
