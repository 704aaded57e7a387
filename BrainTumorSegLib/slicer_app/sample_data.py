"""Scans to try the module with, for Slicer's *Sample Data*.

The demonstration case is computed on this machine when it is asked for, and comes from no
patient. The public case is downloaded and checked against its SHA-256.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import Cancelled, InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.version import __version__

from .host.application import workerPython
from .host.host import inApplication
from .host.translation import tr as _
from .worker.worker import finishedWorker

#: Section of the Sample Data module.
CATEGORY = "BrainTumorSeg"

#: Name of the demonstration case there, and of its nodes in the scene.
DEMONSTRATION = "BrainTumorSegDemonstration"
NODE_NAMES = {
    Sequence.T1: "Demonstration T1",
    Sequence.T1CE: "Demonstration T1CE",
    Sequence.FLAIR: "Demonstration FLAIR",
}

_MAKE_CODE = """
import sys
from pathlib import Path
from BrainTumorSegLib.synthesis.demo_case import make_demo_case
make_demo_case(Path(sys.argv[1]))
"""


@dataclass(frozen=True)
class PublicCase:
    """A case that others have published.

    Attributes:
        files: name and SHA-256 of each sequence's file.
    """

    name: str
    address: str
    files: Mapping[Sequence, tuple[str, str]]


#: A glioma of the BraTS 2023 challenge, skull removed, registered; addresses and hashes as in
#: the source of the extension MONAIAuto3DSeg, whose release holds the files.
PUBLIC_CASES = (
    PublicCase(
        "BraTS-GLI-00001-000",
        "https://github.com/lassoan/SlicerMONAIAuto3DSeg/releases/download/TestingData",
        {
            Sequence.T1: (
                "BraTS-GLI-00001-000-t1n.nii.gz",
                "e860924b936e301ddeba20409fbb59dde322475cb49328f1b46a9235c792e73e",
            ),
            Sequence.T1CE: (
                "BraTS-GLI-00001-000-t1c.nii.gz",
                "4399faadcc45c8a4541313cdf88aced7d835ed59ac3078d950e0eac293d603f5",
            ),
            Sequence.FLAIR: (
                "BraTS-GLI-00001-000-t2f.nii.gz",
                "82aed8546af5e6d8d94fd91c56227abdcf6120130390d1556c4342a208980604",
            ),
        },
    ),
)


def registerSampleData(iconsPath: str | Path) -> None:
    """Offer the cases in Slicer's Sample Data module; call when the application has started."""
    import SampleData

    logic = SampleData.SampleDataLogic
    if hasattr(logic, "registerCustomSampleDataCategory"):  # Slicer 5.11 and later
        logic.registerCustomSampleDataCategory(CATEGORY, title=_("Brain tumour segmentation"))
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=DEMONSTRATION,
        # Asked for, but not read: the case is made, not downloaded.
        uris=[f"{DEMONSTRATION}/{name}" for name in NODE_NAMES.values()],
        fileNames=[f"{name}.nii.gz" for name in NODE_NAMES.values()],
        nodeNames=list(NODE_NAMES.values()),
        customDownloader=_onDemonstrationWanted,
        thumbnailFileName=str(Path(iconsPath) / f"{DEMONSTRATION}.png"),
    )
    for case in PUBLIC_CASES:
        names = [name for name, _digest in case.files.values()]
        logic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=case.name,
            uris=[f"{case.address}/{name}" for name in names],
            fileNames=names,
            nodeNames=[name.removesuffix(".nii.gz") for name in names],
            checksums=[f"SHA256:{digest}" for _name, digest in case.files.values()],
            thumbnailFileName=str(Path(iconsPath) / "BrainTumorSeg.png"),
        )


def loadDemonstration(
    onWait: Callable[[], bool] | None = None, folder: Path | None = None
) -> dict[Sequence, Any]:
    """Make the demonstration case, unless it is there from before, and load its scans.

    The case is computed by the worker in about 15 seconds; the application stays alive.

    Args:
        onWait: called now and then meanwhile; True to go on, False to stop.
        folder: where to keep the files; Slicer's cache when None.

    Returns:
        Three new volume nodes, `NODE_NAMES`.

    Raises:
        Cancelled: when ``onWait`` returned False.
        BrainTumorSegError: when the case cannot be made or loaded; the scene is unchanged.
    """
    paths = demonstrationFiles(folder or cacheFolder(), onWait)
    return _loaded(paths)


def cacheFolder() -> Path:
    """Where the demonstration case of this version is kept."""
    parent = Path(tempfile.gettempdir())
    if inApplication():
        import slicer

        parent = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory())
    return parent / f"BrainTumorSeg-demonstration-{__version__}"


def demonstrationFiles(
    folder: Path, onWait: Callable[[], bool] | None = None
) -> dict[Sequence, Path]:
    """The files of the demonstration case in the folder, made there if they are not yet.

    Raises:
        Cancelled: when ``onWait`` returned False.
        BrainTumorSegError: when they cannot be made.
    """
    paths = _files(folder)
    if not all(path.is_file() for path in paths.values()):
        _make(folder, onWait)
    return paths


def _files(folder: Path) -> dict[Sequence, Path]:
    return {sequence: folder / f"demo_{sequence.value}.nii.gz" for sequence in Sequence}


def _make(folder: Path, onWait: Callable[[], bool] | None) -> None:
    python = replace(workerPython(), program=("-c", _MAKE_CODE))
    with finishedWorker([str(folder)], python, onWait=onWait) as (worker, _events):
        if worker.cancelled:
            raise Cancelled(_("The demonstration case was not made."))
        if worker.exitCode != 0:
            raise worker.failure()


def _loaded(paths: Mapping[Sequence, Path]) -> dict[Sequence, Any]:
    import slicer

    nodes: dict[Sequence, Any] = {}
    for sequence, path in paths.items():
        # Not kept as a node: the scans are to be saved with the scene, not left in the cache.
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
        storage.SetSingleFile(True)
        storage.SetFileName(str(path))
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(NODE_NAMES[sequence])
        )
        nodes[sequence] = node
        if not storage.ReadData(node):
            for added in nodes.values():
                slicer.mrmlScene.RemoveNode(added)
            raise InputError(
                _("{path} cannot be read.").format(path=path),
                _("Delete this file and try again; it is made anew."),
            )
    for node in nodes.values():
        node.CreateDefaultDisplayNodes()
    return nodes


def _onDemonstrationWanted(source: Any = None) -> list[Any]:
    """What the button in the Sample Data module does."""
    import slicer

    failed = _("The demonstration case could not be loaded.")
    with slicer.util.tryWithErrorDisplay(failed):
        dialog = None
        try:
            _installPackages()
            if slicer.util.mainWindow() is not None:
                dialog = slicer.util.createProgressDialog(
                    labelText=_("Computing the demonstration case, about 15 seconds …"), maximum=0
                )
            nodes = loadDemonstration(lambda: dialog is None or not dialog.wasCanceled)
        except Cancelled:
            return []
        finally:
            if dialog is not None:
                dialog.close()
        slicer.util.setSliceViewerLayers(background=nodes[Sequence.T1CE], fit=True)
        return list(nodes.values())
    return []


def _installPackages() -> None:
    """Ask for what the worker needs, as a run would, unless the case was made before."""
    from .host.application import usesOtherPython
    from .install.dependencies import install
    from .install.packages import missingPackages

    made = all(path.is_file() for path in _files(cacheFolder()).values())
    if not made and not usesOtherPython() and missingPackages():
        install(confirm=True)
