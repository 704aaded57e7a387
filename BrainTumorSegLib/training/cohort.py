"""Labelled cases: from a table, or from any folder that holds them; and what a run keeps of them.

A member must not see the cases of its fold, nor may a run's cases change under its members.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import astuple, dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from BrainTumorSegLib.core.config_tables import check_choice
from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import LabelProtocol
from BrainTumorSegLib.io.reference_labels import reference_protocol
from BrainTumorSegLib.io.tables import write_table
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.preprocessing.brain import METHODS
from BrainTumorSegLib.preprocessing.registration import ENGINES

from .case_files import (
    case_folders,
    find_case_files,
    named_files,
    read_protocol,
    unlabeled_folders,
)
from .case_table import COLUMNS, DIGEST, TABLE, read_table

#: Column of a run's table only: SHA-256 of the labels that its members learn from.

#: So many cases are named in a message.
_NAMED = 10


@dataclass(frozen=True)
class Preparation:
    """What the scans still need, as `pipeline.segment` does it.

    Attributes:
        registration: ``none`` for scans in register with each other, else an engine.
        brain: ``stripped`` for scans without skull, else a way to find the brain.
    """

    registration: str = "none"
    brain: str = "stripped"

    @property
    def nothing_to_do(self) -> bool:
        """Whether the scans are registered and stripped already."""
        return self == Preparation()


@dataclass(frozen=True)
class CohortConfig:
    """What a cohort does not say itself; the table ``[data]`` of a recipe.

    Attributes:
        label_protocol: of cases whose row or file does not say, see `case_files.read_protocol`.
        folds: how many are made where the table has none.
        fold_seed: of that division.
        registration, brain: see `Preparation`.
    """

    label_protocol: str = ""
    folds: int = 5
    fold_seed: int = 0
    registration: str = "none"
    brain: str = "stripped"


@dataclass(frozen=True)
class LabeledCase:
    """One case of a cohort.

    Attributes:
        name: of the case.
        group: what it looks like, for tables by group (``high-grade``, ``meningioma``).
        fold: number of the fold that keeps this case out of training.
        protocol: what the values of its labels mean, as `read_reference_labels` gives them.
        scans: file of each sequence; T1 and FLAIR may be missing.
        labels: file of the labels, in the space of T1CE.
        preparation: what the scans still need.
    """

    name: str
    group: str
    fold: int
    protocol: LabelProtocol
    scans: Mapping[Sequence, Path]
    labels: Path
    preparation: Preparation = field(default_factory=Preparation)

    @property
    def stem(self) -> str:
        """The name as part of a file's."""
        return file_stem(self.name)


def file_stem(name: str) -> str:
    """A name as part of a file's: one that could be a path gets digits of its hash."""
    cleaned = re.sub(r"[^\w .-]", "_", name)
    if cleaned == name and not name.startswith("."):
        return cleaned
    return f"{cleaned.lstrip('.')}-{sha256(name.encode()).hexdigest()[:8]}"


def check_cohort_config(config: CohortConfig) -> None:
    """Check what types alone do not tell.

    Raises:
        TrainingError: naming the key of ``[data]``.
    """
    if config.label_protocol:
        read_protocol(config.label_protocol)
    if config.folds < 2:
        raise TrainingError(f"data.folds is {config.folds}; it must be 2 or more.")
    check_choice(config.registration, ENGINES, "data.registration")
    check_choice(config.brain, METHODS, "data.brain")


def read_cohort(folder: Path, config: CohortConfig | None = None) -> tuple[LabeledCase, ...]:
    """Read the cases of a folder.

    With ``cases.tsv`` the cases are its rows. The column ``case`` is needed; ``looks_like``,
    ``fold``, ``label_protocol``, ``registration`` and ``brain`` may be there; the columns
    ``t1``, ``t1ce``, ``flair`` and ``labels`` may name files. Unnamed files are looked for in
    ``brats/CASE/`` or ``CASE/``. Without a table, every folder with a file of labels is a case,
    and one with scans but no labels a mistake.

    Args:
        folder: with the table or the cases.
        config: what the table or the folder leaves open.

    Raises:
        TrainingError: when the table cannot be read, a file of a case is missing, or
            nothing says what labels mean.
    """
    config = config or CohortConfig()
    check_cohort_config(config)
    if not folder.is_dir():
        raise TrainingError(f"The folder {folder} does not exist.", "Check its name.")
    rows = read_table(folder / TABLE) if (folder / TABLE).is_file() else _rows_of_folders(folder)
    folds = _folds(rows, config, folder / TABLE)
    cases = []
    for row, fold in zip(rows, folds, strict=True):
        files = named_files(folder, row)
        scans, labels = files or find_case_files(_case_folder(folder, row), row["case"])
        preparation = Preparation(
            row.get("registration") or config.registration, row.get("brain") or config.brain
        )
        cases.append(
            LabeledCase(
                name=row["case"],
                group=row.get("looks_like") or "",
                fold=fold,
                protocol=_protocol(row, labels, config),
                scans=scans,
                labels=labels,
                preparation=preparation,
            )
        )
    _check_shared_scans(cases)
    return tuple(cases)


