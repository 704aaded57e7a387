"""Weights files: round trips in every precision, and refusal of everything else."""

from __future__ import annotations

import hashlib
import json
import pickle

import pytest
import safetensors.torch
import torch

from BrainTumorSegLib.core.errors import OutputError, PackError
from BrainTumorSegLib.models.networks import NetworkSpec, build_network, network_entries
from BrainTumorSegLib.models.quantization import (
    LARGEST,
    dequantize,
    pack_six_bits,
    quantize,
    unpack_six_bits,
    worth_quantizing,
)
from BrainTumorSegLib.models.weights import (
    PRECISIONS,
    SCALE_SUFFIX,
    load_network,
    load_weights,
    save_weights,
)

SPEC = NetworkSpec("linknet", "resnet18", 3, 3, 5)
HEADER = {"brain_tumor_seg_weights": '{"format": 1, "precision": "fp32"}'}


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """A network whose batch norms have seen something."""
    torch.manual_seed(0)
    network = build_network(SPEC).train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(4, 3, 64, 64))
    return network.state_dict()


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


# Precision


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("fp32", 0), ("fp16", 5e-4), ("int8", 1e-2), ("int6", 4e-2)]
)
def test_a_round_trip_keeps_every_entry(state, tmp_path, precision, tolerance):
    saved = save_weights(state, tmp_path / "w.safetensors", precision, SPEC)
    loaded = load_weights(saved.path, saved.sha256)
    assert set(loaded) == set(network_entries(SPEC).live)
    for name, value in loaded.items():
        assert value.dtype == torch.float32
        assert value.shape == state[name].shape
        if state[name].any():
            assert relative_error(value, state[name]) <= tolerance, name
    assert saved.relative_error <= tolerance
    assert (saved.relative_error == 0) == (precision == "fp32")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_loaded_network_answers_like_the_saved_one(state, tmp_path, precision):
    network = build_network(SPEC).eval()
    network.load_state_dict(state)
    saved = save_weights(state, tmp_path / "w.safetensors", precision, SPEC)
    loaded = load_network(saved.path, SPEC, saved.sha256)
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        expected, found = network(image), loaded(image)
    tolerance = {"fp32": 0, "fp16": 3e-3, "int8": 3e-2, "int6": 1e-1}[precision]
    assert float((found - expected).square().mean().sqrt()) <= tolerance * float(expected.std())
    assert not loaded.training
    assert not any(p.requires_grad or p.is_meta for p in loaded.parameters())
    assert not any(b.is_meta for b in loaded.buffers())


def test_eight_bits_take_a_quarter_of_the_room_and_six_less(state, tmp_path):
    sizes = {
        p: save_weights(state, tmp_path / f"{p}.safetensors", p, SPEC).bytes for p in PRECISIONS
    }
    assert sizes["int8"] < 0.3 * sizes["fp32"]
    assert sizes["int6"] < 0.85 * sizes["int8"]
    assert sizes["fp16"] < 0.52 * sizes["fp32"]


def test_dead_stages_and_counters_are_not_stored(state, tmp_path):
    saved = save_weights(state, tmp_path / "w.safetensors", "fp32", SPEC)
    names = set(safetensors.torch.load_file(saved.path))
    assert names == set(network_entries(SPEC).live)
    assert not any(name.startswith("encoder.layer4") for name in names)
    assert any(name.startswith("encoder.layer4") for name in state)


def test_equal_weights_give_equal_bytes(state, tmp_path):
    hashes = {
        save_weights(dict(order), tmp_path / f"{n}.safetensors", "int8", SPEC).sha256
        for n, order in enumerate([list(state.items()), list(reversed(state.items()))] * 3)
    }
    assert len(hashes) == 1


def test_the_reported_hash_and_length_are_those_of_the_file(state, tmp_path):
    saved = save_weights(state, tmp_path / "w.safetensors", "int8", SPEC)
    content = saved.path.read_bytes()
    assert saved.sha256 == hashlib.sha256(content).hexdigest()
    assert saved.bytes == len(content)


