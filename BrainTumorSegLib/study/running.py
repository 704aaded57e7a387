"""Registering and segmenting the cases of a study that need it, and journaling what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from collections.abc import Sequence as SequenceOf
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from BrainTumorSegLib.cohort.bids import find_bids_cases, sidecar
from BrainTumorSegLib.cohort.cases import CohortCase
from BrainTumorSegLib.cohort.plan import Planned
from BrainTumorSegLib.cohort.state import State as CohortState
from BrainTumorSegLib.cohort.table import result_of
from BrainTumorSegLib.core.errors import BrainTumorSegError, Cancelled, InputError, OutputError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.atomic import atomic_group, make_folder
from BrainTumorSegLib.io.cases import load_case
from BrainTumorSegLib.io.digests import sha256_of
from BrainTumorSegLib.io.volumes import write_image
from BrainTumorSegLib.preprocessing.registration import align

from .journal import Entry, Event, append, entries_by_case
from .layout import AUTO, LABELMAP, SLICER, CaseName
from .leases import hold
from .opening import Study
from .states import CaseStatus, State

#: States of cases whose scans are here.
_HERE = tuple(state for state in State if state not in (State.RECEIVED, State.EXCLUDED))


def cohort_cases(study: Study) -> list[CohortCase]:
    """The cases of a study as ``cohort`` takes them: their scans are here, and none is excluded."""
    wanted = {str(status.case) for status in study.states() if status.state in _HERE}
    return [case for case in find_bids_cases(study.folder) if case.name in wanted]


# Registration


def to_register(
    study: Study, cases: Iterable[CaseName], retry_failed: bool = False
) -> list[CaseStatus]:
    """The cases whose scans do not lie on one grid yet; those that failed only if asked for."""
    wanted, by_case = set(cases), entries_by_case(study.layout)
    found = []
    for status in study.states(by_case):
        if status.case not in wanted or status.state not in _HERE:
            continue
        entries = by_case.get(status.case, ())
        last = [e for e in entries if e.what in (Event.REGISTERED, Event.FAILED, Event.ANONYMISED)]
        failed = bool(last) and last[-1].what is Event.FAILED
        if _is_registered(study, status.case, last) or (failed and not retry_failed):
            continue
        found.append(status)
    return found


def _is_registered(study: Study, case: CaseName, entries: list[Entry]) -> bool:
    """Whether the images are there, and made from the scans that are there now."""
    registered = [e for e in entries if e.what is Event.REGISTERED]
    scans = study.layout.scans(case)
    others = [s for s in scans if s is not Sequence.T1CE]
    if not registered or not all(study.layout.registered(case, s).is_file() for s in others):
        return False
    made_from = registered[-1].more.get("scans", {})
    return made_from == {s.value: sha256_of(path) for s, path in scans.items()}


def register_cases(
    study: Study,
    statuses: Iterable[CaseStatus],
    engine: str = "auto",
    brainsfit: Path | None = None,
    progress: Progress | None = None,
    on_case: Callable[[CaseName, str], None] = lambda _case, _problem: None,
) -> list[CaseName]:
    """Bring the scans of cases onto the grid of their T1CE, one case after the other.

    Whatever happens to one case, the others go on; a case that another computer works on is passed
    over.

    Args:
        study: whose.
        statuses: from `to_register`.
        engine: of `registration.align`.
        brainsfit: the BRAINSFit executable, when it is not to be looked for.
        progress: receives messages and warnings; cancels between cases.
        on_case: is told of every case that has ended, and why it failed.

    Returns:
        The cases that failed.
    """
    progress = progress or Progress({"register": 1})
    statuses = list(statuses)
    progress.stage("register", len(statuses))
    failed = []
    for status in statuses:
        case, problem = status.case, ""
        try:
            with hold(study.layout, str(case), patience_s=0):
                _register(study, case, engine, brainsfit)
        except Cancelled:
            raise
        except OutputError as error:
            # Somebody else's, or a disk that is full: nothing is to be said of the case.
            problem = error.message
            progress.warn(str(error))
        except BrainTumorSegError as error:
            problem = error.message
            append(study.layout, Event.FAILED, case, reason=problem, step="register")
        if problem:
            failed.append(case)
        on_case(case, problem)
        progress.advance(1, str(case))
    return failed


def _register(study: Study, case: CaseName, engine: str, brainsfit: Path | None) -> None:
    layout = study.layout
    scans = layout.scans(case)
    if Sequence.T1CE not in scans:
        raise InputError(f"{case} has no contrast-enhanced T1.", "Add it, or exclude the case.")
    loaded = load_case(scans, identity=str(case))
    alignment = align(loaded, engine, brainsfit=brainsfit)
    reference = loaded.reference_scan
    images = {
        layout.registered(case, sequence): sitk.Resample(
            scan.image, reference.image, alignment.transforms[sequence], sitk.sitkLinear, 0.0
        )
        for sequence, scan in loaded.scans.items()
        if sequence is not Sequence.T1CE
    }
    make_folder(layout.results(case))
    told = sidecar(list(scans.values()), scans[Sequence.T1CE], layout.folder)
    texts = {_sidecar_of(path): json.dumps(told, indent=2) + "\n" for path in images}
    with atomic_group([*images, *texts], overwrite=True) as temporary:
        for path, image in images.items():
            write_image(image, temporary[path], forms=reference.forms)
        for path, text in texts.items():
            temporary[path].write_text(text, encoding="utf-8")
    scores = {str(r["sequence"]): r.get("score") for r in alignment.records}
    digests = {s.value: sha256_of(path) for s, path in scans.items()}
    append(layout, Event.REGISTERED, case, files=[*images, *texts], scores=scores, scans=digests)


def _sidecar_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".nii.gz") + ".json")


# Segmentation


def journal_results(study: Study, plan: Iterable[Planned]) -> None:
    """Journal what a run of ``cohort`` over a study has done that the journal does not know yet.

    Args:
        study: whose.
        plan: where every case stands, from `cohort.plan.make_plan`.
    """
    by_case = entries_by_case(study.layout)
    for planned in plan:
        case = CaseName.parse(planned.case.name)
        entries = by_case.get(case, ())
        if planned.state is CohortState.DONE:
            _journal_done(study, case, planned, entries)
        elif planned.state in (CohortState.FAILED, CohortState.UNUSABLE):
            last = [e for e in entries if e.what in (Event.FAILED, Event.SEGMENTED)]
            told = last[-1].more.get("reason") if last else None
            if told != planned.reason:
                append(study.layout, Event.FAILED, case, reason=planned.reason, step="segment")


def _journal_done(
    study: Study, case: CaseName, planned: Planned, entries: SequenceOf[Entry]
) -> None:
    layout, known = study.layout, planned.known or {}
    outputs = known.get("outputs") or {}
    digest = outputs.get("segmentation", {}).get("sha256")
    last = [e for e in entries if e.what in (Event.SEGMENTED, Event.FAILED)]
    if last and last[-1].what is Event.SEGMENTED and last[-1].more.get("sha256") == digest:
        return
    files = [layout.segmentation(case, AUTO, ending) for ending in (LABELMAP, SLICER)]
    pack = known.get("pack") or {}
    told: dict[str, Any] = {
        "sha256": digest,
        "pack": f"{pack.get('name')} {pack.get('version')}",
        "seconds": known.get("seconds"),
        "doubtful_share": result_of(known, layout.derivatives).get("doubtful_share"),
        **_quality(layout.segmentation(case, AUTO, "_record.json")),
    }
    append(layout, Event.SEGMENTED, case, files=files, **told)


def _quality(path: Path) -> dict[str, Any]:
    """What a record says of its result: warnings, lowest expected Dice, scores of registration."""
    from BrainTumorSegLib.core.notices import notices
    from BrainTumorSegLib.core.trust import region_trust
    from BrainTumorSegLib.reporting.record import read_record

    try:
        record = read_record(path)
    except InputError:
        return {}
    expected = [one.expected for one in region_trust(record) if one.expected is not None]
    return {
        "warnings": notices(record),
        "expected_dice": min(expected) if expected else None,
        "registration": {str(r["sequence"]): r.get("score") for r in record["registration"]},
        "volume_ml": record["volumes_ml"].get("WT"),
    }
