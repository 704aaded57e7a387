"""What belongs together where the identifiers of a study do not say so, or say it wrongly.

De-identification gives new identifiers to every file, some scanners give each image a
series of its own, and archives hold copies under new identifiers. What else a header
says then decides, with a remark; see `one_study`, `without_copies`, `with_series_joined`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from BrainTumorSegLib.core.errors import InputError

from .files import read_dataset
from .headers import Frame

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

#: Given as the study: everything in the folder is one examination of one patient.
ALL_FILES = "all"

#: Images that agree in all but their series numbers are joined from so many on.
FEWEST_JOINED = 5

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")

#: What slices of one series share apart from its identifiers.
_OF_A_SERIES = (
    "SeriesDescription",
    "ProtocolName",
    "SequenceName",
    "ImageType",
    "ScanningSequence",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "ContrastBolusAgent",
    "StudyDate",
)

#: Patient and StudyInstanceUID.
StudyKey = tuple[str, str]


def grouped(items: Iterable[Item], by: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by a key, in the order in which they come."""
    groups: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        groups[by(item)].append(item)
    return groups


def one_study(
    frames: Iterable[Frame], wanted: str | None, folder: Path
) -> tuple[str, list[Frame], list[str]]:
    """The frames of one study of one patient.

    Args:
        frames: all that a folder holds.
        wanted: which study, by StudyInstanceUID or number in the list of the error
            message; or `ALL_FILES`.
        folder: for messages.

    Returns:
        StudyInstanceUID, frames, and remarks about what was taken together or left out.

    Raises:
        InputError: when there are several patients or studies, listing them.
    """
    groups = grouped(frames, _study_of)
    if wanted == ALL_FILES:
        together = _united(groups, list(groups))
        remark = "All files were taken for one study of one patient, as was asked for."
        return together[0].texts.get("StudyInstanceUID", ""), together, [remark]
    groups, remarks = _by_what_else_agrees(groups)
    ordered = _by_date(groups)
    if wanted is not None:
        by_name = {str(i): key for i, key in enumerate(ordered, 1)} | {k[1]: k for k in ordered}
        if wanted not in by_name:
            raise InputError(
                f"{folder} has no study {wanted}.",
                f"Choose one of: {_listed(ordered, groups)}.",
            )
        chosen = by_name[wanted]
    elif len(ordered) == 1:
        chosen = ordered[0]
    else:
        with_mr = [key for key in ordered if _has_mr(groups[key])]
        patients = len({key[0] for key in ordered})
        if patients > 1 or len(with_mr) != 1:
            what = f"studies of {patients} patients" if patients > 1 else f"{len(ordered)} studies"
            raise InputError(
                f"{folder} holds {what}: {_listed(ordered, groups)}.",
                "Give the folder of one study, or choose a study by its number in this list. Where "
                "all of it is one examination of one patient whose identifiers were changed, give "
                f"“{ALL_FILES}” as the study.",
            )
        chosen = with_mr[0]
        remarks.append(f"{len(ordered) - 1} study without MRI in the folder was left out.")
    return chosen[1], groups[chosen], remarks


def frames_by_study(
    frames: Iterable[Frame],
) -> tuple[dict[StudyKey, list[Frame]], list[str]]:
    """The frames of every study that `one_study` tells apart, the earliest first, and remarks."""
    groups, remarks = _by_what_else_agrees(grouped(frames, _study_of))
    return {key: groups[key] for key in _by_date(groups)}, remarks


def all_studies(frames: Iterable[Frame]) -> tuple[str, ...]:
    """StudyInstanceUIDs of the studies that `one_study` tells apart, the earliest first.

    Where some have MR images, only those.
    """
    groups, _ = frames_by_study(frames)
    with_mr = [key for key in groups if _has_mr(groups[key])]
    return tuple(dict.fromkeys(uid for _, uid in with_mr or groups))


def _by_date(groups: Mapping[StudyKey, list[Frame]]) -> list[StudyKey]:
    return sorted(groups, key=lambda key: (groups[key][0].texts.get("StudyDate", ""), key[1]))


def _has_mr(frames: Iterable[Frame]) -> bool:
    return any(frame.texts.get("Modality") == "MR" for frame in frames)


def _study_of(frame: Frame) -> StudyKey:
    return frame.patient, frame.texts.get("StudyInstanceUID", "")


def _series_of(frame: Frame) -> str:
    return frame.texts.get("SeriesInstanceUID", "")


