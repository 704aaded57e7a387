"""Running an experiment: train every arm, then score its ensembles on cases they never saw.

Everything lies in the experiment's folder, an arm in a folder of its own, and is kept as it is
finished, so that an experiment that was stopped goes on where it was.

Every member computes every TTA view of a slice once; the rows of the table, each another choice
of members and TTA, are averages of the same probabilities. They are scored on the grid of the
networks and without post-processing, before anything that the arms have in common.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress, ProgressEvent
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.engines import Engine
from BrainTumorSegLib.inference.engines.torch_engine import TorchEngine
from BrainTumorSegLib.inference.labels import decode_slices
from BrainTumorSegLib.inference.tta import TTA_SETS, tta_transforms
from BrainTumorSegLib.io.atomic import make_folder, write_text
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.weights import load_network
from BrainTumorSegLib.preprocessing.model_grid import stack_slices
from BrainTumorSegLib.training.cohort import LabeledCase, training_cases
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.distributed import Machine
from BrainTumorSegLib.training.trainer import check_computable, stages, train_members
from BrainTumorSegLib.training.volumes import LabeledVolume, load_volume

from ..metrics import CaseScore, GroupScore, score_labels
from .config import Experiment, ExperimentArm, Row

#: Steps that an arm's training counts in the progress of the whole.
_STEPS = 1000

#: For the progress: a training slice costs about three passes; slices and pixels of a case.
_PASSES, _CASE_SLICES, _CASE_PIXELS = 3, 140, 192 * 160

#: Where training labels tell more than a case's own labels do, see
#: `training.volumes.separate_core`.
_WEAK = ("necrosis", "non_enhancing")


@dataclass(frozen=True)
class Ensemble:
    """One way to use the members of an arm.

    Attributes:
        members: numbers of the members whose probabilities are averaged.
        tta: name of the TTA.
    """

    members: tuple[int, ...]
    tta: str


@dataclass(frozen=True)
class RowScores:
    """What was scored for one row of the table.

    Attributes:
        row: of the experiment.
        sets: scores of all cases by one choice of seeds; an entry for each choice.
    """

    row: Row
    sets: tuple[tuple[CaseScore, ...], ...]


def run_experiment(
    experiment: Experiment,
    cases: SequenceOf[LabeledCase],
    folder: Path,
    sources: Path | None = None,
    machine: Machine | None = None,
    progress: Progress | None = None,
) -> tuple[RowScores, ...]:
    """Train and score all arms; what was finished before is kept.

    Every arm is trained on the same cases, slices and crops in the same order: these are drawn
    from seed, fold and step alone, which no arm can change.

    Args:
        experiment: from `config.read_experiment`.
        cases: the cohort.
        folder: of the experiment.
        sources: folder with label maps for synthesis.
        progress: made of `stage_weights`, it knows the time left.

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
    machine = replace(machine, cache=machine.cache or folder / "cache")
    scored: list[RowScores] = []
    for arm in experiment.arms:
        stage = _training_stage(arm)
        weights = stages(arm.training, experiment.folds, experiment.seeds)
        # All seeds of the first fold, then those of the next.
        members = train_members(
            cases,
            arm.training,
            experiment.folds,
            folder / arm.name,
            experiment.seeds,
            sources,
            machine,
            _inside(progress, stage, weights),
        )
        scored += _score(experiment, arm, members, cases, machine, progress)
    return tuple(scored)


def stage_weights(experiment: Experiment, cases: SequenceOf[LabeledCase]) -> dict[str, float]:
    """Rough shares of the time of an experiment, for its progress."""
    weights: dict[str, float] = {}
    members = len(experiment.folds) * len(experiment.seeds)
    scored = sum(case.fold in experiment.folds for case in cases)
    views = len({view for row in experiment.rows for view in TTA_SETS[row.tta]})
    passes = scored * len(experiment.seeds) * views * _CASE_SLICES / experiment.score_every
    for arm in experiment.arms:
        rows, columns = arm.training.crop
        slices = arm.training.steps * arm.training.batch * members
        weights[_training_stage(arm)] = float(_PASSES * slices * rows * columns)
        weights[_scoring_stage(arm)] = float(passes * _CASE_PIXELS)
    return weights


def score_ensembles(
    cases: SequenceOf[LabeledCase],
    training: TrainingConfig,
    members: SequenceOf[Path],
    ensembles: SequenceOf[Ensemble],
    every: int,
    store: Path,
    machine: Machine,
    progress: Progress | None = None,
) -> dict[Ensemble, list[CaseScore]]:
    """Score all ensembles on all cases; what lies in the store of an earlier run is kept.

    Args:
        cases: that no member was trained on.
        training: of the members.
        members: their folders.
        ensembles: what to score.
        every: score every n-th slice.
        store: folder for the scores, a file a case.
        machine: where to compute, and the folder of prepared cases.

    Returns:
        Scores in the order of the cases. Volumes in them count slices as 1 mm thick; where
        the labels merge necrosis and non-enhancing tumor, neither is scored.
    """
    progress = progress or Progress()
    weights = [member / "weights.safetensors" for member in members]
    key = {
        "members": [[path.parent.name, file_sha256(path)] for path in weights],
        "precision": training.precision,
        "ensembles": [[list(ensemble.members), ensemble.tta] for ensemble in ensembles],
        "every": every,
    }
    engine: Engine | None = None
    scores: dict[Ensemble, list[CaseScore]] = {ensemble: [] for ensemble in ensembles}
    for case in cases:
        path = store / f"{case.stem}.json"
        found = _read_scores(path, key)
        if found is None:
            if engine is None:
                networks = [load_network(path, training.network) for path in weights]
                engine = TorchEngine(
                    networks, machine.device, training.precision, training.network.heads
                )
            volume = load_volume(
                case, machine.cache, Progress(cancel=progress.cancel), training.shown
            )
            labels = _segment(volume, training.input_channels, engine, ensembles, every, progress)
            allowed = np.asarray(volume.allowed[::every])
            found = [
                CaseScore(
                    arm="",
                    pack="",
                    tta=ensemble.tta,
                    members=tuple(members[number].name for number in ensemble.members),
                    case=case.name,
                    group=case.group,
                    fold=case.fold,
                    groups={
                        name: None if name in _WEAK else score
                        for name, score in score_labels(own, allowed, (1.0, 1.0, 1.0)).items()
                    },
                )
                for ensemble, own in labels.items()
            ]
            _store_scores(path, key, found)
        for ensemble, score in zip(ensembles, found, strict=True):
            scores[ensemble].append(score)
        progress.advance(1, case.name)
    return scores


