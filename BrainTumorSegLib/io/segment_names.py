"""Telling which tissue a segment shows when people have renamed it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Tissue

from .terminology import tissue_of_entry

#: What people call the four tissues, besides our own titles; compared without case,
#: blanks and hyphens.
OTHER_NAMES: Mapping[Tissue, tuple[str, ...]] = {
    Tissue.NECROSIS: ("necrotic core", "necrotic tumour", "ncr"),
    Tissue.EDEMA: ("edema", "peritumoral oedema", "oedema", "ed"),
    Tissue.NON_ENHANCING: ("non-enhancing", "non-enhancing lesion", "non-enhancing core", "net"),
    Tissue.ENHANCING: ("enhancing", "enhancing lesion", "gd-enhancing tumour", "et"),
}


def tissue_of_segment(entry: str, name: str) -> Tissue | None:
    """The tissue that a segment stands for: by its terminology, else by its name."""
    return tissue_of_entry(entry) or tissue_of_name(name)


def tissue_of_name(name: str) -> Tissue | None:
    """The tissue that people mean by a segment's name, if it is one of the four."""
    plain = _plain(name)
    for tissue in TUMOR_TISSUES:
        if plain in map(_plain, (STYLES[tissue].title, tissue.key, *OTHER_NAMES[tissue])):
            return tissue
    return None


def _plain(name: str) -> str:
    return (
        re.sub(r"[\s_-]+", "", name).lower().replace("tumour", "tumor").replace("oedema", "edema")
    )
