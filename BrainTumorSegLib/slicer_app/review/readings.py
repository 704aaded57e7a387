"""The readings of a result: the one of the first reader, and an independent second one.

The first reader works on the result itself. The second works on a segmentation of their
own, made from the automatic result unless asked otherwise, while the first is hidden.
Reviews, copies and scores of both are kept with the result.
"""

from __future__ import annotations

import hashlib
from typing import Any

import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError

from ..host.translation import tr as _
from ..scene import provenance
from ..scene.scene import SceneEdit, placeBeside, referencesOf
from ..scene.segments import CLOSED_SURFACE, applyDisplayDefaults, labelImage, setTissues

#: From the result to the second reading, and back.
SECOND, FIRST = provenance.PREFIX + "SecondReading", provenance.PREFIX + "FirstReading"

#: On a second reading: what it was made from, and the fingerprint of that.
STARTED_FROM = provenance.PREFIX + "StartedFrom"
START_LABELS = provenance.PREFIX + "StartLabels"

#: What a second reading can be made from.
STARTS = ("automatic", "first")


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


def startSecondReading(node: Any, startFrom: str = "automatic", restart: bool = False) -> Any:
    """Make the segmentation for the second reader, show it, and hide the first reader's.

    Args:
        node: the result, or its second reading.
        startFrom: ``automatic``, so that the second reader sees nothing of the first's
            work; ``first`` for what the first reader approved or corrected.
        restart: give up what the second reader has done so far; without, a second
            reading that exists is shown again as it is.

    Returns:
        The second reader's segmentation node.

    Raises:
        InputError: when there is nothing to start from.
    """
    first = firstReading(node)
    existing = secondReading(first)
    if existing is not None and not restart:
        showReading(first, 2)
        return existing
    source = _source(first, startFrom)
    with SceneEdit(first.GetScene()) as edit:
        edit.willChange(first)
        if existing is None:
            second = edit.add(
                "vtkMRMLSegmentationNode",
                _("{name} (second reading)").format(name=first.GetName()),
            )
            applyDisplayDefaults(second)
            placeBeside(second, first)
        else:
            second = existing
            edit.willChange(second)
        _inherit(second, first)
        fill(second, labelsOf(source), first)
        second.SetAttribute(STARTED_FROM, startFrom)
        second.SetAttribute(START_LABELS, fingerprint(labelsOf(second)))
        second.SetNodeReferenceID(FIRST, first.GetID())
        first.SetNodeReferenceID(SECOND, second.GetID())
        showReading(first, 2)
    return second


def showReading(node: Any, position: int) -> None:
    """Show the segmentation of one reader and hide the other's."""
    for number in (1, 2):
        reading = readingOf(node, number)
        if reading is not None and reading.GetDisplayNode() is not None:
            reading.GetDisplayNode().SetVisibility(number == position)


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


def _source(first: Any, startFrom: str) -> Any:
    if startFrom not in STARTS:
        raise InputError(
            _("A second reading cannot start from {start}.").format(start=repr(startFrom)),
            _("Choose one of {choices}.").format(choices=", ".join(STARTS)),
        )
    if startFrom == "first":
        source = reviewedCopy(first, 1)
        if source is None:
            raise InputError(
                _("The first reader has not approved or corrected “{name}” yet.").format(
                    name=first.GetName()
                ),
                _("Enter the first review, or start from the automatic result."),
            )
        return source
    source = first.GetNodeReference(provenance.AUTOMATIC)
    if source is None:
        raise InputError(
            _("The automatic result of “{name}” is no longer in the scene.").format(
                name=first.GetName()
            ),
            _("Start from the first reading, or segment again."),
        )
    return source


def _inherit(second: Any, first: Any) -> None:
    """What the result knows of its making: facts, and references to scans and linked nodes."""
    own = (SECOND, FIRST, STARTED_FROM, START_LABELS)
    personal = (f"{provenance.PREFIX}Review", f"{provenance.PREFIX}Agreement")
    for name in first.GetAttributeNames():
        if name.startswith(provenance.PREFIX) and not name.startswith(personal):
            second.SetAttribute(name, first.GetAttribute(name))
    for role, ids in referencesOf(first).items():
        isOurs = role.startswith(provenance.PREFIX) and role not in own
        if isOurs and not role.startswith(personal) and any(ids):
            second.SetNodeReferenceID(role, ids[0])
