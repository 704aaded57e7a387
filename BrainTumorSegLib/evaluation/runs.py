"""Segmenting cases in every arm of a comparison, and scoring what comes out.

Out of fold means: each case is segmented by the members that were trained without its fold. All
figures come from whole runs of the pipeline on the reference grid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.case import Case, Scan, make_case
from BrainTumorSegLib.core.errors import InputError, TrainingError
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.result import Segmentation
from BrainTumorSegLib.core.sequences import recognize_files
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.inference.pipeline import check_sequences, segment
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.folders import image_files
from BrainTumorSegLib.io.labelmaps import allowed_tissues
from BrainTumorSegLib.io.reference_labels import read_reference_labels
from BrainTumorSegLib.io.volumes import file_sha256
from BrainTumorSegLib.models.packs import ModelPack
from BrainTumorSegLib.models.packs.members import unseen_members
from BrainTumorSegLib.synthesis.config import Kind, SynthesisConfig, held_out
from BrainTumorSegLib.synthesis.generator import synthesize
from BrainTumorSegLib.synthesis.sources import Sources
from BrainTumorSegLib.training.cohort import LabeledCase
from BrainTumorSegLib.training.label_placement import check_placement
from BrainTumorSegLib.training.volumes import stripped_brain

from .conditions import AS_IS, CONDITIONS, Condition, PerturbedCase, perturb_case
from .metrics import CaseScore, score_labels

#: What synthetic samples show: the four tumors, then brains in which all that is found is false.
KINDS = (
    *(Kind.GLIOBLASTOMA, Kind.ASTROCYTOMA, Kind.MENINGIOMA, Kind.NEURINOMA),
    *(Kind.HEALTHY, Kind.MULTIPLE_SCLEROSIS),
)


@dataclass(frozen=True)
class Arm:
    """One way to segment all cases.

    Attributes:
        name: what tells it from the other arms.
        pack: whose members to use.
        pack_title: name of the pack, with its folder where two packs have one name.
        tta: name of the TTA.
        members: how many members, the first ones of the manifest; None for all.
        condition: what is done to the scans before.
        against: name of the arm that it is compared with; empty for the first of all.
    """

    name: str
    pack: ModelPack
    pack_title: str
    tta: str
    members: int | None
    condition: Condition = CONDITIONS[AS_IS]
    against: str = ""


@dataclass(frozen=True)
class Subject:
    """Something with reference labels that can be segmented.

    Attributes:
        name: of the case.
        group: its kind.
        fold: that keeps it out of training; None when no member was trained on it.
        load: gives the scans, and the allowed tissues on the grid of their reference.
        registration, brain: of the options.
        labels: SHA-256 of the file of its labels; empty where there is none.
    """

    name: str
    group: str
    fold: int | None
    load: Callable[[], tuple[Case, sitk.Image]]
    registration: str = "none"
    brain: str = "stripped"
    labels: str = ""


def make_arms(
    packs: SequenceOf[ModelPack],
    ttas: SequenceOf[str],
    members: SequenceOf[int | None] = (None,),
) -> tuple[Arm, ...]:
    """Every pack with every TTA and every number of members.

    The first arm is what the others are compared with. A name holds what differs between
    arms; where nothing does, the TTA.
    """
    packs = tuple({pack.folder: pack for pack in packs}.values())
    ttas, members = tuple(dict.fromkeys(ttas)), tuple(dict.fromkeys(members))
    names = Counter(pack.name for pack in packs)
    arms = []
    for pack, count, tta in product(packs, members, ttas):
        title = pack.name if names[pack.name] == 1 else f"{pack.name} ({pack.folder})"
        parts = [title] if len(packs) > 1 else []
        if len(ttas) > 1 or len(packs) == len(members) == 1:
            parts.append(tta)
        if len(members) > 1:
            plural = "" if count == 1 else "s"
            parts.append(f"{'all' if count is None else count} member{plural}")
        arms.append(Arm(", ".join(parts), pack, title, tta, count))
    return tuple(arms)


def with_conditions(arms: SequenceOf[Arm], conditions: SequenceOf[Condition]) -> tuple[Arm, ...]:
    """Every arm under every condition, each compared with itself under the first one.

    Raises:
        TrainingError: when a condition takes away a sequence that a pack needs.
    """
    if len(conditions) < 2:
        return tuple(arms)
    made = []
    for condition, arm in product(conditions, arms):
        missing = condition.without
        if missing in arm.pack.sequences and missing not in arm.pack.may_be_missing:
            raise TrainingError(
                f"Pack {arm.pack.name!r} cannot do without {missing.name}.",
                f"Leave the condition {condition.key} out.",
            )
        first, own = (
            title if len(arms) == 1 else f"{arm.name}, {title}"
            for title in (conditions[0].title, condition.title)
        )
        made.append(replace(arm, name=own, condition=condition, against=first))
    return tuple(made)


def members_for(arm: Arm, fold: int | None, labels: str = "") -> tuple[str, ...]:
    """Names of the members that segment a case: those that were not trained on it.

    Args:
        arm: which pack, and how many members.
        fold: of the case; None is for one that no member was trained on.
        labels: SHA-256 of its label file, see `unseen_members`.

    Raises:
        TrainingError: when the pack has too few such members.
    """
    names = unseen_members(arm.pack, fold, labels)
    which = "in all" if fold is None else f"that were trained without fold {fold}"
    if not names:
        raise TrainingError(
            f"Pack {arm.pack.name!r} has no members {which}.",
            "Score this case with the whole ensemble if no member was trained on it "
            "(--ensemble), or train a member for this fold.",
        )
    if arm.members is None:
        return names
    if not 1 <= arm.members <= len(names):
        raise TrainingError(
            f"{arm.members} members were asked for; pack {arm.pack.name!r} has {len(names)} "
            f"{which}.",
            f"Give --members with numbers from 1 to {len(names)}.",
        )
    return names[: arm.members]


def cohort_subjects(cases: SequenceOf[LabeledCase], arms: SequenceOf[Arm]) -> list[Subject]:
    """The cases of a cohort; what their scans still need is done as their `Preparation` says.

    All are read once, so that one that cannot be scored is reported before any is segmented.

    Raises:
        InputError: as `load_labeled`, or when a pack needs a sequence that a case lacks.
        TrainingError: as `load_labeled`.
    """
    subjects = []
    for case in cases:
        loaded, _ = load_labeled(case)
        for pack in {arm.pack.folder: arm.pack for arm in arms}.values():
            check_sequences(loaded, pack)
        options = (case.preparation.registration, case.preparation.brain, file_sha256(case.labels))
        load = partial(load_labeled, case)
        subjects.append(Subject(case.name, case.group, case.fold, load, *options))
    return subjects


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
    """Segment every subject in every arm and compare with its reference labels.

    Args:
        subjects: what to segment.
        arms: from `make_arms` and `with_conditions`; arms of one condition should follow
            each other, then each subject is brought into it once.
        measures: keys of `metrics.MEASURES`.
        device: where to compute.
        out_of_fold: use only members trained without the subject's fold; False uses the
            whole ensemble, which is right for cases that no member was trained on.
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
        (arm.name, one.name): (
            members_for(arm, one.fold, one.labels) if out_of_fold else members_for(arm, None)
        )
        for one in subjects
        for arm in arms
    }
    progress.stage(stage, len(subjects) * len(arms))
    scores = []
    for one in subjects:
        case, reference_labels = one.load()
        perturbed, condition = PerturbedCase(case, reference_labels), None
        for arm in arms:
            if arm.condition is not condition:
                condition = arm.condition
                perturbed = perturb_case(condition, case, reference_labels, seed)
            used = members[arm.name, one.name]
            options = Options(
                registration=condition.registration or one.registration,
                brain=condition.brain or one.brain,
                bias_field=condition.bias_field,
                keep_distant_components=condition.keep_distant_components,
            )
            result = segment_in_arm(perturbed.case, arm, used, device, options, progress)
            labels = result.labels
            if arm is arms[0]:
                # Every arm would say much the same of the scans.
                for text in result.record["warnings"]:
                    progress.warn(f"{one.name}: {text}")
            groups = score_labels(
                sitk.GetArrayViewFromImage(labels),
                sitk.GetArrayViewFromImage(perturbed.reference_labels),
                tuple(reversed(labels.GetSpacing())),
                measures,
            )
            scores.append(
                CaseScore(
                    arm=arm.name,
                    pack=arm.pack_title,
                    tta=arm.tta,
                    members=used,
                    case=one.name,
                    group=one.group,
                    fold=one.fold,
                    groups=groups,
                    condition=condition.key,
                    against=arm.against,
                )
            )
            progress.advance(1, one.name)
    return scores


