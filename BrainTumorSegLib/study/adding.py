"""``study add``: from an export of a PACS to de-identified DICOM and the scans of every visit."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.io.atomic import make_folder
from BrainTumorSegLib.io.publishing import publish, staged

from .deid.identities import identities_of
from .deid.keys import Key
from .deid.rewrite import Disguise, rewrite_file
from .facts import registry_rows, write_inventory
from .inventory import (
    Became,
    Item,
    by_patient,
    find_items,
    quarantined,
    unpacking,
    without_duplicates,
)
from .journal import Event, append
from .layout import CaseName, Layout
from .leases import hold
from .opening import Study, write_dataset
from .scans import write_scan
from .states import CaseStatus, State
from .visits import Visit, home_of, moved, visits_of, why_not

#: Stages, with their rough share of the time.
STAGES = {"look": 40, "take": 60}

#: A visit whose scans may still be made anew, for nobody has read it.
_NOT_READ = (State.RECEIVED, State.ANONYMISED, State.REGISTERED, State.AUTOMATIC)


@dataclass
class Added:
    """What became of everything that was given.

    Attributes:
        items: every file, settled.
        visits: what was received.
    """

    items: list[Item] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)


def add(
    study: Study,
    key: Key,
    sources: Iterable[Path],
    choice: Mapping[Sequence, str] | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Added:
    """Take whole exports into a study.

    The same again goes on where it was stopped. One visit after the other appears, whole or not
    at all; the key knows of a patient before anything of them is written.

    Args:
        study: to which.
        key: of the study.
        sources: folders, DICOMDIRs, ZIP archives, single files.
        choice: series by sequence that a person has chosen; only for one visit.
        dry_run: whether nothing shall be written, the key included.
        progress: receives how far it is.

    Raises:
        InputError: when a source is not there, or ``choice`` is given for several visits.
        OutputError: when the study or what lies beside the key cannot be written, or somebody
            else adds to the study at the moment.
        DependencyError: without pydicom.
    """
    progress = progress or Progress(STAGES)
    if dry_run:
        # A copy learns of the patients, and is forgotten.
        return _add(study, copy.deepcopy(key), list(sources), choice or {}, True, progress)
    with hold(study.layout, "add", patience_s=0):
        return _add(study, key, list(sources), choice or {}, False, progress)


def _add(
    study: Study,
    key: Key,
    sources: list[Path],
    choice: Mapping[Sequence, str],
    dry_run: bool,
    progress: Progress,
) -> Added:
    name = "unpacked-dry-run" if dry_run else "unpacked"
    with unpacking(key.folder / name) as unpacked:
        progress.stage("look")
        items = []
        for item in find_items(sources, unpacked):
            items.append(item)
            if len(items) % 1000 == 0:
                progress.message(f"{len(items)} files were looked at.")
        items = without_duplicates(items)
        added = Added([item for item in items if item.became is not None])
        groups = by_patient(item for item in items if item.became is None)
        if choice and len({i.text("StudyInstanceUID") for group in groups for i in group}) > 1:
            raise InputError(
                "A series was chosen, and there is more than one examination.",
                "Give the folder of one examination: in many, series have the same numbers.",
            )
        statuses = {status.case: status for status in study.states()}
        progress.stage("take", len(groups))
        for group in groups:
            _add_patient(study, key, group, choice, statuses, added, dry_run)
            progress.advance()
        if not dry_run:
            write_inventory(study.layout, key, added.items)
            write_dataset(study)
    return added


def _add_patient(
    study: Study,
    key: Key,
    group: list[Item],
    choice: Mapping[Sequence, str],
    statuses: Mapping[CaseName, CaseStatus],
    added: Added,
    dry_run: bool,
) -> None:
    visits, settled = visits_of(group, key, statuses, choice)
    if not dry_run:
        key.save()
    added.items += settled
    added.items += [
        _quarantine(item, key, reason, dry_run) for item in group if (reason := quarantined(item))
    ]
    for visit in visits:
        added.items += _add_visit(study, key, visit, statuses.get(visit.case), dry_run)
        added.visits.append(visit)


def _add_visit(
    study: Study, key: Key, visit: Visit, status: CaseStatus | None, dry_run: bool
) -> list[Item]:
    """Take a visit unless it is there; its items, settled."""
    taken = Became.TAKEN
    if status is not None and _is_there(study.layout, status, visit):
        taken = Became.THERE
    elif status is not None and status.state not in _NOT_READ:
        visit.problem = "its visit is read already, and is left as it is"
    elif not dry_run:
        _receive(study, key, visit)
    files, case = {} if visit.problem else visit.files(), str(visit.case)
    return [
        item.settled(taken, files[item.path].name, case)
        if item.path in files
        else item.settled(Became.NOT_TAKEN, why_not(visit, item), case)
        for item in visit.items
    ]


def _quarantine(item: Item, key: Key, reason: str, dry_run: bool) -> Item:
    home = home_of(item, key)
    if not dry_run:
        _to_quarantine(item, home, key)
    return item.settled(Became.QUARANTINE, reason, home.replace("/", "_") if "/" in home else "")


def _is_there(layout: Layout, status: CaseStatus, visit: Visit) -> bool:
    """Whether a visit is in the study, with no fewer sequences than were given now."""
    if visit.problem or status.state is State.RECEIVED:
        return False
    return visit.chosen.keys() <= layout.scans(visit.case).keys()


def _receive(study: Study, key: Key, visit: Visit) -> None:
    layout, case = study.layout, visit.case
    reason = {"reason": visit.problem} if visit.problem else {}
    append(layout, Event.RECEIVED, case, given=len(visit.items), **reason)
    written = [] if visit.problem else _write(layout, key, visit)
    study.update(registry_rows(study.registry(), key, visit))
    if not visit.problem:
        sequences = {s.value: layout.scans(case)[s].name for s in visit.chosen}
        append(layout, Event.ANONYMISED, case, files=written, sequences=sequences)


def _disguise(key: Key, subject: str) -> Disguise:
    known = identities_of(subject, key.patients[subject].known)
    words = frozenset(one.text for one in known)
    return Disguise(f"sub-{subject}", key.uid, key.shift_days(subject), words)


def _write(layout: Layout, key: Key, visit: Visit) -> list[Path]:
    """Write the DICOM files and scans of a visit; both appear, or neither does."""
    case = visit.case
    source, anat = layout.source(case), layout.anat(case)
    for place in (source, anat):
        make_folder(place.parent)
    disguise = _disguise(key, case.subject)
    with staged([source, anat]) as group:
        dicom, scans = (move.written for move in group.moves)
        dicom.mkdir()
        scans.mkdir()
        for sequence, series in visit.chosen.items():
            folder = dicom / sequence.name
            folder.mkdir()
            places = {}
            for path in series.files:
                new = folder / "image.dcm"
                uid = rewrite_file(path, new, disguise, sequence.name)
                places[path] = new.rename(folder / f"{uid}.dcm")
            enhanced = sequence in visit.enhanced
            name = layout.raw(case, sequence, enhanced).name
            write_scan(moved(series, places), scans / name, enhanced)
        publish(group)
    return sorted(path for place in (source, anat) for path in place.rglob("*") if path.is_file())


def _to_quarantine(item: Item, home: str, key: Key) -> None:
    """Keep an image outside the study, its header without identity."""
    subject = home.partition("/")[0].removeprefix("sub-")
    folder = key.quarantine / home
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    final = folder / f"{key.uid(item.text('SOPInstanceUID'))}.dcm"
    new = final.with_suffix(".part")
    try:
        rewrite_file(item.path, new, _disguise(key, subject), "quarantine")
        new.chmod(0o600)
        new.replace(final)
    except ValueError:
        # It cannot even be rewritten; the inventory says that it was there.
        new.unlink(missing_ok=True)
