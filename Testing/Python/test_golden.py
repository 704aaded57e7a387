"""Every bundled pack still gives the labels and volumes that it gave when it was recorded."""

from __future__ import annotations

import numpy as np
import pytest
from golden import CASES, FOLDER, PACKS, TOLERANCE, compute, read

from BrainTumorSegLib.core.resources import resource_path


@pytest.mark.parametrize(
    ("golden", "pack"),
    [
        pytest.param(
            golden,
            pack,
            id=f"{golden.name}-{pack}",
            marks=[pytest.mark.real_scans] if golden.real else [],
        )
        for golden in CASES
        for pack in golden.packs
    ],
)
def test_labels_and_volumes_are_those_on_record(golden, pack, request):
    if golden.real:
        request.getfixturevalue("real_data")
    labels, volumes = compute(golden, pack)
    expected, expected_volumes = read(golden, pack)
    labeled = np.count_nonzero((labels > 0) | (expected > 0))
    assert np.count_nonzero(labels != expected) <= TOLERANCE * labeled
    assert volumes == pytest.approx(expected_volumes, rel=2 * TOLERANCE, abs=0.02)


@pytest.mark.parametrize("pack", PACKS)
def test_the_phantom_shows_every_pack_a_tumor(pack):
    labels, volumes = read(CASES[0], pack)
    assert np.count_nonzero(labels) > 1000
    assert volumes["WT"] > 10


def test_every_bundled_pack_is_held_to_a_record():
    bundled = {path.parent.name for path in resource_path("Models").glob("*/pack.json")}
    assert bundled == set(PACKS)
    pictures = {path.name for path in FOLDER.glob("*.png")}
    assert pictures == {f"{golden.name}-{pack}.png" for golden in CASES for pack in golden.packs}
