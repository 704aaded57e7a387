"""DICOM SEG from the scene: what it needs, its reference images, and Slicer's own export."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import BrainTumorSegError, OutputError
from BrainTumorSegLib.core.notices import dicom_comment
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES

from ..host.application import runFolder, usesOtherPython
from ..host.translation import tr as _
from ..install.packages import missingPackages
from ..review.readings import fingerprint, labelsOf, referenceOf
from ..scene import provenance
from ..scene.geometry import gridMatrix, imageData
from ..scene.scene import hierarchyOf, placeBeside, removeWithParts
from ..scene.scene_scans import dicomDatabase, hierarchyPath, instanceUIDs
from ..scene.segments import BINARY_LABELMAP, applyTerminology

#: Name under which Slicer keeps its exporter of segmentations.
_PLUGIN = "DICOMSegmentationPlugin"

#: Module of the extension DCMQI that this exporter of Slicer 5.10 calls.
_CONVERTER = "itkimage2segimage"

#: What our own export imports.
_PACKAGES = frozenset({"pydicom", "highdicom", "numpy", "SimpleITK", "scipy", "psutil", "pynrrd"})

_SERIES_UID = "0020,000e"

#: Files copied between two looks of the application at its windows.
_FILES_A_STEP = 10


def dicomPreflight(segmentationNode: Any, engine: str = "auto") -> list[str]:
    """What keeps a segmentation from being saved as DICOM SEG; empty when nothing does.

    Every statement names exactly what is missing and what to do. Nothing is written.

    Args:
        engine: ``slicer`` for Slicer's own export, ``library`` for ours, ``auto`` for
            whichever can.
    """
    missing = [
        *_missingLabels(segmentationNode),
        *_missingImages(referenceOf(segmentationNode)),
    ]
    if engine == "slicer" or (engine == "auto" and slicerExporter() is not None):
        own = missingForSlicer(segmentationNode)
        if engine == "slicer" or not own:
            return missing + own
    return [*missing, *_missingPackages()]


def slicerExporter() -> Any | None:
    """The class of Slicer's exporter of segmentations, or None."""
    import slicer

    return (getattr(slicer.modules, "dicomPlugins", None) or {}).get(_PLUGIN)


def referenceFiles(reference: Any) -> list[Path]:
    """The DICOM files that a volume was loaded from, as far as the database knows them."""
    database = dicomDatabase()
    if database is None:
        return []
    files = (database.fileForInstance(uid) for uid in instanceUIDs(reference))
    return [Path(file) for file in files if file]


def collectReference(reference: Any, folder: Path) -> Iterator[None]:
    """Bring the reference's DICOM files together in a folder, a few at a time.

    Hundreds of paths do not fit into a command line on Windows.

    Raises:
        OutputError: when there is no space for them.
    """
    folder.mkdir()
    for number, file in enumerate(dict.fromkeys(referenceFiles(reference))):
        target = folder / f"{number:05d}.dcm"
        try:
            with contextlib.suppress(OSError):
                os.link(file, target)
            if not target.exists():
                shutil.copyfile(file, target)
        except OSError as error:
            raise OutputError(
                _("{file} cannot be copied to {folder}: {reason}.").format(
                    file=file, folder=folder, reason=error.strerror or error
                ),
                _("Check that the DICOM files are there and the disk is not full."),
            ) from error
        if number % _FILES_A_STEP == 0:
            yield


def exportBySlicer(
    segmentationNode: Any, path: Path, corrected: bool, warnings: list[str] | None = None
) -> None:
    """Let Slicer's own exporter write a DICOM SEG.

    It is given a temporary segmentation without empty segments, about which it would
    ask, that says which algorithm made it.

    Args:
        warnings: of the run, which become Image Comments; the exporter knows no such field.

    Raises:
        OutputError: with what the exporter says.
    """
    temporary = _segmentationForExport(segmentationNode, corrected)
    folder = runFolder()
    try:
        problem = _export(temporary, segmentationNode.GetName(), folder)
        written = [file for file in folder.iterdir() if file.is_file()]
        if not problem and len(written) != 1:
            problem = _("it wrote {count} files").format(count=len(written))
        if problem:
            raise _refused(problem)
        if warnings:
            _comment(written[0], warnings)
        shutil.copyfile(written[0], path)
    finally:
        removeWithParts(temporary)
        shutil.rmtree(folder, ignore_errors=True)


def _comment(path: Path, warnings: list[str]) -> None:
    import pydicom

    try:
        dataset = pydicom.dcmread(path)
    except pydicom.errors.InvalidDicomError as error:
        raise _refused(_("it wrote no DICOM file")) from error
    # Slicer's exporter may name an older character set than warnings need.
    if not dicom_comment(warnings).isascii():
        dataset.decode()
        dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageComments = dicom_comment(warnings)
    dataset.save_as(path)


def _export(temporary: Any, name: str, folder: Path) -> str:
    """Run the exporter; returns why it did not work, or nothing."""
    import slicer

    exporter = slicerExporter()
    hierarchy = hierarchyOf(slicer.mrmlScene)
    try:
        exportables = exporter().examineForExport(hierarchy.GetItemByDataNode(temporary))
        if not exportables:
            return _("it does not accept this segmentation")
        for exportable in exportables:
            exportable.directory = str(folder)
            exportable.setTag("SeriesDescription", name[:64])
        return str(exporter().export(exportables) or "")
    except Exception as error:
        # Whatever an extension that replaces the exporter does wrong is not our own error.
        return f"{type(error).__name__}: {error}"


def _refused(reason: str) -> OutputError:
    return OutputError(
        _("Slicer's DICOM export failed: {reason}.").format(reason=reason.strip().rstrip(".")),
        _("Save as .seg.nrrd instead, or look into Slicer's error log."),
    )


