"""The model grid and the way back, in every orientation that a scanner can produce."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from voxel_positions import positions, with_values

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.model_grid import (
    MARGIN_MM,
    NORMALIZATIONS,
    RECIPES,
    ModelGrid,
    NetworkInput,
    channel_sequences,
    model_grid,
    normalize,
    recipe_channels,
    restore,
    stack_slices,
    to_grid,
)

IDENTITY = sitk.Transform(3, sitk.sitkIdentity)

#: All ways to lay three image axes along the patient's, left-handed ones included.
ORIENTATIONS = [
    np.diag(signs)[:, order]
    for order in permutations(range(3))
    for signs in product((1.0, -1.0), repeat=3)
]


def turned(axis, degrees: float) -> np.ndarray:
    """Rotation matrix by Rodrigues' formula."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def blank(direction, spacing, extent=70.0, center=(12.3, -45.6, 78.9)) -> sitk.Image:
    """An empty scan of a cube of ``extent`` mm whose middle lies at ``center`` (LPS)."""
    size = [max(5, int(np.ceil(extent / s))) for s in spacing]
    image = sitk.Image(size, sitk.sitkUInt8)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection(np.asarray(direction, float).ravel().tolist())
    half = (np.array(size) - 1) / 2 * np.array(spacing)
    image.SetOrigin((np.array(center) - np.asarray(direction) @ half).tolist())
    return image


def ball(like: sitk.Image, center, radius: float) -> sitk.Image:
    distance = np.linalg.norm(positions(like) - np.asarray(center), axis=-1)
    return with_values((distance <= radius).astype(np.uint8), like)


def middle(image: sitk.Image) -> np.ndarray:
    return np.array(
        image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    )


def near(image: sitk.Image, offset) -> np.ndarray:
    return middle(image) + np.array(offset)


def there_and_back(label: sitk.Image, grid: ModelGrid) -> np.ndarray:
    """One-hot to the grid, back to the label's own grid, most probable class."""
    tumor = to_grid(sitk.Cast(label, sitk.sitkFloat32), grid)
    background = to_grid(sitk.Cast(label == 0, sitk.sitkFloat32), grid)
    back = list(restore([background, tumor], grid, label))
    return (back[1] > back[0]).astype(np.uint8)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * np.count_nonzero((a > 0) & (b > 0)) / (np.count_nonzero(a) + np.count_nonzero(b))


def centroid(array: np.ndarray) -> np.ndarray:
    """In voxels, ``[slice, row, column]``."""
    return np.argwhere(array > 0).mean(axis=0)


# --- what is put in comes back at the same place ------------------------------------


def oblique_cases() -> list[tuple[int, float, float]]:
    """Each orientation upright, slightly tilted, and anyhow; slices of 1 to 6 mm."""
    random = np.random.default_rng(1)
    thickness = (1.0, 1.0, 1.2, 2.0, 3.0, 4.4, 5.5, 6.0)
    return [
        (number, float(np.round(degrees, 1)), float(random.choice(thickness)))
        for number in range(len(ORIENTATIONS))
        for degrees in (0.0, random.uniform(3, 29), random.uniform(31, 90))
    ]


@pytest.mark.parametrize(("number", "degrees", "thickness"), oblique_cases())
def test_a_large_ball_comes_back_in_every_orientation(number, degrees, thickness):
    random = np.random.default_rng(number)
    direction = turned(random.normal(size=3), degrees) @ ORIENTATIONS[number]
    reference = blank(direction, (1.0, 1.0, thickness), center=random.uniform(-150, 150, 3))
    center = middle(reference) + random.uniform(-3, 3, 3)
    label = ball(reference, center, radius=20.0)
    grid = model_grid(reference, ball(reference, middle(reference), 31.0))

    back = there_and_back(label, grid)

    truth = sitk.GetArrayViewFromImage(label)
    assert dice(back, truth) >= 0.99
    assert np.abs(centroid(back) - centroid(truth)).max() < 0.1


