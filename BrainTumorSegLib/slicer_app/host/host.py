"""The application itself: whether it is there, and keeping its windows alive."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def inApplication() -> bool:
    """Whether this is Slicer itself; importing ``slicer`` succeeds outside it too."""
    return hasattr(sys.modules.get("slicer"), "app")


def processEvents() -> None:
    """Let the application's windows react; nothing happens on plain Python."""
    if inApplication():
        import slicer

        slicer.app.processEvents()


def temporaryFolder() -> Path:
    """Where Slicer keeps its temporary files, or Python does."""
    if inApplication():
        import slicer

        return Path(slicer.app.temporaryPath)
    return Path(tempfile.gettempdir())


def brainsfitAvailable() -> bool:
    """Whether this is a Slicer that has the BRAINSFit module.

    It is looked for when it is needed and never a dependency of the module: a Slicer built
    or started without command line modules must still load the panel.
    """
    try:
        import slicer

        # A Slicer without command line modules has no `cli`.
        from slicer import cli  # noqa: F401
    except ImportError:
        return False
    return hasattr(getattr(slicer, "modules", None), "brainsfit")


def brainsfitProgram() -> Path | None:
    """This Slicer's BRAINSFit as a program of its own, for a child that runs many cases."""
    if not (inApplication() and brainsfitAvailable()):
        return None
    import slicer

    name = "BRAINSFit.exe" if sys.platform == "win32" else "BRAINSFit"
    # The module may be a library; the program lies beside it.
    program = Path(slicer.modules.brainsfit.path).parent / name
    return program if program.is_file() else None
