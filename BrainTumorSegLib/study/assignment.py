"""Who reads which case: balanced by tumor type, the most doubtful cases first.

What was assigned once stays; cases and readers that are added later change nothing of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.trust import region_trust

from .folds import drawn


@dataclass(frozen=True)
class ToRead:
    """A case that is to be read.

    Attributes:
        case: its key.
        group: what the work is balanced by: the tumor type.
        doubt: how little its automatic result is to be trusted, see `doubt_of`.
    """

    case: str
    group: str = ""
    doubt: float | None = None


def assign(
    cases: Iterable[ToRead],
    readers: SequenceOf[str],
    double_share: float,
    seed: int = 0,
    fixed: Mapping[str, SequenceOf[str]] | None = None,
) -> dict[str, tuple[str, ...]]:
    """The readers of each case: one, or two for a share of them.

    Which cases are read twice is drawn from the seed and their names, so that agreement is not
    measured on doubtful cases alone; the share is met in each tumor type as well as whole numbers
    allow. Each case goes to those who have the fewest of its type, then the fewest at all.

    Args:
        cases: all cases, those that were assigned before included.
        readers: who reads.
        double_share: 0 to 1.
        seed: of what is drawn.
        fixed: the readers of cases that were assigned before.

    Returns:
        By case, first and second reader; what was fixed is unchanged.

    Raises:
        InputError: when a reader stands twice, or there are too few for the share.
    """
    _check(readers, double_share)
    found = {case: tuple(names) for case, names in (fixed or {}).items()}
    of_group: Counter[tuple[str, str]] = Counter()
    in_all: Counter[str] = Counter()
    by_group: dict[str, list[ToRead]] = {}
    for one in cases:
        by_group.setdefault(one.group, []).append(one)
        for reader in found.get(one.case, ()):
            of_group[one.group, reader] += 1
            in_all[reader] += 1
    asked, given = 0.0, 0
    for group in sorted(by_group):
        own = by_group[group]
        asked += double_share * len(own)
        # What rounding took from one type goes to the next, so that the share holds in all.
        wanted = math.floor(asked + 0.5) - given
        before = sum(len(found.get(one.case, ())) > 1 for one in own)
        fresh = sorted(
            (one for one in own if one.case not in found),
            key=lambda one: drawn(seed, "double", one.case),
        )
        doubles = {one.case for one in fresh[: max(0, wanted - before)]}
        given += before + len(doubles)
        for one in sorted(fresh, key=lambda one: drawn(seed, "reader", one.case)):
            names = sorted(
                readers, key=lambda name: (of_group[group, name], in_all[name], readers.index(name))
            )[: 2 if one.case in doubles else 1]
            for name in names:
                of_group[group, name] += 1
                in_all[name] += 1
            found[one.case] = tuple(names)
    return found


def reading_list(
    cases: Iterable[ToRead], readers: Mapping[str, SequenceOf[str]], reader: str
) -> list[ToRead]:
    """The cases of one reader, the most doubtful first; those of unknown doubt come last.

    Cases of the same doubt stay in the order in which they are given.
    """
    own = [one for one in cases if reader in readers.get(one.case, ())]
    return sorted(own, key=lambda one: (one.doubt is None, -(one.doubt or 0.0)))


def doubt_of(record: Mapping[str, Any]) -> float | None:
    """How little a result is to be trusted, 0 to 1, from its record; None where it does not tell.

    One less the lowest Dice that is expected of a region, else one less the lowest agreement of
    the networks, else the highest mean entropy of a tissue.
    """
    regions = region_trust(record)
    for told in ([r.expected for r in regions], [r.agreement for r in regions]):
        known = [value for value in told if value is not None]
        if known:
            return 1.0 - min(known)
    entropy = record.get("confidence", {}).get("mean_entropy", {}).values()
    return max((value for value in entropy if value is not None), default=None)


def _check(readers: SequenceOf[str], share: float) -> None:
    if not 0 <= share <= 1:
        raise InputError(f"The share of cases read twice is {share:g}.", "Give 0 % to 100 %.")
    if not readers:
        raise InputError("Nobody was named to read the cases.", "Name the readers.")
    if len(set(readers)) < len(readers):
        raise InputError("A reader is named twice.", "Name each reader once.")
    if share > 0 and len(readers) < 2:
        raise InputError(
            "One reader cannot read a case twice.", "Name two readers or more, or leave --double 0."
        )
