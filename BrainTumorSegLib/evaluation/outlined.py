"""Scoring packs on single contrast-enhanced slices whose lesion is outlined.

Neighboring slices of one scan are segmented as one volume by the whole pipeline, without T1 and
FLAIR. What lies inside an outline is the tumor core, see `training.outlined_slices`, so that is
what is scored, slice by slice. Scans, not slices, are what is resampled for intervals.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Scan, make_case
from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Region
from BrainTumorSegLib.core.volumes import dice, tissue_mask
from BrainTumorSegLib.io.atomic import make_folder, write_text
from BrainTumorSegLib.io.tables import write_table
from BrainTumorSegLib.training.outlined_slices import OutlinedSlice, read_slice, read_slices

from .markdown import render
from .runs import Arm, members_for, segment_in_arm
from .statistics import LEVEL, Estimate, clustered_estimate

#: Above this Dice a lesion counts as found.
FOUND = 0.3

#: So far apart (mm) that no slice of a scan takes part in what is said of another.
SLICE_MM = 10.0

#: The least slices of a head that the pipeline takes; of shorter scans the last one is repeated.
_FEWEST = 5

ALL_PLANES = "all"


@dataclass(frozen=True)
class SliceScore:
    """How well the core of one slice was found in one arm."""

    arm: str
    slice: str
    kind: str
    plane: str
    run: str
    fold: int
    members: str
    dice: float


@dataclass(frozen=True)
class SliceSummary:
    """Figures of one kind of tumor and one plane in one arm.

    Attributes:
        arm, kind, plane: of which.
        slices, scans: how many.
        dice: mean over the slices, with an interval over the scans.
        median: of the slices.
        found: share of the slices whose Dice is above `FOUND`.
    """

    arm: str
    kind: str
    plane: str
    slices: int
    scans: int
    dice: Estimate
    median: float
    found: float


def score_slices(
    slices: SequenceOf[OutlinedSlice],
    arms: SequenceOf[Arm],
    device: str = "auto",
    out_of_fold: bool = True,
    progress: Progress | None = None,
) -> list[SliceScore]:
    """Segment every scan in every arm and score its slices.

    Args:
        slices: from `choose_slices`.
        arms: from `runs.make_arms`.
        device: where to compute.
        out_of_fold: use only members trained without the slices' fold.
        progress: advanced by one a scan and arm.

    Raises:
        TrainingError: when an arm has too few members for a fold, or a slice cannot be read.
        InputError: when a pack cannot do without T1 or FLAIR.
    """
    progress = progress or Progress()
    members = {
        (arm.name, fold): members_for(arm, fold if out_of_fold else None)
        for arm in arms
        for fold in {one.fold for one in slices}
    }
    for arm in arms:
        arm.pack.require_sequences({Sequence.T1CE}, "Outlined slices")
    scans = list(_scans(slices))
    progress.stage("slices", len(scans) * len(arms))
    scores = []
    for scan in scans:
        read = [read_slice(one.image, one.outline) for one in scan]
        if len({image.shape for image, _, _ in read}) > 1:
            raise TrainingError(
                f"The slices of run {scan[0].run} (fold {scan[0].fold}) differ in size.",
                "Give a run to slices of one scan only.",
            )
        filled = [*read, *[read[-1]] * (_FEWEST - len(read))]
        image, head = (_volume([slices[place] for slices in filled]) for place in (0, 2))
        name = f"{scan[0].kind}-{scan[0].run}"
        case = make_case(name, {Sequence.T1CE: Scan(image, name)})
        options = Options(registration="none", bias_field="off", brain_mask=head)
        for arm in arms:
            used = members[arm.name, scan[0].fold]
            labels = segment_in_arm(case, arm, used, device, options, progress).labels
            core = tissue_mask(sitk.GetArrayViewFromImage(labels), Region.TC.value)
            scores += [
                SliceScore(
                    *(arm.name, one.name, one.kind, one.plane, one.run, one.fold),
                    members="+".join(used),
                    dice=dice(found, outline),
                )
                for one, (_, outline, _), found in zip(scan, read, core, strict=False)
            ]
            progress.advance(1, name)
    return scores


def choose_slices(folder: Path, folds: Collection[int] | None = None) -> list[OutlinedSlice]:
    """The slices of a folder, or of some of its folds.

    Raises:
        TrainingError: as `read_slices`, and when there is no slice in these folds.
    """
    found = [one for one in read_slices(folder) if not folds or one.fold in folds]
    if not found:
        raise TrainingError(f"{folder} has no slice in fold {', '.join(map(str, folds or ()))}.")
    return found


def summarize_slices(scores: Iterable[SliceScore]) -> list[SliceSummary]:
    """Figures by arm and kind, of all planes and of each."""
    groups: dict[tuple[str, str, str], list[SliceScore]] = {}
    for score in scores:
        for plane in dict.fromkeys((ALL_PLANES, score.plane or ALL_PLANES)):
            groups.setdefault((score.kind, plane, score.arm), []).append(score)
    return [
        SliceSummary(
            *(arm, kind, plane, len(own), len({one.run for one in own})),
            dice=clustered_estimate([(one.run, one.dice) for one in own]),
            median=float(np.median([one.dice for one in own])),
            found=float(np.mean([one.dice > FOUND for one in own])),
        )
        for (kind, plane, arm), own in sorted(groups.items())
    ]


def write_slice_results(folder: Path, scores: SequenceOf[SliceScore], command: str) -> str:
    """Write ``slices.csv``, ``slices.json`` and ``slices.md``; return the latter's text."""
    make_folder(folder)
    columns = tuple(SliceScore.__dataclass_fields__)
    rows = [[f"{v:.4f}" if k == "dice" else v for k, v in asdict(s).items()] for s in scores]
    write_table(folder / "slices.csv", columns, rows)
    summaries = summarize_slices(scores)
    content = {"command": command, "found_above": FOUND, "groups": [asdict(s) for s in summaries]}
    text = render("slices.md.jinja", summaries=summaries, found=FOUND, level=f"{100 * LEVEL:g}")
    for name, written in (("slices.json", json.dumps(content, indent=2)), ("slices.md", text)):
        write_text(folder / name, written, overwrite=True)
    return text


def _scans(slices: Iterable[OutlinedSlice]) -> Iterator[list[OutlinedSlice]]:
    def key(one: OutlinedSlice) -> tuple[int, str, str, str]:
        return one.fold, one.kind, one.run, one.plane

    for _, scan in groupby(sorted(slices, key=key), key):
        yield list(scan)


def _volume(slices: SequenceOf[np.ndarray]) -> sitk.Image:
    """Slices ``[row, column]`` of 1 mm pixels above each other, as if they were axial."""
    stacked = np.stack(slices)
    image = sitk.GetImageFromArray(stacked.astype(np.uint8 if stacked.dtype == bool else "f4"))
    image.SetSpacing((1.0, 1.0, SLICE_MM))
    return image
