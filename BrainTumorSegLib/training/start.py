"""Where a member begins: with weights of an earlier one instead of random ones."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.network_spec import NetworkSpec
from BrainTumorSegLib.models.networks import network_entries
from BrainTumorSegLib.models.packs import ModelPack, load_pack
from BrainTumorSegLib.models.weights import load_weights
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.finished import FinishedMember, find_members


@dataclass(frozen=True)
class Beginning:
    """Weights to start from, and where they came from.

    Attributes:
        state: entries of a state dict, those that the output depends on.
        origin: pack or run and member, for the record.
        sha256: of the weights' file.
        cases: names of those it was trained on; None where a pack does not say.
    """

    state: Mapping[str, Tensor]
    origin: str
    sha256: str
    cases: frozenset[str] | None


def find_beginning(config: TrainingConfig, left_out: SequenceOf[str]) -> Beginning:
    """The member that ``config.start_from`` means for the fold of this configuration.

    The one that left out the same fold is taken; of a run with one member that one; of a
    pack that has none for this fold any. A run tells which cases it has seen, a pack does
    not: on cases of the pack's own training set figures are honest only where folds agree.

    Args:
        config: of the member that is to be trained.
        left_out: names of the cases that it must not see.

    Raises:
        TrainingError: when several members would do, it is of another network or input, or
            has seen a case that is left out.
        PackError: when a pack is damaged.
    """
    folder = Path(config.start_from)
    members = find_members(folder) if folder.is_dir() else []
    beginning = (
        _from_run(members, config) if members else _from_pack(load_pack(config.start_from), config)
    )
    seen = sorted((beginning.cases or frozenset()) & set(left_out))
    if seen:
        raise TrainingError(
            f"{beginning.origin} was trained on {seen[0]}"
            + (f" and {len(seen) - 1} more cases" if seen[1:] else "")
            + f" of fold {config.fold}, which is left out: scores on it would be too good.",
            "Start from a member that left this fold out, or from a run with --join-folds.",
        )
    return beginning


def put_beginning(network: nn.Module, spec: NetworkSpec, beginning: Beginning) -> None:
    """Give a network the weights to start from; counters and dead stages stay as they are.

    Raises:
        TrainingError: when the weights are not those of such a network.
    """
    missing = network_entries(spec).live.keys() - beginning.state.keys()
    if missing:
        raise TrainingError(f"{beginning.origin} lacks the weights {min(missing)}.")
    network.load_state_dict(dict(beginning.state), strict=False)


def _from_run(members: SequenceOf[FinishedMember], config: TrainingConfig) -> Beginning:
    fitting = [m for m in members if m.config.fold == config.fold] or list(members)
    if len(fitting) > 1:
        raise TrainingError(
            f"{config.start_from} has several members for fold {config.fold}: "
            f"{', '.join(member.folder.name for member in fitting)}.",
            "Start from a run with one member, or with one for each fold.",
        )
    member = fitting[0]
    origin = f"{member.folder.parent.name} {member.folder.name}"
    _check_fit(origin, member.config.network, member.config.recipe, config)
    return Beginning(
        load_weights(member.weights),
        origin,
        file_sha256(member.weights),
        frozenset(member.record["cases"]),
    )


def _from_pack(pack: ModelPack, config: TrainingConfig) -> Beginning:
    fitting = [m for m in pack.members if m.trained.get("fold") == config.fold]
    # A cohort may have more folds than the pack has members.
    member = fitting[0] if fitting else pack.members[config.fold % len(pack.members)]
    origin = f"{pack.name} {pack.version} {member.name}"
    _check_fit(origin, pack.network, pack.recipe, config)
    state = load_weights(pack.folder / member.file, member.sha256)
    return Beginning(state, origin, member.sha256, None)


def _check_fit(origin: str, network: NetworkSpec, recipe: str, config: TrainingConfig) -> None:
    if (network, recipe) != (config.network, config.recipe):
        raise TrainingError(
            f"{origin} is {_told(network, recipe)}; the recipe asks for "
            f"{_told(config.network, config.recipe)}.",
            "Make training.network and training.recipe those of the pack or run to start from.",
        )


def _told(network: NetworkSpec, recipe: str) -> str:
    return (
        f"{network.architecture} with {network.encoder}, depth {network.encoder_depth}, "
        f"input {recipe}"
    )
