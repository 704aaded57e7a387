"""The demonstration case: three scans of a head with a glioblastoma, and reference labels.

Nothing in it comes from a patient: head, tumor and scanner are computed. Unlike the samples for
training, its scans lie on grids of their own, tilted and with skull, and the head has moved
between them, so that registration and brain extraction have something to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.atomic import atomic_group, check_writable, explain_write_failure
from BrainTumorSegLib.io.volumes import write_image
from BrainTumorSegLib.preprocessing.model_grid import ModelGrid, to_grid

from .canvas import brain_mask
from .config import ContrastConfig, FormShares, GliomaConfig, Kind, SynthesisConfig
from .fields import Array
from .generator import draw_scene, paint_lesion
from .lesion import shares_of, tissue_of
from .scanner import bias_field, rician
from .sources import Sources

DEFAULT_SEED = 12

#: A glioblastoma of usual size and signals.
_CONFIG = SynthesisConfig(
    tone_range=0.5,
    forms=FormShares(lobed=1.0, real=0.0),
    glioma=GliomaConfig(radius=18.0, radius_spread=0.1, oedema=(10.0, 18.0), rim=(2.5, 4.5)),
    contrast=ContrastConfig(ordered=0.0, free=0.0, jitter=0.02, stretch=0.1),
)

#: Head drawn around the brain, mm.
_MARGIN = 40.0

#: LPS position of the middle of the head, mm.
_MIDDLE = (0.0, 16.0, 8.0)

#: Largest deviation of the logarithm of the coil's sensitivity, and point spread in plane, voxels.
_BIAS, _BLUR = 0.08, 0.42


@dataclass(frozen=True)
class Protocol:
    """How a sequence is acquired.

    Attributes:
        size: voxels along columns, rows, slices.
        spacing: mm along the same axes.
        axes: unit vectors (LPS) of these axes as rows, before tilting.
        tilt: degrees about the LPS axes x, y, z.
        centre: LPS position of the middle of the volume, mm.
        white: signal of white matter in the file's units.
        noise: standard deviation of the complex noise relative to white matter.
        motion: degrees and mm about the LPS axes by which the head has moved.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    axes: tuple[tuple[float, float, float], ...]
    tilt: tuple[float, float, float]
    center: tuple[float, float, float]
    white: float
    noise: float
    motion: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


_AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0))

