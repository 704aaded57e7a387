"""Reading scans and writing images: NIfTI, NRRD and MetaImage through ITK.

What ITK would read silently wrong (cut files, contradicting headers) or only after
filling the memory (huge files) is found beforehand, from the header.
"""

from __future__ import annotations

import gzip
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import SimpleITK as sitk

from BrainTumorSegLib.core.case import MAX_VOXELS, NiftiForms, Scan
from BrainTumorSegLib.core.errors import InputError, OutputError

from .atomic import atomic_path, explain_write_failure, full_suffix
from .formats import readable_suffix
from .geometry import check_geometry, check_placed, nifti_forms, require_orthogonal_axes
from .headers import Header, detached_data, nifti_header, read_header
from .integrity import check_whole
from .private_files import private_folder, private_name

#: Endings that `write_image` writes. Detached headers are left out on purpose: two
#: files cannot appear in one stroke.
WRITABLE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")

#: Bytes a voxel that working on a scan takes besides the scan itself (float32 copies).
_WORKING_BYTES = 8


def read_image(path: Path, warn: Callable[[str], None] | None = None) -> sitk.Image:
    """Read one 3D scalar image with its geometry (LPS, mm), in the file's own pixel type.

    A fourth axis of length one is dropped.

    Args:
        path: the file.
        warn: told what a reader of the result must know about the file.

    Raises:
        InputError: naming the file and the remedy, when it is missing, empty, cut
            short, damaged, too large, of an unknown format, not 3D, not scalar, or
            does not say for certain where its voxels lie.
    """
    return _warned(_read(path), warn).image


def read_vector_image(path: Path, warn: Callable[[str], None] | None = None) -> sitk.Image:
    """Like `read_image`, but a voxel may hold several values; the file's own fields are kept.

    Raises:
        InputError: as in `read_image`.
    """
    return _warned(_read(path, scalar=False), warn).image


def read_scan(path: Path) -> Scan:
    """Read one scan; its SHA-256 covers the file and, behind a detached header, its data file.

    Raises:
        InputError: as in `read_image`.
    """
    return _read(path)


def read_spacing(path: Path) -> tuple[float, ...]:
    """The size of the voxels of an image file in mm ``(x, y, z)``, from its header alone.

    Raises:
        InputError: as in `read_image`.
    """
    header = read_header(Path(path), readable_suffix(Path(path)))
    check_geometry(header)
    with private_name(header) as name, _itk_quiet():
        spacing: tuple[float, ...] = _reader(name, header).GetSpacing()
    return spacing


def _read(path: Path, scalar: bool = True) -> Scan:
    """Read an image file: what is checked, read and hashed is one and the same file."""
    path = Path(path)
    header = read_header(path, readable_suffix(path))
    warnings = check_geometry(header)
    with private_name(header) as name, _itk_quiet():
        reader = _reader(name, header)
        if scalar:
            _check_dimensions(reader, path)
        _check_size(reader, path)
        warnings += check_whole(header)
        image = _execute(reader, path)
        digest = _digest(header.files)
    if image.GetDimension() != 3:
        raise InputError(
            f"{path} has {image.GetDimension()} dimensions, not 3.", "Give a 3D segmentation."
        )
    require_orthogonal_axes(image.GetDirection(), path)
    warnings += check_placed(image, header)
    return Scan(
        image=image,
        source=str(path),
        sha256=digest,
        forms=nifti_forms(header),
        warnings=warnings,
    )


def _warned(scan: Scan, warn: Callable[[str], None] | None) -> Scan:
    if warn is not None:
        for text in scan.warnings:
            warn(text)
    return scan


def write_image(
    image: sitk.Image, path: Path, overwrite: bool = False, forms: NiftiForms | None = None
) -> None:
    """Write an image, compressed where the format allows it; it appears whole or not at all.

    Args:
        image: what to write.
        path: the file; its ending tells the format.
        overwrite: whether an existing file may be replaced.
        forms: both places of the scan on whose voxels the image lies: a NIfTI file gets
            both, so that it lies on the scan in every program. Others hold one place only.

    Raises:
        OutputError: naming the file and the remedy.
    """
    path = Path(path)
    if full_suffix(path) not in WRITABLE_SUFFIXES:
        raise OutputError(
            f"{path} has an ending that is not written here.",
            f"Use one of {', '.join(WRITABLE_SUFFIXES)}.",
        )
    suffix = full_suffix(path)
    with (
        atomic_path(path, overwrite) as temporary,
        private_folder(temporary.parent) as folder,
        _itk_quiet(),
    ):
        try:
            sitk.WriteImage(image, str(folder / temporary.name), useCompression=suffix != ".nii")
            if forms is not None and suffix in (".nii", ".nii.gz"):
                _set_forms(temporary, forms)
            # ITK's NIfTI writer reports no error when the disk runs full.
            check_whole(read_header(temporary, suffix))
        except (RuntimeError, InputError) as error:
            raise explain_write_failure(path, error) from error


def _set_forms(path: Path, forms: NiftiForms) -> None:
    """Give a NIfTI file that ITK wrote both places instead of one."""
    header = nifti_header(path)
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    header.set_qform(to_ras @ forms.qform, forms.qform_code)
    header.set_sform(to_ras @ forms.sform, forms.sform_code)
    packed = path.name.endswith(".gz")
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    content = header.binaryblock + content[len(header.binaryblock) :]
    path.write_bytes(gzip.compress(content, 6) if packed else content)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits, followed by its data file if it has one apart.

    Raises:
        InputError: when the file cannot be read.
    """
    path = Path(path)
    return _digest(filter(None, (path, detached_data(path))))


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for part in files:
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
def _itk_quiet() -> Iterator[None]:
    """Keep ITK from printing warnings to the terminal; what matters of them is checked here."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _reader(name: Path, header: Header) -> sitk.ImageFileReader:
    """A reader that has read the header of the file under its private name."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(name))
    try:
        reader.ReadImageInformation()
    except Exception as error:
        check_whole(header)  # tells more than ITK, where damage is the reason
        raise _unreadable(header.path, error, name) from error
    found = math.prod(reader.GetSize()) * reader.GetNumberOfComponents()
    # numpy counts a colour or a complex number as one value, ITK as several.
    if header.dtype.kind in "iuf" and found != math.prod(header.size) * header.channels:
        raise InputError(
            f"The header of {header.path} contradicts itself: ITK finds {found} values in it.",
            "Copy, download or export it again.",
        )
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
    except Exception as error:
        raise _unreadable(path, error, reader.GetFileName()) from error


def _unreadable(path: Path, error: BaseException, name: str | Path) -> InputError:
    text = " ".join(str(error).split()).replace(str(name), str(path))
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
