"""Nodes for tests of scene work: volumes on cruel grids, parent transforms, segmentations."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import SimpleITK as sitk

RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """3x3 rotation by angles in radians."""
    transform = sitk.Euler3DTransform()
    transform.SetRotation(x, y, z)
    return np.array(transform.GetMatrix()).reshape(3, 3)


def affine(axes=None, origin=(0, 0, 0), spacing=(1, 1, 1)) -> np.ndarray:
    """4x4 matrix from axes (columns), spacing and origin."""
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if axes is None else np.asarray(axes)) * spacing
    matrix[:3, 3] = origin
    return matrix


#: All 48 ways in which voxel axes can run along patient axes, left-handed ones too.
ORIENTATIONS = [
    np.eye(3)[:, order] @ np.diag(flips)
    for order in permutations(range(3))
    for flips in product((1, -1), repeat=3)
]

OBLIQUE = affine(rotation(0.4, -0.3, 0.7), (-31.5, 12.25, 48), (0.9, 1.1, 3.5))
FLIPPED = affine(rotation(0.1, 0.2, -0.3) @ np.diag([-1, 1, 1]), (70, -60, 5), (1.2, 1.2, 2))

#: A scene's worth of grids: straight, oblique, left-handed.
GRIDS = {"straight": affine(spacing=(1, 1, 1)), "oblique": OBLIQUE, "left-handed": FLIPPED}


#: Parent transforms.
PARENTS = {
    "none": None,
    "rigid": affine(rotation(0.3, -0.2, 0.5), (12, -7, 30)),
    "sheared": np.array([[1, 0.25, 0, 4], [0, 1, -0.1, 5], [0, 0, 1.1, -6], [0, 0, 0, 1.0]]),
}


def head(shape=(40, 48, 50), seed=0, dtype=np.int16) -> np.ndarray:
    """Noise ``[slice, row, column]`` without any symmetry."""
    return np.random.default_rng(seed).integers(0, 1000, shape).astype(dtype)


def vtk_matrix(array: np.ndarray) -> Any:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    for i, j in np.ndindex(4, 4):
        matrix.SetElement(i, j, float(array[i, j]))
    return matrix


def image_data(array: np.ndarray, kind: str = "vtkImageData") -> Any:
    """A VTK image with the values of ``[slice, row, column]``, or ``[..., component]``."""
    import slicer
    import vtk
    from vtk.util.numpy_support import get_vtk_array_type, vtk_to_numpy

    image = slicer.vtkOrientedImageData() if kind == "vtkOrientedImageData" else vtk.vtkImageData()
    image.SetDimensions(*array.shape[2::-1])
    components = array.shape[3] if array.ndim == 4 else 1
    image.AllocateScalars(get_vtk_array_type(array.dtype), components)
    vtk_to_numpy(image.GetPointData().GetScalars()).ravel()[:] = array.ravel()
    return image


def add_volume(
    scene: Any,
    name: str,
    array: np.ndarray | None = None,
    matrix: np.ndarray | None = None,
    kind: str = "vtkMRMLScalarVolumeNode",
) -> Any:
    """A volume node with voxels and place."""
    node = scene.AddNewNodeByClass(kind, name)
    node.SetAndObserveImageData(image_data(head() if array is None else array))
    node.SetIJKToRASMatrix(vtk_matrix(affine() if matrix is None else matrix))
    node.CreateDefaultDisplayNodes()
    return node


def add_transform(scene: Any, matrix: np.ndarray, parent: Any = None, name: str = "T") -> Any:
    """A linear transform node, below another one or not."""
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(vtk_matrix(matrix))
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


def add_warp(scene: Any, kind: str = "thin plate") -> Any:
    """A non-linear transform node that moves points by a few millimetres."""
    import vtk

    if kind == "thin plate":
        warp = vtk.vtkThinPlateSplineTransform()
        source, target = vtk.vtkPoints(), vtk.vtkPoints()
        random = np.random.default_rng(3)
        for corner in np.ndindex(3, 3, 3):
            point = np.array(corner) * 40.0 - 40
            source.InsertNextPoint(point)
            target.InsertNextPoint(point + random.normal(0, 2.5, 3) + (4, -3, 2))
        warp.SetSourceLandmarks(source)
        warp.SetTargetLandmarks(target)
        warp.SetBasisToR()
        node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
        node.SetAndObserveTransformToParent(warp)
        return node
    side, step = 13, 20.0
    z, y, x = np.meshgrid(*[np.arange(side) * step - 120] * 3, indexing="ij")
    field = np.stack([4 * np.sin(y / 40), 3 * np.cos(z / 50), 2 * np.sin(x / 60 + y / 70)], axis=-1)
    grid = image_data(field)
    grid.SetOrigin(-120, -120, -120)
    grid.SetSpacing(step, step, step)
    warp = vtk.vtkGridTransform()
    warp.SetDisplacementGridData(grid)
    warp.SetInterpolationModeToCubic()
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "Grid")
    node.SetAndObserveTransformToParent(warp)
    return node


def put_under(node: Any, transform: Any) -> None:
    node.SetAndObserveTransformNodeID(transform.GetID())


def matrix_of(get: Any) -> np.ndarray:
    """4x4 array that a getter of a node fills."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    get(matrix)
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])


def to_world(node: Any, points: np.ndarray) -> np.ndarray:
    """Points ``[..., 3]`` in a node's local RAS coordinates, in those of the world."""
    import vtk

    if node.GetParentTransformNode() is None:
        return points
    transform = vtk.vtkGeneralTransform()
    node.GetParentTransformNode().GetTransformToWorld(transform)
    flat = points.reshape(-1, 3)
    return np.array([transform.TransformPoint(point) for point in flat]).reshape(points.shape)


def node_positions(node: Any) -> np.ndarray:
    """World RAS position of each voxel of a volume node, ``[slice, row, column, 3]``."""
    return to_world(node, local_positions(node))


def add_segmentation(
    scene: Any,
    parts: list[tuple[str, str, np.ndarray]],
    matrix: np.ndarray,
    name: str = "Drawn",
    first: tuple[int, int, int] = (0, 0, 0),
) -> Any:
    """A segmentation drawn by a person: ``parts`` are (name, terminology, mask) triples.

    ``first`` is the index (column, row, slice) of the first voxel of the masks.
    """
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    for title, entry, mask in parts:
        image = image_data(mask.astype(np.uint8), "vtkOrientedImageData")
        image.SetExtent(
            *(n for a, b in zip(first, mask.shape[::-1], strict=True) for n in (a, a + b - 1))
        )
        image.SetImageToWorldMatrix(vtk_matrix(matrix))
        segment = slicer.vtkSegment()
        segment.SetName(title)
        segment.SetTag("TerminologyEntry", entry)
        segment.AddRepresentation("Binary labelmap", image)
        node.GetSegmentation().AddSegment(segment)
    return node


def local_positions(node: Any) -> np.ndarray:
    """Local RAS position of each voxel of a volume node, ``[slice, row, column, 3]``."""
    columns, rows, slices = node.GetImageData().GetDimensions()
    k, j, i = np.meshgrid(np.arange(slices), np.arange(rows), np.arange(columns), indexing="ij")
    indices = np.stack([i, j, k, np.ones_like(i)], axis=-1)
    return (indices @ matrix_of(node.GetIJKToRASMatrix).T)[..., :3]
