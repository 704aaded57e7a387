"""Who a patient is, in all the ways in which it may be written, and finding that in bytes.

A name is looked for as a whole and in parts, in Cyrillic and transliterated, in UTF-8, UTF-16,
ISO 8859-5 and windows-1251; a birth date as people and programs write it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: Shorter words stand in any file by chance.
SHORTEST = 3

#: From so many bytes on, a word is looked for in anything; shorter ones as whole words of texts.
_IN_BYTES = 6

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "iso8859-5", "cp1251")

_WORD = re.compile(r"[^\W_]+")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")

#: Texts in which bytes may be written; UTF-16 is told by its zeros.
_TEXTS = ("utf-8", "cp1251", "iso8859-5")

#: Transliterations of Russian that are in use: passports (ICAO 9303), GOST 7.79 B, BGN/PCGN, and
#: what people type. Letters that all write alike stand first.
_ALIKE = dict(
    zip(
        "абвгдзиклмнопрстуф",
        ("a", "b", "v", "g", "d", "z", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f"),
        strict=True,
    )
)
_SCHEMES: tuple[dict[str, str], ...] = (
    {
        **{"е": "e", "ё": "e", "ж": "zh", "й": "i", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh"},
        **{"щ": "shch", "ъ": "ie", "ы": "y", "ь": "", "э": "e", "ю": "iu", "я": "ia"},
    },
    {
        **{"е": "e", "ё": "yo", "ж": "zh", "й": "j", "х": "x", "ц": "cz", "ч": "ch", "ш": "sh"},
        **{"щ": "shh", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya"},
    },
    {
        **{"е": "e", "ё": "yo", "ж": "zh", "й": "y", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh"},
        **{"щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya"},
    },
    {
        **{"е": "e", "ё": "e", "ж": "j", "й": "y", "х": "h", "ц": "c", "ч": "ch", "ш": "sh"},
        **{"щ": "sch", "ъ": "", "ы": "i", "ь": "", "э": "e", "ю": "ju", "я": "ja"},
    },
)


def words_of(text: str) -> frozenset[str]:
    """The words of a text in lower case; what parts them is anything but letters and digits."""
    return frozenset(_WORD.findall(text.casefold()))


def transliterations(text: str) -> set[str]:
    """A text in lower case as it may be written in Latin letters; itself where it is Latin."""
    found = {text}
    if any("а" <= letter <= "я" or letter == "ё" for letter in text):
        for scheme in _SCHEMES:
            table = {**_ALIKE, **scheme}
            found.add("".join(table.get(letter, letter) for letter in text))
    return found


def name_words(text: str) -> set[str]:
    """The parts of a name that are long enough to be looked for, transliterated, too."""
    parts = {part for part in words_of(text) if len(part) >= SHORTEST and not part.isdigit()}
    return {t for part in parts for t in transliterations(part) if len(t) >= SHORTEST}


def date_texts(day: str) -> set[str]:
    """A day ``YYYYMMDD`` as it may be written."""
    if not re.fullmatch(r"\d{8}", day):
        return set()
    year, month, date = day[:4], day[4:6], day[6:]
    parts = [(year, month, date), (date, month, year), (month, date, year)]
    return {day, f"{date}{month}{year}", *(mark.join(p) for p in parts for mark in ".-/")}


@dataclass(frozen=True)
class Identity:
    """Something that tells who a patient is.

    Attributes:
        of: the pseudonym.
        kind: what it is, for a report that must not repeat it.
        text: in lower case.
    """

    of: str
    kind: str
    text: str


def identities_of(pseudonym: str, known: Mapping[str, Iterable[str]]) -> list[Identity]:
    """Everything to look for.

    Args:
        pseudonym: of a patient.
        known: texts as they came, by kind; see `profile.IDENTIFYING`.
    """
    found: dict[str, Identity] = {}
    for kind, texts in known.items():
        for text in (read for told in texts for read in _readings(told)):
            for one in _ways(kind, text.casefold()):
                found.setdefault(one, Identity(pseudonym, kind, one))
    return list(found.values())


def _readings(text: str) -> set[str]:
    """A text, and what it means where a header does not say that it is Cyrillic."""
    found = {text}
    if not text.isascii():
        for encoding in _TEXTS:
            with suppress(UnicodeError):
                found.add(text.encode("latin-1").decode(encoding))
    return found


def _ways(kind: str, text: str) -> set[str]:
    if kind == "birth date":
        return date_texts(text)
    if kind.startswith("name"):
        return name_words(text)
    # Numbers of one or two digits, such as a study's, stand everywhere.
    whole = text.strip()
    least = SHORTEST + 1 if whole.isdigit() else SHORTEST
    return {whole} if len(whole) >= least else set()


@dataclass(frozen=True)
class Finder:
    """Looks for many identities at once.

    Attributes:
        identities: what is looked for.
    """

    identities: tuple[Identity, ...]

    @cached_property
    def words(self) -> dict[str, Identity]:
        """Identities by their text."""
        return {one.text: one for one in self.identities}

    @cached_property
    def _marked(self) -> list[Identity]:
        """Identities in which there is more than letters and digits, such as dates."""
        return [one for one in self.identities if not one.text.isalnum()]

    @cached_property
    def _needles(self) -> dict[bytes, Identity]:
        found: dict[bytes, Identity] = {}
        for one in self.identities:
            for text in {one.text, one.text.upper(), one.text.title()}:
                for encoding in _ENCODINGS:
                    try:
                        needle = text.encode(encoding).lower()
                    except UnicodeEncodeError:
                        continue
                    if len(needle) >= _IN_BYTES and len(text) >= _least(encoding):
                        found.setdefault(needle, one)
        return found

    @cached_property
    def _heads(self) -> tuple[np.ndarray, dict[int, list[bytes]]]:
        """The first bytes of what is looked for, as numbers in order, and the needles by them."""
        by_head: dict[int, list[bytes]] = {}
        for needle in self._needles:
            head = int.from_bytes(needle[:_IN_BYTES], "little")
            by_head.setdefault(head, []).append(needle)
        return np.array(sorted(by_head), np.uint64), by_head

    def in_text(self, text: str) -> set[Identity]:
        """What stands in a text as whole words."""
        folded = text.casefold()
        found = {self.words[w] for w in words_of(text) & self.words.keys()}
        return found | {one for one in self._marked if one.text in folded}

    def in_bytes(self, content: bytes) -> set[Identity]:
        """What stands anywhere in bytes, in any of the encodings, long words only."""
        heads, by_head = self._heads
        found: set[Identity] = set()
        if not len(heads) or len(content) < _IN_BYTES:
            return found
        step, over = 1 << 22, max(map(len, self._needles))
        for begin in range(0, len(content), step):
            piece = content[begin : begin + step + over].lower()
            values = np.frombuffer(piece, np.uint8)
            if len(values) < _IN_BYTES:
                continue
            for place in _places(values, heads):
                head = int.from_bytes(piece[place : place + _IN_BYTES], "little")
                for needle in by_head.get(head, ()):
                    if piece.startswith(needle, place):
                        found.add(self._needles[needle])
        return found

    def in_content(self, content: bytes) -> set[Identity]:
        """What stands in a file: long words anywhere, short ones where it is a text."""
        found = self.in_bytes(content)
        for text in _texts(content):
            found |= self.in_text(text)
        return found


def _least(encoding: str) -> int:
    # In UTF-16 three letters are six bytes, in UTF-8 three Cyrillic ones.
    return SHORTEST if encoding.startswith("utf") else _IN_BYTES


def _places(values: np.ndarray, heads: np.ndarray) -> list[int]:
    """Where any of the heads may begin."""
    count = len(values) - _IN_BYTES + 1
    # Two bytes tell most places apart at once.
    firsts = np.zeros(1 << 16, bool)
    firsts[(heads & np.uint64(0xFFFF)).astype(np.int64)] = True
    pairs = values[:count].astype(np.uint16) | (values[1 : count + 1].astype(np.uint16) << 8)
    places = np.flatnonzero(firsts[pairs])
    numbers = np.zeros(len(places), np.uint64)
    for index in range(_IN_BYTES):
        numbers |= values[places + index].astype(np.uint64) << np.uint64(8 * index)
    return places[np.isin(numbers, heads)].tolist()


def _texts(content: bytes) -> list[str]:
    """Bytes as text, in every encoding in which they may be one; none for other content."""
    if not content:
        return []
    head = content[:4096]
    zeros = head.count(0)
    if zeros:
        for mark in (b"\xff\xfe", b"\xfe\xff"):
            if content.startswith(mark):
                return [content.decode("utf-16", "replace")]
        if zeros * 3 < len(head):
            return []
        halves = (head[1::2].count(0), head[::2].count(0))
        if max(halves) * 2.2 < len(head):
            return []
        return [content.decode("utf-16-le" if halves[0] > halves[1] else "utf-16-be", "replace")]
    return [
        text
        for encoding in _TEXTS
        for text in _with_characters(content.decode(encoding, "replace"))
    ]


def _with_characters(text: str) -> set[str]:
    """A text, and the same with what XML and JSON write as numbers of characters."""
    found = {text}
    if "&#" in text:
        found.add(html.unescape(text))
    if "\\u" in text:
        found.add(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), text))
    return found
