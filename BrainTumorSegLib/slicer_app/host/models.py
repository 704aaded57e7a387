"""The model packs that can be chosen, described for the panel."""

from __future__ import annotations

from dataclasses import dataclass

from BrainTumorSegLib.core.errors import PackError
from BrainTumorSegLib.core.sequences import Sequence


@dataclass(frozen=True)
class PackChoice:
    """A model pack as the panel shows it.

    Attributes:
        name, title, description: for choosing it.
        members: how many networks it has.
        advisedViews: ``none``, ``tta1``, ``tta2`` or ``tta3``.
        needed: the sequences without which it cannot work.
        default: whether it is taken when none is chosen.
    """

    name: str
    title: str
    description: str
    members: int
    advisedViews: str
    needed: tuple[Sequence, ...]
    default: bool


def packChoices() -> tuple[PackChoice, ...]:
    """Every usable pack, the default one first."""
    from BrainTumorSegLib.models.packs import default_pack, list_packs

    try:
        default = default_pack()
    except PackError:
        default = ""
    choices = [
        PackChoice(
            name=pack.name,
            title=pack.title,
            description=pack.description,
            members=len(pack.members),
            advisedViews=pack.advised_views,
            needed=tuple(s for s in pack.sequences if s not in pack.may_be_missing),
            default=pack.name == default,
        )
        for pack in list_packs()
    ]
    return tuple(sorted(choices, key=lambda choice: not choice.default))


def chosenPack(choices: tuple[PackChoice, ...], name: str | None) -> PackChoice | None:
    """The pack of that name; for no name the default one; None when there is none."""
    for choice in choices:
        if choice.name == name or (not name and choice.default):
            return choice
    return None
