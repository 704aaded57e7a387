"""The judgement of two independent readers, and how far they agree."""

from __future__ import annotations

from html import escape
from typing import Any

from BrainTumorSegLib.core.tissue import Region

from ..host.application import READER, getSetting, setSetting
from ..host.translation import tr as _
from ..review.agreement import Agreement
from ..review.blindness import seenFrom, showReading
from ..review.readings import positionOf, readingOf, secondReading
from ..review.reviews import (
    VERDICTS,
    Review,
    betweenReaders,
    isCurrent,
    readReviews,
    reviewAt,
    suggestVerdict,
    writeReview,
)
from ..review.second_reading import startSecondReading
from ..scene.segments import editState
from .dialogs import confirm, errorsShown
from .state import PanelState


class ReviewSection:
    """The section *Review*."""

    def __init__(self, state: PanelState) -> None:
        self.state = state
        self._of: str | None = None
        self._suggestedFor: tuple[Any, ...] | None = None
        self._shown: tuple[Any, ...] | None = None
        ui = state.ui
        self._names = {"approved": _("Approved"), "corrected": _("Corrected")}
        self._names["rejected"] = _("Rejected")
        ui.verdictCombo.clear()
        for verdict in VERDICTS:
            ui.verdictCombo.addItem(self._names[verdict])
        ui.readerEdit.text = getSetting(READER, "")
        ui.positionCombo.activated.connect(self.onPosition)
        ui.recordButton.clicked.connect(self.onRecord)
        ui.secondReadingButton.clicked.connect(self.onSecondReading)
        ui.reviewButton.contentsCollapsed.connect(self.update)
        state.observe(self.update)

    def onPosition(self) -> None:
        """Go to the segmentation of the other reader; one that must stay unseen, after asking."""
        node = self.state.segmentation
        position = self.state.ui.positionCombo.currentIndex + 1
        other = readingOf(node, position) if node is not None else None
        if other is not None and other is not node and self._mayOpen(node, position):
            showReading(node, position)
            self.state.parameters.result = other
        self.state.changed()

    @staticmethod
    def _mayOpen(node: Any, position: int) -> bool:
        if position in seenFrom(node):
            return True
        question = {
            1: _(
                "The second reader has not recorded a review yet and must not see the first "
                "reader's work. Open it only if you are the first reader."
            ),
            2: _(
                "The first reader has not recorded a review yet and must not see the second "
                "reader's work. Open it only if you are the second reader."
            ),
        }
        return confirm(question[position], _("Independent readings"))

    def onRecord(self) -> None:
        """Store the review; an earlier one is replaced only after asking."""
        with errorsShown():
            self.record()
        self.update()

    def record(self) -> Review | None:
        """Store what the fields say; None when the reader did not want to replace a review.

        Raises:
            InputError: when a name is missing, or the verdict contradicts the labels.
        """
        ui, node = self.state.ui, self.state.segmentation
        earlier = reviewAt(node, positionOf(node))
        if earlier is not None and not confirm(
            _("{reader} has reviewed this already. Replace that review?").format(
                reader=earlier.reader
            ),
            _("Replace review"),
        ):
            return None
        review = writeReview(
            node,
            ui.readerEdit.text,
            VERDICTS[max(0, ui.verdictCombo.currentIndex)],
            ui.commentEdit.plainText,
            replace=earlier is not None,
        )
        setSetting(READER, review.reader)
        return review

    def onSecondReading(self) -> None:
        """Give the second reader a segmentation of their own."""
        with errorsShown():
            self.state.parameters.result = startSecondReading(self.state.segmentation)
        self.state.changed()

    def update(self) -> None:
        """Show the reviews that there are; the second reader judges blind."""
        ui = self.state.ui
        node = self.state.segmentation if self.state.result is not None else None
        usable = node is not None and not self.state.busy
        for widget in (ui.positionCombo, ui.readerEdit, ui.verdictCombo, ui.commentEdit):
            widget.enabled = usable
        ui.recordButton.enabled = usable
        second = secondReading(node) if node is not None else None
        ui.secondReadingButton.enabled = usable and second is None
        ui.secondReadingButton.visible = second is None
        position = positionOf(node) if node is not None else 1
        ui.positionCombo.currentIndex = position - 1
        self._showFields(node, position)
        if ui.reviewButton.collapsed:
            return  # comparing labels takes a moment
        if node is not None:
            self._suggest(node)
        state = self._state(node)
        if state == self._shown:
            return
        self._shown = state
        self._showReviews(node)

    def _showReviews(self, node: Any) -> None:
        ui = self.state.ui
        reviews = readReviews(node) if node is not None else []
        lines = [self._line(node, review) for review in reviews]
        if node is not None and secondReading(node) is not None:
            hidden = {
                1: _("The first reader's review is shown after you have recorded yours."),
                2: _("The second reader's review is shown after you have recorded yours."),
            }
            lines += [text for other, text in hidden.items() if other not in seenFrom(node)]
        ui.reviewsLabel.text = "\n".join(lines)
        ui.reviewsLabel.visible = bool(ui.reviewsLabel.text)
        ui.agreementLabel.text = self._agreement(node, reviews)
        ui.agreementLabel.visible = bool(ui.agreementLabel.text)

    def _showFields(self, node: Any, position: int) -> None:
        """Another segmentation: show its reader's own words, or empty fields."""
        of = node.GetID() if node is not None else None
        if of == self._of:
            return
        self._of = of
        ui = self.state.ui
        review = reviewAt(node, position) if node is not None else None
        if review is not None:
            ui.readerEdit.text = review.reader
            ui.commentEdit.plainText = review.comment
            ui.verdictCombo.currentIndex = VERDICTS.index(review.verdict)
        else:
            # Two different people read: the second is not offered the first one's name.
            ui.readerEdit.text = getSetting(READER, "") if position == 1 else ""
            ui.commentEdit.plainText = ""

    @staticmethod
    def _state(node: Any) -> tuple[Any, ...]:
        """What the shown reviews depend on; comparing it is cheap."""
        if node is None:
            return ()
        readings = [readingOf(node, 1), secondReading(node)]
        # Modified by attributes and references too, and these hold the reviews.
        return (
            node.GetID(),
            *((r.GetMTime(), editState(r)) for r in readings if r is not None),
        )

    def _suggest(self, node: Any) -> None:
        """Choose the verdict that fits, each time the labels have changed."""
        state = editState(node)
        if state != self._suggestedFor:
            self._suggestedFor = state
            if reviewAt(node, positionOf(node)) is None:
                self.state.ui.verdictCombo.currentIndex = VERDICTS.index(suggestVerdict(node))

    def _line(self, node: Any, review: Review) -> str:
        text = _("Reader {position}: {reader}, {verdict}, {date}").format(
            position=review.position,
            reader=review.reader,
            verdict=self._names[review.verdict].lower(),
            date=review.date[:16].replace("T", " "),
        )
        if review.comment:
            text += f" – {review.comment}"
        if not isCurrent(node, review.position):
            text += " " + _("(changed since)")
        return text

    def _agreement(self, node: Any, reviews: list[Review]) -> str:
        """Scores as a small table in rich text."""
        rows = []
        for review in reviews:
            if review.agreement is not None:
                title = _("Automatic – reader {position}").format(position=review.position)
                rows.append((title, review.agreement))
        between = betweenReaders(node) if node is not None else None
        if between is not None:
            rows.append((_("Reader 1 – reader 2"), between))
        if not rows:
            return ""
        regions = [region.name for region in Region]
        head = "".join(f"<th align='right'>&nbsp;{name}</th>" for name in regions)
        body = "".join(
            f"<tr><td>{escape(title)}</td>"
            + "".join(f"<td align='right'>&nbsp;{_score(agreement, r)}</td>" for r in regions)
            + "</tr>"
            for title, agreement in rows
        )
        return (
            f"<table cellpadding='2'><tr><th align='left'>{escape(_('Dice, ± mL'))}</th>"
            f"{head}</tr>{body}</table>"
        )


def _score(agreement: Agreement, region: str) -> str:
    # Below each other: side by side they are wider than the panel of a laptop.
    return f"{agreement.dice[region]:.2f}<br>{agreement.volumeChangeMl[region]:+.1f}"
