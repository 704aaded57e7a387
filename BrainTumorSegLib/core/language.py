"""Texts of the library in other languages, from ``Resources/Translations/*.ts`` (Qt Linguist).

Messages are made in English and kept in English: in records, logs and JSON lines. Only where a
person reads one is it translated, by the English template it was made from, so that a run says
the same to a program whatever the language of its user.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from xml.etree import ElementTree

from .resources import resource_path

#: Context of the library's own texts in the translation files; the others are those of Slicer.
CONTEXT = "BrainTumorSegLib"

#: How statements are joined to one; tried last, since every sentence may hold such a word.
JOINTS = ("{first}, but {second}", "{first}, and {second}", "{first} and {second}", "“{name}”")

#: What a message may quote grows with its input; longer ones are shown as they are.
_LONGEST = 4000

#: Quotations of messages in messages.
_DEEPEST = 4

_SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z])")


@dataclass(frozen=True)
class _Template:
    """An English text with places to fill, and its translation."""

    translation: str
    literals: tuple[str, ...]
    pattern: re.Pattern[str]
    quoted: frozenset[str]

    @property
    def spoken(self) -> bool:
        """Whether it has words of its own, by which its texts can be told from others."""
        return re.search(r"[A-Za-z]{2}", "".join(self.literals)) is not None

    @property
    def weight(self) -> int:
        return sum(map(len, self.literals))


@dataclass(frozen=True)
class Catalogue:
    """The library's texts in one language; without texts everything stays English.

    Attributes:
        language: as in ``<html lang="...">``.
        texts: translations by English text, as the translation file holds them.
    """

    language: str = "en"
    texts: Mapping[str, str] = field(default_factory=dict)

    def text(self, english: str) -> str:
        """The translation of a text as it stands in the source, placeholders included."""
        return self.texts.get(english, english)

    def message(self, english: str) -> str:
        """The translation of a text that was filled in already; what is unknown stays English."""
        if not self.texts or len(english) > _LONGEST:
            return english
        return self._message(english, _DEEPEST)

    def _message(self, english: str, depth: int) -> str:
        if english in self.texts:
            return self.texts[english]
        if depth == 0 or not re.search(r"[A-Za-z]{2}", english):
            return english
        for template in self._templates:
            found = self._filled(template, english, depth)
            if found is not None:
                return found
        sentences = _SENTENCE_END.split(english)
        if len(sentences) > 1:
            return " ".join(self._message(sentence, depth - 1) for sentence in sentences)
        for template in self._weak:
            found = self._filled(template, english, depth)
            if found is not None:
                return found
        return english

    def _filled(self, template: _Template, english: str, depth: int) -> str | None:
        if not all(literal in english for literal in template.literals):
            return None
        match = template.pattern.fullmatch(english)
        if match is None:
            return None
        values = {
            # A name in quotation marks is somebody else's word.
            name: value if name in template.quoted else self._part(value, depth - 1)
            for name, value in match.groupdict().items()
        }
        return template.translation.format(**values)

    def _part(self, english: str, depth: int) -> str:
        """A text within another, which may be a sentence that has lost its period."""
        found = self._message(english, depth)
        if found == english and " " in english and not english.endswith("."):
            whole = self._message(f"{english}.", depth)
            return whole.removesuffix(".") if whole != f"{english}." else english
        return found

    @cached_property
    def _templates(self) -> tuple[_Template, ...]:
        """Templates, those with most text of their own first."""
        made = [_template(e, t) for e, t in self.texts.items() if e not in JOINTS]
        spoken = (t for t in made if t is not None and t.spoken)
        return tuple(sorted(spoken, key=lambda t: -t.weight))

    @cached_property
    def _weak(self) -> tuple[_Template, ...]:
        """Templates like ``{sequence}: {reason}.``, then `JOINTS`."""
        made = [_template(e, t) for e, t in self.texts.items() if ": " in e]
        colons = [t for t in made if t is not None and not t.spoken]
        joints = [_template(joint, self.texts[joint]) for joint in JOINTS if joint in self.texts]
        return (*colons, *filter(None, joints))


def _template(english: str, translation: str) -> _Template | None:
    """None for a text with nothing to fill in."""
    pattern, literals, names = "", [], set()
    pieces = list(string.Formatter().parse(english))
    for number, (literal, name, _, _) in enumerate(pieces):
        pattern += re.escape(literal)
        literals.append(literal)
        if name is None:
            continue
        after = pieces[number + 1][0] if number + 1 < len(pieces) else ""
        quoted = literal.endswith("“") and after.startswith("”")
        names |= {name} if quoted else set()
        pattern += f"(?P<{name}>{'[^“”]+?' if quoted else '.*?'})"
    if len(pieces) == 1 and pieces[0][1] is None:
        return None
    compiled = re.compile(pattern, re.DOTALL)
    return _Template(translation, tuple(literals), compiled, frozenset(names))


@lru_cache
def catalogue(language: str) -> Catalogue:
    """The texts in a language, such as ``ru`` or ``ru_RU``; empty where there is no translation."""
    for name in dict.fromkeys((language.replace("-", "_"), language[:2])):
        path = resource_path("Translations") / f"BrainTumorSeg_{name}.ts"
        if re.fullmatch(r"[A-Za-z_]+", name) and path.is_file():
            own = {e: t for c, e, t in translations(path) if c == CONTEXT and t}
            return Catalogue(name, own)
    return Catalogue()


def translations(path: Path) -> Iterator[tuple[str, str, str]]:
    """Context, English text and translation of each message of a ``.ts`` file.

    The translation is empty where there is none, or only one that is marked as unfinished.
    """
    for context in ElementTree.parse(path).iter("context"):
        for message in context.iter("message"):
            translation = message.find("translation")
            done = translation is not None and translation.get("type") is None
            text = translation.text if done and translation is not None else None
            yield context.findtext("name", ""), message.findtext("source", ""), text or ""


def languages() -> list[str]:
    """The languages there are, English first."""
    paths = resource_path("Translations").glob("BrainTumorSeg_*.ts")
    return ["en", *sorted(path.stem.partition("_")[2] for path in paths)]


def wanted_language() -> str:
    """What the environment variable ``LANGUAGE`` names first (GNU gettext); English by default."""
    return os.environ.get("LANGUAGE", "").partition(":")[0].partition(".")[0] or "en"
