"""Where a tumour lies: heads drawn from the mean map, turned, sliced and mirrored, with lesions."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from report_cases import make_result

from BrainTumorSegLib.core.language import Catalogue
from BrainTumorSegLib.core.place import place_sentences
from BrainTumorSegLib.measurement.mean_map import BRAIN, TISSUE, map_grid, mean_map
from BrainTumorSegLib.measurement.place import find_place
from BrainTumorSegLib.reporting.html import report_page
from BrainTumorSegLib.reporting.record import check_record

#: A lesion in the left frontal lobe: middle in the map (LPS, mm) and radius; 20 mm from the middle.
FRONTAL = ((32.0, -30.0, 18.0), 12.0)


def turn(degrees: float) -> sitk.VersorRigid3DTransform:
    """From points of the patient to points of the map: nodded, tilted, and elsewhere."""
    transform = sitk.VersorRigid3DTransform()
    transform.SetRotation([0.6, 0.4, 0.7], float(np.radians(degrees)))
    transform.SetTranslation([11.0, -7.0, 5.0])
    return transform


def head(lesion, degrees=0.0, spacing=(2.0, 2.0, 2.0), orientation="LPS", oblique=0.0, shift=0.0):
    """Labels, brain and scan of a head like the map's.

    Args:
        lesion: middle and radius in the map.
        degrees: by which the head is turned.
        spacing: of the scan.
        orientation: of its axes.
        oblique: degrees by which the slices are tilted against the head.
        shift: mm by which what lies in the middle is pushed to the left.
    """
    grid, transform = map_grid(), turn(degrees)
    z, y, x = np.meshgrid(*(np.arange(n) for n in reversed(grid.GetSize())), indexing="ij")
    places = np.stack([x, y, z], -1) * 2.0 + np.array(grid.GetOrigin())
    tissue = mean_map()[TISSUE]
    if shift:
        pushed = np.zeros((*places.shape[:3], 3))
        pushed[..., 0] = -shift * np.exp(-((places - [0, 0, 8]) ** 2).sum(-1) / (2 * 30.0**2))
        field = sitk.GetImageFromArray(pushed, isVector=True)
        field.CopyInformation(grid)
        tissue = sitk.Resample(tissue, grid, sitk.DisplacementFieldTransform(field))
    drawn = {"scan": tissue, "brain": sitk.Cast(mean_map()[BRAIN] >= 0.5, sitk.sitkFloat32)}
    middle, radius = lesion
    ball = (((places - np.array(middle)) ** 2).sum(-1) < radius**2).astype(np.float32)
    drawn["labels"] = sitk.GetImageFromArray(ball)
    drawn["labels"].CopyInformation(grid)
    target = sitk.Image([int(200 / s) for s in spacing], sitk.sitkUInt8)
    target.SetSpacing(spacing)
    tilt = sitk.VersorRigid3DTransform()
    tilt.SetRotation([1, 0, 0], float(np.radians(oblique)))
    direction = np.array(tilt.GetMatrix()).reshape(3, 3)
    target.SetDirection(direction.ravel().tolist())
    center = np.array(transform.GetInverse().TransformPoint((0, 0, 0)))
    half = np.array([n * s / 2 for n, s in zip(target.GetSize(), spacing, strict=True)])
    target.SetOrigin((center - direction @ half).tolist())
    noise = np.random.default_rng(0)
    made = {}
    for name, image in drawn.items():
        placed = sitk.GetArrayFromImage(sitk.Resample(image, target, transform))
        if name == "scan":
            placed = 3 * placed + noise.normal(0, 6, placed.shape)
        else:
            placed = (placed > 0.5).astype(np.uint8)
        made[name] = sitk.GetImageFromArray(
            placed.astype(np.float32 if name == "scan" else np.uint8)
        )
        made[name].CopyInformation(target)
        made[name] = sitk.DICOMOrient(made[name], orientation) if not oblique else made[name]
    scan = sitk.Mask(made["scan"], made["brain"])
    return made["labels"], made["brain"], scan


@pytest.mark.parametrize(
    "how",
    [
        {"degrees": 14.0, "orientation": "PIR"},
        {"spacing": (1.0, 1.0, 5.5), "oblique": 18.0},
        {"spacing": (5.0, 1.5, 1.5), "orientation": "RAS", "degrees": 6.0},
    ],
)
def test_side_and_distances_are_the_patient_s_on_any_grid(how):
    place = find_place(*head(FRONTAL, **how))
    assert place["side"] == "left" and place["left_share"] == 1.0
    assert place["midline_mm"] == pytest.approx(20, abs=3)
    assert place["fit"] > 0.93
    assert abs(place["midline_shift_mm"]) < 2


def test_a_mirrored_lesion_lies_on_the_other_side_at_the_same_distance():
    (x, y, z), radius = FRONTAL
    left, right = (find_place(*head(((s * x, y, z), radius), 8.0)) for s in (1, -1))
    assert (left["side"], right["side"]) == ("left", "right")
    assert left["midline_mm"] == pytest.approx(right["midline_mm"], abs=2)
    assert left["ventricles_mm"] == pytest.approx(right["ventricles_mm"], abs=3)
    low, high = left["ventricles_range_mm"]
    assert low <= left["ventricles_mm"] <= high


def test_deep_structures_are_named_with_their_side_and_far_ones_are_not():
    thalamus = sitk.GetArrayViewFromImage(mean_map()["thalamus"]).copy()
    thalamus[:, :, : thalamus.shape[2] // 2] = 0
    index = np.unravel_index(thalamus.argmax(), thalamus.shape)
    middle = map_grid().TransformIndexToPhysicalPoint([int(i) for i in reversed(index)])
    assert middle[0] > 0
    touched = find_place(*head((middle, 8.0), 10.0))["touches"]
    sure = {(t["structure"], t["side"]) for t in touched if t["share"] >= 0.5}
    assert ("thalamus", "left") in sure and ("thalamus", "right") not in sure
    far = find_place(*head(((-45.0, 0.0, 40.0), 7.0)))
    assert not [t for t in far["touches"] if t["structure"] == "thalamus"]
    assert far["ventricles_mm"] > 10


def test_a_pushed_midline_is_estimated_with_its_direction():
    shift = -7.0
    # The push fades outwards: in the mean over what lies in the middle it is about 4 mm.
    place = find_place(*head(FRONTAL, 5.0, shift=shift))
    assert 3 < place["midline_shift_mm"] * np.sign(shift) < 7


def test_without_tumour_or_with_half_a_brain_nothing_is_told():
    labels, brain, scan = head(FRONTAL)
    assert find_place(labels * 0, brain, scan) is None
    values = sitk.GetArrayFromImage(brain)
    values[len(values) // 2 - 8 :] = 0
    half = sitk.GetImageFromArray(values)
    half.CopyInformation(brain)
    place = find_place(labels * 0 + half, half, sitk.Mask(scan, half))
    assert place is None


def test_a_lesion_across_the_midline_lies_on_both_sides_and_inputs_are_not_changed():
    images = head(((3.0, -25.0, 25.0), 14.0))
    before = [sitk.GetArrayFromImage(image) for image in images]
    place = find_place(*images)
    assert place["side"] == "both" and place["midline_mm"] == 0
    for image, values in zip(images, before, strict=True):
        assert np.array_equal(sitk.GetArrayViewFromImage(image), values)


def test_words_tell_what_is_sure_and_what_may_be():
    place = {
        "side": "left",
        "left_share": 1.0,
        "midline_mm": 11.6,
        "ventricles_mm": 4.0,
        "ventricles_range_mm": [2.0, 6.0],
        "touches": [
            {"structure": "thalamus", "side": "left", "share": 0.9},
            {"structure": "hippocampus", "side": "left", "share": 0.3},
        ],
        "midline_shift_mm": -6.2,
        "fit": 0.95,
    }
    case, result = make_result()
    result.record["place"] = place
    check_record(result.record, "record")
    told = " ".join(place_sentences(result.record, Catalogue()))
    for text in (
        "Side: left. 12 mm from the midline. 4 mm from the ventricles (2 to 6 mm).",
        "Touches: left thalamus. May touch: left hippocampus.",
        "shifted to the right by about 6 mm",
        "knows no lobes",
    ):
        assert text in told
    assert "left thalamus" in report_page(case, result, "en")
    assert "No shift" in " ".join(
        place_sentences({"place": {**place, "midline_shift_mm": 1.0}}, Catalogue())
    )
    assert list(place_sentences({"place": None}, Catalogue())) == []
