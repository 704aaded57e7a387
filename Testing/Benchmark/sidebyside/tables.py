"""The comparison as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidebyside.figures import Row, Spread

_COLUMNS = (
    *("", "end to end, ratio", "network, ratio", "CPU time, ratio", "seconds end to end"),
    *("seconds in the network", "peak memory, GB", "runs"),
)


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
