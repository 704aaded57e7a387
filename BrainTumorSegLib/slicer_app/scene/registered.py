"""Copies of the inputs resampled onto the reference, as the run had aligned them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence

from ..host.translation import tr as _
from . import provenance
from .scene import SceneEdit, placeBeside
from .volumes import exportedGrid, imageFromNode, setVolume


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
    report = provenance.reportOf(node)
    reference = provenance.inputScan(node, Sequence(report["case"]["reference"]))
    if sequence.value == report["case"]["reference"]:
        return reference
    existing = node.GetNodeReference(provenance.registeredRole(sequence))
    if existing is not None:
        return existing
    matrix = np.array(provenance.registrationEntry(report, sequence)["matrix"], dtype=float)
    scan = provenance.inputScan(node, sequence)
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
