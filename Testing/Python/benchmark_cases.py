"""What the tests of the benchmark share: a plan, a small case, the schema."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.resources import resource_path
from BrainTumorSegLib.evaluation.benchmark.plan import make_plan
from BrainTumorSegLib.models.packs import load_pack


def planned(**changed):
    given = {
        "base": {"pack": str(load_pack().folder), "registration": "none", "brain": "stripped"},
        "engines": ("openvino-fp32", "torch-fp32", "torch-bf16"),
        "ttas": ("tta1", "none"),
        "members": (1, 5),
    }
    return make_plan(**{**given, **changed})


def write_case(folder):
    """A ball of noise with a bright lesion, small enough to be segmented in a moment."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    z, y, x = np.ogrid[:20, :72, :72]
    brain = ((z - 10) / 10) ** 2 + ((y - 36) / 32) ** 2 + ((x - 36) / 30) ** 2 < 1
    lesion = (z - 10) ** 2 * 4 + (y - 30) ** 2 + (x - 28) ** 2 < 150
    for number, sequence in enumerate(("t1", "t1ce", "flair")):
        values = 100 + 10 * rng.normal(size=brain.shape) + 30 * lesion * (number + 1)
        image = sitk.GetImageFromArray(np.where(brain, values, 0).astype(np.float32))
        image.SetSpacing((2.0, 2.0, 5.0))
        sitk.WriteImage(image, str(folder / f"toy_{sequence}.nii.gz"))
    labels = sitk.GetImageFromArray((lesion & brain).astype(np.uint8))
    sitk.WriteImage(labels, str(folder / "toy_seg.nii.gz"))
    return folder


def check_schema(made):
    schema = resource_path("Schemas", "benchmark.schema.json").read_text(encoding="utf-8")
    jsonschema.Draft202012Validator(json.loads(schema)).validate(json.loads(json.dumps(made)))
