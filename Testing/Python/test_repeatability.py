"""The error of measuring volumes: slicing scans anew, and what is told of the differences."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from registration_scans import case_of, phantom

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.evaluation.repeatability import (
    RESLICINGS,
    reslice,
    summarize,
    turned_grid,
)
from BrainTumorSegLib.follow_up.change import repeatability


@pytest.mark.parametrize("how", RESLICINGS, ids=lambda how: how.key)
def test_scans_sliced_anew_show_the_same_head_on_another_grid(how):
    case = case_of(phantom(Sequence.T1CE), phantom(Sequence.FLAIR))
    again = reslice(case, how, np.random.default_rng(2))
    fixed, moved = case.reference_scan.image, again.reference_scan.image
    turn = np.reshape(moved.GetDirection(), (3, 3)) @ np.reshape(fixed.GetDirection(), (3, 3)).T
    angle = np.degrees(np.arccos((np.trace(turn) - 1) / 2))
    assert angle == pytest.approx(how.degrees, abs=0.01)
    back = sitk.Resample(moved, fixed, sitk.Transform(), sitk.sitkLinear, 0.0)
    one, other = (sitk.GetArrayViewFromImage(image).ravel() for image in (fixed, back))
    assert np.corrcoef(one, other)[0, 1] > 0.9
    grids = {scan.image.GetSize() for scan in again.scans.values()}
    assert len(grids) == 1


def test_a_turned_grid_covers_the_field_of_view_and_begins_between_voxels():
    image = phantom(Sequence.T1CE)
    grid = turned_grid(image, 12.0, (0.8, 0.9, 1.3), np.random.default_rng(1))
    assert grid.GetSpacing() == (0.8, 0.9, 1.3)
    middle = [(n - 1) / 2 for n in image.GetSize()]
    index = grid.TransformPhysicalPointToContinuousIndex(
        image.TransformContinuousIndexToPhysicalPoint(middle)
    )
    assert np.allclose(index, (np.array(grid.GetSize()) - 1) / 2, atol=0.51)


def test_the_limit_covers_the_differences_and_is_told_with_their_number():
    random = np.random.default_rng(3)
    volumes = random.uniform(1, 90, 400)
    noise = 0.2 * volumes ** (2 / 3) * random.normal(size=(2, 400))
    found = summarize({"WT": [*zip(volumes + noise[0], volumes + noise[1], strict=True)]})["WT"]
    assert found["limit"] == pytest.approx(1.96 * 2**0.5 * 0.2, rel=0.1)
    assert found["n"] == 400


def test_what_was_found_in_nothing_is_told_apart():
    found = summarize({"ET": [(0.0, 0.4), (0.0, 0.0), (8.0, 9.0)]})["ET"]
    assert found["largest_empty_ml"] == 0.4
    assert found["n"] == 1
    assert summarize({"ET": [(0.0, 0.0)]})["ET"]["limit"] is None


def test_the_figures_that_ship_tell_their_command_and_cases_and_follow_from_their_pairs():
    figures = repeatability()
    assert figures["command"].startswith("brain-tumor-seg repeatability")
    for by_key in figures["kinds"].values():
        pairs = {key: [tuple(p) for p in f["pairs"]] for key, f in by_key.items()}
        assert summarize(pairs) == by_key
        reslicings = len(by_key["WT"]["pairs"]) / figures["cases"]
        assert reslicings == int(reslicings)
