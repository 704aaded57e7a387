"""Folding batch norms into convolutions: what the networks say stays the same."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.engines.choosing import open_engine, plan_engine
from BrainTumorSegLib.inference.engines.folding import TOLERANCE, fold_batch_norms, load_folded
from BrainTumorSegLib.inference.engines.ready_members import ModelCache
from BrainTumorSegLib.inference.engines.torch_engine import TorchEngine
from BrainTumorSegLib.models.networks import NetworkSpec, build_network, build_skeleton, trial_image
from BrainTumorSegLib.models.packs import load_members, load_pack
from BrainTumorSegLib.preprocessing.model_grid import normalize, stack_slices

SPECS = [
    NetworkSpec("linknet", "se_resnext50_32x4d", 4),
    NetworkSpec("linknet", "senet154", 3),
    NetworkSpec("linknet", "tu-regnety_004", 4),
    NetworkSpec("fpn", "tu-regnety_004", 5),
    NetworkSpec("pspnet", "se_resnext50_32x4d", 3),
    NetworkSpec("unet", "resnet18", 5),
]


def lived_in(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch norms statistics and weights as training leaves them, unlike their first ones."""
    generator = torch.Generator().manual_seed(seed)
    for norm in norms(network):
        for values, low, high in (
            (norm.running_mean, -0.5, 0.5),
            (norm.running_var, 0.5, 2.0),
            (norm.weight.data, 0.5, 1.5),
            (norm.bias.data, -0.5, 0.5),
        ):
            values.copy_(torch.rand(values.shape, generator=generator) * (high - low) + low)
    return network.eval()


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


def say(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network(images)


class Pair(nn.Module):
    """A convolution and its batch norm, and whatever is done with the two."""

    def __init__(self, convolution: nn.Module | None = None, channels: int = 4) -> None:
        super().__init__()
        self.convolution = convolution or nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, images):
        return self.norm(self.convolution(images))


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.architecture}-{s.encoder}")
def test_every_batch_norm_is_folded_and_the_network_says_what_it_said(spec):
    torch.manual_seed(0)
    network = lived_in(build_network(spec))
    images = trial_image(spec, 2, 3)
    expected = say(network, images)
    assert fold_batch_norms(network) == len(norms(build_skeleton(spec)))
    found = say(network, images)
    scale = expected.std()
    assert scale > 0 and (found - expected).abs().max() < 1e-4 * scale.clamp(min=1)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.Conv2d(3, 6, 3, stride=2, groups=3),
        nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1),
    ],
    ids=["without bias", "grouped", "transposed"],
)
def test_every_kind_of_convolution_does_the_batch_norm_s_work(convolution):
    network = lived_in(Pair(convolution, convolution.out_channels))
    images = torch.randn(2, 3, 8, 8)
    expected = say(network, images)
    assert fold_batch_norms(network) == 1 and not norms(network)
    torch.testing.assert_close(say(network, images), expected, atol=1e-5, rtol=1e-5)


def test_a_convolution_whose_output_goes_elsewhere_too_is_left_alone():
    class Skipping(Pair):
        def forward(self, images):
            features = self.convolution(images)
            return self.norm(features) + features

    assert fold_batch_norms(lived_in(Skipping())) == 0


@pytest.mark.parametrize("again", ["convolution", "norm"])
def test_layers_that_are_called_twice_are_left_alone(again):
    class Twice(Pair):
        def forward(self, images):
            once = super().forward(images)
            return once + getattr(self, again)(images if again == "convolution" else once)

    assert fold_batch_norms(lived_in(Twice())) == 0


@pytest.mark.parametrize(
    "pair",
    [
        lambda: Pair(nn.ConvTranspose2d(4, 4, 2, groups=2)),
        lambda: Pair(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())),
        lambda: Pair(nn.Identity(), 3),
    ],
    ids=["grouped transposed", "something between", "no convolution"],
)
def test_what_is_no_plain_pair_is_left_alone(pair):
    assert fold_batch_norms(lived_in(pair())) == 0


def test_a_batch_norm_that_takes_its_statistics_from_the_images_is_left_alone():
    network = Pair()
    network.norm = nn.BatchNorm2d(4, track_running_stats=False)
    assert fold_batch_norms(network.eval()) == 0


def test_weights_that_half_precision_cannot_hold_are_left_alone():
    network = lived_in(Pair())
    network.norm.running_var.fill_(0)
    network.norm.weight.data.fill_(1e6)
    assert fold_batch_norms(network) == 0


def test_parts_that_cannot_be_traced_are_folded_one_by_one():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Pair(), Pair(nn.Conv2d(4, 4, 1))

        def forward(self, images):
            if images.mean() > 1000:
                return images
            return self.second(self.first(images))

    network = lived_in(Branching())
    images = torch.randn(1, 3, 8, 8)
    expected = say(network, images)
    assert fold_batch_norms(network) == 2
    torch.testing.assert_close(say(network, images), expected, atol=1e-5, rtol=1e-5)


def test_a_network_that_says_something_else_when_folded_is_loaded_again_and_left_alone():
    class ReachedInto(nn.Module):
        """Its parts are folded one by one, and yet it looks between them."""

        def __init__(self):
            super().__init__()
            self.pair, self.head = Pair(), nn.Conv2d(4, 5, 1)

        def forward(self, images):
            if images.mean() > 1000:
                return images
            return self.head(self.pair(images) + self.pair.convolution(images))

    torch.manual_seed(0)
    state = lived_in(ReachedInto()).state_dict()
    loaded = []

    def load():
        network = ReachedInto().eval()
        network.load_state_dict(state)
        loaded.append(network)
        return network

    network = load_folded(load, NetworkSpec("linknet", "resnet18", 3))
    assert len(loaded) == 2 and network is loaded[1]
    assert len(norms(network)) == 1 and not norms(loaded[0])


def test_members_are_folded_each_time_they_are_loaded():
    """Also those that had been given back to make room."""
    pack = load_pack("glioma-lite")
    plan = plan_engine("torch", "cpu", "fp32")
    opened = open_engine(plan, pack, pack.members[:2], (3, 64, 64))
    opened.engine._held = ModelCache(0)  # room for one
    images = trial_image(pack.network, 4, 4)
    for member in (0, 1, 0):
        opened.engine.predict(member, images)
        (network,) = opened.engine._held._ready.values()
        assert not norms(network)


def test_labels_on_real_slices_are_those_of_the_network_as_it_was_trained(real_data):
    """At most one pixel in a hundred thousand may differ; probabilities by `TOLERANCE`."""
    import SimpleITK as sitk

    folder = real_data / "brats" / "Brats15_2013_pat0001"
    scans = {
        s: sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{folder.name}_{s.value}.nii.gz")))
        for s in Sequence
    }
    inside = np.any([scan > 0 for scan in scans.values()], axis=0)
    box = (slice(None), slice(24, 216), slice(40, 200))
    volumes = {s: normalize(scan.astype(np.float32), inside)[box] for s, scan in scans.items()}
    shown = torch.from_numpy(stack_slices(volumes, "mixture", range(60, 110, 5)))
    pack = load_pack("glioma-lite")
    load = partial(lambda name: load_members(pack, [name])[name], pack.members[0].name)
    plain, folded = (
        TorchEngine([network]).predict(0, shown)
        for network in (load(), load_folded(load, pack.network))
    )
    assert (plain.argmax(dim=1) > 0).sum() > 5000
    assert (plain - folded).abs().max() < TOLERANCE
    assert (plain.argmax(dim=1) != folded.argmax(dim=1)).float().mean() <= 1e-5
