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

#: What the outputs of a network can be, and how many there are: one for each class, of which a
#: voxel has one (softmax); or one for each region, each of them yes or no (sigmoid): whole tumour,
#: tumour core, enhancing tumour, and necrosis within the rest of the core.
HEADS: Mapping[str, int | None] = {"classes": None, "regions": 4}

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
        heads: a key of `HEADS`.
    """

    architecture: str = "linknet"
    encoder: str = "se_resnext50_32x4d"
    encoder_depth: int = 5
    in_channels: int = 3
    classes: int = 5
    heads: str = "classes"

    def as_dict(self) -> dict[str, Any]:
        """As a manifest holds it: programs that know no regions must not read them as classes."""
        fields = asdict(self)
        if self.heads == "classes":
            del fields["heads"]
        return fields

    @property
    def outputs(self) -> int:
        """Number of logits for each pixel."""
        return HEADS[self.heads] or self.classes

    @property
    def stride(self) -> int:
        """Height and width of the input must be divisible by this."""
        return 2**self.encoder_depth
