"""A segmentation as files that need no worker, and the worker's tasks for those that do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.atomic import explain_write_failure

from ..host.application import workerPython
from ..host.translation import tr as _
from ..review.measuring import isDragged, isOutdated, measuredNow
from ..review.readings import firstReading, labelsOf, referenceOf
from ..review.reviews import reviewRecords
from ..run.brainsfit import BrainsfitRequests
from ..scene import provenance
from ..scene.geometry import gridMatrix, isSkewed, setGrid, transformToWorld
from ..scene.segments import BINARY_LABELMAP
from ..scene.volumes import exportVolume, imageFromNode
from ..worker.worker import Worker
from .dicom import referenceFiles, wasCorrected

#: Files in the worker's folder.
LABELS, RECORD, DISAGREEMENT = "labels.nrrd", "record.json", "disagreement.nrrd"


def writeSegNrrd(segmentationNode: Any, path: Path) -> None:
    """Write a segmentation as Slicer itself does, without changing its node.

    Coordinates are those of the scan: a parent transform is not part of the file, as with
    everything that Slicer saves.

    Raises:
        OutputError: when it cannot be written.
    """
    import slicer

    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetSourceRepresentationName() != BINARY_LABELMAP:
        raise OutputError(
            _("“{name}” is kept as surfaces, not as voxels.").format(
                name=segmentationNode.GetName()
            ),
            _("In the module Segmentations, make the binary labelmap its source representation."),
        )
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetScene(segmentationNode.GetScene())
    storage.SetFileName(str(path))
    storage.SetUseCompression(True)
    if not storage.WriteData(segmentationNode) or not path.is_file():
        raise explain_write_failure(
            path, RuntimeError(storage.GetUserMessages().GetAllMessagesAsString())
        )


def writeLabelMap(segmentationNode: Any, path: Path) -> None:
    """Write the tissues as a label map, in world coordinates as the views show them.

    Raises:
        OutputError: when a parent transform bends or skews them, or on a write failure.
    """
    image = worldLabels(segmentationNode)
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise explain_write_failure(path, error) from error


def worldLabels(segmentationNode: Any) -> sitk.Image:
    """The tissues on the scan's grid, placed in the world (LPS, mm).

    Raises:
        OutputError: when a parent transform bends or skews the grid.
    """
    import slicer
    import vtk

    labels, reference = labelsOf(segmentationNode), referenceOf(segmentationNode)
    parent = (reference or segmentationNode).GetParentTransformNode()
    if parent is None:
        return labels
    matrix = vtk.vtkMatrix4x4()
    linear = slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(parent, None, matrix)
    placed = slicer.util.arrayFromVTKMatrix(matrix) @ gridMatrix(labels)
    if not linear or isSkewed(placed):
        raise OutputError(
            _(
                "Transform “{transform}” bends or skews the scan, which a label map cannot express."
            ).format(transform=parent.GetName()),
            _(
                "Save as .seg.nrrd, which is in the scan's own coordinates, or take the scan out "
                "of the transform."
            ),
        )
    setGrid(labels, placed)
    return labels


def hasMovedInWorld(segmentationNode: Any) -> bool:
    """Whether a parent transform moves the scan, so that world and scan coordinates differ."""
    toWorld = transformToWorld(referenceOf(segmentationNode) or segmentationNode)
    probes = [(0, 0, 0), (100, 0, 0), (0, 100, 0), (0, 0, 100)]
    return any(not np.allclose(toWorld.TransformPoint(p), p, atol=1e-4) for p in probes)


def reportRecord(segmentationNode: Any) -> dict[str, Any]:
    """The report of the run with the reviews and the dragged diameters of today.

    Raises:
        InputError: when the segmentation has no report.
    """
    record = provenance.reportOf(segmentationNode)
    reviews = reviewRecords(segmentationNode)
    if reviews:
        record["reviews"] = reviews
    # Of other lines, and after corrections, the worker measures anew.
    if isDragged(segmentationNode) and not isOutdated(segmentationNode):
        record["diameters"] = measuredNow(segmentationNode)
    return record


def recordIfAny(segmentationNode: Any) -> dict[str, Any] | None:
    """The same, or None where there is none: labels can be saved without."""
    try:
        return reportRecord(segmentationNode)
    except InputError:
        return None


def finishedReports(segmentationNode: Any, formats: set[str]) -> dict[str, str]:
    """Reports that are ready: those of the run, as long as nobody corrected or reviewed it.

    With reviews but without corrections the JSON is ready, the page is not.
    """
    if wasCorrected(segmentationNode):
        return {}
    record = reportRecord(segmentationNode)
    ready = {}
    if "json" in formats:
        ready["json"] = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    page = segmentationNode.GetNodeReference(provenance.REPORT_PAGE)
    changed = "reviews" in record or isDragged(segmentationNode)
    if "html" in formats and not changed and page is not None and page.GetText():
        ready["html"] = page.GetText()
    return ready


def exportForReport(segmentationNode: Any, folder: Path, names: dict[str, str]) -> Iterator[None]:
    """Write what the worker's ``report`` reads, one file a step.

    Args:
        names: gets what people call each file.

    Raises:
        InputError: when the scan that was segmented is gone, or there is no report.
    """
    record = reportRecord(segmentationNode)
    reference = referenceOf(segmentationNode)
    if reference is None:
        raise InputError(
            _("The scan that was segmented is no longer in the scene."),
            _("Load it again, or save without a report."),
        )
    writeRecord(record, folder)
    writePlain(labelsOf(segmentationNode), folder / LABELS)
    names[LABELS] = segmentationNode.GetName()
    yield
    for sequence, node in scansOf(segmentationNode).items():
        names[scanFile(sequence)] = node.GetName()
        exportVolume(node, reference, folder / scanFile(sequence))
        yield
    entropy = segmentationNode.GetNodeReference(provenance.DISAGREEMENT)
    if entropy is not None and entropy.GetImageData() is not None:
        writePlain(imageFromNode(entropy), folder / DISAGREEMENT)
        yield


def writeRecord(record: Mapping[str, Any], folder: Path) -> None:
    """Write a record for the worker."""
    text = json.dumps(record, ensure_ascii=False)
    (folder / RECORD).write_text(text, encoding="utf-8")


def reportArguments(
    names: Mapping[str, str], folder: Path, outputs: list[str], corrected: bool
) -> list[str]:
    """The command line for the worker, which works in ``folder``."""
    arguments = ["report", "--labels", LABELS, "--record", RECORD, "--progress", "json"]
    for sequence in Sequence:
        if scanFile(sequence) in names:
            arguments += [f"--{sequence.value}", scanFile(sequence)]
    if (folder / DISAGREEMENT).is_file():
        arguments += ["--disagreement", DISAGREEMENT]
    if not corrected:
        arguments.append("--unchanged")
    for output in outputs:
        arguments += ["--output", output]
    return arguments


def dicomArguments(
    segmentationNode: Any,
    reference: str,
    output: str,
    hasRecord: bool = False,
    report: str | None = None,
) -> list[str]:
    """The command line for the worker that writes a DICOM SEG.

    Args:
        hasRecord: whether the record of the run lies in the folder, see `writeRecord`.
        report: name of a structured report to write beside it.
    """
    arguments = ["dicom-seg", "--labels", LABELS, "--reference", reference, "--output", output]
    arguments += ["--progress", "json"]
    if report is not None:
        arguments += ["--dicom-sr", report]
    pack = segmentationNode.GetAttribute(f"{provenance.PREFIX}Pack")
    if pack:
        arguments.append(f"--pack={pack}")
    if hasRecord:
        arguments += ["--record", RECORD]
    if wasCorrected(segmentationNode):
        arguments.append("--corrected")
    return arguments


def scansOf(segmentationNode: Any) -> dict[Sequence, Any]:
    """The inputs of a result that are still in the scene."""
    first = firstReading(segmentationNode)
    nodes = {s: first.GetNodeReference(provenance.scanRole(s)) for s in Sequence}
    return {s: n for s, n in nodes.items() if n is not None and n.GetImageData() is not None}


def scanFiles(segmentationNode: Any) -> Iterator[Path]:
    """The files that the scans of a result were loaded from, as far as Slicer knows them."""
    nodes = [*scansOf(segmentationNode).values(), referenceOf(segmentationNode)]
    for node in (node for node in nodes if node is not None):
        storage = node.GetStorageNode()
        if storage is not None and storage.GetFileName():
            yield Path(storage.GetFullNameFromFileName())
        yield from referenceFiles(node)


def scanFile(sequence: Sequence) -> str:
    """Name of an exported scan."""
    return f"{sequence.value}-scan.nrrd"


def writePlain(image: sitk.Image, path: Path) -> None:
    """Write an image for the worker, uncompressed.

    Raises:
        OutputError: on a write failure.
    """
    try:
        sitk.WriteImage(image, str(path), useCompression=False)
    except RuntimeError as error:
        raise explain_write_failure(path, error) from error


def fileStem(name: str) -> str:
    """A node's name as the beginning of a file name that every system accepts."""
    plain = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "-", name).strip(" .-")[:100].rstrip(" .-")
    if re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", plain):
        plain += "_"
    return plain or "segmentation"


