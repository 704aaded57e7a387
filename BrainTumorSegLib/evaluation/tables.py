"""Scores as Markdown tables, with what their figures mean."""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf

from BrainTumorSegLib.core.volumes import SCORED
from BrainTumorSegLib.evaluation.conditions import AS_IS, CONDITIONS
from BrainTumorSegLib.evaluation.files import comparisons, number
from BrainTumorSegLib.evaluation.lesions import LEAST_MM3, MERGE_MM
from BrainTumorSegLib.evaluation.runs import FalseFinding
from BrainTumorSegLib.evaluation.scores import CaseScore
from BrainTumorSegLib.evaluation.summary import (
    REGIONS,
    GroupSummary,
    by_arm,
    summarise_false,
    summarise_group,
)
from BrainTumorSegLib.evaluation.surfaces import BRATS_MISS_MM, NSD_TOLERANCE_MM
from BrainTumorSegLib.evaluation.uncertainty import LEVEL, RESAMPLES, SEED, Estimate

_TITLES = {
    "WT": "WT",
    "TC": "TC",
    "ET": "ET",
    "edema": "edema",
    "core": "core without enhancement",
    "necrosis": "necrosis",
    "non_enhancing": "non-enhancing",
}


def markdown_tables(
    scores: SequenceOf[CaseScore],
    findings: SequenceOf[FalseFinding] = (),
    left_out: SequenceOf[str] = (),
) -> str:
    """Everything worth reading, from the means of the arms to every case of the last arm."""
    arms = by_arm(scores)
    figures = {
        arm: {group: summarise_group(rows, group) for group in SCORED} for arm, rows in arms.items()
    }
    last = list(arms)[-1]
    lines = [*_condition_list(scores), *_dice_table(figures, arms), *_convention_table(figures)]
    if any("hd95_mm" in g.brats for groups in figures.values() for g in groups.values()):
        lines += _surface_table(figures)
    if any(groups["WT"].lesions for groups in figures.values()):
        lines += _lesion_table(figures)
    lines += _detection_table(figures, findings)
    if len(arms) > 1:
        lines += _comparison_table(scores)
    lines += _looks_table(arms)
    lines += _case_table(arms[last], last)
    if left_out:
        lines += ["", f"Not measured, because a package is not installed: {', '.join(left_out)}."]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _condition_list(scores: SequenceOf[CaseScore]) -> Iterator[str]:
    met = list(dict.fromkeys(score.condition for score in scores))
    if met == [AS_IS]:
        return
    yield "Conditions, made of each case in memory, the same for all arms:"
    yield ""
    for key in met:
        yield f"* **{CONDITIONS[key].title}** (`{key}`): {CONDITIONS[key].meaning}."
    yield ""


def _dice_table(
    figures: dict[str, dict[str, GroupSummary]], arms: dict[str, list[CaseScore]]
) -> Iterator[str]:
    shown = [name for name in SCORED if any(groups[name].with_group for groups in figures.values())]
    yield "Dice in 3D: mean over the cases whose truth holds the tissue, with its "
    yield f"{100 * LEVEL:g} % bootstrap interval ({RESAMPLES} resamples of the cases, seed "
    yield f"{SEED}); in round brackets the number of cases, where not all have it:"
    yield ""
    yield from _header("arm", "cases", *(_TITLES[name] for name in shown))
    for arm, groups in figures.items():
        cells = []
        for name in shown:
            estimate = groups[name].present["dice"]
            few = f" ({estimate.cases})" if estimate.cases < len(arms[arm]) else ""
            cells.append(_interval(estimate) + few)
        yield markdown_row(arm, len(arms[arm]), *cells)


def _convention_table(figures: dict[str, dict[str, GroupSummary]]) -> Iterator[str]:
    yield ""
    yield "Other ways to average Dice. BraTS convention: all cases, empty against empty is 1, "
    yield "empty against something 0. Slice-style pooled: one Dice over the voxels of all slices "
    yield "of all cases, so that large tumours count more; not to be compared with means over "
    yield "cases. False ET: mean volume in the cases whose truth has none:"
    yield ""
    yield from _header("arm", *(f"{r} BraTS" for r in REGIONS), "pooled WT / TC / ET", "false ET")
    for arm, groups in figures.items():
        pooled = " / ".join(_number(groups[r].pooled_dice.value) for r in REGIONS)
        brats = (_number(groups[r].brats["dice"].value) for r in REGIONS)
        silent = groups["ET"].without_group
        false = f"{groups['ET'].false_ml:.2f} mL ({silent})" if silent else "no such case"
        yield markdown_row(arm, *brats, pooled, false)


def _surface_table(figures: dict[str, dict[str, GroupSummary]]) -> Iterator[str]:
    yield ""
    yield f"Surfaces (MONAI). NSD: share of both surfaces within {NSD_TOLERANCE_MM:g} mm of the "
    yield "other, over the cases whose truth holds the tissue (a miss is 0). HD95 in mm: over "
    yield "those where the prediction holds it too; how many do not is in brackets. BraTS "
    yield f"convention: all cases, a miss or a false finding is {BRATS_MISS_MM:g} mm:"
    yield ""
    yield from _header(
        "arm",
        *(f"NSD {r}" for r in REGIONS),
        *(f"HD95 {r}" for r in REGIONS),
        "HD95 BraTS WT / TC / ET",
    )
    for arm, groups in figures.items():
        regions = [groups[region] for region in REGIONS]
        # What no truth holds, or none can tell, has no mean.
        nsd = (_interval(e) if (e := g.present.get("nsd")) else "-" for g in regions)
        brats = (_number(e.value, 1) if (e := g.brats.get("hd95_mm")) else "-" for g in regions)
        yield markdown_row(arm, *nsd, *map(_hd95, regions), " / ".join(brats))


