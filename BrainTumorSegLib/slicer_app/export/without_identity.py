"""Saving the scene for others, without who the patient is; the scene itself is not changed."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from BrainTumorSegLib.io.atomic import atomic_path, check_suffix, explain_write_failure

from ..host.application import runFolder
from ..scene.scene import nodesOfClass
from .identity import Known, clean_bundle, is_neutral

#: The one format that holds a scene with all its data.
SUFFIX = ".mrb"


def saveWithoutIdentity(path: Path, overwrite: bool = False) -> None:
    """Save the scene as ``.mrb`` without the patient's name, birth date and what else is of DICOM.

    Names of nodes and files that may tell of somebody are replaced, folders of files are left out,
    and pictures of the screen, too. Readers' names in reviews stay, and so do the pixels.

    Args:
        path: ends in ``.mrb``.
        overwrite: whether an existing file may be replaced.

    Raises:
        OutputError: when it cannot be written, or something in it still names the patient; nothing
            is written then.
    """
    import slicer

    scene = slicer.mrmlScene
    check_suffix(path, (SUFFIX,), "scene")
    with atomic_path(path, overwrite) as temporary:
        work = runFolder()
        try:
            # The name of the folder is that of the scene within.
            bundle = work / "scene"
            bundle.mkdir()
            known = _knownFrom(scene)
            messages = slicer.vtkMRMLMessageCollection()
            with _unchanged(scene):
                written = scene.SaveSceneToSlicerDataBundleDirectory(str(bundle), None, messages)
            if not written:
                raise explain_write_failure(path, RuntimeError(messages.GetAllMessagesAsString()))
            clean_bundle(bundle, known)
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for file in sorted(bundle.rglob("*")):
                    archive.write(file, file.relative_to(work))
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _knownFrom(scene: Any) -> Known:
    """What the places of files tell: they may be called after the patient."""
    known = Known()
    for storage in nodesOfClass(scene, "vtkMRMLStorageNode"):
        count = storage.GetNumberOfFileNames()
        names = [storage.GetFileName(), *map(storage.GetNthFileName, range(count))]
        for name in filter(None, names):
            stem = Path(name).name.partition(".")[0]
            if not is_neutral(stem):
                known.learn(stem)
    return known


@contextmanager
def _unchanged(scene: Any) -> Iterator[None]:
    """Have the scene afterwards as before: what was not saved is still to be saved."""
    nodes = nodesOfClass(scene, "vtkMRMLStorableNode")
    modified = [node for node in nodes if node.GetModifiedSinceRead()]
    before = {node.GetID(): node.GetStorageNodeID() for node in nodes}
    states = {node.GetID(): node.GetWriteState() for node in _storages(nodes)}
    try:
        yield
    finally:
        for node in nodes:
            storage = node.GetStorageNode()
            if storage is not None and before[node.GetID()] is None:
                node.SetAndObserveStorageNodeID(None)
                scene.RemoveNode(storage)
        for storage in _storages(nodes):
            if states.get(storage.GetID()) == storage.Idle:
                storage.SetWriteStateIdle()
        for node in modified:
            node.StorableModified()


def _storages(nodes: list[Any]) -> list[Any]:
    return [storage for node in nodes if (storage := node.GetStorageNode()) is not None]
