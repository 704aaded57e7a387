"""What finished readings lead to: approval, a dispute and its adjudication, or an exclusion.

Everything is decided from files and journal anew each time, so that whoever was stopped on the
way only has to ask again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.tissue import OWN_NUMBERING
from BrainTumorSegLib.io.atomic import atomic_group, write_text
from BrainTumorSegLib.io.digests import sha256_of
from BrainTumorSegLib.io.reference_labels import read_tissues, with_numbering
from BrainTumorSegLib.io.volumes import write_image

from .disputes import EDITED, Disputes, find_disputes, settle
from .journal import Entry, Event, append, read_journal
from .layout import APPROVED, LABELMAP, CaseName, reader_description
from .leases import hold
from .opening import Study
from .readings import (
    Finished,
    Verdict,
    assigned,
    finished,
    labels_of,
    write_segmentation,
)
from .states import State

#: An adjudication that goes on: the labels so far, and which region was decided how.
_DRAFT, _CHOICES = "adjudication", "_dseg.json"


@dataclass(frozen=True)
class Adjudication:
    """Readings of a case that differ, and what was decided so far.

    Attributes:
        case: which.
        disputes: all regions; `Disputes.readings` are those of readers who did not exclude it.
        choices: letter of a reader or `EDITED`, by number of the region.
        labels: values of `Tissue`, ``[slice, row, column]``, as decided so far.
        excluded_by: readers who would leave the case out.
    """

    case: CaseName
    disputes: Disputes
    choices: Mapping[int, str]
    labels: np.ndarray
    excluded_by: tuple[str, ...] = ()
    _grid: sitk.Image = field(repr=False, default_factory=sitk.Image)
    _sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def undecided(self) -> list[int]:
        """Numbers of the regions that are left, the largest first."""
        return [one.number for one in self.disputes.regions if one.number not in self.choices]


def conclude(study: Study, case: CaseName) -> State:
    """Draw the conclusion of the finished readings of a case, once all its readers are ready.

    One reading, or several that agree in every voxel, are approved; several that exclude it
    exclude the case; others are in dispute.

    Returns:
        The state of the case then.

    Raises:
        OutputError: when the approved labels cannot be written.
    """
    with hold(study.layout, f"{case}_deciding"):
        before = study.state(case).state
        if before in (State.APPROVED, State.EXCLUDED, State.IN_DISPUTE, State.ADJUDICATED):
            return before
        entries = read_journal(study.layout, case)
        done = finished(entries)
        wanted = assigned(entries).get(case) or tuple(done)
        if not wanted or any(letter not in done for letter in wanted):
            return before
        _conclude(study, case, [done[letter] for letter in sorted(wanted)])
    return study.state(case).state


def _conclude(study: Study, case: CaseName, readings: SequenceOf[Finished]) -> None:
    layout, letters = study.layout, [one.reader for one in readings]
    against = [one for one in readings if one.verdict is Verdict.EXCLUDED]
    if len(against) == len(readings):
        reason = against[0].reason
        append(layout, Event.EXCLUDED, case, reason=reason, readers=letters)
        return
    if against:
        append(layout, Event.DISPUTED, case, readers=letters, about="exclusion")
        return
    found = _disputes(study, case, letters)
    if found.regions:
        voxels = sum(region.voxels for region in found.regions)
        counts = {"regions": len(found.regions), "voxels": voxels}
        append(layout, Event.DISPUTED, case, readers=letters, **counts)
        return
    if len(readings) > 1:
        append(layout, Event.AGREED, case, readers=letters)
    image = labels_of(study, case, reader_description(letters[0]))
    files = write_segmentation(study, case, APPROVED, image)
    append(layout, Event.APPROVED, case, files, readers=letters)


def open_adjudication(study: Study, case: CaseName) -> Adjudication:
    """The regions in dispute of a case, and what was decided before.

    Raises:
        InputError: when the case is not in dispute, or a reading was changed without being
            reopened.
    """
    state = study.state(case).state
    if state is not State.IN_DISPUTE:
        raise InputError(
            f"{case} is not in dispute: it is {state}.",
            "Adjudicate cases whose readings are finished and differ.",
        )
    entries = read_journal(study.layout, case)
    done = finished(entries)
    letters = [one.reader for one in done.values() if one.verdict is not Verdict.EXCLUDED]
    disputes = _disputes(study, case, letters)
    grid = labels_of(study, case, reader_description(letters[0]))
    sources = {letter: _checked_digest(study, case, entries, letter) for letter in letters}
    fresh = Adjudication(
        case,
        disputes,
        {},
        settle(disputes, {}),
        tuple(letter for letter in done if letter not in letters),
        grid,
        sources,
    )
    choices, labels = _read_draft(study, fresh)
    if not choices:
        return fresh
    return replace(fresh, choices=choices, labels=settle(disputes, choices, labels))


def decide(
    study: Study,
    adjudication: Adjudication,
    choices: Mapping[int, str],
    edited: np.ndarray | None = None,
) -> Adjudication:
    """Decide regions, and keep that: all of it, or nothing.

    Args:
        study: of the case.
        adjudication: from `open_adjudication` or this function.
        choices: by number of the region, the letter of a reader or `EDITED`.
        edited: labels for the regions that are edited; what they say elsewhere is not taken.

    Returns:
        What was decided until now.

    Raises:
        InputError: as `disputes.settle`.
        OutputError: when it cannot be kept; what was decided before still is then.
    """
    # Where a region was edited before, its voxels stand in the labels so far.
    kept = adjudication.labels
    if edited is not None:
        now = [number for number, choice in choices.items() if choice == EDITED]
        kept = np.where(np.isin(adjudication.disputes.numbers, now), edited, kept)
    elif EDITED in choices.values():
        kept = None
    together = {**adjudication.choices, **choices}
    labels = settle(adjudication.disputes, together, kept)
    changed = replace(adjudication, choices=together, labels=labels)
    _write_draft(study, changed)
    return changed


def approve(study: Study, adjudication: Adjudication) -> None:
    """Make the labels of an adjudication the approved ones of the case.

    Raises:
        InputError: when a region is undecided.
        OutputError: when they cannot be written.
    """
    left = adjudication.undecided
    if left:
        raise InputError(
            f"{len(left)} regions of {adjudication.case} are in dispute still, the first one is "
            f"number {left[0]}.",
            "Decide them all.",
        )
    case, letters = adjudication.case, list(adjudication.disputes.readings)
    with hold(study.layout, f"{case}_deciding"):
        files = write_segmentation(study, case, APPROVED, _image(adjudication))
        chosen = {str(number): choice for number, choice in adjudication.choices.items()}
        append(study.layout, Event.ADJUDICATED, case, files, readers=letters, choices=chosen)
        append(study.layout, Event.APPROVED, case, files, readers=letters)


def _disputes(study: Study, case: CaseName, letters: SequenceOf[str]) -> Disputes:
    images = {letter: labels_of(study, case, reader_description(letter)) for letter in letters}
    spacing = tuple(reversed(next(iter(images.values())).GetSpacing()))
    arrays = {letter: sitk.GetArrayFromImage(image) for letter, image in images.items()}
    return find_disputes(arrays, spacing)


def _checked_digest(study: Study, case: CaseName, entries: SequenceOf[Entry], letter: str) -> str:
    """SHA-256 of a finished reading, which must be what its reader finished."""
    path = study.layout.segmentation(case, reader_description(letter), LABELMAP)
    name = path.relative_to(study.folder).as_posix()
    told = [
        entry.files.get(name)
        for entry in entries
        if entry.what is Event.READ and entry.more.get("reader") == letter
    ]
    digest = sha256_of(path)
    if digest != told[-1]:
        raise InputError(
            f"{path} is not what reader {letter} finished.",
            "Somebody has changed the file: let the reader reopen and finish the case again.",
        )
    return digest


def _image(adjudication: Adjudication) -> sitk.Image:
    image = sitk.GetImageFromArray(adjudication.labels)
    image.CopyInformation(adjudication._grid)
    return image


def _draft_paths(study: Study, case: CaseName) -> tuple[Path, Path]:
    layout = study.layout
    return (
        layout.segmentation(case, _DRAFT, LABELMAP),
        layout.segmentation(case, _DRAFT, _CHOICES),
    )


def _write_draft(study: Study, adjudication: Adjudication) -> None:
    paths = _draft_paths(study, adjudication.case)
    content = {
        "Sources": dict(adjudication._sources),
        "Choices": {str(number): choice for number, choice in adjudication.choices.items()},
    }
    with atomic_group(paths, overwrite=True) as temporary:
        labels, choices = (temporary[path] for path in paths)
        write_image(with_numbering(_image(adjudication)), labels, overwrite=True)
        write_text(choices, json.dumps(content, indent=2) + "\n", overwrite=True)


def _read_draft(
    study: Study, adjudication: Adjudication
) -> tuple[dict[int, str], np.ndarray | None]:
    """Choices and labels so far; none where readings were reopened since."""
    labels, choices = _draft_paths(study, adjudication.case)
    try:
        content = json.loads(choices.read_text(encoding="utf-8"))
        if content["Sources"] != adjudication._sources:
            return {}, None
        found = {int(number): str(choice) for number, choice in content["Choices"].items()}
        return found, sitk.GetArrayFromImage(read_tissues(labels, OWN_NUMBERING))
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"{choices} cannot be read: {error}.", "Delete it to begin the adjudication again."
        ) from error
