"""Tissues as coded concepts, in the text form of Slicer's terminologies.

The codes are those of DICOM context group 7168, *Brain Lesion Segmentation Type With
Necrosis* (PS3.16). Enhancing and non-enhancing lesion are missing from the lists that
Slicer brings along; ``Resources/Terminology/BrainTumorSeg.term.json`` adds them.
"""

from __future__ import annotations

from BrainTumorSegLib.core.tissue import ANATOMY, CATEGORY, STYLES, TUMOR_TISSUES, Code, Tissue

#: Name of our list of categories and types, in Slicer's manner of naming them.
TERMINOLOGY_CONTEXT = "Segmentation category and type - BrainTumorSeg"

#: Name of the list of anatomic regions that Slicer brings along.
REGION_CONTEXT = "Anatomic codes - DICOM master list"

_NO_MODIFIER = "^^"


def terminology_entry(tissue: Tissue) -> str:
    """The terminology of a tissue as Slicer stores it with a segment.

    Seven fields joined by ``~``: context, category, type, type modifier, region
    context, region, region modifier; a code is *scheme^value^meaning*.

    Raises:
        KeyError: for the background, which is no tissue.
    """
    return "~".join(
        (
            TERMINOLOGY_CONTEXT,
            _triple(CATEGORY),
            _triple(STYLES[tissue].code),
            _NO_MODIFIER,
            REGION_CONTEXT,
            _triple(ANATOMY),
            _NO_MODIFIER,
        )
    )


def tissue_of_entry(entry: str) -> Tissue | None:
    """The tissue that a terminology entry speaks of, by the code of its type, if it is one of ours.

    Context names, meanings (which may be translated), modifiers and region do not matter.
    """
    fields = entry.split("~")
    if len(fields) < 3:
        return None
    scheme, value = [*fields[2].split("^"), "", ""][:2]
    for tissue in TUMOR_TISSUES:
        code = STYLES[tissue].code
        if (scheme, value) == (code.scheme, code.value):
            return tissue
    return None


def _triple(code: Code) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}"
