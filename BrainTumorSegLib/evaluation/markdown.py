"""Markdown by templates that have their figures filled in."""

from __future__ import annotations

import math
from typing import Any

from BrainTumorSegLib.reporting.templates import template_environment

from .statistics import Estimate


def render(template: str, **content: Any) -> str:
    """Fill a template of ``Resources/Report``, which also has `number` and `interval`.

    Lines keep no blanks at their ends.

    Raises:
        jinja2.UndefinedError: when the template names what is not given.
    """
    from jinja2 import StrictUndefined

    environment = template_environment(undefined=StrictUndefined, keep_trailing_newline=True)
    text = environment.get_template(template).render(number=number, interval=interval, **content)
    return "\n".join(line.rstrip() for line in text.split("\n"))


def number(value: float | None, digits: int = 3) -> str:
    """A number for a cell; nothing where it is undefined."""
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def interval(estimate: Estimate | None, digits: int = 3, sign: str = "") -> str:
    """A mean with its interval, if it has one; a dash where there is no case.

    Args:
        estimate: of a mean over cases.
        digits: behind the point.
        sign: ``+`` to tell of gains.
    """
    if estimate is None or not estimate.cases:
        return "-"
    values = (estimate.value, estimate.low, estimate.high)
    value, low, high = (f"{v:{sign}.{digits}f}" for v in values)
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"
