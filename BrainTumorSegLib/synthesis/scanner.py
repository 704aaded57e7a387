"""What the scanner does to a picture: slices, blur, coil, motion, noise, missing sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.sequences import Sequence

from .config import AcquisitionConfig
from .fields import Array, along, noise, random_rotation

_AXES = ("axial", "coronal", "sagittal")


@dataclass(frozen=True)
class SliceGrid:
    """Axial slices of a sample: ``start + number * spacing`` in rows of the canvas."""

    start: float
    spacing: float
    count: int

    @property
    def positions(self) -> Array:
        """Slice positions in voxels of the 1 mm picture."""
        return self.start + self.spacing * np.arange(self.count)

    @property
    def nearest(self) -> Array:
        """The slice of the 1 mm picture nearest to each."""
        return np.round(self.positions).astype(int)


@dataclass(frozen=True)
class Acquisition:
    """How one sequence is acquired; see `AcquisitionConfig`."""

    axis: int
    thickness: float
    offset: float
    blur: float
    bias: float
    noise: float
    rotation: Array | None
    shift: Array
    gamma: float

    def record(self) -> dict[str, Any]:
        """For the sample's record."""
        moved = self.rotation is not None
        return {
            "slices": _AXES[self.axis] if self.thickness > 1 else "isotropic",
            "thickness_mm": round(self.thickness, 2),
            "noise": round(self.noise, 4),
            "bias": round(self.bias, 3),
            "moved_mm": round(float(np.linalg.norm(self.shift)), 2) if moved else 0.0,
        }


def draw_acquisition(
    rng: np.random.Generator, sequence: Sequence, config: AcquisitionConfig, gentle: bool = False
) -> Acquisition:
    """Settings of one sequence.

    Args:
        sequence: T1CE is the reference: it does not move.
        gentle: for real scans, which have noise, bias and thick slices of their own.
    """
    reference = sequence is Sequence.T1CE
    chance = config.thick_reference if reference else config.thick
    thick = rng.random() < chance * (0.5 if gentle else 1.0)
    axis = 0 if rng.random() < config.axial else int(rng.integers(1, 3))
    thickness = float(rng.uniform(*config.thickness)) if thick else 1.0
    # Coronal and sagittal stacks are finer, and the slices of a T1CE the least of all.
    if axis != 0:
        thickness = min(thickness, 3.0 if reference else 4.0)
    moves = not reference and rng.random() < config.motion
    low, high = config.noise
    amount = low * (high / low) ** rng.random() if low > 0 else rng.uniform(low, high)
    weak = 0.4 if gentle else 1.0
    return Acquisition(
        axis if thick else 0,
        thickness,
        float(rng.uniform(0, thickness)) if thick else 0.0,
        float(rng.uniform(0, config.blur) * weak),
        float(rng.uniform(0, config.bias) * weak),
        float(amount * weak),
        random_rotation(rng, config.motion_degrees) if moves else None,
        rng.uniform(-1, 1, 3) * config.motion_mm,
        float(np.exp(rng.uniform(-1, 1) * np.log(config.gamma))) if rng.random() < 0.35 else 1.0,
    )


