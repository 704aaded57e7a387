"""The case in other sizes, and how the cost grows with them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.io.volumes import write_image

#: No crop gets thinner than this, since a scan must be able to hold a head.
_LEAST_MM = 45.0


def write_sizes(
    result: Segmentation, sizes: Mapping[str, float], folder: Path
) -> dict[str, dict[str, Any]]:
    """Write the registered case in several sizes, each with its brain mask.

    Up to 1 a size is the share of the brain's axial slices, around their middle; above 1 the
    extent of the volume along every axis, filled with zeros.

    Args:
        result: of a run with `Options.registered`.
        sizes: share by name.
        folder: for the files.

    Returns:
        By name: ``scans`` (file by sequence key), ``mask`` (file), ``voxels`` of one scan.
    """
    written = {}
    for number, (name, share) in enumerate(sizes.items()):
        images = {**result.registered, "mask": result.brain}
        cut = {key: resized(image, result.brain, share) for key, image in images.items()}
        paths = {key: folder / f"size{number}_{key}.nii.gz" for key in cut}
        for key, path in paths.items():
            write_image(cut[key], path)
        mask = str(paths.pop("mask"))
        written[name] = {
            "scans": {key: str(path) for key, path in paths.items()},
            "mask": mask,
            "voxels": int(np.prod(cut["mask"].GetSize(), dtype=np.int64)),
        }
    return written


def resized(image: sitk.Image, brain: sitk.Image, share: float) -> sitk.Image:
    """Cut an image to a share of the brain's slices, or put zeros around it.

    Args:
        image: on the grid of ``brain``.
        brain: brain mask, not empty.
        share: see `write_sizes`.
    """
    if share > 1:
        size = np.array(image.GetSize())
        whole = np.round((share - 1) * size).astype(int)
        before = whole // 2
        return sitk.ConstantPad(image, before.tolist(), (whole - before).tolist(), 0.0)
    axis = int(np.argmax(np.abs(np.array(image.GetDirection()).reshape(3, 3)[2])))
    if share == 1:
        return image
    inside = sitk.GetArrayViewFromImage(brain).any(axis=tuple({0, 1, 2} - {2 - axis}))
    places = np.flatnonzero(inside)
    least = int(np.ceil(_LEAST_MM / image.GetSpacing()[axis]))
    count = min(max(round(share * len(places)), least, 5), image.GetSize()[axis])
    middle = (places[0] + places[-1] + 1) / 2
    first = int(np.clip(round(middle - count / 2), 0, image.GetSize()[axis] - count))
    index, size = [0, 0, 0], list(image.GetSize())
    index[axis], size[axis] = first, count
    return sitk.RegionOfInterest(image, size, index)


def fit_line(amounts: SequenceOf[float], costs: SequenceOf[float]) -> dict[str, float] | None:
    """Least squares ``cost = fixed + each * amount``; None with fewer than two amounts."""
    if len(set(amounts)) < 2:
        return None
    each, fixed = np.polyfit(np.asarray(amounts, float), np.asarray(costs, float), 1)
    return {"fixed": float(fixed), "each": float(each)}
