"""Where the voxels of a node lie: matrices, parent transforms, resampling.

Slicer's coordinates are RAS in mm. A matrix here is a 4x4 array that takes voxel indices
``(column, row, slice, 1)``, or points, to points. "Local" means before parent transforms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import image_matrix

#: Takes RAS points to LPS points, and back.
RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: Largest cosine between two axes that still counts as a right angle.
SKEW_TOLERANCE = 1e-3

#: Largest distance, in voxels, at which two grids still count as one lattice.
LATTICE_TOLERANCE = 0.01

#: How finely the field of view is probed for where a non-linear transform takes it.
_PROBES = 9

#: Voxels between the points at which a non-linear transform is computed.
_TABLE_STEP = 4


def ijkToRAS(volumeNode: Any) -> np.ndarray:
    """Voxel-to-point matrix of a volume node in its local coordinates."""
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def imageToWorld(labelmap: Any) -> np.ndarray:
    """Voxel-to-point matrix of a ``vtkOrientedImageData``, which counts voxels by its extent."""
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def voxels(image: Any) -> np.ndarray:
    """The scalars of a ``vtkImageData`` as a view ``[slice, row, column]``."""
    from vtk.util.numpy_support import vtk_to_numpy

    columns, rows, slices = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(slices, rows, columns)


def imageData(array: np.ndarray, kind: str = "vtkImageData") -> Any:
    """A new ``vtkImageData`` (or ``vtkOrientedImageData``) with a copy of ``[slice, row, column]``.

    Its first voxel has index 0.
    """
    import slicer
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    image = getattr(slicer, kind)() if hasattr(slicer, kind) else getattr(vtk, kind)()
    image.SetDimensions(*array.shape[::-1])
    scalars = numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


def gridMatrix(image: sitk.Image) -> np.ndarray:
    """Voxel-to-RAS matrix of a SimpleITK image, whose own coordinates are LPS."""
    return RAS_LPS @ image_matrix(image)


def gridOf(matrix: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """Spacing, origin and direction as SimpleITK has them (LPS) of a voxel-to-RAS matrix."""
    lps = RAS_LPS @ matrix
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return spacing.tolist(), lps[:3, 3].tolist(), (lps[:3, :3] / spacing).ravel().tolist()


def setGrid(image: sitk.Image, matrix: np.ndarray) -> None:
    """Place a SimpleITK image by a voxel-to-RAS matrix with axes at right angles."""
    spacing, origin, direction = gridOf(matrix)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)


def isSkewed(matrix: np.ndarray) -> bool:
    """Whether axes are not finite, empty or not at right angles to each other."""
    axes = np.asarray(matrix, dtype=float)[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(matrix).all() or (lengths < 1e-6).any():
        return True
    cosines = (axes / lengths).T @ (axes / lengths) - np.eye(3)
    return bool(np.abs(cosines).max() > SKEW_TOLERANCE)


def transformBetween(node: Any, reference: Any | None) -> np.ndarray | Any:
    """From the local coordinates of a node to those of the reference.

    Returns:
        4x4 array when all parent transforms in between are linear, else a
        ``vtkGeneralTransform``. Without a reference, the identity.
    """
    import slicer
    import vtk

    if reference is None:
        return np.eye(4)
    source, target = node.GetParentTransformNode(), reference.GetParentTransformNode()
    general, linear = vtk.vtkGeneralTransform(), vtk.vtkTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, general)
    if slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(general, linear):
        return slicer.util.arrayFromVTKMatrix(linear.GetMatrix())
    return general


def transformToWorld(node: Any) -> Any:
    """From the local coordinates of a node to the world, as a ``vtkGeneralTransform``."""
    import slicer
    import vtk

    toWorld = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        node.GetParentTransformNode(), None, toWorld
    )
    return toWorld


def asTransform(transform: np.ndarray | Any) -> Any:
    """An array or a VTK transform as a VTK transform."""
    import slicer
    import vtk

    if not isinstance(transform, np.ndarray):
        return transform
    linear = vtk.vtkTransform()
    linear.SetMatrix(slicer.util.vtkMatrixFromArray(transform))
    return linear


def resample(
    image: Any,
    matrix: np.ndarray,
    toReference: np.ndarray | Any,
    grid: np.ndarray,
    size: tuple[int, int, int],
    nearest: bool = False,
    background: float = 0.0,
) -> np.ndarray:
    """Carry an image onto another grid.

    Args:
        matrix: its voxel-to-point matrix, local.
        toReference: from its local coordinates to those of the grid, as `transformBetween`.
        grid: voxel-to-point matrix of the grid.
        size: columns, rows and slices of the grid.
        nearest: take the nearest voxel (labels), instead of a linear mean as float.

    Returns:
        Array ``[slice, row, column]``.
    """
    import vtk

    if isinstance(toReference, np.ndarray):  # one matrix is the fast way through the filter
        chain = asTransform(np.linalg.inv(toReference @ matrix) @ grid)
    else:
        chain = vtk.vtkGeneralTransform()
        chain.PostMultiply()
        chain.Concatenate(asTransform(grid))
        chain.Concatenate(toReference.GetInverse())
        chain.Concatenate(asTransform(np.linalg.inv(matrix)))
        chain = _tabulated(chain, size)
    plain = vtk.vtkImageData()
    plain.ShallowCopy(image)
    # Oriented images carry a geometry of their own; everything here counts in voxels.
    plain.SetOrigin(0, 0, 0)
    plain.SetSpacing(1, 1, 1)
    plain.SetDirectionMatrix(1, 0, 0, 0, 1, 0, 0, 0, 1)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(plain)
    reslice.SetResliceTransform(chain)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputExtent(0, size[0] - 1, 0, size[1] - 1, 0, size[2] - 1)
    reslice.SetBackgroundLevel(background)
    if nearest:
        reslice.SetInterpolationModeToNearestNeighbor()
    else:
        reslice.SetInterpolationModeToLinear()
        reslice.SetOutputScalarType(vtk.VTK_FLOAT)
    reslice.Update()
    return voxels(reslice.GetOutput()).copy()


def _tabulated(transform: Any, size: tuple[int, int, int]) -> Any:
    """A non-linear transform of voxel indices, computed every few voxels and interpolated.

    Inverting a warp takes iterations for every point: 9 s for a scan, against 2 s so.
    """
    import vtk

    table = vtk.vtkTransformToGrid()
    table.SetInput(transform)
    table.SetGridOrigin(-_TABLE_STEP, -_TABLE_STEP, -_TABLE_STEP)
    table.SetGridSpacing(_TABLE_STEP, _TABLE_STEP, _TABLE_STEP)
    last = [-(-n // _TABLE_STEP) + 2 for n in size]
    table.SetGridExtent(0, last[0], 0, last[1], 0, last[2])
    table.SetGridScalarTypeToDouble()
    warp = vtk.vtkGridTransform()
    warp.SetDisplacementGridConnection(table.GetOutputPort())
    warp.SetInterpolationModeToCubic()
    return warp


def straightGrid(
    matrix: np.ndarray, extent: tuple[int, ...], toReference: np.ndarray | Any
) -> tuple[np.ndarray, tuple[int, int, int]]:
    """A grid with right angles that covers a transformed image and follows its axes closely.

    Args:
        matrix: voxel-to-point matrix of the image, local.
        extent: first and last index along columns, rows and slices.
        toReference: as `transformBetween`.

    Returns:
        Voxel-to-point matrix and size (columns, rows, slices) of the grid, in the
        coordinates of the reference.

    Raises:
        ValueError: when the transform takes the image to infinity or flattens it.
    """
    bounds = np.asarray(extent, dtype=float).reshape(3, 2)
    steps = [np.linspace(low, high, _PROBES) for low, high in bounds]
    probes = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    points = np.c_[probes, np.ones(len(probes))] @ matrix.T
    transform = asTransform(toReference)
    moved = np.array([transform.TransformPoint(point[:3]) for point in points])
    if not np.isfinite(moved).all():
        raise ValueError("the transform takes the volume to infinity")
    fitted, *_ = np.linalg.lstsq(np.c_[probes, np.ones(len(probes))], moved, rcond=None)
    axes = fitted[:3].T
    spacing = np.linalg.norm(axes, axis=0)
    if (spacing < 1e-3).any() or abs(np.linalg.det(axes / spacing)) < 1e-3:
        raise ValueError("the transform flattens the volume")
    left, _, right = np.linalg.svd(axes / spacing)
    grid = np.eye(4)
    grid[:3, :3] = (left @ right) * spacing
    indices = (moved - moved.mean(axis=0)) @ np.linalg.inv(grid[:3, :3]).T
    low, high = indices.min(axis=0), indices.max(axis=0)
    # A hair less than a voxel is rounding, not content.
    size = np.ceil(high - low - 1e-6).astype(int) + 1
    grid[:3, 3] = moved.mean(axis=0) + grid[:3, :3] @ ((low + high) / 2 - (size - 1) / 2)
    return grid, (int(size[0]), int(size[1]), int(size[2]))


def latticeOffset(
    matrix: np.ndarray, extent: tuple[int, ...], grid: np.ndarray
) -> tuple[int, int, int] | None:
    """By how many columns, rows and slices the voxels of an image lie shifted on a grid.

    None when they do not fall onto each other, all over the image.
    """
    change = np.linalg.inv(grid) @ matrix
    corners = np.array(list(np.ndindex(2, 2, 2)))
    bounds = np.asarray(extent, dtype=float).reshape(3, 2)
    indices = np.where(corners == 0, bounds[:, 0], bounds[:, 1])
    found = np.c_[indices, np.ones(8)] @ change.T
    offsets = found[:, :3] - indices
    rounded = np.round(offsets[0])
    if np.abs(offsets - rounded).max() > LATTICE_TOLERANCE:
        return None
    return int(rounded[0]), int(rounded[1]), int(rounded[2])


def sizeChange(node: Any) -> float:
    """By what factor the parent transforms of a volume node change volumes; 1 if they do not.

    A non-linear transform, which does so differently everywhere, is judged at the centre
    of the volume.
    """
    if node.GetParentTransformNode() is None:
        return 1.0
    toWorld = transformToWorld(node)
    middle = np.reshape(node.GetImageData().GetExtent(), (3, 2)).mean(axis=1)
    center = (ijkToRAS(node) @ [*middle, 1])[:3]
    steps = np.eye(3) / 2  # mm
    sides = [
        np.subtract(toWorld.TransformPoint(center + step), toWorld.TransformPoint(center - step))
        for step in steps
    ]
    return float(abs(np.linalg.det(np.array(sides))))
