"""Saving a result: `.seg.nrrd`, label map, report, DICOM SEG and SR; all of it or nothing.

What Slicer can write is written at once; reports and DICOM SEG are made by the worker
while the application stays alive. Files appear under their names when everything is done.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.notices import notices
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.atomic import atomic_group, check_not_inputs

from ..host.application import runFolder
from ..host.job import SteppedJob, pollUntilOver
from ..host.translation import told
from ..host.translation import tr as _
from ..review.readings import firstReading, labelsOf, referenceOf
from ..scene.provenance import scanRole
from ..scene.scene_scans import folderOf
from .dicom import (
    collectReference,
    dicomPreflight,
    exportBySlicer,
    missingForSlicer,
    slicerExporter,
    wasCorrected,
)
from .files import (
    LABELS,
    WorkerTask,
    dicomArguments,
    exportForReport,
    fileStem,
    finishedReports,
    hasMovedInWorld,
    recordIfAny,
    reportArguments,
    reportRecord,
    scanFiles,
    worldLabels,
    writeLabelMap,
    writePlain,
    writeRecord,
    writeSegNrrd,
)

__all__ = ["FORMATS", "SaveJob", "defaultFolder", "defaultTargets", "dicomPreflight", "save"]

#: Formats by their endings, in the order in which they are written.
FORMATS = ("seg.nrrd", "nii.gz", "json", "html", "dcm", "sr.dcm")


def defaultFolder(segmentationNode: Any) -> Path | None:
    """The segmentation's own folder, else that of the scans, the reference's first.

    None where files may not be written there.
    """
    scans = [segmentationNode.GetNodeReference(scanRole(sequence)) for sequence in Sequence]
    for node in (firstReading(segmentationNode), referenceOf(segmentationNode), *scans):
        folder = folderOf(node) if node is not None else None
        if folder is not None and os.access(folder, os.W_OK):
            return folder
    return None


def defaultTargets(
    segmentationNode: Any, folder: Path, formats: Iterable[str], stem: str | None = None
) -> dict[str, Path]:
    """Files in a folder, named after the segmentation.

    Args:
        stem: beginning of the file names; None for the node's name.
    """
    stem = fileStem(stem or segmentationNode.GetName() or "")
    wanted = set(formats)
    known = [name for name in FORMATS if name in wanted]
    return {name: Path(folder) / f"{stem}.{name}" for name in [*known, *(wanted - {*known})]}


def save(
    segmentationNode: Any,
    folder: Path,
    formats: Iterable[str],
    overwrite: bool = False,
    stem: str | None = None,
    onFinished: Callable[[SaveJob], None] | None = None,
) -> SaveJob:
    """Begin to save into a folder; in the application it goes on by itself.

    On plain Python call ``poll()`` of the job until it is True, or ``wait()``.

    Raises:
        BrainTumorSegError: when it cannot begin; nothing was written.
    """
    targets = defaultTargets(segmentationNode, folder, formats, stem)
    job = SaveJob(segmentationNode, targets, overwrite, onFinished)
    job.start()
    pollUntilOver(job)
    return job


class SaveJob(SteppedJob):
    """Saving one segmentation. `start` it, then `poll` until that returns True, or `wait`.

    Args:
        segmentationNode: as it is when a file is made; do not edit it meanwhile.
        targets: file by format, see `FORMATS`.
        overwrite: whether existing files may be replaced.
        onFinished: called once, with this job, when it is over, however it ended.
        dicomEngine: ``auto``, ``slicer`` or ``library``, see `dicomPreflight`.

    Attributes:
        written: the files, once ``finished``.
        warnings: what a reader of the files must know.
    """

    def __init__(
        self,
        segmentationNode: Any,
        targets: Mapping[str, Path],
        overwrite: bool = False,
        onFinished: Callable[[SaveJob], None] | None = None,
        dicomEngine: str = "auto",
    ) -> None:
        super().__init__(onFinished)
        self.segmentationNode = segmentationNode
        self.targets = {name: Path(path) for name, path in targets.items()}
        self.overwrite = overwrite
        self.written: list[Path] = []
        self.warnings: list[str] = []
        self._engine = dicomEngine

    def wait(self) -> list[Path]:
        """Poll until the end while the application stays alive; returns the files, if any."""
        super().wait()
        return self.written

    def _succeeded(self) -> None:
        self.written = [self.targets[name] for name in self._ordered()]

    def _ordered(self) -> list[str]:
        return [name for name in FORMATS if name in self.targets]

    def _check(self) -> None:
        if not self.targets:
            raise InputError(_("Nothing to save was chosen."), _("Choose a format."))
        for name, path in self.targets.items():
            if name not in FORMATS:
                raise OutputError(
                    _("The format {name} is not known.").format(name=name),
                    _("Choose one of {choices}.").format(choices=", ".join(FORMATS)),
                )
            if not path.name.lower().endswith(f".{name}"):
                raise OutputError(
                    _("{file} does not end in .{ending}.").format(file=path, ending=name),
                    _("Give it that ending, by which other programs know the format."),
                )
        # Else a label map could be saved over the scan that it was made of.
        check_not_inputs(self.targets.values(), scanFiles(self.segmentationNode))
        if {"json", "html"} & self.targets.keys():
            reportRecord(self.segmentationNode)
        if "nii.gz" in self.targets:
            worldLabels(self.segmentationNode)
        if "sr.dcm" in self.targets and "dcm" not in self.targets:
            raise InputError(
                _("The DICOM report refers to the DICOM segmentation."),
                _("Save the DICOM segmentation as well."),
            )
        if "dcm" in self.targets:
            missing = dicomPreflight(self.segmentationNode, self._dicomEngine)
            if missing:
                raise InputError(_("DICOM SEG cannot be written."), " ".join(missing))

    def _steps(self) -> Iterator[None]:
        """The whole work; closing it takes everything back."""
        finals = [self.targets[name] for name in self._ordered()]
        with atomic_group(finals, self.overwrite) as temporary:
            paths = {name: temporary[self.targets[name]] for name in self._ordered()}
            yield
            yield from self._writeHere(paths)
            yield from self._writeReports(paths)
            yield from self._writeDicom(paths)
            self._stopIfCancelled()

    def _writeHere(self, paths: Mapping[str, Path]) -> Iterator[None]:
        node = self.segmentationNode
        if "seg.nrrd" in paths:
            self._begin(_("Writing {file}").format(file=self.targets["seg.nrrd"].name))
            yield
            writeSegNrrd(node, paths["seg.nrrd"])
        if "nii.gz" in paths:
            self._begin(_("Writing {file}").format(file=self.targets["nii.gz"].name))
            yield
            writeLabelMap(node, paths["nii.gz"])
        if {"seg.nrrd", "nii.gz"} & paths.keys() and hasMovedInWorld(node):
            self.warnings.append(
                _(
                    "The scan lies below a transform: label maps are saved where the views show "
                    "them, .seg.nrrd in the scan's own coordinates."
                )
            )

    def _writeReports(self, paths: Mapping[str, Path]) -> Iterator[None]:
        wanted = [name for name in ("json", "html") if name in paths]
        if not wanted:
            return
        self._begin(_("Preparing the report"))
        yield
        ready = finishedReports(self.segmentationNode, set(wanted))
        for name, text in ready.items():
            paths[name].write_text(text, encoding="utf-8")
        rest = [name for name in wanted if name not in ready]
        if not rest:
            return
        with self._newTask() as task:
            for _file in exportForReport(self.segmentationNode, task.folder, task.names):
                self._stopIfCancelled()
                yield
            self._begin(_("Making the report"))
            outputs = [f"report.{name}" for name in rest]
            corrected = wasCorrected(self.segmentationNode)
            yield from task.run(reportArguments(task.names, task.folder, outputs, corrected))
            for name, output in zip(rest, outputs, strict=True):
                text = task.readReport(output)
                paths[name].write_text(text, encoding="utf-8")

    def _writeDicom(self, paths: Mapping[str, Path]) -> Iterator[None]:
        if "dcm" not in paths:
            return
        node = self.segmentationNode
        self._begin(_("Writing the DICOM segmentation"))
        yield
        if self._dicomEngine != "library" and self._writtenBySlicer(paths["dcm"]):
            return
        with self._newTask() as task:
            writePlain(labelsOf(node), task.folder / LABELS)
            yield
            for _file in collectReference(referenceOf(node), task.folder / "reference"):
                self._stopIfCancelled()
                yield
            record = recordIfAny(node)
            if record is not None:
                writeRecord(record, task.folder)
            names = {"dcm": "segmentation.dcm", "sr.dcm": "report.dcm"}
            report = names["sr.dcm"] if "sr.dcm" in paths else None
            arguments = dicomArguments(node, "reference", names["dcm"], record is not None, report)
            yield from task.run(arguments)
            for name in names.keys() & paths.keys():
                shutil.copyfile(task.folder / names[name], paths[name])

    @property
    def _dicomEngine(self) -> str:
        """Only our own export writes the report and the segmentation that it names."""
        return "library" if "sr.dcm" in self.targets else self._engine

    def _writtenBySlicer(self, path: Path) -> bool:
        """Let Slicer write the DICOM SEG; False, with a warning, when our own writer must do it."""
        node, reason = self.segmentationNode, ""
        if self._engine == "auto":
            if slicerExporter() is None:
                return False
            reason = " ".join(missingForSlicer(node))
        if not reason:
            try:
                record = recordIfAny(node)
                exportBySlicer(node, path, wasCorrected(node), notices(record) if record else [])
                return True
            except OutputError as error:
                if self._engine == "slicer" or dicomPreflight(node, "library"):
                    raise
                reason = told(error.message)
        text = _("{reason} The module's own export was used instead.")
        self.warnings.append(text.format(reason=reason))
        return False

    @contextmanager
    def _newTask(self) -> Iterator[WorkerTask]:
        with closing(WorkerTask(runFolder())) as task:
            self._task = task
            try:
                yield task
            finally:
                self._task = None
                self.logTail = task.logTail
                self.warnings += task.warnings
