"""The diameters of a result as line markups, which a person can drag.

The figures stand in an attribute of the segmentation, with a fingerprint of the labels that they
were measured of, and the lines are linked to it; all survive in a saved scene. Places in a record
are those of the scan's own coordinates (LPS, mm), as the lines are under the scan's transform.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from BrainTumorSegLib.core.errors import InputError

from ..host.translation import tr as _
from ..scene import provenance
from ..scene.scene import SceneEdit, placeBeside, removeWithParts
from .readings import fingerprint, labelsOf, referenceOf

#: Attributes of the segmentation: what was measured, and of which labels.
MEASURED, MEASURED_OF = provenance.PREFIX + "Diameters", provenance.PREFIX + "DiametersOf"

#: By how many mm an end of a line must have moved to count as dragged.
DRAGGED_MM = 0.01

#: Colors of the longest line and of the one across.
_COLORS = {"long": (1.0, 1.0, 1.0), "short": (0.35, 0.9, 1.0)}


def measure(segmentationNode: Any) -> dict[str, Any]:
    """Measure the segmentation as it is now, and show the lines anew.

    Lines of before are replaced, dragged ones too.

    Returns:
        What was measured, as it stands in a record.

    Raises:
        InputError: when the scan that was segmented is gone.
    """
    from BrainTumorSegLib.measurement.diameters import diameters_record, measure_diameters

    reference = referenceOf(segmentationNode)
    if reference is None:
        raise InputError(
            _("The scan that was segmented is no longer in the scene."),
            _("Load it again and measure again."),
        )
    labels = labelsOf(segmentationNode)
    record = diameters_record(measure_diameters(labels))
    before = linesOf(segmentationNode)
    with SceneEdit(segmentationNode.GetScene()) as edit:
        edit.willChange(segmentationNode)
        for role in provenance.DIAMETER_LINES:
            segmentationNode.RemoveNodeReferenceIDs(role)
        for number, lesion in enumerate(record["lesions"][: provenance.MOST_LINES], start=1):
            for which in ("long", "short"):
                line = _addLine(edit, f"{number} {which}", which, lesion[which], reference)
                role = provenance.diameterRole(number, which)
                line.SetAttribute(provenance.ROLE, role.removeprefix(provenance.PREFIX))
                segmentationNode.SetNodeReferenceID(role, line.GetID())
        segmentationNode.SetAttribute(MEASURED, json.dumps(record))
        segmentationNode.SetAttribute(MEASURED_OF, fingerprint(labels))
    for line in before.values():
        if provenance.isUnlinked(line):
            removeWithParts(line)
    return record


def linesOf(segmentationNode: Any) -> dict[tuple[int, str], Any]:
    """The lines in the scene, by number of the lesion from 1 and ``long`` or ``short``."""
    found = {}
    for number in range(1, provenance.MOST_LINES + 1):
        for which in ("long", "short"):
            node = segmentationNode.GetNodeReference(provenance.diameterRole(number, which))
            if node is not None and node.GetNumberOfControlPoints() == 2:
                found[number, which] = node
    return found


def measuredNow(segmentationNode: Any) -> dict[str, Any] | None:
    """The figures as the lines are now; those of the run where nobody has measured since.

    Lines that were dragged are measured anew, and the record says that they are a reader's. A
    line that was deleted counts as it was.

    Returns:
        None where there are none, as in results of older releases.
    """
    from BrainTumorSegLib.measurement.diameters import Line, read_again

    record = _stored(segmentationNode)
    if record is None:
        return None
    lines, dragged, pairs = linesOf(segmentationNode), False, []
    for number, lesion in enumerate(record["lesions"], start=1):
        pair = []
        for which in ("long", "short"):
            ends = np.array(lesion[which], float)
            node = lines.get((number, which))
            if node is not None and np.abs(_ends(node) - ends).max() > DRAGGED_MM:
                ends, dragged = _ends(node), True
            pair.append(Line(*(tuple(map(float, end)) for end in ends)))
        pairs.append((pair[0], pair[1]))
    return read_again(record, pairs) if dragged else record


def isDragged(segmentationNode: Any) -> bool:
    """Whether a person has moved a line since it was measured."""
    record = measuredNow(segmentationNode)
    return record is not None and record["drawn_by"] == "reader"


def isOutdated(segmentationNode: Any) -> bool:
    """Whether the labels are no longer those that were measured."""
    of = segmentationNode.GetAttribute(MEASURED_OF)
    if not of:
        automatic = segmentationNode.GetNodeReference(provenance.AUTOMATIC)
        if automatic is None:
            return True
        of = fingerprint(labelsOf(automatic))
    return bool(of != fingerprint(labelsOf(segmentationNode)))


def _stored(segmentationNode: Any) -> dict[str, Any] | None:
    try:
        return dict(json.loads(segmentationNode.GetAttribute(MEASURED)))
    except (TypeError, ValueError):
        pass
    try:
        return provenance.reportOf(segmentationNode).get("diameters")
    except InputError:
        return None


def _addLine(edit: SceneEdit, name: str, which: str, ends: Any, reference: Any) -> Any:
    import vtk

    node = edit.add("vtkMRMLMarkupsLineNode", _("Diameter {name}").format(name=name))
    node.CreateDefaultDisplayNodes()
    for x, y, z in ends:
        node.AddControlPoint(vtk.vtkVector3d(-x, -y, z))
    node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    display = node.GetDisplayNode()
    if display is not None:
        display.SetSelectedColor(*_COLORS[which])
        display.SetColor(*_COLORS[which])
        display.SetVisibility3D(False)
        display.SetPropertiesLabelVisibility(which == "long")
    placeBeside(node, reference)
    return node


def _ends(node: Any) -> np.ndarray:
    """Both ends of a line in the scan's coordinates (LPS, mm), one a row."""
    ends = np.array([node.GetNthControlPointPosition(n) for n in (0, 1)], float)
    return ends * (-1.0, -1.0, 1.0)
