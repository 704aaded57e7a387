"""A made-up case with its result and record, and a reader of HTML, for the tests of reports."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case, Scan, make_case
from BrainTumorSegLib.core.masks import mask_volume_ml
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Tissue
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.measurement.diameters import diameters_record, measure_diameters

VOID = {"meta", "img", "br", "link", "hr", "input"}


def head(size=(60, 70, 24), spacing=(2.0, 2.0, 5.0)) -> dict[str, np.ndarray]:
    """A ball of brain with a lesion on the patient's right, in front and high up.

    LPS order: index x grows to the left, y backwards, z upwards.
    """
    z, y, x = np.meshgrid(*(np.arange(n, dtype=float) for n in size[::-1]), indexing="ij")
    x, y, z = ((i - (n - 1) / 2) * s for i, n, s in zip((x, y, z), size, spacing, strict=True))
    brain = (x / 45) ** 2 + (y / 52) ** 2 + (z / 45) ** 2 < 1
    apart = np.sqrt((x + 20) ** 2 + (y + 22) ** 2 + (z - 14) ** 2)
    labels = np.zeros(brain.shape, np.uint8)
    for radius, tissue in ((18, Tissue.EDEMA), (13, Tissue.NON_ENHANCING), (10, Tissue.ENHANCING)):
        labels[apart < radius] = int(tissue)
    labels[apart < 6] = int(Tissue.NECROSIS)
    random = np.random.default_rng(4)

    def scan(x_slope: float, y_slope: float) -> np.ndarray:
        # Each is bright elsewhere, or they were one scan in several brightnesses.
        return 100 * brain + x_slope * x + y_slope * y + random.normal(0, 4, brain.shape)

    return {
        "brain": brain,
        "labels": labels,
        "T1": scan(-0.4, -0.2) - 20 * (labels > 0),
        "T1CE": scan(0.4, 0.2) + 90 * (labels == int(Tissue.ENHANCING)) - 40 * (apart < 6),
        "FLAIR": 0.8 * scan(0.2, -0.4) + 70 * (labels == int(Tissue.EDEMA)),
    }


def as_image(array: np.ndarray, spacing, pixel=sitk.sitkFloat32) -> sitk.Image:
    image = sitk.Cast(sitk.GetImageFromArray(array.astype(np.float32)), pixel)
    image.SetSpacing(spacing)
    middle = [(n - 1) / 2 * s for n, s in zip(image.GetSize(), spacing, strict=True)]
    image.SetOrigin([-m for m in middle])
    return image


def make_result(
    sequences=tuple(Sequence),
    identity="Köhler <b>&\"7'",
    empty=False,
    spacing=(2.0, 2.0, 5.0),
    orientation="LPS",
    warnings=("BRAINSFit was not found; <SimpleITK> & co registered T1 instead.",),
) -> tuple[Case, Segmentation]:
    """A case and its result, its grid's axes in any of the 48 orders and directions."""
    arrays = head(spacing=spacing)

    def place(array: np.ndarray, pixel=sitk.sitkFloat32) -> sitk.Image:
        return sitk.DICOMOrient(as_image(array, spacing, pixel), orientation)

    scans = {
        s: Scan(place(arrays[s.name]), f"/data/<{s.value}> & 'x'.nii.gz", f"{i:x}" * 64)
        for i, s in enumerate(sequences)
    }
    case = make_case(identity, scans)
    labels = place(arrays["labels"] * (not empty), sitk.sitkUInt8)
    brain = place(arrays["brain"], sitk.sitkUInt8)
    entropy = place(0.3 * (arrays["labels"] > 0))
    record = make_record(case, labels, brain, warnings)
    return case, Segmentation(labels=labels, brain=brain, disagreement=entropy, record=record)


def make_record(case: Case, labels: sitk.Image, brain: sitk.Image, warnings=()) -> dict:
    volumes = volumes_ml(labels)
    brain_ml = mask_volume_ml(brain)
    return {
        "schema": "brain-tumor-seg-report/1",
        "created": "2026-03-04T05:06:07+00:00",
        "version": "1.2.3",
        "command": "brain-tumor-seg segment --t1 '<t1>.nii.gz'",
        "case": {
            "identity": case.identity,
            "reference": case.reference.value,
            "inputs": [
                {
                    "sequence": s.value,
                    "source": scan.source,
                    "sha256": scan.sha256,
                    "size": list(scan.image.GetSize()),
                    "spacing": list(scan.image.GetSpacing()),
                }
                for s, scan in case.scans.items()
            ],
        },
        "registration": [registered(s) for s in case.scans if s is not case.reference],
        "brain": {"method": "deepbet", "stripped": False, "volume_ml": brain_ml},
        "pack": {
            "name": "glioma-lite",
            "version": "1.0.0",
            "licence": "CC-BY-SA-4.0",
            "members": [{"name": f"fold{i}", "sha256": f"{i}" * 64} for i in range(3)],
        },
        "recipe": "mixture",
        "views": {"name": "tta1", "count": 2},
        "cascade": {"threshold": 0.2, "slices": 24, "near_tumour": 11},
        "shading": {
            "method": "n4",
            "corrected": True,
            "scans": [{"sequence": "t1ce", "spread": 0.31, "corrected": True}],
        },
        "islands": {"removed": 2, "ml": 1.34},
        "engine": {
            "name": "torch",
            "device": "cpu",
            "precision": "float32",
            "batch": 4,
            "notes": ["cuda ran out of memory; the run moved to the CPU."],
        },
        "options": {"pack": None, "views": "tta1", "members": ["fold0", "fold1"]},
        "volumes_ml": volumes,
        "percent_of_brain": {name: 100 * ml / brain_ml for name, ml in volumes.items()},
        "diameters": diameters_record(measure_diameters(labels)),
        "confidence": {
            "mean_entropy": {t.key: 0.3 if volumes[t.key] else None for t in TUMOR_TISSUES},
            "doubtful_ml": 1.25,
        },
        "timings_s": {"register": 12.5, "segment": 20.25},
        "warnings": list(warnings),
        "versions": {"python": "3.11.2", "torch": "2.7.0"},
    }


def registered(sequence: Sequence, matrix: np.ndarray | None = None) -> dict:
    """What `registration.align` records of a scan."""
    refused = {
        "engine": "brainsfit", "start": "headers", "parameters": {"samplingPercentage": 0.05},
        "score_before": 1.041, "score_after": None, "overlap": None, "rotation_deg": None,
        "shift_mm": None, "unsettled_mm": None, "seconds": 2.5, "outcome": "refused",
        "reason": "it wrote no <transform>",
    }  # fmt: skip
    accepted = refused | {
        "engine": "simpleitk", "score_after": 1.107, "overlap": 0.97, "rotation_deg": 13.5,
        "shift_mm": 16.2, "outcome": "accepted", "reason": None,
    }  # fmt: skip
    return {
        "sequence": sequence.value,
        "source": "x.nii.gz",
        "engine": "simpleitk",
        "executable": None,
        "already_aligned": False,
        "attempts": [refused, accepted],
        "chosen": "headers",
        "score_before": 1.041,
        "score": 1.107,
        "overlap": 0.97,
        "rotation_deg": 13.5,
        "shift_mm": 16.2,
        "matrix": (np.eye(4) if matrix is None else matrix).tolist(),
        "seconds": 7.75,
    }


class Page(HTMLParser):
    """Checks nesting while it collects text, tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]
