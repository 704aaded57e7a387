"""The readings of a result: the one of the first reader, and an independent second one.

The first reader works on the result itself. The second works on a segmentation of their
own, see `second_reading`. Reviews, copies and scores of both are kept with the result.
"""

from __future__ import annotations

import hashlib
from typing import Any

import SimpleITK as sitk

from ..scene import provenance
from ..scene.scene import SceneEdit
from ..scene.segments import CLOSED_SURFACE, applyDisplayDefaults, labelImage, setTissues

#: From the result to the second reading, and back.
SECOND, FIRST = provenance.PREFIX + "SecondReading", provenance.PREFIX + "FirstReading"

#: On a second reading: what it was made from, and the fingerprint of that.
STARTED_FROM = provenance.PREFIX + "StartedFrom"
START_LABELS = provenance.PREFIX + "StartLabels"


def firstReading(node: Any) -> Any:
    """The result that a reading belongs to; of the result, itself.

    A second reading whose result was overwritten by another run stands for itself.
    """
    first = node.GetNodeReference(FIRST)
    return first if first is not None and first.GetNodeReference(SECOND) is node else node


def secondReading(node: Any) -> Any | None:
    """The segmentation of the second reader, if there is one."""
    return firstReading(node).GetNodeReference(SECOND)


def positionOf(node: Any) -> int:
    """1 for the first reader's segmentation, 2 for the second's."""
    return 1 if firstReading(node) is node else 2


def readingOf(node: Any, position: int) -> Any | None:
    """The segmentation of one of the two readers."""
    return firstReading(node) if position == 1 else secondReading(node)


def reviewedCopy(node: Any, position: int) -> Any | None:
    """The hidden copy of what a reader approved or corrected."""
    return firstReading(node).GetNodeReference(provenance.REVIEWED[position])


def startedFrom(node: Any) -> str:
    """``automatic``, or ``first`` for a second reading made from the first."""
    return node.GetAttribute(STARTED_FROM) or "automatic"


def hiddenCopy(
    edit: SceneEdit, reading: Any, labels: sitk.Image, name: str, existing: Any | None = None
) -> Any:
    """Keep what a reading is now in a segmentation that nobody meets by chance.

    Args:
        existing: a copy whose content is replaced instead.
    """
    if existing is None:
        copy = edit.add("vtkMRMLSegmentationNode", name, hidden=True)
        applyDisplayDefaults(copy)
        copy.GetDisplayNode().SetVisibility(False)
        copy.SetSelectable(False)
        copy.SetAttribute(provenance.ROLE, "Reviewed")
    else:
        copy = existing
        edit.willChange(copy)
    fill(copy, labels, reading)
    return copy


def fill(target: Any, labels: sitk.Image, source: Any) -> None:
    """Give a segmentation the tissues of a label map, on the grid of the result.

    Args:
        source: the segmentation that they come from; its segments are copied as they are
            where the scan is no longer in the scene.
    """
    reference = referenceOf(source)
    if reference is not None:
        setTissues(target, labels, reference)
        return
    target.GetSegmentation().DeepCopy(source.GetSegmentation())
    target.GetSegmentation().RemoveRepresentation(CLOSED_SURFACE)
    target.SetAndObserveTransformNodeID(source.GetTransformNodeID())


def referenceOf(node: Any) -> Any | None:
    """The volume on whose grid a result lies, if it is still in the scene with its voxels."""
    import slicer

    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    reference = firstReading(node).GetNodeReference(role)
    return reference if reference is not None and reference.GetImageData() is not None else None


def labelsOf(node: Any) -> sitk.Image:
    """The tissues of a reading, or of the automatic result or a copy, on the result's grid.

    Hidden linked nodes do not follow when scan and result are put under another transform
    later; they are taken as they lie on the scan's own grid.
    """
    isLinked = node.GetAttribute(provenance.ROLE) in ("Automatic", "Reviewed")
    return labelImage(node, None if isLinked else referenceOf(node))


def fingerprint(labels: sitk.Image) -> str:
    """SHA-256 of labels: equal for equal tissues in every voxel."""
    values = sitk.GetArrayViewFromImage(labels)
    digest = hashlib.sha256(repr(values.shape).encode())
    digest.update(values.tobytes())
    return digest.hexdigest()
