"""Comparing visits: registration, volumes, lesions, and what grew where."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.options import Registration
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.preprocessing.brain import extract_brain
from BrainTumorSegLib.preprocessing.registration import BrainsfitClient, align_visits
from BrainTumorSegLib.reporting.record import now

from .change import RANO, THICK_MM, change_of, measurement_error_ml, repeatability
from .matching import lesions_of, match_lesions
from .tracks import follow_lesions
from .visits import Visit, ordered, warn_of_differences

SCHEMA = "brain-tumor-seg-follow-up/1"

#: Stages of `compare_visits` and around it, with their rough share of the time on a CPU.
STAGES: Mapping[str, float] = {"read": 10, "brain": 25, "register": 50, "measure": 10, "write": 5}

#: Around the tumor so much is left out of the registration as well, in mm: it is pushed aside.
PUSHED_MM = 5.0

#: What a map of change says of a voxel: the label values of its file.
GREW, SHRANK, STAYED = 1, 2, 3

#: The volumes that maps are made of, the finer one first.
MAPPED = ("TC", "WT")

SOURCE = (
    "Wen PY et al., RANO 2.0: Update to the Response Assessment in Neuro-Oncology Criteria for "
    "High- and Low-Grade Gliomas in Adults, J Clin Oncol 2023; 41(33):5187-5199"
)

NOTICE = (
    "These figures are measurements, not an assessment. Whether a tumour progresses or responds is "
    "decided by the treating team from the scans, the clinical state, steroids and treatment, and "
    "RANO 2.0 asks for confirmation on a later scan."
)


@dataclass(frozen=True)
class PairMaps:
    """What changed from one visit to the next, for pictures and files.

    Attributes:
        before, after: the visits.
        transform: from points of the later to points of the earlier visit (LPS, mm).
        brain: mask on the scan of the later visit; unsigned 8-bit.
        maps: by key of `MAPPED`, on the grid of the later visit's labels: `GREW`, `SHRANK`,
            `STAYED`, 0 elsewhere; unsigned 8-bit.
    """

    before: Visit
    after: Visit
    transform: sitk.Transform
    brain: sitk.Image
    maps: Mapping[str, sitk.Image]


@dataclass(frozen=True)
class Comparison:
    """What `compare_visits` found.

    Attributes:
        visits: in their order.
        record: what ``follow_up.json`` holds; plain JSON types.
        pairs: of each two visits that follow each other.
    """

    visits: tuple[Visit, ...]
    record: dict[str, Any]
    pairs: tuple[PairMaps, ...]


def compare_visits(
    visits: SequenceOf[Visit],
    registration: str = Registration.AUTO,
    progress: Progress | None = None,
    brainsfit: Path | BrainsfitClient | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> Comparison:
    """Compare two and more visits of one patient.

    Volumes are measured on each visit's own grid; registration serves lesions and maps.

    Args:
        visits: in any order.
        registration: see `preprocessing.registration.align`.
        progress: takes messages and warnings; made of `STAGES` it knows the time left.
        brainsfit: as in `align`.
        device: where brain extraction computes, for scans with skull.
        seed: of the registration.

    Raises:
        InputError: for fewer than two visits, or visits that cannot be of one patient.
        RegistrationError: when a visit cannot be brought into register.
        DependencyError, Cancelled: as in `align`.
    """
    progress = progress or Progress(STAGES)
    visits = ordered(visits, progress.warn)
    warn_of_differences(visits, progress.warn)
    progress.stage("brain", len(visits))
    brains = []
    for visit in visits:
        brains.append(_brain(visit, device, progress))
        progress.advance()
    progress.stage("register", len(visits) - 1)
    pairs, registrations = [], []
    for (before, inside), (after, brain) in pairwise(zip(visits, brains, strict=True)):
        transform, found = _register(
            (after, brain), (before, inside), registration, progress, brainsfit, seed
        )
        registrations.append(found)
        pairs.append(PairMaps(before, after, transform, brain, _maps(before, after, transform)))
        progress.advance()
    progress.stage("measure")
    lesions = [lesions_of(visit.labels) for visit in visits]
    links = [
        match_lesions(first, second, pair.transform)
        for (first, second), pair in zip(pairwise(lesions), pairs, strict=True)
    ]
    volumes = [volumes_ml(visit.labels) for visit in visits]
    record = {
        "schema": SCHEMA,
        "created": now(),
        "version": __version__,
        "visits": [
            _visit_record(visit, measured) for visit, measured in zip(visits, volumes, strict=True)
        ],
        "registration": registrations,
        "changes": _changes(visits, volumes),
        "lesions": [track.as_record() for track in follow_lesions(lesions, links)],
        "measurement_error": _error_record(visits),
        "rano": {"thresholds_percent": RANO, "source": SOURCE, "who_decides": NOTICE},
        "warnings": list(progress.warnings),
    }
    return Comparison(visits, record, tuple(pairs))


def _brain(visit: Visit, device: str, progress: Progress) -> sitk.Image | None:
    """The brain on a visit's scan; None where only the whole head can be registered."""
    case = Case(visit.source, {visit.sequence: visit.scan}, visit.sequence)
    # Of one sequence alone less is certain than `extract_brain` says for a segmentation.
    quiet = Progress(cancel=progress.cancel)
    identity = sitk.Transform(3, sitk.sitkIdentity)
    try:
        return extract_brain(case, {visit.sequence: identity}, device=device, progress=quiet).image
    except InputError as error:
        progress.warn(
            f"The brain of {visit.source} was not found, so that the whole head is registered: "
            f"{error.message}"
        )
        return None


