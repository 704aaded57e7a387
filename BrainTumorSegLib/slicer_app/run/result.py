"""A finished run becomes nodes of the scene, and nodes of a saved scene a result again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import SimpleITK as sitk

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.run.files import inputScans, readRun
from BrainTumorSegLib.slicer_app.scene import provenance
from BrainTumorSegLib.slicer_app.scene.doubt import rememberRegions
from BrainTumorSegLib.slicer_app.scene.orphans import companions, isOrphan
from BrainTumorSegLib.slicer_app.scene.registered import registeredCopy
from BrainTumorSegLib.slicer_app.scene.scene import SceneEdit, placeBeside, removeWithParts
from BrainTumorSegLib.slicer_app.scene.tables import fillVolumesTable
from BrainTumorSegLib.slicer_app.scene.terminology import registerTerminology
from BrainTumorSegLib.slicer_app.scene.tissue_segments import dressSegmentation, setTissues
from BrainTumorSegLib.slicer_app.scene.volumes import hasVoxels, setVolume

__all__ = ["RunResult", "findResult", "importResult", "registeredCopy"]

#: Colours of the disagreement, which every scene has.
HEAT = "vtkMRMLColorTableNodeIron"


class Settings(Protocol):
    """What `importResult` needs to know of a run's settings, see `run.RunSettings`."""

    t1: Any
    t1ce: Any
    flair: Any
    reference: Sequence
    outputSegmentation: Any
    disagreementVolume: bool
    registeredCopies: bool


@dataclass(frozen=True)
class RunResult:
    """A result in the scene.

    Attributes:
        segmentationNode: the segmentation, which people may correct.
        automaticNode: the same as it was computed, hidden; None when it was deleted.
        tableNode: volumes; None when it was deleted.
        reportNode: the record as JSON, hidden.
        disagreementNode: entropy 0..1 on the reference's grid, hidden unless asked for;
            None when it was deleted.
        registeredNodes: copies of inputs resampled onto the reference.
        volumes: mL as computed, by the keys of `measure.volumes_ml`.
        report: the record, see ``Resources/Schemas/report.schema.json``.
        warnings: what a reader must know.
        pageNode: the report as an HTML page, hidden; None when there is none.
    """

    segmentationNode: Any
    automaticNode: Any
    tableNode: Any
    reportNode: Any
    disagreementNode: Any | None
    registeredNodes: Mapping[Sequence, Any]
    volumes: Mapping[str, float]
    report: Mapping[str, Any]
    warnings: tuple[str, ...]
    pageNode: Any | None = None


def importResult(folder: Path, settings: Settings) -> RunResult:
    """Bring the files of a finished run into the scene, altogether or not at all.

    An output segmentation of before keeps its node and its segments of other things; its
    four tissues and the companions of the previous run are replaced.

    Args:
        folder: holds ``labels.nrrd``, ``disagreement.nrrd``, ``report.json`` and, if one
            was written, ``report.html``.
        settings: of the run.

    Raises:
        OutputError: when a file of the run is missing or damaged.
        InputError: when an input was removed or its grid changed during the run.
    """
    scans = inputScans(settings)
    reference = scans[Sequence(settings.reference)]
    files = readRun(folder, scans, reference)
    report = files.report
    registerTerminology()
    output = settings.outputSegmentation
    if output is not None and output.GetScene() is None:
        output = None
    name = output.GetName() if output else _("{scan} tumour").format(scan=reference.GetName())
    with SceneEdit(reference.GetScene()) as edit:
        parts = {
            provenance.AUTOMATIC: _addAutomatic(edit, name, files.labels, reference),
            provenance.TABLE: _addTable(edit, name, report, reference),
            provenance.REPORT: _addText(
                edit, f"{name} report", json.dumps(report, ensure_ascii=False)
            ),
            provenance.DISAGREEMENT: _addDisagreement(
                edit, name, files.entropy, reference, settings.disagreementVolume
            ),
        }
        if files.page is not None:
            parts[provenance.REPORT_PAGE] = _addText(edit, f"{name} report page", files.page)
        # Last what changes a node of before, after all that can fail.
        stale: list[Any] = []
        if output is None:
            node = edit.add("vtkMRMLSegmentationNode", name)
            dressSegmentation(node)
        else:
            node, stale = output, companions(output)
            edit.willChange(node)
            provenance.clearProvenance(node)
            if node.GetDisplayNode() is None:
                dressSegmentation(node)
        provenance.writeProvenance(node, report, scans, files.grids)
        for role, part in parts.items():
            part.SetAttribute(provenance.ROLE, role.removeprefix(provenance.PREFIX))
            node.SetNodeReferenceID(role, part.GetID())
        if settings.registeredCopies:
            for sequence in scans:
                registeredCopy(node, sequence, edit=edit)
        rememberRegions(node, files.entropy)
        placeBeside(node, reference)
        setTissues(node, files.labels, reference)
        result = _result(node, report)
    _removeStale(stale, parts)
    return result


