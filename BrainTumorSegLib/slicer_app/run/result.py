"""The files of a finished run become nodes of the scene, and saved nodes a result again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.notices import page_with_notices
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue

from ..host.translation import later
from ..host.translation import tr as _
from ..scene import provenance
from ..scene.geometry import gridMatrix, sizeChange
from ..scene.registered import registeredCopy
from ..scene.scene import SceneEdit, placeBeside, removeWithParts
from ..scene.segments import applyDisplayDefaults, registerTerminology, setTissues
from ..scene.tables import fillVolumesTable
from ..scene.uncertainty import rememberRegions
from ..scene.volumes import exportedGrid, hasVoxels, localGrid, setVolume
from .settings import DISAGREEMENT, LABELS, REPORT, REPORT_PAGE, RunSettings

#: Colours of the disagreement, which every scene has.
HEAT = "vtkMRMLColorTableNodeIron"

#: How far apart, in mm, two descriptions of one grid may lie.
GRID_TOLERANCE_MM = 1e-3

#: By how much a parent transform may change volumes before it is worth a warning.
SIZE_TOLERANCE = 0.005

#: What an import takes from a report without asking again.
NEEDED = (
    *("version", "created", "case", "registration", "brain", "pack", "recipe", "views", "engine"),
    *("volumes_ml", "percent_of_brain", "warnings"),
)


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
        volumes: mL as computed, by the keys of `volumes.volumes_ml`.
        report: the record, see ``Resources/Schemas/report.schema.json``.
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


@dataclass(frozen=True)
class RunFiles:
    """What a run made.

    Attributes:
        labels: values of `Tissue` on the reference's grid, in its local coordinates.
        entropy: disagreement 0..1 on the same grid; None where it was not kept.
        report: the record, with nodes by name instead of temporary files.
        page: the report as HTML, if it was written.
        grids: voxel-to-RAS matrix of each scan as it was segmented, in the reference's
            local coordinates.
    """

    labels: sitk.Image
    entropy: sitk.Image | None
    report: dict[str, Any]
    page: str | None
    grids: Mapping[Sequence, np.ndarray]


def importResult(folder: Path, settings: RunSettings) -> RunResult:
    """Bring the files of a finished run into the scene, altogether or not at all.

    An output segmentation of before keeps its node and its segments of other things; its
    four tissues and the nodes linked by the previous run are replaced.

    Args:
        folder: holds ``labels.nrrd``, ``disagreement.nrrd``, ``report.json`` and, if one
            was written, ``report.html``.

    Raises:
        OutputError: when a file of the run is missing or damaged.
        InputError: when an input was removed or its grid changed during the run.
    """
    scans = inputScans(settings)
    files = readRun(folder, scans, scans[Sequence(settings.reference)])
    return addResult(files, settings)


def addResult(files: RunFiles, settings: RunSettings, computed: bool = True) -> RunResult:
    """Bring what a run made into the scene, altogether or not at all; see `importResult`.

    Args:
        computed: whether the labels are as they were computed, and are kept as such beside
            those that people may correct.
    """
    scans, report = settings.scans, files.report
    reference = scans[Sequence(settings.reference)]
    registerTerminology()
    output = settings.outputSegmentation
    if output is not None and output.GetScene() is None:
        output = None
    name = output.GetName() if output else _("{scan} tumour").format(scan=reference.GetName())
    with SceneEdit(reference.GetScene()) as edit:
        parts = _addParts(edit, name, files, settings, computed)
        # Last what changes a node of before, after all that can fail.
        stale: list[Any] = []
        if output is None:
            node = edit.add("vtkMRMLSegmentationNode", name)
            applyDisplayDefaults(node)
        else:
            node, stale = output, provenance.linkedNodes(output)
            edit.willChange(node)
            provenance.clearProvenance(node)
            if node.GetDisplayNode() is None:
                applyDisplayDefaults(node)
        provenance.writeProvenance(node, report, scans, files.grids)
        for role, part in parts.items():
            part.SetAttribute(provenance.ROLE, role.removeprefix(provenance.PREFIX))
            node.SetNodeReferenceID(role, part.GetID())
        if settings.registeredCopies:
            for sequence in scans:
                registeredCopy(node, sequence, edit=edit)
        if files.entropy is not None:
            rememberRegions(node, files.entropy, files.labels)
        placeBeside(node, reference)
        setTissues(node, files.labels, reference)
        result = _result(node, report)
    _removeStale(stale, parts)
    return result


def _addParts(
    edit: SceneEdit, name: str, files: RunFiles, settings: RunSettings, computed: bool
) -> dict[str, Any]:
    """What a segmentation refers to, by reference role."""
    report, reference = files.report, settings.scans[Sequence(settings.reference)]
    parts = {}
    if computed:
        parts[provenance.AUTOMATIC] = _addAutomatic(edit, name, files.labels, reference)
    parts[provenance.TABLE] = _addTable(edit, name, report, reference)
    text = json.dumps(report, ensure_ascii=False)
    parts[provenance.REPORT] = _addText(edit, f"{name} report", text)
    if files.entropy is not None:
        parts[provenance.DISAGREEMENT] = _addDisagreement(
            edit, name, files.entropy, reference, settings.disagreementVolume
        )
    if files.page is not None:
        parts[provenance.REPORT_PAGE] = _addText(edit, f"{name} report page", files.page)
    return parts


def findResult(segmentationNode: Any) -> RunResult | None:
    """The result that a segmentation node belongs to, also in a scene loaded from a file.

    Returns:
        None when it is none of ours or its report is gone.
    """
    if segmentationNode is None or segmentationNode.GetScene() is None:
        return None
    try:
        return _result(segmentationNode, provenance.reportOf(segmentationNode))
    except (InputError, ValueError, KeyError, TypeError, AttributeError):
        return None  # there is none, or somebody has written into its text


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
    """A linked node with content: Slicer before 5.12 saves hidden nodes in bundles only."""
    linked = node.GetNodeReference(role)
    if linked is None:
        return None
    if linked.IsA("vtkMRMLSegmentationNode"):
        filled = linked.GetSegmentation().GetNumberOfSegments() > 0
    elif linked.IsA("vtkMRMLVolumeNode"):
        filled = hasVoxels(linked)
    else:
        filled = bool(linked.GetText())
    return linked if filled else None


def _addAutomatic(edit: SceneEdit, name: str, labels: sitk.Image, reference: Any) -> Any:
    node = edit.add(
        "vtkMRMLSegmentationNode", _("{name} (automatic)").format(name=name), hidden=True
    )
    applyDisplayDefaults(node)
    node.GetDisplayNode().SetVisibility(False)
    setTissues(node, labels, reference)
    return node


def _addTable(edit: SceneEdit, name: str, report: Mapping[str, Any], reference: Any) -> Any:
    node = edit.add("vtkMRMLTableNode", _("{name} volumes").format(name=name))
    fillVolumesTable(node, report["volumes_ml"], report["percent_of_brain"])
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
    """Remove nodes linked by the previous run that nobody refers to any more.

    A segmentation that a person cloned refers to those of the original. The new ones
    take over the names.
    """
    for node in stale:
        if not provenance.isUnlinked(node):
            continue
        name, role = node.GetName(), node.GetAttribute(provenance.ROLE)
        removeWithParts(node)
        successor = parts.get(f"{provenance.PREFIX}{role}")
        if successor is not None:
            successor.SetName(name)


def inputScans(settings: RunSettings) -> dict[Sequence, Any]:
    """The volume nodes that a run was made of.

    Raises:
        InputError: when one was removed in the meantime.
    """
    for sequence, node in settings.scans.items():
        if node.GetScene() is None or not hasVoxels(node):
            raise InputError(
                _("The {sequence} volume “{name}” was removed during the run.").format(
                    sequence=sequence.name, name=node.GetName()
                ),
                _("Load it again and run again."),
            )
    return settings.scans


def readRun(folder: Path, scans: Mapping[Sequence, Any], reference: Any) -> RunFiles:
    """Read what a run left, before anything enters the scene.

    Raises:
        OutputError: when a file is missing or damaged.
        InputError: when the reference is no longer on the grid that was segmented.
    """
    folder = Path(folder)
    labels, entropy = _readImage(folder / LABELS), _readImage(folder / DISAGREEMENT)
    values = sitk.GetArrayViewFromImage(labels)
    if not np.issubdtype(values.dtype, np.integer) or values.max() > max(Tissue):
        raise _badFile(folder / LABELS)
    for image in (labels, entropy):
        checkGrid(image, reference)
    report, files = _readRecord(folder / REPORT, scans)
    factor = sizeChange(reference)
    if abs(factor - 1) > SIZE_TOLERANCE:
        report["warnings"].append(
            later(
                "The parent transform of “{name}” changes volumes by a factor of {factor}; "
                "the volumes given here are those without it."
            ).format(name=reference.GetName(), factor=f"{factor:.3g}")
        )
    grids = {
        sequence: _segmentedGrid(folder, file, scans[sequence], reference)
        for sequence, file in files.items()
    }
    names = {file: scans[sequence].GetName() for sequence, file in files.items()}
    report, page = provenance.withNodeNames(report, names), _readPage(folder / REPORT_PAGE, names)
    # The worker made the page before the last warnings were known.
    page = page and page_with_notices(page, report)
    return RunFiles(labels, entropy, report, page, grids)


def _readImage(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise _badFile(path) from error


def _readRecord(
    path: Path, scans: Mapping[Sequence, Any]
) -> tuple[dict[str, Any], dict[Sequence, str]]:
    """The record, and the file that each scan was read from."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        inputs = report["case"]["inputs"]
        files = {Sequence(entry["sequence"]): str(entry["source"]) for entry in inputs}
        missing = [key for key in NEEDED if key not in report]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _badFile(path) from error
    if missing or files.keys() != scans.keys():
        raise _badFile(path)
    return report, files


