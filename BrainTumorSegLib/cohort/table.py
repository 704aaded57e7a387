"""The table and the page of a cohort: where every case stands, and what was found."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.language import Catalogue
from BrainTumorSegLib.core.notices import notices
from BrainTumorSegLib.core.progress import STAGES
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Region
from BrainTumorSegLib.core.trust import Light, region_trust
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.io.atomic import write_text
from BrainTumorSegLib.io.tables import write_table
from BrainTumorSegLib.reporting.html import NOTICE, thumbnail_uri
from BrainTumorSegLib.reporting.record import now, read_record
from BrainTumorSegLib.reporting.templates import template_environment

from .plan import Planned, Settings
from .state import State, log_path

TABLE, PAGE = "cohort.tsv", "cohort.html"

#: Order in which states are shown: what somebody has to look at comes first.
_ORDER = (State.FAILED, State.UNUSABLE, State.STALE, State.RUNNING, State.WAITING, State.DONE)

_VOLUMES = (*(region.name for region in Region), *(tissue.key for tissue in TUMOR_TISSUES))
#: What is told of the quality of each region: the light in words first.
_TRUST = ("quality", "expected_dice", "expected_dice_low", "expected_dice_high", "agreement")
_THUMBNAIL = (480, 420)

COLUMNS = (
    *("case", "state", "reason", "remedy", "attempts", "seconds"),
    *(f"seconds_{stage}" for stage in STAGES),
    "peak_memory_mb",
    *(f"registration_{s.value}" for s in Sequence),
    "warnings",
    *(f"volume_{name}_ml" for name in _VOLUMES),
    *(f"entropy_{tissue.key}" for tissue in TUMOR_TISSUES),
    *("doubtful_ml", "doubtful_share"),
    *(f"{name}_{region.name}" for region in Region for name in _TRUST),
    *("signs", "segmentation", "log"),
)


def table_rows(plan: Iterable[Planned], settings: Settings) -> list[dict[str, Any]]:
    """One row a case with the columns `COLUMNS`; None where something is not known.

    ``doubtful_share`` is the volume in which the networks were uncertain, by the volume of the
    whole tumor or 1 mL, whichever is more: a rank for whom to look at first, no probability.
    """
    return [_row(planned, settings) for planned in plan]


def write_cohort_table(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write the table as TSV.

    Raises:
        OutputError: when it cannot be written.
    """
    cells = ([_cell(row.get(key)) for key in COLUMNS] for row in rows)
    write_table(path, COLUMNS, cells, delimiter="\t")


def write_page(
    rows: Iterable[Mapping[str, Any]], plan: Iterable[Planned], settings: Settings, path: Path
) -> None:
    """Write the page for people: one HTML file that needs no other file and no network.

    Args:
        rows: of the same cases as the plan, from `table_rows`.
        plan: from `make_plan`.
        settings: how the cases are segmented.
        path: of the page.

    Raises:
        OutputError: when it cannot be written.
    """
    shown = [
        {
            **row,
            "picture": _link(planned, settings, "picture"),
            "thumbnail": _thumbnail(planned, settings),
            "report": _link(planned, settings, "html"),
        }
        for row, planned in zip(rows, plan, strict=True)
    ]
    counts = Counter(row["state"] for row in shown)
    shown.sort(
        key=lambda row: (
            _ORDER.index(row["state"]),
            *(_worst(row), -(row["doubtful_share"] or 0)),
        )
    )
    environment = template_environment(autoescape=True)
    text = environment.get_template("cohort.html.jinja").render(
        rows=shown,
        counts=[(state.value, counts[state]) for state in _ORDER if counts[state]],
        made=now(),
        pack=settings.pack,
        notice=NOTICE,
        volumes=[(name, volume_title(name)) for name in ("WT", "TC", "ET")],
        lights={
            light.words(Catalogue()): "rgb({}, {}, {})".format(*light.color) for light in Light
        },
    )
    write_text(path, text, overwrite=True)


