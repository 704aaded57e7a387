"""One synthetic sample from settings, sources and a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.synthesis.grid import COARSE, Array
from BrainTumorSegLib.synthesis.tumours.anatomy_classes import A
from BrainTumorSegLib.synthesis.tumours.canvas import (
    WHITE,
    Anatomy,
    Canvas,
    Levels,
    brain_mask,
    coarse_positions,
    draw_pose,
    fine_positions,
    make_canvas,
    sample_classes,
)
from BrainTumorSegLib.synthesis.tumours.contrasts import Contrast, draw_contrast
from BrainTumorSegLib.synthesis.tumours.extra_axial import (
    paint_extra_axial,
    plan_meningioma,
    plan_neurinoma,
)
from BrainTumorSegLib.synthesis.tumours.fields import noise, refined
from BrainTumorSegLib.synthesis.tumours.glioma import paint_glioma, plan_glioma
from BrainTumorSegLib.synthesis.tumours.harmless import paint_harmless, plan_harmless
from BrainTumorSegLib.synthesis.tumours.kinds import Kind
from BrainTumorSegLib.synthesis.tumours.painting import (
    labels_on,
    overlap,
    paint,
    shares_of,
    without_specks,
)
from BrainTumorSegLib.synthesis.tumours.places import NoRoomError
from BrainTumorSegLib.synthesis.tumours.plan import Coat, Plan, displacement
from BrainTumorSegLib.synthesis.tumours.real_scans import carve, mirrored_healthy
from BrainTumorSegLib.synthesis.tumours.rendering import add_choroid, add_vessels, render_head
from BrainTumorSegLib.synthesis.tumours.scanner import (
    SliceGrid,
    acquire,
    draw_acquisition,
    drop_sequence,
    record_of,
    slices_of,
)
from BrainTumorSegLib.synthesis.tumours.settings import KindShares, SynthesisConfig
from BrainTumorSegLib.synthesis.tumours.sources import Sources
from BrainTumorSegLib.synthesis.tumours.tones import draw_tones

#: Sites that are tried before a head is given up.
_ATTEMPTS = 10

#: Raise when samples change, so that files made before are not used.
GENERATOR_VERSION = 1

_BACKGROUND = 1 << int(Tissue.BACKGROUND)


@dataclass(frozen=True)
class Sample:
    """A synthetic case. All arrays are ``[slice, row, column]`` on one grid, in LPS order.

    Attributes:
        scans: float32 by sequence; a sequence that was not taken is absent.
        labels: uint8 `Tissue` values.
        allowed: uint8 tissue bits; single bits of ``labels`` except where a real tumour
            was kept whose labels merge classes.
        brain: brain mask.
        spacing: mm ``(slice, row, column)``.
        record: how it was made; plain types.
    """

    scans: Mapping[Sequence, Array]
    labels: Array
    allowed: Array
    brain: Array
    spacing: tuple[float, float, float]
    record: Mapping[str, Any]

    def image(self, array: Array) -> sitk.Image:
        """An array of the sample with its geometry (axial, LPS, mm)."""
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(tuple(reversed(self.spacing)))
        return image


def synthesise(config: SynthesisConfig, sources: Sources, seed: int | list[int]) -> Sample:
    """Make one sample; the same arguments give the same voxels.

    Args:
        config: what to make.
        sources: label maps, shapes and scans to make it of.
        seed: any whole number, or several.

    Raises:
        InputError: when a source is missing or cannot be used.
    """
    rng = np.random.default_rng(seed)
    kind = _draw_kind(rng, config, sources)
    anatomy, blocked_allowed = _draw_anatomy(rng, kind, config, sources)
    real = anatomy.images is not None
    skull = not real and bool(rng.random() < config.acquisition.skull)
    margin = config.margin if skull else 6.0
    waves = {"rotation": 4.0, "scale": 0.04, "wave": 1.2} if real else {}
    canvas = make_canvas(anatomy, draw_pose(rng, anatomy, margin, **waves))
    blocked = _blocked_nodes(canvas) if blocked_allowed else None
    plan = _find_plan(rng, kind, canvas, config, sources, blocked)

    pushed = None if plan is None else displacement(plan, canvas)
    where = coarse_positions(canvas.pose, pushed)
    rows = _rows(rng, canvas, plan, config.slab)
    fine = fine_positions(where, canvas.shape, rows)
    classes = sample_classes(anatomy.classes, fine)
    depth = refined(canvas.depth, canvas.shape)[rows]

    contrast = None
    if real:
        pictures = _warp(anatomy.images, fine)
        levels = anatomy.levels
    else:
        contrast = draw_contrast(rng, config.contrast)
        add_vessels(rng, classes, depth, float(rng.uniform(0.3, 1.5)))
        add_choroid(rng, classes)
        pictures = dict(render_head(rng, classes, contrast))
        levels = _levels(contrast)
    allowed = np.full(classes.shape, _BACKGROUND, np.uint8)
    if anatomy.allowed is not None:
        allowed = ndimage.map_coordinates(
            anatomy.allowed, fine, order=0, mode="constant", cval=_BACKGROUND
        )

    acquisitions = {s: draw_acquisition(rng, s, config.acquisition, real) for s in Sequence}
    slices = slices_of(acquisitions[Sequence.T1CE], len(classes))
    coats = [] if plan is None else _coats(rng, plan, canvas, where, classes, depth, rows)
    labels = np.zeros((slices.count, *classes.shape[1:]), np.uint8)
    if coats:
        tones = draw_tones(rng, kind, levels, config.tone_range)
        paint(rng, pictures, coats, tones, plan.box, rows, config.texture)
        labels = _truth(plan, coats, rows, len(classes), slices, classes.shape)
    mask = _brain(rng, config, classes, depth, real, labels, slices, kind)

    missing = drop_sequence(rng, config.acquisition)
    scans = {}
    for sequence, picture in pictures.items():
        scan = acquire(rng, picture, acquisitions[sequence], slices)
        if not skull:
            scan = scan * mask
        if sequence is not missing:
            scans[sequence] = scan * np.float32(100 * np.exp(rng.normal(0, 0.7)))
    truth = _merge(labels, allowed, slices, mask)
    record = {
        "kind": kind.value,
        "anatomy": anatomy.name,
        "contrast": contrast.manner if contrast else "real",
        "skull": skull,
        "missing": missing.value if missing else None,
        "lesion": dict(plan.settings) if plan else {},
        "acquisition": record_of(acquisitions),
        "seed": seed,
    }
    return Sample(
        scans,
        np.where(labels > 0, labels, _single(truth)).astype(np.uint8),
        truth,
        mask,
        (slices.spacing, 1.0, 1.0),
        record,
    )


def _draw_kind(rng: np.random.Generator, config: SynthesisConfig, sources: Sources) -> Kind:
    shares = asdict(config.kinds)
    if not sources.cases:
        shares["carved"] = 0.0
    names = [f.name for f in fields(KindShares)]
    weights = np.array([shares[n] for n in names], float)
    if weights.sum() <= 0:
        raise InputError(
            "Only carved samples are wanted, but there are no real cases.",
            "Give real cases, or another kind a share.",
        )
    return Kind(names[rng.choice(len(names), p=weights / weights.sum())])


def _draw_anatomy(
    rng: np.random.Generator, kind: Kind, config: SynthesisConfig, sources: Sources
) -> tuple[Anatomy, bool]:
    """The anatomy, and whether it shows a real tumour that must be left alone."""
    if kind is Kind.CARVED:
        target, donor = sources.case(rng), sources.case(rng)
        if rng.random() < 0.5:
            healthy = sources.case_with_a_healthy_half(rng, symmetric=True)
            target = target if healthy is None else mirrored_healthy(healthy)
        return carve(rng, target, donor), True
    if not sources.cases or rng.random() >= config.real_share:
        return sources.head(rng, config.part), False
    keep = kind.has_tumour and rng.random() < config.keep_tumour
    healthy = sources.case_with_a_healthy_half(rng, symmetric=not keep)
    if healthy is None:
        return sources.head(rng, config.part), False
    return (healthy, True) if keep else (mirrored_healthy(healthy), False)


def _blocked_nodes(canvas: Canvas) -> Array:
    """Nodes near a real tumour: a second one is painted elsewhere."""
    where = coarse_positions(canvas.pose)
    allowed = ndimage.map_coordinates(
        canvas.anatomy.allowed, where, order=0, mode="constant", cval=_BACKGROUND
    )
    return ndimage.binary_dilation(allowed != _BACKGROUND, iterations=9)


def _find_plan(
    rng: np.random.Generator,
    kind: Kind,
    canvas: Canvas,
    config: SynthesisConfig,
    sources: Sources,
    blocked: Array | None,
) -> Plan | None:
    """A plan; another site is drawn when the head has no room for the first."""
    for _ in range(_ATTEMPTS):
        try:
            return _draw_plan(rng, kind, canvas, config, sources, blocked)
        except NoRoomError:
            continue
    raise NoRoomError(
        f"{canvas.anatomy.name} has no room for a {kind.value} at {_ATTEMPTS} sites.",
        "Choose another seed.",
    )


def _draw_plan(
    rng: np.random.Generator,
    kind: Kind,
    canvas: Canvas,
    config: SynthesisConfig,
    sources: Sources,
    blocked: Array | None,
) -> Plan | None:
    if kind in (Kind.HEALTHY, Kind.CARVED):
        return None
    if kind is Kind.MENINGIOMA:
        return plan_meningioma(rng, canvas, config.extra_axial, blocked=blocked)
    if kind is Kind.NEURINOMA:
        return plan_neurinoma(rng, canvas, config.extra_axial)
    if kind in (Kind.MULTIPLE_SCLEROSIS, Kind.SMALL_VESSEL):
        return plan_harmless(rng, canvas, kind)
    shares = asdict(config.forms)
    if not sources.shapes:
        shares["real"] = 0.0
    names, weights = list(shares), np.array(list(shares.values()), float)
    form = "lobed" if weights.sum() <= 0 else str(rng.choice(names, p=weights / weights.sum()))
    return plan_glioma(
        rng,
        canvas,
        kind,
        form,
        config.glioma,
        lambda chance, wanted: sources.shape(chance, wanted, config.part),
        blocked,
    )


def _rows(rng: np.random.Generator, canvas: Canvas, plan: Plan | None, slab: int) -> slice:
    """The slices of the canvas to compute; a slab lies about the lesion."""
    depth = canvas.shape[0]
    if slab == 0 or slab >= depth:
        return slice(0, depth)
    if plan is not None and plan.push is not None:
        inside = np.nonzero(plan.core.min(axis=(1, 2)) < 0)[0]
        low, high = (inside[0], inside[-1]) if len(inside) else (0, plan.core.shape[0] - 1)
        middle = plan.box.origin[0] + COARSE * rng.uniform(low, high)
    else:
        middle = rng.uniform(0.2, 0.85) * depth
    first = int(np.clip(middle - slab / 2, 0, depth - slab))
    return slice(first, first + slab)


def _warp(images: Mapping[Sequence, Array], fine: Array) -> dict[Sequence, Array]:
    """Scans seen in the pose, white matter at 1."""
    warped = {}
    for sequence, image in images.items():
        picture = ndimage.map_coordinates(image, fine, np.float32, order=1, cval=0.0)
        picture *= np.float32(1 / WHITE)
        warped[sequence] = picture
    return warped


def _levels(contrast: Contrast) -> dict[Sequence, Levels]:
    return {
        sequence: Levels(float(v[A.WHITE]), float(v[A.CORTEX]), float(v[A.CSF]))
        for sequence, v in contrast.signals.items()
    }


def _coats(
    rng: np.random.Generator,
    plan: Plan,
    canvas: Canvas,
    where: Array,
    classes: Array,
    depth: Array,
    rows: slice,
) -> list[Coat]:
    """Coats on the plan's box; outside the computed slices they are of no matter."""
    box = plan.box
    coarse = sample_classes(canvas.anatomy.classes, where[(slice(None), *box.coarse)])
    inner, outer = overlap(box, rows)
    if inner is None:
        return []
    near = np.zeros(box.shape, np.uint8)
    near[inner] = classes[outer]
    below = np.full(box.shape, -9, np.float32)
    below[inner] = depth[outer]
    if plan.kind in (Kind.MENINGIOMA, Kind.NEURINOMA):
        return paint_extra_axial(rng, plan, coarse, near, below)
    if plan.kind in (Kind.MULTIPLE_SCLEROSIS, Kind.SMALL_VESSEL):
        return paint_harmless(rng, plan, coarse, near, below)
    return paint_glioma(rng, plan, coarse, near, below)


