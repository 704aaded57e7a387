"""How far two segmentations of one scan agree: Dice and change of volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.masks import bounding_box
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Region, Tissue
from BrainTumorSegLib.core.volumes import dice, tissue_mask, volumes_ml

from ..host.translation import tr as _
from ..scene.tables import Column, fillTable

#: What is compared: the keys of `volumes.volumes_ml`, in its order.
GROUPS: Mapping[str, frozenset[Tissue]] = {
    **{tissue.key: frozenset({tissue}) for tissue in TUMOR_TISSUES},
    **{region.name: region.value for region in Region},
}


@dataclass(frozen=True)
class Agreement:
    """A second set of labels measured against a first; each by tissue and region.

    Attributes:
        dice: overlap, 0..1; 1 where both are empty, 0 where one is (`volumes.dice`).
        firstMl, secondMl: volumes in mL.
        changedMl: volume in mL of all voxels with another label.
    """

    dice: Mapping[str, float]
    firstMl: Mapping[str, float]
    secondMl: Mapping[str, float]
    changedMl: float

    @property
    def volumeChangeMl(self) -> dict[str, float]:
        """Second volume minus first, in mL."""
        return {key: self.secondMl[key] - self.firstMl[key] for key in GROUPS}

    @property
    def volumeChangePercent(self) -> dict[str, float | None]:
        """Change in percent of the first volume; None where that is zero but the second is not."""
        percent: dict[str, float | None] = {}
        for key, change in self.volumeChangeMl.items():
            first = self.firstMl[key]
            percent[key] = 100 * change / first if first > 0 else (0.0 if change == 0 else None)
        return percent

    def asRecord(self, withWhom: str) -> dict[str, Any]:
        """As in ``reviews`` of ``report.schema.json``.

        Args:
            withWhom: whose labels the first ones are, for people.
        """
        return {
            "with": withWhom,
            "dice": {key: round(value, 4) for key, value in self.dice.items()},
            "volume_change_ml": {k: round(ml, 3) for k, ml in self.volumeChangeMl.items()},
            "volume_change_percent": {
                key: None if value is None else round(value, 2)
                for key, value in self.volumeChangePercent.items()
            },
        }


def compareLabels(first: sitk.Image, second: sitk.Image) -> Agreement:
    """Compare two label maps with the values of `Tissue`, on one grid.

    Raises:
        InputError: when their sizes differ.
    """
    before, after = (sitk.GetArrayViewFromImage(image) for image in (first, second))
    if before.shape != after.shape:
        raise InputError(
            _("The two segmentations have {first} and {second} voxels along their axes.").format(
                first=before.shape, second=after.shape
            ),
            _("Compare segmentations of the same scan."),
        )
    box = bounding_box((before != 0) | (after != 0))
    if box is not None:  # what lies outside agrees
        before, after = before[box], after[box]
    changed = np.count_nonzero(before != after)
    return Agreement(
        dice={
            key: dice(tissue_mask(before, tissues), tissue_mask(after, tissues))
            for key, tissues in GROUPS.items()
        },
        firstMl=volumes_ml(first),
        secondMl=volumes_ml(second),
        changedMl=changed * float(np.prod(first.GetSpacing())) / 1000.0,
    )


def fillAgreementTable(tableNode: Any, columns: Sequence[tuple[str, str, Agreement]]) -> None:
    """Write comparisons into a table node, a row for each tissue and region.

    The first column names the structure; then, for each comparison, the two volumes in mL
    (one that stands there already is not repeated), Dice, and the change in mL and percent,
    not a number where it is undefined.

    Args:
        tableNode: its table is replaced.
        columns: titles of the first and the second segmentation, and their agreement.
    """
    filled = []
    for first, second, agreement in columns:
        pair = {"first": first, "second": second}
        filled += [
            Column(_("{name} (mL)").format(name=first), agreement.firstMl),
            Column(_("{name} (mL)").format(name=second), agreement.secondMl),
            Column(_("Dice {first} / {second}").format(**pair), agreement.dice),
            Column(_("Change {first} → {second} (mL)").format(**pair), agreement.volumeChangeMl),
            Column(
                _("Change {first} → {second} (%)").format(**pair), agreement.volumeChangePercent
            ),
        ]
    fillTable(tableNode, filled)