def read_cohorts(
    folders: SequenceOf[Path], config: CohortConfig | None = None
) -> tuple[LabeledCase, ...]:
    """The cases of several folders together, see `read_cohort`.

    Raises:
        TrainingError: also when two folders name the same case or scan, or one tells folds and
            another does not.
    """
    if len({names_folds(folder) for folder in folders}) > 1:
        raise TrainingError(
            "Some of the folders tell folds and others do not.",
            f"Give every {TABLE} the column fold, so that none of a fold is learned from.",
        )
    cases = tuple(case for folder in folders for case in read_cohort(folder, config))
    if twice := [name for name, count in Counter(c.name for c in cases).items() if count > 1]:
        raise TrainingError(
            f"Two of the folders have a case {twice[0]}.", "Give each case a name of its own."
        )
    _check_shared_scans(cases)
    return cases


def names_folds(folder: Path) -> bool:
    """Whether the table of a folder tells folds, so that `read_cohort` makes none."""
    table = folder / TABLE
    return table.is_file() and any(row.get("fold") for row in read_table(table))


def make_folds(groups: SequenceOf[str], count: int, seed: int) -> list[int]:
    """A fold for each case, at random, so that every group is spread evenly.

    Args:
        groups: what each case looks like; equal words are one group.
        count: number of folds; with fewer cases each is a fold of its own.

    Returns:
        Numbers from 0, in the order of the cases; sizes differ by one at most.
    """
    rng = np.random.default_rng(seed)
    order: list[int] = []
    for group in sorted(set(groups)):
        order += rng.permutation([n for n, own in enumerate(groups) if own == group]).tolist()
    folds = [0] * len(groups)
    for dealt, number in enumerate(order):
        folds[number] = dealt % min(count, len(groups))
    return folds


def join_folds(cases: SequenceOf[LabeledCase], folds: SequenceOf[int]) -> list[LabeledCase]:
    """The cohort with several folds counted as the first of them.

    Raises:
        TrainingError: when the cohort lacks one of them.
    """
    _check_folds(cases, folds)
    return [replace(case, fold=folds[0]) if case.fold in folds else case for case in cases]


def in_folds(cases: SequenceOf[LabeledCase], folds: SequenceOf[int]) -> tuple[LabeledCase, ...]:
    """The cases of some folds only.

    Raises:
        TrainingError: when the cohort lacks one of them.
    """
    _check_folds(cases, folds)
    return tuple(case for case in cases if case.fold in folds)


def training_cases(cases: SequenceOf[LabeledCase], fold: int) -> list[LabeledCase]:
    """The cases that a member without this fold may see.

    Raises:
        TrainingError: when there would be none, or none is left out.
    """
    training = [case for case in cases if case.fold != fold]
    if not training or len(training) == len(cases):
        raise TrainingError(
            f"Leaving out fold {fold} leaves {len(training)} of {len(cases)} cases.",
            f"Folds of this cohort: {sorted({case.fold for case in cases})}.",
        )
    return training


def write_cohort(cases: SequenceOf[LabeledCase], folder: Path) -> Path:
    """Write the table of a cohort as it was understood, so that `read_cohort` needs no recipe.

    Files are named relative to the folder where they lie on the same drive. An additional column
    holds the SHA-256 of the labels, for `check_same_cohort`.
    """
    columns = [*COLUMNS, DIGEST]
    rows = []
    for case in cases:
        files = {s.value: p for s, p in case.scans.items()} | {"labels": case.labels}
        row = (
            {"case": case.name, "looks_like": case.group, **_fixed(case)}
            | {key: _relative(path, folder) for key, path in files.items()}
            | {DIGEST: file_sha256(case.labels)}
        )
        rows.append([row.get(name, "") for name in columns])
    write_table(folder / TABLE, columns, rows, delimiter="\t")
    return folder / TABLE


