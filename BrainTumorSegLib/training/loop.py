"""Training one member, with checkpoints from which a killed run goes on exactly."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence as SequenceOf
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from BrainTumorSegLib.errors import TrainingError
from BrainTumorSegLib.networks import build_network
from BrainTumorSegLib.progress import Progress
from BrainTumorSegLib.slices import channel_sequences
from BrainTumorSegLib.training.augment import augment
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.losses import set_cross_entropy, set_dice
from BrainTumorSegLib.training.sampling import SliceSampler
from BrainTumorSegLib.training.volumes import LabelledVolume

CHECKPOINT_EVERY = 200


def train_member(
    volumes: SequenceOf[LabelledVolume],
    config: TrainingConfig,
    folder: Path,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Train one network and return the averaged weights.

    A run that was stopped goes on from its last checkpoint in ``folder`` and ends
    with the same weights as one that was not, bit for bit on a CPU with the same
    number of threads: batches and augmentation depend on seed and step alone.

    Args:
        volumes: training cases, none of the fold left out.
        config: the run.
        folder: for ``checkpoint.pt`` and ``log.csv``.
        device: torch device; bf16 autocast is used on all.

    Returns:
        State dict of the exponential moving average of the weights, on the CPU.

    Raises:
        TrainingError: when the folder holds a checkpoint of another configuration,
            or the loss is no longer finite.
    """
    progress = progress or Progress()
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    network = build_network(config.network).to(device, memory_format=torch.channels_last)
    average = AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True
    )
    optimiser = torch.optim.AdamW(
        _parameter_groups(network, config.weight_decay), lr=config.learning_rate
    )
    first = _resume(folder, config, network, average, optimiser)
    sampler = SliceSampler(volumes, config)
    shown = channel_sequences(config.recipe)
    progress.stage("training", config.steps, f"fold {config.fold}, seed {config.seed}")
    progress.advance(first)
    network.train()
    running: list[float] = []
    for step in range(first, config.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate_at(step, config)
        generator = torch.Generator().manual_seed(
            (config.seed * 1_000_003 + config.fold) * 1_000_003 + step
        )
        images, allowed = augment(*sampler.batch(step), shown, config.augmentation, generator)
        images = images.to(device, memory_format=torch.channels_last)
        allowed = allowed.to(device)
        with _autocast(device):
            logits = network(images)
        loss = set_cross_entropy(logits, allowed) + set_dice(logits, allowed)
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"The loss became {loss.item()} at step {step}.", "Lower the learning rate."
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update_parameters(network)
        running.append(loss.item())
        progress.advance(1, f"loss {sum(running[-50:]) / len(running[-50:]):.3f}")
        if (step + 1) % CHECKPOINT_EVERY == 0 or step + 1 == config.steps:
            _log(folder, step + 1, sum(running) / len(running), learning_rate_at(step, config))
            running.clear()
            _save(folder, step + 1, config, network, average, optimiser)
    return {name: value.detach().cpu() for name, value in average.module.state_dict().items()}


def learning_rate_at(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay on kernels only; norms and biases are left free."""
    kernels = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": kernels, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _autocast(device: str) -> AbstractContextManager:
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def _save(
    folder: Path,
    step: int,
    config: TrainingConfig,
    network: nn.Module,
    average: AveragedModel,
    optimiser: torch.optim.Optimizer,
) -> None:
    state = {
        "step": step,
        "config": config.as_dict(),
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    temporary = folder / "checkpoint.part"
    torch.save(state, temporary)
    temporary.replace(folder / "checkpoint.pt")


def _resume(
    folder: Path,
    config: TrainingConfig,
    network: nn.Module,
    average: AveragedModel,
    optimiser: torch.optim.Optimizer,
) -> int:
    path = folder / "checkpoint.pt"
    if not path.is_file():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["config"] != config.as_dict():
        raise TrainingError(
            f"{path} belongs to a run with another configuration.",
            "Choose another folder, or delete this one to start again.",
        )
    network.load_state_dict(state["network"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _log(folder: Path, step: int, loss: float, rate: float) -> None:
    path = folder / "log.csv"
    fresh = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if fresh:
            writer.writerow(["step", "loss", "learning_rate"])
        writer.writerow([step, f"{loss:.5f}", f"{rate:.3e}"])
