"""Folds that are fixed by patient: who was once kept out of training stays out of it.

Patients are dealt out by their tumor type. Those added later join the folds and move nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256

from BrainTumorSegLib.core.errors import InputError


def assign_folds(
    groups: Mapping[str, str], fixed: Mapping[str, int], count: int, seed: int = 0
) -> dict[str, int]:
    """A fold for each patient; patients that have one keep it.

    Each new patient goes where the fewest of its group are, then where the fewest are at all. The
    order in which they come is drawn from the seed and their names alone.

    Args:
        groups: by patient, what the folds shall be balanced by, such as the tumor type.
        fixed: by patient, also of patients that are in no group now: they count as well.
        count: number of folds.
        seed: of the order.

    Returns:
        Numbers from 0 by patient, for all in ``groups``.

    Raises:
        InputError: when there are fewer than two folds, or a patient has a fold beyond them.
    """
    if count < 2:
        raise InputError(f"{count} folds were asked for.", "Ask for two or more.")
    for patient, fold in fixed.items():
        if not 0 <= fold < count:
            raise InputError(
                f"Patient {patient} is in fold {fold}, but only folds 0 to {count - 1} exist.",
                f"Ask for {fold + 1} folds or more: patients never move to another fold.",
            )
    by_group = Counter((groups.get(patient), fold) for patient, fold in fixed.items())
    in_all = Counter(fixed.values())
    found = {patient: fixed[patient] for patient in groups if patient in fixed}
    for patient in sorted(groups.keys() - found.keys(), key=lambda name: drawn(seed, name)):
        group = groups[patient]
        fold = min(range(count), key=lambda n: (by_group[group, n], in_all[n], n))
        found[patient] = fold
        by_group[group, fold] += 1
        in_all[fold] += 1
    return found


def drawn(seed: int, *names: str) -> str:
    """A place in a random order that depends on nothing but the seed and the names."""
    return sha256("\0".join((str(seed), *names)).encode()).hexdigest()