#: ITK cannot invert a direction with cosines of 1e-308, nor does a header hold any.
THOUSANDTHS = st.integers(-1000, 1000).map(lambda number: number / 1000)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(
    number=st.integers(0, len(ORIENTATIONS) - 1),
    axis=st.tuples(*[THOUSANDTHS] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    degrees=st.one_of(st.just(0.0), st.floats(28, 32), st.floats(1e-3, 180)),
    spacing=st.tuples(*[st.floats(0.4, 6.0)] * 3),
    radius=st.one_of(st.floats(4, 10), st.floats(4, 30)),
    offset=st.tuples(*[st.floats(-3, 3)] * 3),
    center=st.tuples(*[st.floats(-200, 200)] * 3),
)
def test_a_ball_of_any_size_comes_back_within_half_a_voxel(
    number, axis, degrees, spacing, radius, offset, center
):
    extent = 2 * radius + 16
    assume(np.prod([extent / s for s in spacing]) < 1.5e6)
    direction = turned(axis, degrees) @ ORIENTATIONS[number]
    reference = blank(direction, spacing, extent, center)
    label = ball(reference, middle(reference) + offset, radius)
    truth = sitk.GetArrayViewFromImage(label)
    assume(truth.any())
    grid = model_grid(reference, ball(reference, middle(reference), radius + 7))

    back = there_and_back(label, grid)

    assert back.any()
    assert np.abs(centroid(back) - centroid(truth)).max() <= 0.5


@pytest.mark.parametrize("radius", [4.0, 6.0, 10.0])
@pytest.mark.parametrize("spacing", [(0.4, 0.4, 0.4), (0.4, 0.4, 6.0), (6.0, 0.4, 0.4)])
def test_small_balls_on_fine_pixels_keep_their_place_and_size(spacing, radius):
    reference = blank(turned((1, 2, 3), 12.0), spacing, extent=36.0)
    label = ball(reference, near(reference, (0.7, -1.1, 0.4)), radius)
    grid = model_grid(reference, ball(reference, middle(reference), 17.0))

    back = there_and_back(label, grid)

    truth = sitk.GetArrayViewFromImage(label)
    assert np.abs(centroid(back) - centroid(truth)).max() <= 0.5
    assert np.count_nonzero(back) == pytest.approx(np.count_nonzero(truth), rel=0.1)


@pytest.mark.parametrize("number", range(0, 48, 5))
def test_labels_carried_to_the_grid_by_nearest_neighbour_come_back(number):
    reference = blank(turned((1, -1, 2), 20.0) @ ORIENTATIONS[number], (1.0, 1.0, 3.0))
    label = ball(reference, middle(reference), 20.0)
    grid = model_grid(reference, ball(reference, middle(reference), 30.0))
    tumor = to_grid(label, grid, interpolator=sitk.sitkNearestNeighbor)
    assert tumor.dtype == np.uint8

    back = list(restore([1.0 - tumor, tumor], grid, label))

    assert dice(back[1] > back[0], sitk.GetArrayViewFromImage(label)) >= 0.99


def test_a_moving_scan_is_fetched_through_its_transform():
    reference = blank(np.eye(3), (1.0, 1.0, 3.0))
    grid = model_grid(reference, ball(reference, middle(reference), 30.0))
    transform = sitk.Euler3DTransform(middle(reference).tolist(), 0.2, -0.1, 0.3, (8.0, -5.0, 4.0))
    moving = blank(
        ORIENTATIONS[17],
        (3.0, 0.8, 0.8),
        110.0,
        center=transform.TransformPoint(middle(reference).tolist()),
    )
    marker = near(reference, (9.0, -6.0, 12.0))
    there = ball(moving, transform.TransformPoint(marker.tolist()), 6.0)

    array = to_grid(there, grid, transform)

    found = np.average(positions(grid.image(array)).reshape(-1, 3), axis=0, weights=array.ravel())
    assert np.linalg.norm(found - marker) < 0.5


# --- the grid ------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(ORIENTATIONS)))
@pytest.mark.parametrize("degrees", [0.0, 14.0, 40.0])
def test_slices_ascend_rows_run_to_the_back_and_columns_to_the_left(number, degrees):
    direction = turned((1, 1, 0.5), degrees) @ ORIENTATIONS[number]
    reference = blank(direction, (2.0, 2.0, 2.0), 64.0)
    heart = middle(reference)
    brain = ball(reference, heart, 30.0)
    grid = model_grid(reference, brain)
    axes = np.array(grid.direction).reshape(3, 3)
    assert np.linalg.det(axes) == pytest.approx(1.0)
    assert (np.diag(axes) >= np.cos(np.radians(31))).all()

    # LPS: x grows to the left, y to the back, z to the top of the head.
    for axis, (step, name) in enumerate(((2, "left"), (1, "back"), (0, "top"))):
        marker = heart.copy()
        marker[axis] += 18.0
        array = to_grid(ball(reference, marker, 6.0), grid)
        shift = centroid(array > 0.5) - (np.array(grid.shape) - 1) / 2
        assert np.argmax(np.abs(shift * grid.spacing[::-1])) == step, name
        assert shift[step] > 0, name


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    number=st.integers(0, len(ORIENTATIONS) - 1),
    axis=st.tuples(*[THOUSANDTHS] * 3).filter(lambda v: np.linalg.norm(v) > 0.1),
    degrees=st.floats(0, 90),
    spacing=st.tuples(*[st.floats(0.7, 6.0)] * 3),
    multiple=st.sampled_from([8, 16, 32]),
    in_plane=st.sampled_from([1.0, 1.0, 0.8, 1.5]),
)
def test_the_grid_holds_the_whole_brain_with_a_margin(
    number, axis, degrees, spacing, multiple, in_plane
):
    reference = blank(turned(axis, degrees) @ ORIENTATIONS[number], spacing, 44.0)
    brain = ball(reference, near(reference, (2.0, -3.0, 1.0)), 18.0)
    assume(sitk.GetArrayViewFromImage(brain).any())

    grid = model_grid(reference, brain, in_plane_mm=in_plane, multiple=multiple)

    assert grid.size[0] % multiple == grid.size[1] % multiple == 0
    assert grid.spacing[:2] == (in_plane, in_plane)
    empty = grid.image(np.zeros(grid.shape, np.uint8))
    where = positions(brain)[sitk.GetArrayViewFromImage(brain) > 0]
    direction = np.array(brain.GetDirection()).reshape(3, 3) * np.array(brain.GetSpacing())
    corners = [where + direction @ np.array(c) for c in product((-0.5, 0.5), repeat=3)]
    axes = np.array(grid.direction).reshape(3, 3)
    index = (np.concatenate(corners) - empty.GetOrigin()) @ axes / np.array(grid.spacing)
    margin = np.array([MARGIN_MM, MARGIN_MM, 0.0]) / np.array(grid.spacing)
    assert (index.min(axis=0) >= -0.5 + margin - 1e-5).all()
    assert (index.max(axis=0) <= np.array(grid.size) - 0.5 - margin + 1e-5).all()


