"""Reviews of a result by two independent readers, kept with the segmentation.

Beside a review stands a hidden copy of the labels that the reader approved, and how they
differ from the automatic ones and from the other reader's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.review.agreement import compareLabels
from BrainTumorSegLib.slicer_app.review.readings import (
    START_LABELS,
    fingerprint,
    firstReading,
    hiddenCopy,
    labelsOf,
    positionOf,
    readingOf,
    reviewedCopy,
    secondReading,
    showReading,
    startedFrom,
    startSecondReading,
)
from BrainTumorSegLib.slicer_app.review.review_records import (
    VERDICTS,
    Review,
    agreementTable,
    archiveReview,
    attributeOf,
    betweenReaders,
    readReviews,
    replacedReviews,
    reviewAsJson,
    reviewAt,
    reviewRecords,
    scoreReviews,
)
from BrainTumorSegLib.slicer_app.scene import provenance
from BrainTumorSegLib.slicer_app.scene.scene import SceneEdit, removeWithParts

__all__ = [
    "VERDICTS",
    "Review",
    "agreementTable",
    "betweenReaders",
    "firstReading",
    "isCurrent",
    "positionOf",
    "readReviews",
    "replacedReviews",
    "reviewAt",
    "reviewRecords",
    "secondReading",
    "showReading",
    "startSecondReading",
    "suggestVerdict",
    "withdrawReview",
    "writeReview",
]


def writeReview(
    node: Any,
    reader: str,
    verdict: str,
    comment: str = "",
    position: int | None = None,
    replace: bool = False,
) -> Review:
    """Record a review, with the labels as they are now; altogether or not at all.

    Args:
        node: the reader's segmentation: the result, or its second reading.
        reader: name or initials.
        verdict: one of `VERDICTS`.
        comment: free text.
        position: 1 or 2, to name another reading than ``node``.
        replace: whether a review by this position may be replaced; ask the person first.

    Raises:
        InputError: when a name is missing, both readers are the same person, the verdict
            contradicts the labels, or a review is there already.
    """
    position = positionOf(node) if position is None else position
    reading = readingOf(node, position)
    if reading is None:
        raise InputError(
            _("There is no second reading of “{name}”.").format(name=node.GetName()),
            _("Start the second reading first."),
        )
    first = firstReading(node)
    reader = " ".join(reader.split())
    _checkReader(first, reader, position)
    before = reviewAt(first, position)
    if before is not None and not replace:
        raise InputError(
            _("{reader} has reviewed this already ({verdict}, {date}).").format(
                reader=before.reader, verdict=before.verdict, date=before.date[:10]
            ),
            _("Confirm that the earlier review shall be replaced."),
        )
    labels = labelsOf(reading)
    mark = fingerprint(labels)
    _checkVerdict(reading, verdict, mark)
    automatic = first.GetNodeReference(provenance.AUTOMATIC)
    agreement = None
    if automatic is not None and verdict != "rejected":
        agreement = compareLabels(labelsOf(automatic), labels)
    review = Review(
        position=position,
        reader=reader,
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        verdict=verdict,
        comment=comment.strip(),
        startedFrom=startedFrom(reading),
        fingerprint=mark,
        agreement=agreement,
    )

    def change(edit: SceneEdit) -> None:
        if before is not None:
            archiveReview(first, before, "replaced")
        if verdict == "rejected":
            first.RemoveNodeReferenceIDs(provenance.REVIEWED[position])
        else:
            name = _("{name} (as {verdict} by reader {position})").format(
                name=first.GetName(), verdict=verdict, position=position
            )
            copy = hiddenCopy(edit, reading, labels, name, reviewedCopy(first, position))
            first.SetNodeReferenceID(provenance.REVIEWED[position], copy.GetID())
        first.SetAttribute(attributeOf(position), reviewAsJson(review))

    _change(first, position, change)
    return review


def withdrawReview(node: Any, position: int) -> Review:
    """Take a review back; it is kept in the history.

    Raises:
        InputError: when there is none.
    """
    first, review = firstReading(node), reviewAt(node, position)
    if review is None:
        raise InputError(
            _("Reader {position} has not reviewed “{name}”.").format(
                position=position, name=first.GetName()
            ),
            _("There is nothing to withdraw."),
        )

    def change(edit: SceneEdit) -> None:
        archiveReview(first, review, "withdrawn")
        first.RemoveAttribute(attributeOf(position))
        first.RemoveNodeReferenceIDs(provenance.REVIEWED[position])

    _change(first, position, change)
    return review


def isCurrent(node: Any, position: int) -> bool:
    """Whether a reader's segmentation is still what the reader reviewed."""
    review, reading = reviewAt(node, position), readingOf(node, position)
    return (
        review is not None
        and reading is not None
        and fingerprint(labelsOf(reading)) == review.fingerprint
    )


def suggestVerdict(node: Any) -> str:
    """``corrected`` when a reading differs from what it was made from, else ``approved``."""
    start = _startFingerprint(node)
    same = start is None or start == fingerprint(labelsOf(node))
    return "approved" if same else "corrected"


def _checkReader(first: Any, reader: str, position: int) -> None:
    if not reader:
        raise InputError(
            _("The reader's name is missing."), _("Enter your name or initials first.")
        )
    other = reviewAt(first, 3 - position)
    if other is not None and other.reader.casefold() == reader.casefold():
        raise InputError(
            _("{reader} is the other reader of this segmentation already.").format(reader=reader),
            _("Two different people must review it for the readings to be independent."),
        )


def _checkVerdict(reading: Any, verdict: str, mark: str) -> None:
    if verdict not in VERDICTS:
        raise InputError(
            _("{verdict} is no verdict.").format(verdict=repr(verdict)),
            _("Choose one of {choices}.").format(choices=", ".join(VERDICTS)),
        )
    start = _startFingerprint(reading)
    if verdict == "rejected" or start is None:
        return
    began = _("the first reading") if startedFrom(reading) == "first" else _("the automatic result")
    if verdict == "approved" and start != mark:
        raise InputError(
            _("“{name}” was changed: it differs from {start}.").format(
                name=reading.GetName(), start=began
            ),
            _("Choose the verdict “corrected”, or undo the changes."),
        )
    if verdict == "corrected" and start == mark:
        raise InputError(
            _("Nothing in “{name}” was corrected: it equals {start}.").format(
                name=reading.GetName(), start=began
            ),
            _("Choose the verdict “approved”, or correct it first."),
        )


def _startFingerprint(reading: Any) -> str | None:
    """Of what a reading was made from; None when that is not known any more."""
    if positionOf(reading) == 2:
        return reading.GetAttribute(START_LABELS)
    automatic = reading.GetNodeReference(provenance.AUTOMATIC)
    return None if automatic is None else fingerprint(labelsOf(automatic))


def _change(first: Any, position: int, change: Callable[[SceneEdit], None]) -> None:
    """Change a review and all scores that follow from it, then drop a copy that is not used."""
    copy = reviewedCopy(first, position)
    table = agreementTable(first)
    with SceneEdit(first.GetScene()) as edit:
        edit.willChange(first)
        if table is not None:
            edit.willChange(table)
        change(edit)
        scoreReviews(first, edit)
    if copy is not None and reviewedCopy(first, position) is None:
        removeWithParts(copy)
    if table is not None and agreementTable(first) is None:
        removeWithParts(table)
