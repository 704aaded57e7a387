"""Random changes of training slices: geometry, contrast, noise, missing sequences.

Everything works on a whole batch in torch and draws from one generator, so that
a step is repeated exactly from its seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from BrainTumorSegLib.core.sequences import Sequence

#: Distance between the values that a smooth displacement runs through.
_KNOT_PIXELS = 24


@dataclass(frozen=True)
class AugmentationConfig:
    """How strongly to change slices; probabilities are per slice unless stated otherwise.

    Attributes:
        rotation_degrees: largest turn to either side.
        scale: largest change of size, as a logarithm.
        shift_pixels: largest shift along rows and along columns.
        deformation_pixels: standard deviation of smooth displacements, of half of the slices.
        mirror: probability of a mirrored slice.
        dihedral_batches: probability that a whole batch is turned by right angles.
        intensity: probability of another gain, offset and bend of each channel's values.
        gain, offset: largest change of a gain of 1 and of an offset of 0.
        shading: probability of the shading of a coil: a smooth field by which the intensities
            before normalisation are multiplied, another one for each channel.
        shading_strength: largest standard deviation of that field's logarithm.
        bias_field: probability of a weak smooth field that is added.
        noise: probability of noise.
        blur: probability of half the resolution.
        drop_sequence: probability that T1 or FLAIR is missing.
        t1ce_alone: probability that both are.
    """

    rotation_degrees: float = 20.0
    scale: float = 0.15
    shift_pixels: float = 8.0
    deformation_pixels: float = 0.0
    mirror: float = 0.5
    dihedral_batches: float = 0.3
    intensity: float = 0.8
    gain: float = 0.25
    offset: float = 0.3
    shading: float = 0.0
    shading_strength: float = 0.45
    bias_field: float = 0.3
    noise: float = 0.3
    blur: float = 0.2
    drop_sequence: float = 0.1
    t1ce_alone: float = 0.0


def augment(
    images: Tensor,
    allowed: Tensor,
    shown: tuple[Sequence, ...],
    config: AugmentationConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Change a batch at random.

    Args:
        images: float ``[N, C, H, W]``, zero outside the brain.
        allowed: uint8 tissue bits ``[N, H, W]``.
        shown: the sequence that each channel shows.
        generator: the source of every random number.

    Returns:
        Both, changed; height and width may be exchanged for the whole batch.
    """
    measured = images != 0
    brain = measured.any(dim=1, keepdim=True)
    # A sequence that was not taken is zero when a new case is segmented, too.
    taken = measured.any(dim=3).any(dim=2)[..., None, None]
    images = _change_intensity(images, brain, config, generator) * taken
    images = images * _kept_sequences(len(images), shown, config, generator)
    images, allowed = _move(images, allowed, config, generator)
    if _chance(1, config.dihedral_batches, generator).item():
        turns = int(torch.randint(0, 4, (1,), generator=generator))
        flip = bool(torch.randint(0, 2, (1,), generator=generator))
        images, allowed = images.rot90(turns, (2, 3)), allowed.rot90(turns, (1, 2))
        if flip:
            images, allowed = images.flip(3), allowed.flip(2)
    return images.contiguous(), allowed.contiguous()


