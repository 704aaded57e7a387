"""Where in the brain a tumour lies: side, midline, ventricles, deep structures, midline shift.

The mean map of `mean_map` is brought onto the patient by an affine transform (Mattes mutual
information, tumour left out); everything is measured in the patient's own space. The map says in
how many heads a voxel belongs to a structure: that spread is what the words *touches* and *may
touch* and the ranges of distances stand for. What a tumour has pushed aside is looked for where it
usually lies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.masks import mask_box, mask_volume_ml

from .mean_map import BRAIN, STRUCTURES, TISSUE, mean_map

#: Cubes in mm on which is measured, and the room around the brain.
GRID_MM, _MARGIN_MM = 2.0, 8.0

#: Share of heads from which on a structure is touched, may be touched, and surely is there.
TOUCHED, MAY_BE_TOUCHED, SURE = 0.5, 0.15, 0.85

#: Fewer voxels than these (64 mm3) together are an accident of the fit.
_TOUCHING = 8

#: A brain with its fluid that is smaller is not all of an adult's.
MIN_BRAIN_ML = 900.0

#: Brains whose Dice with that of the map is smaller are not what the map shows.
MIN_OVERLAP = 0.8

#: A tumour with less than this share on the other side lies on one side.
_BOTH_SIDES = 0.1

#: What a shift of the midline is looked for in: around the inner ventricles and thalami, mm.
_INNER_MM = 11.0
#: So far to the sides lies what a tumour may push: the middle is fitted without it.
_DEEP_MM = 40.0
_LARGEST_SHIFT_MM = 14
_LEAST_FREE = 0.6

#: Structures whose touching is told: all that lie deep.
DEEP = tuple(name for name in STRUCTURES if name not in ("cerebrum", "ventricles"))

#: Of both sides together.
_UNPAIRED = ("brainstem", "ventricles")


def find_place(labels: sitk.Image, brain: sitk.Image, scan: sitk.Image) -> dict[str, Any] | None:
    """Tell where the tumour lies, in plain JSON types as it stands in a record.

    Args:
        labels: values of `Tissue`, in space as LPS; any grid, orientation and slice thickness.
        brain: mask on the same grid.
        scan: of the same head, in the same space, for example T1CE.

    Returns:
        None where there is no tumour, or the brain is not like that of the map (parts of it
        missing), so that nothing can be told. Else ``side`` (left, right or both: the
        patient's), ``left_share`` of the volume, ``midline_mm`` (0 where the tumour crosses it),
        ``ventricles_mm`` with ``ventricles_range_mm``, ``touches`` (structure, ``side``,
        ``share`` of heads), ``midline_shift_mm`` (to the left; None where it cannot be told), and
        ``fit`` (Dice of the brain with the map's).
    """
    tumor = labels > 0
    found = bool(np.any(sitk.GetArrayViewFromImage(tumor)))
    if not found or mask_volume_ml(brain) < MIN_BRAIN_ML:
        return None
    grid = _cubes(brain, GRID_MM)
    nearest = sitk.sitkNearestNeighbor
    inside, lesion = (
        sitk.Resample(sitk.Cast(mask > 0, sitk.sitkUInt8), grid, interpolator=nearest)
        for mask in (brain, tumor)
    )
    where = sitk.GetArrayFromImage(lesion) > 0
    if not where.any():
        return None
    values = sitk.Resample(sitk.Cast(scan, sitk.sitkFloat32), grid)
    values = sitk.Mask(values, inside)
    try:
        transform, outer_fit = _onto_map(values, inside, lesion)
    except RuntimeError:  # SimpleITK gives up: the two do not overlap
        return None
    shares = {
        name: sitk.GetArrayFromImage(sitk.Resample(image, grid, transform))
        for name, image in mean_map().items()
    }
    fit = _dice(sitk.GetArrayViewFromImage(inside) > 0, shares[BRAIN] >= 0.5)
    if fit < MIN_OVERLAP:
        return None
    left = _left_of_middle(grid, outer_fit)
    ventricles = _distances(where, shares["ventricles"])
    outer = left[where]
    left_share = float((outer > 0).mean())
    crosses = outer.min() < -GRID_MM and outer.max() > GRID_MM
    both = min(left_share, 1 - left_share) >= _BOTH_SIDES
    return {
        "side": "both" if both else "left" if left_share > 0.5 else "right",
        "left_share": round(left_share, 3),
        "midline_mm": 0.0 if crosses else round(float(np.abs(outer).min()), 1),
        "ventricles_mm": ventricles[1],
        "ventricles_range_mm": [ventricles[0], ventricles[2]],
        "touches": _touched(where, shares, left),
        "midline_shift_mm": _shift(values, inside, where, outer_fit),
        "fit": round(fit, 3),
    }


def _cubes(brain: sitk.Image, side: float) -> sitk.Image:
    """An empty grid of cubes along the body's axes, around the brain."""
    box = mask_box(brain).cut(brain)
    last = [n - 0.5 for n in box.GetSize()]
    corners = np.array(
        [
            box.TransformContinuousIndexToPhysicalPoint(
                [end if bit else -0.5 for end, bit in zip(last, bits, strict=True)]
            )
            for bits in np.ndindex(2, 2, 2)
        ]
    )
    low, high = corners.min(axis=0) - _MARGIN_MM, corners.max(axis=0) + _MARGIN_MM
    size = np.ceil((high - low) / side).astype(int)
    grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
    grid.SetSpacing([side] * 3)
    grid.SetOrigin((low + side / 2).tolist())
    return grid


def _onto_map(
    values: sitk.Image, inside: sitk.Image, lesion: sitk.Image
) -> tuple[sitk.AffineTransform, sitk.AffineTransform]:
    """What takes points of the patient to points of the map: of all of the brain, and outside.

    The second leaves out what lies deep, which a tumour may have pushed to a side, so that the
    middle is that of the skull, with the fissure between the hemispheres at its ends.
    """
    brain = np.argwhere(sitk.GetArrayViewFromImage(inside) > 0)[:, ::-1]
    origin, spacing = np.array(values.GetOrigin()), np.array(values.GetSpacing())
    center = origin + spacing * brain.mean(axis=0)
    known = mean_map()[BRAIN]
    mapped = np.argwhere(sitk.GetArrayViewFromImage(known) >= 0.5)[:, ::-1]
    goal = np.array(known.GetOrigin()) + np.array(known.GetSpacing()) * mapped.mean(axis=0)
    volume = len(mapped) * np.prod(known.GetSpacing()) / (len(brain) * np.prod(spacing))
    transform = sitk.AffineTransform(3)
    transform.SetCenter(center.tolist())
    transform.SetTranslation((goal - center).tolist())
    transform.Scale(float(volume ** (1 / 3)))
    around = sitk.BinaryDilate(lesion, [2, 2, 2])
    free = sitk.And(sitk.BinaryDilate(inside, [2, 2, 2]), sitk.Not(around))
    for shrink, smooth, step, count in ((3, 3.0, 2.0, 40), (2, 1.5, 1.0, 40)):
        _descend(values, free, transform, shrink, smooth, step, count)
    outer_fit = sitk.AffineTransform(transform)
    low, high = _inner_box()
    low[0], high[0] = -_DEEP_MM, _DEEP_MM
    index = np.argwhere(np.ones(values.GetSize()[::-1], bool))
    mapped = _mapped(origin + index[:, ::-1] * spacing, transform)
    outside = ~((mapped > low - _MARGIN_MM) & (mapped < high + _MARGIN_MM)).all(axis=1)
    mask = sitk.GetImageFromArray(outside.reshape(values.GetSize()[::-1]).astype(np.uint8))
    mask.CopyInformation(free)
    _descend(values, sitk.And(free, mask), outer_fit, 3, 2.0, 1.0, 40)
    return transform, outer_fit


def _descend(
    values: sitk.Image,
    free: sitk.Image,
    transform: sitk.AffineTransform,
    shrink: int,
    smooth: float,
    step: float,
    iterations: int,
) -> None:
    """Improve the transform in place on coarser voxels."""
    fixed, moving = (
        sitk.SmoothingRecursiveGaussian(image, smooth) for image in (values, mean_map()[TISSUE])
    )
    method = sitk.ImageRegistrationMethod()
    # Sums shared among threads differ in the last digits from run to run.
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(sitk.Shrink(free, [shrink] * 3))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(step, 0.01, iterations, 0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(sitk.Shrink(fixed, [shrink] * 3), moving)


def _mapped(points: np.ndarray, transform: sitk.AffineTransform) -> np.ndarray:
    """Points ``[point, x y z]`` of the patient in the map."""
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    center, offset = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    return (points - center) @ matrix.T + center + offset


def _left_of_middle(grid: sitk.Image, transform: sitk.AffineTransform) -> np.ndarray:
    """How many mm of the patient each voxel ``[slice, row, column]`` lies left of the midline."""
    row = np.array(transform.GetMatrix()).reshape(3, 3)[0]
    first = _mapped(np.array([grid.GetOrigin()]), transform)[0, 0]
    steps = [s * r for s, r in zip(grid.GetSpacing(), row, strict=True)]
    z, y, x = (np.arange(n, dtype=float) for n in reversed(grid.GetSize()))
    across = first + z[:, None, None] * steps[2] + y[:, None] * steps[1] + x * steps[0]
    return across / np.linalg.norm(row)


def _distances(where: np.ndarray, share: np.ndarray) -> list[float | None]:
    """Nearest, usual and farthest distance in mm of the tumour from a structure."""
    away = ndimage.distance_transform_edt(~where, GRID_MM)
    found: list[float | None] = []
    for least in (MAY_BE_TOUCHED, TOUCHED, SURE):
        there = share >= least
        # From edge to edge, not from middle to middle.
        nearest = max(0.0, float(away[there].min()) - GRID_MM) if there.any() else None
        found.append(None if nearest is None else round(nearest, 1))
    return found


def _touched(
    where: np.ndarray, shares: Mapping[str, np.ndarray], left: np.ndarray
) -> list[dict[str, Any]]:
    """Deep structures at the tumour, the surest first."""
    at = ndimage.binary_dilation(where)
    found = []
    for name in (*DEEP, "ventricles"):
        sides = {"left": at & (left > 0), "right": at & (left <= 0)}
        if name in _UNPAIRED:
            sides = {"both": at}
        for side, place in sides.items():
            highest = np.sort(shares[name][place])[-_TOUCHING:]
            share = float(highest[0]) if len(highest) == _TOUCHING else 0.0
            if share >= MAY_BE_TOUCHED:
                found.append({"structure": name, "side": side, "share": round(share, 2)})
    return sorted(found, key=lambda one: -one["share"])


def _shift(
    values: sitk.Image, inside: sitk.Image, where: np.ndarray, transform: sitk.AffineTransform
) -> float | None:
    """How far the inner structures lie to the left of where the map has them, in mm."""
    brain = sitk.GetArrayViewFromImage(inside) > 0
    index = np.argwhere(brain)
    points = np.array(values.GetOrigin()) + index[:, ::-1] * np.array(values.GetSpacing())
    mapped = _mapped(points, transform)
    tissue, inner = mean_map()[TISSUE], _inner_box()
    chosen = ((mapped > inner[0]) & (mapped < inner[1])).all(axis=1)
    free = chosen & ~ndimage.binary_dilation(where, iterations=2)[brain]
    if not chosen.any() or free.sum() < _LEAST_FREE * chosen.sum():
        return None
    seen = sitk.GetArrayViewFromImage(values)[brain][free]
    seen = np.digitize(seen, np.percentile(seen, np.linspace(4, 96, 15)))
    row = np.array(transform.GetMatrix()).reshape(3, 3)[0]
    scores = []
    shifts = np.arange(-_LARGEST_SHIFT_MM, _LARGEST_SHIFT_MM + 1)
    template = sitk.GetArrayViewFromImage(tissue)
    for shift in shifts:
        there = mapped[free] - [shift * np.linalg.norm(row), 0, 0]
        at = (there - np.array(tissue.GetOrigin())) / np.array(tissue.GetSpacing())
        known = ndimage.map_coordinates(template, at.T[::-1], order=1)
        scores.append(_mutual_information(seen, np.digitize(known, np.arange(15, 120, 8))))
    best = int(np.argmax(scores))
    if not 0 < best < len(shifts) - 1:
        return None
    before, peak, after = scores[best - 1 : best + 2]
    curve = before - 2 * peak + after
    return round(float(shifts[best] + (0.5 * (before - after) / curve if curve else 0.0)), 1)


def _inner_box() -> np.ndarray:
    """Lowest and highest point of the map in which a shift is looked for."""
    share = mean_map()["ventricles"]
    grid = np.argwhere(sitk.GetArrayViewFromImage(share) >= TOUCHED)[:, ::-1]
    points = np.array(share.GetOrigin()) + grid * np.array(share.GetSpacing())
    points = points[np.abs(points[:, 0]) <= _INNER_MM]
    box = np.array([points.min(axis=0), points.max(axis=0)])
    box[:, 0] = -_INNER_MM, _INNER_MM
    return box


def _mutual_information(one: np.ndarray, other: np.ndarray) -> float:
    together = np.histogram2d(one, other, bins=(16, 16), range=((0, 16), (0, 16)))[0]
    together /= together.sum()
    apart = together.sum(axis=1)[:, None] * together.sum(axis=0)
    filled = together > 0
    return float((together[filled] * np.log(together[filled] / apart[filled])).sum())


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())
