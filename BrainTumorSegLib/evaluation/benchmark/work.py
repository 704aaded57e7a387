"""What a network has to do for one image: operations, and numbers that it must move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from BrainTumorSegLib.models.networks import NetworkSpec, build_skeleton


@dataclass(frozen=True)
class ImageWork:
    """The work for one image, whatever the engine.

    Attributes:
        flop: operations of convolutions and matrix products, a multiplication and an
            addition counting as two (`torch.utils.flop_counter`).
        weights: numbers in the live weights.
        fused: numbers read and written by convolutions and products alone, weights not
            counted: what is left when everything else is fused into them. The floor.
        unfused: numbers read and written when every operation reads its inputs from memory
            and writes its results there.
    """

    flop: int
    weights: int
    fused: int
    unfused: int

    def bytes_an_image(self, number_bytes: int, batch: int) -> float:
        """Bytes of the floor for one image of a batch, which shares one read of the weights."""
        return number_bytes * (self.fused + self.weights / batch)


#: Their results need not go through memory when the operation behind them is fused.
_PRODUCTS = ("convolution", "mm", "addmm", "bmm", "linear")

#: Do not touch the numbers themselves.
_VIEWS = ("view", "reshape", "permute", "transpose", "expand", "slice", "select", "detach", "t")


@lru_cache(maxsize=8)
def image_work(spec: NetworkSpec, height: int, width: int) -> ImageWork:
    """Count the work of a network for one image ``[1, C, H, W]``; nothing is computed.

    Raises:
        PackError: as `build_network`.
    """
    network = build_skeleton(spec).eval()
    image = torch.empty(1, spec.in_channels, height, width, device="meta")
    flop = FlopCounterMode(display=False)
    moved = _Moved()
    with torch.no_grad(), flop, moved:
        network(image)
    weights = sum(parameter.numel() for parameter in network.parameters())
    return ImageWork(int(flop.get_total_flops()), weights, moved.fused, moved.unfused)


class _Moved(TorchDispatchMode):
    """Adds up the numbers that operations read and write, one-dimensional weights left out."""

    def __init__(self) -> None:
        super().__init__()
        self.fused = 0
        self.unfused = 0

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        arguments: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        result = operation(*arguments, **(named or {}))
        name = operation.overloadpacket.__name__.strip("_")
        if name in _VIEWS:
            return result
        product = any(name == word or name.endswith(word) for word in _PRODUCTS)
        # A convolution's second argument holds its weights.
        inputs = _numbers(arguments[:1] if product else arguments, _is_picture)
        outputs = _numbers((result,), _is_picture)
        self.unfused += inputs + outputs
        if product:
            self.fused += inputs + outputs
        return result


def _is_picture(tensor: Tensor) -> bool:
    return tensor.dim() > 1


def _numbers(values: Any, counted: Callable[[Tensor], bool]) -> int:
    if isinstance(values, Tensor):
        return values.numel() if counted(values) else 0
    if isinstance(values, tuple | list):
        return sum(_numbers(value, counted) for value in values)
    return 0
