"""How members are trained, and the TOML file (``--recipe``) that says it and names their pack."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.config_tables import check_choice, check_known_keys, from_table
from BrainTumorSegLib.core.errors import BrainTumorSegError, TrainingError
from BrainTumorSegLib.io.atomic import write_text
from BrainTumorSegLib.models.network_spec import (
    ARCHITECTURES,
    HEADS,
    MAX_DEPTH,
    MIN_DEPTH,
    NetworkSpec,
)
from BrainTumorSegLib.preprocessing.model_grid import (
    FIELDS_OF_VIEW,
    NORMALIZATIONS,
    RECIPES,
    NetworkInput,
    recipe_by_name,
    recipe_channels,
)
from BrainTumorSegLib.synthesis.config import SynthesisConfig, config_from_table

from .augment import AugmentationConfig
from .cohort import CohortConfig, check_cohort_config

#: adamw is ours; the other four are those that the data set's authors compared.
OPTIMIZERS = ("adamw", "adam", "radam", "ranger", "ralamb")
SCHEDULES = ("cosine", "flat-cosine")
PRECISIONS = ("bf16", "fp16", "fp32")
VALIDATION_SETS = ("fold", "synthesis")

#: Keys of `TrainingConfig` in release 0.1, which TOML files and records of runs may have.
FORMER_KEYS = {
    "recipe": "input_channels",
    "optimiser": "optimizer",
    "tumour_share": "tumor_share",
}

#: What a run keeps of how it was started: the file as it was, and the commands, one a line.
KEPT_RECIPE, KEPT_COMMANDS = "recipe.toml", "commands.txt"

#: Longest text of commands that a manifest takes.
_LONGEST = 1000


@dataclass(frozen=True)
class SyntheticShare:
    """Synthetic samples among the training slices.

    Attributes:
        samples: how many are made, once for a fold; 0 for none.
        share: of the slices of a batch that come from them.
        seed: of the samples.
        generator: what to make; the table ``[synthesis]`` of the file.
    """

    samples: int = 0
    share: float = 0.5
    seed: int = 0
    generator: SynthesisConfig = field(default_factory=SynthesisConfig)


@dataclass(frozen=True)
class FolderShare:
    """What is mixed in from a folder.

    Attributes:
        folder: relative to that of the cohort; nothing for none.
        share: of the slices that it is mixed into.
    """

    folder: str = ""
    share: float = 0.5


@dataclass(frozen=True)
class Validation:
    """Choosing the checkpoint: the average of the weights that scored best is kept.

    Attributes:
        every: steps between two validations; 0 keeps the last average without any.
        on: ``fold``, slices of the fold left out, which makes out-of-fold figures of the
            member a little too good; or ``synthesis``, samples of the held-out generator.
        slices: of each case, evenly spread.
        samples: synthetic ones, for ``synthesis``.
        seed: of those samples.
    """

    every: int = 0
    on: str = "fold"
    slices: int = 32
    samples: int = 24
    seed: int = 1000


@dataclass(frozen=True)
class TrainingConfig:
    """One member: which network, on which folds, for how long.

    Attributes:
        network: what to build; it must take as many channels as ``input_channels`` has.
        input_channels: which sequences and slices they show, a key of `model_grid.RECIPES`.
        shown: how they show them.
        fold: the fold left out of training.
        start_from: a pack (name or folder) or the folder of a run whose weights a member
            begins with, or ``imagenet`` for the encoder, see `checkpoint.find_initial_weights`;
            nothing for random ones.
        seed: of the first weights, the choice of slices and the augmentation.
        steps: optimizer steps.
        batch: slices a step, all processes together.
        crop: rows and columns of a training slice, divisible by the network's stride.
        optimizer: one of `OPTIMIZERS`.
        schedule: ``cosine``, falling from the end of warm-up, or ``flat-cosine``, which
            first stays flat for the share `flat`.
        flat: share of the steps before the cosine of ``flat-cosine`` begins.
        learning_rate: the highest one.
        weight_decay: decoupled from the gradient; on kernels only.
        warmup: steps of linear warm-up.
        precision: of autocast: ``bf16``, ``fp16`` (CUDA only) or ``fp32``.
        ema_decay: of the moving average of the weights, which is what is kept.
        tumor_share: share of slices drawn from those that show tumour.
        checkpoint_every: steps between checkpoints and lines of the log.
        tensorboard: whether the lines of the log are written for TensorBoard, too.
        slices: single slices with an outline, see `outlined_slices`, among those of a batch.
        heads: real heads that so many stripped slices of cases and samples get around them, see
            `head_donors`.
    """

    network: NetworkSpec = field(
        default_factory=lambda: NetworkSpec(encoder="tu-regnety_004", encoder_depth=4)
    )
    input_channels: str = "mixture"
    shown: NetworkInput = field(default_factory=NetworkInput)
    start_from: str = ""
    fold: int = 0
    seed: int = 0
    steps: int = 4000
    batch: int = 12
    crop: tuple[int, int] = (192, 160)
    optimizer: str = "adamw"
    schedule: str = "cosine"
    flat: float = 0.7
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 100
    precision: str = "bf16"
    ema_decay: float = 0.998
    tumor_share: float = 0.75
    checkpoint_every: int = 200
    tensorboard: bool = False
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    synthesis: SyntheticShare = field(default_factory=SyntheticShare)
    slices: FolderShare = field(default_factory=FolderShare)
    heads: FolderShare = field(default_factory=FolderShare)
    validation: Validation = field(default_factory=Validation)

    def stage(self, work: str) -> str:
        """Name of a stage of progress, which differs between the members of a run."""
        return f"{work} fold{self.fold}-seed{self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the run's record."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> TrainingConfig:
        """The configuration that `as_dict` described, in this version or an earlier one."""
        return training_from_table(cls(), fields, "config")


@dataclass(frozen=True)
class RunConfig:
    """What the file of a run says.

    Attributes:
        training: of every member; its fold is replaced.
        pack: fields of the manifest, and ``sources`` of its provenance.
        data: what the cohort does not say itself.
    """

    training: TrainingConfig
    pack: Mapping[str, Any]
    data: CohortConfig = field(default_factory=CohortConfig)


def read_config(path: Path) -> RunConfig:
    """Read the file of a run; what it leaves out keeps its default.

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
        check_known_keys(content, ("training", "synthesis", "data", "pack"), "")
        training = training_from_tables(content)
        check_config(training)
        data = from_table(CohortConfig(), content.get("data", {}), "data")
        check_cohort_config(data)
        pack = content.get("pack", {})
        if not isinstance(pack, Mapping):
            raise TrainingError(f"pack is {pack!r}; a table was expected.")
    except BrainTumorSegError as error:
        raise TrainingError(f"{path}: {error.message}", error.remedy) from error
    return RunConfig(training, pack, data)


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
    training = training_from_table(TrainingConfig(), table, "training")
    generator = config_from_table(content.get("synthesis", {}))
    return replace(training, synthesis=replace(training.synthesis, generator=generator))