@dataclass(frozen=True)
class Acquisition:
    direction: np.ndarray
    spacing: tuple[float, float, float]
    slice_mm: float
    keeps_slices: bool


AXIAL = np.eye(3)
SAGITTAL = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
CORONAL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])

ACQUISITIONS = {
    "axial_thick": Acquisition(AXIAL, (0.9, 0.9, 5.5), 5.5, True),
    "axial_fine_pixels": Acquisition(AXIAL, (0.4, 0.4, 3.0), 3.0, True),
    "axial_tilted": Acquisition(turned((1, 0, 0), 29.0), (0.9, 0.9, 5.0), 5.0, True),
    "axial_tilted_too_far": Acquisition(turned((1, 0, 0), 31.0), (0.9, 0.9, 5.0), 1.0, False),
    "axial_head_turned": Acquisition(turned((0, 0, 1), 38.0), (0.9, 0.9, 5.0), 5.0, True),
    "axial_turned_and_tilted": Acquisition(
        turned((1, 0.2, 0), 20.0) @ turned((0, 0, 1), 44.0), (0.9, 0.9, 5.0), 5.0, True
    ),
    "isotropic": Acquisition(SAGITTAL, (1.0, 1.0, 1.0), 1.0, True),
    "isotropic_fine": Acquisition(SAGITTAL, (0.5, 0.5, 0.5), 1.0, False),
    "sagittal_mprage": Acquisition(SAGITTAL, (1.0, 1.0, 1.2), 1.0, True),
    "sagittal_thick": Acquisition(SAGITTAL, (0.5, 0.5, 5.0), 1.0, False),
    "sagittal_thick_coarse": Acquisition(SAGITTAL, (1.2, 1.2, 6.0), 1.0, False),
    "coronal_thick": Acquisition(CORONAL, (0.9, 0.9, 4.0), 1.0, False),
    "coronal_thick_tilted": Acquisition(
        turned((1, 0, 0), 40.0) @ CORONAL, (0.9, 0.9, 4.0), 1.0, False
    ),
}


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_slices_stay_where_the_scanner_put_them_or_are_reformatted_at_1_mm(name):
    acquisition = ACQUISITIONS[name]
    reference = blank(acquisition.direction, acquisition.spacing)
    grid = model_grid(reference, ball(reference, middle(reference), 28.0))

    assert grid.spacing == (1.0, 1.0, acquisition.slice_mm)
    if acquisition.keeps_slices:
        # Every slice of the grid lies in a plane of the reference's voxel centres.
        axes = np.array(grid.direction).reshape(3, 3)
        normal = axes[:, 2]
        between = (np.array(grid.origin) - reference.GetOrigin()) @ normal / grid.spacing[2]
        assert between == pytest.approx(round(between), abs=1e-6)
        direction = np.array(reference.GetDirection()).reshape(3, 3)
        assert np.abs(direction.T @ normal).max() == pytest.approx(1.0)


