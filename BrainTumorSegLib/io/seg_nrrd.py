"""Slicer's segmentation files (``.seg.nrrd``).

An NRRD label map with one key/value pair for each property of each segment, as
`vtkMRMLSegmentationStorageNode` writes it: segments that do not overlap share a layer
and differ by label value; further layers are further values of each voxel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.tissue import STYLES, TUMOR_TISSUES, Tissue

from .atomic import atomic_path, full_suffix
from .grids import place_on_grid
from .segment_names import tissue_of_segment
from .terminology import terminology_entry
from .volumes import read_vector_image

_BINARY_LABELMAP = "Binary labelmap"
_GEOMETRY_PARAMETER = "Reference image geometry"
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_EMPTY_EXTENT = "0 -1 0 -1 0 -1"


@dataclass(frozen=True)
class Segment:
    """What a file says of one segment; ``layer`` counts the values of a voxel from 0."""

    name: str
    tags: Mapping[str, str]
    label: int
    layer: int


def write_seg_nrrd(
    labels: sitk.Image, path: Path, reference_name: str, overwrite: bool = False
) -> None:
    """Write tissue labels as four named, coloured and coded segments on one layer.

    All four segments are there, also those without a voxel.

    Args:
        labels: 3D integer image with values of `Tissue`, on the reference's grid.
        path: ends in ``.seg.nrrd``.
        reference_name: the scan on whose grid the labels live, kept in the header.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: when the file cannot be written.
        ValueError: when the labels are not tissue labels.
    """
    path = Path(path)
    if full_suffix(path) != ".seg.nrrd":
        raise OutputError(
            f"{path} does not end in .seg.nrrd.", "Slicer knows segmentations by this ending."
        )
    values = _tissue_values(labels)
    header: dict[str, Any] = {
        "space": "left-posterior-superior",
        "kinds": ["domain"] * 3,
        "encoding": "gzip",
        "content": " ".join(f"segmentation of {reference_name}".split())
        .encode("ascii", "replace")
        .decode(),
        "space directions": _axes(labels).T,
        "space origin": np.array(labels.GetOrigin()),
    }
    header.update(_segment_fields(values))
    header |= {
        "Segmentation_ContainedRepresentationNames": f"{_BINARY_LABELMAP}|",
        "Segmentation_ConversionParameters": _conversion_parameters(labels),
        "Segmentation_MasterRepresentation": _BINARY_LABELMAP,
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    with atomic_path(path, overwrite) as temporary:
        nrrd.write(str(temporary), values, header, compression_level=6, index_order="C")


def read_seg_nrrd(
    path: Path,
    reference: sitk.Image | None = None,
    warn: Callable[[str], None] | None = None,
) -> sitk.Image:
    """Read a segmentation that we or Slicer wrote, back onto the grid it was drawn on.

    Slicer may crop the voxels, spread segments over layers, renumber and rename them.
    A segment is recognised by its terminology code, else by its name. Segments without
    voxels may be anything. Two segments of one tissue are united.

    Args:
        reference: the grid of the result. Unless given, it is the reference geometry
            that Slicer stores in the file, or the grid of the file itself.
        warn: told what a reader of the result must know about the file.

    Returns:
        Unsigned 8-bit 3D image with values of `Tissue`.

    Raises:
        InputError: when the file is not a segmentation, when a segment is none of our
            tissues, when segments overlap, or when some of it lies outside the reference.
    """
    path = Path(path)
    stored = read_vector_image(path, warn)
    fields = {key: stored.GetMetaData(key) for key in stored.GetMetaDataKeys()}
    segments = _segments(fields, path)
    layers = sitk.GetArrayViewFromImage(stored)
    if layers.ndim == 3:
        layers = layers[..., np.newaxis]
    merged = sitk.GetImageFromArray(_merge(layers, segments, path))
    merged.CopyInformation(stored)
    grid = reference or _stored_reference(fields) or merged
    return place_on_grid(merged, grid, str(path))


def _tissue_values(labels: sitk.Image) -> np.ndarray:
    """Values ``[slice, row, column]`` as unsigned bytes, checked to be tissues."""
    values = sitk.GetArrayViewFromImage(labels)
    if values.ndim != 3 or not np.issubdtype(values.dtype, np.integer):
        raise ValueError("Tissue labels are a 3D image of integers.")
    if values.size and (values.min() < 0 or values.max() > max(Tissue)):
        raise ValueError(f"Tissue labels lie in 0..{int(max(Tissue))}.")
    return values.astype(np.uint8)


def _axes(image: sitk.Image) -> np.ndarray:
    """Columns are the steps from voxel to voxel along x, y and z in LPS mm."""
    return np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())


def _segment_fields(values: np.ndarray) -> dict[str, str]:
    boxes = ndimage.find_objects(values, max_label=int(max(Tissue)))
    fields: dict[str, str] = {}
    for number, tissue in enumerate(TUMOR_TISSUES):
        style, box = STYLES[tissue], boxes[tissue - 1]
        bounds = [f"{side.start} {side.stop - 1}" for side in reversed(box)] if box else []
        properties = {
            "Color": " ".join(f"{component / 255:.6g}" for component in style.color),
            "ColorAutoGenerated": "0",
            "Extent": " ".join(bounds) or _EMPTY_EXTENT,
            "ID": tissue.key,
            "LabelValue": str(int(tissue)),
            "Layer": "0",
            "Name": style.title,
            "NameAutoGenerated": "0",
            "Tags": f"TerminologyEntry:{terminology_entry(tissue)}|",
        }
        fields |= {f"Segment{number}_{key}": text for key, text in properties.items()}
    return fields


def _conversion_parameters(labels: sitk.Image) -> str:
    """The reference geometry, by which Slicer knows the grid even where segments are empty.

    *name|value|description&*; the value is the voxel-to-RAS matrix by rows and the
    extent, joined by semicolons (`vtkSegmentationConverter::SerializeImageGeometry`).
    """
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = _axes(labels), labels.GetOrigin()
    numbers = [repr(float(number)) for number in (_LPS_TO_RAS @ matrix).ravel()]
    extent = [str(bound) for size in labels.GetSize() for bound in (0, size - 1)]
    geometry = "".join(f"{text};" for text in (*numbers, *extent))
    return f"{_GEOMETRY_PARAMETER}|{geometry}|Grid of the segmented scan&"


def _stored_reference(fields: Mapping[str, str]) -> sitk.Image | None:
    """An empty image on the reference geometry that Slicer stored, if it did."""
    for parameter in fields.get("Segmentation_ConversionParameters", "").split("&"):
        name, _, rest = parameter.partition("|")
        if name != _GEOMETRY_PARAMETER:
            continue
        texts = [text for text in rest.partition("|")[0].split(";") if text]
        if len(texts) != 22:
            return None
        matrix = _LPS_TO_RAS @ np.array(texts[:16], dtype=float).reshape(4, 4)
        extent = np.array([int(float(text)) for text in texts[16:]]).reshape(3, 2)
        size = extent[:, 1] - extent[:, 0] + 1
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        if (size <= 0).any() or (spacing <= 0).any():
            return None
        grid = sitk.Image([int(n) for n in size], sitk.sitkUInt8)
        grid.SetSpacing(spacing.tolist())
        grid.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
        grid.SetOrigin((matrix[:3, :3] @ extent[:, 0] + matrix[:3, 3]).tolist())
        return grid
    return None


def _segments(fields: Mapping[str, str], path: Path) -> list[Segment]:
    if "Segmentation_Extent" in fields:
        raise InputError(
            f"{path} is in the segmentation format of Slicer 4.10 and older.",
            "Load it in a newer Slicer and save it again.",
        )
    segments: list[Segment] = []
    while f"Segment{len(segments)}_ID" in fields:
        number = len(segments)
        own = {
            key: fields.get(f"Segment{number}_{key}", "")
            for key in ("ID", "Name", "Tags", "LabelValue", "Layer")
        }
        name = own["Name"] or own["ID"]
        try:
            label, layer = int(own["LabelValue"] or 1), int(own["Layer"] or number)
        except ValueError as error:
            raise InputError(
                f"{path} is damaged: label value or layer of segment {name!r} is no number.",
                "Save the segmentation again.",
            ) from error
        tags = (text.partition(":") for text in own["Tags"].split("|") if ":" in text)
        segments.append(
            Segment(
                name=name,
                tags={key: value for key, _, value in tags},
                label=label,
                layer=layer,
            )
        )
    if not segments:
        raise InputError(
            f"{path} holds no segments.",
            "Give a segmentation saved by Slicer, or give a label map as a label map.",
        )
    return segments


def _merge(layers: np.ndarray, segments: list[Segment], path: Path) -> np.ndarray:
    """Layers ``[slice, row, column, layer]`` to tissue labels ``[slice, row, column]``."""
    merged = np.zeros(layers.shape[:3], np.uint8)
    owner: dict[Tissue, str] = {}
    for segment in segments:
        if segment.layer >= layers.shape[3]:
            raise InputError(
                f"{path} is damaged: segment {segment.name!r} names a layer that is not there.",
                "Save the segmentation again.",
            )
        mask = layers[..., segment.layer] == segment.label
        if not mask.any():
            continue
        tissue = _tissue_of(segment, path)
        taken = merged[mask]
        clash = taken[(taken != 0) & (taken != tissue)]
        if clash.size:
            other = owner[Tissue(int(clash[0]))]
            raise InputError(
                f"{path}: segments {other!r} and {segment.name!r} overlap in "
                f"{clash.size} voxels; a voxel can be one tissue only.",
                "In Slicer's Segment Editor, set Masking to overwrite other segments and "
                "paint the overlap again.",
            )
        merged[mask] = tissue
        owner[tissue] = segment.name
    return merged


def _tissue_of(segment: Segment, path: Path) -> Tissue:
    tissue = tissue_of_segment(segment.tags.get("TerminologyEntry", ""), segment.name)
    if tissue is not None:
        return tissue
    raise InputError(
        f"{path}: segment {segment.name!r} is none of the four tissues.",
        "Name it, or choose its terminology, as one of "
        f"{', '.join(style.title for style in STYLES.values())}; or remove it.",
    )
