"""Views are a group: exact inverses, closed sets, and what the names promise."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.inference.tta import (
    HALF_TURN,
    HORIZONTAL_FLIP,
    IDENTITY,
    TTA_SETS,
    VERTICAL_FLIP,
    TtaTransform,
    tta_transforms,
)

D4 = TTA_SETS["tta3"]
PICTURE = torch.arange(2 * 3 * 5, dtype=torch.float32).reshape(2, 3, 5)


@pytest.mark.parametrize("view", D4)
def test_undo_gives_back_exactly_what_apply_was_given(view):
    assert torch.equal(view.undo(view.apply(PICTURE)), PICTURE)
    assert torch.equal(view.apply(view.undo(PICTURE)), PICTURE)


@pytest.mark.parametrize("view", D4)
def test_the_inverse_composed_with_the_view_is_the_identity(view):
    assert view.then(view.inverse) == IDENTITY
    assert view.inverse.then(view) == IDENTITY


@pytest.mark.parametrize(("first", "second"), list(product(D4, D4)))
def test_one_view_after_another_equals_their_composition(first, second):
    in_turn = second.apply(first.apply(PICTURE))
    assert torch.equal(first.then(second).apply(PICTURE), in_turn)


def test_every_set_begins_with_the_identity_and_is_closed_under_composition():
    for views in TTA_SETS.values():
        assert views[0] == IDENTITY
        assert {a.then(b) for a in views for b in views} == set(views)


def test_the_sets_have_one_two_four_and_eight_different_views():
    square = torch.arange(9).reshape(3, 3)
    for name, count in {"none": 1, "tta1": 2, "tta2": 4, "tta3": 8}.items():
        pictures = {tuple(v.apply(square).flatten().tolist()) for v in TTA_SETS[name]}
        assert len(pictures) == len(TTA_SETS[name]) == count


def test_horizontal_flip_mirrors_columns_and_vertical_flip_mirrors_rows():
    assert torch.equal(HORIZONTAL_FLIP.apply(PICTURE), PICTURE.flip(-1))
    assert torch.equal(VERTICAL_FLIP.apply(PICTURE), PICTURE.flip(-2))
    assert torch.equal(HALF_TURN.apply(PICTURE), PICTURE.flip(-1, -2))


def test_a_quarter_turn_exchanges_rows_and_columns_and_says_so():
    assert (
        TtaTransform(1).swaps_axes and TtaTransform(3, True).swaps_axes and not HALF_TURN.swaps_axes
    )
    assert TtaTransform(1).apply(PICTURE).shape == (2, 5, 3)


def test_an_unknown_set_of_views_is_refused_with_the_known_names():
    with pytest.raises(InputError, match="tta3"):
        tta_transforms("tta4")
    assert tta_transforms("TTA2") == TTA_SETS["tta2"]
