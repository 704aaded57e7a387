"""Small cases, a pack of random weights that segments them in a second, and a fault for some."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.sequences import Sequence

CHECKOUT = Path(__file__).resolve().parents[2]

#: Options with which a case takes a second.
QUICK = [
    *("--tta", "none", "--device", "cpu", "--network-engine", "torch", "--registration", "none"),
    *(
        "--bias-field",
        "off",
        "--brain",
        "stripped",
        "--min-lesion",
        "0",
        "--keep-distant-components",
    ),
]

#: A real fault for each case of some name, in its own process only: a hook of the Python
#: interpreter sees every file that is opened. Nothing in the program knows of it.
FAULTS = """
import os, sys

def hook(event, arguments):
    if event != "open" or sys.argv[1:2] != ["segment"]:
        return
    name = str(arguments[0])
    if name.endswith("crashes_t1.nii.gz"):
        os.abort()
    if name.endswith("starves_t1.nii.gz"):
        import resource
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))
        bytearray(2**30)

sys.addaudithook(hook)
"""


def write_pack(folder: Path, name: str = "tiny", seed: int = 0) -> Path:
    """A pack of one small network with random weights; its folder."""
    # Who writes cases only does without.
    import torch

    from BrainTumorSegLib.models.networks import NetworkSpec, build_network
    from BrainTumorSegLib.models.packs import NewMember, make_pack

    spec = NetworkSpec("linknet", "mobilenet_v2", 3, 3, 5)
    torch.manual_seed(seed)
    network = build_network(spec)
    fields = {
        "name": name,
        "version": "1.0.0",
        "title": "Tiny pack for tests",
        "description": "Random weights.",
        "recipe": "mixture",
        "sequences": {"used": ["t1", "t1ce", "flair"], "may_be_missing": []},
        "network": spec,
        # As coarse as the scans, so that a case takes a second.
        "grid": {"in_plane_mm": 4.0, "multiple": 32},
        "label_protocols": ["core1_edema2_enhancing4"],
        "provenance": {
            "sources": [{"name": "None", "licence": "CC0-1.0", "cases": 0, "use": "training"}],
            "command": "pytest",
            "date": "2024-01-31",
            "code_version": "0.1.0",
        },
        "licence": "CC0-1.0",
        "intended_use": "Testing this program.",
    }
    member = NewMember("fold0", network.state_dict(), {"fold": 0, "seed": 0})
    return make_pack(folder / name, fields, [member]).folder


def scan_values(seed: int) -> dict[Sequence, np.ndarray]:
    """A stripped brain with a bright ball, ``[slice, row, column]`` of 12 x 40 x 36 voxels."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:12, :40, :36]
    inside = ((z - 5.5) / 4.5) ** 2 + ((y - 20) / 16) ** 2 + ((x - 18) / 14) ** 2 < 1
    ball = ((z - 6) * 3) ** 2 + (y - 16) ** 2 + (x - 14 - seed % 5) ** 2 < 40
    found = {}
    for number, sequence in enumerate(Sequence):
        values = 100 + 10 * rng.normal(size=inside.shape) + 60 * ball * (number + 1)
        found[sequence] = np.where(inside, values, 0).astype(np.float32)
    return found


def scan_images(seed: int) -> dict[Sequence, sitk.Image]:
    """The same as images; a voxel is 12 x 4 x 4 mm."""
    images = {}
    for sequence, values in scan_values(seed).items():
        images[sequence] = sitk.GetImageFromArray(values)
        images[sequence].SetSpacing((4.0, 4.0, 12.0))
    return images


def write_case(
    folder: Path, name: str, seed: int, names: dict[Sequence, str] | None = None
) -> Path:
    """The scans of a case in a folder of its own, which is returned."""
    place = folder / name
    place.mkdir(parents=True)
    for sequence, image in scan_images(seed).items():
        file = (names or {}).get(sequence, f"{name}_{sequence.value}.nii.gz")
        sitk.WriteImage(image, str(place / file))
    return place


def write_cases(folder: Path, count: int) -> Path:
    """So many cases, ``case0`` and so on."""
    for number in range(count):
        write_case(folder, f"case{number}", number)
    return folder


def start(*words: object, faults: Path | None = None, **more: object) -> subprocess.Popen:
    """Start the program; with a folder for `FAULTS` its cases meet them."""
    paths = [str(CHECKOUT)]
    if faults is not None:
        faults.mkdir(exist_ok=True)
        (faults / "sitecustomize.py").write_text(FAULTS)
        paths.insert(0, str(faults))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(
        [sys.executable, "-m", "BrainTumorSegLib", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        env=environment,
        **more,
    )


def labels(output: Path) -> dict[str, np.ndarray]:
    """The label arrays of a folder of results, by case."""
    return {
        path.parent.name: sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        for path in sorted(output.glob("*/*.nrrd"))
    }
