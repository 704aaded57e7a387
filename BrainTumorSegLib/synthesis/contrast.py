"""Signals of heads and lesions in each sequence, white matter near 1, and pictures of heads.

Most draws keep what physics dictates (white > grey > fluid on T1, grey > white > fluid on
FLAIR), some only the order, a few nothing at all (Billot et al., SynthSeg, Medical Image
Analysis 2023). The post-contrast scan is always the native one plus enhancement, because
this difference is what the networks are to learn.

Signals of lesions are relative to white matter, grey matter and fluid of the same scan. Their
ranges were read off the labeled voxels of real gliomas (medians by case, relative to white
matter) and, for meningioma and neurinoma, follow textbook descriptions: about the signal of
grey matter before contrast agent, strong and even uptake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.sequences import Sequence

from .canvas import Levels
from .classes import GRAY, MOTTLING, SIGNALS, A
from .config import ContrastConfig, Kind
from .fields import Array, noise

#: Classes that take up contrast agent.
_VASCULAR = (A.VEIN, A.ARTERY, A.DURA, A.CHOROID, A.MUCOSA, A.MUSCLE, A.SKIN)


@dataclass(frozen=True)
class Contrast:
    """Signals of one head.

    Attributes:
        manner: ``typical``, ``ordered``, ``free``, or ``real`` for real scans.
        signals: by sequence, float32 by `Anatomical` value; white matter is 1 or near.
        mottling: relative deviation within a class, by `Anatomical` value.
        blur: point spread in mm.
    """

    manner: str
    signals: Mapping[Sequence, Array]
    mottling: Array
    blur: float

    @property
    def levels(self) -> dict[Sequence, Levels]:
        """White matter, grey matter and fluid of each sequence."""
        return {
            sequence: Levels(float(v[A.WHITE]), float(v[A.CORTEX]), float(v[A.CSF]))
            for sequence, v in self.signals.items()
        }


def draw_contrast(rng: np.random.Generator, config: ContrastConfig) -> Contrast:
    """Signals for one head."""
    shares = np.array([config.typical, config.ordered, config.free])
    manner = str(rng.choice(["typical", "ordered", "free"], p=shares / shares.sum()))
    t1 = _native(rng, Sequence.T1, manner, config)
    flair = _native(rng, Sequence.FLAIR, manner, config)
    if rng.random() < 0.7:
        base = t1 * np.exp(rng.normal(0, 0.02, t1.shape))
    else:
        base = _native(rng, Sequence.T1, manner, config)
    signals = {Sequence.T1: t1, Sequence.T1CE: _enhanced(rng, base), Sequence.FLAIR: flair}
    return Contrast(
        manner,
        {s: v.astype(np.float32) for s, v in signals.items()},
        (rng.uniform(*config.mottling) * MOTTLING).astype(np.float32),
        float(rng.uniform(*config.blur)),
    )


def _native(
    rng: np.random.Generator, sequence: Sequence, manner: str, config: ContrastConfig
) -> Array:
    signal = SIGNALS[sequence] / SIGNALS[sequence][A.WHITE]
    signal *= np.exp(rng.normal(0, config.jitter, len(signal)))
    signal[A.WHITE] = 1.0
    if manner == "typical":
        gray, fluid = signal[A.CORTEX], signal[A.CSF]
        wanted = 1 + (gray - 1) * np.exp(rng.normal(0, config.stretch))
        wet = np.clip(fluid * np.exp(rng.normal(0, 0.3)), 0.05, 0.75 * min(wanted, 1.0))
    elif manner == "ordered":
        wet = rng.uniform(0.05, 0.65)
        wanted = rng.uniform(wet + 0.1, 0.97) if sequence is Sequence.T1 else rng.uniform(1.02, 1.5)
    else:
        wet, wanted = rng.uniform(0.05, 0.9), rng.uniform(0.35, 1.6)
    _move_grays(signal, wanted)
    signal[[A.CSF, A.VENTRICLE]] = wet * np.exp(rng.normal(0, [0.12, 0.04]))
    signal[A.CEREBELLAR_WHITE] = signal[A.WHITE] * np.exp(rng.normal(0, 0.03))
    if manner == "free":
        outer = slice(int(A.VEIN), len(signal))
        signal[outer] *= np.exp(rng.normal(0, 0.4, len(signal) - int(A.VEIN)))
    return signal


def _move_grays(signal: Array, wanted: float) -> None:
    """Shift cortex to ``wanted`` and everything between cortex and white along (in place)."""
    was = signal[A.CORTEX]
    ratio = (wanted - 1) / (was - 1) if abs(was - 1) > 0.02 else 1.0
    ratio = float(np.clip(ratio, -4, 4))
    for name in (*GRAY, A.THALAMUS, A.STRIATUM, A.PALLIDUM, A.STEM, A.NERVE):
        signal[name] = max(0.1, 1 + (signal[name] - 1) * ratio)


def _enhanced(rng: np.random.Generator, native: Array) -> Array:
    """Signals after contrast agent."""
    gain = SIGNALS[Sequence.T1CE] - SIGNALS[Sequence.T1]
    strength = rng.uniform(0.45, 1.15)
    signal = native.copy()
    for name in _VASCULAR:
        signal[name] += gain[name] * strength * np.exp(rng.normal(0, 0.2))
    # Fast flow leaves arteries dark on spin echo scans.
    if rng.random() < 0.4:
        signal[A.ARTERY] = native[A.ARTERY]
    for name in (*GRAY, A.STRIATUM, A.THALAMUS):
        signal[name] *= 1 + 0.05 * strength
    return signal


# Pictures of heads without a lesion


def add_vessels(rng: np.random.Generator, classes: Array, depth: Array, density: float) -> None:
    """Draw thin veins in the fluid of sulci and into white matter (in place).

    A vessel runs where two smooth fields are both near zero, which is a winding line.

    Args:
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
) -> dict[Sequence, Array]:
    """Pictures of a head, one a sequence.

    Args:
        classes: fine `Anatomical` values.
        contrast: signals and mottling.

    Returns:
        float32 arrays of the shape of ``classes``; white matter is about 1.
    """
    mottle = noise(rng, classes.shape, 6.0)
    slow = noise(rng, classes.shape, 38.0)
    # White matter is not one substance: bundles differ by a few percent over centimetres.
    uneven = np.float32(1) + contrast.mottling[classes] * mottle + np.float32(0.018) * slow
    return {
        sequence: ndimage.gaussian_filter(signals[classes] * uneven, contrast.blur, truncate=3.0)
        for sequence, signals in contrast.signals.items()
    }


