"""Rigid registration with SimpleITK, for machines that have no BRAINSFit.

Mattes mutual information (Mattes et al., IEEE Transactions on Medical Imaging 2003)
over the head, from coarse to fine, by gradient descent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import RegistrationError
from BrainTumorSegLib.core.progress import CancelToken

from .head import Head

#: Background around the head that takes part, as BRAINSFit's ROIAutoDilateSize.
MASK_MARGIN_MM = 6.0


@dataclass(frozen=True)
class Level:
    """One resolution of the registration.

    Attributes:
        grid_mm: side of the cubes on which both scans are sampled.
        smoothing_mm: standard deviation of the Gaussian smoothing.
        sampling: share of the reference's voxels in the mask that are used.
        bins: of each side of the joint histogram.
        step_mm: first step; it shrinks whenever the gradient turns.
        iterations: at most.
    """

    grid_mm: float
    smoothing_mm: float
    sampling: float
    bins: int
    step_mm: float
    iterations: int


#: The coarse levels find the place from far away; the last one, unsmoothed, settles it
#: (measured on 1 mm scans: mean landmark error 0.4 mm after the second, 0.15 mm after the third).
LEVELS = (
    Level(grid_mm=6.0, smoothing_mm=4.0, sampling=1.0, bins=32, step_mm=2.0, iterations=100),
    Level(grid_mm=3.0, smoothing_mm=2.0, sampling=0.4, bins=32, step_mm=1.0, iterations=100),
    Level(grid_mm=2.0, smoothing_mm=0.0, sampling=0.2, bins=32, step_mm=0.5, iterations=60),
)


def parameters() -> dict[str, Any]:
    """What decides the outcome, in plain JSON, for the record of an attempt."""
    return {
        "metric": "Mattes mutual information",
        "optimiser": "regular step gradient descent",
        "levels": [asdict(level) for level in LEVELS],
    }


def register(
    fixed: Head,
    moving: Head,
    start: sitk.VersorRigid3DTransform,
    cancel: CancelToken | None = None,
    seed: int = 0,
) -> sitk.VersorRigid3DTransform:
    """Register the moving to the fixed head, from the given start.

    The same input and seed give the same transform bit by bit, whatever the number
    of processor cores.

    Returns:
        The rigid transform from points of the fixed to points of the moving scan.

    Raises:
        RegistrationError: when the optimiser gives up, for example because the
            scans do not overlap from this start.
        Cancelled: once ``cancel`` was asked for, between two iterations.
    """
    transform = sitk.VersorRigid3DTransform(start)
    around = sitk.BinaryDilate(
        fixed.mask, [max(1, round(MASK_MARGIN_MM / s)) for s in fixed.mask.GetSpacing()]
    )
    for level in LEVELS:
        _descend(fixed.image, moving.image, around, transform, level, cancel, seed)
    return transform


def _descend(
    fixed: sitk.Image,
    moving: sitk.Image,
    mask: sitk.Image,
    transform: sitk.VersorRigid3DTransform,
    level: Level,
    cancel: CancelToken | None,
    seed: int,
) -> None:
    """Improve the transform in place at one resolution."""
    target, source = (_sampled(i, level.grid_mm, level.smoothing_mm) for i in (fixed, moving))
    method = sitk.ImageRegistrationMethod()
    # Sums shared among threads differ in the last digits from run to run.
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)
    method.SetMetricAsMattesMutualInformation(level.bins)
    method.SetMetricFixedMask(
        sitk.Resample(mask, target, sitk.Transform(), sitk.sitkNearestNeighbor)
    )
    method.SetMetricSamplingStrategy(method.RANDOM if level.sampling < 1 else method.NONE)
    # SimpleITK takes a seed of 0 for the time of day.
    method.SetMetricSamplingPercentage(level.sampling, seed + 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=level.step_mm,
        minStep=1e-3,
        numberOfIterations=level.iterations,
        relaxationFactor=0.6,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    if cancel is not None:
        method.AddCommand(sitk.sitkIterationEvent, lambda: cancel.cancelled and method.Abort())
    try:
        method.Execute(target, source)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise RegistrationError(f"SimpleITK gave up: {reason}") from error
    finally:
        method.RemoveAllCommands()
    if cancel is not None:
        cancel.raise_if_cancelled()


def _sampled(image: sitk.Image, spacing: float, smoothing: float) -> sitk.Image:
    """The image smoothed and on a grid of cubes over the same box."""
    if smoothing > 0:
        image = sitk.SmoothingRecursiveGaussian(image, smoothing)
    extent = np.array(image.GetSize()) * np.array(image.GetSpacing())
    size = np.maximum(4, np.ceil(extent / spacing)).astype(int)
    # The first cube begins where the first voxel does.
    inset = (np.full(3, spacing) - np.array(image.GetSpacing())) / 2
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return sitk.Resample(
        image,
        size.tolist(),
        sitk.Transform(),
        sitk.sitkLinear,
        (np.array(image.GetOrigin()) + direction @ inset).tolist(),
        [spacing] * 3,
        image.GetDirection(),
        0.0,
        sitk.sitkFloat32,
    )
