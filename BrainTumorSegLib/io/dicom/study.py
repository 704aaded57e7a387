"""A folder with a whole DICOM study: read it, propose the sequences, load them as a case."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from BrainTumorSegLib.core.case import Case, Scan, make_case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence

from .headers import Frame, dicom_candidates, looks_like_dicom, pydicom_module, read_frames
from .pixels import read_series_image
from .proposal import Proposal, propose_sequences
from .series import Series, Study, build_series

__all__ = [
    "Proposal",
    "Series",
    "Study",
    "choose_series",
    "describe_study",
    "load_case_from_study",
    "propose_sequences",
    "read_study",
]

#: Typed instead of a series number to leave a sequence out.
LEAVE_OUT = "none"

#: Below this confidence the reason for a choice becomes a warning in the record.
WORTH_A_WARNING = 0.75

#: Attributes kept with a scan. None of them names the patient.
_KEPT = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "ProtocolName",
    "ImageType",
    "ScanningSequence",
    "SequenceName",
    "MRAcquisitionType",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "SliceThickness",
    "ContrastBolusAgent",
    "Manufacturer",
    "ManufacturerModelName",
    "MagneticFieldStrength",
)

# Made anew in every process: patients of one run can be told apart, but nobody can
# find a patient by trying identifiers against a report.
_SALT = secrets.token_bytes(16)


def read_study(folder: Path, study: str | None = None, progress: Progress | None = None) -> Study:
    """Read the headers of all DICOM files below a folder and group them into series.

    Files of other kinds and DICOM objects without images are passed over; names and
    endings do not matter. A DICOMDIR may be given instead of its folder.

    Args:
        folder: the folder, with any depth of folders below it.
        study: which study, when there are several: its StudyInstanceUID or its number
            in the list that the error message shows.

    Raises:
        InputError: when there is no DICOM image, or there are several patients or studies.
        DependencyError: without pydicom.
    """
    folder = _folder(Path(folder))
    pydicom_module()
    frames, warnings = _read_all(folder, progress)
    if not frames:
        raise InputError(
            f"{folder} holds no DICOM image.",
            "Give the folder to which the study was exported; unpack archives first.",
        )
    groups: dict[tuple[str, str], list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[frame.patient, frame.texts.get("StudyInstanceUID", "")].append(frame)
    chosen, remark = _one_study(groups, study, folder)
    if remark:
        warnings.append(remark)
    return Study(folder, chosen[1], build_series(groups[chosen]), tuple(warnings))


def _folder(folder: Path) -> Path:
    if folder.is_file() and folder.name.upper() == "DICOMDIR":
        return folder.parent
    if folder.is_file():
        raise InputError(
            f"{folder} is a file, not a folder with a DICOM study.",
            "Give the folder; unpack archives first.",
        )
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.", "Check the path.")
    return folder


def _read_all(folder: Path, progress: Progress | None) -> tuple[list[Frame], list[str]]:
    paths = list(dicom_candidates(folder))
    if progress is not None:
        progress.stage("read DICOM headers", max(1, len(paths)))
    frames: list[Frame] = []
    damaged: list[Path] = []
    for path in paths:
        if looks_like_dicom(path):
            try:
                frames += read_frames(path)
            except ValueError:
                damaged.append(path)
        if progress is not None:
            progress.advance()
    warnings = []
    if damaged:
        warnings.append(
            f"{len(damaged)} DICOM file(s) of {folder} could not be read and were left out, "
            f"the first is {damaged[0].relative_to(folder)}."
        )
    return frames, warnings


def _one_study(
    groups: Mapping[tuple[str, str], list[Frame]], wanted: str | None, folder: Path
) -> tuple[tuple[str, str], str | None]:
    ordered = sorted(groups, key=lambda key: (groups[key][0].texts.get("StudyDate", ""), key[1]))
    if wanted is not None:
        by_name = {str(i): key for i, key in enumerate(ordered, 1)} | {k[1]: k for k in ordered}
        if wanted not in by_name:
            raise InputError(
                f"{folder} has no study {wanted}.", f"Choose one of: {_listed(ordered, groups)}."
            )
        return by_name[wanted], None
    if len(ordered) == 1:
        return ordered[0], None
    patients = len({key[0] for key in ordered})
    if patients > 1:
        raise InputError(
            f"{folder} holds studies of {patients} patients: {_listed(ordered, groups)}.",
            "Give the folder of one study, or choose a study by its number in this list.",
        )
    with_mr = [k for k in ordered if any(f.texts.get("Modality") == "MR" for f in groups[k])]
    if len(with_mr) == 1:
        left_out = len(ordered) - 1
        return with_mr[0], f"{left_out} study without MRI in {folder} was left out."
    raise InputError(
        f"{folder} holds {len(ordered)} studies: {_listed(ordered, groups)}.",
        "Give the folder of one study, or choose a study by its number in this list.",
    )


def _listed(ordered: list[tuple[str, str]], groups: Mapping[tuple[str, str], list[Frame]]) -> str:
    """Studies by date, title, place and size; patients by number only."""
    patients = list(dict.fromkeys(key[0] for key in ordered))
    lines = []
    for index, key in enumerate(ordered, 1):
        first = groups[key][0]
        series = len({frame.texts.get("SeriesInstanceUID") for frame in groups[key]})
        title = first.texts.get("StudyDescription", "untitled")
        date = first.texts.get("StudyDate", "unknown date")
        who = f"patient {patients.index(key[0]) + 1}, " if len(patients) > 1 else ""
        lines.append(f"[{index}] {who}{date} {title}, {series} series")
    return "; ".join(lines)


def choose_series(
    study: Study, choice: Proposal | Mapping[Sequence, str] | None = None
) -> dict[Sequence, Series]:
    """Settle which series is which sequence.

    Args:
        study: as read by `read_study`.
        choice: a proposal to follow; or series by sequence (key, series number or
            SeriesInstanceUID, or ``none`` to leave the sequence out), where sequences
            that are not mentioned follow the proposal.

    Raises:
        InputError: listing every ambiguity and how to resolve it; or when there is
            no T1CE.
    """
    proposal = choice if isinstance(choice, Proposal) else propose_sequences(study)
    stated = {} if choice is None or isinstance(choice, Proposal) else dict(choice)
    chosen = {s: one for s, one in proposal.chosen.items() if s not in stated}
    for sequence, wanted in stated.items():
        if str(wanted).lower() != LEAVE_OUT:
            chosen[sequence] = study.find(wanted)
    used = {one.key for s, one in chosen.items() if s in stated}
    for sequence in [s for s, one in chosen.items() if s not in stated and one.key in used]:
        # The person's choice shows that the proposal had taken this series for another one.
        del chosen[sequence]
    open_questions = [a for a in proposal.ambiguities if a.sequence not in {*stated, *chosen}]
    if open_questions:
        questions = " ".join(a.reason for a in open_questions)
        first = open_questions[0]
        raise InputError(
            f"The study in {study.folder} is ambiguous. {questions}",
            f"Say which series is meant, for example {first.sequence.name}={first.candidates[0]}, "
            f"or leave a sequence out, for example {first.sequence.name}={LEAVE_OUT}.",
        )
    if Sequence.T1CE not in chosen:
        raise InputError(
            f"No contrast-enhanced T1 was found in {study.folder}. The series are: "
            f"{_series_list(study, proposal)}",
            "If one of them is the T1CE, say so by its number, for example T1CE="
            f"{study.series[0].key}.",
        )
    return {s: chosen[s] for s in Sequence if s in chosen}


def load_case_from_study(
    study: Study,
    choice: Proposal | Mapping[Sequence, str] | None = None,
    reference: Sequence = Sequence.T1CE,
) -> Case:
    """Load the sequences of a study as a case.

    The case is called after a short hash of the study's identifier; scans keep a
    salted hash in place of PatientID, so that patients can be told apart in one run
    but not found out.

    Raises:
        InputError: as `choose_series` and `case.make_case`, and when a chosen series
            is incomplete or cannot be decoded.
    """
    proposal = choice if isinstance(choice, Proposal) else propose_sequences(study)
    series = choose_series(study, choice if choice is not None else proposal)
    scans = {sequence: _scan(one) for sequence, one in series.items()}
    identity = f"study-{hashlib.sha256(study.uid.encode()).hexdigest()[:8]}"
    case = make_case(identity, scans, reference)
    warnings = [*case.warnings, *study.warnings, *proposal.warnings]
    for sequence, one in series.items():
        warnings += [f"{sequence.name}, {one.title}: {warning}." for warning in one.warnings]
        found = proposal.recognitions[one.key]
        proposed = proposal.chosen.get(sequence)
        if proposed is not None and proposed.key == one.key:
            if found.confidence < WORTH_A_WARNING:
                warnings.append(f"{one.title} was taken for {sequence.name}. {found.reason}")
        elif found.sequence is not sequence:
            warnings.append(f"{one.title} was given as {sequence.name}, although: {found.reason}")
    return replace(case, warnings=tuple(dict.fromkeys(warnings)))


def _scan(series: Series) -> Scan:
    kept = {k: series.attributes[k] for k in _KEPT if k in series.attributes}
    patient = series.frames[0].patient
    if patient:
        kept["PatientID"] = hashlib.sha256(_SALT + patient.encode()).hexdigest()[:12]
    return Scan(
        image=read_series_image(series),
        source=f"DICOM {series.title}",
        dicom=kept,
        files=tuple(series.files),
    )


def describe_study(study: Study, proposal: Proposal) -> str:
    """The series of a study, one a line, with what each was taken for and why."""
    taken = {one.key: sequence.name for sequence, one in proposal.chosen.items()}
    lines = []
    for series in study.series:
        x, y, z = series.grid.size if series.grid else (0, 0, len(series.frames))
        size = f"{x}x{y}x{z}" if series.grid else f"{z} image(s)"
        reason = proposal.recognitions[series.key].reason
        problem = f" Cannot be used: {series.problem}." if series.problem else ""
        lines.append(
            f"{series.key:>5}  {taken.get(series.key, '-'):<5}  {size:<13}  "
            f"{series.description:<32.32}  {reason}{problem}"
        )
    lines += [f"Ambiguous: {a.reason}" for a in proposal.ambiguities]
    lines += [f"Note: {warning}" for warning in (*study.warnings, *proposal.warnings)]
    return "\n".join(lines)


def _series_list(study: Study, proposal: Proposal) -> str:
    return " ".join(
        f"[{s.key}] {s.description or 'untitled'}: {proposal.recognitions[s.key].reason}"
        for s in study.series
    )
