"""Scores as CSV, and the summary as JSON, for spreadsheets, model cards and programs."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.volumes import SCORED
from BrainTumorSegLib.evaluation.lesions import LEAST_MM3, MERGE_MM
from BrainTumorSegLib.evaluation.runs import FalseFinding
from BrainTumorSegLib.evaluation.scores import CaseScore
from BrainTumorSegLib.evaluation.summary import (
    CASE_MEASURES,
    REGIONS,
    by_arm,
    compare_arms,
    flat_summary,
    summarise_false,
    summarise_group,
)
from BrainTumorSegLib.evaluation.surfaces import NSD_TOLERANCE_MM
from BrainTumorSegLib.evaluation.uncertainty import LEVEL, RESAMPLES, SEED, Comparison
from BrainTumorSegLib.io.atomic import atomic_path

_WHO = ("case", "group", "fold", "views", "members", "pack", "condition", "arm")


def write_case_table(scores: Iterable[CaseScore], path: Path) -> None:
    """One row a case and arm, as CSV: Dice of every group."""
    rows = [
        [
            *_who(score),
            *(number(score.dice(name)) for name in SCORED),
            number(score.false_enhancing_ml),
        ]
        for score in scores
    ]
    write_csv(path, (*_WHO, *SCORED, "false_ET_ml"), rows)


def write_group_table(scores: Iterable[CaseScore], path: Path) -> None:
    """One row a case, arm and group of tissues, as CSV: every measure that was taken.

    Groups that the truth cannot tell have no row. Dice follows the convention of BraTS
    for empty masks; other cells are empty where the measure is undefined or not taken.
    """
    rows = []
    for score in scores:
        for name, group in score.groups.items():
            if group is None:
                continue
            surface, lesions = group.surface, group.lesions
            counts = (lesions.found, lesions.missed, lesions.false) if lesions else ("", "", "")
            rows.append(
                [
                    *_who(score),
                    name,
                    number(group.truth_ml),
                    number(group.predicted_ml),
                    number(group.dice),
                    number(surface and surface.hd95_mm),
                    number(surface and surface.nsd),
                    *counts,
                    number(lesions and lesions.f1),
                    number(lesions and lesions.dice),
                ]
            )
    measured = ("dice", "hd95_mm", "nsd", "lesions_found", "lesions_missed", "lesions_false")
    columns = (*_WHO, "tissues", "truth_ml", "predicted_ml", *measured, "lesion_f1", "lesion_dice")
    write_csv(path, columns, rows)


def write_false_table(findings: Iterable[FalseFinding], path: Path) -> None:
    """One row a tumour-free scan and arm, as CSV: the mL that were found."""
    findings = list(findings)
    names = list(findings[0].volumes_ml) if findings else []
    rows = [[f.case, f.arm, *(number(f.volumes_ml[name]) for name in names)] for f in findings]
    write_csv(path, ("case", "arm", *(f"{name}_ml" for name in names)), rows)


def write_comparisons(scores: SequenceOf[CaseScore], path: Path) -> None:
    """One row an arm after the first, group and measure, as CSV: the paired difference."""
    rows = [
        [
            arm,
            first,
            group,
            measure,
            c.difference.cases,
            *(number(v, 4) for v in (c.difference.value, c.difference.low, c.difference.high)),
            c.zeros,
            number(c.bootstrap_p, 4),
            number(c.wilcoxon_p, 4),
        ]
        for first, arm, group, measure, c in comparisons(scores)
    ]
    interval = ("difference", "low", "high", "zeros")
    columns = ("arm", "against", "tissues", "measure", "cases", *interval)
    write_csv(path, (*columns, "bootstrap_p", "wilcoxon_p"), rows)


def comparisons(
    scores: SequenceOf[CaseScore], measures: Iterable[str] = tuple(CASE_MEASURES)
) -> Iterable[tuple[str, str, str, str, Comparison]]:
    """What each arm is compared with, the arm, group, measure, comparison."""
    arms = by_arm(scores)
    for arm, rows in arms.items():
        first = rows[0].against or next(iter(arms))
        if arm == first:
            continue
        for group in REGIONS:
            for measure in measures:
                result = compare_arms(arms[first], rows, group, measure)
                if result.difference.cases:
                    yield first, arm, group, measure, result


def summary_json(
    scores: SequenceOf[CaseScore],
    findings: SequenceOf[FalseFinding],
    command: str,
    left_out: SequenceOf[str] = (),
) -> str:
    """All figures of all arms, as JSON; what is undefined is null.

    ``views`` is for manifests: figures by set of views, there only when the arms differ
    in nothing else.
    """
    arms = by_arm(scores)
    content: dict[str, Any] = {
        "command": command,
        "settings": {
            "nsd_tolerance_mm": NSD_TOLERANCE_MM,
            "lesions_merge_within_mm": MERGE_MM,
            "lesions_ignored_below_mm3": LEAST_MM3,
            "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "level": LEVEL},
            "not_measured": list(left_out),
        },
    }
    if len({rows[0].views for rows in arms.values()}) == len(arms) and _one_pack(scores):
        content["views"] = {rows[0].views: flat_summary(rows) for rows in arms.values()}
    content["arms"] = {
        arm: {group: asdict(summarise_group(rows, group)) for group in SCORED}
        for arm, rows in arms.items()
    }
    if len(arms) > 1:
        content["comparisons"] = [
            {"arm": arm, "against": first, "group": group, "measure": measure, **asdict(result)}
            for first, arm, group, measure, result in comparisons(scores)
        ]
    if findings:
        content["tumour_free"] = {
            arm: asdict(summarise_false([f for f in findings if f.arm == arm]))
            for arm in dict.fromkeys(f.arm for f in findings)
        }
    return json.dumps(_plain(content), indent=2, allow_nan=False)


def number(value: float | None, digits: int = 3) -> str:
    """A number for a cell; nothing where it is undefined."""
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _one_pack(scores: SequenceOf[CaseScore]) -> bool:
    return len({score.pack for score in scores}) == 1


def _who(score: CaseScore) -> list[object]:
    members = "+".join(score.members)
    fold = "" if score.fold is None else score.fold
    made = [score.views, members, score.pack, score.condition]
    return [score.case, score.group, fold, *made, score.arm]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value


def write_csv(path: Path, columns: SequenceOf[str], rows: Iterable[SequenceOf[object]]) -> None:
    """Write a table, which appears whole or not at all; an older one is replaced."""
    with (
        atomic_path(path, overwrite=True) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
