"""A finished result in a scene, and a reader who corrects it."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from mrml_nodes import OBLIQUE
from mrml_run import add_scans, finish_run

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.slicer_app.run.result import RunResult, importResult


def add_result(scene: Any, folder: Any, matrix: np.ndarray = OBLIQUE, labels=None, **changes: Any):
    """The result of a run and its settings, as `importResult` brings it into the scene.

    ``changes`` are to the settings.
    """
    settings = add_scans(scene, matrix)
    settings.__dict__.update(changes)
    finish_run(folder, settings, labels)
    return importResult(folder, settings), settings


def labels_of(node: Any, reference: Any) -> np.ndarray:
    from BrainTumorSegLib.slicer_app.scene.segments import labelImage

    return sitk.GetArrayFromImage(labelImage(node, reference))


def correct(node: Any, reference: Any, tissue: Tissue = Tissue.EDEMA, layers: int = 1) -> float:
    """Let a person add ``layers`` sagittal layers of a tissue beside the tumour; returns mL."""
    from BrainTumorSegLib.slicer_app.scene.segments import labelImage, setTissues

    image = labelImage(node, reference)
    labels = sitk.GetArrayFromImage(image)
    free = labels[12:30, 8:30, 40 : 40 + layers] == 0
    labels[12:30, 8:30, 40 : 40 + layers][free] = tissue
    changed = sitk.GetImageFromArray(labels)
    changed.CopyInformation(image)
    setTissues(node, changed, reference)
    return float(np.count_nonzero(free) * np.prod(image.GetSpacing()) / 1000)


__all__ = ["RunResult", "add_result", "correct", "labels_of"]
