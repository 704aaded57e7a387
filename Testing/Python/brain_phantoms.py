"""Phantoms of heads, a real study, and what stands for the networks that find the brain in them."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from voxel_positions import positions, with_values

from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.brain import BrainMask

IDENTITY = sitk.Transform(3, sitk.sitkIdentity)
ALIGNED = dict.fromkeys(Sequence, IDENTITY)

#: All ways to lay three image axes along the patient's, left-handed ones included.
ORIENTATIONS = [
    np.diag(signs)[:, order]
    for order in permutations(range(3))
    for signs in product((1.0, -1.0), repeat=3)
]

#: Where the phantom's brain lies, LPS mm, and its half axes: 1.4 litres.
CENTER, AXES = np.array([10.0, -20.0, 30.0]), np.array([65.0, 80.0, 65.0])


def blank(direction=None, spacing=(4.0, 4.0, 4.0), extent=208.0, center=CENTER) -> sitk.Image:
    direction = np.eye(3) if direction is None else np.asarray(direction, float)
    size = [int(np.ceil(extent / s)) for s in spacing]
    image = sitk.Image(size, sitk.sitkFloat32)
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection(direction.ravel().tolist())
    half = (np.array(size) - 1) / 2 * np.array(spacing)
    image.SetOrigin((np.asarray(center) - direction @ half).tolist())
    return image


def depth(image: sitk.Image, center=CENTER) -> np.ndarray:
    """Roughly how deep below the brain's surface each voxel lies, in mm."""
    scaled = np.linalg.norm((positions(image) - center) / AXES, axis=-1)
    return (1 - scaled) * AXES.mean()


def head(image: sitk.Image, *, skull=True, noise=8.0, seed=0, center=CENTER) -> sitk.Image:
    """A T1-like head: brain within cerebrospinal fluid, dark skull and bright scalp."""
    random = np.random.default_rng(seed)
    below = depth(image, center)
    values = np.zeros(below.shape)
    if skull:
        values[below > -16] = 420.0
        values[below > -9] = 40.0
    values[below > 0] = 120.0
    values[below > 4] = 260.0
    values[below > 12] = 320.0
    values = np.abs(values + random.normal(0, noise, values.shape))
    if not skull:
        values = np.where(below > 0, np.maximum(values, 1.0), 0.0)
    return with_values(values.astype(np.float32), image)


def case_of(**images: sitk.Image) -> Case:
    return Case(
        "phantom",
        {Sequence(name): Scan(image, f"{name}.nii.gz") for name, image in images.items()},
    )


def array(mask: BrainMask | sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(mask.image if isinstance(mask, BrainMask) else mask)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * np.count_nonzero((a > 0) & (b > 0)) / (np.count_nonzero(a) + np.count_nonzero(b))


def centroid(image: sitk.Image) -> np.ndarray:
    """LPS mm."""
    return positions(image)[array(image) > 0].mean(axis=0)


#: How far, in half axes of the brain, the toy network's corner reaches to the left, to
#: the back and down from the middle. All unlike, so that no exchange goes unnoticed.
CORNER = np.array([0.0, 0.4, 0.7])


class Toy:
    """What stands for the networks of a package: knows the device, marks bright voxels.

    It keeps to the right, front and upper part of what is bright, so that an axis that
    is flipped or exchanged on the way to it or back cannot go unnoticed.
    """

    calls: list[str]

    def __init__(self) -> None:
        self.calls = []
        self.fraction = 1.0
        self.corner = True
        self.failure: Exception | None = None
        self.during: list = []

    def mark(self, ras: np.ndarray) -> np.ndarray:
        """``ras`` runs to the right, to the front and upwards."""
        for action in self.during:
            action()
        if self.failure is not None:
            raise self.failure
        bright = ras > 0.5 * ras.max()
        if self.corner:
            where = np.argwhere(bright)
            middle = (where.min(axis=0) + where.max(axis=0)) / 2
            half = (where.max(axis=0) - where.min(axis=0)) / 2
            ijk = np.indices(ras.shape, sparse=True)
            for index, least in zip(ijk, middle - CORNER * half, strict=True):
                bright &= index > least
        if self.fraction < 1:
            bright &= np.cumsum(bright).reshape(bright.shape) <= self.fraction * bright.sum()
        return bright.astype(np.float32)


def deepbet_with_a_toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    """deepbet's own reorienting and clean-up around a toy network."""
    deepbet = pytest.importorskip("deepbet.bet", reason="deepbet is not installed")
    marker = Toy()

    class Network:
        def to(self, device: str) -> None:
            if device != "cpu":
                raise AssertionError("Torch not compiled with CUDA enabled")
            marker.calls.append(device)

    class Extraction(deepbet.BrainExtraction):
        def __init__(self, no_gpu: bool = False) -> None:
            assert no_gpu
            self.model, self.bbox_model = Network(), Network()

        def run_model(self, x: np.ndarray) -> np.ndarray:
            self.bbox = (slice(None),) * 3
            return marker.mark(x)

    monkeypatch.setattr(deepbet, "BrainExtraction", Extraction)
    return marker


def corner(image: sitk.Image, center) -> np.ndarray:
    """The brain's right, front and upper part: L and P fall towards it, S grows."""
    below = depth(image, center)
    reach = (positions(image) - center) * [-1, -1, 1] / (AXES * (1 - 4 / AXES.mean()))
    return (below > 4) & (reach > -CORNER).all(axis=-1)


def clinical_study(real_data: Path) -> Case:
    """A real study, not registered, with the skull."""
    folder = real_data / "clinical" / "TCGA-FG-6692"
    names = {
        Sequence.T1: "T1_AX",
        Sequence.T1CE: "T1_AX_POST_GAD",
        Sequence.FLAIR: "FLAIR_AX",
    }
    scans = {s: Scan(sitk.ReadImage(str(folder / f"{n}.nii.gz")), n) for s, n in names.items()}
    return Case("clinical", scans)
