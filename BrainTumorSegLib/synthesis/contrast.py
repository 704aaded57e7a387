"""How bright each material is in each sequence."""

from __future__ import annotations

from collections.abc import Mapping

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.synthesis.materials import Material

#: Signal on T1, T1CE and FLAIR relative to white matter on T1, and the standard deviation
#: of the mottling within the material relative to its signal. Typical of clinical scans:
#: white > grey > CSF on T1, grey > white > CSF on FLAIR, where oedema is brightest.
_TABLE: Mapping[Material, tuple[float, float, float, float]] = {
    Material.AIR: (0.00, 0.00, 0.00, 0.0),
    Material.SKIN: (1.05, 1.20, 0.80, 0.05),
    Material.FAT: (2.10, 2.10, 1.50, 0.07),
    Material.MUSCLE: (0.72, 0.90, 0.45, 0.08),
    Material.MUCOSA: (0.80, 1.75, 1.10, 0.10),
    Material.BONE: (0.12, 0.14, 0.08, 0.0),
    Material.MARROW: (0.85, 0.90, 0.70, 0.22),
    Material.CARTILAGE: (0.55, 0.60, 0.40, 0.0),
    Material.VITREOUS: (0.30, 0.30, 0.15, 0.0),
    Material.GLAND: (0.90, 1.70, 0.80, 0.0),
    Material.CSF: (0.27, 0.27, 0.12, 0.0),
    Material.DURA: (0.55, 1.05, 0.40, 0.0),
    Material.GREY: (0.76, 0.79, 0.86, 0.03),
    Material.WHITE: (1.00, 1.00, 0.70, 0.016),
    Material.DEEP_GREY: (0.86, 0.87, 0.80, 0.025),
    Material.PALLIDUM: (0.93, 0.93, 0.66, 0.0),
    Material.STEM: (0.96, 0.96, 0.74, 0.03),
    Material.CHOROID: (0.60, 1.60, 0.80, 0.10),
    Material.VEIN: (0.42, 1.95, 0.25, 0.04),
    Material.ARTERY: (0.28, 1.70, 0.12, 0.0),
    Material.NECROSIS: (0.45, 0.42, 1.00, 0.10),
    Material.EDEMA: (0.78, 0.79, 1.48, 0.045),
    Material.NON_ENHANCING: (0.60, 0.62, 1.20, 0.06),
    Material.ENHANCING: (0.72, 1.80, 1.22, 0.12),
}

CONTRASTS: Mapping[Sequence, Mapping[Material, float]] = {
    sequence: {material: row[column] for material, row in _TABLE.items()}
    for column, sequence in enumerate((Sequence.T1, Sequence.T1CE, Sequence.FLAIR))
}

MOTTLING: Mapping[Material, float] = {material: row[3] for material, row in _TABLE.items()}
