"""The reports of a result: JSON for programs, one HTML file for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.reporting.html_page import report_page
from BrainTumorSegLib.reporting.overview import write_overview_png

__all__ = ["write_overview_png", "write_report_html", "write_report_json"]


def write_report_json(record: Mapping[str, Any], path: Path, overwrite: bool = False) -> None:
    """Write a result's record; ``Resources/Schemas/report.schema.json`` describes it.

    Raises:
        OutputError: naming the file and the remedy.
        ValueError: when the record holds what JSON cannot say, such as NaN.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_report_html(
    case: Case, result: Segmentation, path: Path, overwrite: bool = False
) -> None:
    """Write the report as one HTML file that needs no other file, no network and no script.

    Args:
        case: the scans, as they were given to `pipeline.segment`.
        result: what that returned.

    Raises:
        OutputError: naming the file and the remedy.
    """
    text = report_page(case, result)
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
