"""Small scans as volume nodes, and small programs in place of the worker."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.slicer_app.host.application import workerPython
from BrainTumorSegLib.slicer_app.run.settings import RunSettings

#: Grey, white matter, oedema, rim, necrosis: about what each sequence shows of them.
_LEVELS = {
    Sequence.T1: (80, 110, 70, 85, 60),
    Sequence.T1CE: (85, 115, 72, 190, 55),
    Sequence.FLAIR: (110, 90, 190, 150, 120),
}

NAMES = {Sequence.T1: "3: T1 axial", Sequence.T1CE: "T1 nach KM, früh", Sequence.FLAIR: "ФЛЭР"}


def phantom() -> dict[Sequence, sitk.Image]:
    """A stripped head with a tumour of three shells, small enough for a run of seconds."""
    z, y, x = np.meshgrid(np.arange(24), np.arange(80), np.arange(72), indexing="ij")
    place = np.stack([(z - 11.5) * 5, (y - 39.5) * 2.2, (x - 35.5) * 2.0], -1)

    def distance(center, radii):
        return np.sqrt((((place - center) / radii) ** 2).sum(-1))

    brain = distance((0, 0, 0), (55, 80, 65)) < 1
    white = distance((0, 0, 0), (42, 62, 50)) < 1
    tumor = distance((10, -20, 25), (1, 1, 1))
    random = np.random.default_rng(3)
    images = {}
    for sequence, (gray, light, oedema, rim, necrosis) in _LEVELS.items():
        values = np.where(white, light, gray).astype(np.float32)
        for radius, level in ((24, oedema), (15, rim), (9, necrosis)):
            values[tumor < radius] = level
        values *= 1 + 0.04 * random.standard_normal(values.shape)
        values[~brain] = 0
        image = sitk.GetImageFromArray(values.astype(np.float32))
        image.SetSpacing((2.0, 2.2, 5.0))
        image.SetOrigin((-70.0, -85.0, -40.0))
        images[sequence] = image
    return images


def add_scans(images: dict[Sequence, sitk.Image]) -> dict[Sequence, Any]:
    """Volume nodes of the images in ``slicer.mrmlScene``."""
    import slicer

    from BrainTumorSegLib.slicer_app.scene.volumes import setVolume

    nodes = {}
    for sequence, image in images.items():
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", NAMES[sequence])
        setVolume(node, image)
        nodes[sequence] = node
    return nodes


def quick_settings(nodes: dict[Sequence, Any], **changes: Any) -> RunSettings:
    """One member, one view, nothing to register, the CPU."""
    quick = Options(members=1, tta="none", device="cpu", registration="none", brain="stripped")
    options = {name: changes.pop(name) for name in vars(quick).keys() & changes.keys()}
    return RunSettings(
        **{**{sequence.value: node for sequence, node in nodes.items()}, **changes},
        options=replace(quick, **options),
    )


def stand_in(monkeypatch: Any, script: Path, code: str) -> None:
    """Let runs start a small program instead of the library."""
    script.write_text(textwrap.dedent(code), encoding="utf-8")
    python = replace(workerPython(), program=(str(script),))
    monkeypatch.setattr(
        "BrainTumorSegLib.slicer_app.run.segmentation_run.workerPython", lambda: python
    )
