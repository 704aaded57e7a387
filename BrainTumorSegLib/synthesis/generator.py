"""One synthetic sample from settings, sources and a seed."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue

from .canvas import (
    BACKGROUND,
    WHITE,
    Anatomy,
    Canvas,
    Levels,
    brain_mask,
    coarse_positions,
    draw_pose,
    fine_positions,
    make_canvas,
    sample_labels,
)
from .classes import A
from .config import NON_TUMOR_LESIONS, Kind, SynthesisConfig
from .contrast import Contrast, add_choroid, add_vessels, draw_contrast, draw_tones, render_head
from .extra_axial import paint_extra_axial, plan_meningioma, plan_neurinoma
from .fields import COARSE, Array, noise, refined
from .glioma import paint_glioma, plan_glioma
from .lesion import (
    Layer,
    Plan,
    Surroundings,
    displacement,
    labels_on,
    overlap,
    paint,
    remove_small_components,
)
from .non_tumor_lesions import paint_non_tumor, plan_non_tumor
from .places import NoRoomError
from .real_scans import carvemix, mirrored_healthy
from .scanner import SliceGrid, acquire, draw_acquisition, drop_sequence, slices_of
from .sources import Sources

#: Sites that are tried before a head is given up.
_ATTEMPTS = 10

#: Raise when samples change, so that files made before are not used.
GENERATOR_VERSION = 1


@dataclass(frozen=True)
class Sample:
    """A synthetic case. All arrays are ``[slice, row, column]`` on one grid, in LPS order.

    Attributes:
        scans: float32 by sequence; a sequence that was not taken is absent.
        labels: uint8 `Tissue` values.
        allowed: uint8 tissue bits; single bits of ``labels`` except where a real tumor
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


def synthesize(config: SynthesisConfig, sources: Sources, seed: int | list[int]) -> Sample:
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
    anatomy = _draw_anatomy(rng, kind, config, sources)
    real = anatomy.images is not None
    skull = not real and bool(rng.random() < config.acquisition.skull)
    margin = config.margin if skull else 6.0
    scene = draw_scene(rng, kind, anatomy, config, sources, margin)
    acquisitions = {s: draw_acquisition(rng, s, config.acquisition, real) for s in Sequence}
    slices = slices_of(acquisitions[Sequence.T1CE], len(scene.classes))
    layers = paint_lesion(rng, scene, config)
    labels = _labels(scene, layers, slices)
    mask = _brain(rng, config, scene, labels, slices)

    missing = drop_sequence(rng, config.acquisition)
    scans = {}
    for sequence, picture in scene.pictures.items():
        scan = acquire(rng, picture, acquisitions[sequence], slices)
        if not skull:
            scan = scan * mask
        if sequence is not missing:
            scans[sequence] = scan * np.float32(100 * np.exp(rng.normal(0, 0.7)))
    allowed = _merge(labels, scene.allowed[slices.nearest], mask)
    record = {
        "kind": kind.value,
        "anatomy": anatomy.name,
        "contrast": scene.contrast.manner if scene.contrast else "real",
        "skull": skull,
        "missing": missing.value if missing else None,
        "lesion": dict(scene.plan.settings) if scene.plan else {},
        "acquisition": {s.value: a.record() for s, a in acquisitions.items()},
        "seed": seed,
    }
    labels = np.where(labels > 0, labels, _first_tissue(allowed)).astype(np.uint8)
    return Sample(scans, labels, allowed, mask, (slices.spacing, 1.0, 1.0), record)


def _draw_kind(rng: np.random.Generator, config: SynthesisConfig, sources: Sources) -> Kind:
    shares = asdict(config.kinds)
    if not sources.cases:
        shares[Kind.CARVEMIX.value] = 0.0
    names, weights = list(shares), np.array(list(shares.values()), float)
    if weights.sum() <= 0:
        raise InputError(
            "Only carved samples are requested, but there are no real cases.",
            "Give real cases, or another kind a share.",
        )
    return Kind(names[rng.choice(len(names), p=weights / weights.sum())])


