"""A folder of labelled cases and the table that says what its labels mean."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from BrainTumorSegLib.errors import TrainingError
from BrainTumorSegLib.sequences import Sequence
from BrainTumorSegLib.tissue import LabelProtocol, protocol_by_name


@dataclass(frozen=True)
class LabelledCase:
    """One case of a cohort.

    Attributes:
        name: of the case and its folder.
        group: what it looks like, for tables by group (``high-grade``, ``meningioma``).
        fold: number of the fold that keeps this case out of training.
        protocol: what the values of its label map mean.
        scans: file of each sequence.
        labels: file of the label map, on the grid of the scans.
    """

    name: str
    group: str
    fold: int
    protocol: LabelProtocol
    scans: Mapping[Sequence, Path]
    labels: Path


def read_cohort(folder: Path) -> tuple[LabelledCase, ...]:
    """Read ``cases.tsv`` and find the files ``brats/<case>/<case>_{t1,t1ce,flair,seg}.nii.gz``.

    Raises:
        TrainingError: when the table or a file of a listed case is missing.
    """
    table = folder / "cases.tsv"
    if not table.is_file():
        raise TrainingError(
            f"{table} does not exist.", "Give the folder that holds cases.tsv and brats/."
        )
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return tuple(_case(folder, row, table) for row in rows)


def _case(folder: Path, row: Mapping[str, str], table: Path) -> LabelledCase:
    try:
        name, group = row["case"], row["looks_like"]
        fold, protocol = int(row["fold"]), protocol_by_name(row["label_protocol"])
    except (KeyError, ValueError) as error:
        raise TrainingError(
            f"{table} has a row that cannot be read: {dict(row)}",
            "It needs the columns case, looks_like, fold and label_protocol.",
        ) from error
    place = folder / "brats" / name
    scans = {s: place / f"{name}_{s.value}.nii.gz" for s in Sequence}
    labels = place / f"{name}_seg.nii.gz"
    for path in (*scans.values(), labels):
        if not path.is_file():
            raise TrainingError(f"{path} is missing, though {table} lists it.")
    return LabelledCase(name, group, fold, protocol, scans, labels)