def _united(groups: Mapping[StudyKey, list[Frame]], keys: Sequence[StudyKey]) -> list[Frame]:
    """The frames of several studies as those of one patient and study."""
    patient, uid = keys[0]
    return [
        replace(frame, patient=patient, texts={**frame.texts, "StudyInstanceUID": uid})
        for key in keys
        for frame in groups[key]
    ]


def _by_what_else_agrees(
    groups: dict[StudyKey, list[Frame]],
) -> tuple[dict[StudyKey, list[Frame]], list[str]]:
    """Unite studies that only their identifiers part.

    One series lies in one study of one patient, so files that share the series and
    either patient or study belong together. Studies of one series each, with numbers
    of their own, that share patient, date and clock time were one before their
    identifiers were made anew.
    """
    remarks = []
    for keys in _sharing_a_series(groups):
        groups = _with_united(groups, keys)
        what = "patient" if len({key[0] for key in keys}) > 1 else "study"
        remarks.append(
            f"Files of one series carry {len(keys)} different {what} identifiers; they were taken "
            "for one study of one patient. Check that they are."
        )
    for keys in _of_one_moment(groups):
        groups = _with_united(groups, keys)
        remarks.append(
            f"{len(keys)} series have a StudyInstanceUID each; they were taken for one study, "
            "because patient, date and time agree. Check that they are."
        )
    return groups, remarks


def _with_united(
    groups: Mapping[StudyKey, list[Frame]], keys: Sequence[StudyKey]
) -> dict[StudyKey, list[Frame]]:
    rest = {key: frames for key, frames in groups.items() if key not in keys}
    return {keys[0]: _united(groups, keys), **rest}


def _of_one_moment(groups: Mapping[StudyKey, list[Frame]]) -> list[list[StudyKey]]:
    """Studies of one series each that began in the same second."""
    by_moment: dict[tuple[str, str, str], list[StudyKey]] = defaultdict(list)
    for key, frames in groups.items():
        texts = frames[0].texts
        day, clock = texts.get("StudyDate", ""), texts.get("StudyTime", "")
        # Midnight is what de-identification leaves behind.
        if day and clock.strip("0.:") and len({_series_of(frame) for frame in frames}) == 1:
            by_moment[key[0], day, clock].append(key)
    return [
        keys
        for keys in by_moment.values()
        if 1 < len(keys) == len({groups[key][0].texts.get("SeriesNumber") for key in keys})
    ]


def _sharing_a_series(groups: Mapping[StudyKey, list[Frame]]) -> list[list[StudyKey]]:
    by_series: dict[tuple[str, int, str], set[StudyKey]] = defaultdict(set)
    for key, frames in groups.items():
        for series in {_series_of(frame) for frame in frames} - {""}:
            for part in (0, 1):
                if key[part]:
                    by_series[series, part, key[part]].add(key)
    united: list[set[StudyKey]] = []
    for keys in by_series.values():
        if len(keys) < 2:
            continue
        touched = [known for known in united if known & keys]
        united = [known for known in united if known not in touched]
        united.append(keys.union(*touched))
    # Where several series of a study have a patient for every file, so has the whole study.
    several = [keys for keys in united if len({patient for patient, _ in keys}) > 1]
    rest = [keys for keys in united if keys not in several]
    together = grouped(several, lambda keys: frozenset(uid for _, uid in keys)).values()
    order = list(groups)
    unions = [*rest, *(set[StudyKey]().union(*alike) for alike in together)]
    return [sorted(keys, key=order.index) for keys in unions]


def _listed(ordered: list[StudyKey], groups: Mapping[StudyKey, list[Frame]]) -> str:
    """Studies by date, title, place and size; patients by number only."""
    patients = list(dict.fromkeys(key[0] for key in ordered))
    lines = []
    for index, key in enumerate(ordered[:_LISTED], 1):
        first = groups[key][0]
        series = len({_series_of(frame) for frame in groups[key]})
        title = first.texts.get("StudyDescription", "untitled")
        date = first.texts.get("StudyDate", "unknown date")
        who = f"patient {patients.index(key[0]) + 1}, " if len(patients) > 1 else ""
        lines.append(f"[{index}] {who}{date} {title}, {series} series")
    if len(ordered) > _LISTED:
        lines.append(f"and {len(ordered) - _LISTED} more")
    return "; ".join(lines)


#: So many studies are listed in a message.
_LISTED = 12


