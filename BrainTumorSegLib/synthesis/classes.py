"""What a head is made of: anatomical classes, their signals, and how label maps name them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from BrainTumorSegLib.core.sequences import Sequence

from .fields import Array


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
GRAY = (A.CORTEX, A.CEREBELLAR_CORTEX, A.LIMBIC)

#: How fast edema spreads, relative to white matter; what is not listed stops it.
EDEMA_SPEED: Mapping[Anatomical, float] = {
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

#: By class: signal on T1, T1CE and FLAIR relative to white matter on T1, and the standard
#: deviation of the mottling relative to the class's signal. Typical of clinical scans:
#: white > grey > CSF on T1, grey > white > CSF on FLAIR. Then the labels of FreeSurfer's color
#: table, or of the extra-cerebral extension of the SynthSeg label maps (Billot et al. 2023).
_TABLE: Mapping[Anatomical, tuple[tuple[float, float, float, float], tuple[int, ...]]] = {
    A.AIR: ((0.00, 0.00, 0.00, 0.0), ()),
    A.WHITE: ((1.00, 1.00, 0.70, 0.016), (2, 41, 25, 57)),
    A.CORTEX: ((0.76, 0.79, 0.86, 0.03), (3, 42)),
    A.CSF: ((0.27, 0.27, 0.12, 0.0), (24,)),
    A.VENTRICLE: ((0.27, 0.27, 0.12, 0.0), (4, 5, 14, 15, 43, 44, 72)),
    A.CEREBELLAR_WHITE: ((1.00, 1.00, 0.70, 0.016), (7, 46)),
    A.CEREBELLAR_CORTEX: ((0.76, 0.79, 0.86, 0.03), (8, 47)),
    A.THALAMUS: ((0.86, 0.87, 0.80, 0.025), (10, 49)),
    A.STRIATUM: ((0.86, 0.87, 0.80, 0.025), (11, 12, 26, 50, 51, 58)),
    A.PALLIDUM: ((0.93, 0.93, 0.66, 0.0), (13, 52)),
    A.LIMBIC: ((0.76, 0.79, 0.86, 0.03), (17, 18, 53, 54)),
    A.STEM: ((0.96, 0.96, 0.74, 0.03), (16, 28, 60, 512)),
    A.CHOROID: ((0.60, 1.60, 0.80, 0.10), (136, 137, 163, 164)),
    A.VEIN: ((0.42, 1.95, 0.25, 0.04), (514, 530)),
    A.ARTERY: ((0.28, 1.70, 0.12, 0.0), (502, 30, 62)),
    A.DURA: ((0.55, 1.05, 0.40, 0.0), ()),
    A.BONE: ((0.12, 0.14, 0.08, 0.0), (515,)),
    A.MARROW: ((0.85, 0.90, 0.70, 0.22), (516,)),
    A.MUSCLE: ((0.72, 0.90, 0.45, 0.08), (507,)),
    A.FAT: ((2.10, 2.10, 1.50, 0.07), ()),
    A.SKIN: ((1.05, 1.20, 0.80, 0.05), (511,)),
    A.MUCOSA: ((0.80, 1.75, 1.10, 0.10), (509,)),
    A.EYE: ((0.30, 0.30, 0.15, 0.0), (506,)),
    A.NERVE: ((1.00, 1.00, 0.70, 0.016), (85, 508)),
}
_T1, _T1CE, _FLAIR, MOTTLING = np.array([_TABLE[c][0] for c in A]).T

#: Typical signals by sequence, float64 by `Anatomical` value; white matter on T1 is 1.
SIGNALS: Mapping[Sequence, Array] = {
    Sequence.T1: _T1,
    Sequence.T1CE: _T1CE,
    Sequence.FLAIR: _FLAIR,
}


def classes_of(labels: Array) -> Array:
    """The class of each voxel of a label map; unknown labels become air.

    Args:
        labels: whole numbers, any shape.

    Returns:
        uint8 array of the same shape.
    """
    table = np.zeros(max(1024, int(labels.max()) + 1), np.uint8)
    for name, (_, values) in _TABLE.items():
        table[list(values)] = name
    return table[labels]


def is_any(classes: Array, names: tuple[Anatomical, ...]) -> Array:
    """Where ``classes`` is one of ``names``."""
    table = np.zeros(256, bool)
    table[list(names)] = True
    return table[classes]


def value_of(classes: Array, values: Mapping[Anatomical, float], rest: float = 0.0) -> Array:
    """The value of each voxel's class, float32; ``rest`` for classes that have none."""
    table = np.full(256, rest, np.float32)
    for name, value in values.items():
        table[name] = value
    return table[classes]
