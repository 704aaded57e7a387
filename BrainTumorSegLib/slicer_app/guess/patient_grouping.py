"""Which loaded scans belong together: one patient at one time.

DICOM and the subject hierarchy say it outright. For other files only names and folders
can: what two names have besides words about the sequence tells patients and dates apart.
Where in doubt scans are kept apart, for mixing two patients is worse than asking.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from BrainTumorSegLib.core.sequence_names import name_evidence
from BrainTumorSegLib.core.technical_words import TECHNICAL_WORDS

from ..host.translation import tr as _
from ..scene.scene_scans import SceneScan

_EXTENSION = re.compile(r"(?:\.(?:nii|nrrd|nhdr|mh[ad]|img|hdr|dcm|mgz|mgh))*(?:\.gz)?$", re.I)
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_. ]?(0[1-9]|1[0-2])[-_. ]?(0[1-9]|[12]\d|3[01])")
_NUMBERED = re.compile(
    r"(?<![a-z])(sub(?:j(?:ect)?)?|ses(?:s(?:ion)?)?|pat(?:ient)?|pt|case|id|visit|tp"
    r"|time ?(?:point)?|day|week|month|year|fu|follow ?up)[ -]?(\d+\w*)"
)
_PATIENT_WORDS = ("sub", "pat", "pt", "cas", "id")
_BIDS = re.compile(r"(?<![a-z])(sub|ses)-([a-z0-9]+)")
_TIME_WORDS = re.compile(
    r"(?<![a-z])(baseline|follow ?up|pre ?op\w*|post ?op\w*|previous|prior|recurrence|relapse)"
    r"(?![a-z])"
)


@dataclass(frozen=True)
class Group:
    """Scans that belong together.

    Attributes:
        title: whose they are, for people.
        scans: in the order of the scene.
    """

    title: str
    scans: tuple[SceneScan, ...]

    @property
    def fromDicom(self) -> bool:
        """Whether any of them has a DICOM header."""
        return any(scan.fromDicom for scan in self.scans)


def groupScans(scans: Iterable[SceneScan]) -> list[Group]:
    """Divide scans into groups of one patient at one time each."""
    groups = []
    for together in _split(list(scans), _place):
        parts = [together]
        if not _isStudy(together[0]):
            for key, sharedOnly in _NAME_KEYS:
                parts = [piece for part in parts for piece in _split(part, key, sharedOnly)]
        title = together[0].placeTitle
        for part in parts:
            if not title or len(parts) > 1:
                title = ": ".join(filter(None, (together[0].placeTitle, _namesTitle(part))))
            groups.append(Group(title, tuple(part)))
    return groups


def _isStudy(scan: SceneScan) -> bool:
    return scan.place is not None and scan.place.startswith("study ")


def _place(scan: SceneScan) -> frozenset[str]:
    # Loose in the scene is a place, too: such scans are not added to a study.
    return frozenset({scan.place or "loose"})


def _folder(scan: SceneScan) -> frozenset[str]:
    """The folder, without trailing folders that are named after sequences or formats."""
    if scan.file is None:
        return frozenset()
    parts = list(scan.file.parent.parts)
    while len(parts) > 1 and all(map(_isTechnical, _words(parts[-1]))):
        parts.pop()
    return frozenset({str(Path(*parts))} if parts else ())


def _days(scan: SceneScan) -> frozenset[str]:
    return frozenset("".join(day) for text in _texts(scan) for day in _DAY.findall(text))


def _longNumbers(scan: SceneScan) -> frozenset[str]:
    return frozenset(
        number
        for text in _texts(scan)
        for number in re.findall(r"\d{6,}", _DAY.sub(" ", text))
        # Six digits after a day are a time of the clock, which differs between series.
        if not (_DAY.search(text) and len(number) == 6)
    )


def _patientNumbers(scan: SceneScan) -> frozenset[str]:
    return frozenset(f"{w} {n}" for w, n in _numbered(scan) if w.startswith(_PATIENT_WORDS))


def _visitNumbers(scan: SceneScan) -> frozenset[str]:
    return frozenset(f"{w} {n}" for w, n in _numbered(scan) if not w.startswith(_PATIENT_WORDS))


def _numbered(scan: SceneScan) -> Iterator[tuple[str, str]]:
    """Words with a number that name patients or visits, shortened so that spellings agree."""
    for text in _texts(scan):
        for word, number in [*_BIDS.findall(text), *_NUMBERED.findall(text)]:
            yield word[:3], number.lstrip("0") or "0"


def _times(scan: SceneScan) -> frozenset[str]:
    return frozenset(
        word.replace(" ", "")[:6] for text in _texts(scan) for word in _TIME_WORDS.findall(text)
    )


def _lead(scan: SceneScan) -> frozenset[str]:
    """What a name begins with, before the first word about the sequence."""
    lead = []
    for word in _ownWords(scan):
        if _isTechnical(word):
            break
        lead.append(word)
    else:
        return frozenset()
    text = " ".join(lead)
    return frozenset({text} if text and not _isShortNumber(text) else ())


def _shortNumber(scan: SceneScan) -> frozenset[str]:
    """A number in front may be that of a patient or of a series."""
    first = next(iter(_words(scan.name)), "")
    return frozenset({first} if _isShortNumber(first) else ())


def _otherWords(scan: SceneScan) -> frozenset[str]:
    return frozenset(word for word in _ownWords(scan) if len(word) > 2 and not _isTechnical(word))


def _ownWords(scan: SceneScan) -> list[str]:
    """Words of the name, without days and numbered words, which are judged by themselves."""
    return _words(_NUMBERED.sub(" ", _DAY.sub(" ", _plain(scan.name))))


#: What tells scans apart, in this order; with True only if some scans share it.
_NAME_KEYS: tuple[tuple[Callable[[SceneScan], frozenset[str]], bool], ...] = (
    (_folder, False),
    (_patientNumbers, False),
    (_visitNumbers, False),
    (_days, False),
    (_longNumbers, False),
    (_times, False),
    (_lead, False),
    (_shortNumber, True),
    (_otherWords, True),
)


def _split(
    scans: list[SceneScan],
    keyOf: Callable[[SceneScan], frozenset[str]],
    sharedOnly: bool = False,
) -> list[list[SceneScan]]:
    """Part scans that have no key in common.

    Scans without a key join the others when those are of one kind, else keep together.
    """
    keys = [keyOf(scan) for scan in scans]
    parts: list[tuple[set[str], list[int]]] = []
    for number, key in enumerate(keys):
        if not key:
            continue
        joined, members = set(key), [number]
        for part in [part for part in parts if part[0] & key]:
            joined |= part[0]
            members += part[1]
            parts.remove(part)
        parts.append((joined, members))
    if sharedOnly and all(len(members) < 2 for _owner, members in parts):
        return [scans]
    if len(parts) < 2:
        return [scans]
    silent = [number for number, key in enumerate(keys) if not key]
    pieces = [members for _owner, members in parts] + ([silent] if silent else [])
    return [[scans[n] for n in sorted(piece)] for piece in sorted(pieces, key=min)]


def _namesTitle(scans: Sequence[SceneScan]) -> str:
    """For people: what the names share, else the names."""
    shared = frozenset.intersection(*(frozenset(_words(scan.name)) for scan in scans))
    own = [word for word in re.split(r"[\s._\-]+", scans[0].name) if _plain(word) in shared]
    own = [word for word in own if not _isTechnical(_plain(word))]
    if own and len(scans) > 1:
        return " ".join(own)
    text = ", ".join(f"“{scan.name}”" for scan in scans[:3])
    if len(scans) > 3:
        text = _("{names} and {count} more").format(names=text, count=len(scans) - 3)
    return text


def _texts(scan: SceneScan) -> list[str]:
    """Everything in words that may tell whose scan it is, in lower case, words apart."""
    texts = [scan.name]
    if scan.file is not None:
        texts += [scan.file.name, *scan.file.parent.parts[-4:]]
    return [_plain(text) for text in texts]


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKD", _EXTENSION.sub("", text))
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).casefold()
    return re.sub(r"[^\w.-]+|_+", " ", text)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s.\-]+", _plain(text)) if word]


def _isTechnical(word: str) -> bool:
    return word in TECHNICAL_WORDS or bool(name_evidence(word))


def _isShortNumber(text: str) -> bool:
    return text.isdigit() and len(text) < 6
