"""Making, opening and describing a study."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from BrainTumorSegLib.core.errors import InputError, OutputError
from BrainTumorSegLib.core.version import __version__
from BrainTumorSegLib.io.atomic import atomic_group, check_folder, make_folder

from .journal import Entry, Event, append, entries_by_case
from .layout import CaseName, Layout
from .registry import Row, read_registry, update_registry
from .settings import Settings, new_settings, read_settings, write_settings
from .states import CaseStatus, all_states, known_cases, state_of

#: What validators of BIDS do not know: the tables and journals of the study.
IGNORED = (
    *("study.toml", "registry.tsv", "registry.json", "inventory.tsv", "journal", ".leases"),
    *("reports", "exports"),
)


@dataclass(frozen=True)
class Study:
    """An open study; nothing is locked or kept in memory but its settings.

    Attributes:
        layout: where everything lies.
        settings: what ``study.toml`` says.
    """

    layout: Layout
    settings: Settings

    @property
    def folder(self) -> Path:
        """Of the study."""
        return self.layout.folder

    def registry(self) -> dict[CaseName, dict[str, str]]:
        """The registry's rows by case."""
        return read_registry(self.layout)

    def update(self, changes: Mapping[CaseName, Row]) -> dict[CaseName, dict[str, str]]:
        """Change rows of the registry, see `update_registry`, and journal it."""
        rows = update_registry(self.layout, self.settings, changes)
        append(self.layout, Event.REGISTRY, files=[self.layout.registry], cases=len(changes))
        return rows

    def states(
        self, entries: Mapping[CaseName, SequenceOf[Entry]] | None = None
    ) -> list[CaseStatus]:
        """Where every case stands, see `all_states`."""
        return all_states(self.layout, entries)

    def state(self, case: CaseName) -> CaseStatus:
        """Where a case stands."""
        return state_of(self.layout, case)


def open_study(folder: Path) -> Study:
    """Open a study.

    Raises:
        InputError: when the folder is none.
    """
    folder = Path(folder).absolute()
    return Study(Layout(folder), read_settings(folder))


def make_study(folder: Path, title: str) -> Study:
    """Make a study in an empty folder, which is made if it is not there.

    Raises:
        OutputError: when the folder holds something, or cannot be written.
    """
    folder = Path(folder).absolute()
    check_folder(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty.", "Give a new folder for the study.")
    make_folder(folder)
    study = Study(Layout(folder), new_settings(title))
    write_dataset(study)
    update_registry(study.layout, study.settings, {})
    # The last one: with it the folder is a study.
    write_settings(folder, study.settings)
    append(study.layout, Event.CREATED, files=[study.layout.settings], title=title)
    return study


def write_dataset(
    study: Study, folder: Path | None = None, cases: Collection[CaseName] | None = None
) -> None:
    """Write what makes the folder a BIDS data set: description, exceptions, participants.

    Args:
        study: that is described.
        folder: another folder than the study's, for an export.
        cases: whose patients take part; all unless given.

    Raises:
        OutputError: when they cannot be written.
    """
    from BrainTumorSegLib.cohort.bids import BIDS_VERSION, DESCRIPTION

    description = {
        "Name": study.settings.title,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "BrainTumorSeg", "Version": __version__}],
    }
    folder = folder or study.folder
    rows = _participants(
        {c: row for c, row in study.registry().items() if cases is None or c in cases}
    )
    table = "\t".join(("participant_id", *_PARTICIPANTS)) + "\n"
    table += "".join("\t".join(row) + "\n" for row in rows)
    texts = {
        DESCRIPTION: _json(description),
        ".bidsignore": "\n".join((*IGNORED, "")),
        "README.md": _readme(study.settings),
        "participants.tsv": table,
        "participants.json": _json(_PARTICIPANTS),
    }
    finals = [folder / name for name in texts]
    with atomic_group(finals, overwrite=True) as temporary:
        for path, text in zip(finals, texts.values(), strict=True):
            temporary[path].write_text(text, encoding="utf-8")


_PARTICIPANTS = {
    "sex": {"Description": "Sex", "Levels": {"F": "female", "M": "male", "O": "other"}},
    "age": {"Description": "Age at the first visit; 90 stands for 90 and more", "Units": "year"},
    "tumor_type": {"Description": "Tumor type"},
    "fold": {"Description": "Fold of cross-validation, fixed by patient"},
}


def _participants(rows: Mapping[CaseName, Row]) -> list[tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for case, row in rows.items():
        cells = (row.get(key) or "n/a" for key in _PARTICIPANTS)
        found.setdefault(case.subject, (f"sub-{case.subject}", *cells))
    return list(found.values())


def _readme(settings: Settings) -> str:
    return (
        f"# {settings.title}\n\nDe-identified MRI of patients with brain tumors, and their "
        "segmentations.\n\nMade by BrainTumorSeg (`brain-tumor-seg study`). Days of visits were "
        "moved by a number of days that is secret and the same for all visits of a patient.\n"
    )


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def require_cases(study: Study, names: list[str]) -> list[CaseName]:
    """The cases of these names, or all of the study.

    Raises:
        InputError: for a name that the study does not have.
    """
    known = known_cases(study.layout, entries_by_case(study.layout))
    if not names:
        return known
    wanted = [CaseName.parse(name) for name in names]
    missing = [str(case) for case in wanted if case not in known]
    if missing:
        raise InputError(f"{study.folder} has no case {missing[0]}.", "Check the name.")
    return wanted
