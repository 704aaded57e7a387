"""From measured runs to medians and ratios, as Markdown and as bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

_COLUMNS = (
    *("", "end to end, ratio", "network, ratio", "CPU time, ratio", "seconds end to end"),
    *("seconds in the network", "peak memory, GB", "runs"),
)
_OURS, _PEER, _NETWORK = "#1b7f5c", "#8a94a6", "#00000040"


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


def markdown(rows: Sequence[Row], titles: Mapping[str, str], yardstick: str) -> str:
    """A table; ratios are to the yardstick's median, extremes in brackets."""
    lines = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    for row in rows:
        title = titles[row.name]
        if row.name == yardstick:
            title = f"**{title}**"
        if row.extrapolated:
            title += f" (extrapolated from {row.timed_items} of {row.all_items})"
        lines.append(
            _line(
                [
                    title,
                    ratio(row.wall_ratio),
                    ratio(row.network_ratio),
                    ratio(row.cpu_ratio),
                    seconds(row.wall),
                    seconds(row.network),
                    f"{row.peak_bytes / 1e9:.1f}",
                    str(row.runs),
                ]
            )
        )
    note = (
        "Ratios are times over those of the row in bold: medians, and in brackets the least and "
        "the greatest that single runs allow."
    )
    if any(row.extrapolated for row in rows):
        note += (
            " Extrapolated: so many of the slices or patches were computed and timed, everything "
            "else was done in full, and the mean time of what was computed, without the first "
            "pass, was added for the rest."
        )
    return "\n".join([*lines, "", note, ""])


def ratio(spread: Spread | None) -> str:
    """For example ``5.1 (4.8-5.6)``."""
    if spread is None:
        return "not told"
    return f"{spread.middle:.2f} ({spread.low:.2f}-{spread.high:.2f})"


def seconds(spread: Spread | None) -> str:
    """Like `ratio`, in seconds."""
    if spread is None:
        return "not told"
    if spread.low == spread.high:
        return f"{spread.middle:.1f}"
    return f"{spread.middle:.1f} ({spread.low:.1f}-{spread.high:.1f})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def draw(
    rows: Sequence[Row], titles: Mapping[str, str], ours: set[str], subtitle: str, path: Path
) -> None:
    """Write horizontal bars of end-to-end times as multiples of the yardstick's, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.patches import Patch

    ordered = sorted(rows, key=lambda row: row.wall_ratio.middle, reverse=True)
    figure, axes = plt.subplots(figsize=(9, 1.7 + 0.55 * len(ordered)), layout="constrained")
    for place, row in enumerate(ordered):
        middle = row.wall_ratio.middle
        color = _OURS if row.name in ours else _PEER
        below, above = middle - row.wall_ratio.low, row.wall_ratio.high - middle
        axes.barh(place, middle, 0.62, color=color, xerr=[[below], [above]], capsize=3)
        if row.network is not None:
            axes.barh(place, middle * row.network.middle / row.wall.middle, 0.62, color=_NETWORK)
        mark = "*" if row.extrapolated else ""
        axes.annotate(
            f"{middle:.1f}{mark}",
            (row.wall_ratio.high, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(ordered)), [titles[row.name] for row in ordered])
    axes.set_xlim(0, 1.12 * max(row.wall_ratio.high for row in ordered))
    axes.set_xlabel("time from files to label map, as a multiple of ours")
    # Over the names, too: over the bars alone a long one would be cut off.
    figure.suptitle(subtitle, fontsize=9, x=0.01, ha="left")
    axes.spines[["top", "right"]].set_visible(False)
    marks = [Patch(color=_OURS, label="ours"), Patch(color=_PEER, label="peers")]
    marks.append(Patch(color=_NETWORK, label="of it in the network"))
    if any(row.extrapolated for row in ordered):
        marks.append(Patch(color="none", label="* extrapolated"))
    figure.legend(handles=marks, frameon=False, fontsize=8, loc="outside lower right", ncols=4)
    figure.savefig(path, dpi=130)
    plt.close(figure)
