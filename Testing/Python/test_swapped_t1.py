"""T1 and T1CE given the wrong way round, on real scans."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.io.volumes import read_image
from BrainTumorSegLib.preprocessing.swapped_t1 import contrast_scores, t1_t1ce_swapped


def voxels(path):
    return sitk.GetArrayFromImage(read_image(path))


def pair(folder):
    """T1, T1CE and brain mask of a scan pair without skull, cut to the brain's box."""
    t1, t1ce = (voxels(folder / f"{folder.name}_{name}.nii.gz") for name in ("t1", "t1ce"))
    brain = (t1 > 0) & (t1ce > 0)
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    return t1[box], t1ce[box], brain[box]


@pytest.fixture(scope="module")
def verdicts(real_data):
    """For every real pair without skull: the verdict in the right order and when swapped."""
    folders = [*sorted((real_data / "brats").iterdir()), real_data / "ms_control" / "patient07"]
    found = {}
    for folder in folders:
        t1, t1ce, brain = pair(folder)
        found[folder.name] = t1_t1ce_swapped(t1, t1ce, brain), t1_t1ce_swapped(t1ce, t1, brain)
    return found


@pytest.fixture(scope="module")
def enhancing(real_data):
    return pair(real_data / "brats" / "Brats18_CBICA_ABM_1")


def test_no_real_pair_in_the_right_order_raises_an_alarm(verdicts):
    assert len(verdicts) >= 32
    assert [name for name, (right, _) in verdicts.items() if right] == []


def test_nine_of_ten_swapped_real_pairs_are_noticed(verdicts):
    assert np.mean([swapped for _, swapped in verdicts.values()]) >= 0.9


def test_a_clinical_pair_as_scanned_is_judged_rightly(real_data):
    deepbet, nibabel = pytest.importorskip("deepbet.bet"), pytest.importorskip("nibabel")
    folder = real_data / "clinical" / "TCGA-FG-6692"
    t1, t1ce = voxels(folder / "T1_AX.nii.gz"), voxels(folder / "T1_AX_POST_GAD.nii.gz")
    scan = nibabel.load(folder / "T1_AX.nii.gz")
    mask = np.asarray(deepbet.BrainExtraction(no_gpu=True).run(scan)[1].dataobj) > 0.5
    brain = mask.transpose(2, 1, 0)
    assert not t1_t1ce_swapped(t1, t1ce, brain)
    assert t1_t1ce_swapped(t1ce, t1, brain)


def test_scores_change_sign_when_the_scans_change_places(enhancing):
    t1, t1ce, brain = enhancing
    right, wrong = contrast_scores(t1, t1ce, brain), contrast_scores(t1ce, t1, brain)
    np.testing.assert_allclose(right, np.negative(wrong), rtol=1e-9)


def test_scores_do_not_depend_on_the_unit_of_either_scan(enhancing):
    t1, t1ce, brain = enhancing
    rescaled = contrast_scores(7.0 * t1 + 300, 0.01 * t1ce - 5, brain)
    np.testing.assert_allclose(rescaled, contrast_scores(t1, t1ce, brain), rtol=1e-4)


def test_unlike_bias_fields_and_a_shift_raise_no_alarm(real_data):
    random = np.random.default_rng(3)
    for name in ("BraTS2021_01477", "BraTS2021_01479", "Brats18_TCIA10_628_1"):
        t1, t1ce, brain = pair(real_data / "brats" / name)
        field = ndimage.zoom(random.normal(0, 1, (4, 4, 4)), np.array(t1.shape) / 4, order=1)
        uneven = t1ce * np.exp(0.3 * field / np.abs(field).max())
        assert not t1_t1ce_swapped(t1, uneven, brain)
        assert not t1_t1ce_swapped(t1, ndimage.shift(t1ce.astype(np.float32), 0.7, order=1), brain)


def test_two_plain_scans_without_contrast_raise_no_alarm():
    random = np.random.default_rng(0)
    head = random.normal(100, 10, (40, 50, 50))
    noisy = head + random.normal(0, 3, head.shape)
    assert not t1_t1ce_swapped(head, noisy, np.ones(head.shape, bool))
    assert not t1_t1ce_swapped(noisy, head, np.ones(head.shape, bool))


@pytest.mark.parametrize(
    "brain", [np.zeros((20, 20, 20)), np.pad(np.ones((2, 2, 2)), 9)], ids=["none", "tiny"]
)
def test_too_little_brain_to_judge_raises_no_alarm(brain):
    values = np.random.default_rng(0).gamma(2, 1, (20, 20, 20))
    assert contrast_scores(values, values[::-1], brain) is None
    assert not t1_t1ce_swapped(values, values[::-1], brain)


def test_constant_scans_raise_no_alarm():
    flat, brain = np.full((20, 20, 20), 3.0), np.ones((20, 20, 20), bool)
    assert not t1_t1ce_swapped(flat, np.random.default_rng(0).normal(size=flat.shape), brain)
    assert not t1_t1ce_swapped(flat, flat, brain)
