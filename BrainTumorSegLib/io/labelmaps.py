"""Label maps: whole numbers with a meaning that a label protocol gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import LabelProtocol

from .formats import readable_suffix
from .volumes import read_image

#: How far a value may lie from a whole number: programs that store 0, 1, 2, 4 as bytes with a
#: scale read 1.004 for 1, half a step of 4/255 at most.
ROUNDING = 0.01
#: More unknown values than this are those of a scan rather than of another protocol.
_MANY_LABELS = 20


def read_labels(path: Path, warn: Callable[[str], None] | None = None) -> sitk.Image:
    """Read a label map as unsigned 8-bit image with the values of the file.

    Args:
        path: the file.
        warn: told what a reader of the result must know about the file.

    Raises:
        InputError: as in `read_image`; also when values are not whole numbers in
            0..255, or the file is a segmentation whose values mean nothing alone.
    """
    path = Path(path)
    if readable_suffix(path) == ".seg.nrrd":
        raise InputError(
            f"{path} is a Slicer segmentation, not a label map.",
            "Its numbers have a meaning only together with its segments: give it as a "
            "segmentation, or export it from Slicer as a label map.",
        )
    image = read_image(path, warn)
    values = sitk.GetArrayViewFromImage(image)
    if not np.issubdtype(values.dtype, np.integer):
        if not np.isfinite(values).all() or np.abs(values - np.round(values)).max() > ROUNDING:
            raise InputError(
                f"{path} holds fractions or NaN, so it is no label map.",
                "Give labels, not probabilities, and resample labels by nearest neighbour only.",
            )
        image = sitk.Round(image)
        values = sitk.GetArrayViewFromImage(image)
    if values.min() < 0 or values.max() > 255:
        raise InputError(
            f"{path} holds the values {values.min():g} to {values.max():g}; labels lie in 0..255.",
            "Check that this is a label map and not a scan.",
        )
    labels = sitk.Cast(image, sitk.sitkUInt8)
    for key in image.GetMetaDataKeys():
        labels.SetMetaData(key, image.GetMetaData(key))
    return labels


def check_protocol(labels: np.ndarray, protocol: LabelProtocol, source: str = "The labels") -> None:
    """Check that every value of a label map has a meaning in the protocol.

    Raises:
        InputError: naming the values that have none.
    """
    unknown = sorted(set(np.unique(labels).tolist()) - protocol.labels.keys())
    if len(unknown) > _MANY_LABELS:
        raise InputError(
            f"{source} hold(s) {len(unknown)} values that the label protocol {protocol.name!r} "
            "does not know: this looks like a scan.",
            "Give the labels.",
        )
    if unknown:
        raise InputError(
            f"{source} hold(s) the value(s) {_list(unknown)}, which the label protocol "
            f"{protocol.name!r} does not know.",
            f"It knows {_list(protocol.labels)}; choose the protocol that the data was "
            "labelled by.",
        )


def allowed_tissues(
    labels: np.ndarray, protocol: LabelProtocol, source: str = "The labels"
) -> np.ndarray:
    """The tissues that each voxel may be, as bits: bit ``t`` is set where ``Tissue(t)`` is allowed.

    Args:
        labels: values of a label map, any shape.
        protocol: what the values mean.
        source: the file the labels come from; used in messages.

    Returns:
        Unsigned 8-bit array of the same shape.

    Raises:
        InputError: when a value is not in the protocol.
    """
    check_protocol(labels, protocol, source)
    table = np.zeros(256, np.uint8)
    for value, tissues in protocol.labels.items():
        table[value] = sum(1 << int(tissue) for tissue in tissues)
    return table[labels]


def _list(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
