"""Turning a pack's files into networks, and checking all of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.models.networks import NetworkSpec
from BrainTumorSegLib.models.weights import load_network

from .calibration import read_calibration
from .manifest import MODEL_CARD, Member, ModelPack, label_key, read_pack, require_checked


def load_members(pack: ModelPack, names: Iterable[str] | None = None) -> dict[str, nn.Module]:
    """Load networks of a pack, each only if its file hashes to what the manifest says.

    Args:
        names: members to load, in this order; None for all.

    Returns:
        Networks by member name: on the CPU, float32, in evaluation mode, gradients off.

    Raises:
        PackError: for an unknown or doubly named member, a wrong hash, or weights
            that do not fit the network.
        DependencyError: without jsonschema, see `ModelPack.checked`.
    """
    require_checked(pack)
    return {
        member.name: load_network(pack.member_path(member), pack.network, member.sha256)
        for member in choose_members(pack, names)
    }


def verify_pack(pack: ModelPack) -> None:
    """Check everything on disk: manifest, model card, calibration, every hash, every network.

    Every member is loaded and run on a small random image.

    Raises:
        PackError: naming every member that is not as it should be.
    """
    pack = read_pack(pack.folder)
    require_checked(pack)
    problems = []
    card = pack.folder / MODEL_CARD
    if not card.is_file() or not card.stat().st_size:
        problems.append(f"{card} is missing or empty.")
    for member in pack.members:
        try:
            network = load_network(pack.member_path(member), pack.network, member.sha256)
            _check_output(network, pack.network, pack.member_path(member))
        except PackError as error:
            problems.append(error.message)
    try:
        read_calibration(pack)
    except PackError as error:
        problems.append(error.message)
    if problems:
        raise PackError(" ".join(problems), "Import the pack again.")


def choose_members(pack: ModelPack, names: Iterable[str] | None) -> tuple[Member, ...]:
    """Members of a pack by name, in this order; None for all.

    Raises:
        PackError: for an unknown or doubly named member.
    """
    if names is None:
        return pack.members
    names = tuple(names)
    known = {member.name: member for member in pack.members}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        what = f"has no member {unknown[0]!r}" if unknown else "was asked for no member at all"
        raise PackError(f"Pack {pack.name!r} {what}.", f"Its members are {', '.join(known)}.")
    if len(set(names)) < len(names):
        raise PackError(f"A member of pack {pack.name!r} is named twice.", "Name it once.")
    return tuple(known[name] for name in names)


def unseen_members(pack: ModelPack, fold: int | None, labels: str = "") -> tuple[str, ...]:
    """Names of the members that were not trained on a case; there may be none.

    A case that the pack knows is told by its labels, whatever its fold is called today; any other
    by its fold.

    Args:
        pack: whose members.
        fold: of the case; None where no member was trained on it.
        labels: SHA-256 of its label file; empty where it is not known.
    """
    key = label_key(labels)
    if key and any(key in member.labels for member in pack.members):
        return tuple(m.name for m in pack.members if m.labels and key not in m.labels)
    return tuple(m.name for m in pack.members if fold is None or m.trained.get("fold") == fold)


def _check_output(network: nn.Module, spec: NetworkSpec, path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    side = max(64, 2 * spec.stride)
    image = torch.randn(1, spec.in_channels, side, side, generator=generator)
    with torch.inference_mode():
        output = network(image)
    if output.shape != (1, spec.outputs, side, side) or not torch.isfinite(output).all():
        raise PackError(
            f"The network of {path} gives no usable output on a random image.",
            "Its weights are wrong; train or get it again.",
        )
