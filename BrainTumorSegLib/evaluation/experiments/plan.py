"""What an experiment would do, in words, before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as SequenceOf
from itertools import combinations

from BrainTumorSegLib.evaluation.experiments.config import Experiment, ExperimentArm
from BrainTumorSegLib.training.cohort import LabelledCase


def plan(experiment: Experiment, cases: SequenceOf[LabelledCase] | None = None) -> str:
    """Arms, budget and rows for a person.

    Args:
        experiment: from `config.read_experiment`.
        cases: the cohort, if it is known already.
    """
    return "\n".join(_lines(experiment, cases))


def budget_line(experiment: Experiment) -> str:
    """What every arm gets, in one line."""
    training = experiment.arms[0].training
    slices = training.steps * training.batch
    rows, columns = training.crop
    schedule = training.schedule
    if schedule == "flat-cosine":
        schedule += f" ({training.flat:g} flat)"
    seeds = ", ".join(map(str, experiment.seeds))
    return (
        f"{training.steps} steps of {training.batch} slices ({slices} slices), crops of "
        f"{rows}x{columns}, schedule {schedule} after {training.warmup} steps of warm-up, "
        f"average of the weights {training.ema_decay:g}, {training.precision}; "
        f"seed{'' if len(experiment.seeds) == 1 else 's'} {seeds}."
    )


def describe_arm(arm: ExperimentArm) -> str:
    """Network, input recipe and optimiser of an arm, in one line."""
    training = arm.training
    network = training.network
    return (
        f"{network.architecture} with {network.encoder} (depth {network.encoder_depth}), input "
        f"{training.input_channels} ({network.in_channels} channels), {training.optimizer}, "
        f"learning rate {training.learning_rate:g}, weight decay {training.weight_decay:g}"
    )


def _lines(experiment: Experiment, cases: SequenceOf[LabelledCase] | None) -> Iterator[str]:
    yield f"{experiment.name}: {experiment.title}"
    if experiment.question:
        yield experiment.question
    yield ""
    yield f"Budget, the same for every arm: {budget_line(experiment)}"
    if cases is not None:
        scored = [case for case in cases if case.fold in experiment.folds]
        yield f"Cohort: {len(cases)} cases, {len(scored)} of them scored."
    folds = ", ".join(map(str, experiment.folds))
    trained = len(experiment.arms) * len(experiment.folds) * len(experiment.seeds)
    yield f"Left out in turn: fold {folds}. Trained in all: {trained} networks."
    yield ""
    yield "Arms:"
    for arm in experiment.arms:
        yield f"  {arm.name}: {describe_arm(arm)}"
    yield ""
    yield "Rows of the table:"
    for row in experiment.rows:
        choices = len(list(combinations(experiment.seeds, row.members)))
        over = f", mean over {choices} choices of seeds" if choices > 1 else ""
        yield f"  {row.name}: views {row.views}, members {row.members}{over}"
    for text in (*experiment.choices, *experiment.caveats):
        yield f"* {text}"
