"""The three MRI sequences, and telling which one a scan is.

Names and DICOM headers are read as evidence (`sequence_words`, `sequence_headers`);
this file weighs it. Where the evidence is silent or contradicts itself the
answer is None with a sentence that says so: a person decides then, not we.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from math import prod
from pathlib import Path
from typing import Generic, TypeVar

from .sequence_headers import header_evidence
from .sequence_names import Evidence, name_evidence


class Sequence(Enum):
    """An MRI sequence that the networks take; the value is its short file name."""

    T1 = "t1"
    T1CE = "t1ce"
    FLAIR = "flair"


class Verdict(Enum):
    """How a recognition ended."""

    RECOGNIZED = "recognised"
    OTHER = "something else"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Recognition:
    """What a scan probably is.

    Attributes:
        sequence: the sequence, or None when it is another one or cannot be told.
        confidence: 0..1, for ranking and for colours; not a probability.
        reason: a sentence for a radiologist.
        verdict: why ``sequence`` is None, when it is.
        candidates: what an ambiguous scan may be.
        contrast: ``given`` or ``none`` where something says so beyond contradiction.
    """

    sequence: Sequence | None
    confidence: float
    reason: str
    verdict: Verdict = Verdict.RECOGNIZED
    candidates: tuple[Sequence, ...] = ()
    contrast: str | None = None


@dataclass(frozen=True)
class Ambiguity:
    """A sequence for which a person has to choose; ``candidates`` are names or series."""

    sequence: Sequence
    candidates: tuple[str, ...]
    reason: str


T1_OR_T1CE = (Sequence.T1, Sequence.T1CE)

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Assignment(Generic[Key]):
    """Which of several scans is which sequence.

    Attributes:
        chosen: the one scan of each sequence that was found beyond doubt.
        recognitions: what each scan was taken for, and why.
        ambiguities: sequences with several candidates, or with an unclear one.
    """

    chosen: Mapping[Sequence, Key]
    recognitions: Mapping[Key, Recognition]
    ambiguities: tuple[Ambiguity, ...]


#: A weaker statement than this contradicts nothing.
FIRM = 0.6

#: Factor on the confidence of a T1 about whose contrast agent nothing is said.
SILENT_ABOUT_CONTRAST = 0.75


def recognize(name: str) -> Recognition:
    """Recognise a sequence from a file name, node name or series description."""
    return weigh_evidence(name_evidence(name), f"The name “{name}”")


def recognize_dicom(attributes: Mapping[str, str]) -> Recognition:
    """Recognise a sequence from the DICOM attributes of one series.

    Args:
        attributes: text by keyword, several values joined by a backslash: Modality,
            ImageType, SeriesDescription, ProtocolName, SequenceName, ScanningSequence,
            RepetitionTime, EchoTime, InversionTime, FlipAngle, ContrastBolusAgent ...
            Any may be missing.
    """
    return weigh_evidence(header_evidence(attributes), "The DICOM header")


def weigh_evidence(evidence: Iterable[Evidence], speaker: str) -> Recognition:
    """Judge all evidence about one scan.

    Firm refusals count first, then weighting, then (for T1) contrast agent.
    Agreeing statements strengthen each other as if independent; firm statements
    that exclude each other make the scan ambiguous.
    """
    evidence = list(evidence)
    refusals = [e for e in evidence if e.kind == "refusal"]
    weightings = [e for e in evidence if e.kind == "weighting"]
    contrast = [e for e in evidence if e.kind == "contrast"]
    statements = {e.values for e in contrast}
    known = contrast[0].value if len(statements) == 1 and len(contrast[0].values) == 1 else None
    if refusals:
        best = max(refusals, key=lambda e: e.weight)
        reason = f"It is {best.value}: {best.because}."
        return Recognition(None, best.weight, reason, Verdict.OTHER, contrast=known)
    if not weightings:
        more = f" ({_join(contrast)})" if contrast else ""
        reason = f"{speaker} does not say which sequence it is{more}."
        return Recognition(None, 0.0, reason, Verdict.UNKNOWN, contrast=known)
    firm = [e for e in weightings if e.weight >= FIRM] or weightings
    possible = frozenset.intersection(*(e.values for e in firm))
    if not possible:
        named = frozenset.union(*(e.values for e in firm))
        candidates = tuple(s for s in Sequence if s.name.removesuffix("CE") in named)
        reason = f"Contradictory: {_join(firm, ', but ')}."
        return Recognition(None, 0.0, reason, Verdict.AMBIGUOUS, candidates, known)
    agreeing = [e for e in weightings if e.values & possible]
    if possible == {"T1"}:
        return _contrast_verdict(agreeing, contrast, known)
    if possible == {"FLAIR"}:
        note = " Contrast agent had been given." if known == "given" else ""
        reason = f"FLAIR: {_join(agreeing)}.{note}"
        return Recognition(Sequence.FLAIR, _together(agreeing), reason, contrast=known)
    if possible == {"T1", "T2"}:
        reason = f"T1 or T2: {_join(agreeing)}."
        return Recognition(None, 0.0, reason, Verdict.AMBIGUOUS, T1_OR_T1CE, known)
    name = " or ".join(sorted(possible - {"FLAIR"}))
    reason = f"It is {name}-weighted: {_join(agreeing)}."
    return Recognition(None, _together(agreeing), reason, Verdict.OTHER, contrast=known)


def _contrast_verdict(
    weightings: list[Evidence], contrast: list[Evidence], known: str | None
) -> Recognition:
    confidence = _together(weightings)
    if not contrast:
        reason = f"T1: {_join(weightings)}; nothing is said about contrast agent."
        return Recognition(Sequence.T1, round(SILENT_ABOUT_CONTRAST * confidence, 3), reason)
    unclear = [e for e in contrast if len(e.values) > 1]
    if unclear:
        reason = (
            f"T1 or T1CE: {_join(unclear)}; whether contrast agent had been given must be said."
        )
        return Recognition(None, 0.0, reason, Verdict.AMBIGUOUS, T1_OR_T1CE)
    if known is None:
        native, enhanced = (_join(e for e in contrast if e.value == v) for v in ("none", "given"))
        reason = (
            f"T1 or T1CE: {native}, but {enhanced}; "
            "whether contrast agent had been given cannot be told."
        )
        return Recognition(None, 0.0, reason, Verdict.AMBIGUOUS, T1_OR_T1CE)
    sequence = Sequence.T1CE if known == "given" else Sequence.T1
    reason = f"{sequence.name}: {_join([*weightings, *contrast])}."
    confidence = min(confidence, _together(contrast))
    return Recognition(sequence, confidence, reason, contrast=known)


def _together(evidence: list[Evidence]) -> float:
    """Confidence from statements taken as independent, never quite certain."""
    return round(min(0.99, 1 - prod(1 - e.weight for e in evidence)), 3)


def _join(evidence: Iterable[Evidence], by: str = " and ") -> str:
    """Clauses in a row; a speaker who says several things is named once."""
    clauses: dict[str, list[str]] = {}
    for because in dict.fromkeys(e.because for e in evidence):
        speaker, quote, words = because.partition(" says “")
        clauses.setdefault(speaker, []).append(quote + words)
    statements = [
        speaker + more[0] + "".join(f" and {m.removeprefix(' says ')}" for m in more[1:])
        for speaker, more in clauses.items()
    ]
    return (
        f"{', '.join(statements[:-1])}{by}{statements[-1]}"
        if len(statements) > 2
        else by.join(statements)
    )


def assign(names: Iterable[str]) -> Assignment[str]:
    """Recognise several names together, for example the volume nodes of a scene."""
    return assign_recognized({name: recognize(name) for name in names})


def recognize_files(paths: Iterable[Path]) -> Assignment[Path]:
    """Recognise several files by name; a name that is silent borrows its folder's name."""
    return assign_recognized({path: _recognize_file(path) for path in paths})


