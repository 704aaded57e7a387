"""Glioblastoma and astrocytoma: plans and paint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.synthesis.grid import Array
from BrainTumorSegLib.synthesis.shapes import coverage, ramp, union
from BrainTumorSegLib.synthesis.tumours import places
from BrainTumorSegLib.synthesis.tumours.anatomy_classes import PARENCHYMA, A, is_any
from BrainTumorSegLib.synthesis.tumours.canvas import Canvas
from BrainTumorSegLib.synthesis.tumours.fields import (
    coarse_noise,
    random_rotation,
    turned_ellipsoid,
)
from BrainTumorSegLib.synthesis.tumours.forms import grown, lobed
from BrainTumorSegLib.synthesis.tumours.kinds import Kind
from BrainTumorSegLib.synthesis.tumours.oedema import oedema_coat, tissue_speed, wettable
from BrainTumorSegLib.synthesis.tumours.plan import Box, Coat, Plan, Push, box_around
from BrainTumorSegLib.synthesis.tumours.real_shapes import RealShape, draw_placement

ShapeSource = Callable[[np.random.Generator, Kind], RealShape | None]


@dataclass(frozen=True)
class GliomaConfig:
    """Sizes and habits of gliomas.

    Attributes:
        radius: median radius in mm of the core of a glioblastoma.
        astrocytoma_radius: the same for astrocytomas.
        radius_spread: deviation of the logarithm.
        oedema: lowest and highest reach in white matter, mm, glioblastoma.
        astrocytoma_oedema: the same for astrocytomas.
        rim: lowest and highest mean thickness of an enhancing rim, mm.
        partly_enhancing: share of astrocytomas that enhance somewhere.
        push: lowest and highest share of the core that displaces brain.
    """

    radius: float = 17.0
    astrocytoma_radius: float = 21.0
    radius_spread: float = 0.3
    oedema: tuple[float, float] = (3.0, 32.0)
    astrocytoma_oedema: tuple[float, float] = (0.0, 12.0)
    rim: tuple[float, float] = (1.8, 6.0)
    partly_enhancing: float = 0.4
    push: tuple[float, float] = (0.25, 0.75)


def plan_glioma(
    rng: np.random.Generator,
    canvas: Canvas,
    kind: Kind,
    form: str,
    config: GliomaConfig,
    shapes: ShapeSource,
    blocked: Array | None = None,
) -> Plan:
    """Choose place, size and form.

    Args:
        rng: source of chance.
        canvas: of the head.
        kind: glioblastoma or astrocytoma.
        form: ``lobed``, ``grown`` or ``real``.
        config: sizes.
        shapes: gives a real shape that suits the kind, or None when there is none.
        blocked: coarse nodes where the centre may not lie.
    """
    blastoma = kind is Kind.GLIOBLASTOMA
    reach = rng.uniform(*(config.oedema if blastoma else config.astrocytoma_oedema))
    shape = shapes(rng, kind) if form == "real" else None
    if shape is not None:
        return _plan_real(rng, canvas, kind, config, shape, reach, blocked)
    if form == "real":
        form = "lobed"
    site = _draw_site(rng, blastoma)
    place = _PLACES[site](rng, canvas, blocked)
    middle = config.radius if blastoma else config.astrocytoma_radius
    radius = float(np.clip(middle * np.exp(rng.normal(0, config.radius_spread)), 6, 38))
    if site in ("deep", "infratentorial"):
        radius *= 0.72
    box = box_around(canvas, place, 1.7 * radius + 1.1 * reach + 12)
    if form == "grown":
        speed = tissue_speed(canvas.classes[box.coarse], floor=0.3)
        core = grown(rng, box, place, radius, speed)
    else:
        core = lobed(rng, box, place, radius, int(rng.integers(0, 4)), rng.uniform(0.5, 1.2))
        if site == "callosal":
            wing = turned_ellipsoid(
                box.offsets(place),
                (0, 0, 0),
                np.array([1.5, 0.6, 0.55]) * radius,
                random_rotation(rng, 8.0),
            )
            core = union(np.maximum(core, wing - 0.15 * radius), wing, 5)
    if blastoma and rng.random() < 0.15:
        core = _satellites(rng, box, core, place, radius)
    core = _within_the_skull(core, canvas, box)
    push = Push(tuple(place), rng.uniform(*config.push), rng.uniform(0.7, 1.3) * radius + 4)
    settings = {"form": form, "site": site, "radius_mm": round(radius, 1)}
    return Plan(kind, box, core, push, {}, {}, settings | _habits(rng, kind, config, reach))


def _plan_real(
    rng: np.random.Generator,
    canvas: Canvas,
    kind: Kind,
    config: GliomaConfig,
    shape: RealShape,
    reach: float,
    blocked: Array | None,
) -> Plan:
    """A real tumour near the place where it was, mirrored and turned a little."""
    atlas = places.atlas_of(canvas)
    up, back, side = shape.place
    side *= -1 if rng.random() < 0.5 else 1
    away = np.square((atlas.z - up) * 140) + np.square((atlas.y - back) * 170)
    away += np.square((atlas.x - side) * 68)
    room = is_any(canvas.classes, PARENCHYMA) & (canvas.depth > 6)
    if blocked is not None:
        room &= ~blocked
    nearest = float(away[room].min()) if room.any() else 0.0
    place = places.pick(rng, room & (away < max(22.0**2, nearest + 60)))
    size = (np.array(shape.core.shape) - 1).max() / 2
    box = box_around(canvas, place, 1.35 * float(size) + 14)
    bends = [coarse_noise(rng, box.nodes, 40.0) for _ in range(3)]
    placement = draw_placement(rng, box, bends)
    core = placement.sample(shape, shape.core, box, place, fine=False)
    whole = placement.sample(shape, shape.whole, box, place, fine=False)
    enhancing = placement.sample(shape, shape.enhancing, box, place, fine=True)
    radius = (3 * shape.core_ml * 1000 / (4 * np.pi)) ** (1 / 3)
    push = Push(tuple(place), rng.uniform(*config.push) * 0.8, rng.uniform(0.7, 1.3) * radius + 4)
    settings = {
        "form": "real",
        "shape": shape.name,
        "radius_mm": round(radius, 1),
        "real_oedema": bool(rng.random() < 0.7 and shape.whole_ml > 1.1 * shape.core_ml),
    }
    core = _within_the_skull(core, canvas, box)
    fields, fine = {"whole": whole}, {"enhancing": enhancing}
    return Plan(kind, box, core, push, fields, fine, settings | _habits(rng, kind, config, reach))


_PLACES = {
    "lobar": places.lobar_place,
    "deep": places.deep_place,
    "callosal": places.callosal_place,
    "infratentorial": places.infratentorial_place,
}


def _draw_site(rng: np.random.Generator, blastoma: bool) -> str:
    shares = (0.78, 0.1, 0.09, 0.03) if blastoma else (0.8, 0.1, 0.02, 0.08)
    return str(rng.choice(list(_PLACES), p=shares))


def _habits(rng: np.random.Generator, kind: Kind, config: GliomaConfig, reach: float) -> dict:
    if kind is Kind.GLIOBLASTOMA:
        growth = str(rng.choice(["rim", "solid", "thin rim"], p=[0.68, 0.14, 0.18]))
        return {
            "growth": growth,
            "oedema_mm": round(reach, 1),
            "rim_mm": round(float(rng.uniform(*config.rim)), 1),
            "infiltration": bool(rng.random() < 0.72),
        }
    enhancing = rng.random() < config.partly_enhancing
    return {
        "growth": str(rng.choice(["patchy", "nodule"])) if enhancing else "none",
        "oedema_mm": round(reach, 1),
        "cysts": int(rng.integers(1, 4)) if rng.random() < 0.25 else 0,
        "mismatch": bool(rng.random() < 0.2),
        "soft_edge_mm": round(float(rng.uniform(1.5, 6.0)), 1),
    }


def _satellites(
    rng: np.random.Generator, box: Box, core: Array, place: Array, radius: float
) -> Array:
    p = box.offsets(place)
    for _ in range(int(rng.integers(1, 3))):
        direction = rng.standard_normal(3)
        direction *= radius * rng.uniform(1.2, 1.5) / np.linalg.norm(direction)
        size = np.exp(rng.normal(0, 0.15, 3)) * rng.uniform(2.5, 6)
        core = np.minimum(core, turned_ellipsoid(p, direction, size, random_rotation(rng)))
    return core


def _within_the_skull(core: Array, canvas: Canvas, box: Box) -> Array:
    """Gliomas end below the surface of the brain and do not cross the wall."""
    return np.maximum(core, np.float32(1.5) - canvas.depth[box.coarse])


def paint_glioma(
    rng: np.random.Generator, plan: Plan, coarse: Array, classes: Array, depth: Array
) -> list[Coat]:
    """Coats of a planned glioma, from back to front.

    Args:
        rng: source of chance.
        plan: from `plan_glioma`.
        coarse: displaced classes on the coarse nodes of the plan's box.
        classes: the same on its fine voxels.
        depth: fine mm from the wall of the cavity.
    """
    tissue = is_any(classes, (*PARENCHYMA, A.CHOROID, A.VEIN, A.ARTERY)).astype(np.float32)
    # A ventricle may remain open beside a tumour, but not inside it.
    open_room = np.clip(plan.box.fine_field(plan.core) / 3 + 1.2, 0, 1)
    solid_room = np.where(classes == A.VENTRICLE, 1 - open_room, np.float32(1))
    solid_room *= coverage(-depth + 0.8)
    if plan.kind is Kind.GLIOBLASTOMA:
        return _paint_glioblastoma(rng, plan, coarse, classes, tissue, solid_room)
    return _paint_astrocytoma(rng, plan, coarse, classes, tissue, solid_room)


def _paint_glioblastoma(
    rng: np.random.Generator,
    plan: Plan,
    coarse: Array,
    classes: Array,
    tissue: Array,
    solid_room: Array,
) -> list[Coat]:
    box, settings = plan.box, plan.settings
    core = plan.core
    coats = []
    outer = core
    infiltration = None
    if settings["infiltration"] and settings["form"] != "real":
        infiltration = _infiltration(rng, box, core, settings["radius_mm"])
        outer = np.minimum(core, infiltration)
    coats.append(_real_or_grown_oedema(rng, plan, coarse, classes, outer))
    if infiltration is not None:
        alpha = coverage(box.fine_field(infiltration), 2.8) * tissue
        coats.append(Coat("non_enhancing", alpha, Tissue.NON_ENHANCING))
    fine = box.fine_field(core)
    solid = coverage(fine, 1.6) * solid_room
    if settings["form"] == "real":
        rim = coverage(plan.fine_fields["enhancing"], 1.5) * solid_room
        # Core beside an enhancing rim that does not close is tumour, not necrosis.
        inner = _enclosed(plan.fine_fields["enhancing"], fine)
        coats.append(Coat("non_enhancing", solid, Tissue.NON_ENHANCING))
        coats.append(Coat("necrosis", solid * inner, Tissue.NECROSIS))
        coats.append(Coat("enhancing", rim, Tissue.ENHANCING))
    else:
        coats.append(Coat("enhancing", solid, Tissue.ENHANCING))
        dead = coverage(box.fine_field(_necrosis(rng, box, core, settings)), 1.8)
        coats.append(Coat("necrosis", dead * solid, Tissue.NECROSIS))
    return [coat for coat in coats if coat is not None]


def _real_or_grown_oedema(
    rng: np.random.Generator, plan: Plan, coarse: Array, classes: Array, outer: Array
) -> Coat | None:
    if not plan.settings.get("real_oedema"):
        return oedema_coat(rng, plan, coarse, classes, outer, plan.settings["oedema_mm"])
    noisy = coarse_noise(rng, plan.box.nodes, 12.0)
    field = plan.box.fine_field(plan.fields["whole"] + np.float32(0.8) * noisy)
    return Coat("edema", coverage(field, 3.5) * wettable(classes), Tissue.EDEMA)


def _enclosed(enhancing: Array, core: Array) -> Array:
    """Share 0..1 by which a voxel of the core lies behind an enhancing rim, slice by slice."""
    rim = enhancing < 1.5
    filled = np.stack([ndimage.binary_fill_holes(s) for s in rim])
    inner = filled & ~rim
    if not inner.any():
        return np.zeros(core.shape, np.float32)
    # Up to the rim itself, whose distance was widened to close its gaps.
    inner = ndimage.binary_dilation(inner, iterations=2) & filled & (core < 1)
    return ndimage.gaussian_filter(inner.astype(np.float32), 0.8)


def _infiltration(rng: np.random.Generator, box: Box, core: Array, radius: float) -> Array:
    """Tumour without enhancement: a lobe on one side, and a thin uneven coat."""
    middle = np.argwhere(core < 0)
    if len(middle) == 0:
        return np.full(core.shape, 50.0, np.float32)
    centre = middle.mean(0) * 2 + np.array(box.origin)
    side = rng.standard_normal(3)
    side *= radius * rng.uniform(0.6, 1.05) / np.linalg.norm(side)
    semi = radius * rng.uniform(0.5, 0.85) * np.exp(rng.normal(0, 0.15, 3))
    lobe = turned_ellipsoid(box.offsets(centre), side, semi, random_rotation(rng))
    lobe += np.float32(0.1 * radius) * coarse_noise(rng, box.nodes, 14.0)
    coat = core - np.float32(rng.uniform(-1.0, 1.6))
    coat -= np.float32(1.3) * coarse_noise(rng, box.nodes, 20.0)
    return union(lobe, coat, 4)


def _necrosis(rng: np.random.Generator, box: Box, core: Array, settings: dict) -> Array:
    """Distance to dead tissue inside the core; its rim changes in thickness."""
    growth, rim = settings["growth"], settings["rim_mm"]
    if growth == "solid":
        holes = coarse_noise(rng, box.nodes, 11.0)
        return np.maximum(core + 3, np.float32(rng.uniform(2.5, 5.0)) - 3.5 * holes)
    if growth == "thin rim":
        rim = 0.6 * rim + 0.5
    slow = coarse_noise(rng, box.nodes, 1.6 * settings["radius_mm"] + 6)
    thickness = rim * np.exp(0.45 * slow)
    ragged = 0.9 * coarse_noise(rng, box.nodes, 8.0) + 0.7 * coarse_noise(rng, box.nodes, 13.0)
    dead = core + np.maximum(thickness + ragged * min(1.0, rim / 4), np.float32(1.3))
    if rng.random() < 0.5:
        fold = coarse_noise(rng, box.nodes, 30.0)
        septum = np.maximum(np.abs(fold - 0.3) * 11 - 0.7, 2 - 4 * slow)
        dead = np.maximum(dead, -septum)
    return dead


def _paint_astrocytoma(
    rng: np.random.Generator,
    plan: Plan,
    coarse: Array,
    classes: Array,
    tissue: Array,
    solid_room: Array,
) -> list[Coat]:
    box, settings = plan.box, plan.settings
    fine = box.fine_field(plan.core)
    soft = settings["soft_edge_mm"]
    # Infiltrating edges keep to the brain; deep inside everything is tumour.
    body = coverage(fine, soft) * np.maximum(tissue, coverage(fine + 4, 3.0)) * solid_room
    shade = None
    if settings["mismatch"]:
        # T2-FLAIR mismatch: suppressed inside, bright at the rim (Patel et al. 2017).
        shade = np.float32(-0.38) * ramp(fine, -1.5, -6.0)
    coats = [_real_or_grown_oedema(rng, plan, coarse, classes, plan.core)]
    coats.append(Coat("non_enhancing", body, Tissue.NON_ENHANCING, shade))
    if settings["growth"] == "patchy":
        patch = coarse_noise(rng, box.nodes, rng.uniform(9, 18))
        patch = np.maximum(plan.core + 3, np.float32(rng.uniform(1.5, 4.0)) - 3.0 * patch)
        alpha = coverage(box.fine_field(patch), 3.5) * solid_room
        coats.append(Coat("enhancing", alpha, Tissue.ENHANCING))
    elif settings["growth"] == "nodule":
        alpha = coverage(box.fine_field(_inside_ball(rng, plan, (0.2, 0.5))), 1.8) * solid_room
        coats.append(Coat("enhancing", alpha, Tissue.ENHANCING))
    for _ in range(settings["cysts"]):
        alpha = coverage(box.fine_field(_inside_ball(rng, plan, (0.12, 0.4))), 1.4) * solid_room
        coats.append(Coat("necrosis", alpha, Tissue.NECROSIS))
    return [coat for coat in coats if coat is not None]


def _inside_ball(rng: np.random.Generator, plan: Plan, size: tuple[float, float]) -> Array:
    """Distance to a bumpy ball somewhere inside the core; ``size`` relative to its radius."""
    nodes = np.argwhere(plan.core < -2)
    if len(nodes) == 0:
        return np.full(plan.core.shape, 50.0, np.float32)
    centre = nodes[rng.integers(len(nodes))] * 2 + np.array(plan.box.origin)
    radius = max(3.0, plan.settings["radius_mm"] * rng.uniform(*size))
    ball = lobed(rng, plan.box, centre, radius, int(rng.integers(0, 2)), 0.8)
    return np.maximum(ball, plan.core + 1)
