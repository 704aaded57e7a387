"""The files that a run leaves in its folder, checked against the scene they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.run.settings import DISAGREEMENT, LABELS, REPORT, REPORT_PAGE
from BrainTumorSegLib.slicer_app.scene.geometry import gridMatrix, sizeChange
from BrainTumorSegLib.slicer_app.scene.provenance import pageWithNodeNames, withNodeNames
from BrainTumorSegLib.slicer_app.scene.volumes import exportedGrid, hasVoxels, localGrid

#: How far apart, in mm, two descriptions of one grid may lie.
GRID_TOLERANCE_MM = 1e-3

#: By how much a parent transform may change volumes before it is worth a warning.
SIZE_TOLERANCE = 0.005

#: What the import takes from a report without asking again.
_NEEDED = (
    *("version", "created", "case", "registration", "brain", "pack", "recipe", "views", "engine"),
    *("volumes_ml", "percent_of_brain", "warnings"),
)


@dataclass(frozen=True)
class RunFiles:
    """What a run made.

    Attributes:
        labels: values of `Tissue` on the reference's grid, in its local coordinates.
        entropy: disagreement 0..1 on the same grid.
        report: the record, with nodes by name instead of temporary files.
        page: the report as HTML, if it was written.
        grids: voxel-to-RAS matrix of each scan as it was segmented, in the reference's
            local coordinates.
    """

    labels: sitk.Image
    entropy: sitk.Image
    report: dict[str, Any]
    page: str | None
    grids: Mapping[Sequence, np.ndarray]


def inputScans(settings: Any) -> dict[Sequence, Any]:
    """The volume nodes that a run was made of.

    Raises:
        InputError: when one was removed in the meantime.
    """
    given = {sequence: getattr(settings, sequence.value) for sequence in Sequence}
    scans = {sequence: node for sequence, node in given.items() if node is not None}
    for sequence, node in scans.items():
        if node.GetScene() is None or not hasVoxels(node):
            raise InputError(
                _("The {sequence} volume “{name}” was removed during the run.").format(
                    sequence=sequence.name, name=node.GetName()
                ),
                _("Load it again and run again."),
            )
    return scans


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
        _checkGrid(image, reference)
    report, files = _readRecord(folder / REPORT, scans)
    factor = sizeChange(reference)
    if abs(factor - 1) > SIZE_TOLERANCE:
        report["warnings"].append(
            _(
                "The parent transform of “{name}” changes volumes by a factor of {factor}; "
                "the volumes given here are those without it."
            ).format(name=reference.GetName(), factor=f"{factor:.3g}")
        )
    grids = {
        sequence: _segmentedGrid(folder, file, scans[sequence], reference)
        for sequence, file in files.items()
    }
    names = {file: scans[sequence].GetName() for sequence, file in files.items()}
    page = _readPage(folder / REPORT_PAGE, names)
    return RunFiles(labels, entropy, withNodeNames(report, names), page, grids)


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
        missing = [key for key in _NEEDED if key not in report]
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
        return pageWithNodeNames(path.read_text(encoding="utf-8"), names)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _badFile(path) from error


def _checkGrid(image: sitk.Image, reference: Any) -> None:
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
