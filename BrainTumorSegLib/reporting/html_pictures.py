"""The pictures of the HTML report, each with a caption and a text for who cannot see it."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, TUMOUR_TISSUES
from BrainTumorSegLib.reporting.figures import (
    Plane,
    Scene,
    best_slice,
    caption,
    make_scene,
    picture,
    present,
    spread_slices,
)

_JPEG_QUALITY = 88


def picture_sections(case: Case, result: Segmentation) -> str:
    """Legend, overview strip, key slices in every sequence, and reformats, as HTML."""
    scene = make_scene(case, result)
    axial = best_slice(scene.labels, Plane.AXIAL)
    sequences = [s for s in Sequence if s in scene.scans]
    main = case.reference
    strip = [
        _figure(scene, main, Plane.AXIAL, index, "fill", 1.8)
        for index in spread_slices(scene.labels, Plane.AXIAL, 8)
    ]
    key = []
    for index in _key_slices(scene, axial):
        for overlay in ("none", "outline"):
            key += [_figure(scene, s, Plane.AXIAL, index, overlay, 2.0) for s in sequences]
    reformats = [
        _figure(scene, s, plane, best_slice(scene.labels, plane), overlay, 1.8)
        for s in (main, *(s for s in scene.scans if s is Sequence.FLAIR and s is not main))
        for plane in (Plane.CORONAL, Plane.SAGITTAL)
        for overlay in ("none", "outline")
    ]
    return "".join(
        [
            '<section aria-labelledby="pictures"><h2 id="pictures">Pictures</h2>',
            _legend(),
            _loose(scene),
            "<h3>Overview</h3>",
            _grid(strip, 4),
            "<h3>Key slices</h3>",
            _grid(key, len(sequences)),
            "<h3>Coronal and sagittal</h3>",
            _grid(reformats, 4),
            "</section>",
        ]
    )


def _key_slices(scene: Scene, best: int) -> list[int]:
    """The slice with most tumour and one towards either end, from top to bottom."""
    if not scene.labels.any():
        return [best]
    low, high = (spread_slices(scene.labels, Plane.AXIAL, 3)[i] for i in (0, -1))
    return sorted({low, best, high}, reverse=True)


def _figure(
    scene: Scene,
    sequence: Sequence,
    plane: Plane,
    index: int,
    overlay: str,
    pixels_per_mm: float,
) -> str:
    image = picture(scene, sequence, plane, index, overlay, pixels_per_mm)
    title = caption(scene, sequence, plane, index)
    if overlay == "none":
        spoken = f"{title}, without labels."
    else:
        spoken = f"{title}. {_seen(np.take(scene.labels, index, axis=plane))}"
    return (
        f'<figure><img src="{_data_uri(image)}" width="{image.width}" height="{image.height}" '
        f'alt="{escape(spoken)}"><figcaption>{escape(title)}</figcaption></figure>'
    )


def _seen(labels: np.ndarray) -> str:
    """Which tissues a slice shows, in words."""
    names = [STYLES[tissue].title.lower() for tissue in present(labels)]
    return f"Labelled: {', '.join(names)}." if names else "Nothing is labelled."


def _data_uri(image: Image.Image) -> str:
    buffer = BytesIO()
    # Without colour subsampling the fine coloured outlines stay sharp.
    image.save(buffer, format="JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _grid(figures: list[str], columns: int) -> str:
    return f'<div class="pictures" style="--columns:{columns}">{"".join(figures)}</div>'


def _legend() -> str:
    items = "".join(
        '<li><span class="swatch" style="background:rgb({},{},{})"></span>{}</li>'.format(
            *STYLES[tissue].color, escape(STYLES[tissue].title)
        )
        for tissue in TUMOUR_TISSUES
    )
    return f'<ul class="legend" aria-label="Colours of the labels">{items}</ul>'


def _loose(scene: Scene) -> str:
    if not scene.unregistered:
        return ""
    names = " and ".join(s.name for s in scene.unregistered)
    return f"<p>{names} is shown where the file's header places it; it was not registered.</p>"
