"""Settings of the generator: what to make, of what, how varied; and its TOML table.

Names of fields are keys of the table ``[synthesis]`` and part of the key under which training
stores samples, so they do not change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.config_tables import from_table
from BrainTumorSegLib.core.errors import InputError

from .fields import TEXTURES

#: The parts into which heads and shapes are divided, so that held-out samples share none.
PARTS = ("training", "held_out", "all")


class Kind(Enum):
    """What a synthetic sample shows; the value names it in settings, files and tables."""

    GLIOBLASTOMA = "glioblastoma"
    ASTROCYTOMA = "astrocytoma"
    MENINGIOMA = "meningioma"
    NEURINOMA = "neurinoma"
    HEALTHY = "healthy"
    MULTIPLE_SCLEROSIS = "multiple_sclerosis"
    SMALL_VESSEL = "small_vessel"
    CARVEMIX = "carved"

    @property
    def has_tumor(self) -> bool:
        """Whether the reference labels of such a sample hold tumor."""
        return self not in NEGATIVES

    @property
    def extra_axial(self) -> bool:
        """Whether it is a tumor that grows outside the brain."""
        return self in (Kind.MENINGIOMA, Kind.NEURINOMA)


#: What only looks a little like a tumor.
NON_TUMOR_LESIONS = (Kind.MULTIPLE_SCLEROSIS, Kind.SMALL_VESSEL)
NEGATIVES = (Kind.HEALTHY, *NON_TUMOR_LESIONS)


@dataclass(frozen=True)
class KindShares:
    """How often each kind is made; relative numbers, 0 for never."""

    glioblastoma: float = 0.2
    astrocytoma: float = 0.14
    meningioma: float = 0.2
    neurinoma: float = 0.16
    healthy: float = 0.1
    multiple_sclerosis: float = 0.06
    small_vessel: float = 0.04
    carved: float = 0.1


@dataclass(frozen=True)
class FormShares:
    """How often gliomas have lobed, grown (irregular fronts) and real shapes."""

    lobed: float = 0.55
    grown: float = 0.0
    real: float = 0.45


@dataclass(frozen=True)
class GliomaConfig:
    """Sizes and habits of gliomas.

    Attributes:
        radius: median radius in mm of the core of a glioblastoma.
        astrocytoma_radius: the same for astrocytomas.
        radius_spread: deviation of the logarithm.
        oedema: lowest and highest reach in white matter, mm, glioblastoma.
        astrocytoma_oedema: the same for astrocytomas.
        rim: lowest and highest mean thickness of an enhancing rim, mm.
        partly_enhancing: share of astrocytomas that enhance somewhere.
        push: lowest and highest share of the core that displaces brain.
    """

    radius: float = 17.0
    astrocytoma_radius: float = 21.0
    radius_spread: float = 0.3
    oedema: tuple[float, float] = (3.0, 32.0)
    astrocytoma_oedema: tuple[float, float] = (0.0, 12.0)
    rim: tuple[float, float] = (1.8, 6.0)
    partly_enhancing: float = 0.4
    push: tuple[float, float] = (0.25, 0.75)


@dataclass(frozen=True)
class ExtraAxialConfig:
    """Sizes and habits of meningiomas and neurinomas.

    Attributes:
        meningioma_radius: median radius, mm.
        neurinoma_radius: median radius of the part outside the canal, mm.
        radius_spread: deviation of the logarithm.
        oedema: shares of no, moderate (4-12 mm) and large (12-28 mm) edema.
        tail: share of meningiomas with a dural tail.
        flat: share of meningiomas that spread along the dura (en plaque).
        dead: share of meningiomas with necrosis or cysts.
        fibrous: share with a part that hardly enhances.
        cystic: share of neurinomas with cysts.
        intracanalicular: share of neurinomas that fill the canal only.
    """

    meningioma_radius: float = 15.0
    neurinoma_radius: float = 9.5
    radius_spread: float = 0.36
    oedema: tuple[float, float, float] = (0.45, 0.33, 0.22)
    tail: float = 0.65
    flat: float = 0.1
    dead: float = 0.15
    fibrous: float = 0.15
    cystic: float = 0.3
    intracanalicular: float = 0.08


@dataclass(frozen=True)
class ContrastConfig:
    """Shares of the three ways to draw contrasts, and how far they stray.

    Attributes:
        typical, ordered, free: relative shares; see the module `contrast`.
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
class AcquisitionConfig:
    """How scans are acquired; probabilities are per sequence unless stated otherwise.

    Attributes:
        thick: probability of slices thicker than 1 mm for T1 and FLAIR.
        thick_reference: the same for T1CE; the sample then has its slices.
        thickness: thinnest and thickest slice, mm.
        axial: probability that thick slices are axial; else coronal or sagittal.
        blur: largest point spread in plane, mm.
        bias: largest deviation of the logarithm of the coil's sensitivity.
        noise: least and most noise relative to white matter.
        motion: probability that T1 and FLAIR are not quite in register with T1CE.
        motion_mm, motion_degrees: how far, at most.
        gamma: largest exponent of a bent intensity scale.
        missing: probability that T1 or FLAIR (never both) was not taken, per sample.
        skull: probability per sample that scans are not stripped of the skull.
        untidy_mask: probability per sample that the brain mask is a little too large or small.
    """

    thick: float = 0.45
    thick_reference: float = 0.3
    thickness: tuple[float, float] = (2.0, 6.0)
    axial: float = 0.87
    blur: float = 0.7
    bias: float = 0.22
    noise: tuple[float, float] = (0.006, 0.05)
    motion: float = 0.4
    motion_mm: float = 1.8
    motion_degrees: float = 1.8
    gamma: float = 1.2
    missing: float = 0.1
    skull: float = 0.35
    untidy_mask: float = 0.4


