"""Scans in the wrong place: one given twice, labels given as a scan, exchanged sequences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.case import Scan, check_scan, make_case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.mix_ups import contradiction, is_same_scan
from BrainTumorSegLib.core.sequences import Sequence, recognize
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.volumes import read_image
from BrainTumorSegLib.preprocessing.doubts import (
    doubts_about_scans,
    missing_share,
    mistaken_for_flair,
)

T1, T1CE, FLAIR = Sequence.T1, Sequence.T1CE, Sequence.FLAIR


def head(seed: int, spacing=(2.0, 2.0, 2.0), size=(90, 100, 80)) -> sitk.Image:
    """A smooth head that fills its box, other than that of any other seed."""
    values = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size[::-1]), 3)
    values = 500 + 300 * values / np.abs(values).max()
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing(spacing)
    return image


def half_the_slices(image: sitk.Image) -> sitk.Image:
    """The same scan on voxels of another size."""
    size = [image.GetWidth(), image.GetHeight(), image.GetDepth() // 2]
    spacing = [*image.GetSpacing()[:2], 2 * image.GetSpacing()[2]]
    return sitk.Resample(image, size, sitk.Transform(), sitk.sitkLinear, image.GetOrigin(), spacing)


SAME = {
    "a factor": lambda image: image * 2.5,
    "an offset": lambda image: image + 1000,
    "a factor and an offset": lambda image: image * 0.01 - 3,
    "another gamma": lambda image: sitk.Sqrt(image),
    "8 bit": lambda image: sitk.Cast(image / 4, sitk.sitkUInt8),
    "half the slices": half_the_slices,
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_one_scan_given_twice_is_refused_whatever_was_done_to_its_intensities(change):
    scans = {T1: Scan(head(1), "a.nii"), T1CE: Scan(change(head(1)), "b.nii")}
    with pytest.raises(InputError, match=r"T1 \(a\.nii\) and T1CE \(b\.nii\) are the same scan"):
        make_case("case", scans)


def test_other_scans_are_never_taken_for_the_same():
    images = [head(seed) for seed in range(3)]
    assert not any(is_same_scan(a, b) for a, b in itertools.combinations(images, 2))


def labels(kinds: int) -> sitk.Image:
    """A map of so many labels in large uniform blocks."""
    blocks = np.random.default_rng(0).integers(0, kinds, (10, 12, 12))
    image = sitk.GetImageFromArray(blocks.repeat(8, 0).repeat(8, 1).repeat(8, 2).astype(np.int16))
    image.SetSpacing((2.0, 2.0, 2.0))
    return image


@pytest.mark.parametrize("kinds", [2, 5, 40, 110])
@pytest.mark.parametrize("kind", [sitk.sitkUInt8, sitk.sitkFloat64])
def test_a_label_map_is_no_scan(kinds, kind):
    given = Scan(sitk.Cast(labels(kinds), kind), "seg.nii")
    with pytest.raises(InputError, match=f"FLAIR scan seg.nii has only {kinds} .* segmentation"):
        check_scan(given, FLAIR)


def test_a_scan_of_eight_bits_or_with_repeated_voxels_is_one():
    coarse = sitk.Cast((head(1) - 300) / 4, sitk.sitkUInt8)
    check_scan(Scan(coarse, "a.nii"), T1)
    check_scan(Scan(sitk.Expand(head(1), [2, 2, 2], sitk.sitkNearestNeighbor), "b.nii"), T1)


def test_real_label_maps_are_recognised_and_real_scans_are_not_taken_for_them(real_data):
    folder = real_data / "brats" / "BraTS2021_01477"
    for sequence in Sequence:
        image = read_image(folder / f"{folder.name}_{sequence.value}.nii.gz")
        check_scan(Scan(image, "scan"), sequence)
    maps = [folder / f"{folder.name}_seg.nii.gz"]
    maps += sorted((real_data / "synthseg_head_labels").iterdir())[:2]
    maps += sorted((real_data / "msd_tumour_labels").iterdir())[:2]
    for path in maps:
        with pytest.raises(InputError, match="segmentation or a mask"):
            check_scan(Scan(read_image(path), "map"), FLAIR)


@pytest.mark.parametrize(
    ("name", "sequence", "warned"),
    [
        ("x_flair.nii.gz", T1CE, True),
        ("x_t1ce.nii.gz", FLAIR, True),
        ("x_t1ce.nii.gz", T1, True),
        ("ax_t2.nii.gz", FLAIR, True),
        ("adc_map.nii.gz", T1, True),
        ("t1_native.nii", T1CE, True),
        ("x_flair.nii.gz", FLAIR, False),
        ("t1.nii", T1CE, False),
        ("scan07.nrrd", FLAIR, False),
    ],
)
def test_a_name_that_says_something_else_is_worth_a_warning(name, sequence, warned):
    told = contradiction(name, sequence, recognize(name))
    assert (told is not None) == warned
    if told is not None:
        assert told.startswith(f"{name} was given as {sequence.name}, although: ")


def test_files_whose_names_contradict_their_options_are_named_in_the_warnings(tmp_path):
    names = {T1: "p_t1.nii", T1CE: "p_flair.nii", FLAIR: "p_t1ce.nii"}
    for number, name in enumerate(names.values()):
        sitk.WriteImage(head(number), str(tmp_path / name))
    case = load_case({s: tmp_path / name for s, name in names.items()})
    assert len(case.warnings) == 2
    for name, sequence in (("p_flair.nii", "T1CE"), ("p_t1ce.nii", "FLAIR")):
        told = f"{tmp_path / name} was given as {sequence}, although: "
        assert any(text.startswith(told) for text in case.warnings)


def registered(folder):
    """Scans without skull and the brain, cut to its box."""
    paths = {s: folder / f"{folder.name}_{s.value}.nii.gz" for s in Sequence}
    volumes = {
        s: sitk.GetArrayFromImage(read_image(p)).astype(np.float32) for s, p in paths.items()
    }
    brain = np.all([volume > 0 for volume in volumes.values()], axis=0)
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    return {s: volume[box] for s, volume in volumes.items()}, brain[box]


@pytest.fixture(scope="module")
def verdicts(real_data):
    """What each real case says in the right order, and in each order with the FLAIR elsewhere."""
    found = []
    for folder in sorted((real_data / "brats").iterdir())[::4]:
        volumes, brain = registered(folder)
        for order in itertools.permutations(Sequence):
            given = {s: volumes[own] for s, own in zip(Sequence, order, strict=True)}
            found.append((order, mistaken_for_flair(given, brain, 1.0)))
    return found


def test_no_real_case_is_taken_to_have_its_flair_elsewhere(verdicts):
    right = [told for order, told in verdicts if order[2] is FLAIR]
    assert len(right) >= 16 and set(right) == {None}


def test_a_flair_given_as_t1_or_t1ce_is_noticed_in_every_real_case(verdicts):
    wrong = [(order, told) for order, told in verdicts if order[2] is not FLAIR]
    assert len(wrong) >= 32
    for order, told in wrong:
        assert told is tuple(Sequence)[order.index(FLAIR)]


def test_the_warning_names_both_files(real_data):
    folder = real_data / "brats" / "BraTS2021_01477"
    volumes, brain = registered(folder)
    given = {T1: volumes[T1], T1CE: volumes[FLAIR], FLAIR: volumes[T1CE]}
    case = make_case("case", {s: Scan(head(n), f"{n}.nii") for n, s in enumerate(given)})
    (told,) = doubts_about_scans(case, given, brain, 1.0)
    assert told.startswith("T1CE (1.nii) looks like a FLAIR and FLAIR (2.nii) like a T1")


def test_two_scans_or_hardly_any_brain_are_not_judged():
    volumes = {s: np.random.default_rng(n).random((9, 9, 9)) for n, s in enumerate(Sequence)}
    brain = np.ones((9, 9, 9), bool)
    assert mistaken_for_flair(volumes, brain, 1.0) is None
    assert mistaken_for_flair({T1: volumes[T1]}, brain, 1.0) is None


def brain_and_scan(shape=(40, 60, 60)):
    z, y, x = np.ogrid[[slice(-1, 1, n * 1j) for n in shape]]
    brain = z**2 + y**2 + x**2 < 0.8
    return brain, np.where(brain, 100 + np.random.default_rng(0).random(shape), 0)


@pytest.mark.parametrize("filling", [np.nan, 0.0])
@pytest.mark.parametrize("axis", range(3))
def test_the_part_of_the_brain_beyond_the_end_of_a_scan_is_measured(filling, axis):
    brain, scan = brain_and_scan()
    assert missing_share(scan, brain) == 0
    end = np.moveaxis(scan, axis, 0)
    end[: len(end) // 2] = filling
    beyond = np.moveaxis(brain, axis, 0)[: len(end) // 2].sum() / brain.sum()
    assert missing_share(scan, brain) == pytest.approx(beyond)


def test_dark_places_within_the_brain_are_no_end_of_the_scan():
    brain, scan = brain_and_scan()
    scan[18:22, 20:30, 20:30] = 0
    scan[10] = 0
    assert missing_share(scan, brain) == 0


def test_a_scan_that_ends_inside_the_brain_is_named_with_the_share():
    brain, scan = brain_and_scan()
    flair = scan.copy()
    flair[:12] = np.nan
    case = make_case("case", {T1CE: Scan(head(1), "a.nii"), FLAIR: Scan(head(2), "b.nii")})
    (told,) = doubts_about_scans(case, {T1CE: scan, FLAIR: flair}, brain, 1.0)
    percent = round(100 * brain[:12].sum() / brain.sum())
    assert told.startswith(
        f"FLAIR (b.nii) ends inside the brain: it does not show {percent} % of it"
    )


@pytest.mark.parametrize(
    ("spacing", "warned"),
    [
        ((1, 1, 1), False),
        ((0.9, 0.9, 5.5), False),
        ((1, 1, 6), False),
        ((4, 4, 4), True),
        ((4, 1, 4), True),
        ((1, 1, 7), True),
    ],
)
def test_very_large_voxels_are_worth_a_warning(spacing, warned):
    scans = {s: Scan(head(n, spacing), f"{n}.nii") for n, s in enumerate(Sequence)}
    told = make_case("case", scans).warnings
    assert len(told) == (3 if warned else 0)
    assert all("very large voxels" in text for text in told)
