"""Writing a comparison: tables, record, page, pictures and maps, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from BrainTumorSegLib.core.language import Catalogue, catalogue, wanted_language
from BrainTumorSegLib.core.notices import warnings_section
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Region
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.io.atomic import (
    atomic_group,
    check_folder,
    check_not_inputs,
    check_writable,
    make_folder,
    write_text,
)
from BrainTumorSegLib.io.tables import write_rows
from BrainTumorSegLib.io.volumes import write_image
from BrainTumorSegLib.reporting.html import NOTICE, jpeg_uri
from BrainTumorSegLib.reporting.record import write_report_json
from BrainTumorSegLib.reporting.templates import template_environment

from .compare import MAPPED, Comparison, PairMaps
from .pictures import (
    Plane,
    busiest_slices,
    change_picture,
    change_scene,
    draw_changes,
    draw_registration,
    plot,
)

RECORD, TABLE, LESIONS, PAGE = "follow_up.json", "follow_up.tsv", "lesions.tsv", "follow_up.html"

_TEMPLATE = "follow_up.html.jinja"


def output_paths(folder: Path, visits: int) -> list[Path]:
    """Every file that a comparison of so many visits is written to."""
    names = [RECORD, TABLE, LESIONS, PAGE]
    for number in range(1, visits):
        names += [_name("changes", number, ".png"), _name("registration", number, ".png")]
        names += [_name(f"change-{key}", number, ".nii.gz") for key in MAPPED]
    return [folder / name for name in names]


def check_outputs(folder: Path, visits: int, overwrite: bool) -> None:
    """Find out before anything is computed whether the results can be written.

    Raises:
        OutputError: naming the file and the remedy.
    """
    check_folder(folder)
    if folder.is_dir():
        for path in output_paths(folder, visits):
            check_writable(path, overwrite)
    _environment().get_template(_TEMPLATE)


def write_comparison(
    folder: Path, comparison: Comparison, overwrite: bool = False, language: str | None = None
) -> list[Path]:
    """Write everything that `output_paths` names: all of it, or nothing.

    Args:
        folder: is made where it is missing.
        comparison: what is written.
        overwrite: whether existing files may be replaced.
        language: of the page, such as ``ru``; by default that of `core.language.wanted_language`.

    Returns:
        The files.

    Raises:
        OutputError: naming the file and the remedy, also when a result would replace an input.
    """
    paths = output_paths(folder, len(comparison.visits))
    check_not_inputs(paths, [path for visit in comparison.visits for path in visit.files])
    make_folder(folder)
    writers = _writers(comparison, catalogue(language or wanted_language()))
    with atomic_group(paths, overwrite) as temporary:
        for path in paths:
            writers[path.name](temporary[path])
    return paths


def _name(what: str, number: int, ending: str) -> str:
    return f"{what}-{number}-{number + 1}{ending}"


def _writers(comparison: Comparison, words: Catalogue) -> dict[str, Callable[[Path], None]]:
    record = comparison.record
    writers: dict[str, Callable[[Path], None]] = {
        RECORD: lambda path: write_report_json(record, path, overwrite=True),
        TABLE: lambda path: _write_rows(path, change_rows(record)),
        LESIONS: lambda path: _write_rows(path, lesion_rows(record)),
        PAGE: lambda path: write_text(path, page(comparison, words), overwrite=True),
    }
    _ = words.text
    titles = {key: _(volume_title(key)) for key in MAPPED}
    legend = [_("grew"), _("shrank"), _("stayed")]
    for number, pair in enumerate(comparison.pairs, start=1):
        sheet, places = _name("changes", number, ".png"), _name("registration", number, ".png")
        writers[sheet] = lambda path, pair=pair: draw_changes(pair, titles, legend).save(path)
        writers[places] = lambda path, pair=pair: draw_registration(pair).save(path)
        for key, image in pair.maps.items():
            name = _name(f"change-{key}", number, ".nii.gz")
            writers[name] = lambda path, image=image: _write_map(image, path)
    return writers


def _write_map(image: sitk.Image, path: Path) -> None:
    write_image(image, path, overwrite=True)


def _write_rows(path: Path, rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        write_rows(stream, rows, "\t")


def change_rows(record: Mapping[str, Any]) -> list[list[object]]:
    """The table of changes, its head first; an empty cell where nothing can be said."""
    head = ["against", "from", "to", "from_date", "to_date", "days"]
    rows: list[list[object]] = []
    for change in record["changes"]:
        dates = [record["visits"][change[end] - 1]["date"] for end in ("from", "to")]
        start = [change["against"], change["from"], change["to"], *dates, change["days"]]
        for volume in change["volumes"]:
            rows.append([*start, *("" if v is None else v for v in volume.values())])
    names = list(record["changes"][0]["volumes"][0])
    return [[*head, *names], *rows]


def lesion_rows(record: Mapping[str, Any]) -> list[list[object]]:
    """The table of lesions: volume at each visit, what happened, and where it lies."""
    dates = [f"volume_ml_{n}_{v['date']}" for n, v in enumerate(record["visits"], start=1)]
    rows: list[list[object]] = [["lesion", "kind", *dates, "events", "x_lps", "y_lps", "z_lps"]]
    for lesion in record["lesions"]:
        told = "; ".join(_event(event) for event in lesion["events"])
        point = next(p for p in reversed(lesion["points_lps_mm"]) if p is not None)
        volumes = ["" if v is None else v for v in lesion["volumes_ml"]]
        rows.append([lesion["lesion"], lesion["kind"], *volumes, told, *point])
    return rows


def _event(event: Mapping[str, Any], words: Catalogue | None = None) -> str:
    _ = str if words is None else words.text
    number = event["visit"]
    others = ", ".join(map(str, event.get("of", ())))
    text = {
        "first": _("visit {number}: there at first"),
        "new": _("visit {number}: new"),
        "grown to size": _("visit {number}: there before, but too small to be listed"),
        "split": _("visit {number}: split off from {others}"),
        "merged": _("visit {number}: merged into {others}"),
        "vanished": _("visit {number}: vanished"),
    }[event["event"]]
    return text.format(number=number, others=others)


def page(comparison: Comparison, words: Catalogue) -> str:
    """The whole page, which needs no other file, no network and no script."""
    record, _ = comparison.record, words.text
    days = [(v.day - comparison.visits[0].day).days for v in comparison.visits]
    keys = (*(region.name for region in (Region.WT, Region.TC, Region.ET)), *_tissue_keys())
    volumes = {key: [v["volumes_ml"][key] for v in record["visits"]] for key in keys}
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            record=record,
            language=words.language,
            _=_,
            told=words.message,
            notice=_(NOTICE),
            # Escaped where it is made.
            warnings=warnings_section(record, words),
            keys=keys,
            titles={key: _(volume_title(key)) for key in keys},
            colors=_colors(),
            volumes=volumes,
            plot=plot(days, {key: volumes[key] for key in ("WT", "TC", "ET")}, _bars(record)),
            events=[[_event(e, words) for e in one["events"]] for one in record["lesions"]],
            pairs=[_pictures(pair, words) for pair in comparison.pairs],
        )
    )


def _bars(record: Mapping[str, Any]) -> list[float]:
    """Half of an error bar of the whole tumor: of one volume, where a change has two."""
    steps = [c for c in record["changes"] if c["against"] == "previous"]
    found = []
    for change in [steps[0], *steps]:
        error = next(v["error_ml"] for v in change["volumes"] if v["key"] == "WT")
        found.append(error / 2**0.5)
    return found


def _tissue_keys() -> tuple[str, ...]:
    return tuple(tissue.key for tissue in TUMOR_TISSUES)


def _colors() -> dict[str, str]:
    found = {t.key: "#{:02x}{:02x}{:02x}".format(*STYLES[t].color) for t in TUMOR_TISSUES}
    return {**found, "WT": "#c98a00", "TC": "#7a3fd0", "ET": "#e12323"}


def _pictures(pair: PairMaps, words: Catalogue) -> dict[str, Any]:
    """What of two visits a page shows."""
    shown = []
    for key in MAPPED:
        scene = change_scene(pair, key)
        if not scene.labels.any():
            continue
        for index in busiest_slices(scene, 4):
            image = change_picture(scene, Plane.AXIAL, index, 1.6)
            title = words.text(volume_title(key))
            shown.append(_figure(image, f"{title}, {scene.position_mm(Plane.AXIAL, index):.1f} mm"))
    registration = draw_registration(pair)
    title = words.text("Both scans by turns")
    return {"changes": shown, "registration": [_figure(registration, title)]}


def _figure(image: Any, text: str) -> dict[str, Any]:
    source = jpeg_uri(image, quality=88, subsampling=0)
    return {"source": source, "width": image.width, "height": image.height, "text": text}


def _environment() -> Any:
    return template_environment(autoescape=True)