# Lesions


@dataclass(frozen=True)
class Tone:
    """Signal of a tissue by sequence, and the relative deviation of its mottling."""

    signal: Mapping[Sequence, float]
    mottling: float


Tones = Mapping[str, Tone]
_Between = Callable[[float, float], float]

#: Name -> (place on T1 between fluid and white matter, uptake on T1CE in units of white
#: matter, FLAIR ratio, mottling).
_Table = Mapping[str, tuple[float, float, float, float]]


def draw_tones(
    rng: np.random.Generator, kind: Kind, levels: Mapping[Sequence, Levels], wild: float = 1.0
) -> Tones:
    """Tones of all parts that lesions of a kind may have.

    Args:
        kind: of lesion.
        levels: of the scans it is painted on.
        wild: widens (above 1) or narrows (below 1) every range about its middle.
    """

    def between(low: float, high: float) -> float:
        middle, half = (low + high) / 2, (high - low) / 2 * wild
        return float(rng.uniform(middle - half, middle + half))

    if kind.extra_axial:
        table = _extra_axial(rng, kind, between)
    elif kind is Kind.ASTROCYTOMA:
        table = _astrocytoma(between)
    elif kind is Kind.GLIOBLASTOMA:
        table = _glioblastoma(rng, between)
    else:
        table = _non_tumor(between)
    native, enhanced, flair = (levels[s] for s in (Sequence.T1, Sequence.T1CE, Sequence.FLAIR))
    tones = {
        name: _tone(_on_t1(native, t1), _on_t1(enhanced, t1) + uptake, _on_flair(flair, ratio), m)
        for name, (t1, uptake, ratio, m) in table.items()
    }
    return tones | {"fluid": _tone(native.fluid, enhanced.fluid, flair.fluid, 0.02)}


