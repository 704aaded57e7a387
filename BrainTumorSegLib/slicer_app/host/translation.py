"""Texts in the language of the application."""

from __future__ import annotations

import functools
import logging
import string
import sys
from pathlib import Path

from BrainTumorSegLib.core.language import catalogue
from BrainTumorSegLib.core.resources import resource_path

from .host import inApplication


def loadTranslations() -> None:
    """Give the application this module's translation into its language, if there is one.

    Slicer itself looks for translations only in its own folder.
    """
    if inApplication():
        import slicer

        # The application would do without its own translations as well.
        load = getattr(slicer.app, "loadTranslations", None)
        if load is not None:
            load(str(resource_path("Translations")))


def language() -> str:
    """The application's language, such as ``ru_RU``; English where there is no application."""
    if not inApplication():
        return "en"
    import slicer

    # A property of Slicer's application; PythonQt has no others.
    return str(getattr(slicer.app, "applicationLocaleName", None) or "en")


def told(text: str) -> str:
    """What the library says, in the application's language; its messages are English."""
    return catalogue(language()).message(text)


def later(text: str) -> str:
    """Mark a text that goes into a record, which is English; `told` translates where it is shown.

    The command ``bootstrap translations`` finds it by this name.
    """
    return text


def tr(text: str) -> str:
    """Translate a text that a person sees; unchanged where there is no application.

    Imported as ``_``, the only name by which Slicer's tool for translators finds texts. Use
    named placeholders and fill them afterwards: ``_("Loading {name}").format(name=...)``.
    A translation with other placeholders than the text is ignored, as `format` would fail.
    """
    if not inApplication():
        return text
    # Translations are kept by source file: the caller's, not this one. `slicer.i18n.tr` would
    # look for them under this file.
    translated = _translate(_context(sys._getframe(1).f_code.co_filename), text)
    if _placeholders(translated) != _placeholders(text):
        logging.warning("The translation of %r has other placeholders: %r", text, translated)
        return text
    return translated


def _translate(context: str, text: str) -> str:
    import slicer

    return str(slicer.app.translate(context, text))


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
