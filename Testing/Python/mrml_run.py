"""What a finished run leaves in its folder, made without running anything."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import SimpleITK as sitk
from mrml_nodes import OBLIQUE, RAS_LPS, add_volume, affine, head

from BrainTumorSegLib.core.notices import warnings_section
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.slicer_app.run.settings import RunSettings
from BrainTumorSegLib.slicer_app.scene.volumes import exportVolume, imageFromNode

#: A rotation of a few degrees and a shift, points of the reference (LPS) to points of the scan.
TURN = np.array([[0.98, -0.199, 0, 3.0], [0.199, 0.98, 0, -2.0], [0, 0, 1, 1.5], [0, 0, 0, 1.0]])
BRAIN_ML = 1200.0


def tumor(shape=(40, 48, 50)) -> np.ndarray:
    """A lopsided tumour of all four tissues ``[slice, row, column]``, not in the middle."""
    labels = np.zeros(shape, np.uint8)
    labels[12:30, 8:30, 14:40] = Tissue.EDEMA
    labels[15:27, 12:26, 18:34] = Tissue.NON_ENHANCING
    labels[17:25, 14:24, 20:30] = Tissue.ENHANCING
    labels[19:23, 16:21, 22:27] = Tissue.NECROSIS
    labels[35, 40, 45] = Tissue.ENHANCING
    return labels


class Settings(SimpleNamespace):
    """Settings of a run that a test may change."""

    scans = RunSettings.scans


def add_scans(scene: Any, matrix: np.ndarray = OBLIQUE) -> Settings:
    """T1, T1CE and FLAIR of one head and the settings of a run on them."""
    other = affine(np.eye(3), (-40, -30, -20), (1.1, 1.2, 2.0))
    return Settings(
        t1=add_volume(scene, "Kopf T1 ü", head(seed=1), other),
        t1ce=add_volume(scene, "Kopf T1 KM", head(seed=2), matrix),
        flair=add_volume(scene, "Kopf FLAIR", head(seed=3), matrix),
        reference=Sequence.T1CE,
        outputSegmentation=None,
        disagreementVolume=False,
        registeredCopies=False,
        name=None,
    )


def finish_run(
    folder: Path, settings: SimpleNamespace, labels: np.ndarray | None = None, **changes: Any
) -> np.ndarray:
    """Write into ``folder`` what the worker writes; returns the labels."""
    folder.mkdir(parents=True, exist_ok=True)
    reference = getattr(settings, Sequence(settings.reference).value)
    labels = tumor() if labels is None else labels
    image = sitk.GetImageFromArray(labels)
    grid = imageFromNode(reference)
    image.CopyInformation(grid)
    sitk.WriteImage(image, str(folder / "labels.nrrd"))
    entropy = sitk.GetImageFromArray(
        np.random.default_rng(4).random(labels.shape).astype(np.float32) * (labels > 0)
    )
    entropy.CopyInformation(grid)
    sitk.WriteImage(entropy, str(folder / "disagreement.nrrd"))
    scans = {s: getattr(settings, s.value) for s in Sequence if getattr(settings, s.value)}
    for sequence, node in scans.items():
        path = folder / f"{sequence.value}-scan.nrrd"
        path.unlink(missing_ok=True)
        exportVolume(node, reference, path)
    report = record(image, scans, Sequence(settings.reference)) | changes
    (folder / "report.json").write_text(json.dumps(report, ensure_ascii=False), encoding="utf-8")
    page = "<!doctype html><p>t1ce-scan.nrrd &amp; flair-scan.nrrd: größer</p>" + "x" * 400
    page += warnings_section(report)
    (folder / "report.html").write_text(page, encoding="utf-8")
    return labels


def record(labels: sitk.Image, scans: dict[Sequence, Any], reference: Sequence) -> dict[str, Any]:
    """A report as `pipeline.segment` makes it; FLAIR was turned, T1 was aligned already."""
    volumes = {key: round(ml, 3) for key, ml in volumes_ml(labels).items()}
    moving = [sequence for sequence in scans if sequence is not reference]
    return {
        "schema": "brain-tumor-seg-report/1",
        "created": "2025-03-04T05:06:07+00:00",
        "version": "1.0.0",
        "case": {
            "identity": "case-1",
            "reference": reference.value,
            "inputs": [
                {
                    "sequence": sequence.value,
                    "source": f"{sequence.value}-scan.nrrd",
                    "sha256": str(number) * 64,
                    "size": [50, 48, 40],
                    "spacing": [0.9, 1.1, 3.5],
                }
                for number, sequence in enumerate(scans)
            ],
        },
        "registration": [
            {
                "sequence": sequence.value,
                "source": f"{sequence.value}-scan.nrrd",
                "engine": "brainsfit" if sequence is Sequence.FLAIR else "none",
                "already_aligned": sequence is not Sequence.FLAIR,
                "chosen": "useGeometryAlign" if sequence is Sequence.FLAIR else None,
                "score": 1.107,
                "rotation_deg": 11.5,
                "shift_mm": 3.9,
                "matrix": (TURN if sequence is Sequence.FLAIR else np.eye(4)).tolist(),
                "attempts": [],
            }
            for sequence in moving
        ],
        "brain": {"method": "deepbet", "stripped": False, "volume_ml": BRAIN_ML},
        "pack": {
            "name": "glioma-lite",
            "version": "1.0.0",
            "licence": "Apache-2.0",
            "members": [{"name": f"fold{n}", "sha256": str(n) * 64} for n in range(2)],
        },
        "recipe": "mixture",
        "views": {"name": "tta2", "count": 4},
        "engine": {
            "name": "torch",
            "device": "cpu",
            "precision": "float32",
            "batch": 8,
            "notes": [],
        },
        "volumes_ml": volumes,
        "percent_of_brain": {key: round(100 * ml / BRAIN_ML, 3) for key, ml in volumes.items()},
        "confidence": {
            "mean_entropy": {t.key: 0.2 for t in Tissue if t is not Tissue.BACKGROUND},
            "doubtful_ml": 1.0,
        },
        "timings_s": {"total": 12.0},
        "warnings": ["T1 (t1-scan.nrrd) looks contrast-enhanced; 50 %: look; at it."],
        "versions": {"python": "3.12"},
    }


def lps_to_ras(matrix: np.ndarray) -> np.ndarray:
    """A transform of LPS points as one of RAS points."""
    return RAS_LPS @ matrix @ RAS_LPS
