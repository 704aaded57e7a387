"""Finding cases, and telling which file is which sequence, before anything is computed."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.core.mix_ups import contradiction
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import (
    Assignment,
    Recognition,
    Sequence,
    recognize,
    recognize_files,
)
from BrainTumorSegLib.io.dicom.study import study_uids
from BrainTumorSegLib.io.folders import READABLE_SUFFIXES, image_files
from BrainTumorSegLib.training.case_files import is_label_file
from BrainTumorSegLib.training.case_table import TABLE, read_table
from BrainTumorSegLib.training.cohort import file_stem

from .bids import find_bids_cases, is_bids
from .cases import STATE_FOLDER, CohortCase

_NAME_THEM = f"Rename the files like x_t1, x_t1ce, x_flair, or name them in {TABLE}."

#: Columns of a table that change options for one case.
_OPTION_COLUMNS = ("registration", "brain")


def find_cases(
    place: Path, output: Path | None = None, progress: Progress | None = None
) -> list[CohortCase]:
    """The cases of a folder, a table or a BIDS data set, in the order of their names.

    Args:
        place: a table; a folder that holds ``cases.tsv``; a BIDS data set; or a folder with a
            folder for each case, of image files or of DICOM files.
        output: folder of the results, in which no case is looked for.
        progress: receives how many folders were looked at.

    Raises:
        InputError: when there is no case, or two cannot be told apart.
        DependencyError: for a DICOM study without pydicom.
    """
    place, progress = Path(place), progress or Progress()
    if not place.exists():
        raise InputError(f"{place} does not exist.", "Check the path and its spelling.")
    if place.is_file() and place.name.upper() != "DICOMDIR":
        cases = _cases_of_table(place)
    elif (place / TABLE).is_file():
        cases = _cases_of_table(place / TABLE)
    elif bids_dataset(place) is not None:
        cases = find_bids_cases(place)
    else:
        folder = place.parent if place.is_file() else place
        cases = _cases_of_folder(folder, output, progress)
    if not cases:
        raise InputError(
            f"{place} holds no case.",
            "Put the scans of each case into a folder of its own, for example t1.nii.gz, "
            f"t1ce.nii.gz and flair.nii.gz, or a DICOM study; or write {TABLE}.",
        )
    _require_distinct(cases)
    return sorted(cases, key=lambda case: _natural(case.name))


def bids_dataset(place: Path) -> Path | None:
    """The same place where it is a BIDS data set; None where it is another, or holds a table."""
    return place if not (place / TABLE).is_file() and is_bids(place) else None


def case_from_files(name: str, files: Iterable[Path], **more: str) -> CohortCase:
    """A case of image files whose names say which sequence they are."""
    files = sorted(files)
    assignment = recognize_files(file for file in files if not is_label_file(file))
    problem = None
    if assignment.ambiguities:
        reason = assignment.ambiguities[0].reason
        problem = (f"The scans of case {name} cannot be told apart: {reason}", _NAME_THEM)
    elif Sequence.T1CE not in assignment.chosen:
        shown = ", ".join(file.name for file in files)
        problem = (
            f"Case {name} has no contrast-enhanced T1 scan that can be told by its name. "
            f"Its files are {shown}.",
            f"Add that scan; it cannot be done without. {_NAME_THEM}",
        )
    chosen = dict(assignment.chosen)
    return CohortCase(
        name,
        scans=chosen,
        reasons={s: assignment.recognitions[file].reason for s, file in chosen.items()},
        left_out=_left_out(assignment, files),
        problem=problem,
        **_place(name, **more),
    )


def _left_out(assignment: Assignment[Path], files: Iterable[Path]) -> tuple[str, ...]:
    taken = set(assignment.chosen.values())
    none = Recognition(None, 0.0, "It is named like labels.")
    return tuple(
        f"{file.name}: {assignment.recognitions.get(file, none).reason}"
        for file in files
        if file not in taken
    )


def _place(name: str, folder: str = "", stem: str = "") -> dict[str, str]:
    """Where results go: into a folder of the case, unless something else is said."""
    key = file_stem(name)
    return {"folder": folder or key, "stem": stem or key}


# A table


def _cases_of_table(table: Path) -> list[CohortCase]:
    try:
        rows = read_table(table)
    except TrainingError as error:
        # What is a fault of training's data there is one of the input here.
        raise InputError(error.message, error.remedy) from error
    return [_case_of_row(table.parent, row) for row in rows]


def _case_of_row(folder: Path, row: Mapping[str, str]) -> CohortCase:
    name = row["case"]
    options = {key: row[key] for key in _OPTION_COLUMNS if row.get(key)}
    named = {s: folder / row[s.value] for s in Sequence if row.get(s.value)}
    if row.get("dicom"):
        study = folder / row["dicom"]
        problem = None
        if named:
            problem = (
                f"The row of case {name} names both a DICOM folder and files.",
                "Name one or the other.",
            )
        elif not study.is_dir():
            problem = (f"{study}, the DICOM folder of case {name}, does not exist.", _CHECK)
        return CohortCase(
            name,
            dicom=study,
            study=row.get("study") or None,
            options=options,
            problem=problem,
            **_place(name),
        )
    if named:
        return CohortCase(
            name,
            scans=named,
            reasons={s: f"The column {s.value} of the table names it." for s in named},
            options=options,
            problem=_problem_of_named(name, named),
            **_place(name),
        )
    place = next((p for p in (folder / name, folder / "brats" / name) if p.is_dir()), None)
    if place is None:
        return CohortCase(
            name,
            problem=(
                f"The row of case {name} names no files, and {folder / name} is no folder.",
                "Fill in the columns t1, t1ce and flair, or the column dicom.",
            ),
            **_place(name),
        )
    return replace(case_from_files(name, _images_in(place)), options=options)


_CHECK = "Check the path; it is relative to the folder of the table."


def _problem_of_named(name: str, named: Mapping[Sequence, Path]) -> tuple[str, str] | None:
    if Sequence.T1CE not in named:
        return (
            f"The row of case {name} names no contrast-enhanced T1 scan.",
            "Fill in the column t1ce; that scan cannot be done without.",
        )
    for sequence, file in named.items():
        if not file.is_file():
            return (f"{file} ({sequence.name} of case {name}) does not exist.", _CHECK)
    for sequence, file in named.items():
        found = recognize(file.name)
        # What merely is none of the three is left to the run, which warns of it.
        if found.sequence is not None and contradiction(file.name, sequence, found):
            return (
                f"The column {sequence.value} of case {name} names {file.name}, which its name "
                f"says is another sequence. {found.reason}",
                "Exchange the columns if they were mixed up; if the table is right, rename the "
                "file.",
            )
    return None


# A folder of cases


def _cases_of_folder(folder: Path, output: Path | None, progress: Progress) -> list[CohortCase]:
    children = sorted(child for child in folder.iterdir() if child.is_dir())
    children = [child for child in children if not _is_ours(child, output)]
    progress.stage("look", len(children) + 1)
    cases = _cases_of_flat_folder(folder)
    progress.advance()
    without_images = []
    for child in children:
        found = _cases_below(folder, child, output)
        cases += found
        if not found:
            without_images.append(child)
        progress.advance(1, child.name)
    return cases + _dicom_cases(folder, without_images)


def _cases_of_flat_folder(folder: Path) -> list[CohortCase]:
    """Cases whose files lie side by side: their names differ before the last ``_`` or ``-``."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in _images_in(folder):
        groups[re.sub(r"(^|[_-])[^_-]*$", "", _without_suffix(file))].append(file)
    # Files that are named by their sequence alone are one case.
    return [case_from_files(name or folder.resolve().name, files) for name, files in groups.items()]


