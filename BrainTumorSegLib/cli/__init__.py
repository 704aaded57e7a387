"""The command line; `main` is the entry point of ``brain-tumor-seg``."""

from BrainTumorSegLib.cli.application import main

__all__ = ["main"]
