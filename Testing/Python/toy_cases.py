"""Small labelled cases and configurations that train in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from BrainTumorSegLib.cli import application as cli
from BrainTumorSegLib.core.progress import CancelToken, Progress
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.models.networks import NetworkSpec
from BrainTumorSegLib.training.config import TrainingConfig
from BrainTumorSegLib.training.volumes import LabeledVolume

BIT = {tissue: 1 << int(tissue) for tissue in Tissue}
CORE = BIT[Tissue.NECROSIS] | BIT[Tissue.NON_ENHANCING]

TINY = TrainingConfig(
    network=NetworkSpec(encoder="mobilenet_v2", encoder_depth=3),
    steps=6,
    batch=2,
    crop=(32, 32),
    warmup=2,
)

#: What a recipe says of the pack that a toy network becomes.
PACK_TABLE = """[pack]
name = "toy"
version = "0.0.1"
title = "A toy"
description = "Nothing to use."
label_protocols = ["core1_edema2_enhancing4"]
licence = "CC0-1.0"
intended_use = "Tests."

[pack.sequences]
used = ["t1", "t1ce", "flair"]
may_be_missing = []

[[pack.sources]]
name = "generated"
licence = "CC0-1.0"
"""


def toy_recipe(steps: int) -> str:
    """A recipe of the smallest network that trains, with a table for its pack."""
    return f"""
[training]
steps = {steps}
batch = 2
crop = [64, 64]
warmup = 1

[training.network]
encoder = "mobilenet_v2"
encoder_depth = 3

{PACK_TABLE}"""


def write_case(folder: Path, name: str, seed: int) -> None:
    """A ball of noise with a bright lesion of three labels in it."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:20, :72, :72]
    brain = ((z - 10) / 10) ** 2 + ((y - 36) / 32) ** 2 + ((x - 36) / 30) ** 2 < 1
    lesion = (z - 10) ** 2 * 4 + (y - 30) ** 2 + (x - 28 - seed) ** 2
    labels = np.zeros(brain.shape, np.uint8)
    for limit, value in ((150, 2), (60, 4), (20, 1)):
        labels[lesion < limit] = value
    (folder / "brats" / name).mkdir(parents=True)
    for number, sequence in enumerate(("t1", "t1ce", "flair")):
        values = 100 + 10 * rng.normal(size=brain.shape) + 15 * labels * (number + 1)
        image = sitk.GetImageFromArray(np.where(brain, values, 0).astype(np.float32))
        image.SetSpacing((2.0, 2.0, 5.0))
        sitk.WriteImage(image, str(folder / "brats" / name / f"{name}_{sequence}.nii.gz"))
    truth = sitk.GetImageFromArray(labels * brain)
    truth.SetSpacing((2.0, 2.0, 5.0))
    sitk.WriteImage(truth, str(folder / "brats" / name / f"{name}_seg.nii.gz"))


def write_toy_cohort(folder: Path, cases: int = 4) -> None:
    """So many cases in two folds, with their table."""
    rows = ["case\tlooks_like\tfold\tlabel_protocol"]
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(cases):
        write_case(folder, f"toy{number}", number)
        rows.append(f"toy{number}\ttoy\t{number % 2}\tcore1_edema2_enhancing4")
    (folder / "cases.tsv").write_text("\n".join(rows) + "\n")


def train(
    cohort: Path, run: Path, *options: str, recipe: Path | None = None, data: tuple[str, ...] = ()
) -> int:
    """Give the command ``train``; its exit code."""
    words = ["train", "--recipe", str(recipe or cohort / "toy.toml"), "--data", str(cohort), *data]
    words += ["-o", str(run), "--threads", "1", "--progress", "none"]
    return cli.main([*words, *options])


def toy_volume(name="toy", seed=0, shape=(6, 40, 48)) -> LabeledVolume:
    """A noisy brain with a bright square of edema and a core in it."""
    rng = np.random.default_rng(seed)
    scans = rng.normal(size=(3, *shape)).astype(np.float16)
    allowed = np.full(shape, BIT[Tissue.BACKGROUND], np.uint8)
    allowed[1:4, 10:25, 12:30] = BIT[Tissue.EDEMA]
    allowed[2:3, 14:20, 16:24] = CORE
    scans[:, allowed != BIT[Tissue.BACKGROUND]] += 3
    return LabeledVolume(name, scans, allowed)


def stopping_in(step: int) -> Progress:
    """A progress that cancels its run in a step."""
    token = CancelToken()

    def stop(event):
        if event.step == step:
            token.cancel()

    return Progress(sinks=(stop,), cancel=token)


def same(one, other) -> bool:
    """Whether two state dicts are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