def without_copies(frames: Iterable[Frame]) -> tuple[list[Frame], list[Frame]]:
    """Part frames from their copies, under the same or under new identifiers.

    Images that agree in every attribute but identifiers are compared by their pixels.

    Returns:
        What is unique, in the order given, and the copies. Of a series that is there
        twice, all copies are of the one that came later.
    """
    frames = list(frames)
    unique = list({_uid_of(frame): frame for frame in reversed(frames)}.values())[::-1]
    rank = {uid: index for index, uid in enumerate(dict.fromkeys(map(_series_of, unique)))}
    kept: set[int] = set()
    digests: dict[Path, str] = {}
    for alike in grouped(unique, _looks).values():
        # Without a place in space nothing would be gained, and screen captures look alike.
        if len(alike) == 1 or alike[0].position is None:
            kept.update(map(id, alike))
            continue
        ranked = sorted(alike, key=lambda frame: rank[_series_of(frame)])
        by_pixels = grouped(ranked, lambda frame: (_digest(frame.path, digests), frame.index))
        kept.update(id(same[0]) for same in by_pixels.values())
    return [f for f in frames if id(f) in kept], [f for f in frames if id(f) not in kept]


def _uid_of(frame: Frame) -> Hashable:
    # Some de-identification gives all images one identifier; they still lie elsewhere.
    return (frame.uid, frame.index, frame.position) if frame.uid else id(frame)


def _looks(frame: Frame) -> Hashable:
    """Everything that a header says of an image but its identifiers."""
    texts = tuple(sorted((k, v) for k, v in frame.texts.items() if k not in _UIDS))
    place = (frame.position, frame.orientation, frame.spacing, frame.rows, frame.columns)
    return place, frame.index, frame.moment, frame.rescale, frame.pixels, texts


def _digest(path: Path, known: dict[Path, str]) -> str:
    """A check sum of a file's pixels; of its name where they cannot be read."""
    if path not in known:
        try:
            dataset = read_dataset(path, stop_before_pixels=False, specific_tags=["PixelData"])
            pixels = dataset.get("PixelData") or bytes(path)
        except ValueError:
            pixels = bytes(path)
        known[path] = hashlib.sha256(pixels).hexdigest()
    return known[path]


def with_series_joined(frames: Sequence[Frame]) -> tuple[list[Frame], dict[str, str]]:
    """Give images one SeriesInstanceUID where each has its own and all else agrees.

    A single image joins what agrees with it in number and description, times, size,
    orientation and encoding. Images whose numbers are all different, too, are joined
    without them.

    Returns:
        The frames, and by SeriesInstanceUID a remark on what was joined under it.
    """
    by_uid = grouped(frames, _series_of)
    single = {uid for uid, group in by_uid.items() if len(group) == 1 and _has_place(group[0])}
    target: dict[str, str] = {}
    for with_number in (True, False):
        alone = [by_uid[uid][0] for uid in single if uid not in target]
        keys = {_agreement(frame, with_number) for frame in alone}
        hosts = [frame for frame in frames if _agreement(frame, with_number) in keys]
        for group in grouped(hosts, partial(_agreement, with_number=with_number)).values():
            uids = list(dict.fromkeys(_series_of(frame) for frame in group))
            larger = [uid for uid in uids if uid not in single]
            # Two whole series that agree, for example before and after contrast agent, stay two.
            taken = {frame.position for uid in larger for frame in by_uid[uid]}
            uids = [uid for uid in uids if uid in larger or by_uid[uid][0].position not in taken]
            if len(uids) < 2 or len(larger) > 1:
                continue
            if with_number or (not larger and len(uids) >= FEWEST_JOINED):
                target |= dict.fromkeys(uids, (larger or uids)[0])
    joined: dict[str, str] = {}
    for uid, count in _counts(target).items():
        joined[uid] = (
            f"{count} SeriesInstanceUIDs were taken for one series, because number, description, "
            "times, size and orientation of the images agree"
        )
    result = [
        replace(f, texts={**f.texts, "SeriesInstanceUID": target[_series_of(f)]})
        if target.get(_series_of(f), _series_of(f)) != _series_of(f)
        else f
        for f in frames
    ]
    return result, joined


def _counts(target: Mapping[str, str]) -> dict[str, int]:
    return {uid: len(same) for uid, same in grouped(target, lambda key: target[key]).items()}


def _has_place(frame: Frame) -> bool:
    return frame.index is None and frame.position is not None and frame.orientation is not None


def _agreement(frame: Frame, with_number: bool) -> Hashable:
    texts = tuple(frame.texts.get(keyword, "") for keyword in _OF_A_SERIES)
    number = frame.texts.get("SeriesNumber", "") if with_number else ""
    turned = tuple(round(v, 2) + 0.0 for v in frame.orientation or ())
    spacing = tuple(round(v, 3) for v in frame.spacing or ())
    return number, texts, turned, spacing, frame.rows, frame.columns, frame.pixels