def result_of(known: Mapping[str, Any] | None, folder: Path) -> dict[str, Any]:
    """What a program that shows results needs to know of one; empty where there is none.

    Args:
        known: state of the case.
        folder: of all results.

    Returns:
        ``outputs``: path and SHA-256 by kind, as they were written; ``doubtful_share`` as in
        the table, None where the record cannot be read.
    """
    outputs = (known or {}).get("outputs") or {}
    if not outputs:
        return {}
    files = {
        kind: {"file": str((folder / output["file"]).resolve()), "sha256": output["sha256"]}
        for kind, output in outputs.items()
    }
    return {
        "outputs": files,
        "doubtful_share": _measured(known, folder).get("doubtful_share"),
    }


def seconds_left(
    durations: SequenceOf[float], left: int, running_for: SequenceOf[float], workers: int
) -> float | None:
    """How long the rest will take, from the median of what the cases took; None at first.

    Args:
        durations: seconds of the cases that are done.
        left: how many are not done, those that run included.
        running_for: seconds for which cases have been running.
        workers: how many run side by side.
    """
    if not durations:
        return None
    median = statistics.median(durations)
    work = median * left - sum(min(seconds, median) for seconds in running_for)
    return max(0.0, work / max(1, min(workers, left)))


def _row(planned: Planned, settings: Settings) -> dict[str, Any]:
    known = planned.known or {}
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "case": planned.case.name,
        "state": planned.state,
        "reason": planned.reason or None,
        "remedy": planned.remedy or None,
        "attempts": known.get("attempts"),
        "log": _existing(log_path(settings.folder, planned.case), settings.folder),
    }
    if planned.state is State.UNUSABLE:
        return row
    peak = known.get("peak_memory_bytes")
    row |= {
        "seconds": known.get("seconds"),
        "peak_memory_mb": peak and round(peak / 1024**2),
    }
    if planned.state is State.DONE:
        row |= _measured(known, settings.folder)
    return row


def _measured(known: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    outputs = known["outputs"]
    try:
        record = read_record(folder / outputs["report"]["file"])
    except (InputError, KeyError):
        return {}
    times, volumes = record.get("timings_s", {}), record["volumes_ml"]
    certain = record["confidence"]
    doubtful = certain["doubtful_ml"]
    return {
        **{f"seconds_{stage}": times.get(stage) for stage in STAGES},
        **{f"registration_{r['sequence']}": r.get("score") for r in record["registration"]},
        "warnings": " | ".join(notices(record)) or None,
        **{f"volume_{name}_ml": volumes.get(name) for name in _VOLUMES},
        **{f"entropy_{t.key}": certain["mean_entropy"].get(t.key) for t in TUMOR_TISSUES},
        "doubtful_ml": doubtful,
        "doubtful_share": round(doubtful / max(1.0, volumes["WT"]), 4),
        **_trusted(record),
        "segmentation": outputs["segmentation"]["file"],
    }


def _trusted(record: Mapping[str, Any]) -> dict[str, Any]:
    """Quality by region; nothing of a record of an older release."""
    cells: dict[str, Any] = {}
    for one in region_trust(record):
        found = one.agreement is not None
        values = (
            one.light.words(Catalogue()) if found else "none found",
            *(one.expected, one.low, one.high, one.agreement),
        )
        names = (f"{name}_{one.region.name}" for name in _TRUST)
        cells |= dict(zip(names, values, strict=True))
    signs = record.get("trust", {}).get("signs", ())
    return {**cells, "signs": " | ".join(sign["text"] for sign in signs) or None}


def _worst(row: Mapping[str, Any]) -> float:
    """The lowest expected Dice of a case; without any, its lowest agreement less one."""
    for name, less in (("expected_dice", 0.0), ("agreement", 1.0)):
        known = [v for region in Region if (v := row[f"{name}_{region.name}"]) is not None]
        if known:
            return min(known) - less
    return 2.0


def _existing(path: Path, folder: Path) -> str | None:
    return path.relative_to(folder).as_posix() if path.is_file() else None


def _link(planned: Planned, settings: Settings, kind: str) -> str | None:
    output = (planned.known or {}).get("outputs", {}).get(kind)
    done = planned.state is State.DONE and output is not None
    return _existing(settings.folder / output["file"], settings.folder) if done else None


def _thumbnail(planned: Planned, settings: Settings) -> str | None:
    picture = _link(planned, settings, "picture")
    return None if picture is None else thumbnail_uri(settings.folder / picture, _THUMBNAIL, 75)


def _cell(value: Any) -> Any:
    """A value without tabs and line ends, which would break the table."""
    return " ".join(value.split()) if isinstance(value, str) else value
