"""What a calibration learns from: agreement, entropy and true Dice of cases that members never saw.

A row a case is kept as it is measured, so that a run that was stopped goes on where it was, and
one that is repeated with other members begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.core.volumes import tissue_mask
from BrainTumorSegLib.inference.pipeline import segment
from BrainTumorSegLib.models.packs import ModelPack
from BrainTumorSegLib.models.packs.members import unseen_members

from .conditions import AS_IS, CONDITIONS, Condition, PerturbedCase, perturb_case
from .metrics import score_labels
from .runs import Subject

#: Stage of the progress.
STAGE = "calibrate"

Figures = Mapping[str, float | None]


@dataclass(frozen=True)
class TrustCase:
    """One case under one condition; figures by name of `Region`, None what is undefined.

    Attributes:
        case, group: its name and kind.
        condition: key of the condition of its scans.
        tta: name of the test-time augmentation.
        weights: SHA-256 of each member that segmented it, none of which saw it.
        dice: with the reference; None where reference and result both lack the region.
        members: agreement between the members; None with a single one.
        views: agreement between the views; None with a single one.
        entropy: its mean where the result shows the region.
    """

    case: str
    group: str
    condition: str
    tta: str
    weights: tuple[str, ...]
    dice: Figures
    members: Figures | None
    views: Figures | None
    entropy: Figures

    @property
    def key(self) -> tuple[str, str, str, tuple[str, ...]]:
        """What tells it from all others."""
        return (self.case, self.condition, self.tta, self.weights)


def measure_cases(
    pack: ModelPack,
    subjects: SequenceOf[Subject],
    tta: str,
    conditions: SequenceOf[Condition] = (CONDITIONS[AS_IS],),
    kept: Path | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> list[TrustCase]:
    """Segment every case by the members that never saw it; cases without any are left out.

    Args:
        pack: whose members.
        subjects: with reference labels, see `runs.cohort_subjects`.
        tta: name of the test-time augmentation.
        conditions: of the scans.
        kept: file that keeps the rows, one JSON text a line; what stands there is not repeated.
        device: where to compute.
        progress: advanced by one a case and condition.

    Raises:
        InputError: when ``kept`` holds something else.
        OutputError: when it cannot be written.
    """
    progress = progress or Progress()
    known = {} if kept is None else {row.key: row for row in read_cases(kept)}
    weights = {member.name: member.sha256 for member in pack.members}
    chosen = [(one, unseen_members(pack, one.fold, one.labels)) for one in subjects]
    chosen = [(one, names) for one, names in chosen if names]
    progress.stage(STAGE, max(1, len(chosen) * len(conditions)))
    rows = []
    for one, names in chosen:
        given = None
        for condition in conditions:
            key = (one.name, condition.key, tta, tuple(weights[name] for name in names))
            row = known.get(key)
            if row is None:
                given = given or one.load()
                perturbed = perturb_case(condition, *given)
                options = Options(
                    pack=pack.folder,
                    members=names,
                    tta=tta,
                    device=device,
                    registration=condition.registration or one.registration,
                    brain=condition.brain or one.brain,
                    bias_field=condition.bias_field,
                    keep_distant_components=condition.keep_distant_components,
                )
                result = segment(perturbed.case, options, Progress(cancel=progress.cancel))
                row = _row(one, key, perturbed, result)
                if kept is not None:
                    _keep(row, kept)
            rows.append(row)
            progress.advance(1, f"{one.name}, {condition.title}")
    return rows


def read_cases(path: Path) -> list[TrustCase]:
    """Rows that `measure_cases` kept; none where there is no file.

    Raises:
        InputError: when the file holds something else.
    """
    if not path.exists():
        return []
    rows = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            # A run that was killed leaves half a line at the end.
            if line.endswith("}"):
                fields = json.loads(line)
                rows.append(TrustCase(**{**fields, "weights": tuple(fields["weights"])}))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} does not hold measured cases: {error}.", "Name another file, or a new one."
        ) from error
    return rows


def _keep(row: TrustCase, path: Path) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            # Begins a line of its own after half a one.
            file.write("\n" + json.dumps(asdict(row)))
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}.", "Check your rights to the folder."
        ) from error


def _row(
    one: Subject,
    key: tuple[str, str, str, tuple[str, ...]],
    perturbed: PerturbedCase,
    result: Segmentation,
) -> TrustCase:
    labels = sitk.GetArrayViewFromImage(result.labels)
    entropy = sitk.GetArrayViewFromImage(result.disagreement)
    allowed = sitk.GetArrayViewFromImage(perturbed.reference_labels)
    scores = score_labels(labels, allowed, tuple(reversed(result.labels.GetSpacing())))
    dice: dict[str, float | None] = {}
    means: dict[str, float | None] = {}
    for region in Region:
        score = scores[region.name]
        told = score is not None and score.predicted + score.reference > 0
        dice[region.name] = round(score.dice, 4) if told else None
        inside = entropy[tissue_mask(labels, region.value)]
        means[region.name] = round(float(np.mean(inside)), 5) if inside.size else None
    agreement = result.record["trust"]["agreement"]
    return TrustCase(
        case=key[0],
        group=one.group,
        condition=key[1],
        tta=key[2],
        weights=key[3],
        dice=dice,
        members=agreement["members"],
        views=agreement["views"],
        entropy=means,
    )
