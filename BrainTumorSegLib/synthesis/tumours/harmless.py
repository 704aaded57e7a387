"""What is no tumour but looks a little like one: plaques of multiple sclerosis, small vessels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from BrainTumorSegLib.synthesis.grid import COARSE, Array
from BrainTumorSegLib.synthesis.shapes import coverage
from BrainTumorSegLib.synthesis.tumours.anatomy_classes import PARENCHYMA, A, is_any
from BrainTumorSegLib.synthesis.tumours.canvas import Canvas
from BrainTumorSegLib.synthesis.tumours.fields import (
    coarse_noise,
    frame,
    offsets,
    random_rotation,
    turned_ellipsoid,
)
from BrainTumorSegLib.synthesis.tumours.kinds import Kind
from BrainTumorSegLib.synthesis.tumours.plan import Coat, Plan, box_around


def plan_harmless(rng: np.random.Generator, canvas: Canvas, kind: Kind) -> Plan:
    """Scattered lesions over the whole canvas; they push nothing."""
    box = box_around(canvas, np.array(canvas.shape) / 2, float(max(canvas.shape)))
    classes = canvas.classes[box.coarse]
    ventricle = is_any(classes, (A.VENTRICLE,))
    white = is_any(classes, (A.WHITE, A.CEREBELLAR_WHITE, A.STEM))
    fluid = ndimage.distance_transform_edt(~ventricle).astype(np.float32) * COARSE
    surface = canvas.depth[box.coarse]
    weights = np.where(white & (surface > 8), 1.0, 0.0)
    if kind is Kind.MULTIPLE_SCLEROSIS:
        weights *= np.where(fluid < 12, 8.0, np.where(surface < 14, 1.0, 0.5))
        count, size = int(rng.integers(8, 45)), 4.2
    else:
        weights *= np.where(fluid < 7, 2.0, 1.0) * (canvas.classes[box.coarse] == A.WHITE)
        count, size = int(rng.integers(6, 40)), 2.1
    if weights.sum() == 0:
        weights = is_any(classes, PARENCHYMA).astype(float)
    nodes = np.argwhere(weights > 0)
    shares = weights[weights > 0]
    chosen = nodes[rng.choice(len(nodes), count, p=shares / shares.sum())]
    settings = {
        "lesions": count,
        "size_mm": round(float(size * rng.uniform(0.7, 1.4)), 1),
        "active": int(rng.integers(1, 4)) if rng.random() < 0.3 else 0,
        "caps_mm": round(float(rng.uniform(0, 5.0 if kind is Kind.SMALL_VESSEL else 2.5)), 1),
    }
    fields = {"fluid": fluid, "nodes": chosen.astype(np.float32)}
    return Plan(kind, box, fluid, None, fields, {}, settings)


def paint_harmless(
    rng: np.random.Generator, plan: Plan, coarse: Array, classes: Array, depth: Array
) -> list[Coat]:
    """Coats of scattered lesions; none carries a label."""
    box, settings = plan.box, plan.settings
    room = is_any(classes, PARENCHYMA).astype(np.float32)
    room[classes == A.CORTEX] = 0.5
    caps = plan.fields["fluid"] + 1.2 * coarse_noise(rng, box.nodes, 14.0)
    white = is_any(classes, (A.WHITE, A.THALAMUS, A.STRIATUM))
    coats = [
        Coat("cap", coverage(box.fine_field(caps) - np.float32(settings["caps_mm"]), 3.0) * white)
    ]
    plaques, holes, active = (np.zeros(box.shape, np.float32) for _ in range(3))
    for number, node in enumerate(plan.fields["nodes"]):
        centre = node * COARSE
        axis = _away_from_ventricle(plan, node)
        long = plan.kind is Kind.MULTIPLE_SCLEROSIS
        size = settings["size_mm"] * np.exp(rng.normal(0, 0.4))
        semi = size * np.array([1.5 if long else 1.1, 0.85, 0.85]) * np.exp(rng.normal(0, 0.12, 3))
        rotation = frame(axis) if long else random_rotation(rng)
        _stamp(rng, plaques, centre, semi, rotation, 2.0)
        if rng.random() < 0.3:
            _stamp(rng, holes, centre, semi * 0.5, rotation, 1.6)
        if number < settings["active"]:
            ring = rng.random() < 0.4
            _stamp(rng, active, centre, semi * 0.8, rotation, 1.4)
            if ring:
                _stamp(rng, active, centre, semi * 0.45, rotation, 1.4, erase=True)
    coats += [Coat("plaque", plaques * room), Coat("hole", holes * room)]
    coats.append(Coat("active", active * room))
    return coats


def _away_from_ventricle(plan: Plan, node: Array) -> Array:
    """Direction in which the distance to the ventricles grows (Dawson's fingers)."""
    field, n = plan.fields["fluid"], node.astype(int)
    gradient = []
    for axis in range(3):
        ahead, behind = n.copy(), n.copy()
        ahead[axis] = min(n[axis] + 2, field.shape[axis] - 1)
        behind[axis] = max(n[axis] - 2, 0)
        gradient.append(float(field[tuple(ahead)] - field[tuple(behind)]))
    vector = np.array(gradient)[::-1]
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-3 else np.array([1.0, 0.0, 0.0])


def _stamp(
    rng: np.random.Generator,
    target: Array,
    centre: Array,
    semi: Array,
    rotation: Array,
    softness: float,
    erase: bool = False,
) -> None:
    """Draw a slightly bumpy ellipsoid into a share (in place)."""
    reach = float(semi.max()) + 4
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach) + 1, target.shape).astype(int)
    if (high - low < 2).any():
        return
    p = offsets(low, high - low, centre)
    form = turned_ellipsoid(p, (0, 0, 0), semi, rotation)
    form += np.float32(0.35) * _bumps(rng, tuple(high - low))
    share = coverage(form, softness)
    view = target[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    if erase:
        view *= 1 - share
    else:
        np.maximum(view, share, out=view)


def _bumps(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    field = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 1.2)
    return field / max(float(field.std()), 1e-6)
