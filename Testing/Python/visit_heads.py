"""Visits of a made-up patient: one brain on any grid, with lesions that come, grow and go."""

from __future__ import annotations

from datetime import date
from hashlib import sha256

import numpy as np
import SimpleITK as sitk
from registration_scans import PARTS
from voxel_positions import positions

from BrainTumorSegLib.core.case import Scan
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.follow_up.visits import Visit

#: Middle (LPS, mm) of each lesion in the head at rest.
PLACES = {"large": (30.4, -25.7, 24.6), "second": (-32.3, 20.6, 19.7), "third": (-20.3, -44.6, 5.3)}


def grid(spacing=(2.0, 2.0, 2.0), moved_by: sitk.Transform | None = None, axes=None) -> sitk.Image:
    """An empty grid around where a head lies that was moved; its axes as columns."""
    axes = np.eye(3) if axes is None else np.asarray(axes, float)
    image = sitk.Image([int(np.ceil(180.0 / s)) for s in spacing], sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetDirection(axes.ravel().tolist())
    middle = np.zeros(3) if moved_by is None else np.array(moved_by.TransformPoint((0, 0, 0)))
    half = (np.array(image.GetSize()) - 1) / 2 * np.array(spacing)
    image.SetOrigin((middle - axes @ half).tolist())
    return image


def visit(
    day: str,
    radii: dict[str, float],
    empty: sitk.Image,
    moved_by: sitk.Transform | None = None,
    seed: int = 0,
) -> Visit:
    """A stripped T1CE of the head and its true labels.

    Args:
        radii: mm of each lesion: enhancing, necrotic within a third of it; the large one lies in
            edema of 6 mm.
        empty: the grid.
        moved_by: where points of the head at rest went.
    """
    points = positions(empty)
    if moved_by is not None:
        back = moved_by.GetInverse()
        zero = np.array(back.TransformPoint((0.0, 0.0, 0.0)))
        columns = [np.array(back.TransformPoint(e)) - zero for e in np.eye(3).tolist()]
        points = points @ np.stack(columns) + zero
    values = np.zeros(points.shape[:3], np.float32)
    # Without scalp, skull and tumor.
    for middle, half, brightness in PARTS[2:8]:
        values[(((points - middle) / half) ** 2).sum(axis=-1) < 1] = brightness[0]
    brain = values > 0
    labels = np.zeros(values.shape, np.uint8)
    for name, radius in radii.items():
        apart = np.linalg.norm(points - PLACES[name], axis=-1)
        for tissue, within in (
            (Tissue.EDEMA, radius + 6.0 * (name == "large")),
            (Tissue.ENHANCING, radius),
            (Tissue.NECROSIS, radius / 3),
        ):
            labels[apart < within] = tissue
    for tissue, brightness in ((Tissue.EDEMA, 90), (Tissue.ENHANCING, 240), (Tissue.NECROSIS, 50)):
        values[labels == tissue] = brightness
    noise = np.random.default_rng(seed).normal(0, 4, values.shape)
    values = np.where(brain, np.maximum(values + noise, 1.0), 0.0).astype(np.float32)
    images = [sitk.GetImageFromArray(array) for array in (values, labels)]
    for image in images:
        image.CopyInformation(empty)
    return Visit(
        date.fromisoformat(day),
        images[1],
        Scan(images[0], f"{day}_t1ce.nii.gz", sha256=sha256(day.encode()).hexdigest()),
        Sequence.T1CE,
        day,
    )


def ball_ml(radius: float) -> float:
    """Volume of a ball in mL."""
    return 4 / 3 * np.pi * radius**3 / 1000