def test_saving_leaves_the_state_alone_and_takes_any_layout(tmp_path):
    value = torch.randn(8, 4, 3, 3).to(memory_format=torch.channels_last).requires_grad_()
    state = {"a.weight": value, "b.weight": value, "n": torch.tensor(3), "d": value.double()}
    before = value.detach().clone()
    loaded = load_weights(save_weights(state, tmp_path / "w.safetensors", "fp32").path)
    assert set(loaded) == {"a.weight", "b.weight", "d"}
    assert all(torch.equal(v, before) for v in loaded.values())
    assert torch.equal(value, before)


def test_values_that_half_precision_would_spoil_stay_whole(tmp_path):
    state = {
        "tiny.bias": torch.tensor([1e-7, -3e-6]),
        "huge.running_var": torch.tensor([1e6, 1.0]),
        "usual.bias": torch.tensor([0.25, -1.0, 0.0]),
        "huge.weight": torch.full((2, 2), 1e6),
        "tiny.weight": torch.full((2, 2), 1e-9),
    }
    path = save_weights(state, tmp_path / "w.safetensors", "int8").path
    stored = safetensors.torch.load_file(path)
    assert stored["usual.bias"].dtype == torch.float16
    assert all(v.dtype == torch.float32 for k, v in stored.items() if k != "usual.bias")
    for name, value in load_weights(path).items():
        assert torch.equal(value, state[name]), name


def test_what_is_written_replaces_nothing_unless_told(state, tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"w\.safetensors exists already"):
        save_weights(state, path, "fp16", SPEC)
    assert path.read_bytes() == b"mine"
    save_weights(state, path, "fp16", SPEC, overwrite=True)
    assert load_weights(path)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_state_that_is_not_finite_is_not_saved(state, tmp_path, value):
    name = next(iter(network_entries(SPEC).live))
    broken = {**state, name: torch.full_like(state[name], value)}
    with pytest.raises(PackError, match=r"NaN or infinite values in .*conv1"):
        save_weights(broken, tmp_path / "w.safetensors", "int8", SPEC)
    assert not list(tmp_path.iterdir())


def test_a_state_of_another_network_is_not_saved(state, tmp_path):
    with pytest.raises(PackError, match="lacks"):
        save_weights(state, tmp_path / "w.safetensors", "int8", NetworkSpec(encoder="resnet18"))
    other = NetworkSpec("linknet", "resnet18", 3, 9, 5)
    with pytest.raises(PackError, match=r"shape \(64, 3, 7, 7\).*needs \(64, 9, 7, 7\)"):
        save_weights(state, tmp_path / "w.safetensors", "int8", other)


def test_an_unknown_precision_or_ending_is_refused(state, tmp_path):
    with pytest.raises(PackError, match="precision 'int4'"):
        save_weights(state, tmp_path / "w.safetensors", "int4")
    with pytest.raises(PackError, match=r"w\.pt"):
        save_weights(state, tmp_path / "w.pt")


# Quantisation


@pytest.mark.parametrize(("bits", "error"), [(8, 8e-3), (6, 3e-2)])
@pytest.mark.parametrize("axis", [0, 1])
def test_no_rounded_value_is_further_off_than_clipping_allows(axis, bits, error):
    weight = torch.randn(32, 48, 3, 3, generator=torch.Generator().manual_seed(1))
    integers, scales = quantize(weight, axis, bits)
    assert integers.dtype == torch.int8
    assert int(integers.abs().max()) <= LARGEST[bits]
    assert scales.shape == ((32, 1, 1, 1) if axis == 0 else (1, 48, 1, 1))
    back = dequantize(integers, scales)
    inside = weight.abs() <= LARGEST[bits] * scales
    assert ((back - weight).abs() <= 0.501 * scales)[inside].all()
    assert relative_error(back, weight) < error


