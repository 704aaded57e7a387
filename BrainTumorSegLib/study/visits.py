"""Whose visit a DICOM study is, and which of its series are taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.dicom.files import read_dataset
from BrainTumorSegLib.io.dicom.folder import LeftOut
from BrainTumorSegLib.io.dicom.headers import Frame, read_frames
from BrainTumorSegLib.io.dicom.identity import frames_by_study
from BrainTumorSegLib.io.dicom.proposal import Proposal, after_contrast, propose_sequences
from BrainTumorSegLib.io.dicom.series import Series, Study, build_series
from BrainTumorSegLib.io.dicom.study import choose_series

from .deid.keys import Key, Patient
from .deid.profile import IDENTIFYING
from .deid.rewrite import age_years
from .inventory import Became, Item, patient_key, quarantined
from .layout import CaseName


@dataclass
class Visit:
    """A visit that was received.

    Attributes:
        case: its name.
        items: its images.
        study: its series.
        chosen: series by sequence.
        enhanced: sequences that were taken after the contrast agent.
        problem: why it cannot be taken; empty where it can.
        facts: what its headers tell for the registry; ``hospital`` by its name.
    """

    case: CaseName
    items: list[Item]
    study: Study
    chosen: dict[Sequence, Series] = field(default_factory=dict)
    enhanced: frozenset[Sequence] = frozenset()
    problem: str = ""
    facts: dict[str, str] = field(default_factory=dict)

    def files(self) -> dict[Path, Sequence]:
        """The files of the chosen series, each with the sequence."""
        return {path: s for s, series in self.chosen.items() for path in series.files}


def visits_of(
    group: list[Item], key: Key, taken: Iterable[CaseName], choice: Mapping[Sequence, str]
) -> tuple[list[Visit], list[Item]]:
    """The visits of one patient, with names of their own, and the items that are no image.

    The key learns of the patient; whether it is saved is the caller's to decide.

    Args:
        group: open files of one patient; see `inventory.by_patient`.
        key: of the study.
        taken: names of cases that the study has.
        choice: series that a person has chosen, see `choose_series`.
    """
    subject = _subject(group, key, taken)
    patient = key.patients[subject]
    _learn(patient, group)
    by_path = {item.path: item for item in group}
    frames: list[Frame] = []
    settled: list[Item] = []
    lost: list[LeftOut] = []
    for item in group:
        if quarantined(item):
            continue
        try:
            found = read_frames(item.path) if item.text("SOPInstanceUID") else []
        except ValueError as error:
            reason = str(error).partition(" (")[0]
            settled.append(item.settled(Became.UNUSABLE, reason))
            lost.append(LeftOut(item.path, reason, getattr(error, "series", "")))
            continue
        frames += found
        if not found:
            settled.append(item.settled(Became.NOT_TAKEN, "no image"))
    visits = []
    studies, _ = frames_by_study(frames)
    for (_, uid), own in studies.items():
        mr = [frame for frame in own if frame.texts.get("Modality") == "MR"]
        items = [by_path[path] for path in dict.fromkeys(frame.path for frame in own)]
        if not mr:
            settled += [item.settled(Became.NOT_TAKEN, "no image of MR") for item in items]
            continue
        case = CaseName(subject, _session(patient, items))
        study = Study(group[0].path.parent, uid, build_series(mr, lost))
        visits.append(Visit(case, items, study, facts=_facts(items[0])))
        _choose(visits[-1], choice)
    return visits, settled


def home_of(item: Item, key: Key) -> str:
    """The visit that a file is of, or else the patient, as a path below the quarantine."""
    for subject, patient in key.patients.items():
        if patient_key(item) in patient.identifiers:
            for session, uids in patient.visits.items():
                if item.text("StudyInstanceUID") in uids:
                    return f"sub-{subject}/ses-{session}"
            return f"sub-{subject}"
    raise KeyError(patient_key(item))


def _facts(item: Item) -> dict[str, str]:
    sex, age = item.text("PatientSex"), age_years(item.head)
    return {
        "sex": sex if sex in ("F", "M", "O") else "",
        "age": "" if age is None else str(age),
        "hospital": item.text("InstitutionName"),
    }


def _choose(visit: Visit, choice: Mapping[Sequence, str]) -> None:
    proposal = propose_sequences(visit.study)
    try:
        visit.chosen = choose_series(visit.study, choice or proposal)
    except InputError:
        visit.problem = _open_question(proposal)
        return
    visit.enhanced = frozenset(
        sequence
        for sequence, series in visit.chosen.items()
        if sequence is Sequence.T1CE
        or (
            sequence is Sequence.FLAIR
            and after_contrast(visit.study, proposal.recognitions, series)
        )
    )


def _open_question(proposal: Proposal) -> str:
    """Why nobody but a person can choose; series by number, without their names."""
    for one in proposal.ambiguities:
        keys = " or ".join(one.candidates)
        return (
            f"{one.sequence.name} may be series {keys}; say which: --choose {one.sequence.value}=N"
        )
    return "no contrast-enhanced T1 was found; if there is one, say which: --choose t1ce=N"


def why_not(visit: Visit, item: Item) -> str:
    """Why a file of a visit is not taken."""
    for series in visit.study.series:
        if item.path in series.files:
            if series.problem is not None:
                return f"series {series.key}: it is no complete volume"
            if visit.problem:
                return f"series {series.key}: {visit.problem}"
            return f"series {series.key}: another sequence, or another one was better"
    return "a copy of another image, or no image of MR"


def moved(series: Series, places: Mapping[Path, Path]) -> Series:
    """The same series, read from other files."""
    frames = tuple(replace(frame, path=places[frame.path]) for frame in series.frames)
    return replace(series, frames=frames)


def _subject(group: Iterable[Item], key: Key, taken: Iterable[CaseName]) -> str:
    """The pseudonym of a patient, a new one for one who is not known."""
    names = list(dict.fromkeys(map(patient_key, group)))
    for subject, patient in key.patients.items():
        if set(names) & set(patient.identifiers):
            patient.identifiers = list(dict.fromkeys((*patient.identifiers, *names)))
            return subject
    used = [*key.patients, *(case.subject for case in taken)]
    number = max((int(s) for s in used if s.isdigit()), default=0) + 1
    subject = f"{number:03d}"
    key.patients[subject] = Patient(names)
    return subject


def _session(patient: Patient, items: Iterable[Item]) -> str:
    """The number of a visit, a new one for one that is not known."""
    uids = list(dict.fromkeys(item.text("StudyInstanceUID") for item in items))
    for session, known in patient.visits.items():
        if set(uids) & set(known):
            patient.visits[session] = list(dict.fromkeys((*known, *uids)))
            return session
    session = f"{max(map(int, patient.visits), default=0) + 1:02d}"
    patient.visits[session] = uids
    return session


def _learn(patient: Patient, group: Iterable[Item]) -> None:
    """Remember what names a patient: what the heads say, and one whole header a series."""
    known: dict[str, dict[str, None]] = {
        kind: dict.fromkeys(texts) for kind, texts in patient.known.items()
    }
    series = set()
    for item in group:
        for keyword, kind in IDENTIFYING.items():
            _remember(known, kind, item.head.get(keyword))
        if item.text("SeriesInstanceUID") not in series:
            series.add(item.text("SeriesInstanceUID"))
            _learn_from_header(known, item.path)
    patient.known = {kind: list(texts) for kind, texts in known.items()}


def _learn_from_header(known: dict[str, dict[str, None]], path: Path) -> None:
    def look(_dataset: object, element: object) -> None:
        keyword, vr = getattr(element, "keyword", ""), getattr(element, "VR", "")
        kind = IDENTIFYING.get(keyword, "name of a physician" if vr == "PN" else "")
        if kind:
            _remember(known, kind, getattr(element, "value", None))

    try:
        header = read_dataset(path)
        header.walk(look)
    except Exception:
        return  # a damaged file is settled where its image is read


def _remember(known: dict[str, dict[str, None]], kind: str, value: object) -> None:
    several = value if type(value).__name__ == "MultiValue" else [value]
    for one in several:
        text = str(one or "").strip()
        if text:
            known.setdefault(kind, {})[text] = None
