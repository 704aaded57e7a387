"""A whole head without any data: scalp, skull, face, neck and vessels round a drawn brain."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .canvas import Anatomy, at_nodes, bounds_of
from .classes import PARENCHYMA, A, is_any
from .drawn_brain import (
    NODES,
    ORIGIN,
    Layer,
    cavity,
    draw_deep_brain,
    draw_stem,
    drawing_box,
    fold_cerebellum,
    fold_cerebrum,
    folded,
    layer,
    part,
    tentorium_height,
)
from .fields import COARSE, Array, Coordinates, Labyrinth, coarse_noise, refine
from .shapes import Box, capsule, ellipsoid, ramp, slab, tube, union

#: The middle of the fourth ventricle of drawn heads, RAS mm.
_FOURTH_VENTRICLE = (0.0, -42.0, -33.0)

#: All of the grid.
_WHOLE = Box((0, 0, 0), tuple(COARSE * (n - 1) + 1 for n in NODES))


@lru_cache(maxsize=8)
def drawn_head(seed: int) -> Anatomy:
    """The head that a seed draws; the last few are kept in memory (some seconds each)."""
    rng = np.random.default_rng([seed, 4])
    x, y, z = p = _coordinates()
    # No two halves and no two heads are alike.
    head = tuple(c + 0.4 * coarse_noise(rng, NODES, 100) for c in p)
    walls = cavity(head)
    inside = ramp(walls, 0, -14)
    brain = tuple(c + inside * 1.2 * coarse_noise(rng, NODES, 45) for c in head)
    classes = np.zeros(_WHOLE.shape, np.uint8)
    for kind, box, where in _draw_layers(head, walls, brain, rng):
        classes[box.fine][where] = kind
    depth = -refine(walls)
    # The drawing has fewer classes than the generator: tell them apart by their place.
    side, back = refine(np.abs(x)), refine(y)
    below = refine(z - tentorium_height(np.abs(x), y)) < 0
    behind = below & (back < -30)
    classes[behind & (classes == A.WHITE)] = A.CEREBELLAR_WHITE
    classes[behind & (classes == A.CORTEX)] = A.CEREBELLAR_CORTEX
    classes[(classes == A.STRIATUM) & (back < -2) & (side < 22)] = A.THALAMUS
    inner = (classes == A.CSF) & (depth > 18) & (side < 32)
    classes[inner & ~below & (side > 2)] = A.VENTRICLE
    # From RAS to LPS order.
    classes, depth = (np.ascontiguousarray(a[:, ::-1, ::-1]) for a in (classes, depth))
    # The cavity ends at the foramen magnum; the cord below is not brain.
    height = np.arange(len(depth), dtype=np.float32) + np.float32(ORIGIN[2] + 66)
    depth = np.minimum(depth, height[:, None, None])
    right, front, up = (at - start for at, start in zip(_FOURTH_VENTRICLE, ORIGIN, strict=True))
    rows, columns = classes.shape[1] - 1, classes.shape[2] - 1
    landmark = (up, rows - front, columns - right)
    bounds = bounds_of(is_any(classes, PARENCHYMA) & (depth > 0))
    name = f"drawn head {seed}"
    return Anatomy(name, classes, at_nodes(depth), landmark[2], landmark, bounds)


def _coordinates() -> Coordinates:
    """RAS coordinates x, y, z of the coarse nodes, each ``[z, y, x]`` float32."""
    axes = [
        np.float32(start) + np.float32(COARSE) * np.arange(count, dtype=np.float32)
        for start, count in zip(reversed(ORIGIN), NODES, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return x, y, z


def _draw_layers(
    head: Coordinates, walls: Array, brain: Coordinates, rng: np.random.Generator
) -> list[Layer]:
    """All layers from back to front."""
    layers = _draw_head(head, walls, rng)
    cortex, vessels = fold_cerebrum(brain, rng)
    layers += fold_cerebellum(brain, rng)
    layers += [*cortex, *draw_stem(brain), *draw_deep_brain(brain), vessels]
    return [*layers, *_folds_and_sinuses(brain, walls), *_arteries(brain)]


# Around the brain


def _draw_head(p: Coordinates, walls: Array, rng: np.random.Generator) -> list[Layer]:
    """Layers from back to front, ending with the CSF that fills the cranial cavity.

    From coarse coordinates of the head and the coarse distance to the walls of the cavity.
    """
    slow, uneven = (coarse_noise(rng, NODES, w) for w in (50, 22))
    y, z = p[1], p[2]
    thickness = 6.6 + 0.9 * slow + 1.5 * ramp(y, -60, -95) + 1.0 * ramp(y, 40, 70)
    skull = np.maximum(walls - thickness, -48 - z + 0.35 * np.maximum(y + 40, 0))
    skin = _skin(p, walls - thickness, slow)
    fine_walls, fine_skin = refine(walls), refine(skin)
    return [
        layer(A.SKIN, _WHOLE, fine_skin),
        layer(A.FAT, _WHOLE, fine_skin + np.float32(1.7)),
        *_soft_tissue(p, walls - thickness, skin, rng),
        layer(A.BONE, _WHOLE, refine(skull)),
        layer(A.MARROW, _WHOLE, _diploe(fine_walls, refine(thickness), refine(uneven))),
        *_skull_base(p, rng),
        *_face(p, rng),
        *_orbits(p),
        *_ears(p),
        *_spine(p),
        layer(A.DURA, _WHOLE, fine_walls),
        layer(A.CSF, _WHOLE, fine_walls + np.float32(0.9)),
    ]


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
    p: Coordinates, skull: Array, skin: Array, rng: np.random.Generator
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
    shapes = [muscle, nape, refine(temporalis), galea]
    return [layer(A.MUSCLE, _WHOLE, np.minimum.reduce(shapes))]


def _diploe(walls: Array, thickness: Array, noise: Array) -> Array:
    """Fatty marrow between the two tables of the skull (fine)."""
    middle = np.abs(walls - thickness * np.float32(0.48))
    return middle - (thickness * np.float32(0.5) - np.float32(2.5) + 0.7 * noise)


def _skull_base(p: Coordinates, rng: np.random.Generator) -> list[Layer]:
    """Petrous bone, mastoid cells, clivus, sella, condyles."""
    box = drawing_box((-78, 78), (-60, 40), (-76, -12))
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
        layer(A.BONE, box, union(union(petrous, mastoid, 6), wing, 4)),
        layer(A.MARROW, box, ellipsoid(q, (20, -6, -41), (5, 5, 4))),
        layer(A.AIR, box, airy),
        layer(A.BONE, box, clivus),
        layer(A.MARROW, box, clivus + 2.2),
        layer(A.CSF, box, np.minimum(canal, cochlea)),
        layer(A.MUCOSA, box, ellipsoid(p, (0, 3, -25), (6.5, 4.5, 4))),
    ]


def _face(p: Coordinates, rng: np.random.Generator) -> list[Layer]:
    """Nasal cavity, sinuses, palate, teeth, tongue, airway and jaw."""
    box = drawing_box((-62, 62), (-20, 118), (-130, 14))
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
    sinuses = np.minimum(sphenoid, frontal)
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
        layer(A.BONE, box, zygoma),
        layer(A.MARROW, box, zygoma + 2.2),
        layer(A.BONE, box, antra - 1.6),
        layer(A.MUCOSA, box, antra - 0.5),
        layer(A.AIR, box, antra + 0.6),
        layer(A.BONE, box, np.minimum(nose - 1.2, ethmoid - 1)),
        layer(A.MUCOSA, box, np.minimum(nose, ethmoid)),
        layer(A.AIR, box, np.minimum(passages, cells)),
        layer(A.MUSCLE, box, septum),
        layer(A.BONE, box, sinuses - 1.6),
        layer(A.AIR, box, sinuses),
        layer(A.MUCOSA, box, airway - 2.5),
        layer(A.AIR, box, airway),
        layer(A.BONE, box, palate),
        layer(A.MUCOSA, box, mouth),
        layer(A.MUSCLE, box, tongue),
        layer(A.FAT, box, np.maximum(tongue + 3, (np.abs(bundles) - 0.18) * 4)),
        layer(A.BONE, box, np.minimum(np.minimum(jaw, upper), lower)),
        layer(A.MARROW, box, jaw + 2.6),
    ]


def _orbits(p: Coordinates) -> list[Layer]:
    """Eyes with lens, muscles and nerve in a cone of fat."""
    box = drawing_box((-56, 56), (6, 98), (-56, -12))
    q = folded(part(p, box))
    cone = tube(q, [(12, 20, -29), (26, 46, -34), (32, 66, -34)], [5, 14, 18])
    cone = np.maximum(cone, ellipsoid(q, (29, 52, -34), (20, 29, 16)))
    globe = ellipsoid(q, (32, 66, -33), (12.3, 12.3, 12))
    lens = ellipsoid(q, (32.5, 75, -33), (4.8, 2.2, 4.6))
    nerve = tube(q, [(32, 55, -33), (26, 42, -31), (12, 22, -26), (4, 9, -19)], [2, 2, 2, 1.8])
    apex = (12.0, 20.0, -28.0)
    muscles = [
        tube(q, [apex, (27 + a, 46, -32 + b), (32 + 1.2 * a, 64, -33 + 1.2 * b)], [1, 2.2, 1])
        for a, b in ((-10, 0), (10.5, 0), (0, 10), (0, -10))
    ]
    lids = np.maximum(globe - 3.2, 70 - q[1])
    return [
        layer(A.BONE, box, cone - 1.4),
        layer(A.FAT, box, cone),
        layer(A.SKIN, box, lids),
        layer(A.MUSCLE, box, np.minimum.reduce(muscles)),
        layer(A.STEM, box, nerve),
        layer(A.DURA, box, globe),
        layer(A.EYE, box, globe + 1.0),
        layer(A.MUCOSA, box, lens),
    ]


def _ears(p: Coordinates) -> list[Layer]:
    box = drawing_box((-92, 92), (-56, 6), (-76, -6))
    q = folded(part(p, box))
    pinna = ellipsoid(q, (82, -29, -38), (3.2, 15, 27), turn=-28)
    bowl = ellipsoid(q, (82, -22, -42), (5, 7, 8))
    canal = tube(q, [(84, -22, -42), (70, -20, -42), (56, -20, -41)], [3.4, 3, 2.6])
    return [
        layer(A.SKIN, box, pinna),
        layer(A.MUSCLE, box, pinna + 1.6),
        layer(A.AIR, box, np.minimum(canal, bowl)),
    ]


def _spine(p: Coordinates) -> list[Layer]:
    """Atlas, axis and what follows, each with a disc below."""
    box = drawing_box((-30, 30), (-92, 4), (-132, -58))
    p = part(p, box)
    q = folded(p)
    arch_atlas = tube(q, [(0, -14, -70), (17, -24, -70), (20, -42, -71), (0, -62, -73)], [3.5] * 4)
    dens = tube(p, [(0, -20, -67), (0, -22, -88)], [5, 7])
    bodies = [slab(p, (-11, -33, z - 13), (11, -13, z), 3) for z in (-84, -101, -118)]
    spines = [
        tube(q, [(14, -44, z), (0, -60, z - 4), (0, -76, z - 8)], [4, 4, 3.5])
        for z in (-88, -105, -122)
    ]
    discs = slab(p, (-10, -32, -130), (10, -14, -84), 3)
    bone = np.minimum.reduce([arch_atlas, dens, *bodies, *spines])
    return [
        layer(A.MUSCLE, box, discs),
        layer(A.BONE, box, bone),
        layer(A.MARROW, box, bone + 1.4),
    ]


# Dural folds and vessels, which contrast agent makes bright


def _folds_and_sinuses(p: Coordinates, walls: Array) -> list[Layer]:
    box = drawing_box((-66, 66), (-112, 76), (-48, 86))
    x, y, z = q = folded(part(p, box))
    wall = refine(walls[box.coarse])
    tent = tentorium_height(x, y)
    callosal = ellipsoid(q, (0, -8, 2), (99, 46, 36))
    falx = np.maximum(np.maximum(x - 0.55, wall), np.maximum(-callosal, tent - z - 1))
    falx = np.maximum(falx, -12 - z)
    notch = ellipsoid(q, (0, -22, -10), (27, 33, 30))
    sheet = np.maximum(np.maximum(np.abs(z - tent) - 0.6, wall), np.maximum(-notch, y + 20))
    inward = wall + 2.2
    # The sagittal sinus widens from front to back.
    wide = 1.6 + 1.6 * np.clip((60 - y) / np.float32(150), 0, 1)
    crest = np.sqrt(np.square(x * 0.9) + np.square(inward)) - wide
    sagittal = np.maximum(crest, -12 - z + 0.25 * np.maximum(y, 0))
    transverse = np.sqrt(np.square(z - tent) + np.square(inward)) - 3.2
    transverse = np.maximum(transverse, y + 34)
    straight = tube(q, [(0, -44, 3), (0, -70, -3), (0, -100, -9)], [1.9, 2.0, 2.4])
    galen = tube(q, [(1.8, -4, 13), (1.8, -26, 14), (0.5, -40, 6), (0, -45, 3)], [0.8, 1, 1.8, 2])
    veins = np.minimum.reduce([sagittal, transverse, np.maximum(straight, wall), galen])
    return [layer(A.DURA, box, np.minimum(falx, sheet)), layer(A.VEIN, box, veins)]


def _arteries(p: Coordinates) -> list[Layer]:
    """Arteries to and at the base of the brain, the cavernous sinus and the jugular vein."""
    box = drawing_box((-60, 60), (-60, 50), (-130, 46))
    q = folded(part(p, box))
    neck = [(28, -12, -130), (26, -10, -60), (22, -8, -42), (13, -4, -36), (11, 6, -29)]
    carotid = tube(q, [*neck, (10, 2, -20)], [3.2, 3, 2.4, 2.2, 2.2, 2])
    stem = [(10, 2, -20), (20, 3, -18), (32, 6, -15), (37.5, 2, -6)]
    middle = tube(q, [*stem, (37.5, -12, 2), (38, -26, 10)], [1.8, 1.6, 1.5, 1.2, 1.0, 0.8])
    upper = tube(q, [(37.5, 2, -6), (37, 10, 2), (38, 14, 10)], [1.1, 0.9, 0.7])
    arch = [(1.4, 30, -6), (1.4, 38, 9), (1.4, 28, 24), (1.4, 8, 32)]
    anterior = tube(q, [(10, 2, -20), (2, 14, -14), *arch], [1.4, 1.2, 1.2, 1.1, 1.0, 0.8])
    around = [(0, -11, -19), (13, -18, -17), (20, -30, -10), (17, -44, 0)]
    posterior = tube(q, around, [1.7, 1.4, 1.3, 1.0])
    basilar = tube(q, [(0, -11, -19), (0, -9, -34), (0, -13, -46)], [1.8, 1.8, 1.7])
    low = [(0, -13, -46), (9, -26, -58), (16, -34, -72), (18, -26, -130)]
    vertebral = tube(q, low, [1.6, 1.5, 1.6, 1.6])
    cavernous = tube(q, [(11, 8, -29), (11, -4, -30)], [4.2, 4.2])
    down = [(44, -46, -36), (36, -32, -52), (32, -18, -62), (32, -14, -130)]
    jugular = tube(q, down, [3.2, 3.6, 4, 4.4])
    lumen = np.minimum.reduce([carotid, middle, upper, anterior, posterior, basilar, vertebral])
    return [layer(A.VEIN, box, np.minimum(cavernous, jugular)), layer(A.ARTERY, box, lumen)]
