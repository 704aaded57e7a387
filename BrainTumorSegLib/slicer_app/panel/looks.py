"""How widgets of the panel look: lines that are cut to fit, marks of doubt, the place in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Of a line that must be noticed; dark on amber is legible on light and dark windows alike.
AMBER = "background-color: #ffd266; color: #3a2a00; border-radius: 3px; padding: 0px 3px;"

#: Of a line that only explains.
QUIET = "color: gray;"

#: Colors of signs, legible on light and dark windows.
GOOD, DOUBT, WRONG = "#2e9d4f", "#d18b00", "#d63b3b"

#: Height of a row of a table in pixels.
ROW_HEIGHT = 22

#: Steps of a progress bar.
FULL = 1000

#: Width in pixels that the line's own padding takes.
PADDING = 8

#: Milliseconds after which widgets that were shown have found their places, as a rule.
SETTLED_MS = 50

#: How often it is looked whether they still move.
LOOKS = 5


class OneLine:
    """A label whose text is cut where its width ends; the tooltip has all of it.

    Args:
        label: with a horizontal size policy that lets it become narrower than its text.
        mark: the label that shows a warning sign before a text in doubt.
    """

    def __init__(self, label: Any, mark: Any) -> None:
        import qt

        self._label, self._mark, self._text = label, mark, ""
        self._doubtful: bool | None = None

        class Fitting(qt.QObject):
            def eventFilter(_self, _watched: Any, event: Any) -> bool:  # noqa: N805
                if event.type() == qt.QEvent.Resize:
                    self._fit()
                return False

        # Kept: Qt does not own it.
        self._fitting = Fitting()
        label.installEventFilter(self._fitting)

    def show(self, text: str, doubtful: bool = False) -> None:
        """Show a sentence, in amber and with a warning sign if it is a doubt; empty for none."""
        import qt

        doubtful = doubtful and bool(text)
        self._text = self._label.toolTip = text
        if doubtful is not self._doubtful:
            self._doubtful = doubtful
            self._label.styleSheet = AMBER if doubtful else QUIET
            icon = self._mark.style().standardIcon(qt.QStyle.SP_MessageBoxWarning)
            self._mark.pixmap = icon.pixmap(16, 16) if doubtful else qt.QPixmap()
        self._label.visible = bool(text)
        self._mark.visible = doubtful
        self._fit()

    def _fit(self) -> None:
        import qt

        metrics, room = qt.QFontMetrics(self._label.font), self._label.contentsRect().width()
        self._label.text = metrics.elidedText(self._text, qt.Qt.ElideRight, room - PADDING)


def prepareTable(table: Any, titles: Sequence[str], wide: int = 0) -> None:
    """Columns as wide as what stands in them; one takes the rest.

    Args:
        titles: of the columns.
        wide: number of the column that takes the rest.
    """
    import qt

    table.columnCount = len(titles)
    table.setHorizontalHeaderLabels(list(titles))
    table.verticalHeader().visible = False
    table.verticalHeader().defaultSectionSize = ROW_HEIGHT
    header = table.horizontalHeader()
    for column in range(len(titles)):
        mode = qt.QHeaderView.Stretch if column == wide else qt.QHeaderView.ResizeToContents
        header.setSectionResizeMode(column, mode)


def tableItem(text: str, figure: bool = False) -> Any:
    """A cell; figures stand at the right."""
    import qt

    cell = qt.QTableWidgetItem(text)
    if figure:
        cell.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    return cell


def fillTable(table: Any, rows: Sequence[Sequence[str]]) -> None:
    """A name and figures in each row; the table becomes as high as they are."""
    table.rowCount = len(rows)
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            table.setItem(row, column, tableItem(text, figure=column > 0))
    height = table.horizontalHeader().height + 4
    table.setFixedHeight(height + sum(table.rowHeight(row) for row in range(len(rows))))


def bringIntoSight(widget: Any) -> None:
    """Scroll the panel so that a widget is at the top; nothing where the panel does not scroll."""
    import qt

    area = widget.parent()
    while area is not None and not area.inherits("QScrollArea"):
        area = area.parent()
    if area is not None:

        def scroll(before: int = -1, left: int = LOOKS) -> None:
            try:
                place = widget.mapTo(area.widget(), qt.QPoint(0, 0)).y()
            except (ValueError, RuntimeError):
                return  # the panel has gone meanwhile
            area.verticalScrollBar().value = place
            if left and place != before:
                # On a slow computer what lies above may still change its height.
                qt.QTimer.singleShot(SETTLED_MS, lambda: scroll(place, left - 1))

        qt.QTimer.singleShot(SETTLED_MS, scroll)


def dot(color: str) -> Any:
    """A small round icon."""
    import qt

    pixmap = qt.QPixmap(12, 12)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(pixmap)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    painter.setPen(qt.QPen(qt.QColor(color)))
    painter.setBrush(qt.QBrush(qt.QColor(color)))
    painter.drawEllipse(1, 1, 10, 10)
    painter.end()
    return qt.QIcon(pixmap)
