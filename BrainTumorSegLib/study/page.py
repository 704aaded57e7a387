"""Where a study stands, as one HTML page with the pictures of every case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from BrainTumorSegLib.io.atomic import write_text
from BrainTumorSegLib.reporting.html import NOTICE, thumbnail_uri
from BrainTumorSegLib.reporting.record import now
from BrainTumorSegLib.reporting.templates import template_environment

from .layout import AUTO, CaseName, Layout
from .opening import Study
from .states import CaseStatus, State
from .status import Status, total

_THUMBNAIL = (320, 280)


def write_page(study: Study, status: Status, path: Path, pictures: bool = True) -> None:
    """Write the page: one file that needs no other file and no network.

    Args:
        study: whose.
        status: from `status.study_status`.
        path: of the page.
        pictures: whether the cases are shown; not where small numbers are hidden.

    Raises:
        OutputError: when it cannot be written.
    """
    rows = study.registry() if pictures else {}
    cases = [
        _shown(study.layout, one, rows.get(one.case, {}))
        for one in (study.states() if pictures else [])
    ]
    # What needs a look comes first, then the most doubtful.
    cases.sort(key=lambda case: (not case["stuck"], -(case["doubt"] or 0.0), case["name"]))
    environment = template_environment(autoescape=True)
    text = environment.get_template("study.html.jinja").render(
        status=status,
        table=[(name, row, total(row)) for name, row in status.rows.items()],
        cases=cases,
        states=list(dict.fromkeys(case["state"] for case in cases)),
        made=now(),
        notice=NOTICE,
    )
    write_text(path, text, overwrite=True)


def _shown(layout: Layout, status: CaseStatus, row: dict[str, str]) -> dict[str, Any]:
    facts = [row.get(key, "") for key in ("tumor_type", "sex", "age", "scanner")]
    more = status.more
    return {
        "name": str(status.case),
        "state": str(status.state),
        "reason": status.reason,
        "stuck": status.stuck,
        "facts": ", ".join(filter(None, facts)),
        "doubt": more.get("doubtful_share"),
        "volume": more.get("volume_ml"),
        "warnings": more.get("warnings") or (),
        "picture": _thumbnail(layout, status.case) if status.state is not State.EXCLUDED else None,
    }


def _thumbnail(layout: Layout, case: CaseName) -> str | None:
    try:
        return thumbnail_uri(layout.segmentation(case, AUTO, "_overview.png"), _THUMBNAIL, 72)
    except OSError:
        return None
