"""Hidden temporary nodes for a Slicer module, made from files and written to files.

Transforms are read and written as ITK means them: from points of the fixed to points of the
moving scan, in LPS mm.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError, RegistrationError

from ..host.host import temporaryFolder
from ..host.translation import later
from ..scene.geometry import RAS_LPS


def hiddenNode(scene: Any, className: str, role: str) -> Any:
    """A new node in the scene that nobody sees, selects or saves."""
    node = scene.CreateNodeByClass(className)
    node.UnRegister(None)
    node.SetName(f"BrainTumorSeg registration {role}")
    node.HideFromEditorsOn()
    node.SetSaveWithScene(False)
    scene.AddNode(node)
    return node


def readVolume(node: Any, path: Path) -> None:
    """Fill a volume node from an image file.

    Raises:
        InputError: when Slicer cannot read it.
    """
    import slicer

    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    # Otherwise files numbered alike in the folder would be taken for slices.
    storage.SetSingleFile(True)
    _read(storage, node, path)


def readTransform(node: Any, path: Path) -> None:
    """Fill a transform node by Slicer's own reading, which inverts and keeps the centre.

    Raises:
        InputError: when Slicer cannot read it.
    """
    import slicer

    _read(slicer.vtkMRMLTransformStorageNode(), node, path)


def _read(storage: Any, node: Any, path: Path) -> None:
    storage.SetFileName(str(path))
    if not path.is_file() or not storage.ReadData(node):
        raise InputError(later("Slicer cannot read {path}.").format(path=path))


def rigidFromNode(node: Any) -> sitk.VersorRigid3DTransform:
    """A transform node's matrix as ITK means it: from points of the parent, in LPS mm.

    A Slicer transform node moves what is under it *to* its parent, in RAS; a registration
    file says where each point of the fixed scan is found in the moving one.

    Raises:
        RegistrationError: when it is not finite or does more than turn and shift.
    """
    import slicer
    import vtk

    ras = vtk.vtkMatrix4x4()
    node.GetMatrixTransformFromParent(ras)
    lps = RAS_LPS @ slicer.util.arrayFromVTKMatrix(ras) @ RAS_LPS
    if not np.isfinite(lps).all():
        raise RegistrationError(later("The transform holds no finite numbers."))
    rotation = lps[:3, :3]
    if np.linalg.det(rotation) < 0 or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-5):
        raise RegistrationError(later("The transform does more than turn and shift."))
    transform = sitk.VersorRigid3DTransform()
    transform.SetMatrix(rotation.ravel().tolist(), 1e-4)
    transform.SetTranslation(lps[:3, 3].tolist())
    return transform


def writeTransform(node: Any, path: Path) -> None:
    """Write a transform node as an ITK file, see `rigidFromNode`."""
    sitk.WriteTransform(rigidFromNode(node), path)


def writeVolume(node: Any, path: Path, fixed: Path) -> None:
    """Write a volume node that lies on the grid of the scan in the file ``fixed``.

    Raises:
        RegistrationError: when it holds nothing, or Slicer cannot write it.
    """
    import slicer

    if node.GetImageData() is None:
        raise RegistrationError(later("There is no registered volume."))
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetUseCompression(False)
    storage.SetFileName(str(path))
    if not storage.WriteData(node):
        raise RegistrationError(later("Slicer cannot write {path}.").format(path=path))
    # Slicer turns the order of slices round where the fixed scan's axes are left-handed.
    grid, written = sitk.ReadImage(fixed), sitk.ReadImage(path)
    if not np.allclose(grid.GetDirection(), written.GetDirection(), atol=1e-6):
        same = sitk.Resample(written, grid, sitk.Transform(), sitk.sitkNearestNeighbor)
        sitk.WriteImage(same, path)


def removeInverse(transformId: str | None) -> None:
    """BRAINSFit writes the inverse beside its result, of which Slicer does not know.

    Slicer names the files of a module by process and node, with letters for digits.
    """
    if transformId is not None:
        letters = str.maketrans("0123456789", "ABCDEFGHIJ")
        name = f"{os.getpid()}_{transformId}".translate(letters) + "_Inverse.h5"
        # On Windows a virus scanner may hold it; Slicer empties the folder some day.
        with contextlib.suppress(OSError):
            (temporaryFolder() / name).unlink(missing_ok=True)