class WorkerTask:
    """A folder to write inputs into, and the worker that makes outputs of them there.

    Args:
        folder: an empty one, from `application.runFolder`; deleted by `close`.
        onLine: told every JSON line of the worker but those of BRAINSFit, which are served here.

    Attributes:
        names: what people call the files in the folder, for warnings and reports.
        warnings: what the worker warned of.
        logTail: its last lines, after a failure.
    """

    def __init__(
        self, folder: Path, onLine: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        self.folder = folder
        self._onLine = onLine
        self.names: dict[str, str] = {}
        self.warnings: list[str] = []
        self.logTail = ""
        self._worker: Worker | None = None

    def run(self, arguments: SequenceOf[str]) -> Iterator[None]:
        """Start the worker and look after it, a look at every step, until it has ended.

        Raises:
            Cancelled: after `cancel`, when everything that it had started is gone.
            BrainTumorSegError: why it failed.
        """
        worker = self._worker = Worker(arguments, workerPython(), self.folder)
        requests = BrainsfitRequests(worker.answer)
        worker.start()
        lastError = None
        running = True
        try:
            while running:
                yield
                running = worker.running
                for line in worker.poll():
                    lastError = self._hear(line, requests) or lastError
                requests.poll()
        finally:
            requests.cancel()
        if worker.cancelled or lastError is not None or worker.exitCode != 0:
            self.logTail = worker.logTail()
            raise worker.failure(lastError)

    def _hear(self, line: dict[str, Any], requests: BrainsfitRequests) -> dict[str, Any] | None:
        """Take a line of the worker; returned when it is an error."""
        kind = line.get("kind")
        if kind in ("request", "withdrawal"):
            requests.onMessage(line)
            return None
        if kind == "warning":
            self.warnings.append(provenance.withNodeNames(str(line["message"]), self.names))
        if self._onLine is not None:
            self._onLine(line)
        return line if kind == "error" else None

    def readReport(self, file: str) -> str:
        """A report that the worker has written, with people's names for the files."""
        text = (self.folder / file).read_text(encoding="utf-8")
        if file.endswith(".html"):
            return provenance.pageWithNodeNames(text, self.names)
        report = provenance.withNodeNames(json.loads(text), self.names)
        return json.dumps(report, indent=2, ensure_ascii=False) + "\n"

    def cancel(self) -> None:
        """Request the end of the worker; `run` carries it on."""
        if self._worker is not None:
            self._worker.cancel()

    def close(self) -> None:
        """End what still runs, at once, and delete the folder."""
        if self._worker is not None:
            self._worker.dispose()
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
