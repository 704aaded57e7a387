"""The demonstration case: three scans of a head with a glioblastoma, and the truth.

Nothing in it comes from a patient: head, tumour and scanner are computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import TUMOUR_TISSUES, Tissue
from BrainTumorSegLib.io.atomic import atomic_group, check_writable, explain_write_failure
from BrainTumorSegLib.io.volumes import write_image
from BrainTumorSegLib.synthesis.acquisition import Protocol, empty_scan, sample, scan_picture
from BrainTumorSegLib.synthesis.anatomy import HEAD_GRID, make_anatomy
from BrainTumorSegLib.synthesis.contrast import CONTRASTS, MOTTLING
from BrainTumorSegLib.synthesis.grid import refine
from BrainTumorSegLib.synthesis.lesion import Glioblastoma, grow_glioblastoma, mass_effect
from BrainTumorSegLib.synthesis.materials import Material, render, share_of
from BrainTumorSegLib.synthesis.noise import smooth_noise

_AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0))

PROTOCOLS: Mapping[Sequence, Protocol] = {
    Sequence.T1: Protocol(
        size=(240, 232, 168), spacing=(1.0, 1.0, 1.1), axes=_SAGITTAL, tilt=(1.0, -1.5, 2.0),
        centre=(0, 4, -14), white=420.0, noise=0.028,
    ),
    Sequence.T1CE: Protocol(
        size=(224, 256, 80), spacing=(0.9, 0.9, 2.0), axes=_AXIAL, tilt=(-13.0, 1.0, -2.5),
        centre=(0, 6, 14), white=380.0, noise=0.028,
    ),
    Sequence.FLAIR: Protocol(
        size=(240, 256, 30), spacing=(0.9, 0.9, 5.0), axes=_AXIAL, tilt=(7.0, -2.0, 4.0),
        centre=(2, 8, 10), white=300.0, noise=0.03,
    ),
}  # fmt: skip

#: Where the patient's head lay during each scan: degrees and mm about the LPS axes.
_MOTION: Mapping[Sequence, tuple[tuple[float, ...], tuple[float, ...]]] = {
    Sequence.T1: ((0.4, -0.6, 0.5), (0.5, -0.4, 0.6)),
    Sequence.T1CE: ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    Sequence.FLAIR: ((3.0, -1.6, 3.6), (2.6, -3.4, 2.4)),
}

#: Places for the tumour on the right side, RAS mm; the seed chooses place and side.
_PLACES = ((34.0, 4.0, 32.0), (30.0, 34.0, 24.0), (40.0, -34.0, 22.0), (44.0, -12.0, -20.0))

DEFAULT_SEED = 16


@dataclass(frozen=True)
class DemoScans:
    """The case in memory.

    Attributes:
        images: one scan a sequence, each on its own grid.
        truth: 8-bit labels (`Tissue`) on the grid of the T1CE scan.
        brain: 8-bit brain mask on the grid of the T1CE scan.
        poses: by sequence, the rigid transform that takes a point of the T1CE scan to
            where the same anatomy lies in that sequence's scan (LPS, mm).
    """

    images: Mapping[Sequence, sitk.Image]
    truth: sitk.Image
    brain: sitk.Image
    poses: Mapping[Sequence, sitk.Transform]


@dataclass(frozen=True)
class DemoCase:
    """The files of the case: scans by sequence, and labels on the grid of T1CE."""

    paths: Mapping[Sequence, Path]
    truth: Path


def demo_tumour(seed: int) -> Glioblastoma:
    """The tumour of a demonstration case: four places on either side."""
    x, y, z = _PLACES[seed % len(_PLACES)]
    side = -1 if seed // len(_PLACES) % 2 else 1
    return Glioblastoma((side * x, y, z), radius=18.0, push=8.5, oedema=14.0)


def simulate_demo(seed: int = DEFAULT_SEED) -> DemoScans:
    """Compute the demonstration case; the same seed gives the same voxels."""
    rng = np.random.default_rng(seed)
    grid = HEAD_GRID
    tumour = demo_tumour(seed)
    anatomy = make_anatomy(rng, mass_effect(tumour, grid.coordinates()), grid)
    lesion = grow_glioblastoma(tumour, grid, anatomy.layers, rng)
    layers = (*anatomy.layers, *lesion)
    texture = refine(smooth_noise(rng, grid, 7) + 0.6 * smooth_noise(rng, grid, 18))
    poses = {sequence: _pose(*_MOTION[sequence]) for sequence in Sequence}
    images = {}
    for sequence in Sequence:
        picture = render(grid, layers, CONTRASTS[sequence], texture, MOTTLING)
        images[sequence] = scan_picture(
            grid.image(picture), PROTOCOLS[sequence], poses[sequence], rng
        )
    scan, pose = empty_scan(PROTOCOLS[Sequence.T1CE]), poses[Sequence.T1CE]
    shares = [
        sample(grid.image(share_of(grid, lesion, Material[t.name])), scan, pose)
        for t in TUMOUR_TISSUES
    ]
    brain = sample(grid.image(anatomy.brain), scan, pose)
    return DemoScans(images, _labels(shares, scan), _image(brain > 0.5, scan), poses)


def make_demo_case(folder: Path, seed: int = DEFAULT_SEED) -> DemoCase:
    """Write the demonstration case as NIfTI files ``demo_t1.nii.gz`` and so on.

    Args:
        folder: made when it does not exist; files of an earlier demo are replaced.
        seed: another one gives another head and tumour.

    Raises:
        OutputError: naming the file and the remedy.
    """
    paths = {sequence: folder / f"demo_{sequence.value}.nii.gz" for sequence in Sequence}
    truth = folder / "demo_truth.nii.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        check_writable(truth, overwrite=True)
    except OSError as error:
        raise explain_write_failure(folder, error) from error
    with atomic_group([*paths.values(), truth], overwrite=True) as temporary:
        scans = simulate_demo(seed)
        for sequence, path in paths.items():
            write_image(scans.images[sequence], temporary[path])
        write_image(scans.truth, temporary[truth])
    return DemoCase(paths, truth)


def _pose(degrees: tuple[float, ...], shift: tuple[float, ...]) -> sitk.Euler3DTransform:
    pose = sitk.Euler3DTransform()
    pose.SetRotation(*np.radians(degrees).tolist())
    pose.SetTranslation(shift)
    return pose


def _labels(shares: list[np.ndarray], scan: sitk.Image) -> sitk.Image:
    """The tissue that fills most of each voxel; background when tumour fills less than half."""
    whole = np.stack(shares)
    values = np.array([int(t) for t in TUMOUR_TISSUES], np.uint8)[whole.argmax(axis=0)]
    values[whole.sum(axis=0) < 0.5] = int(Tissue.BACKGROUND)
    return _image(values, scan)


def _image(array: np.ndarray, scan: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(array.astype(np.uint8))
    image.CopyInformation(scan)
    return image
