"""Oedema: how far it gets through the tissue around a lesion."""

from __future__ import annotations

import numpy as np

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.synthesis.grid import Array
from BrainTumorSegLib.synthesis.tumours.anatomy_classes import OEDEMA_SPEED, PARENCHYMA, A
from BrainTumorSegLib.synthesis.tumours.fields import coarse_noise
from BrainTumorSegLib.synthesis.tumours.forms import spread
from BrainTumorSegLib.synthesis.tumours.plan import Coat, Plan


def tissue_speed(classes: Array, floor: float = 0.0) -> Array:
    """How fast oedema or tumour spreads through each class; ``floor`` at the least."""
    table = np.full(256, floor, np.float32)
    for name, value in OEDEMA_SPEED.items():
        table[name] = max(value, floor)
    return table[classes]


def oedema_coat(
    rng: np.random.Generator, plan: Plan, coarse: Array, classes: Array, core: Array, reach: float
) -> Coat | None:
    """Oedema around a core: through white matter, hardly into cortex, never into fluid.

    Args:
        rng: source of chance.
        plan: of the lesion.
        coarse: displaced classes on the coarse nodes of its box.
        classes: the same on its fine voxels.
        core: coarse distance to where the oedema sets out.
        reach: mm in white matter.
    """
    if reach < 1.5:
        return None
    noisy = coarse_noise(rng, plan.box.nodes, 16.0)
    left = plan.box.fine_field(spread(core, tissue_speed(coarse), reach, noisy))
    alpha = np.clip(0.5 + left / np.float32(4.0), 0, 1)
    alpha *= np.float32(0.78) + np.float32(0.22) * np.clip(left / np.float32(reach), 0, 1)
    return Coat("edema", alpha * wettable(classes), Tissue.EDEMA)


def wettable(classes: Array) -> Array:
    """How much oedema each class of tissue can hold."""
    table = np.zeros(256, np.float32)
    table[[int(c) for c in PARENCHYMA]] = 1.0
    table[[int(A.CORTEX), int(A.CEREBELLAR_CORTEX)]] = 0.55
    table[[int(A.VEIN), int(A.ARTERY)]] = 0.5
    return table[classes]
