"""Meningioma and neurinoma: tumours that grow outside the brain and dent it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.synthesis.grid import Array
from BrainTumorSegLib.synthesis.shapes import capsule, coverage, intersection, union
from BrainTumorSegLib.synthesis.tumours import places
from BrainTumorSegLib.synthesis.tumours.canvas import Canvas
from BrainTumorSegLib.synthesis.tumours.fields import (
    coarse_noise,
    frame,
    turned_ellipsoid,
)
from BrainTumorSegLib.synthesis.tumours.forms import lobed
from BrainTumorSegLib.synthesis.tumours.kinds import Kind
from BrainTumorSegLib.synthesis.tumours.oedema import oedema_coat
from BrainTumorSegLib.synthesis.tumours.plan import Box, Coat, Plan, Push, box_around


@dataclass(frozen=True)
class ExtraAxialConfig:
    """Sizes and habits of meningiomas and neurinomas.

    Attributes:
        meningioma_radius: median radius, mm.
        neurinoma_radius: median radius of the part outside the canal, mm.
        radius_spread: deviation of the logarithm.
        oedema: shares of no, moderate (4-12 mm) and large (12-28 mm) oedema.
        tail: share of meningiomas with a dural tail.
        flat: share of meningiomas that spread along the dura (en plaque).
        dead: share of meningiomas with necrosis or cysts.
        fibrous: share with a part that hardly enhances.
        cystic: share of neurinomas with cysts.
        intracanalicular: share of neurinomas that fill the canal only.
    """

    meningioma_radius: float = 15.0
    neurinoma_radius: float = 9.5
    radius_spread: float = 0.36
    oedema: tuple[float, float, float] = (0.45, 0.33, 0.22)
    tail: float = 0.65
    flat: float = 0.1
    dead: float = 0.15
    fibrous: float = 0.15
    cystic: float = 0.3
    intracanalicular: float = 0.08


def plan_meningioma(
    rng: np.random.Generator,
    canvas: Canvas,
    config: ExtraAxialConfig,
    site: str | None = None,
    blocked: Array | None = None,
) -> Plan:
    """Choose site, size and habits; the tumour sits on dura and grows towards the brain."""
    names = list(places.MENINGIOMA_SITES)
    shares = np.array(list(places.MENINGIOMA_SITES.values()))
    site = site or str(rng.choice(names, p=shares / shares.sum()))
    place, normal = places.meningioma_place(rng, canvas, site, blocked)
    radius = config.meningioma_radius * np.exp(rng.normal(0, config.radius_spread))
    radius = float(np.clip(radius, 5, 32))
    flat = rng.random() < config.flat
    if site in ("parasagittal", "anterior base", "tentorium", "posterior fossa"):
        radius = min(radius, 16.0 if site == "posterior fossa" else 21.0)
    reach = _oedema_reach(rng, config.oedema)
    box = box_around(canvas, place, 2.2 * radius + 1.1 * reach + 14)
    p = box.offsets(place)
    wall = _wall(canvas, box, site, place, normal)
    rise = rng.uniform(0.3, 0.75) * radius
    centre = place + normal * rise
    if flat:
        semi = np.array([0.45, 1.35, 1.35]) * radius
        turned = frame(np.asarray(normal)[::-1])
        core = turned_ellipsoid(p, (normal * 0.1 * radius)[::-1], semi, turned)
        core += np.float32(0.06 * radius) * coarse_noise(rng, box.nodes, radius + 6)
    else:
        lobes = int(rng.choice([0, 1, 2], p=[0.6, 0.28, 0.12]))
        core = lobed(rng, box, centre, radius, lobes, rng.uniform(0.15, 0.55))
    on_both_sides = site == "falx" and rng.random() < 0.3
    if not on_both_sides:
        core = intersection(core, np.float32(0.4) - wall, 2.0)
    core = np.maximum(core, np.float32(0.4) - canvas.depth[box.coarse])
    tail = _tail(rng, config, box, p, wall, core, radius) if rng.random() < config.tail else None
    share = 0.9 if flat else rng.uniform(0.85, 1.0)
    # From the cortex below the dura, so that little of the fluid between is pushed along.
    cortex = place + normal * (2.0 if site in ("falx", "tentorium") else 4.5)
    push = Push(tuple(cortex), share, rng.uniform(0.7, 1.2) * radius + 3)
    fields = {"wall": wall} | ({"tail": tail} if tail is not None else {})
    settings = {
        "site": site,
        "radius_mm": round(radius, 1),
        "oedema_mm": round(reach, 1),
        "flat": flat,
        "tail": tail is not None,
        "cleft_mm": round(float(rng.uniform(0.0, 1.6)), 1),
        "dead": bool(rng.random() < config.dead and radius > 9),
        "fibrous": bool(rng.random() < config.fibrous),
    }
    return Plan(Kind.MENINGIOMA, box, core, push, fields, {}, settings)


def plan_neurinoma(
    rng: np.random.Generator, canvas: Canvas, config: ExtraAxialConfig, side: int | None = None
) -> Plan:
    """A vestibular schwannoma: a ball in the cerebellopontine angle, a cone in the canal."""
    side = side or (1 if rng.random() < 0.5 else -1)
    porus, outwards = places.canal_place(rng, canvas, side)
    radius = config.neurinoma_radius * np.exp(rng.normal(0, config.radius_spread))
    radius = float(np.clip(radius, 4, 21))
    inside_only = rng.random() < config.intracanalicular
    if inside_only:
        radius = float(rng.uniform(2.5, 4.0))
    box = box_around(canvas, porus, 2.4 * radius + 26)
    p = tuple(np.array(c) for c in np.broadcast_arrays(*box.offsets(porus)))
    normal = places.wall_normal(canvas, porus)
    back = normal - outwards * float(normal @ outwards)
    # The ball lies medially of the opening and a little behind it, against the pons.
    way = -0.75 * outwards + 0.5 * back / max(float(np.linalg.norm(back)), 1e-6)
    centre = porus + way * radius * rng.uniform(0.8, 1.05)
    length = float(rng.uniform(6, 11))
    mouth = float(np.clip(0.32 * radius, 2.2, 4.5))
    start, end = porus - outwards * 3.0, porus + outwards * length
    cone = capsule(
        p,
        tuple((start - porus)[::-1]),
        tuple((end - porus)[::-1]),
        (mouth, float(rng.uniform(1.2, 2.2))),
    )
    cone += np.float32(0.25) * coarse_noise(rng, box.nodes, 8.0)
    wall = canvas.depth[box.coarse]
    if inside_only:
        core = cone
    else:
        ball = lobed(rng, box, centre, radius, int(rng.integers(0, 2)), rng.uniform(0.15, 0.5))
        core = union(np.maximum(ball, np.float32(0.6) - wall), cone, 2.5)
    push = Push(tuple(porus), rng.uniform(0.85, 1.0), rng.uniform(0.7, 1.1) * radius + 3)
    settings = {
        "side": "left" if side > 0 else "right",
        "radius_mm": round(radius, 1),
        "oedema_mm": round(float(rng.uniform(3, 9)), 1)
        if radius > 12 and rng.random() < 0.3
        else 0.0,
        "cystic": bool(radius > 6 and rng.random() < config.cystic),
        "canal_only": inside_only,
        "cleft_mm": round(float(rng.uniform(0.3, 1.8)), 1),
    }
    return Plan(Kind.NEURINOMA, box, core, push, {"canal": cone}, {}, settings)


def paint_extra_axial(
    rng: np.random.Generator, plan: Plan, coarse: Array, classes: Array, depth: Array
) -> list[Coat]:
    """Coats of a planned meningioma or neurinoma, from back to front.

    Args:
        rng: source of chance.
        plan: from `plan_meningioma` or `plan_neurinoma`.
        coarse: displaced classes on the coarse nodes of the plan's box.
        classes: the same on its fine voxels.
        depth: fine mm from the wall of the cavity.
    """
    box, settings = plan.box, plan.settings
    fine = box.fine_field(plan.core)
    coats = [oedema_coat(rng, plan, coarse, classes, plan.core, settings["oedema_mm"])]
    if settings["cleft_mm"] > 0.4:
        coats.append(_cleft(rng, plan, fine, depth))
    if "tail" in plan.fields:
        # Only where it leaves the mass is the tail tumour; beyond, it is irritated dura.
        tail = coverage(box.fine_field(plan.fields["tail"]), 1.0) * coverage(-depth - 0.5)
        coats.append(Coat("tail", tail))
        coats.append(Coat("tail", tail * coverage(fine - 3.5), Tissue.ENHANCING))
    solid = coverage(fine, 1.2)
    # Dura that the tumour grows from stays in place, and nothing grows into bone but the cone.
    room = coverage(-depth, 1.0)
    if "canal" in plan.fields:
        room = np.maximum(room, coverage(box.fine_field(plan.fields["canal"]), 1.2))
    solid *= room
    coats.append(Coat("enhancing", solid, Tissue.ENHANCING))
    if settings.get("fibrous"):
        part = coarse_noise(rng, box.nodes, settings["radius_mm"] + 4)
        part = np.maximum(plan.core + 1.5, np.float32(rng.uniform(2.5, 4.5)) - 3.5 * part)
        alpha = coverage(box.fine_field(part), 2.5) * solid
        coats.append(Coat("non_enhancing", alpha, Tissue.NON_ENHANCING))
    if settings.get("dead") or settings.get("cystic"):
        holes = _holes(rng, plan)
        alpha = coverage(box.fine_field(holes), 1.5) * solid
        coats.append(Coat("necrosis", alpha, Tissue.NECROSIS))
    return [coat for coat in coats if coat is not None]


def _oedema_reach(rng: np.random.Generator, shares: tuple[float, float, float]) -> float:
    weights = np.array(shares) / sum(shares)
    extent = int(rng.choice(3, p=weights))
    return float(rng.uniform(*((0.0, 0.0), (4.0, 12.0), (12.0, 28.0))[extent]))


def _wall(canvas: Canvas, box: Box, site: str, place: Array, normal: Array) -> Array:
    """Coarse mm from the dura that the tumour sits on."""
    if site in ("falx", "tentorium"):
        x, y, z = box.offsets(place)
        n = [np.float32(v) for v in normal]
        return n[0] * z + n[1] * y + n[2] * x
    return canvas.depth[box.coarse]


def _tail(
    rng: np.random.Generator,
    config: ExtraAxialConfig,
    box: Box,
    p: tuple[Array, Array, Array],
    wall: Array,
    core: Array,
    radius: float,
) -> Array:
    """Distance to thickened dura beside the tumour, which tapers off."""
    length = float(rng.uniform(6, 16))
    thick = float(rng.uniform(1.0, 2.4))
    uneven = 0.8 + 0.6 * coarse_noise(rng, box.nodes, 1.5 * radius + 8)
    thickness = thick * (1 - np.maximum(core, 0) / np.float32(length)) * np.clip(uneven, 0, 1.6)
    return np.abs(wall - np.float32(0.3)) - np.maximum(thickness, -2)


def _cleft(rng: np.random.Generator, plan: Plan, fine: Array, depth: Array) -> Coat:
    """Fluid between tumour and brain, here and there."""
    width = plan.settings["cleft_mm"]
    noisy = plan.box.fine_field(coarse_noise(rng, plan.box.nodes, 18.0))
    shell = fine - np.float32(width) * np.clip(0.1 + 0.8 * noisy, -0.6, 1.4)
    return Coat("fluid", coverage(shell, 1.2) * coverage(-depth + 0.5))


def _holes(rng: np.random.Generator, plan: Plan) -> Array:
    """Distance to one or several cysts or dead patches inside."""
    nodes = np.argwhere(plan.core < -2)
    if len(nodes) == 0:
        return np.full(plan.core.shape, 50.0, np.float32)
    radius = plan.settings["radius_mm"]
    total = np.full(plan.core.shape, 50.0, np.float32)
    for _ in range(int(rng.integers(1, 5))):
        centre = nodes[rng.integers(len(nodes))] * 2 + np.array(plan.box.origin)
        size = max(2.2, radius * rng.uniform(0.15, 0.42))
        hole = lobed(rng, plan.box, centre, size, int(rng.integers(0, 2)), 0.8)
        total = union(total, hole, 1.5)
    return np.maximum(total, plan.core + np.float32(rng.uniform(1.2, 2.5)))
