"""The loop that a person writes who has the trained members and segmentation-models-pytorch.

float32, eager torch, every slice of the volume, padded to a multiple of 32; the same members
and views as the pack, and the same normalisation inside the brain (voxels above zero).
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from stopwatch import NETWORK, Passes, Stopwatch
from torch import Tensor, nn
from torchvision_repair import repair_torchvision

MULTIPLE = 32


def run(scans: Mapping[str, Path], args: Namespace, stopwatch: Stopwatch) -> Passes:
    """Segment the case and write the label map; see `start`."""
    about = json.loads((args.members / "members.json").read_text(encoding="utf-8"))
    with stopwatch.stage("load"):
        networks = [_network(about, args.members / name) for name in about["files"]]
        # The members take turns in one pass counter: they all cost the same.
        shared = _OneOf(networks)
        passes = Passes(shared, args.passes)
    with stopwatch.stage("read"):
        images = {name: sitk.ReadImage(str(path), sitk.sitkFloat32) for name, path in scans.items()}
        volumes = {name: sitk.GetArrayFromImage(image) for name, image in images.items()}
    with stopwatch.stage("normalise"):
        low, high = about["percentiles"]
        volumes = {name: _normalize(volume, low, high) for name, volume in volumes.items()}
        slices, size = _stack(volumes, about["channels"])
    with stopwatch.stage(NETWORK), torch.no_grad():
        probabilities = torch.cat(
            [_average(shared, batch, about["views"]) for batch in slices.split(args.batch)]
        )
    with stopwatch.stage("write"):
        labels = probabilities.argmax(dim=1)[:, : size[0], : size[1]]
        result = sitk.GetImageFromArray(labels.numpy().astype(np.uint8))
        result.CopyInformation(images["t1ce"])
        sitk.WriteImage(result, str(args.output), useCompression=True)
    return passes


class _OneOf(nn.Module):
    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks, self.chosen = nn.ModuleList(networks), 0

    def forward(self, images: Tensor) -> Tensor:
        return self.networks[self.chosen](images)


def _network(about: dict, path: Path) -> nn.Module:
    repair_torchvision()
    import segmentation_models_pytorch as smp
    from safetensors.torch import load_file

    network = smp.create_model(**about["network"], encoder_weights=None)
    # What the exported state lacks are stages of the encoder that are never called.
    unexpected = network.load_state_dict(load_file(path), strict=False).unexpected_keys
    if unexpected:
        raise SystemExit(f"{path} does not fit the network: {unexpected[:3]}")
    return network.eval()


def _normalize(volume: np.ndarray, low: float, high: float) -> np.ndarray:
    brain = volume > 0
    floor, ceiling = np.percentile(volume[brain], [low, high])
    clipped = np.clip(volume, floor, ceiling)
    scaled = (clipped - clipped[brain].mean()) / clipped[brain].std()
    return np.where(brain, scaled, 0).astype(np.float32)


def _stack(
    volumes: Mapping[str, np.ndarray], channels: list[tuple[str, int]]
) -> tuple[Tensor, tuple[int, int]]:
    """Slices ``[N, C, H, W]``, padded at the end, and the rows and columns before that."""
    depth, rows, columns = volumes["t1ce"].shape
    shifted = []
    for name, offset in channels:
        neighbors = np.clip(np.arange(depth) + offset, 0, depth - 1)
        shifted.append(volumes[name][neighbors])
    slices = torch.from_numpy(np.stack(shifted, axis=1))
    padding = (0, -columns % MULTIPLE, 0, -rows % MULTIPLE)
    return nn.functional.pad(slices, padding), (rows, columns)


def _average(networks: _OneOf, batch: Tensor, views: list[dict]) -> Tensor:
    total = torch.zeros(())
    for number in range(len(networks.networks)):
        networks.chosen = number
        for view in views:
            seen = batch.flip(-1) if view["flip"] else batch
            seen = seen.rot90(view["turns"], (-2, -1))
            probabilities = networks(seen).softmax(dim=1)
            probabilities = probabilities.rot90(-view["turns"], (-2, -1))
            total = total + (probabilities.flip(-1) if view["flip"] else probabilities)
    return total / (len(networks.networks) * len(views))
