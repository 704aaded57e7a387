"""What a synthetic head is made of, and how layers of it make a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from BrainTumorSegLib.synthesis.grid import Array, Box, Grid
from BrainTumorSegLib.synthesis.shapes import coverage


class Material(Enum):
    """A substance with a signal of its own in each sequence."""

    AIR = auto()
    SKIN = auto()
    FAT = auto()
    MUSCLE = auto()
    MUCOSA = auto()
    BONE = auto()
    MARROW = auto()
    CARTILAGE = auto()
    VITREOUS = auto()
    GLAND = auto()
    CSF = auto()
    DURA = auto()
    GREY = auto()
    WHITE = auto()
    DEEP_GREY = auto()
    PALLIDUM = auto()
    STEM = auto()
    CHOROID = auto()
    VEIN = auto()
    ARTERY = auto()
    NECROSIS = auto()
    EDEMA = auto()
    NON_ENHANCING = auto()
    ENHANCING = auto()


@dataclass(frozen=True)
class Layer:
    """One coat of a material.

    Attributes:
        material: what it is made of.
        box: where it lies in the grid.
        cover: share of each fine voxel that it hides, ``[z, y, x]`` in 0..255.
    """

    material: Material
    box: Box
    cover: Array


def layer(material: Material, box: Box, distance: Array, softness: float = 1.0) -> Layer:
    """A layer of everything that has a negative fine ``distance`` (mm)."""
    return from_share(material, box, coverage(distance, softness))


def from_share(material: Material, box: Box, share: Array) -> Layer:
    """A layer from the share 0..1 of each fine voxel that it hides."""
    return Layer(material, box, np.rint(share * 255).astype(np.uint8))


def render(
    grid: Grid,
    layers: Iterable[Layer],
    values: Mapping[Material, float],
    texture: Array | None = None,
    mottling: Mapping[Material, float] | None = None,
) -> Array:
    """Lay the layers over each other, the first one lowest, and give each its value.

    Args:
        grid: the grid that the layers were made for.
        layers: from back to front, over nothing (0).
        values: by material; a material without one counts as 0.
        texture: fine noise of deviation 1 that modulates the values.
        mottling: relative strength of the texture by material.

    Returns:
        float32 array ``[z, y, x]`` on the fine grid.
    """
    picture = np.zeros(grid.whole.fine_shape, np.float32)
    for coat in layers:
        value = np.float32(values.get(coat.material, 0.0))
        view = picture[coat.box.fine]
        strength = (mottling or {}).get(coat.material, 0.0)
        if texture is not None and strength and value:
            change = texture[coat.box.fine] * (value * np.float32(strength))
            change += value
            change -= view
        else:
            change = value - view
        change *= coat.cover
        change *= np.float32(1 / 255)
        view += change
    return picture


def share_of(grid: Grid, layers: Iterable[Layer], *materials: Material) -> Array:
    """Share 0..1 of each fine voxel that is seen to be one of ``materials``."""
    return render(grid, layers, dict.fromkeys(materials, 1.0))
