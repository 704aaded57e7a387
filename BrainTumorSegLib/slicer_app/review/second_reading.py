"""Starting a second, independent reading of a result."""

from __future__ import annotations

from typing import Any

from BrainTumorSegLib.core.errors import InputError

from ..host.translation import tr as _
from ..scene import provenance
from ..scene.scene import placeBeside, referencesOf
from ..scene.segments import applyDisplayDefaults
from .blindness import showReading
from .readings import (
    FIRST,
    SECOND,
    START_LABELS,
    STARTED_FROM,
    fill,
    fingerprint,
    firstReading,
    labelsOf,
    reviewedCopy,
    secondReading,
)
from .reviews import changingReviews

#: What a second reading can be made from.
STARTS = ("automatic", "first")


def startSecondReading(node: Any, startFrom: str = "automatic", restart: bool = False) -> Any:
    """Make the segmentation for the second reader, show it, and put the first reader's away.

    The first reader's review and scores are sealed until the second reader has recorded a
    review, see `blindness`.

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
    with changingReviews(first, 2) as edit:
        if existing is None:
            second = edit.add(
                "vtkMRMLSegmentationNode",
                _("{name} (second reading)").format(name=first.GetName()),
            )
            applyDisplayDefaults(second)
            placeBeside(second, first)
        else:
            second = existing
        _inherit(second, first)
        fill(second, labelsOf(source), first)
        second.SetAttribute(STARTED_FROM, startFrom)
        second.SetAttribute(START_LABELS, fingerprint(labelsOf(second)))
        second.SetNodeReferenceID(FIRST, first.GetID())
        first.SetNodeReferenceID(SECOND, second.GetID())
        showReading(first, 2)
    return second


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
