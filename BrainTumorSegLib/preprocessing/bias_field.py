"""Shading: the smooth field by which a coil makes one side of a scan brighter than the other.

N4 (Tustison et al. 2010) finds it on a grid so coarse that it takes a third of a second a scan, in
few wide steps instead of many narrow ones. It also takes large edema for shading, so that scans
without strong shading are better left alone (Resources/Experiments/packs.md has the figures).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.options import BiasField
from BrainTumorSegLib.core.sequences import Sequence

from .model_grid import ModelGrid, to_grid

BIAS_FIELD_CORRECTIONS = tuple(BiasField)

#: ``auto`` corrects where the spread of the fields, in the mean over the scans, is larger.
MAX_UNCORRECTED_BIAS = 0.225

#: The field is sought on voxels of about this size: it changes over many times as much.
_COARSE_MM = 10.0

#: Fewer voxels of brain than this on the coarse grid say nothing of a field.
_LEAST_VOXELS = 64

#: Values beyond these percentiles of the brain count as these: vessels, air, contrast agent.
_PERCENTILES = (1.0, 99.0)

#: Of N4: iterations at each of three levels, whose mesh is twice as fine each time, and the
#: width of the Gaussian by which it takes the histogram to be blurred. With the usual 0.15
#: strong fields need some hundred iterations.
_ITERATIONS, _WIDTH = (20, 20, 20), 0.3


@dataclass(frozen=True)
class BiasFieldCorrection:
    """What is known of the shading of one scan.

    Attributes:
        spread: standard deviation, inside the brain, of the logarithm of the field: 0.1 is about
            10 %; None when there is too little brain to tell.
        corrected: whether the scan was divided by the field.
    """

    spread: float | None
    corrected: bool


@dataclass(frozen=True)
class Field:
    """A smooth field over a scan.

    Attributes:
        logarithm: float32 image, coarser than the grid, that covers it.
        spread: as of `BiasFieldCorrection`.
    """

    logarithm: sitk.Image
    spread: float


def correct_bias_field(
    volumes: Mapping[Sequence, np.ndarray],
    inside: np.ndarray,
    grid: ModelGrid,
    requested: str = "auto",
) -> tuple[dict[Sequence, np.ndarray], dict[Sequence, BiasFieldCorrection]]:
    """Divide scans by the smooth field over them.

    All scans or none, as a rule: they come from one coil. The field of a single one also takes
    large edema for shading, which their mean hardly does.

    Args:
        volumes: intensities ``[slice, row, column]`` on the grid, NaN where a scan shows nothing.
        inside: boolean brain mask of the same shape.
        grid: their geometry.
        requested: ``n4`` corrects every scan, ``off`` none, ``auto`` all where the field is strong.

    Returns:
        The volumes, and what was found; volumes that are not corrected are the very same
        arrays. Nothing is found with ``off``.

    Raises:
        InputError: for an unknown request.
    """
    if requested not in BIAS_FIELD_CORRECTIONS:
        raise InputError(
            f"Unknown bias-field correction {requested!r}.",
            f"Choose one of {', '.join(BIAS_FIELD_CORRECTIONS)}.",
        )
    if requested == "off":
        return dict(volumes), {}
    fields = {sequence: bias_field(volume, inside, grid) for sequence, volume in volumes.items()}
    known = [field.spread for field in fields.values() if field is not None]
    wanted = requested == "n4" or (bool(known) and float(np.mean(known)) > MAX_UNCORRECTED_BIAS)
    result: dict[Sequence, np.ndarray] = {}
    found: dict[Sequence, BiasFieldCorrection] = {}
    for sequence, volume in volumes.items():
        field = fields[sequence]
        if field is None:
            result[sequence], found[sequence] = volume, BiasFieldCorrection(None, False)
        else:
            result[sequence] = _divided(volume, field, grid) if wanted else volume
            found[sequence] = BiasFieldCorrection(field.spread, wanted)
    return result, found


def bias_field_record(found: Mapping[Sequence, BiasFieldCorrection]) -> dict[str, Any] | None:
    """What was found as plain JSON types; None when nothing was looked for."""
    if not found:
        return None
    return {
        "method": "n4",
        "corrected": any(shading.corrected for shading in found.values()),
        "scans": [
            {
                "sequence": sequence.value,
                "spread": None if shading.spread is None else round(shading.spread, 4),
                "corrected": shading.corrected,
            }
            for sequence, shading in found.items()
        ],
    }


def bias_field_warning(found: Mapping[Sequence, BiasFieldCorrection]) -> str:
    """What to tell a person whose scans were corrected unasked."""
    spreads = ", ".join(
        f"{sequence.name} {100 * shading.spread:.0f} %"
        for sequence, shading in found.items()
        if shading.spread is not None
    )
    return (
        f"The scans are strongly shaded ({spreads}), as by a surface coil; the networks saw them "
        "corrected with N4. Choose shading off to segment them as they are."
    )


def bias_field(volume: np.ndarray, inside: np.ndarray, grid: ModelGrid) -> Field | None:
    """The field over one scan, by N4.

    Args:
        volume: intensities ``[slice, row, column]``, NaN where the scan shows nothing.
        inside: boolean brain mask of the same shape.
        grid: their geometry.

    Returns:
        The field; None where there is too little brain to tell, or only one value.
    """
    scan, mask = _coarse(volume, inside & np.isfinite(volume) & (volume > 0), grid)
    values, brain = sitk.GetArrayFromImage(scan), sitk.GetArrayFromImage(mask) > 0
    if np.count_nonzero(brain) < _LEAST_VOXELS:
        return None
    low, high = np.percentile(values[brain], _PERCENTILES)
    # Logarithms of almost nothing would stretch the histogram until it has no shape.
    low = max(low, 1e-3 * high)
    if high - low < 1e-3 * high:
        return None
    clipped = sitk.GetImageFromArray(np.clip(values, low, high))
    clipped.CopyInformation(scan)
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations(_ITERATIONS)
    n4.SetBiasFieldFullWidthAtHalfMaximum(_WIDTH)
    # It judges steps, not what is left: strong fields would end early.
    n4.SetConvergenceThreshold(0.0)
    with _one_thread():
        n4.Execute(clipped, mask)
        logarithm = n4.GetLogBiasFieldAsImage(_between(scan))
    # Between the voxels of the coarse grid lies one more each way.
    known = sitk.GetArrayViewFromImage(logarithm)[::2, ::2, ::2][brain]
    # Beyond the brain, and at its very edge, splines swing freely.
    logarithm = sitk.Clamp(logarithm, sitk.sitkFloat32, float(known.min()), float(known.max()))
    return Field(logarithm, float(known.std(dtype=np.float64)))


def _coarse(
    volume: np.ndarray, brain: np.ndarray, grid: ModelGrid
) -> tuple[sitk.Image, sitk.Image]:
    """Means over the brain in blocks of about `_COARSE_MM`, and which blocks are mostly brain."""
    factors = [max(1, round(_COARSE_MM / spacing)) for spacing in grid.spacing]
    # Half a block to spare at least, so that the middles of blocks enclose the grid.
    before = [-(-factor // 2) for factor in factors]
    after = [
        -(-factor // 2) + (-(size + 2 * -(-factor // 2))) % factor
        for size, factor in zip(grid.size, factors, strict=True)
    ]

    def shrunk(values: np.ndarray) -> sitk.Image:
        padded = sitk.ConstantPad(grid.image(values.astype(np.float32)), before, after, 0.0)
        return sitk.BinShrink(padded, factors)

    share = shrunk(brain)
    scan = shrunk(np.where(brain, volume, 0)) / sitk.Maximum(share, 1e-3)
    return scan, sitk.Cast(share > 0.5, sitk.sitkUInt8)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit SimpleITK to one thread, here and in filters that N4 runs inside.

    With more, sums are added in another order and differ in the last digits.
    """
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _between(image: sitk.Image) -> sitk.Image:
    """A lattice from the first to the last voxel of an image, twice as fine.

    The filter lays its splines from the first to the last voxel of what it is given,
    whatever the place of that: any other lattice would stretch the field.
    """
    fine = sitk.Image([2 * size - 1 for size in image.GetSize()], sitk.sitkUInt8)
    fine.SetSpacing([spacing / 2 for spacing in image.GetSpacing()])
    fine.SetOrigin(image.GetOrigin())
    fine.SetDirection(image.GetDirection())
    return fine


def _divided(volume: np.ndarray, field: Field, grid: ModelGrid) -> np.ndarray:
    logarithm = to_grid(field.logarithm, grid)
    return (volume / np.exp(logarithm)).astype(np.float32)
