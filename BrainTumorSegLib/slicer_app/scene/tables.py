"""Volumes and agreement as table nodes, a row for each tissue and region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Region
from BrainTumorSegLib.core.volumes import volume_title

from ..host.translation import told
from ..host.translation import tr as _

#: The rows, by keys of `volumes.volumes_ml`.
ROWS = (*(tissue.key for tissue in TUMOR_TISSUES), *(region.name for region in Region))


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        name: by which programs find it.
        values: by `ROWS`; what is missing or None is not a number.
        title: for people; the name when empty.
        unit, description: if any.
    """

    name: str
    values: Mapping[str, float | None]
    title: str = ""
    unit: str = ""
    description: str = ""


def fillTable(tableNode: Any, columns: list[Column], first: Column | None = None) -> None:
    """Replace a table's content and lock it.

    Args:
        columns: a column of a name that stands there already is not repeated.
        first: name, title and description of the column that names the rows.
    """
    import vtk

    first = first or Column(_("Structure"), {})
    tableNode.SetLocked(False)
    tableNode.RemoveAllColumns()
    for column in (first, *columns):
        if tableNode.GetTable().GetColumnByName(column.name) is not None:
            continue
        array = vtk.vtkStringArray() if column is first else vtk.vtkDoubleArray()
        array.SetName(column.name)
        for key in ROWS:
            value = told(volume_title(key)) if column is first else column.values.get(key)
            array.InsertNextValue(float("nan") if value is None else value)
        tableNode.AddColumn(array)
        if column.title:
            tableNode.SetColumnTitle(column.name, column.title)
        if column.description:
            tableNode.SetColumnDescription(column.name, column.description)
        if column.unit:
            tableNode.SetColumnUnitLabel(column.name, column.unit)
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(True)


def fillVolumesTable(
    tableNode: Any, volumes: Mapping[str, float], percent: Mapping[str, float]
) -> None:
    """Fill a table with the volumes of a result.

    Args:
        volumes: mL, by the keys of `volumes.volumes_ml`.
        percent: share of the brain in percent, by the same keys; what is missing stays empty.
    """
    millilitres = {key: round(volumes[key], 3) for key in ROWS}
    shares = {key: round(value, 3) for key, value in percent.items()}
    tissue = _("The four tissues, and unions of them")
    fillTable(
        tableNode,
        [
            Column("volume", millilitres, _("Volume [mL]"), "mL", _("Volume in millilitres")),
            Column("percent", shares, _("% of brain"), "%", _("Share of the brain's volume")),
        ],
        first=Column("tissue", {}, _("Tissue"), description=tissue),
    )