def _segmentationForExport(segmentationNode: Any, corrected: bool) -> Any:
    import slicer

    reference, labels = referenceOf(segmentationNode), labelsOf(segmentationNode)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", segmentationNode.GetName())
    try:
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetVisibility(False)
        node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
        node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
        _addSegments(node, labels, corrected)
        placeBeside(node, reference)
    except BaseException:
        removeWithParts(node)
        raise
    return node


def _addSegments(node: Any, labels: sitk.Image, corrected: bool) -> None:
    """Each tissue that there is on a layer of its own."""
    import slicer

    values = sitk.GetArrayViewFromImage(labels)
    for tissue in TUMOR_TISSUES:
        if not (values == tissue).any():
            continue
        layer = imageData((values == tissue).astype(np.uint8), "vtkOrientedImageData")
        layer.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(gridMatrix(labels)))
        segment = slicer.vtkSegment()
        applyTerminology(segment, tissue)
        algorithm = "SEMIAUTOMATIC" if corrected else "AUTOMATIC"
        segment.SetTag("DICOM.SegmentAlgorithmType", algorithm)
        segment.SetTag("DICOM.SegmentAlgorithmName", "BrainTumorSeg")
        segment.AddRepresentation(BINARY_LABELMAP, layer)
        node.GetSegmentation().AddSegment(segment, tissue.key)


def _missingLabels(segmentationNode: Any) -> Iterator[str]:
    try:
        labels = labelsOf(segmentationNode)
    except BrainTumorSegError as error:
        yield str(error)
        return
    if not sitk.GetArrayViewFromImage(labels).any():
        yield _("Segmentation “{name}” is empty: there is nothing to save.").format(
            name=segmentationNode.GetName()
        )


def _missingImages(reference: Any | None) -> Iterator[str]:
    """What is wrong with the DICOM images of the reference."""
    if reference is None:
        yield _("The scan that was segmented is no longer in the scene: load it again.")
        return
    name, uids, database = reference.GetName(), instanceUIDs(reference), dicomDatabase()
    if not uids:
        yield _(
            "“{name}” was not loaded from DICOM: load it through the module DICOM, "
            "or save as .seg.nrrd."
        ).format(name=name)
        return
    if database is None or not getattr(database, "isOpen", True):
        yield _("No DICOM database is open: open the module DICOM once.")
        return
    files = [database.fileForInstance(uid) for uid in uids]
    lost = [file for file in files if file and not Path(file).is_file()]
    if not all(files):
        yield _(
            "{count} of {total} images of “{name}” are not in the DICOM database: "
            "import the study there again."
        ).format(count=sum(not file for file in files), total=len(uids), name=name)
    elif lost:
        yield _(
            "{count} of {total} DICOM files of “{name}” are not where the database says "
            "({file}): bring them back or import them again."
        ).format(count=len(lost), total=len(uids), name=name, file=lost[0])
    else:
        yield from _incomplete(reference, uids, database)


def _incomplete(reference: Any, uids: list[str], database: Any) -> Iterator[str]:
    """A series of which only a part was loaded, or of which images do not belong to the volume."""
    name, size = reference.GetName(), reference.GetImageData().GetDimensions()
    series = database.instanceValue(uids[0], _SERIES_UID)
    known = list(database.instancesForSeries(series)) if series else []
    if len(uids) > 1 and len(set(uids) & set(known)) == len(uids) < len(known):
        yield _(
            "“{name}” was loaded from only {count} of {total} images of its series: load "
            "the whole series and segment that."
        ).format(name=name, count=len(uids), total=len(known))
    elif len(uids) > 1 and len(uids) not in size:
        yield _(
            "“{name}” comes from {count} images but has {slices} slices: it was resampled "
            "after loading, so DICOM viewers could not place the result."
        ).format(name=name, count=len(uids), slices=min(size))


def missingForSlicer(segmentationNode: Any) -> list[str]:
    """What only Slicer's own export needs; empty when that can work."""
    import slicer

    if slicerExporter() is None:
        return [_("Slicer's export of DICOM segmentations is not installed.")]
    if not _hasConverter():
        return [_("Slicer's export of DICOM segmentations needs “dcmqi”, which is not installed.")]
    reference = referenceOf(segmentationNode)
    if reference is None:
        return []
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    levels = [level for _item, level, _name in hierarchyPath(reference)]
    needed = {
        constants.GetDICOMLevelPatient(): _("patient"),
        constants.GetDICOMLevelStudy(): _("study"),
    }
    text = _(
        "“{name}” lies below no {level} in the subject hierarchy: move it there in the module Data."
    )
    return [
        text.format(name=reference.GetName(), level=title)
        for level, title in needed.items()
        if level not in levels
    ]


def _hasConverter() -> bool:
    """Whether the program is there that Slicer's exporter calls.

    Slicer 5.12 has it as a Python package; before, an extension brings it as a module.
    """
    import slicer

    if hasattr(slicer.modules, _CONVERTER):
        return True
    return importlib.util.find_spec("dcmqi") is not None


def _missingPackages() -> Iterator[str]:
    """What only our own export needs; another Python than Slicer's is not asked here."""
    if usesOtherPython():
        return
    names = [p.name for p in missingPackages(("dicom",)) if p.name in _PACKAGES]
    if names:
        yield _("Python packages are missing ({names}): press “Install packages”.").format(
            names=", ".join(names)
        )


def wasCorrected(segmentationNode: Any) -> bool:
    """Whether a person changed what was computed; True when that is not known any more."""
    automatic = segmentationNode.GetNodeReference(provenance.AUTOMATIC)
    if automatic is None:
        return True
    return fingerprint(labelsOf(automatic)) != fingerprint(labelsOf(segmentationNode))