def training_from_table(default: TrainingConfig, table: Any, where: str) -> TrainingConfig:
    """`from_table` that knows the keys of release 0.1 as well, see `FORMER_KEYS`.

    Raises:
        TrainingError: as `from_table`; also when a key is given by both names, differently.
    """
    if not isinstance(table, Mapping):
        return from_table(default, table, where)
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = FORMER_KEYS.get(key, key)
        if values.setdefault(name, value) != value:
            raise TrainingError(
                f"{where}.{key} is {value!r}, but {where}.{name} is {values[name]!r}.",
                "Both mean the same: keep one.",
            )
    return from_table(default, values, where)


def keep_config(file: Path, command: str, run: Path) -> None:
    """Keep in the folder of a run what a pack of it will have to tell.

    Commands that trained other members of the run before stay on record.
    """
    run.mkdir(parents=True, exist_ok=True)
    text = file.read_text(encoding="utf-8")
    commands = [*dict.fromkeys([*_kept_commands(run), command])]
    for name, kept in ((KEPT_RECIPE, text), (KEPT_COMMANDS, "\n".join(commands) + "\n")):
        write_text(run / name, kept, overwrite=True)


def run_command(run: Path, file: Path) -> str:
    """The commands that trained a run, as one line; the usual one where none was kept."""
    commands = _kept_commands(run)
    while len(" && ".join(commands)) > _LONGEST:
        commands = commands[1:]
    usual = f"brain-tumor-seg train --recipe {file.name} --data DATA --output RUN"
    return " && ".join(commands) or usual


