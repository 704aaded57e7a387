"""The result of a run: labels on the reference grid and the record of how they were made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import SimpleITK as sitk


@dataclass(frozen=True)
class Segmentation:
    """Tissue labels of one case; every image lies on the reference's own grid.

    Attributes:
        labels: unsigned 8-bit, values of `Tissue`.
        brain: unsigned 8-bit brain mask.
        disagreement: float32, entropy of the mean class probabilities in 0..1
            (divided by the logarithm of the number of classes).
        mutual_information: float32 on the same scale; the part of the entropy that
            comes from members contradicting each other. None for a single member.
        probabilities: float32 vector image with one component a tissue in the order
            of `Tissue`, background first, when asked for.
        registered: the scans resampled to the reference grid, by sequence key.
        record: what ``report.json`` holds; plain JSON types only.
    """

    labels: sitk.Image
    brain: sitk.Image
    disagreement: sitk.Image
    mutual_information: sitk.Image | None = None
    probabilities: sitk.Image | None = None
    registered: dict[str, sitk.Image] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
