"""Texts in the language of the application."""

from __future__ import annotations

import functools
import logging
import string
import sys
from pathlib import Path

from .host import inApplication


def tr(text: str) -> str:
    """Translate a text that a person sees; unchanged where there is no application.

    Imported as ``_``, the only name by which Slicer's tool for translators finds texts. Use
    named placeholders and fill them afterwards: ``_("Loading {name}").format(name=...)``.
    A translation with other placeholders than the text is ignored, as `format` would fail.
    """
    if not inApplication():
        return text
    import slicer

    # Translations are kept by source file: the caller's, not this one. `slicer.i18n.tr` would
    # look for them under this file.
    translated = slicer.app.translate(_context(sys._getframe(1).f_code.co_filename), text)
    if _placeholders(translated) != _placeholders(text):
        logging.warning("The translation of %r has other placeholders: %r", text, translated)
        return text
    return translated


@functools.cache
def _context(file: str) -> str:
    """Under which name Slicer keeps a file's texts, as ``slicer.i18n.getContext`` has it."""
    path = Path(file)
    packaged = path.with_name("__init__.py").is_file()
    return f"{path.parent.name}.{path.stem}" if packaged else path.stem


def _placeholders(text: str) -> set[str | None]:
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}
    except ValueError:
        # An unpaired brace: no text for `format`.
        return {None}
