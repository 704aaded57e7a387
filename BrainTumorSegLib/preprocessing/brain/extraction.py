"""Finding the brain of a case on the grid of its reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.masks import largest_component, mask_volume_ml
from BrainTumorSegLib.core.options import Brain
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence

from .networks import NETWORKS
from .stripped import mask_of_stripped_scan

#: Ways to find the brain; ``auto`` is ``stripped`` where that holds, else ``deepbet``.
METHODS = tuple(Brain)

#: Volumes in mL. Adults have 1000 to 1900 within the meninges; a mask outside the
#: usual range is worth a look, one outside the possible range is no brain.
USUAL_ML = (700.0, 2200.0)
POSSIBLE_ML = (300.0, 3000.0)

#: Cut surface in cm2 at an end of a scan that says that brain goes on beyond it.
#: The brain stem has less than 10.
MAX_CUT_CM2 = 20.0

#: Sequences on which the networks and the test for scalp can be relied on.
T1_WEIGHTED = (Sequence.T1, Sequence.T1CE)

REMEDY = "Check the scan, or give a mask of the brain with --brain FILE."


@dataclass(frozen=True)
class BrainMask:
    """Where the brain is.

    Attributes:
        image: unsigned 8-bit mask (0, 1) on the reference's grid.
        method: ``given``, ``stripped``, ``deepbet`` or ``hdbet``.
        stripped: whether it was read off scans whose skull had been removed.
        volume_ml: its volume in mL.
    """

    image: sitk.Image
    method: str
    stripped: bool
    volume_ml: float


def extract_brain(
    case: Case,
    transforms: Mapping[Sequence, sitk.Transform],
    method: str = "auto",
    mask: sitk.Image | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> BrainMask:
    """Find the brain of a case on the grid of its reference.

    Args:
        case: scans in any orientation, each on its own grid.
        transforms: for every sequence, reference points to points of that scan.
        method: one of `METHODS`.
        mask: non-zero in the brain, in the reference's space, on any grid; it is used
            whatever the method.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``, for the networks.
        progress: receives warnings about substitutions and doubts; may cancel.

    Raises:
        InputError: when the mask given is empty or lies elsewhere, when no brain is
            found, or when its size is absurd.
        DependencyError: when the network's package is not installed.
        DeviceError: when memory does not suffice.
        Cancelled: when the person asked to stop.
    """
    progress = progress or Progress()
    if method not in METHODS:
        raise InputError(
            f"Unknown way to find the brain: {method!r}.", f"Choose one of {', '.join(METHODS)}."
        )
    progress.cancel.raise_if_cancelled()
    image: sitk.Image | None = None
    if mask is not None:
        used, image = "given", _given_mask(mask, case.reference_scan.image)
    elif method in ("auto", "stripped"):
        used, image = "stripped", _mask_of_stripped_case(case, transforms, progress)
        if image is None and method == "stripped":
            raise InputError(
                "The skull was not removed from these scans.",
                "Choose auto or deepbet, or give a mask of the brain with --brain FILE.",
            )
    if image is None:
        used = "hdbet" if method == "hdbet" else "deepbet"
        image = _mask_by_network(case, transforms, used, device, progress)
    volume = mask_volume_ml(image)
    _judge(image, volume, used, case, progress)
    progress.cancel.raise_if_cancelled()
    return BrainMask(image, used, used == "stripped", volume)


def _given_mask(mask: sitk.Image, reference: sitk.Image) -> sitk.Image:
    if mask.GetDimension() != 3 or mask.GetNumberOfComponentsPerPixel() != 1:
        raise InputError("The brain mask is no scalar 3D image.", "Export it as one label map.")
    binary = sitk.Cast(mask != 0, sitk.sitkUInt8)
    if not sitk.GetArrayViewFromImage(binary).any():
        raise InputError("The brain mask is empty.", "Give a mask that is non-zero in the brain.")
    identity = sitk.Transform(3, sitk.sitkIdentity)
    result = sitk.Resample(binary, reference, identity, sitk.sitkNearestNeighbor, 0.0)
    if not sitk.GetArrayViewFromImage(result).any():
        raise InputError(
            "The brain mask lies outside the reference scan.",
            "Give a mask drawn on the reference or in its coordinates.",
        )
    return result


def _mask_of_stripped_case(
    case: Case, transforms: Mapping[Sequence, sitk.Transform], progress: Progress
) -> sitk.Image | None:
    """Union over the stripped scans; None when no T1-weighted scan is stripped."""
    own: dict[Sequence, sitk.Image] = {}
    for sequence, scan in case.scans.items():
        progress.cancel.raise_if_cancelled()
        found = mask_of_stripped_scan(scan.image)
        if found is not None:
            own[sequence] = found
    if not own.keys() & set(T1_WEIGHTED):
        return None
    whole = [sequence.name for sequence in case.scans if sequence not in own]
    if whole:
        progress.warn(
            f"The skull was removed from {' and '.join(s.name for s in own)} but not from "
            f"{' and '.join(whole)}; the brain is taken from the former."
        )
    reference = case.reference_scan.image
    union = sitk.Image(reference.GetSize(), sitk.sitkUInt8)
    union.CopyInformation(reference)
    for sequence, found in own.items():
        union = sitk.Or(union, _to_reference(found, reference, transforms[sequence]))
    if not sitk.GetArrayViewFromImage(union).any():
        raise InputError("The brain lies outside the reference scan.", "Check the registration.")
    return sitk.BinaryFillhole(largest_component(union))


def _mask_by_network(
    case: Case,
    transforms: Mapping[Sequence, sitk.Transform],
    method: str,
    device: str,
    progress: Progress,
) -> sitk.Image:
    sequence = next((s for s in T1_WEIGHTED if s in case.scans), None)
    if sequence is None:
        raise InputError("There is no T1-weighted scan to find the brain on.", REMEDY)
    if sequence is not Sequence.T1:
        progress.warn("There is no T1; the brain was found on T1CE, which is less certain.")
    image, cut = _found_on(sequence, case, transforms, method, device, progress)
    if cut > MAX_CUT_CM2 and sequence is Sequence.T1 and Sequence.T1CE in case.scans:
        progress.warn(
            "T1 shows only a part of the brain; the rest was found on T1CE, which is less certain."
        )
        other, _ = _found_on(Sequence.T1CE, case, transforms, method, device, progress)
        image = sitk.Or(image, other)
    return image


def _found_on(
    sequence: Sequence,
    case: Case,
    transforms: Mapping[Sequence, sitk.Transform],
    method: str,
    device: str,
    progress: Progress,
) -> tuple[sitk.Image, float]:
    """Mask on the reference, and the surface in cm2 at which the scan's end cuts it."""
    scan, reference, transform = (
        case.scans[sequence],
        case.reference_scan.image,
        transforms[sequence],
    )
    progress.message(f"{method} looks for the brain on {sequence.name} ({scan.source}).")
    progress.cancel.raise_if_cancelled()
    found = NETWORKS[method](scan.image, device, progress)
    progress.cancel.raise_if_cancelled()
    if not sitk.GetArrayViewFromImage(found).any():
        raise InputError(f"{method} found no brain on {sequence.name} ({scan.source}).", REMEDY)
    image = _to_reference(largest_component(found), reference, transform)
    if not sitk.GetArrayViewFromImage(image).any():
        raise InputError(
            f"The brain on {sequence.name} ({scan.source}) lies outside the reference scan.",
            "Check the registration.",
        )
    field = sitk.Image(scan.image.GetSize(), sitk.sitkUInt8) + 1
    field.CopyInformation(scan.image)
    return image, _cut_cm2(image, _to_reference(field, reference, transform))


