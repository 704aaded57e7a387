"""The import path of 0.1 for `BrainTumorSegLib.inference.pipeline`."""

import warnings

from BrainTumorSegLib.inference.pipeline import *  # noqa: F403

warnings.warn(
    "BrainTumorSegLib.pipeline is deprecated: import BrainTumorSegLib.inference.pipeline.",
    DeprecationWarning,
    stacklevel=2,
)