@pytest.mark.parametrize("shape", [(1,), (3,), (4,), (63,), (2, 3, 5, 7), (8, 8)])
def test_six_bits_come_back_to_the_bit_whatever_the_shape(shape):
    integers = torch.randint(-31, 32, shape, generator=torch.Generator().manual_seed(4))
    packed = pack_six_bits(integers.to(torch.int8))
    assert packed.dtype == torch.uint8
    assert len(packed) == 3 * -(-integers.numel() // 4)
    assert torch.equal(unpack_six_bits(packed, shape), integers.to(torch.int8))


def test_only_large_kernels_get_six_bits_and_only_files_with_them_are_of_version_two(tmp_path):
    generator = torch.Generator().manual_seed(5)
    state = {
        "large": torch.randn(256, 256, generator=generator),
        "middle": torch.randn(128, 128, generator=generator),
        "bias": torch.randn(256, generator=generator),
    }
    six = save_weights(state, tmp_path / "six.safetensors", "int6").path
    kinds = {name: value.dtype for name, value in safetensors.torch.load_file(six).items()}
    assert kinds["large"] == torch.uint8
    assert kinds["middle"] == torch.int8
    eight = save_weights(state, tmp_path / "eight.safetensors", "int8").path
    for path, version in ((six, b'\\"format\\": 2'), (eight, b'\\"format\\": 1')):
        assert version in path.read_bytes()


@pytest.mark.parametrize(("values", "tolerance"), [(64, 1.2), (576, 1.03), (4608, 1.01)])
def test_the_chosen_scales_are_as_good_as_an_exhaustive_search(values, tolerance):
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(16, values, generator=generator)
    weight = weight / (torch.randn(16, values, generator=generator).square() + 0.3).sqrt()
    largest = weight.abs().amax(dim=1, keepdim=True) / LARGEST[8]

    def error(scales: torch.Tensor) -> torch.Tensor:
        integers = (weight / scales).round().clamp(-LARGEST[8], LARGEST[8])
        return (integers * scales - weight).square().sum(dim=1)

    tried = [error(largest * share) for share in torch.linspace(0.5, 1.05, 1000)]
    found = (dequantize(*quantize(weight)) - weight).square().sum(dim=1)
    assert (found <= error(largest) * 1.00001).all()
    assert (found < error(largest)).any()
    assert found.sum() <= tolerance * torch.stack(tried).amin(dim=0).sum()


def test_channels_of_zeros_and_of_very_different_size_survive():
    weight = torch.randn(4, 5000, generator=torch.Generator().manual_seed(3))
    weight[0] = 0
    weight[1] *= 1e-6
    weight[2] *= 1e4
    weight[3] *= 1e-44
    back = dequantize(*quantize(weight))
    assert torch.isfinite(back).all()
    assert not back[0].any()
    assert relative_error(back[1], weight[1]) < 1e-2
    assert relative_error(back[2], weight[2]) < 1e-2


def test_transposed_convolutions_get_a_scale_an_output_channel(tmp_path):
    spec = NetworkSpec("linknet", "resnet18", 5, 3, 5)
    network = build_network(spec)
    saved = save_weights(network.state_dict(), tmp_path / "w.safetensors", "int8", spec)
    stored = safetensors.torch.load_file(saved.path)
    quantized = {n for n, v in stored.items() if v.dtype == torch.int8}
    transposed = quantized & network_entries(spec).transposed
    assert transposed
    for name in quantized:
        shape = [1] * 4
        axis = int(name in transposed)
        shape[axis] = stored[name].shape[axis]
        assert list(stored[name + SCALE_SUFFIX].shape) == shape


def test_depthwise_and_small_kernels_keep_half_precision():
    assert not worth_quantizing(torch.zeros(4096, 1, 3, 3))
    assert not worth_quantizing(torch.zeros(64, 3, 7, 7))
    assert not worth_quantizing(torch.zeros(20000))
    assert worth_quantizing(torch.zeros(64, 64, 3, 3))


# Refusals on loading


@pytest.mark.parametrize("name", ["w.pt", "w.pth", "w.safetensors"])
@pytest.mark.parametrize("old", [False, True])
def test_a_pytorch_checkpoint_is_refused_unopened(tmp_path, name, old):
    path = tmp_path / name
    torch.save({"a": torch.zeros(3)}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(PackError, match=rf"{name} is a pickle") as caught:
        load_weights(path)
    assert "safetensors" in caught.value.remedy


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was opened",))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_named_safetensors_is_never_run(tmp_path, protocol):
    path = tmp_path / "w.safetensors"
    path.write_bytes(pickle.dumps(Bomb(), protocol=protocol))
    with pytest.raises(PackError, match=r"w\.safetensors is a pickle"):
        load_weights(path)


def test_a_truncated_file_is_refused_wherever_it_ends(state, tmp_path):
    path = save_weights(state, tmp_path / "w.safetensors", "int8", SPEC).path
    whole = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, 5000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(PackError, match=r"w\.safetensors") as caught:
            load_weights(path)
        assert caught.value.remedy
    path.write_bytes(whole + b"x")
    with pytest.raises(PackError, match="damaged"):
        load_weights(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 200,
        b"\x10" + bytes(7) + b"not json at all!" + bytes(8),
        (30).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[' + b" ",
        (2).to_bytes(8, "little") + b"[]",
        b"GIF89a" + bytes(1000),
    ],
)
def test_a_garbage_header_is_refused(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(PackError, match=r"w\.safetensors is truncated, damaged"):
        load_weights(path)


def test_tensors_that_overlap_or_leave_the_file_are_refused(tmp_path):
    for ranges in ([[0, 8], [0, 8]], [[0, 8], [8, 800]], [[0, 8], [9, 17]]):
        header = {
            name: {"dtype": "F32", "shape": [2], "data_offsets": r}
            for name, r in zip("ab", ranges, strict=True)
        }
        text = json.dumps({**header, "__metadata__": HEADER}).encode()
        path = tmp_path / "w.safetensors"
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
        with pytest.raises(PackError, match="damaged"):
            load_weights(path)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_that_are_not_finite_are_refused(tmp_path, value, dtype):
    path = tmp_path / "w.safetensors"
    tensor = torch.zeros(10, dtype=dtype)
    tensor[3] = value
    safetensors.torch.save_file({"head.bias": tensor}, path, HEADER)
    with pytest.raises(PackError, match=r"w\.safetensors contains NaN .*'head.bias'"):
        load_weights(path)


def test_a_scale_that_is_not_finite_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    scale = torch.tensor([[1.0], [float("nan")]])
    tensors = {"a": torch.ones(2, 2, dtype=torch.int8), "a" + SCALE_SUFFIX: scale}
    safetensors.torch.save_file(tensors, path, HEADER)
    with pytest.raises(PackError, match="NaN"):
        load_weights(path)


SIX = torch.zeros(6, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a": torch.ones(2, 2, dtype=torch.int8)}, "scales of 'a' are missing"),
        (
            {"a": torch.ones(2, 2, dtype=torch.int8), "a::scale": torch.ones(3, 1)},
            "scales of 'a' have the wrong shape",
        ),
        (
            {"a": torch.ones(2, 2, dtype=torch.int8), "a::scale": torch.ones(1, 2, 2)},
            "scales of 'a' have the wrong shape",
        ),
        ({"a::scale": torch.ones(2, 1)}, "belongs to no entry"),
        ({"a::shape": torch.ones(2, dtype=torch.int64)}, "belongs to no entry"),
        ({"a": SIX}, "the shape of 'a' is missing"),
        ({"a": SIX, "a::shape": torch.ones(2)}, "the shape of 'a' is missing"),
        ({"a": SIX, "a::shape": torch.tensor([-2, -2])}, "the shape of 'a' is missing"),
        ({"a": SIX, "a::shape": torch.tensor([2**40, 2**40])}, "are not"),
        ({"a": SIX[:4], "a::shape": torch.tensor([2, 4])}, "are not 8 values of six bits"),
        ({"a": SIX, "a::shape": torch.tensor([2, 4])}, "scales of 'a' are missing"),
        ({"a": torch.ones(2, dtype=torch.int32)}, "type torch.int32"),
    ],
)
def test_integers_without_fitting_scales_and_shapes_are_refused(tmp_path, tensors, message):
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(tensors, path, HEADER)
    with pytest.raises(PackError, match=message):
        load_weights(path)


@pytest.mark.parametrize(
    ("metadata", "message", "remedy"),
    [
        (None, "was not written by this program", "model pack"),
        ({"format": "pt"}, "was not written by this program", "model pack"),
        ({"brain_tumor_seg_weights": "[]"}, "was not written by this program", "model pack"),
        (
            {"brain_tumor_seg_weights": '{"format": 3, "precision": "int4"}'},
            "weights format 3, newer",
            "Update the extension",
        ),
        (
            {"brain_tumor_seg_weights": '{"format": 1, "precision": "int4"}'},
            "unknown precision",
            "Update the extension",
        ),
    ],
)
def test_foreign_and_newer_files_are_refused(tmp_path, metadata, message, remedy):
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(2)}, path, metadata)
    with pytest.raises(PackError, match=message) as caught:
        load_weights(path)
    assert remedy in caught.value.remedy


