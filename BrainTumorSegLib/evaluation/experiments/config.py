"""An experiment: one TOML file that says which arms are compared, at which common budget."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace
from itertools import product
from math import comb
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.config_tables import (
    check_choice,
    check_known_keys,
    from_table,
    suggestion,
)
from BrainTumorSegLib.core.errors import BrainTumorSegError, TrainingError
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.inference.tta import TTA_SETS
from BrainTumorSegLib.preprocessing.model_grid import RECIPES, recipe_channels
from BrainTumorSegLib.training.cohort import CohortConfig, LabeledCase, check_cohort_config
from BrainTumorSegLib.training.config import (
    FORMER_KEYS,
    TrainingConfig,
    check_config,
    training_from_table,
    training_from_tables,
)

from ..markdown import render

#: What an arm may change of the common training; all else is budget, and alike for all arms.
ARM_KEYS = (
    *("input_channels", "network", "optimizer", "learning_rate", "weight_decay"),
    "augmentation",
)

_KEYS = (
    *("title", "question", "choices", "caveats", "folds", "seeds", "members", "views"),
    "score_every",
    *("training", "synthesis", "data", "arms", "published"),
)
_NAME = re.compile(r"[A-Za-z0-9]+([ ._+-][A-Za-z0-9]+)*")


@dataclass(frozen=True)
class ExperimentArm:
    """One way to train.

    Attributes:
        name: what tells it from the other arms; its folder has it too.
        training: of its members; fold and seed are replaced.
    """

    name: str
    training: TrainingConfig


@dataclass(frozen=True)
class Row:
    """One line of an experiment's table: the members of an arm, used in one way.

    Attributes:
        name: what differs between the rows: arm, members, TTA.
        arm: whose members.
        members: size of the ensemble; every choice of that many seeds is scored, and averaged.
        tta: name of the TTA.
    """

    name: str
    arm: ExperimentArm
    members: int
    tta: str


@dataclass(frozen=True)
class Published:
    """Figures that others published, to stand beside ours.

    Attributes:
        source: where they stand.
        columns: what they are.
        rows: a text for each column, by name of the row.
    """

    source: str = ""
    columns: tuple[str, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, row: str, missing: str) -> tuple[str, ...]:
        """The figures of one row, or as many times what stands for none."""
        return self.rows.get(row, (missing,) * len(self.columns))


@dataclass(frozen=True)
class Experiment:
    """What a configuration says.

    Attributes:
        name: of its file, without ending.
        title: one line.
        question: what it is to answer.
        choices: choices of ours that the outcome depends on, one sentence each.
        caveats: why its figures say less than they seem to, one sentence each.
        folds: left out in turn; the cases of each are scored by members that never saw them.
        seeds: one member of each arm and fold for each.
        score_every: score every n-th slice of a case.
        rows: what is compared; the first is what the others are tested against.
        arms: what is trained.
        published: what stands beside the table.
        data: what the cohort does not say itself.
    """

    name: str
    title: str
    question: str
    choices: tuple[str, ...]
    caveats: tuple[str, ...]
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    score_every: int
    rows: tuple[Row, ...]
    arms: tuple[ExperimentArm, ...]
    published: Published
    data: CohortConfig


def bundled_experiments() -> dict[str, Path]:
    """Configurations that ship with the program, by name."""
    return {path.stem: path for path in sorted(resource_path("Experiments").glob("*.toml"))}


def find_experiment(name: str) -> Path:
    """The file of a bundled experiment, or a file of one's own.

    Raises:
        TrainingError: when there is neither.
    """
    known = bundled_experiments()
    if name in known:
        return known[name]
    if Path(name).is_file():
        return Path(name)
    raise TrainingError(
        f"There is no experiment {name!r}, neither bundled nor as a file.", suggestion(name, known)
    )


def read_experiment(path: Path) -> Experiment:
    """Read and check a configuration.

    Keys: ``title``, ``question``, ``choices``, ``caveats``, ``folds``, ``seeds``, ``members``,
    ``views``, ``score_every``. Tables: ``[training]`` and ``[synthesis]`` as in a recipe, common
    to all arms; ``[[arms]]`` with ``name`` and what differs, see `ARM_KEYS`; ``[published]`` with
    ``source``, ``columns`` and ``rows``; ``[data]`` as in a recipe.

    Raises:
        TrainingError: naming the file, and the key that is unknown or does not fit.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"Cannot read the experiment {path}: {error}.") from error
    try:
        return _experiment(path.stem, content)
    except BrainTumorSegError as error:
        raise TrainingError(f"{path}: {error.message}", error.remedy) from error


