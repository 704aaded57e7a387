"""What networks see of a head: tumours that are no brain must not be cut off with the skull."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from brain_phantoms import AXES, CENTER, ORIENTATIONS, array, blank, case_of, depth, head
from voxel_positions import positions, with_values

from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.inference import pipeline
from BrainTumorSegLib.inference.engines.choosing import OpenedEngine
from BrainTumorSegLib.models.packs import load_pack
from BrainTumorSegLib.preprocessing.brain import BrainMask
from BrainTumorSegLib.preprocessing.brain.field_of_view import MARGIN_MM, field_of_view
from BrainTumorSegLib.preprocessing.model_grid import NetworkInput

SPACINGS = [(3.0, 3.0, 3.0), (2.5, 2.5, 6.0), (7.0, 3.0, 2.5)]


def brain_of(image: sitk.Image, stripped: bool = False) -> BrainMask:
    mask = with_values((depth(image) > 0).astype(np.uint8), image)
    return BrainMask(mask, "given", stripped, 1400.0)


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize("number", range(0, len(ORIENTATIONS), 7))
def test_a_head_is_the_brain_and_a_margin_in_mm_on_every_grid(spacing, number):
    image = blank(ORIENTATIONS[number], spacing)
    seen = array(field_of_view(brain_of(image), "head")) > 0
    below = depth(image)
    tolerance = 2 + max(spacing) / 2
    assert seen[below > 0].all()
    # The depth of an ellipsoid is a rough measure: 0.8 to 1.2 mm a mm.
    assert seen[below > tolerance - 0.8 * MARGIN_MM].all()
    assert not seen[below < -tolerance - 1.2 * MARGIN_MM].any()


def test_a_dent_that_a_tumour_makes_in_the_brain_is_closed():
    image = blank(spacing=(3.0, 3.0, 3.0))
    # 30 mm deep, where the brain mask ends beside the tumour.
    tumor = np.linalg.norm(positions(image) - CENTER - [AXES[0], 0, 0], axis=-1) < 30
    inside = (depth(image) > 0) & ~tumor
    brain = BrainMask(with_values(inside.astype(np.uint8), image), "given", False, 1300.0)
    seen = array(field_of_view(brain, "head")) > 0
    assert seen[tumor & (depth(image) > -10)].all()


def test_where_the_skull_was_removed_there_is_nothing_else_to_see():
    brain = brain_of(blank(), stripped=True)
    assert field_of_view(brain, "head") is brain.image


def test_packs_that_see_the_brain_see_its_mask():
    brain = brain_of(blank())
    assert field_of_view(brain, "brain") is brain.image


class CallsBrightTumor:
    """An engine whose network calls all that is much brighter than brain enhancing tumour."""

    name, device, precision, members = "stub", "cpu", "fp32", 1

    def predict(self, member: int, images: torch.Tensor) -> torch.Tensor:
        bright = images[:, 1] > 2.2
        classes = torch.zeros(len(images), len(Tissue), *images.shape[2:])
        classes[:, Tissue.ENHANCING], classes[:, Tissue.BACKGROUND] = bright, ~bright
        return classes

    def free_batch(self, shape: tuple[int, int, int]) -> int:
        return 8


@pytest.mark.parametrize(("sees", "share"), [("brain", 0.0), ("head", 1.0)])
def test_a_tumour_at_the_skull_is_labelled_by_packs_that_see_the_head(monkeypatch, sees, share):
    """And it counts to the volumes, while the brain's own volume stays that of its mask."""
    image = head(blank(spacing=(3.0, 3.0, 3.0)))
    tumor = np.linalg.norm(positions(image) - CENTER - [AXES[0] + 8, 0, 0], axis=-1) < 7
    values = sitk.GetArrayFromImage(image)
    values[tumor] = 2000.0
    case = case_of(t1ce=with_values(values, image), t1=image)
    pack = replace(load_pack("glioma-lite"), shown=NetworkInput(field_of_view=sees))
    monkeypatch.setattr(pipeline, "load_pack", lambda _: pack)
    opened = OpenedEngine(CallsBrightTumor(), CallsBrightTumor, "")
    monkeypatch.setattr(pipeline, "open_engine", lambda *_: opened)
    options = Options(brain_mask=brain_of(image).image, registration="none", tta="none", members=1)
    result = pipeline.segment(case, options)
    labels = array(result.labels)
    assert (labels[tumor] == Tissue.ENHANCING).mean() == pytest.approx(share, abs=0.1)
    assert result.record["brain"]["seen"] == sees
    assert result.record["brain"]["volume_ml"] == pytest.approx(
        np.count_nonzero(depth(image) > 0) * 27 / 1000, rel=1e-3
    )