def test_another_file_under_the_same_name_is_refused_by_its_hash(state, tmp_path):
    saved = save_weights(state, tmp_path / "w.safetensors", "fp16", SPEC)
    content = bytearray(saved.path.read_bytes())
    content[-1] ^= 1
    saved.path.write_bytes(content)
    assert load_weights(saved.path)
    with pytest.raises(PackError, match="SHA-256 differs"):
        load_weights(saved.path, saved.sha256)


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path):
    with pytest.raises(PackError, match=r"Cannot read the weights .*none\.safetensors"):
        load_weights(tmp_path / "none.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(PackError, match=r"folder\.safetensors"):
        load_weights(tmp_path / "folder.safetensors")


def test_weights_may_hold_dead_stages_but_lack_no_live_entry(state, tmp_path):
    path = save_weights(state, tmp_path / "w.safetensors", "fp32").path
    assert any(name.startswith("encoder.layer4") for name in load_weights(path))
    assert load_network(path, SPEC)
    name = next(n for n in network_entries(SPEC).live if n.startswith("decoder"))
    short = {k: v for k, v in state.items() if k != name}
    path = save_weights(short, tmp_path / "short.safetensors", "fp32").path
    with pytest.raises(PackError, match=rf"short\.safetensors lacks 1 entries .*{name}"):
        load_network(path, SPEC)


def test_unknown_and_misshapen_entries_are_refused(state, tmp_path):
    extra = {**state, "decoder.extra.weight": torch.zeros(3)}
    path = save_weights(extra, tmp_path / "extra.safetensors", "fp32").path
    with pytest.raises(PackError, match=r"unknown to linknet.*decoder\.extra\.weight"):
        load_network(path, SPEC)
    path = save_weights(state, tmp_path / "w.safetensors", "fp32").path
    with pytest.raises(PackError, match="has shape"):
        load_network(path, NetworkSpec("linknet", "resnet18", 3, 3, 4))


def test_a_loaded_network_can_be_trained_further(state, tmp_path):
    path = save_weights(state, tmp_path / "w.safetensors", "int8", SPEC).path
    network = load_network(path, SPEC).train().requires_grad_(True)
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())
