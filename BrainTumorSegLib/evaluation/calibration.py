"""From agreement to expected Dice: isotonic regression with intervals, and how well it tells.

Expected Dice rises with agreement and is otherwise free (isotonic regression: Barlow et al.,
Statistical Inference under Order Restrictions, 1972). The interval comes from the residuals of
the cases, each left out of the fit it is compared with (jackknife after Barber et al., Annals of
Statistics 2021), divided by a spread that grows as agreement falls (normalized nonconformity:
Papadopoulos et al., JAIR 2011). Risk-coverage curve: Geifman and El-Yaniv, NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

import numpy as np

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.inference.tta import tta_transforms
from BrainTumorSegLib.models.packs import ModelPack
from BrainTumorSegLib.models.packs.calibration import CALIBRATION_SCHEMA, MEMBERS, VIEWS
from BrainTumorSegLib.training.cohort import LabeledCase

from .conditions import AS_IS, Condition
from .runs import cohort_subjects, make_arms
from .statistics import LEVEL, resampled_cases
from .trust_cases import TrustCase, measure_cases

#: Share of the cases that an interval shall hold.
INTERVAL = 0.8

#: With fewer cases a region gets no curve, and a condition no cost.
MIN_CASES, MIN_COST_CASES = 10, 3

#: Added to 1 - agreement: even where all agree something is left to chance.
_LEAST_SPREAD = 0.05

#: Shares of the cases at which the risk is told.
COVERAGES = (0.25, 0.5, 0.75, 1.0)


def isotonic_fit(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rising function nearest to points, by pooling adjacent violators.

    Written out because ``scipy.optimize.isotonic_regression`` is younger than the oldest SciPy
    that this program runs with.

    Args:
        x: any order; equal values count as one point with their mean.
        y: of the same length.

    Returns:
        Distinct rising x, and y at each of them, never falling.
    """
    places, inverse = np.unique(x, return_inverse=True)
    weights = np.bincount(inverse).astype(float)
    means = np.bincount(inverse, y) / weights
    blocks: list[list[float]] = []  # mean, weight, number of places
    for mean, weight in zip(means, weights, strict=True):
        blocks.append([float(mean), float(weight), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            last = blocks.pop()
            before = blocks[-1]
            total = before[1] + last[1]
            blocks[-1] = [
                (before[0] * before[1] + last[0] * last[1]) / total,
                total,
                before[2] + last[2],
            ]
    fitted = np.repeat([block[0] for block in blocks], [int(block[2]) for block in blocks])
    return places, fitted


def left_out(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What is expected of each point by a fit to all others."""
    expected = np.empty(len(x))
    for one in range(len(x)):
        others = np.arange(len(x)) != one
        expected[one] = np.interp(x[one], *isotonic_fit(x[others], y[others]))
    return expected


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rank correlation along the last axis; 0 where one side does not vary."""
    from scipy.stats import rankdata

    one, other = (rankdata(values, axis=-1) for values in (x, y))
    one, other = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (one, other))
    size = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.where(size > 0, (one * other).sum(axis=-1) / np.where(size > 0, size, 1), 0.0)


def risks(trust: np.ndarray, dice: np.ndarray) -> np.ndarray:
    """Mean ``1 - dice`` of the most trusted case, the two most trusted, and so on."""
    order = np.argsort(-trust, kind="stable")
    return np.cumsum(1 - dice[order]) / np.arange(1, len(dice) + 1)


def fit_calibration(
    pack: ModelPack, rows: SequenceOf[TrustCase], tta: str, command: str
) -> dict[str, Any]:
    """The content of a pack's ``calibration.json``.

    Members are what is compared where each case has at least two that never saw it, else the
    views of the one that did not.

    Args:
        pack: whose members.
        rows: from `trust_cases.measure_cases`, under `AS_IS` and any other conditions.
        tta: name of the test-time augmentation.
        command: that makes it again.

    Raises:
        TrainingError: when there are too few cases, or nothing that could agree.
    """
    plain = [row for row in rows if row.condition == AS_IS]
    if len(plain) < MIN_CASES:
        raise TrainingError(
            f"Pack {pack.name!r} can be calibrated on {len(plain)} cases only that its members "
            f"never saw; {MIN_CASES} are needed.",
            "Give more labelled cases (--data).",
        )
    measure = MEMBERS if all(row.members is not None for row in plain) else VIEWS
    if measure == VIEWS and any(row.views is None for row in plain):
        raise TrainingError(
            "A single member with a single view has nobody to agree with.",
            "Choose another test-time augmentation (--tta).",
        )
    curves = {region.name: _curve(plain, measure, region) for region in Region}
    return {
        "schema": CALIBRATION_SCHEMA,
        "pack": pack.name,
        "version": pack.version,
        "members": {member.name: member.sha256 for member in pack.members},
        "measure": measure,
        "tta": tta,
        "cases": len(plain),
        "level": INTERVAL,
        "command": command,
        "regions": {name: curve for name, curve in curves.items() if curve is not None},
        "costs": _costs(rows, plain, tta),
    }


def measure_pack(
    pack: ModelPack,
    cases: SequenceOf[LabeledCase],
    tta: str,
    conditions: SequenceOf[Condition],
    condition_cases: Collection[str] | None = None,
    kept: Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[TrustCase]:
    """Measure a pack on labelled cases, as they are and under harder conditions.

    Args:
        pack: whose members.
        cases: with the fold of each.
        tta: name of the test-time augmentation.
        conditions: the untouched scans first, see `conditions.read_conditions`.
        condition_cases: names of the cases that are brought into the others; None for all.
        kept, device, progress: as for `trust_cases.measure_cases`.

    Raises:
        TrainingError, InputError, OutputError: with the remedy.
    """
    tta_transforms(tta)
    subjects = cohort_subjects(cases, make_arms([pack], [tta]))
    rows = measure_cases(pack, subjects, tta, conditions[:1], kept, device, progress)
    harder = [s for s in subjects if condition_cases is None or s.name in condition_cases]
    if len(conditions) > 1:
        rows += measure_cases(pack, harder, tta, conditions[1:], kept, device, progress)
    return rows


def _points(rows: SequenceOf[TrustCase], measure: str, region: Region) -> list[np.ndarray]:
    """Agreement, Dice, and entropy turned round, of the cases in which the region was found."""
    points = []
    for row in rows:
        agreement = (row.members if measure == MEMBERS else row.views) or {}
        values = (agreement.get(region.name), row.dice[region.name], row.entropy[region.name])
        if all(value is not None for value in values):
            points.append(values)
    columns = np.array(points, float).reshape(-1, 3).T
    return [columns[0], columns[1], -columns[2]]


def _curve(rows: SequenceOf[TrustCase], measure: str, region: Region) -> dict[str, Any] | None:
    agreement, dice, certainty = _points(rows, measure, region)
    if len(agreement) < MIN_CASES:
        return None
    expected = left_out(agreement, dice)
    residuals = (dice - expected) / _spread(agreement)
    places, fitted = isotonic_fit(agreement, dice)
    low, high = _bounds(fitted, places, residuals)
    by_entropy = left_out(certainty, dice)
    quality = {
        **_correlations(expected, by_entropy, dice),
        "aurc": _rounded(risks(expected, dice).mean()),
        "aurc_entropy": _rounded(risks(by_entropy, dice).mean()),
        "aurc_best": _rounded(risks(dice, dice).mean()),
        "risk": [
            _rounded(risks(expected, dice)[max(0, round(share * len(dice)) - 1)])
            for share in COVERAGES
        ],
        "coverage": _rounded(_coverage(agreement, dice)),
    }
    return {
        "cases": len(agreement),
        **{
            key: [_rounded(value) for value in values]
            for key, values in (
                ("agreement", places),
                ("expected", fitted),
                ("low", low),
                ("high", high),
            )
        },
        "quality": quality,
    }


def _spread(agreement: np.ndarray) -> np.ndarray:
    return 1 - agreement + _LEAST_SPREAD


def _bounds(
    expected: np.ndarray, agreement: np.ndarray, residuals: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The interval around expected Dice, which it always holds."""
    # The outer neighbor of each quantile, for few cases.
    tail = (1 - INTERVAL) / 2
    below = min(0.0, float(np.quantile(residuals, tail, method="lower")))
    above = max(0.0, float(np.quantile(residuals, 1 - tail, method="higher")))
    spread = _spread(agreement)
    return (
        np.clip(expected + below * spread, 0, 1),
        np.clip(expected + above * spread, 0, 1),
    )


def _coverage(agreement: np.ndarray, dice: np.ndarray) -> float:
    """Share of cases inside the interval that the others alone would have given."""
    inside = 0
    for one in range(len(dice)):
        others = np.arange(len(dice)) != one
        x, y = agreement[others], dice[others]
        residuals = (y - left_out(x, y)) / _spread(x)
        expected = np.interp(agreement[one : one + 1], *isotonic_fit(x, y))
        low, high = _bounds(expected, agreement[one : one + 1], residuals)
        inside += bool(low[0] <= dice[one] <= high[0])
    return inside / len(dice)


def _correlations(expected: np.ndarray, by_entropy: np.ndarray, dice: np.ndarray) -> dict[str, Any]:
    """Of all cases, and of the resamples, which are the same for both so that they stay paired."""
    drawn = np.concatenate([[np.arange(len(dice))], resampled_cases(len(dice))])
    first, second = (spearman(values[drawn], dice[drawn]) for values in (expected, by_entropy))
    return {
        "spearman": _estimate(first),
        "spearman_entropy": _estimate(second),
        "spearman_difference": _estimate(first - second),
    }


def _estimate(figures: np.ndarray) -> list[float]:
    """The first figure with the interval of the others."""
    low, high = np.quantile(figures[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [_rounded(value) for value in (figures[0], low, high)]


def _costs(
    rows: SequenceOf[TrustCase], plain: SequenceOf[TrustCase], tta: str
) -> dict[str, dict[str, Any]]:
    before = {row.case: row for row in plain}
    costs = {}
    for key in dict.fromkeys(row.condition for row in rows if row.condition != AS_IS):
        pairs = [(before[r.case], r) for r in rows if r.condition == key and r.case in before]
        if len(pairs) >= MIN_COST_CASES:
            change = {region.name: _change(pairs, region) for region in Region}
            costs[key] = {"cases": len(pairs), "tta": tta, "change": change}
    return costs


def _change(pairs: SequenceOf[tuple[TrustCase, TrustCase]], region: Region) -> float | None:
    """Mean change of the Dice; a finding that is false in one of them alone counts as well."""
    changes = []
    for first, second in pairs:
        before, after = first.dice[region.name], second.dice[region.name]
        if before is not None or after is not None:
            # Nothing found where there is nothing is perfect (BraTS).
            changes.append((1.0 if after is None else after) - (1.0 if before is None else before))
    return _rounded(np.mean(changes)) if changes else None


def _rounded(value: Any) -> float:
    return round(float(value), 4)


def trust_section(fields: Mapping[str, Any]) -> str:
    """The part of a model card that tells how far to trust the pack, as Markdown."""
    parts = (
        [_curves_text(fields)] if fields["regions"] else ["Not calibrated: no Dice is expected."]
    )
    if fields["costs"]:
        parts.append(_costs_text(fields["costs"]))
    return "\n\n".join(parts)


def _curves_text(fields: Mapping[str, Any]) -> str:
    whose = (
        "the members that never saw the case"
        if fields["measure"] == MEMBERS
        else "the views of the one member that never saw the case"
    )
    lines = [
        f"Agreement is the mean Dice of all pairs between {whose}, views `{fields['tta']}`. From "
        f"it isotonic regression expects the Dice with a reference, on {fields['cases']} cases; "
        "below each case is left out of its own estimate. Spearman: rank correlation of expected "
        "and true Dice, with its 95 % bootstrap interval over the cases. Entropy: its mean in the "
        "region, calibrated in the same way. AURC: area under the risk-coverage curve, risk being "
        "1 - Dice, lower is better; in brackets the best there could be. A false finding counts as "
        "Dice 0; where nothing of a region was found nobody can agree, and the case is left out.",
        "",
        "| region | cases | Spearman, agreement | Spearman, entropy | difference | AURC, agreement "
        "| AURC, entropy | inside the "
        f"{100 * fields['level']:.0f} % interval | better than entropy |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    curves = fields["regions"]
    for name, curve in curves.items():
        quality = curve["quality"]
        cells = (
            name,
            curve["cases"],
            _shown(quality["spearman"]),
            _shown(quality["spearman_entropy"]),
            _shown(quality["spearman_difference"], "+"),
            f"{quality['aurc']:.3f} ({quality['aurc_best']:.3f})",
            f"{quality['aurc_entropy']:.3f}",
            f"{100 * quality['coverage']:.0f} %",
            _verdict(quality["spearman_difference"]),
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += [
        "",
        "Risk-coverage curve, mean 1 - Dice of the most trusted cases:",
        "",
        "| region | " + " | ".join(f"{100 * share:.0f} %" for share in COVERAGES) + " |",
        "| --- |" + " --- |" * len(COVERAGES),
    ]
    for name, curve in curves.items():
        risk = " | ".join(f"{value:.3f}" for value in curve["quality"]["risk"])
        lines.append(f"| {name} | {risk} |")
    return "\n".join([*lines, "", f"```\n{fields['command']}\n```"])


def _costs_text(costs: Mapping[str, Any]) -> str:
    lines = [
        "What harder scans change of the Dice, paired with the same scans as they are:",
        "",
        "| condition | cases | views | WT | TC | ET |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for key, cost in costs.items():
        change = [cost["change"][region.name] for region in Region]
        shown = " | ".join("–" if one is None else f"{one:+.3f}" for one in change)
        lines.append(f"| {key} | {cost['cases']} | {cost['tta']} | {shown} |")
    commands = dict.fromkeys(cost["command"] for cost in costs.values() if "command" in cost)
    return "\n".join([*lines, *(f"\n```\n{command}\n```" for command in commands)])


def _shown(estimate: SequenceOf[float], sign: str = "") -> str:
    value, low, high = estimate
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _verdict(difference: SequenceOf[float]) -> str:
    if difference[1] <= 0 <= difference[2]:
        return "not shown"
    return "yes" if difference[1] > 0 else "no, worse"
