"""BRAINSFit inside a Slicer that is not there: the stand-ins, put together."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from registration_scans import CHECKOUT, standin_brainsfit


@contextmanager
def offer_brainsfit(folder: Path) -> Iterator[Any]:
    """Let ``slicer.cli`` and ``slicer.modules.brainsfit`` exist; use inside `make_scene`.

    What the program does is told by the variables of ``Testing/Standins/BRAINSFit.py``.

    Args:
        folder: for the program and Slicer's temporary files.

    Yields:
        The stand-in for ``slicer.cli``.
    """
    import slicer

    module = _standin()
    temporary = folder / "Slicer temporär"
    temporary.mkdir(parents=True)
    cli = module.Cli(standin_brainsfit(folder / "cli-modules"), temporary)
    slicer.cli, slicer.modules.brainsfit = cli, cli.module
    try:
        yield cli
    finally:
        cli.close()
        del slicer.cli, slicer.modules.brainsfit


def _standin() -> Any:
    name = "standin_slicer_cli"
    if name not in sys.modules:
        path = CHECKOUT / "Testing" / "Standins" / "slicer_cli.py"
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