def _chance(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """Of each slice whether it is chosen, ``[N, 1, 1, 1]``."""
    return torch.rand(n, 1, 1, 1, generator=generator) < probability


def _between(
    n: int, low: float, high: float, generator: torch.Generator, channels: int = 1
) -> Tensor:
    """Uniform numbers ``[N, C, 1, 1]``."""
    return low + (high - low) * torch.rand(n, channels, 1, 1, generator=generator)


def _smooth(
    shape: tuple[int, int, int, int], knots: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """Random fields that are smooth between ``knots`` values along height and width."""
    values = torch.randn(*shape[:2], *knots, generator=generator)
    return functional.interpolate(values, size=shape[2:], mode="bicubic", align_corners=False)


def _move(
    images: Tensor, allowed: Tensor, config: AugmentationConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Rotate, scale, shift, mirror and deform: linear for images, nearest for labels."""
    n, _, height, width = images.shape
    limit = math.radians(config.rotation_degrees)
    angle = _between(n, -limit, limit, generator).flatten()
    zoom = torch.exp(_between(n, -config.scale, config.scale, generator)).flatten()
    mirror = 1.0 - 2.0 * _chance(n, config.mirror, generator).flatten().float()
    shift_x = _between(n, -1, 1, generator).flatten() * 2 * config.shift_pixels / width
    shift_y = _between(n, -1, 1, generator).flatten() * 2 * config.shift_pixels / height
    # affine_grid wants coordinates scaled to -1..1, so rotation of a non-square
    # image carries the aspect ratio.
    aspect = height / width
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = (cos * mirror, -sin * aspect, shift_x), (sin * mirror / aspect, cos, shift_y)
    theta = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    grid = functional.affine_grid(theta, [n, 1, height, width], align_corners=False)
    if config.deformation_pixels:
        # Smooth displacements of half of the slices.
        knots = max(4, round(height / _KNOT_PIXELS)), max(4, round(width / _KNOT_PIXELS))
        pixels = config.deformation_pixels * _smooth((n, 2, height, width), knots, generator)
        pixels = pixels * _chance(n, 0.5, generator).float()
        grid = grid + pixels.permute(0, 2, 3, 1) * torch.tensor([2.0 / width, 2.0 / height])
    moved = functional.grid_sample(images, grid, mode="bilinear", align_corners=False)
    # Bits are sampled with an offset so that what comes from outside reads 0 = background.
    labels = functional.grid_sample(
        (allowed.float() - 1.0)[:, None], grid, mode="nearest", align_corners=False
    )
    return moved, (labels[:, 0] + 1.0).round().to(torch.uint8)


def _shade(
    images: Tensor, brain: Tensor, config: AugmentationConfig, generator: torch.Generator
) -> Tensor:
    """Multiply what the scanner measured by a smooth field; mean and spread stay as they were.

    Normalised values lack the mean that a field multiplies, so each channel is given one back:
    in scans of brains it is 2.5 to 5 of their standard deviations above zero.
    """
    n, channels, height, width = images.shape
    chosen = _chance(n, config.shading, generator)
    strength = _between(n, 0.0, config.shading_strength, generator)
    mean = _between(n, 2.5, 5.0, generator, channels)
    field = _smooth((n, channels, height, width), (3, 3), generator).clamp(-2.2, 2.2)
    shaded = (images + mean) * torch.exp(strength * field) - mean
    before, after = _moments(images, brain), _moments(shaded, brain)
    shaded = (shaded - after[0]) * (before[1] / after[1]) + before[0]
    return torch.where(chosen & brain, shaded, images)


def _moments(images: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel inside the brain, ``[N, C, 1, 1]``."""
    count = brain.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    mean = (images * brain).sum(dim=(2, 3), keepdim=True) / count
    spread = ((images - mean).square() * brain).sum(dim=(2, 3), keepdim=True) / count
    return mean, spread.sqrt().clamp(min=1e-3)


def _change_intensity(
    images: Tensor, brain: Tensor, config: AugmentationConfig, generator: torch.Generator
) -> Tensor:
    n, channels, height, width = images.shape
    if config.shading:
        images = _shade(images, brain, config, generator)
    chosen = _chance(n, config.intensity, generator).float()
    gain = _between(n, -config.gain, config.gain, generator, channels)
    offset = _between(n, -config.offset, config.offset, generator, channels)
    # A bend that leaves the range's ends in place: darker or brighter middle.
    bend = _between(n, -0.12, 0.12, generator, channels)
    changed = images * (1 + chosen * gain) + chosen * (offset + bend * (images.square() - 1))

    field = _smooth((n, channels, height, width), (4, 4), generator)
    changed = changed + _chance(n, config.bias_field, generator).float() * 0.2 * field

    chosen = _chance(n, config.blur, generator)
    small = functional.avg_pool2d(changed, 2)
    blurred = functional.interpolate(
        small, size=(height, width), mode="bilinear", align_corners=False
    )
    changed = torch.where(chosen, blurred, changed)

    chosen = _chance(n, config.noise, generator).float()
    sigma = _between(n, 0.02, 0.2, generator)
    changed = changed + chosen * sigma * torch.randn(images.shape, generator=generator)
    return changed * brain


def _kept_sequences(
    n: int, shown: tuple[Sequence, ...], config: AugmentationConfig, generator: torch.Generator
) -> Tensor:
    """Zero T1 or FLAIR now and then, or both; T1CE always stays."""
    keep = torch.ones(n, len(shown), 1, 1)
    dropped = _chance(n, config.drop_sequence, generator).flatten()
    which = torch.randint(0, 2, (n,), generator=generator)
    # Where it cannot happen no number is drawn, so that such runs stay what they were.
    alone = torch.zeros(n, dtype=torch.bool)
    if config.t1ce_alone:
        alone = _chance(n, config.t1ce_alone, generator).flatten()
    for number, sequence in enumerate((Sequence.T1, Sequence.FLAIR)):
        channels = [c for c, s in enumerate(shown) if s is sequence]
        if channels and Sequence.T1CE in shown:
            rows = torch.nonzero((dropped & (which == number)) | alone)
            keep[rows, torch.tensor(channels)] = 0.0
    return keep
