"""What ``study agreement`` writes: a table of all cases, the figures, a picture and a page."""

from __future__ import annotations

import base64
import json
import math
import statistics
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.evaluation.figures import save_figure
from BrainTumorSegLib.evaluation.metrics import NSD_TOLERANCE_MM, REGIONS
from BrainTumorSegLib.evaluation.report import PICTURE_PACKAGE, has_package, plain
from BrainTumorSegLib.evaluation.statistics import RESAMPLES, SEED, mean_estimate
from BrainTumorSegLib.io.atomic import atomic_group, make_folder, write_text
from BrainTumorSegLib.io.tables import write_table
from BrainTumorSegLib.reporting.html import NOTICE
from BrainTumorSegLib.reporting.record import now
from BrainTumorSegLib.reporting.templates import template_environment

from .agreement import CONSENSUS, GROUPS, CasePair, by_title, summarize_pair
from .reliability import LEVEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TABLE, FIGURES, PAGE, PICTURE = (
    *("agreement.tsv", "agreement.json"),
    *("agreement.html", "agreement.png"),
)

COLUMNS = (
    *("case", "tumour_type", "first", "second", "tissues", "dice", "nsd", "hd95_mm"),
    *("first_ml", "second_ml", "kappa", "changed_voxels", "changed_ml", "minutes"),
)

#: Half the height of a picture of differences at least, mL.
_LEAST_ROOM_ML = 0.1

_TEMPLATE = "agreement.html.jinja"


def output_paths(folder: Path) -> list[Path]:
    """Every file that `write_agreement` makes; the picture only where matplotlib is installed."""
    names = [TABLE, FIGURES, PAGE] + ([PICTURE] if has_package(PICTURE_PACKAGE) else [])
    return [folder / name for name in names]


def write_agreement(
    folder: Path,
    pairs: SequenceOf[CasePair],
    title: str,
    left_out: SequenceOf[str] = (),
    overwrite: bool = False,
) -> list[Path]:
    """Write everything that `output_paths` names: all of it, or nothing.

    Args:
        folder: is made where it is missing.
        pairs: of all cases.
        title: of the study.
        left_out: measures whose packages are not installed.
        overwrite: whether existing files may be replaced.

    Returns:
        The files.

    Raises:
        InputError: when there is nothing to compare.
        OutputError: naming the file and the remedy.
    """
    if not pairs:
        raise InputError(
            "No case has two sets of labels that could be compared.",
            "Let a reader finish a case that has an automatic result or another reading.",
        )
    content = figures(pairs, title, left_out)
    paths = output_paths(folder)
    make_folder(folder)
    with atomic_group(paths, overwrite) as temporary:
        written = {path.name: temporary[path] for path in paths}
        write_case_table(pairs, written[TABLE])
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_text(written[FIGURES], text, overwrite=True)
        picture = None
        if PICTURE in written:
            draw_limits(pairs, written[PICTURE])
            picture = written[PICTURE].read_bytes()
        write_text(written[PAGE], page(content, picture), overwrite=True)
    return paths


def write_case_table(pairs: SequenceOf[CasePair], path: Path) -> None:
    """One row a case, pair and tissue or region, as TSV; cells are empty where undefined."""
    rows = []
    for pair in pairs:
        common = [pair.case, pair.group, pair.first, pair.second]
        own = pair.agreement
        minutes = plain(pair.minutes)
        ends = [plain(own.kappa), own.changed_voxels, plain(own.changed_ml), minutes]
        for name in GROUPS:
            score = own.scores[name]
            measured = (score.dice, score.nsd, score.hd95_mm)
            volumes = (score.reference_ml, score.predicted_ml)
            rows.append([*common, name, *map(plain, (*measured, *volumes)), *ends])
    write_table(path, COLUMNS, rows, delimiter="\t")


