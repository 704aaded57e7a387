"""The pixels of a series as a SimpleITK image.

Uncompressed and run-length encoded pixels are unpacked by pydicom. Others are decoded by
SimpleITK's GDCM, from a plain file of our own that holds one image and nothing else: GDCM
ends the process over sequences nested some thousand times, and cannot open every name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError

from .codestreams import run_length_size, stream_size
from .files import (
    PIXEL_KEYWORDS,
    PixelFormat,
    UnusableFile,
    bytes_needed,
    frame_count,
    one_file,
    pixel_format,
    pydicom_module,
    read_dataset,
)
from .headers import Frame
from .series import Series
from .stack import Grid

_AGAIN = "Copy or export it again, uncompressed if the archive offers that."


def read_series_image(series: Series) -> sitk.Image:
    """Read a series as a 3D image on its own grid (LPS, mm), rescale slope and intercept applied.

    The pixel type is the files' own where no rescaling is due, else float32.

    Raises:
        InputError: when the series is no volume, or a file is damaged or cannot be decoded.
    """
    if series.grid is None:
        raise InputError(
            f"DICOM {series.title} cannot be used: {series.problem}.",
            "Export it again from the archive, complete, or choose another series.",
        )
    return _on_grid(_values(series.frames), series.grid)


def _values(frames: Sequence[Frame]) -> np.ndarray:
    """The frames as ``[frame, row, column]``, each rescaled as its header says."""
    rescaled = any(frame.rescale != (1.0, 0.0) for frame in frames)
    loaded: dict[Path, np.ndarray] = {}
    slices = []
    for frame in frames:
        if frame.path not in loaded:
            if frame.index is None:
                loaded.clear()
            loaded[frame.path] = _stored_values(frame.path)
        values = loaded[frame.path][frame.index or 0]
        if rescaled:
            slope, intercept = frame.rescale
            values = (values * np.float64(slope) + intercept).astype(np.float32)
        slices.append(values)
    return np.stack(slices)


def _stored_values(path: Path) -> np.ndarray:
    """All images of a file as ``[frame, row, column]``, as they are stored.

    Raises:
        InputError: naming the file.
    """
    try:
        dataset = read_dataset(
            path, stop_before_pixels=False, specific_tags=[*PIXEL_KEYWORDS, "PixelData"]
        )
        with one_file():
            return _unpacked(dataset)
    except ValueError as error:
        raise InputError(f"The DICOM file {path} cannot be read: {error}.", _AGAIN) from error


def _unpacked(dataset: Any) -> np.ndarray:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None:
        # Old files state none; how their header was read is how their pixels are stored.
        implicit, little = dataset.original_encoding
        names = pydicom_module().uid
        plain = names.ImplicitVRLittleEndian if implicit else names.ExplicitVRLittleEndian
        syntax = plain if little else names.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = syntax
    if syntax.is_encapsulated:
        _check_streams(dataset)
    elif len(dataset.PixelData) < bytes_needed(dataset):
        raise UnusableFile("cut short (bytes of its pixels are missing)")
    layout = pixel_format(dataset)
    stored = int(dataset.get("BitsStored") or layout.allocated)
    high = int(dataset.get("HighBit") or stored - 1)
    if not 0 < stored <= layout.allocated or high != stored - 1:
        raise UnusableFile("damaged (the bits of its pixels are not where they can be)")
    if syntax.is_encapsulated and not syntax.name.startswith("RLE"):
        values = _decoded_by_gdcm(dataset)
    else:
        # pydicom would cut off what stands in other bits, see `_without_spare_bits`.
        dataset.BitsStored, dataset.HighBit = layout.allocated, layout.allocated - 1
        values = dataset.pixel_array
    values = values.reshape(frame_count(dataset), int(dataset.Rows), int(dataset.Columns))
    return _upright(_without_spare_bits(values, layout, stored), layout, stored)


def _without_spare_bits(values: np.ndarray, layout: PixelFormat, stored: int) -> np.ndarray:
    """Values as the bits that are in use say them (DICOM PS3.5, 8.1.1).

    Raises:
        ValueError: when other bits hold something, so that one of both must be wrong.
    """
    if stored == layout.allocated or values.dtype.kind not in "iu":
        return values
    wide = values.astype(np.int64)
    used = wide & ((1 << stored) - 1)
    proper = np.where(used >> (stored - 1), used - (1 << stored), used) if layout.signed else used
    if ((proper != wide) & (used != wide)).any():
        raise UnusableFile(f"damaged (its values do not fit into the {stored} bits it names)")
    return proper.astype(values.dtype)


def _upright(values: np.ndarray, layout: PixelFormat, stored: int) -> np.ndarray:
    """Values that are bright where the picture is bright (MONOCHROME1 is shown inverted)."""
    if layout.photometric != "MONOCHROME1":
        return values
    if layout.signed:
        return ~values
    return ((1 << stored) - 1 - values.astype(np.int64)).astype(values.dtype)


def _check_streams(dataset: Any) -> None:
    """Hold what each compressed image says of its own size against the header."""
    announced = (int(dataset.Rows), int(dataset.Columns), pixel_format(dataset).samples)
    run_length = dataset.file_meta.TransferSyntaxUID.name.startswith("RLE")
    for stream in _streams(dataset):
        if run_length:
            needed = bytes_needed(dataset) // frame_count(dataset)
            if run_length_size(stream) < needed:
                raise UnusableFile("cut short (its compressed pixels are too few)")
        else:
            found = stream_size(stream)
            if found is not None and found != announced:
                text = " x ".join(map(str, found[:2]))
                raise UnusableFile(f"damaged (its compressed image is of another size, {text})")


def _streams(dataset: Any) -> list[bytes]:
    """The compressed images of a file."""
    from pydicom.encaps import generate_frames

    count = frame_count(dataset)
    streams = list(generate_frames(dataset.PixelData, number_of_frames=count))
    if len(streams) != count:
        raise UnusableFile(f"cut short ({len(streams)} of {count} images are there)")
    return streams


def _decoded_by_gdcm(dataset: Any) -> np.ndarray:
    from pydicom.encaps import encapsulate

    slices = []
    syntax = dataset.file_meta.TransferSyntaxUID
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.dcm")
        for stream in _streams(dataset):
            _plain_file(dataset, encapsulate([stream])).save_as(path, enforce_file_format=True)
            try:
                image = _quietly_read(path)
            except RuntimeError as error:
                detail = str(error).strip().splitlines()[-1:]
                raise UnusableFile(
                    f"not to be decoded ({syntax.name}) {' '.join(detail)}"
                ) from error
            slices.append(sitk.GetArrayFromImage(image))
    return np.stack(slices)


def _plain_file(dataset: Any, pixels: bytes) -> Any:
    """A dataset with one image and no attribute but those that its decoder needs."""
    pydicom = pydicom_module()
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    plain = pydicom.dataset.FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    plain.SOPClassUID = meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    plain.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    for keyword in PIXEL_KEYWORDS:
        if keyword in dataset and keyword != "NumberOfFrames":
            setattr(plain, keyword, dataset.get(keyword))
    # GDCM inverts MONOCHROME1, which is done for all files alike in `_upright`.
    plain.PhotometricInterpretation = "MONOCHROME2"
    plain.PixelData = pixels
    plain["PixelData"].VR = "OB"
    plain["PixelData"].is_undefined_length = True
    return plain


def _quietly_read(path: Path) -> sitk.Image:
    """ITK prints warnings about spacing and tags; what matters of them is checked in `stack`."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return sitk.ReadImage(str(path), imageIO="GDCMImageIO")
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _on_grid(values: np.ndarray, grid: Grid) -> sitk.Image:
    if values.shape != grid.size[::-1]:
        raise InputError(
            f"A DICOM series holds {values.shape} pixels where its headers announce "
            f"{grid.size[::-1]}.",
            "Export it again.",
        )
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    image = sitk.GetImageFromArray(values)
    if grid.sheared:
        return _straightened(image, grid)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    return image


