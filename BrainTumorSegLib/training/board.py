"""The tables of a member for TensorBoard, while it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import DependencyError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

#: Folder in that of a member; ``tensorboard --logdir RUN`` finds it.
BOARD = "tensorboard"


def check_board() -> None:
    """Refuse before anything was computed what could not be shown later.

    Raises:
        DependencyError: when the package tensorboard is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            f"training.tensorboard is true, but TensorBoard cannot be imported: {error}.",
            "Install it with: pip install 'BrainTumorSeg[train]', or set it to false.",
        ) from error


def open_board(folder: Path, step: int) -> SummaryWriter:
    """A writer for a member that goes on after ``step`` steps; what was told beyond is void."""
    check_board()
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / BOARD), purge_step=step + 1 if step else None)


def show(board: SummaryWriter | None, group: str, row: Mapping[str, str]) -> None:
    """Put a line of a table, ``step`` among its columns, on the board, if there is one."""
    if board is None:
        return
    for name, value in row.items():
        if name != "step":
            board.add_scalar(f"{group}/{name}", float(value), int(row["step"]))
    board.flush()
