"""How far readings of a case agree with each other and with the automatic result.

Label maps hold values of `Tissue` on one grid.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.masks import bounding_box
from BrainTumorSegLib.core.volumes import SCORED
from BrainTumorSegLib.evaluation.metrics import GroupScore, score_labels
from BrainTumorSegLib.evaluation.statistics import Estimate, mean_estimate
from BrainTumorSegLib.io.grids import lattice_offset

from .reliability import Limits, Reliability, cohen_kappa, icc, limits_of_agreement

#: What is compared: tissues and regions. Two readers tell all tissues apart, so that the core
#: that some label protocols do not divide is left out.
GROUPS = tuple(name for name in SCORED if name != "core")

#: The automatic result, and the consensus of three readers and more, among the names of readings.
AUTOMATIC, CONSENSUS = "auto", "STAPLE"

#: With two readers STAPLE returns one of them.
LEAST_READERS = 3
_UNDECIDED = 255


@dataclass(frozen=True)
class PairAgreement:
    """A second set of labels measured against a first.

    Attributes:
        scores: by name of `GROUPS`; the first labels stand as reference, the second as predicted.
        kappa: Cohen's, over all tissues in the smallest box that holds both; NaN without tumor.
        changed_voxels: that got another tissue.
        changed_ml: their volume in mL.
    """

    scores: Mapping[str, GroupScore]
    kappa: float
    changed_voxels: int
    changed_ml: float


@dataclass(frozen=True)
class CasePair:
    """Two readings of one case.

    Attributes:
        case: its key.
        group: its tumor type.
        first, second: `AUTOMATIC`, `CONSENSUS` or the letter of a reader.
        agreement: of the two.
        minutes: that the second reading took; None where nobody counted.
    """

    case: str
    group: str
    first: str
    second: str
    agreement: PairAgreement
    minutes: float | None = None

    @property
    def title(self) -> str:
        """Name of the pair in tables."""
        return f"{self.first}-{self.second}"


@dataclass(frozen=True)
class PairSummary:
    """Figures of one pair of readings and one tissue or region over all cases.

    Attributes:
        dice, nsd, hd95_mm: means over the cases in which either found it, with intervals.
        volumes: ICC(2,1) of the volumes, over all cases.
        limits: of agreement of the volumes in mL, over all cases.
    """

    dice: Estimate
    nsd: Estimate
    hd95_mm: Estimate
    volumes: Reliability
    limits: Limits


def compare_labels(
    first: sitk.Image, second: sitk.Image, measures: Collection[str] = ("dice",)
) -> PairAgreement:
    """Compare two label maps.

    Args:
        measures: keys of `evaluation.metrics.MEASURES`; Dice is always taken.

    Raises:
        InputError: when they do not lie on one grid.
    """
    check_one_grid([first, second])
    before, after = (sitk.GetArrayViewFromImage(image) for image in (first, second))
    box = bounding_box((before != 0) | (after != 0))
    if box is None:
        box = (slice(0, 0),) * 3
    before, after = before[box], after[box]
    spacing = tuple(reversed(first.GetSpacing()))
    allowed = np.left_shift(1, before).astype(np.uint8)
    scores = score_labels(after, allowed, spacing, measures)
    changed = int(np.count_nonzero(before != after))
    return PairAgreement(
        scores={name: score for name in GROUPS if (score := scores[name]) is not None},
        kappa=cohen_kappa(before, after),
        changed_voxels=changed,
        changed_ml=changed * float(np.prod(spacing)) / 1000.0,
    )


def compare_readings(
    case: str,
    group: str,
    labels: Mapping[str, sitk.Image],
    minutes: Mapping[str, float] | None = None,
    measures: Collection[str] = ("dice",),
) -> list[CasePair]:
    """Every pair of the labels of a case; from three readers on also each against STAPLE.

    Args:
        case, group: see `CasePair`.
        labels: by `AUTOMATIC` or letter of the reader, in the order in which pairs are named.
        minutes: by letter of the reader.
        measures: as for `compare_labels`.

    Raises:
        InputError: when they do not lie on one grid.
    """
    known = minutes or {}
    pairs = list(combinations(labels, 2))
    images = dict(labels)
    readers = [name for name in labels if name != AUTOMATIC]
    if len(readers) >= LEAST_READERS:
        images[CONSENSUS] = consensus([labels[name] for name in readers])
        pairs += [(CONSENSUS, name) for name in readers]
    return [
        CasePair(
            case,
            group,
            first,
            second,
            compare_labels(images[first], images[second], measures),
            known.get(second),
        )
        for first, second in pairs
    ]


def consensus(readings: SequenceOf[sitk.Image]) -> sitk.Image:
    """The tissues that three readers and more most probably saw, by STAPLE (Warfield, TMI 2004).

    A voxel that STAPLE leaves undecided is background.

    Raises:
        InputError: with fewer readings, or when they do not lie on one grid.
    """
    if len(readings) < LEAST_READERS:
        raise InputError(
            f"STAPLE was asked for {len(readings)} readings.",
            f"It needs {LEAST_READERS} or more: of two it returns one of them.",
        )
    check_one_grid(readings)
    staple = sitk.MultiLabelSTAPLEImageFilter()
    staple.SetLabelForUndecidedPixels(_UNDECIDED)
    found = staple.Execute([sitk.Cast(image, sitk.sitkUInt8) for image in readings])
    return sitk.Cast(sitk.Mask(found, found != _UNDECIDED), sitk.sitkUInt8)


def summarize_pair(pairs: SequenceOf[CasePair], group: str) -> PairSummary:
    """Figures of one pair of readings, such as automatic and A, over its cases.

    Args:
        pairs: of all cases, all of one title.
        group: of `GROUPS`.
    """
    scores = [pair.agreement.scores[group] for pair in pairs]
    found = [score for score in scores if score.predicted or score.reference]
    volumes = [(score.reference_ml, score.predicted_ml) for score in scores]

    def mean(name: str) -> Estimate:
        values = (getattr(score, name) for score in found)
        return mean_estimate(value for value in values if value is not None)

    return PairSummary(
        dice=mean("dice"),
        nsd=mean("nsd"),
        hd95_mm=mean("hd95_mm"),
        volumes=icc(volumes),
        limits=limits_of_agreement([a for a, _ in volumes], [b for _, b in volumes]),
    )


def by_title(pairs: SequenceOf[CasePair]) -> dict[str, list[CasePair]]:
    """Pairs by their title, in the order in which titles first occur."""
    found: dict[str, list[CasePair]] = {}
    for pair in pairs:
        found.setdefault(pair.title, []).append(pair)
    return found


def check_one_grid(images: SequenceOf[sitk.Image]) -> None:
    """Refuse label maps that do not lie on one grid.

    Raises:
        InputError: naming the sizes.
    """
    first = images[0]
    for other in images[1:]:
        same_size = first.GetSize() == other.GetSize()
        if not same_size or lattice_offset(other, first) != (0, 0, 0):
            raise InputError(
                f"Readings of {first.GetSize()} and {other.GetSize()} voxels do not lie on one "
                "grid.",
                "Readings are compared on the grid of the automatic result: save them there.",
            )
