"""Network architectures by name, built with segmentation-models-pytorch."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from BrainTumorSegLib.core.compat import ensure_torchvision_imports
from BrainTumorSegLib.core.errors import PackError

from .network_spec import ARCHITECTURES, MAX_DEPTH, MIN_DEPTH, NetworkSpec

__all__ = [
    "ARCHITECTURES",
    "MAX_DEPTH",
    "MIN_DEPTH",
    "ClassProbabilities",
    "NetworkEntries",
    "NetworkSpec",
    "build_network",
    "build_skeleton",
    "live_parameter_names",
    "network_entries",
    "trial_image",
]


def build_network(spec: NetworkSpec) -> nn.Module:
    """Build a randomly initialised network that maps ``[N, C, H, W]`` to logits of its outputs.

    Logits have the input's height and width, which must be divisible by
    `NetworkSpec.stride`. Nothing is downloaded: weights come from a pack or from
    our own training.

    Raises:
        PackError: when the architecture, encoder or depth is unknown.
    """
    ensure_torchvision_imports()
    import segmentation_models_pytorch as smp

    if spec.architecture not in ARCHITECTURES:
        raise PackError(
            f"Unknown architecture {spec.architecture!r}.",
            f"Known architectures: {', '.join(ARCHITECTURES)}.",
        )
    if not MIN_DEPTH <= spec.encoder_depth <= MAX_DEPTH:
        raise PackError(
            f"Encoder depth {spec.encoder_depth} is not supported.",
            f"Choose a depth from {MIN_DEPTH} to {MAX_DEPTH}.",
        )
    try:
        return getattr(smp, ARCHITECTURES[spec.architecture])(
            encoder_name=spec.encoder,
            encoder_depth=spec.encoder_depth,
            encoder_weights=None,
            in_channels=spec.in_channels,
            classes=spec.outputs,
            **_decoder_arguments(spec),
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise PackError(
            f"Cannot build {spec.architecture} with encoder {spec.encoder!r} "
            f"at depth {spec.encoder_depth}: {error}",
            _like(spec.encoder, smp.encoders.get_encoder_names())
            + "Check the names; an older segmentation-models-pytorch or timm may lack the encoder.",
        ) from error


def _like(name: str, known: list[str]) -> str:
    """*Did you mean …?* for a name that is none of those known; of timm's there are more."""
    near = [] if name in known else difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}? " if near else ""


def _decoder_arguments(spec: NetworkSpec) -> dict[str, Any]:
    """What must follow the encoder depth for the output to be as large as the input."""
    if spec.architecture == "unet":
        return {"decoder_channels": (256, 128, 64, 32, 16)[-spec.encoder_depth :]}
    if spec.architecture == "fpn":
        # Its finest pyramid level is the third before the encoder's last.
        return {"upsampling": 2 ** (spec.encoder_depth - 3)}
    if spec.architecture == "pspnet":
        return {"upsampling": spec.stride}
    return {}


class ClassProbabilities(nn.Module):  # type: ignore[misc]
    """What logits ``[N, outputs, H, W]`` say of the classes, float32 ``[N, classes, H, W]``.

    Regions lie within each other, and so their probabilities are multiplied: enhancing tumour is
    within the core, the core within the whole tumour. `decode_labels` then decides as the regions
    themselves would at 0.5 each.

    Args:
        heads: a key of `HEADS`.
    """

    def __init__(self, heads: str) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, logits: Tensor) -> Tensor:
        """Probabilities that sum to 1."""
        if self.heads == "classes":
            return logits.float().softmax(dim=1)
        tumor, core, enhancing, necrosis = logits.float().sigmoid().unbind(dim=1)
        core = tumor * core
        rest = core * (1 - enhancing)
        classes = (1 - tumor, rest * necrosis, tumor - core, rest - rest * necrosis)
        return torch.stack((*classes, core * enhancing), dim=1)


