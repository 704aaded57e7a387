"""What a training run is made of."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from BrainTumorSegLib.networks import NetworkSpec
from BrainTumorSegLib.training.augment import AugmentationConfig


@dataclass(frozen=True)
class TrainingConfig:
    """One member: which network, on which folds, for how long.

    Attributes:
        network: what to build; its input channels must fit the recipe.
        recipe: a key of `slices.RECIPES`.
        fold: the fold left out of training.
        seed: of the first weights, the choice of slices and the augmentation.
        steps: optimiser steps.
        batch: slices a step.
        crop: rows and columns of a training slice, divisible by the network's stride.
        learning_rate: of AdamW after warm-up; falls to zero along a cosine.
        weight_decay: of AdamW.
        warmup: steps of linear warm-up.
        ema_decay: of the moving average of the weights, which is what is kept.
        tumour_share: share of slices drawn from those that show tumour.
        augmentation: see `AugmentationConfig`.
    """

    network: NetworkSpec = field(
        default_factory=lambda: NetworkSpec(encoder="tu-regnety_004", encoder_depth=4)
    )
    recipe: str = "mixture"
    fold: int = 0
    seed: int = 0
    steps: int = 4000
    batch: int = 12
    crop: tuple[int, int] = (192, 160)
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 100
    ema_decay: float = 0.998
    tumour_share: float = 0.75
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the run's record."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> TrainingConfig:
        """The configuration that `as_dict` described."""
        return cls(
            **{
                **fields,
                "network": NetworkSpec(**fields["network"]),
                "augmentation": AugmentationConfig(**fields["augmentation"]),
                "crop": tuple(fields["crop"]),
            }
        )