def _training_stage(arm: ExperimentArm) -> str:
    return f"train {arm.name}"


def _scoring_stage(arm: ExperimentArm) -> str:
    return f"score {arm.name}"


def _claim(folder: Path, cases: SequenceOf[LabeledCase]) -> None:
    """Hold the folder for these cases; arms, seeds and TTA may be added to it later."""
    path = folder / "cohort.json"
    cohort = {case.name: [case.fold, case.protocol.name, case.group] for case in cases}
    if not path.is_file():
        write_text(path, json.dumps(cohort, indent=1))
    elif json.loads(path.read_text(encoding="utf-8")) != cohort:
        raise TrainingError(
            f"{folder} holds an experiment with other cases, folds or label protocols.",
            "Choose another folder, or delete this one to start again.",
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
    cases: SequenceOf[LabeledCase],
    machine: Machine,
    progress: Progress,
) -> list[RowScores]:
    """The rows of one arm."""
    seeds = range(len(experiment.seeds))
    rows = {
        row: [Ensemble(chosen, row.tta) for chosen in combinations(seeds, row.members)]
        for row in experiment.rows
        if row.arm == arm
    }
    ensembles = [ensemble for own in rows.values() for ensemble in own]
    progress.stage(_scoring_stage(arm), sum(case.fold in experiment.folds for case in cases))
    scores: dict[Ensemble, list[CaseScore]] = {ensemble: [] for ensemble in ensembles}
    for place, fold in enumerate(experiment.folds):
        found = score_ensembles(
            [case for case in cases if case.fold == fold],
            arm.training,
            members[place * len(seeds) : (place + 1) * len(seeds)],
            ensembles,
            experiment.score_every,
            members[0].parent / "scores",
            machine,
            progress,
        )
        for ensemble in ensembles:
            scores[ensemble] += (replace(score, pack=arm.name) for score in found[ensemble])
    return [
        RowScores(
            row, tuple(tuple(replace(s, arm=row.name) for s in scores[one]) for one in ensembles)
        )
        for row, ensembles in rows.items()
    ]


def _segment(
    volume: LabeledVolume,
    input_channels: str,
    engine: Engine,
    ensembles: SequenceOf[Ensemble],
    every: int,
    progress: Progress,
) -> dict[Ensemble, np.ndarray]:
    """Labels ``[slice, row, column]`` of every n-th slice by each ensemble."""
    scans = {s: volume.scans[number] for number, s in enumerate(Sequence)}
    indices = range(0, volume.allowed.shape[0], every)
    shape = (len(indices), *volume.allowed.shape[1:])
    labels = {ensemble: np.zeros(shape, np.uint8) for ensemble in ensembles}
    first = stack_slices(scans, input_channels, [0]).shape
    batch = engine.free_batch((first[1], first[2], first[3]))
    for start in range(0, len(indices), batch):
        progress.cancel.raise_if_cancelled()
        images = torch.from_numpy(
            stack_slices(scans, input_channels, indices[start : start + batch])
        )
        for ensemble, found in _label_slices(images.to(engine.device), engine, ensembles):
            labels[ensemble][start : start + batch] = found
    return labels


def _label_slices(
    images: torch.Tensor, engine: Engine, ensembles: SequenceOf[Ensemble]
) -> Iterator[tuple[Ensemble, np.ndarray]]:
    sets = {name: tta_transforms(name) for name in {e.tta for e in ensembles}}
    views = dict.fromkeys(view for chosen in sets.values() for view in chosen)
    means: Mapping[str, list[torch.Tensor]] = {name: [] for name in sets}
    for member in range(engine.members):
        found = {view: view.undo(engine.predict(member, view.apply(images))) for view in views}
        for name, chosen in sets.items():
            means[name].append(torch.stack([found[view] for view in chosen]).mean(dim=0))
    for ensemble in ensembles:
        own = torch.stack([means[ensemble.tta][number] for number in ensemble.members])
        yield ensemble, decode_slices(own.mean(dim=0).float().cpu().numpy())


def _store_scores(path: Path, key: Mapping[str, Any], scores: SequenceOf[CaseScore]) -> None:
    """Write scores of Dice with what they are of; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"key": key, "scores": [asdict(score) for score in scores]}
    write_text(path, json.dumps(content, indent=1), overwrite=True)


def _read_scores(path: Path, key: Mapping[str, Any]) -> list[CaseScore] | None:
    """Scores of that key; None when the file is missing, of something else, or of version 0.1."""
    content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"key": None}
    if content["key"] != key:
        return None
    scores = []
    for fields in content["scores"]:
        if "tta" not in fields:
            return None
        groups = {name: g and GroupScore(**g) for name, g in fields["groups"].items()}
        scores.append(
            CaseScore(**{**fields, "members": tuple(fields["members"]), "groups": groups})
        )
    return scores