def _tone(t1: float, t1ce: float, flair: float, mottling: float) -> Tone:
    return Tone({Sequence.T1: t1, Sequence.T1CE: t1ce, Sequence.FLAIR: flair}, mottling)


def _on_t1(levels: Levels, place: float) -> float:
    """Signal at ``place`` on the way from fluid (0) to white matter (1)."""
    span = max(levels.white - levels.fluid, 0.35)
    return max(0.03, levels.white - (1 - place) * span)


def _on_flair(levels: Levels, ratio: float) -> float:
    """Signal as a multiple of the brain's; below 1 on the way down to fluid."""
    brain = max(levels.white, 0.5 * (levels.white + levels.gray))
    if ratio >= 1:
        return brain * ratio
    return max(0.03, levels.fluid + (brain - levels.fluid) * ratio)


def _glioblastoma(rng: np.random.Generator, between: _Between) -> _Table:
    bright = between(1.3, 2.0)
    uptake = between(0.4, 1.15)
    bled = rng.random() < 0.1
    dead = between(0.25, 0.8) if rng.random() < 0.35 else bright * between(0.75, 1.1)
    necrosis = between(0.85, 1.25) if bled else between(0.15, 0.5)
    return {
        "necrosis": (necrosis, between(-0.02, 0.08), dead, between(0.06, 0.16)),
        "edema": (between(0.58, 0.88), between(0.0, 0.03), bright, between(0.04, 0.09)),
        "non_enhancing": (
            *(between(0.4, 0.72), between(0.0, 0.06)),
            *(bright * between(0.78, 1.02), between(0.05, 0.12)),
        ),
        "enhancing": (between(0.5, 0.88), uptake, bright * between(0.66, 1.0), between(0.1, 0.24)),
    }


def _astrocytoma(between: _Between) -> _Table:
    bright = between(1.3, 2.0)
    return {
        "necrosis": (between(0.02, 0.3), between(0, 0.03), between(0.1, 0.7), between(0.02, 0.06)),
        "edema": (
            *(between(0.62, 0.9), between(0.0, 0.02)),
            *(bright * between(0.78, 1.0), between(0.04, 0.08)),
        ),
        "non_enhancing": (between(0.28, 0.66), between(0.0, 0.05), bright, between(0.04, 0.11)),
        "enhancing": (
            *(between(0.45, 0.8), between(0.2, 0.75)),
            *(bright * between(0.8, 1.0), between(0.1, 0.22)),
        ),
    }


def _extra_axial(rng: np.random.Generator, kind: Kind, between: _Between) -> _Table:
    meningioma = kind is Kind.MENINGIOMA
    solid = between(0.6, 0.9) if meningioma else between(0.5, 0.82)
    flair = between(0.95, 1.5) if meningioma else between(1.0, 1.6)
    uptake = between(0.55, 1.35) if meningioma else between(0.5, 1.3)
    mottling = between(0.03, 0.08) if meningioma else between(0.05, 0.14)
    cyst = between(0.15, 0.7) if rng.random() < 0.6 else between(1.0, 1.6)
    return {
        "necrosis": (between(0.05, 0.4), between(0.0, 0.08), cyst, between(0.03, 0.09)),
        "edema": (between(0.6, 0.88), between(0.0, 0.02), between(1.35, 2.0), between(0.03, 0.07)),
        # Calcified or fibrous parts are dark everywhere and take up little.
        "non_enhancing": (
            *(between(0.3, 0.7), between(0.0, 0.12)),
            *(between(0.5, 1.1), between(0.06, 0.15)),
        ),
        "enhancing": (solid, uptake, flair, mottling),
        "tail": (solid, uptake * between(0.8, 1.05), flair, mottling),
    }


def _non_tumor(between: _Between) -> _Table:
    return {
        "plaque": (between(0.5, 0.85), between(0.0, 0.02), between(1.3, 1.9), between(0.03, 0.08)),
        "hole": (between(0.1, 0.4), between(0.0, 0.02), between(0.4, 1.1), between(0.02, 0.06)),
        "active": (between(0.5, 0.8), between(0.3, 0.8), between(1.3, 1.8), between(0.03, 0.08)),
        "cap": (between(0.78, 0.95), 0.0, between(1.2, 1.65), between(0.03, 0.06)),
    }
