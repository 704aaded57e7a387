"""The scans that are loaded, and what the scene, files and DICOM headers say of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import DependencyError
from BrainTumorSegLib.io.dicom.headers import SERIES_KEYWORDS, read_frames

from ..host.host import inApplication
from ..host.translation import tr as _
from .frames import isOneOfManyFrames
from .scene import hierarchyOf, nodesOfClass

#: Every attribute of a node that begins so was set by us.
OWN_PREFIX = "BrainTumorSeg."

#: Least number of slices that can be segmented, as in `case.check_scan`.
FEWEST_SLICES = 5

#: Slicer puts the series number before the description.
_SERIES_NUMBER = re.compile(r"^\d+: ")

#: Tags of what is asked of the DICOM database where the file itself cannot be read.
_TAGS: Mapping[str, str] = {
    "Modality": "0008,0060",
    "SeriesDescription": "0008,103e",
    "SeriesNumber": "0020,0011",
    "ProtocolName": "0018,1030",
    "ImageType": "0008,0008",
    "SequenceName": "0018,0024",
    "ScanningSequence": "0018,0020",
    "SequenceVariant": "0018,0021",
    "ScanOptions": "0018,0022",
    "RepetitionTime": "0018,0080",
    "EchoTime": "0018,0081",
    "InversionTime": "0018,0082",
    "FlipAngle": "0018,1314",
    "AngioFlag": "0018,0025",
    "NumberOfTemporalPositions": "0020,0105",
    "DiffusionBValue": "0018,9087",
    "ContrastBolusAgent": "0018,0010",
    "ContrastBolusVolume": "0018,1041",
    "BodyPartExamined": "0018,0015",
    "Manufacturer": "0008,0070",
    "StudyInstanceUID": "0020,000d",
    "StudyDescription": "0008,1030",
}


@dataclass(frozen=True)
class SceneScan:
    """One volume node that may be a scan.

    Attributes:
        name: its name, without the series number that Slicer puts before it.
        file: where it was read from, or None.
        header: DICOM attributes as text by keyword; empty where there are none.
        moment: when it was acquired, as sortable text, or empty.
        place: what the subject hierarchy or the header says it belongs to; None when
            it lies loose in the scene.
        placeTitle: that, for people.
    """

    node: Any
    name: str
    file: Path | None = None
    header: Mapping[str, str] = field(default_factory=dict)
    moment: str = ""
    place: str | None = None
    placeTitle: str = ""

    @property
    def fromDicom(self) -> bool:
        """Whether a header tells more than the name."""
        return bool(self.header)


def sceneScans() -> list[SceneScan]:
    """All volume nodes that may be scans, in the order of the scene."""
    import slicer

    nodes = nodesOfClass(slicer.mrmlScene, "vtkMRMLScalarVolumeNode")
    return [describeScan(node) for node in nodes if whyNoScan(node) is None]


def whyNoScan(node: Any) -> str | None:
    """Why a volume node cannot be a scan of a patient, or None."""
    if node.GetClassName() != "vtkMRMLScalarVolumeNode":
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            return _("It is a label map, not a scan.")
        return _("It holds colours, vectors or tensors, not one value a voxel.")
    if any(name.startswith(OWN_PREFIX) for name in node.GetAttributeNames()):
        return _("It was made here from another scan.")
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        return _("It holds no image.")
    if image.GetNumberOfScalarComponents() != 1:
        return _("It holds colours, vectors or tensors, not one value a voxel.")
    if min(image.GetDimensions()) < FEWEST_SLICES:
        return _("It has only {count} slices.").format(count=min(image.GetDimensions()))
    if isOneOfManyFrames(node):
        return _("It is one frame of a sequence and changes while that is played.")
    return _("It is hidden.") if node.GetHideFromEditors() else None


def describeScan(node: Any) -> SceneScan:
    """What is known about one volume node."""
    header, moment = _dicomHeader(node)
    place, title = _place(node, header)
    return SceneScan(
        node=node,
        name=_SERIES_NUMBER.sub("", node.GetName() or ""),
        file=_file(node),
        header=header,
        moment=moment,
        place=place,
        placeTitle=title,
    )


def instanceUIDs(node: Any) -> list[str]:
    """SOP instance UIDs of the DICOM images that a volume was loaded from."""
    return (node.GetAttribute("DICOM.instanceUIDs") or "").split()


def folderOf(node: Any) -> Path | None:
    """Folder that a volume was read from, if a person keeps it; None for Slicer's own copies."""
    uids, database = instanceUIDs(node), dicomDatabase()
    file = _file(node)
    if file is None and uids and database is not None:
        name = database.fileForInstance(uids[0])
        file = Path(name) if name else None
    if file is None or not file.parent.is_dir():
        return None
    folder = file.parent.resolve()
    return None if any(folder.is_relative_to(own) for own in _ownFolders(database)) else folder


