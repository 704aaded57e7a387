"""Turning a torch network into an OpenVINO model, and proving that it still says the same.

OpenVINO reports every call of its `convert_model` to its maker over the internet unless the
person has opted out. Nothing about a run may leave the computer: the parts of which
`convert_model` is made, which report nothing, are called directly.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from BrainTumorSegLib.core.compat import import_openvino
from BrainTumorSegLib.core.errors import DeviceError
from BrainTumorSegLib.models.networks import ClassProbabilities, NetworkSpec, trial_image

if TYPE_CHECKING:
    import openvino

#: Largest difference of any class probability from torch's on the trial image. Measured on
#: all architectures: 1e-5 and below.
TOLERANCE = 1e-3

NETWORK_FILE = "network.xml"

_FULL_PRECISION = {"INFERENCE_PRECISION_HINT": "f32"}


def convert_network(network: nn.Module, spec: NetworkSpec) -> openvino.Model:
    """Convert a network to a model of any batch, height and width.

    Args:
        network: on the CPU, float32, in evaluation mode.
        spec: what it was built from.

    Returns:
        A model that maps images ``[N, C, H, W]`` to class probabilities.

    Raises:
        DeviceError: when OpenVINO cannot take it.
    """
    whole = nn.Sequential(network, ClassProbabilities(spec.heads)).eval()
    with _explained("convert"):
        from openvino._offline_transformations import apply_moc_transformations
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        decoder = TorchScriptPythonDecoder(whole, example_input=(trial_image(spec, 4, 6),))
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
        # Batch norms are folded here once, rather than at every start: that
        # takes a third of the memory and time of starting off.
        apply_moc_transformations(model, cf=True)
    return model


def write_model(model: openvino.Model, folder: Path) -> None:
    """Write a model to `NETWORK_FILE` and its weights beside it.

    Raises:
        OSError: when it cannot be written.
    """
    openvino = import_openvino()
    try:
        openvino.save_model(model, folder / NETWORK_FILE, compress_to_fp16=False)
    except RuntimeError as error:
        raise OSError(f"{folder / NETWORK_FILE} cannot be written: {error}") from error


def read_model(core: openvino.Core, folder: Path) -> openvino.Model:
    """Read what `write_model` has written; the weights stay on disk until they are used.

    Raises:
        OSError: when it cannot be read.
    """
    try:
        return core.read_model(folder / NETWORK_FILE)
    except RuntimeError as error:
        raise OSError(f"{folder / NETWORK_FILE} cannot be read: {error}") from error


def check_agreement(
    core: openvino.Core, model: openvino.Model, network: nn.Module, spec: NetworkSpec
) -> None:
    """Hold a model against the network that it was made from, on a random image.

    Raises:
        DeviceError: when a class probability differs by more than `TOLERANCE`.
    """
    image = trial_image(spec, 6, 2)
    with torch.inference_mode():
        expected = ClassProbabilities(spec.heads)(network(image)).numpy()
    with _explained("run"):
        trial = model.clone()
        trial.reshape(list(image.shape))
        found = core.compile_model(trial, "CPU", _FULL_PRECISION)(image.numpy())[0]
    worst = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
    # Written so that NaN fails.
    if not worst <= TOLERANCE:
        raise DeviceError(
            f"The {spec.architecture} with encoder {spec.encoder} says something else after "
            f"conversion to OpenVINO (probabilities differ by {worst:.2g}).",
            "Use --engine torch, and report this network.",
        )


@contextmanager
def _explained(verb: str) -> Iterator[None]:
    """Turn whatever OpenVINO raises on a network into an error with a remedy."""
    import_openvino()
    try:
        with warnings.catch_warnings():
            # Tracing warns about the checks of sizes, which hold for every size we use.
            warnings.simplefilter("ignore")
            yield
    except MemoryError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise DeviceError(
            f"OpenVINO cannot {verb} this network: {lines[0]}", "Use --engine torch."
        ) from error