def test_axial_slices_stay_in_whatever_order_and_direction_they_are_stored():
    for number, orientation in enumerate(ORIENTATIONS):
        along = int(np.flatnonzero(orientation[2]).item())
        spacing = [5.0 if axis == along else 0.9 for axis in range(3)]
        reference = blank(turned((1, 0, 0), 15.0) @ orientation, spacing)
        grid = model_grid(reference, ball(reference, middle(reference), 28.0))
        assert grid.spacing == (1.0, 1.0, 5.0), number
        axes = np.array(grid.direction).reshape(3, 3)
        assert np.allclose(axes, turned((1, 0, 0), 15.0)), number


def test_a_head_turned_within_axial_slices_is_turned_back():
    reference = blank(turned((0, 0, 1), 40.0), (0.9, 0.9, 5.0))
    grid = model_grid(reference, ball(reference, middle(reference), 28.0))
    assert np.allclose(np.array(grid.direction).reshape(3, 3), np.eye(3), atol=1e-12)


def test_a_brain_at_the_border_of_the_scan_comes_back_to_its_last_voxel():
    for number in range(0, 48, 7):
        reference = blank(ORIENTATIONS[number], (1.0, 1.0, 4.0), 48.0)
        everything = reference + 1
        grid = model_grid(reference, everything)
        index = np.array(reference.GetSize()) - 1
        corner = reference.TransformIndexToPhysicalPoint(index.tolist())
        label = ball(reference, corner, 22.0)

        back = there_and_back(label, grid)

        assert np.array_equal(back, sitk.GetArrayViewFromImage(label))
        # The grid reaches beyond the scan; there is nothing there.
        inside = to_grid(everything, grid)
        assert inside.max() == 1 and inside.min() == 0
        assert np.prod(grid.size) > inside.sum() * 1.05


