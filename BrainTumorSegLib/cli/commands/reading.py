"""Reading what several commands take: seeds, and labels in any of the forms that we write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK as sitk


def seed(text: str) -> int:
    """A seed, as the type of an option.

    Raises:
        ValueError: unless it is a whole number from 0; numpy takes no other.
    """
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def read_tissues(path: Path) -> sitk.Image:
    """Labels of tissues from a ``.seg.nrrd`` or a label map, on the grid of the file.

    Raises:
        InputError: when the file cannot be read or holds other labels.
    """
    import SimpleITK as sitk

    from BrainTumorSegLib.core.errors import InputError
    from BrainTumorSegLib.core.tissue import Tissue
    from BrainTumorSegLib.io.formats import readable_suffix
    from BrainTumorSegLib.io.labelmaps import read_labels
    from BrainTumorSegLib.io.seg_nrrd import read_seg_nrrd

    path = Path(path)
    if readable_suffix(path) == ".seg.nrrd":
        return read_seg_nrrd(path)
    labels = read_labels(path)
    highest = int(sitk.GetArrayViewFromImage(labels).max())
    if highest > max(Tissue):
        raise InputError(
            f"{path} holds the label {highest}; tissues are labelled 0 to {int(max(Tissue))}.",
            "Give labels as BraTS 2013-2015 has them: 1 necrosis, 2 edema, 3 non-enhancing, "
            "4 enhancing tumour.",
        )
    return labels
