"""A training recipe: one TOML file that says how to train and what the pack will say of itself."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.config_tables import from_table, refuse_unknown
from BrainTumorSegLib.core.errors import BrainTumorSegError, TrainingError
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.synthesis.tumours.settings import config_from_table
from BrainTumorSegLib.training.cohort import CohortConfig, check_cohort_config
from BrainTumorSegLib.training.config import TrainingConfig, check_config

#: What a run keeps of how it was started: the recipe as it was, and the commands, one a line.
KEPT_RECIPE, KEPT_COMMANDS = "recipe.toml", "commands.txt"

#: Longest text of commands that a manifest takes.
_LONGEST = 1000


@dataclass(frozen=True)
class TrainingRecipe:
    """What a recipe file says.

    Attributes:
        training: of every member; its fold is replaced.
        pack: fields of the manifest, and ``sources`` of its provenance.
        data: what the cohort does not say itself.
    """

    training: TrainingConfig
    pack: Mapping[str, Any]
    data: CohortConfig = field(default_factory=CohortConfig)


def read_recipe(path: Path) -> TrainingRecipe:
    """Read a recipe; what it leaves out keeps its default.

    Tables: ``[training]`` with ``network``, ``augmentation``, ``synthesis`` (how much) and
    ``validation`` in it; ``[synthesis]``, what the generator makes; ``[data]``; ``[pack]``.

    Raises:
        TrainingError: naming the file, and the key that is unknown or does not fit.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"Cannot read the recipe {path}: {error}.") from error
    try:
        return _recipe(content)
    except BrainTumorSegError as error:
        raise TrainingError(f"{path}: {error.message}", error.remedy) from error


def keep_recipe(recipe: Path, command: str, run: Path) -> None:
    """Keep in the folder of a run what a pack of it will have to tell.

    Commands that trained other members of the run before stay on record.
    """
    run.mkdir(parents=True, exist_ok=True)
    text = recipe.read_text(encoding="utf-8")
    commands = [*dict.fromkeys([*_kept_commands(run), command])]
    for name, kept in ((KEPT_RECIPE, text), (KEPT_COMMANDS, "\n".join(commands) + "\n")):
        with atomic_path(run / name, overwrite=True) as path:
            path.write_text(kept, encoding="utf-8")


def run_command(run: Path, recipe: Path) -> str:
    """The commands that trained a run, as one line; the usual one where none was kept."""
    commands = _kept_commands(run)
    while len(" && ".join(commands)) > _LONGEST:
        commands = commands[1:]
    usual = f"brain-tumor-seg train --recipe {recipe.name} --data DATA --output RUN"
    return " && ".join(commands) or usual


def _kept_commands(run: Path) -> list[str]:
    path = run / KEPT_COMMANDS
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def training_from_tables(content: Mapping[str, Any]) -> TrainingConfig:
    """What the tables ``[training]`` and ``[synthesis]`` say, not yet checked as a whole.

    Raises:
        TrainingError: naming the key that is unknown or has the wrong type.
    """
    table = content.get("training", {})
    own = table.get("synthesis") if isinstance(table, Mapping) else None
    if isinstance(own, Mapping) and "generator" in own:
        raise TrainingError(
            "training.synthesis.generator is no key of a recipe.",
            "Write the generator's settings into the table [synthesis].",
        )
    training = from_table(TrainingConfig(), table, "training")
    generator = config_from_table(content.get("synthesis", {}))
    return replace(training, synthesis=replace(training.synthesis, generator=generator))


def _recipe(content: Mapping[str, Any]) -> TrainingRecipe:
    refuse_unknown(content, ("training", "synthesis", "data", "pack"), "")
    training = training_from_tables(content)
    check_config(training)
    data = from_table(CohortConfig(), content.get("data", {}), "data")
    check_cohort_config(data)
    pack = content.get("pack", {})
    if not isinstance(pack, Mapping):
        raise TrainingError(f"pack is {pack!r}; a table was expected.")
    return TrainingRecipe(training, pack, data)
