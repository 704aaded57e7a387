"""The building blocks of synthetic scans: fields, shapes, mass effect, edema, layers of paint."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue
from BrainTumorSegLib.synthesis.classes import A
from BrainTumorSegLib.synthesis.config import Kind
from BrainTumorSegLib.synthesis.fields import COARSE, Labyrinth, coarse_noise, refine
from BrainTumorSegLib.synthesis.lesion import (
    Layer,
    Plan,
    Push,
    Surroundings,
    displacement,
    edema_layer,
    shares_of,
    tissue_of,
)
from BrainTumorSegLib.synthesis.shapes import (
    Box,
    box_around,
    capsule,
    coverage,
    deepened,
    ellipsoid,
    gradient_length,
    normalized,
    slab,
    tube,
    union,
)

BOX = Box((0, 0, 0), (73, 89, 81))
#: The middle of the box, where its coordinates are zero.
MIDDLE = (36, 44, 40)


def coordinates(spacing: int):
    return tuple(np.array(c) for c in np.broadcast_arrays(*BOX.offsets(MIDDLE, spacing)))


def fine():
    return coordinates(1)


def test_offsets_are_mm_from_a_voxel_on_nodes_and_on_voxels():
    box = Box((10, 20, 30), (5, 7, 9))
    x, y, z = box.offsets((12, 20, 31))
    assert x.ravel().tolist() == [-1, 1, 3, 5, 7]
    assert y.ravel().tolist() == [0, 2, 4, 6]
    assert z.ravel().tolist() == [-2, 0, 2]
    assert box.offsets((12, 20, 31), spacing=1)[2].ravel().tolist() == [-2, -1, 0, 1, 2]
    assert box.nodes == (3, 4, 5)
    whole = np.zeros((40, 40, 40))
    assert whole[box.fine].shape == box.shape
    assert whole[::COARSE, ::COARSE, ::COARSE][box.coarse].shape == box.nodes


def test_a_box_covers_what_was_asked_for_and_is_cut_to_the_volume():
    box = box_around((60, 70, 81), (30.0, 4.0, 78.0), 11.0)
    assert [s.start for s in box.fine] == [18, 0, 66]
    assert [s.stop for s in box.fine] == [43, 17, 81]


def test_refining_reproduces_a_linear_field_exactly():
    x, y, z = coordinates(COARSE)
    u, v, w = fine()
    np.testing.assert_allclose(refine(0.5 * x - 2 * y + z), 0.5 * u - 2 * v + w, atol=1e-4)


@pytest.mark.parametrize(
    ("distance", "volume"),
    [
        (lambda p: ellipsoid(p, (1, -2, 3), (20, 20, 20)), 4 / 3 * np.pi * 20**3),
        (lambda p: ellipsoid(p, (0, 0, 0), (24, 12, 16), turn=30), 4 / 3 * np.pi * 24 * 12 * 16),
        (
            lambda p: capsule(p, (-10, 0, 0), (10, 4, 3), (6, 6)),
            np.pi * 36 * np.sqrt(400 + 16 + 9) + 4 / 3 * np.pi * 216,
        ),
        (lambda p: slab(p, (-10, -12, -8), (10, 12, 8), 0.0), 20 * 24 * 16),
    ],
    ids=["sphere", "turned ellipsoid", "capsule", "block"],
)
def test_a_shape_fills_its_true_volume_with_partial_voxels_at_its_edge(distance, volume):
    share = coverage(distance(fine()))
    assert share.min() == 0 and share.max() == 1
    assert ((share > 0) & (share < 1)).any()
    assert share.sum() == pytest.approx(volume, rel=0.01)


def test_distances_have_a_slope_of_one_near_the_surface():
    p = fine()
    for field in (
        ellipsoid(p, (0, 0, 0), (25, 15, 20), turn=20),
        tube(p, [(-20, 0, 0), (0, 10, 5), (20, 0, 0)], [4, 6, 3]),
        union(ellipsoid(p, (-8, 0, 0), (12, 12, 12)), ellipsoid(p, (9, 0, 0), (12, 12, 12)), 4),
        normalized((p[0] / 20) ** 2 + (p[1] / 14) ** 2 + (p[2] / 18) ** 2 - 1, 1.0),
    ):
        near = np.abs(field) < 1.5
        slope = gradient_length(field, 1.0)[near]
        assert abs(np.median(slope) - 1) < 0.03
        assert np.percentile(slope, 5) > 0.75 and np.percentile(slope, 95) < 1.25


def test_the_seam_inside_a_union_is_not_taken_for_surface():
    p = coordinates(COARSE)
    halves = np.minimum(
        ellipsoid(p, (-13, 0, 0), (14, 25, 25)), ellipsoid(p, (13, 0, 0), (14, 25, 25))
    )
    seam = tuple(n // COARSE for n in MIDDLE)
    mended = deepened(halves, COARSE)
    assert halves[seam] > -2
    # The notch at the rim of the seam is 9.3 mm away.
    assert mended[seam] < -5
    np.testing.assert_array_equal(mended[halves >= 0], halves[halves >= 0])


def test_smooth_noise_is_standardized_and_has_its_wavelength():
    for wavelength in (16, 40):
        field = coarse_noise(np.random.default_rng(1), (70, 70, 70), wavelength)
        assert field.shape == (70, 70, 70)
        assert abs(field.mean()) < 0.35 and 0.7 < field.std() < 1.3
        shifted = max(1, round(wavelength / 2 / COARSE))
        near = np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]
        far = np.corrcoef(field[shifted:].ravel(), field[:-shifted].ravel())[0, 1]
        assert near > 0.7 and far < 0.5


def test_the_zero_surfaces_of_a_labyrinth_lie_half_a_wavelength_apart():
    pattern = Labyrinth(np.random.default_rng(3), 20.0)
    x = np.arange(0, 2000, 0.5, dtype=np.float32)
    gaps = []
    for row in range(40):
        line = pattern.at((x, np.full_like(x, 31.0 * row), np.full_like(x, 17.0 * row)))
        crossings = np.flatnonzero(np.diff(np.sign(line)))
        gaps.append(len(x) * 0.5 / len(crossings))
    # A straight line meets sheets of random slant at twice their mean distance at most.
    assert 10 <= np.mean(gaps) <= 20


def test_a_stretched_labyrinth_changes_slowly_along_that_axis():
    pattern = Labyrinth(np.random.default_rng(3), 12.0, stretch=(4, 1, 1))
    along = np.arange(0, 600, 0.5, dtype=np.float32)
    flat = np.full_like(along, 5.0)
    changes = [
        np.count_nonzero(np.diff(np.sign(pattern.at(p))))
        for p in ((along, flat, flat), (flat, along, flat))
    ]
    assert changes[0] * 2 < changes[1]


# Lesions


def ball(radius: float, push: Push | None = None) -> Plan:
    core = ellipsoid(coordinates(COARSE), (0, 0, 0), (radius,) * 3)
    return Plan(Kind.GLIOBLASTOMA, BOX, core, push)


def test_mass_effect_pushes_away_fades_out_and_spares_the_skull():
    depth = np.full(BOX.nodes, 30.0, np.float32)
    depth[:, :, -4:] = 0.0
    moved = displacement(ball(12.0, Push(MIDDLE, 0.5, 10.0)), SimpleNamespace(depth=depth))
    z, y, x = (n // COARSE for n in MIDDLE)
    # What is seen at the surface lay half the radius nearer to the centre before.
    assert moved[:, z, y, x - 6] == pytest.approx((0, 0, 6), abs=0.8)
    assert moved[:, z, y + 6, x] == pytest.approx((0, -6, 0), abs=0.8)
    assert 0.5 < moved[2, z, y, x - 12] < 3
    assert not moved[:, :, :, -4:].any()
    assert displacement(ball(12.0), SimpleNamespace(depth=depth)) is None


def test_edema_spreads_in_white_matter_and_stops_at_csf_and_cortex():
    x = fine()[0]
    classes = np.full(BOX.shape, A.WHITE, np.uint8)
    classes[x > 20] = A.CORTEX
    classes[x > 24] = A.CSF
    ventricle = ellipsoid(fine(), (-18, 0, 0), (5, 30, 30)) < 0
    classes[ventricle] = A.VENTRICLE
    around = Surroundings(
        classes[::COARSE, ::COARSE, ::COARSE], classes, np.full(BOX.shape, 20, np.float32)
    )
    plan = ball(10.0)
    layer = edema_layer(np.random.default_rng(2), plan, around, plan.core, 12.0)
    wet = layer.alpha > 0.5
    assert layer.tissue is Tissue.EDEMA
    assert wet[(x > 12) & (x < 18)].any()
    assert not wet[ventricle | (x > 22)].any()
    assert (wet & (classes == A.WHITE)).sum() > 0.9 * wet.sum()
    assert edema_layer(np.random.default_rng(2), plan, around, plan.core, 1.0) is None


def test_layers_hide_what_lies_behind_them_in_proportion():
    p = fine()
    layers = [
        Layer("edema", coverage(ellipsoid(p, (0, 0, 0), (30, 30, 30))), Tissue.EDEMA),
        Layer("enhancing", coverage(ellipsoid(p, (0, 0, 0), (20, 20, 20))), Tissue.ENHANCING),
        Layer("fluid", coverage(ellipsoid(p, (0, 0, 0), (12, 12, 12)))),
    ]
    shares = dict(zip(TUMOR_TISSUES, shares_of(layers, (...,)), strict=True))
    assert shares[Tissue.EDEMA][36, 44, 40 + 25] == pytest.approx(1.0, abs=0.01)
    assert shares[Tissue.ENHANCING][36, 44, 40 + 16] == pytest.approx(1.0, abs=0.01)
    assert shares[Tissue.ENHANCING][36, 44, 40 + 20] == pytest.approx(0.5, abs=0.05)
    volume = 4 / 3 * np.pi * (20**3 - 12**3)
    assert shares[Tissue.ENHANCING].sum() == pytest.approx(volume, rel=0.01)
    total = sum(shares.values())
    assert total.max() <= 1 + 1e-5
    assert total[MIDDLE] == 0
    labels = tissue_of(np.stack(list(shares.values())))
    assert labels[36, 44, 40 + 25] == Tissue.EDEMA
    assert labels[36, 44, 40 + 16] == Tissue.ENHANCING
    assert labels[MIDDLE] == labels[0, 0, 0] == Tissue.BACKGROUND
    assert ndimage.label(labels == Tissue.ENHANCING)[1] == 1
