"""Lesions through all visits: which go on, appear, split, merge and vanish."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field
from typing import Any

from .matching import Link, VisitLesions


@dataclass
class Track:
    """One lesion through the visits.

    Attributes:
        number: its name in tables and pictures, from 1.
        core: whether it is of tumor core; else of whole tumor without any.
        volumes_ml: at each visit; None where it is not there.
        points: a voxel in its middle at each visit, LPS mm; None where it is not there.
        events: ``first``, ``new``, ``grown to size``, ``split``, ``merged`` or ``vanished``, with
            the number of the visit from 1; of a split or merge with the lesions it is ``of``.
    """

    number: int
    core: bool
    volumes_ml: list[float | None]
    points: list[list[float] | None]
    events: list[dict[str, Any]] = field(default_factory=list)

    def place(self, visit: int, lesions: VisitLesions, number: int) -> None:
        """Note that it is this lesion of a visit."""
        lesion = lesions.lesions[number - 1]
        self.volumes_ml[visit] = lesion.volume_mm3 / 1000
        self.points[visit] = [round(mm, 1) for mm in lesions.point(lesion)]

    def as_record(self) -> dict[str, Any]:
        """As plain JSON types, rounded."""
        return {
            "lesion": self.number,
            "kind": "core" if self.core else "without core",
            "volumes_ml": [None if ml is None else round(ml, 3) for ml in self.volumes_ml],
            "points_lps_mm": self.points,
            "events": self.events,
        }


def follow_lesions(
    lesions: SequenceOf[VisitLesions], links: SequenceOf[SequenceOf[Link]]
) -> list[Track]:
    """Follow every lesion through the visits.

    Args:
        lesions: of each visit.
        links: of each two visits that follow each other, see `matching.match_lesions`.

    Returns:
        A track a lesion, numbered in the order of their appearance, the largest first. Of lesions
        that merge the one with most overlap goes on; the others end there. Of parts into which a
        lesion splits the one with most overlap goes on; the others begin there.
    """
    tracks: list[Track] = []
    alive: dict[int, Track] = {}
    for step, found in enumerate(links):
        following: dict[int, Track] = {}
        # What was there before is numbered before what is new.
        for link in sorted(found, key=lambda link: not link.before):
            for number in link.before:
                if number not in alive:
                    # At a later visit it was there before, but too small to be named.
                    event = "grown to size" if step else "first"
                    alive[number] = _begin(tracks, lesions, step, number, event)
            following |= _followed(tracks, lesions, step + 1, link, alive)
            _end(link, step + 1, alive, following)
        alive = following
    return tracks


def _begin(
    tracks: list[Track], lesions: SequenceOf[VisitLesions], visit: int, number: int, event: str
) -> Track:
    count = len(lesions)
    track = Track(len(tracks) + 1, lesions[visit].cores[number - 1], [None] * count, [None] * count)
    track.place(visit, lesions[visit], number)
    track.events.append({"visit": visit + 1, "event": event})
    tracks.append(track)
    return track


def _followed(
    tracks: list[Track],
    lesions: SequenceOf[VisitLesions],
    visit: int,
    link: Link,
    alive: Mapping[int, Track],
) -> dict[int, Track]:
    """The tracks of a link's later lesions, by their number."""
    partner = {late: alive[early] for early, late in link.pairs}
    found = {}
    for late in link.after:
        track = partner.get(late)
        if track is not None:
            track.place(visit, lesions[visit], late)
        else:
            track = _begin(tracks, lesions, visit, late, "split" if link.before else "new")
            if link.before:
                track.events[-1]["of"] = sorted(alive[number].number for number in link.before)
        found[late] = track
    return found


def _end(
    link: Link, visit: int, alive: Mapping[int, Track], following: Mapping[int, Track]
) -> None:
    """Say of a link's earlier lesions that do not go on what became of them."""
    for number in set(link.before) - {early for early, _ in link.pairs}:
        event: dict[str, Any] = {"visit": visit + 1, "event": "vanished"}
        if link.after:
            event |= {"event": "merged", "of": sorted(following[n].number for n in link.after)}
        alive[number].events.append(event)
