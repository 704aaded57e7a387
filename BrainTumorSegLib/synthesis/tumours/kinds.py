"""The kinds of sample that can be made."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What a synthetic sample shows; the value names it in settings, files and tables."""

    GLIOBLASTOMA = "glioblastoma"
    ASTROCYTOMA = "astrocytoma"
    MENINGIOMA = "meningioma"
    NEURINOMA = "neurinoma"
    HEALTHY = "healthy"
    MULTIPLE_SCLEROSIS = "multiple_sclerosis"
    SMALL_VESSEL = "small_vessel"
    CARVED = "carved"

    @property
    def has_tumour(self) -> bool:
        """Whether the truth of such a sample holds tumour."""
        return self not in NEGATIVES


NEGATIVES = (Kind.HEALTHY, Kind.MULTIPLE_SCLEROSIS, Kind.SMALL_VESSEL)