def _hd95(group: GroupSummary) -> str:
    estimate = group.present.get("hd95_mm")
    if estimate is None:
        return "-"
    missed = group.with_group - estimate.cases
    return _interval(estimate, 1) + (f" ({missed} missed)" if missed else "")


def _lesion_table(figures: dict[str, dict[str, GroupSummary]]) -> Iterator[str]:
    yield ""
    yield "Lesion by lesion (panoptica, set up as in BraTS 2023): parts of the truth up to "
    yield f"about {MERGE_MM:g} mm apart are one lesion, any overlap finds it, lesions below "
    yield f"{LEAST_MM3:g} mm³ are ignored; Dice counts missed and false lesions as 0. Means over "
    yield "the cases whose truth holds the tissue; lesions over all cases:"
    yield ""
    yield from _header(
        "arm",
        *(f"F1 {r}" for r in REGIONS),
        *(f"Dice {r}" for r in REGIONS),
        *(f"{r} found / missed / false" for r in REGIONS),
    )
    for arm, groups in figures.items():
        means = (
            _interval(e) if (e := groups[r].present.get(f"lesion_{m}")) else "-"
            for m in ("f1", "dice")
            for r in REGIONS
        )
        counts = (" / ".join(map(str, groups[r].lesions or "-")) for r in REGIONS)
        yield markdown_row(arm, *means, *counts)


def _detection_table(
    figures: dict[str, dict[str, GroupSummary]], findings: SequenceOf[FalseFinding]
) -> Iterator[str]:
    yield ""
    yield "Detection by patient. Found: the prediction overlaps the truth, of the cases that have "
    yield "it. Silent: nothing was found, of the cases that have none. Tumour-free scans given "
    yield "apart from the cohort are segmented by the whole ensemble, or as much of it as the arm "
    yield "has members:"
    yield ""
    columns = ("tumour-free scans silent", "false mL mean", "max", "ET mean") if findings else ()
    yield from _header("arm", "WT found", "ET found", "ET silent", *columns)
    for arm, groups in figures.items():
        own = [finding for finding in findings if finding.arm == arm]
        # Controls are seen as they are, not under every condition.
        cells = ["-"] * len(columns)
        if own:
            false = summarise_false(own)
            cells = [
                f"{false.scans - false.with_findings} of {false.scans}",
                *(_number(v, 2) for v in (false.mean_ml, false.max_ml, false.mean_enhancing_ml)),
            ]
        whole, enhancing = groups["WT"], groups["ET"]
        yield markdown_row(
            arm,
            f"{whole.detected} of {whole.with_group}",
            f"{enhancing.detected} of {enhancing.with_group}",
            f"{enhancing.silent} of {enhancing.without_group}",
            *cells,
        )


def _comparison_table(scores: SequenceOf[CaseScore]) -> Iterator[str]:
    yield ""
    yield "Paired difference of Dice over the same cases. Bootstrap p: two-sided, from "
    yield "the same resamples. Wilcoxon signed-rank p: two-sided, zero differences ranked, "
    yield "then left out (Pratt). Neither is corrected for the number of comparisons:"
    yield ""
    yield from _header(
        *("arm", "against", "tissues", "cases", "difference", "zeros", "bootstrap p", "Wilcoxon p")
    )
    for first, arm, group, _, result in comparisons(scores, ("dice",)):
        yield markdown_row(
            arm,
            first,
            group,
            result.difference.cases,
            _interval(result.difference, signed=True),
            result.zeros,
            _p(result.bootstrap_p),
            _p(result.wilcoxon_p),
        )


def _looks_table(arms: dict[str, list[CaseScore]]) -> Iterator[str]:
    yield from ("", "Dice by group of cases:", "")
    yield from _header("group", "arm", "cases", *REGIONS)
    for looks in sorted({row.group for rows in arms.values() for row in rows}):
        for arm, rows in arms.items():
            own = [row for row in rows if row.group == looks]
            estimates = (summarise_group(own, region).present["dice"] for region in REGIONS)
            cells = (
                _number(e.value) + (f" ({e.cases})" if e.cases < len(own) else "")
                for e in estimates
            )
            yield markdown_row(looks, arm, len(own), *cells)


def _case_table(rows: SequenceOf[CaseScore], arm: str) -> Iterator[str]:
    yield from ("", f"Dice of every case, {arm}; empty against empty is 1:", "")
    yield from _header("case", "group", "fold", *(_TITLES[name] for name in SCORED), "false ET mL")
    for row in rows:
        cells = (number(row.dice(name)) or "-" for name in SCORED)
        fold = "-" if row.fold is None else row.fold
        yield markdown_row(row.case, row.group, fold, *cells, f"{row.false_enhancing_ml:.2f}")


def _header(*titles: str) -> Iterator[str]:
    yield markdown_row(*titles)
    yield "| --- " * len(titles) + "|"


def markdown_row(*cells: object) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _interval(estimate: Estimate, digits: int = 3, signed: bool = False) -> str:
    if not estimate.cases:
        return "-"
    sign = "+" if signed else ""
    value = f"{estimate.value:{sign}.{digits}f}"
    if math.isnan(estimate.low):
        return value
    return f"{value} [{estimate.low:{sign}.{digits}f}, {estimate.high:{sign}.{digits}f}]"


def _number(value: float, digits: int = 3) -> str:
    return number(value, digits) or "-"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else _number(value)
