"""From measured runs to medians and ratios; from some timed passes to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run of one contestant; times in seconds.

    Attributes:
        name: the contestant.
        wall_s, cpu_s: of the whole process; with extrapolation, as if it had done all.
        network_s: wall time from normalised images to probabilities; None if unknown.
        peak_bytes: largest resident size.
        timed_items, all_items: slices or patches that went through the network, and those
            that would have; fewer than all means that times are extrapolated.
    """

    name: str
    wall_s: float
    cpu_s: float
    network_s: float | None
    peak_bytes: int
    timed_items: int | None = None
    all_items: int | None = None

    @property
    def extrapolated(self) -> bool:
        return self.timed_items != self.all_items


@dataclass(frozen=True)
class Spread:
    """A median between its extremes."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    def over(self, other: Spread) -> Spread:
        """Ratio of two spreads: of the medians, between the extremes that runs allow."""
        return Spread(self.middle / other.middle, self.low / other.high, self.high / other.low)


@dataclass(frozen=True)
class Row:
    """All runs of one contestant, and how they compare with the yardstick's.

    ``wall``, ``cpu`` and ``network`` are in seconds; ``*_ratio`` is this contestant's time
    over the yardstick's: above one, the yardstick is faster.
    """

    name: str
    runs: int
    wall: Spread
    cpu: Spread
    network: Spread | None
    peak_bytes: int
    wall_ratio: Spread
    cpu_ratio: Spread
    network_ratio: Spread | None
    timed_items: int | None
    all_items: int | None

    @property
    def extrapolated(self) -> bool:
        return self.timed_items != self.all_items


def missing_time(passes: Mapping[str, Any]) -> tuple[float, float]:
    """Wall and CPU seconds that skipped passes would have taken.

    The mean of the timed passes a slice or patch, without the first, which warms up; the
    first alone where nothing else was timed.

    Args:
        passes: ``timed``, a list of ``items``, ``wall_s`` and ``cpu_s``, and ``skipped_items``.

    Raises:
        ValueError: when passes were skipped and none was timed.
    """
    skipped = passes["skipped_items"]
    if not skipped:
        return 0.0, 0.0
    if not passes["timed"]:
        raise ValueError("nothing was timed that could be extrapolated")
    typical = passes["timed"][1:] or passes["timed"]
    items = sum(one["items"] for one in typical)
    wall, cpu = (sum(one[key] for one in typical) for key in ("wall_s", "cpu_s"))
    return skipped * wall / items, skipped * cpu / items


def rows(runs: Sequence[Run], yardstick: str) -> list[Row]:
    """One row a contestant, in the order in which they first ran.

    Raises:
        ValueError: when the yardstick never ran.
    """
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    if yardstick not in by_name:
        raise ValueError(f"{yardstick} did not run: there is nothing to compare with")
    ours = by_name[yardstick]
    return [_row(name, own, ours) for name, own in by_name.items()]


def _row(name: str, own: Sequence[Run], ours: Sequence[Run]) -> Row:
    wall, cpu = (_spread(own, lambda r, f=field: getattr(r, f)) for field in ("wall_s", "cpu_s"))
    network = _spread(own, lambda run: run.network_s)
    our_network = _spread(ours, lambda run: run.network_s)
    return Row(
        name=name,
        runs=len(own),
        wall=wall,
        cpu=cpu,
        network=network,
        peak_bytes=max(run.peak_bytes for run in own),
        wall_ratio=wall.over(_spread(ours, lambda run: run.wall_s)),
        cpu_ratio=cpu.over(_spread(ours, lambda run: run.cpu_s)),
        network_ratio=network.over(our_network) if network and our_network else None,
        timed_items=own[0].timed_items,
        all_items=own[0].all_items,
    )


def _spread(runs: Sequence[Run], value: Callable[[Run], float | None]) -> Spread | None:
    values = [number for run in runs if (number := value(run)) is not None]
    return Spread.of(values) if len(values) == len(runs) else None
