"""From scans as the scanner made them to what the peers expect, as people commonly write it.

T1 and FLAIR are registered rigidly to T1CE with SimpleITK, deepbet finds the brain on T1CE,
and everything outside it becomes zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import SimpleITK as sitk
from stopwatch import Stopwatch


def prepare(scans: Mapping[str, Path], folder: Path, stopwatch: Stopwatch) -> dict[str, Path]:
    """Write registered scans without skull, on the grid of T1CE, into ``folder``."""
    with stopwatch.stage("read"):
        images = {name: sitk.ReadImage(str(path), sitk.sitkFloat32) for name, path in scans.items()}
    reference = images["t1ce"]
    with stopwatch.stage("register"):
        for name in ("t1", "flair"):
            transform = _rigid(reference, images[name])
            images[name] = sitk.Resample(images[name], reference, transform, sitk.sitkLinear, 0.0)
    with stopwatch.stage("brain"):
        from deepbet import run_bet

        head, mask = folder / "head.nii.gz", folder / "mask.nii.gz"
        sitk.WriteImage(reference, str(head))
        run_bet([str(head)], mask_paths=[str(mask)], no_gpu=True, skip_broken=False)
        brain = sitk.Resample(
            sitk.ReadImage(str(mask), sitk.sitkUInt8),
            reference,
            sitk.Transform(3, 1),
            sitk.sitkNearestNeighbor,
        )
        paths = {name: folder / f"{name}.nii.gz" for name in images}
        for name, image in images.items():
            sitk.WriteImage(sitk.Mask(image, brain), str(paths[name]))
    return paths


def _rigid(fixed: sitk.Image, moving: sitk.Image) -> sitk.Transform:
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.05, 0)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescent(1.0, 100, 1e-6, 10)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=False)
    return method.Execute(fixed, moving)
