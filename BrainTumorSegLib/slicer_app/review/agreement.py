"""How far two segmentations of one scan agree: Dice and change of volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import TUMOUR_TISSUES, Region, Tissue
from BrainTumorSegLib.core.volumes import dice, tissue_mask, volume_title, volumes_ml
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.scene.volumes import labelImage

#: What is compared: the keys of `measure.volumes_ml`, in its order.
GROUPS: Mapping[str, frozenset[Tissue]] = {
    **{tissue.key: frozenset({tissue}) for tissue in TUMOUR_TISSUES},
    **{region.name: region.value for region in Region},
}


@dataclass(frozen=True)
class Agreement:
    """A second set of labels measured against a first; each by tissue and region.

    Attributes:
        dice: overlap, 0..1; 1 where both are empty, 0 where one is (`measure.dice`).
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

    @property
    def identical(self) -> bool:
        """Whether no voxel differs."""
        return self.changedMl == 0

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

    def asValues(self) -> dict[str, Any]:
        """Everything, for JSON; `agreementFromValues` is the way back."""
        return {
            "dice": dict(self.dice),
            "firstMl": dict(self.firstMl),
            "secondMl": dict(self.secondMl),
            "changedMl": self.changedMl,
        }


def agreementFromValues(values: Mapping[str, Any]) -> Agreement:
    """Take up what `Agreement.asValues` gave."""
    return Agreement(
        values["dice"], values["firstMl"], values["secondMl"], float(values["changedMl"])
    )


def compare(first: Any, second: Any, reference: Any) -> Agreement:
    """Compare two segmentation nodes on the grid of the reference volume.

    Args:
        first: measured against, for example the automatic result.
        second: for example the corrected one.
        reference: volume node.

    Raises:
        InputError: naming the segmentation and the remedy, when one of them cannot be
            read as tissues.
    """
    return compareLabels(labelImage(first, reference), labelImage(second, reference))


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
    box = _occupied(before, after)
    before, after = before[box], after[box]
    changed = int(np.count_nonzero(before != after))
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
    import vtk

    table = vtk.vtkTable()
    names = vtk.vtkStringArray()
    names.SetName(_("Structure"))
    for key in GROUPS:
        names.InsertNextValue(volume_title(key))
    table.AddColumn(names)

    def add(title: str, values: Mapping[str, float | None]) -> None:
        if table.GetColumnByName(title) is not None:
            return
        column = vtk.vtkDoubleArray()
        column.SetName(title)
        for key in GROUPS:
            value = values[key]
            column.InsertNextValue(float("nan") if value is None else value)
        table.AddColumn(column)

    for first, second, agreement in columns:
        pair = {"first": first, "second": second}
        add(_("{name} (mL)").format(name=first), agreement.firstMl)
        add(_("{name} (mL)").format(name=second), agreement.secondMl)
        add(_("Dice {first} / {second}").format(**pair), agreement.dice)
        add(_("Change {first} → {second} (mL)").format(**pair), agreement.volumeChangeMl)
        add(_("Change {first} → {second} (%)").format(**pair), agreement.volumeChangePercent)
    tableNode.SetAndObserveTable(table)
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(True)


def _occupied(first: np.ndarray, second: np.ndarray) -> tuple[slice, ...]:
    """The smallest box that holds every label of both; what lies outside agrees."""
    used = (first != 0) | (second != 0)
    box = []
    for axis in range(used.ndim):
        others = tuple(other for other in range(used.ndim) if other != axis)
        where = np.flatnonzero(used.any(axis=others))
        box.append(slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 0))
    return tuple(box)
