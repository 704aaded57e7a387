"""Learning from a study: a new pack from its approved cases, beside the one it started from.

One fold is kept out: its patients are never learned from, and both packs are scored on them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from BrainTumorSegLib.core.errors import TrainingError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.evaluation.report import write_results
from BrainTumorSegLib.evaluation.runs import cohort_subjects, make_arms, score_subjects
from BrainTumorSegLib.io.atomic import make_folder
from BrainTumorSegLib.models.packs import ModelPack, load_pack
from BrainTumorSegLib.models.packs.files import check_free
from BrainTumorSegLib.models.weights import Precision
from BrainTumorSegLib.training.case_table import TABLE
from BrainTumorSegLib.training.cohort import LabeledCase, in_folds, read_cohort
from BrainTumorSegLib.training.config import keep_config, read_config
from BrainTumorSegLib.training.distributed import Machine
from BrainTumorSegLib.training.evaluated import Evaluation
from BrainTumorSegLib.training.export import STAGE, QuantizationCheck, check_pack, pack_run
from BrainTumorSegLib.training.trainer import check_computable, stages, train_members

from .exporting import FOLDS, export
from .opening import Study

#: What lies in the folder of ``study learn``.
DATA, RUN, RESULTS = "data", "run", "evaluation"

_LEARNED = re.compile(r"study learn STUDY-([0-9a-f]+) .*--fold (\d+)")


@dataclass(frozen=True)
class Plan:
    """How to learn from a study.

    Attributes:
        recipe: a recipe of ``train``, with the table of the pack.
        start_from: name or folder of the pack to begin with and to compare with.
        folder: for everything: `DATA`, `RUN`, the pack, `RESULTS`.
        fold: whose patients are kept out.
        folds: how many there are.
        brain: how the brain is found in the scans of the study.
        tta: test-time augmentation of the comparison; None for the old pack's advice.
        precision: of the new pack's weights.
        allowed_loss: of Dice by storing them so, see ``train``.
        sources: where the recipe looks for everything else than the cases.
    """

    recipe: Path
    start_from: str
    folder: Path
    fold: int = 0
    folds: int = FOLDS
    brain: str = "auto"
    tta: str | None = None
    precision: Precision = "int8"
    allowed_loss: float = 0.002
    sources: Path | None = None


@dataclass(frozen=True)
class Learned:
    """What was learned.

    Attributes:
        pack: the new one.
        tables: Markdown: both packs on the patients that were kept out, with a paired test.
        cases: how many were learned from.
        kept_out: how many both packs were scored on.
    """

    pack: ModelPack
    tables: str
    cases: int
    kept_out: int


def learn(
    study: Study,
    plan: Plan,
    machine: Machine | None = None,
    measures: Collection[str] = ("dice",),
    progress: Progress | None = None,
) -> Learned:
    """Export the approved cases, train on all folds but one, and score old and new pack on it.

    What was exported and trained before in the same folder is kept and gone on with.

    Args:
        study: to learn from.
        plan: how.
        machine: where to compute.
        measures: keys of `evaluation.metrics.MEASURES`.
        progress: made of `stage_weights`.

    Raises:
        TrainingError: when the recipe or the pack to start from does not fit, or the fold has no
            patient.
        InputError: when nothing is approved.
        OutputError: when the folder cannot be written.
    """
    machine, progress = machine or Machine(), progress or Progress()
    config = read_config(plan.recipe)
    training = replace(config.training, start_from=plan.start_from)
    old = load_pack(plan.start_from)
    check_kept_out(old, study, plan.fold)
    check_pack(config.pack, training, plan.recipe)
    check_computable(training, machine)
    destination = plan.folder / config.pack["name"]
    check_free(destination, overwrite=True)
    make_folder(plan.folder)
    data = plan.folder / DATA
    if not (data / TABLE).is_file():
        export(study, data, "cases", plan.folds, brain=plan.brain, progress=progress)
    cases = read_cohort(data, config.data)
    kept_out = _kept_out(cases, plan)
    run = plan.folder / RUN
    sources = plan.sources or data
    members = train_members(cases, training, [plan.fold], run, (), sources, machine, progress)
    command = command_of(study, plan)
    keep_config(plan.recipe, command, run)
    check = QuantizationCheck(
        plan.precision,
        cases,
        on="cases",
        allowed_loss=plan.allowed_loss,
        cache=run / "cache",
        device=machine.device,
        command=command,
    )
    new = pack_run(members, config.pack, command, destination, check, Evaluation(), True, progress)
    tables = _compare(old, new, kept_out, plan, machine, measures, progress)
    return Learned(new, tables, len(cases) - len(kept_out), len(kept_out))


def stage_weights(plan: Plan) -> dict[str, float]:
    """Stages of `learn` for the progress, with their rough share of the time."""
    training = read_config(plan.recipe).training
    return {"export": 1.0, **stages(training, [plan.fold], ()), STAGE: 2.0, "evaluate": 10.0}


def command_of(study: Study, plan: Plan) -> str:
    """The command for the provenance of the pack: without folders, with the id of the study."""
    return (
        f"brain-tumor-seg study learn STUDY-{study.settings.id} --recipe {plan.recipe.name} "
        f"--start-from {Path(plan.start_from).name} -o RUN --fold {plan.fold}"
    )


def check_kept_out(pack: ModelPack, study: Study, fold: int) -> None:
    """Refuse to start from a pack that has learned from the patients that are kept out now.

    Only what `learn` itself has made of this study can be told.

    Raises:
        TrainingError: naming the fold that the pack has kept out.
    """
    found = _LEARNED.search(str(pack.manifest["provenance"].get("command", "")))
    if found and found[1] == study.settings.id and int(found[2]) != fold:
        raise TrainingError(
            f"Pack {pack.name!r} has kept fold {found[2]} of this study out of its training, and "
            f"learned from the patients of fold {fold}: scores on them would be too good.",
            f"Keep the same fold out (--fold {found[2]}), or start from another pack.",
        )


def _kept_out(cases: Collection[LabeledCase], plan: Plan) -> tuple[LabeledCase, ...]:
    kept_out = in_folds(tuple(cases), [plan.fold])
    if len(kept_out) == len(cases):
        raise TrainingError(
            f"All approved patients are in fold {plan.fold}, so that none is left to learn from.",
            "Approve more cases first.",
        )
    return kept_out


def _compare(
    old: ModelPack,
    new: ModelPack,
    kept_out: tuple[LabeledCase, ...],
    plan: Plan,
    machine: Machine,
    measures: Collection[str],
    progress: Progress,
) -> str:
    """Score both packs, each with all its members, on the patients that were kept out."""
    arms = make_arms([old, new], [plan.tta or old.advised_views])
    subjects = cohort_subjects(kept_out, arms)
    scores = score_subjects(
        subjects, arms, measures, machine.device, out_of_fold=False, progress=progress
    )
    command = f"brain-tumor-seg study learn STUDY --recipe {plan.recipe.name} --fold {plan.fold}"
    return write_results(plan.folder / RESULTS, scores, (), command)
