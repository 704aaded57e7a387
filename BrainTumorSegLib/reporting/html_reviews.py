"""What readers said of a result, for the HTML report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from BrainTumorSegLib.core.tissue import TUMOUR_TISSUES, Region
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.reporting.html import number, section, table

Record = Mapping[str, Any]

_POSITIONS = {1: "first", 2: "second"}


def review_section(record: Record) -> str:
    """The verdicts and how readers agree; empty where nobody has read the case."""
    reviews = sorted(record.get("reviews", ()), key=lambda review: review["position"])
    if not reviews:
        return ""
    rows = [
        (
            escape(_POSITIONS[review["position"]]),
            f"@{escape(review['reader'])}",
            escape(review["date"]),
            f"<strong>{escape(review['verdict'])}</strong>",
            f"@{_lines(review['comment'])}",
        )
        for review in reviews
    ]
    body = table(("Reader", "Name", "Date", "Verdict", "Comment"), rows)
    body += "".join(
        _agreement(review, agreement)
        for review in reviews
        for agreement in review.get("agreement", ())
    )
    return section("Review", body)


def _agreement(review: Record, agreement: Record) -> str:
    dice, change, percent = (
        agreement[key] for key in ("dice", "volume_change_ml", "volume_change_percent")
    )
    names = [*(tissue.key for tissue in TUMOUR_TISSUES), *(region.name for region in Region)]
    rows = [
        (
            escape(volume_title(name)),
            number(dice.get(name), 3),
            number(change.get(name), 2, True),
            number(percent.get(name), 1, True),
        )
        for name in names
        if name in {*dice, *change, *percent}
    ]
    title = f"{_POSITIONS[review['position']].capitalize()} reader and {agreement['with']}"
    head = ("Tissue or region", "#Dice", "#Change (mL)", "#Change (%)")
    return f"<h3>{escape(title)}</h3>" + table(head, rows)


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.strip().splitlines()) or "–"
