"""The HTML report, put together from a result's record and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.tissue import STYLES, TUMOUR_TISSUES, Region
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.reporting.html import (
    coloured,
    hex_colour,
    note,
    number,
    plain,
    section,
    table,
)
from BrainTumorSegLib.reporting.html_pictures import picture_sections
from BrainTumorSegLib.reporting.html_reviews import review_section

Record = Mapping[str, Any]

NOTICE = "Research use only. Not a medical device."


def report_page(case: Case, result: Segmentation) -> str:
    """The whole page; every text from outside is escaped."""
    record = result.record
    style = resource_path("Report", "report.css").read_text(encoding="utf-8")
    identity = escape(record["case"]["identity"])
    sections = "\n".join(
        [
            _warnings(record),
            review_section(record),
            _volumes(record),
            picture_sections(case, result),
            _confidence(record),
            _inputs(record),
            _registration(record),
            _method(record),
            _running(record),
        ]
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Brain tumour segmentation: {identity}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>Brain tumour segmentation: {identity}</h1>
<p class="soft">Made {escape(record["created"])} by BrainTumorSeg {escape(record["version"])}</p>
{_corrected(record)}<p class="notice">{NOTICE}</p>
</header>
<main>
{sections}
</main>
<footer>
<p>{NOTICE} An automatic segmentation can be wrong anywhere; a radiologist has to look at the
scans. Pictures are in radiological convention: the patient's right is on the left.</p>
</footer>
</body>
</html>
"""


def _corrected(record: Record) -> str:
    correction = record.get("correction")
    if not correction:
        return ""
    return (
        '<p class="soft">The labels shown are those of an expert, read '
        f"{escape(correction['created'])} from {escape(correction['labels']['source'])} (SHA-256 "
        f"<code>{escape(correction['labels']['sha256'])}</code>)</p>\n"
    )


def _warnings(record: Record) -> str:
    notes = [*record["warnings"], *record["engine"]["notes"]]
    if not notes:
        return '<p class="soft">The run gave no warnings.</p>'
    items = "".join(f"<li>{escape(text)}</li>" for text in dict.fromkeys(notes))
    return (
        '<section class="warnings" role="note" aria-labelledby="warnings">'
        f'<h2 id="warnings">Warnings</h2><ul>{items}</ul></section>'
    )


def _volumes(record: Record) -> str:
    volumes, share = record["volumes_ml"], record["percent_of_brain"]
    titles = {tissue.key: coloured(tissue) for tissue in TUMOUR_TISSUES} | {
        region.name: f"<strong>{escape(volume_title(region.name))}</strong>" for region in Region
    }
    head = ("Tissue or region", "#mL", "#% of brain")
    rows = [
        (title, number(volumes[name], 2), number(share[name], 2)) for name, title in titles.items()
    ]
    correction = record.get("correction")
    if correction:
        head = (*head, "#Automatic (mL)", "#Change (mL)")
        automatic = correction["automatic"]["volumes_ml"]
        rows = [
            (*row, number(automatic[name], 2), number(volumes[name] - automatic[name], 2, True))
            for row, name in zip(rows, titles, strict=True)
        ]
    found = ""
    if volumes[Region.WT.name] == 0 and not correction:
        found = (
            "<p><strong>No tumour was found.</strong> That does not mean that there is none: "
            "look at the scans, and at the warnings if there are any.</p>"
        )
    elif volumes[Region.WT.name] == 0:
        found = "<p><strong>The expert's labels mark no tumour.</strong></p>"
    brain = f'<p class="soft">Brain volume {number(record["brain"]["volume_ml"], 0)} mL.</p>'
    return section("Volumes", found + _bar(volumes) + table(head, rows) + brain)


def _bar(volumes: Mapping[str, float]) -> str:
    """How the tumour is made up, as a bar in the tissues' colours."""
    whole = volumes[Region.WT.name]
    if whole <= 0:
        return ""
    shares = {tissue: 100 * volumes[tissue.key] / whole for tissue in TUMOUR_TISSUES}
    spoken = ", ".join(f"{STYLES[t].title} {share:.0f} %" for t, share in shares.items())
    parts = "".join(
        f'<span style="width:{share:.2f}%;background:{hex_colour(tissue)}"></span>'
        for tissue, share in shares.items()
    )
    return f'<div class="bar" role="img" aria-label="{escape(spoken)}">{parts}</div>'


def _confidence(record: Record) -> str:
    confidence = record["confidence"]
    rows = [
        (coloured(tissue), number(confidence["mean_entropy"][tissue.key], 3))
        for tissue in TUMOUR_TISSUES
    ]
    text = (
        "<p>Disagreement is the entropy of the averaged class probabilities: 0 where the "
        "networks are certain, 1 where every class is equally likely to them. Networks can "
        "agree and be wrong.</p>"
    )
    correction = record.get("correction")
    if correction and correction["confidence"] == "automatic":
        text += "<p>These figures speak of the automatic labels, before the correction.</p>"
    doubtful = f"<p>Doubtful voxels: {number(confidence['doubtful_ml'], 2)} mL.</p>"
    figures = table(("Tissue", "#Mean disagreement"), rows)
    return section("Confidence", text + figures + doubtful)


