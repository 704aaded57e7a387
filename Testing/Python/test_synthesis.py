"""The building blocks of synthetic scans: grids, shapes, noise, layers, acquisition."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.synthesis.acquisition import Protocol, empty_scan, sample, scan_picture
from BrainTumorSegLib.synthesis.grid import COARSE, Grid, part, refine
from BrainTumorSegLib.synthesis.lesion import Glioblastoma, grow_glioblastoma, mass_effect
from BrainTumorSegLib.synthesis.materials import Material, layer, render, share_of
from BrainTumorSegLib.synthesis.noise import Labyrinth, smooth_noise
from BrainTumorSegLib.synthesis.shapes import (
    capsule,
    coverage,
    deepened,
    ellipsoid,
    gradient_length,
    normalised,
    slab,
    tube,
    union,
)

GRID = Grid(origin=(-40.0, -44.0, -36.0), nodes=(41, 45, 37))
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def fine(grid: Grid = GRID):
    return part(grid.coordinates(), grid.whole)


def test_fine_coordinates_lie_between_the_coarse_ones_and_give_ras_positions():
    x, y, z = fine()
    assert x.shape == GRID.whole.fine_shape == (73, 89, 81)
    assert x[0, 0, :3].tolist() == [-40, -39, -38]
    assert y[0, :3, 0].tolist() == [-44, -43, -42]
    assert z[:3, 0, 0].tolist() == [-36, -35, -34]


def test_refining_reproduces_a_linear_field_exactly():
    x, y, z = GRID.coordinates()
    field = refine(0.5 * x - 2 * y + z)
    u, v, w = fine()
    np.testing.assert_allclose(field, 0.5 * u - 2 * v + w, atol=1e-4)


def test_an_image_of_the_grid_knows_where_its_voxels_lie_in_lps():
    image = GRID.image(fine()[0].astype(np.float32))
    index = (13, 20, 7)
    right = GRID.origin[0] + 13
    assert image[index] == pytest.approx(right)
    place = image.TransformIndexToPhysicalPoint(index)
    assert place == pytest.approx((-right, -(GRID.origin[1] + 20), GRID.origin[2] + 7))


def test_a_box_covers_what_was_asked_for_and_is_cut_to_the_grid():
    box = GRID.box((-7.5, 3.2), (-100, -30), (0, 1))
    x, y, z = part(GRID.coordinates(), box)
    assert x.shape == box.fine_shape
    assert x.min() <= -7.5 and x.max() >= 3.2
    assert y.min() == -44 and y.max() >= -30
    assert z.min() <= 0 and z.max() >= 1
    assert refine(GRID.coordinates()[1][box.coarse]).shape == box.fine_shape


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
        normalised((p[0] / 20) ** 2 + (p[1] / 14) ** 2 + (p[2] / 18) ** 2 - 1, 1.0),
    ):
        near = np.abs(field) < 1.5
        slope = gradient_length(field, 1.0)[near]
        assert abs(np.median(slope) - 1) < 0.03
        assert np.percentile(slope, 5) > 0.75 and np.percentile(slope, 95) < 1.25


def test_the_seam_inside_a_union_is_not_taken_for_surface():
    p = GRID.coordinates()
    halves = np.minimum(
        ellipsoid(p, (-13, 0, 0), (14, 25, 25)), ellipsoid(p, (13, 0, 0), (14, 25, 25))
    )
    seam = (18, 22, 20)
    assert p[0][seam] == 0 and p[1][seam] == 0 and p[2][seam] == 0
    mended = deepened(halves, 2.0)
    assert halves[seam] > -2
    # The notch at the rim of the seam is 9.3 mm away.
    assert mended[seam] < -5
    np.testing.assert_array_equal(mended[halves >= 0], halves[halves >= 0])


def test_smooth_noise_is_standardised_and_has_its_wavelength():
    grid = Grid((0, 0, 0), (70, 70, 70))
    for wavelength in (16, 40):
        field = smooth_noise(np.random.default_rng(1), grid, wavelength)
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


def test_layers_hide_what_lies_behind_them_in_proportion():
    p = fine()
    ball = ellipsoid(p, (0, 0, 0), (20, 20, 20))
    layers = [
        layer(Material.CSF, GRID.whole, ball - 10),
        layer(Material.WHITE, GRID.whole, ball),
        layer(Material.NECROSIS, GRID.whole, ball + 8),
    ]
    picture = render(GRID, layers, {Material.CSF: 1.0, Material.WHITE: 3.0, Material.NECROSIS: 2.0})
    middle = tuple(n // 2 for n in picture.shape)
    assert picture[0, 0, 0] == 0
    assert picture[36, 44, 40] == pytest.approx(2.0, abs=0.02)
    assert picture[36, 44, 40 + 16] == pytest.approx(3.0, abs=0.02)
    assert picture[36, 44, 40 + 25] == pytest.approx(1.0, abs=0.02)
    assert picture[36, 44, 40 + 20] == pytest.approx(2.0, abs=0.1)
    shares = [share_of(GRID, layers, m) for m in (Material.CSF, Material.WHITE, Material.NECROSIS)]
    assert shares[2][middle] == pytest.approx(1.0)
    assert sum(shares).max() <= 1.0 + 1e-5
    whole = 4 / 3 * np.pi * 20**3
    assert (shares[1] + shares[2]).sum() == pytest.approx(whole, rel=0.01)


def test_mottling_changes_only_the_materials_that_have_it():
    p = fine()
    layers = [
        layer(Material.CSF, GRID.whole, p[0]),
        layer(Material.WHITE, GRID.whole, -p[0]),
    ]
    texture = np.random.default_rng(0).standard_normal(GRID.whole.fine_shape, dtype=np.float32)
    values = {Material.CSF: 1.0, Material.WHITE: 2.0}
    picture = render(GRID, layers, values, texture, {Material.WHITE: 0.1})
    left, right = picture[..., :38], picture[..., 43:]
    assert left.std() < 1e-3
    assert right.std() == pytest.approx(0.2, rel=0.05)


def protocol(**changes) -> Protocol:
    values = {
        "size": (60, 64, 12), "spacing": (1.2, 1.2, 5.0), "axes": AXIAL, "tilt": (9.0, -4.0, 6.0),
        "centre": (1.0, -2.0, 3.0), "white": 300.0, "noise": 0.03,
    }  # fmt: skip
    return Protocol(**(values | changes))


def ball_picture(centre=(4.0, -6.0, 2.0), radius=12.0) -> sitk.Image:
    return GRID.image(coverage(ellipsoid(fine(), centre, (radius,) * 3)))


def centre_of_mass(array: np.ndarray, image: sitk.Image) -> np.ndarray:
    z, y, x = ndimage.center_of_mass(array)
    return np.array(image.TransformContinuousIndexToPhysicalPoint((x, y, z)))


def test_a_protocol_places_its_volume_and_tilts_it():
    scan = empty_scan(protocol())
    middle = scan.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in scan.GetSize()])
    assert middle == pytest.approx((1.0, -2.0, 3.0))
    direction = np.array(scan.GetDirection()).reshape(3, 3)
    np.testing.assert_allclose(direction @ direction.T, np.eye(3), atol=1e-9)
    angle = np.degrees(np.arccos((np.trace(direction) - 1) / 2))
    assert 8 < angle < 14


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.1), (1.2, 1.2, 5.0), (0.8, 1.4, 2.5)])
def test_sampling_keeps_volume_and_place_on_thick_tilted_slices(spacing):
    size = tuple(int(75 / s) for s in spacing)
    scan = empty_scan(protocol(size=size, spacing=spacing))
    array = sample(ball_picture(), scan, sitk.Euler3DTransform())
    assert array.shape == size[::-1]
    volume = float(array.sum()) * float(np.prod(spacing))
    assert volume == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.02)
    np.testing.assert_allclose(centre_of_mass(array, scan), (-4, 6, 2), atol=0.15)


def test_a_pose_moves_the_anatomy_to_where_it_says():
    pose = sitk.Euler3DTransform()
    pose.SetRotation(*np.radians([4.0, -7.0, 10.0]).tolist())
    pose.SetTranslation((5.0, -3.0, 4.0))
    scan = empty_scan(protocol())
    array = sample(ball_picture(), scan, pose)
    expected = pose.TransformPoint((-4.0, 6.0, 2.0))
    np.testing.assert_allclose(centre_of_mass(array, scan), expected, atol=0.2)


def test_thick_slices_blur_only_across_slices():
    scan = empty_scan(protocol(tilt=(0, 0, 0), centre=(0, 0, 0)))
    edge_x = GRID.image((fine()[0] > 0).astype(np.float32))
    edge_z = GRID.image((fine()[2] > 0).astype(np.float32))
    still = sitk.Euler3DTransform()
    across = sample(edge_x, scan, still)[6, 32]
    through = sample(edge_z, scan, still)[:, 32, 30]
    assert np.count_nonzero((across > 0.02) & (across < 0.98)) <= 2
    assert 2 <= np.count_nonzero((through > 0.02) & (through < 0.98)) <= 4


def test_a_scan_has_rician_noise_shading_and_whole_numbers():
    picture = ball_picture(radius=24.0)
    scan = scan_picture(
        picture, protocol(noise=0.05), sitk.Euler3DTransform(), np.random.default_rng(5)
    )
    assert scan.GetPixelID() == sitk.sitkInt16
    array = sitk.GetArrayFromImage(scan).astype(float)
    inside = sample(picture, scan, sitk.Euler3DTransform())
    background, core = array[inside == 0], array[inside > 0.999]
    # In air the magnitude is Rayleigh distributed: mean sigma * sqrt(pi / 2).
    assert background.mean() == pytest.approx(300 * 0.05 * np.sqrt(np.pi / 2), rel=0.06)
    assert 0.6 * 300 < np.median(core) < 1.4 * 300
    again = scan_picture(
        picture, protocol(noise=0.05), sitk.Euler3DTransform(), np.random.default_rng(5)
    )
    np.testing.assert_array_equal(array, sitk.GetArrayFromImage(again))


def test_mass_effect_pushes_away_and_fades_out():
    tumour = Glioblastoma((10.0, 0.0, 0.0), radius=12.0, push=6.0)
    p = tuple(
        np.array(c, np.float32)
        for c in ([22.0, 10.0, 58.0, 10.0], [0.0, 12.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    )
    x, y, z = mass_effect(tumour, p)
    # What is seen at the surface lay nearer to the centre before.
    assert (x[0], y[0], z[0]) == pytest.approx((-6, 0, 0), abs=0.01)
    assert (x[1], y[1], z[1]) == pytest.approx((0, -6, 0), abs=0.01)
    assert -2 < x[2] < -0.5
    assert abs(x[3]) + abs(y[3]) + abs(z[3]) < 0.01


@pytest.fixture(scope="module")
def grown():
    """A tumour in a block of white matter with a ventricle, a cortex and nothing beyond."""
    grid = Grid(origin=(-60.0, -60.0, -60.0), nodes=(61, 61, 61))
    x, y, z = part(grid.coordinates(), grid.whole)
    layers = [
        layer(Material.CSF, grid.whole, np.abs(x) - 58),
        layer(Material.GREY, grid.whole, x - 34),
        layer(Material.WHITE, grid.whole, x - 30),
        layer(Material.CSF, grid.whole, ellipsoid((x, y, z), (-22, 0, 0), (5, 30, 30))),
    ]
    tumour = Glioblastoma((0.0, 0.0, 0.0), radius=13.0, oedema=14.0)
    lesion = grow_glioblastoma(tumour, grid, layers, np.random.default_rng(2))
    shares = {
        m: share_of(grid, lesion, m)
        for m in (Material.NECROSIS, Material.EDEMA, Material.NON_ENHANCING, Material.ENHANCING)
    }
    return grid, layers, shares


def test_a_glioblastoma_has_all_four_tissues_and_necrosis_inside_the_rim(grown):
    _, _, shares = grown
    volumes = {m: float(s.sum()) / 1000 for m, s in shares.items()}
    assert all(ml > 1 for ml in volumes.values()), volumes
    dead = shares[Material.NECROSIS] > 0.5
    rim = shares[Material.ENHANCING] > 0.5
    around = ndimage.binary_dilation(dead, iterations=2) & ~dead
    assert (rim | (shares[Material.ENHANCING] > 0.2))[around].mean() > 0.8
    depth = ndimage.distance_transform_edt(rim | dead)[dead]
    # Dead voxels never touch the outside; most lie well inside.
    assert depth.min() >= 1 and np.median(depth) > 2


def test_oedema_spreads_in_white_matter_and_stops_at_csf_and_cortex(grown):
    grid, layers, shares = grown
    oedema = shares[Material.EDEMA] > 0.5
    x, _, _ = part(grid.coordinates(), grid.whole)
    ventricle = share_of(grid, layers[3:], Material.CSF) > 0.5
    assert not (oedema & ventricle).any()
    assert oedema[(x > 20) & (x < 29)].any()
    assert oedema[x > 36].sum() == 0
    white = share_of(grid, layers, Material.WHITE) > 0.9
    assert (oedema & white).sum() > 0.9 * oedema.sum()
