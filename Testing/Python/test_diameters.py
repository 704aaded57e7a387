"""The two diameters of enhancing lesions, on digital phantoms whose diameters are known."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.measurement.diameters import (
    Line,
    diameters_record,
    measure_diameters,
    read_again,
)

EDEMA, NECROSIS, SOLID, RIM = (
    int(t) for t in (Tissue.EDEMA, Tissue.NECROSIS, Tissue.NON_ENHANCING, Tissue.ENHANCING)
)

#: All orders and directions of a grid's axes, as ITK names them.
ORIENTATIONS = [
    "".join(letters)
    for order in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*order)
]


def image(values: np.ndarray, spacing=(1.0, 1.0, 1.0), direction=None) -> sitk.Image:
    """Labels ``[slice, row, column]`` in LPS order; spacing of columns, rows, slices."""
    labels = sitk.GetImageFromArray(values.astype(np.uint8))
    labels.SetSpacing(spacing)
    labels.SetOrigin((-31.0, 12.5, 40.0))
    if direction is not None:
        labels.SetDirection(np.asarray(direction, float).ravel().tolist())
    return labels


def ellipsoid(axes, angle=0.0, shift=(0.0, 0.0, 0.0), spacing=(1.0, 1.0, 1.0), size=56):
    """Whole axes in mm along long, short and upwards; turned in the slice by an angle in rad."""
    shape = [round(size / s) for s in spacing[::-1]]
    z, y, x = (
        (index - (n - 1) / 2 - moved) * step
        for index, n, step, moved in zip(
            np.indices(shape), shape, spacing[::-1], shift, strict=True
        )
    )
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    a, b, c = (n / 2 for n in axes)
    return (along / a) ** 2 + (across / b) ** 2 + (z / c) ** 2 <= 1


def l_shape() -> np.ndarray:
    """Arms of 40 x 10 and 10 x 30 voxels in three slices."""
    values = np.zeros((7, 60, 60), np.uint8)
    values[2:5, 5:15, 5:45] = RIM
    values[2:5, 5:35, 5:15] = RIM
    return values


def disk(radius: float, slices=5, size=56) -> np.ndarray:
    y, x = np.indices((size, size)) - (size - 1) / 2
    return np.broadcast_to(np.hypot(x, y) <= radius, (slices, size, size))


def only(values: np.ndarray, **place):
    (lesion,) = measure_diameters(image(values, **place)).lesions
    return lesion


def lengths(values: np.ndarray, **place) -> tuple[float, float]:
    lesion = only(values, **place)
    return lesion.long.length_mm, lesion.short.length_mm


@pytest.mark.parametrize("seed", range(6))
def test_ellipsoids_are_measured_to_half_a_voxel(seed):
    random = np.random.default_rng(seed)
    long = random.uniform(24, 48)
    short, upwards = long * random.uniform(0.6, 1), long * random.uniform(0.5, 1)
    spacing = (random.uniform(0.6, 1.2), random.uniform(0.6, 1.2), random.uniform(1, 3))
    mask = ellipsoid(
        (long, short, upwards), random.uniform(0, 3), random.uniform(-0.5, 0.5, 3), spacing
    )
    found = lengths(RIM * mask, spacing=spacing)
    assert found == pytest.approx((long, short), abs=0.5 * max(spacing[:2]))


def test_corners_of_straight_edges_are_measured_exactly():
    values = np.zeros((4, 40, 50), np.uint8)
    values[1:3, 4:28, 6:38] = RIM
    assert lengths(values)[0] == pytest.approx(40.0, abs=1e-6)
    assert lengths(values, spacing=(0.5, 0.5, 4.0))[0] == pytest.approx(20.0, abs=1e-6)


def test_a_line_never_leaves_a_bent_lesion():
    long, short = lengths(l_shape())
    # From the end of one arm past the inner corner; the hull would give 50.
    assert long == pytest.approx(np.hypot(40, 40 / 3), abs=0.5)
    assert short == pytest.approx(np.hypot(10, 30), abs=0.5)


def test_a_ring_is_measured_across_the_necrosis_that_it_encloses():
    ring = RIM * disk(20)
    ring[disk(12)] = NECROSIS
    assert lengths(ring) == pytest.approx((40, 40), abs=0.5)


def test_a_ring_with_a_gap_still_encloses_its_necrosis():
    ring = RIM * disk(20)
    ring[disk(17)] = NECROSIS
    ring[:, 26:30, 40:] = 0
    assert lengths(ring)[0] == pytest.approx(40, abs=0.6)


@pytest.mark.parametrize("content", [0, EDEMA])
def test_a_cavity_in_a_rim_is_not_measured(content):
    ring = RIM * disk(20)
    ring[disk(12)] = content
    # The longest line that stays in the rim touches the cavity.
    assert lengths(ring)[0] == pytest.approx(2 * np.sqrt(20**2 - 12**2), abs=1.0)


def test_a_cyst_beside_the_enhancing_tumor_is_not_measured():
    values = np.zeros((5, 60, 60), np.uint8)
    values[:, 10:40, 5:45] = NECROSIS
    values[:, 20:32, 45:57] = RIM
    assert lengths(values)[0] == pytest.approx(np.hypot(12, 12), abs=1e-6)


def test_non_enhancing_tumor_counts_only_inside_of_a_closed_rim():
    ring = RIM * disk(20)
    ring[disk(12)] = SOLID
    ring[disk(5)] = NECROSIS
    assert lengths(ring)[0] == pytest.approx(40, abs=0.5)
    ring[:, :, :28][ring[:, :, :28] == RIM] = SOLID
    assert lengths(ring)[0] < 40 - 1


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_order_of_the_axes_gives_the_same_lines(orientation):
    values = l_shape()
    values[3, 20:24, 30:42] = RIM
    labels = image(values, spacing=(0.9, 1.1, 3.0))
    expected = diameters_record(measure_diameters(labels))
    assert diameters_record(measure_diameters(sitk.DICOMOrient(labels, orientation))) == expected
    first, second = (np.array(end) for end in expected["lesions"][0]["long"])
    assert first[2] == second[2]


def test_a_tilted_grid_is_measured_in_its_own_slices_and_the_record_says_so():
    angle = np.radians(20)
    turn = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    measured = measure_diameters(image(l_shape(), direction=turn))
    assert diameters_record(measured)["tilt_deg"] == 20.0
    straight = measure_diameters(image(l_shape()))
    assert straight.tilt_deg == 0
    assert measured.lesions[0].product_mm2 == pytest.approx(straight.lesions[0].product_mm2)


def test_both_lines_lie_in_one_slice_cross_and_are_perpendicular():
    lesion = only(RIM * ellipsoid((40, 28, 30), 0.7))
    (a, b), (c, d) = (
        (np.array(line.start), np.array(line.end)) for line in (lesion.long, lesion.short)
    )
    assert len({p[2] for p in (a, b, c, d)}) == 1
    assert (b - a) @ (d - c) == pytest.approx(0, abs=1e-6)
    share = np.linalg.lstsq(np.stack([b - a, c - d], 1), c - a, rcond=None)[0]
    assert ((share >= 0) & (share <= 1)).all()


@pytest.mark.parametrize(
    ("sides", "slices", "apart", "measurable"),
    [
        ((12, 12), 3, 1.0, True),
        ((12, 7), 3, 1.0, False),
        ((12, 12), 1, 1.0, False),
        # With slices further apart than 5 mm twice their distance is needed.
        ((9, 9), 3, 7.0, False),
        ((9, 9), 3, 5.0, True),
        ((15, 15), 3, 7.0, True),
    ],
)
def test_a_measurable_lesion_is_as_rano_says(sides, slices, apart, measurable):
    values = np.zeros((6, 40, 40), np.uint8)
    values[1 : 1 + slices, 5 : 5 + sides[0], 5 : 5 + sides[1]] = RIM
    measured = measure_diameters(image(values, spacing=(1, 1, apart)))
    assert measured.lesions[0].measurable is measurable
    assert measured.least_mm == max(10, 2 * apart)


def test_the_three_largest_measurable_lesions_are_targets_and_summed():
    values = np.zeros((8, 30, 160), np.uint8)
    for number, side in enumerate((12, 20, 4, 16, 11)):
        values[1:5, 4 : 4 + side, 4 + 32 * number : 4 + 32 * number + side] = RIM
    values[1, 25, 150] = RIM
    measured = measure_diameters(image(values))
    assert [lesion.target for lesion in measured.lesions] == [True, True, True, False, False]
    assert measured.lesions_total == 6
    # A square's longest line and its perpendicular are its diagonals.
    products = [2 * side**2 for side in (20, 16, 12, 11, 4)]
    found = [lesion.product_mm2 for lesion in measured.lesions]
    assert found == pytest.approx(products, rel=1e-3)
    assert measured.sum_of_products_mm2 == pytest.approx(sum(products[:3]), rel=1e-3)


def test_without_enhancing_tumor_there_is_nothing_to_measure():
    measured = measure_diameters(image(EDEMA * disk(10)))
    assert (measured.lesions, measured.lesions_total, measured.sum_of_products_mm2) == ((), 0, 0)


def test_a_large_rough_lesion_takes_less_than_a_second():
    random = np.random.default_rng(0)
    mask = ellipsoid((90, 75, 80), 0.4, size=100)
    values = RIM * (mask & (random.random(mask.shape) > 0.02))
    began = time.process_time()
    measure_diameters(image(values))
    assert time.process_time() - began < 1.5


def test_lines_that_a_reader_drew_are_measured_anew():
    values = np.zeros((8, 40, 80), np.uint8)
    values[1:5, 4:24, 4:24] = RIM
    values[1:5, 4:16, 40:52] = RIM
    record = diameters_record(measure_diameters(image(values)))
    lines = [(Line((0, 0, 0), (8, 0, 0)), Line((0, 0, 0), (0, 9, 0)))]
    lines += [(Line((0, 0, 0), (30, 0, 0)), Line((0, 0, 0), (0, 20, 0)))]
    again = read_again(record, lines)
    assert again["drawn_by"] == "reader"
    assert [(e["long_mm"], e["short_mm"], e["target"]) for e in again["lesions"]] == [
        (30, 20, True),
        (9, 8, False),
    ]
    assert again["sum_of_products_mm2"] == 600
