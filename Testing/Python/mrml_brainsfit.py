"""BRAINSFit inside a Slicer that is not there: the stand-ins, put together."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from registration_scans import CHECKOUT, fake_brainsfit


@contextmanager
def offer_brainsfit(folder: Path) -> Iterator[Any]:
    """Let ``slicer.cli`` and ``slicer.modules.brainsfit`` exist; use inside `make_scene`.

    What the program does is told by the variables of ``Testing/Fakes/BRAINSFit.py``.

    Args:
        folder: for the program and Slicer's temporary files.

    Yields:
        The stand-in for ``slicer.cli``.
    """
    import slicer

    module = _fake_module()
    temporary = folder / "Slicer temporär"
    temporary.mkdir(parents=True)
    cli = module.Cli(fake_brainsfit(folder / "cli-modules"), temporary)
    slicer.cli, slicer.modules.brainsfit = cli, cli.module
    try:
        yield cli
    finally:
        cli.close()
        del slicer.cli, slicer.modules.brainsfit


def _fake_module() -> Any:
    name = "fake_slicer_cli"
    if name not in sys.modules:
        path = CHECKOUT / "Testing" / "Fakes" / "slicer_cli.py"
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
