"""Training one member, with checkpoints from which a killed run goes on exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.models.networks import build_network
from BrainTumorSegLib.training.batches import batches, step_seed
from BrainTumorSegLib.training.board import open_board, show
from BrainTumorSegLib.training.checkpoint import (
    LOG,
    VALIDATION,
    Best,
    Run,
    append_row,
    average_state,
    resume,
    save_checkpoint,
)
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.distributed import ALONE, Ranks, shared
from BrainTumorSegLib.training.losses import set_cross_entropy, set_dice
from BrainTumorSegLib.training.optimisers import learning_rate_at, make_optimiser
from BrainTumorSegLib.training.precision import MixedPrecision
from BrainTumorSegLib.training.sampling import SliceSampler
from BrainTumorSegLib.training.start import Beginning, put_beginning
from BrainTumorSegLib.training.validation import validate
from BrainTumorSegLib.training.volumes import LabelledVolume


@dataclass(frozen=True)
class TrainingData:
    """What one member learns from, and what it is looked at with.

    Attributes:
        volumes: training cases, none of the fold left out.
        synthetic: synthetic samples to mix in, none of the held-out generator.
        validation: cases for choosing the checkpoint.
    """

    volumes: SequenceOf[LabelledVolume]
    synthetic: SequenceOf[LabelledVolume] = ()
    validation: SequenceOf[LabelledVolume] = ()


@dataclass(frozen=True)
class Trained:
    """The outcome of training.

    Attributes:
        state: state dict of the average of the weights, on the CPU.
        step: after how many steps it was taken.
        score: by which it was chosen; None when it is simply the last one.
    """

    state: dict[str, Tensor]
    step: int
    score: float | None = None


def train_member(
    data: TrainingData,
    config: TrainingConfig,
    folder: Path,
    device: str = "cpu",
    progress: Progress | None = None,
    workers: int = 0,
    ranks: Ranks = ALONE,
    beginning: Beginning | None = None,
) -> Trained:
    """Train one network and return the average of its weights that is to be kept.

    A run that was stopped goes on from its last checkpoint in ``folder`` and ends
    with the same weights as one that was not, bit for bit on a CPU with the same
    number of threads: batches, augmentation and dropout depend on seed and step alone.

    Args:
        data: see `TrainingData`.
        config: the run.
        folder: for ``checkpoint.pt``, ``log.csv``, ``validation.csv`` and ``tensorboard/``.
        device: torch device.
        workers: threads that prepare batches ahead; they do not change the outcome.
        ranks: of several processes; the first one writes.
        beginning: weights to start from; None for random ones.

    Raises:
        TrainingError: when the folder holds a checkpoint of another configuration, the
            loss is no longer finite, or checkpoints are to be chosen on nothing.
    """
    progress = progress or Progress()
    check_shares(config, ranks)
    if config.validation.every and not data.validation:
        raise TrainingError(
            f"There is no case to choose the checkpoint on ({config.validation.on}).",
            "Set training.validation.every = 0, or give the fold cases.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    mixed = MixedPrecision(config.precision, device)
    run = _begin(config, device, mixed, beginning)
    first = resume(folder, config, run, write=ranks.first)
    board = open_board(folder, first) if config.tensorboard and ranks.first else None
    network = shared(run.network, config.network, ranks, device)
    sampler = SliceSampler(data.volumes, config, data.synthetic)
    progress.stage(config.stage("train"), config.steps)
    progress.advance(first)
    network.train()
    running: list[float] = []
    for step, (images, allowed) in enumerate(
        batches(sampler, config, first, workers, ranks), start=first
    ):
        rate = learning_rate_at(step, config)
        for group in run.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(step_seed(config, step, ranks.rank))
        images = images.to(device, memory_format=torch.channels_last)
        allowed = allowed.to(device)
        with mixed.autocast():
            logits = network(images)
        loss = set_cross_entropy(logits, allowed) + set_dice(logits, allowed)
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"The loss became {loss.item()} at step {step}.", "Lower the learning rate."
            )
        mixed.step(loss, run.network, run.optimiser)
        run.average.update_parameters(run.network)
        running.append(loss.item())
        if ranks.first:
            show(board, "validation", _look(step + 1, data, config, run, folder, device, mixed))
            if (step + 1) % config.checkpoint_every == 0 or step + 1 == config.steps:
                mean = sum(running) / len(running)
                show(board, "training", _log(folder, step + 1, mean, rate))
                running.clear()
                save_checkpoint(folder, step + 1, config, run)
        recent = running[-50:] or [loss.item()]
        progress.advance(1, f"loss {sum(recent) / len(recent):.3f}")
    if board is not None:
        board.close()
    if run.best.state:
        return Trained(run.best.state, run.best.step, run.best.score)
    return Trained(average_state(run), config.steps)


def check_shares(config: TrainingConfig, ranks: Ranks) -> None:
    """Refuse processes that cannot share a batch.

    Raises:
        TrainingError: saying what size of batch would do.
    """
    if config.batch % ranks.world:
        raise TrainingError(
            f"A batch of {config.batch} cannot be divided among {ranks.world} processes.",
            "Set training.batch to a multiple.",
        )
    if config.network.architecture == "pspnet" and config.batch // ranks.world < 2:
        raise TrainingError(
            f"A batch of {config.batch} leaves each of {ranks.world} processes a single slice; "
            "PSPNet normalises over whole slices.",
            f"Set training.batch to {2 * ranks.world} or more.",
        )


def _begin(
    config: TrainingConfig, device: str, mixed: MixedPrecision, beginning: Beginning | None
) -> Run:
    torch.manual_seed(config.seed)
    network = build_network(config.network)
    if beginning is not None:
        put_beginning(network, config.network, beginning)
    network = network.to(device, memory_format=torch.channels_last)
    average = AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True
    )
    return Run(network, average, make_optimiser(network, config), mixed.scaler)


def _look(
    done: int,
    data: TrainingData,
    config: TrainingConfig,
    run: Run,
    folder: Path,
    device: str,
    mixed: MixedPrecision,
) -> dict[str, str]:
    """Validate when it is due, and remember the average if it is the best so far.

    Returns:
        The new line of the table; nothing when it is not due.
    """
    every = config.validation.every
    if not every or (done % every and done != config.steps):
        return {}
    scores = validate(run.average.module, data.validation, config, device, mixed)
    shown = {name: f"{value:.4f}" for name, value in scores.regions.items()}
    row = {"step": str(done), **shown, "mean": f"{scores.mean:.4f}"}
    append_row(folder / VALIDATION, row)
    if scores.mean > run.best.score:
        run.best = Best(scores.mean, done, average_state(run))
    return row


def _log(folder: Path, step: int, loss: float, rate: float) -> dict[str, str]:
    row = {"step": str(step), "loss": f"{loss:.5f}", "learning_rate": f"{rate:.3e}"}
    append_row(folder / LOG, row)
    return row
