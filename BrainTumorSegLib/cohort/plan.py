"""What has to be done: the command of every case, and whether it still has to be given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.option_fields import command_line
from BrainTumorSegLib.core.options import Options
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.models.packs import ModelPack

from .bids import sidecar
from .cases import CohortCase
from .child import SIDECAR, CaseOrder
from .lease import is_held
from .state import (
    State,
    changed_inputs,
    changed_outputs,
    changed_settings,
    inputs_of,
    lease_path,
    log_path,
    pack_stamp,
    read_state,
    state_path,
)

#: Outputs of every case: the option of ``segment``, and how the name ends.
ALWAYS = {"report": ("--report", "_record.json"), "picture": ("--picture", "_overview.png")}

#: Outputs that can be asked for besides.
ALSO = {
    "html": ("--report", "_report.html"),
    "labelmap": ("--labelmap", "_dseg.nii.gz"),
    "probabilities": ("--probabilities", "_probseg.nrrd"),
    "disagreement": ("--disagreement", "_entropy.nii.gz"),
    "dicom-seg": ("--dicom-seg", "_seg.dcm"),
    "dicom-sr": ("--dicom-sr", "_sr.dcm"),
}


@dataclass(frozen=True)
class Settings:
    """How all cases are segmented.

    Attributes:
        folder: of all results.
        options: of the run.
        pack: the one that the options name.
        reference: the sequence on whose grid results lie.
        ending: of the segmentation, one of `reporting.outputs.SEGMENTATION_SUFFIXES`.
        also: keys of `ALSO`.
        threads: CPU threads of a case; None for the libraries' own choice.
        overwrite: whether files may be replaced that this program did not make, or that were
            changed since.
        dataset: the BIDS data set that the cases are of, for sidecars.
    """

    folder: Path
    options: Options
    pack: ModelPack
    reference: Sequence = Sequence.T1CE
    ending: str = ".seg.nrrd"
    also: tuple[str, ...] = ()
    threads: int | None = None
    overwrite: bool = False
    dataset: Path | None = None

    def options_of(self, case: CohortCase) -> Options:
        """The options of one case."""
        return replace(self.options, **case.options) if case.options else self.options

    def record_of(self, case: CohortCase) -> dict[str, Any]:
        """What results depend on besides inputs and pack, plain JSON types."""
        record = dict(self.options_of(case).as_record())
        # The pack is told by its hash, wherever it lies and however it was named.
        record.pop("pack", None)
        return {**record, "reference": self.reference.value}


@dataclass(frozen=True)
class Planned:
    """A case, where it stands, and why.

    Attributes:
        case: as it was found.
        state: where it stands.
        reason: why it is to be computed again, or cannot be; may be empty.
        remedy: what can be done about that; may be empty.
        known: what is on the disk about it.
        to_run: whether it is to be computed now, or once the run that works on it has died.
    """

    case: CohortCase
    state: State
    reason: str = ""
    remedy: str = ""
    known: Mapping[str, Any] | None = None
    to_run: bool = False


def make_plan(
    cases: Iterable[CohortCase], settings: Settings, retry_failed: bool = False
) -> list[Planned]:
    """Where every case stands, and which are to be computed now.

    Args:
        cases: from `find_cases`.
        settings: how they are segmented.
        retry_failed: whether those that failed before are computed again.
    """
    pack = pack_stamp(settings.pack)
    return [_judge(case, settings, pack, retry_failed) for case in cases]


def outputs_of(case: CohortCase, settings: Settings) -> dict[str, str]:
    """The files of a case's results by kind, relative to the folder of all results."""
    also = set(settings.also)
    if "dicom-sr" in also:
        # It refers to the segmentation.
        also.add("dicom-seg")
    kinds = ALWAYS | {kind: ALSO[kind] for kind in ALSO if kind in also}
    bids = settings.dataset is not None
    names = {"segmentation": f"_dseg{settings.ending}" if bids else settings.ending}
    names |= {kind: end for kind, (_, end) in kinds.items()}
    if bids:
        names[SIDECAR] = "_dseg.json"
    if names.get("labelmap") == names["segmentation"]:
        # In a BIDS derivative the segmentation is one.
        del names["labelmap"]
    if "disagreement" in names:
        names["mutual information"] = "_entropy.mutual-information.nii.gz"
    return {kind: f"{case.folder}/{case.stem}{end}" for kind, end in names.items()}


def make_order(planned: Planned, settings: Settings, attempts: int) -> CaseOrder:
    """What the process of a case is told.

    Args:
        planned: a case that is to be computed.
        settings: how.
        attempts: how often it was tried, this time included.
    """
    case, folder = planned.case, settings.folder
    mask = _mask(settings.options_of(case))
    home = _home(case)
    inputs = {key: _told(path, home) for key, path in inputs_of(case, mask).items()}
    # What lies there is ours once we have begun to make it.
    overwrite = settings.overwrite or bool(planned.known) or attempts > 1
    words = segment_words(case, settings, overwrite)
    outputs = outputs_of(case, settings)
    told: dict[str, Any] = {}
    if settings.dataset is not None:
        reference = case.scans[settings.reference]
        told = sidecar(list(case.scans.values()), reference, settings.dataset)
    members = settings.options_of(case).members
    if (
        len(settings.pack.members) == 1
        or members == 1
        or (isinstance(members, tuple) and len(members) == 1)
    ):
        # One network alone has nothing to agree with.
        outputs.pop("mutual information", None)
    return CaseOrder(
        words=tuple(words),
        inputs=inputs,
        outputs=outputs,
        home=str(home),
        folder=str(folder.resolve()),
        state=str(state_path(folder, case).resolve()),
        log=str(log_path(folder, case).resolve()),
        known={
            "case": case.name,
            "attempts": attempts,
            "pack": pack_stamp(settings.pack),
            "options": settings.record_of(case),
        },
        sidecar=told,
    )


