"""Scans with known offsets for the registration tests: a phantom head, and real scans moved."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from BrainTumorSegLib.core.case import Case, Scan
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.preprocessing.registration.head import find_head
from BrainTumorSegLib.preprocessing.registration.quality import mask_points

CHECKOUT = Path(__file__).resolve().parents[2]

#: Middle [mm, LPS], half axes [mm] and brightness on T1CE, T1 and FLAIR of each part of the head.
PARTS = (
    ((0, 0, 0), (75, 92, 80), (60, 70, 70)),  # scalp
    ((0, 2, 2), (68, 84, 72), (20, 15, 15)),  # skull
    ((0, 2, 4), (64, 79, 66), (110, 120, 150)),  # grey matter
    ((22, 5, 14), (26, 52, 34), (150, 170, 110)),  # white matter, left
    ((-22, 5, 14), (26, 52, 34), (150, 170, 110)),  # white matter, right
    ((9, 8, 12), (6, 28, 10), (45, 40, 20)),  # ventricle, left
    ((-9, 0, 12), (5, 22, 9), (45, 40, 20)),  # ventricle, right
    ((0, 46, -42), (34, 20, 16), (130, 140, 120)),  # cerebellum
    ((30, -30, 30), (12, 10, 13), (230, 90, 230)),  # tumour
)


#: The phantom is as small as a newborn's head, which keeps the tests quick.
SIZE = 0.7


def phantom(
    sequence: Sequence,
    spacing: tuple[float, float, float] = (3.0, 3.0, 3.0),
    moved_by: sitk.Transform | None = None,
    seed: int = 0,
) -> sitk.Image:
    """A head made of ellipsoids; ``moved_by`` says where its points went (LPS mm)."""
    column = (Sequence.T1CE, Sequence.T1, Sequence.FLAIR).index(sequence)
    extent = SIZE * np.array([190.0, 220.0, 190.0])
    size = np.ceil(extent / spacing).astype(int)
    image = sitk.Image(size.tolist(), sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetOrigin((-(size - 1) / 2 * np.array(spacing)).tolist())
    k, j, i = np.indices(size[::-1])
    points = np.stack([i, j, k], axis=-1) * np.array(spacing) + np.array(image.GetOrigin())
    if moved_by is not None:
        back = moved_by.GetInverse()
        zero = np.array(back.TransformPoint((0.0, 0.0, 0.0)))
        columns = [np.array(back.TransformPoint(e)) - zero for e in np.eye(3).tolist()]
        points = points @ np.stack(columns) + zero
    values = np.zeros(points.shape[:3], np.float32)
    for middle, axes, brightness in PARTS:
        inside = (((points / SIZE - middle) / axes) ** 2).sum(axis=-1) < 1
        values[inside] = brightness[column]
    values = np.abs(values + np.random.default_rng(seed + column).normal(0, 3, values.shape))
    filled = sitk.GetImageFromArray(values.astype(np.float32))
    filled.CopyInformation(image)
    return sitk.SmoothingRecursiveGaussian(filled, 1.5)


def rigid(
    axis: tuple[float, float, float],
    degrees: float,
    shift: tuple[float, float, float],
    center: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> sitk.VersorRigid3DTransform:
    """A rotation about an axis through ``center``, then a shift in mm."""
    transform = sitk.VersorRigid3DTransform()
    transform.SetCenter(center)
    unit = np.array(axis, float) / np.linalg.norm(axis)
    matrix = Rotation.from_rotvec(unit * np.radians(degrees)).as_matrix()
    transform.SetMatrix(matrix.ravel().tolist())
    transform.SetTranslation(shift)
    return transform


def with_moved_header(image: sitk.Image, transform: sitk.Transform) -> sitk.Image:
    """The same voxels, lying where a head moved by the transform would lie."""
    zero = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(e)) - zero for e in np.eye(3).tolist()]
    matrix = np.stack(columns, axis=1)
    moved = sitk.Image(image)
    direction = matrix @ np.array(image.GetDirection()).reshape(3, 3)
    moved.SetDirection(direction.ravel().tolist())
    moved.SetOrigin(transform.TransformPoint(image.GetOrigin()))
    return moved


def rescanned(
    image: sitk.Image,
    spacing: tuple[float, float, float],
    transform: sitk.Transform | None = None,
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0),
    flips: tuple[bool, bool, bool] = (False, False, False),
) -> sitk.Image:
    """The head, moved by the transform, scanned anew on another grid.

    Thick slices average over their thickness; ``tilt`` turns the grid about x, y, z
    (degrees) and ``flips`` reverses its axes.
    """
    smooth = sitk.Cast(image, sitk.sitkFloat32)
    for axis, (new, old) in enumerate(zip(spacing, image.GetSpacing(), strict=True)):
        if new > old:
            # Full width at half maximum of the slice profile.
            sigma = np.sqrt(new**2 - old**2) / 2.355
            smooth = sitk.RecursiveGaussian(smooth, sigma, False, 0, axis)
    directions = np.array(image.GetDirection()).reshape(3, 3)
    directions = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ directions
    directions = directions @ np.diag([-1.0 if f else 1.0 for f in flips])
    size = np.ceil(
        np.array(image.GetSize()) * np.array(image.GetSpacing()) / np.array(spacing)
    ).astype(int)
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    origin = np.array(middle) - directions @ (np.array(spacing) * (size - 1) / 2)
    back = transform.GetInverse() if transform is not None else sitk.Transform()
    return sitk.Resample(
        smooth,
        size.tolist(),
        back,
        sitk.sitkLinear,
        origin.tolist(),
        spacing,
        directions.ravel().tolist(),
        0.0,
        sitk.sitkFloat32,
    )


def case_of(fixed: sitk.Image, moving: sitk.Image, sequence: Sequence = Sequence.FLAIR) -> Case:
    """A case of a T1CE reference and one other scan."""
    scans = {
        Sequence.T1CE: Scan(fixed, "reference.nii.gz"),
        sequence: Scan(moving, f"{sequence.value}.nii.gz"),
    }
    return Case("case", scans)


def landmark_error(reference: sitk.Image, found: sitk.Transform, truth: sitk.Transform) -> float:
    """Mean distance in mm over points of the head between found and true place."""
    points = mask_points(find_head(reference, "reference").mask, 2000).tolist()
    moved = [np.subtract(found.TransformPoint(p), truth.TransformPoint(p)) for p in points]
    return float(np.linalg.norm(moved, axis=1).mean())


def fake_brainsfit(folder: Path) -> Path:
    """An executable that behaves as BRAINSFit, see ``Testing/Fakes/BRAINSFit.py``."""
    script = CHECKOUT / "Testing" / "Fakes" / "BRAINSFit.py"
    folder.mkdir(parents=True, exist_ok=True)
    if os.name == "nt":
        program = folder / "BRAINSFit.bat"
        program.write_text(f'@set PYTHONPATH={CHECKOUT}\n@"{sys.executable}" "{script}" %*\n')
        return program
    program = folder / "BRAINSFit"
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH='{CHECKOUT}' exec '{sys.executable}' '{script}' \"$@\"\n",
        encoding="utf-8",
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
