"""Glioblastoma and astrocytoma: plans and paint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.core.tissue import Tissue

from . import places
from .canvas import Canvas
from .classes import PARENCHYMA, A, is_any
from .config import FormShares, GliomaConfig, Kind, SynthesisConfig
from .fields import Array, coarse_noise, random_rotation
from .lesion import (
    Layer,
    Plan,
    Push,
    Surroundings,
    ball_inside,
    edema_layer,
    tissue_speed,
    wettable,
)
from .shapes import FAR, Box, box_around, coverage, grown, lobed, ramp, turned_ellipsoid, union
from .sources import RealShape, Sources, place_shape


def plan_glioma(
    rng: np.random.Generator, canvas: Canvas, kind: Kind, config: SynthesisConfig, sources: Sources
) -> Plan:
    """Choose form, place, size and habits of a glioblastoma or astrocytoma.

    Raises:
        NoRoomError: when the head has no room for it.
    """
    form = _draw_form(rng, config.forms, bool(sources.shapes))
    blastoma, part, config = kind is Kind.GLIOBLASTOMA, config.part, config.glioma
    reach = rng.uniform(*(config.oedema if blastoma else config.astrocytoma_oedema))
    if form == "real":
        shape = sources.shape(rng, kind, part)
        if shape is not None:
            return _plan_real(rng, canvas, kind, config, shape, reach)
        form = "lobed"
    shares = (0.78, 0.1, 0.09, 0.03) if blastoma else (0.8, 0.1, 0.02, 0.08)
    site = str(rng.choice(places.GLIOMA_SITES, p=shares))
    place = places.glioma_place(rng, canvas, site)
    middle = config.radius if blastoma else config.astrocytoma_radius
    radius = float(np.clip(middle * np.exp(rng.normal(0, config.radius_spread)), 6, 38))
    if site in ("deep", "infratentorial"):
        radius *= 0.72
    box = box_around(canvas.shape, place, 1.7 * radius + 1.1 * reach + 12)
    if form == "grown":
        speed = tissue_speed(canvas.classes[box.coarse], floor=0.3)
        core = grown(rng, box, place, radius, speed)
    else:
        core = lobed(rng, box, place, radius, int(rng.integers(0, 4)), rng.uniform(0.5, 1.2))
        if site == "callosal":
            semi = np.array([1.5, 0.6, 0.55]) * radius
            turn = random_rotation(rng, 8.0)
            wing = turned_ellipsoid(box.offsets(place), (0, 0, 0), semi, turn)
            core = union(np.maximum(core, wing - 0.15 * radius), wing, 5)
    if blastoma and rng.random() < 0.15:
        core = _satellites(rng, box, core, place, radius)
    core = _within_the_skull(core, canvas, box)
    push = Push(tuple(place), rng.uniform(*config.push), rng.uniform(0.7, 1.3) * radius + 4)
    settings = {"form": form, "site": site, "radius_mm": round(radius, 1)}
    settings |= _habits(rng, kind, config, reach)
    return Plan(kind, box, core, push, settings=settings)


def _draw_form(rng: np.random.Generator, forms: FormShares, real: bool) -> str:
    shares = asdict(forms) | ({} if real else {"real": 0.0})
    weights = np.array(list(shares.values()), float)
    if weights.sum() <= 0:
        return "lobed"
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _plan_real(
    rng: np.random.Generator,
    canvas: Canvas,
    kind: Kind,
    config: GliomaConfig,
    shape: RealShape,
    reach: float,
) -> Plan:
    """A real tumor near the place where it was, mirrored and turned a little."""
    atlas = places.atlas_of(canvas)
    up, back, side = shape.place
    side *= -1 if rng.random() < 0.5 else 1
    away = np.square((atlas.z - up) * 140) + np.square((atlas.y - back) * 170)
    away += np.square((atlas.x - side) * 68)
    room = is_any(canvas.classes, PARENCHYMA) & (canvas.depth > 6) & canvas.free
    nearest = float(away[room].min()) if room.any() else 0.0
    place = places.pick(rng, canvas, room & (away < max(22.0**2, nearest + 60)))
    size = (np.array(shape.core.shape) - 1).max() / 2
    box = box_around(canvas.shape, place, 1.35 * float(size) + 14)
    core, whole, enhancing = place_shape(rng, shape, box, place)
    radius = (3 * shape.core_ml * 1000 / (4 * np.pi)) ** (1 / 3)
    push = Push(tuple(place), rng.uniform(*config.push) * 0.8, rng.uniform(0.7, 1.3) * radius + 4)
    settings = {
        "form": "real",
        "shape": shape.name,
        "radius_mm": round(radius, 1),
        "real_oedema": bool(rng.random() < 0.7 and shape.whole_ml > 1.1 * shape.core_ml),
    }
    settings |= _habits(rng, kind, config, reach)
    core = _within_the_skull(core, canvas, box)
    return Plan(kind, box, core, push, {"whole": whole}, {"enhancing": enhancing}, settings)


def _habits(
    rng: np.random.Generator, kind: Kind, config: GliomaConfig, reach: float
) -> dict[str, Any]:
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


def paint_glioma(rng: np.random.Generator, plan: Plan, around: Surroundings) -> list[Layer | None]:
    """Layers of a glioma of `plan_glioma`, from back to front; None for parts that it lacks."""
    seen = (*PARENCHYMA, A.CHOROID, A.VEIN, A.ARTERY)
    tissue = is_any(around.classes, seen).astype(np.float32)
    # A ventricle may remain open beside a tumor, but not inside it.
    open_room = np.clip(plan.box.fine_field(plan.core) / 3 + 1.2, 0, 1)
    solid_room = np.where(around.classes == A.VENTRICLE, 1 - open_room, np.float32(1))
    solid_room *= coverage(-around.depth + 0.8)
    if plan.kind is Kind.GLIOBLASTOMA:
        return _paint_glioblastoma(rng, plan, around, tissue, solid_room)
    return _paint_astrocytoma(rng, plan, around, tissue, solid_room)


def _paint_glioblastoma(
    rng: np.random.Generator, plan: Plan, around: Surroundings, tissue: Array, solid_room: Array
) -> list[Layer | None]:
    box, core, settings = plan.box, plan.core, plan.settings
    outer, infiltration = core, None
    if settings["infiltration"] and settings["form"] != "real":
        infiltration = _infiltration(rng, box, core, settings["radius_mm"])
        outer = np.minimum(core, infiltration)
    layers = [_real_or_grown_edema(rng, plan, around, outer)]
    if infiltration is not None:
        alpha = coverage(box.fine_field(infiltration), 2.8) * tissue
        layers.append(Layer("non_enhancing", alpha, Tissue.NON_ENHANCING))
    fine = box.fine_field(core)
    solid = coverage(fine, 1.6) * solid_room
    if settings["form"] != "real":
        dead = coverage(box.fine_field(_necrosis(rng, box, core, settings)), 1.8)
        layers.append(Layer("enhancing", solid, Tissue.ENHANCING))
        return [*layers, Layer("necrosis", dead * solid, Tissue.NECROSIS)]
    rim = coverage(plan.fine_fields["enhancing"], 1.5) * solid_room
    # Core beside an enhancing rim that does not close is tumor, not necrosis.
    inner = _enclosed(plan.fine_fields["enhancing"], fine)
    layers.append(Layer("non_enhancing", solid, Tissue.NON_ENHANCING))
    layers.append(Layer("necrosis", solid * inner, Tissue.NECROSIS))
    return [*layers, Layer("enhancing", rim, Tissue.ENHANCING)]


def _real_or_grown_edema(
    rng: np.random.Generator, plan: Plan, around: Surroundings, outer: Array
) -> Layer | None:
    if not plan.settings.get("real_oedema"):
        return edema_layer(rng, plan, around, outer, plan.settings["oedema_mm"])
    noisy = coarse_noise(rng, plan.box.nodes, 12.0)
    field = plan.box.fine_field(plan.fields["whole"] + np.float32(0.8) * noisy)
    return Layer("edema", coverage(field, 3.5) * wettable(around.classes), Tissue.EDEMA)


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
    """Tumor without enhancement: a lobe on one side, and a thin uneven sheath."""
    middle = np.argwhere(core < 0)
    if len(middle) == 0:
        return np.full(core.shape, FAR)
    center = middle.mean(0) * 2 + np.array(box.origin)
    side = rng.standard_normal(3)
    side *= radius * rng.uniform(0.6, 1.05) / np.linalg.norm(side)
    semi = radius * rng.uniform(0.5, 0.85) * np.exp(rng.normal(0, 0.15, 3))
    lobe = turned_ellipsoid(box.offsets(center), side, semi, random_rotation(rng))
    lobe += np.float32(0.1 * radius) * coarse_noise(rng, box.nodes, 14.0)
    sheath = core - np.float32(rng.uniform(-1.0, 1.6))
    sheath -= np.float32(1.3) * coarse_noise(rng, box.nodes, 20.0)
    return union(lobe, sheath, 4)


def _necrosis(
    rng: np.random.Generator, box: Box, core: Array, settings: Mapping[str, Any]
) -> Array:
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
    rng: np.random.Generator, plan: Plan, around: Surroundings, tissue: Array, solid_room: Array
) -> list[Layer | None]:
    box, settings = plan.box, plan.settings
    fine = box.fine_field(plan.core)
    soft = settings["soft_edge_mm"]
    # Infiltrating edges keep to the brain; deep inside everything is tumor.
    body = coverage(fine, soft) * np.maximum(tissue, coverage(fine + 4, 3.0)) * solid_room
    shade = None
    if settings["mismatch"]:
        # T2-FLAIR mismatch: suppressed inside, bright at the rim (Patel et al. 2017).
        shade = np.float32(-0.38) * ramp(fine, -1.5, -6.0)
    layers = [_real_or_grown_edema(rng, plan, around, plan.core)]
    layers.append(Layer("non_enhancing", body, Tissue.NON_ENHANCING, shade))
    if settings["growth"] == "patchy":
        patch = coarse_noise(rng, box.nodes, rng.uniform(9, 18))
        patch = np.maximum(plan.core + 3, np.float32(rng.uniform(1.5, 4.0)) - 3.0 * patch)
        alpha = coverage(box.fine_field(patch), 3.5) * solid_room
        layers.append(Layer("enhancing", alpha, Tissue.ENHANCING))
    balls = [("necrosis", Tissue.NECROSIS, (0.12, 0.4), 1.4)] * settings["cysts"]
    if settings["growth"] == "nodule":
        balls.insert(0, ("enhancing", Tissue.ENHANCING, (0.2, 0.5), 1.8))
    for tone, label, size, softness in balls:
        ball = np.maximum(ball_inside(rng, plan, 3.0, size), plan.core + 1)
        layers.append(Layer(tone, coverage(box.fine_field(ball), softness) * solid_room, label))
    return layers
