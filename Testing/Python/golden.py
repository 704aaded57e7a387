"""Golden results: fixed scans, and the labels that each bundled pack gives them.

A change that should not move any label is held to these; one that should, remakes them with
``python Testing/Python/golden.py`` and says in its commit why.

Everything is computed by torch in fp32 on the CPU. On the machine that made the files every voxel
is the same; other processors round differently, so `TOLERANCE` of the tumor's voxels may differ.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from conftest import real_data_folder
from PIL import Image

from BrainTumorSegLib.core.case import Case, Scan, make_case
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.pipeline import segment
from BrainTumorSegLib.io.cases import load_case

FOLDER = Path(__file__).resolve().parents[1] / "Golden"
PACKS = ("glioma-sx50", "glioma-lite", "four-tumours")

#: Share of the voxels labeled in either map that may differ on another processor.
TOLERANCE = 0.005

#: All members of a pack, on scans that need no preparation.
PREPARED = Options(device="cpu", engine="torch", precision="fp32", registration="none")


@dataclass(frozen=True)
class GoldenCase:
    """A fixed input, how it is segmented, with which packs, and whether it is a real scan."""

    name: str
    options: Options
    packs: tuple[str, ...] = PACKS
    real: bool = False


CASES = (
    GoldenCase("phantom", replace(PREPARED, brain="stripped", tta="tta1")),
    GoldenCase("thick-slices", replace(PREPARED, brain="stripped", tta="none"), real=True),
    # From displaced scans with skull; what comes before the networks is the same for every pack.
    GoldenCase(
        "clinical",
        replace(PREPARED, registration="simpleitk", tta="none"),
        packs=("glioma-lite",),
        real=True,
    ),
)


def phantom() -> Case:
    """A stripped brain with a ring-enhancing tumor, computed without random numbers.

    Arrays are ``[slice, row, column]`` of 14 x 100 x 90 voxels, 8 x 1.5 x 1.5 mm.
    """
    z, y, x = np.mgrid[:14, :100, :90].astype(np.float64)
    z, y, x = (z - 6.5) * 8, (y - 49.5) * 1.5, (x - 44.5) * 1.5
    inside = (z / 52) ** 2 + (y / 70) ** 2 + (x / 62) ** 2 < 1
    # Folded bright and dark bands stand for white and gray matter, two ovals for ventricles.
    folds = np.tanh(4 * np.sin(x / 7 + 2 * np.sin(y / 11)) * np.cos(y / 8 + np.sin(z / 13)))
    fluid = ((z / 18) ** 2 + (y / 26) ** 2 + ((np.abs(x) - 10) / 6) ** 2) < 1
    far = np.sqrt((z - 8) ** 2 + (y + 18) ** 2 + (x - 30) ** 2) + 2 * np.sin(x / 4) * np.cos(y / 5)
    edema, rim, necrosis = far < 27, far < 17, far < 10
    contrasts = {
        Sequence.T1: (100 + 20 * folds, 40, 80, 85, 60),
        Sequence.T1CE: (105 + 20 * folds, 40, 85, 220, 60),
        Sequence.FLAIR: (100 - 12 * folds, 30, 190, 170, 120),
    }
    scans = {}
    for sequence, (tissue, *values) in contrasts.items():
        volume = np.array(tissue)
        for region, value in zip((fluid, edema, rim, necrosis), values, strict=True):
            volume[region] = value + 0.2 * (tissue[region] - 100)
        image = sitk.GetImageFromArray(np.where(inside, volume, 0).astype(np.float32))
        image.SetSpacing((1.5, 1.5, 8.0))
        image.SetOrigin((-66.0, -74.0, -52.0))
        # Rounded off edges, as a scanner's; still exactly zero outside.
        smooth = sitk.DiscreteGaussian(image, 1.0)
        scans[sequence] = Scan(sitk.Mask(smooth, image > 0), f"phantom {sequence.name}")
    return make_case("phantom", scans)


def thick_slices() -> Case:
    """A real glioma, every sixth slice of it."""
    folder = real_data_folder() / "brats" / "BraTS2021_01477"
    files = {s: folder / f"BraTS2021_01477_{s.value}.nii.gz" for s in Sequence}
    case = load_case(files, identity="thick-slices")
    return case.with_images({s: scan.image[:, :, ::6] for s, scan in case.scans.items()})


def clinical() -> Case:
    """A real study with skull, its scans displaced against each other."""
    folder = real_data_folder() / "clinical" / "TCGA-FG-6692"
    names = {Sequence.T1: "T1_AX", Sequence.T1CE: "T1_AX_POST_GAD", Sequence.FLAIR: "FLAIR_AX"}
    files = {sequence: folder / f"{name}.nii.gz" for sequence, name in names.items()}
    return load_case(files, identity="clinical")


def compute(golden: GoldenCase, pack: str) -> tuple[np.ndarray, dict[str, float]]:
    """Labels ``[slice, row, column]`` and volumes in mL."""
    case = {"phantom": phantom, "thick-slices": thick_slices, "clinical": clinical}[golden.name]()
    result = segment(case, replace(golden.options, pack=pack))
    return sitk.GetArrayFromImage(result.labels), result.record["volumes_ml"]


def read(golden: GoldenCase, pack: str) -> tuple[np.ndarray, dict[str, float]]:
    """What `compute` gave when the files were made."""
    volumes = json.loads((FOLDER / "volumes.json").read_text(encoding="utf-8"))
    entry = volumes[f"{golden.name}/{pack}"]
    picture = np.asarray(Image.open(FOLDER / f"{golden.name}-{pack}.png"))
    return (picture // GRAY_PER_LABEL).reshape(entry["shape"]), entry["volumes_ml"]


#: So that a person who opens a picture sees the labels.
GRAY_PER_LABEL = 60


def remake() -> Iterator[str]:
    """Compute and write everything; yield a line on each."""
    volumes = {}
    FOLDER.mkdir(exist_ok=True)
    for golden in CASES:
        for pack in golden.packs:
            labels, millilitres = compute(golden, pack)
            # Slices stand one below the other.
            tall = labels.reshape(-1, labels.shape[-1]).astype(np.uint8) * GRAY_PER_LABEL
            Image.fromarray(tall).save(FOLDER / f"{golden.name}-{pack}.png", optimize=True)
            volumes[f"{golden.name}/{pack}"] = {"shape": labels.shape, "volumes_ml": millilitres}
            yield f"{golden.name}/{pack}: {millilitres}"
    text = json.dumps(volumes, indent=1) + "\n"
    (FOLDER / "volumes.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if real_data_folder() is None:
        sys.exit("No real scans: set BRAINTUMORSEG_DATA to the folder that holds cases.tsv.")
    for line in remake():
        print(line, flush=True)
