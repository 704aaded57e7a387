"""Networks by name: sizes of output, live and dead entries, skeletons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.inference.labels import decode_labels
from BrainTumorSegLib.models.networks import (
    ARCHITECTURES,
    ClassProbabilities,
    NetworkSpec,
    build_network,
    build_skeleton,
    live_parameter_names,
    network_entries,
)

ENCODERS = (
    "se_resnext50_32x4d",
    "senet154",
    "mobilenet_v2",
    "resnet18",
    "tu-regnety_004",
    "tu-regnetx_008",
    "tu-mobilenetv3_large_100",
    "efficientnet-b1",
)

#: All architectures at all depths with a light encoder; all encoders with LinkNet.
COMBINATIONS = [
    *(
        NetworkSpec(architecture, "resnet18", depth, channels)
        for architecture in ARCHITECTURES
        for depth, channels in ((3, 3), (4, 9), (5, 3))
    ),
    *(NetworkSpec("linknet", encoder, 4, 9) for encoder in ENCODERS if encoder != "senet154"),
    NetworkSpec("linknet", "tu-tf_efficientnet_lite0", 5, heads="regions"),
    NetworkSpec("fpn", "mobilenet_v2", 3, 9),
    NetworkSpec("unet", "efficientnet-b1", 4, 3),
    NetworkSpec("pspnet", "tu-mobilenetv3_large_100", 5, 9),
]


def describe(spec: NetworkSpec) -> str:
    return f"{spec.architecture}-{spec.encoder}-{spec.encoder_depth}-{spec.in_channels}"


def random_image(spec: NetworkSpec) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, spec.in_channels, 3 * spec.stride, 2 * spec.stride, generator=generator)


@pytest.fixture(scope="module")
def small_spec() -> NetworkSpec:
    return NetworkSpec("linknet", "resnet18", 4, 3, 5)


@pytest.mark.parametrize("spec", COMBINATIONS, ids=describe)
def test_output_is_as_large_as_the_input_and_dead_entries_do_not_matter(spec):
    torch.manual_seed(0)
    network = build_network(spec).eval()
    image = random_image(spec)
    entries = network_entries(spec)
    skeleton = build_skeleton(spec)
    skeleton.load_state_dict(
        {k: v for k, v in network.state_dict().items() if k in skeleton.state_dict()}, assign=True
    )
    with torch.no_grad():
        expected = network(image)
        for name, value in network.state_dict().items():
            if name in entries.dead and value.is_floating_point():
                value.fill_(float("nan"))
        spoiled = network(image)
        pruned = skeleton.eval()(image)
    assert expected.shape == (1, spec.outputs, *image.shape[-2:])
    assert torch.equal(spoiled, expected)
    assert torch.equal(pruned, expected)


def test_regions_become_classes_that_sum_to_one_and_are_decided_as_the_regions_are():
    torch.manual_seed(0)
    logits = 4 * torch.randn(1, 4, 50, 40)
    classes = ClassProbabilities("regions")(logits)
    assert classes.shape == (1, 5, 50, 40)
    assert torch.allclose(classes.sum(dim=1), torch.ones(1, 50, 40), atol=1e-6)
    tumor, core, enhancing, necrosis = (logits[0] > 0).numpy()
    expected = np.where(necrosis, Tissue.NECROSIS, Tissue.NON_ENHANCING)
    expected[enhancing] = Tissue.ENHANCING
    expected[~core] = Tissue.EDEMA
    expected[~tumor] = Tissue.BACKGROUND
    assert np.array_equal(decode_labels(classes[0].numpy()), expected)


def test_a_manifest_of_classes_says_no_word_of_heads(small_spec):
    """Programs that know no regions can go on reading it, and refuse the others."""
    assert "heads" not in small_spec.as_dict()
    assert replace(small_spec, heads="regions").as_dict()["heads"] == "regions"


def test_every_live_entry_changes_the_output():
    spec = NetworkSpec("linknet", "resnet18", 3)
    torch.manual_seed(0)
    network = build_network(spec)
    image = torch.randn(2, 3, 32, 24)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(image)
    network.eval()
    state = network.state_dict()
    with torch.no_grad():
        expected = network(image)
        for name in network_entries(spec).live:
            kept = state[name].clone()
            state[name].mul_(1.5).add_(0.1)
            assert not torch.equal(network(image), expected), name
            state[name].copy_(kept)


def test_live_and_dead_entries_together_are_the_state_dict(small_spec):
    entries = network_entries(small_spec)
    state = build_network(small_spec).state_dict()
    assert entries.live.keys() | entries.dead == state.keys()
    assert not entries.live.keys() & entries.dead
    assert all(state[name].shape == shape for name, shape in entries.live.items())
    assert all(name in entries.dead for name in state if name.endswith("num_batches_tracked"))


@pytest.mark.parametrize(
    ("encoder", "depth", "millions"),
    [
        ("se_resnext50_32x4d", 4, 11.3),
        ("se_resnext50_32x4d", 5, 33.2),
        ("senet154", 5, 120.9),
        ("mobilenet_v2", 4, 0.57),
        ("efficientnet-b1", 4, 1.25),
    ],
)
def test_a_reduced_encoder_depth_leaves_the_known_number_of_live_parameters(
    encoder, depth, millions
):
    live = network_entries(NetworkSpec("linknet", encoder, depth)).live
    assert sum(shape.numel() for shape in live.values()) / 1e6 == pytest.approx(millions, rel=0.02)


def test_transposed_convolutions_are_known_by_name(small_spec):
    network = build_network(small_spec)
    names = {
        f"{name}.weight"
        for name, module in network.named_modules()
        if isinstance(module, nn.ConvTranspose2d)
    }
    assert names
    assert network_entries(small_spec).transposed == names


def test_looking_for_live_entries_leaves_random_numbers_and_the_network_alone(small_spec):
    network = build_network(small_spec).eval().requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network_entries.cache_clear()
    random_state = torch.get_rng_state()
    with torch.inference_mode():
        names = live_parameter_names(network, small_spec)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert names == set(network_entries(small_spec).live)
    assert not network.training
    assert all(not p.requires_grad and p.grad is None for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_live_names_of_a_wrapped_network_are_refused(small_spec):
    with pytest.raises(PackError, match="not a wrapper"):
        live_parameter_names(nn.Sequential(build_network(small_spec)), small_spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (NetworkSpec(architecture="segresnet"), "Unknown architecture 'segresnet'"),
        (NetworkSpec(encoder="resnet19"), "resnet19"),
        (NetworkSpec(encoder="tu-no_such_model"), "tu-no_such_model"),
        (NetworkSpec(encoder_depth=2), "depth 2"),
        (NetworkSpec(encoder_depth=6), "depth 6"),
    ],
)
def test_an_unknown_network_is_refused_by_name(spec, message):
    with pytest.raises(PackError, match=message) as caught:
        build_network(spec)
    assert caught.value.remedy
