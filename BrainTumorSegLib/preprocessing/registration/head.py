"""Where the head is on a scan: the region over which registrations are made and judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import RegistrationError
from BrainTumorSegLib.core.masks import largest_component, mask_volume_ml

#: Spacing in mm to which scans are averaged before anything is measured; clinical
#: in-plane detail below it adds noise and time but no accuracy.
WORKING_SPACING_MM = 2.0

#: Gaps of this radius in mm are closed in the head mask, as BRAINSFit's ROIAUTO does.
CLOSING_MM = 9.0

#: A smaller bright object is no head (an infant's brain has some 350 mL).
LEAST_HEAD_ML = 100.0

#: The brain of an adult with its ventricles stays below; a head with its scalp above.
LARGEST_BRAIN_ML = 2300.0


@dataclass(frozen=True)
class Head:
    """One scan made ready for registration.

    Attributes:
        image: float32 image averaged in plane to about `WORKING_SPACING_MM`.
        mask: unsigned 8-bit head mask on a grid of about twice that spacing.
        center: centroid of the mask, ``[x, y, z]`` in LPS mm.
        stripped: whether everything but the brain was removed from the scan.
        source: the file or node the scan came from; used in messages.
    """

    image: sitk.Image
    mask: sitk.Image
    center: np.ndarray
    stripped: bool
    source: str


def find_head(image: sitk.Image, source: str) -> Head:
    """Average the scan to working spacing and find the head on it.

    Raises:
        RegistrationError: when nothing of a head's size stands out from the background.
    """
    reduced = _averaged(sitk.Cast(image, sitk.sitkFloat32), WORKING_SPACING_MM)
    small = _averaged(reduced, 2 * WORKING_SPACING_MM)
    mask = _largest_bright_object(small)
    millilitres = mask_volume_ml(mask)
    if millilitres < LEAST_HEAD_ML:
        raise RegistrationError(
            f"No head was found on {source}: the largest bright object has {millilitres:.0f} mL.",
            "Check that the file holds a head MRI; if the scans are in register already, "
            "use --registration none.",
        )
    return Head(reduced, mask, _centroid(mask), _is_stripped(image, millilitres), source)


def index_to_point(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Matrix (3x3) and origin (3) with ``point = matrix @ index[x, y, z] + origin``."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return direction * np.array(image.GetSpacing()), np.array(image.GetOrigin())


def _averaged(image: sitk.Image, spacing: float) -> sitk.Image:
    factors = [max(1, int(spacing / s + 1e-3)) for s in image.GetSpacing()]
    return sitk.BinShrink(image, factors) if max(factors) > 1 else image


def _largest_bright_object(image: sitk.Image) -> sitk.Image:
    # Above the background, wherever that lies; the root keeps bright fat from pulling
    # the threshold above the brain.
    dark = float(np.percentile(sitk.GetArrayViewFromImage(image), 1))
    lifted = sitk.Sqrt(sitk.Clamp(image - dark, lowerBound=0.0))
    bright = sitk.OtsuThreshold(lifted, 0, 1, 128)
    radius = [max(1, round(CLOSING_MM / s)) for s in image.GetSpacing()]
    closed = sitk.BinaryFillhole(sitk.BinaryMorphologicalClosing(bright, radius))
    return largest_component(closed)


def _centroid(mask: sitk.Image) -> np.ndarray:
    matrix, origin = index_to_point(mask)
    indices = np.argwhere(sitk.GetArrayViewFromImage(mask))[:, ::-1]
    return matrix @ indices.mean(axis=0) + origin


def _is_stripped(image: sitk.Image, head_ml: float) -> bool:
    values = sitk.GetArrayViewFromImage(image)
    background = np.count_nonzero(values == values.min()) / values.size
    return bool(background > 0.3 and head_ml < LARGEST_BRAIN_ML)
