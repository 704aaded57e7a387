"""What a person can choose about a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import SimpleITK as sitk

#: Separate lesions smaller than this are taken for noise (mm3). Chosen on the
#: real cases: see the model card.
MIN_LESION_MM3 = 100.0


@dataclass(frozen=True)
class Options:
    """Choices for `pipeline.segment`; every default is what we advise.

    Attributes:
        pack: name or folder of a model pack; None for the default one.
        members: names of the members to use, or how many; None for all.
        cascade: ``auto``, ``on`` or ``off``, see `cascade`.
        views: ``none``, ``tta1``, ``tta2`` or ``tta3``; None for the pack's advice.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        engine: ``auto``, ``torch`` or ``openvino``, see `engines.choosing`.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``, see `engines.choosing.plan_engine`.
        registration: ``auto``, ``brainsfit``, ``simpleitk`` or ``none``.
        brainsfit: the BRAINSFit executable, or whom to ask to run it; None to look for it.
        brain: ``auto``, ``stripped``, ``deepbet`` or ``hdbet``.
        brain_mask: a mask to use instead, on any grid.
        shading: ``auto``, ``n4`` or ``off``, see `shading`.
        min_lesion_mm3: separate lesions smaller than this are removed.
        keep_islands: keep small parts far from the largest lesion, see `cleanup.remove_islands`.
        batch: slices at once; None to find out.
        probabilities: keep the class probabilities.
        registered: keep the scans resampled to the reference.
    """

    pack: str | Path | None = None
    members: tuple[str, ...] | int | None = None
    views: str | None = None
    cascade: str = "auto"
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    registration: str = "auto"
    brainsfit: Any = None
    brain: str = "auto"
    brain_mask: sitk.Image | None = None
    shading: str = "auto"
    min_lesion_mm3: float = MIN_LESION_MM3
    keep_islands: bool = False
    batch: int | None = None
    probabilities: bool = False
    registered: bool = False

    def as_record(self) -> dict[str, Any]:
        """The choices as plain JSON types."""
        return {
            "pack": None if self.pack is None else str(self.pack),
            "members": list(self.members) if isinstance(self.members, tuple) else self.members,
            "views": self.views,
            "cascade": self.cascade,
            "device": self.device,
            "engine": self.engine,
            "precision": self.precision,
            "registration": self.registration,
            "brain": "mask" if self.brain_mask is not None else self.brain,
            "shading": self.shading,
            "min_lesion_mm3": self.min_lesion_mm3,
            "keep_islands": self.keep_islands,
        }
