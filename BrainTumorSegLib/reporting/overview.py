"""One picture of a result for a README, a mail or a slide."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES
from BrainTumorSegLib.io.atomic import atomic_path

from .figures import (
    Plane,
    Scene,
    best_slice,
    diameter_slices,
    make_scene,
    picture,
    spread_slices,
    write,
)

_BACKGROUND = (12, 12, 14)
_GAP = 8


def write_overview_png(
    case: Case, result: Segmentation, path: Path, overwrite: bool = False
) -> None:
    """Write the overview as PNG: each sequence, the labels in three planes, a strip of slices.

    Raises:
        OutputError: naming the file and the remedy.
    """
    image = draw_overview(case, result)
    with atomic_path(path, overwrite) as temporary:
        image.save(temporary, format="PNG")


def draw_overview(case: Case, result: Segmentation, width: int = 1600) -> Image.Image:
    """The overview as an RGB picture ``width`` pixels wide."""
    scene = make_scene(case, result)
    main = case.reference
    axial, coronal, sagittal = (best_slice(scene.labels, plane) for plane in Plane)
    strip = [
        picture(scene, main, Plane.AXIAL, i, "fill")
        for i in spread_slices(scene.labels, Plane.AXIAL, 8)
    ]
    rows = [
        [_named(picture(scene, s, Plane.AXIAL, axial), s.name) for s in _order(scene)]
        + [_named(picture(scene, main, Plane.AXIAL, axial, "fill"), "labels")],
        [
            _named(picture(scene, main, Plane.CORONAL, coronal, "fill"), main.name),
            _named(picture(scene, main, Plane.SAGITTAL, sagittal, "fill"), main.name),
            *(
                _named(picture(scene, s, Plane.AXIAL, axial, "outline"), s.name)
                for s in scene.scans
                if s is Sequence.FLAIR
            ),
            *(
                _named(
                    picture(scene, main, Plane.AXIAL, index, "outline", lines=lines),
                    f"{lesion['long_mm']:.0f} x {lesion['short_mm']:.0f} mm",
                )
                for index, lesion, lines in diameter_slices(scene, result.record)[:1]
            ),
        ],
        strip,
    ]
    bands = [_band(row, width) for row in rows]
    head, foot = 46, 64
    height = head + foot + sum(band.height + _GAP for band in bands)
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    write(draw, (_GAP, 12), _shortened(case.identity, 60), 22)
    write(draw, (width - _GAP, 14), "Research use only. Not a medical device.", 18, "ra")
    top = head
    for band in bands:
        sheet.paste(band, (0, top))
        top += band.height + _GAP
    _legend(draw, result, top + 6, width)
    return sheet


def _order(scene: Scene) -> list[Sequence]:
    return [sequence for sequence in Sequence if sequence in scene.scans]


def _named(image: Image.Image, name: str) -> Image.Image:
    write(ImageDraw.Draw(image), (5, 5), name, 20)
    return image


def _band(images: list[Image.Image], width: int) -> Image.Image:
    """Pictures side by side, brought to one height so that they fill the width."""
    room = width - _GAP * (len(images) + 1)
    height = min(460, int(room / sum(image.width / image.height for image in images)))
    sized = [
        image.resize((max(1, round(image.width * height / image.height)), height), Image.LANCZOS)
        for image in images
    ]
    used = sum(image.width for image in sized)
    gap = (width - used) / (len(sized) + 1)
    band = Image.new("RGB", (width, height), _BACKGROUND)
    left = gap
    for image in sized:
        band.paste(image, (round(left), 0))
        left += image.width + gap
    return band


def _legend(draw: ImageDraw.ImageDraw, result: Segmentation, top: int, width: int) -> None:
    volumes = result.record["volumes_ml"]
    column = width / len(TUMOR_TISSUES)
    for number, tissue in enumerate(TUMOR_TISSUES):
        left = int(number * column) + 2 * _GAP
        draw.rectangle((left, top + 3, left + 22, top + 25), fill=STYLES[tissue].color)
        text = f"{STYLES[tissue].title}  {volumes[tissue.key]:.1f} mL"
        write(draw, (left + 32, top + 2), text, 19)
    if not any(volumes[tissue.key] for tissue in TUMOR_TISSUES):
        write(draw, (width / 2, top + 32), "No tumour was found.", 19, "ma")


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
