"""Everything around the brain: scalp, skull, face, air spaces, neck."""

from __future__ import annotations

import numpy as np

from BrainTumorSegLib.synthesis.grid import Array, Coordinates, Grid, part, refine
from BrainTumorSegLib.synthesis.materials import Layer, Material, layer
from BrainTumorSegLib.synthesis.noise import Labyrinth, smooth_noise
from BrainTumorSegLib.synthesis.outline import folded
from BrainTumorSegLib.synthesis.shapes import capsule, ellipsoid, ramp, slab, tube, union


def draw_head(grid: Grid, p: Coordinates, cavity: Array, rng: np.random.Generator) -> list[Layer]:
    """Layers from back to front, ending with the CSF that fills the cranial cavity.

    Args:
        grid: where to draw.
        p: coarse coordinates of the whole grid, not deformed by any lesion.
        cavity: coarse distance to the cranial cavity.
        rng: source of chance.
    """
    noise = [smooth_noise(rng, grid, w) for w in (50, 22)]
    y, z = p[1], p[2]
    thickness = 6.6 + 0.9 * noise[0] + 1.5 * ramp(y, -60, -95) + 1.0 * ramp(y, 40, 70)
    skull = np.maximum(cavity - thickness, -48 - z + 0.35 * np.maximum(y + 40, 0))
    skin = _skin(p, cavity - thickness, noise[0])
    whole = grid.whole
    fine_cavity, fine_thickness = refine(cavity), refine(thickness)
    layers = [
        layer(Material.SKIN, whole, skin_fine := refine(skin)),
        layer(Material.FAT, whole, skin_fine + np.float32(1.7)),
        *_soft_tissue(grid, p, cavity - thickness, skin, rng),
        layer(Material.BONE, whole, refine(skull)),
        layer(Material.MARROW, whole, _diploe(fine_cavity, fine_thickness, refine(noise[1]))),
    ]
    layers += _skull_base(grid, p, rng)
    layers += _face(grid, p, rng)
    layers += _orbits(grid, p)
    layers += _ears(grid, p)
    layers += _spine(grid, p)
    layers.append(layer(Material.DURA, whole, fine_cavity))
    layers.append(layer(Material.CSF, whole, fine_cavity + np.float32(0.9)))
    return layers


def _skin(p: Coordinates, skull: Array, noise: Array) -> Array:
    """Distance to the outer surface of the head (coarse)."""
    q = folded(p)
    scalp = skull - (5.2 + 0.6 * noise + 2.5 * ramp(p[1], -50, -90) * ramp(p[2], 30, -20))
    face = ellipsoid(p, (0, 42, -58), (61, 46, 58))
    jaw = ellipsoid(p, (0, 50, -96), (47, 37, 32))
    cheeks = ellipsoid(q, (34, 55, -62), (24, 26, 30))
    nose = tube(p, [(0, 82, -26), (0, 103, -55), (0, 88, -62)], [7, 8, 11])
    lips = ellipsoid(p, (0, 84, -86), (25, 11, 15))
    neck = tube(p, [(0, -28, -50), (0, -28, -100), (0, -32, -150)], [60, 54, 55])
    surface = union(union(scalp, face, 14), cheeks, 12)
    surface = union(union(surface, jaw, 14), lips, 10)
    surface = union(union(surface, neck, 22), nose, 9)
    sockets = ellipsoid(q, (31, 92, -32), (17, 12, 11))
    return np.maximum(surface, -sockets)


def _soft_tissue(
    grid: Grid, p: Coordinates, skull: Array, skin: Array, rng: np.random.Generator
) -> list[Layer]:
    """Muscles under the skin, parted by fat, below the vault and on the temples."""
    q = folded(p)
    _, y, z = q
    bundles = Labyrinth(rng, 22, stretch=(1, 1, 3.0)).at(p)
    depth = skin + 5.0 + 2.0 * ramp(z, -40, -80)
    low = z + 18 - 0.35 * np.maximum(y, 0) + 0.15 * np.maximum(-y - 30, 0)
    septa = refine(bundles)
    np.abs(septa, out=septa)
    muscle = np.maximum(refine(np.maximum(low, depth)), (0.13 - septa) * 4)
    temporalis = np.maximum(ellipsoid(q, (66, 12, -6), (13, 34, 44)), skin + 5.5)
    spine = slab(p, (-70, -95, -200), (70, -45, -50), 18)
    nape = np.maximum(refine(np.maximum(spine, skin + 8)), (0.10 - septa) * 4)
    galea = np.maximum(np.abs(refine(skull) - np.float32(1.2)) - 0.5, refine(-z))
    return [
        layer(Material.MUSCLE, grid.whole, np.minimum(muscle, nape), 2.5),
        layer(Material.MUSCLE, grid.whole, refine(temporalis)),
        layer(Material.MUSCLE, grid.whole, galea),
    ]


