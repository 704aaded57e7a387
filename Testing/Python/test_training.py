"""Training can be trusted: what it learns from, resuming, and refusing bad data."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from toy_cases import BIT, CORE, TINY, toy_volume

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.preprocessing.model_grid import channel_sequences
from BrainTumorSegLib.training import trainer
from BrainTumorSegLib.training.augment import AugmentationConfig, augment
from BrainTumorSegLib.training.cohort import read_cohort
from BrainTumorSegLib.training.config import FORMER_KEYS, TrainingConfig
from BrainTumorSegLib.training.dataset import SliceSampler, TrainingData, step_seed
from BrainTumorSegLib.training.trainer import train_member
from BrainTumorSegLib.training.volumes import load_volume, prepare_volume, separate_core


@pytest.fixture
def toy_volumes():
    return [toy_volume("a", 0), toy_volume("b", 1)]


def trained(volumes, config, folder, **more):
    """Weights of a short run."""
    return train_member(TrainingData(volumes), config, folder, **more).state


# --- runs ----------------------------------------------------------------------------------


def test_another_seed_gives_other_weights(toy_volumes, tmp_path):
    one = trained(toy_volumes, replace(TINY, steps=2), tmp_path / "one")
    other = trained(toy_volumes, replace(TINY, steps=2, seed=1), tmp_path / "other")
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_a_checkpoint_of_another_configuration_is_not_continued(toy_volumes, tmp_path):
    trained(toy_volumes, replace(TINY, steps=1), tmp_path)
    with pytest.raises(TrainingError, match="another configuration"):
        trained(toy_volumes, TINY, tmp_path)


def test_training_lowers_the_loss_on_what_it_sees(toy_volumes, tmp_path):
    config = replace(TINY, steps=60, warmup=5, checkpoint_every=10)
    trained(toy_volumes, config, tmp_path)
    rows = (tmp_path / "log.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert losses[-1] < 0.7 * losses[0]


def test_a_loss_that_is_not_finite_stops_the_run(toy_volumes, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "loss_of", lambda _: lambda *_: torch.tensor(float("nan")))
    with pytest.raises(TrainingError, match="nan"):
        trained(toy_volumes, TINY, tmp_path)


def test_a_configuration_survives_its_journey_through_json_and_is_read_as_0_1_wrote_it():
    fields = TINY.as_dict()
    assert TrainingConfig.from_dict(fields) == TINY
    for old, new in FORMER_KEYS.items():
        fields[old] = fields.pop(new)
    assert TrainingConfig.from_dict(fields) == TINY


# --- batches -------------------------------------------------------------------------------


def test_a_batch_depends_on_seed_and_step_alone(toy_volumes):
    first, again = (SliceSampler(TrainingData(toy_volumes), TINY) for _ in range(2))
    first.batch(0)
    for a, b in zip(first.batch(7), again.batch(7), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.batch(7)[0], first.batch(8)[0])


def test_a_date_makes_a_seed():
    config = replace(TINY, seed=20261123)
    seeds = {step_seed(config, step, rank) for step in range(3) for rank in range(2)}
    assert len(seeds) == 6
    torch.Generator().manual_seed(max(seeds))


def test_most_slices_of_a_batch_show_tumour(toy_volumes):
    sampler = SliceSampler(TrainingData(toy_volumes), replace(TINY, batch=64, tumor_share=1.0))
    _, allowed = sampler.batch(0)
    assert (allowed != BIT[Tissue.BACKGROUND]).flatten(1).any(dim=1).float().mean() > 0.9


def test_a_crop_larger_than_the_slice_is_padded_with_background(toy_volumes):
    images, allowed = SliceSampler(TrainingData(toy_volumes), replace(TINY, crop=(64, 64))).batch(0)
    assert images.shape[2:] == allowed.shape[1:] == (64, 64)
    assert (allowed[:, :10] == BIT[Tissue.BACKGROUND]).all() and (images[:, :, :10] == 0).all()


@pytest.mark.parametrize("name", ["mixture", "neighbours", "wide"])
def test_every_choice_of_input_channels_trains(toy_volumes, tmp_path, name):
    channels = len(channel_sequences(name))
    config = replace(
        TINY, input_channels=name, steps=2, network=replace(TINY.network, in_channels=channels)
    )
    assert trained(toy_volumes, config, tmp_path)


# --- augmentation --------------------------------------------------------------------------

STILL = AugmentationConfig(**dict.fromkeys(asdict(AugmentationConfig()), 0))


def batch_of(n=4, height=32, width=24):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n, 3, height, width, generator=generator)
    allowed = torch.full((n, height, width), BIT[Tissue.BACKGROUND], dtype=torch.uint8)
    allowed[:, 8:16, 4:12] = CORE
    allowed[:, 10:12, 6:8] = BIT[Tissue.ENHANCING]
    return images, allowed


def augmented(config, seed=0, input_channels="mixture", **batch):
    images, allowed = batch_of(**batch)
    generator = torch.Generator().manual_seed(seed)
    return augment(images, allowed, channel_sequences(input_channels), config, generator)


def test_augmentation_of_strength_zero_changes_nothing():
    images, allowed = augmented(STILL)
    before_images, before_allowed = batch_of()
    assert torch.allclose(images, before_images, atol=1e-5)
    assert torch.equal(allowed, before_allowed)


def test_augmentation_repeats_exactly_from_its_seed():
    config = AugmentationConfig()
    for one, other in zip(augmented(config, 3), augmented(config, 3), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(augmented(config, 3)[0][:, :, :4], augmented(config, 5)[0][:, :, :4])


def test_labels_keep_their_bits_and_no_voxel_is_left_without_a_tissue():
    for seed in range(10):
        _, allowed = augmented(AugmentationConfig(), seed)
        assert set(allowed.unique().tolist()) <= {
            BIT[Tissue.BACKGROUND],
            CORE,
            BIT[Tissue.ENHANCING],
        }


def test_a_mirrored_batch_is_the_exact_mirror_image_with_its_labels():
    images, allowed = augmented(replace(STILL, mirror=1.0))
    before_images, before_allowed = batch_of()
    assert torch.allclose(images, before_images.flip(3), atol=1e-5)
    assert torch.equal(allowed, before_allowed.flip(2))


def test_rotation_keeps_images_and_labels_together_on_slices_that_are_not_square():
    n, height, width = 8, 64, 40
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inside = ((rows - 31.5) / 20) ** 2 + ((columns - 19.5) / 10) ** 2 < 1
    allowed = torch.where(inside, BIT[Tissue.EDEMA], BIT[Tissue.BACKGROUND]).to(torch.uint8)
    images = inside.float().expand(n, 3, height, width).clone()
    config = replace(STILL, rotation_degrees=30, scale=0.1, shift_pixels=4)
    moved, labels = augment(
        images,
        allowed.expand(n, height, width).clone(),
        channel_sequences("mixture"),
        config,
        torch.Generator().manual_seed(1),
    )
    agree = (moved[:, 0] > 0.5) == (labels == BIT[Tissue.EDEMA])
    assert agree.float().mean() > 0.99
    # A rotation that ignored the aspect ratio would change the ellipse's area.
    areas = (labels == BIT[Tissue.EDEMA]).flatten(1).sum(1) / inside.sum()
    assert areas.min() > 0.78 and areas.max() < 1.27


def test_the_outside_of_the_brain_stays_zero_whatever_happens_to_intensities():
    images, allowed = batch_of()
    images[:, :, :6] = 0
    config = replace(STILL, intensity=1, bias_field=1, noise=1, blur=1)
    changed, _ = augment(
        images, allowed, channel_sequences("mixture"), config, torch.Generator().manual_seed(0)
    )
    assert (changed[:, :, :6] == 0).all()


def test_shading_multiplies_what_the_scanner_measured_and_keeps_mean_and_spread():
    images, allowed = batch_of(64)
    images[:, :, :6] = 0
    config = replace(STILL, shading=1.0, shading_strength=0.4)
    shaded, labels = augment(
        images, allowed, channel_sequences("mixture"), config, torch.Generator().manual_seed(0)
    )
    brain = slice(6, None)
    assert (shaded[:, :, :6] == 0).all()
    assert torch.equal(labels, allowed)
    assert (shaded - images).abs().max() > 0.5
    for moment in (torch.mean, torch.std):
        before, after = (moment(x[:, :, brain], dim=(2, 3)) for x in (images, shaded))
        assert torch.allclose(before, after, atol=1e-2)


def test_shading_spares_the_slices_that_chance_leaves_out():
    shaded, _ = augmented(replace(STILL, shading=0.5, shading_strength=0.4), n=64)
    changed = (shaded - batch_of(64)[0]).flatten(1).abs().amax(1) > 1e-3
    assert 15 < changed.sum() < 49


def test_a_slice_without_brain_survives_shading():
    images, allowed = torch.zeros(2, 3, 32, 32), torch.ones(2, 32, 32, dtype=torch.uint8)
    config = replace(STILL, shading=1.0, shading_strength=0.4)
    shaded, _ = augment(
        images, allowed, channel_sequences("mixture"), config, torch.Generator().manual_seed(0)
    )
    assert torch.equal(shaded, images)


def test_a_deformation_moves_images_and_labels_together_and_smoothly():
    n, side = 16, 96
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    inside = (rows - 47.5) ** 2 + (columns - 47.5) ** 2 < 28**2
    allowed = torch.where(inside, BIT[Tissue.EDEMA], BIT[Tissue.BACKGROUND]).to(torch.uint8)
    moved, labels = augment(
        inside.float().expand(n, 3, side, side).clone(),
        allowed.expand(n, side, side).clone(),
        channel_sequences("mixture"),
        replace(STILL, deformation_pixels=2.5),
        torch.Generator().manual_seed(1),
    )
    tumor = labels == BIT[Tissue.EDEMA]
    assert ((moved[:, 0] > 0.5) == tumor).float().mean() > 0.99
    overlap = 2 * (tumor & inside).flatten(1).sum(1) / (tumor.flatten(1).sum(1) + inside.sum())
    assert (overlap == 1).any(), "half of the slices stay as they are"
    assert (overlap < 0.98).any() and overlap.min() > 0.75


def test_dropping_sequences_takes_t1_or_flair_never_both_and_never_t1ce():
    images, _ = augmented(replace(STILL, drop_sequence=1.0), n=32)
    gone = (images == 0).flatten(2).all(dim=2)
    order = list(Sequence)
    assert not gone[:, order.index(Sequence.T1CE)].any()
    assert (gone.sum(dim=1) == 1).all()
    assert gone[:, order.index(Sequence.T1)].any() and gone[:, order.index(Sequence.FLAIR)].any()


def test_a_sequence_that_was_not_taken_stays_zero_and_changes_nothing_else():
    config = AugmentationConfig(drop_sequence=0.0, shading=0.5)
    shown = channel_sequences("mixture")
    images, allowed = batch_of(16)
    whole, _ = augment(images, allowed, shown, config, torch.Generator().manual_seed(0))
    images[:, 2] = 0
    without, _ = augment(images, allowed, shown, config, torch.Generator().manual_seed(0))
    assert not without[:, 2].any()
    assert torch.equal(without[:, :2], whole[:, :2])


def test_input_of_one_sequence_never_loses_a_channel():
    images, _ = augmented(replace(STILL, drop_sequence=1.0), input_channels="neighbours")
    assert not (images == 0).flatten(2).all(dim=2).any()


# --- weak labels ---------------------------------------------------------------------------


def ring_case(with_rim=True):
    allowed = np.full((5, 40, 40), BIT[Tissue.BACKGROUND], np.uint8)
    rows, columns = np.ogrid[:40, :40]
    radius = np.hypot(rows - 20, columns - 20)
    allowed[1:4, radius < 8] = CORE
    if with_rim:
        allowed[1:4, (radius >= 8) & (radius < 10)] = BIT[Tissue.ENHANCING]
    allowed[2, 30:33, 5:8] = CORE
    return allowed


def test_core_inside_an_enhancing_rim_is_necrosis_and_core_outside_stays_undecided():
    narrowed = separate_core(ring_case(), (1.0, 1.0, 1.0))
    assert (narrowed[2, 15:25, 15:25] == BIT[Tissue.NECROSIS]).all()
    assert (narrowed[2, 30:33, 5:8] == CORE).all()


def test_the_core_of_a_tumour_that_does_not_enhance_is_non_enhancing():
    narrowed = separate_core(ring_case(with_rim=False), (1.0, 1.0, 1.0))
    assert not (narrowed == CORE).any()
    assert (narrowed[2, 20, 20] == BIT[Tissue.NON_ENHANCING]).all()


def test_labels_that_are_certain_are_never_changed():
    allowed = ring_case()
    narrowed = separate_core(allowed, (1.0, 1.0, 1.0))
    assert (narrowed[allowed != CORE] == allowed[allowed != CORE]).all()


# --- real cases ----------------------------------------------------------------------------


def test_the_real_cohort_has_31_cases_in_five_folds(real_data):
    cases = read_cohort(real_data)
    assert len(cases) == 31 and {case.fold for case in cases} == {0, 1, 2, 3, 4}


def test_a_real_case_keeps_every_tumour_voxel_on_its_model_grid(real_data, tmp_path):
    case = next(c for c in read_cohort(real_data) if c.name == "Brats15_2013_pat0001")
    volume = prepare_volume(case)
    counts = {bit: int((volume.allowed == bit).sum()) for bit in BIT.values()}
    assert counts[BIT[Tissue.NECROSIS]] == 26371 and counts[BIT[Tissue.EDEMA]] == 53050
    assert counts[BIT[Tissue.NON_ENHANCING]] == 818 and counts[BIT[Tissue.ENHANCING]] == 31485
    inside = volume.scans[0] != 0
    assert abs(float(volume.scans[0][inside].astype(np.float32).mean())) < 0.01
    stored = load_volume(case, tmp_path)
    again = load_volume(case, tmp_path)
    assert np.array_equal(stored.scans, volume.scans)
    assert np.array_equal(again.allowed, volume.allowed)
