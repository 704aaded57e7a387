"""The templates of ``Resources/Report``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.resources import resource_path

if TYPE_CHECKING:
    from jinja2 import Environment


def template_environment(**settings: Any) -> Environment:
    """The jinja2 environment of the templates, with `number` as a filter.

    The settings are those of `jinja2.Environment`.
    """
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(resource_path("Report"))
    environment = Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, **settings)
    environment.filters["number"] = number
    return environment


def number(value: Any, digits: int, signed: bool = False) -> str:
    """A number with so many decimals; a dash where there is none."""
    if not isinstance(value, int | float):
        return "–"
    # A change that rounds to nothing has no sign.
    shown = round(value, digits) + 0.0
    return f"{shown:{'+' if signed and shown else ''}.{digits}f}"
