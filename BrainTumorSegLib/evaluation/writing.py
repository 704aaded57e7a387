"""Everything that an evaluation leaves in its folder."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from pathlib import Path

from BrainTumorSegLib.evaluation.extras import PICTURE_PACKAGE, has_package
from BrainTumorSegLib.evaluation.files import (
    summary_json,
    write_case_table,
    write_comparisons,
    write_false_table,
    write_group_table,
)
from BrainTumorSegLib.evaluation.picture import draw_scores
from BrainTumorSegLib.evaluation.runs import FalseFinding
from BrainTumorSegLib.evaluation.scores import CaseScore
from BrainTumorSegLib.evaluation.summary import by_arm, false_findings
from BrainTumorSegLib.evaluation.tables import markdown_tables
from BrainTumorSegLib.io.atomic import atomic_path


def write_results(
    folder: Path,
    scores: SequenceOf[CaseScore],
    controls: SequenceOf[FalseFinding],
    command: str,
    left_out: SequenceOf[str] = (),
    picture: Path | None = None,
) -> str:
    """Write the tables, and the picture if it can be drawn.

    Args:
        folder: made when it does not exist.
        scores: of all arms.
        controls: what was found in scans without tumour that are no cases.
        command: that made them.
        left_out: measures whose packages are not installed.
        picture: where to draw, instead of ``scores.png`` in the folder.

    Returns:
        The tables in Markdown.
    """
    findings = [*controls, *false_findings(scores)]
    folder.mkdir(parents=True, exist_ok=True)
    write_case_table(scores, folder / "cases.csv")
    write_group_table(scores, folder / "groups.csv")
    if len(by_arm(scores)) > 1:
        write_comparisons(scores, folder / "comparisons.csv")
    if findings:
        write_false_table(findings, folder / "tumour_free.csv")
    tables = markdown_tables(scores, findings, left_out)
    summary = summary_json(scores, findings, command, left_out)
    for name, text in (("tables.md", tables), ("summary.json", summary)):
        with atomic_path(folder / name, overwrite=True) as path:
            path.write_text(text, encoding="utf-8")
    if picture is not None or has_package(PICTURE_PACKAGE):
        draw_scores(scores, picture or folder / "scores.png")
    return tables
