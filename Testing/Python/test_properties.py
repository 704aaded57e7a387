"""What holds for all inputs, not only for those that somebody thought of."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from BrainTumorSegLib.core.sequences import Verdict, recognize
from BrainTumorSegLib.inference.labels import decode_labels
from BrainTumorSegLib.inference.tta import TTA_SETS, TtaTransform
from BrainTumorSegLib.io.grids import lattice_offset
from BrainTumorSegLib.models.quantization import (
    dequantize,
    pack_six_bits,
    quantize,
    unpack_six_bits,
)
from BrainTumorSegLib.preprocessing.brain.networks import nibabel_from_sitk
from BrainTumorSegLib.preprocessing.registration.rigid import (
    matrix_and_offset,
    rigid_from_matrix,
    rotation_deg,
)

quick = settings(max_examples=60, derandomize=True, deadline=None)

views = st.builds(TtaTransform, turns=st.integers(0, 3), flip=st.booleans())
points = st.tuples(*[st.floats(-200, 200)] * 3)
# ITK cannot invert a direction with subnormal cosines (1e-310), nor does a header hold any.
thousandths = st.integers(-1000, 1000).map(lambda n: n / 1000)
axes = st.tuples(*[thousandths] * 3).filter(lambda v: np.linalg.norm(v) > 0.1)
degrees = st.integers(0, 1800).map(lambda n: n / 10)


def rotation(axis: tuple[float, ...], angle: float) -> np.ndarray:
    transform = sitk.VersorRigid3DTransform()
    transform.SetRotation(axis, float(np.radians(angle)))
    return np.array(transform.GetMatrix()).reshape(3, 3)


# Test-time augmentation


@quick
@given(view=views, rows=st.integers(1, 7), columns=st.integers(1, 7))
def test_undoing_a_view_gives_the_slices_back(view, rows, columns):
    slices = torch.arange(2.0 * rows * columns).reshape(2, rows, columns)
    assert torch.equal(view.undo(view.apply(slices)), slices)


@quick
@given(first=views, second=views)
def test_two_views_in_a_row_are_the_one_view_that_then_names(first, second):
    slices = torch.arange(12.0).reshape(3, 4)
    assert torch.equal(first.then(second).apply(slices), second.apply(first.apply(slices)))


def test_every_set_is_closed_so_that_averaging_prefers_no_direction():
    for members in TTA_SETS.values():
        assert {first.then(second) for first in members for second in members} == set(members)


# Places in space


@quick
@given(axis=axes, angle=degrees, shift=points, center=points, point=points)
def test_a_rigid_transform_keeps_what_its_matrix_says_about_any_center(
    axis, angle, shift, center, point
):
    matrix = rotation(axis, angle)
    transform = rigid_from_matrix(matrix, np.array(shift), np.array(center))
    back, offset = matrix_and_offset(transform)
    assert np.allclose(back, matrix, atol=1e-9)
    assert np.allclose(offset, shift, atol=1e-6)
    assert np.allclose(transform.TransformPoint(point), matrix @ point + shift, atol=1e-6)
    assert rotation_deg(transform) == pytest.approx(angle, abs=1e-5)


@quick
@given(
    axis=axes,
    angle=degrees,
    origin=points,
    spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
    size=st.tuples(*[st.integers(2, 9)] * 3),
    index=st.tuples(*[st.floats(0, 8)] * 3),
)
def test_a_voxel_lies_in_ras_where_lps_with_two_signs_turned_says(
    axis, angle, origin, spacing, size, index
):
    image = sitk.Image(size, sitk.sitkFloat32)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(rotation(axis, angle).ravel().tolist())
    lps = np.array(image.TransformContinuousIndexToPhysicalPoint(index))
    ras = nibabel_from_sitk(image).affine @ [*index, 1]
    assert np.allclose(ras[:3], lps * [-1, -1, 1], atol=1e-4)


@quick
@given(
    axis=axes,
    angle=degrees,
    spacing=st.tuples(*[st.floats(0.3, 6)] * 3),
    start=st.tuples(*[st.integers(0, 4)] * 3),
)
def test_a_part_cut_out_of_a_grid_finds_its_place_again(axis, angle, spacing, start):
    grid = sitk.Image([12, 11, 10], sitk.sitkUInt8)
    grid.SetSpacing(spacing)
    grid.SetDirection(rotation(axis, angle).ravel().tolist())
    part = sitk.RegionOfInterest(grid, [5, 4, 6], start)
    assert lattice_offset(part, grid) == start
    part.SetOrigin(np.add(part.GetOrigin(), 0.4 * min(spacing)).tolist())
    assert lattice_offset(part, grid) is None


# Weights


@quick
@given(
    seed=st.integers(0, 10_000),
    bits=st.sampled_from([6, 8]),
    axis=st.integers(0, 1),
    scale=st.floats(1e-6, 1e4),
)
def test_quantized_weights_differ_by_no_more_than_a_step(seed, bits, axis, scale):
    weight = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(seed)) * scale
    integers, scales = quantize(weight, axis, bits)
    assert int(integers.abs().max()) < 2 ** (bits - 1)
    # A range may be cut for a smaller sum of squares, but never doubles the whole error.
    error = (dequantize(integers, scales) - weight).square().sum()
    highest = weight.abs().amax(dim=[d for d in range(3) if d != axis], keepdim=True)
    step = highest / (2 ** (bits - 1) - 1)
    plain = ((weight / step).round() * step - weight).square().sum()
    assert error <= plain * (1 + 1e-4) + 1e-12


@quick
@given(st.lists(st.integers(-31, 31), min_size=1, max_size=70))
def test_six_bits_survive_packing_whatever_their_number(values):
    integers = torch.tensor(values, dtype=torch.int8)
    packed = pack_six_bits(integers)
    assert packed.numel() <= -(-len(values) // 4) * 3
    assert torch.equal(unpack_six_bits(packed, integers.shape), integers)


# Labels


@quick
@given(seed=st.integers(0, 10_000), sharpness=st.floats(0.1, 20))
def test_a_voxel_is_tumor_exactly_where_background_is_less_likely_than_not(seed, sharpness):
    random = np.random.default_rng(seed)
    raw = np.exp(sharpness * random.normal(size=(5, 40))).astype(np.float32)
    probabilities = raw / raw.sum(axis=0)
    labels = decode_labels(probabilities)
    assert ((labels > 0) == (probabilities[0] < 0.5)).all()
    core = np.isin(labels, [1, 3, 4])
    assert (probabilities[[1, 3, 4]].sum(axis=0) >= probabilities[2] - 1e-6)[core].all()


# Names of sequences


@quick
@given(
    name=st.sampled_from(["t1", "T1 post gad", "flair", "t2_tse", "T1 ohne KM", "ax dwi"]),
    separator=st.sampled_from([" ", "_", "-", "."]),
    number=st.integers(1, 99),
    upper=st.booleans(),
)
def test_neither_case_nor_separators_nor_a_number_change_what_a_name_says(
    name, separator, number, upper
):
    expected = recognize(name)
    changed = f"{number:02d}{separator}{name.replace(' ', separator)}"
    found = recognize(changed.upper() if upper else changed)
    assert (found.sequence, found.verdict) == (expected.sequence, expected.verdict)


@quick
@given(st.text(max_size=40))
def test_any_text_is_a_name_and_gets_a_verdict_with_a_reason(name):
    found = recognize(name)
    assert isinstance(found.verdict, Verdict)
    assert found.reason and 0 <= found.confidence <= 1
