"""Slices on their way to the networks. No GPU is needed: its path runs here with a `send` that
leaves tensors where they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference import batches as feeding
from BrainTumorSegLib.inference import ensemble as inference
from BrainTumorSegLib.inference.batches import device_batches, send, slice_batches
from BrainTumorSegLib.inference.engines.torch_engine import TorchEngine
from BrainTumorSegLib.inference.ensemble import predict_volume
from BrainTumorSegLib.inference.tta import TTA_SETS
from BrainTumorSegLib.preprocessing.model_grid import RECIPES, stack_slices


@pytest.fixture
def sent(monkeypatch):
    """What a device was given, in numbers of voxels, where any device is the CPU."""
    sizes = []

    def stay(tensor, device):
        sizes.append(tensor.numel())
        return tensor

    monkeypatch.setattr(feeding, "send", stay)
    return sizes


def volumes(sequences=tuple(Sequence), shape=(7, 32, 64)):
    rng = np.random.default_rng(1)
    return {s: rng.normal(size=shape).astype(np.float32) for s in sequences}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("sequences", [tuple(Sequence), (Sequence.T1CE,)], ids=["all", "T1CE"])
def test_stacking_on_the_device_gives_the_bits_of_stacking_on_the_host(recipe, sequences):
    scans = volumes(sequences)
    feed = device_batches(scans, recipe, "cpu")
    for indices in (np.array([0, 1]), np.array([6]), np.array([5, 2, 3]), np.arange(7)):
        expected = stack_slices(scans, recipe, indices)
        assert np.array_equal(feed(indices).numpy(), expected)


def test_cuda_gets_each_volume_once_and_then_only_numbers_of_slices(sent):
    scans = volumes()
    feed = slice_batches(scans, "wide", "cuda:1")
    assert sent == [7 * 32 * 64] * 3
    for _ in range(2):
        assert np.array_equal(feed(np.array([2, 3])), stack_slices(scans, "wide", [2, 3]))
    assert sent[3:] == [2] * 6


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_other_devices_get_what_the_host_has_stacked(sent, device):
    scans = volumes()
    feed = slice_batches(scans, "wide", device)
    assert sent == []
    assert np.array_equal(feed(np.array([2, 3])), stack_slices(scans, "wide", [2, 3]))
    assert sent == [2 * 9 * 32 * 64]


def test_the_host_stacks_where_the_volumes_do_not_fit(monkeypatch):
    def only_small(tensor, device):
        if tensor.numel() > 9 * 32 * 64:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return tensor

    scans = volumes(shape=(10, 32, 64))
    monkeypatch.setattr(feeding, "send", only_small)
    feed = slice_batches(scans, "wide", "cuda")
    assert np.array_equal(feed(np.array([4])), stack_slices(scans, "wide", [4]))


class Parcel:
    """Stands for a tensor, and says how it was sent."""

    def __init__(self, may_be_pinned=True, pinned=False) -> None:
        self.may_be_pinned, self.pinned = may_be_pinned, pinned

    def pin_memory(self):
        if not self.may_be_pinned:
            raise RuntimeError("cudaHostAlloc failed")
        return Parcel(pinned=True)

    def to(self, device, non_blocking=False):
        return self.pinned, str(device), non_blocking


def test_only_cuda_is_sent_to_from_locked_memory_and_without_waiting():
    assert send(Parcel(), "cuda:1") == (True, "cuda:1", True)
    assert send(Parcel(), "cpu") == (False, "cpu", False)
    assert send(Parcel(), "mps") == (False, "mps", False)


def test_what_cannot_be_locked_is_sent_all_the_same():
    assert send(Parcel(may_be_pinned=False), "cuda") == (False, "cuda", True)


class Recording(TorchEngine):
    """A network that answers with its first channels; knows how many images came at once."""

    def __init__(self, reported: str = "cpu") -> None:
        super().__init__([torch.nn.Conv2d(9, 5, 3, padding=1)], "cpu")
        generator = torch.Generator().manual_seed(0)
        network = self._networks[0]
        network.weight.data = torch.randn(network.weight.shape, generator=generator)
        network.bias.data.zero_()
        self.device, self.seen = reported, []

    def predict(self, member, images):
        self.seen.append(len(images))
        return super().predict(member, images)


@pytest.mark.parametrize("views", TTA_SETS)
def test_a_run_that_stacks_on_the_device_gives_the_bits_of_one_that_does_not(sent, views):
    scans = volumes()
    there, here = Recording("cuda"), Recording()
    found, expected = (
        predict_volume(scans, "wide", TTA_SETS[views], engine, batch=4) for engine in (there, here)
    )
    assert np.array_equal(found.probabilities, expected.probabilities)
    assert np.array_equal(found.entropy, expected.entropy)
    assert there.seen == here.seen


@pytest.mark.parametrize(
    ("views", "at_once"),
    [("none", [7]), ("tta1", [8, 6]), ("tta2", [8, 8, 8, 4]), ("tta3", [8] * 6 + [4] * 2)],
)
def test_all_views_of_a_slice_that_are_of_one_shape_go_at_once_in_full_batches(views, at_once):
    engine = Recording()
    predict_volume(volumes(), "wide", TTA_SETS[views], engine, batch=8)
    assert engine.seen == at_once


def test_a_device_without_room_for_the_images_themselves_gets_fewer(monkeypatch):
    real = inference.slice_batches

    def narrow(*arguments):
        feed = real(*arguments)

        def give(indices):
            if len(indices) > 2:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return feed(indices)

        return give

    expected = predict_volume(volumes(), "wide", TTA_SETS["tta1"], Recording(), batch=4)
    monkeypatch.setattr(inference, "slice_batches", narrow)
    # torch 2.4, the oldest that is allowed, has it in torch.cuda only.
    monkeypatch.delattr(torch, "OutOfMemoryError")
    found = predict_volume(volumes(), "wide", TTA_SETS["tta1"], Recording(), batch=16)
    assert found.batch == 4 and "halved to 8" in found.notes[0]
    assert np.array_equal(found.probabilities, expected.probabilities)
