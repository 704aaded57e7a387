"""Everything that an evaluation leaves in its folder: CSV, JSON, Markdown, a picture."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue
from BrainTumorSegLib.core.volumes import SCORED
from BrainTumorSegLib.io.atomic import make_folder, write_text
from BrainTumorSegLib.io.tables import write_table

from .conditions import AS_IS, CONDITIONS
from .figures import draw_scores
from .markdown import number, render
from .metrics import (
    BRATS_MISS_MM,
    MEASURES,
    MERGE_MM,
    MIN_LESION_MM3,
    NSD_TOLERANCE_MM,
    REGIONS,
    CaseScore,
)
from .statistics import (
    LEVEL,
    MIN_CASES,
    RESAMPLES,
    SEED,
    by_arm,
    comparisons,
    flat_summary,
    summarize_false,
    summarize_group,
)

#: What draws the picture.
PICTURE_PACKAGE = "matplotlib"

_IDENTITY = ("case", "group", "fold", "views", "members", "pack", "condition", "arm")
_TITLES = {
    **{name: name for name in SCORED},
    "core": "core without enhancement",
    "non_enhancing": "non-enhancing",
}


def has_package(name: str | None) -> bool:
    """Whether a package can be imported; no package can always."""
    return name is None or find_spec(name) is not None


def require(name: str | None, purpose: str, instead: str) -> None:
    """Refuse to go on without a package.

    Args:
        name: of the module; None for nothing.
        purpose: what it is for, as the subject of a sentence.
        instead: what to give to do without.

    Raises:
        DependencyError: naming the extra to install.
    """
    if not has_package(name):
        raise DependencyError(
            f"{purpose} need(s) the Python package {name}, which is not installed.",
            f'Install the extra: pip install "BrainTumorSeg[evaluate]" (in an environment of its '
            f"own: panoptica wants older numpy and pandas), or {instead}.",
        )


def choose_measures(requested: Iterable[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The measures to take, and those left out because their package is not installed.

    Args:
        requested: keys of `metrics.MEASURES`; None for all that can be taken here.

    Raises:
        DependencyError: when a measure was asked for by name and its package is missing.
    """
    if requested is not None:
        chosen = tuple(name for name in MEASURES if name in {"dice", *requested})
        for name in chosen:
            require(MEASURES[name], f"--measures {name}", "give only --measures dice")
        return chosen, ()
    chosen = tuple(name for name, package in MEASURES.items() if has_package(package))
    return chosen, tuple(name for name in MEASURES if name not in chosen)


def write_results(
    folder: Path,
    scores: SequenceOf[CaseScore],
    controls: SequenceOf[CaseScore],
    command: str,
    left_out: SequenceOf[str] = (),
    picture: Path | None = None,
) -> str:
    """Write the tables, and the picture if it can be drawn; return the tables in Markdown.

    Args:
        folder: made when it does not exist.
        scores: of all arms.
        controls: scores of scans without tumor that are no cases.
        command: that made them.
        left_out: measures whose packages are not installed.
        picture: where to draw, instead of ``scores.png`` in the folder.
    """
    tumor_free = [*controls, *(score for score in scores if score.tumor_free)]
    make_folder(folder)
    write_case_table(scores, folder / "cases.csv")
    write_group_table(scores, folder / "groups.csv")
    if len(by_arm(scores)) > 1:
        write_comparisons(scores, folder / "comparisons.csv")
    if tumor_free:
        write_false_table(tumor_free, folder / "tumour_free.csv")
    tables = markdown_tables(scores, tumor_free, left_out)
    summary = summary_json(scores, tumor_free, command, left_out)
    for name, text in (("tables.md", tables), ("summary.json", summary)):
        write_text(folder / name, text, overwrite=True)
    if picture is not None or has_package(PICTURE_PACKAGE):
        draw_scores(scores, picture or folder / "scores.png")
    return tables


def write_case_table(scores: Iterable[CaseScore], path: Path) -> None:
    """One row a case and arm, as CSV: Dice of every group."""
    rows = (
        [*_identity(s), *(number(s.dice(name)) for name in SCORED), number(s.false_enhancing_ml)]
        for s in scores
    )
    write_table(path, (*_IDENTITY, *SCORED, "false_ET_ml"), rows)


def write_group_table(scores: Iterable[CaseScore], path: Path) -> None:
    """One row a case, arm and group of tissues, as CSV: every measure that was taken.

    Groups that the reference cannot tell have no row. Dice follows the convention of BraTS
    for empty masks; other cells are empty where the measure is undefined or not taken.
    """
    measured = ("dice", "hd95_mm", "nsd", "lesions_found", "lesions_missed", "lesions_false")
    columns = ("truth_ml", "predicted_ml", *measured, "lesion_f1", "lesion_dice")
    rows = []
    for score in scores:
        for name, group in score.groups.items():
            if group is not None:
                values = (
                    getattr(group, column.replace("truth", "reference")) for column in columns
                )
                cells = (str(v) if isinstance(v, int) else number(v) for v in values)
                rows.append([*_identity(score), name, *cells])
    write_table(path, (*_IDENTITY, "tissues", *columns), rows)


