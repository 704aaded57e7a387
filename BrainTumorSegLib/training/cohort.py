"""Labelled cases: from a table, or from any folder that holds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from BrainTumorSegLib.core.config_tables import check_choice
from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import LabelProtocol
from BrainTumorSegLib.io.truth import truth_protocol
from BrainTumorSegLib.preprocessing.brain import METHODS
from BrainTumorSegLib.preprocessing.registration import ENGINES
from BrainTumorSegLib.training.case_files import case_folders, find_case_files, named_files
from BrainTumorSegLib.training.case_table import TABLE, read_rows
from BrainTumorSegLib.training.folds import make_folds
from BrainTumorSegLib.training.protocols import read_protocol


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
        return self == Preparation()


@dataclass(frozen=True)
class CohortConfig:
    """What a cohort does not say itself; the table ``[data]`` of a recipe.

    Attributes:
        label_protocol: of cases whose row or file does not say, see `protocols.read_protocol`.
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
class LabelledCase:
    """One case of a cohort.

    Attributes:
        name: of the case.
        group: what it looks like, for tables by group (``high-grade``, ``meningioma``).
        fold: number of the fold that keeps this case out of training.
        protocol: what the values of its labels mean, as `io.truth.read_truth` gives them.
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
        """The name as part of a file's: one that could be a path gets digits of its hash."""
        cleaned = re.sub(r"[^\w .-]", "_", self.name)
        told = "" if cleaned == self.name else f"-{sha256(self.name.encode()).hexdigest()[:8]}"
        return cleaned + told


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


def read_cohort(folder: Path, config: CohortConfig | None = None) -> tuple[LabelledCase, ...]:
    """Read the cases of a folder.

    With ``cases.tsv`` the cases are its rows. The column ``case`` is needed; ``looks_like``,
    ``fold``, ``label_protocol``, ``registration`` and ``brain`` may be there; the columns
    ``t1``, ``t1ce``, ``flair`` and ``labels`` may name files. Unnamed files are looked for in
    ``brats/CASE/`` or ``CASE/``. Without a table, every folder with a file of labels is a case.

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
    rows = read_rows(folder / TABLE) if (folder / TABLE).is_file() else _rows_of_folders(folder)
    folds = _folds(rows, config, folder / TABLE)
    cases = []
    for row, fold in zip(rows, folds, strict=True):
        scans, labels = named_files(folder, row) or find_case_files(
            _place(folder, row), row["case"]
        )
        cases.append(
            LabelledCase(
                name=row["case"],
                group=row.get("looks_like") or "",
                fold=fold,
                protocol=_protocol(row, labels, config),
                scans=scans,
                labels=labels,
                preparation=Preparation(
                    row.get("registration") or config.registration,
                    row.get("brain") or config.brain,
                ),
            )
        )
    _refuse_shared_scans(cases)
    return tuple(cases)


def names_folds(folder: Path) -> bool:
    """Whether the table of a folder tells folds, so that `read_cohort` makes none."""
    table = folder / TABLE
    return table.is_file() and any(row.get("fold") for row in read_rows(table))


def join_folds(cases: SequenceOf[LabelledCase], folds: SequenceOf[int]) -> list[LabelledCase]:
    """The cohort with several folds counted as the first of them.

    Raises:
        TrainingError: when the cohort lacks one of them.
    """
    _check_folds(cases, folds)
    return [replace(case, fold=folds[0]) if case.fold in folds else case for case in cases]


def in_folds(cases: SequenceOf[LabelledCase], folds: SequenceOf[int]) -> tuple[LabelledCase, ...]:
    """The cases of some folds only.

    Raises:
        TrainingError: when the cohort lacks one of them.
    """
    _check_folds(cases, folds)
    return tuple(case for case in cases if case.fold in folds)


def _check_folds(cases: SequenceOf[LabelledCase], folds: SequenceOf[int]) -> None:
    known = {case.fold for case in cases}
    missing = sorted(set(folds) - known)
    if missing:
        raise TrainingError(f"The cohort has no fold {missing[0]}.", f"Its folds: {sorted(known)}.")


def _refuse_shared_scans(cases: SequenceOf[LabelledCase]) -> None:
    """One scan may be labelled twice, but not be another sequence, nor in and out of a fold."""
    first: dict[Path, tuple[LabelledCase, Sequence]] = {}
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
    return rows


def _place(folder: Path, row: Mapping[str, str]) -> Path:
    if "folder" in row:
        return Path(row["folder"])
    return next(
        (p for p in (folder / "brats" / row["case"], folder / row["case"]) if p.is_dir()),
        folder / "brats" / row["case"],
    )


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
        protocol = truth_protocol(labels, read_protocol(text) if text else None)
    except InputError as error:
        raise TrainingError(f"Case {row['case']}: {error.message}", error.remedy) from error
    if protocol is None:
        raise TrainingError(
            f"Nothing says what the labels of {labels} mean.",
            "Set label_protocol in the table [data] of the recipe, or as a column of cases.tsv.",
        )
    return protocol
