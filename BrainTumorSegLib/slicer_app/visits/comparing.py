"""Comparing visits in the worker, and bringing what it finds into the scene."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import BrainTumorSegError, InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.io.digests import sha256_of
from BrainTumorSegLib.io.folders import visible_files

from ..export.dicom import wasCorrected
from ..export.files import WorkerTask, fileStem, reportRecord, scanFile, writePlain
from ..host.application import runFolder
from ..host.job import SteppedJob, callBack
from ..host.translation import told
from ..host.translation import tr as _
from ..review.readings import labelsOf, referenceOf
from ..run.brainsfit import engineFor
from ..scene.geometry import transformToWorld
from ..scene.provenance import pageWithNodeNames, withNodeNames
from ..scene.volumes import exportVolume
from .changes import addChange, laterScan
from .choosing import VisitChoice

#: Folder of the worker's outputs within its own.
COMPARED = "compared"

#: What is copied of a result on disk.
_COPIED = (".json", ".nrrd", ".nii", ".nii.gz", ".mha")


@dataclass
class ComparedVisits:
    """What a comparison has found.

    Attributes:
        record: see ``Resources/Schemas/follow_up.schema.json``; with people's names.
        files: content of every file that was written, by name, to be saved.
        changeNode: segmentation of what grew and shrank; None where nothing did.
        scanNode: the later scan, on which it lies.
        warnings: what was warned of.
    """

    record: dict[str, Any]
    files: dict[str, bytes]
    changeNode: Any
    scanNode: Any
    warnings: list[str] = field(default_factory=list)


class CompareJob(SteppedJob):
    """One comparison. `start` it, then `poll` until that returns True, or `wait`.

    Args:
        visits: with the day of each, ``2024-05-31``.
        registration: a word of `Options.registration`.
        scene: where the result goes.
        onFinished: called once, with this job, when it is over, however it ended.
        onStep: called with this job whenever its ``step`` is another one.

    Attributes:
        result: once ``finished``.
    """

    def __init__(
        self,
        visits: SequenceOf[tuple[VisitChoice, str]],
        registration: str,
        scene: Any,
        onFinished: Callable[[CompareJob], None] | None = None,
        onStep: Callable[[CompareJob], None] | None = None,
    ) -> None:
        super().__init__(onFinished)
        self._onStep = onStep
        self.visits = sorted(visits, key=lambda visit: visit[1])
        self.result: ComparedVisits | None = None
        self._registration = registration
        self._scene = scene

    def _check(self) -> None:
        if len(self.visits) < 2:
            raise InputError(_("Fewer than two visits were chosen."), _("Choose two or more."))
        for visit, day in self.visits:
            if not day:
                raise InputError(
                    _("The date of {name} is missing.").format(name=visit.name),
                    _("Write it beside the result, for example 2024-05-31."),
                )

    def wait(self) -> ComparedVisits | None:
        """Poll until the end while the application stays alive; returns the result, if any."""
        super().wait()
        return self.result

    def _fail(self, error: BrainTumorSegError, trace: str = "") -> None:
        super()._fail(error, trace or (self._task.logTail if self._task is not None else ""))

    def _steps(self) -> Iterator[None]:
        engine, warning = engineFor(self._registration)
        with closing(WorkerTask(runFolder(), self._onLine)) as task:
            self._task = task
            if warning:
                task.warnings.append(warning)
            arguments = ["follow-up", "--progress", "json", "--output", COMPARED]
            arguments += ["--registration", engine]
            if engine == "brainsfit":
                arguments += ["--brainsfit", "ask"]
            yield
            for number, (visit, _day) in enumerate(self.visits, start=1):
                self._begin(_("Writing {name} for the worker.").format(name=visit.name))
                yield
                folder = f"visit-{number}"
                task.names[folder] = visit.name
                _export(visit, task.folder / folder)
                arguments.append(folder)
            arguments += ["--date", *(day for _visit, day in self.visits)]
            self._begin(_("Starting the worker."))
            yield from task.run(arguments)
            self._begin(_("Loading the result."))
            yield
            self.result = self._import(task)

    def _import(self, task: WorkerTask) -> ComparedVisits:
        folder = task.folder / COMPARED
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        for name in files:
            if name.endswith((".json", ".html", ".tsv")):
                files[name] = _named(files[name], name, task.names)
        record = json.loads(files["follow_up.json"])
        last = self.visits[-1][0]
        number = len(self.visits)
        maps = {
            key: sitk.ReadImage(str(folder / f"change-{key}-{number - 1}-{number}.nii.gz"))
            for key in ("TC", "WT")
        }
        scan = laterScan(self._scene, last, task.folder / f"visit-{number}", record)
        change, scanNode = addChange(self._scene, maps, scan, record)
        return ComparedVisits(record, files, change, scanNode, list(task.warnings))

    def _onLine(self, line: Mapping[str, Any]) -> None:
        if line.get("kind") in ("progress", "message") and line.get("message"):
            self._say(told(str(line["message"])))

    def _begin(self, step: str) -> None:
        self._stopIfCancelled()
        self._say(step)

    def _say(self, step: str) -> None:
        self.step = step
        callBack(self._onStep, self)


def _named(content: bytes, name: str, names: Mapping[str, str]) -> bytes:
    """A file of text in which visits are called as people call them."""
    if name.endswith(".json"):
        record = withNodeNames(json.loads(content), names)
        return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
    text = content.decode()
    if name.endswith(".html"):
        return pageWithNodeNames(text, names).encode()
    return withNodeNames(text, names).encode()


def _export(visit: VisitChoice, folder: Path) -> None:
    """Write a visit as ``segment`` leaves it: record, segmentation, and the scan it lies on."""
    folder.mkdir()
    if visit.folder is not None:
        for path in visible_files(visit.folder, _COPIED):
            shutil.copyfile(path, folder / path.name)
        return
    node = visit.node
    reference = referenceOf(node) if node.GetScene() is not None else None
    if reference is None:
        raise InputError(
            _("{name} or its scan is no longer in the scene.").format(name=visit.name),
            _("Choose the visits again."),
        )
    record, labels = reportRecord(node), labelsOf(node)
    scan = folder / scanFile(Sequence(record["case"]["reference"]))
    exportVolume(reference, reference, scan)
    path = folder / "segmentation.nrrd"
    labels.SetMetaData("ITK_FileNotes", "labels numbered as in brats2015")
    writePlain(labels, path)
    (folder / "report.json").write_text(
        json.dumps(_recordOf(node, record, labels, scan, path), ensure_ascii=False),
        encoding="utf-8",
    )


def _recordOf(
    node: Any, record: dict[str, Any], labels: sitk.Image, scan: Path, path: Path
) -> dict[str, Any]:
    """The record of the labels as they are now, and of the scan as it was written just now."""
    if wasCorrected(node):
        from BrainTumorSegLib.reporting.record import corrected_record

        if (record.get("correction") or {}).get("confidence") == "corrected":
            del record["correction"]
        record = corrected_record(record, labels, fileStem(node.GetName()), sha256_of(path))
    # What a person calls it takes this name's place again.
    record["case"]["identity"] = path.parent.name
    record["volumes_ml"] = {key: round(ml, 3) for key, ml in volumes_ml(labels).items()}
    for entry in record["case"]["inputs"]:
        if entry["sequence"] == record["case"]["reference"]:
            entry |= {"source": scan.name, "sha256": sha256_of(scan)}
    return record


def pointOf(
    record: Mapping[str, Any], row: int, scanNode: Any
) -> tuple[float, float, float] | None:
    """Where a lesion of a comparison lies in the world (RAS, mm), on the later scan.

    Lesions that have gone lie where they were, moved onto the later scan.

    Args:
        record: of the comparison.
        row: number of the lesion in its list.
        scanNode: the later scan.
    """
    lesion = record["lesions"][row]
    visit = max(n for n, point in enumerate(lesion["points_lps_mm"]) if point is not None)
    point = np.array([*lesion["points_lps_mm"][visit], 1.0])
    for entry in record["registration"][visit:]:
        # Each takes points of the later to points of the earlier scan.
        point = np.linalg.inv(np.array(entry["matrix"])) @ point
    ras = (-point[0], -point[1], point[2])
    return tuple(float(n) for n in transformToWorld(scanNode).TransformPoint(ras))