def write_false_table(tumor_free: Iterable[CaseScore], path: Path) -> None:
    """One row a tumor-free scan and arm, as CSV: the mL that were found, all of it false."""
    # Enhancing tumor is a tissue and a region.
    groups = {tissue.key: tissue.key for tissue in TUMOR_TISSUES} | {r: r for r in REGIONS}
    groups[Tissue.ENHANCING.key] = "ET"
    rows = ([s.case, s.arm, *(number(s.volume_ml(g)) for g in groups.values())] for s in tumor_free)
    write_table(path, ("case", "arm", *(f"{name}_ml" for name in groups)), rows)


def write_comparisons(scores: SequenceOf[CaseScore], path: Path) -> None:
    """One row an arm after the first, group and measure, as CSV: the paired difference."""
    rows = []
    for first, arm, group, measure, c in comparisons(scores):
        difference = (c.difference.value, c.difference.low, c.difference.high)
        cells = [c.difference.cases, *(number(value, 4) for value in difference), c.zeros]
        tests = [number(c.bootstrap_p, 4), number(c.wilcoxon_p, 4)]
        rows.append([arm, first, group, measure, *cells, *tests])
    columns = ("arm", "against", "tissues", "measure", "cases", "difference", "low", "high")
    write_table(path, (*columns, "zeros", "bootstrap_p", "wilcoxon_p"), rows)


def summary_json(
    scores: SequenceOf[CaseScore],
    tumor_free: SequenceOf[CaseScore],
    command: str,
    left_out: SequenceOf[str] = (),
) -> str:
    """All figures of all arms, as JSON; what is undefined is null.

    ``views`` is for manifests: figures by TTA, there only when the arms differ in nothing else.
    """
    arms = by_arm(scores)
    content: dict[str, Any] = {
        "command": command,
        "settings": {
            "nsd_tolerance_mm": NSD_TOLERANCE_MM,
            "lesions_merge_within_mm": MERGE_MM,
            "lesions_ignored_below_mm3": MIN_LESION_MM3,
            "bootstrap": {
                "method": "studentised",
                "resamples": RESAMPLES,
                "seed": SEED,
                "level": LEVEL,
            },
            "not_measured": list(left_out),
        },
    }
    views = {rows[0].tta: rows for rows in arms.values()}
    if len(views) == len(arms) and len({score.pack for score in scores}) == 1:
        content["views"] = {name: flat_summary(rows) for name, rows in views.items()}
    content["arms"] = {
        arm: {group: asdict(summarize_group(rows, group)) for group in SCORED}
        for arm, rows in arms.items()
    }
    if len(arms) > 1:
        content["comparisons"] = [
            {"arm": arm, "against": first, "group": group, "measure": measure, **asdict(result)}
            for first, arm, group, measure, result in comparisons(scores)
        ]
    if tumor_free:
        content["tumour_free"] = {
            arm: asdict(summarize_false(own)) for arm, own in by_arm(tumor_free).items()
        }
    return json.dumps(plain(content), indent=2, allow_nan=False)


def markdown_tables(
    scores: SequenceOf[CaseScore],
    tumor_free: SequenceOf[CaseScore] = (),
    left_out: SequenceOf[str] = (),
) -> str:
    """Everything worth reading, from the means of the arms to every case of the last arm."""
    arms = by_arm(scores)
    figures = {
        arm: {group: summarize_group(rows, group) for group in SCORED} for arm, rows in arms.items()
    }
    groups = [group for own in figures.values() for group in own.values()]
    conditions = list(dict.fromkeys(score.condition for score in scores))
    kinds = []
    for kind in sorted({score.group for score in scores}):
        for arm, rows in arms.items():
            own = [score for score in rows if score.group == kind]
            dice = [summarize_group(own, region).present["dice"] for region in REGIONS]
            kinds.append((kind, arm, len(own), dice))
    return render(
        "evaluation.md.jinja",
        arms=arms,
        figures=figures,
        conditions=[CONDITIONS[key] for key in conditions] if conditions != [AS_IS] else [],
        titles=_TITLES,
        shown=[name for name in SCORED if any(own[name].with_group for own in figures.values())],
        regions=REGIONS,
        surfaces=any("hd95_mm" in group.brats for group in groups),
        lesions=any(own["WT"].lesions for own in figures.values()),
        healthy={arm: summarize_false(own) for arm, own in by_arm(tumor_free).items()},
        compared=list(comparisons(scores, ("dice",))),
        kinds=kinds,
        last=list(arms)[-1],
        left_out=left_out,
        level=f"{100 * LEVEL:g}",
        resamples=RESAMPLES,
        seed=SEED,
        fewest=MIN_CASES,
        tolerance=f"{NSD_TOLERANCE_MM:g}",
        miss=f"{BRATS_MISS_MM:g}",
        merge=f"{MERGE_MM:g}",
        smallest=f"{MIN_LESION_MM3:g}",
    )


def _identity(score: CaseScore) -> list[object]:
    fold = "" if score.fold is None else score.fold
    made = [score.tta, "+".join(score.members), score.pack, score.condition, score.arm]
    return [score.case, score.group, fold, *made]


def plain(value: Any) -> Any:
    """Figures as JSON takes them: numbers to four decimals, None for what is undefined."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
