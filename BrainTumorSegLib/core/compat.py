"""Work-arounds for what other people's packages do when they are imported. Keep it small."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import DependencyError

if TYPE_CHECKING:
    import openvino

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


def import_openvino() -> openvino:
    """The package, kept from reporting to its maker over the internet that it was imported.

    Raises:
        DependencyError: when it is not installed or does not start.
    """
    with _without_reporting():
        try:
            import openvino
        except (ImportError, OSError) as error:
            raise DependencyError(
                f"The OpenVINO engine cannot start: {error}.",
                "Install it with: pip install 'BrainTumorSeg[openvino]', or use --engine torch.",
            ) from error
    return openvino


@contextmanager
def _without_reporting() -> Iterator[None]:
    """Let its package for reporting seem absent, which OpenVINO provides for."""
    name = "openvino_telemetry"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
