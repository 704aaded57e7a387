"""The ensemble: averaging, views, disagreement, and running out of memory."""

from __future__ import annotations

import gc
import math
import weakref
from functools import partial

import numpy as np
import pytest
import torch

from BrainTumorSegLib.core.errors import Cancelled, DeviceError
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.engines.ready_members import ModelCache
from BrainTumorSegLib.inference.engines.torch_engine import CPU_BATCH, TorchEngine, choose_device
from BrainTumorSegLib.inference.ensemble import normalized_entropy, predict_volume
from BrainTumorSegLib.inference.tta import TTA_SETS
from BrainTumorSegLib.preprocessing.model_grid import stack_slices

CLASSES = 5


class PointwiseNetwork(torch.nn.Module):
    """An equivariant toy: each pixel's logits depend on that pixel's channels alone."""

    def __init__(self, seed: int = 0, channels: int = 3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.mix = torch.nn.Conv2d(channels, CLASSES, 1)
        self.mix.weight.data = torch.randn(CLASSES, channels, 1, 1, generator=generator)
        self.mix.bias.data = torch.randn(CLASSES, generator=generator)

    def forward(self, images):
        return self.mix(images)


class ConstantNetwork(torch.nn.Module):
    """Says the same class everywhere, with a given certainty."""

    def __init__(self, winner: int, logit: float = 50.0) -> None:
        super().__init__()
        self.winner, self.logit = winner, logit

    def forward(self, images):
        logits = torch.zeros(len(images), CLASSES, *images.shape[2:])
        logits[:, self.winner] = self.logit
        return logits


class ColumnNetwork(torch.nn.Module):
    """Not equivariant: class 1 on the left half of what it is shown, class 2 on the right."""

    def forward(self, images):
        logits = torch.zeros(len(images), CLASSES, *images.shape[2:])
        half = images.shape[3] // 2
        logits[:, 1, :, :half] = 60.0
        logits[:, 2, :, half:] = 60.0
        return logits


class ForgetfulEngine(TorchEngine):
    """Runs out of memory above a number of images at once."""

    def __init__(self, networks, most: int, device_name: str = "cuda") -> None:
        super().__init__(networks, "cpu")
        self.most, self.reported = most, device_name
        self.largest = 0

    def predict(self, member, images):
        if len(images) > self.most:
            raise MemoryError("no room")
        self.largest = max(self.largest, len(images))
        return super().predict(member, images)


def random_volumes(shape=(7, 32, 64), seed=1):
    rng = np.random.default_rng(seed)
    return {s: rng.normal(size=shape).astype(np.float32) for s in Sequence}


@pytest.mark.parametrize("views", TTA_SETS)
def test_an_equivariant_network_gives_the_same_answer_from_every_set_of_views(views):
    volumes = random_volumes()
    engine = TorchEngine([PointwiseNetwork()])
    plain = predict_volume(volumes, "mixture", TTA_SETS["none"], engine)
    seen = predict_volume(volumes, "mixture", TTA_SETS[views], engine)
    np.testing.assert_allclose(seen.probabilities, plain.probabilities, atol=1e-6)


def test_views_of_a_network_that_is_not_equivariant_are_averaged_after_undoing():
    engine = TorchEngine([ColumnNetwork()])
    volumes = random_volumes((2, 32, 64))
    seen = predict_volume(volumes, "mixture", TTA_SETS["tta1"], engine)
    # The mirrored look says the opposite of the plain one everywhere.
    np.testing.assert_allclose(seen.probabilities[1], 0.5, atol=1e-6)
    np.testing.assert_allclose(seen.probabilities[2], 0.5, atol=1e-6)


def test_probabilities_are_the_mean_over_members():
    members = [PointwiseNetwork(seed) for seed in range(3)]
    volumes = random_volumes()
    together = predict_volume(volumes, "mixture", TTA_SETS["tta2"], TorchEngine(members))
    alone = [
        predict_volume(volumes, "mixture", TTA_SETS["tta2"], TorchEngine([m])).probabilities
        for m in members
    ]
    np.testing.assert_allclose(together.probabilities, np.mean(alone, axis=0), atol=1e-6)
    np.testing.assert_allclose(together.probabilities.sum(axis=0), 1.0, atol=1e-5)


def test_the_batch_size_does_not_change_the_answer():
    volumes = random_volumes()
    engine = TorchEngine([PointwiseNetwork(3, channels=9)])
    answers = [
        predict_volume(volumes, "wide", TTA_SETS["tta3"], engine, batch=b).probabilities
        for b in (1, 3, 8, 64)
    ]
    for other in answers[1:]:
        np.testing.assert_allclose(other, answers[0], atol=1e-6)


def test_members_that_contradict_each_other_have_high_mutual_information():
    volumes = random_volumes((2, 32, 32))
    engine = TorchEngine([ConstantNetwork(1), ConstantNetwork(2)])
    torn = predict_volume(volumes, "mixture", TTA_SETS["none"], engine)
    expected = math.log(2) / math.log(CLASSES)
    np.testing.assert_allclose(torn.entropy, expected, atol=1e-4)
    np.testing.assert_allclose(torn.mutual_information, expected, atol=1e-4)


def test_members_that_are_equally_unsure_have_entropy_but_no_mutual_information():
    volumes = random_volumes((2, 32, 32))
    engine = TorchEngine([ConstantNetwork(1, 0.0), ConstantNetwork(2, 0.0)])
    unsure = predict_volume(volumes, "mixture", TTA_SETS["none"], engine)
    np.testing.assert_allclose(unsure.entropy, 1.0, atol=1e-5)
    np.testing.assert_allclose(unsure.mutual_information, 0.0, atol=1e-5)


def test_certain_probabilities_have_no_entropy_even_where_they_are_zero():
    certain = torch.zeros(1, CLASSES, 2, 2)
    certain[:, 0] = 1.0
    assert torch.equal(normalized_entropy(certain), torch.zeros(1, 2, 2))


def test_slices_without_brain_are_background_for_certain_and_are_not_computed():
    volumes = random_volumes((5, 32, 32))
    for volume in volumes.values():
        volume[[0, 3]] = 0.0
    seen = predict_volume(volumes, "mixture", TTA_SETS["none"], TorchEngine([ConstantNetwork(4)]))
    assert (seen.probabilities[0, [0, 3]] == 1).all()
    assert (seen.probabilities[4, [1, 2, 4]] > 0.99).all()
    assert (seen.entropy[[0, 3]] == 0).all()


def test_out_of_memory_halves_the_batch_and_the_record_says_so():
    engine = ForgetfulEngine([PointwiseNetwork()], most=3)
    progress = Progress()
    seen = predict_volume(
        random_volumes(), "mixture", TTA_SETS["none"], engine, batch=16, progress=progress
    )
    assert seen.batch == 2 and engine.largest == 2
    assert "halved to 8" in seen.notes[0] and len(seen.notes) == 3
    assert progress.warnings == list(seen.notes)
    plain = predict_volume(
        random_volumes(), "mixture", TTA_SETS["none"], TorchEngine([PointwiseNetwork()])
    )
    np.testing.assert_allclose(seen.probabilities, plain.probabilities, atol=1e-6)


def test_when_a_single_slice_does_not_fit_the_run_moves_to_the_cpu_and_says_so():
    networks = [PointwiseNetwork()]
    engine = ForgetfulEngine(networks, most=0)
    engine.device = "meta"  # any name other than the fallback's
    volumes = random_volumes()

    def images_stay_on_the_cpu(*_args, **_kwargs):
        raise MemoryError("no room on the device")

    engine.predict = images_stay_on_the_cpu
    seen = predict_volume(
        volumes,
        "mixture",
        TTA_SETS["tta1"],
        engine,
        fallback=lambda: TorchEngine(networks, "cpu"),
        batch=2,
    )
    assert seen.engine.device == "cpu" and seen.batch == CPU_BATCH
    assert "moved to the CPU" in seen.notes[-1]
    plain = predict_volume(volumes, "mixture", TTA_SETS["tta1"], TorchEngine(networks))
    np.testing.assert_allclose(seen.probabilities, plain.probabilities, atol=1e-6)


def test_when_not_even_the_cpu_has_room_the_error_names_the_remedy():
    engine = ForgetfulEngine([PointwiseNetwork()], most=0)
    with pytest.raises(DeviceError, match="fewer members"):
        predict_volume(
            random_volumes(),
            "mixture",
            TTA_SETS["none"],
            engine,
            fallback=lambda: ForgetfulEngine([PointwiseNetwork()], most=0),
        )


def test_torch_s_own_out_of_memory_errors_become_memory_errors():
    class Greedy(torch.nn.Module):
        def forward(self, images):
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")

    with pytest.raises(MemoryError):
        TorchEngine([Greedy()]).predict(0, torch.zeros(1, 3, 32, 32))


def test_other_errors_of_a_network_are_not_taken_for_lack_of_memory():
    class Broken(torch.nn.Module):
        def forward(self, images):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        TorchEngine([Broken()]).predict(0, torch.zeros(1, 3, 32, 32))


def test_a_run_stops_between_batches_when_it_is_cancelled():
    token = CancelToken()
    seen = []

    def stop_at_the_second_slice(event):
        seen.append(event.step)
        if event.step >= 2:
            token.cancel()

    with pytest.raises(Cancelled):
        predict_volume(
            random_volumes(),
            "mixture",
            TTA_SETS["none"],
            TorchEngine([PointwiseNetwork()]),
            batch=1,
            progress=Progress(sinks=(stop_at_the_second_slice,), cancel=token),
        )
    assert max(seen) == 2


@pytest.mark.parametrize(("limit", "together"), [(0, 1), (200, 2), (10**6, 3)])
def test_on_the_cpu_members_are_in_memory_as_far_as_there_is_room(limit, together):
    engine = TorchEngine([partial(PointwiseNetwork, seed) for seed in range(3)])
    engine._held = ModelCache(limit)  # each takes 80 bytes
    shown = torch.ones(1, 3, 8, 8)
    answers = [engine.predict(member, shown) for member in (0, 1, 2)]
    assert len(engine._held) == together
    for member in (2, 0, 1):
        assert torch.equal(engine.predict(member, shown), answers[member])


def test_large_members_are_in_memory_one_at_a_time_and_each_is_loaded_once():
    alive, loaded = weakref.WeakSet(), []

    def loader(seed):
        def load():
            gc.collect()
            assert not alive, "the member before was still in memory"
            network = PointwiseNetwork(seed)
            alive.add(network)
            loaded.append(seed)
            return network

        return load

    volumes = random_volumes()
    engine = TorchEngine([loader(seed) for seed in range(3)])
    engine._held = ModelCache(0)
    assert loaded == [] and engine.members == 3
    seen = predict_volume(volumes, "mixture", TTA_SETS["tta3"], engine, batch=4)
    assert loaded == [0, 1, 2]
    held = TorchEngine([PointwiseNetwork(seed) for seed in range(3)])
    expected = predict_volume(volumes, "mixture", TTA_SETS["tta3"], held, batch=4)
    assert np.array_equal(seen.probabilities, expected.probabilities)


def test_sums_of_members_are_the_bits_that_a_plain_loop_gives():
    """One slice after the other, all members at each: the order of adding is the same."""
    volumes, views = random_volumes(), TTA_SETS["tta2"]
    engine = TorchEngine([PointwiseNetwork(seed) for seed in range(3)])
    seen = predict_volume(volumes, "mixture", views, engine, batch=4)
    for number in range(7):
        images = torch.from_numpy(stack_slices(volumes, "mixture", [number]))
        shown = torch.cat([view.apply(images) for view in views])
        mean, entropy = 0, 0
        for member in range(3):
            answers = engine.predict(member, shown).chunk(4)
            own = sum(view.undo(a) for view, a in zip(views, answers, strict=True)) / 4
            mean, entropy = mean + own, entropy + normalized_entropy(own)
        mean = mean / 3
        assert np.array_equal(seen.probabilities[:, number], mean[0].numpy())
        assert np.array_equal(seen.entropy[number], normalized_entropy(mean)[0].numpy())
        information = (normalized_entropy(mean) - entropy / 3).clamp(min=0)[0].numpy()
        assert np.array_equal(seen.mutual_information[number], information)


def test_the_same_run_gives_the_same_bits():
    engine = TorchEngine([PointwiseNetwork(5)])
    first, second = (
        predict_volume(random_volumes(), "mixture", TTA_SETS["tta3"], engine) for _ in range(2)
    )
    assert np.array_equal(first.probabilities, second.probabilities)


@pytest.mark.parametrize(
    "wish", ["cuda:99", "mps" if not torch.backends.mps.is_available() else "xpu"]
)
def test_a_device_that_is_not_there_is_refused_with_a_remedy(wish):
    with pytest.raises(DeviceError, match="cpu"):
        choose_device(wish)


def test_a_device_nobody_knows_is_refused():
    with pytest.raises(DeviceError, match="Unknown device"):
        choose_device("quantum")


def test_auto_chooses_a_device_that_is_there():
    assert choose_device("auto") in {"cuda", "mps", "cpu"}
    assert choose_device("cpu") == "cpu"
