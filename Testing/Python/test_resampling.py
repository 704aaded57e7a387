"""Labels and maps come back to the reference as if all of it had been computed."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.masks import mask_box, whole_box
from BrainTumorSegLib.inference.labels import decode_labels
from BrainTumorSegLib.inference.resampling import labels_on_reference, map_on_reference
from BrainTumorSegLib.preprocessing.model_grid import model_grid, restore


def tilted_reference(spacing=(0.9, 1.1, 2.5), size=(50, 44, 20)) -> sitk.Image:
    image = sitk.Image(size, sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetOrigin((-30.0, 12.0, 400.0))
    turn = sitk.VersorRigid3DTransform((0.2, 0.9, 0.3), np.radians(12))
    image.SetDirection(turn.GetMatrix())
    return image


def ball(reference: sitk.Image, center=(26, 20, 11), radius=14.0) -> sitk.Image:
    distance = sitk.PhysicalPointSource(sitk.sitkVectorFloat64, *geometry(reference))
    points = sitk.GetArrayFromImage(distance)
    middle = np.array(reference.TransformIndexToPhysicalPoint(center))
    mask = sitk.GetImageFromArray(
        (np.linalg.norm(points - middle, axis=-1) < radius).astype(np.uint8)
    )
    mask.CopyInformation(reference)
    return mask


def geometry(image: sitk.Image) -> tuple:
    return image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection()


@pytest.fixture(params=["tilted", "straight"])
def scene(request):
    reference = tilted_reference()
    if request.param == "straight":
        reference.SetSpacing((1.0, 1.0, 1.0))
        reference.SetDirection(np.eye(3).ravel().tolist())
    brain = ball(reference)
    return reference, brain, model_grid(reference, brain)


def random_probabilities(shape, seed=0) -> np.ndarray:
    raw = np.random.default_rng(seed).random((5, *shape)).astype(np.float32)
    return raw / raw.sum(axis=0)


def test_labels_are_those_of_the_whole_reference_cut_to_the_brain(scene):
    reference, brain, grid = scene
    probabilities = random_probabilities(grid.shape)
    labels, none = labels_on_reference(probabilities, grid, reference, brain)
    whole = np.stack(list(restore(probabilities, grid, reference)))
    inside = sitk.GetArrayFromImage(brain) > 0
    found = sitk.GetArrayFromImage(labels)
    sure = np.ones(inside.shape, bool)  # where the two ways of resampling cannot differ
    for nudge in (-1e-5, 1e-5):
        for tissue in range(5):
            nudged = whole.copy()
            nudged[tissue] += nudge
            sure &= decode_labels(nudged) == decode_labels(whole)
    assert none is None and labels.GetPixelID() == sitk.sitkUInt8
    assert geometry(labels) == geometry(reference)
    assert np.array_equal(found[inside & sure], decode_labels(whole)[inside & sure])
    assert (inside & sure).sum() > 0.999 * inside.sum() > 1000
    assert not found[~inside].any() and len(np.unique(found)) == 5


def test_probabilities_that_are_kept_cover_the_whole_reference(scene):
    reference, brain, grid = scene
    probabilities = random_probabilities(grid.shape)
    labels, kept = labels_on_reference(
        probabilities, grid, reference, brain, keep_probabilities=True
    )
    expected = np.stack(list(restore(probabilities, grid, reference)), axis=-1)
    assert geometry(kept) == geometry(reference)
    assert np.array_equal(sitk.GetArrayFromImage(kept), expected)
    alone, _ = labels_on_reference(probabilities, grid, reference, brain)
    differ = sitk.GetArrayFromImage(alone) != sitk.GetArrayFromImage(labels)
    assert differ.mean() < 1e-4


def test_a_map_is_that_of_the_whole_reference_cut_to_the_brain(scene):
    reference, brain, grid = scene
    values = random_probabilities(grid.shape)[0]
    image = map_on_reference(values, grid, reference, brain)
    whole = sitk.Resample(grid.image(values), reference, sitk.Transform(), sitk.sitkLinear, 0.0)
    inside = sitk.GetArrayFromImage(brain) > 0
    found = sitk.GetArrayFromImage(image)
    assert geometry(image) == geometry(reference) and found.dtype == np.float32
    np.testing.assert_allclose(found[inside], sitk.GetArrayFromImage(whole)[inside], atol=1e-5)
    assert not found[~inside].any()


def test_a_box_is_tight_and_stays_in_its_place():
    reference = tilted_reference()
    mask = sitk.Image(reference.GetSize(), sitk.sitkUInt8)
    mask.CopyInformation(reference)
    mask[3, 40, 7] = 1
    mask[49, 41, 9] = 1
    box = mask_box(mask)
    assert box.slices == (slice(7, 10), slice(40, 42), slice(3, 50))
    part = box.cut(reference)
    assert part.GetSize() == (47, 2, 3)
    assert part.GetOrigin() == pytest.approx(reference.TransformIndexToPhysicalPoint((3, 40, 7)))
    assert whole_box(reference).cut(reference).GetSize() == reference.GetSize()
