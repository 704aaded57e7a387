"""Recognising scans whose skull was removed, and reading the brain off them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.masks import largest_component, mask_volume_ml

#: Volumes in mL that a stripped scan may show: a thick slab of a brain, or a large
#: brain with a generous rim. A whole adult head has 3000 and more.
STRIPPED_ML = (200.0, 2400.0)

#: The least part of a stripped scan, and of its border, that is background.
MIN_BACKGROUND, MIN_BORDER_BACKGROUND = 0.15, 0.5

#: A rim (4 mm) brighter than this in terms of what lies beneath it (6 to 14 mm) is the
#: scalp's fat. Measured on T1 and T1CE: 0.64 to 1.09 on 32 stripped heads, 1.17 to 1.6
#: on slabs of a head with scalp.
MAX_RIM = 1.12

#: Part of the signal in the darkest twentieth of its range; 0.05 in stripped scans, more
#: where it includes air.
MAX_DARK = 0.12

#: Part of the rim that hardly differs from the background, from which on the background
#: is taken to ripple. At most 0.11 in stripped scans, 0.99 after sinc interpolation.
RIPPLED_RIM = 0.4

#: Such ripples are smaller than this part of the scan's span.
RIPPLE = 0.02


def mask_of_stripped_scan(image: sitk.Image) -> sitk.Image | None:
    """The brain on a scan whose skull was removed; None when it was not.

    A stripped scan has one and the same value around the brain (whatever it is), as
    much signal as a brain has volume, and no bright rim of fat. When in doubt the
    answer is None: the networks work on stripped scans too.

    Args:
        image: one scan. T1 and T1CE are recognized with certainty; on FLAIR the scalp of a
            thin slab whose air was set to zero may pass for cortex.

    Returns:
        Unsigned 8-bit mask on the scan's own grid: the largest piece of signal, with
        its holes filled.
    """
    coarse = _coarse(image)
    background = _background(coarse)
    if background is None:
        return None
    signal = _signal(coarse, background)
    if _ripples(coarse, signal, background):
        tolerance = RIPPLE * background.span
        background = replace(background, tolerance=tolerance, smoothed=True)
        signal = _signal(coarse, background)
    if not _looks_like_a_brain(coarse, signal):
        return None
    return _signal(image, background)


@dataclass(frozen=True)
class _Background:
    """The value around the head, how far it may be missed, and the scan's span.

    ``smoothed`` says that specks which differ from it are to be removed too.
    """

    value: float
    tolerance: float
    span: float
    smoothed: bool = False


def _coarse(image: sitk.Image) -> sitk.Image:
    """Voxels of an image about 2 mm apart, with their own unmixed values."""
    factors = [
        max(1, min(round(2.0 / spacing), size // 5))
        for spacing, size in zip(image.GetSpacing(), image.GetSize(), strict=True)
    ]
    return sitk.Cast(sitk.Shrink(image, factors), sitk.sitkFloat32)


def _background(image: sitk.Image) -> _Background | None:
    """What lies around the head; None when it varies, as the noise in air does."""
    values = sitk.GetArrayViewFromImage(image)
    low, high = np.percentile(values, [0.1, 99.9])
    span = float(high - low)
    if span <= 0:
        return None
    border = np.ones(values.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    # Smooth interpolation leaves ever smaller ripples around the brain: where no
    # value is repeated exactly, one may still be repeated within a ten-thousandth.
    for step in (0.0, 1e-4 * span):
        rounded = np.round(values / step) if step else values
        kinds, counts = np.unique(rounded, return_counts=True)
        value = float(kinds[counts.argmax()]) * (step or 1.0)
        around = np.abs(values - value) <= step
        if around.mean() >= MIN_BACKGROUND and around[border].mean() >= MIN_BORDER_BACKGROUND:
            return _Background(value, step, span)
    return None


def _signal(image: sitk.Image, background: _Background) -> sitk.Image:
    low = background.value - background.tolerance
    high = background.value + background.tolerance
    signal = sitk.BinaryThreshold(image, low, high, insideValue=0, outsideValue=1)
    if background.smoothed:
        signal = sitk.BinaryMorphologicalOpening(signal, (1, 1, 1))
    return sitk.BinaryFillhole(largest_component(signal))


def _depth(mask: sitk.Image) -> np.ndarray:
    """Distance in mm of each voxel in a mask from its surface, negative outside.

    The scan's own ends are no surface of the head: it goes on beyond them.
    """
    padded = sitk.ConstantPad(mask, (1, 1, 1), (1, 1, 1), 1)
    distance = sitk.SignedMaurerDistanceMap(
        padded, insideIsPositive=True, squaredDistance=False, useImageSpacing=True
    )
    return sitk.GetArrayFromImage(distance)[1:-1, 1:-1, 1:-1]


def _ripples(image: sitk.Image, signal: sitk.Image, background: _Background) -> bool:
    """Whether sinc or spline interpolation has spread the brain's edge over the air."""
    values = sitk.GetArrayViewFromImage(image)
    rim = (sitk.GetArrayViewFromImage(signal) > 0) & (_depth(signal) <= 4)
    if not rim.any():
        return False
    near = np.abs(values[rim] - background.value) < RIPPLE * background.span
    return bool(near.mean() > RIPPLED_RIM)


def _looks_like_a_brain(image: sitk.Image, signal: sitk.Image) -> bool:
    """Whether signal on a constant background is a brain rather than a head."""
    if not STRIPPED_ML[0] <= mask_volume_ml(signal) <= STRIPPED_ML[1]:
        return False
    values = sitk.GetArrayViewFromImage(image)
    inside = sitk.GetArrayViewFromImage(signal) > 0
    black, low, high = np.percentile(values[inside], [0.5, 1, 99])
    if (values[inside] < low + 0.05 * (high - low)).mean() > MAX_DARK:
        return False
    depth = _depth(signal)
    rim, beneath = inside & (depth <= 4), inside & (depth > 6) & (depth <= 14)
    if not beneath.any():
        return False
    return bool(values[rim].mean() - black <= MAX_RIM * (values[beneath].mean() - black))