def test_an_empty_brain_mask_is_refused():
    reference = blank(np.eye(3), (1.0, 1.0, 1.0))
    with pytest.raises(InputError, match="empty"):
        model_grid(reference, reference)


def test_a_large_fine_mask_is_measured_without_listing_its_voxels():
    """The bounds of 40 million voxels: listing them all would take over a gigabyte."""
    import tracemalloc

    reference = sitk.Image((400, 400, 256), sitk.sitkUInt8) + 1
    reference.SetSpacing((0.4, 0.4, 0.6))
    tracemalloc.start()
    try:
        grid = model_grid(reference, reference)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200e6
    assert grid.spacing == (1.0, 1.0, 1.0)
    assert grid.size[2] == pytest.approx(0.6 * 256, abs=3)


# --- sampling --------------------------------------------------------------------------


def stripes(axis: int, spacing) -> sitk.Image:
    image = blank(np.eye(3), spacing, 40.0)
    index = np.indices(image.GetSize()[::-1])[2 - axis]
    return with_values((100.0 + 50.0 * (-1.0) ** index).astype(np.float32), image)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_detail_finer_than_the_grid_is_smoothed_rather_than_aliased(axis):
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 0.4
    image = stripes(axis, spacing)
    size = (30, 30, 30)
    grid = ModelGrid(size, (1.0, 1.0, 1.0), tuple(middle(image) - 14.6), tuple(np.eye(3).ravel()))

    sampled = to_grid(image, grid)

    plain = sitk.Resample(
        image, size, IDENTITY, sitk.sitkLinear, grid.origin, grid.spacing, grid.direction
    )
    assert np.std(sampled) < 0.5 * np.std(sitk.GetArrayViewFromImage(plain))
    assert sampled.mean() == pytest.approx(100.0, abs=1.0)


def test_detail_that_the_grid_resolves_is_left_alone():
    image = stripes(0, (0.9, 0.9, 3.0))
    grid = ModelGrid(
        (30, 30, 10), (1.0, 1.0, 3.0), tuple(middle(image) - 14.0), tuple(np.eye(3).ravel())
    )
    plain = sitk.Resample(
        image, grid.size, IDENTITY, sitk.sitkLinear, grid.origin, grid.spacing, grid.direction
    )
    assert np.array_equal(to_grid(image, grid), sitk.GetArrayViewFromImage(plain))


@pytest.mark.parametrize("spacing", [(0.4, 0.4, 0.4), (0.5, 0.7, 1.0)])
def test_smoothing_neither_moves_nor_dims_what_it_smooths(spacing):
    image = blank(turned((0, 1, 0), 10.0) @ ORIENTATIONS[29], spacing, 40.0)
    center = near(image, (1.3, -2.1, 0.9))
    blob = ball(image, center, 9.0)
    grid = model_grid(image, image + 1)
    array = to_grid(blob, grid)
    weights = array.ravel().astype(float)
    found = np.average(positions(grid.image(array)).reshape(-1, 3), axis=0, weights=weights)
    assert np.linalg.norm(found - center) < 0.1
    voxel, own = np.prod(grid.spacing), np.prod(spacing)
    volume = own * np.count_nonzero(sitk.GetArrayViewFromImage(blob))
    assert weights.sum() * voxel == pytest.approx(volume, rel=0.02)
    assert array.min() >= -1e-6 and array.max() <= 1 + 1e-6


def test_beyond_a_scan_is_zero_or_what_the_caller_says():
    reference = blank(np.eye(3), (1.0, 1.0, 1.0), 40.0)
    slab = (reference + 7)[:, :, 10:20]
    grid = model_grid(reference, reference + 1)
    assert set(np.unique(to_grid(slab, grid))) == {0.0, 7.0}
    marked = to_grid(slab, grid, outside=np.nan)
    assert np.count_nonzero(~np.isnan(marked)) == np.prod(slab.GetSize())


