"""A training run: one member for each fold and seed."""

from __future__ import annotations

import json
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.models.networks import network_entries
from BrainTumorSegLib.models.weights import save_weights
from BrainTumorSegLib.training.board import check_board
from BrainTumorSegLib.training.cohort import LabelledCase
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.curves import draw_curves
from BrainTumorSegLib.training.distributed import ALONE, Ranks, first_ahead
from BrainTumorSegLib.training.finished import read_member
from BrainTumorSegLib.training.holding import holding
from BrainTumorSegLib.training.loop import Trained, train_member
from BrainTumorSegLib.training.material import (
    PREPARE,
    gather,
    prepare_cases,
    training_cases,
)
from BrainTumorSegLib.training.precision import MixedPrecision
from BrainTumorSegLib.training.run_cohort import refuse_other_cohort, write_cohort
from BrainTumorSegLib.training.start import Beginning, find_beginning


@dataclass(frozen=True)
class Machine:
    """Where and how to compute; on a CPU only the number of processes changes what comes out.

    Attributes:
        device: torch device.
        workers: threads that prepare batches and processes that make synthetic samples.
        ranks: which of several processes this is; batch norm and the Dice loss see the part of
            a batch that is a process's own, and each augments by a seed of its own.
        cache: folder for prepared volumes, where several runs share one; else the run's own.
    """

    device: str = "cpu"
    workers: int = 0
    ranks: Ranks = ALONE
    cache: Path | None = None


def member_name(fold: int, seed: int | None = None) -> str:
    """Name of a member and of its folder; without a seed that of the recipe's own."""
    return f"fold{fold}" if seed is None else f"fold{fold}-seed{seed}"


def stages(
    config: TrainingConfig, folds: SequenceOf[int], seeds: SequenceOf[int]
) -> dict[str, float]:
    """Rough shares of the time of a run, for its progress."""
    return {PREPARE: 2.0} | _member_stages(config, folds, seeds)


def _member_stages(
    config: TrainingConfig, folds: SequenceOf[int], seeds: SequenceOf[int]
) -> dict[str, float]:
    weights: dict[str, float] = {}
    synthetic = 10.0 if config.synthesis.samples else 0.0
    looked_at = 2.0 if config.validation.every and config.validation.on == "synthesis" else 0.0
    work = {"read": 0.1, "make": synthetic, "look": looked_at, "train": 99.0}
    for fold in folds:
        for seed in list(seeds) or [config.seed]:
            own = replace(config, fold=fold, seed=seed)
            weights |= {own.stage(name): weight for name, weight in work.items()}
    return weights


def check_computable(config: TrainingConfig, device: str) -> None:
    """Find out now, and not after other work, that a network cannot be built or computed.

    Raises:
        PackError: when the network is unknown.
        TrainingError: when the device does not compute in this precision.
    """
    network_entries(config.network)
    MixedPrecision(config.precision, device)


def train_members(
    cases: SequenceOf[LabelledCase],
    config: TrainingConfig,
    folds: SequenceOf[int],
    folder: Path,
    seeds: SequenceOf[int] = (),
    sources: Path | None = None,
    machine: Machine | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Train one member for each fold left out and each seed; members that are done are kept.

    Args:
        cases: the cohort.
        config: of every member; fold and seed are replaced.
        folds: folds to leave out in turn.
        folder: of the run, which gets ``cases.tsv``; each member gets ``fold<k>/``, or
            ``fold<k>-seed<s>/`` where seeds are given, with its checkpoint, logs,
            ``curves.png``, ``run.json`` and ``weights.safetensors``.
        seeds: of each fold; none takes that of the configuration.
        sources: folder with label maps for synthesis; by default that of the run, which
            has none, so that heads and shapes are made up.
        machine: where to compute.
        progress: made of `stages`, it knows the time left.

    Returns:
        The members' folders.

    Raises:
        TrainingError: when a fold would leave nothing to train on, or a finished member is
            of another configuration.
        DependencyError: when TensorBoard is wanted and not installed.
    """
    progress, machine = progress or Progress(), machine or Machine()
    if config.tensorboard:
        check_board()
    check_computable(config, machine.device)
    for fold in folds:
        training_cases(cases, fold)
    wanted = {
        folder / member_name(fold, seed): replace(
            config, fold=fold, seed=config.seed if seed is None else seed
        )
        for fold in folds
        for seed in seeds or [None]
    }
    unfinished = [member for member in wanted if not _is_finished(member)]
    for member, own in wanted.items():
        if member in unfinished:
            _beginning(cases, own)
        elif read_member(member).config != own:
            raise TrainingError(
                f"{member} is finished, but was trained with another configuration.",
                "Choose another folder for the run, or delete this one to train it again.",
            )
    cache = machine.cache or folder / "cache"
    with holding(unfinished if machine.ranks.first else ()):
        if machine.ranks.first:
            refuse_other_cohort(cases, folder)
            write_cohort(cases, folder)
        if unfinished:
            with first_ahead(machine.ranks):
                prepare_cases(cases, config, cache, progress)
        for member, own in wanted.items():
            _train(cases, own, member, sources or folder, cache, machine, progress)
    return list(wanted)


def _is_finished(member: Path) -> bool:
    return (member / "weights.safetensors").is_file() and (member / "run.json").is_file()


def _beginning(cases: SequenceOf[LabelledCase], config: TrainingConfig) -> Beginning | None:
    if not config.start_from:
        return None
    return find_beginning(config, [case.name for case in cases if case.fold == config.fold])


def _train(
    cases: SequenceOf[LabelledCase],
    config: TrainingConfig,
    member: Path,
    sources: Path,
    cache: Path,
    machine: Machine,
    progress: Progress,
) -> None:
    weights = member / "weights.safetensors"
    done = _is_finished(member)
    # Nobody may look again before all have looked: the first process writes these files.
    machine.ranks.wait_for_all()
    if done:
        for stage in _member_stages(config, [config.fold], [config.seed]):
            progress.stage(stage)
        return
    started = datetime.now(UTC)
    with first_ahead(machine.ranks):
        data = gather(cases, config, sources, cache, machine.workers, progress)
    training = training_cases(cases, config.fold)
    beginning = _beginning(cases, config)
    trained = train_member(
        *(data, config, member, machine.device, progress, machine.workers, machine.ranks),
        beginning,
    )
    if machine.ranks.first:
        save_weights(trained.state, weights, "fp32", config.network, overwrite=True)
        _record(member, config, training, machine, started, trained, beginning)
        if draw_curves(member) is None:
            progress.warn("No curves.png was drawn: matplotlib (extra train) is not installed.")
    machine.ranks.wait_for_all()


def _record(
    member: Path,
    config: TrainingConfig,
    training: SequenceOf[LabelledCase],
    machine: Machine,
    started: datetime,
    trained: Trained,
    beginning: Beginning | None,
) -> None:
    fields = {
        "config": config.as_dict(),
        "cases": [case.name for case in training],
        "label_protocols": sorted({case.protocol.name for case in training}),
        "kept": {
            "step": trained.step,
            "chosen_on": None if trained.score is None else config.validation.on,
            "score": None if trained.score is None else round(trained.score, 5),
        },
        "started_from": None
        if beginning is None
        else {"origin": beginning.origin, "sha256": beginning.sha256},
        "device": machine.device,
        "processes": machine.ranks.world,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds_since_start_or_resume": round((datetime.now(UTC) - started).total_seconds()),
        "version": __version__,
        "torch": torch.__version__,
    }
    with atomic_path(member / "run.json", overwrite=True) as path:
        path.write_text(json.dumps(fields, indent=2), encoding="utf-8")