def tumor_free_subject(folder: Path) -> Subject:
    """The scans of a brain without tumor, as scanned, recognised by their file names.

    No member was trained on them, and whatever is found is false.

    Raises:
        InputError: when the folder has no scan, or two files claim one sequence.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder.", "Give a folder that holds T1, T1CE and FLAIR.")
    assignment = recognize_files(image_files(folder))
    if assignment.ambiguities:
        raise InputError(
            f"The scans in {folder} cannot be told apart: {assignment.ambiguities[0].reason}",
            "Keep one file for each sequence there, named like x_t1, x_t1ce, x_flair.",
        )
    case = load_case(assignment.chosen, identity=folder.name)
    reference = case.reference_scan.image
    background = sitk.Image(reference.GetSize(), sitk.sitkUInt8) + (1 << Tissue.BACKGROUND)
    background.CopyInformation(reference)
    return Subject(folder.name, "tumour-free", None, lambda: (case, background), "auto", "auto")


def load_labeled(case: LabeledCase) -> tuple[Case, sitk.Image]:
    """Scans of a case of a cohort, and its allowed tissues on the grid of their reference.

    Labels on another grid are brought to it by nearest neighbor.

    Raises:
        TrainingError: when labelled voxels do not lie in the scans, see `check_placement`.
        InputError: when a file cannot be read, or a label means nothing in the protocol.
    """
    loaded = load_case(case.scans, identity=case.name)
    labels = read_reference_labels(case.labels)
    images = {sequence: scan.image for sequence, scan in loaded.scans.items()}
    check_placement(case, labels, images, _brain_of_prepared(case, loaded))
    resampled = sitk.Resample(
        labels, loaded.reference_scan.image, sitk.Transform(), sitk.sitkNearestNeighbor
    )
    values = sitk.GetArrayFromImage(resampled)
    if not values.any() and sitk.GetArrayViewFromImage(labels).any():
        raise TrainingError(
            f"No labelled voxel of {case.labels} lies in the scans of case {case.name}.",
            "The labels must lie in the space of the T1CE scan.",
        )
    allowed = sitk.GetImageFromArray(allowed_tissues(values, case.protocol, str(case.labels)))
    allowed.CopyInformation(resampled)
    return loaded, allowed


def _brain_of_prepared(case: LabeledCase, loaded: Case) -> sitk.Image | None:
    """The brain on the reference, where scans are in register and without skull."""
    images = {sequence: scan.image for sequence, scan in loaded.scans.items()}
    reference = loaded.reference_scan.image
    on_one_grid = all(image.IsSameImageGeometryAs(reference) for image in images.values())
    return stripped_brain(images) if case.preparation.nothing_to_do and on_one_grid else None


def synthetic_subjects(
    count: int, sources: Sources, seed: int = 0, kinds: SequenceOf[Kind] = KINDS
) -> list[Subject]:
    """Synthetic samples, made when they are loaded: settings that training never draws.

    Whole heads at the settings of `settings.held_out`, stripped of the skull, all sequences.

    Args:
        count: of each kind.
        sources: label maps to make them of; real cases in it are not used.
        seed: the same one gives the same voxels.
        kinds: what to make.
    """
    config = held_out(SynthesisConfig())
    acquisition = replace(config.acquisition, missing=0.0, skull=0.0)
    config = replace(config, acquisition=acquisition)
    return [
        Subject(
            f"{kind.value}-{seed}-{number}",
            kind.value,
            None,
            partial(_synthesize, config.only(kind), sources, [seed, place, number]),
        )
        for place, kind in enumerate(kinds)
        for number in range(count)
    ]


def _synthesize(
    config: SynthesisConfig, sources: Sources, seeds: SequenceOf[int]
) -> tuple[Case, sitk.Image]:
    sample = synthesize(config, sources, seeds)
    name = f"{sample.record['kind']}-{seeds[0]}-{seeds[-1]}"
    scans = {
        sequence: Scan(sample.image((array * sample.brain).astype(np.float32)), name)
        for sequence, array in sample.scans.items()
    }
    return make_case(name, scans), sample.image(sample.allowed)


def segment_in_arm(
    case: Case,
    arm: Arm,
    members: tuple[str, ...],
    device: str,
    options: Options,
    progress: Progress,
) -> Segmentation:
    """Segment a case as an arm does, with these members of its pack."""
    options = replace(options, pack=arm.pack.folder, members=members, tta=arm.tta, device=device)
    return segment(case, options, Progress(cancel=progress.cancel))
