"""What looks a little like a tumor: plaques of multiple sclerosis, disease of small vessels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .canvas import Canvas
from .classes import PARENCHYMA, A, is_any
from .config import Kind
from .fields import COARSE, Array, coarse_noise, fine_noise, frame, random_rotation, slope_at
from .lesion import Layer, Plan, Surroundings
from .shapes import Box, box_around, coverage, turned_ellipsoid


def plan_non_tumor(rng: np.random.Generator, canvas: Canvas, kind: Kind) -> Plan:
    """Scattered lesions over the whole canvas; they push nothing."""
    box = box_around(canvas.shape, np.array(canvas.shape) / 2, float(max(canvas.shape)))
    classes = canvas.classes[box.coarse]
    ventricle = classes == A.VENTRICLE
    white = is_any(classes, (A.WHITE, A.CEREBELLAR_WHITE, A.STEM))
    fluid = ndimage.distance_transform_edt(~ventricle).astype(np.float32) * COARSE
    surface = canvas.depth[box.coarse]
    weights = np.where(white & (surface > 8), 1.0, 0.0)
    if kind is Kind.MULTIPLE_SCLEROSIS:
        weights *= np.where(fluid < 12, 8.0, np.where(surface < 14, 1.0, 0.5))
        count, size, caps = int(rng.integers(8, 45)), 4.2, 2.5
    else:
        weights *= np.where(fluid < 7, 2.0, 1.0) * (classes == A.WHITE)
        count, size, caps = int(rng.integers(6, 40)), 2.1, 5.0
    if weights.sum() == 0:
        weights = is_any(classes, PARENCHYMA).astype(float)
    nodes = np.argwhere(weights > 0)
    shares = weights[weights > 0]
    chosen = nodes[rng.choice(len(nodes), count, p=shares / shares.sum())]
    settings = {
        "lesions": count,
        "size_mm": round(float(size * rng.uniform(0.7, 1.4)), 1),
        "active": int(rng.integers(1, 4)) if rng.random() < 0.3 else 0,
        "caps_mm": round(float(rng.uniform(0, caps)), 1),
    }
    fields = {"fluid": fluid, "nodes": chosen.astype(np.float32)}
    return Plan(kind, box, fluid, None, fields, settings=settings)


def paint_non_tumor(rng: np.random.Generator, plan: Plan, around: Surroundings) -> list[Layer]:
    """Layers of scattered lesions of `plan_non_tumor`; none carries a label."""
    box, settings, classes = plan.box, plan.settings, around.classes
    room = is_any(classes, PARENCHYMA).astype(np.float32)
    room[classes == A.CORTEX] = 0.5
    caps = plan.fields["fluid"] + 1.2 * coarse_noise(rng, box.nodes, 14.0)
    white = is_any(classes, (A.WHITE, A.THALAMUS, A.STRIATUM))
    cap = coverage(box.fine_field(caps) - np.float32(settings["caps_mm"]), 3.0) * white
    plaques, holes, active = (np.zeros(box.shape, np.float32) for _ in range(3))
    for number, node in enumerate(plan.fields["nodes"]):
        center = node * COARSE
        long = plan.kind is Kind.MULTIPLE_SCLEROSIS
        size = settings["size_mm"] * np.exp(rng.normal(0, 0.4))
        semi = size * np.array([1.5 if long else 1.1, 0.85, 0.85]) * np.exp(rng.normal(0, 0.12, 3))
        rotation = frame(_away_from_ventricle(plan, node)) if long else random_rotation(rng)
        _stamp(rng, plaques, center, semi, rotation, 2.0)
        if rng.random() < 0.3:
            _stamp(rng, holes, center, semi * 0.5, rotation, 1.6)
        if number < settings["active"]:
            ring = rng.random() < 0.4
            _stamp(rng, active, center, semi * 0.8, rotation, 1.4)
            if ring:
                _stamp(rng, active, center, semi * 0.45, rotation, 1.4, erase=True)
    shares = {"plaque": plaques, "hole": holes, "active": active}
    return [Layer("cap", cap), *(Layer(tone, share * room) for tone, share in shares.items())]


def _away_from_ventricle(plan: Plan, node: Array) -> Array:
    """Direction in which the distance to the ventricles grows (Dawson's fingers)."""
    vector = slope_at(plan.fields["fluid"], node.astype(int), 2)[::-1].astype(float)
    length = float(np.linalg.norm(vector))
    return vector / length if length > 2.5e-4 else np.array([1.0, 0.0, 0.0])


def _stamp(
    rng: np.random.Generator,
    target: Array,
    center: Array,
    semi: Array,
    rotation: Array,
    softness: float,
    erase: bool = False,
) -> None:
    """Draw a slightly bumpy ellipsoid into a share, or erase it there (in place)."""
    reach = float(semi.max()) + 4
    low = np.maximum(np.floor(center - reach), 0).astype(int)
    high = np.minimum(np.ceil(center + reach) + 1, target.shape).astype(int)
    if (high - low < 2).any():
        return
    box = Box(tuple(low), tuple(high - low))
    form = turned_ellipsoid(box.offsets(center, spacing=1), (0, 0, 0), semi, rotation)
    form += np.float32(0.35) * fine_noise(rng, box.shape, 1.2)
    share = coverage(form, softness)
    view = target[box.fine]
    if erase:
        view *= 1 - share
    else:
        np.maximum(view, share, out=view)
