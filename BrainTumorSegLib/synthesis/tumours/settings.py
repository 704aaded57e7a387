"""Settings of the generator: what to make, on what, how varied; and its TOML table."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.config_tables import from_table
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.synthesis.tumours.contrasts import ContrastConfig
from BrainTumorSegLib.synthesis.tumours.extra_axial import ExtraAxialConfig
from BrainTumorSegLib.synthesis.tumours.fields import TEXTURES
from BrainTumorSegLib.synthesis.tumours.glioma import GliomaConfig
from BrainTumorSegLib.synthesis.tumours.kinds import Kind
from BrainTumorSegLib.synthesis.tumours.scanner import AcquisitionConfig

#: The parts into which heads and shapes are divided, so that held-out samples share none.
PARTS = ("training", "held_out", "all")


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
class SynthesisConfig:
    """Everything the generator needs to know besides its sources and the seed.

    Attributes:
        kinds: how often each kind is made.
        forms: shapes of gliomas.
        real_share: how often lesions are painted on real scans, where there are any.
        keep_tumour: of those, how often the real tumour stays beside the painted one.
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


def config_from_table(
    table: Mapping[str, Any], where: str = "synthesis", base: SynthesisConfig | None = None
) -> SynthesisConfig:
    """Settings from a TOML table; what it leaves out keeps its default.

    Args:
        table: as parsed; ``kinds``, ``glioma`` and so on are tables in it.
        where: its name, for messages.
        base: the defaults.

    Raises:
        InputError: naming the key that is unknown or has the wrong type.
    """
    return from_table(base or SynthesisConfig(), table, where, InputError)


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
