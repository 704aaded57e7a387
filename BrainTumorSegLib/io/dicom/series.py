"""From frames to series: what belongs together as one 3D volume."""

from __future__ import annotations

import string
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.file_names import printable

from .folder import LeftOut, reasons_by_file
from .headers import SPLIT_KEYWORDS, Frame
from .identity import grouped, with_series_joined, without_copies
from .stack import PARALLEL, Grid, locations, stack


@dataclass(frozen=True)
class Series:
    """Frames that form one volume: a DICOM series, or one part of a mixed series.

    Attributes:
        key: what a person types to choose it: the series number, with a letter
            (``7a``) where several volumes share a number.
        uid: SeriesInstanceUID; several parts of a mixed series share it.
        frames: in order along the normal.
        grid: geometry, or None when there is a ``problem``.
        attributes: DICOM attributes of the first frame as text by keyword.
        moment: when its first image was acquired, as sortable text, or empty.
        problem: why it cannot be used as a volume, or None.
        warnings: what a reader of the result must know.
    """

    key: str
    uid: str
    frames: tuple[Frame, ...]
    grid: Grid | None
    attributes: Mapping[str, str]
    moment: str
    problem: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """The series description, else the protocol name."""
        return self.attributes.get("SeriesDescription") or self.attributes.get("ProtocolName", "")

    @property
    def title(self) -> str:
        """For messages, for example *series 7 (t1_mprage)*."""
        return f"series {self.key}" + (f" ({self.description})" if self.description else "")

    @property
    def files(self) -> tuple[Path, ...]:
        """Its files in order along the normal."""
        return tuple(dict.fromkeys(frame.path for frame in self.frames))


@dataclass(frozen=True)
class Study:
    """All series of one study of one patient.

    Attributes:
        folder: where it was read.
        uid: StudyInstanceUID.
        series: in order of series number.
        warnings: what a reader of the result must know.
        left_out: files that were not taken, each with its reason.
        files: how many files the folder holds.
    """

    folder: Path
    uid: str
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = field(default=())
    left_out: tuple[LeftOut, ...] = field(default=())
    files: int = 0

    def find(self, wanted: str) -> Series:
        """The series with a key, a series number or a SeriesInstanceUID.

        Raises:
            InputError: when there is none, or several volumes answer to it.
        """
        wanted = str(wanted).strip()
        for series in self.series:
            if series.key == wanted:
                return series
        found = [s for s in self.series if wanted in (s.uid, s.attributes.get("SeriesNumber", ""))]
        if len(found) == 1:
            return found[0]
        keys = ", ".join(s.key for s in (found or self.series))
        if found:
            raise InputError(
                f"Series {wanted} of {self.folder} holds {len(found)} volumes.",
                f"Choose one of {keys}.",
            )
        raise InputError(f"{self.folder} has no series {wanted}.", f"Choose one of {keys}.")


def build_series(frames: Iterable[Frame], left_out: Iterable[LeftOut] = ()) -> tuple[Series, ...]:
    """Group frames of one study into volumes, in order of series number.

    Args:
        frames: the images of the study.
        left_out: files that could not be taken, to be named by the series that lack them.
    """
    lost = grouped((one for one in left_out if one.series), lambda one: one.series)
    unique, copies = without_copies(frames)
    unique, joined = with_series_joined(unique)
    by_uid = grouped(unique, _uid)
    series = []
    for uid, group in by_uid.items():
        looks = {(frame.texts.get("SeriesNumber"), frame.position) for frame in group}
        own = sum((f.texts.get("SeriesNumber"), f.position) in looks for f in copies)
        notes: tuple[str, ...] = ()
        notes += (f"{own} duplicate image(s) were left out",) if own else ()
        notes += (joined[uid],) if uid in joined else ()
        if uid in lost:
            notes += (f"{len(lost[uid])} file(s) were left out: {reasons_by_file(lost[uid])}",)
        series += _parts(uid, group, notes)
    return _with_keys(series)


def _uid(frame: Frame) -> str:
    return frame.texts.get("SeriesInstanceUID", "")


