"""Volumes of a segmentation, and Dice with reference labels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from .tissue import STYLES, TUMOR_TISSUES, Region, Tissue

#: Entropy above which a voxel counts as doubtful: more than if two tissues were
#: equally likely and nothing else possible, ln 2 / ln 5 = 0.43.
DOUBTFUL_ENTROPY = 0.45


def volumes_ml(labels: sitk.Image) -> dict[str, float]:
    """Volume of each tissue and region in mL, by `Tissue.key` and ``WT``, ``TC``, ``ET``."""
    counts = np.bincount(sitk.GetArrayViewFromImage(labels).ravel(), minlength=len(Tissue))
    voxel_ml = float(np.prod(labels.GetSpacing())) / 1000.0
    result = {tissue.key: float(counts[tissue]) * voxel_ml for tissue in TUMOR_TISSUES}
    for region in Region:
        result[region.name] = sum(result[tissue.key] for tissue in region.value)
    return result


def volume_title(key: str) -> str:
    """The name for people of a key of `volumes_ml`."""
    for tissue, style in STYLES.items():
        if tissue.key == key:
            return style.title
    return f"{Region[key].title.capitalize()} ({key})"


def dice(predicted: np.ndarray, reference: np.ndarray) -> float:
    """Dice overlap ``2 |A and B| / (|A| + |B|)`` of two boolean arrays.

    Both empty count as full agreement, 1; one empty as none, 0 (BraTS convention).
    """
    total = int(predicted.sum()) + int(reference.sum())
    return 1.0 if total == 0 else 2.0 * int((predicted & reference).sum()) / total


#: What is scored: each tissue, the core that most label protocols do not divide, the regions.
SCORED: Mapping[str, frozenset[Tissue]] = {
    "WT": Region.WT.value,
    "TC": Region.TC.value,
    "ET": Region.ET.value,
    "edema": frozenset({Tissue.EDEMA}),
    "core": frozenset({Tissue.NECROSIS, Tissue.NON_ENHANCING}),
    "necrosis": frozenset({Tissue.NECROSIS}),
    "non_enhancing": frozenset({Tissue.NON_ENHANCING}),
}


def tissue_mask(labels: np.ndarray, tissues: frozenset[Tissue]) -> np.ndarray:
    """Boolean mask of the voxels whose label is one of the tissues."""
    return np.isin(labels, [int(tissue) for tissue in tissues])


def reference_mask(allowed: np.ndarray, tissues: frozenset[Tissue]) -> np.ndarray | None:
    """Where reference labels given as sets say "one of these tissues", if they can say so.

    Args:
        allowed: tissue bits, see `io.labelmaps.allowed_tissues`.
        tissues: the group asked for.

    Returns:
        Boolean mask; None when some voxel may or may not belong to the group, for
        example necrosis in labels that merge it with non-enhancing tumour.
    """
    group = sum(1 << int(tissue) for tissue in tissues)
    inside = (allowed & ~np.uint8(group)) == 0
    undecided = ~inside & ((allowed & np.uint8(group)) != 0)
    return None if undecided.any() else inside
