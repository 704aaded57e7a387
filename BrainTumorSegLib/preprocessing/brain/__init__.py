"""Where the brain is: given, read off scans without skull, or found by a network."""

from .extraction import METHODS, BrainMask, extract_brain
from .stripped import mask_of_stripped_scan

__all__ = ["METHODS", "BrainMask", "extract_brain", "mask_of_stripped_scan"]