PROTOCOLS: Mapping[Sequence, Protocol] = {
    Sequence.T1: Protocol(
        size=(240, 200, 168), spacing=(1.0, 1.0, 1.1), axes=_SAGITTAL, tilt=(1.0, -1.5, 2.0),
        center=(0, 4, 3), white=420.0, noise=0.028,
        motion=((0.4, -0.6, 0.5), (0.5, -0.4, 0.6)),
    ),
    Sequence.T1CE: Protocol(
        size=(224, 256, 80), spacing=(0.9, 0.9, 2.0), axes=_AXIAL, tilt=(-13.0, 1.0, -2.5),
        center=(0, 6, 14), white=380.0, noise=0.028,
    ),
    Sequence.FLAIR: Protocol(
        size=(240, 256, 30), spacing=(0.9, 0.9, 5.0), axes=_AXIAL, tilt=(7.0, -2.0, 4.0),
        center=(2, 8, 10), white=300.0, noise=0.03,
        motion=((3.0, -1.6, 3.6), (2.6, -3.4, 2.4)),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class DemoScans:
    """The case in memory.

    Attributes:
        images: one scan a sequence, each on its own grid.
        reference_labels: 8-bit labels (`Tissue`) on the grid of the T1CE scan.
        brain: 8-bit brain mask on the grid of the T1CE scan.
        poses: by sequence, the rigid transform that takes a point of the T1CE scan to
            where the same anatomy lies in that sequence's scan (LPS, mm).
    """

    images: Mapping[Sequence, sitk.Image]
    reference_labels: sitk.Image
    brain: sitk.Image
    poses: Mapping[Sequence, sitk.Transform]


@dataclass(frozen=True)
class DemoCase:
    """The files of the case: scans by sequence, and labels on the grid of T1CE."""

    paths: Mapping[Sequence, Path]
    reference_labels: Path


def simulate_demo(seed: int = DEFAULT_SEED) -> DemoScans:
    """Compute the demonstration case; the same seed gives the same voxels."""
    rng = np.random.default_rng(seed)
    head = Sources().head(rng, _CONFIG.part)
    scene = draw_scene(rng, Kind.GLIOBLASTOMA, head, _CONFIG, Sources(), _MARGIN)
    layers = paint_lesion(rng, scene, _CONFIG)
    corner = np.array(_MIDDLE) - (np.array(scene.canvas.shape[::-1]) - 1) / 2
    poses = {sequence: _pose(protocol) for sequence, protocol in PROTOCOLS.items()}
    images = {}
    for sequence, picture in scene.pictures.items():
        picture = _placed(picture * bias_field(rng, picture.shape, _BIAS), corner)
        images[sequence] = _scan(rng, picture, PROTOCOLS[sequence], poses[sequence])
    # The head lies still in the T1CE scan, whose grid that of the labels is.
    grid = scan_grid(PROTOCOLS[Sequence.T1CE])
    start = corner + scene.plan.box.origin[::-1]
    shares = [to_grid(_placed(share, start), grid) for share in shares_of(layers, (...,))]
    brain = brain_mask(scene.classes, scene.depth, 1.0).astype(np.float32)
    brain = to_grid(_placed(brain, corner), grid) > 0.5
    labels = grid.image(tissue_of(np.stack(shares)))
    return DemoScans(images, labels, grid.image(brain.astype(np.uint8)), poses)


def make_demo_case(folder: Path, seed: int = DEFAULT_SEED) -> DemoCase:
    """Write the demonstration case as NIfTI files ``demo_t1.nii.gz`` and so on.

    Args:
        folder: made when it does not exist; files of an earlier demo are replaced.
        seed: another one gives another head and tumor.

    Raises:
        OutputError: naming the file and the remedy.
    """
    paths = {sequence: folder / f"demo_{sequence.value}.nii.gz" for sequence in Sequence}
    labels = folder / "demo_truth.nii.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        check_writable(labels, overwrite=True)
    except OSError as error:
        raise explain_write_failure(folder, error) from error
    with atomic_group([*paths.values(), labels], overwrite=True) as temporary:
        scans = simulate_demo(seed)
        for sequence, path in paths.items():
            write_image(scans.images[sequence], temporary[path])
        write_image(scans.reference_labels, temporary[labels])
    return DemoCase(paths, labels)


def scan_grid(protocol: Protocol) -> ModelGrid:
    """The grid that the protocol prescribes."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.radians(protocol.tilt).tolist())
    direction = np.array(turn.GetMatrix()).reshape(3, 3) @ np.array(protocol.axes).T
    middle = (np.array(protocol.size) - 1) / 2 * protocol.spacing
    origin = np.array(protocol.center) - direction @ middle
    return ModelGrid(
        protocol.size, protocol.spacing, tuple(origin.tolist()), tuple(direction.ravel().tolist())
    )


def _scan(
    rng: np.random.Generator, picture: sitk.Image, protocol: Protocol, pose: sitk.Transform
) -> sitk.Image:
    """A picture, its white matter at 1, averaged over thick slices, blurred, with noise; 16-bit."""
    grid = scan_grid(protocol)
    signal = to_grid(picture, grid, pose.GetInverse())
    signal = ndimage.gaussian_filter(signal, (0.0, _BLUR, _BLUR))
    magnitude = rician(rng, signal, protocol.noise) * np.float32(protocol.white)
    return grid.image(np.rint(magnitude).astype(np.int16))


def _pose(protocol: Protocol) -> sitk.Euler3DTransform:
    degrees, shift = protocol.motion
    pose = sitk.Euler3DTransform()
    pose.SetRotation(*np.radians(degrees).tolist())
    pose.SetTranslation(shift)
    return pose


def _placed(array: Array, corner: Array) -> sitk.Image:
    """An array at 1 mm with its first voxel at an LPS position."""
    image = sitk.GetImageFromArray(array)
    image.SetOrigin(corner.tolist())
    return image