def _ownFolders(database: Any) -> list[Path]:
    """Where Slicer keeps what it has copied, downloaded and made for the moment."""
    folders = [database.databaseDirectory] if database is not None else []
    if inApplication():
        import slicer

        folders += [slicer.app.temporaryPath, slicer.app.cachePath]
    return [Path(folder).resolve() for folder in folders if folder]


def dicomDatabase() -> Any:
    """The application's DICOM database, or None where there is none."""
    import slicer

    return getattr(slicer, "dicomDatabase", None)


def hierarchyPath(node: Any) -> list[tuple[int, str, str]]:
    """The items above a node in the subject hierarchy, nearest first: id, level, name."""
    import slicer

    hierarchy = hierarchyOf(slicer.mrmlScene)
    if hierarchy is None:
        return []
    item = hierarchy.GetItemByDataNode(node)
    path = []
    while item and item != hierarchy.GetSceneItemID():
        item = hierarchy.GetItemParent(item)
        if item and item != hierarchy.GetSceneItemID():
            path.append((item, hierarchy.GetItemLevel(item), hierarchy.GetItemName(item)))
    return path


def _file(node: Any) -> Path | None:
    storage = node.GetStorageNode()
    name = storage.GetFullNameFromFileName() if storage is not None else None
    return Path(name) if name else None


def _dicomHeader(node: Any) -> tuple[dict[str, str], str]:
    """Attributes of the first image of a series and when it was taken; empty if unknown."""
    uids, database = instanceUIDs(node), dicomDatabase()
    if not uids or database is None:
        return {}, ""
    file = database.fileForInstance(uids[0])
    if file and Path(file).is_file():
        try:
            frames = read_frames(Path(file))
        except (DependencyError, ValueError):
            # Without pydicom, or where it fails, the database has an answer of its own.
            frames = []
        if frames:
            first = frames[0]
            return {k: v for k, v in first.texts.items() if k in SERIES_KEYWORDS}, first.moment
    header = {}
    for keyword, tag in _TAGS.items():
        value = database.instanceValue(uids[0], tag)
        if value:
            header[keyword] = str(value)
    return header, ""


def _place(node: Any, header: Mapping[str, str]) -> tuple[str | None, str]:
    """The study where there is one, else the patient, else the nearest folder."""
    import slicer

    path = hierarchyPath(node)
    hierarchy = hierarchyOf(slicer.mrmlScene)
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    title = " – ".join(name for _item, _level, name in reversed(path))
    if header.get("StudyInstanceUID"):
        uid = header["StudyInstanceUID"]
        return f"study {uid}", title or header.get("StudyDescription") or _("a DICOM study")
    for level in (constants.GetDICOMLevelStudy(), constants.GetDICOMLevelPatient()):
        for item, itsLevel, _name in path:
            if itsLevel == level:
                uid = hierarchy.GetItemUID(item, constants.GetDICOMUIDName())
                kind = "study" if level == constants.GetDICOMLevelStudy() else "patient"
                return (f"{kind} {uid}" if uid else f"item {item}"), title
    return (f"item {path[0][0]}", title) if path else (None, "")