def _register(
    fixed: tuple[Visit, sitk.Image | None],
    moving: tuple[Visit, sitk.Image | None],
    engine: str,
    progress: Progress,
    brainsfit: Path | BrainsfitClient | None,
    seed: int,
) -> tuple[sitk.Transform, dict[str, Any]]:
    """The transform from the later to the earlier visit, over the brain outside the tumor."""
    whole = None in (fixed[1], moving[1])
    given = []
    for visit, brain in (fixed, moving):
        tumor = _around_tumor(visit)
        image = visit.scan.image if whole or brain is None else _brain_only(visit, brain, tumor)
        given.append((replace(visit.scan, image=image), visit.sequence, tumor))
    transform, record = align_visits(*given, engine, progress, brainsfit, seed)
    return transform, {
        **record,
        "from": moving[0].source,
        "to": fixed[0].source,
        "region": "head outside the tumour" if whole else "brain outside the tumour",
    }


def _around_tumor(visit: Visit) -> sitk.Image | None:
    """The tumor and what it may push aside, on the grid of the scan; None without tumor."""
    tumor = sitk.Cast(visit.labels > 0, sitk.sitkUInt8)
    placed = sitk.Resample(tumor, visit.scan.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    if not sitk.GetArrayViewFromImage(placed).any():
        return None
    distance = sitk.SignedMaurerDistanceMap(
        placed, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    return sitk.Cast(distance <= PUSHED_MM, sitk.sitkUInt8)


def _brain_only(visit: Visit, brain: sitk.Image, tumor: sitk.Image | None) -> sitk.Image:
    """The brain alone, in a box around it; the tumor as bright as the brain in the middle.

    An engine sees nothing of the tumor then, whose growth it would follow else.
    """
    values = sitk.GetArrayFromImage(sitk.Cast(visit.scan.image, sitk.sitkFloat32))
    inside = sitk.GetArrayViewFromImage(brain) > 0
    changed = np.zeros_like(inside) if tumor is None else sitk.GetArrayViewFromImage(tumor) > 0
    calm = inside & ~changed
    middle = float(np.median(values[calm if calm.any() else inside]))
    dark = float(values.min())
    values[changed & inside] = middle
    values[~inside] = min(0.0, dark)
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(visit.scan.image)
    return image


def _maps(before: Visit, after: Visit, transform: sitk.Transform) -> dict[str, sitk.Image]:
    earlier = sitk.Resample(
        before.labels, after.labels, transform, sitk.sitkNearestNeighbor, 0, sitk.sitkUInt8
    )
    old, new = (sitk.GetArrayViewFromImage(image) for image in (earlier, after.labels))
    maps = {}
    for key in MAPPED:
        tissues = [int(tissue) for tissue in Region[key].value]
        was, is_ = np.isin(old, tissues), np.isin(new, tissues)
        values = np.zeros(new.shape, np.uint8)
        values[is_ & ~was], values[was & ~is_], values[was & is_] = GREW, SHRANK, STAYED
        image = sitk.GetImageFromArray(values)
        image.CopyInformation(after.labels)
        maps[key] = image
    return maps


def _visit_record(visit: Visit, volumes: Mapping[str, float]) -> dict[str, Any]:
    record = visit.record
    return {
        "date": visit.day.isoformat(),
        "source": visit.source,
        "scan": {
            "sequence": visit.sequence.value,
            "source": Path(visit.scan.source).name,
            "sha256": visit.scan.sha256,
        },
        "spacing": [round(mm, 4) for mm in visit.labels.GetSpacing()],
        "pack": None
        if record is None
        else {key: record["pack"][key] for key in ("name", "version")},
        "program": None if record is None else record["version"],
        "corrected": bool(record is not None and record.get("correction")),
        "volumes_ml": {key: round(ml, 3) for key, ml in volumes.items()},
    }


def _changes(
    visits: SequenceOf[Visit], volumes: SequenceOf[Mapping[str, float]]
) -> list[dict[str, Any]]:
    """Of each two visits that follow each other, then against the first and the smallest one.

    RANO compares an increase with the smallest volume since treatment began, and a decrease with
    the first scan.
    """
    last = len(visits) - 1
    kinds = [("previous", n, n + 1) for n in range(last)]
    if last > 1:
        kinds.append(("first", 0, last))
    changes = []
    for kind, first, second in kinds:
        changes.append(_change_record(visits, volumes, kind, (first, second)))
    if last > 1:
        smallest = min(range(last), key=lambda n: volumes[n]["ET"] or volumes[n]["WT"])
        changes.append(_change_record(visits, volumes, "smallest", (smallest, last)))
    return changes


def _change_record(
    visits: SequenceOf[Visit],
    volumes: SequenceOf[Mapping[str, float]],
    kind: str,
    numbers: tuple[int, int],
) -> dict[str, Any]:
    first, second = numbers
    days = (visits[second].day - visits[first].day).days
    thick = max(visits[first].slice_mm, visits[second].slice_mm) >= THICK_MM
    rows = []
    for key in volumes[first]:
        before, after = volumes[first][key], volumes[second][key]
        error = measurement_error_ml(key, before, after, thick)
        rows.append(change_of(key, before, after, days, error).as_record())
    return {"against": kind, "from": first + 1, "to": second + 1, "days": days, "volumes": rows}


def _error_record(visits: SequenceOf[Visit]) -> dict[str, Any]:
    figures = repeatability()
    names = {visit.record["pack"]["name"] for visit in visits if visit.record is not None}
    return {
        "covers_percent": 95,
        "source": "repeated segmentation of real scans that were sliced anew",
        "pack": figures["pack"]["name"],
        "of_other_pack": bool(names - {figures["pack"]["name"]}) or not names,
        "members": figures["members"],
        "cases": figures["cases"],
        "command": figures["command"],
        "thick_slices": max(visit.slice_mm for visit in visits) >= THICK_MM,
    }
