"""What a network is, in words and numbers; building it is for `networks`, which needs torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: Our names and the classes of segmentation-models-pytorch they stand for.
ARCHITECTURES: Mapping[str, str] = {
    "linknet": "Linknet",
    "fpn": "FPN",
    "pspnet": "PSPNet",
    "unet": "Unet",
}

#: Encoder depths that all four architectures take.
MIN_DEPTH, MAX_DEPTH = 3, 5


@dataclass(frozen=True)
class NetworkSpec:
    """Everything needed to build a network without its weights.

    Attributes:
        architecture: a key of `ARCHITECTURES`.
        encoder: encoder name as segmentation-models-pytorch knows it, for example
            ``se_resnext50_32x4d`` or ``tu-regnety_004``.
        encoder_depth: number of encoder stages used, 3 to 5.
        in_channels: channels of the input recipe.
        classes: background and the tissues.
    """

    architecture: str = "linknet"
    encoder: str = "se_resnext50_32x4d"
    encoder_depth: int = 5
    in_channels: int = 3
    classes: int = 5

    def as_dict(self) -> dict[str, Any]:
        """As a manifest holds it."""
        return asdict(self)

    @property
    def stride(self) -> int:
        """Height and width of the input must be divisible by this."""
        return 2**self.encoder_depth