def _experiment(name: str, content: Mapping[str, Any]) -> Experiment:
    check_known_keys(content, _KEYS, "")
    folds = _numbers(content.get("folds", [0]), "folds", 0)
    seeds = _numbers(content.get("seeds", [0]), "seeds", 0)
    members = _numbers(content.get("members", [1]), "members", 1)
    if max(members) > len(seeds):
        raise TrainingError(
            f"members asks for ensembles of {max(members)}, but there are {len(seeds)} seeds.",
            "Every member of an ensemble is trained with a seed of its own: give more seeds.",
        )
    views = _texts(content.get("views", ["none"]), "views")
    for view in views:
        check_choice(view, TTA_SETS, "views")
    arms = _arms(content)
    rows = _rows(arms, members, views)
    data = from_table(CohortConfig(), content.get("data", {}), "data")
    check_cohort_config(data)
    return Experiment(
        name=name,
        title=_text(content.get("title", name), "title"),
        question=_text(content.get("question", ""), "question"),
        choices=_texts(content.get("choices", []), "choices", empty=True),
        caveats=_texts(content.get("caveats", []), "caveats", empty=True),
        folds=folds,
        seeds=seeds,
        score_every=_numbers([content.get("score_every", 1)], "score_every", 1)[0],
        rows=rows,
        arms=arms,
        published=_published(content.get("published", {}), [row.name for row in rows]),
        data=data,
    )


def _arms(content: Mapping[str, Any]) -> tuple[ExperimentArm, ...]:
    common = training_from_tables(content)
    table = content.get("training", {})
    for key in ("seed", "fold"):
        if key in table:
            raise TrainingError(
                f"training.{key} is no key of an experiment.",
                f"Write the list {key}s at the top of the file.",
            )
    if common.validation.every and common.validation.on == "fold":
        raise TrainingError(
            "training.validation.on is 'fold': checkpoints would be chosen on the very cases "
            "that are scored.",
            "Set training.validation.every = 0, or on = 'synthesis'.",
        )
    tables = content.get("arms", [])
    is_list = isinstance(tables, list) and all(isinstance(table, Mapping) for table in tables)
    if not tables or not is_list:
        wrong = "There is no arm." if is_list else "arms is no list of tables."
        raise TrainingError(wrong, "Begin each arm with a line [[arms]].")
    channels_given = "in_channels" in table.get("network", {})
    arms: list[ExperimentArm] = []
    for number, own in enumerate(tables, start=1):
        arm = _arm(own, f"arms[{number}]", common, channels_given)
        # Folders of arms must not meet where a file system ignores case.
        if arm.name.casefold() in {other.name.casefold() for other in arms}:
            raise TrainingError(f"Two arms have the name {arm.name!r}.", "Rename one.")
        arms.append(arm)
    return tuple(arms)