def findResult(segmentationNode: Any) -> RunResult | None:
    """The result that a segmentation node belongs to, also in a scene loaded from a file.

    Returns:
        None when it is none of ours or its report is gone.
    """
    if segmentationNode is None or segmentationNode.GetScene() is None:
        return None
    reportNode = segmentationNode.GetNodeReference(provenance.REPORT)
    if reportNode is None:
        return None
    try:
        return _result(segmentationNode, json.loads(reportNode.GetText() or ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # somebody has written into the text


def _result(node: Any, report: Mapping[str, Any]) -> RunResult:
    registered = {
        sequence: node.GetNodeReference(provenance.registeredRole(sequence))
        for sequence in Sequence
    }
    return RunResult(
        segmentationNode=node,
        automaticNode=_filled(node, provenance.AUTOMATIC),
        tableNode=node.GetNodeReference(provenance.TABLE),
        reportNode=node.GetNodeReference(provenance.REPORT),
        disagreementNode=_filled(node, provenance.DISAGREEMENT),
        registeredNodes={s: copy for s, copy in registered.items() if copy is not None},
        volumes={key: float(value) for key, value in report["volumes_ml"].items()},
        report=report,
        warnings=tuple(report["warnings"]),
        pageNode=_filled(node, provenance.REPORT_PAGE),
    )


def _filled(node: Any, role: str) -> Any | None:
    """A companion with content: Slicer before 5.12 saves hidden nodes in bundles only."""
    companion = node.GetNodeReference(role)
    if companion is None:
        return None
    if companion.IsA("vtkMRMLSegmentationNode"):
        filled = companion.GetSegmentation().GetNumberOfSegments() > 0
    elif companion.IsA("vtkMRMLVolumeNode"):
        filled = hasVoxels(companion)
    else:
        filled = bool(companion.GetText())
    return companion if filled else None


def _addAutomatic(edit: SceneEdit, name: str, labels: sitk.Image, reference: Any) -> Any:
    node = edit.add(
        "vtkMRMLSegmentationNode", _("{name} (automatic)").format(name=name), hidden=True
    )
    dressSegmentation(node)
    node.GetDisplayNode().SetVisibility(False)
    setTissues(node, labels, reference)
    return node


def _addTable(edit: SceneEdit, name: str, report: Mapping[str, Any], reference: Any) -> Any:
    node = edit.add("vtkMRMLTableNode", _("{name} volumes").format(name=name))
    fillVolumesTable(node, report["volumes_ml"], report["percent_of_brain"])
    node.SetLocked(True)
    placeBeside(node, reference)
    return node


def _addText(edit: SceneEdit, name: str, text: str) -> Any:
    import vtk

    node = edit.add("vtkMRMLTextNode", name, hidden=True)
    node.SetText(text, vtk.VTK_ENCODING_UTF_8)
    return node


def _addDisagreement(
    edit: SceneEdit, name: str, entropy: sitk.Image, reference: Any, shown: bool
) -> Any:
    node = edit.add(
        "vtkMRMLScalarVolumeNode", _("{name} disagreement").format(name=name), hidden=not shown
    )
    setVolume(node, entropy)
    node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    if shown:
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetAndObserveColorNodeID(HEAT)
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0.0, 1.0)
        placeBeside(node, reference)
    return node


def _removeStale(stale: list[Any], parts: Mapping[str, Any]) -> None:
    """Remove companions of the previous run that nobody refers to any more.

    A segmentation that a person cloned refers to those of the original. The new ones
    take over the names.
    """
    for node in stale:
        if not isOrphan(node):
            continue
        name, role = node.GetName(), node.GetAttribute(provenance.ROLE)
        removeWithParts(node)
        successor = parts.get(f"{provenance.PREFIX}{role}")
        if successor is not None:
            successor.SetName(name)
