"""Running an experiment: train every arm, then score what its members say together.

Everything lies in the experiment's folder, an arm in a folder of its own, and is kept as
it is finished, so that an experiment that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress, ProgressEvent
from BrainTumorSegLib.evaluation.experiments.config import Experiment, ExperimentArm, Row
from BrainTumorSegLib.evaluation.experiments.scoring import Ensemble, score_ensembles
from BrainTumorSegLib.evaluation.scores import CaseScore
from BrainTumorSegLib.inference.tta import VIEW_SETS
from BrainTumorSegLib.io.atomic import atomic_path, make_folder
from BrainTumorSegLib.training.cohort import LabelledCase, training_cases
from BrainTumorSegLib.training.distributed import Machine
from BrainTumorSegLib.training.trainer import check_computable, stages, train_members

#: Steps that an arm's training counts in the progress of the whole.
_STEPS = 1000

#: For the progress: a training slice costs about three passes, a case has about so many
#: slices of about so many pixels.
_PASSES, _CASE_SLICES, _CASE_PIXELS = 3, 140, 192 * 160


@dataclass(frozen=True)
class RowScores:
    """What was scored for one row of the table.

    Attributes:
        row: of the experiment.
        sets: scores of all cases by one choice of so many seeds; an entry for each choice.
    """

    row: Row
    sets: tuple[tuple[CaseScore, ...], ...]


def run_experiment(
    experiment: Experiment,
    cases: SequenceOf[LabelledCase],
    folder: Path,
    sources: Path | None = None,
    machine: Machine | None = None,
    progress: Progress | None = None,
) -> tuple[RowScores, ...]:
    """Train and score all arms; what was finished before is kept.

    Every arm sees the same cases, slices and crops in the same order: these are drawn from
    seed, fold and step alone, which no arm can change.

    Args:
        experiment: from `config.read_experiment`.
        cases: the cohort.
        folder: of the experiment.
        sources: folder with label maps for synthesis.
        machine: where to compute.
        progress: made of `stage_weights`.

    Returns:
        Scores in the order of the experiment's rows.

    Raises:
        TrainingError: when a fold leaves nothing to train on or to score, or the folder holds
            an experiment with other cases, or an arm of that name trained in another way.
    """
    progress, machine = progress or Progress(), machine or Machine()
    for fold in experiment.folds:
        training_cases(cases, fold)
    for arm in experiment.arms:
        check_computable(arm.training, machine)
    make_folder(folder)
    _claim(folder, cases)
    cache = machine.cache or folder / "cache"
    machine = replace(machine, cache=cache)
    scored: list[RowScores] = []
    for arm in experiment.arms:
        members = _train(experiment, arm, cases, folder / arm.name, sources, machine, progress)
        scored += _score(
            experiment, arm, members, cases, folder / arm.name, cache, machine.device, progress
        )
    return tuple(scored)


def stage_weights(experiment: Experiment, cases: SequenceOf[LabelledCase]) -> dict[str, float]:
    """Rough shares of the time of an experiment, for its progress."""
    weights: dict[str, float] = {}
    members = len(experiment.folds) * len(experiment.seeds)
    scored = sum(case.fold in experiment.folds for case in cases)
    views = len({view for row in experiment.rows for view in VIEW_SETS[row.views]})
    passes = scored * len(experiment.seeds) * views * _CASE_SLICES / experiment.score_every
    for arm in experiment.arms:
        rows, columns = arm.training.crop
        slices = arm.training.steps * arm.training.batch * members
        weights[_training_stage(arm)] = float(_PASSES * slices * rows * columns)
        weights[_scoring_stage(arm)] = float(passes * _CASE_PIXELS)
    return weights


def _training_stage(arm: ExperimentArm) -> str:
    return f"train {arm.name}"


def _scoring_stage(arm: ExperimentArm) -> str:
    return f"score {arm.name}"


def _claim(folder: Path, cases: SequenceOf[LabelledCase]) -> None:
    """Hold the folder for these cases; arms, seeds and views may be added to it later."""
    path = folder / "cohort.json"
    told = {case.name: [case.fold, case.protocol.name, case.group] for case in cases}
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != told:
            raise TrainingError(
                f"{folder} holds an experiment with other cases, folds or label protocols.",
                "Choose another folder, or delete this one to start again.",
            )
        return
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(told, indent=1), encoding="utf-8")


def _train(
    experiment: Experiment,
    arm: ExperimentArm,
    cases: SequenceOf[LabelledCase],
    folder: Path,
    sources: Path | None,
    machine: Machine,
    progress: Progress,
) -> list[Path]:
    """Folders of the members: all seeds of the first fold, then those of the next."""
    weights = stages(arm.training, experiment.folds, experiment.seeds)
    return train_members(
        cases,
        arm.training,
        experiment.folds,
        folder,
        experiment.seeds,
        sources,
        machine,
        _inside(progress, _training_stage(arm), weights),
    )


def _inside(outer: Progress, stage: str, weights: dict[str, float]) -> Progress:
    """The progress of a whole training as one stage of another progress."""
    outer.stage(stage, _STEPS)
    reached = 0

    def forward(event: ProgressEvent) -> None:
        nonlocal reached
        if event.kind == "warning":
            # Every arm would say the same of the same cases.
            if event.message not in outer.warnings:
                outer.warn(event.message)
            return
        step = int(event.fraction * _STEPS)
        outer.advance(max(0, step - reached), f"{event.stage} {event.message}".strip())
        reached = max(reached, step)

    return Progress(weights, (forward,), outer.cancel)


def _score(
    experiment: Experiment,
    arm: ExperimentArm,
    members: SequenceOf[Path],
    cases: SequenceOf[LabelledCase],
    folder: Path,
    cache: Path,
    device: str,
    progress: Progress,
) -> list[RowScores]:
    """The rows of one arm."""
    rows = [row for row in experiment.rows if row.arm == arm]
    seeds = range(len(experiment.seeds))
    ensembles = [
        Ensemble(chosen, row.views) for row in rows for chosen in combinations(seeds, row.members)
    ]
    progress.stage(_scoring_stage(arm), sum(case.fold in experiment.folds for case in cases))
    scores: dict[Ensemble, list[CaseScore]] = {ensemble: [] for ensemble in ensembles}
    for place, fold in enumerate(experiment.folds):
        found = score_ensembles(
            [case for case in cases if case.fold == fold],
            arm.training,
            members[place * len(seeds) : (place + 1) * len(seeds)],
            ensembles,
            experiment.score_every,
            cache,
            folder / "scores",
            device,
            progress,
        )
        for ensemble in ensembles:
            scores[ensemble] += found[ensemble]
    return [
        RowScores(
            row,
            tuple(
                tuple(
                    replace(score, arm=row.name, pack=arm.name)
                    for score in scores[Ensemble(chosen, row.views)]
                )
                for chosen in combinations(seeds, row.members)
            ),
        )
        for row in rows
    ]
