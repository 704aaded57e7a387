"""A training run: one member for each fold and seed, each resumable bit for bit."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.inference.labels import decode_slices
from BrainTumorSegLib.io.atomic import make_folder, write_text
from BrainTumorSegLib.models.networks import ClassProbabilities, build_network, network_entries
from BrainTumorSegLib.models.weights import save_weights

from .checkpoint import (
    RECORD,
    WEIGHTS,
    InitialWeights,
    KeptWeights,
    TrainingState,
    find_initial_weights,
    is_trained,
    load_checkpoint,
    load_initial_weights,
    save_checkpoint,
    trained_member,
)
from .cohort import LabeledCase, check_same_cohort, training_cases, write_cohort
from .config import FORMER_KEYS, TrainingConfig
from .dataset import (
    PREPARE,
    SliceSampler,
    TrainingData,
    batches,
    collect_cases,
    prepare_cases,
    spread_slices,
    step_seed,
)
from .distributed import Machine, data_parallel
from .logger import LOG, VALIDATION, TrainingLog, draw_curves, summary_writer
from .losses import loss_of, region_dice
from .optimizers import MixedPrecision, learning_rate_at, make_optimizer
from .volumes import LabeledVolume

LOCK = "training.lock"


def member_name(fold: int, seed: int | None = None) -> str:
    """Name of a member and of its folder; without a seed that of the recipe's own."""
    return f"fold{fold}" if seed is None else f"fold{fold}-seed{seed}"


def stages(
    config: TrainingConfig, folds: SequenceOf[int], seeds: SequenceOf[int]
) -> dict[str, float]:
    """Rough shares of the time of a run, for its progress."""
    weights = {PREPARE: 2.0}
    for fold in folds:
        for seed in seeds or [config.seed]:
            weights |= _member_stages(replace(config, fold=fold, seed=seed))
    return weights


def _member_stages(config: TrainingConfig) -> dict[str, float]:
    synthetic = 10.0 if config.synthesis.samples else 0.0
    validated = 2.0 if config.validation.every and config.validation.on == "synthesis" else 0.0
    pictures = {
        "outlines": 1.0 if config.slices.folder else 0.0,
        "heads": 2.0 if config.heads.folder else 0.0,
    }
    work = {"read": 0.1, "make": synthetic, "look": validated, **pictures, "train": 99.0}
    return {config.stage(name): weight for name, weight in work.items()}


def check_computable(config: TrainingConfig, machine: Machine) -> None:
    """Find out now, and not after other work, what a machine cannot compute.

    Raises:
        PackError: when the network is unknown.
        DependencyError: when TensorBoard is wanted and not installed.
        TrainingError: when the device does not compute in this precision, or the processes
            cannot share a batch.
    """
    if config.tensorboard:
        summary_writer()
    network_entries(config.network)
    MixedPrecision(config.precision, machine.device)
    world = machine.world
    if config.batch % world:
        raise TrainingError(
            f"A batch of {config.batch} cannot be divided among {world} processes.",
            "Set training.batch to a multiple.",
        )
    if config.network.architecture == "pspnet" and config.batch // world < 2:
        raise TrainingError(
            f"A batch of {config.batch} leaves each of {world} processes a single slice; "
            "PSPNet normalises over whole slices.",
            f"Set training.batch to {2 * world} or more.",
        )


