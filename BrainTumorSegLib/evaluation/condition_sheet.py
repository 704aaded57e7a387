"""A picture of one case under every condition, so that a person can judge what was tried."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.evaluation.conditions import Condition, spoil_case
from BrainTumorSegLib.io.atomic import atomic_path

_BACKGROUND = 1


def draw_conditions(
    case: Case, truth: sitk.Image, conditions: SequenceOf[Condition], path: Path, seed: int = 0
) -> None:
    """Draw the slice with most tumour (else most brain) of every scan, and T1CE from the side.

    Args:
        case: registered scans.
        truth: allowed tissues on the grid of its reference.
        conditions: one a row; of those that have the same scans only the first.
        path: of the picture; replaced if it is there.
        seed: as for `spoil_case`.
    """
    from matplotlib.figure import Figure

    reference = sitk.DICOMOrient(case.reference_scan.image, "LPS")
    tumour = _array(sitk.Cast(truth != _BACKGROUND, sitk.sitkUInt8), reference)
    if not tumour.any():
        tumour = _array(case.reference_scan.image, reference) != 0
    told = {condition.key for condition in conditions}
    drawn = [condition for condition in conditions if condition.scans_of not in told]
    level, side = (int(tumour.sum(axis=axes).argmax()) for axes in ((1, 2), (0, 1)))
    figure = Figure(figsize=(10, 2.6 * len(drawn)), layout="constrained", dpi=80)
    grid = figure.subplots(len(drawn), 4, squeeze=False)
    tall = reference.GetSpacing()[2] / reference.GetSpacing()[1]
    for row, condition in zip(grid, drawn, strict=True):
        spoilt = spoil_case(condition, case, truth, seed).case
        for axis in row:
            axis.set_axis_off()
        for axis, sequence in zip(row, Sequence, strict=False):
            if sequence not in spoilt.scans:
                continue
            array = _array(spoilt.scans[sequence].image, reference)
            brightest = float(np.percentile(array, 99.8))
            axis.imshow(array[level], cmap="gray", vmin=0, vmax=brightest)
            axis.set_title(f"{condition.title}: {sequence.name}", fontsize=8)
            if sequence is Sequence.T1CE:
                seen = array[::-1, :, side]
                row[3].imshow(seen, cmap="gray", vmin=0, vmax=brightest, aspect=tall)
    with atomic_path(path, overwrite=True) as temporary:
        figure.savefig(temporary)


def _array(image: sitk.Image, reference: sitk.Image) -> np.ndarray:
    """Values where the reference has voxels, by nearest neighbour, as the files lie in space."""
    identity = sitk.Transform(3, sitk.sitkIdentity)
    resampled = sitk.Resample(
        image, reference, identity, sitk.sitkNearestNeighbor, 0.0, sitk.sitkFloat32
    )
    return sitk.GetArrayFromImage(resampled)