def segment_words(case: CohortCase, settings: Settings, overwrite: bool) -> list[str]:
    """The arguments of the program that segment one case, ``segment`` first.

    Inputs are told from the folder that they share, in which the program is run: names of the
    folders above, which may be of people or places, get into no log then.
    """
    words, home = ["segment"], _home(case)
    words += [f"--{s.value}={_told(path, home)}" for s, path in case.scans.items()]
    if case.dicom is not None:
        words.append(f"--dicom={_told(case.dicom, home)}")
    if case.study is not None:
        words.append(f"--study={case.study}")
    words += [f"--reference={settings.reference.value}", f"--name={case.name}"]
    outputs = outputs_of(case, settings)
    words.append(f"--output={(settings.folder / outputs['segmentation']).resolve()}")
    for kind, (flag, _) in (ALWAYS | ALSO).items():
        if kind in outputs:
            words.append(f"{flag}={(settings.folder / outputs[kind]).resolve()}")
    words += command_line(replace(settings.options_of(case), pack=settings.pack.folder.resolve()))
    words += [f"--threads={settings.threads}"] if settings.threads else []
    return [*words, "--progress=json", *(["--overwrite"] if overwrite else [])]


def _home(case: CohortCase) -> Path:
    """The folder that holds all inputs of a case, at any depth.

    Links are not followed: what they lead to may have a name that says nothing.
    """
    try:
        return Path(
            os.path.commonpath([path.absolute().parent for path in inputs_of(case).values()])
        )
    except ValueError:
        # On several drives of Windows.
        return Path.cwd()


def _told(path: Path, home: Path) -> str:
    path = path.absolute()
    return str(path.relative_to(home) if path.is_relative_to(home) else path)


def _mask(options: Options) -> Path | None:
    return options.brain if isinstance(options.brain, Path) else None


def _judge(
    case: CohortCase, settings: Settings, pack: Mapping[str, str], retry_failed: bool
) -> Planned:
    known = read_state(state_path(settings.folder, case))
    problem = case.problem or _misfit(case, settings)
    if problem is not None:
        return Planned(case, State.UNUSABLE, *problem, known=known)
    if is_held(lease_path(settings.folder, case)):
        # To be looked after: should that run die, the case is ours.
        return Planned(case, State.RUNNING, "Another run works on it.", known=known, to_run=True)
    if known.get("state") not in (State.DONE, State.FAILED):
        reason = "It was interrupted." if known else ""
        return Planned(case, State.WAITING, reason, known=known, to_run=True)
    other = (
        changed_inputs(case, known, _mask(settings.options_of(case))) if known.get("inputs") else ""
    )
    other = other or changed_settings(known, pack, settings.record_of(case))
    if known["state"] == State.FAILED:
        if other and known.get("inputs"):
            reason = f"It failed before, but {other}."
            return Planned(case, State.STALE, reason, known=known, to_run=True)
        return Planned(
            case,
            State.FAILED,
            known.get("reason", ""),
            known.get("remedy", ""),
            known=known,
            to_run=retry_failed,
        )
    return _judge_done(case, settings, known, other)


def _judge_done(
    case: CohortCase, settings: Settings, known: Mapping[str, Any], other: str
) -> Planned:
    wanted = [kind for kind in outputs_of(case, settings) if kind != "mutual information"]
    missing, changed = changed_outputs(settings.folder, known, wanted)
    if changed and not settings.overwrite:
        return Planned(
            case,
            State.STALE,
            f"{changed}{f', and {other or missing}' if other or missing else ''}.",
            "It is left as it is. Move it away, or give --overwrite, to have it made again.",
            known=known,
        )
    why = other or missing or changed
    if why:
        return Planned(case, State.STALE, f"{why[0].upper()}{why[1:]}.", known=known, to_run=True)
    return Planned(case, State.DONE, known=known)


def _misfit(case: CohortCase, settings: Settings) -> tuple[str, str] | None:
    """Why a case does not go with the settings, as far as can be told without reading it."""
    if case.dicom is not None:
        return None
    try:
        settings.pack.require_sequences(case.scans, case.name)
    except InputError as error:
        return error.message, error.remedy or ""
    if settings.reference not in case.scans:
        return (
            f"Case {case.name} has no {settings.reference.name}, which is to be the reference.",
            "Add that scan, or choose another --reference.",
        )
    dicom = [kind for kind in ("dicom-seg", "dicom-sr") if kind in settings.also]
    if dicom:
        return (
            f"Case {case.name} does not come from DICOM, so no DICOM segmentation can be made.",
            f"Leave --also {' '.join(dicom)} out, or give DICOM studies.",
        )
    return None
