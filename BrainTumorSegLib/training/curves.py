"""Pictures of how training went."""

from __future__ import annotations

from pathlib import Path

from BrainTumorSegLib.io.atomic import atomic_path
from BrainTumorSegLib.training.checkpoint import LOG, VALIDATION, read_rows


def draw_curves(folder: Path) -> Path | None:
    """Draw loss, learning rate and validation of a member into its ``curves.png``.

    Returns:
        The picture; None when matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return None
    log, validation = read_rows(folder / LOG), read_rows(folder / VALIDATION)
    figure = Figure(figsize=(9.0 if validation else 5.0, 3.6), layout="constrained")
    axes = figure.subplots(1, 2 if validation else 1, squeeze=False)[0]
    steps = [int(row["step"]) for row in log]
    marker = "o" if len(steps) < 20 else None
    axes[0].plot(steps, [float(row["loss"]) for row in log], color="tab:red", marker=marker)
    axes[0].set(xlabel="step", title="training loss (mean since the last point)")
    rate = axes[0].twinx()
    rate.plot(
        steps, [float(row["learning_rate"]) for row in log], color="tab:gray", linestyle="dotted"
    )
    rate.set_ylabel("learning rate (dotted)")
    rate.set_ylim(bottom=0)
    if validation:
        looks = [int(row["step"]) for row in validation]
        for name in (key for key in validation[0] if key != "step"):
            values = [float(row[name]) for row in validation]
            axes[1].plot(looks, values, label=name, linewidth=2.5 if name == "mean" else 1.0)
        best = max(validation, key=lambda row: float(row["mean"]))
        axes[1].axvline(int(best["step"]), color="black", linestyle="dashed", linewidth=0.8)
        axes[1].set(xlabel="step", title="validation Dice (dashed: best)", ylim=(0, 1))
        axes[1].legend(loc="lower right")
    for axis in axes:
        axis.grid(alpha=0.3)
    with atomic_path(folder / "curves.png", overwrite=True) as path:
        figure.savefig(path, dpi=120, format="png")
    return folder / "curves.png"
