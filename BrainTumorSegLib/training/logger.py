"""The tables that a member writes while it is trained, for TensorBoard too, and their curves."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import DependencyError, TrainingError
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.io.tables import write_rows

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG, VALIDATION = "log.csv", "validation.csv"

#: Folder in that of a member; ``tensorboard --logdir RUN`` finds it.
TENSORBOARD = "tensorboard"

_GROUPS = {LOG: "training", VALIDATION: "validation"}


class TrainingLog:
    """``log.csv`` and ``validation.csv`` of a member that goes on after ``step`` steps.

    Lines of steps that will be taken again are dropped, from TensorBoard too.

    Raises:
        DependencyError: when TensorBoard is wanted and not installed.
    """

    def __init__(self, folder: Path, step: int, tensorboard: bool) -> None:
        self._folder = folder
        for name in _GROUPS:
            _drop_later_rows(folder / name, step)
        self._writer = None
        if tensorboard:
            beyond = step + 1 if step else None
            self._writer = summary_writer()(str(folder / TENSORBOARD), purge_step=beyond)

    def write(self, table: str, row: Mapping[str, str]) -> None:
        """Add a line, ``step`` among its columns, to `LOG` or `VALIDATION`."""
        path = self._folder / table
        _write_rows(path, [row], list(row), append=path.is_file())
        if self._writer is not None:
            for name, value in row.items():
                if name != "step":
                    group = f"{_GROUPS[table]}/{name}"
                    self._writer.add_scalar(group, float(value), int(row["step"]))
            self._writer.flush()

    def close(self) -> None:
        """Close the files of TensorBoard."""
        if self._writer is not None:
            self._writer.close()


def summary_writer() -> type[SummaryWriter]:
    """TensorBoard's writer.

    Raises:
        DependencyError: when the package tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise DependencyError(
            f"training.tensorboard is true, but TensorBoard cannot be imported: {error}.",
            "Install it with: pip install 'BrainTumorSeg[train]', or set it to false.",
        ) from error
    return SummaryWriter


def read_rows(path: Path) -> list[dict[str, str]]:
    """Lines of a table; none when there is no file.

    Raises:
        TrainingError: when it is damaged.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        if rows and "step" not in rows[0]:
            raise ValueError("it has no column step")
    except (OSError, ValueError, csv.Error) as error:
        raise TrainingError(
            f"{path} is damaged: {error}.", "Remove it; only the curves need it."
        ) from error
    return rows


def draw_curves(folder: Path) -> Path | None:
    """Draw loss, learning rate and validation of a member into its ``curves.png``.

    Returns:
        The picture; None when matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return None
    log, validation = read_rows(folder / LOG), read_rows(folder / VALIDATION)
    figure = Figure(figsize=(9.0 if validation else 5.0, 3.6), layout="constrained")
    axes = figure.subplots(1, 2 if validation else 1, squeeze=False)[0]
    steps, losses, rates = (_column(log, name) for name in ("step", "loss", "learning_rate"))
    axes[0].plot(steps, losses, color="tab:red", marker="o" if len(log) < 20 else None)
    axes[0].set(xlabel="step", title="training loss (mean since the last point)")
    rate = axes[0].twinx()
    rate.plot(steps, rates, color="tab:gray", linestyle="dotted")
    rate.set_ylabel("learning rate (dotted)")
    rate.set_ylim(bottom=0)
    if validation:
        steps, means = _column(validation, "step"), _column(validation, "mean")
        for name in [key for key in validation[0] if key != "step"]:
            thick = 2.5 if name == "mean" else 1.0
            axes[1].plot(steps, _column(validation, name), label=name, linewidth=thick)
        best = steps[means.index(max(means))]
        axes[1].axvline(best, color="black", linestyle="dashed", linewidth=0.8)
        axes[1].set(xlabel="step", title="validation Dice (dashed: best)", ylim=(0, 1))
        axes[1].legend(loc="lower right")
    for axis in axes:
        axis.grid(alpha=0.3)
    with atomic_path(folder / "curves.png", overwrite=True) as path:
        figure.savefig(path, dpi=120, format="png")
    return folder / "curves.png"


def _column(rows: Iterable[Mapping[str, str]], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def _drop_later_rows(path: Path, step: int) -> None:
    """Drop lines of later steps, and one that was not finished."""
    rows = read_rows(path)
    # The first digits of a step that was cut off look like an earlier one.
    whole = (row for row in rows if None not in row.values())
    kept = [row for row in whole if row["step"].isdigit() and int(row["step"]) <= step]
    if len(kept) < len(rows):
        with atomic_path(path, overwrite=True) as temporary:
            _write_rows(temporary, kept, list(rows[0]))


def _write_rows(
    path: Path, rows: Iterable[Mapping[str, str]], columns: list[str], append: bool = False
) -> None:
    with path.open("a" if append else "w", newline="", encoding="utf-8") as stream:
        if not append:
            write_rows(stream, [columns])
        write_rows(stream, [[row[name] for name in columns] for row in rows])
