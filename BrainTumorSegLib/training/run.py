"""A training run: one member a fold, then a pack made of them."""

from __future__ import annotations

import json
from collections.abc import Sequence as SequenceOf
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor

from BrainTumorSegLib import __version__
from BrainTumorSegLib.errors import TrainingError
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.progress import Progress
from BrainTumorSegLib.training.cohort import LabelledCase
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.loop import train_member
from BrainTumorSegLib.training.volumes import LabelledVolume, load_volume
from BrainTumorSegLib.weights import load_weights, save_weights


def train_folds(
    cases: SequenceOf[LabelledCase],
    config: TrainingConfig,
    folds: SequenceOf[int],
    folder: Path,
    device: str = "cpu",
    progress: Progress | None = None,
) -> list[Path]:
    """Train one member for each fold left out; members that are done are kept.

    Args:
        cases: the cohort.
        config: of every member; its fold is replaced.
        folds: folds to leave out in turn.
        folder: of the run; each member gets ``fold<k>/`` with its checkpoint, log,
            ``run.json`` and ``weights.safetensors``.
        device: torch device.
        progress: one stage a member.

    Returns:
        The members' folders.

    Raises:
        TrainingError: when a fold would leave nothing to train on.
    """
    progress = progress or Progress()
    members = []
    for fold in folds:
        training = [case for case in cases if case.fold != fold]
        if not training or len(training) == len(cases):
            raise TrainingError(
                f"Leaving out fold {fold} leaves {len(training)} of {len(cases)} cases.",
                f"Folds of this cohort: {sorted({case.fold for case in cases})}.",
            )
        member, own = folder / f"fold{fold}", replace(config, fold=fold)
        weights = member / "weights.safetensors"
        if not weights.is_file():
            progress.stage("read", len(training))
            volumes = [_load(case, folder / "cache", progress) for case in training]
            started = datetime.now(UTC)
            state = train_member(volumes, own, member, device, progress)
            save_weights(state, weights, "fp32", own.network, overwrite=True)
            _record(member, own, training, device, started)
        members.append(member)
    return members


def read_member(folder: Path) -> tuple[dict[str, Tensor], TrainingConfig, dict]:
    """Weights, configuration and record of a trained member.

    Raises:
        TrainingError: when the folder holds no finished member.
    """
    record = folder / "run.json"
    if not record.is_file():
        raise TrainingError(f"{folder} holds no finished member.", "Train it first.")
    fields = json.loads(record.read_text(encoding="utf-8"))
    return (
        load_weights(folder / "weights.safetensors"),
        TrainingConfig.from_dict(fields["config"]),
        fields,
    )


def _load(case: LabelledCase, cache: Path, progress: Progress) -> LabelledVolume:
    volume = load_volume(case, cache)
    progress.advance(1, case.name)
    return volume


def _record(
    member: Path,
    config: TrainingConfig,
    training: SequenceOf[LabelledCase],
    device: str,
    started: datetime,
) -> None:
    fields = {
        "config": config.as_dict(),
        "cases": [case.name for case in training],
        "label_protocols": sorted({case.protocol.name for case in training}),
        "device": device,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds_since_start_or_resume": round((datetime.now(UTC) - started).total_seconds()),
        "version": __version__,
        "torch": torch.__version__,
    }
    with atomic_path(member / "run.json", overwrite=True) as path:
        path.write_text(json.dumps(fields, indent=2), encoding="utf-8")
