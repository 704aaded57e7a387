"""The visits of one patient: labels, the scan they lie on, the day, and how they were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from BrainTumorSegLib.core.case import Scan
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.mix_ups import check_one_patient
from BrainTumorSegLib.core.sequences import Sequence

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Visit:
    """One visit.

    Attributes:
        day: of the scan.
        labels: values of `Tissue`, on the grid of the scan or of its own.
        scan: what the labels were drawn on.
        sequence: what the scan shows.
        source: name of the segmentation's file, folder or node, for messages and reports.
        record: of the run that made the labels; None for labels of other origin.
        files: every file that was read, which no result may replace.
    """

    day: date
    labels: sitk.Image
    scan: Scan
    sequence: Sequence
    source: str
    record: Mapping[str, Any] | None = None
    files: tuple[Path, ...] = ()

    @property
    def slice_mm(self) -> float:
        """The longest side of a voxel of the labels."""
        return max(self.labels.GetSpacing())


def read_day(text: str) -> date:
    """A day as people and DICOM write it: ``2024-05-31`` or ``20240531``.

    Raises:
        InputError: for anything else, and for a day to come.
    """
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"{text!r} is no date.", "Write year, month and day, for example 2024-05-31."
        ) from None
    if day > date.today():
        raise InputError(f"{day} has not come yet.", "Give the date of the scan.")
    return day


def ordered(visits: SequenceOf[Visit], warn: Warn) -> tuple[Visit, ...]:
    """Visits from the first to the last, once they are checked to be of one patient.

    Visits of one day stay in the order that they were given in.

    Args:
        visits: in any order.
        warn: told what a reader of the result must know.

    Raises:
        InputError: for fewer than two visits, one scan given twice, or scans of two patients.
    """
    if len(visits) < 2:
        raise InputError("There is only one visit to compare.", "Give two visits or more.")
    seen: dict[str, Visit] = {}
    for visit in visits:
        digest = visit.scan.sha256
        if digest is not None and digest in seen:
            raise InputError(
                f"{visit.source} and {seen[digest].source} lie on the same scan.",
                "Give the scan of each visit.",
            )
        if digest is not None:
            seen[digest] = visit
    for text in check_one_patient(
        [
            (
                visit.source,
                visit.scan.dicom.get("PatientID"),
                visit.record and visit.record["case"]["identity"],
            )
            for visit in visits
        ]
    ):
        warn(text)
    result = tuple(sorted(visits, key=lambda visit: visit.day))
    if [id(v) for v in result] != [id(v) for v in visits]:
        warn("The visits were not given in the order of their dates; they are compared in it.")
    for first, second in pairwise(result):
        if first.day == second.day:
            warn(
                f"{first.source} and {second.source} are of one day, {first.day}: nothing can be "
                "said of how fast anything grows between them."
            )
    return result


def warn_of_differences(visits: SequenceOf[Visit], warn: Warn) -> None:
    """Name what differs between the visits but the patient: each may look like a change.

    Args:
        visits: in their order.
        warn: told each difference.
    """
    for title, value_of in _COMPARED.items():
        values = [
            (visit.source, value_of(visit.record)) for visit in visits if visit.record is not None
        ]
        if len({value for _, value in values}) > 1:
            told = ", ".join(f"{source}: {value}" for source, value in values)
            warn(f"The visits differ in the {title} ({told}), which may look like a change.")
    if len({visit.sequence for visit in visits}) > 1:
        told = ", ".join(f"{visit.source}: {visit.sequence.name}" for visit in visits)
        warn(f"The labels lie on different sequences ({told}).")
    made = [visit.source for visit in visits if visit.record is None]
    if made and len(made) < len(visits):
        warn(
            f"How the labels of {' and '.join(made)} were made is not known; those of other visits "
            "were made by networks. The difference may look like a change."
        )
    corrected = [v.source for v in visits if v.record is not None and v.record.get("correction")]
    if corrected and len(corrected) + len(made) < len(visits):
        warn(
            f"The labels of {' and '.join(corrected)} were corrected by a person, those of "
            "other visits were not."
        )
    slices = [max(visit.labels.GetSpacing()) for visit in visits]
    if max(slices) > 1.5 * min(slices):
        told = ", ".join(f"{v.source}: {mm:.1f} mm" for v, mm in zip(visits, slices, strict=True))
        warn(f"The voxels of the visits differ in length ({told}), which may look like a change.")


def _sequences(record: Mapping[str, Any]) -> str:
    return ", ".join(sorted(entry["sequence"].upper() for entry in record["case"]["inputs"]))


_COMPARED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "model pack": lambda record: f"{record['pack']['name']} {record['pack']['version']}",
    "members of the ensemble": lambda record: ", ".join(
        member["name"] for member in record["pack"]["members"]
    ),
    "precision": lambda record: record["engine"]["precision"],
    "test-time augmentation": lambda record: record["views"]["name"],
    "program version": lambda record: record["version"],
    "sequences": _sequences,
}
