"""Signals of lesions, relative to the white matter, grey matter and fluid of the same scan.

The ranges were read off the labelled voxels of real gliomas (medians by case, relative to
white matter) and, for meningioma and neurinoma, follow textbook descriptions: about the
signal of grey matter before contrast agent, strong and even uptake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.synthesis.tumours.canvas import Levels
from BrainTumorSegLib.synthesis.tumours.kinds import Kind


@dataclass(frozen=True)
class Tone:
    """Signal of a tissue by sequence, and the relative deviation of its mottling."""

    signal: Mapping[Sequence, float]
    mottling: float


Tones = Mapping[str, Tone]
Between = Callable[[float, float], float]

#: Name -> (place on T1 between fluid and white matter, uptake on T1CE in units of white
#: matter, FLAIR ratio, mottling).
Table = Mapping[str, tuple[float, float, float, float]]


def draw_tones(
    rng: np.random.Generator, kind: Kind, levels: Mapping[Sequence, Levels], wild: float = 1.0
) -> Tones:
    """Tones of all parts that lesions of a kind may have.

    Args:
        rng: source of chance.
        kind: of lesion.
        levels: of the scans it is painted on.
        wild: widens (above 1) or narrows (below 1) every range about its middle.
    """

    def between(low: float, high: float) -> float:
        middle, half = (low + high) / 2, (high - low) / 2 * wild
        return float(rng.uniform(middle - half, middle + half))

    if kind in (Kind.MENINGIOMA, Kind.NEURINOMA):
        table = _extra_axial(rng, kind, between)
    elif kind is Kind.ASTROCYTOMA:
        table = _astrocytoma(rng, between)
    elif kind is Kind.GLIOBLASTOMA:
        table = _glioblastoma(rng, between)
    else:
        table = _harmless(between)
    tones = {}
    for name, (t1, uptake, flair, mottling) in table.items():
        tones[name] = Tone(
            {
                Sequence.T1: _on_t1(levels[Sequence.T1], t1),
                Sequence.T1CE: _on_t1(levels[Sequence.T1CE], t1) + uptake,
                Sequence.FLAIR: _on_flair(levels[Sequence.FLAIR], flair),
            },
            mottling,
        )
    ce, flair = levels[Sequence.T1CE], levels[Sequence.FLAIR]
    tones["fluid"] = Tone(
        {
            Sequence.T1: levels[Sequence.T1].fluid,
            Sequence.T1CE: ce.fluid,
            Sequence.FLAIR: flair.fluid,
        },
        0.02,
    )
    return tones


def _on_t1(levels: Levels, place: float) -> float:
    """Signal at ``place`` on the way from fluid (0) to white matter (1)."""
    span = max(levels.white - levels.fluid, 0.35)
    return max(0.03, levels.white - (1 - place) * span)


def _on_flair(levels: Levels, ratio: float) -> float:
    """Signal as a multiple of the brain's; below 1 on the way down to fluid."""
    brain = max(levels.white, 0.5 * (levels.white + levels.grey))
    if ratio >= 1:
        return brain * ratio
    return max(0.03, levels.fluid + (brain - levels.fluid) * ratio)


def _glioblastoma(rng: np.random.Generator, between: Between) -> Table:
    bright = between(1.3, 2.0)
    uptake = between(0.4, 1.15)
    bled = rng.random() < 0.1
    necrosis_flair = between(0.25, 0.8) if rng.random() < 0.35 else bright * between(0.75, 1.1)
    return {
        "necrosis": (
            between(0.85, 1.25) if bled else between(0.15, 0.5),
            between(-0.02, 0.08),
            necrosis_flair,
            between(0.06, 0.16),
        ),
        "edema": (between(0.58, 0.88), between(0.0, 0.03), bright, between(0.04, 0.09)),
        "non_enhancing": (
            between(0.4, 0.72),
            between(0.0, 0.06),
            bright * between(0.78, 1.02),
            between(0.05, 0.12),
        ),
        "enhancing": (
            between(0.5, 0.88),
            uptake,
            bright * between(0.66, 1.0),
            between(0.1, 0.24),
        ),
    }


def _astrocytoma(rng: np.random.Generator, between: Between) -> Table:
    bright = between(1.3, 2.0)
    return {
        "necrosis": (
            between(0.02, 0.3),
            between(0.0, 0.03),
            between(0.1, 0.7),
            between(0.02, 0.06),
        ),
        "edema": (
            between(0.62, 0.9),
            between(0.0, 0.02),
            bright * between(0.78, 1.0),
            between(0.04, 0.08),
        ),
        "non_enhancing": (between(0.28, 0.66), between(0.0, 0.05), bright, between(0.04, 0.11)),
        "enhancing": (
            between(0.45, 0.8),
            between(0.2, 0.75),
            bright * between(0.8, 1.0),
            between(0.1, 0.22),
        ),
    }


def _extra_axial(rng: np.random.Generator, kind: Kind, between: Between) -> Table:
    meningioma = kind is Kind.MENINGIOMA
    solid = between(0.6, 0.9) if meningioma else between(0.5, 0.82)
    flair = between(0.95, 1.5) if meningioma else between(1.0, 1.6)
    uptake = between(0.55, 1.35) if meningioma else between(0.5, 1.3)
    mottling = between(0.03, 0.08) if meningioma else between(0.05, 0.14)
    cyst_flair = between(0.15, 0.7) if rng.random() < 0.6 else between(1.0, 1.6)
    return {
        "necrosis": (between(0.05, 0.4), between(0.0, 0.08), cyst_flair, between(0.03, 0.09)),
        "edema": (between(0.6, 0.88), between(0.0, 0.02), between(1.35, 2.0), between(0.03, 0.07)),
        # Calcified or fibrous parts are dark everywhere and take up little.
        "non_enhancing": (
            between(0.3, 0.7),
            between(0.0, 0.12),
            between(0.5, 1.1),
            between(0.06, 0.15),
        ),
        "enhancing": (solid, uptake, flair, mottling),
        "tail": (solid, uptake * between(0.8, 1.05), flair, mottling),
    }


def _harmless(between: Between) -> Table:
    return {
        "plaque": (between(0.5, 0.85), between(0.0, 0.02), between(1.3, 1.9), between(0.03, 0.08)),
        "hole": (between(0.1, 0.4), between(0.0, 0.02), between(0.4, 1.1), between(0.02, 0.06)),
        "active": (between(0.5, 0.8), between(0.3, 0.8), between(1.3, 1.8), between(0.03, 0.08)),
        "cap": (between(0.78, 0.95), 0.0, between(1.2, 1.65), between(0.03, 0.06)),
    }