def _kept_commands(run: Path) -> list[str]:
    path = run / KEPT_COMMANDS
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def check_config(config: TrainingConfig, where: str = "training") -> None:
    """Check what types alone do not tell.

    Raises:
        TrainingError: naming the key, what is wrong and what would do.
    """
    for name, known in (
        ("input_channels", RECIPES),
        ("shown.normalization", NORMALIZATIONS),
        ("shown.field_of_view", FIELDS_OF_VIEW),
        ("network.architecture", ARCHITECTURES),
        ("network.heads", HEADS),
        ("optimizer", OPTIMIZERS),
        ("schedule", SCHEDULES),
        ("precision", PRECISIONS),
        ("validation.on", VALIDATION_SETS),
    ):
        check_choice(attrgetter(name)(config), known, f"{where}.{name}")
    _check_ranges(config, where)
    channels = recipe_channels(config.input_channels)
    if config.network.in_channels != channels:
        raise TrainingError(
            f"The input {config.input_channels!r} has {channels} channels, but "
            f"{where}.network.in_channels is {config.network.in_channels}.",
            "Make them equal.",
        )
    if any(side < 1 or side % config.network.stride for side in config.crop):
        raise TrainingError(
            f"{where}.crop {config.crop} is not divisible by {config.network.stride}.",
            "The network halves its input that many times; choose a multiple.",
        )
    _check_shown(config, where)
    if config.network.architecture == "pspnet" and config.batch < 2:
        raise TrainingError(
            f"{where}.batch is {config.batch}; PSPNet normalises over whole slices.",
            "Give it 2 or more.",
        )
    if config.optimizer == "adam" and config.weight_decay:
        raise TrainingError(
            f"{where}.weight_decay is {config.weight_decay}; adam has none.",
            "Set it to 0, or choose adamw, which is Adam with decoupled weight decay.",
        )
    if config.synthesis.samples and config.synthesis.generator.part != "training":
        raise TrainingError(
            f"synthesis.part is {config.synthesis.generator.part!r}.",
            "Held-out heads and shapes are for choosing checkpoints; train on part = 'training'.",
        )


def _check_shown(config: TrainingConfig, where: str) -> None:
    if not config.shown.low < config.shown.high:
        raise TrainingError(
            f"{where}.shown.low {config.shown.low:g} is not below high {config.shown.high:g}."
        )
    _, offsets = recipe_by_name(config.input_channels)
    if config.slices.folder and offsets != (0,):
        raise TrainingError(
            f"{where}.slices are single, but the input {config.input_channels!r} shows neighbours.",
            "Choose mixture.",
        )
    if config.heads.folder and config.shown.field_of_view == "brain":
        raise TrainingError(
            f"{where}.heads puts heads around brains, but networks that see the brain see none.",
            'Set field_of_view = "head" in the table [training.shown].',
        )


_PROBABILITIES = (
    *("mirror", "dihedral_batches", "intensity", "shading", "bias_field", "noise", "blur"),
    *("drop_sequence", "t1ce_alone"),
)
_INFINITE = float("inf")
_RANGES: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("steps", "batch", "checkpoint_every"), (1, _INFINITE)),
    **dict.fromkeys(("validation.slices", "validation.samples"), (1, _INFINITE)),
    **dict.fromkeys(("seed", "synthesis.seed", "validation.seed"), (0, _INFINITE)),
    **dict.fromkeys(("warmup", "weight_decay"), (0, _INFINITE)),
    **dict.fromkeys(("synthesis.samples", "validation.every"), (0, _INFINITE)),
    **dict.fromkeys(("flat", "tumor_share"), (0, 1)),
    **dict.fromkeys(("synthesis.share", "slices.share", "heads.share"), (0, 1)),
    **dict.fromkeys(("shown.low", "shown.high"), (0, 100)),
    **dict.fromkeys(("augmentation.gain", "augmentation.offset"), (0, 1)),
    **{f"augmentation.{name}": (0, 1) for name in _PROBABILITIES},
    "augmentation.shading_strength": (0, 1),
    "augmentation.deformation_pixels": (0, 20),
    "ema_decay": (0, 0.999999),
    "network.encoder_depth": (MIN_DEPTH, MAX_DEPTH),
}


def _check_ranges(config: TrainingConfig, where: str) -> None:
    for name, (low, high) in _RANGES.items():
        value = attrgetter(name)(config)
        if not low <= value <= high:
            limit = f"{low:g} or more" if high == _INFINITE else f"{low:g} to {high:g}"
            raise TrainingError(f"{where}.{name} is {value}; it must be {limit}.")
    # Written like this for nan, which TOML knows and no comparison holds for.
    if not 0 < config.learning_rate < _INFINITE:
        raise TrainingError(
            f"{where}.learning_rate is {config.learning_rate}; it must be a number above 0."
        )
