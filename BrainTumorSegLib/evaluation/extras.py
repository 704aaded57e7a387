"""The optional packages that scores and pictures need, looked for before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec

from BrainTumorSegLib.core.errors import DependencyError

#: What can be scored, and the package that does it; Dice needs none.
MEASURES: Mapping[str, str | None] = {"dice": None, "surface": "monai", "lesions": "panoptica"}

#: What draws the picture.
PICTURE_PACKAGE = "matplotlib"


def has_package(name: str | None) -> bool:
    """Whether a package can be imported; no package can always."""
    return name is None or find_spec(name) is not None


def require(name: str | None, purpose: str, instead: str) -> None:
    """Refuse to go on without a package.

    Args:
        name: of the module; None for nothing.
        purpose: what it is for, as the subject of a sentence.
        instead: what to give to do without.

    Raises:
        DependencyError: naming the extra to install.
    """
    if not has_package(name):
        raise DependencyError(
            f"{purpose} need(s) the Python package {name}, which is not installed.",
            f'Install the extra: pip install "BrainTumorSeg[evaluate]" (in an environment of its '
            f"own: panoptica wants older numpy and pandas), or {instead}.",
        )


def choose_measures(wish: Iterable[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The measures to take, and those left out because their package is not installed.

    Args:
        wish: keys of `MEASURES`; None for all that can be taken here.

    Raises:
        DependencyError: when a measure was asked for by name and its package is missing.
    """
    if wish is not None:
        chosen = tuple(name for name in MEASURES if name in {"dice", *wish})
        for name in chosen:
            require(MEASURES[name], f"--measures {name}", "give only --measures dice")
        return chosen, ()
    chosen = tuple(name for name, package in MEASURES.items() if has_package(package))
    return chosen, tuple(name for name in MEASURES if name not in chosen)