def _parts(uid: str, frames: list[Frame], notes: tuple[str, ...]) -> list[Series]:
    notes += _too_few(frames)
    alike = [
        parallel
        for same_kind in grouped(frames, _kind).values()
        for parallel in _parallel(same_kind)
    ]
    largest = max(alike, key=len)
    strays = [f for group in alike if len(group) <= len(largest) // 4 for f in group]
    parts = []
    for group in alike:
        told = (*notes, *_odd(group), *(_apart(largest, strays) if group is largest else ()))
        parts += [_series(uid, part, told) for part in _volumes(group)]
    return parts


def _odd(frames: Sequence[Frame]) -> tuple[str, ...]:
    """What is odd about the files or values of a volume without keeping it from being used."""
    odd = grouped((f for f in frames if f.oddities), lambda f: f.oddities)
    notes = [
        f"{len(same)} image(s) have {' and '.join(oddity)}; the rest was ignored"
        for oddity, same in odd.items()
    ]
    slopes = sorted({frame.rescale[0] for frame in frames})
    if len(slopes) > 1:
        notes.append(
            f"its images have rescale slopes of their own, {slopes[0]:g} to {slopes[-1]:g}, each "
            "was applied"
        )
    return tuple(notes)


def _apart(usual: Sequence[Frame], strays: Sequence[Frame]) -> tuple[str, ...]:
    """A few images of a series that do not fit to the others are kept apart, and named."""
    notes = []
    for difference, same in grouped(strays, lambda f: _difference(usual[0], f)).items():
        names = ", ".join(printable(frame.path.name) for frame in same[:3])
        more = f" and {len(same) - 3} more" if len(same) > 3 else ""
        notes.append(
            f"{len(same)} image(s) of the series were kept apart because of their {difference}: "
            f"{names}{more}"
        )
    return tuple(notes)


def _difference(usual: Frame, stray: Frame) -> str:
    if stray.pixels != usual.pixels:
        return f"encoding ({stray.pixels} instead of {usual.pixels})"
    if (stray.rows, stray.columns) != (usual.rows, usual.columns):
        return "size"
    if stray.position is None or stray.orientation is None:
        return "missing position or orientation"
    return "orientation" if stray.orientation != usual.orientation else "pixel spacing"


def _series(uid: str, frames: Sequence[Frame], notes: tuple[str, ...]) -> Series:
    stacked = stack(frames)
    first = stacked.frames[0]
    moments = [frame.moment for frame in frames if frame.moment]
    problem = stacked.problem
    if problem is not None and notes:
        problem = "; ".join((problem, *notes))
    return Series(
        key="",
        uid=uid,
        frames=stacked.frames,
        grid=stacked.grid,
        attributes=first.texts,
        moment=min(moments, default=""),
        problem=problem,
        warnings=(*notes, *stacked.warnings),
    )


def _too_few(frames: Sequence[Frame]) -> tuple[str, ...]:
    announced = frames[0].texts.get("ImagesInAcquisition", "")
    if announced.isdigit() and int(announced) > len(frames) > 1:
        return (f"{len(frames)} of {announced} announced images were found",)
    return ()


def _kind(frame: Frame) -> Hashable:
    """What all images of a volume share."""
    spacing = None if frame.spacing is None else tuple(round(s, 4) for s in frame.spacing)
    return frame.rows, frame.columns, spacing, frame.pixels, frame.position is None


def _parallel(frames: list[Frame]) -> list[list[Frame]]:
    """Split by orientation, as a localizer in three planes needs."""
    groups: list[list[Frame]] = []
    for frame in frames:
        for group in groups:
            if _same_orientation(group[0], frame):
                group.append(frame)
                break
        else:
            groups.append([frame])
    return groups


def _same_orientation(a: Frame, b: Frame) -> bool:
    if a.orientation is None or b.orientation is None:
        return a.orientation is b.orientation
    return bool(np.allclose(a.orientation, b.orientation, atol=PARALLEL))


def _volumes(frames: list[Frame]) -> list[list[Frame]]:
    """Split frames that share positions by the first attribute that tells them apart.

    When none does, they stay together and `stack` says what is wrong.
    """
    if not _positions_repeat(frames):
        return [frames]
    for keyword in SPLIT_KEYWORDS:
        groups = grouped(frames, partial(_text_of, keyword))
        if len(groups) < 2 or len(groups) == len(frames):
            continue
        if not any(_positions_repeat(group) for group in groups.values()):
            return list(groups.values())
    # Two attributes together, for example echo and phase.
    pairs = grouped(frames, lambda f: tuple(_text_of(k, f) for k in SPLIT_KEYWORDS[:-1]))
    if any(_positions_repeat(group) for group in pairs.values()):
        return [frames]
    return list(pairs.values())


def _text_of(keyword: str, frame: Frame) -> str:
    return frame.texts.get(keyword, "")


def _positions_repeat(frames: Sequence[Frame]) -> bool:
    along = locations(frames)
    if along is None or len(frames) < 2:
        return False
    gaps = np.diff(np.sort(along))
    return bool(gaps.min() < max(0.01, 0.02 * float(np.median(gaps))))


def _with_keys(series: list[Series]) -> tuple[Series, ...]:
    """Number the volumes as a person would say them: 7, or 7a, 7b ... in order of time."""
    by_number = grouped(series, _number)
    keyed = []
    for number in sorted(by_number, key=lambda n: (n is None, n or 0)):
        parts = sorted(by_number[number], key=lambda s: (s.moment, s.uid, s.frames[0].path))
        name = "x" if number is None else str(number)
        for index, part in enumerate(parts):
            letter = "" if len(parts) == 1 and number is not None else _letters(index)
            keyed.append(replace(part, key=f"{name}{letter}"))
    return tuple(keyed)


def _number(series: Series) -> int | None:
    try:
        return int(float(series.attributes.get("SeriesNumber", "")))
    except ValueError:
        return None


def _letters(index: int) -> str:
    alphabet = string.ascii_lowercase
    more, last = divmod(index, len(alphabet))
    return (_letters(more - 1) if more else "") + alphabet[last]
