"""The command line; `main` is the entry point of ``brain-tumor-seg``."""

from .application import main

__all__ = ["main"]