def _inputs(record: Record) -> str:
    case = record["case"]
    rows = []
    for scan in case["inputs"]:
        reference = " (reference)" if scan["sequence"] == case["reference"] else ""
        rows.append(
            (
                escape(scan["sequence"].upper() + reference),
                f"@{escape(scan['source'])}",
                escape(" × ".join(str(n) for n in scan["size"])),
                escape(" × ".join(f"{s:g}" for s in scan["spacing"])),
                f"@<code>{escape(scan['sha256'] or 'not one file')}</code>",
            )
        )
    head = ("Sequence", "Source", "Voxels", "Spacing (mm)", "SHA-256")
    return section("Inputs", table(head, rows))


def _registration(record: Record) -> str:
    entries = record["registration"]
    if not entries:
        return section("Registration", "<p>There was only one scan.</p>")
    rows, tries = [], []
    for entry in entries:
        if entry["already_aligned"]:
            how = "already aligned, left as it is"
        elif entry["engine"] == "none":
            how = "not registered"
        else:
            how = f"{entry['engine']}, from {entry['chosen']}"
            how += f", run by {entry['run_by']}" if entry.get("run_by") else ""
        rows.append(
            (
                escape(entry["sequence"].upper()),
                f"@{escape(how)}{note(entry.get('note'))}",
                *(
                    number(entry.get(key), digits)
                    for key, digits in (
                        ("score_before", 3),
                        ("score", 3),
                        ("shift_mm", 1),
                        ("rotation_deg", 1),
                        ("overlap", 3),
                        ("seconds", 1),
                    )
                ),
            )
        )
        tries += [_attempt(entry["sequence"], attempt) for attempt in entry["attempts"]]
    head = ("Scan", "How", "#Score before", "#Score", "#Shift (mm)", "#Turn (°)")
    scans = table((*head, "#Head overlap", "#Seconds"), rows)
    text = "<p class='soft'>The score is normalised mutual information; higher is better.</p>"
    if tries:
        text += "<h3>Attempts</h3>" + table(
            ("Scan", "Engine", "Start", "#Score", "#Shift (mm)", "#Turn (°)", "Outcome"), tries
        )
    return section("Registration", scans + text)


def _attempt(sequence: str, attempt: Record) -> tuple[str, ...]:
    reason = f": {attempt['reason']}" if attempt.get("reason") else ""
    return (
        escape(sequence.upper()),
        escape(attempt["engine"]),
        escape(attempt["start"]),
        number(attempt.get("score_after"), 3),
        number(attempt.get("shift_mm"), 1),
        number(attempt.get("rotation_deg"), 1),
        f"@{escape(attempt['outcome'] + reason)}",
    )


def _method(record: Record) -> str:
    pack, engine, brain, views = (record[k] for k in ("pack", "engine", "brain", "views"))
    members = "".join(
        f"<br>{escape(member['name'])} <code>{escape(member['sha256'])}</code>"
        for member in pack["members"]
    )
    rows = [
        ("Brain", escape(brain["method"] + (" (skull-stripped input)" * brain["stripped"]))),
        ("Model pack", escape(f"{pack['name']} {pack['version']}, licence {pack['licence']}")),
        ("Members", f"@{len(pack['members'])}{members}"),
        ("Input recipe", escape(record["recipe"])),
        ("Views", escape(f"{views['name']} ({views['count']})")),
        *_shading(record.get("shading")),
        *_cascade(record.get("cascade")),
        *_islands(record.get("islands")),
        (
            "Engine",
            escape(
                f"{engine['name']} on {engine['device']}, {engine['precision']}, "
                f"batch {engine['batch']}"
            ),
        ),
    ]
    rows += [
        (escape(f"Option: {name}"), f"@{escape(plain(value))}")
        for name, value in record.get("options", {}).items()
        if value is not None
    ]
    return section("Method", table(None, rows))


def _cascade(cascade: Record | None) -> list[tuple[str, str]]:
    if cascade is None:
        return []
    near, slices = cascade["near_tumour"], cascade["slices"]
    return [("Cascade", f"the whole ensemble looked at {near} of {slices} slices, near tumour")]


def _islands(islands: Record | None) -> list[tuple[str, str]]:
    if not islands or not islands["removed"]:
        return []
    left_out = f"{islands['removed']}, {number(islands['ml'], 1)} mL in all"
    return [("Small parts far from the tumour, left out", left_out)]


def _shading(shading: Record | None) -> list[tuple[str, str]]:
    if shading is None:
        return []
    scans = ", ".join(
        f"{scan['sequence'].upper()} "
        + ("unknown" if scan["spread"] is None else f"{100 * scan['spread']:.0f} %")
        for scan in shading["scans"]
    )
    done = "corrected with N4" if shading["corrected"] else "left as it is"
    return [("Shading", escape(f"{scans}: {done}"))]


def _running(record: Record) -> str:
    timings = record["timings_s"]
    rows = [(escape(stage), number(seconds, 2)) for stage, seconds in timings.items()]
    rows.append(("<strong>all</strong>", number(sum(timings.values()), 2)))
    versions = [(escape(name), f"@{escape(v)}") for name, v in record["versions"].items()]
    command = ""
    if "command" in record:
        command = f"<p>Command: <code>{escape(record['command'])}</code></p>"
    body = table(("Stage", "#Seconds"), rows) + table(("Software", "Version"), versions)
    return section("Running", body + command)