def _arm(
    table: Mapping[str, Any], where: str, common: TrainingConfig, channels_given: bool
) -> ExperimentArm:
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TrainingError(
            f"{where}.name is {name!r}.",
            "Give each arm a name of letters and digits, with single blanks or . _ + - between.",
        )
    where = f"arm {name!r}"
    changes = {key: value for key, value in table.items() if key != "name"}
    for key in changes:
        name_now = FORMER_KEYS.get(key, key)
        if name_now not in ARM_KEYS and hasattr(common, name_now):
            raise TrainingError(
                f"{where} changes {key}, which is part of the budget and the same for all arms.",
                f"Set it in [training]. An arm may change: {', '.join(ARM_KEYS)}.",
            )
    check_known_keys((FORMER_KEYS.get(key, key) for key in changes), ARM_KEYS, f"{where}: ")
    training = training_from_table(common, changes, where)
    check_choice(training.input_channels, RECIPES, f"{where}.input_channels")
    if not channels_given and "in_channels" not in changes.get("network", {}):
        channels = recipe_channels(training.input_channels)
        training = replace(training, network=replace(training.network, in_channels=channels))
    check_config(training, where)
    return ExperimentArm(name, training)


def _rows(
    arms: SequenceOf[ExperimentArm], members: SequenceOf[int], views: SequenceOf[str]
) -> tuple[Row, ...]:
    rows = []
    for arm, count, view in product(arms, members, views):
        parts = [arm.name] if len(arms) > 1 or len(members) == len(views) == 1 else []
        if len(members) > 1:
            parts.append(f"{count} member{'' if count == 1 else 's'}")
        if len(views) > 1:
            parts.append(view)
        rows.append(Row(", ".join(parts), arm, count, view))
    return tuple(rows)


def _published(given: Any, rows: SequenceOf[str]) -> Published:
    table = _table(given, "published", ("source", "columns", "rows"))
    if not table:
        return Published()
    columns = _texts(table.get("columns", []), "published.columns")
    figures = _table(table.get("rows", {}), "published.rows", rows)
    texts = {name: _texts(cells, f"published.rows.{name}") for name, cells in figures.items()}
    for name, cells in texts.items():
        if len(cells) != len(columns):
            raise TrainingError(
                f"published.rows.{name} has {len(cells)} figures for {len(columns)} columns."
            )
    return Published(_text(table.get("source", ""), "published.source"), columns, texts)


def _table(value: Any, name: str, known: SequenceOf[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TrainingError(f"{name} is {value!r}; a table was expected.")
    check_known_keys(value, known, f"{name}.")
    return value


def _numbers(value: Any, name: str, least: int) -> tuple[int, ...]:
    numbers = _list(value, int, f"whole numbers from {least}", name)
    if min(numbers) < least or any(isinstance(number, bool) for number in numbers):
        raise TrainingError(f"{name} is {value!r}; whole numbers from {least} were expected.")
    if repeated := [number for number in numbers if numbers.count(number) > 1]:
        raise TrainingError(f"{name} holds {repeated[0]} twice.")
    return numbers


def _texts(value: Any, name: str, empty: bool = False) -> tuple[str, ...]:
    return _list(value, str, "texts", name, empty)


def _list(value: Any, kind: type, what: str, name: str, empty: bool = False) -> tuple:
    fits = isinstance(value, list) and all(isinstance(item, kind) for item in value)
    if not fits or not (value or empty):
        raise TrainingError(f"{name} is {value!r}; a list of {what} was expected.")
    return tuple(value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TrainingError(f"{name} is {value!r}; a text was expected.")
    return value


def plan(experiment: Experiment, cases: SequenceOf[LabeledCase] | None = None) -> str:
    """What an experiment would do, in words; with its cohort, if that is known already."""
    return render(
        "experiment-plan.txt.jinja",
        experiment=experiment,
        cases=cases,
        budget=budget_line(experiment),
        describe_arm=describe_arm,
        comb=comb,
    ).rstrip("\n")


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
    """Network, input channels and optimizer of an arm, in one line."""
    training, network = arm.training, arm.training.network
    return (
        f"{network.architecture} with {network.encoder} (depth {network.encoder_depth}), input "
        f"{training.input_channels} ({network.in_channels} channels), {training.optimizer}, "
        f"learning rate {training.learning_rate:g}, weight decay {training.weight_decay:g}"
    )