def _draw_anatomy(
    rng: np.random.Generator, kind: Kind, config: SynthesisConfig, sources: Sources
) -> Anatomy:
    """A head or a real scan; what the latter still ``allowed`` to be tumor is left alone."""
    if kind is Kind.CARVEMIX:
        target, donor = sources.case(rng), sources.case(rng)
        if rng.random() < 0.5:
            healthy = sources.case_with_a_healthy_half(rng, symmetric=True)
            target = target if healthy is None else mirrored_healthy(healthy)
        return carvemix(rng, target, donor)
    if not sources.cases or rng.random() >= config.real_share:
        return sources.head(rng, config.part)
    keep = kind.has_tumor and rng.random() < config.keep_tumour
    healthy = sources.case_with_a_healthy_half(rng, symmetric=not keep)
    if healthy is None:
        return sources.head(rng, config.part)
    return healthy if keep else mirrored_healthy(healthy)


# The scene, at 1 mm, before any scanner sees it


@dataclass(frozen=True)
class Scene:
    """A head in its pose with a planned lesion.

    Attributes:
        kind: of the lesion.
        canvas: the head on coarse nodes, before the lesion pushes it.
        plan: of the lesion; None without one.
        where: positions in the anatomy of the coarse nodes, pushed by the lesion.
        rows: slices of the canvas that are computed, which the arrays below hold.
        classes: uint8 `Anatomical` values, pushed.
        depth: float32 mm from the wall of the cranial cavity.
        allowed: tissue bits of a real tumor.
        contrast: signals of the head; None for real scans.
        pictures: float32 by sequence, white matter near 1.
    """

    kind: Kind
    canvas: Canvas
    plan: Plan | None
    where: Array
    rows: slice
    classes: Array
    depth: Array
    allowed: Array
    contrast: Contrast | None
    pictures: dict[Sequence, Array]

    @property
    def levels(self) -> Mapping[Sequence, Levels]:
        """White matter, grey matter and fluid of each picture."""
        return self.contrast.levels if self.contrast else self.canvas.anatomy.levels


def draw_scene(
    rng: np.random.Generator,
    kind: Kind,
    anatomy: Anatomy,
    config: SynthesisConfig,
    sources: Sources,
    margin: float,
) -> Scene:
    """Pose a head, plan a lesion in it, and make pictures of the head that the lesion pushes.

    The canvas leaves ``margin`` mm around the brain.

    Raises:
        NoRoomError: when the head has no room for the lesion.
    """
    real = anatomy.images is not None
    waves = {"rotation": 4.0, "scale": 0.04, "wave": 1.2} if real else {}
    canvas = make_canvas(anatomy, draw_pose(rng, anatomy, margin, **waves))
    plan = _find_plan(rng, kind, canvas, config, sources)
    where = coarse_positions(canvas.pose, None if plan is None else displacement(plan, canvas))
    rows = _rows(rng, canvas, plan, config.slab)
    fine = fine_positions(where, canvas.shape, rows)
    classes = sample_labels(anatomy.classes, fine, A.AIR)
    depth = refined(canvas.depth, canvas.shape)[rows]
    allowed, contrast = np.full(classes.shape, BACKGROUND, np.uint8), None
    if anatomy.allowed is not None:
        allowed = sample_labels(anatomy.allowed, fine, BACKGROUND)
    if real:
        pictures = {s: _warp(image, fine) for s, image in anatomy.images.items()}
    else:
        contrast = draw_contrast(rng, config.contrast)
        add_vessels(rng, classes, depth, float(rng.uniform(0.3, 1.5)))
        add_choroid(rng, classes)
        pictures = render_head(rng, classes, contrast)
    return Scene(kind, canvas, plan, where, rows, classes, depth, allowed, contrast, pictures)


