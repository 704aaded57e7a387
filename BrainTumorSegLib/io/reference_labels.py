"""Labels of experts, in any of the forms in which people keep them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import (
    NUMBERINGS,
    OWN_NUMBERING,
    LabelProtocol,
    Tissue,
    protocol_by_name,
)

from .labelmaps import read_labels
from .seg_nrrd import read_seg_nrrd

#: What the labels mean that `read_reference_labels` makes of a segmentation with named segments.
SEGMENTS_PROTOCOL = "necrosis1_edema2_nonenhancing3_enhancing4"

#: The field by which ITK keeps a note in NIfTI (``descrip``), NRRD and MetaImage files alike.
_NOTE_KEY = "ITK_FileNotes"
_NOTE = f"labels numbered as in {OWN_NUMBERING}"


def is_segmentation(path: Path) -> bool:
    """Whether a file's segments say themselves what they mean."""
    return path.name.lower().endswith(".seg.nrrd")


def read_reference_labels(path: Path, warn: Callable[[str], None] | None = None) -> sitk.Image:
    """Read a label map with the values of the file, or a ``.seg.nrrd`` as tissue labels.

    Args:
        path: the file.
        warn: told what a reader of the result must know about the file.

    Raises:
        InputError: as `read_labels` and `read_seg_nrrd`.
    """
    return read_seg_nrrd(path, warn=warn) if is_segmentation(path) else read_labels(path, warn)


def reference_protocol(path: Path, named: LabelProtocol | None) -> LabelProtocol | None:
    """The protocol of `read_reference_labels`: its segments say so, else the one named."""
    return protocol_by_name(SEGMENTS_PROTOCOL) if is_segmentation(path) else named


def with_numbering(labels: sitk.Image) -> sitk.Image:
    """Tissue labels to be written as a label map, with a note of how they are numbered."""
    noted = sitk.Image(labels)
    noted.SetMetaData(_NOTE_KEY, _NOTE)
    return noted


def read_tissues(
    path: Path, numbering: str | None = None, warn: Callable[[str], None] | None = None
) -> sitk.Image:
    """Labels of tissues from a ``.seg.nrrd`` or a label map, on the grid of the file.

    Args:
        path: the file.
        numbering: how the values of a label map are meant, one of `NUMBERINGS`. Unless given
            it is `OWN_NUMBERING`, where the file says so or leaves no doubt.
        warn: told what a reader of the result must know about the file.

    Returns:
        Unsigned 8-bit 3D image with values of `Tissue`.

    Raises:
        InputError: when the file cannot be read, holds other labels, or may be numbered in
            two ways.
    """
    path = Path(path)
    if is_segmentation(path):
        return read_seg_nrrd(path, warn=warn)
    labels = read_labels(path, warn)
    values = sitk.GetArrayViewFromImage(labels)
    found = set(np.unique(values).tolist())
    meant = NUMBERINGS[numbering or OWN_NUMBERING]
    highest = max(found)
    if highest > max(Tissue):
        raise InputError(
            f"{path} holds the label {highest}; tissues are labelled 0 to {int(max(Tissue))}.",
            "Give labels as BraTS 2013-2015 has them: 1 necrosis, 2 edema, 3 non-enhancing, "
            "4 enhancing tumour.",
        )
    if not found <= meant.keys():
        raise InputError(
            f"{path} holds the label {max(found - meant.keys())}, which {numbering} does not know.",
            "Choose another --numbering.",
        )
    if numbering is None and 3 in found and 4 not in found and not _is_noted(labels):
        raise InputError(
            f"{path} holds the label 3 but no 4: 3 is non-enhancing tumour in BraTS 2013-2015, "
            "and enhancing tumour in BraTS 2023 and later.",
            "Say which is meant: --numbering brats2015 or --numbering brats2023.",
        )
    table = np.zeros(256, np.uint8)
    for value, tissue in meant.items():
        table[value] = tissue
    tissues = sitk.GetImageFromArray(table[values])
    tissues.CopyInformation(labels)
    return tissues


def _is_noted(labels: sitk.Image) -> bool:
    return labels.HasMetaDataKey(_NOTE_KEY) and labels.GetMetaData(_NOTE_KEY).strip() == _NOTE
