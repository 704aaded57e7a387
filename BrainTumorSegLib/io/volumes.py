"""Reading scans and writing images: NIfTI, NRRD and MetaImage through ITK.

What ITK would read silently wrong (cut files, contradicting headers) or only after
filling the memory (huge files) is found beforehand, from the header.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import SimpleITK as sitk

from BrainTumorSegLib.core.case import MAX_VOXELS, Scan
from BrainTumorSegLib.core.errors import InputError, OutputError

from .atomic import atomic_path, explain_write_failure, full_suffix
from .formats import readable_suffix
from .geometry import check_geometry, require_orthogonal_axes
from .headers import detached_data
from .integrity import check_whole

#: Endings that `write_image` writes. Detached headers are left out on purpose: two
#: files cannot appear in one stroke.
WRITABLE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")

#: Bytes a voxel that working on a scan takes besides the scan itself (float32 copies).
_WORKING_BYTES = 8


def read_image(path: Path) -> sitk.Image:
    """Read one 3D scalar image with its geometry (LPS, mm), in the file's own pixel type.

    A fourth axis of length one is dropped.

    Raises:
        InputError: naming the file and the remedy, when it is missing, empty, cut
            short, damaged, too large, of an unknown format, not 3D, not scalar, or
            does not say for certain where its voxels lie.
    """
    path = Path(path)
    suffix = readable_suffix(path)
    check_geometry(path, suffix)
    with _itk_warnings_off():
        reader = _read_header(path, suffix)
        _check_dimensions(reader, path)
        _check_size(reader, path)
        check_whole(path, suffix)
        image = _execute(reader, path)
    require_orthogonal_axes(image.GetDirection(), path)
    return image


def read_vector_image(path: Path) -> sitk.Image:
    """Like `read_image`, but a voxel may hold several values; the file's own fields are kept.

    Raises:
        InputError: as in `read_image`.
    """
    path = Path(path)
    suffix = readable_suffix(path)
    with _itk_warnings_off():
        reader = _read_header(path, suffix)
        _check_size(reader, path)
        check_whole(path, suffix)
        image = _execute(reader, path)
    if image.GetDimension() != 3:
        raise InputError(
            f"{path} has {image.GetDimension()} dimensions, not 3.", "Give a 3D segmentation."
        )
    require_orthogonal_axes(image.GetDirection(), path)
    return image


def read_scan(path: Path) -> Scan:
    """Read one scan; its SHA-256 covers the file and, behind a detached header, its data file.

    Raises:
        InputError: as in `read_image`.
    """
    path = Path(path)
    return Scan(image=read_image(path), source=str(path), sha256=file_sha256(path))


def header_warnings(path: Path) -> tuple[str, ...]:
    """What a reader of the result must know about the header of an image file.

    Raises:
        InputError: when the header does not say for certain where the voxels lie.
    """
    path = Path(path)
    return check_geometry(path, readable_suffix(path))


def write_image(image: sitk.Image, path: Path, overwrite: bool = False) -> None:
    """Write an image, compressed where the format allows it; it appears whole or not at all.

    Raises:
        OutputError: naming the file and the remedy.
    """
    path = Path(path)
    if full_suffix(path) not in WRITABLE_SUFFIXES:
        raise OutputError(
            f"{path} has an ending that is not written here.",
            f"Use one of {', '.join(WRITABLE_SUFFIXES)}.",
        )
    with atomic_path(path, overwrite) as temporary, _itk_warnings_off():
        try:
            sitk.WriteImage(image, str(temporary), useCompression=full_suffix(path) != ".nii")
            # ITK's NIfTI writer reports no error when the disk runs full.
            check_whole(temporary, full_suffix(path))
        except (RuntimeError, InputError) as error:
            raise explain_write_failure(path, error) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits, followed by its data file if it has one apart.

    Raises:
        InputError: when the file cannot be read.
    """
    path = Path(path)
    digest = hashlib.sha256()
    for part in filter(None, (path, detached_data(path))):
        try:
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise InputError(
                f"{part} cannot be read: {error.strerror}.", "Check the path and your rights."
            ) from error
    return digest.hexdigest()


@contextmanager
def _itk_warnings_off() -> Iterator[None]:
    """Keep ITK from printing warnings to the terminal; what matters of them is checked here."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _read_header(path: Path, suffix: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        check_whole(path, suffix)  # tells more than ITK, where damage is the reason
        raise _unreadable(path, error) from error
    return reader


def _check_dimensions(reader: sitk.ImageFileReader, path: Path) -> None:
    """Accept 3D, and 4D of one time point, which is then read as 3D."""
    size = reader.GetSize()
    if math.prod(size) == 0:
        raise InputError(f"{path} is empty (size {_times(size)}).", "Export it again.")
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if "complex" in kind:
        raise InputError(f"{path} holds complex numbers.", "Give the magnitude image.")
    if reader.GetNumberOfComponents() != 1:
        raise InputError(
            f"{path} has {reader.GetNumberOfComponents()} values a voxel (colour, vector).",
            "Give the original scalar scan, not a colour picture.",
        )
    if len(size) == 4 and size[3] == 1:
        reader.SetExtractSize([*size[:3], 0])
    elif len(size) >= 4:
        raise InputError(
            f"{path} has {len(size)} dimensions ({_times(size)}), not 3.",
            "Extract one 3D volume (one time point) from it.",
        )
    elif len(size) < 3:
        raise InputError(
            f"{path} is a single 2D picture ({_times(size)}).", "Give the whole 3D volume."
        )


def _check_size(reader: sitk.ImageFileReader, path: Path) -> None:
    """Refuse, from the header alone, what is too large for any head or for this computer."""
    voxels = math.prod(reader.GetSize())
    if voxels > MAX_VOXELS:
        raise InputError(
            f"{path} is too large ({_times(reader.GetSize())} voxels).",
            "Resample it to 0.4 mm or coarser.",
        )
    width = sitk.Image([1, 1], reader.GetPixelID(), reader.GetNumberOfComponents())
    needed = voxels * (
        width.GetSizeOfPixelComponent() * reader.GetNumberOfComponents() + _WORKING_BYTES
    )
    available = psutil.virtual_memory().available
    if needed > available:
        raise InputError(
            f"{path} needs {needed / 2**30:.1f} GB of memory, but only "
            f"{available / 2**30:.1f} GB are free.",
            "Close other programs, resample the scan, or use a computer with more memory.",
        )


def _execute(reader: sitk.ImageFileReader, path: Path) -> sitk.Image:
    try:
        return reader.Execute()
    except (RuntimeError, MemoryError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> InputError:
    text = " ".join(str(error).split())
    if "orthonormal" in text or "determinant" in text or "Zero-valued spacing" in text:
        return InputError(
            f"{path} has voxel axes that are skewed, empty or not finite.",
            "Resample it onto a straight grid, or convert it from DICOM again.",
        )
    if isinstance(error, MemoryError) or "allocat" in text.lower():
        return InputError(f"There is not enough memory to read {path}.", "Close other programs.")
    reason = text.rpartition("ERROR: ")[2] or type(error).__name__
    return InputError(f"{path} cannot be read ({reason[:300]}).", "Export or download it again.")


def _times(size: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in size)
