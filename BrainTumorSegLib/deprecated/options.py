"""The import path of 0.1 for `BrainTumorSegLib.core.options`."""

import warnings

from BrainTumorSegLib.core.options import *  # noqa: F403

warnings.warn(
    "BrainTumorSegLib.options is deprecated: import BrainTumorSegLib.core.options.",
    DeprecationWarning,
    stacklevel=2,
)