# --- the way back ------------------------------------------------------------------------


@pytest.mark.parametrize("thickness", [1.0, 4.0])
def test_beyond_the_grid_the_background_is_certain(thickness):
    reference = blank(np.eye(3), (1.0, 1.0, thickness), 80.0)
    grid = model_grid(reference, ball(reference, middle(reference), 12.0), multiple=8)
    half = np.full(grid.shape, 0.5, np.float32)

    background, tumor = restore([half, half], grid, reference)

    inside = tumor > 0
    assert np.all(tumor[inside] == 0.5) and np.all(background[inside] == 0.5)
    assert np.all(background[~inside] == 1.0)
    # Where spacings agree that is one voxel a voxel, no slice more at either end.
    assert np.count_nonzero(inside) == np.prod(grid.size)


def test_the_outer_half_of_the_outermost_voxels_belongs_to_the_grid():
    reference = blank(np.eye(3), (0.25, 0.25, 0.25), 20.0)
    grid = ModelGrid(
        (8, 8, 8), (1.0, 1.0, 1.0), tuple(middle(reference) - 3.5), tuple(np.eye(3).ravel())
    )
    ones = np.ones(grid.shape, np.float32)
    (volume,) = list(restore([0 * ones, ones], grid, reference))[1:]
    assert volume.sum() * 0.25**3 == pytest.approx(8.0**3, rel=0.1)
    assert set(np.unique(volume)) == {0.0, 1.0}


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    seed=st.integers(0, 1000),
    number=st.integers(0, len(ORIENTATIONS) - 1),
    degrees=st.floats(0, 60),
    spacing=st.tuples(*[st.floats(0.7, 4.0)] * 3),
)
def test_restored_probabilities_still_add_up_to_one(seed, number, degrees, spacing):
    random = np.random.default_rng(seed)
    reference = blank(turned((3, 1, 2), degrees) @ ORIENTATIONS[number], spacing, 30.0)
    grid = model_grid(reference, ball(reference, middle(reference), 10.0), multiple=8)
    raw = random.uniform(size=(5, *grid.shape)).astype(np.float32)
    back = np.stack(list(restore(raw / raw.sum(axis=0), grid, reference)))
    assert back.dtype == np.float32 and back.shape[1:] == reference.GetSize()[::-1]
    assert np.allclose(back.sum(axis=0), 1.0, atol=1e-5)
    assert back.min() >= 0


# --- a real case -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_case(real_data):
    folder = real_data / "brats" / "Brats15_2013_pat0001"
    names = ("t1", "t1ce", "flair", "seg")
    return {name: sitk.ReadImage(str(folder / f"{folder.name}_{name}.nii.gz")) for name in names}


