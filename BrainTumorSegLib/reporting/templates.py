"""The templates of ``Resources/Report``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.resources import resource_path

if TYPE_CHECKING:
    from jinja2 import Environment


def template_environment(**settings: Any) -> Environment:
    """The jinja2 environment of the templates; the settings are those of `jinja2.Environment`."""
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(resource_path("Report"))
    return Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, **settings)
