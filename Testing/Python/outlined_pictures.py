"""Made pictures of single slices with an outline, as `training.outlined_slices` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from BrainTumorSegLib.training.head_donors import SIDE


def disk(radius: float, middle: tuple[float, float] = (128, 128), side: int = SIDE) -> np.ndarray:
    """A mask ``[row, column]`` of a round thing."""
    y, x = np.ogrid[:side, :side]
    return np.hypot(y - middle[0], x - middle[1]) < radius


def write_slices(folder: Path, rows: list[tuple[str, str, int, int]], *scans: str) -> None:
    """A disk of a head with a bright lesion in it, for each name, type, fold and side.

    Args:
        scans: of each row the number of its scan and its plane, with a tab between; or nothing.
    """
    lines = ["slice\ttumour_type\tfold" + ("\trun\tplane" if scans else "")]
    rng = np.random.default_rng(0)
    for number, (name, kind, fold, side) in enumerate(rows):
        place = folder / f"fold{fold}"
        place.mkdir(parents=True, exist_ok=True)
        middle = (side / 2, side / 2)
        head, lesion = disk(0.45 * side, middle, side), disk(6, (side / 2, side / 3), side)
        values = np.where(head, 90 + 10 * rng.normal(size=head.shape), 2) + 100 * lesion
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(place / f"{name}.png")
        Image.fromarray((255 * lesion).astype(np.uint8)).save(place / f"{name}_mask.png")
        lines.append("\t".join([name, kind, str(fold), *scans[number : number + 1]]))
    (folder / "slices.tsv").write_text("\n".join(lines) + "\n")
