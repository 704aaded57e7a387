"""Forms of tumours: signed distances (mm, negative inside) on the coarse nodes of a box."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.synthesis.grid import COARSE, Array
from BrainTumorSegLib.synthesis.shapes import union
from BrainTumorSegLib.synthesis.tumours.fields import (
    coarse_noise,
    random_rotation,
    turned_ellipsoid,
)
from BrainTumorSegLib.synthesis.tumours.plan import Box


def lobed(
    rng: np.random.Generator, box: Box, centre: Array, radius: float, lobes: int, rough: float
) -> Array:
    """Ellipsoids that run into each other, with bumps of several sizes.

    Args:
        rng: source of chance.
        box: where.
        centre: canvas voxel ``(slice, row, column)``.
        radius: mm, about that of a ball of the same volume.
        lobes: number of further ellipsoids.
        rough: 0 smooth, 1 bumpy.
    """
    p = box.offsets(centre)
    semi = radius * np.exp(rng.normal(0, 0.16, 3))
    semi *= radius / np.prod(semi) ** (1 / 3)
    form = turned_ellipsoid(p, (0, 0, 0), semi * 0.95, random_rotation(rng))
    for _ in range(lobes):
        direction = rng.standard_normal(3)
        direction *= radius * rng.uniform(0.55, 0.95) / np.linalg.norm(direction)
        lobe = radius * rng.uniform(0.35, 0.65) * np.exp(rng.normal(0, 0.15, 3))
        other = turned_ellipsoid(p, direction, lobe, random_rotation(rng))
        form = union(form, other, 0.3 * radius)
    for wavelength, strength in ((2.2 * radius, 0.13), (radius, 0.08), (9.0, 0.03)):
        bumps = coarse_noise(rng, box.nodes, max(wavelength, 6.0))
        form += np.float32(rough * strength * radius) * bumps
    return form


def grown(
    rng: np.random.Generator, box: Box, centre: Array, radius: float, speed: Array | None = None
) -> Array:
    """A form that has grown from its centre at a speed which differs from place to place.

    Args:
        rng: source of chance.
        box: where.
        centre: canvas voxel.
        radius: mm of a ball of the same volume.
        speed: relative speed of growth at each node, for example of tissue.
    """
    easy = np.exp(0.55 * coarse_noise(rng, box.nodes, 1.1 * radius + 6))
    easy *= np.exp(0.3 * coarse_noise(rng, box.nodes, 9.0))
    if speed is not None:
        easy = easy * speed
    start = (np.asarray(centre) - box.origin) / COARSE
    start = np.clip(np.round(start), 0, np.array(box.nodes) - 1).astype(int)
    time = arrival(easy, [tuple(start)], limit=12 * radius)
    wanted = 4 / 3 * np.pi * radius**3 / COARSE**3
    inside = time <= np.partition(time.ravel(), min(int(wanted), time.size - 1))[int(wanted)]
    return signed_distance(inside)


def arrival(speed: Array, starts: list[tuple[int, ...]], limit: float) -> Array:
    """Time (mm at speed 1) for a front to arrive at each node; ``limit`` where it does not.

    Args:
        speed: on coarse nodes.
        starts: nodes ``(slice, row, column)`` where it sets out.
        limit: where to stop.
    """
    image = sitk.GetImageFromArray(np.maximum(speed, 1e-3).astype(np.float32))
    image.SetSpacing([float(COARSE)] * 3)
    points = [[int(n) for n in reversed(node)] for node in starts]
    times = sitk.FastMarching(
        image, trialPoints=points, normalizationFactor=1.0, stoppingValue=float(limit)
    )
    return np.minimum(sitk.GetArrayFromImage(times), limit).astype(np.float32)


def signed_distance(inside: Array, spacing: float = COARSE) -> Array:
    """Distance in mm to the surface of a mask, a little smoothed."""
    image = sitk.GetImageFromArray(inside.astype(np.uint8))
    field = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=False)
    # The filter is zero on the outermost voxels inside; the surface lies half a voxel further.
    array = (sitk.GetArrayFromImage(field) - np.float32(0.5)) * np.float32(spacing)
    return ndimage.gaussian_filter(array, 0.6)


def spread(
    core: Array, speed: Array, reach: float, noisy: Array, limit: float | None = None
) -> Array:
    """Time left (mm, positive inside) of oedema that sets out from the surface of a core.

    Args:
        core: coarse distance to the surface.
        speed: coarse speed of the tissue, see `anatomy_classes.OEDEMA_SPEED`.
        reach: mm in white matter.
        noisy: coarse noise of deviation 1 that makes the front uneven.
        limit: where to stop looking; a little beyond ``reach`` by default.
    """
    pace = np.square(speed) * np.exp(np.float32(0.4) * noisy) + np.float32(0.004)
    # The front leaves the lesion freely, through the cortex that it lies on.
    pace[core < 3] = np.maximum(pace[core < 3], 0.7)
    pace[core < 0] = 4.0
    starts = np.argwhere(np.abs(core) < 1.5)[::2]
    if len(starts) == 0:
        starts = np.argwhere(core <= core.min() + 0.5)[:1]
    times = arrival(pace, [tuple(s) for s in starts], limit or reach + 12)
    return np.float32(reach) - times