def check_same_cohort(cases: SequenceOf[LabeledCase], run: Path) -> None:
    """Refuse a run that was begun with other cases: its members would leave out other ones.

    Raises:
        TrainingError: when names, folds, label protocols, preparation or the labels themselves
            differ from those in the run's table, and a member of it has learned from them.
    """
    begun = any(run.glob("*/checkpoint.pt")) or any(run.glob("*/run.json"))
    if not begun or not (run / TABLE).is_file():
        return
    rows = {row["case"]: row for row in read_table(run / TABLE)}
    now = {case.name: _fixed(case) for case in cases}
    differing = sorted(
        name
        for name in rows | now
        if name not in rows or name not in now or not now[name].items() <= rows[name].items()
    )
    if differing:
        raise TrainingError(
            f"{run} was begun with other cases, folds, label protocols or preparation: "
            f"{len(differing)} differ, such as {differing[0]}.",
            "Choose another folder for the run, or delete this one to train it again.",
        )
    corrected = [
        case
        for case in cases
        if rows[case.name].get(DIGEST) not in (None, "", file_sha256(case.labels))
    ]
    if corrected:
        raise TrainingError(
            f"The labels of {len(corrected)} case(s) have changed since {run} was begun, such as "
            f"{corrected[0].labels}.",
            "Choose another folder for the run, so that all of it learns from the labels as they "
            "are now, or delete this one.",
        )


def _fixed(case: LabeledCase) -> dict[str, str]:
    """Columns of a run's table that may not change once a member was trained."""
    values = (str(case.fold), case.protocol.name, *astuple(case.preparation))
    return dict(zip(("fold", "label_protocol", "registration", "brain"), values, strict=True))


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return str(path.resolve())


def _check_folds(cases: SequenceOf[LabeledCase], folds: SequenceOf[int]) -> None:
    known = {case.fold for case in cases}
    missing = sorted(set(folds) - known)
    if missing:
        raise TrainingError(f"The cohort has no fold {missing[0]}.", f"Its folds: {sorted(known)}.")


def _check_shared_scans(cases: SequenceOf[LabeledCase]) -> None:
    """One scan may be labelled twice, but not be another sequence, nor in and out of a fold."""
    first: dict[Path, tuple[LabeledCase, Sequence]] = {}
    for case in cases:
        for sequence, path in case.scans.items():
            other, its = first.setdefault(path.resolve(), (case, sequence))
            if (other.fold, its) != (case.fold, sequence):
                raise TrainingError(
                    f"{path} is {its.name} of case {other.name} (fold {other.fold}) and "
                    f"{sequence.name} of case {case.name} (fold {case.fold}).",
                    "Name another file, or put both cases into one fold: a member must not have "
                    "seen what it is scored on.",
                )


def _rows_of_folders(folder: Path) -> list[dict[str, str]]:
    rows = [
        {"case": "-".join(place.relative_to(folder).parts) or place.name, "folder": str(place)}
        for place in case_folders(folder)
    ]
    if not rows:
        raise TrainingError(
            f"{folder} holds neither {TABLE} nor a folder with scans and labels.",
            "Put each case into a folder of its own, for example with t1.nii.gz, t1ce.nii.gz, "
            f"flair.nii.gz and labels.nii.gz or tumour.seg.nrrd; or write {TABLE}.",
        )
    unlabeled = [str(place.relative_to(folder)) for place in unlabeled_folders(folder)]
    if unlabeled:
        more = f" and {len(unlabeled) - _NAMED} more" if len(unlabeled) > _NAMED else ""
        raise TrainingError(
            f"There are scans but no labels in {', '.join(unlabeled[:_NAMED])}{more} of {folder}.",
            "Put the labels there, in a file like labels.nii.gz; or move these folders away; or "
            f"list the cases to be used in {TABLE}.",
        )
    return rows


def _case_folder(folder: Path, row: Mapping[str, str]) -> Path:
    if "folder" in row:
        return Path(row["folder"])
    usual, plain = folder / "brats" / row["case"], folder / row["case"]
    return plain if plain.is_dir() and not usual.is_dir() else usual


def _folds(rows: list[dict[str, str]], config: CohortConfig, table: Path) -> list[int]:
    given = [row.get("fold") or "" for row in rows]
    if not any(given):
        groups = [row.get("looks_like") or "" for row in rows]
        return make_folds(groups, config.folds, config.fold_seed)
    for row, fold in zip(rows, given, strict=True):
        if not fold.isdecimal():
            raise TrainingError(
                f"{table}: the fold of case {row['case']} is {fold!r}.",
                "Number the folds of all cases from 0, or leave the column out.",
            )
    return [int(fold) for fold in given]


def _protocol(row: Mapping[str, str], labels: Path, config: CohortConfig) -> LabelProtocol:
    text = row.get("label_protocol") or config.label_protocol
    try:
        protocol = reference_protocol(labels, read_protocol(text) if text else None)
    except InputError as error:
        raise TrainingError(f"Case {row['case']}: {error.message}", error.remedy) from error
    if protocol is None:
        raise TrainingError(
            f"Nothing says what the labels of {labels} mean.",
            "Set label_protocol in the table [data] of the recipe, or as a column of cases.tsv.",
        )
    return protocol
