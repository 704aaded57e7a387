"""Results of many cases on the disk, as the command `cohort` leaves them, without computing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from mrml_nodes import head
from mrml_run import record, tumor

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.seg_nrrd import write_seg_nrrd
from BrainTumorSegLib.slicer_app.run.many_cases import FoundCase

#: Millimetres of a voxel of the scans.
SPACING = (0.9, 1.1, 3.5)


def image_of(values: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(SPACING)
    image.SetOrigin((12.0, -7.0, 3.0))
    return image


def write_scans(folder: Path, name: str) -> dict[Sequence, Path]:
    """Three scans in the folder of a case; they have the same names in every case."""
    place = folder / "cases" / name
    place.mkdir(parents=True)
    files = {}
    for seed, sequence in enumerate(Sequence):
        files[sequence] = place / f"{sequence.value}.nii.gz"
        sitk.WriteImage(image_of(head(seed=seed)), str(files[sequence]))
    return files


def write_result(
    folder: Path, name: str, ending: str = ".seg.nrrd", share: float = 0.1, **more: Any
) -> FoundCase:
    """The scans and results of a case; what the child would tell of it."""
    files = more.pop("scans", None) or write_scans(folder, name)
    place = folder / "results" / name
    place.mkdir(parents=True)
    labels = image_of(tumor())
    scans = dict.fromkeys(files or more["series"])
    told = record(labels, scans, Sequence.T1CE)
    for entry in told["case"]["inputs"]:
        entry["source"] = str(files.get(Sequence(entry["sequence"]), "DICOM"))
    outputs = {
        "segmentation": place / f"{name}{ending}",
        "report": place / f"{name}_record.json",
        "disagreement": place / f"{name}_entropy.nii.gz",
    }
    outputs["report"].write_text(json.dumps(told), encoding="utf-8")
    if ending == ".seg.nrrd":
        write_seg_nrrd(labels, outputs["segmentation"], name)
    else:
        sitk.WriteImage(labels, str(outputs["segmentation"]))
    entropy = np.random.default_rng(4).random(tumor().shape).astype(np.float32) * (tumor() > 0)
    sitk.WriteImage(image_of(entropy), str(outputs["disagreement"]))
    stamps = {
        kind: {"file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for kind, path in outputs.items()
    }
    return FoundCase(
        name,
        state="done",
        scans={s.value: str(path) for s, path in files.items()},
        reasons={s.value: f"the name says “{s.value}”." for s in files},
        outputs=stamps,
        doubtfulShare=share,
        **more,
    )
