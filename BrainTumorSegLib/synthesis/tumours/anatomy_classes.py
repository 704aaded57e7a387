"""Anatomical classes of a head, and how FreeSurfer-style label maps name them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from BrainTumorSegLib.synthesis.materials import Material


class Anatomical(IntEnum):
    """What a voxel of a head is made of."""

    AIR = 0
    WHITE = 1
    CORTEX = 2
    CSF = 3
    VENTRICLE = 4
    CEREBELLAR_WHITE = 5
    CEREBELLAR_CORTEX = 6
    THALAMUS = 7
    STRIATUM = 8
    PALLIDUM = 9
    LIMBIC = 10
    STEM = 11
    CHOROID = 12
    VEIN = 13
    ARTERY = 14
    DURA = 15
    BONE = 16
    MARROW = 17
    MUSCLE = 18
    FAT = 19
    SKIN = 20
    MUCOSA = 21
    EYE = 22
    NERVE = 23


A = Anatomical

#: Brain tissue proper.
PARENCHYMA = (
    *(A.WHITE, A.CORTEX, A.CEREBELLAR_WHITE, A.CEREBELLAR_CORTEX),
    *(A.THALAMUS, A.STRIATUM, A.PALLIDUM, A.LIMBIC, A.STEM),
)
GREY = (A.CORTEX, A.CEREBELLAR_CORTEX, A.LIMBIC)

#: How fast oedema spreads, relative to white matter; what is not listed stops it.
OEDEMA_SPEED: Mapping[Anatomical, float] = {
    A.WHITE: 1.0,
    A.CEREBELLAR_WHITE: 0.9,
    A.STEM: 0.4,
    A.PALLIDUM: 0.3,
    A.STRIATUM: 0.2,
    A.THALAMUS: 0.2,
    A.LIMBIC: 0.2,
    A.CORTEX: 0.14,
    A.CEREBELLAR_CORTEX: 0.14,
}

#: The substance of which `contrast.CONTRASTS` gives the signal.
SUBSTANCE: Mapping[Anatomical, Material] = {
    A.AIR: Material.AIR,
    A.WHITE: Material.WHITE,
    A.CORTEX: Material.GREY,
    A.CSF: Material.CSF,
    A.VENTRICLE: Material.CSF,
    A.CEREBELLAR_WHITE: Material.WHITE,
    A.CEREBELLAR_CORTEX: Material.GREY,
    A.THALAMUS: Material.DEEP_GREY,
    A.STRIATUM: Material.DEEP_GREY,
    A.PALLIDUM: Material.PALLIDUM,
    A.LIMBIC: Material.GREY,
    A.STEM: Material.STEM,
    A.CHOROID: Material.CHOROID,
    A.VEIN: Material.VEIN,
    A.ARTERY: Material.ARTERY,
    A.DURA: Material.DURA,
    A.BONE: Material.BONE,
    A.MARROW: Material.MARROW,
    A.MUSCLE: Material.MUSCLE,
    A.FAT: Material.FAT,
    A.SKIN: Material.SKIN,
    A.MUCOSA: Material.MUCOSA,
    A.EYE: Material.VITREOUS,
    A.NERVE: Material.WHITE,
}

#: Label of FreeSurfer's colour table, or of the extra-cerebral extension of the SynthSeg
#: label maps (Billot et al. 2023), by class.
_LABELS: Mapping[Anatomical, tuple[int, ...]] = {
    A.WHITE: (2, 41, 25, 57),
    A.CORTEX: (3, 42),
    A.CSF: (24,),
    A.VENTRICLE: (4, 5, 14, 15, 43, 44, 72),
    A.CEREBELLAR_WHITE: (7, 46),
    A.CEREBELLAR_CORTEX: (8, 47),
    A.THALAMUS: (10, 49),
    A.STRIATUM: (11, 12, 26, 50, 51, 58),
    A.PALLIDUM: (13, 52),
    A.LIMBIC: (17, 18, 53, 54),
    A.STEM: (16, 28, 60, 512),
    A.CHOROID: (136, 137, 163, 164),
    A.VEIN: (514, 530),
    A.ARTERY: (502, 30, 62),
    A.BONE: (515,),
    A.MARROW: (516,),
    A.MUSCLE: (507,),
    A.SKIN: (511,),
    A.MUCOSA: (509,),
    A.EYE: (506,),
    A.NERVE: (85, 508),
}


def classes_of(labels: np.ndarray) -> np.ndarray:
    """The class of each voxel of a label map; unknown labels become air.

    Args:
        labels: whole numbers, any shape.

    Returns:
        uint8 array of the same shape.
    """
    table = np.zeros(max(1024, int(labels.max()) + 1), np.uint8)
    for name, values in _LABELS.items():
        table[list(values)] = name
    return table[labels]


def is_any(classes: np.ndarray, names: tuple[Anatomical, ...]) -> np.ndarray:
    """Where ``classes`` is one of ``names``."""
    table = np.zeros(256, bool)
    table[[int(n) for n in names]] = True
    return table[classes]
