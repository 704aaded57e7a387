"""Scores on disk, so that an experiment that was stopped need not take them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict
from pathlib import Path
from typing import Any

from BrainTumorSegLib.evaluation.scores import CaseScore, GroupScore
from BrainTumorSegLib.io.atomic import atomic_path


def store_scores(path: Path, key: Mapping[str, Any], scores: SequenceOf[CaseScore]) -> None:
    """Write scores of Dice with what they are of; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"key": key, "scores": [asdict(score) for score in scores]}
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def read_scores(path: Path, key: Mapping[str, Any]) -> list[CaseScore] | None:
    """Scores of that key; None when the file is missing or of something else."""
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["key"] != key:
        return None
    return [_score(fields) for fields in content["scores"]]


def _score(fields: dict[str, Any]) -> CaseScore:
    groups = {
        name: None if group is None else GroupScore(**group)
        for name, group in fields["groups"].items()
    }
    return CaseScore(**{**fields, "members": tuple(fields["members"]), "groups": groups})