def _cases_below(folder: Path, child: Path, output: Path | None) -> list[CohortCase]:
    """Each folder with images is a case; folders named by sequences are one case together."""
    holders = {
        place: files
        for place in (child, *_folders_below(child, output))
        if (files := _images_in(place))
    }
    by_sequence: dict[Path, list[Path]] = defaultdict(list)
    for place, files in holders.items():
        alone = len(files) == 1 and place != child
        told = alone and recognize(place.name).sequence is not None
        by_sequence[place.parent if told else place] += files
    return [case_from_files(_name_of(place, folder), files) for place, files in by_sequence.items()]


def _dicom_cases(folder: Path, children: Iterable[Path]) -> list[CohortCase]:
    places: dict[str, list[Path]] = defaultdict(list)
    for child in children:
        for uid in _study_uids(child):
            places[uid].append(child)
    if not places and any(path.is_file() for path in folder.iterdir()):
        places = {uid: [folder] for uid in _study_uids(folder)}
    several = {uid for uids in _by_place(places).values() if len(uids) > 1 for uid in uids}
    numbers: dict[Path, int] = defaultdict(int)
    cases = []
    for uid, holders in places.items():
        # One study in several folders, such as one for each series, is read from their parent.
        place = holders[0] if len(holders) == 1 else folder
        many = uid in several or (place == folder and len(places) > 1)
        numbers[place] += 1
        name = _name_of(place, folder) + (f"-{numbers[place]}" if many else "")
        study = uid if many else None
        cases.append(CohortCase(name, dicom=place, study=study, **_place(name)))
    return cases


def _study_uids(folder: Path) -> tuple[str, ...]:
    """The studies of a folder; none where there is no DICOM in it."""
    try:
        return study_uids(folder)
    except InputError:
        return ()


def _by_place(places: Mapping[str, list[Path]]) -> dict[Path, list[str]]:
    found: dict[Path, list[str]] = defaultdict(list)
    for uid, holders in places.items():
        for place in holders:
            found[place].append(uid)
    return found


def _images_in(folder: Path) -> list[Path]:
    """Image files that lie in the folder itself; labels among them only beside scans."""
    files = image_files(folder)
    return files if any(not is_label_file(path) for path in files) else []


def _folders_below(folder: Path, output: Path | None) -> Iterator[Path]:
    for place, names, _ in os.walk(folder):
        names[:] = sorted(n for n in names if not _is_ours(Path(place, n), output))
        yield from (Path(place, name) for name in names)


def _is_ours(folder: Path, output: Path | None) -> bool:
    """Hidden folders, and folders of results, hold no cases."""
    if folder.name.startswith(".") or (folder / STATE_FOLDER).is_dir():
        return True
    return output is not None and folder.resolve() == output.resolve()


def _without_suffix(path: Path) -> str:
    suffix = next(s for s in READABLE_SUFFIXES if path.name.lower().endswith(s))
    return path.name[: -len(suffix)]


def _name_of(place: Path, folder: Path) -> str:
    return "-".join(place.relative_to(folder).parts) or place.resolve().name


def _require_distinct(cases: Iterable[CohortCase]) -> None:
    """Two cases must not write the same files, not even where upper case does not count."""
    seen: dict[str, CohortCase] = {}
    for case in cases:
        other = seen.setdefault(f"{case.folder}/{case.stem}".casefold(), case)
        if other is not case:
            raise InputError(
                f"The cases {other.name!r} and {case.name!r} would write the same files.",
                f"Give each case a name of its own, or name the cases in {TABLE}.",
            )


def _natural(name: str) -> list[tuple[int, int, str]]:
    """So that case 10 comes after case 9."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(p), p) if p.isdecimal() else (1, 0, p.casefold()) for p in parts]
