"""A glioblastoma: ragged enhancing rim, necrosis, infiltration, oedema, mass effect.

Shapes follow what is seen on scans: a lobed core whose rim changes in thickness and
breaks inwards, solid tumour without enhancement on one side of it, and oedema that
spreads along white matter and is halted by cortex, deep grey matter and ventricles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.synthesis.grid import Array, Coordinates, Grid, part, refine
from BrainTumorSegLib.synthesis.materials import Layer, Material, from_share, render, share_of
from BrainTumorSegLib.synthesis.noise import smooth_noise
from BrainTumorSegLib.synthesis.shapes import coverage, ellipsoid, union

#: How fast oedema spreads, relative to white matter.
_SPREAD = {
    Material.WHITE: 1.0,
    Material.STEM: 0.4,
    Material.PALLIDUM: 0.3,
    Material.DEEP_GREY: 0.2,
    Material.GREY: 0.13,
}


@dataclass(frozen=True)
class Glioblastoma:
    """Where the tumour is and how large.

    Attributes:
        centre: RAS, mm.
        radius: of the core (rim included), mm.
        push: how far its surface pushes the brain away, mm.
        oedema: how far the oedema reaches into white matter, mm.
    """

    centre: tuple[float, float, float]
    radius: float = 16.0
    push: float = 7.0
    oedema: float = 17.0


def mass_effect(tumour: Glioblastoma, p: Coordinates, decay: float = 24.0) -> Coordinates:
    """The way (mm) from each point to where its tissue lay before the tumour grew.

    Tissue is pushed away from the centre, the less the farther: exponentially over
    ``decay`` mm beyond the core.
    """
    away = [c - np.float32(m) for c, m in zip(p, tumour.centre, strict=True)]
    distance = np.sqrt(sum(a * a for a in away)) + np.float32(1e-3)
    outside = np.maximum(distance - tumour.radius, 0)
    length = tumour.push * np.exp(-outside / np.float32(decay))
    length *= np.minimum(distance / np.float32(tumour.radius), 1)
    x, y, z = (-a / distance * length for a in away)
    return x, y, z


def grow_glioblastoma(
    tumour: Glioblastoma, grid: Grid, layers: Sequence[Layer], rng: np.random.Generator
) -> list[Layer]:
    """Layers of the tumour, to be laid over those of the head.

    Args:
        tumour: place and size.
        grid: where the head is drawn.
        layers: of the head, already displaced by `mass_effect`.
        rng: source of chance.
    """
    span = tumour.radius + 1.6 * tumour.oedema + 6
    box = grid.box(*((c - span, c + span) for c in tumour.centre))
    p = part(grid.coordinates(), box)
    noise = {w: refine(smooth_noise(rng, grid, w)[box.coarse]) for w in (8, 13, 20, 34)}
    directions = rng.standard_normal((3, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    parenchyma = share_of(grid, layers, *_SPREAD)[box.fine]
    speed = render(grid, layers, _SPREAD)[box.fine]

    core = _core(tumour, p, noise, directions)
    necrosis = _necrosis(tumour, p, core, noise, directions[2])
    infiltration = _infiltration(tumour, p, core, noise, directions[1])
    # What infiltrates keeps to the brain; the solid core also fills the sulci between.
    solid = coverage(core) * np.clip(parenchyma + coverage(core + 3), 0, 1)
    infiltrated = coverage(infiltration, 2.5) * parenchyma
    oedema = _oedema(tumour, grid, np.minimum(core, infiltration), speed, noise)
    return [
        from_share(Material.EDEMA, box, oedema * parenchyma),
        from_share(Material.NON_ENHANCING, box, infiltrated),
        from_share(Material.ENHANCING, box, solid),
        from_share(Material.NECROSIS, box, coverage(necrosis, 1.5)),
    ]


def _core(
    tumour: Glioblastoma, p: Coordinates, noise: dict[int, Array], directions: Array
) -> Array:
    """Distance to the surface of the enhancing tumour: two lobes, bumpy."""
    r = tumour.radius
    centre = np.asarray(tumour.centre)
    main = ellipsoid(p, centre, (0.86 * r, 1.0 * r, 0.92 * r), turn=25)
    lobe = ellipsoid(p, centre + 0.72 * r * directions[0], (0.55 * r, 0.6 * r, 0.5 * r))
    return union(main, lobe, 5) + 1.5 * noise[20] + 0.8 * noise[8]


def _necrosis(
    tumour: Glioblastoma, p: Coordinates, core: Array, noise: dict[int, Array], thick: Array
) -> Array:
    """Distance to the dead middle; the rim is thickest in direction ``thick``."""
    nodule = np.asarray(tumour.centre) + 0.8 * tumour.radius * thick
    near = sum(np.square(c - np.float32(m)) for c, m in zip(p, nodule, strict=True))
    rim = 3.2 + 1.3 * noise[34] + 6.5 * np.exp(-near / np.float32(2 * 6.0**2))
    ragged = core + np.maximum(rim, 1.7) + 0.9 * noise[8] + 0.7 * noise[13]
    septum = np.maximum(np.abs(noise[34] - 0.3) * 11 - 0.7, 2 - 4 * noise[20])
    return np.maximum(ragged, -septum)


def _infiltration(
    tumour: Glioblastoma, p: Coordinates, core: Array, noise: dict[int, Array], side: Array
) -> Array:
    """Distance to tumour without enhancement: a lobe on one side and a thin coat."""
    r = tumour.radius
    centre = np.asarray(tumour.centre) + 0.95 * r * side
    lobe = ellipsoid(p, centre, (0.78 * r, 0.85 * r, 0.72 * r)) + 1.5 * noise[13]
    coat = core - 1.0 - 1.3 * noise[20]
    return union(lobe, coat, 4)


def _oedema(
    tumour: Glioblastoma,
    grid: Grid,
    tumour_distance: Array,
    speed: Array,
    noise: dict[int, Array],
) -> Array:
    """Share of oedema 0..1 from the time it needs to arrive (fast marching)."""
    speed = np.square(speed) * np.exp(0.35 * noise[13] + 0.35 * noise[20]) + np.float32(0.004)
    speed[tumour_distance < 0] = 2.0
    image = sitk.GetImageFromArray(speed.astype(np.float32))
    image.SetSpacing([grid.spacing] * 3)
    starts = np.argwhere(np.abs(tumour_distance + 1.5) < 0.6)[::3, ::-1]
    arrival = sitk.FastMarching(
        image, trialPoints=starts.tolist(), normalizationFactor=1.0, stoppingValue=60.0
    )
    time = np.minimum(sitk.GetArrayFromImage(arrival), 1e3).astype(np.float32)
    left = np.float32(tumour.oedema) - time
    share = np.clip(0.5 + left / 5, 0, 1) * (0.82 + 0.18 * np.clip(left / tumour.oedema, 0, 1))
    return np.where(tumour_distance < 0, np.float32(1), share).astype(np.float32)
