"""Segmenting cases in every arm of a comparison, and scoring what comes out.

Out of fold means: each case is segmented by the members that were trained
without its fold. All figures come from whole runs of the pipeline on the
reference grid, so that they include cutting, restoring and cleaning up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case
from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import recognise_files
from BrainTumorSegLib.core.volumes import volumes_ml
from BrainTumorSegLib.evaluation.arms import Arm, members_for
from BrainTumorSegLib.evaluation.conditions import Spoilt, spoil_case
from BrainTumorSegLib.evaluation.scores import CaseScore, score_labels
from BrainTumorSegLib.inference.pipeline import check_sequences, segment
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.formats import READABLE_SUFFIXES
from BrainTumorSegLib.io.labelmaps import allowed_tissues
from BrainTumorSegLib.io.truth import read_truth
from BrainTumorSegLib.training.cohort import LabelledCase


@dataclass(frozen=True)
class FalseFinding:
    """What one arm found in one scan of a brain without tumour.

    Attributes:
        arm: name of the arm.
        case: name of the scan's folder, or of the case.
        volumes_ml: by tissue and region, see `measure.volumes_ml`; all of it is false.
    """

    arm: str
    case: str
    volumes_ml: Mapping[str, float]


@dataclass(frozen=True)
class Subject:
    """Something with a known truth that can be segmented.

    Attributes:
        name: of the case.
        group: what it looks like.
        fold: that keeps it out of training; None when no member saw it.
        load: gives the scans, and the allowed tissues on the grid of their reference.
        registration, brain: of the options.
    """

    name: str
    group: str
    fold: int | None
    load: Callable[[], tuple[Case, sitk.Image]]
    registration: str = "none"
    brain: str = "stripped"


def score_cases(
    cases: SequenceOf[LabelledCase],
    arms: SequenceOf[Arm],
    measures: Collection[str] = ("dice",),
    device: str = "auto",
    out_of_fold: bool = True,
    progress: Progress | None = None,
    seed: int = 0,
    stage: str = "evaluate",
) -> list[CaseScore]:
    """Segment every case of a cohort in every arm and compare with its labels.

    All cases are read once before, so that one that cannot be scored is told at once.

    Args:
        cases: labelled ones; what their scans still need is done, see `cohort.Preparation`.
        out_of_fold: use only members trained without the case's fold; False uses
            the whole ensemble, which is right for cases that no member saw.

    The other arguments, what is returned and raised: see `score_subjects`.
    """
    for case in cases:
        loaded, _ = load_labelled(case)
        for pack in {arm.pack.folder: arm.pack for arm in arms}.values():
            check_sequences(loaded, pack)
    subjects = [
        Subject(
            case.name,
            case.group,
            case.fold,
            partial(load_labelled, case),
            case.preparation.registration,
            case.preparation.brain,
        )
        for case in cases
    ]
    return score_subjects(subjects, arms, measures, device, out_of_fold, progress, seed, stage)


def score_subjects(
    subjects: SequenceOf[Subject],
    arms: SequenceOf[Arm],
    measures: Collection[str] = ("dice",),
    device: str = "auto",
    out_of_fold: bool = True,
    progress: Progress | None = None,
    seed: int = 0,
    stage: str = "evaluate",
) -> list[CaseScore]:
    """Segment every subject in every arm and compare with its truth.

    Args:
        subjects: what to segment.
        arms: from `make_arms` and `with_conditions`; arms of one condition should follow
            each other, then each subject is brought into it once.
        measures: keys of `extras.MEASURES`.
        device: where to compute.
        out_of_fold: use only members trained without the subject's fold.
        progress: advanced once a subject and arm.
        seed: of what conditions leave to chance.
        stage: of the progress.

    Returns:
        Scores, subject by subject, each in the order of the arms.

    Raises:
        TrainingError: when an arm has too few members for a subject; nothing was computed
            then.
    """
    progress = progress or Progress()
    members = {
        (arm.name, one.name): members_for(arm, one.fold if out_of_fold else None)
        for one in subjects
        for arm in arms
    }
    progress.stage(stage, len(subjects) * len(arms))
    scores = []
    for one in subjects:
        case, truth = one.load()
        spoilt, condition = Spoilt(case, truth), None
        for arm in arms:
            if arm.condition is not condition:
                condition = arm.condition
                spoilt = spoil_case(condition, case, truth, seed)
            used = members[arm.name, one.name]
            options = Options(
                registration=condition.registration or one.registration,
                brain=condition.brain or one.brain,
                bias_field=condition.shading,
                keep_distant_components=condition.keep_islands,
            )
            labels = _labels(spoilt.case, arm, used, device, options, progress)
            scores.append(
                CaseScore(
                    arm=arm.name,
                    pack=arm.pack_title,
                    views=arm.views,
                    members=used,
                    case=one.name,
                    group=one.group,
                    fold=one.fold,
                    groups=score_labels(
                        sitk.GetArrayViewFromImage(labels),
                        sitk.GetArrayViewFromImage(spoilt.truth),
                        tuple(reversed(labels.GetSpacing())),
                        measures,
                    ),
                    condition=condition.key,
                    against=arm.against,
                )
            )
            progress.advance(1, one.name)
    return scores


def score_tumour_free(
    cases: SequenceOf[Case],
    arms: SequenceOf[Arm],
    device: str = "auto",
    progress: Progress | None = None,
) -> list[FalseFinding]:
    """Segment scans of brains without tumour, as scanned; whatever is found is false.

    No member saw these scans, so every arm uses all the members that it may.

    Args:
        cases: from `tumour_free_case`.
        arms: from `make_arms`.
        device: where to compute.
        progress: advanced once a scan and arm.

    Raises:
        TrainingError: when an arm has too few members.
    """
    if not cases:
        return []
    progress = progress or Progress()
    members = {arm.name: members_for(arm, None) for arm in arms}
    progress.stage("tumour-free", len(cases) * len(arms))
    found = []
    for case in cases:
        for arm in arms:
            labels = _labels(case, arm, members[arm.name], device, Options(), progress)
            found.append(FalseFinding(arm.name, case.identity, volumes_ml(labels)))
            progress.advance(1, case.identity)
    return found


def tumour_free_case(folder: Path) -> Case:
    """Load the scans of a folder, recognised by their file names; other files are left alone.

    Raises:
        InputError: when the folder has no scan, or two files claim one sequence.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder.", "Give a folder that holds T1, T1CE and FLAIR.")
    paths = sorted(p for p in folder.iterdir() if p.name.lower().endswith(READABLE_SUFFIXES))
    assignment = recognise_files(paths)
    if assignment.ambiguities:
        raise InputError(
            f"The scans in {folder} cannot be told apart: {assignment.ambiguities[0].reason}",
            "Keep one file for each sequence there, named like x_t1, x_t1ce, x_flair.",
        )
    return load_case(assignment.chosen, identity=folder.name)


