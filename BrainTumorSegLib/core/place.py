"""Where a tumour lies, in words: what the record says under ``place``. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .language import Catalogue

#: From this share of heads on a structure is touched; below that it may be.
_TOUCHED = 0.5

#: Smaller shifts (mm) are not told: the estimate is rough, see ``Resources/Docs/outputs.md``.
LEAST_SHIFT_MM = 4.0


def place_sentences(record: Mapping[str, Any], words: Catalogue) -> Iterator[str]:
    """Side, midline, ventricles, structures and shift, one after the other.

    Args:
        record: of a result; one of an older release says nothing.
        words: in whose language.
    """
    _, place = words.text, record.get("place")
    if not place:
        return
    sides = {
        "left": _("Side: left."),
        "right": _("Side: right."),
        "both": _("Side: both sides."),
    }
    yield sides[place["side"]]
    if place["midline_mm"] == 0:
        yield _("It crosses the midline.")
    else:
        yield _("{distance} mm from the midline.").format(distance=round(place["midline_mm"]))
    near, (least, most) = place["ventricles_mm"], place["ventricles_range_mm"]
    if near is not None and near > 0 and least is not None:
        yield _("{distance} mm from the ventricles ({least} to {most} mm).").format(
            distance=round(near),
            least=round(least),
            most="?" if most is None else round(most),
        )
    for text, chosen in (
        (_("Touches: {structures}."), lambda share: share >= _TOUCHED),
        (_("May touch: {structures}."), lambda share: share < _TOUCHED),
    ):
        names = [
            _structure(one["structure"], one["side"], words)
            for one in place["touches"]
            if chosen(one["share"])
        ]
        if names:
            yield text.format(structures=", ".join(names))
    shift = place["midline_shift_mm"]
    if shift is None:
        yield _("A shift of the midline could not be estimated.")
    elif abs(shift) < LEAST_SHIFT_MM:
        yield _("No shift of the midline of {least} mm or more is seen.").format(
            least=f"{LEAST_SHIFT_MM:.0f}"
        )
    else:
        told = _("Midline shifted to the left by about {shift} mm (rough, rather too small).")
        if shift < 0:
            told = _("Midline shifted to the right by about {shift} mm (rough, rather too small).")
        yield told.format(shift=f"{abs(shift):.0f}")
    yield _(
        "Estimated from a mean map of 20 healthy heads, which knows no lobes; structures that the "
        "tumour pushes aside are looked for where they usually lie."
    )


def _structure(name: str, side: str, words: Catalogue) -> str:
    _ = words.text
    left = {
        "thalamus": _("left thalamus"),
        "caudate": _("left caudate nucleus"),
        "lentiform": _("left lentiform nucleus"),
        "hippocampus": _("left hippocampus"),
        "amygdala": _("left amygdala"),
        "cerebellum": _("left half of the cerebellum"),
    }
    right = {
        "thalamus": _("right thalamus"),
        "caudate": _("right caudate nucleus"),
        "lentiform": _("right lentiform nucleus"),
        "hippocampus": _("right hippocampus"),
        "amygdala": _("right amygdala"),
        "cerebellum": _("right half of the cerebellum"),
    }
    both = {"brainstem": _("brainstem"), "ventricles": _("ventricles")}
    return {"left": left, "right": right, "both": both}[side].get(name, name)
