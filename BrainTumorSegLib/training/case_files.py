"""Finding the scans and the labels of a case among the files of a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.sequences import Sequence, recognise_files
from BrainTumorSegLib.io.formats import READABLE_SUFFIXES

_LABEL_WORDS = {"seg", "segmentation", "label", "labels", "labelmap", "truth", "tumor", "tumour"}


def find_case_files(folder: Path, case: str) -> tuple[dict[Sequence, Path], Path]:
    """The scan of each sequence, and the labels.

    ``CASE_t1.nii.gz``, ``CASE_t1ce.nii.gz``, ``CASE_flair.nii.gz`` and ``CASE_seg.nii.gz`` are
    taken as they are; of other names the sequence is recognised. T1 and FLAIR may be missing.

    Raises:
        TrainingError: when the folder, T1CE or the labels are missing, or cannot be told.
    """
    if not folder.is_dir():
        raise TrainingError(f"The folder {folder} of case {case} does not exist.")
    exact = {s: folder / f"{case}_{s.value}.nii.gz" for s in Sequence}
    labels = folder / f"{case}_seg.nii.gz"
    if labels.is_file() or any(path.is_file() for path in exact.values()):
        for path in (*exact.values(), labels):
            if not path.is_file():
                raise TrainingError(f"{path} is missing.", "Give all files of the case.")
        return exact, labels
    labels = _labels(folder, case)
    scans = [path for path in _images(folder) if not is_label_file(path)]
    found = recognise_files(scans)
    if found.ambiguities:
        raise TrainingError(
            f"Case {case} in {folder}: {found.ambiguities[0].reason}",
            "Rename the files, or name them in columns t1, t1ce, flair and labels of cases.tsv.",
        )
    if Sequence.T1CE not in found.chosen:
        raise TrainingError(
            f"Case {case} in {folder} has no contrast-enhanced T1 scan that can be told by name.",
            "Rename it, for example to t1ce.nii.gz, or name it in the column t1ce of cases.tsv.",
        )
    return dict(found.chosen), labels


def named_files(folder: Path, row: Mapping[str, str]) -> tuple[dict[Sequence, Path], Path] | None:
    """Files that a row of a table names, relative to its folder; None when it names none.

    Raises:
        TrainingError: when it names only some of what is needed, or a file is missing.
    """
    given = {key: row.get(key) or "" for key in (*(s.value for s in Sequence), "labels")}
    if not any(given.values()):
        return None
    for key in (Sequence.T1CE.value, "labels"):
        if not given[key]:
            raise TrainingError(
                f"Case {row['case']} names files, but none in the column {key}.",
                "T1CE and labels are always needed.",
            )
    paths = {key: folder / name for key, name in given.items() if name}
    for key, path in paths.items():
        if not path.is_file():
            raise TrainingError(f"{path} ({key} of case {row['case']}) is missing.")
    labels = paths.pop("labels")
    return {Sequence(key): path for key, path in paths.items()}, labels


def case_folders(folder: Path) -> Iterator[Path]:
    """Folders at any depth that hold labels, in the order of their names."""
    holders = {path.parent for path in folder.rglob("*") if is_label_file(path)}
    yield from sorted(holder for holder in holders if not _hidden(holder, folder))


def is_label_file(path: Path) -> bool:
    """Whether a name is that of labels: ``.seg.nrrd``, or with a word like *seg* or *labels*."""
    name = path.name.lower()
    suffix = next((s for s in READABLE_SUFFIXES if name.endswith(s)), None)
    if suffix is None:
        return False
    words = set(re.split(r"[^a-z]+", name.removesuffix(suffix)))
    return suffix == ".seg.nrrd" or bool(words & _LABEL_WORDS)


def _labels(folder: Path, case: str) -> Path:
    found = [path for path in _images(folder) if is_label_file(path)]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "no file with a name like labels.nii.gz"
        raise TrainingError(
            f"Case {case} needs one file of labels in {folder}; there is {names}.",
            "Keep one, or name it in the column labels of cases.tsv.",
        )
    return found[0]


def _images(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.name.lower().endswith(READABLE_SUFFIXES)
    )


def _hidden(path: Path, below: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)
