"""Reviews of a result by two independent readers, kept with the segmentation.

A review lives as JSON in an attribute of the result's segmentation node and so in every saved
scene. Beside it stands a hidden copy of the labels that the reader approved, and how they
differ from the automatic ones and from the other reader's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from BrainTumorSegLib.core.errors import InputError

from ..host.translation import tr as _
from ..scene import provenance
from ..scene.scene import SceneEdit, placeBeside, removeWithParts
from .agreement import Agreement, compareLabels, fillAgreementTable
from .blindness import HISTORY, isBlind, read, reviewAttribute, seenFrom, settle
from .readings import (
    START_LABELS,
    fingerprint,
    firstReading,
    hiddenCopy,
    labelsOf,
    positionOf,
    readingOf,
    reviewedCopy,
    secondReading,
    startedFrom,
)

#: ``approved`` as the reading began, ``corrected`` by the reader, ``rejected`` as useless.
VERDICTS = ("approved", "corrected", "rejected")

#: What a report tells of a review.
_RECORDED = ("position", "reader", "date", "verdict", "comment")

#: How the second reader's labels differ from the first's, on the result.
BETWEEN = provenance.PREFIX + "Review.Between"


@dataclass(frozen=True)
class Review:
    """What one reader said of a result.

    Attributes:
        position: 1 or 2.
        date: ISO 8601 with the zone, for example ``2025-11-23T14:05:09+01:00``.
        verdict: one of `VERDICTS`.
        comment: free text, may be empty.
        startedFrom: what the reader began with, ``automatic`` or ``first``.
        fingerprint: of the labels that were reviewed.
        agreement: the automatic labels (first) and the reader's (second); None when
            rejected, or when the automatic ones are gone.
    """

    position: int
    reader: str
    date: str
    verdict: str
    comment: str
    startedFrom: str
    fingerprint: str
    agreement: Agreement | None


def readReviews(node: Any) -> list[Review]:
    """The reviews that the reader of ``node`` may see now, the first reader's first.

    Args:
        node: the result's segmentation, or its second reading.
    """
    seen = sorted(seenFrom(node))
    return [review for position in seen if (review := reviewAt(node, position)) is not None]


def reviewAt(node: Any, position: int) -> Review | None:
    """One reader's review, or None; whether it may be shown says `blindness.seenFrom`."""
    text = read(firstReading(node), reviewAttribute(position))
    if not text:
        return None
    values = json.loads(text)
    agreement = values.pop("agreement")
    return Review(**values, agreement=None if agreement is None else Agreement(**agreement))


def replacedReviews(node: Any) -> list[dict[str, Any]]:
    """Reviews that were replaced or withdrawn, oldest first, with ``ended`` and ``how``.

    Those that the reader of ``node`` may see now.
    """
    seen = seenFrom(node)
    return [entry for entry in _history(firstReading(node)) if entry["position"] in seen]


def betweenReaders(node: Any) -> Agreement | None:
    """The first reader's labels (first) and the second's; None unless both have accepted some."""
    text = firstReading(node).GetAttribute(BETWEEN) if seenFrom(node) == {1, 2} else None
    return Agreement(**json.loads(text)) if text else None


def agreementTable(node: Any) -> Any | None:
    """The table node with the scores of all reviews, or None."""
    return firstReading(node).GetNodeReference(provenance.AGREEMENT)


def reviewRecords(node: Any) -> list[dict[str, Any]]:
    """The reviews as they stand in a report, see ``Resources/Schemas/report.schema.json``.

    Those that the reader of ``node`` may see now.
    """
    records = []
    reviews = readReviews(node)
    for review in reviews:
        scores = []
        if review.agreement is not None:
            scores.append(review.agreement.asRecord("automatic result"))
        between = betweenReaders(node)
        if review.position == 2 and between is not None:
            scores.append(between.asRecord(f"reader 1 ({reviews[0].reader})"))
        values = {key: getattr(review, key) for key in _RECORDED}
        records.append({**values, "agreement": scores})
    return records


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

    with changingReviews(first, position) as edit:
        if before is not None:
            _archiveReview(first, before, "replaced")
        if verdict == "rejected":
            first.RemoveNodeReferenceIDs(provenance.REVIEWED[position])
        else:
            # The verdict is not for the other reader, who may meet this name.
            name = _("{name} (kept for reader {position})").format(
                name=first.GetName(), position=position
            )
            copy = hiddenCopy(edit, reading, labels, name, reviewedCopy(first, position))
            first.SetNodeReferenceID(provenance.REVIEWED[position], copy.GetID())
        text = json.dumps(asdict(review), ensure_ascii=False)
        first.SetAttribute(reviewAttribute(position), text)
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

    with changingReviews(first, position):
        _archiveReview(first, review, "withdrawn")
        first.RemoveAttribute(reviewAttribute(position))
        first.RemoveNodeReferenceIDs(provenance.REVIEWED[position])
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


@contextmanager
def changingReviews(first: Any, position: int) -> Iterator[SceneEdit]:
    """Change reviews or readings and all that follows from it, altogether or not at all.

    Scores are taken anew, what must stay unseen is sealed, and nodes that nothing refers to
    any more are removed.

    Args:
        first: the result.
        position: whose reading is open then.
    """
    before = [reviewedCopy(first, 1), reviewedCopy(first, 2), agreementTable(first)]
    with SceneEdit(first.GetScene()) as edit:
        for node in (first, secondReading(first), agreementTable(first)):
            if node is not None:
                edit.willChange(node)
        yield edit
        _scoreReviews(first, edit)
        settle(first, position)
    left = provenance.linkedNodes(first)
    for node in before:
        if node is not None and node not in left:
            removeWithParts(node)


def _history(first: Any) -> list[dict[str, Any]]:
    return json.loads(read(first, HISTORY) or "[]")


def _archiveReview(first: Any, review: Review, how: str) -> None:
    """Keep a review that goes, with the moment and ``replaced`` or ``withdrawn``."""
    ended = datetime.now().astimezone().isoformat(timespec="seconds")
    entry = {**asdict(review), "ended": ended, "how": how}
    entries = [*_history(first), entry]
    first.SetAttribute(HISTORY, json.dumps(entries, ensure_ascii=False))


def _scoreReviews(first: Any, edit: SceneEdit) -> None:
    """Compare the readers with each other, and write everything into the table."""
    copies = [reviewedCopy(first, position) for position in (1, 2)]
    between = None
    if None not in copies:
        between = compareLabels(*(labelsOf(copy) for copy in copies))
        first.SetAttribute(BETWEEN, json.dumps(asdict(between)))
    else:
        first.RemoveAttribute(BETWEEN)
    names = {1: _("reader 1"), 2: _("reader 2")}
    # A table is for everybody who opens the scene.
    shown = [] if isBlind(first) else readReviews(first)
    columns = [
        (_("automatic"), names[review.position], review.agreement)
        for review in shown
        if review.agreement is not None
    ]
    if between is not None:
        columns.append((names[1], names[2], between))
    table = agreementTable(first)
    if not columns:
        first.RemoveNodeReferenceIDs(provenance.AGREEMENT)
        return
    if table is None:
        table = edit.add(
            "vtkMRMLTableNode",
            _("{name} agreement").format(name=first.GetName()),
            attributes={provenance.ROLE: "Agreement"},
        )
        placeBeside(table, first)
        first.SetNodeReferenceID(provenance.AGREEMENT, table.GetID())
    fillAgreementTable(table, columns)
