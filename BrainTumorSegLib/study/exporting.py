"""Exports of a study: for nnU-Net, as BIDS, or as cases that ``train --data`` takes as they stand.

Folds go by patient and stay in the registry: whoever was kept out of training once is kept out
of it in every later export.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path
from re import fullmatch

import SimpleITK as sitk

from BrainTumorSegLib.cohort.bids import sidecar, write_dataset_files
from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import Tissue
from BrainTumorSegLib.io.grids import lattice_offset
from BrainTumorSegLib.io.reference_labels import SEGMENTS_PROTOCOL
from BrainTumorSegLib.io.tables import write_table
from BrainTumorSegLib.io.volumes import read_image
from BrainTumorSegLib.models.packs.files import new_folder
from BrainTumorSegLib.training.case_table import COLUMNS, TABLE

from .folds import assign_folds
from .journal import Event, append
from .layout import APPROVED, LABELMAP, CaseName, Layout
from .leases import hold
from .opening import Study, write_dataset
from .states import State

#: Folds that are made unless asked for otherwise.
FOLDS = 5

_LABELS = "labels"


@dataclass(frozen=True)
class ExportCase:
    """A case that is exported.

    Attributes:
        name: of the case.
        group: tumor type.
        fold: of its patient.
        scans: the contrast-enhanced T1, and others that lie on its grid.
        unregistered: other scans, as they were scanned.
        labels: approved label map on the grid of the contrast-enhanced T1.
    """

    name: CaseName
    group: str
    fold: int
    scans: Mapping[Sequence, Path]
    unregistered: Mapping[Sequence, Path]
    labels: Path

    @property
    def all_scans(self) -> dict[Sequence, Path]:
        """Every scan, in the order of the sequences."""
        both = {**self.scans, **self.unregistered}
        return {sequence: both[sequence] for sequence in Sequence if sequence in both}


@dataclass(frozen=True)
class Export:
    """What an export holds.

    Attributes:
        folder: of it.
        cases: in the order of their names.
        left_out: why an approved case is not in it.
    """

    folder: Path
    cases: SequenceOf[ExportCase]
    left_out: Mapping[CaseName, str]


def export(
    study: Study,
    folder: Path,
    form: str = "cases",
    folds: int = FOLDS,
    seed: int = 0,
    brain: str = "auto",
    progress: Progress | None = None,
) -> Export:
    """Write the approved cases of a study into a new folder: all of it, or nothing.

    Args:
        study: whose cases.
        folder: new, outside of the study; of `FORMATS` nnunet wants a name like
            ``Dataset501_Tumors``.
        form: one of `FORMATS`.
        folds: number of folds; patients that have one keep it.
        seed: of the division of new patients.
        brain: for ``cases``, how training finds the brain, see `training.cohort.Preparation`.
        progress: one step a case.

    Raises:
        InputError: when nothing is approved, or a fold is beyond the number.
        OutputError: when the folder is taken or cannot be written.
    """
    if form not in FORMATS:
        raise InputError(f"There is no format {form!r}.", f"Choose one of {', '.join(FORMATS)}.")
    _check_place(study, folder, form)
    progress = progress or Progress()
    cases, left_out = _cases(study, folds, seed, form)
    progress.stage("export", len(cases))
    with new_folder(folder, check=_check_empty) as staging:
        FORMATS[form](study, staging, cases, brain, progress)
    append(
        study.layout,
        Event.EXPORTED,
        None,
        [case.labels for case in cases],
        form=form,
        cases=[str(case.name) for case in cases],
    )
    return Export(folder, cases, left_out)


def fix_folds(
    study: Study, cases: Collection[CaseName], folds: int = FOLDS, seed: int = 0
) -> dict[str, int]:
    """Folds of the patients of some cases, which the registry keeps from now on.

    Args:
        study: whose registry.
        cases: of the patients; all their visits get the fold.
        folds, seed: see `folds.assign_folds`.

    Returns:
        Folds by pseudonym of the patient.

    Raises:
        InputError: when the registry holds a fold that is no number, or beyond the folds.
    """
    # Two exports at the same time would deal out the same patients in two ways.
    with hold(study.layout, "folds"):
        rows = study.registry()
        fixed: dict[str, int] = {}
        for case, row in rows.items():
            text = row.get("fold", "")
            if text and not text.isdecimal():
                raise InputError(
                    f"The registry has {text!r} as fold of {case}.", "Write a number from 0 on."
                )
            if text:
                fixed[case.subject] = int(text)
        groups = {case.subject: rows.get(case, {}).get("tumor_type", "") for case in sorted(cases)}
        found = assign_folds(groups, fixed, folds, seed)
        changes = {
            case: {"fold": str(found[case.subject])}
            for case, row in rows.items()
            if case.subject in found and row.get("fold", "") != str(found[case.subject])
        }
        missing = [case for case in cases if case not in rows]
        changes |= {case: {"fold": str(found[case.subject])} for case in missing}
        if changes:
            study.update(changes)
    return found


def _cases(
    study: Study, folds: int, seed: int, form: str
) -> tuple[list[ExportCase], dict[CaseName, str]]:
    layout = study.layout
    approved = [one.case for one in study.states() if one.state is State.APPROVED]
    usable, left_out = {}, {}
    for case in approved:
        scans, others, problem = _scans(study, case)
        if not problem and form == "nnunet":
            problem = _unfit_for_nnunet(scans, others)
        if problem:
            left_out[case] = problem
        else:
            usable[case] = (scans, others)
    if not usable:
        why = f" {next(iter(left_out.values()))}" if left_out else ""
        raise InputError(
            f"{study.folder} has no approved case that can be exported.{why}",
            "Let readers finish cases first; brain-tumor-seg study status says what is stuck.",
        )
    fold_of = fix_folds(study, usable, folds, seed)
    rows = study.registry()
    cases = [
        ExportCase(
            case,
            rows.get(case, {}).get("tumor_type", ""),
            fold_of[case.subject],
            scans,
            others,
            layout.segmentation(case, APPROVED, LABELMAP),
        )
        for case, (scans, others) in usable.items()
    ]
    return cases, left_out


def _scans(study: Study, case: CaseName) -> tuple[dict[Sequence, Path], dict[Sequence, Path], str]:
    """Scans on the grid of the labels, others, and what is wrong with the case."""
    layout = study.layout
    raw = layout.scans(case)
    reference = raw.get(Sequence.T1CE)
    if reference is None:
        return {}, {}, "Its contrast-enhanced T1 is missing."
    if not layout.segmentation(case, APPROVED, LABELMAP).is_file():
        return {}, {}, "Its approved labels are missing as a label map."
    on_grid, others = {Sequence.T1CE: reference}, {}
    for sequence, path in raw.items():
        registered = layout.registered(case, sequence)
        if sequence is Sequence.T1CE:
            continue
        if registered.is_file():
            on_grid[sequence] = registered
        else:
            others[sequence] = path
    return on_grid, others, ""


def _unfit_for_nnunet(scans: Mapping[Sequence, Path], others: Mapping[Sequence, Path]) -> str:
    for sequence in Sequence:
        if sequence in others:
            return f"Its {sequence.name} is not registered: brain-tumor-seg study register."
        if sequence not in scans:
            return f"It has no {sequence.name}; nnU-Net wants every channel of every case."
    return ""


def _check_place(study: Study, folder: Path, form: str) -> None:
    if folder.resolve().is_relative_to(study.folder.resolve()):
        raise OutputError(f"{folder} lies in the study.", "Choose a folder outside of it.")
    if form == "nnunet" and not fullmatch(r"Dataset\d{3}_\w+", folder.name):
        raise OutputError(
            f"nnU-Net does not know {folder.name} for a data set.",
            "Call the folder like Dataset501_Tumors.",
        )
    _check_empty(folder, False)


def _check_empty(folder: Path, _overwrite: bool) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists already.", "Choose a new folder.")


def _write_cases(
    _study: Study, folder: Path, cases: SequenceOf[ExportCase], brain: str, progress: Progress
) -> None:
    """Folders of cases with ``cases.tsv``, see `training.cohort.read_cohort`."""
    rows = []
    for case in cases:
        name = str(case.name)
        files = {sequence.value: path for sequence, path in case.all_scans.items()}
        files[_LABELS] = case.labels
        (folder / name).mkdir()
        for key, path in files.items():
            shutil.copyfile(path, folder / name / f"{key}.nii.gz")
        row = {
            "case": name,
            "looks_like": case.group,
            "fold": case.fold,
            # Approved labels are tissues, whatever the labels of the study's own data were.
            "label_protocol": SEGMENTS_PROTOCOL,
            "registration": "auto" if case.unregistered else "none",
            "brain": brain,
            **{key: f"{name}/{key}.nii.gz" for key in files},
        }
        rows.append([row.get(column, "") for column in COLUMNS])
        progress.advance(1, name)
    write_table(folder / TABLE, COLUMNS, rows, delimiter="\t")


def _write_nnunet(
    _study: Study, folder: Path, cases: SequenceOf[ExportCase], _brain: str, progress: Progress
) -> None:
    """A raw data set of nnU-Net 2, with our folds as its ``splits_final.json``."""
    images, labels = folder / "imagesTr", folder / "labelsTr"
    images.mkdir()
    labels.mkdir()
    for case in cases:
        _check_one_grid(case)
        for channel, sequence in enumerate(Sequence):
            name = f"{case.name}_{channel:04d}.nii.gz"
            shutil.copyfile(case.scans[sequence], images / name)
        shutil.copyfile(case.labels, labels / f"{case.name}.nii.gz")
        progress.advance(1, str(case.name))
    description = {
        "channel_names": {str(n): sequence.name for n, sequence in enumerate(Sequence)},
        "labels": {tissue.key: int(tissue) for tissue in Tissue},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
    }
    splits = [
        {
            "train": [str(case.name) for case in cases if case.fold != fold],
            "val": [str(case.name) for case in cases if case.fold == fold],
        }
        for fold in sorted({case.fold for case in cases})
    ]
    _write_json(folder / "dataset.json", description)
    _write_json(folder / "splits_final.json", splits)


def _write_bids(
    study: Study, folder: Path, cases: SequenceOf[ExportCase], _brain: str, progress: Progress
) -> None:
    """A raw data set as scanned, and the approved labels as its derivative."""
    target = Layout(folder)
    names = [case.name for case in cases]
    write_dataset(study, folder, names)
    for case in cases:
        anat = target.anat(case.name)
        anat.mkdir(parents=True)
        for path in sorted(study.layout.anat(case.name).iterdir()):
            if not path.name.startswith(".") and path.is_file():
                shutil.copyfile(path, anat / path.name)
        labels = target.segmentation(case.name, APPROVED, LABELMAP)
        labels.parent.mkdir(parents=True)
        shutil.copyfile(case.labels, labels)
        raw = target.scans(case.name)
        fields = sidecar(raw.values(), raw[Sequence.T1CE], folder)
        _write_json(target.segmentation(case.name, APPROVED, "_dseg.json"), fields)
        progress.advance(1, str(case.name))
    write_dataset_files(target.derivatives, folder, APPROVED)


def _check_one_grid(case: ExportCase) -> None:
    """Refuse scans that only seem to lie on the grid of the labels.

    Raises:
        InputError: naming the scan.
    """
    labels = read_image(case.labels)
    for path in case.scans.values():
        image: sitk.Image = read_image(path)
        same = image.GetSize() == labels.GetSize()
        if not same or lattice_offset(image, labels) != (0, 0, 0):
            raise InputError(
                f"{path} does not lie on the grid of {case.labels}.",
                "Register the case again: brain-tumor-seg study register.",
            )


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


#: What writes a format, by its name.
FORMATS: Mapping[str, Callable[[Study, Path, SequenceOf[ExportCase], str, Progress], None]] = {
    "nnunet": _write_nnunet,
    "bids": _write_bids,
    "cases": _write_cases,
}
