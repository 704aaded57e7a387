"""The cohort as a training run keeps it: nothing may change under members that are trained."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence as SequenceOf
from dataclasses import astuple
from pathlib import Path

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.training.case_table import COLUMNS, TABLE, read_rows
from BrainTumorSegLib.training.cohort import LabelledCase

#: Column of the run's table only: SHA-256 of the labels that its members learn from.
_DIGEST = "labels_sha256"


def write_cohort(cases: SequenceOf[LabelledCase], folder: Path) -> Path:
    """Write the table of a cohort as it was understood, so that `read_cohort` needs no recipe.

    Files are named relative to the folder where they lie on the same drive. A column more tells
    the SHA-256 of the labels, for `refuse_other_cohort`.
    """
    with (
        atomic_path(folder / TABLE, overwrite=True) as path,
        path.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, [*COLUMNS, _DIGEST], delimiter="\t", restval="")
        writer.writeheader()
        for case in cases:
            files = {s.value: p for s, p in case.scans.items()} | {"labels": case.labels}
            writer.writerow(
                {
                    "case": case.name,
                    "looks_like": case.group,
                    "fold": case.fold,
                    "label_protocol": case.protocol.name,
                    "registration": case.preparation.registration,
                    "brain": case.preparation.brain,
                    **{key: _relative(path, folder) for key, path in files.items()},
                    _DIGEST: file_sha256(case.labels),
                }
            )
    return folder / TABLE


def refuse_other_cohort(cases: SequenceOf[LabelledCase], run: Path) -> None:
    """Refuse a run that was begun with other cases: its members would leave out other ones.

    Raises:
        TrainingError: when names, folds, label protocols, preparation or the labels themselves
            differ from those in the run's table, and a member of it has learned from them.
    """
    begun = any(run.glob("*/checkpoint.pt")) or any(run.glob("*/run.json"))
    if not begun or not (run / TABLE).is_file():
        return
    keys = ("fold", "label_protocol", "registration", "brain")
    rows = {row["case"]: row for row in read_rows(run / TABLE)}
    before = {name: tuple(row.get(key) for key in keys) for name, row in rows.items()}
    now = {
        case.name: (str(case.fold), case.protocol.name, *astuple(case.preparation))
        for case in cases
    }
    differing = sorted(name for name in before | now if before.get(name) != now.get(name))
    if differing:
        raise TrainingError(
            f"{run} was begun with other cases, folds, label protocols or preparation: "
            f"{len(differing)} differ, such as {differing[0]}.",
            "Choose another folder for the run, or delete this one to train it again.",
        )
    corrected = [
        case
        for case in cases
        if rows[case.name].get(_DIGEST) not in (None, "", file_sha256(case.labels))
    ]
    if corrected:
        raise TrainingError(
            f"The labels of {len(corrected)} case(s) have changed since {run} was begun, such as "
            f"{corrected[0].labels}.",
            "Choose another folder for the run, so that all of it learns from the labels as they "
            "are now, or delete this one.",
        )


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return str(path.resolve())
