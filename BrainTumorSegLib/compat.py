"""Work-arounds for broken installations of other people's packages. Keep it small."""

from __future__ import annotations

import importlib
import sys
from typing import Any

# The fragment must stay alive: torch drops the operators with the object.
_kept: list[Any] = []


def ensure_torchvision_imports() -> None:
    """Make ``import torchvision`` work beside a torch of another build.

    segmentation-models-pytorch imports timm, which imports torchvision, of which
    neither needs a compiled operator here. Where pip pairs a CPU build of torch
    with a CUDA build of torchvision, the import fails because the operator
    ``torchvision::nms`` was never registered. Registering its name is enough.
    A matching pair of packages, the normal case, is left alone.
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
