"""Scoring a pack on labelled cases that its members never saw.

Out of fold means: each case is segmented by the members that were trained
without its fold. All numbers come from whole runs of the pipeline on the
reference grid, so that they include cutting, restoring and cleaning up.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.errors import TrainingError
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.labelmaps import allowed_tissues, read_labels
from BrainTumorSegLib.measure import SCORED, dice_scores, truth_mask, volumes_ml
from BrainTumorSegLib.options import Options
from BrainTumorSegLib.packs import ModelPack
from BrainTumorSegLib.pipeline import segment
from BrainTumorSegLib.progress import Progress
from BrainTumorSegLib.tissue import Region
from BrainTumorSegLib.training.cohort import LabelledCase

#: Columns of the per-case table after case, group, fold and views.
MEASURES = (*SCORED, "false_ET_ml")


@dataclass(frozen=True)
class CaseScore:
    """Scores of one case with one set of views.

    Attributes:
        case: its name.
        group: of the case, for means by group.
        fold: of the case.
        views: name of the set of views.
        members: names of the members that segmented it.
        dice: 3D Dice by group of `measure.SCORED`; None where the truth cannot tell.
            Empty against empty is 1, empty against something 0.
        has_enhancing: whether the truth holds enhancing tumour.
        false_enhancing_ml: enhancing tumour found where the truth has none at all.
        pooled: for each of WT, TC, ET the voxel counts (both, predicted, truth).
    """

    case: str
    group: str
    fold: int
    views: str
    members: tuple[str, ...]
    dice: Mapping[str, float | None]
    has_enhancing: bool
    false_enhancing_ml: float
    pooled: Mapping[str, tuple[int, int, int]]


def score_cases(
    cases: SequenceOf[LabelledCase],
    pack: ModelPack,
    views: SequenceOf[str],
    device: str = "auto",
    out_of_fold: bool = True,
    progress: Progress | None = None,
) -> list[CaseScore]:
    """Segment every case with every set of views and compare with its labels.

    Args:
        cases: registered, skull-stripped, labelled cases.
        pack: whose members to use.
        views: names of sets of views.
        device: where to compute.
        out_of_fold: use only members trained without the case's fold; False uses
            the whole ensemble, which is right for cases that no member saw.
        progress: advanced once a case and set of views.

    Raises:
        TrainingError: when no member was trained without a case's fold.
    """
    progress = progress or Progress()
    progress.stage("evaluate", len(cases) * len(views))
    scores = []
    for case in cases:
        members = members_without_fold(pack, case.fold) if out_of_fold else None
        loaded = load_case(case.scans, identity=case.name)
        truth = sitk.GetArrayFromImage(read_labels(case.labels))
        allowed = allowed_tissues(truth, case.protocol, str(case.labels))
        for name in views:
            options = Options(
                pack=pack.folder,
                members=members,
                views=name,
                device=device,
                registration="none",
                brain="stripped",
            )
            result = segment(loaded, options, Progress(cancel=progress.cancel))
            labels = sitk.GetArrayViewFromImage(result.labels)
            used = members or tuple(member.name for member in pack.members)
            scores.append(_score(case, name, used, labels, allowed, result.labels))
            progress.advance(1, case.name)
    return scores


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


def write_case_table(scores: Iterable[CaseScore], path: Path) -> None:
    """One row a case and set of views, as CSV."""
    with (
        atomic_path(path, overwrite=True) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["case", "group", "fold", "views", "members", *MEASURES])
        for score in scores:
            writer.writerow(
                [
                    score.case,
                    score.group,
                    score.fold,
                    score.views,
                    "+".join(score.members),
                    *(_number(score.dice[name]) for name in SCORED),
                    f"{score.false_enhancing_ml:.3f}",
                ]
            )


def summarise(scores: SequenceOf[CaseScore]) -> dict[str, dict[str, float]]:
    """Means over cases, by set of views.

    ``ET`` runs over the cases whose truth has enhancing tumour, ``ET_all`` over
    all (BraTS convention); ``*_pooled`` is one Dice over all voxels of all cases,
    which is near to what papers call Dice over all slices.
    """
    result = {}
    for name in dict.fromkeys(score.views for score in scores):
        rows = [score for score in scores if score.views == name]
        enhancing = [score for score in rows if score.has_enhancing]
        silent = [score for score in rows if not score.has_enhancing]
        summary: dict[str, float] = {"cases": len(rows), "cases_with_ET": len(enhancing)}
        for group in ("WT", "TC", "edema", "core"):
            summary[group] = _mean(score.dice[group] for score in rows)
        summary["ET"] = _mean(score.dice["ET"] for score in enhancing)
        summary["ET_all"] = _mean(score.dice["ET"] for score in rows)
        summary["false_ET_ml"] = _mean(score.false_enhancing_ml for score in silent)
        for region in Region:
            both, predicted, truth = np.sum([s.pooled[region.name] for s in rows], axis=0)
            summary[f"{region.name}_pooled"] = float(2 * both / max(1, predicted + truth))
        result[name] = {key: round(float(value), 4) for key, value in summary.items()}
    return result


def markdown_tables(scores: SequenceOf[CaseScore]) -> str:
    """Summary by views, by group, and the per-case table of the last set of views."""
    summary = summarise(scores)
    lines = [
        "| views | cases | WT | TC | ET (cases with ET) | ET (all) | edema | core "
        "| pooled WT / TC / ET | false ET mL |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for views, s in summary.items():
        lines.append(
            f"| {views} | {s['cases']:.0f} | {s['WT']:.3f} | {s['TC']:.3f} "
            f"| {s['ET']:.3f} ({s['cases_with_ET']:.0f}) | {s['ET_all']:.3f} | {s['edema']:.3f} "
            f"| {s['core']:.3f} | {s['WT_pooled']:.3f} / {s['TC_pooled']:.3f} / "
            f"{s['ET_pooled']:.3f} | {s['false_ET_ml']:.2f} |"
        )
    last = [score for score in scores if score.views == scores[-1].views]
    lines += ["", f"By group, views {scores[-1].views}:", "", "| group | cases | WT | TC | ET |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for group in sorted({score.group for score in last}):
        rows = [score for score in last if score.group == group]
        enhancing = [score for score in rows if score.has_enhancing]
        lines.append(
            f"| {group} | {len(rows)} | {_mean(s.dice['WT'] for s in rows):.3f} "
            f"| {_mean(s.dice['TC'] for s in rows):.3f} "
            f"| {_mean(s.dice['ET'] for s in enhancing):.3f} ({len(enhancing)}) |"
        )
    lines += ["", f"Every case, views {scores[-1].views}:", ""]
    lines.append("| case | group | fold | " + " | ".join(MEASURES) + " |")
    lines.append("| --- " * (3 + len(MEASURES)) + "|")
    for score in last:
        cells = [_number(score.dice[name]) or "-" for name in SCORED]
        lines.append(
            f"| {score.case} | {score.group} | {score.fold} | {' | '.join(cells)} "
            f"| {score.false_enhancing_ml:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _score(
    case: LabelledCase,
    views: str,
    members: tuple[str, ...],
    labels: np.ndarray,
    allowed: np.ndarray,
    image: sitk.Image,
) -> CaseScore:
    enhancing = truth_mask(allowed, Region.ET.value)
    has_enhancing = enhancing is None or bool(enhancing.any())
    return CaseScore(
        case=case.name,
        group=case.group,
        fold=case.fold,
        views=views,
        members=members,
        dice=dice_scores(labels, allowed),
        has_enhancing=has_enhancing,
        false_enhancing_ml=0.0 if has_enhancing else volumes_ml(image)["enhancing"],
        pooled={region.name: _counts(labels, allowed, region) for region in Region},
    )


def _counts(labels: np.ndarray, allowed: np.ndarray, region: Region) -> tuple[int, int, int]:
    predicted = np.isin(labels, [int(t) for t in region.value])
    truth = truth_mask(allowed, region.value)
    if truth is None:
        return 0, 0, 0
    return int((predicted & truth).sum()), int(predicted.sum()), int(truth.sum())


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
