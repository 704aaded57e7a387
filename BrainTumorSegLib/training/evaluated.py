"""What ``brain-tumor-seg evaluate`` found, for the manifest and the model card of a pack."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import TrainingError

#: Measures of `evaluation.statistics.flat_summary` that go into the manifest, with their titles.
_FIGURES = {
    "WT": "Dice, whole tumour (WT)",
    "TC": "Dice, tumour core (TC)",
    "ET": "Dice, enhancing tumour (ET), cases that have it",
    "ET_all": "Dice, enhancing tumour (ET), all cases, empty against empty = 1",
    "edema": "Dice, edema",
}


@dataclass(frozen=True)
class Evaluation:
    """What ``brain-tumor-seg evaluate`` wrote into its folder, and what is said beside it.

    Attributes:
        summary: means by TTA.
        tables: Markdown.
        command: that made them; empty where nothing was evaluated.
        notes: Markdown for the end of the model card.
    """

    summary: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tables: str = ""
    command: str = ""
    notes: str = ""

    @property
    def how(self) -> str:
        """By whom the cases were scored."""
        out_of_fold = "--ensemble" not in shlex.split(self.command)
        return "each by members that never saw it" if out_of_fold else "all by the whole ensemble"


def read_evaluation(folder: Path | None, notes: Path | None = None) -> Evaluation:
    """Read the results of an evaluation and a file of notes; nothing where none is named.

    Raises:
        TrainingError: when the folder holds no results, or those of several packs, numbers of
            members or conditions, or the notes cannot be read.
    """
    try:
        text = notes.read_text(encoding="utf-8") if notes else ""
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"Cannot read the notes {notes}: {error}.", "Give a text file in UTF-8."
        ) from error
    if folder is None:
        return Evaluation(notes=text)
    try:
        content = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        tables = (folder / "tables.md").read_text(encoding="utf-8")
        command = content["command"]
    except (OSError, KeyError, ValueError) as error:
        raise TrainingError(
            f"{folder} holds no finished evaluation ({error}).",
            "Make one: brain-tumor-seg evaluate --output FOLDER ...",
        ) from error
    if "views" not in content:
        raise TrainingError(
            f"The evaluation in {folder} compares more than views, so that it has no figures of "
            "one pack.",
            "Evaluate the pack alone, without --members and --conditions.",
        )
    return Evaluation(content["views"], tables, command, text)


def evaluation_figures(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Figures for the manifest: of each set of views its means."""
    return [
        {
            "measure": f"{title}, views {views}",
            "value": summary[key],
            "cases": int(summary["cases_with_ET" if key == "ET" else "cases"]),
            "data": f"labelled cases, {evaluation.how}",
            "command": evaluation.command,
        }
        for views, summary in evaluation.summary.items()
        for key, title in _FIGURES.items()
        if key in summary
    ]
