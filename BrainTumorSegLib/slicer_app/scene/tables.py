"""Volumes as a table node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from BrainTumorSegLib.core.tissue import TUMOUR_TISSUES, Region
from BrainTumorSegLib.core.volumes import volume_title
from BrainTumorSegLib.slicer_app.host.translation import tr as _

#: The rows, by keys of `measure.volumes_ml`.
ROWS = (*(tissue.key for tissue in TUMOUR_TISSUES), *(region.name for region in Region))


def fillVolumesTable(
    tableNode: Any, volumes: Mapping[str, float], percent: Mapping[str, float]
) -> None:
    """Replace a table's content: one row for each tissue and region.

    Args:
        tableNode: ``vtkMRMLTableNode``.
        volumes: mL, by the keys of `measure.volumes_ml`.
        percent: share of the brain in percent, by the same keys; what is missing stays empty.
    """
    import vtk

    titles, millilitres, shares = vtk.vtkStringArray(), vtk.vtkDoubleArray(), vtk.vtkDoubleArray()
    for key in ROWS:
        titles.InsertNextValue(volume_title(key))
        millilitres.InsertNextValue(round(volumes[key], 3))
        shares.InsertNextValue(round(percent.get(key, float("nan")), 3))
    wasLocked = tableNode.GetLocked()
    tableNode.SetLocked(False)
    tableNode.RemoveAllColumns()
    columns = (
        (titles, "tissue", _("Tissue"), "", _("The four tissues, and unions of them")),
        (millilitres, "volume", _("Volume [mL]"), "mL", _("Volume in millilitres")),
        (shares, "percent", _("% of brain"), "%", _("Share of the brain's volume")),
    )
    for array, name, title, unit, description in columns:
        array.SetName(name)
        tableNode.AddColumn(array)
        tableNode.SetColumnTitle(name, title)
        tableNode.SetColumnDescription(name, description)
        if unit:
            tableNode.SetColumnUnitLabel(name, unit)
    tableNode.SetUseColumnTitleAsColumnHeader(True)
    tableNode.SetLocked(wasLocked)
