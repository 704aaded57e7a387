"""From a still picture of the head to a scan: grid, slice profile, coil, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.synthesis.grid import Array


@dataclass(frozen=True)
class Protocol:
    """How a sequence is acquired.

    Attributes:
        size: voxels along columns, rows, slices.
        spacing: mm along the same axes.
        axes: unit vectors (LPS) of these axes as rows, before tilting.
        tilt: degrees about the LPS axes x, y, z.
        centre: LPS position of the middle of the volume, mm.
        white: signal of white matter in the file's units.
        noise: standard deviation of the complex noise relative to white matter.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    axes: tuple[tuple[float, float, float], ...]
    tilt: tuple[float, float, float]
    centre: tuple[float, float, float]
    white: float
    noise: float


def empty_scan(protocol: Protocol) -> sitk.Image:
    """An image of zeros with the geometry that the protocol prescribes."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.radians(protocol.tilt).tolist())
    direction = np.array(turn.GetMatrix()).reshape(3, 3) @ np.array(protocol.axes).T
    middle = (np.array(protocol.size) - 1) / 2 * protocol.spacing
    image = sitk.Image(list(protocol.size), sitk.sitkUInt8)
    image.SetSpacing(protocol.spacing)
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin((np.array(protocol.centre) - direction @ middle).tolist())
    return image


def sample(picture: sitk.Image, scan: sitk.Image, pose: sitk.Transform) -> Array:
    """Average a picture over the voxels of a scan.

    Thick slices are sampled about every millimetre and weighted with a bell-shaped
    slice profile whose width at half height is the slice distance.

    Args:
        picture: finer than the scan.
        scan: the geometry wanted.
        pose: takes points of the picture to where they lie during the scan.

    Returns:
        float32 array ``[slice, row, column]``.
    """
    thickness = scan.GetSpacing()[2]
    parts = max(1, round(thickness / 1.0))
    fine = sitk.Image([*scan.GetSize()[:2], scan.GetSize()[2] * parts], sitk.sitkUInt8)
    fine.SetDirection(scan.GetDirection())
    fine.SetSpacing((*scan.GetSpacing()[:2], thickness / parts))
    first = (1 - parts) / (2 * parts)
    fine.SetOrigin(scan.TransformContinuousIndexToPhysicalPoint((0.0, 0.0, first)))
    values = sitk.GetArrayFromImage(
        sitk.Resample(picture, fine, pose.GetInverse(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)
    )
    if parts == 1:
        return values
    profile = _slice_profile(parts)
    padded = np.pad(values, ((parts, parts), (0, 0), (0, 0)), mode="edge")
    total = np.zeros((scan.GetSize()[2], *values.shape[1:]), np.float32)
    for offset, weight in enumerate(profile):
        total += weight * padded[offset : offset + parts * len(total) : parts][: len(total)]
    return total


def _slice_profile(parts: int) -> Array:
    """Weights of ``3 * parts`` samples, the middle third of which lie in the slice."""
    place = (np.arange(3 * parts) - (3 * parts - 1) / 2) / parts
    weights = np.exp(-4 * np.log(2) * place**2)
    return (weights / weights.sum()).astype(np.float32)


def scan_picture(
    picture: sitk.Image,
    protocol: Protocol,
    pose: sitk.Transform,
    rng: np.random.Generator,
    shading: float = 0.12,
) -> sitk.Image:
    """Acquire a picture: sampling, coil shading, point spread, Rician noise.

    Args:
        picture: signal relative to white matter, placed in LPS space.
        protocol: how to acquire it.
        pose: takes points of the picture to where they lie during the scan.
        rng: source of chance.
        shading: strength of the slow brightness changes.

    Returns:
        16-bit image on the protocol's grid.
    """
    scan = empty_scan(protocol)
    signal = sample(picture, scan, pose)
    signal *= _shading(scan, rng, shading)
    in_plane = (0.0, 0.42, 0.42)
    signal = ndimage.gaussian_filter(signal, in_plane)
    real, imaginary = (_receiver_noise(signal.shape, rng, protocol.noise) for _ in range(2))
    real += signal
    np.square(real, out=real)
    np.square(imaginary, out=imaginary)
    real += imaginary
    magnitude = np.sqrt(real, out=real)
    magnitude *= np.float32(protocol.white)
    result = sitk.GetImageFromArray(np.rint(magnitude).astype(np.int16))
    result.CopyInformation(scan)
    return result


def _receiver_noise(shape: tuple[int, ...], rng: np.random.Generator, deviation: float) -> Array:
    """White noise that interpolation in plane has made a little smooth."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise = ndimage.gaussian_filter(noise, (0.0, 0.5, 0.5))
    noise *= np.float32(deviation / noise.std())
    return noise


def _shading(scan: sitk.Image, rng: np.random.Generator, strength: float) -> Array:
    """Sensitivity of the coil: a low-order polynomial in space, fading below the head."""
    columns, rows, slices = (np.linspace(0, n - 1, n, dtype=np.float32) for n in scan.GetSize())
    direction = np.array(scan.GetDirection(), np.float32).reshape(3, 3)
    steps = direction * np.array(scan.GetSpacing(), np.float32)
    origin = scan.GetOrigin()
    x, y, z = (
        np.float32(origin[a])
        + steps[a, 0] * columns[None, None, :]
        + steps[a, 1] * rows[None, :, None]
        + steps[a, 2] * slices[:, None, None]
        for a in range(3)
    )
    linear = rng.normal(size=3) * strength
    bowl = strength * rng.uniform(0.4, 1.2)
    field = (linear[0] * x + linear[1] * y + linear[2] * z) / np.float32(110)
    field += np.float32(bowl) * (np.square(x / 90) + np.square(y / 110) + np.square(z / 100) - 1)
    return np.exp(field) / (1 + np.exp((-92 - z) / np.float32(13)))
