"""Shading by a coil is measured, and corrected where it is strong."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from BrainTumorSegLib.cli.commands.segment import add_run_options, options_from
from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.evaluation.conditions import CONDITIONS, perturb_case
from BrainTumorSegLib.inference import pipeline
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.preprocessing.bias_field import (
    BIAS_FIELD_CORRECTIONS,
    MAX_UNCORRECTED_BIAS,
    bias_field_record,
    correct_bias_field,
)
from BrainTumorSegLib.preprocessing.model_grid import ModelGrid
from BrainTumorSegLib.reporting.html import report_page
from BrainTumorSegLib.synthesis.fields import noise

#: Brightness of white and grey matter, liquor and tumour.
CONTRASTS = {
    Sequence.T1: (110, 80, 35, 70),
    Sequence.T1CE: (110, 85, 35, 150),
    Sequence.FLAIR: (70, 90, 25, 150),
}
QUICK = Options(
    members=1, tta="none", device="cpu", engine="torch", registration="none", brain="stripped"
)


def grid_of(shape, spacing, origin=(-60.0, 12.0, 5.0)) -> ModelGrid:
    size = (shape[2], shape[1], shape[0])
    return ModelGrid(size, spacing, origin, (1, 0, 0, 0, 1, 0, 0, 0, 1))


def phantom(spacing=(2.0, 2.0, 2.0), seed=0):
    """A folded brain of three tissues with a tumour of 4 cm: volumes, brain, grid."""
    rng = np.random.default_rng(seed)
    extent = (130.0, 160.0, 140.0)
    shape = tuple(round(mm / s) for mm, s in zip(extent, spacing[::-1], strict=True))
    axes = np.ogrid[
        tuple(slice(-mm / 2, mm / 2, n * 1j) for mm, n in zip(extent, shape, strict=True))
    ]
    brain = sum((a / (mm / 2 - 6)) ** 2 for a, mm in zip(axes, extent, strict=True)) < 1
    tumor = sum((a - at) ** 2 for a, at in zip(axes, (5, 20, 25), strict=True)) < 20**2
    folds = noise(rng, shape, 14 / spacing[0])
    volumes = {}
    for sequence, (white, gray, liquor, lesion) in CONTRASTS.items():
        values = np.where(folds > 0, white, np.where(folds > -1.2, gray, liquor))
        values = np.where(tumor, lesion, values) + 4 * rng.normal(size=shape)
        volumes[sequence] = np.where(brain, np.maximum(values, 1), 0).astype(np.float32)
    return volumes, brain, grid_of(shape, spacing)


def shaded(volumes, grid, strength=0.35, seed=1):
    """The volumes under smooth fields over 120 mm, and the logarithms of these."""
    rng = np.random.default_rng(seed)
    coordinates = [np.arange(n) * s for n, s in zip(grid.shape, grid.spacing[::-1], strict=True)]
    logs = {}
    for sequence in volumes:
        waves = [np.cos(2 * np.pi * c / 240 + rng.uniform(0, 6)) for c in coordinates]
        logs[sequence] = (
            strength
            * 1.4
            * (waves[0][:, None, None] * waves[1][None, :, None] + waves[2][None, None, :])
        )
    return {s: (v * np.exp(logs[s])).astype(np.float32) for s, v in volumes.items()}, logs


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.0, 1.0, 5.5), (1.5, 1.5, 3.0)])
def test_a_strong_field_is_found_strong_and_taken_out_on_any_grid(spacing):
    volumes, brain, grid = phantom(spacing)
    perturbed, logs = shaded(volumes, grid)
    corrected, found = correct_bias_field(perturbed, brain, grid)
    best, _ = correct_bias_field(volumes, brain, grid, "n4")
    for sequence, log in logs.items():
        assert found[sequence].corrected
        assert found[sequence].spread == pytest.approx(log[brain].std(), rel=0.3)
        # What N4 makes of the scan without the field is as good as it gets.
        left = np.log(corrected[sequence][brain] / best[sequence][brain])
        assert left.std() < 0.25 * log[brain].std()
        assert corrected[sequence].dtype == np.float32


def test_scans_without_strong_shading_are_left_alone_to_the_bit():
    volumes, brain, grid = phantom()
    perturbed, _ = shaded(volumes, grid, strength=0.08)
    for given in (volumes, perturbed):
        result, found = correct_bias_field(given, brain, grid)
        assert all(result[sequence] is given[sequence] for sequence in given)
        assert all(f.spread < MAX_UNCORRECTED_BIAS and not f.corrected for f in found.values())


def test_what_was_given_is_not_changed():
    volumes, brain, grid = phantom()
    perturbed, _ = shaded(volumes, grid)
    before = {s: v.copy() for s, v in perturbed.items()}
    correct_bias_field(perturbed, brain, grid, "n4")
    for sequence, volume in before.items():
        np.testing.assert_array_equal(perturbed[sequence], volume)


def test_n4_corrects_every_scan_and_off_looks_at_none():
    volumes, brain, grid = phantom()
    assert all(f.corrected for f in correct_bias_field(volumes, brain, grid, "n4")[1].values())
    result, found = correct_bias_field(volumes, brain, grid, "off")
    assert found == {} and bias_field_record(found) is None
    assert all(result[sequence] is volumes[sequence] for sequence in volumes)
    with pytest.raises(InputError, match="Unknown bias-field correction 'no'"):
        correct_bias_field(volumes, brain, grid, "no")


def test_the_same_values_come_out_however_many_threads_there_are():
    volumes, brain, grid = phantom()
    one = {Sequence.T1: shaded(volumes, grid)[0][Sequence.T1]}
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    results = []
    try:
        for threads in (1, 3):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            results.append(correct_bias_field(one, brain, grid, "n4")[0][Sequence.T1])
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    np.testing.assert_array_equal(*results)


def test_a_scan_that_ends_inside_the_brain_keeps_its_border_and_is_corrected_elsewhere():
    volumes, brain, grid = phantom()
    perturbed, _ = shaded(volumes, grid)
    cut = {
        s: np.where(np.arange(len(v))[:, None, None] < 50, v, np.nan) for s, v in perturbed.items()
    }
    result, found = correct_bias_field(cut, brain, grid)
    for sequence, volume in result.items():
        assert found[sequence].corrected
        np.testing.assert_array_equal(np.isnan(volume), np.isnan(cut[sequence]))


@pytest.mark.parametrize("value", [0.0, -5.0, 7.0, np.nan])
def test_a_brain_of_one_value_tells_nothing(value):
    _, brain, grid = phantom()
    flat = {Sequence.T1CE: np.full(grid.shape, value, np.float32)}
    result, found = correct_bias_field(flat, brain, grid, "n4")
    assert result[Sequence.T1CE] is flat[Sequence.T1CE]
    assert (found[Sequence.T1CE].spread, found[Sequence.T1CE].corrected) == (None, False)
    assert bias_field_record(found)["scans"] == [
        {"sequence": "t1ce", "spread": None, "corrected": False}
    ]


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 64), (2, 1, 1), (1, 256, 256), (70, 4, 4)])
def test_tiny_and_flat_grids_do_not_crash(shape):
    volume = np.random.default_rng(0).uniform(50, 150, shape).astype(np.float32)
    grid = grid_of(shape, (1.0, 1.0, 1.0))
    result, found = correct_bias_field({Sequence.T1CE: volume}, np.ones(shape, bool), grid, "n4")
    assert np.isfinite(result[Sequence.T1CE]).all()
    assert found[Sequence.T1CE].spread is None or found[Sequence.T1CE].spread < 0.5


def test_a_brain_of_no_voxel_tells_nothing():
    volumes, brain, grid = phantom()
    _, found = correct_bias_field(volumes, np.zeros_like(brain), grid)
    assert not any(f.corrected for f in found.values())


def case_of(volumes, grid) -> Case:
    return Case("c", {s: Scan(grid.image(v), f"{s.value}.nii.gz") for s, v in volumes.items()})


@pytest.fixture(scope="module")
def shaded_run():
    volumes, _, grid = phantom((4.0, 4.0, 8.0))
    case = case_of(shaded(volumes, grid)[0], grid)
    return case, pipeline.segment(case, QUICK)


def test_the_record_and_the_page_name_what_was_corrected(shaded_run):
    case, result = shaded_run
    shading = result.record["shading"]
    assert shading["method"] == "n4" and shading["corrected"]
    assert [scan["sequence"] for scan in shading["scans"]] == [s.value for s in Sequence]
    assert all(scan["corrected"] and scan["spread"] > 0.1 for scan in shading["scans"])
    assert result.record["options"]["shading"] == "auto"
    told = [w for w in result.record["warnings"] if "strongly shaded (T1 " in w]
    assert len(told) == 1 and "FLAIR" in told[0]
    page = report_page(case, result)
    assert '<th scope="row">Shading' in page or ">Shading<" in page
    assert "corrected with N4" in page


def test_the_record_of_corrected_scans_obeys_the_schema(shaded_run):
    jsonschema = pytest.importorskip("jsonschema")
    path = Path(__file__).parents[2] / "Resources" / "Schemas" / "report.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(shaded_run[1].record)


def test_asked_for_correction_is_no_warning_and_off_leaves_no_trace(shaded_run):
    case, _ = shaded_run
    asked = pipeline.segment(case, replace(QUICK, bias_field="n4")).record
    assert asked["shading"]["corrected"]
    assert not any("shaded" in warning for warning in asked["warnings"])
    off = pipeline.segment(case, replace(QUICK, bias_field="off"))
    assert off.record["shading"] is None and off.record["options"]["shading"] == "off"
    assert ">Shading<" not in report_page(case, off)


def test_an_unknown_choice_is_refused_before_anything_is_computed(shaded_run):
    with pytest.raises(InputError, match="bias_field cannot be 'yes'"):
        pipeline.segment(shaded_run[0], replace(QUICK, bias_field="yes"))


@pytest.mark.parametrize("word", BIAS_FIELD_CORRECTIONS)
def test_the_command_line_has_every_choice(word):
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    assert options_from(parser.parse_args(["--shading", word])).bias_field == word
    assert options_from(parser.parse_args([])).bias_field == "auto"


def test_with_and_without_correction_the_same_shaded_scans_are_met():
    volumes, brain, grid = phantom((4.0, 4.0, 8.0))
    case, truth = case_of(volumes, grid), grid.image(brain.astype(np.uint8))
    left, corrected = CONDITIONS["bias-field"], CONDITIONS["bias-field-corrected"]
    for sequence in Sequence:
        one, other = (
            perturb_case(c, case, truth, 3).case.scans[sequence].image for c in (left, corrected)
        )
        np.testing.assert_array_equal(*map(sitk.GetArrayFromImage, (one, other)))
    assert (left.bias_field, corrected.bias_field) == ("off", "auto")
    assert CONDITIONS["as-is"].bias_field == "auto"
    assert CONDITIONS["as-is-corrected"].bias_field == "n4"


def test_a_real_scan_is_left_alone_and_a_shaded_one_corrected(real_data):
    folder = real_data / "brats" / "Brats18_CBICA_ABM_1"
    case = load_case(
        {s: folder / f"{folder.name}_{s.value}.nii.gz" for s in Sequence}, identity=folder.name
    )
    for key, strong in (("as-is", False), ("bias-field", True)):
        perturbed = perturb_case(CONDITIONS[key], case, case.reference_scan.image).case
        arrays = {s: sitk.GetArrayFromImage(i.image) for s, i in perturbed.scans.items()}
        # Every other voxel each way is enough to tell, and quicker.
        arrays = {s: a[::2, ::2, ::2].astype(np.float32) for s, a in arrays.items()}
        brain = arrays[Sequence.T1] > 0
        _, found = correct_bias_field(arrays, brain, grid_of(brain.shape, (2.0, 2.0, 2.0)))
        assert all(f.corrected == strong for f in found.values()), key