def _recognize_file(path: Path) -> Recognition:
    own = recognize(path.name)
    if own.verdict is not Verdict.UNKNOWN or not path.parent.name:
        return own
    folder = weigh_evidence(
        name_evidence(path.parent.name, "the folder's name"), f"The folder “{path.parent.name}”"
    )
    return own if folder.verdict is Verdict.UNKNOWN else folder


def assign_recognized(recognitions: Mapping[Key, Recognition]) -> Assignment[Key]:
    """Judge several scans together, each of which was recognised on its own.

    Args:
        recognitions: by a key whose text people understand.
    """
    recognitions = _compare(recognitions)
    chosen, ambiguities = {}, []
    for sequence in Sequence:
        sure = [key for key, r in recognitions.items() if r.sequence is sequence]
        unclear = [key for key, r in recognitions.items() if sequence in r.candidates]
        if len(sure) == 1:
            chosen[sequence] = sure[0]
        elif len(sure) > 1:
            names = tuple(map(_shown, sure))
            reason = f"{' and '.join(names)} are all {sequence.name}; choose one."
            ambiguities.append(Ambiguity(sequence, names, reason))
        elif unclear:
            names = tuple(map(_shown, unclear))
            reason = " ".join(f"{_shown(k)}: {recognitions[k].reason}" for k in unclear)
            ambiguities.append(Ambiguity(sequence, names, reason))
    return Assignment(chosen, recognitions, tuple(ambiguities))


def _compare(recognitions: Mapping[Key, Recognition]) -> dict[Key, Recognition]:
    """Beside a T1CE, a T1 that says nothing about contrast agent is the native one."""
    enhanced = next((k for k, r in recognitions.items() if r.sequence is Sequence.T1CE), None)
    compared = dict(recognitions)
    for key, found in recognitions.items():
        if enhanced is not None and found.sequence is Sequence.T1 and found.contrast is None:
            reason = f"{found.reason.rstrip('.')}, but {_shown(enhanced)} is the T1CE beside it."
            confidence = round(min(0.95, found.confidence / SILENT_ABOUT_CONTRAST), 3)
            compared[key] = replace(found, confidence=confidence, reason=reason)
    return compared


def _shown(key: Hashable) -> str:
    return key.name if isinstance(key, Path) else str(key)
