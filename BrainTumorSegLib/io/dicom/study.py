"""A folder with a whole DICOM study: read it, propose the sequences, load them as a case."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from BrainTumorSegLib.core.case import Case, Scan, make_case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.file_names import printable
from BrainTumorSegLib.core.mix_ups import contradiction
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Ambiguity, Sequence, Verdict

from .files import looks_like_dicom, pydicom_module
from .folder import LeftOut, files_below, left_out_summary
from .headers import Frame, read_frames
from .identity import all_studies, one_study
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
    "study_uids",
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

#: So many files that were left out are listed one by one.
_SHOWN = 20

# Made anew in every process: patients of one run can be told apart, but nobody can
# find a patient by trying identifiers against a report.
_SALT = secrets.token_bytes(16)


def read_study(folder: Path, study: str | None = None, progress: Progress | None = None) -> Study:
    """Read the headers of all DICOM files below a folder and group them into series.

    Names and endings do not matter. Every file is counted; those that were not taken
    (of other kinds, damaged, empty, links to nothing) are named with the reason. A
    DICOMDIR may be given instead of its folder.

    Args:
        folder: the folder, with any depth of folders and links to folders below it.
        study: which study, when there are several: its StudyInstanceUID or its number
            in the list that the error message shows; or ``all``, when everything is
            one examination whose identifiers were changed.

    Raises:
        InputError: when there is no DICOM image, or there are several patients or studies.
        DependencyError: without pydicom.
    """
    folder = _folder(Path(folder))
    frames, left_out, total = _read_images(folder, progress)
    summary = left_out_summary(left_out, total)
    uid, frames, remarks = one_study(frames, study, folder)
    warnings = filter(None, (summary, *remarks))
    series = build_series(frames, left_out)
    return Study(folder, uid, series, tuple(warnings), tuple(left_out), total)


def study_uids(folder: Path, progress: Progress | None = None) -> tuple[str, ...]:
    """The StudyInstanceUID of every study with MR images below a folder, the earliest first.

    Raises:
        InputError: when there is no DICOM image.
        DependencyError: without pydicom.
    """
    frames, _, _ = _read_images(_folder(Path(folder)), progress)
    return all_studies(frames)


def _read_images(folder: Path, progress: Progress | None) -> tuple[list[Frame], list[LeftOut], int]:
    """As `_read_all`, where there is an image."""
    pydicom_module()
    frames, left_out, total = _read_all(folder, progress)
    if not frames:
        summary = left_out_summary(left_out, total)
        raise InputError(
            " ".join(filter(None, (f"{folder} holds no DICOM image.", summary))),
            "Give the folder to which the study was exported; unpack archives first.",
        )
    return frames, left_out, total


def _folder(folder: Path) -> Path:
    if folder.is_file() and folder.name.upper() == "DICOMDIR":
        return folder.parent
    if folder.is_file():
        with folder.open("rb") as file:
            a_slice = looks_like_dicom(file.read(132))
        raise InputError(
            f"{folder} is a file, not a folder with a DICOM study.",
            "Give the folder in which it lies." if a_slice else "Unpack archives first.",
        )
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.", "Check the path.")
    return folder


def _read_all(folder: Path, progress: Progress | None) -> tuple[list[Frame], list[LeftOut], int]:
    """The frames of all files, the files that were not taken, and how many files there are."""
    files = list(files_below(folder))
    if progress is not None:
        progress.stage("read DICOM headers", max(1, len(files)))
    frames: list[Frame] = []
    left_out: list[LeftOut] = []
    for path, reason in files:
        series = ""
        if not reason:
            try:
                found = read_frames(path)
                reason = "" if found else "no image (a report, a presentation or an index)"
                frames += found
            except ValueError as error:
                reason, series = str(error), getattr(error, "series", "")
        if reason and path.name.upper() != "DICOMDIR":
            left_out.append(LeftOut(path, reason, series))
        if progress is not None:
            progress.advance()
    return frames, left_out, len(files)


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
        raise InputError(
            f"The study in {study.folder} is ambiguous. {questions}{_losses(study)}",
            _way_on(study, open_questions[0]),
        )
    if Sequence.T1CE not in chosen:
        usable = [one for one in study.series if one.problem is None]
        unknown = [s for s in usable if proposal.recognitions[s.key].verdict is not Verdict.OTHER]
        example = f", for example T1CE={(unknown or usable)[0].key}" if usable else ""
        raise InputError(
            f"No contrast-enhanced T1 was found in {study.folder}. The series are: "
            f"{_series_list(study, proposal)}{_losses(study)}",
            f"If one of them is the T1CE, say so by its number{example}."
            if usable
            else "None of them can be used: export the study again.",
        )
    return {s: chosen[s] for s in Sequence if s in chosen}


def _way_on(study: Study, question: Ambiguity) -> str:
    """How to settle a question; only series that can be used are given as an example."""
    name = question.sequence.name
    leave = f"leave a sequence out, for example {name}={LEAVE_OUT}"
    usable = [key for key in question.candidates if study.find(key).problem is None]
    if usable:
        return f"Say which series is meant, for example {name}={usable[0]}, or {leave}."
    again = "Export it again from the archive, complete"
    if question.sequence is Sequence.T1CE:
        return f"{again}."
    return f"{again}, or {leave}."


def _losses(study: Study) -> str:
    """What is not there for a reason that may explain an error."""
    summary = left_out_summary(study.left_out, study.files)
    return f" {summary}" if summary else ""


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
    try:
        scans = {sequence: _scan(one) for sequence, one in series.items()}
    except InputError as error:
        # Files of known series are named by the series already.
        unknown = replace(study, left_out=tuple(o for o in study.left_out if not o.series))
        raise InputError(f"{error.message}{_losses(unknown)}", error.remedy) from error
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
        else:
            told = contradiction(one.title, sequence, found, silence_counts=True)
            warnings += [told] if told else []
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
    if study.files:
        lines.append(f"{study.files} files in the folder, {len(study.left_out)} left out.")
    for one in study.left_out[:_SHOWN]:
        shown = one.path.relative_to(study.folder) if study.folder in one.path.parents else one.path
        lines.append(f"Left out: {printable(shown)}: {one.reason}.")
    if len(study.left_out) > _SHOWN:
        lines.append(f"Left out: {len(study.left_out) - _SHOWN} more.")
    lines += [f"Note: {warning}" for warning in (*study.warnings, *proposal.warnings)]
    return "\n".join(lines)


def _series_list(study: Study, proposal: Proposal) -> str:
    return " ".join(
        f"[{s.key}] {s.description or 'untitled'}: {proposal.recognitions[s.key].reason}"
        for s in study.series
    )