@dataclass(frozen=True)
class NetworkEntries:
    """The state dict of a network, divided by use.

    Attributes:
        live: name and shape of every entry that the output depends on.
        dead: names of the others: unused encoder stages and batch-norm counters.
        transposed: live weights of transposed convolutions, whose second axis is
            the output.
    """

    live: Mapping[str, torch.Size]
    dead: frozenset[str]
    transposed: frozenset[str]


@lru_cache(maxsize=32)
def network_entries(spec: NetworkSpec) -> NetworkEntries:
    """Tell which entries of the state dict the output depends on.

    At a reduced encoder depth segmentation-models-pytorch keeps the unused last
    stages of some encoders as dead weight. A parameter is live when a gradient
    reaches it; a buffer is live when its module holds a live parameter, unless it
    is a counter. Only shapes are computed: no memory, no random numbers.

    Raises:
        PackError: as `build_network`.
    """
    side = 2 * spec.stride
    with torch.inference_mode(False), torch.enable_grad():
        network = _build_on_meta(spec).train()
        output = network(torch.empty(2, spec.in_channels, side, side, device="meta"))
        output.float().square().mean().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    modules = {name.rpartition(".")[0] for name in reached}
    parameters = dict(network.named_parameters())
    live, dead = {}, set()
    for name, value in network.state_dict().items():
        if name in parameters:
            is_live = name in reached
        else:
            is_live = value.is_floating_point() and name.rpartition(".")[0] in modules
        if is_live:
            live[name] = value.shape
        else:
            dead.add(name)
    transposed = {
        f"{name}.weight"
        for name, module in network.named_modules()
        if isinstance(module, nn.ConvTranspose2d) and f"{name}.weight" in live
    }
    return NetworkEntries(MappingProxyType(live), frozenset(dead), frozenset(transposed))


def live_parameter_names(network: nn.Module, spec: NetworkSpec) -> set[str]:
    """Names of the entries of the network's state dict that its output depends on.

    Raises:
        PackError: when the network was not built from ``spec``.
    """
    live = network_entries(spec).live
    missing = live.keys() - network.state_dict().keys()
    if missing:
        raise PackError(
            f"The network is no {spec.architecture} with encoder {spec.encoder!r} at depth "
            f"{spec.encoder_depth}: it lacks {min(missing)!r}.",
            "Give the network itself, not a wrapper around it, and its own specification.",
        )
    return set(live)


def build_skeleton(spec: NetworkSpec) -> nn.Module:
    """The network's live modules without storage, ready to be given weights.

    Tensors are on torch's meta device; dead modules pass their input on, so that
    they cost neither memory nor time.

    Raises:
        PackError: as `build_network`.
    """
    network = _build_on_meta(spec)
    alive: set[str] = set()
    for name in network_entries(spec).live:
        parts = name.split(".")
        alive.update(".".join(parts[:end]) for end in range(1, len(parts)))
    _replace_dead_modules(network, "", alive)
    return network


def trial_image(spec: NetworkSpec, rows: int, columns: int) -> Tensor:
    """A random image ``[1, C, H, W]``, always the same, to hold two forms of a network together.

    Args:
        rows, columns: its sides in multiples of what the network divides by.
    """
    generator = torch.Generator().manual_seed(0)
    size = (1, spec.in_channels, rows * spec.stride, columns * spec.stride)
    return torch.randn(size, generator=generator)


def _build_on_meta(spec: NetworkSpec) -> nn.Module:
    """Build without storage."""
    with torch.device("meta"):
        network = build_network(spec)
    # Encoders that change their first convolution for other than three channels
    # use a constructor that does not listen to the device context.
    return network.to("meta")


class _PassOn(nn.Module):  # type: ignore[misc]
    """Stands for a dead module; some encoders call theirs with more than the features."""

    def forward(self, features: Tensor, *_: Any) -> Tensor:
        return features


def _replace_dead_modules(module: nn.Module, prefix: str, alive: set[str]) -> None:
    for name, child in list(module.named_children()):
        path = prefix + name
        if path in alive:
            _replace_dead_modules(child, path + ".", alive)
        elif child.state_dict():
            setattr(module, name, _PassOn())
