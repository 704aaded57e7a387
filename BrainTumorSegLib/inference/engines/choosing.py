"""Which engine runs the networks, in which precision, and why.

A plan is made before anything is computed, so that a request that cannot be met fails at
once; the engine is opened when the size of the images is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from BrainTumorSegLib.core.compat import import_openvino
from BrainTumorSegLib.core.errors import DependencyError, DeviceError, InputError
from BrainTumorSegLib.core.options import Engine as EngineChoice
from BrainTumorSegLib.core.options import Precision
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.requirements import EXTRAS
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.packs import ModelPack, load_members
from BrainTumorSegLib.models.packs.manifest import Member, require_checked

from . import Engine
from .folding import load_folded
from .model_cache import networks_folder
from .openvino_engine import MemberSource, OpenVinoEngine
from .torch_engine import TorchEngine, choose_device

ENGINES = tuple(EngineChoice)
PRECISIONS = tuple(Precision)

_TORCH_PRECISIONS = {
    "cpu": ("fp32", "bf16"),
    "cuda": ("fp32", "bf16", "fp16"),
    "mps": ("fp32",),
}


@dataclass(frozen=True)
class EnginePlan:
    """What will run the networks.

    Attributes:
        name: ``torch`` or ``openvino``.
        device: where.
        precision: ``fp32``, ``fp16`` or ``bf16``.
        reason: why, in a few words for the record.
        binding: what the person asked for; another engine must not take its place.
    """

    name: str
    device: str
    precision: str
    reason: str
    binding: bool


@dataclass(frozen=True)
class OpenedEngine:
    """An engine that is ready.

    Attributes:
        engine: holds the members.
        fallback: makes the engine to move to when memory runs out.
        reason: why this engine, for the record.
        notes: substitutions, for the record.
    """

    engine: Engine
    fallback: Callable[[], Engine]
    reason: str
    notes: tuple[str, ...] = ()


def plan_engine(
    engine: str = "auto", device: str = "auto", precision: str = "auto", bf16: bool = False
) -> EnginePlan:
    """Decide what will run the networks.

    By default: torch on a GPU; on the CPU OpenVINO where it is installed, else torch.
    Lower precision than float32 must be asked for, except fp16 on CUDA, and bf16 in OpenVINO
    on processors that have it, for packs that were found to lose nothing by it.

    Args:
        engine: one of `ENGINES`.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        precision: one of `PRECISIONS`.
        bf16: whether the pack was found to lose nothing in bf16, `ModelPack.allows_bf16`.

    Raises:
        InputError: for an unknown engine or precision, or wishes that contradict each other.
        DependencyError: when OpenVINO is asked for and not installed.
        DeviceError: when the device is absent or cannot do that.
    """
    for value, known, what in (
        (engine, ENGINES, "engine"),
        (precision, PRECISIONS, "precision"),
    ):
        if value not in known:
            raise InputError(f"Unknown {what} {value!r}.", f"Choose one of {', '.join(known)}.")
    if engine == "openvino":
        return _openvino_by_hand(device, precision, bf16)
    place = choose_device(device)
    kind = torch.device(place).type
    if engine == "torch":
        reason = "user-selected"
    elif kind != "cpu":
        reason = "fastest on a GPU"
    elif precision == "fp16":
        reason = "chosen precision"
    elif (missing := _why_no_openvino()) is None:
        chosen, why = _openvino_precision(precision, bf16)
        # Another engine would not compute in the precision that was asked for.
        binding = precision == "bf16"
        return EnginePlan("openvino", "cpu", chosen, f"fastest on the CPU{why}", binding)
    else:
        reason = missing
    chosen = _precision(precision, "fp16" if kind == "cuda" else "fp32")
    if chosen not in _TORCH_PRECISIONS[kind]:
        raise DeviceError(f"Networks on {place} do not run in {chosen}.", "Use --precision fp32.")
    return EnginePlan("torch", place, chosen, reason, engine == "torch")


def open_engine(
    plan: EnginePlan,
    pack: ModelPack,
    members: tuple[Member, ...],
    shape: tuple[int, int, int],
    progress: Progress | None = None,
) -> OpenedEngine:
    """Load members of a pack into the planned engine.

    When OpenVINO was chosen for the person and fails on these networks, torch takes over
    with a warning.

    Args:
        plan: from `plan_engine`.
        members: of that pack, from `choose_members`.
        shape: of an image, ``(C, H, W)``.
        progress: receives each conversion; a run can be cancelled between two.

    Raises:
        PackError: when a member is not as its manifest says.
        DependencyError, DeviceError: when an engine named by the person fails.
    """
    progress = progress or Progress()
    require_checked(pack)
    on_cpu = partial(_torch_engine, pack, members, "cpu", "fp32")
    try:
        if plan.name == "openvino":
            engine: Engine = _openvino_engine(plan, pack, members, shape, progress)
        else:
            engine = _torch_engine(pack, members, plan.device, plan.precision)
        return OpenedEngine(engine, on_cpu, plan.reason)
    except MemoryError as error:
        if plan.device == "cpu":
            raise DeviceError(
                "Not enough memory for the networks.", "Close other programs, or use fewer members."
            ) from error
        note = f"{plan.device} has no room for the networks; the run moved to the CPU."
    except (DependencyError, DeviceError) as error:
        if plan.binding or plan.name == "torch":
            raise
        note = f"OpenVINO could not be used, torch took its place: {error.message}"
    progress.warn(note)
    return OpenedEngine(on_cpu(), on_cpu, "the first choice failed", (note,))


def _openvino_by_hand(device: str, precision: str, bf16: bool) -> EnginePlan:
    if device not in ("auto", "cpu"):
        raise InputError(
            f"The OpenVINO engine computes on the CPU, not on {device!r}.",
            "Leave --device out, or use --engine torch.",
        )
    if precision == "fp16":
        raise InputError("The OpenVINO engine does not compute in fp16.", "Use fp32 or bf16.")
    if (lacking := _why_no_openvino()) is not None:
        raise DependencyError(
            f"The OpenVINO engine cannot be used: {lacking}.",
            "Install it with: pip install 'BrainTumorSeg[openvino]'",
        )
    chosen, why = _openvino_precision(precision, bf16)
    return EnginePlan("openvino", "cpu", chosen, f"user-selected{why}", True)


def _openvino_precision(requested: str, bf16: bool) -> tuple[str, str]:
    """The precision, and why when nobody asked for it."""
    if requested == "auto" and bf16 and _openvino_has_bf16():
        return "bf16", ", in bf16 as the pack was checked for it"
    return _precision(requested, "fp32"), ""


def _openvino_has_bf16() -> bool:
    """Whether it would compute in bf16, and not slower than in fp32 for being emulated."""
    if not native_bf16():
        return False
    try:
        openvino = import_openvino()
    except DependencyError:
        return False  # opening the engine says why
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _precision(requested: str, default: str) -> str:
    return default if requested == "auto" else requested


def _why_no_openvino() -> str | None:
    """From its metadata alone; whether it also starts is seen when it is opened."""
    (needed,) = EXTRAS["openvino"][1]
    if needed.installed is None:
        return "OpenVINO is not installed"
    if needed.too_old:
        return f"OpenVINO {needed.installed} is older than {needed.least}"
    return None


def _torch_engine(
    pack: ModelPack, members: tuple[Member, ...], device: str, precision: str
) -> TorchEngine:
    _require_unchanged(pack, members)
    loaders = [partial(_network, pack, member.name) for member in members]
    networks = [partial(load_folded, load, pack.network) for load in loaders]
    return TorchEngine(networks, device, precision, pack.network.heads)


def _openvino_engine(
    plan: EnginePlan,
    pack: ModelPack,
    members: tuple[Member, ...],
    shape: tuple[int, int, int],
    progress: Progress,
) -> OpenVinoEngine:
    _require_unchanged(pack, members)
    sources = [
        MemberSource(member.sha256, pack.network, partial(_network, pack, member.name))
        for member in members
    ]
    engine = OpenVinoEngine(sources, networks_folder(), plan.precision, progress=progress)
    engine.prepare(shape)
    return engine


def _require_unchanged(pack: ModelPack, members: tuple[Member, ...]) -> None:
    """Check every hash before anything is computed, though members are loaded late or cached."""
    for member in members:
        if file_sha256(pack.member_path(member)) != member.sha256:
            load_members(pack, [member.name])  # raises, and says what is wrong


def _network(pack: ModelPack, name: str) -> nn.Module:
    return load_members(pack, [name])[name]


def native_bf16() -> bool | None:
    """Whether the processor multiplies bf16 numbers; None where torch is too old to tell."""
    ask = getattr(torch.cpu, "get_capabilities", dict)
    abilities: dict[str, bool] = ask()
    if not abilities:
        return None
    return any(abilities.get(key) for key in ("avx512_bf16", "amx_bf16", "bf16"))
