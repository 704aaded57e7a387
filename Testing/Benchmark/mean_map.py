"""The mean map of a head's anatomy, made of label maps of healthy heads.

Label maps with FreeSurfer's numbers, such as the training labels of SynthSeg (Apache-2.0):

    python Testing/Benchmark/mean_map.py --heads DATA/synthseg_head_labels \
        --output Resources/Anatomy/mean_map.npz

Each head is drawn with one brightness a tissue and brought onto the mean of all by an affine
registration, twice; the first mean is one head and its mirror image. In the end every map
and its mirror image count, so that the middle of the map is the plane between the hemispheres,
and one half of it is all that need be kept: the one to the patient's left. Voxels of 2 mm; for
each structure the share of heads that have it there, 0 to 255.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.io.folders import image_files
from BrainTumorSegLib.io.volumes import read_image
from BrainTumorSegLib.measurement.mean_map import (
    BRAIN,
    MIDDLE,
    STRUCTURES,
    TISSUE,
    map_grid,
)

#: Brightness of drawn tissue, as on T1: fluid dark, white matter bright.
_BRIGHT = {
    **dict.fromkeys((2, 41, 7, 46), 110),
    **dict.fromkeys((16, 28, 60, 13, 52, 10, 49), 95),
    **dict.fromkeys((3, 42, 8, 47, 11, 50, 12, 51, 17, 53, 18, 54, 26, 58), 75),
    **dict.fromkeys((4, 43, 5, 44, 14, 15, 24, 72), 20),
}
_PASSES = 2


def main() -> int:
    """Make the map and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heads", type=Path, required=True, help="folder of label maps")
    parser.add_argument("--leave-out", type=int, help="number of a head to leave out")
    parser.add_argument("--output", type=Path, required=True, help="a new .npz file")
    args = parser.parse_args()
    paths = image_files(args.heads)
    if not paths:
        parser.error(f"{args.heads} holds no label map")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    heads = [coarse(read_image(p)) for n, p in enumerate(paths) if n != args.leave_out]
    np.savez_compressed(args.output, **mean_map(heads))
    print(f"{len(heads)} heads, {args.output.stat().st_size / 1024:.0f} KB")
    return 0


def coarse(labels: sitk.Image) -> sitk.Image:
    """A label map on cubes of 2 mm, around its brain."""
    brain = sitk.Cast(labels, sitk.sitkInt16)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(sitk.Cast((brain > 0) & (brain < 100), sitk.sitkUInt8))
    grid = map_grid()
    grid.SetOrigin(np.add(grid.GetOrigin(), shape.GetCentroid(1)).tolist())
    return sitk.Resample(brain, grid, sitk.Transform(), sitk.sitkNearestNeighbor)


def drawn(labels: sitk.Image) -> sitk.Image:
    """One brightness a tissue; nothing outside the brain."""
    values = sitk.GetArrayViewFromImage(labels)
    table = np.zeros(int(values.max()) + 1, np.float32)
    for label, bright in _BRIGHT.items():
        if label < len(table):
            table[label] = bright
    return like(ndimage.gaussian_filter(table[values], 0.5), labels)


def like(values: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """An image of values on a grid."""
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(grid)
    return image


def mean_map(heads: list[sitk.Image]) -> dict[str, np.ndarray]:
    """The left half of the map, by structure, ``[slice, row, column]`` from the middle outwards."""
    pictures = [drawn(head) for head in heads]
    grid = map_grid()
    shift = sitk.TranslationTransform(3, np.subtract(pictures[0].GetOrigin(), grid.GetOrigin()))
    mean = symmetric(sitk.GetArrayFromImage(sitk.Resample(pictures[0], grid, shift)))
    transforms: list[sitk.Transform] = []
    for number in range(_PASSES):
        fixed = like(mean.astype(np.float32), grid)
        transforms = [
            registered(fixed, picture, transforms[n] if transforms else None)
            for n, picture in enumerate(pictures)
        ]
        moved = [
            sitk.GetArrayFromImage(sitk.Resample(picture, grid, transform))
            for picture, transform in zip(pictures, transforms, strict=True)
        ]
        mean = symmetric(np.mean(moved, axis=0))
        print(f"pass {number + 1} of {_PASSES}", file=sys.stderr)
    carried = [
        sitk.GetArrayFromImage(sitk.Resample(head, grid, t, sitk.sitkNearestNeighbor))
        for head, t in zip(heads, transforms, strict=True)
    ]
    wanted = {**STRUCTURES, BRAIN: None}
    shares = {}
    for name, numbers in wanted.items():
        inside = [(c > 0) & (c < 100) if numbers is None else np.isin(c, numbers) for c in carried]
        shares[name] = np.round(255 * symmetric(np.mean(inside, axis=0))).astype(np.uint8)
    shares[TISSUE] = np.round(mean).clip(0, 255).astype(np.uint8) // 2 * 2
    return {name: share[:, :, MIDDLE:] for name, share in shares.items()}


def symmetric(values: np.ndarray) -> np.ndarray:
    """The mean with the mirror image, about the plane between the two middle columns."""
    return (values + values[:, :, ::-1]) / 2


def registered(
    fixed: sitk.Image, moving: sitk.Image, start: sitk.Transform | None
) -> sitk.Transform:
    """The affine transform that takes points of the map to points of a head."""
    if start is None:
        start = sitk.CenteredTransformInitializer(
            fixed, moving, sitk.AffineTransform(3), sitk.CenteredTransformInitializerFilter.MOMENTS
        )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.06)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 0.01, 40)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([1, 0])
    found = sitk.AffineTransform(start)
    method.SetInitialTransform(found, inPlace=True)
    method.Execute(fixed, moving)
    return found


if __name__ == "__main__":
    sys.exit(main())
