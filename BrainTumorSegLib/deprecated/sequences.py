"""The import path of 0.1 for `BrainTumorSegLib.core.sequences`."""

import warnings

from BrainTumorSegLib.core.sequences import *  # noqa: F403

warnings.warn(
    "BrainTumorSegLib.sequences is deprecated: import BrainTumorSegLib.core.sequences.",
    DeprecationWarning,
    stacklevel=2,
)
