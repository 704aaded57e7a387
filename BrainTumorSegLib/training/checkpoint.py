"""What is kept of a member: its checkpoint, its trained weights and record, and how others start.

A killed run goes on exactly from ``checkpoint.pt``; ``run.json`` and ``weights.safetensors``
are written when a member is trained.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.network_spec import NetworkSpec
from BrainTumorSegLib.models.networks import network_entries
from BrainTumorSegLib.models.packs import ModelPack, load_pack
from BrainTumorSegLib.models.packs.manifest import label_key
from BrainTumorSegLib.models.weights import load_weights

from .cohort import LabeledCase
from .config import TrainingConfig
from .imagenet import imagenet_file, imagenet_weights
from .optimizers import MixedPrecision

#: What `TrainingConfig.start_from` calls an encoder trained on ImageNet, see `imagenet`.
IMAGENET = "imagenet"

CHECKPOINT, RECORD, WEIGHTS = "checkpoint.pt", "run.json", "weights.safetensors"


@dataclass(frozen=True)
class KeptWeights:
    """The average of the weights after a number of steps, on the CPU.

    Attributes:
        score: by which it was chosen; None when it is simply the last one.
    """

    state: dict[str, Tensor]
    step: int
    score: float | None = None


@dataclass
class TrainingState:
    """Everything that changes while a member is trained.

    Attributes:
        network: the one that learns.
        average: exponential moving average of its weights.
        optimizer: with its state.
        mixed: with the scale of gradients in half precision.
        best: the best average so far, where checkpoints are chosen.
    """

    network: nn.Module
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    mixed: MixedPrecision
    best: KeptWeights | None = None

    def keep_average(self, step: int, score: float | None = None) -> KeptWeights:
        """The average as it is now, copied."""
        state = {
            name: value.detach().to("cpu", copy=True)
            for name, value in self.average.module.state_dict().items()
        }
        return KeptWeights(state, step, score)


def save_checkpoint(folder: Path, step: int, config: TrainingConfig, run: TrainingState) -> None:
    """Write ``checkpoint.pt`` of the state after ``step`` steps."""
    state = {
        "step": step,
        "config": config.as_dict(),
        "network": run.network.state_dict(),
        "average": run.average.state_dict(),
        "optimiser": run.optimizer.state_dict(),
        "scaler": run.mixed.scaler.state_dict(),
        "best": run.best and vars(run.best),
    }
    with atomic_path(folder / CHECKPOINT, overwrite=True) as temporary:
        torch.save(state, temporary)


def load_checkpoint(folder: Path, config: TrainingConfig, run: TrainingState) -> int:
    """Bring a run to its last checkpoint, which must be one of this configuration.

    Returns:
        Number of steps done, 0 when there is no checkpoint.

    Raises:
        TrainingError: when the checkpoint belongs to another configuration or is damaged.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        return 0
    with _damage_explained(path):
        # Of other files torch reads as far as it can.
        if not zipfile.is_zipfile(path):
            raise ValueError("it is incomplete or something else")
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        config_then = TrainingConfig.from_dict(state["config"])
    if config_then != config:
        raise TrainingError(
            f"{path} belongs to a run with another configuration.",
            "Choose another folder, or delete this one to start again.",
        )
    with _damage_explained(path):
        run.network.load_state_dict(state["network"])
        run.average.load_state_dict(state["average"])
        run.optimizer.load_state_dict(state["optimiser"])
        run.mixed.scaler.load_state_dict(state["scaler"])
        # Release 0.1 wrote a best average without weights before there was one.
        best = state.get("best")
        run.best = KeptWeights(**best) if best and best["state"] else None
        return int(state["step"])


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    """Name the file: what is read from a damaged one fails in ways that nobody can list."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise TrainingError(
            f"{path} is damaged: {reason[0].rstrip('.')}.", "Delete it to start again."
        ) from error


@dataclass(frozen=True)
class TrainedMember:
    """One member of a training run that is finished, with its record ``run.json``."""

    folder: Path
    config: TrainingConfig
    record: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """The file of its weights, fp32."""
        return self.folder / WEIGHTS


def is_trained(folder: Path) -> bool:
    """Whether the member in a folder of a run is finished."""
    return (folder / WEIGHTS).is_file() and (folder / RECORD).is_file()


def trained_member(folder: Path) -> TrainedMember:
    """The member in a folder of a run.

    Raises:
        TrainingError: when the folder holds no finished member, or its record is damaged.
    """
    record = folder / RECORD
    if not record.is_file():
        raise TrainingError(f"{folder} holds no finished member.", "Train it first.")
    with _damage_explained(record):
        fields = json.loads(record.read_text(encoding="utf-8"))
        if not isinstance(fields["cases"], list):
            raise TypeError("it does not list its cases")
        return TrainedMember(folder, TrainingConfig.from_dict(fields["config"]), fields)


def find_members(run: Path) -> list[TrainedMember]:
    """The finished members of a run, by name; none when the folder is no run."""
    return [trained_member(record.parent) for record in sorted(run.glob(f"*/{RECORD}"))]


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from, and where they came from.

    Attributes:
        origin: pack or run and member, for the record.
        input: the network, and which channels it takes, see `TrainingConfig`.
        state: entries of a state dict, those that the output depends on.
        sha256: of the weights' file.
        cases: names of those it was trained on, as far as a pack says so.
        whole: whether they are all of the network's, not its encoder's alone.
    """

    origin: str
    input: tuple[NetworkSpec, str]
    state: Mapping[str, Tensor]
    sha256: str
    cases: frozenset[str] = frozenset()
    whole: bool = True


