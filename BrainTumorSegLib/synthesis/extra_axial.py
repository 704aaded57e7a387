"""Meningioma and neurinoma: tumors that grow outside the brain and dent it."""

from __future__ import annotations

import numpy as np

from BrainTumorSegLib.core.tissue import Tissue

from . import places
from .canvas import Canvas
from .config import ExtraAxialConfig, Kind
from .fields import Array, coarse_noise, frame
from .lesion import Layer, Plan, Push, Surroundings, ball_inside, edema_layer
from .shapes import (
    FAR,
    Box,
    box_around,
    capsule,
    coverage,
    intersection,
    lobed,
    turned_ellipsoid,
    union,
)

#: Sites on a fold of the dura, which has brain on both sides, not on the wall of the skull.
_FOLDS = ("falx", "tentorium")


def plan_meningioma(rng: np.random.Generator, canvas: Canvas, config: ExtraAxialConfig) -> Plan:
    """Choose site, size and habits; the tumor sits on dura and grows towards the brain.

    Raises:
        NoRoomError: when the head lacks the site.
    """
    shares = np.array(list(places.MENINGIOMA_SITES.values()))
    site = str(rng.choice(list(places.MENINGIOMA_SITES), p=shares / shares.sum()))
    place, normal = places.meningioma_place(rng, canvas, site)
    radius = config.meningioma_radius * np.exp(rng.normal(0, config.radius_spread))
    radius = float(np.clip(radius, 5, 32))
    flat = rng.random() < config.flat
    if site in ("parasagittal", "anterior base", "tentorium", "posterior fossa"):
        radius = min(radius, 16.0 if site == "posterior fossa" else 21.0)
    reach = _edema_reach(rng, config.oedema)
    box = box_around(canvas.shape, place, 2.2 * radius + 1.1 * reach + 14)
    wall = _wall(canvas, box, site, place, normal)
    rise = rng.uniform(0.3, 0.75) * radius
    if flat:
        semi = np.array([0.45, 1.35, 1.35]) * radius
        turned = frame(np.asarray(normal)[::-1])
        center = (normal * 0.1 * radius)[::-1]
        core = turned_ellipsoid(box.offsets(place), center, semi, turned)
        core += np.float32(0.06 * radius) * coarse_noise(rng, box.nodes, radius + 6)
    else:
        lobes = int(rng.choice([0, 1, 2], p=[0.6, 0.28, 0.12]))
        core = lobed(rng, box, place + normal * rise, radius, lobes, rng.uniform(0.15, 0.55))
    on_both_sides = site == "falx" and rng.random() < 0.3
    if not on_both_sides:
        core = intersection(core, np.float32(0.4) - wall, 2.0)
    core = np.maximum(core, np.float32(0.4) - canvas.depth[box.coarse])
    tail = {"tail": _tail(rng, box, wall, core, radius)} if rng.random() < config.tail else {}
    share = 0.9 if flat else rng.uniform(0.85, 1.0)
    # From the cortex below the dura, so that little of the fluid between is pushed along.
    cortex = place + normal * (2.0 if site in _FOLDS else 4.5)
    push = Push(tuple(cortex), share, rng.uniform(0.7, 1.2) * radius + 3)
    settings = {
        "site": site,
        "radius_mm": round(radius, 1),
        "oedema_mm": round(reach, 1),
        "flat": flat,
        "tail": bool(tail),
        "cleft_mm": round(float(rng.uniform(0.0, 1.6)), 1),
        "dead": bool(rng.random() < config.dead and radius > 9),
        "fibrous": bool(rng.random() < config.fibrous),
    }
    return Plan(Kind.MENINGIOMA, box, core, push, tail, settings=settings)


def plan_neurinoma(rng: np.random.Generator, canvas: Canvas, config: ExtraAxialConfig) -> Plan:
    """A vestibular schwannoma: a ball in the cerebellopontine angle, a cone in the canal."""
    side = 1 if rng.random() < 0.5 else -1
    porus, outwards = places.canal_place(rng, canvas, side)
    radius = config.neurinoma_radius * np.exp(rng.normal(0, config.radius_spread))
    radius = float(np.clip(radius, 4, 21))
    inside_only = rng.random() < config.intracanalicular
    if inside_only:
        radius = float(rng.uniform(2.5, 4.0))
    box = box_around(canvas.shape, porus, 2.4 * radius + 26)
    normal = places.wall_normal(canvas, porus)
    back = normal - outwards * float(normal @ outwards)
    # The ball lies medially of the opening and a little behind it, against the pons.
    way = -0.75 * outwards + 0.5 * back / max(float(np.linalg.norm(back)), 1e-6)
    center = porus + way * radius * rng.uniform(0.8, 1.05)
    length = float(rng.uniform(6, 11))
    radii = (float(np.clip(0.32 * radius, 2.2, 4.5)), float(rng.uniform(1.2, 2.2)))
    start, end = porus - outwards * 3.0, porus + outwards * length
    cone = capsule(box.offsets(porus), (start - porus)[::-1], (end - porus)[::-1], radii)
    cone += np.float32(0.25) * coarse_noise(rng, box.nodes, 8.0)
    core = cone
    if not inside_only:
        ball = lobed(rng, box, center, radius, int(rng.integers(0, 2)), rng.uniform(0.15, 0.5))
        outside_bone = np.float32(0.6) - canvas.depth[box.coarse]
        core = union(np.maximum(ball, outside_bone), cone, 2.5)
    push = Push(tuple(porus), rng.uniform(0.85, 1.0), rng.uniform(0.7, 1.1) * radius + 3)
    reach = float(rng.uniform(3, 9)) if radius > 12 and rng.random() < 0.3 else 0.0
    settings = {
        "side": "left" if side > 0 else "right",
        "radius_mm": round(radius, 1),
        "oedema_mm": round(reach, 1),
        "cystic": bool(radius > 6 and rng.random() < config.cystic),
        "canal_only": inside_only,
        "cleft_mm": round(float(rng.uniform(0.3, 1.8)), 1),
    }
    return Plan(Kind.NEURINOMA, box, core, push, {"canal": cone}, settings=settings)


