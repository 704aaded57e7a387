"""Random contrasts: the signal of each anatomical class in each sequence, white matter near 1.

Most draws keep what physics dictates (white > grey > fluid on T1, grey > white > fluid on
FLAIR), some only the order, a few nothing at all (Billot et al., SynthSeg, Medical Image
Analysis 2023). The post-contrast scan is always the native one plus enhancement, because
this difference is what the networks are to learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.synthesis.contrast import CONTRASTS, MOTTLING
from BrainTumorSegLib.synthesis.grid import Array
from BrainTumorSegLib.synthesis.tumours.anatomy_classes import SUBSTANCE, A

#: Classes that take up contrast agent, and how strongly relative to the typical amount.
_VASCULAR = (A.VEIN, A.ARTERY, A.DURA, A.CHOROID, A.MUCOSA, A.MUSCLE, A.SKIN)

_GREY = (A.CORTEX, A.CEREBELLAR_CORTEX, A.LIMBIC)


@dataclass(frozen=True)
class ContrastConfig:
    """Shares of the three ways to draw contrasts, and how far they stray.

    Attributes:
        typical, ordered, free: relative shares; see the module's description.
        jitter: deviation of the logarithm of each class's signal in typical draws.
        stretch: deviation of the logarithm of the grey-white contrast.
        mottling: lowest and highest strength of the texture within a class.
        blur: lowest and highest point spread in mm that softens class borders.
    """

    typical: float = 0.6
    ordered: float = 0.28
    free: float = 0.12
    jitter: float = 0.05
    stretch: float = 0.3
    mottling: tuple[float, float] = (0.6, 1.8)
    blur: tuple[float, float] = (0.5, 0.85)


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


def draw_contrast(rng: np.random.Generator, config: ContrastConfig) -> Contrast:
    """Signals for one head."""
    shares = np.array([config.typical, config.ordered, config.free])
    manner = str(rng.choice(["typical", "ordered", "free"], p=shares / shares.sum()))
    t1 = _native(rng, Sequence.T1, manner, config)
    flair = _native(rng, Sequence.FLAIR, manner, config)
    same = rng.random() < 0.7
    base = t1 * np.exp(rng.normal(0, 0.02, t1.shape)) if same else None
    if base is None:
        base = _native(rng, Sequence.T1, manner, config)
    signals = {Sequence.T1: t1, Sequence.T1CE: _enhanced(rng, base), Sequence.FLAIR: flair}
    strength = rng.uniform(*config.mottling)
    mottling = np.array([strength * MOTTLING[SUBSTANCE[c]] for c in A], np.float32)
    return Contrast(
        manner,
        {s: v.astype(np.float32) for s, v in signals.items()},
        mottling,
        float(rng.uniform(*config.blur)),
    )


def _native(
    rng: np.random.Generator, sequence: Sequence, manner: str, config: ContrastConfig
) -> Array:
    signal = np.array([CONTRASTS[sequence][SUBSTANCE[c]] for c in A], float)
    signal /= signal[A.WHITE]
    signal *= np.exp(rng.normal(0, config.jitter, len(signal)))
    signal[A.WHITE] = 1.0
    if manner == "typical":
        grey, fluid = signal[A.CORTEX], signal[A.CSF]
        wanted = 1 + (grey - 1) * np.exp(rng.normal(0, config.stretch))
        wet = np.clip(fluid * np.exp(rng.normal(0, 0.3)), 0.05, 0.75 * min(wanted, 1.0))
    elif manner == "ordered":
        wet = rng.uniform(0.05, 0.65)
        wanted = rng.uniform(wet + 0.1, 0.97) if sequence is Sequence.T1 else rng.uniform(1.02, 1.5)
    else:
        wet, wanted = rng.uniform(0.05, 0.9), rng.uniform(0.35, 1.6)
    _move_greys(signal, wanted)
    signal[[A.CSF, A.VENTRICLE]] = wet * np.exp(rng.normal(0, [0.12, 0.04]))
    signal[A.CEREBELLAR_WHITE] = signal[A.WHITE] * np.exp(rng.normal(0, 0.03))
    if manner == "free":
        outer = slice(int(A.VEIN), len(signal))
        signal[outer] *= np.exp(rng.normal(0, 0.4, len(signal) - int(A.VEIN)))
    return signal


def _move_greys(signal: Array, wanted: float) -> None:
    """Shift cortex to ``wanted`` and everything between cortex and white along (in place)."""
    was = signal[A.CORTEX]
    ratio = (wanted - 1) / (was - 1) if abs(was - 1) > 0.02 else 1.0
    ratio = float(np.clip(ratio, -4, 4))
    for name in (*_GREY, A.THALAMUS, A.STRIATUM, A.PALLIDUM, A.STEM, A.NERVE):
        signal[name] = max(0.1, 1 + (signal[name] - 1) * ratio)


def _enhanced(rng: np.random.Generator, native: Array) -> Array:
    """Signals after contrast agent."""
    typical_native = np.array([CONTRASTS[Sequence.T1][SUBSTANCE[c]] for c in A])
    gain = np.array([CONTRASTS[Sequence.T1CE][SUBSTANCE[c]] for c in A]) - typical_native
    strength = rng.uniform(0.45, 1.15)
    signal = native.copy()
    for name in _VASCULAR:
        signal[name] += gain[name] * strength * np.exp(rng.normal(0, 0.2))
    # Fast flow leaves arteries dark on spin echo scans.
    if rng.random() < 0.4:
        signal[A.ARTERY] = native[A.ARTERY]
    for name in (*_GREY, A.STRIATUM, A.THALAMUS):
        signal[name] *= 1 + 0.05 * strength
    return signal
