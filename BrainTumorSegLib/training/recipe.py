"""A training recipe: one TOML file that says how to train and what the pack will say of itself."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from BrainTumorSegLib.errors import TrainingError
from BrainTumorSegLib.networks import NetworkSpec
from BrainTumorSegLib.slices import recipe_channels
from BrainTumorSegLib.training.augment import AugmentationConfig
from BrainTumorSegLib.training.config import TrainingConfig


@dataclass(frozen=True)
class TrainingRecipe:
    """What a recipe file says.

    Attributes:
        training: of every member; its fold is replaced.
        pack: fields of the manifest, and ``sources`` of its provenance.
    """

    training: TrainingConfig
    pack: Mapping[str, Any]


def read_recipe(path: Path) -> TrainingRecipe:
    """Read a recipe; what ``[training]`` leaves out keeps its default.

    Raises:
        TrainingError: naming the file, and the key that is unknown or does not fit.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"Cannot read the recipe {path}: {error}.") from error
    _refuse_unknown(content, {"training", "pack"}, path, "")
    training = dict(content.get("training", {}))
    network = _build(NetworkSpec, training.pop("network", {}), path, "training.network")
    augmentation = _build(
        AugmentationConfig, training.pop("augmentation", {}), path, "training.augmentation"
    )
    if "crop" in training:
        training["crop"] = tuple(training["crop"])
    config = _build(
        TrainingConfig,
        {"network": network, "augmentation": augmentation, **training},
        path,
        "training",
    )
    _check(config, path)
    return TrainingRecipe(config, content.get("pack", {}))


def _build(kind: type, values: Mapping[str, Any], path: Path, where: str) -> Any:
    _refuse_unknown(values, {field.name for field in fields(kind)}, path, where + ".")
    defaults = kind()
    for key, value in values.items():
        expected = type(getattr(defaults, key))
        # TOML writes 1 where 1.0 is meant.
        if not isinstance(value, expected) and not (expected is float and isinstance(value, int)):
            raise TrainingError(
                f"{path}: {where}.{key} is {value!r}; {expected.__name__} was expected."
            )
    return kind(**values)


def _refuse_unknown(values: Mapping[str, Any], known: set[str], path: Path, where: str) -> None:
    unknown = sorted(set(values) - known)
    if unknown:
        raise TrainingError(
            f"{path}: unknown key {where}{unknown[0]}.", f"Known keys: {', '.join(sorted(known))}."
        )


def _check(config: TrainingConfig, path: Path) -> None:
    channels = recipe_channels(config.recipe)
    if config.network.in_channels != channels:
        raise TrainingError(
            f"{path}: recipe {config.recipe!r} makes {channels} channels, but "
            f"training.network.in_channels is {config.network.in_channels}.",
            "Make them equal.",
        )
    if any(side % config.network.stride for side in config.crop):
        raise TrainingError(
            f"{path}: training.crop {config.crop} is not divisible by {config.network.stride}.",
            "The network halves its input that many times; choose a multiple.",
        )
    for name in ("steps", "batch"):
        if getattr(config, name) < 1:
            raise TrainingError(f"{path}: training.{name} must be 1 or more.")