def _straightened(image: sitk.Image, grid: Grid) -> sitk.Image:
    """Resample a slanted stack, whose axes are no right angles, to a straight grid around it.

    ``image`` still has unit geometry, so its points are the indices of the stack.
    """
    direction = np.array(grid.direction).reshape(3, 3)
    axes = direction * np.array(grid.spacing)
    axes[:, 2] += direction[:, :2] @ np.array(grid.drift)
    total = np.array(grid.drift) * (grid.size[2] - 1)
    extra = np.ceil(np.abs(total) / np.array(grid.spacing[:2]) - 1e-3).astype(int)
    before = np.where(total < 0, extra, 0)
    origin = np.array(grid.origin) - direction[:, :2] @ (before * np.array(grid.spacing[:2]))
    to_index = sitk.AffineTransform(3)
    inverse = np.linalg.inv(axes)
    to_index.SetMatrix(inverse.ravel().tolist())
    to_index.SetTranslation((-inverse @ np.array(grid.origin)).tolist())
    size = [grid.size[0] + int(extra[0]), grid.size[1] + int(extra[1]), grid.size[2]]
    return sitk.Resample(
        sitk.Cast(image, sitk.sitkFloat32),
        size,
        to_index,
        sitk.sitkLinear,
        origin.tolist(),
        grid.spacing,
        grid.direction,
        0.0,
    )