def _segmentedGrid(folder: Path, file: str, scan: Any, reference: Any) -> np.ndarray:
    """Where a scan lay when it was exported: the node may have been moved since."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(folder / file))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return exportedGrid(scan, reference)[0]
    image = sitk.Image(1, 1, 1, sitk.sitkUInt8)
    image.SetSpacing(reader.GetSpacing())
    image.SetOrigin(reader.GetOrigin())
    image.SetDirection(reader.GetDirection())
    return gridMatrix(image)


def _readPage(path: Path, names: Mapping[str, str]) -> str | None:
    try:
        return provenance.pageWithNodeNames(path.read_text(encoding="utf-8"), names)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _badFile(path) from error


def checkGrid(image: sitk.Image, reference: Any) -> None:
    """Check that a file of a run lies on the grid of the reference.

    Raises:
        InputError: when it does not.
    """
    matrix, size = localGrid(reference)
    corners = np.array([[*(np.array(bits) * size), 1] for bits in np.ndindex(2, 2, 2)])
    apart = np.abs(corners @ (gridMatrix(image) - matrix).T).max()
    if image.GetSize() != size or not apart < GRID_TOLERANCE_MM:
        raise InputError(
            _("The grid of volume “{name}” was changed during the run.").format(
                name=reference.GetName()
            ),
            _("Run again."),
        )


def _badFile(path: Path) -> OutputError:
    return OutputError(
        _("The file {name} of the run is missing or damaged.").format(name=path.name),
        _("Run again; if it happens again, check the space in the folder for temporary files."),
    )
