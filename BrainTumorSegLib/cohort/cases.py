"""A case of a cohort as it was found, and choosing among cases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.training.cohort import file_stem

#: Folder in the output in which the state of every case lies; it marks the output as ours.
STATE_FOLDER = ".cohort"


@dataclass(frozen=True)
class CohortCase:
    """One case as it was found; nothing of it has been read but names.

    Attributes:
        name: for people, tables and reports.
        scans: the file of each sequence.
        dicom: the folder that holds its DICOM study, instead of files.
        study: StudyInstanceUID, where that folder holds several.
        reasons: why each file was taken, by sequence.
        left_out: files that were not taken, and why.
        options: options of this case alone, by the names of `Options`.
        folder: where its results go, below the folder of all results.
        stem: how the names of its results begin.
        problem: why it cannot be run, with the remedy; None where it can.
    """

    name: str
    scans: Mapping[Sequence, Path] = field(default_factory=dict)
    dicom: Path | None = None
    study: str | None = None
    reasons: Mapping[Sequence, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    stem: str = ""
    problem: tuple[str, str] | None = None

    @property
    def key(self) -> str:
        """Name of its files of state and log."""
        return file_stem(self.name)


def choose_cases(
    cases: Iterable[CohortCase], only: SequenceOf[str] = (), exclude: SequenceOf[str] = ()
) -> list[CohortCase]:
    """The cases whose names match a pattern of ``only``, and none of ``exclude``.

    Raises:
        InputError: when a pattern matches no case, or no case is left.
    """
    cases = list(cases)
    for pattern in (*only, *exclude):
        if not any(fnmatchcase(case.name, pattern) for case in cases):
            names = ", ".join(case.name for case in cases[:5])
            raise InputError(
                f"No case has the name {pattern!r}.",
                f"There are {len(cases)} cases: {names}{', ...' if len(cases) > 5 else ''}",
            )
    chosen = [
        case
        for case in cases
        if (not only or any(fnmatchcase(case.name, pattern) for pattern in only))
        and not any(fnmatchcase(case.name, pattern) for pattern in exclude)
    ]
    if not chosen:
        raise InputError("No case is left.", "Exclude fewer cases.")
    return chosen


def part_of(cases: SequenceOf[CohortCase], part: int, parts: int) -> list[CohortCase]:
    """The cases of one part of several, numbered from 1; the parts differ by one case at most."""
    return list(cases[part - 1 :: parts])
