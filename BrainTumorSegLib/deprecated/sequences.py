"""The import path of 0.1 for `BrainTumorSegLib.core.sequences`."""

import warnings

from BrainTumorSegLib.core import sequences as _sequences
from BrainTumorSegLib.core.sequences import *  # noqa: F403

recognise = _sequences.recognize
recognise_dicom = _sequences.recognize_dicom
recognise_files = _sequences.recognize_files
assign_recognised = _sequences.assign_recognized

warnings.warn(
    "BrainTumorSegLib.sequences is deprecated: import BrainTumorSegLib.core.sequences.",
    DeprecationWarning,
    stacklevel=2,
)