def _truth(
    plan: Plan,
    coats: list[Coat],
    rows: slice,
    depth: int,
    slices: SliceGrid,
    shape: tuple[int, ...],
) -> Array:
    result = np.zeros((slices.count, *shape[1:]), np.uint8)
    inner, outer = overlap(plan.box, rows)
    if inner is None or all(coat.tissue is None for coat in coats):
        return result
    labels = labels_on(shares_of(coats, inner), outer[0].start, depth, slices)
    result[(slice(None), *outer[1:])] = labels
    return without_specks(result)


def _brain(
    rng: np.random.Generator,
    config: SynthesisConfig,
    classes: Array,
    depth: Array,
    real: bool,
    labels: Array,
    slices: SliceGrid,
    kind: Kind,
) -> Array:
    """A brain mask as a brain extraction would make it, now and then a little off."""
    untidy = bool(rng.random() < config.acquisition.untidy_mask)
    if real:
        mask = classes != A.AIR
    else:
        rind = float(rng.uniform(-2.5, 4.0) if untidy else rng.uniform(0.2, 2.0))
        uneven = depth + np.float32(1.2 if untidy else 0.4) * noise(rng, depth.shape, 25.0)
        mask = brain_mask(classes, uneven, rind)
    mask = mask[np.clip(np.round(slices.positions).astype(int), 0, len(mask) - 1)]
    spared = kind in (Kind.MENINGIOMA, Kind.NEURINOMA) and rng.random() < 0.12
    if not spared:
        mask = mask | (labels > 0)
    return np.stack([_closed(s) for s in mask])


