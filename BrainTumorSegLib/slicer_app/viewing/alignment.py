"""Checking the alignment: two scans faded into each other, or in squares like a chessboard.

The segmentation is out of the way meanwhile; a scene that is saved meanwhile has it shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.sequences import Sequence

from ..host.translation import tr as _
from ..scene import provenance
from ..scene.registered import registeredCopy
from ..scene.scene import SceneEdit, nodesOfClass, removeWithParts
from ..scene.volumes import imageFromNode, setVolume
from .meanwhile import recall, recalled, remember, unwatchSaving, watchSaving

#: On views and displays while alignment is checked: what was shown before, as JSON.
_BEFORE = provenance.PREFIX + "ShownBefore"

#: On the volume of squares.
_ROLE = "Checkerboard"

#: Side of a square in mm: some ten across a head.
SQUARE_MM = 20.0

#: Shades of the squares.
_WHITE = 255.0


@dataclass(frozen=True)
class AlignmentCheck:
    """What is being looked at.

    Attributes:
        segmentationNode: whose scans; it is hidden meanwhile.
        sequence: the scan that is laid over the reference.
        blend: 0 shows the reference alone, 1 the scan alone.
        squares: both in turn, in squares, instead of blended.
    """

    segmentationNode: Any
    sequence: Sequence
    blend: float
    squares: bool


def checkAlignment(
    segmentationNode: Any, sequence: Sequence | str, blend: float = 0.5, squares: bool = False
) -> None:
    """Compare the reference with a scan as it was aligned to it, in all slice views.

    The segmentation is out of the way meanwhile. `endAlignmentCheck` brings back what was
    shown before the first call.

    Args:
        sequence: the scan to lay over the reference.
        blend: 0 shows the reference alone, 1 the scan alone.
        squares: show both in turn, in squares of `SQUARE_MM`, instead of blending them.

    Raises:
        InputError: when the scan, the reference or the record is gone.
    """
    scene, sequence = segmentationNode.GetScene(), Sequence(sequence)
    copy = registeredCopy(segmentationNode, sequence)
    reference = provenance.inputScan(
        segmentationNode,
        Sequence(segmentationNode.GetAttribute(provenance.PREFIX + "Reference")),
    )
    running = alignmentCheck(scene)
    if running is not None and running.segmentationNode is not segmentationNode:
        endAlignmentCheck(scene)
    blend = min(max(float(blend), 0.0), 1.0)
    layers = (reference, copy, blend)
    if squares:
        layers = (_squares(segmentationNode, sequence, reference, copy), None, 0.0)
    segmentationNode.CreateDefaultDisplayNodes()
    display = segmentationNode.GetDisplayNode()
    before = recall(display, _BEFORE) or {"visible": bool(display.GetVisibility())}
    now = {"sequence": sequence.value, "blend": blend, "squares": squares}
    remember(display, _BEFORE, {**before, **now})
    display.SetVisibility(False)
    for composite in nodesOfClass(scene, "vtkMRMLSliceCompositeNode"):
        remember(composite, _BEFORE, layersOf(composite))
        composite.SetCompositing(composite.Alpha)
        setLayers(composite, *layers)
    if not squares:
        _removeSquares(scene)
    _watch(scene)


def alignmentCheck(scene: Any | None = None) -> AlignmentCheck | None:
    """What is being checked now, as the views show it; None when nothing is."""
    import slicer

    scene = scene if scene is not None else slicer.mrmlScene
    for display in nodesOfClass(scene, "vtkMRMLSegmentationDisplayNode"):
        node, text = display.GetDisplayableNode(), display.GetAttribute(_BEFORE)
        now = json.loads(text) if text else None
        if node is None or not isinstance(now, dict) or "sequence" not in now:
            continue
        blend = now["blend"]
        if not now["squares"]:
            for composite in nodesOfClass(scene, "vtkMRMLSliceCompositeNode"):
                blend = composite.GetForegroundOpacity()
        return AlignmentCheck(node, Sequence(now["sequence"]), blend, now["squares"])
    return None


def endAlignmentCheck(scene: Any | None = None) -> bool:
    """Show again what was shown before alignment was checked; whether it was being checked."""
    import slicer

    scene = scene if scene is not None else slicer.mrmlScene
    unwatchSaving(_BEFORE)
    ended = _restore(scene)
    _removeSquares(scene)
    return ended


def layersOf(composite: Any) -> dict[str, Any]:
    """What a slice view shows, for `restoreLayers`."""
    return {
        "background": composite.GetBackgroundVolumeID(),
        "foreground": composite.GetForegroundVolumeID(),
        "opacity": composite.GetForegroundOpacity(),
        "compositing": composite.GetCompositing(),
    }


def setLayers(composite: Any, background: Any, foreground: Any | None, opacity: float) -> None:
    """Show a scan, and another one over it."""
    composite.SetBackgroundVolumeID(background.GetID())
    composite.SetForegroundVolumeID(foreground.GetID() if foreground is not None else None)
    composite.SetForegroundOpacity(opacity)


def restoreLayers(composite: Any, layers: dict[str, Any]) -> None:
    """Show again what was shown; what was deleted meanwhile cannot be."""
    scene = composite.GetScene()
    there = {name: layers[name] for name in ("background", "foreground")}
    there = {n: i if i and scene.GetNodeByID(i) else None for n, i in there.items()}
    composite.SetBackgroundVolumeID(there["background"])
    composite.SetForegroundVolumeID(there["foreground"])
    composite.SetForegroundOpacity(layers["opacity"])
    composite.SetCompositing(layers["compositing"])


def _watch(scene: Any) -> None:
    """Have a scene that is saved meanwhile hold what was shown before."""
    held: list[AlignmentCheck | None] = []

    def suspend() -> None:
        held.append(alignmentCheck(scene))
        _restore(scene)

    def resume() -> None:
        for check in filter(None, held):
            if check.segmentationNode.GetScene() is scene:
                checkAlignment(check.segmentationNode, check.sequence, check.blend, check.squares)

    unwatchSaving(_BEFORE)
    watchSaving(scene, _BEFORE, suspend, resume)


def _restore(scene: Any) -> bool:
    """Without adding or removing a node."""
    ended = False
    for display, before in recalled(scene, "vtkMRMLSegmentationDisplayNode", _BEFORE):
        display.SetVisibility(before["visible"])
        ended = True
    for composite, before in recalled(scene, "vtkMRMLSliceCompositeNode", _BEFORE):
        restoreLayers(composite, before)
        ended = True
    return ended


def _squares(segmentationNode: Any, sequence: Sequence, reference: Any, copy: Any) -> Any:
    """A volume, never saved, that shows reference and scan in turn as each is shown now."""
    first, second = imageFromNode(reference), imageFromNode(copy, reference)
    values = np.where(_chessboard(first), _shades(first, reference), _shades(second, copy))
    image = sitk.GetImageFromArray(np.round(values).astype(np.uint8))
    image.CopyInformation(first)
    scene = segmentationNode.GetScene()
    with SceneEdit(scene) as edit:
        node = next(iter(_squaresIn(scene)), None)
        title = _("{scan} and {reference} in squares")
        title = title.format(scan=copy.GetName(), reference=reference.GetName())
        if node is None:
            node = edit.add(
                "vtkMRMLScalarVolumeNode", title, hidden=True, attributes={provenance.ROLE: _ROLE}
            )
            node.CreateDefaultDisplayNodes()
            for part in (node, node.GetDisplayNode()):
                part.SetSaveWithScene(False)
        node.SetName(title)
        setVolume(node, image)
        node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0.0, _WHITE)
    return node


def _chessboard(image: sitk.Image) -> np.ndarray:
    """Boolean ``[slice, row, column]``, true in every other cube of `SQUARE_MM`."""
    sides = [max(1, round(SQUARE_MM / spacing)) for spacing in image.GetSpacing()[::-1]]
    axes = np.ogrid[tuple(slice(n) for n in image.GetSize()[::-1])]
    return sum(axis // side for axis, side in zip(axes, sides, strict=True)) % 2 == 0


def _shades(image: sitk.Image, node: Any) -> np.ndarray:
    """Grey values 0..255 ``[slice, row, column]`` as a volume's display gives them."""
    display = node.GetDisplayNode()
    low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    values = sitk.GetArrayViewFromImage(image).astype(np.float32)
    return np.clip((values - low) / max(high - low, 1e-6), 0.0, 1.0) * _WHITE


def _squaresIn(scene: Any) -> list[Any]:
    volumes = nodesOfClass(scene, "vtkMRMLScalarVolumeNode")
    return [node for node in volumes if node.GetAttribute(provenance.ROLE) == _ROLE]


def _removeSquares(scene: Any) -> None:
    for node in _squaresIn(scene):
        removeWithParts(node)
