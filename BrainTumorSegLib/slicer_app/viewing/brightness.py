"""Brightness and contrast of a scan from its brain, so that neither skull nor air decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..scene import provenance
from ..scene.volumes import hasVoxels, imageFromNode

#: Percentiles of the brain's voxels that become black and white.
_PERCENTILES = (0.5, 99.5)

#: On a display: that its brightness was set here once; what a person changes then stays.
_DONE = provenance.PREFIX + "BrightnessOfBrain"

#: Fewer voxels than this say nothing.
_ENOUGH_VOXELS = 1000


def showBrain(segmentationNode: Any, volumes: Iterable[Any], again: bool = False) -> None:
    """Set window and level of scans of a result by their brains.

    Where it is not known what is brain, since the map of disagreement is gone, all stays.

    Args:
        volumes: scans of the result as they were aligned to its reference.
        again: also where they were set already, by a file or by a person, unless by this.
    """
    for volume in volumes:
        display = volume.GetDisplayNode()
        if display is None or display.GetAttribute(_DONE):
            continue
        if not again and not display.GetAutoWindowLevel():
            continue
        bounds = brainWindow(segmentationNode, volume)
        if bounds is not None:
            display.SetAutoWindowLevel(False)
            display.SetWindowLevelMinMax(*bounds)
            display.SetAttribute(_DONE, "1")


def brainWindow(segmentationNode: Any, volume: Any) -> tuple[float, float] | None:
    """The intensities of a scan that shall be black and white; None when it is not known.

    The disagreement of the networks is zero outside the brain, and there only.
    """
    entropy = segmentationNode.GetNodeReference(provenance.DISAGREEMENT)
    if entropy is None or not hasVoxels(entropy):
        return None
    scan = imageFromNode(volume, entropy)
    brain = sitk.Cast(imageFromNode(entropy) > 0, sitk.sitkUInt8)
    mask = sitk.Resample(brain, scan, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    values = sitk.GetArrayViewFromImage(scan)[sitk.GetArrayViewFromImage(mask) > 0]
    values = values[np.isfinite(values)]
    if values.size < _ENOUGH_VOXELS:
        return None
    low, high = np.percentile(values, _PERCENTILES)
    return (float(low), float(high)) if high > low else None