def load_labelled(case: LabelledCase) -> tuple[Case, sitk.Image]:
    """Scans of a case of a cohort, and its allowed tissues on the grid of their reference.

    Labels on another grid are brought to it by nearest neighbour.

    Raises:
        TrainingError: when no labelled voxel lies in the scans though there are some.
        InputError: when a file cannot be read, or a label means nothing in the protocol.
    """
    loaded = load_case(case.scans, identity=case.name)
    labels = read_truth(case.labels)
    truth = sitk.Resample(
        labels, loaded.reference_scan.image, sitk.Transform(), sitk.sitkNearestNeighbor
    )
    values = sitk.GetArrayFromImage(truth)
    if not values.any() and sitk.GetArrayViewFromImage(labels).any():
        raise TrainingError(
            f"No labelled voxel of {case.labels} lies in the scans of case {case.name}.",
            "The labels must lie in the space of the T1CE scan.",
        )
    allowed = sitk.GetImageFromArray(allowed_tissues(values, case.protocol, str(case.labels)))
    allowed.CopyInformation(truth)
    return loaded, allowed


def _labels(
    case: Case,
    arm: Arm,
    members: tuple[str, ...],
    device: str,
    options: Options,
    progress: Progress,
) -> sitk.Image:
    options = replace(options, pack=arm.pack.folder, members=members, tta=arm.views, device=device)
    return segment(case, options, Progress(cancel=progress.cancel)).labels