def _diploe(cavity: Array, thickness: Array, noise: Array) -> Array:
    """Fatty marrow between the two tables of the skull (fine)."""
    middle = np.abs(cavity - thickness * np.float32(0.48))
    return middle - (thickness * np.float32(0.5) - np.float32(2.5) + 0.7 * noise)


def _skull_base(grid: Grid, p: Coordinates, rng: np.random.Generator) -> list[Layer]:
    """Petrous bone, mastoid cells, clivus, sella, condyles."""
    box = grid.box((-78, 78), (-60, 40), (-76, -12))
    p = part(p, box)
    q = folded(p)
    petrous = tube(q, [(17, -8, -40), (36, -20, -40), (56, -26, -40)], [6, 9, 13])
    mastoid = ellipsoid(q, (57, -32, -52), (13, 14, 20))
    wing = tube(q, [(10, 22, -24), (30, 30, -27), (58, 26, -14)], [5, 4, 4])
    clivus = tube(p, [(0, 0, -30), (0, -8, -42), (0, -24, -60)], [9, 9, 6])
    cells = Labyrinth(rng, 8).at(p)
    airy = np.maximum(mastoid + 2.5, -(cells - 0.15) * 4)
    canal = capsule(q, (13, -22, -38), (27, -22, -38), (3, 2.2))
    cochlea = ellipsoid(q, (31, -16, -40), (3.5, 3, 3))
    return [
        layer(Material.BONE, box, union(union(petrous, mastoid, 6), wing, 4)),
        layer(Material.MARROW, box, ellipsoid(q, (20, -6, -41), (5, 5, 4)), softness=2),
        layer(Material.AIR, box, airy),
        layer(Material.BONE, box, clivus),
        layer(Material.MARROW, box, clivus + 2.2, softness=2),
        layer(Material.CSF, box, np.minimum(canal, cochlea)),
        layer(Material.GLAND, box, ellipsoid(p, (0, 3, -25), (6.5, 4.5, 4))),
    ]


def _face(grid: Grid, p: Coordinates, rng: np.random.Generator) -> list[Layer]:
    """Nasal cavity, sinuses, palate, teeth, tongue, airway and jaw."""
    box = grid.box((-62, 62), (-20, 118), (-130, 14))
    p = part(p, box)
    q = folded(p)
    x, y, z = q
    turbinates = Labyrinth(rng, 13, stretch=(1, 2.5, 1)).at(p)
    nose = np.maximum(
        slab(p, (-15, 20, -66), (15, 84, -24), 7), ellipsoid(p, (0, 50, -62), (17, 40, 36))
    )
    nose = np.minimum(nose, tube(p, [(0, 80, -60), (0, 95, -62)], [9, 6]))
    passages = np.maximum(nose + 0.8, (0.35 - np.abs(turbinates)) * 4)
    septum = np.maximum(x - 1.1, nose)
    antra = ellipsoid(q, (30, 52, -53), (14, 16, 16), turn=15)
    ethmoid = slab(q, (1.5, 28, -34), (12, 62, -19), 3)
    cells = np.maximum(ethmoid + 1, (0.22 - np.abs(Labyrinth(rng, 13).at(p))) * 4)
    sphenoid = ellipsoid(q, (7, 15, -34), (7.5, 11, 9))
    frontal = ellipsoid(q, (9, 70.5, -9), (10, 4.5, 11))
    airway = tube(p, [(0, 22, -55), (0, 6, -62), (0, 0, -85), (0, 0, -140)], [9, 9, 7, 8])
    airway = np.maximum(airway, y - 18)
    palate = slab(p, (-22, 22, -72), (22, 80, -67), 2)
    mouth = ellipsoid(p, (0, 50, -92), (27, 36, 21))
    tongue = ellipsoid(p, (0, 46, -91), (24, 32, 19))
    bundles = Labyrinth(rng, 9, stretch=(1, 2, 2)).at(p)
    jaw_path = [(50, 2, -62), (48, 6, -98), (34, 50, -112), (12, 76, -113), (0, 79, -113)]
    jaw = tube(q, jaw_path, [6, 8, 8, 8, 8])
    arc = tube(q, [(26, 36, -81), (22, 58, -81), (10, 75, -81), (0, 78, -81)], [5, 5, 4, 4])
    upper = np.maximum(arc, np.abs(z + 81) - 6)
    lower = tube(q, [(26, 36, -98), (21, 56, -98), (9, 72, -98), (0, 75, -98)], [5, 5, 4, 4])
    zygoma = tube(q, [(38, 66, -46), (56, 44, -46), (66, 5, -44)], [6, 5, 4])
    return [
        layer(Material.BONE, box, zygoma),
        layer(Material.MARROW, box, zygoma + 2.2),
        layer(Material.BONE, box, antra - 1.6),
        layer(Material.MUCOSA, box, antra - 0.5),
        layer(Material.AIR, box, antra + 0.6),
        layer(Material.BONE, box, np.minimum(nose - 1.2, ethmoid - 1)),
        layer(Material.MUCOSA, box, np.minimum(nose, ethmoid)),
        layer(Material.AIR, box, np.minimum(passages, cells)),
        layer(Material.CARTILAGE, box, septum),
        layer(Material.BONE, box, np.minimum(sphenoid, frontal) - 1.6),
        layer(Material.AIR, box, np.minimum(sphenoid, frontal)),
        layer(Material.MUCOSA, box, airway - 2.5),
        layer(Material.AIR, box, airway),
        layer(Material.BONE, box, palate),
        layer(Material.MUCOSA, box, mouth),
        layer(Material.MUSCLE, box, tongue),
        layer(Material.FAT, box, np.maximum(tongue + 3, (np.abs(bundles) - 0.18) * 4), 2.5),
        layer(Material.BONE, box, np.minimum(np.minimum(jaw, upper), lower)),
        layer(Material.MARROW, box, jaw + 2.6, softness=2),
    ]


