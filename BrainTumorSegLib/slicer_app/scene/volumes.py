"""Volume nodes: fit to be segmented, as images, as files, and made from images.

An image taken from a node carries the geometry of the reference's local coordinates
(LPS, mm), with all parent transforms between the two applied. Nodes are only read.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import MAX_VOXELS, Scan, check_scan
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.atomic import atomic_path, explain_write_failure

from ..host.translation import tr as _
from .frames import isOneOfManyFrames
from .geometry import (
    gridMatrix,
    ijkToRAS,
    imageData,
    isSkewed,
    resample,
    setGrid,
    straightGrid,
    transformBetween,
    voxels,
)


def checkVolumes(
    nodes: Mapping[Sequence, Any], reference: Sequence | str = Sequence.T1CE, content: bool = True
) -> None:
    """Check that volume nodes can be segmented, before anything is computed.

    Args:
        nodes: volume node of each sequence; None where there is none.
        reference: the sequence on whose grid the result will lie.
        content: look at the voxels too; without, the answer is immediate.

    Raises:
        InputError: naming the node and the remedy.
    """
    reference = Sequence(reference)
    given = {sequence: node for sequence, node in nodes.items() if node is not None}
    if Sequence.T1CE not in given:
        raise InputError(
            _("No T1CE volume was chosen."),
            _("Choose the scan taken after contrast agent; it cannot be done without."),
        )
    if reference not in given:
        raise InputError(
            _("The reference is {sequence}, but no such volume was chosen.").format(
                sequence=reference.name
            ),
            _("Choose that volume, or another reference."),
        )
    for sequence, node in given.items():
        _checkNode(node, sequence)
    for first, second in sameVolumes(given):
        raise InputError(
            _("{first} and {second} are the same volume, “{name}”.").format(
                first=first.name, second=second.name, name=given[first].GetName()
            ),
            _("Choose a volume of its own for each sequence."),
        )
    if content:
        for sequence, node in given.items():
            check_scan(Scan(imageFromNode(node), f"“{node.GetName()}”"), sequence)


def sameVolumes(nodes: Mapping[Sequence, Any]) -> list[tuple[Sequence, Sequence]]:
    """Pairs of sequences for which the same node, or two nodes with one image, were chosen."""
    return [
        (first, second)
        for first, second in itertools.combinations(nodes, 2)
        if nodes[first] is nodes[second]
        or (
            (image := nodes[first].GetImageData()) is not None
            and image is nodes[second].GetImageData()
        )
    ]


def exportVolume(node: Any, reference: Any | None, path: Path) -> None:
    """Write a volume node, uncompressed, in the local coordinates of the reference node.

    Args:
        reference: volume node; None for the node's own coordinates.
        path: ends in ``.nrrd``; must not exist.

    Raises:
        InputError: when a parent transform cannot be applied.
        OutputError: naming the file and the remedy.
    """
    image = imageFromNode(node, reference)
    with atomic_path(Path(path)) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=False)
        except RuntimeError as error:
            raise explain_write_failure(Path(path), error) from error


def imageFromNode(node: Any, reference: Any | None = None) -> sitk.Image:
    """The voxels of a volume node in the local coordinates of a reference node.

    Parent transforms between the two that keep right angles change the geometry only;
    a sheared or non-linear one means resampling, linear, onto a straight grid.

    Args:
        reference: another node, or None for the node's own coordinates.

    Returns:
        3D image with the node's pixel type; 32-bit float when it was resampled. Its
        voxels are a copy.

    Raises:
        InputError: naming the node, when its axes are skewed or a transform is useless.
    """
    grid, size, straight = exportedGrid(node, reference)
    if straight:
        image = sitk.GetImageFromArray(voxels(node.GetImageData()))
    else:
        data, move = node.GetImageData(), transformBetween(node, reference)
        lowest = float(data.GetScalarRange()[0])
        values = resample(data, ijkToRAS(node), move, grid, size, background=lowest)
        image = sitk.GetImageFromArray(values)
    setGrid(image, grid)
    return image


def exportedGrid(
    node: Any, reference: Any | None = None
) -> tuple[np.ndarray, tuple[int, int, int], bool]:
    """The grid that `imageFromNode` gives, without the voxels.

    Returns:
        Voxel-to-RAS matrix and size; whether the voxels are the node's own, and not
        resampled ones.

    Raises:
        InputError: as `imageFromNode`.
    """
    matrix, size = localGrid(node)
    if isSkewed(matrix):
        raise _skewed(node)
    move = transformBetween(node, reference)
    if isinstance(move, np.ndarray):
        if not np.isfinite(move).all() or abs(np.linalg.det(move[:3, :3])) < 1e-9:
            raise _uselessTransform(node, _("it flattens the volume"))
        if not isSkewed(move @ matrix):
            return move @ matrix, size, True
    try:
        grid, size = straightGrid(ijkToRAS(node), node.GetImageData().GetExtent(), move)
    except ValueError as error:
        raise _uselessTransform(node, str(error)) from error
    if np.prod(size, dtype=float) > MAX_VOXELS:
        raise _uselessTransform(node, _("it makes the volume too large"))
    return grid, size, False


def localGrid(node: Any) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Voxel-to-RAS matrix and size of a volume node; its first voxel has index 0."""
    shift = np.eye(4)
    shift[:3, 3] = node.GetImageData().GetExtent()[::2]
    return ijkToRAS(node) @ shift, node.GetImageData().GetDimensions()


