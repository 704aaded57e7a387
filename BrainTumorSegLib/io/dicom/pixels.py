"""The pixels of a series as a SimpleITK image, decoded by GDCM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError

from .headers import Frame, pydicom_module, read_dataset
from .series import Series
from .stack import Grid


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
    if any(frame.index is not None for frame in series.frames):
        values = _multi_frame_values(series.frames)
    else:
        values = _classic_values(series.frames)
    return _on_grid(values, series.grid)


def _classic_values(frames: Sequence[Frame]) -> np.ndarray:
    paths = [str(frame.path) for frame in frames]
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(paths)
    # ITK takes the pixel type of the first file for all; rescaled values need fractions.
    if any(frame.rescale != (1.0, 0.0) for frame in frames):
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        image = _quietly(reader.Execute)
    except RuntimeError as error:
        for path in dict.fromkeys(frame.path for frame in frames):
            _read_file(path)
        raise InputError(
            f"The DICOM files of {frames[0].path.parent} cannot be read together: {error}",
            "Export the series again.",
        ) from error
    return sitk.GetArrayFromImage(image)


def _multi_frame_values(frames: Sequence[Frame]) -> np.ndarray:
    slices: list[np.ndarray] = []
    loaded: dict[Path, np.ndarray] = {}
    for frame in frames:
        if frame.path not in loaded:
            same_file = [f for f in frames if f.path == frame.path]
            loaded[frame.path] = _file_values(frame.path, same_file)
        slices.append(loaded[frame.path][frame.index or 0])
    return np.stack(slices)


def _file_values(path: Path, frames: Sequence[Frame]) -> np.ndarray:
    """All frames of a file as ``[frame, row, column]``, rescaled."""
    if len({frame.rescale for frame in frames}) > 1:
        return _separately_rescaled(path, frames)
    values = sitk.GetArrayFromImage(_read_file(path))
    values = values.reshape(-1, frames[0].rows, frames[0].columns)
    return values if frames[0].rescale == (1.0, 0.0) else values.astype(np.float32)


def _separately_rescaled(path: Path, frames: Sequence[Frame]) -> np.ndarray:
    """GDCM applies one slope to a whole file; where frames have their own, pydicom decodes."""
    try:
        stored = pydicom_module().dcmread(path, force=True).pixel_array
    except (RuntimeError, NotImplementedError, ValueError, AttributeError) as error:
        raise _undecodable(path, error) from error
    values = stored.astype(np.float32)
    for frame in frames:
        slope, intercept = frame.rescale
        values[frame.index or 0] = values[frame.index or 0] * slope + intercept
    return values


def _read_file(path: Path) -> sitk.Image:
    try:
        return _quietly(lambda: sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
    except RuntimeError as error:
        raise _undecodable(path, error) from error


def _undecodable(path: Path, error: Exception) -> InputError:
    dataset = read_dataset(path, stop_before_pixels=False)
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    missing = _missing_bytes(dataset, syntax)
    if missing > 0:
        return InputError(
            f"The DICOM file {path} is cut short: {missing} bytes of its pixels are missing.",
            "Copy or export it again.",
        )
    kind = f" (transfer syntax {syntax.name})" if syntax is not None else ""
    detail = str(error).strip().splitlines()
    return InputError(
        f"The DICOM file {path}{kind} cannot be decoded{': ' + detail[-1] if detail else ''}.",
        "Export it again, uncompressed if the archive offers that.",
    )


def _missing_bytes(dataset: Any, syntax: Any) -> int:
    """How many bytes of pixel data an uncompressed file lacks; 0 or less when it is whole."""
    if syntax is not None and syntax.is_compressed:
        return 0
    factors = ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel")
    pixels = prod(int(dataset.get(keyword) or 1) for keyword in factors)
    expected = pixels * int(dataset.get("BitsAllocated") or 16) // 8
    return expected - len(dataset.get("PixelData", b""))


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


def _quietly(read: Callable[[], sitk.Image]) -> sitk.Image:
    """ITK prints warnings about spacing and tags; what matters of them is checked in `stack`."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return read()
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
