"""Scoring the ensembles of an arm on the cases that none of its members saw.

Every member looks at every view of a slice once; the rows of the table, each another choice
of members and views, are averages of the same probabilities. Scored is on the grid of the
networks and without cleaning up, before anything that the arms have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.evaluation.experiments.stored import read_scores, store_scores
from BrainTumorSegLib.evaluation.scores import CaseScore, score_labels
from BrainTumorSegLib.inference.engines import Engine
from BrainTumorSegLib.inference.engines.torch_engine import TorchEngine
from BrainTumorSegLib.inference.labels import label_slices
from BrainTumorSegLib.inference.tta import views_by_name
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.weights import load_network
from BrainTumorSegLib.preprocessing.model_grid import stack_slices
from BrainTumorSegLib.training.cohort import LabelledCase
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.volumes import LabelledVolume, load_volume

#: What truths for training tell more of than their labels do, see `training.volumes.separate_core`.
_WEAK = ("necrosis", "non_enhancing")


@dataclass(frozen=True)
class Ensemble:
    """One way to use the members of an arm.

    Attributes:
        members: numbers of the members whose probabilities are averaged.
        views: name of the set of views.
    """

    members: tuple[int, ...]
    views: str


def score_ensembles(
    cases: SequenceOf[LabelledCase],
    training: TrainingConfig,
    members: SequenceOf[Path],
    ensembles: SequenceOf[Ensemble],
    every: int,
    cache: Path,
    store: Path,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[Ensemble, list[CaseScore]]:
    """Score all ensembles on all cases; what lies in the store of an earlier run is kept.

    Args:
        cases: that no member saw.
        training: of the members.
        members: their folders.
        ensembles: what to score.
        every: score every so manieth slice.
        cache: folder of prepared cases.
        store: folder for the scores, a file a case.
        device: torch device.
        progress: advanced once a case.

    Returns:
        Scores in the order of the cases. Volumes in them count slices as 1 mm thick; where
        the truth merges necrosis and non-enhancing tumour, neither is scored.
    """
    progress = progress or Progress()
    weights = [member / "weights.safetensors" for member in members]
    key = {
        "members": [[path.parent.name, file_sha256(path)] for path in weights],
        "precision": training.precision,
        "ensembles": [[list(ensemble.members), ensemble.views] for ensemble in ensembles],
        "every": every,
    }
    engine: Engine | None = None
    scores: dict[Ensemble, list[CaseScore]] = {ensemble: [] for ensemble in ensembles}
    for case in cases:
        path = store / f"{case.stem}.json"
        found = read_scores(path, key)
        if found is None:
            if engine is None:
                networks = [load_network(path, training.network) for path in weights]
                engine = TorchEngine(networks, device, training.precision)
            volume = load_volume(case, cache, Progress(cancel=progress.cancel))
            found = [
                _case_score(case, volume, labels, every, ensemble, members)
                for ensemble, labels in _segment(
                    volume, training.input_channels, engine, ensembles, every, progress
                ).items()
            ]
            store_scores(path, key, found)
        for ensemble, score in zip(ensembles, found, strict=True):
            scores[ensemble].append(score)
        progress.advance(1, case.name)
    return scores


def _case_score(
    case: LabelledCase,
    volume: LabelledVolume,
    labels: np.ndarray,
    every: int,
    ensemble: Ensemble,
    members: SequenceOf[Path],
) -> CaseScore:
    truth = np.asarray(volume.allowed[::every])
    groups = score_labels(labels, truth, (1.0, 1.0, 1.0))
    return CaseScore(
        arm="",
        pack="",
        views=ensemble.views,
        members=tuple(members[number].name for number in ensemble.members),
        case=case.name,
        group=case.group,
        fold=case.fold,
        groups={name: None if name in _WEAK else score for name, score in groups.items()},
    )


def _segment(
    volume: LabelledVolume,
    recipe: str,
    engine: Engine,
    ensembles: SequenceOf[Ensemble],
    every: int,
    progress: Progress,
) -> dict[Ensemble, np.ndarray]:
    """Labels ``[slice, row, column]`` of every so manieth slice by each ensemble."""
    scans = {s: volume.scans[number] for number, s in enumerate(Sequence)}
    indices = range(0, volume.allowed.shape[0], every)
    shape = (len(indices), *volume.allowed.shape[1:])
    labels = {ensemble: np.zeros(shape, np.uint8) for ensemble in ensembles}
    first = stack_slices(scans, recipe, [0]).shape
    batch = engine.free_batch((first[1], first[2], first[3]))
    for start in range(0, len(indices), batch):
        progress.cancel.raise_if_cancelled()
        images = torch.from_numpy(stack_slices(scans, recipe, indices[start : start + batch]))
        for ensemble, found in _label_slices(images.to(engine.device), engine, ensembles):
            labels[ensemble][start : start + batch] = found
    return labels


def _label_slices(
    images: torch.Tensor, engine: Engine, ensembles: SequenceOf[Ensemble]
) -> Iterator[tuple[Ensemble, np.ndarray]]:
    sets = {name: views_by_name(name) for name in {e.views for e in ensembles}}
    views = dict.fromkeys(view for chosen in sets.values() for view in chosen)
    means: Mapping[str, list[torch.Tensor]] = {name: [] for name in sets}
    for member in range(engine.members):
        seen = {view: view.undo(engine.predict(member, view.apply(images))) for view in views}
        for name, chosen in sets.items():
            means[name].append(torch.stack([seen[view] for view in chosen]).mean(dim=0))
    for ensemble in ensembles:
        own = torch.stack([means[ensemble.views][number] for number in ensemble.members])
        yield ensemble, label_slices(own.mean(dim=0).float().cpu().numpy())