def _orbits(grid: Grid, p: Coordinates) -> list[Layer]:
    """Eyes with lens, muscles and nerve in a cone of fat."""
    box = grid.box((-56, 56), (6, 98), (-56, -12))
    q = folded(part(p, box))
    cone = tube(q, [(12, 20, -29), (26, 46, -34), (32, 66, -34)], [5, 14, 18])
    cone = np.maximum(cone, ellipsoid(q, (29, 52, -34), (20, 29, 16)))
    globe = ellipsoid(q, (32, 66, -33), (12.3, 12.3, 12))
    lens = ellipsoid(q, (32.5, 75, -33), (4.8, 2.2, 4.6))
    nerve = tube(q, [(32, 55, -33), (26, 42, -31), (12, 22, -26), (4, 9, -19)], [2, 2, 2, 1.8])
    apex = (12.0, 20.0, -28.0)
    muscles = np.minimum.reduce(
        [
            tube(q, [apex, (27 + a, 46, -32 + b), (32 + 1.2 * a, 64, -33 + 1.2 * b)], [1, 2.2, 1])
            for a, b in ((-10, 0), (10.5, 0), (0, 10), (0, -10))
        ]
    )
    lids = np.maximum(globe - 3.2, 70 - q[1])
    return [
        layer(Material.BONE, box, cone - 1.4),
        layer(Material.FAT, box, cone),
        layer(Material.SKIN, box, lids),
        layer(Material.MUSCLE, box, muscles),
        layer(Material.STEM, box, nerve),
        layer(Material.DURA, box, globe),
        layer(Material.VITREOUS, box, globe + 1.0),
        layer(Material.GLAND, box, lens),
    ]


def _ears(grid: Grid, p: Coordinates) -> list[Layer]:
    box = grid.box((-92, 92), (-56, 6), (-76, -6))
    q = folded(part(p, box))
    pinna = ellipsoid(q, (82, -29, -38), (3.2, 15, 27), turn=-28)
    bowl = ellipsoid(q, (82, -22, -42), (5, 7, 8))
    canal = tube(q, [(84, -22, -42), (70, -20, -42), (56, -20, -41)], [3.4, 3, 2.6])
    return [
        layer(Material.SKIN, box, pinna),
        layer(Material.CARTILAGE, box, pinna + 1.6),
        layer(Material.AIR, box, np.minimum(canal, bowl)),
    ]


def _spine(grid: Grid, p: Coordinates) -> list[Layer]:
    """Atlas, axis and what follows, each with a disc below."""
    box = grid.box((-30, 30), (-92, 4), (-132, -58))
    p = part(p, box)
    q = folded(p)
    arch_atlas = tube(q, [(0, -14, -70), (17, -24, -70), (20, -42, -71), (0, -62, -73)], [3.5] * 4)
    dens = tube(p, [(0, -20, -67), (0, -22, -88)], [5, 7])
    bodies = np.minimum.reduce(
        [slab(p, (-11, -33, z - 13), (11, -13, z), 3) for z in (-84, -101, -118)]
    )
    spines = np.minimum.reduce(
        [
            tube(q, [(14, -44, z), (0, -60, z - 4), (0, -76, z - 8)], [4, 4, 3.5])
            for z in (-88, -105, -122)
        ]
    )
    discs = slab(p, (-10, -32, -130), (10, -14, -84), 3)
    bone = np.minimum(np.minimum(arch_atlas, dens), np.minimum(bodies, spines))
    return [
        layer(Material.CARTILAGE, box, discs),
        layer(Material.BONE, box, bone),
        layer(Material.MARROW, box, bone + 1.4),
    ]