def _closed(mask: Array, radius: float = 4.0) -> Array:
    """A slice of a mask without clefts narrower than twice the radius, and without holes."""
    padded = np.pad(mask, int(radius) + 2)
    if not padded.any():
        return mask
    grown = ndimage.distance_transform_edt(~padded) <= radius
    closed = ndimage.distance_transform_edt(grown) > radius
    inner = (slice(int(radius) + 2, -int(radius) - 2),) * 2
    return ndimage.binary_fill_holes(closed[inner] | mask)


def _merge(labels: Array, allowed: Array, slices: SliceGrid, brain: Array) -> Array:
    """Tissue bits: what was painted, and below it what the real scan showed."""
    if slices.spacing > 1:
        nearest = np.clip(np.round(slices.positions).astype(int), 0, len(allowed) - 1)
        allowed = allowed[nearest]
    painted = (1 << labels.astype(np.int32)).astype(np.uint8)
    merged = np.where(labels > 0, painted, allowed)
    # Tumour that brain extraction cut off cannot be seen: it may be called background.
    return np.where(brain, merged, merged | _BACKGROUND).astype(np.uint8)


def _single(allowed: Array) -> Array:
    """One tissue for each set: the first one that it allows."""
    table = np.zeros(256, np.uint8)
    for code in range(1, 256):
        tissues = [t for t in range(8) if code >> t & 1]
        table[code] = min(tissues[0], max(Tissue))
    return table[allowed]
