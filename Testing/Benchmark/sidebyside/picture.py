"""The comparison as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sidebyside.figures import Row

_OURS, _PEER, _NETWORK = "#1b7f5c", "#8a94a6", "#00000040"


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
        colour = _OURS if row.name in ours else _PEER
        below, above = middle - row.wall_ratio.low, row.wall_ratio.high - middle
        axes.barh(place, middle, 0.62, color=colour, xerr=[[below], [above]], capsize=3)
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
