"""Reference labels of experts, in any of the forms in which people keep them."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk

from BrainTumorSegLib.core.tissue import LabelProtocol, protocol_by_name

from .labelmaps import read_labels
from .seg_nrrd import read_seg_nrrd

#: What the labels mean that `read_reference_labels` makes of a segmentation with named segments.
SEGMENTS_PROTOCOL = "necrosis1_edema2_nonenhancing3_enhancing4"


def is_segmentation(path: Path) -> bool:
    """Whether a file's segments say themselves what they mean."""
    return path.name.lower().endswith(".seg.nrrd")


def read_reference_labels(path: Path) -> sitk.Image:
    """Read a label map with the values of the file, or a ``.seg.nrrd`` as tissue labels.

    Raises:
        InputError: as `read_labels` and `read_seg_nrrd`.
    """
    return read_seg_nrrd(path) if is_segmentation(path) else read_labels(path)


def reference_protocol(path: Path, named: LabelProtocol | None) -> LabelProtocol | None:
    """The protocol of `read_reference_labels`: its segments say so, else the one named."""
    return protocol_by_name(SEGMENTS_PROTOCOL) if is_segmentation(path) else named
