"""Which series of a study are T1, T1CE and FLAIR: proposed with reasons, never guessed.

`BrainTumorSegLib.core.sequences` judges each series by its own header. Here the series
are judged together: by the order in which they were acquired and, where several
show the same sequence, by which of them is clearly the better input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from BrainTumorSegLib.core.sequence_headers import agent_field, header_evidence, number
from BrainTumorSegLib.core.sequence_names import examination_has_contrast
from BrainTumorSegLib.core.sequences import (
    FIRM,
    SILENT_ABOUT_CONTRAST,
    T1_OR_T1CE,
    Ambiguity,
    Recognition,
    Sequence,
    Verdict,
    recognize_dicom,
)

from .series import Series, Study

#: Confidence of a T1CE acquired after a series with contrast agent, and of the later
#: of two T1 in an examination with contrast agent.
AFTER_CONTRAST, BY_ORDER = 0.8, 0.7

#: From this number of series on, an examination surely began before contrast agent.
MANY_SERIES = 4


@dataclass(frozen=True)
class Proposal:
    """What the series of a study are taken for.

    Attributes:
        chosen: the series of each sequence about which there is no doubt.
        candidates: all usable series of each sequence.
        recognitions: what each series was taken for and why, by its key.
        reasons: why the chosen series, one sentence or more for a radiologist.
        ambiguities: sequences for which a person has to choose, by series key.
        warnings: what else a reader of the result must know.
    """

    chosen: Mapping[Sequence, Series]
    candidates: Mapping[Sequence, tuple[Series, ...]]
    recognitions: Mapping[str, Recognition]
    reasons: Mapping[Sequence, str]
    ambiguities: tuple[Ambiguity, ...]
    warnings: tuple[str, ...] = ()


def propose_sequences(study: Study) -> Proposal:
    """Propose a series for each sequence.

    Rules for contrast agent beyond a series' own header:

    * The contrast agent field tells nothing when it is filled in on a localizer or on
      every one of many series (somebody filled it in for the whole examination), and
      "NONE" tells nothing when no series of the study says anything else.
    * After the first series that was acquired with contrast agent, every T1 is T1CE;
      one that calls itself native then is ambiguous. Screen captures, reformatted copies
      and derived images tell nothing about that moment, nor does their own time: it may be
      when they were made.
    * Where nothing at all tells, the later of two T1 of the same protocol is likely
      T1CE. That is accepted when the study or protocol name says that contrast agent
      was used; otherwise it is reported as ambiguous, for it may be a mere repetition.

    Rules for several series of one sequence, each applied to what the one before
    leaves over; see `CRITERIA`: a complete volume; recognised with much more
    confidence; original rather than derived; covering the head; slices thinner by a
    third; axial, when slices are thick; corrected for distortion; without fat
    saturation; FLAIR before contrast agent; T1 taken like the T1CE. If more than one
    is left, the sequence is ambiguous.
    """
    recognitions, warnings = _recognize(study)
    recognitions = _judge_by_order(study, recognitions)
    chosen: dict[Sequence, Series] = {}
    candidates, reasons, ambiguities = {}, {}, []
    for sequence in (Sequence.T1CE, Sequence.FLAIR, Sequence.T1):
        found = [s for s in study.series if recognitions[s.key].sequence is sequence]
        unclear = [s for s in study.series if sequence in recognitions[s.key].candidates]
        candidates[sequence] = tuple(s for s in found if s.grid is not None)
        best, remarks = _best(found, recognitions, sequence, chosen.get(Sequence.T1CE))
        if len(best) == 1 and _usable(best[0], recognitions):
            chosen[sequence] = best[0]
            reasons[sequence] = " ".join([recognitions[best[0].key].reason, *remarks])
            warnings += [_not_used(series, sequence, recognitions) for series in unclear]
        elif best or unclear:
            ambiguities.append(_ambiguity(sequence, [*best, *unclear], recognitions))
    return Proposal(
        chosen,
        candidates,
        recognitions,
        reasons,
        tuple(ambiguities),
        tuple(dict.fromkeys(warnings)),
    )


def _recognize(study: Study) -> tuple[dict[str, Recognition], list[str]]:
    fields = {s.key: agent_field(s.attributes) for s in study.series}
    ignored: set[str] = set()
    warnings: list[str] = []
    original = [s for s in study.series if _is_original(s)]
    if any(fields[s.key] == "given" for s in original if _is_localizer(s)):
        ignored.add("given")
        where = "even for the localizer"
    elif len(original) >= MANY_SERIES and {fields[s.key] for s in original} == {"given"}:
        ignored.add("given")
        where = "for every series alike"
    if ignored:
        warnings.append(f"The contrast agent field is filled in {where}, so it was not relied on.")
    if "given" not in fields.values():
        ignored.add("none")
    recognitions = {}
    for series in study.series:
        attributes = series.attributes
        if fields[series.key] in ignored:
            attributes = {k: v for k, v in attributes.items() if not k.startswith("ContrastBolus")}
        recognitions[series.key] = recognize_dicom(attributes)
    return recognitions, warnings


def _is_localizer(series: Series) -> bool:
    return any(e.value == "a localizer" for e in header_evidence(series.attributes))


#: What is made from images at any time after they were acquired.
_MADE_LATER = frozenset(
    {
        "a report or screen capture",
        "a reformatted copy (MPR)",
        "a projection (MIP)",
        "a subtraction",
        "a segmentation or mask",
    }
)


def _is_original(series: Series) -> bool:
    """Whether the time of a series is that at which its images were acquired."""
    if "DERIVED" in _image_types(series):
        return False
    return not any(e.value in _MADE_LATER for e in header_evidence(series.attributes))


def _judge_by_order(study: Study, recognitions: dict[str, Recognition]) -> dict[str, Recognition]:
    timed = [s for s in study.series if s.moment]
    original = [s for s in timed if _is_original(s)]
    enhanced = [s for s in original if recognitions[s.key].contrast == "given"]
    judged = dict(recognitions)
    if enhanced:
        first = min(enhanced, key=lambda s: s.moment)
        for series in timed:
            judged[series.key] = _beside_injection(series, first, recognitions[series.key])
        return judged
    silent = [s for s in original if _is_silent_t1(recognitions[s.key])]
    silent.sort(key=lambda s: s.moment)
    for index, later in enumerate(silent):
        earlier = [s for s in silent[:index] if _same_protocol(s, later)]
        if earlier:
            found = recognitions[later.key]
            judged[later.key] = _later_of_two(later, earlier[0], found)
    return judged


def after_contrast(study: Study, recognitions: Mapping[str, Recognition], series: Series) -> bool:
    """Whether a series was acquired with, or after the first one with, contrast agent."""
    if recognitions[series.key].contrast == "given":
        return True
    moments = [
        one.moment
        for one in study.series
        if one.moment and _is_original(one) and recognitions[one.key].contrast == "given"
    ]
    return bool(moments and series.moment and _is_original(series)) and series.moment > min(moments)


def _is_silent_t1(found: Recognition) -> bool:
    return found.sequence is Sequence.T1 and found.contrast is None


def _beside_injection(series: Series, first: Series, found: Recognition) -> Recognition:
    """Judge a T1 against the first series that was acquired with contrast agent."""
    if found.sequence is not Sequence.T1:
        return found
    if not _is_original(series):
        if found.contrast is not None:
            return found
        reason = (
            f"T1 or T1CE: {found.reason.removeprefix('T1: ').rstrip('.')}, and it was made from "
            "other images, so its time does not tell."
        )
        return Recognition(None, 0.0, reason, Verdict.AMBIGUOUS, T1_OR_T1CE)
    if series.moment < first.moment:
        if found.contrast is None:
            confidence = round(min(0.95, found.confidence / SILENT_ABOUT_CONTRAST), 3)
            reason = (
                f"{found.reason.rstrip('.')}, but it was acquired before the first series with "
                f"contrast agent ({first.title})."
            )
            return replace(found, confidence=confidence, reason=reason)
        return found
    after = f"it was acquired after {first.title}, when contrast agent had been given"
    if found.contrast == "none":
        reason = f"T1 or T1CE: {found.reason.removeprefix('T1: ').rstrip('.')}, but {after}."
        return Recognition(None, 0.0, reason, Verdict.AMBIGUOUS, T1_OR_T1CE)
    reason = f"T1CE: {found.reason.removeprefix('T1: ').rstrip('.')}, but {after}."
    confidence = min(AFTER_CONTRAST, round(found.confidence / SILENT_ABOUT_CONTRAST, 3))
    return Recognition(Sequence.T1CE, confidence, reason, contrast="given")


def _later_of_two(later: Series, earlier: Series, found: Recognition) -> Recognition:
    base = found.reason.removeprefix("T1: ").rstrip(".")
    order = f"it was acquired {_delay(earlier, later)}after {earlier.title} of the same protocol"
    for keyword in ("StudyDescription", "ProtocolName"):
        text = later.attributes.get(keyword, "")
        if examination_has_contrast(text):
            reason = f"T1CE: {base}, but {order}, and the examination is called “{text}”."
            return Recognition(Sequence.T1CE, min(BY_ORDER, found.confidence), reason)
    reason = f"Probably T1CE: {base}, but {order}; it may also be a repetition."
    return Recognition(
        None, 0.0, reason, Verdict.AMBIGUOUS, candidates=(Sequence.T1CE, Sequence.T1)
    )


def _delay(earlier: Series, later: Series) -> str:
    try:
        times = [datetime.strptime(s.moment[:14], "%Y%m%d%H%M%S") for s in (earlier, later)]
    except ValueError:
        return ""
    minutes = round((times[1] - times[0]).total_seconds() / 60)
    return f"{minutes} minutes " if minutes > 1 else ""


def _same_protocol(a: Series, b: Series) -> bool:
    """Same pulse sequence, times and plane, so that only contrast agent can differ."""
    if a.attributes.get("ScanningSequence") != b.attributes.get("ScanningSequence"):
        return False
    for keyword in ("RepetitionTime", "EchoTime", "InversionTime"):
        first, second = number(a.attributes, keyword), number(b.attributes, keyword)
        if (first or 0) and abs((second or 0) / first - 1) > 0.15:
            return False
    if a.grid is None or b.grid is None:
        return False
    if abs(a.grid.normal @ b.grid.normal) < np.cos(np.radians(25)):
        return False
    return abs(a.grid.spacing[2] / b.grid.spacing[2] - 1) < 0.2


@dataclass(frozen=True)
class Criterion:
    """A reason to prefer one series of a sequence to another; a higher score is better."""

    because: str
    score: Callable[[Series, Recognition], float]
    clear: Callable[[float, float], bool] = lambda best, other: best > other
    only: Sequence | None = None


def _image_types(series: Series) -> list[str]:
    return series.attributes.get("ImageType", "").upper().split("\\")


def _coverage(series: Series, _: Recognition) -> float:
    """Shortest side of the imaged box in mm, up to what a brain needs."""
    return min(130.0, *series.grid.extent) if series.grid else 0.0


def _coarseness(series: Series, _: Recognition) -> float:
    return -max(series.grid.spacing) if series.grid else -np.inf


def _axial_if_thick(series: Series, _: Recognition) -> float:
    if series.grid is None:
        return 0.0
    thick = max(series.grid.spacing) >= 2 * min(series.grid.spacing)
    return float(not thick or abs(series.grid.normal[2]) > np.cos(np.radians(35)))


def _undistorted(series: Series, _: Recognition) -> float:
    types = _image_types(series)
    if {"DIS2D", "DIS3D"} & set(types):
        return 1.0
    return 0.0 if "ND" in types else 0.5


_FAT_SATURATION = re.compile(r"(?<![a-z])(?:fs|fat ?sat|spir|spair|stir|dixon)(?![a-z])", re.I)


def _fat_visible(series: Series, _: Recognition) -> float:
    options = series.attributes.get("ScanOptions", "").split("\\")
    text = series.description.replace("_", " ")
    return float("FS" not in options and not _FAT_SATURATION.search(text))


#: Applied one after the other; each keeps the best and what is not clearly worse.
CRITERIA: tuple[Criterion, ...] = (
    Criterion("is a complete volume", lambda s, _: float(s.grid is not None)),
    Criterion(
        "is recognised with more confidence",
        lambda _, r: r.confidence,
        lambda best, other: best - other >= 0.25,
    ),
    Criterion("is an original, not a derived image", lambda s, _: "DERIVED" not in _image_types(s)),
    Criterion("covers more of the head", _coverage, lambda best, other: other < 0.7 * best),
    Criterion("has thinner slices", _coarseness, lambda best, other: other < 1.5 * best),
    Criterion("is axial", _axial_if_thick),
    Criterion("is corrected for distortion", _undistorted),
    Criterion("is without fat saturation", _fat_visible),
    Criterion(
        "was acquired before contrast agent",
        lambda _, r: float(r.contrast != "given"),
        only=Sequence.FLAIR,
    ),
)


def _best(
    found: list[Series],
    recognitions: Mapping[str, Recognition],
    sequence: Sequence,
    enhanced: Series | None,
) -> tuple[list[Series], list[str]]:
    """What the criteria leave over, with a remark on each series that was passed over."""
    criteria = [c for c in CRITERIA if c.only in (None, sequence)]
    if sequence is Sequence.T1 and enhanced is not None:
        criteria.append(
            Criterion("was taken like the T1CE", lambda s, _: float(_same_protocol(s, enhanced)))
        )
    remarks = []
    for criterion in criteria:
        if len(found) < 2:
            break
        scores = {s.key: criterion.score(s, recognitions[s.key]) for s in found}
        best = max(scores.values())
        worse = [s for s in found if criterion.clear(best, scores[s.key])]
        if worse:
            found = [s for s in found if s not in worse]
            passed_over = " and ".join(s.title for s in worse)
            remarks.append(f"Preferred to {passed_over} because it {criterion.because}.")
    return found, remarks


def _usable(series: Series, recognitions: Mapping[str, Recognition]) -> bool:
    return series.problem is None and recognitions[series.key].confidence >= FIRM


def _ambiguity(
    sequence: Sequence, series: list[Series], recognitions: Mapping[str, Recognition]
) -> Ambiguity:
    statements = []
    for one in series:
        problem = f" It cannot be used: {one.problem}." if one.problem else ""
        statements.append(f"{one.title}: {recognitions[one.key].reason}{problem}")
    head = (
        f"{len(series)} series may be {sequence.name}"
        if len(series) > 1
        else f"{sequence.name} is uncertain"
    )
    return Ambiguity(
        sequence, tuple(s.key for s in series), f"{head}. " + " ".join(map(_capital, statements))
    )


def _not_used(series: Series, sequence: Sequence, recognitions: Mapping[str, Recognition]) -> str:
    return _capital(
        f"{series.title} was not used as {sequence.name}: {recognitions[series.key].reason}"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
