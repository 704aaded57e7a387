"""The warnings of a record as every output shows them: page, DICOM object, panel and attributes.

Slicer knows warnings that its worker cannot know. They join the record, and what was drawn
from it before is drawn anew with these functions, which need the standard library only.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from .language import Catalogue, catalogue

#: Between these the page shows the warnings. Texts are escaped, so none can hold a mark itself.
_BEGIN, _END = "<!-- warnings -->", "<!-- end of warnings -->"

#: The longest text that a DICOM attribute of the type LT holds.
_MAX_COMMENT = 10240


def notices(record: Mapping[str, Any]) -> list[str]:
    """Warnings of a run and notes of its engine, each once."""
    notes = record.get("engine", {}).get("notes", ())
    return list(dict.fromkeys([*record["warnings"], *notes]))


def warnings_section(record: Mapping[str, Any], words: Catalogue | None = None) -> str:
    """The part of the HTML report that lists the notices, in the language of ``words``."""
    words = words or Catalogue()
    _ = words.text
    items = "".join(f"<li>{html.escape(words.message(text))}</li>" for text in notices(record))
    shown = (
        '<section class="warnings" role="note" aria-labelledby="warnings">'
        f'<h2 id="warnings">{_("Warnings")}</h2><ul>{items}</ul></section>'
        if items
        else f'<p class="soft">{_("The run gave no warnings.")}</p>'
    )
    return f"{_BEGIN}{shown}{_END}"


def page_with_notices(page: str, record: Mapping[str, Any]) -> str:
    """A page made before with the notices of the record as it is now."""
    language = re.search(r'<html lang="([\w-]+)">', page)
    section = warnings_section(record, catalogue(language.group(1)) if language else None)
    return re.sub(f"{_BEGIN}.*?{_END}", lambda _: section, page, count=1, flags=re.DOTALL)


def dicom_comment(warnings: list[str]) -> str:
    """The warnings as Image Comments of a DICOM object, cut where the attribute ends."""
    text = "\r\n".join(warnings)
    return text if len(text) <= _MAX_COMMENT else f"{text[: _MAX_COMMENT - 3]}..."
