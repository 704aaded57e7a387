"""Scans without skull are recognised, and those with one are not taken for stripped."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from brain_phantoms import (
    ALIGNED,
    CENTER,
    IDENTITY,
    ORIENTATIONS,
    Toy,
    array,
    blank,
    case_of,
    clinical_study,
    deepbet_with_a_toy,
    depth,
    dice,
    head,
)
from voxel_positions import positions, with_values

from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.brain import extract_brain, mask_of_stripped_scan


@pytest.fixture
def toy(monkeypatch) -> Toy:
    return deepbet_with_a_toy(monkeypatch)


def test_a_stripped_head_is_recognised_and_a_whole_one_is_not():
    for number in (0, 17, 46):
        grid = blank(ORIENTATIONS[number], (2.0, 2.0, 4.0))
        found = mask_of_stripped_scan(head(grid, skull=False))
        assert np.array_equal(array(found), depth(grid) > 0)
        assert mask_of_stripped_scan(head(grid)) is None


@pytest.mark.parametrize("slices", [slice(None), slice(14, 24), slice(22, 30)])
def test_scalp_is_recognised_where_the_air_was_set_to_zero(slices):
    """Whole heads by their volume, slabs of the volume of a brain by the bright rim."""
    grid = blank(spacing=(2.0, 2.0, 4.0))
    whole = head(grid)
    values = np.where(depth(grid) > -16, array(whole), 0).astype(np.float32)
    assert mask_of_stripped_scan(with_values(values, grid)[:, :, slices]) is None
    stripped = head(grid, skull=False)[:, :, slices]
    assert mask_of_stripped_scan(stripped) is not None


def test_a_noisy_field_of_view_padded_with_zeros_is_no_brain():
    grid = blank(extent=260.0)
    values = array(head(grid))
    box = np.zeros(values.shape, bool)
    box[26:36, 10:-10, 10:-10] = True
    assert mask_of_stripped_scan(with_values(np.where(box, values, 0), grid)) is None


def test_stripped_scans_are_joined_on_the_reference(toy):
    grid = blank(spacing=(3.0, 3.0, 3.0))
    t1ce = head(grid, skull=False)
    shift = sitk.TranslationTransform(3, (7.0, -11.0, 5.0))
    elsewhere = CENTER + np.array([7.0, -11.0, 5.0])
    own = blank(ORIENTATIONS[33], (2.0, 4.0, 3.0), center=elsewhere)
    flair = head(own, skull=False, center=elsewhere)
    # One of them lacks a piece, another has a hole: together they are whole.
    values = array(t1ce)
    values[:, :, : values.shape[2] // 3] = 0
    values[30:34, 30:34, 40:44] = 0
    case = case_of(t1ce=with_values(values, grid), t1=t1ce, flair=flair)

    brain = extract_brain(case, {**ALIGNED, Sequence.FLAIR: shift})

    assert brain.method == "stripped" and brain.stripped and not toy.calls
    assert dice(array(brain), depth(grid) > 0) > 0.98


def test_a_flair_with_skull_beside_stripped_t1_is_left_out_with_a_warning(toy):
    grid = blank(spacing=(3.0, 3.0, 3.0))
    progress = Progress()
    case = case_of(
        t1=head(grid, skull=False), t1ce=head(grid, skull=False, seed=1), flair=head(grid, seed=2)
    )
    brain = extract_brain(case, ALIGNED, progress=progress)
    assert brain.stripped and any("FLAIR" in warning for warning in progress.warnings)
    assert np.array_equal(array(brain), depth(grid) > 0)


def test_a_stripped_flair_alone_does_not_decide(toy):
    toy.corner = False
    grid = blank(spacing=(3.0, 3.0, 3.0))
    case = case_of(t1=head(grid), t1ce=head(grid, seed=1), flair=head(grid, skull=False))
    assert extract_brain(case, ALIGNED).method == "deepbet"


def test_insisting_on_stripped_scans_that_are_not_is_refused():
    with pytest.raises(InputError, match="skull"):
        extract_brain(case_of(t1ce=head(blank())), ALIGNED, method="stripped")


# --- real scans ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clinical(real_data) -> Case:
    return clinical_study(real_data)


@pytest.fixture(scope="module")
def stripped_t1(real_data) -> sitk.Image:
    folder = real_data / "brats" / "Brats18_CBICA_ALU_1"
    return sitk.ReadImage(str(folder / f"{folder.name}_t1ce.nii.gz"))


def test_a_real_scan_with_skull_is_not_taken_for_stripped(clinical):
    for scan in clinical.scans.values():
        assert mask_of_stripped_scan(scan.image) is None


def without_air(image: sitk.Image) -> sitk.Image:
    """The scan with exact zeros around the head, as some scanners and tools write it."""
    image = sitk.Cast(image, sitk.sitkFloat32)
    threshold = 0.08 * float(np.percentile(sitk.GetArrayViewFromImage(image), 99))
    body = sitk.BinaryMorphologicalOpening(image > threshold, (1, 1, 0))
    body = sitk.BinaryMorphologicalClosing(body, (4, 4, 0))
    return sitk.Mask(image, sitk.BinaryFillhole(body))


def test_real_heads_and_slabs_without_air_are_not_taken_for_stripped(clinical):
    for sequence in (Sequence.T1, Sequence.T1CE):
        quiet = without_air(clinical.scans[sequence].image)
        for slices in (slice(None), slice(0, 9), slice(8, 17), slice(12, 24)):
            assert mask_of_stripped_scan(quiet[:, :, slices]) is None


@pytest.mark.parametrize("air", ["noisy", "zero"])
def test_a_real_head_without_a_face_is_not_taken_for_stripped(clinical, air):
    image = sitk.Cast(clinical.scans[Sequence.T1].image, sitk.sitkFloat32)
    image = without_air(image) if air == "zero" else image
    values, place = array(image), positions(image)
    middle = place.reshape(-1, 3).mean(axis=0)
    face = (place - middle) @ np.array([0.0, -1.0, -0.7]) > 40
    values[face] = 0
    assert np.count_nonzero(face) > 0.1 * face.size
    assert mask_of_stripped_scan(with_values(values, image)) is None


TURN = sitk.Euler3DTransform((120.0, -120.0, 75.0), 0.1, 0.05, -0.2, (3.3, 1.2, -2.7))


def changed(scan: sitk.Image, way: str) -> sitk.Image:
    """A stripped scan after what people do to stripped scans."""
    values = array(scan).astype(np.float32)
    brain = values != 0
    if way in ("z_score_zero_background", "z_score_negative_background"):
        scored = (values - values[brain].mean()) / values[brain].std()
        if way == "z_score_zero_background":
            scored[~brain] = 0
        return with_values(scored, scan)
    if way == "cropped_to_the_brain":
        box = [slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(brain)[::-1]]
        return scan[tuple(box)]
    if way == "lower_third_missing":
        return scan[:, :, scan.GetSize()[2] // 3 :]
    interpolator = {
        "linear": sitk.sitkLinear,
        "spline": sitk.sitkBSpline,
        "sinc": sitk.sitkLanczosWindowedSinc,
    }[way]
    return sitk.Resample(sitk.Cast(scan, sitk.sitkFloat32), scan, TURN, interpolator, 0.0)


@pytest.mark.parametrize(
    "way",
    [
        "z_score_zero_background",
        "z_score_negative_background",
        "cropped_to_the_brain",
        "lower_third_missing",
        "linear",
        "spline",
        "sinc",
    ],
)
def test_a_real_stripped_scan_is_recognised_whatever_was_done_to_it(stripped_t1, way):
    if way == "sinc":
        # That interpolation takes minutes at full size.
        stripped_t1 = sitk.Shrink(stripped_t1, (3, 3, 3))
    scan = changed(stripped_t1, way)
    found = mask_of_stripped_scan(scan)
    assert found is not None
    if way in ("linear", "spline", "sinc"):
        truth = sitk.Resample(
            sitk.Cast(stripped_t1 != 0, sitk.sitkUInt8), scan, TURN, sitk.sitkNearestNeighbor, 0.0
        )
        least = 0.93 if way == "sinc" else 0.96
    else:
        # Voxels that happen to be exactly average are not lost: holes are filled.
        truth = sitk.Cast(changed(stripped_t1, "cropped_to_the_brain") != 0, sitk.sitkUInt8)
        truth = sitk.Resample(truth, scan, IDENTITY, sitk.sitkNearestNeighbor, 0.0)
        least = 0.999
    assert dice(array(found), array(truth)) > least


@pytest.mark.parametrize(
    "name", ["BraTS2021_01484", "Brats15_2013_pat0001", "Brats18_TCIA01_201_1"]
)
def test_stripped_real_cases_give_the_mask_of_their_signal(real_data, name):
    folder = real_data / "brats" / name
    scans = {
        s: Scan(sitk.ReadImage(str(folder / f"{name}_{s.value}.nii.gz")), s.value) for s in Sequence
    }
    brain = extract_brain(Case(name, scans), ALIGNED)
    assert brain.method == "stripped" and brain.stripped
    signal = np.any([array(scan.image) != 0 for scan in scans.values()], axis=0)
    expected = array(sitk.BinaryFillhole(with_values(signal.astype(np.uint8), brain.image)))
    assert np.count_nonzero(array(brain) != expected) < 20


def test_the_stripped_control_is_recognised_on_each_sequence(real_data):
    folder = real_data / "ms_control" / "patient07"
    for sequence in Sequence:
        scan = sitk.ReadImage(str(folder / f"patient07_{sequence.value}.nii.gz"))
        found = mask_of_stripped_scan(scan)
        assert found is not None
        assert np.count_nonzero(array(found)) / 1000 == pytest.approx(1134, abs=10)
