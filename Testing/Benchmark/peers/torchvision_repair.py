"""Let ``import torchvision`` work beside a torch of another build (see README.md)."""

from __future__ import annotations

import importlib
import sys
from typing import Any

# torch drops the operators with the object that defined them.
_kept: list[Any] = []


def repair_torchvision() -> None:
    """Register the two operators that a CUDA build of torchvision misses beside a CPU torch.

    timm and others import torchvision without using them. A matching pair is left alone.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    else:
        return
    import torch

    for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    fragment = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        fragment.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(fragment)
    importlib.import_module("torchvision")
