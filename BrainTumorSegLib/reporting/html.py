"""Pieces of HTML from which the report is put together."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from BrainTumorSegLib.core.tissue import STYLES, Tissue


def hex_colour(tissue: Tissue) -> str:
    """The tissue's colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*STYLES[tissue].color)


def coloured(tissue: Tissue) -> str:
    """The tissue's name behind a patch of its colour."""
    swatch = f'<span class="swatch" style="background:{hex_colour(tissue)}"></span>'
    return swatch + escape(STYLES[tissue].title)


def section(title: str, body: str) -> str:
    """A part of the page under its heading."""
    name = title.lower().replace(" ", "-")
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>{body}</section>'


def table(head: tuple[str, ...] | None, rows: Iterable[tuple[str, ...]]) -> str:
    """A table of cells that are HTML already.

    A heading that starts with ``#`` makes a column of numbers, a cell that starts
    with ``@`` may break anywhere. Without a head the first column is a heading.
    """
    numbers = [title.startswith("#") for title in head or ()]
    text = ['<div class="scroll"><table>']
    if head:
        cells = "".join(
            f'<th scope="col"{_number_class(number)}>{escape(title.removeprefix("#"))}</th>'
            for title, number in zip(head, numbers, strict=True)
        )
        text.append(f"<thead><tr>{cells}</tr></thead>")
    text.append("<tbody>")
    for row in rows:
        cells = ""
        for column, cell in enumerate(row):
            if cell.startswith("@"):
                cells += f'<td class="long">{cell[1:]}</td>'
            elif column == 0:
                cells += f'<th scope="row">{cell}</th>'
            else:
                cells += f"<td{_number_class(bool(head) and numbers[column])}>{cell}</td>"
        text.append(f"<tr>{cells}</tr>")
    text.append("</tbody></table></div>")
    return "".join(text)


def _number_class(number: bool) -> str:
    return ' class="number"' if number else ""


def number(value: float | None, digits: int, signed: bool = False) -> str:
    """A number with so many decimals; a dash where there is none."""
    if value is None:
        return "–"
    # A change that rounds to nothing has no sign.
    shown = round(value, digits) + 0.0
    return f"{shown:{'+' if signed and shown else ''}.{digits}f}"


def note(text: str | None) -> str:
    """A remark on a line of its own in a cell."""
    return f"<br>{escape(text)}" if text else ""


def plain(value: object) -> str:
    """A value of a record as text; lists with commas."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
