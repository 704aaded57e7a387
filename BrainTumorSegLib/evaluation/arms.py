"""The arms of a comparison: which pack looks at the cases, how, with how many members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.evaluation.conditions import AS_IS, CONDITIONS, Condition
from BrainTumorSegLib.models.packs import ModelPack


@dataclass(frozen=True)
class Arm:
    """One way to segment all cases.

    Attributes:
        name: what tells it from the other arms.
        pack: whose members to use.
        pack_title: name of the pack, with its folder where two packs have one name.
        views: name of the set of views.
        members: how many members, the first ones of the manifest; None for all.
        condition: what the scans go through before.
        against: name of the arm that it is compared with; empty for the first of all.
    """

    name: str
    pack: ModelPack
    pack_title: str
    views: str
    members: int | None
    condition: Condition = CONDITIONS[AS_IS]
    against: str = ""


def make_arms(
    packs: SequenceOf[ModelPack],
    views: SequenceOf[str],
    members: SequenceOf[int | None] = (None,),
) -> tuple[Arm, ...]:
    """Every pack with every set of views and every number of members.

    The first arm is what the others are compared with. A name holds what differs between
    arms; where nothing does, the views.
    """
    packs = tuple({pack.folder: pack for pack in packs}.values())
    views, members = tuple(dict.fromkeys(views)), tuple(dict.fromkeys(members))
    names = Counter(pack.name for pack in packs)
    titles = [p.name if names[p.name] == 1 else f"{p.name} ({p.folder})" for p in packs]
    arms = []
    for pack, title in zip(packs, titles, strict=True):
        for count in members:
            for view in views:
                parts = [title] if len(packs) > 1 else []
                if len(views) > 1 or len(packs) == len(members) == 1:
                    parts.append(view)
                if len(members) > 1:
                    parts.append(_counted(count))
                arms.append(Arm(", ".join(parts), pack, title, view, count))
    return tuple(arms)


def with_conditions(arms: SequenceOf[Arm], conditions: SequenceOf[Condition]) -> tuple[Arm, ...]:
    """Every arm under every condition, each compared with itself under the first one.

    Raises:
        TrainingError: when a condition takes away a sequence that a pack needs.
    """
    if len(conditions) < 2:
        return tuple(arms)
    made = []
    for condition in conditions:
        for arm in arms:
            _check_missing(arm.pack, condition)
            first, own = (
                title if len(arms) == 1 else f"{arm.name}, {title}"
                for title in (conditions[0].title, condition.title)
            )
            made.append(replace(arm, name=own, condition=condition, against=first))
    return tuple(made)


def _check_missing(pack: ModelPack, condition: Condition) -> None:
    lost = condition.without
    if lost in pack.sequences and lost not in pack.may_be_missing:
        raise TrainingError(
            f"Pack {pack.name!r} cannot do without {lost.name}.",
            f"Leave the condition {condition.key} out.",
        )


def members_for(arm: Arm, fold: int | None) -> tuple[str, ...]:
    """Names of the members that segment a case.

    Args:
        arm: of the comparison.
        fold: use only members trained without this fold; None for a case that no
            member saw.

    Raises:
        TrainingError: when the pack has too few such members.
    """
    if fold is None:
        names = tuple(member.name for member in arm.pack.members)
        which = "in all"
    else:
        names = members_without_fold(arm.pack, fold)
        which = f"that were trained without fold {fold}"
    if arm.members is None:
        return names
    if not 1 <= arm.members <= len(names):
        raise TrainingError(
            f"{arm.members} members were asked for; pack {arm.pack.name!r} has {len(names)} "
            f"{which}.",
            f"Give --members with numbers from 1 to {len(names)}.",
        )
    return names[: arm.members]


def members_without_fold(pack: ModelPack, fold: int) -> tuple[str, ...]:
    """Names of the members that never saw the cases of a fold.

    Raises:
        TrainingError: when there is none.
    """
    names = tuple(m.name for m in pack.members if m.trained.get("fold") == fold)
    if not names:
        raise TrainingError(
            f"No member of pack {pack.name!r} was trained without fold {fold}.",
            "Score this case with the whole ensemble if no member was trained on it "
            "(--ensemble), or train a member for this fold.",
        )
    return names


def _counted(members: int | None) -> str:
    if members is None:
        return "all members"
    return f"{members} member{'' if members == 1 else 's'}"
