"""The four tumour tissues, the regions made of them, and label protocols.

Label values follow BraTS 2013-2015: 1 necrosis, 2 edema, 3 non-enhancing
tumour, 4 enhancing tumour. Colours are those of the Siberian Brain Tumor
data set: edema yellow, non-enhancing blue, enhancing red, necrosis green.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum

from .errors import InputError


class Tissue(IntEnum):
    """What a voxel shows; the value is its label in every label map we write."""

    BACKGROUND = 0
    NECROSIS = 1
    EDEMA = 2
    NON_ENHANCING = 3
    ENHANCING = 4

    @property
    def key(self) -> str:
        """Lower-case name for files, tables and JSON, for example ``non_enhancing``."""
        return self.name.lower()


TUMOR_TISSUES: tuple[Tissue, ...] = tuple(t for t in Tissue if t is not Tissue.BACKGROUND)


class Region(Enum):
    """Unions of tissues by which the BraTS challenges score."""

    WT = frozenset(TUMOR_TISSUES)
    TC = frozenset({Tissue.NECROSIS, Tissue.NON_ENHANCING, Tissue.ENHANCING})
    ET = frozenset({Tissue.ENHANCING})

    @property
    def title(self) -> str:
        """Name for people: *whole tumour*, *tumour core*, *enhancing tumour*."""
        return {"WT": "whole tumour", "TC": "tumour core", "ET": "enhancing tumour"}[self.name]


@dataclass(frozen=True)
class Code:
    """A coded concept: scheme designator, value, meaning (DICOM PS3.3, 8.8)."""

    scheme: str
    value: str
    meaning: str


CATEGORY = Code("SCT", "49755003", "Morphologically Altered Structure")
ANATOMY = Code("SCT", "12738006", "Brain")


@dataclass(frozen=True)
class TissueStyle:
    """How a tissue is named, coloured (RGB, 0..255) and coded."""

    title: str
    color: tuple[int, int, int]
    code: Code


STYLES: Mapping[Tissue, TissueStyle] = {
    Tissue.NECROSIS: TissueStyle("Necrosis", (0, 170, 60), Code("SCT", "6574001", "Necrosis")),
    Tissue.EDEMA: TissueStyle(
        "Peritumoral edema", (250, 225, 40), Code("SCT", "79654002", "Edema")
    ),
    Tissue.NON_ENHANCING: TissueStyle(
        "Non-enhancing tumour", (40, 90, 230), Code("NCIt", "C81175", "Non-Enhancing Lesion")
    ),
    Tissue.ENHANCING: TissueStyle(
        "Enhancing tumour", (225, 35, 35), Code("NCIt", "C113842", "Enhancing Lesion")
    ),
}


class LabelProtocol:
    """What the labels of a data set mean, as sets of allowed tissues.

    Public data merges classes: "label 1" may mean *necrosis or non-enhancing
    tumour*. A protocol maps each label value of a file to the set of tissues
    the voxel may be; losses and scores use the sets and know no data set by name.

    Raises:
        InputError: when a set is empty.
    """

    def __init__(self, name: str, labels: Mapping[int, frozenset[Tissue]]) -> None:
        for value, allowed in labels.items():
            if not allowed:
                raise InputError(f"Label protocol {name!r} allows no tissue for label {value}.")
        self.name = name
        self.labels = dict(sorted(labels.items()))

    def __repr__(self) -> str:
        return f"LabelProtocol({self.name!r})"


def _tissues(*tissues: Tissue) -> frozenset[Tissue]:
    return frozenset(tissues)


_CORE = _tissues(Tissue.NECROSIS, Tissue.NON_ENHANCING)

PROTOCOLS: Mapping[str, LabelProtocol] = {
    protocol.name: protocol
    for protocol in (
        LabelProtocol(
            "necrosis1_edema2_nonenhancing3_enhancing4", {int(t): _tissues(t) for t in Tissue}
        ),
        LabelProtocol(
            "core1_edema2_enhancing4",
            {
                0: _tissues(Tissue.BACKGROUND),
                1: _CORE,
                2: _tissues(Tissue.EDEMA),
                4: _tissues(Tissue.ENHANCING),
            },
        ),
        LabelProtocol(
            "core1_edema2_enhancing3",
            {
                0: _tissues(Tissue.BACKGROUND),
                1: _CORE,
                2: _tissues(Tissue.EDEMA),
                3: _tissues(Tissue.ENHANCING),
            },
        ),
        LabelProtocol(
            "edema1_core2_enhancing3",
            {
                0: _tissues(Tissue.BACKGROUND),
                1: _tissues(Tissue.EDEMA),
                2: _CORE,
                3: _tissues(Tissue.ENHANCING),
            },
        ),
    )
}


#: How tissues are numbered in label maps that tell all of them apart: BraTS has changed it once.
NUMBERINGS: Mapping[str, Mapping[int, Tissue]] = {
    "brats2015": {int(t): t for t in Tissue},
    "brats2023": {0: Tissue.BACKGROUND, 1: Tissue.NECROSIS, 2: Tissue.EDEMA, 3: Tissue.ENHANCING},
}

#: The numbering of every label map that we write.
OWN_NUMBERING = "brats2015"


def protocol_by_name(name: str) -> LabelProtocol:
    """Return a known label protocol.

    Raises:
        InputError: when no protocol has that name.
    """
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise InputError(
            f"Unknown label protocol {name!r}.", f"Known protocols: {', '.join(PROTOCOLS)}."
        ) from None
