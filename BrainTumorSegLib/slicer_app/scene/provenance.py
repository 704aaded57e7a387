"""What a result in the scene says of its own making, and how it finds what belongs to it.

The segmentation node refers by role to what a run or a review has made beside it, and carries
the main facts as attributes, so that they survive in a saved scene; the whole record is the
report.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence

from ..host.host import inApplication
from ..host.translation import tr as _
from .scene import nodesOfClass, outOfTree, referencesOf, removeWithParts
from .volumes import hasVoxels

#: Begins the name of every attribute and reference role of ours.
PREFIX = "BrainTumorSeg."

AUTOMATIC = PREFIX + "Automatic"
TABLE = PREFIX + "Table"
REPORT = PREFIX + "Report"
REPORT_PAGE = PREFIX + "ReportPage"
DISAGREEMENT = PREFIX + "Disagreement"

#: What the first and the second reader accepted, and how both agree, see `review`.
REVIEWED = {1: PREFIX + "Reviewed.1", 2: PREFIX + "Reviewed.2"}
AGREEMENT = PREFIX + "Agreement"

#: How many lesions get lines, two each.
MOST_LINES = 10


def diameterRole(number: int, which: str) -> str:
    """Reference role of a line: of which lesion, from 1, and whether ``long`` or ``short``."""
    return f"{PREFIX}Diameter.{number}.{which}"


DIAMETER_LINES = tuple(
    diameterRole(number, which)
    for number in range(1, MOST_LINES + 1)
    for which in ("long", "short")
)

#: Nodes linked to a segmentation, which a new run into it replaces.
LINKED = (
    *(AUTOMATIC, TABLE, REPORT, REPORT_PAGE, DISAGREEMENT),
    *REVIEWED.values(),
    AGREEMENT,
    *DIAMETER_LINES,
)

#: Difference between two places, in mm and mm a voxel, that is more than rounding.
PLACE_TOLERANCE = 0.01

#: On each linked node: which of them it is.
ROLE = PREFIX + "Role"


def scanRole(sequence: Sequence) -> str:
    """Reference role of the input volume of a sequence."""
    return f"{PREFIX}Scan.{sequence.value}"


def registeredRole(sequence: Sequence) -> str:
    """Reference role of the copy of an input that was resampled onto the reference."""
    return f"{PREFIX}Registered.{sequence.value}"


def reportOf(node: Any) -> dict[str, Any]:
    """The record of the run that made a segmentation.

    Raises:
        InputError: when there is none, or somebody has written into its text.
    """
    try:
        report = json.loads(node.GetNodeReference(REPORT).GetText())
        Sequence(report["case"]["reference"])
        return report
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            _("Segmentation “{name}” has no report that says how it was made.").format(
                name=node.GetName()
            ),
            _("Choose a segmentation made by BrainTumorSeg, or run again."),
        ) from error


def inputScan(node: Any, sequence: Sequence) -> Any:
    """The volume node that a segmentation was made of.

    Raises:
        InputError: when it is no longer in the scene with its voxels.
    """
    scan = node.GetNodeReference(scanRole(sequence))
    if scan is None or not hasVoxels(scan):
        name = node.GetAttribute(f"{PREFIX}Scan.{sequence.value}.Name")
        raise InputError(
            _("The {sequence} volume “{name}” is no longer in the scene.").format(
                sequence=sequence.name, name=name or sequence.name
            ),
            _("Load it and run again."),
        )
    return scan


def clearProvenance(node: Any) -> None:
    """Take all attributes and references of ours from a node; reviews of old content too."""
    for name in list(node.GetAttributeNames()):
        if name.startswith(PREFIX):
            node.RemoveAttribute(name)
    node.RemoveAttribute(outOfTree())  # a reading that was put away comes back
    for role in referencesOf(node):
        if role.startswith(PREFIX):
            node.RemoveNodeReferenceIDs(role)


def writeProvenance(
    node: Any,
    report: Mapping[str, Any],
    scans: Mapping[Sequence, Any],
    grids: Mapping[Sequence, np.ndarray],
) -> None:
    """Write the main facts of a report as attributes of a node, and refer to the inputs.

    Args:
        report: a whole report, see ``Resources/Schemas/report.schema.json``.
        grids: voxel-to-RAS matrix of each scan as it was segmented, in the reference's
            local coordinates.
    """
    pack, engine = report["pack"], report["engine"]
    facts = {
        "Version": report["version"],
        "Created": report["created"],
        "Pack": pack["name"],
        "PackVersion": pack["version"],
        "PackLicence": pack["licence"],
        "Members": "; ".join(f"{member['name']} {member['sha256']}" for member in pack["members"]),
        "Recipe": report["recipe"],
        "Views": f"{report['views']['name']} ({report['views']['count']})",
        "Device": engine["device"],
        "Engine": f"{engine['name']}, {engine['precision']}, batch {engine['batch']}",
        "Brain": f"{report['brain']['method']}, {report['brain']['volume_ml']} mL",
        "Reference": report["case"]["reference"],
        "Warnings": json.dumps(report["warnings"], ensure_ascii=False),
    }
    for entry in report["case"]["inputs"]:
        facts[f"Scan.{entry['sequence']}.SHA256"] = entry["sha256"] or ""
    for entry in report["registration"]:
        facts[f"Registration.{entry['sequence'].lower()}"] = _registration(entry)
    for sequence, scan in scans.items():
        facts[f"Scan.{sequence.value}.Name"] = scan.GetName()
        facts[f"Scan.{sequence.value}.Place"] = placeOf(grids[sequence])
        node.SetNodeReferenceID(scanRole(sequence), scan.GetID())
    for name, value in facts.items():
        node.SetAttribute(PREFIX + name, str(value))


def placeOf(grid: np.ndarray) -> str:
    """A voxel-to-RAS matrix by rows, as text for an attribute."""
    return " ".join(f"{number:.5f}" for number in np.asarray(grid)[:3].ravel())


def hasMoved(node: Any, sequence: Sequence, grid: np.ndarray) -> bool:
    """Whether a scan lies elsewhere on the reference than when it was segmented."""
    then = node.GetAttribute(f"{PREFIX}Scan.{sequence.value}.Place")
    if not then:
        return False
    there = np.array(then.split(), dtype=float)
    return bool(np.abs(there - grid[:3].ravel()).max() > PLACE_TOLERANCE)


def registrationEntry(report: Mapping[str, Any], sequence: Sequence) -> Mapping[str, Any]:
    """What the report says of the registration of one scan.

    Raises:
        InputError: when it says nothing.
    """
    for entry in report["registration"]:
        if entry["sequence"].lower() == sequence.value:
            return entry
    raise InputError(
        _("The report says nothing of a registration of {sequence}.").format(
            sequence=sequence.name
        ),
        _("Choose a scan that was given and is not the reference."),
    )


def withNodeNames(report: Any, names: Mapping[str, str]) -> Any:
    """A report in which temporary files are called by the nodes they were written from.

    Args:
        names: node name by the path of the temporary file.
    """
    if isinstance(report, str):
        longestFirst = sorted(names, key=len, reverse=True)
        pattern = "|".join(map(re.escape, longestFirst))
        return re.sub(pattern, lambda found: names[found.group()], report) if names else report
    if isinstance(report, Mapping):
        return {key: withNodeNames(value, names) for key, value in report.items()}
    if isinstance(report, list):
        return [withNodeNames(value, names) for value in report]
    return report


def pageWithNodeNames(page: str, names: Mapping[str, str]) -> str:
    """The same for the report as an HTML page."""
    return withNodeNames(page, {html.escape(p): html.escape(n) for p, n in names.items()})


def linkedNodes(node: Any) -> list[Any]:
    """What a run or a review has made beside a segmentation."""
    found = (node.GetNodeReference(role) for role in LINKED)
    return [linked for linked in found if linked is not None]


def isUnlinked(linked: Any) -> bool:
    """Whether no segmentation refers to a node any more; clones and second readings do."""
    segmentations = nodesOfClass(linked.GetScene(), "vtkMRMLSegmentationNode")
    return not any(linked in linkedNodes(segmentation) for segmentation in segmentations)


def watchDeletions(scene: Any) -> list[int]:
    """From now on hidden linked nodes, which nobody could delete, go with their last segmentation.

    Tables and volumes that people see stay. Nothing is removed while a scene is closed or
    loaded, nor where deletions can be undone.

    Returns:
        Tags of the observers.
    """
    import vtk

    left: list[Any] = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def willGo(_caller: Any, _event: str, node: Any) -> None:
        busy = scene.IsClosing() or scene.IsImporting() or scene.GetUndoFlag()
        if not busy and node.IsA("vtkMRMLSegmentationNode"):
            left.extend(c for c in linkedNodes(node) if c.GetHideFromEditors())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def hasGone(_caller: Any, _event: str, _node: Any) -> None:
        if left:
            _later(tidy)

    def tidy() -> None:
        candidates = list(left)
        left.clear()
        for linked in candidates:
            if linked.GetScene() is scene and isUnlinked(linked):
                removeWithParts(linked)

    return [
        scene.AddObserver(scene.NodeAboutToBeRemovedEvent, willGo),
        scene.AddObserver(scene.NodeRemovedEvent, hasGone),
    ]


def _later(action: Any) -> None:
    """After the present deletion, which may go on with what lies beside the node."""
    if inApplication():
        import qt

        qt.QTimer.singleShot(0, action)
    else:
        action()


def _registration(entry: Mapping[str, Any]) -> str:
    parts = [entry["engine"]]
    if entry.get("already_aligned"):
        parts.append("already aligned")
    if entry.get("chosen"):
        parts.append(f"start {entry['chosen']}")
    for key, unit in (("rotation_deg", "degrees"), ("shift_mm", "mm"), ("score", "score")):
        if entry.get(key) is not None:
            parts.append(f"{entry[key]:.4g} {unit}")
    return ", ".join(parts)