def train_members(
    cases: SequenceOf[LabeledCase],
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
        progress: made of `stages`, it knows the time left.

    Returns:
        The members' folders.

    Raises:
        TrainingError: when a fold would leave nothing to train on, or a finished member is
            of another configuration.
        DependencyError: when TensorBoard is wanted and not installed.
    """
    progress, machine = progress or Progress(), machine or Machine()
    check_computable(config, machine)
    for fold in folds:
        training_cases(cases, fold)
    members = {
        folder / member_name(fold, seed): replace(
            config, fold=fold, seed=config.seed if seed is None else seed
        )
        for fold in folds
        for seed in seeds or [None]
    }
    unfinished = [member for member in members if not is_trained(member)]
    for member, own in members.items():
        if member in unfinished:
            find_initial_weights(own, cases)
        elif trained_member(member).config != own:
            raise TrainingError(
                f"{member} is finished, but was trained with another configuration.",
                "Choose another folder for the run, or delete this one to train it again.",
            )
    machine = replace(machine, cache=machine.cache or folder / "cache")
    with run_lock(unfinished if machine.first else ()):
        if machine.first:
            check_same_cohort(cases, folder)
            write_cohort(cases, folder)
        if unfinished:
            with machine.first_ahead():
                prepare_cases(cases, config, machine.cache, progress)
        for member, own in members.items():
            _train_and_record(cases, own, member, sources or folder, machine, progress)
    return list(members)


@contextmanager
def run_lock(members: Iterable[Path]) -> Iterator[None]:
    """Hold the folders of members, which are made, for this process alone.

    The system lets go of them however the process ends: a lock file that lies there
    afterwards holds nothing.

    Raises:
        TrainingError: when another process is training one of them.
        OutputError: when one cannot be written to.
    """
    # PyTorch brings filelock along.
    from filelock import FileLock, Timeout

    with ExitStack() as held:
        for member in members:
            make_folder(member)
            try:
                held.enter_context(FileLock(member / LOCK, timeout=0))
            except Timeout:
                raise TrainingError(
                    f"Another process is training {member}.",
                    "Wait until it has finished or end it, then give the command again; or choose "
                    "another folder.",
                ) from None
        yield


def _train_and_record(
    cases: SequenceOf[LabeledCase],
    config: TrainingConfig,
    member: Path,
    sources: Path,
    machine: Machine,
    progress: Progress,
) -> None:
    done = is_trained(member)
    # All processes look before the first one writes what they look for.
    machine.wait_for_all()
    if done:
        for stage in _member_stages(config):
            progress.stage(stage)
        return
    started = datetime.now(UTC)
    with machine.first_ahead():
        data = collect_cases(cases, config, sources, machine.cache, machine.workers, progress)
    initial = find_initial_weights(config, cases)
    trained = train_member(data, config, member, machine, progress, initial)
    if machine.first:
        save_weights(trained.state, member / WEIGHTS, "fp32", config.network, overwrite=True)
        training = training_cases(cases, config.fold)
        chosen = trained.score is not None
        finished = datetime.now(UTC)
        former = {old: getattr(config, new) for old, new in FORMER_KEYS.items()}
        record = {
            "config": config.as_dict() | former,
            "cases": [case.name for case in training],
            "label_protocols": sorted({case.protocol.name for case in training}),
            "kept": {
                "step": trained.step,
                "chosen_on": config.validation.on if chosen else None,
                "score": round(trained.score, 5) if chosen else None,
            },
            "started_from": initial and {"origin": initial.origin, "sha256": initial.sha256},
            "device": machine.device,
            "processes": machine.world,
            "finished": finished.isoformat(timespec="seconds"),
            "seconds_since_start_or_resume": round((finished - started).total_seconds()),
            "version": __version__,
            "torch": torch.__version__,
        }
        write_text(member / RECORD, json.dumps(record, indent=2), overwrite=True)
        if draw_curves(member) is None:
            progress.warn("No curves.png was drawn: matplotlib (extra train) is not installed.")
    machine.wait_for_all()


def train_member(
    data: TrainingData,
    config: TrainingConfig,
    folder: Path,
    machine: Machine | None = None,
    progress: Progress | None = None,
    initial: InitialWeights | None = None,
) -> KeptWeights:
    """Train one network and return the average of its weights that is to be kept.

    A run that was stopped goes on from its last checkpoint in ``folder`` and ends
    with the same weights as one that was not, bit for bit on a CPU with the same
    number of threads: batches, augmentation and dropout depend on seed and step alone.

    Args:
        folder: for ``checkpoint.pt``, ``log.csv``, ``validation.csv`` and ``tensorboard/``.
        machine: where to compute; the first of several processes writes.
        progress: one stage, advanced once a step.
        initial: weights to start from; None for random ones.

    Raises:
        TrainingError: when the folder holds a checkpoint of another configuration, the
            loss is no longer finite, or checkpoints are to be chosen on nothing.
    """
    progress, machine = progress or Progress(), machine or Machine()
    device = machine.device
    check_computable(config, machine)
    if config.validation.every and not data.validation:
        raise TrainingError(
            f"There is no case to choose the checkpoint on ({config.validation.on}).",
            "Set training.validation.every = 0, or give the fold cases.",
        )
    make_folder(folder)
    run = _initial_state(config, device, initial)
    first = load_checkpoint(folder, config, run)
    log = TrainingLog(folder, first, config.tensorboard) if machine.first else None
    network = data_parallel(run.network, config.network, machine)
    sampler = SliceSampler(data, config)
    progress.stage(config.stage("train"), config.steps)
    progress.advance(first)
    network.train()
    loss_between = loss_of(config.network.heads)
    losses: list[float] = []
    for step, (images, allowed) in enumerate(batches(sampler, config, first, machine), start=first):
        rate = learning_rate_at(step, config)
        for group in run.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(step_seed(config, step, machine.rank))
        images = images.to(device, memory_format=torch.channels_last)
        allowed = allowed.to(device)
        with run.mixed.autocast():
            logits = network(images)
        loss = loss_between(logits, allowed)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"The loss became {value} at step {step}.", "Lower the learning rate."
            )
        run.mixed.step(loss, run.network, run.optimizer)
        run.average.update_parameters(run.network)
        losses.append(value)
        done, last = step + 1, step + 1 == config.steps
        if log is not None:
            every = config.validation.every
            if every and (done % every == 0 or last):
                log.write(VALIDATION, _validate_average(done, data, config, run, device))
            if done % config.checkpoint_every == 0 or last:
                mean = sum(losses) / len(losses)
                row = {"step": str(done), "loss": f"{mean:.5f}", "learning_rate": f"{rate:.3e}"}
                log.write(LOG, row)
                losses.clear()
                save_checkpoint(folder, done, config, run)
        recent = losses[-50:] or [value]
        progress.advance(1, f"loss {sum(recent) / len(recent):.3f}")
    if log is not None:
        log.close()
    return run.best or run.keep_average(config.steps)


def _initial_state(
    config: TrainingConfig, device: str, initial: InitialWeights | None
) -> TrainingState:
    mixed = MixedPrecision(config.precision, device)
    torch.manual_seed(config.seed)
    network = build_network(config.network)
    if initial is not None:
        load_initial_weights(network, config.network, initial)
    network = network.to(device, memory_format=torch.channels_last)
    average = AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True
    )
    return TrainingState(network, average, make_optimizer(network, config), mixed)


def _validate_average(
    done: int, data: TrainingData, config: TrainingConfig, run: TrainingState, device: str
) -> dict[str, str]:
    """Score the average of the weights, and remember it if it is the best so far.

    Returns:
        The new line of the table.
    """
    scores = validate(run.average.module, data.validation, config, device, run.mixed)
    mean = float(np.mean(list(scores.values())))
    if run.best is None or mean > run.best.score:
        run.best = run.keep_average(done, mean)
    shown = {name: f"{value:.4f}" for name, value in (scores | {"mean": mean}).items()}
    return {"step": str(done), **shown}


def validate(
    network: nn.Module,
    volumes: SequenceOf[LabeledVolume],
    config: TrainingConfig,
    device: str,
    mixed: MixedPrecision,
) -> dict[str, float]:
    """Score a network on some slices of every case, without TTA, whole slices at once.

    Voxels whose reference labels cannot decide about a region do not count for it. Nothing
    random is drawn and the network's mode is given back, so that training goes on as before.

    Returns:
        See `mean_dice`.
    """
    was_training = network.training
    network.eval()
    dice = []
    for volume in volumes:
        images, allowed = spread_slices(volume, config.input_channels, config.validation.slices)
        labels = decode_slices(predict_slices(network, images, device, mixed, config.network.heads))
        dice.append(region_dice(labels, allowed))
    network.train(was_training)
    return mean_dice(dice)


def mean_dice(cases: SequenceOf[Mapping[str, float]]) -> dict[str, float]:
    """For each region the mean over cases of what `losses.region_dice` gave."""
    return {name: float(np.mean([dice[name] for dice in cases])) for name in cases[0]}


@torch.inference_mode()
def predict_slices(
    network: nn.Module, images: np.ndarray, device: str, mixed: MixedPrecision, heads: str
) -> np.ndarray:
    """Class probabilities, float32 ``[N, class, H, W]``, of network input ``[N, C, H, W]``."""
    probabilities = ClassProbabilities(heads)
    outputs = []
    for part in torch.from_numpy(images).split(8):
        part = part.to(device, memory_format=torch.channels_last)
        with mixed.autocast():
            logits = network(part)
        outputs.append(probabilities(logits).cpu())
    return torch.cat(outputs).numpy()
