"""What is known of the reviews of a result: the data, and the scores that follow from it.

A review lives as JSON in an attribute of the result's segmentation node and so in every
saved scene.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.review.agreement import (
    Agreement,
    agreementFromValues,
    compareLabels,
    fillAgreementTable,
)
from BrainTumorSegLib.slicer_app.review.readings import firstReading, labelsOf, reviewedCopy
from BrainTumorSegLib.slicer_app.scene import provenance
from BrainTumorSegLib.slicer_app.scene.scene import SceneEdit, placeBeside

#: ``approved`` as the reading began, ``corrected`` by the reader, ``rejected`` as useless.
VERDICTS = ("approved", "corrected", "rejected")

#: Reviews that were replaced or withdrawn, on the result.
HISTORY = provenance.PREFIX + "Review.History"

#: How the second reader's labels differ from the first's, on the result.
BETWEEN = provenance.PREFIX + "Review.Between"


@dataclass(frozen=True)
class Review:
    """What one reader said of a result.

    Attributes:
        position: 1 or 2.
        reader: name or initials.
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
    """The reviews of a result, the first reader's first.

    Args:
        node: the result's segmentation, or its second reading.
    """
    return [review for position in (1, 2) if (review := reviewAt(node, position)) is not None]


def reviewAt(node: Any, position: int) -> Review | None:
    """One reader's review, or None."""
    text = firstReading(node).GetAttribute(attributeOf(position))
    return reviewFromJson(text) if text else None


def replacedReviews(node: Any) -> list[dict[str, Any]]:
    """Reviews that were replaced or withdrawn, oldest first, with ``ended`` and ``how``."""
    return json.loads(firstReading(node).GetAttribute(HISTORY) or "[]")


def betweenReaders(node: Any) -> Agreement | None:
    """The first reader's labels (first) and the second's; None unless both have accepted some."""
    text = firstReading(node).GetAttribute(BETWEEN)
    return agreementFromValues(json.loads(text)) if text else None


def agreementTable(node: Any) -> Any | None:
    """The table node with the scores of all reviews, or None."""
    return firstReading(node).GetNodeReference(provenance.AGREEMENT)


def reviewRecords(node: Any) -> list[dict[str, Any]]:
    """The reviews as they stand in a report, see ``Resources/Schemas/report.schema.json``."""
    records = []
    reviews = readReviews(node)
    for review in reviews:
        scores = []
        if review.agreement is not None:
            scores.append(review.agreement.asRecord("automatic result"))
        between = betweenReaders(node)
        if review.position == 2 and between is not None:
            scores.append(between.asRecord(f"reader 1 ({reviews[0].reader})"))
        records.append(
            {
                "position": review.position,
                "reader": review.reader,
                "date": review.date,
                "verdict": review.verdict,
                "comment": review.comment,
                "agreement": scores,
            }
        )
    return records


def attributeOf(position: int) -> str:
    """The attribute of the result that keeps one reader's review."""
    return f"{provenance.PREFIX}Review.{position}"


def reviewAsJson(review: Review) -> str:
    """A review as text for an attribute."""
    values = {
        **review.__dict__,
        "agreement": None if review.agreement is None else review.agreement.asValues(),
    }
    return json.dumps(values, ensure_ascii=False)


def reviewFromJson(text: str) -> Review:
    """A review from the text of an attribute."""
    values = json.loads(text)
    agreement = values.pop("agreement")
    return Review(**values, agreement=None if agreement is None else agreementFromValues(agreement))


def archiveReview(first: Any, review: Review, how: str) -> None:
    """Keep a review that goes, with the moment and ``replaced`` or ``withdrawn``."""
    ended = datetime.now().astimezone().isoformat(timespec="seconds")
    entry = {**json.loads(reviewAsJson(review)), "ended": ended, "how": how}
    entries = [*replacedReviews(first), entry]
    first.SetAttribute(HISTORY, json.dumps(entries, ensure_ascii=False))


def scoreReviews(first: Any, edit: SceneEdit) -> None:
    """Compare the readers with each other, and write everything into the table."""
    copies = [reviewedCopy(first, position) for position in (1, 2)]
    between = None
    if None not in copies:
        between = compareLabels(*(labelsOf(copy) for copy in copies))
        first.SetAttribute(BETWEEN, json.dumps(between.asValues()))
    else:
        first.RemoveAttribute(BETWEEN)
    names = {1: _("reader 1"), 2: _("reader 2")}
    columns = [
        (_("automatic"), names[review.position], review.agreement)
        for review in readReviews(first)
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