@dataclass(frozen=True)
class SynthesisConfig:
    """Everything the generator needs to know besides its sources and the seed.

    Attributes:
        kinds: how often each kind is made.
        forms: shapes of gliomas.
        real_share: how often lesions are painted on real scans, where there are any.
        keep_tumour: of those, how often the real tumor stays beside the painted one.
        texture: mottling of lesions, ``gaussian`` or ``cells``.
        tone_range: widens (above 1) or narrows the ranges of lesion signals.
        part: heads and shapes to draw from: ``training``, ``held_out`` or ``all``.
        slab: number of 1 mm slices about the lesion that are computed; 0 for whole heads.
        margin: mm around the brain when the skull is shown.
        glioma, extra_axial, contrast, acquisition: of their subjects.
    """

    kinds: KindShares = field(default_factory=KindShares)
    forms: FormShares = field(default_factory=FormShares)
    real_share: float = 0.4
    keep_tumour: float = 0.5
    texture: str = "gaussian"
    tone_range: float = 1.0
    part: str = "training"
    slab: int = 0
    margin: float = 12.0
    glioma: GliomaConfig = field(default_factory=GliomaConfig)
    extra_axial: ExtraAxialConfig = field(default_factory=ExtraAxialConfig)
    contrast: ContrastConfig = field(default_factory=ContrastConfig)
    acquisition: AcquisitionConfig = field(default_factory=AcquisitionConfig)

    def __post_init__(self) -> None:
        if self.texture not in TEXTURES:
            raise InputError(
                f"Unknown texture {self.texture!r}.", f"Known textures: {', '.join(TEXTURES)}."
            )
        if self.part not in PARTS:
            raise InputError(f"Unknown part {self.part!r}.", f"Known parts: {', '.join(PARTS)}.")
        if self.slab < 0 or 0 < self.slab < 8:
            raise InputError("A slab needs 8 slices at least; 0 means whole heads.")
        if not any(asdict(self.kinds).values()):
            raise InputError("All kinds have the share 0.", "Give one of them a share.")

    def only(self, kind: Kind) -> SynthesisConfig:
        """The same settings for one kind."""
        shares = {f.name: float(f.name == kind.value) for f in fields(KindShares)}
        return replace(self, kinds=KindShares(**shares))

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for records."""
        return asdict(self)


def held_out(config: SynthesisConfig) -> SynthesisConfig:
    """The same mixture made differently, for choosing checkpoints.

    Other heads and real shapes, forms that grow as irregular fronts instead of lobed
    ones, cellular instead of Gaussian texture, wider ranges of signals, no real scans.
    """
    return replace(
        config,
        part="held_out",
        texture="cells",
        tone_range=1.15,
        real_share=0.0,
        forms=FormShares(lobed=0.0, grown=0.5, real=0.5),
        kinds=replace(config.kinds, carved=0.0),
        contrast=replace(config.contrast, typical=0.5, ordered=0.5, free=0.0),
    )


def config_from_table(table: Mapping[str, Any], where: str = "synthesis") -> SynthesisConfig:
    """Settings from a TOML table; what it leaves out keeps its default.

    Args:
        table: as parsed; ``kinds``, ``glioma`` and so on are tables in it.
        where: its name, for messages.

    Raises:
        InputError: naming the key that is unknown or has the wrong type.
    """
    return from_table(SynthesisConfig(), table, where, InputError)


def read_synthesis_table(path: Path) -> SynthesisConfig:
    """The settings of a TOML file's table ``[synthesis]``; other tables are left alone.

    Raises:
        InputError: when the file cannot be read, or as `config_from_table`.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"Cannot read {path}: {error}.") from error
    return config_from_table(content.get("synthesis", {}), f"{path}: synthesis")
