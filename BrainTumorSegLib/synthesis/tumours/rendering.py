"""From classes to pictures: signal of every voxel of a head without a lesion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.synthesis.grid import Array
from BrainTumorSegLib.synthesis.tumours.anatomy_classes import A
from BrainTumorSegLib.synthesis.tumours.contrasts import Contrast
from BrainTumorSegLib.synthesis.tumours.fields import noise


def add_vessels(rng: np.random.Generator, classes: Array, depth: Array, density: float) -> None:
    """Draw thin veins in the fluid of sulci and into white matter (in place).

    A vessel runs where two smooth fields are both near zero, which is a winding line.

    Args:
        rng: source of chance.
        classes: fine `Anatomical` values.
        depth: fine mm from the wall of the cavity.
        density: 1 is typical.
    """
    first, second = noise(rng, classes.shape, 24.0), noise(rng, classes.shape, 17.0)
    distance = np.hypot(first, second, out=first)
    sulcal = (classes == A.CSF) & (depth > 0) & (depth < 25)
    classes[sulcal & (distance < np.float32(0.16 * density))] = A.VEIN
    deep = (classes == A.WHITE) & (distance < np.float32(0.035 * density))
    classes[deep] = A.VEIN


def add_choroid(rng: np.random.Generator, classes: Array) -> None:
    """Draw strands of choroid plexus into the ventricles (in place)."""
    # It hangs from the wall of the ventricle along the thalamus.
    small = ndimage.binary_dilation((classes == A.THALAMUS)[::2, ::2, ::2], iterations=3)
    near = np.kron(small, np.ones((2, 2, 2), bool))[tuple(slice(n) for n in classes.shape)]
    field = noise(rng, classes.shape, 7.0)
    classes[(classes == A.VENTRICLE) & near & (field > 0.9)] = A.CHOROID


def render_head(
    rng: np.random.Generator, classes: Array, contrast: Contrast
) -> Mapping[Sequence, Array]:
    """Pictures of a head, one a sequence.

    Args:
        rng: source of chance.
        classes: fine `Anatomical` values.
        contrast: signals and mottling.

    Returns:
        float32 arrays of the shape of ``classes``; white matter is about 1.
    """
    mottle = noise(rng, classes.shape, 6.0)
    slow = noise(rng, classes.shape, 38.0)
    strength = contrast.mottling[classes]
    # White matter is not one substance: bundles differ by a few percent over centimetres.
    uneven = np.float32(1) + strength * mottle + np.float32(0.018) * slow
    pictures = {}
    for sequence, signals in contrast.signals.items():
        picture = signals[classes]
        picture *= uneven
        pictures[sequence] = ndimage.gaussian_filter(picture, contrast.blur, truncate=3.0)
    return pictures
