"""Dice and change of volume between two segmentations of one scan."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from mrml_nodes import (
    FLIPPED,
    OBLIQUE,
    add_segmentation,
    add_transform,
    add_volume,
    affine,
    put_under,
)

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.io.terminology import terminology_entry
from BrainTumorSegLib.slicer_app.review.agreement import (
    GROUPS,
    Agreement,
    compareLabels,
    fillAgreementTable,
)
from BrainTumorSegLib.slicer_app.scene.segments import labelImage

SHAPE = (40, 48, 50)


def image(labels, spacing=(1.0, 2.0, 5.0)) -> sitk.Image:
    made = sitk.GetImageFromArray(np.asarray(labels, np.uint8))
    made.SetSpacing(spacing)
    return made


def cube(tissue, start, side=10, shape=SHAPE) -> np.ndarray:
    labels = np.zeros(shape, np.uint8)
    labels[tuple(slice(n, n + side) for n in start)] = tissue
    return labels


def drawn(scene, labels, matrix, name):
    parts = [(t.key, terminology_entry(t), labels == t) for t in TUMOR_TISSUES]
    return add_segmentation(scene, parts, matrix, name)


def test_identical_labels_agree_fully():
    labels = image(cube(Tissue.EDEMA, (3, 3, 3)))
    agreement = compareLabels(labels, labels)
    assert agreement.changedMl == 0
    assert set(agreement.dice.values()) == {1.0}
    assert set(agreement.volumeChangePercent.values()) == {0.0}


def test_two_empty_segmentations_agree_fully():
    empty = image(np.zeros(SHAPE))
    agreement = compareLabels(empty, empty)
    assert agreement.changedMl == 0
    assert set(agreement.dice.values()) == {1.0}


def test_a_shifted_cube_has_the_dice_that_one_computes_by_hand():
    agreement = compareLabels(
        image(cube(Tissue.EDEMA, (5, 5, 5))), image(cube(Tissue.EDEMA, (5, 5, 10)))
    )
    assert agreement.dice["edema"] == agreement.dice["WT"] == 0.5
    assert agreement.dice["TC"] == agreement.dice["ET"] == 1.0
    assert agreement.volumeChangeMl["edema"] == 0
    assert agreement.changedMl == pytest.approx(1000 * 10 / 1000)


def test_a_tissue_that_appears_has_no_percentage():
    agreement = compareLabels(image(np.zeros(SHAPE)), image(cube(Tissue.NECROSIS, (5, 5, 5))))
    assert agreement.dice["necrosis"] == 0.0
    assert agreement.volumeChangeMl["necrosis"] == pytest.approx(10)
    assert agreement.volumeChangePercent["necrosis"] is None
    assert agreement.volumeChangePercent["edema"] == 0.0


def test_a_tissue_that_vanishes_changes_by_minus_hundred_percent():
    agreement = compareLabels(image(cube(Tissue.ENHANCING, (5, 5, 5))), image(np.zeros(SHAPE)))
    for key in ("enhancing", "ET", "TC", "WT"):
        assert agreement.volumeChangePercent[key] == -100.0


def test_another_tissue_in_the_same_place_changes_tissues_but_not_the_whole():
    first, second = cube(Tissue.EDEMA, (5, 5, 5)), cube(Tissue.NON_ENHANCING, (5, 5, 5))
    agreement = compareLabels(image(first), image(second))
    assert (agreement.dice["WT"], agreement.dice["TC"], agreement.dice["edema"]) == (1.0, 0.0, 0.0)
    assert agreement.changedMl > 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_any_labels_score_as_the_formulas_say(seed):
    random = np.random.default_rng(seed)
    labels = [random.choice(5, (6, 7, 8), p=[0.6, 0.1, 0.1, 0.1, 0.1]) for _ in range(2)]
    first, second = (image(each) for each in labels)
    agreement = compareLabels(first, second)
    assert agreement.firstMl == volumes_ml(first)
    for key, tissues in GROUPS.items():
        a, b = (np.isin(each, list(tissues)) for each in labels)
        total = a.sum() + b.sum()
        expected = 1.0 if total == 0 else 2 * (a & b).sum() / total
        assert agreement.dice[key] == pytest.approx(expected)
    back = compareLabels(second, first)
    assert back.dice == agreement.dice
    for key in GROUPS:
        assert back.volumeChangeMl[key] == pytest.approx(-agreement.volumeChangeMl[key])


def test_different_sizes_are_refused():
    with pytest.raises(InputError, match="same scan"):
        compareLabels(image(np.zeros((4, 5, 6))), image(np.zeros((4, 5, 7))))


@pytest.mark.parametrize("matrix", [OBLIQUE, FLIPPED], ids=["oblique", "left-handed"])
def test_nodes_are_compared_on_the_grid_of_the_scan(scene, matrix):
    scan = add_volume(scene, "T1CE", matrix=matrix)
    first = drawn(scene, cube(Tissue.EDEMA, (5, 5, 5)), matrix, "first")
    second = drawn(scene, cube(Tissue.EDEMA, (5, 5, 10)), matrix, "second")
    turn = add_transform(scene, affine(origin=(10, 20, 30)))
    for node in (scan, second, first):
        put_under(node, turn)
    agreement = compareLabels(labelImage(first, scan), labelImage(second, scan))
    assert agreement.dice["edema"] == 0.5
    voxel = abs(np.linalg.det(matrix[:3, :3])) / 1000
    assert agreement.firstMl["edema"] == pytest.approx(1000 * voxel)


def test_scores_survive_as_values():
    agreement = compareLabels(image(np.zeros(SHAPE)), image(cube(Tissue.NECROSIS, (5, 5, 5))))
    assert Agreement(**json.loads(json.dumps(asdict(agreement)))) == agreement


def test_the_table_has_a_row_for_each_tissue_and_region(scene):
    agreement = compareLabels(image(np.zeros(SHAPE)), image(cube(Tissue.NECROSIS, (5, 5, 5))))
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", "scores")
    fillAgreementTable(node, [("automatic", "reader 1", agreement)])
    table = node.GetTable()
    assert table.GetNumberOfRows() == len(GROUPS)
    percent = table.GetColumnByName("Change automatic → reader 1 (%)")
    assert math.isnan(percent.GetValue(0))
    assert percent.GetValue(1) == 0.0
    assert node.GetLocked()
