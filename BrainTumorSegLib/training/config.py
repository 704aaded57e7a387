"""What a training run is made of."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from BrainTumorSegLib.core.config_tables import check_choice, from_table
from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.models.network_spec import ARCHITECTURES, MAX_DEPTH, MIN_DEPTH, NetworkSpec
from BrainTumorSegLib.preprocessing.model_grid import RECIPES, recipe_channels
from BrainTumorSegLib.synthesis.tumours.settings import SynthesisConfig
from BrainTumorSegLib.training.augment import AugmentationConfig

#: adamw is ours; the other four are those that the data set's authors compared.
OPTIMISERS = ("adamw", "adam", "radam", "ranger", "ralamb")
SCHEDULES = ("cosine", "flat-cosine")
PRECISIONS = ("bf16", "fp16", "fp32")
VALIDATION_SETS = ("fold", "synthesis")


@dataclass(frozen=True)
class SyntheticShare:
    """Synthetic samples among the training slices.

    Attributes:
        samples: how many are made, once for a fold; 0 for none.
        share: of the slices of a batch that come from them.
        seed: of the samples.
        generator: what to make; the table ``[synthesis]`` of a recipe.
    """

    samples: int = 0
    share: float = 0.5
    seed: int = 0
    generator: SynthesisConfig = field(default_factory=SynthesisConfig)


@dataclass(frozen=True)
class Validation:
    """Choosing the checkpoint: the average of the weights that scored best is kept.

    Attributes:
        every: steps between two looks; 0 keeps the last average without looking.
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
        network: what to build; its input channels must fit the recipe.
        recipe: a key of `slices.RECIPES`.
        fold: the fold left out of training.
        start_from: a pack (name or folder) or the folder of a run whose weights a member
            begins with, see `start.find_beginning`; nothing for random ones.
        seed: of the first weights, the choice of slices and the augmentation.
        steps: optimiser steps.
        batch: slices a step, all processes together.
        crop: rows and columns of a training slice, divisible by the network's stride.
        optimiser: one of `OPTIMISERS`.
        schedule: ``cosine``, falling from the end of warm-up, or ``flat-cosine``, which
            first stays flat for the share `flat`.
        flat: share of the steps before the cosine of ``flat-cosine`` begins.
        learning_rate: the highest one.
        weight_decay: decoupled from the gradient; on kernels only.
        warmup: steps of linear warm-up.
        precision: of autocast: ``bf16``, ``fp16`` (CUDA only) or ``fp32``.
        ema_decay: of the moving average of the weights, which is what is kept.
        tumour_share: share of slices drawn from those that show tumour.
        checkpoint_every: steps between checkpoints and lines of the log.
        tensorboard: whether the lines of the log are written for TensorBoard, too.
        augmentation: see `AugmentationConfig`.
        synthesis: see `SyntheticShare`.
        validation: see `Validation`.
    """

    network: NetworkSpec = field(
        default_factory=lambda: NetworkSpec(encoder="tu-regnety_004", encoder_depth=4)
    )
    recipe: str = "mixture"
    start_from: str = ""
    fold: int = 0
    seed: int = 0
    steps: int = 4000
    batch: int = 12
    crop: tuple[int, int] = (192, 160)
    optimiser: str = "adamw"
    schedule: str = "cosine"
    flat: float = 0.7
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 100
    precision: str = "bf16"
    ema_decay: float = 0.998
    tumour_share: float = 0.75
    checkpoint_every: int = 200
    tensorboard: bool = False
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    synthesis: SyntheticShare = field(default_factory=SyntheticShare)
    validation: Validation = field(default_factory=Validation)

    def stage(self, work: str) -> str:
        """Name of a stage of progress, which differs between the members of a run."""
        return f"{work} fold{self.fold}-seed{self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the run's record."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> TrainingConfig:
        """The configuration that `as_dict` described; keys of later versions have defaults."""
        return from_table(cls(), fields, "config")


def check_config(config: TrainingConfig, where: str = "training") -> None:
    """Check what types alone do not tell.

    Raises:
        TrainingError: naming the key, what is wrong and what would do.
    """
    for value, known, name in (
        (config.recipe, RECIPES, "recipe"),
        (config.network.architecture, ARCHITECTURES, "network.architecture"),
        (config.optimiser, OPTIMISERS, "optimiser"),
        (config.schedule, SCHEDULES, "schedule"),
        (config.precision, PRECISIONS, "precision"),
        (config.validation.on, VALIDATION_SETS, "validation.on"),
    ):
        check_choice(value, known, f"{where}.{name}")
    _check_ranges(config, where)
    channels = recipe_channels(config.recipe)
    if config.network.in_channels != channels:
        raise TrainingError(
            f"Recipe {config.recipe!r} makes {channels} channels, but "
            f"{where}.network.in_channels is {config.network.in_channels}.",
            "Make them equal.",
        )
    if any(side < 1 or side % config.network.stride for side in config.crop):
        raise TrainingError(
            f"{where}.crop {config.crop} is not divisible by {config.network.stride}.",
            "The network halves its input that many times; choose a multiple.",
        )
    if config.network.architecture == "pspnet" and config.batch < 2:
        raise TrainingError(
            f"{where}.batch is {config.batch}; PSPNet normalises over whole slices.",
            "Give it 2 or more.",
        )
    if config.optimiser == "adam" and config.weight_decay:
        raise TrainingError(
            f"{where}.weight_decay is {config.weight_decay}; adam has none.",
            "Set it to 0, or choose adamw, which is Adam with decoupled weight decay.",
        )
    if config.synthesis.samples and config.synthesis.generator.part != "training":
        raise TrainingError(
            f"synthesis.part is {config.synthesis.generator.part!r}.",
            "Held-out heads and shapes are for choosing checkpoints; train on part = 'training'.",
        )


def _check_ranges(config: TrainingConfig, where: str) -> None:
    zero, one, many = 0.0, 1.0, float("inf")
    for name, low, high in (
        ("steps", 1, many),
        ("batch", 1, many),
        ("warmup", 0, many),
        *((name, 0, many) for name in ("seed", "synthesis.seed", "validation.seed")),
        ("checkpoint_every", 1, many),
        ("flat", zero, one),
        ("weight_decay", zero, many),
        ("ema_decay", zero, 0.999999),
        ("tumour_share", zero, one),
        ("network.encoder_depth", MIN_DEPTH, MAX_DEPTH),
        ("synthesis.samples", 0, many),
        ("synthesis.share", zero, one),
        ("validation.every", 0, many),
        ("validation.slices", 1, many),
        ("validation.samples", 1, many),
        *((f"augmentation.{name}", zero, one) for name in _PROBABILITIES),
        ("augmentation.shading_strength", zero, 1.0),
        ("augmentation.deformation_pixels", zero, 20.0),
    ):
        value: Any = config
        for part in name.split("."):
            value = getattr(value, part)
        if not low <= value <= high:
            limit = f"{low:g} or more" if high == many else f"{low:g} to {high:g}"
            raise TrainingError(f"{where}.{name} is {value}; it must be {limit}.")
    # Written like this for nan, which TOML knows and no comparison holds for.
    if not zero < config.learning_rate < many:
        raise TrainingError(
            f"{where}.learning_rate is {config.learning_rate}; it must be a number above 0."
        )


_PROBABILITIES = (
    *("mirror", "dihedral_batches", "intensity", "shading", "bias_field", "noise", "blur"),
    "drop_sequence",
)
