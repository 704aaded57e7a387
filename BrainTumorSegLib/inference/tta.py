"""Test-time augmentation as group actions on slices.

The views are elements of the dihedral group D4, the symmetries of a square. The
sets are those compared by the authors of the Siberian Brain Tumor data set:
TTA1 identity and horizontal flip; TTA2 with vertical flip and both; TTA3 all of
D4, that is, with rotations by 90, 180 and 270 degrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.options import Tta


@dataclass(frozen=True)
class TtaTransform:
    """Mirror columns if ``flip``, then rotate by ``turns`` quarter turns (rows to columns).

    Acts on the last two axes ``[..., row, column]`` of a tensor.
    """

    turns: int = 0
    flip: bool = False

    @property
    def swaps_axes(self) -> bool:
        """Whether rows and columns exchange their numbers."""
        return self.turns % 2 == 1

    @property
    def inverse(self) -> TtaTransform:
        """The view that undoes this one; every mirrored element undoes itself."""
        return self if self.flip else TtaTransform(-self.turns % 4)

    def then(self, other: TtaTransform) -> TtaTransform:
        """The one view that equals this one followed by ``other``."""
        turns = -self.turns if other.flip else self.turns
        return TtaTransform((other.turns + turns) % 4, self.flip != other.flip)

    def apply(self, tensor: Tensor) -> Tensor:
        """Transform the last two axes of a tensor."""
        if self.flip:
            tensor = tensor.flip(-1)
        return tensor.rot90(self.turns, (-2, -1)) if self.turns % 4 else tensor

    def undo(self, tensor: Tensor) -> Tensor:
        """Transform back what `apply` transformed."""
        return self.inverse.apply(tensor)


IDENTITY = TtaTransform()
HORIZONTAL_FLIP = TtaTransform(flip=True)
VERTICAL_FLIP = TtaTransform(turns=2, flip=True)
HALF_TURN = TtaTransform(turns=2)

TTA_SETS: Mapping[str, tuple[TtaTransform, ...]] = {
    Tta.NONE: (IDENTITY,),
    Tta.TTA1: (IDENTITY, HORIZONTAL_FLIP),
    Tta.TTA2: (IDENTITY, HORIZONTAL_FLIP, VERTICAL_FLIP, HALF_TURN),
    Tta.TTA3: tuple(TtaTransform(turns, flip) for flip in (False, True) for turns in range(4)),
}


def tta_transforms(name: str) -> tuple[TtaTransform, ...]:
    """The views of a set, identity first.

    Raises:
        InputError: when there is no such set.
    """
    try:
        return TTA_SETS[name.lower()]
    except KeyError:
        raise InputError(
            f"Unknown set of views {name!r}.", f"Known sets: {', '.join(TTA_SETS)}."
        ) from None
