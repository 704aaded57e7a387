"""Readings of a study: who reads a case, what was saved and said, and what a reader may see.

A reading is a label map under the letter of its reader, so that two readers never write to one
file. It counts once the journal says that it is finished; what was saved before is a draft.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.core.tissue import OWN_NUMBERING, Tissue
from BrainTumorSegLib.io.atomic import atomic_group, make_folder

from .journal import Entry, Event, append, read_journal
from .layout import AUTO, LABELMAP, SLICER, CaseName, reader_description
from .leases import hold
from .opening import Study

if TYPE_CHECKING:
    import SimpleITK as sitk


class Verdict(StrEnum):
    """What a reader says of a case: as it was found, changed, or not for this study."""

    APPROVED, CORRECTED, EXCLUDED = "approved", "corrected", "excluded"


@dataclass(frozen=True)
class Finished:
    """A finished reading.

    Attributes:
        reader: letter.
        verdict: of the reader.
        minutes: that it took; None where nobody counted.
        reason: for an exclusion, one of the study's reasons.
        changed_voxels: that differ from the automatic result; None where there is none.
        time: when it was finished, UTC.
    """

    reader: str
    verdict: Verdict
    minutes: float | None
    reason: str
    changed_voxels: int | None
    time: str


def assigned(entries: Iterable[Entry]) -> dict[CaseName, tuple[str, ...]]:
    """The readers of each case that was assigned: what the journal says last.

    Args:
        entries: of the journal, in order of time.
    """
    found: dict[CaseName, tuple[str, ...]] = {}
    for entry in entries:
        if entry.what is Event.ASSIGNED and entry.case is not None:
            found[entry.case] = tuple(map(str, entry.more.get("readers", ())))
    return found


def finished(entries: Iterable[Entry]) -> dict[str, Finished]:
    """The finished readings of one case by letter, in order of the letters.

    Args:
        entries: of the journal about the case, in order of time.
    """
    found: dict[str, Finished] = {}
    for entry in entries:
        letter = str(entry.more.get("reader", ""))
        if entry.what is Event.REOPENED:
            found.pop(letter, None)
        elif entry.what is Event.READ and letter:
            more = entry.more
            found[letter] = Finished(
                letter,
                Verdict(more.get("verdict", Verdict.CORRECTED)),
                more.get("minutes"),
                str(more.get("reason", "")),
                more.get("changed_voxels"),
                entry.time,
            )
    return dict(sorted(found.items()))


def may_see(study: Study, case: CaseName, letter: str) -> tuple[str, ...]:
    """Descriptions of the segmentations that a reader may see now.

    The automatic result and the reader's own; those of others once the reader has finished.
    """
    entries = read_journal(study.layout, case)
    done = finished(entries)
    others = [other for other in done if other != letter] if letter in done else []
    names = (AUTO, *map(reader_description, (letter, *others)))
    return tuple(name for name in names if study.layout.has_segmentation(case, name))


def start_of(study: Study, case: CaseName, letter: str) -> sitk.Image:
    """What a reader goes on with: the own draft, else the automatic result; never another's.

    Raises:
        InputError: when there is neither.
    """
    own = reader_description(letter)
    return labels_of(study, case, own if study.layout.has_segmentation(case, own) else AUTO)


def labels_of(study: Study, case: CaseName, description: str) -> sitk.Image:
    """A segmentation of a case as tissues, from its label map or else the file for Slicer.

    Raises:
        InputError: when there is none, or it cannot be read.
    """
    from BrainTumorSegLib.io.reference_labels import read_tissues

    for ending in (LABELMAP, SLICER):
        path = study.layout.segmentation(case, description, ending)
        if path.is_file():
            return read_tissues(path, OWN_NUMBERING if ending == LABELMAP else None)
    raise InputError(
        f"{case} of {study.folder} has no segmentation {description!r}.",
        "Segment it first: brain-tumor-seg study segment.",
    )


def save_reading(
    study: Study, case: CaseName, letter: str, labels: sitk.Image, minutes: float | None = None
) -> None:
    """Keep a draft of a reading.

    Args:
        study, case: which.
        letter: of the reader.
        labels: values of `Tissue`, on the grid of the automatic result or a part of it.
        minutes: that were spent so far.

    Raises:
        InputError: when the reader may not read the case, has finished it, or the labels do not
            lie in it.
        OutputError: when it cannot be written; what was saved before is still there then.
    """
    with _reading(study, case, letter):
        files = write_segmentation(study, case, reader_description(letter), labels)
        append(study.layout, Event.SAVED, case, files, reader=letter, minutes=minutes)


def finish_reading(
    study: Study,
    case: CaseName,
    letter: str,
    labels: sitk.Image,
    minutes: float | None = None,
    excluded: str = "",
) -> Finished:
    """Finish a reading: what it says counts from now on.

    The verdict follows from the labels: approved where no voxel differs from the automatic
    result, else corrected.

    Args:
        study, case: which.
        letter: of the reader.
        labels: as for `save_reading`.
        minutes: that it took in all.
        excluded: why the case is not for this study, one of its reasons.

    Raises:
        InputError: as for `save_reading`, or when the reason is none of the study's.
        OutputError: as for `save_reading`.
    """
    if excluded:
        check_reason(study, excluded)
    with _reading(study, case, letter):
        files = write_segmentation(study, case, reader_description(letter), labels)
        changed = _changed_voxels(study, case, letter)
        verdict = Verdict.EXCLUDED if excluded else Verdict.CORRECTED
        if changed == 0 and not excluded:
            verdict = Verdict.APPROVED
        said = {"minutes": minutes, "reason": excluded, "changed_voxels": changed}
        entry = append(
            study.layout, Event.READ, case, files, reader=letter, verdict=str(verdict), **said
        )
    return Finished(letter, verdict, minutes, excluded, changed, entry.time)


def reopen(study: Study, case: CaseName, letter: str, reason: str = "") -> None:
    """Take a finished reading back, so that its reader can go on.

    Raises:
        InputError: when the reader has not finished the case.
    """
    if letter not in finished(read_journal(study.layout, case)):
        raise InputError(f"Reader {letter} has not finished {case}.", "Go on reading it.")
    append(study.layout, Event.REOPENED, case, reader=letter, reason=reason)


def check_reason(study: Study, reason: str) -> None:
    """Refuse a reason for an exclusion that is none of the study's.

    Raises:
        InputError: naming those that there are.
    """
    if reason not in study.settings.exclusions:
        raise InputError(
            f"{reason!r} is no reason to exclude a case.",
            f"Reasons of this study: {', '.join(study.settings.exclusions)}.",
        )


def check_letters(study: Study, letters: Iterable[str]) -> None:
    """Refuse letters that belong to no reader of the study.

    Raises:
        InputError: naming the readers.
    """
    for letter in letters:
        if letter not in study.settings.readers:
            known = ", ".join(study.settings.readers) or "none"
            raise InputError(
                f"{study.layout.settings} has no reader {letter!r}.",
                f"Readers of this study: {known}. Add one to the table [readers].",
            )


def write_segmentation(
    study: Study, case: CaseName, description: str, labels: sitk.Image
) -> list[Path]:
    """Write a segmentation as label map and for Slicer: both of them or none.

    The file for Slicer is left out where pynrrd is not installed, and an older one goes.

    Raises:
        InputError: when labels lie outside of the case, or are no tissues.
        OutputError: when it cannot be written.
    """
    from BrainTumorSegLib.io.reference_labels import with_numbering
    from BrainTumorSegLib.io.volumes import write_image

    placed = with_numbering(_placed(study, case, labels))
    layout = study.layout
    with_slicer = find_spec("nrrd") is not None
    endings = (LABELMAP, SLICER) if with_slicer else (LABELMAP,)
    paths = [layout.segmentation(case, description, ending) for ending in endings]
    make_folder(paths[0].parent)
    with atomic_group(paths, overwrite=True) as temporary:
        write_image(placed, temporary[paths[0]], overwrite=True)
        if with_slicer:
            from BrainTumorSegLib.io.seg_nrrd import write_seg_nrrd

            write_seg_nrrd(placed, temporary[paths[1]], f"{case}", overwrite=True)
    if not with_slicer:
        layout.segmentation(case, description, SLICER).unlink(missing_ok=True)
    return paths


@contextmanager
def _reading(study: Study, case: CaseName, letter: str) -> Iterator[None]:
    """While a reading is written: nobody else writes it, and its reader may."""
    check_letters(study, [letter])
    with hold(study.layout, f"{case}_{reader_description(letter)}_saving"):
        entries = read_journal(study.layout, case)
        readers = assigned(entries).get(case, (letter,))
        if letter not in readers:
            raise InputError(
                f"{case} is to be read by {', '.join(readers)}, not by {letter}.",
                "Read the cases of your own list: brain-tumor-seg study assign.",
            )
        if letter in finished(entries):
            raise InputError(
                f"Reader {letter} has finished {case}.", "Reopen the reading to change it."
            )
        yield


def _placed(study: Study, case: CaseName, labels: sitk.Image) -> sitk.Image:
    """Labels on the grid of the automatic result, else of T1CE; unsigned bytes."""
    import SimpleITK as sitk

    from BrainTumorSegLib.io.grids import place_on_grid

    values = sitk.GetArrayViewFromImage(labels)
    if values.size and (values.min() < 0 or values.max() > max(Tissue)):
        raise InputError(
            f"The labels of {case} hold {values.max()}, which is no tissue.",
            f"Use labels from 0 to {int(max(Tissue))}.",
        )
    grid = grid_of(study, case)
    return place_on_grid(sitk.Cast(labels, sitk.sitkUInt8), grid, f"The reading of {case}")


def grid_of(study: Study, case: CaseName) -> sitk.Image:
    """An image on whose grid all segmentations of a case lie.

    Raises:
        InputError: when the case has neither an automatic result nor its T1CE.
    """
    from BrainTumorSegLib.io.volumes import read_image

    if study.layout.has_segmentation(case, AUTO):
        return labels_of(study, case, AUTO)
    path = study.layout.raw(case, Sequence.T1CE)
    if not path.is_file():
        raise InputError(f"{path} is missing.", "Add the scans of the case again.")
    return read_image(path)


def _changed_voxels(study: Study, case: CaseName, letter: str) -> int | None:
    import numpy as np
    import SimpleITK as sitk

    if not study.layout.has_segmentation(case, AUTO):
        return None
    first, second = (
        sitk.GetArrayFromImage(labels_of(study, case, description))
        for description in (AUTO, reader_description(letter))
    )
    return int(np.count_nonzero(first != second))