def _find_plan(
    rng: np.random.Generator, kind: Kind, canvas: Canvas, config: SynthesisConfig, sources: Sources
) -> Plan | None:
    """A plan; another site is drawn when the head has no room for the first."""
    if kind in (Kind.HEALTHY, Kind.CARVEMIX):
        return None
    for _ in range(_ATTEMPTS):
        try:
            if kind is Kind.MENINGIOMA:
                return plan_meningioma(rng, canvas, config.extra_axial)
            if kind is Kind.NEURINOMA:
                return plan_neurinoma(rng, canvas, config.extra_axial)
            if kind in NON_TUMOR_LESIONS:
                return plan_non_tumor(rng, canvas, kind)
            return plan_glioma(rng, canvas, kind, config, sources)
        except NoRoomError:
            continue
    raise NoRoomError(
        f"{canvas.anatomy.name} has no room for a {kind.value} at {_ATTEMPTS} sites.",
        "Choose another seed.",
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


def _warp(image: Array, fine: Array) -> Array:
    """A scan seen in the pose, white matter at 1."""
    picture = ndimage.map_coordinates(image, fine, np.float32, order=1, cval=0.0)
    picture *= np.float32(1 / WHITE)
    return picture


def paint_lesion(rng: np.random.Generator, scene: Scene, config: SynthesisConfig) -> list[Layer]:
    """Paint the planned lesion over the pictures of a scene (in place).

    Returns:
        The layers from back to front, on the plan's box; none without a plan.
    """
    if scene.plan is None:
        return []
    box = scene.plan.box
    inner, outer = overlap(box, scene.rows)
    # Outside the computed slices layers do not matter.
    classes, depth = np.zeros(box.shape, np.uint8), np.full(box.shape, -9, np.float32)
    classes[inner], depth[inner] = scene.classes[outer], scene.depth[outer]
    nodes = scene.where[(slice(None), *box.coarse)]
    coarse = sample_labels(scene.canvas.anatomy.classes, nodes, A.AIR)
    around = Surroundings(coarse, classes, depth)
    if scene.kind.extra_axial:
        layers = paint_extra_axial(rng, scene.plan, around)
    elif scene.kind in NON_TUMOR_LESIONS:
        layers = paint_non_tumor(rng, scene.plan, around)
    else:
        layers = paint_glioma(rng, scene.plan, around)
    layers = [layer for layer in layers if layer is not None]
    tones = draw_tones(rng, scene.kind, scene.levels, config.tone_range)
    paint(rng, scene.pictures, layers, tones, box, scene.rows, config.texture)
    return layers


# Labels and brain on the slices of the sample


def _labels(scene: Scene, layers: SequenceOf[Layer], slices: SliceGrid) -> Array:
    labels = np.zeros((slices.count, *scene.classes.shape[1:]), np.uint8)
    if all(layer.tissue is None for layer in layers):
        return labels
    box = scene.plan.box
    labels[(slice(None), *box.fine[1:])] = labels_on(layers, box, scene.rows, slices)
    return remove_small_components(labels)


def _brain(
    rng: np.random.Generator,
    config: SynthesisConfig,
    scene: Scene,
    labels: Array,
    slices: SliceGrid,
) -> Array:
    """A brain mask as a brain extraction would make it, now and then a little off."""
    untidy = bool(rng.random() < config.acquisition.untidy_mask)
    if scene.contrast is None:
        mask = scene.classes != A.AIR
    else:
        rind = float(rng.uniform(-2.5, 4.0) if untidy else rng.uniform(0.2, 2.0))
        uneven = noise(rng, scene.depth.shape, 25.0) * np.float32(1.2 if untidy else 0.4)
        mask = brain_mask(scene.classes, scene.depth + uneven, rind)
    mask = mask[slices.nearest]
    spared = scene.kind.extra_axial and rng.random() < 0.12
    if not spared:
        mask = mask | (labels > 0)
    return np.stack([_closed(s) for s in mask])


def _closed(mask: Array, radius: int = 4) -> Array:
    """A slice of a mask without clefts narrower than twice the radius, and without holes."""
    padded = np.pad(mask, radius + 2)
    if not padded.any():
        return mask
    grown = ndimage.distance_transform_edt(~padded) <= radius
    closed = ndimage.distance_transform_edt(grown) > radius
    inner = (slice(radius + 2, -radius - 2),) * 2
    return ndimage.binary_fill_holes(closed[inner] | mask)


def _merge(labels: Array, allowed: Array, brain: Array) -> Array:
    """Tissue bits: what was painted, and below it what the real scan showed."""
    painted = (1 << labels.astype(np.int32)).astype(np.uint8)
    merged = np.where(labels > 0, painted, allowed)
    # Tumor that brain extraction cut off cannot be seen: it may be called background.
    return np.where(brain, merged, merged | BACKGROUND).astype(np.uint8)


def _first_tissue(allowed: Array) -> Array:
    """One tissue for each set: the first one that it allows."""
    first = [0, *((code & -code).bit_length() - 1 for code in range(1, 256))]
    return np.minimum(first, max(Tissue)).astype(np.uint8)[allowed]
