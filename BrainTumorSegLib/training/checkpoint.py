"""What a killed run needs to go on exactly, and the tables it writes on its way."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.training.config import TrainingConfig

LOG, VALIDATION = "log.csv", "validation.csv"


@dataclass
class Best:
    """The average of the weights that scored best so far.

    Attributes:
        score: of it; nothing was scored while it is below 0.
        step: after which it was taken.
        state: its state dict on the CPU.
    """

    score: float = -1.0
    step: int = 0
    state: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Run:
    """Everything that changes while a member is trained.

    Attributes:
        network: the one that learns.
        average: exponential moving average of its weights.
        optimiser: with its state.
        scaler: of gradients in half precision, else None.
        best: the best average so far, where checkpoints are chosen.
    """

    network: nn.Module
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler | None = None
    best: Best = field(default_factory=Best)


def average_state(run: Run) -> dict[str, Tensor]:
    """State dict of the average, on the CPU, as a copy."""
    return {
        name: value.detach().to("cpu", copy=True)
        for name, value in run.average.module.state_dict().items()
    }


def save_checkpoint(folder: Path, step: int, config: TrainingConfig, run: Run) -> None:
    """Write ``checkpoint.pt`` of the state after ``step`` steps."""
    state = {
        "step": step,
        "config": config.as_dict(),
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "scaler": run.scaler.state_dict() if run.scaler else None,
        "best": {"score": run.best.score, "step": run.best.step, "state": run.best.state},
    }
    temporary = folder / "checkpoint.part"
    torch.save(state, temporary)
    temporary.replace(folder / "checkpoint.pt")


def resume(folder: Path, config: TrainingConfig, run: Run, write: bool = True) -> int:
    """Bring a run to its last checkpoint, and its tables too.

    Args:
        folder: of the member.
        config: must be that of the checkpoint.
        run: is changed.
        write: whether to cut the tables back to the checkpoint.

    Returns:
        Number of steps done, 0 when there is no checkpoint.

    Raises:
        TrainingError: when the checkpoint belongs to another configuration or is damaged.
    """
    path = folder / "checkpoint.pt"
    step = 0
    if path.is_file():
        try:
            # Of other files torch reads as far as it can, with errors of any kind.
            if not zipfile.is_zipfile(path):
                raise ValueError("it is incomplete or something else")
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, ValueError) as error:
            raise TrainingError(
                f"{path} cannot be read: {error}.", "Delete it to start again."
            ) from error
        if TrainingConfig.from_dict(state["config"]) != config:
            raise TrainingError(
                f"{path} belongs to a run with another configuration.",
                "Choose another folder, or delete this one to start again.",
            )
        run.network.load_state_dict(state["network"])
        run.average.load_state_dict(state["average"])
        run.optimiser.load_state_dict(state["optimiser"])
        if run.scaler is not None:
            run.scaler.load_state_dict(state["scaler"])
        if "best" in state:
            run.best = Best(**state["best"])
        step = int(state["step"])
    if write:
        for name in (LOG, VALIDATION):
            _cut_back(folder / name, step)
    return step


def append_row(path: Path, row: Mapping[str, str]) -> None:
    """Add a line to a table, with its header when it is new."""
    fresh = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Lines of a table; none when there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _cut_back(path: Path, step: int) -> None:
    """Drop lines of steps that will be taken again, and one that was not finished."""
    rows = read_rows(path)
    # The first digits of a step that was cut off look like an earlier one.
    whole = (row for row in rows if None not in row.values())
    kept = [row for row in whole if row["step"].isdigit() and int(row["step"]) <= step]
    if len(kept) == len(rows):
        return
    with atomic_path(path, overwrite=True) as temporary:
        _write(temporary, kept, list(rows[0]))


def _write(path: Path, rows: SequenceOf[Mapping[str, str]], columns: list[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