def slices_of(acquisition: Acquisition, depth: int) -> SliceGrid:
    """The axial slices on which a sample with this reference lives."""
    if acquisition.thickness <= 1 or acquisition.axis != 0:
        return SliceGrid(0.0, 1.0, depth)
    count = int((depth - 1 - acquisition.offset) // acquisition.thickness) + 1
    return SliceGrid(acquisition.offset, acquisition.thickness, count)


def acquire(
    rng: np.random.Generator, picture: Array, acquisition: Acquisition, slices: SliceGrid
) -> Array:
    """A scan of a picture, sampled on the sample's slices.

    Args:
        picture: float32 ``[slice, row, column]`` at 1 mm; white matter about 1.
        slices: of the sample.

    Returns:
        float32 ``[slice, row, column]``; slices as in ``slices``, rows and columns at 1 mm.
    """
    scan = picture
    if acquisition.rotation is not None:
        middle = (np.array(scan.shape) - 1) / 2
        offset = middle + acquisition.shift - acquisition.rotation @ middle
        scan = ndimage.affine_transform(scan, acquisition.rotation, offset, order=1, mode="nearest")
    if acquisition.blur > 0.3:
        scan = ndimage.gaussian_filter(scan, (0, acquisition.blur, acquisition.blur), truncate=3)
    if acquisition.bias > 0.01:
        scan = scan * bias_field(rng, scan.shape, acquisition.bias)
    if acquisition.gamma != 1.0:
        scan = np.power(np.maximum(scan, 0), np.float32(acquisition.gamma))
    if acquisition.thickness <= 1:
        scan = rician(rng, scan, acquisition.noise)
        return _resample_slices(scan, slices)
    count = int((scan.shape[acquisition.axis] - 1 - acquisition.offset) // acquisition.thickness)
    native = acquisition.offset + acquisition.thickness * np.arange(count + 1)
    scan = take_slices(scan, acquisition.axis, native, acquisition.thickness)
    scan = rician(rng, scan, acquisition.noise)
    if acquisition.axis == 0:
        # Straight from its own slices to those of the sample.
        return _interpolate(scan, 0, (slices.positions - native[0]) / acquisition.thickness)
    inverse = (np.arange(picture.shape[acquisition.axis]) - native[0]) / acquisition.thickness
    return _resample_slices(_interpolate(scan, acquisition.axis, inverse), slices)


def bias_field(rng: np.random.Generator, shape: tuple[int, ...], strength: float) -> Array:
    """Sensitivity of the coil at 1 mm; ``strength`` is the deviation of its logarithm."""
    field = noise(rng, shape, float(rng.uniform(90, 200)))
    return np.exp(np.float32(strength) * np.clip(field, -2.2, 2.2))


def take_slices(volume: Array, axis: int, positions: Array, thickness: float) -> Array:
    """Average a volume over bell-shaped slice profiles, ``thickness`` wide at half height."""
    if thickness > 1:
        sigma = np.sqrt(max((thickness / 2.355) ** 2 - 0.15, 0.01))
        volume = ndimage.gaussian_filter1d(volume, sigma, axis=axis, mode="nearest", truncate=3)
    return _interpolate(volume, axis, positions)


def _resample_slices(scan: Array, slices: SliceGrid) -> Array:
    """Sample a 1 mm scan on thicker slices without aliases, as `model_grid.to_grid` does."""
    if slices.spacing <= 1:
        return scan
    if slices.spacing > 1.25:
        sigma = np.sqrt((slices.spacing**2 - 1) / 12)
        scan = ndimage.gaussian_filter1d(scan, sigma, axis=0, mode="nearest", truncate=3)
    return _interpolate(scan, 0, slices.positions)


def _interpolate(volume: Array, axis: int, positions: Array) -> Array:
    """Linear interpolation along one axis; constant beyond the ends."""
    last = volume.shape[axis] - 1
    positions = np.clip(positions, 0, last)
    low = np.minimum(positions.astype(int), max(last - 1, 0))
    share = (positions - low).astype(np.float32)
    if not share.any():
        return np.take(volume, low, axis=axis)
    below, above = np.take(volume, low, axis=axis), np.take(volume, np.minimum(low + 1, last), axis)
    above -= below
    above *= along(share, axis)
    above += below
    return above


def rician(rng: np.random.Generator, scan: Array, deviation: float) -> Array:
    """Magnitude of a signal with complex noise (Gudbjartsson and Patz 1995)."""
    if deviation <= 0:
        return scan
    real = rng.standard_normal(scan.shape, dtype=np.float32)
    real *= np.float32(deviation)
    real += scan
    imaginary = rng.standard_normal(scan.shape, dtype=np.float32)
    imaginary *= np.float32(deviation)
    np.square(real, out=real)
    np.square(imaginary, out=imaginary)
    real += imaginary
    return np.sqrt(real, out=real)


def drop_sequence(rng: np.random.Generator, config: AcquisitionConfig) -> Sequence | None:
    """The sequence that was not taken, if any."""
    if rng.random() >= config.missing:
        return None
    return Sequence.T1 if rng.random() < 0.5 else Sequence.FLAIR
