"""The HTML report: a result's record and pictures in ``Resources/Report/report.html.jinja``."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.language import Catalogue, catalogue, wanted_language
from BrainTumorSegLib.core.notices import warnings_section
from BrainTumorSegLib.core.place import place_sentences
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Region
from BrainTumorSegLib.core.trust import region_trust, sign_remarks, trust_remarks
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.io.atomic import write_text

from .figures import (
    Plane,
    Scene,
    best_slice,
    caption,
    diameter_slices,
    make_scene,
    picture,
    present,
    spread_slices,
)
from .templates import template_environment

if TYPE_CHECKING:
    from jinja2 import Template
    from PIL import Image

NOTICE = "Research use only. Not a medical device."

_TEMPLATE = "report.html.jinja"

_JPEG_QUALITY = 88


def write_report_html(
    case: Case,
    result: Segmentation,
    path: Path,
    overwrite: bool = False,
    language: str | None = None,
) -> None:
    """Write the report as one HTML file that needs no other file, no network and no script.

    Args:
        case: the scans, as they were given to `pipeline.segment`.
        result: what that returned; its record stays English.
        language: of the page, such as ``ru``; by default that of `core.language.wanted_language`.

    Raises:
        OutputError: naming the file and the remedy.
    """
    write_text(path, report_page(case, result, language), overwrite)


def check_templates() -> None:
    """Find out before a long computation whether the page can be made.

    Raises:
        ImportError, OSError: when jinja2 or the template is not there.
    """
    _template()


def report_page(case: Case, result: Segmentation, language: str | None = None) -> str:
    """The whole page; every text from outside is escaped."""
    words = catalogue(language or wanted_language())
    regions = [region.name for region in Region]
    return _template().render(
        record=result.record,
        language=words.language,
        _=words.text,
        told=words.message,
        notice=words.text(NOTICE),
        # Escaped where it is made.
        warnings=warnings_section(result.record, words),
        pictures=_pictures(case, result, words),
        regions=regions,
        place=list(place_sentences(result.record, words)),
        trust=_trust(result.record, words),
        trust_remarks=[
            *trust_remarks(result.record, words),
            *sign_remarks(result.record, words),
        ],
        tissues=[
            {
                "key": tissue.key,
                "title": words.text(STYLES[tissue].title),
                "color": "#{:02x}{:02x}{:02x}".format(*STYLES[tissue].color),
            }
            for tissue in TUMOR_TISSUES
        ],
        titles={
            key: words.text(volume_title(key))
            for key in (*(t.key for t in TUMOR_TISSUES), *regions)
        },
    )


def _trust(record: Mapping[str, Any], words: Catalogue) -> list[dict[str, Any]]:
    """What the page shows of each region; nothing for a record of an older release."""
    return [
        {
            "title": words.text(volume_title(one.region.name)),
            "words": one.light.words(words)
            if one.agreement is not None
            else words.text("none found"),
            "color": "rgb({}, {}, {})".format(*one.light.color),
            "expected": "–" if one.expected is None else one.figure(words),
            "agreement": one.agreement,
        }
        for one in region_trust(record)
    ]


def _template() -> Template:
    from jinja2 import ChainableUndefined

    # Records of older releases lack fields.
    environment = template_environment(autoescape=True, undefined=ChainableUndefined)
    return environment.get_template(_TEMPLATE)


def _pictures(case: Case, result: Segmentation, words: Catalogue) -> dict[str, Any]:
    """Overview strip, key slices in every sequence, and reformats."""
    scene = make_scene(case, result)
    main, axial = case.reference, Plane.AXIAL
    sequences = [s for s in Sequence if s in scene.scans]
    measured = diameter_slices(scene, result.record)
    # On paper: where the largest lesion was measured, else where most tumor is.
    shown, _lesion, lines = measured[0] if measured else (best_slice(scene.labels, axial), {}, ())
    # A FLAIR shows edema best.
    in_other_planes = [main, *(s for s in sequences if s is Sequence.FLAIR and s is not main)]
    return {
        "sequences": len(sequences),
        "unregistered": [s.name for s in scene.unregistered],
        "diameters": [
            {
                **_shown(
                    words,
                    scene,
                    main,
                    index,
                    picture(scene, main, axial, index, "outline", 2.0, lines),
                ),
                "caption": f"{lesion['long_mm']:.1f} × {lesion['short_mm']:.1f} {words.text('mm')}",
            }
            for index, lesion, lines in measured
        ],
        "paper": [
            _shown(
                words,
                scene,
                main,
                shown,
                picture(
                    scene, main, axial, shown, overlay, 2.0, lines if overlay != "none" else ()
                ),
            )
            for overlay in ("none", "outline")
        ],
        "overview": [
            _figure(words, scene, main, axial, index, "fill", 1.8)
            for index in spread_slices(scene.labels, axial, 8)
        ],
        "key_slices": [
            _figure(words, scene, sequence, axial, index, overlay, 2.0)
            for index in _key_slices(scene)
            for overlay in ("none", "outline")
            for sequence in sequences
        ],
        "reformats": [
            _figure(words, scene, s, plane, best_slice(scene.labels, plane), overlay, 1.8)
            for s in in_other_planes
            for plane in (Plane.CORONAL, Plane.SAGITTAL)
            for overlay in ("none", "outline")
        ],
    }


def _key_slices(scene: Scene) -> list[int]:
    """The slice with most tumor and one towards either end, from top to bottom."""
    best = best_slice(scene.labels, Plane.AXIAL)
    if not scene.labels.any():
        return [best]
    low, high = (spread_slices(scene.labels, Plane.AXIAL, 3)[i] for i in (0, -1))
    return sorted({low, best, high}, reverse=True)


def _figure(
    words: Catalogue,
    scene: Scene,
    sequence: Sequence,
    plane: Plane,
    index: int,
    overlay: str,
    pixels_per_mm: float,
) -> dict[str, Any]:
    image = picture(scene, sequence, plane, index, overlay, pixels_per_mm)
    _ = words.text
    title = caption(scene, sequence, plane, index, _)
    text = f"{title}, {_('without labels')}."
    if overlay != "none":
        shown = present(np.take(scene.labels, index, axis=plane))
        names = ", ".join(_(STYLES[tissue].title).lower() for tissue in shown)
        said = _("Labelled: {names}.").format(names=names) if names else _("Nothing is labelled.")
        text = f"{title}. {said}"
    return _described(image, title, text)


def _shown(
    words: Catalogue, scene: Scene, sequence: Sequence, index: int, image: Image.Image
) -> dict[str, Any]:
    """An axial picture told by its place alone."""
    title = caption(scene, sequence, Plane.AXIAL, index, words.text)
    return _described(image, title, title)


def _described(image: Image.Image, title: str, text: str) -> dict[str, Any]:
    return {
        # Without color subsampling the fine colored outlines stay sharp.
        "source": jpeg_uri(image, quality=_JPEG_QUALITY, subsampling=0),
        "width": image.width,
        "height": image.height,
        "text": text,
        "caption": title,
    }


def thumbnail_uri(picture: Path, size: tuple[int, int], quality: int) -> str:
    """A picture file made small enough for a page of many.

    Raises:
        OSError: when it cannot be read.
    """
    from PIL import Image

    with Image.open(picture) as image:
        small = image.convert("RGB")
    small.thumbnail(size)
    return jpeg_uri(small, quality=quality)


def jpeg_uri(image: Image.Image, **settings: Any) -> str:
    """A picture as it stands in a page that needs no other file; settings of Pillow's JPEG."""
    buffer = BytesIO()
    image.save(buffer, format="JPEG", optimize=True, **settings)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