def figures(
    pairs: SequenceOf[CasePair], title: str, left_out: SequenceOf[str] = ()
) -> dict[str, Any]:
    """All figures of all pairs, of plain JSON types; what is undefined is None."""
    found: dict[str, Any] = {}
    for name, own in by_title(pairs).items():
        minutes = [pair.minutes for pair in own if pair.minutes is not None]
        kappas = [pair.agreement.kappa for pair in own]
        found[name] = {
            "first": own[0].first,
            "second": own[0].second,
            "cases": len(own),
            "unchanged": sum(pair.agreement.changed_voxels == 0 for pair in own),
            "kappa": asdict(mean_estimate(k for k in kappas if not math.isnan(k))),
            "changed_ml": asdict(mean_estimate(pair.agreement.changed_ml for pair in own)),
            "minutes_median": statistics.median(minutes) if minutes else None,
            "groups": {group: asdict(summarize_pair(own, group)) for group in GROUPS},
        }
    return plain(
        {
            "study": title,
            "version": __version__,
            "created": now(),
            "settings": {
                "nsd_tolerance_mm": NSD_TOLERANCE_MM,
                "level": LEVEL,
                "bootstrap": {"resamples": RESAMPLES, "seed": SEED},
                "not_measured": list(left_out),
            },
            "pairs": found,
        }
    )


def page(content: Mapping[str, Any], picture: bytes | None) -> str:
    """The page for people: one HTML file that needs no other file and no network.

    Args:
        content: of `figures`.
        picture: of `draw_limits`, as PNG.
    """
    uri = None
    if picture is not None:
        uri = f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
    titles = {name: volume_title(name) for name in GROUPS}
    return (
        template_environment(autoescape=True)
        .get_template(_TEMPLATE)
        .render(
            content=content,
            groups=GROUPS,
            titles=titles,
            picture=uri,
            notice=NOTICE,
            consensus=any(CONSENSUS in name for name in content["pairs"]),
        )
    )


def draw_limits(pairs: SequenceOf[CasePair], path: Path) -> None:
    """Bland-Altman pictures: a row each pair of readings, a column each region, mL.

    A dot is a case: the mean of both volumes across, second less first upwards; lines are bias
    and limits of agreement. The ending of ``path`` says the format.
    """
    from matplotlib.figure import Figure

    titles = by_title(pairs)
    figure = Figure(figsize=(3.6 * len(REGIONS), 2.9 * len(titles)), layout="constrained", dpi=110)
    grid = figure.subplots(len(titles), len(REGIONS), squeeze=False)
    for row, own in zip(grid, titles.values(), strict=True):
        for axis, region in zip(row, REGIONS, strict=True):
            _draw_limits(axis, own, region)
    figure.suptitle("Difference of volumes over their mean, mL: bias and limits of agreement")
    save_figure(figure, path)


def _draw_limits(axis: Axes, pairs: SequenceOf[CasePair], region: str) -> None:
    scores = [pair.agreement.scores[region] for pair in pairs]
    means = [(score.reference_ml + score.predicted_ml) / 2 for score in scores]
    differences = [score.predicted_ml - score.reference_ml for score in scores]
    axis.axhline(0, color="0.85", linewidth=1)
    axis.plot(means, differences, "o", color="#0072B2", markersize=4, alpha=0.8)
    limits = summarize_pair(pairs, region).limits
    axis.axhline(limits.bias, color="#D55E00", linewidth=1.4)
    if not math.isnan(limits.low):
        for value in (limits.low, limits.high):
            axis.axhline(value, color="#D55E00", linewidth=1.2, linestyle="--")
    axis.set_title(
        f"{region}: {pairs[0].second} less {pairs[0].first}, n = {len(pairs)}", fontsize=9
    )
    # Differences that are nothing but rounding look like nothing.
    known = [
        *differences,
        limits.bias,
        *(v for v in (limits.low, limits.high) if not math.isnan(v)),
    ]
    room = max(_LEAST_ROOM_ML, 1.2 * max(map(abs, known)))
    axis.set_ylim(-room, room)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
