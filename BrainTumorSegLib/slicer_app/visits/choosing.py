"""Results that can be compared: those in the scene, and folders on disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.io.folders import record_files

from ..host.translation import tr as _
from ..review.readings import referenceOf
from ..run.result import findResult
from ..scene.provenance import PREFIX
from ..scene.scene import nodesOfClass
from ..scene.scene_scans import describeScan


@dataclass(frozen=True)
class VisitChoice:
    """A result that may be compared.

    Attributes:
        key: what tells it from the others: id of its node, or its folder.
        name: for people.
        node: its segmentation; None for one on disk.
        folder: of one on disk.
        day: of its scan as far as a header says so, ``2024-05-31``; else empty.
    """

    key: str
    name: str
    node: Any = None
    folder: Path | None = None
    day: str = ""


def sceneVisits(scene: Any) -> list[VisitChoice]:
    """Every result in the scene whose scan is still there; of two readings the shown one."""
    found = []
    for node in nodesOfClass(scene, "vtkMRMLSegmentationNode"):
        if node.GetHideFromEditors() or not node.GetAttribute(f"{PREFIX}Version"):
            continue
        reference = referenceOf(node)
        if reference is not None and findResult(node) is not None:
            day = dayOf(reference)
            found.append(VisitChoice(node.GetID(), node.GetName(), node=node, day=day))
    return found


def folderVisit(folder: Path) -> VisitChoice:
    """A result that was saved, or made by the command line.

    Raises:
        InputError: when the folder does not hold the report of one run.
    """
    if len(record_files(folder)) != 1:
        raise InputError(
            _("{folder} does not hold the report of one run.").format(folder=folder),
            _("Choose a folder with one report in JSON, its segmentation and its scan."),
        )
    return VisitChoice(str(folder), folder.name, folder=folder)


def dayOf(volumeNode: Any) -> str:
    """The day of a scan from its DICOM header, ``2024-05-31``; empty where nothing tells it."""
    found = re.match(r"(\d{4})-?(\d{2})-?(\d{2})", describeScan(volumeNode).moment)
    return "-".join(found.groups()) if found else ""
