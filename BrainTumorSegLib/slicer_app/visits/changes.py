"""What grew and shrank as a segmentation on the later scan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError

from ..host.translation import tr as _
from ..review.readings import referenceOf
from ..scene import provenance
from ..scene.scene import SceneEdit, nodesOfClass
from ..scene.segments import BINARY_LABELMAP, applyDisplayDefaults, labelLayer
from ..scene.volumes import setVolume
from .choosing import VisitChoice

#: Values of the maps, as ``follow-up`` writes them, and their colors (RGB, 0..1).
GREW, SHRANK = 1, 2
COLORS = {GREW: (0.88, 0.14, 0.14), SHRANK: (0.16, 0.43, 0.94)}

#: On the segmentation of changes: the record of the comparison.
ROLE = "FollowUp"
RECORD = provenance.PREFIX + "FollowUp"


def laterScan(
    scene: Any, visit: VisitChoice, folder: Path, record: Mapping[str, Any]
) -> Any | sitk.Image:
    """The scan of the last visit: its node, or for one on disk its image.

    Raises:
        InputError: when it has been removed from the scene meanwhile.
    """
    if visit.folder is not None:
        return sitk.ReadImage(str(folder / record["visits"][-1]["scan"]["source"]))
    node = referenceOf(visit.node) if visit.node.GetScene() is scene else None
    if node is None:
        raise InputError(
            _("{name} was removed from the scene while it was compared.").format(name=visit.name),
            _("Nothing was added to the scene. Load it and compare again."),
        )
    return node


def addChange(
    scene: Any, maps: Mapping[str, sitk.Image], scan: Any, record: Mapping[str, Any]
) -> tuple[Any, Any]:
    """Add the segmentation of what changed, and the scan where it is not there yet.

    Args:
        maps: by region, in the coordinates of the scan.
        scan: volume node, or an image to be added.
        record: of the comparison; kept with the segmentation.

    Returns:
        The segmentation, and the scan's node.
    """
    days = [record["visits"][n]["date"] for n in (-2, -1)]
    with SceneEdit(scene) as edit:
        if isinstance(scan, sitk.Image):
            image, scan = scan, edit.add("vtkMRMLScalarVolumeNode", record["visits"][-1]["source"])
            setVolume(scan, image)
            scan.CreateDefaultDisplayNodes()
        name = _("Change {first} – {second}").format(first=days[0], second=days[1])
        node = edit.add("vtkMRMLSegmentationNode", name, attributes={provenance.ROLE: ROLE})
        node.SetReferenceImageGeometryParameterFromVolumeNode(scan)
        node.GetSegmentation().SetSourceRepresentationName(BINARY_LABELMAP)
        for key, title in (("TC", _("Tumour core")), ("WT", _("Whole tumour"))):
            _addSegments(node, key, title, maps[key])
        applyDisplayDefaults(node)
        _showOneRegion(node)
        node.SetAndObserveTransformNodeID(scan.GetTransformNodeID())
        text = edit.add("vtkMRMLTextNode", name, hidden=True)
        text.SetText(json.dumps(record, ensure_ascii=False))
        node.SetNodeReferenceID(RECORD, text.GetID())
    return node, scan


def latestComparison(scene: Any) -> tuple[Any, dict[str, Any]] | None:
    """The segmentation of changes that was added last, and its record; None for none."""
    for node in reversed(nodesOfClass(scene, "vtkMRMLSegmentationNode")):
        if node.GetAttribute(provenance.ROLE) == ROLE:
            try:
                return node, json.loads(node.GetNodeReference(RECORD).GetText())
            except (AttributeError, ValueError):
                continue
    return None


def _addSegments(node: Any, key: str, title: str, image: sitk.Image) -> None:
    import slicer

    for value, word in ((GREW, _("grew")), (SHRANK, _("shrank"))):
        mask = sitk.Cast(image == value, sitk.sitkUInt8)
        if not sitk.GetArrayViewFromImage(mask).any():
            continue
        segment = slicer.vtkSegment()
        segment.SetName(f"{title}: {word}")
        segment.SetColor(*COLORS[value])
        segment.SetLabelValue(1)
        segment.AddRepresentation(BINARY_LABELMAP, labelLayer(mask))
        node.GetSegmentation().AddSegment(segment, f"{key}-{value}")


def _showOneRegion(node: Any) -> None:
    """Show the core; the whole tumor only where the core has not changed: one hides the other."""
    ids = list(node.GetSegmentation().GetSegmentIDs())
    core = any(one.startswith("TC") for one in ids)
    for one in ids:
        node.GetDisplayNode().SetSegmentVisibility(one, one.startswith("TC") or not core)