def hasVoxels(node: Any) -> bool:
    """Whether a volume node holds an image: one whose file was not read does not."""
    image = node.GetImageData()
    return (
        image is not None
        and image.GetPointData().GetScalars() is not None
        and all(image.GetDimensions())
    )


def setVolume(volumeNode: Any, image: sitk.Image) -> None:
    """Give a volume node new image data from a SimpleITK image, in its local coordinates."""
    import slicer

    volumeNode.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(gridMatrix(image)))
    volumeNode.SetAndObserveImageData(imageData(sitk.GetArrayViewFromImage(image)))


def _checkNode(node: Any, sequence: Sequence) -> None:
    """What can be told of a node without looking at its voxels."""
    import slicer

    name = {"sequence": sequence.name, "name": node.GetName()}
    if node.GetScene() is None or node.GetScene() is not slicer.mrmlScene:
        raise InputError(
            _("The {sequence} volume “{name}” is no longer in the scene.").format(**name),
            _("Choose a volume that is loaded."),
        )
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(
            _("The {sequence} volume “{name}” is a label map, not a scan.").format(**name),
            _("Choose the scan. If it is one, load its file again with “LabelMap” switched off."),
        )
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise InputError(
            _("The {sequence} node “{name}” is no volume.").format(**name),
            _("Choose a scalar volume."),
        )
    image = node.GetImageData()
    if not hasVoxels(node):
        raise InputError(
            _("The {sequence} volume “{name}” holds no voxels.").format(**name),
            _("Its file may be missing or may not have been read; load the scan again."),
        )
    if node.IsA("vtkMRMLVectorVolumeNode") or image.GetNumberOfScalarComponents() != 1:
        raise InputError(
            _("The {sequence} volume “{name}” has {count} values a voxel (colour, vector).").format(
                count=image.GetNumberOfScalarComponents(), **name
            ),
            _("Choose the original scalar scan; the module Vector to Scalar Volume makes one."),
        )
    if image.GetNumberOfPoints() > MAX_VOXELS:
        raise InputError(
            _("The {sequence} volume “{name}” is too large ({size} voxels).").format(
                size="x".join(map(str, image.GetDimensions())), **name
            ),
            _("Resample it to 0.4 mm or coarser, or crop it with the module Crop Volume."),
        )
    if isSkewed(ijkToRAS(node)):
        raise _skewed(node)
    if isOneOfManyFrames(node):
        raise InputError(
            _(
                "The {sequence} volume “{name}” shows one frame of a sequence and changes with it."
            ).format(**name),
            _("Go to the right frame, clone the volume in the module Data, choose the clone."),
        )


def _skewed(node: Any) -> InputError:
    return InputError(
        _("The axes of volume “{name}” are skewed, empty or not finite.").format(
            name=node.GetName()
        ),
        _("Resample it onto a straight grid, for example with Resample Scalar/Vector/DWI Volume."),
    )


def _uselessTransform(node: Any, reason: str) -> InputError:
    return InputError(
        _("The parent transform of volume “{name}” cannot be used: {reason}.").format(
            name=node.GetName(), reason=reason
        ),
        _("Mend it in the module Transforms, or take the volume out of it."),
    )
