"""How much volumes differ when one real scan is sliced anew and segmented again.

Nothing in the patient has changed then, so that the difference is the error of measuring: of
resampling, of the networks, and of counting voxels on another grid.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.inference.pipeline import segment

from .conditions import thick_slices
from .runs import Arm, Subject, members_for

SCHEMA = "brain-tumor-seg-repeatability/1"

#: Kept around the old field of view along the new slices, so that a turned head still fits (mm).
MARGIN_MM = 20.0

#: Below this volume in mL a ratio to the surface says nothing.
LEAST_ML = 0.1

#: Of normally distributed differences of two measurements 95 % stay below this many
#: standard deviations of one: 1.96 times the root of 2 (repeatability coefficient).
COVERING = 1.96 * 2**0.5


@dataclass(frozen=True)
class Reslicing:
    """One way to slice a scan anew.

    Attributes:
        key: its name.
        kind: ``thin`` or ``thick`` slices; errors of both are told apart.
        degrees: how far the head is turned about a random axis through the middle.
        spacing: of the new voxels in mm along columns, rows, slices.
        thick: whether they are then averaged to slices of `conditions.SLICE_MM`.
    """

    key: str
    kind: str
    degrees: float
    spacing: tuple[float, float, float]
    thick: bool = False


RESLICINGS = (
    Reslicing("turned", "thin", 12.0, (1.0, 1.0, 1.0)),
    Reslicing("other-grid", "thin", 6.0, (0.8, 0.8, 1.3)),
    Reslicing("thick-slices", "thick", 6.0, (0.9, 0.9, 1.0), thick=True),
)


def reslice(case: Case, how: Reslicing, rng: np.random.Generator) -> Case:
    """Slice all scans of a case anew: a turned grid with other voxels, moved by part of one.

    Args:
        case: its scans are not changed. They must be in register.
        how: see `RESLICINGS`.
        rng: draws the axis of the turn and the shift.
    """
    grid = turned_grid(case.reference_scan.image, how.degrees, how.spacing, rng)
    images = {}
    for sequence, scan in case.scans.items():
        values = sitk.Cast(scan.image, sitk.sitkFloat32)
        image = sitk.Resample(values, grid, sitk.Transform(), sitk.sitkLinear, 0.0)
        images[sequence] = thick_slices(image) if how.thick else image
    return case.with_images(images)


def turned_grid(
    image: sitk.Image,
    degrees: float,
    spacing: SequenceOf[float],
    rng: np.random.Generator,
) -> sitk.Image:
    """An empty image whose grid is turned about the middle of another one.

    Args:
        image: whose field of view it covers.
        degrees: about a random axis.
        spacing: mm along columns, rows, slices.
        rng: draws the axis, and a shift of up to half a voxel.
    """
    axis = rng.normal(size=3)
    turn = sitk.VersorTransform((axis / np.linalg.norm(axis)).tolist(), float(np.radians(degrees)))
    direction = np.reshape(turn.GetMatrix(), (3, 3)) @ np.reshape(image.GetDirection(), (3, 3))
    extent = np.array(image.GetSize()) * np.array(image.GetSpacing())
    extent[2] += 2 * MARGIN_MM
    size = np.ceil(extent / np.array(spacing)).astype(int)
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    index = (size - 1) / 2 + rng.uniform(-0.5, 0.5, 3)
    grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
    grid.SetSpacing([float(s) for s in spacing])
    grid.SetDirection(direction.ravel().tolist())
    grid.SetOrigin((np.array(middle) - direction @ (index * np.array(spacing))).tolist())
    return grid


def measure_repeatability(
    subjects: SequenceOf[Subject],
    arm: Arm,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Segment real cases as they are and sliced anew, each by members that never saw it.

    Args:
        subjects: see `runs.cohort_subjects`.
        arm: pack, views and members.
        device: where to compute.
        seed: of the turns.
        progress: one step a segmentation, in the stage ``segment``.

    Returns:
        What ``Resources/FollowUp/*.json`` holds, see `summarize`, without the command.

    Raises:
        InputError: without any case.
        TrainingError: when the pack has no member that never saw a case.
    """
    if not subjects:
        raise InputError("There is no case to measure.", "Name cases of the data.")
    progress = progress or Progress()
    members = {one.name: members_for(arm, one.fold, one.labels) for one in subjects}
    progress.stage("segment", len(subjects) * (1 + len(RESLICINGS)))
    differences: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for one in subjects:
        case, _ = one.load()
        options = Options(
            pack=arm.pack.folder,
            members=members[one.name],
            tta=arm.tta,
            device=device,
            registration=one.registration,
            brain=one.brain,
        )
        first = _volumes(case, options, progress)
        for how in RESLICINGS:
            rng = np.random.default_rng([seed, zlib.crc32(f"{how.key}|{one.name}".encode())])
            again = _volumes(reslice(case, how, rng), options, progress)
            for key, volume in first.items():
                pair = (round(volume, 3), round(again[key], 3))
                differences.setdefault(how.kind, {}).setdefault(key, []).append(pair)
    return {
        "schema": SCHEMA,
        "version": __version__,
        "pack": {"name": arm.pack.name, "version": arm.pack.version},
        "views": arm.tta,
        "members": "one that never saw the case"
        if all(len(names) == 1 for names in members.values())
        else "those that never saw the case",
        "cases": len(subjects),
        "reslicings": [vars(how) | {"spacing": list(how.spacing)} for how in RESLICINGS],
        "kinds": {kind: summarize(by_key) for kind, by_key in differences.items()},
    }


def _volumes(case: Case, options: Options, progress: Progress) -> dict[str, float]:
    result = segment(case, replace(options), Progress(cancel=progress.cancel))
    progress.advance(1, case.identity)
    return volumes_ml(result.labels)


def summarize(
    pairs: Mapping[str, SequenceOf[tuple[float, float]]],
) -> dict[str, dict[str, Any]]:
    """The error of measuring each volume from pairs of measurements of the same thing.

    An error is one of the boundary, so that it grows with the surface: what is told is the
    factor of ``volume^(2/3)`` (mL). Both the repeatability coefficient (Bland and Altman, Lancet
    1986) and the 95th percentile of what was seen are taken, and the larger one counts: few
    differences are not normally distributed.

    Args:
        pairs: by key of `core.volumes.volumes_ml`: two volumes in mL each.

    Returns:
        By key: ``limit``, the factor that 95 % of differences stay below; ``largest_empty_ml``, the
        most that was found in one of two where the other one had less than `LEAST_ML`; ``n``; and
        the ``pairs``.
    """
    found = {}
    for key, volumes in pairs.items():
        array = np.asarray(volumes, float).reshape(-1, 2)
        mean = array.mean(axis=1)
        empty = array.min(axis=1) < LEAST_ML
        ratio = np.abs(array[:, 0] - array[:, 1])[~empty] / mean[~empty] ** (2 / 3)
        limit = None
        if ratio.size:
            spread = float(np.sqrt(np.mean(ratio**2) / 2))
            limit = round(max(COVERING * spread, float(np.percentile(ratio, 95))), 4)
        found[key] = {
            "limit": limit,
            "largest_empty_ml": round(float(array.max(axis=1)[empty].max()), 3)
            if empty.any()
            else 0.0,
            "n": int(ratio.size),
            "pairs": [list(map(float, pair)) for pair in array],
        }
    return found
