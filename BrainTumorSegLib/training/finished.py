"""Members that are trained: their configuration, their record and where their weights lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.training.config import TrainingConfig


@dataclass(frozen=True)
class FinishedMember:
    """One member of a training run.

    Attributes:
        folder: of the member, in that of the run.
        config: it was trained with.
        record: ``run.json``.
    """

    folder: Path
    config: TrainingConfig
    record: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """The file of its weights, fp32."""
        return self.folder / "weights.safetensors"


def read_member(folder: Path) -> FinishedMember:
    """The member in a folder of a run.

    Raises:
        TrainingError: when the folder holds no finished member.
    """
    record = folder / "run.json"
    if not record.is_file():
        raise TrainingError(f"{folder} holds no finished member.", "Train it first.")
    fields = json.loads(record.read_text(encoding="utf-8"))
    return FinishedMember(folder, TrainingConfig.from_dict(fields["config"]), fields)


def find_members(run: Path) -> list[FinishedMember]:
    """The finished members of a run, by name; none when the folder is no run."""
    return [read_member(record.parent) for record in sorted(run.glob("*/run.json"))]