def _to_reference(mask: sitk.Image, reference: sitk.Image, transform: sitk.Transform) -> sitk.Image:
    """A mask on the reference's grid: where at least half a voxel is inside."""
    smooth = sitk.Resample(mask * 200, reference, transform, sitk.sitkLinear, 0.0)
    return sitk.Cast(smooth >= 100, sitk.sitkUInt8)


def _cut_cm2(mask: sitk.Image, field: sitk.Image) -> float:
    """Surface between a mask and what lies beyond a scan's field of view, in cm2."""
    inside = sitk.GetArrayViewFromImage(mask) > 0
    beyond = sitk.GetArrayViewFromImage(field) == 0
    spacing = np.array(mask.GetSpacing())
    area = 0.0
    for axis in range(3):
        i, b = np.moveaxis(inside, axis, 0), np.moveaxis(beyond, axis, 0)
        faces = np.count_nonzero(i[1:] & b[:-1]) + np.count_nonzero(i[:-1] & b[1:])
        area += faces * float(np.prod(np.delete(spacing, 2 - axis)))
    return area / 100.0


def _judge(image: sitk.Image, volume: float, method: str, case: Case, progress: Progress) -> None:
    """Warn about a mask that is odd; refuse one that cannot be a brain."""
    cuts = _cut_ends(image)
    if cuts:
        progress.warn(
            f"{case.reference.name} ({case.reference_scan.source}) does not show the whole "
            f"brain: it is cut off at the {' and the '.join(cuts)}."
        )
    size = f"The brain found by {method} measures {volume:.0f} mL"
    if method == "given":
        size = f"The brain mask given measures {volume:.0f} mL"
    too_small = volume < POSSIBLE_ML[0] and not cuts
    if method != "given" and (too_small or volume > POSSIBLE_ML[1]):
        raise InputError(f"{size}, which cannot be right.", REMEDY)
    if not USUAL_ML[0] <= volume <= USUAL_ML[1]:
        progress.warn(f"{size}; usual are {USUAL_ML[0]:.0f} to {USUAL_ML[1]:.0f} mL. Look at it.")


def _cut_ends(mask: sitk.Image) -> list[str]:
    """Ends of the patient at which the scan cuts the brain off, in words."""
    inside = sitk.GetArrayViewFromImage(mask)
    spacing = np.array(mask.GetSpacing())
    direction = np.array(mask.GetDirection()).reshape(3, 3)
    words = (("right", "left"), ("front", "back"), ("lower end", "upper end"))
    ends = []
    for axis in range(3):
        area = float(np.prod(np.delete(spacing, axis))) / 100.0
        towards = int(np.argmax(np.abs(direction[:, axis])))
        for position in (0, -1):
            cut = np.count_nonzero(np.take(inside, position, axis=2 - axis)) * area
            if cut > MAX_CUT_CM2:
                upwards = (direction[towards, axis] > 0) == (position == -1)
                ends.append(words[towards][int(upwards)])
    return ends