def test_a_1_mm_axial_scan_is_cropped_and_not_interpolated(real_case):
    reference = real_case["t1ce"]
    brain = sitk.Cast(reference != 0, sitk.sitkUInt8)
    grid = model_grid(reference, brain)
    assert grid.spacing == reference.GetSpacing() and grid.direction == reference.GetDirection()
    first = reference.TransformPhysicalPointToContinuousIndex(grid.origin)
    assert np.array_equal(first, np.round(first))

    low = np.array(first, int)[::-1]
    high = low + grid.shape
    for name in ("t1", "t1ce", "flair"):
        whole = sitk.GetArrayViewFromImage(real_case[name])
        padded = np.pad(whole, [(n, n) for n in whole.shape])
        start, stop = low + whole.shape, high + whole.shape
        cut = padded[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
        assert np.array_equal(to_grid(real_case[name], grid), cut)


def test_labels_of_a_real_case_come_back_to_the_voxel(real_case):
    reference, truth = real_case["t1ce"], real_case["seg"]
    grid = model_grid(reference, sitk.Cast(reference != 0, sitk.sitkUInt8))
    labels = to_grid(truth, grid, interpolator=sitk.sitkNearestNeighbor)
    back = np.stack(list(restore([labels == value for value in range(5)], grid, reference)))
    assert np.array_equal(back.argmax(axis=0), sitk.GetArrayViewFromImage(truth))
    assert np.minimum(np.abs(back), np.abs(1 - back)).max() < 1e-12


def test_a_real_tumour_survives_every_orientation_of_its_scan(real_case):
    """The same anatomy stored in other ways gives the same grid content and labels."""
    reference, truth = real_case["t1ce"], real_case["seg"]
    brain = sitk.Cast(reference != 0, sitk.sitkUInt8)
    expected = to_grid(reference, model_grid(reference, brain))
    for code in ("RAS", "PIR", "SLA", "IRP"):
        turned_scan = sitk.DICOMOrient(reference, code)
        grid = model_grid(turned_scan, sitk.DICOMOrient(brain, code))
        assert np.array_equal(to_grid(turned_scan, grid), expected), code
        label = sitk.Cast(sitk.DICOMOrient(truth, code) != 0, sitk.sitkUInt8)
        assert np.array_equal(there_and_back(label, grid), sitk.GetArrayViewFromImage(label)), code


# --- intensities -------------------------------------------------------------------------


def noisy_brain(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    volume = random.gamma(4.0, 60.0, (12, 30, 30)).astype(np.float32)
    brain = np.zeros(volume.shape, bool)
    brain[2:10, 5:25, 5:25] = True
    return volume, brain


def test_normalising_centres_scales_and_blanks_the_outside():
    volume, brain = noisy_brain()
    kept = volume.copy()
    result = normalize(volume, brain)
    assert result.dtype == np.float32
    assert result[brain].mean() == pytest.approx(0, abs=1e-4)
    assert result[brain].std() == pytest.approx(1, abs=1e-4)
    assert not result[~brain].any()
    assert np.array_equal(volume, kept)


def test_a_few_extreme_voxels_hardly_matter():
    volume, brain = noisy_brain()
    spiked = volume.copy()
    spiked[5, 10, 5:10] = 1e7
    plain, other = normalize(volume, brain), normalize(spiked, brain)
    ordinary = brain & (spiked == volume)
    assert np.abs(plain - other)[ordinary].max() < 0.1
    assert other.max() < 6


@settings(max_examples=30, derandomize=True, deadline=None)
@given(gain=st.floats(0.01, 100), shift=st.floats(-500, 500), seed=st.integers(0, 9))
def test_the_scanners_scale_and_offset_do_not_matter(gain, shift, seed):
    volume, brain = noisy_brain(seed)
    changed = volume.astype(np.float64) * gain + shift
    assert np.allclose(normalize(changed, brain), normalize(volume, brain), atol=1e-3)


def test_what_a_scan_does_not_cover_stays_out_of_its_statistics():
    volume, brain = noisy_brain()
    partial = volume.copy()
    partial[:5] = np.nan
    result = normalize(partial, brain)
    seen = brain & ~np.isnan(partial)
    assert np.isfinite(result).all()
    assert result[seen].mean() == pytest.approx(0, abs=1e-4)
    assert result[seen].std() == pytest.approx(1, abs=1e-4)
    assert not result[~seen].any()


def test_quartiles_are_moved_less_than_mean_and_deviation_by_a_large_bright_tumour():
    volume, brain = noisy_brain()
    ill = volume.copy()
    ill[4:9, 5:15, 5:15] = 800.0
    healthy = brain & (ill == volume)
    assert healthy.sum() < 0.9 * brain.sum()

    def moved(name):
        return np.abs(
            normalize(volume, brain, NetworkInput(name)) - normalize(ill, brain, NetworkInput(name))
        )

    shift = {name: moved(name)[healthy].mean() for name in NORMALIZATIONS}
    assert shift["percentile-quartiles"] < 0.8 * shift["percentile-zscore"]


def test_with_quartiles_half_of_the_brain_lies_within_one_quartile_range():
    volume, brain = noisy_brain()
    inside = normalize(volume, brain, NetworkInput("percentile-quartiles"))[brain]
    assert np.median(inside) == pytest.approx(0, abs=1e-5)
    assert np.subtract(*np.percentile(inside, [75, 25])) == pytest.approx(1 / 1.35, abs=1e-5)


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_what_is_seen_around_the_brain_has_the_brain_s_scale(name):
    volume, brain = noisy_brain()
    seen = np.zeros_like(brain)
    seen[1:11, 2:28, 2:28] = True
    shown = NetworkInput(name, 0, 100)
    result = normalize(volume, brain, shown, seen)
    assert np.allclose(result[brain], normalize(volume, brain, shown)[brain], atol=1e-5)
    assert np.corrcoef(result[seen], volume[seen])[0, 1] == pytest.approx(1, abs=1e-6)
    assert result[seen & ~brain].all() and not result[~seen].any()


def test_a_scan_constant_inside_the_brain_is_refused():
    volume, brain = noisy_brain()
    volume[brain] = 5.0
    with pytest.raises(InputError, match="same intensity"):
        normalize(volume, brain)


@pytest.mark.parametrize("lost", ["no_brain", "not_covered"])
def test_a_brain_mask_that_misses_the_scan_is_refused(lost):
    volume, brain = noisy_brain()
    if lost == "no_brain":
        brain[:] = False
    else:
        volume[brain] = np.nan
    with pytest.raises(InputError, match="misses"):
        normalize(volume, brain)


# --- recipes -----------------------------------------------------------------------------


def numbered_volumes() -> dict[Sequence, np.ndarray]:
    """Slice ``k`` of sequence number ``s`` is filled with ``100 s + k``."""
    return {
        sequence: np.broadcast_to(
            (100.0 * s + np.arange(6, dtype=np.float32))[:, None, None], (6, 8, 8)
        )
        for s, sequence in enumerate(Sequence, start=1)
    }


def channel_values(recipe: str, indices, missing: Sequence | None = None) -> list[list[float]]:
    volumes = {s: v for s, v in numbered_volumes().items() if s is not missing}
    stacked = stack_slices(volumes, recipe, indices)
    assert stacked.dtype == np.float32
    assert stacked.shape == (len(indices), recipe_channels(recipe), 8, 8)
    return stacked[:, :, 0, 0].tolist()


def test_mixture_shows_the_same_slice_of_the_three_sequences():
    assert channel_values("mixture", [0, 3]) == [[100, 200, 300], [103, 203, 303]]


def test_neighbours_shows_three_slices_of_t1ce_and_repeats_the_ends():
    assert channel_values("neighbours", [0, 2, 5]) == [
        [200, 200, 201],
        [201, 202, 203],
        [204, 205, 205],
    ]


def test_wide_shows_three_slices_of_all_sequences():
    assert channel_values("wide", [4]) == [[103, 203, 303, 104, 204, 304, 105, 205, 305]]


def test_a_missing_sequence_becomes_zero_channels():
    assert channel_values("mixture", [1], missing=Sequence.FLAIR) == [[101, 201, 0]]
    assert channel_values("wide", [1], missing=Sequence.T1)[0][::3] == [0, 0, 0]


def test_every_recipe_says_what_its_channels_show():
    assert [s.value for s in channel_sequences("mixture")] == ["t1", "t1ce", "flair"]
    assert [s.value for s in channel_sequences("neighbours")] == ["t1ce"] * 3
    for recipe in RECIPES:
        values = channel_values(recipe, [3])[0]
        shown = [list(Sequence)[int(v // 100) - 1] for v in values]
        assert shown == list(channel_sequences(recipe))


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="mixture"):
        recipe_channels("collage")
