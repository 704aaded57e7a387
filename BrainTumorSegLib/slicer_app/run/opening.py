"""A result on the disk comes into the scene as it would after a run, and goes again.

Scans are loaded from where they lie. The segmentation keeps its file: saved by Slicer, it is
saved back there, where the cohort never replaces what somebody has changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.io.dicom.study import choose_series, read_study
from BrainTumorSegLib.io.digests import sha256_of

from ..host.translation import tr as _
from ..review.readings import fingerprint, labelsOf, secondReading
from ..review.reviews import reviewRecords
from ..scene.provenance import linkedNodes, registeredRole
from ..scene.scene import SceneEdit, nodesOfClass, referencesOf, removeWithParts
from ..scene.segments import applyDisplayDefaults, editState, labelImage, otherSegments
from ..scene.volumes import exportedGrid, hasVoxels, setVolume
from .many_cases import FoundCase
from .result import NEEDED, RunFiles, RunResult, addResult, checkGrid
from .settings import RunSettings

SEG_NRRD = ".seg.nrrd"


@dataclass
class OpenedCase:
    """A case in the scene.

    Attributes:
        name: of the case.
        scans: volume nodes by sequence.
        result: what belongs to its result.
        savedLabels, savedReviews: what was saved last, see `noteSaved`.
    """

    name: str
    scans: Mapping[Sequence, Any]
    result: RunResult
    savedLabels: tuple[Any, ...] = ()
    savedReviews: str = ""

    @property
    def segmentation(self) -> Any:
        """The segmentation of the first reader, which people may correct."""
        return self.result.segmentationNode

    @property
    def readings(self) -> list[Any]:
        """The segmentations of both readers that are still in the scene."""
        first = self.segmentation
        if first.GetScene() is None:
            return []
        return [node for node in (first, secondReading(first)) if node is not None]

    def noteSaved(self, labels: bool = True, reviews: bool = True) -> None:
        """What is there now is safe on the disk."""
        if labels:
            self.savedLabels = tuple(_content(node) for node in self.readings)
        if reviews:
            self.savedReviews = self._reviews()

    def isUnsaved(self) -> bool:
        """Whether corrections or reviews would be lost with the nodes."""
        if not self.readings:
            return False
        # Slicer's own mark of change is not asked: it does not hear of every edit.
        return self._reviews() != self.savedReviews or any(
            _content(node) not in self.savedLabels for node in self.readings
        )

    def _reviews(self) -> str:
        return json.dumps([reviewRecords(node) for node in self.readings])


def openCase(case: FoundCase, settings: RunSettings) -> OpenedCase:
    """Load scans, segmentation, record and map of disagreement of a case.

    Everything enters the scene or nothing does. Only a segmentation that still is as it was
    computed counts as automatic; one that was corrected since has no automatic labels beside it.

    Args:
        case: one that `hasResult`.
        settings: which copies are kept; nothing else of them matters.

    Raises:
        InputError: naming the file that is missing, damaged, or does not fit.
        DependencyError: for scans from DICOM without pydicom.
    """
    files = {kind: Path(output["file"]) for kind, output in case.outputs.items()}
    record = _record(files["report"])
    with SceneEdit() as edit:
        sequences = [Sequence(entry["sequence"]) for entry in record["case"]["inputs"]]
        scans = _fromDicom(edit, case, sequences) if case.dicom else _fromFiles(edit, case)
        reference = Sequence(record["case"]["reference"])
        if set(scans) != set(sequences) or reference not in scans:
            raise _misfit(files["report"], case.name)
        node, labels = _segmentation(edit, files["segmentation"], case.name, scans[reference])
        entropy = None
        if files.get("disagreement", Path()).is_file():
            entropy = _image(files["disagreement"], scans[reference])
        page = files.get("html")
        run = RunFiles(
            labels=labels,
            entropy=entropy,
            report=record,
            page=page.read_text(encoding="utf-8") if page and page.is_file() else None,
            grids={s: exportedGrid(scan, scans[reference])[0] for s, scan in scans.items()},
        )
        chosen = RunSettings(
            **{sequence.value: scan for sequence, scan in scans.items()},
            reference=reference,
            outputSegmentation=node,
            disagreementVolume=settings.disagreementVolume,
            registeredCopies=settings.registeredCopies,
        )
        asWritten = sha256_of(files["segmentation"]) == case.outputs["segmentation"]["sha256"]
        result = addResult(run, chosen, computed=asWritten)
    opened = OpenedCase(case.name, scans, result)
    opened.noteSaved()
    return opened


def replaceCase(old: OpenedCase | None, case: FoundCase, settings: RunSettings) -> OpenedCase:
    """Load a case, see `openCase`, and only then take the one before it out of the scene."""
    # Cases have scans of the same names: those of the old one make room.
    names = {node: node.GetName() for node in (_nodesOf(old) if old is not None else [])}
    for node, name in names.items():
        node.SetName(_("{name} (before)").format(name=name))
    try:
        opened = openCase(case, settings)
        if old is not None:
            closeCase(old)
    finally:
        for node, name in names.items():
            if node.GetScene() is not None:
                node.SetName(name)
    return opened


def closeCase(opened: OpenedCase) -> None:
    """Take a case out of the scene; what a copy made by a person still refers to stays."""
    readings = opened.readings
    others = [node for node in _nodesOf(opened) if node not in readings]
    for reading in readings:
        removeWithParts(reading)
    for node in others:
        if node.GetScene() is not None and not _isNeeded(node):
            removeWithParts(node)


def _nodesOf(opened: OpenedCase) -> list[Any]:
    """Readings, what belongs to them, and the scans, as far as they are in the scene."""
    readings = opened.readings
    nodes = [*readings, *(node for reading in readings for node in linkedNodes(reading))]
    nodes += [r.GetNodeReference(registeredRole(s)) for s in Sequence for r in readings]
    nodes += opened.scans.values()
    return [n for n in dict.fromkeys(nodes) if n is not None and n.GetScene() is not None]


def _isNeeded(node: Any) -> bool:
    """Whether a segmentation in the scene refers to a node."""
    segmentations = nodesOfClass(node.GetScene(), "vtkMRMLSegmentationNode")
    return any(
        node.GetID() in ids
        for segmentation in segmentations
        for ids in referencesOf(segmentation).values()
    )


def _content(node: Any) -> tuple[Any, ...]:
    """What a reader made of a segmentation; editing and taking it back makes no difference."""
    others = otherSegments(node)
    # What other segments hold is not measured: touching anything then counts.
    return fingerprint(labelsOf(node)), editState(node) if others else ()


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if all(key in record for key in NEEDED):
            return record
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(path) from error
    raise _unreadable(path)


def _fromFiles(edit: SceneEdit, case: FoundCase) -> dict[Sequence, Any]:
    import slicer

    scans = {}
    for key, file in case.scans.items():
        name = Path(file).name.split(".")[0]
        node = _node(edit, "vtkMRMLScalarVolumeNode", name)
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
        # Files beside it with numbers in their names are other scans.
        storage.SetSingleFile(True)
        storage.SetFileName(str(file))
        edit.scene.AddNode(storage)
        node.SetAndObserveStorageNodeID(storage.GetID())
        if not Path(file).is_file() or not storage.ReadData(node) or not hasVoxels(node):
            raise _unreadable(Path(file))
        node.CreateDefaultDisplayNodes()
        scans[Sequence(key)] = node
    return scans


def _fromDicom(edit: SceneEdit, case: FoundCase, sequences: list[Sequence]) -> dict[Sequence, Any]:
    """The series as the run has read them."""
    from BrainTumorSegLib.io.dicom.pixels import read_series_image

    chosen = choose_series(read_study(Path(case.dicom), case.study))
    scans = {}
    for sequence in sequences:
        if sequence not in chosen:
            continue
        series = chosen[sequence]
        node = _node(edit, "vtkMRMLScalarVolumeNode", series.description or sequence.name)
        setVolume(node, read_series_image(series))
        node.CreateDefaultDisplayNodes()
        scans[sequence] = node
    return scans


def _node(edit: SceneEdit, kind: str, name: str) -> Any:
    """A new node under this name, if nothing else has it."""
    taken = edit.scene.GetFirstNodeByName(name) is not None
    node = edit.add(kind, name)
    if not taken:
        # Slicer numbers names also when nobody has them any more.
        node.SetName(name)
    return node


def _segmentation(edit: SceneEdit, path: Path, name: str, reference: Any) -> tuple[Any, sitk.Image]:
    """A node for a segmentation, and the tissues in its file on the grid of the reference."""
    import slicer

    node = _node(edit, "vtkMRMLSegmentationNode", name)
    if not path.name.lower().endswith(SEG_NRRD):
        labels = _image(path, reference)
        values = sitk.GetArrayViewFromImage(labels)
        if not np.issubdtype(values.dtype, np.integer) or values.max() > max(Tissue):
            raise _unreadable(path)
        applyDisplayDefaults(node)
        return node, sitk.Cast(labels, sitk.sitkUInt8)
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    edit.scene.AddNode(storage)
    node.SetAndObserveStorageNodeID(storage.GetID())
    if not path.is_file() or not storage.ReadData(node):
        raise _unreadable(path)
    applyDisplayDefaults(node)
    return node, labelImage(node, reference)


def _image(path: Path, reference: Any) -> sitk.Image:
    """An image on the grid of the reference."""
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise _unreadable(path) from error
    try:
        checkGrid(image, reference)
    except InputError as error:
        raise InputError(
            _("{path} does not lie on the scan “{name}”.").format(
                path=path, name=reference.GetName()
            ),
            _("The scan has changed since. Segment this case again."),
        ) from error
    return image


def _unreadable(path: Path) -> InputError:
    return InputError(
        _("{path} is missing or cannot be read.").format(path=path),
        _("Look for the cases again. If it is not found then, segment this case again."),
    )


def _misfit(record: Path, name: str) -> InputError:
    return InputError(
        _("{path} speaks of other scans than case {name} has now.").format(path=record, name=name),
        _("Look for the cases again. If they have changed, segment this case again."),
    )
