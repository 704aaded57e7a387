"""Copies of the inputs resampled onto the reference, as the run had aligned them."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.host.translation import tr as _
from BrainTumorSegLib.slicer_app.scene import provenance
from BrainTumorSegLib.slicer_app.scene.scene import SceneEdit, placeBeside
from BrainTumorSegLib.slicer_app.scene.volumes import (
    exportedGrid,
    hasVoxels,
    imageFromNode,
    setVolume,
)


def registeredCopy(result: Any, sequence: Sequence | str, edit: SceneEdit | None = None) -> Any:
    """An input as it was aligned: a volume on the reference's grid, under its parent transform.

    Args:
        result: a `RunResult`, or its segmentation node.
        sequence: which input; the reference itself is returned as it is.
        edit: what to undo the copy by; None for one of its own.

    Returns:
        The volume node of before, or a new one named ``<input> registered``.

    Raises:
        InputError: when the scan, the reference or the record is gone, or the scan was
            moved since.
    """
    node = getattr(result, "segmentationNode", result)
    sequence = Sequence(sequence)
    report = _report(node)
    reference = _scan(node, Sequence(report["case"]["reference"]))
    if sequence.value == report["case"]["reference"]:
        return reference
    existing = node.GetNodeReference(provenance.registeredRole(sequence))
    if existing is not None:
        return existing
    matrix = np.array(provenance.registrationEntry(report, sequence)["matrix"], dtype=float)
    scan = _scan(node, sequence)
    if provenance.hasMoved(node, sequence, exportedGrid(scan, reference)[0]):
        raise InputError(
            _("Volume “{name}” or its parent transform was moved since the run.").format(
                name=scan.GetName()
            ),
            _("Undo that, or run again."),
        )
    image = _resampled(imageFromNode(scan, reference), imageFromNode(reference), matrix)
    with nullcontext(edit) if edit is not None else SceneEdit(node.GetScene()) as own:
        own.willChange(node)
        copy = own.add(
            "vtkMRMLScalarVolumeNode",
            _("{name} registered").format(name=scan.GetName()),
            attributes={provenance.ROLE: provenance.registeredRole(sequence)},
        )
        setVolume(copy, image)
        copy.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
        _display(copy, scan)
        placeBeside(copy, reference)
        node.SetNodeReferenceID(provenance.registeredRole(sequence), copy.GetID())
    return copy


def _resampled(moving: sitk.Image, reference: sitk.Image, matrix: np.ndarray) -> sitk.Image:
    """A scan on the reference's grid.

    Args:
        moving: the scan in the reference's coordinates.
        reference: the grid.
        matrix: 4x4, takes points of the reference (LPS, mm) to points of the scan.
    """
    transform = sitk.AffineTransform(matrix[:3, :3].ravel().tolist(), matrix[:3, 3].tolist())
    return sitk.Resample(
        sitk.Cast(moving, sitk.sitkFloat32), reference, transform, sitk.sitkLinear, 0.0
    )


def _display(copy: Any, scan: Any) -> None:
    """Window and level of the scan, so that both look alike."""
    copy.CreateDefaultDisplayNodes()
    theirs = scan.GetDisplayNode()
    if theirs is not None and theirs.IsA("vtkMRMLScalarVolumeDisplayNode"):
        copy.GetDisplayNode().CopyContent(theirs)
        copy.GetDisplayNode().SetAndObserveColorNodeID(theirs.GetColorNodeID())


def _report(node: Any) -> dict[str, Any]:
    text = node.GetNodeReference(provenance.REPORT)
    try:
        report = json.loads(text.GetText())
        Sequence(report["case"]["reference"])
        return report
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            _("Segmentation “{name}” has no report that says how it was made.").format(
                name=node.GetName()
            ),
            _("Choose a segmentation made by BrainTumorSeg, or run again."),
        ) from error


def _scan(node: Any, sequence: Sequence) -> Any:
    scan = node.GetNodeReference(provenance.scanRole(sequence))
    if scan is None or not hasVoxels(scan):
        name = node.GetAttribute(f"{provenance.PREFIX}Scan.{sequence.value}.Name")
        raise InputError(
            _("The {sequence} volume “{name}” is no longer in the scene.").format(
                sequence=sequence.name, name=name or sequence.name
            ),
            _("Load it and run again."),
        )
    return scan