def paint_extra_axial(
    rng: np.random.Generator, plan: Plan, around: Surroundings
) -> list[Layer | None]:
    """Layers of a planned meningioma or neurinoma, from back to front; None for what it lacks."""
    box, settings, depth = plan.box, plan.settings, around.depth
    fine = box.fine_field(plan.core)
    layers = [edema_layer(rng, plan, around, plan.core, settings["oedema_mm"])]
    if settings["cleft_mm"] > 0.4:
        layers.append(_cleft(rng, plan, fine, depth))
    if "tail" in plan.fields:
        # Only where it leaves the mass is the tail tumor; beyond, it is irritated dura.
        tail = coverage(box.fine_field(plan.fields["tail"]), 1.0) * coverage(-depth - 0.5)
        layers.append(Layer("tail", tail))
        layers.append(Layer("tail", tail * coverage(fine - 3.5), Tissue.ENHANCING))
    # Dura that the tumor grows from stays in place, and nothing grows into bone but the cone.
    room = coverage(-depth, 1.0)
    if "canal" in plan.fields:
        room = np.maximum(room, coverage(box.fine_field(plan.fields["canal"]), 1.2))
    solid = coverage(fine, 1.2) * room
    layers.append(Layer("enhancing", solid, Tissue.ENHANCING))
    if settings.get("fibrous"):
        part = coarse_noise(rng, box.nodes, settings["radius_mm"] + 4)
        part = np.maximum(plan.core + 1.5, np.float32(rng.uniform(2.5, 4.5)) - 3.5 * part)
        alpha = coverage(box.fine_field(part), 2.5) * solid
        layers.append(Layer("non_enhancing", alpha, Tissue.NON_ENHANCING))
    if settings.get("dead") or settings.get("cystic"):
        alpha = coverage(box.fine_field(_holes(rng, plan)), 1.5) * solid
        layers.append(Layer("necrosis", alpha, Tissue.NECROSIS))
    return layers


def _edema_reach(rng: np.random.Generator, shares: tuple[float, float, float]) -> float:
    extent = int(rng.choice(3, p=np.array(shares) / sum(shares)))
    return float(rng.uniform(*((0.0, 0.0), (4.0, 12.0), (12.0, 28.0))[extent]))


def _wall(canvas: Canvas, box: Box, site: str, place: Array, normal: Array) -> Array:
    """Coarse mm from the dura that the tumor sits on."""
    if site not in _FOLDS:
        return canvas.depth[box.coarse]
    x, y, z = box.offsets(place)
    up, back, left = (np.float32(v) for v in normal)
    return up * z + back * y + left * x


def _tail(rng: np.random.Generator, box: Box, wall: Array, core: Array, radius: float) -> Array:
    """Distance to thickened dura beside the tumor, which tapers off."""
    length = float(rng.uniform(6, 16))
    thick = float(rng.uniform(1.0, 2.4))
    uneven = 0.8 + 0.6 * coarse_noise(rng, box.nodes, 1.5 * radius + 8)
    thickness = thick * (1 - np.maximum(core, 0) / np.float32(length)) * np.clip(uneven, 0, 1.6)
    return np.abs(wall - np.float32(0.3)) - np.maximum(thickness, -2)


def _cleft(rng: np.random.Generator, plan: Plan, fine: Array, depth: Array) -> Layer:
    """Fluid between tumor and brain, here and there."""
    width = np.float32(plan.settings["cleft_mm"])
    noisy = plan.box.fine_field(coarse_noise(rng, plan.box.nodes, 18.0))
    shell = fine - width * np.clip(0.1 + 0.8 * noisy, -0.6, 1.4)
    return Layer("fluid", coverage(shell, 1.2) * coverage(-depth + 0.5))


def _holes(rng: np.random.Generator, plan: Plan) -> Array:
    """Distance to one or several cysts or dead patches inside."""
    total = np.full(plan.core.shape, FAR)
    if not (plan.core < -2).any():
        return total
    for _ in range(int(rng.integers(1, 5))):
        total = union(total, ball_inside(rng, plan, 2.2, (0.15, 0.42)), 1.5)
    return np.maximum(total, plan.core + np.float32(rng.uniform(1.2, 2.5)))
