"""From a case to a segmentation: the one place that knows the order of things."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.file_names import home_folder, without_folders
from BrainTumorSegLib.core.options import Brain, Options
from BrainTumorSegLib.core.progress import STAGES, Progress
from BrainTumorSegLib.core.requirements import computing_versions
from BrainTumorSegLib.core.resources import cache_folder
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.inference.engines.choosing import OpenedEngine, open_engine, plan_engine
from BrainTumorSegLib.inference.engines.torch_engine import choose_device
from BrainTumorSegLib.io.folders import SCHEMA
from BrainTumorSegLib.io.volumes import read_image
from BrainTumorSegLib.measurement.place import find_place
from BrainTumorSegLib.models.packs import Member, ModelPack, load_pack
from BrainTumorSegLib.models.packs.calibration import read_calibration
from BrainTumorSegLib.models.packs.members import choose_members
from BrainTumorSegLib.preprocessing.bias_field import (
    bias_field_record,
    bias_field_warning,
    correct_bias_field,
)
from BrainTumorSegLib.preprocessing.brain import BrainMask, extract_brain
from BrainTumorSegLib.preprocessing.brain.field_of_view import field_of_view
from BrainTumorSegLib.preprocessing.doubts import doubts_about_scans, missing_shares
from BrainTumorSegLib.preprocessing.model_grid import ModelGrid, model_grid, normalize, to_grid
from BrainTumorSegLib.preprocessing.registration import Alignment, BrainsfitClient, align
from BrainTumorSegLib.reporting.record import confidence, measured, now

from .ensemble import Prediction, predict_volume
from .labels import smooth_across_slices
from .postprocessing import DistantComponents, remove_distant_components, remove_small_components
from .resampling import labels_on_reference, map_on_reference
from .slice_preselection import Preselection, choose_preselection
from .trust import signs_against, trust_record
from .tta import tta_transforms

#: A run warns when distant components of this volume together were removed.
MIN_WARNED_VOLUME_ML = 1.0


def segment(
    case: Case,
    options: Options | None = None,
    progress: Progress | None = None,
    brainsfit: BrainsfitClient | None = None,
) -> Segmentation:
    """Segment one case.

    Args:
        case: checked scans, see `case.make_case`.
        options: what the person chose; sensible defaults.
        progress: receives every stage; made from `STAGES` it knows the time left.
        brainsfit: whom to ask to run BRAINSFit, instead of the executable of the options.

    Returns:
        Labels, brain mask and disagreement on the reference's grid, and the record.

    Raises:
        BrainTumorSegError: with the remedy; nothing was written or changed.
    """
    options = options or Options()
    progress = progress or Progress(STAGES)
    for warning in case.warnings:
        progress.warn(warning)

    # What can fail without computing anything fails first.
    pack = load_pack(options.pack)
    device = choose_device(options.device)
    plan = plan_engine(options.engine, options.device, options.precision, pack.allows_bf16)
    members = choose_members(pack, _member_names(pack, options.members))
    views_name = options.tta or pack.advised_views
    views = tta_transforms(views_name)
    preselection = choose_preselection(options.slice_preselection, pack.advised_cascade)
    mask = options.brain_mask
    if mask is None and isinstance(options.brain, Path):
        mask = read_image(options.brain, progress.warn)
    check_sequences(case, pack)
    calibration = read_calibration(pack)

    progress.stage("register", max(1, len(case.scans) - 1))
    alignment = align(
        case,
        engine=options.registration,
        progress=progress,
        brainsfit=brainsfit or options.brainsfit,
    )
    progress.stage("brain")
    brain = extract_brain(
        case,
        alignment.transforms,
        method=Brain.AUTO if mask is not None else str(options.brain),
        mask=mask,
        device=device,
        progress=progress,
    )
    progress.stage("prepare", len(case.scans))
    seen = field_of_view(brain, pack.shown.field_of_view)
    grid = model_grid(case.reference_scan.image, seen, pack.in_plane_mm, pack.multiple)
    volumes, shading, missing = _prepare(
        case, alignment, (brain.image, seen), grid, pack, options.bias_field, progress
    )
    opened = open_engine(plan, pack, members, (pack.network.in_channels, *grid.shape[1:]), progress)
    prediction = predict_volume(
        volumes,
        pack.recipe,
        views,
        opened.engine,
        fallback=opened.fallback,
        batch=options.batch,
        progress=progress,
        preselection=preselection,
    )
    progress.stage("restore", 3)
    reference = case.reference_scan.image
    smoothed = smooth_across_slices(prediction.probabilities, grid.spacing[2])
    labels, probabilities = labels_on_reference(
        smoothed, grid, reference, seen, options.probabilities
    )
    labels = remove_small_components(labels, options.min_lesion_mm3)
    islands = None
    if not options.keep_distant_components:
        labels, islands = remove_distant_components(labels)
        _warn_of_distant_components(islands, progress)
    place = find_place(labels, brain.image, reference)
    progress.advance()
    entropy = map_on_reference(prediction.entropy, grid, reference, seen)
    information = (
        map_on_reference(prediction.mutual_information, grid, reference, seen)
        if len(members) > 1
        else None
    )
    progress.advance()
    registered = _registered(case, alignment) if options.registered else {}
    progress.advance()
    record = {
        **_record(case, pack, members, alignment, brain, opened, prediction),
        "views": {"name": views_name, "count": len(views)},
        "cascade": _preselection_record(preselection, prediction),
        "shading": shading,
        "islands": islands and islands.as_record(),
        **measured(labels, brain.volume_ml),
        "confidence": confidence(labels, entropy),
        "trust": trust_record(
            prediction.agreement,
            calibration,
            views_name,
            signs_against(case, pack, alignment.records, shading, missing),
        ),
        "place": place,
        "options": options.as_record(),
        "warnings": list(progress.warnings),
        "timings_s": {stage: round(spent, 3) for stage, spent in progress.timings.items()},
    }
    # Patients' names stand in paths, and records are passed on.
    record = without_folders(record, _known_paths(case, options, pack))
    return Segmentation(
        labels=labels,
        brain=brain.image,
        disagreement=entropy,
        mutual_information=information,
        probabilities=probabilities,
        registered=registered,
        record=record,
    )


def _known_paths(case: Case, options: Options, pack: ModelPack) -> list[str | Path]:
    """Paths that the texts of a record may name."""
    paths: list[str | Path] = [pack.folder, cache_folder("x"), "here", home_folder() / "x"]
    for scan in case.scans.values():
        paths += scan.files or [scan.source]
    return paths + [p for p in (options.brain, options.brainsfit) if isinstance(p, Path)]


def _warn_of_distant_components(islands: DistantComponents, progress: Progress) -> None:
    """Tell of what might be looked for; of less the record tells."""
    if islands.ml >= MIN_WARNED_VOLUME_ML:
        progress.warn(
            f"{islands.removed} small part(s) far from the tumour, {islands.ml:.1f} mL in all, "
            "were left out as probably false. To see them, segment again with small parts kept."
        )


def _member_names(
    pack: ModelPack, requested: tuple[str, ...] | int | None
) -> tuple[str, ...] | None:
    """A number of members means the first ones of the manifest."""
    if not isinstance(requested, int):
        return requested
    if not 1 <= requested <= len(pack.members):
        raise InputError(
            f"{requested} members were asked for; pack {pack.name!r} has {len(pack.members)}.",
            f"Give a number from 1 to {len(pack.members)}, or names.",
        )
    return tuple(member.name for member in pack.members[:requested])


def check_sequences(case: Case, pack: ModelPack) -> None:
    """A missing sequence is allowed only to a pack that was trained for it."""
    pack.require_sequences(case.scans, case.identity)


def _prepare(
    case: Case,
    alignment: Alignment,
    masks: tuple[sitk.Image, sitk.Image],
    grid: ModelGrid,
    pack: ModelPack,
    shading: str,
    progress: Progress,
) -> tuple[dict[Sequence, np.ndarray], dict[str, Any] | None, dict[Sequence, float]]:
    """What the networks see, of the masks of the brain and of what they shall see."""
    inside, seen = (
        to_grid(mask, grid, interpolator=sitk.sitkNearestNeighbor) > 0 for mask in masks
    )
    raw: dict[Sequence, np.ndarray] = {}
    for sequence, scan in case.scans.items():
        # NaN where a scan ends before the brain does, so that it cannot be taken for dark tissue.
        raw[sequence] = to_grid(scan.image, grid, alignment.transforms[sequence], outside=np.nan)
        progress.advance()
    missing = missing_shares(raw, inside)
    for doubt in doubts_about_scans(case, raw, inside, pack.in_plane_mm, missing):
        progress.warn(doubt)
    needed = {sequence: volume for sequence, volume in raw.items() if sequence in pack.sequences}
    evened, found = correct_bias_field(needed, inside, grid, shading)
    normalized = {
        sequence: normalize(volume, inside, pack.shown, seen | inside)
        for sequence, volume in evened.items()
    }
    record = bias_field_record(found)
    if record is not None and record["corrected"] and shading == "auto":
        progress.warn(bias_field_warning(found))
    return normalized, record, missing


def _registered(case: Case, alignment: Alignment) -> dict[str, sitk.Image]:
    reference = case.reference_scan.image
    return {
        sequence.value: sitk.Resample(
            sitk.Cast(scan.image, sitk.sitkFloat32),
            reference,
            alignment.transforms[sequence],
            sitk.sitkLinear,
            0.0,
        )
        for sequence, scan in case.scans.items()
    }


def _record(
    case: Case,
    pack: ModelPack,
    members: tuple[Member, ...],
    alignment: Alignment,
    brain: BrainMask,
    opened: OpenedEngine,
    prediction: Prediction,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "created": now(),
        "version": __version__,
        "case": {
            "identity": case.identity,
            "reference": case.reference.value,
            "inputs": [
                {
                    "sequence": sequence.value,
                    "source": scan.source,
                    "sha256": scan.sha256,
                    "size": list(scan.image.GetSize()),
                    "spacing": [round(s, 4) for s in scan.image.GetSpacing()],
                }
                for sequence, scan in case.scans.items()
            ],
        },
        "registration": list(alignment.records),
        "brain": {
            "method": brain.method,
            "stripped": brain.stripped,
            "seen": "brain" if brain.stripped else pack.shown.field_of_view,
            "volume_ml": round(brain.volume_ml, 3),
        },
        "pack": {
            "name": pack.name,
            "version": pack.version,
            "licence": pack.licence,
            "members": [{"name": m.name, "sha256": m.sha256} for m in members],
        },
        "recipe": pack.recipe,
        "engine": {
            "name": prediction.engine.name,
            "device": prediction.engine.device,
            "precision": prediction.engine.precision,
            "batch": prediction.batch,
            "reason": opened.reason,
            "notes": [*opened.notes, *prediction.notes],
        },
        "versions": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            **computing_versions(),
        },
    }


def _preselection_record(
    preselection: Preselection | None, prediction: Prediction
) -> dict[str, Any] | None:
    if preselection is None:
        return None
    return {
        "threshold": preselection.threshold,
        "slices": prediction.slices,
        "near_tumour": prediction.near,
    }