def find_initial_weights(
    config: TrainingConfig, cases: SequenceOf[LabeledCase]
) -> InitialWeights | None:
    """The member that ``config.start_from`` means for the fold of this configuration.

    The one that left out the same fold is taken; of a run with one member that one; of a
    pack that has none for this fold any. A run tells which cases it has seen, and a pack from
    which labels it learned; of one that does not, figures on cases of the pack's own training
    set are honest only where folds agree.

    Args:
        config: of the member that is to be trained.
        cases: the cohort; the member must not see those of its fold.

    Returns:
        The weights; None where the member starts from random ones.

    Raises:
        TrainingError: when several members would do, it is of another network or input, or
            has seen a case that is left out.
        PackError: when a pack is damaged.
    """
    if not config.start_from:
        return None
    if config.start_from == IMAGENET:
        return InitialWeights(
            origin=f"ImageNet ({config.network.encoder})",
            input=(config.network, config.input_channels),
            state=imagenet_weights(config.network),
            sha256=file_sha256(imagenet_file(config.network)),
            whole=False,
        )
    members = find_members(Path(config.start_from)) if Path(config.start_from).is_dir() else []
    left_out = [case for case in cases if case.fold == config.fold]
    found = (
        _of_run(members, config)
        if members
        else _of_pack(load_pack(config.start_from), config, left_out)
    )
    wanted = config.network, config.input_channels
    if found.input != wanted:
        has, asked = (
            f"{network.architecture} with {network.encoder}, depth {network.encoder_depth}, "
            f"input {channels}"
            for network, channels in (found.input, wanted)
        )
        raise TrainingError(
            f"{found.origin} is {has}; the recipe asks for {asked}.",
            "Make training.network and training.input_channels those of the pack or run to "
            "start from.",
        )
    if seen := sorted(found.cases & {case.name for case in left_out}):
        raise TrainingError(
            f"{found.origin} was trained on {seen[0]}"
            + (f" and {len(seen) - 1} more cases" if seen[1:] else "")
            + f" of fold {config.fold}, which is left out: scores on it would be too good.",
            "Start from a member that left this fold out, or from a run with --join-folds.",
        )
    return found


def load_initial_weights(network: nn.Module, spec: NetworkSpec, initial: InitialWeights) -> None:
    """Give a network the weights to start from; counters and dead stages stay as they are.

    Raises:
        TrainingError: when the weights are not those of such a network.
    """
    missing = network_entries(spec).live.keys() - initial.state.keys()
    if missing and initial.whole:
        raise TrainingError(f"{initial.origin} lacks the weights {min(missing)}.")
    network.load_state_dict(dict(initial.state), strict=False)


def _of_run(members: SequenceOf[TrainedMember], config: TrainingConfig) -> InitialWeights:
    fitting = [m for m in members if m.config.fold == config.fold] or list(members)
    if len(fitting) > 1:
        raise TrainingError(
            f"{config.start_from} has several members for fold {config.fold}: "
            f"{', '.join(member.folder.name for member in fitting)}.",
            "Start from a run with one member, or with one for each fold.",
        )
    (member,) = fitting
    return InitialWeights(
        origin=f"{member.folder.parent.name} {member.folder.name}",
        input=(member.config.network, member.config.input_channels),
        state=load_weights(member.weights),
        sha256=file_sha256(member.weights),
        cases=frozenset(member.record["cases"]),
    )


def _of_pack(
    pack: ModelPack, config: TrainingConfig, left_out: SequenceOf[LabeledCase]
) -> InitialWeights:
    told = any(member.labels for member in pack.members)
    names = {label_key(file_sha256(case.labels)): case.name for case in left_out if told}
    unseen = [m for m in pack.members if not m.labels & names.keys()] or pack.members
    fitting = [m for m in unseen if m.trained.get("fold") == config.fold]
    # A cohort may have more folds than the pack has members.
    member = fitting[0] if fitting else unseen[config.fold % len(unseen)]
    return InitialWeights(
        origin=f"{pack.name} {pack.version} {member.name}",
        input=(pack.network, pack.recipe),
        state=load_weights(pack.folder / member.file, member.sha256),
        sha256=member.sha256,
        cases=frozenset(names[key] for key in member.labels & names.keys()),
    )
