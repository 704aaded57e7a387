"""From 2D frames to a 3D grid: order along the normal, spacing, what is missing.

Geometry after DICOM PS3.3, C.7.6.2.1.1: Image Position is the centre of the first
pixel, Image Orientation the directions along a row (columns count up) and along a
column (rows count up), Pixel Spacing first between rows, then between columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .headers import Frame

#: Frames whose direction cosines differ by less are parallel (rounding in headers).
PARALLEL = 2e-3

#: Relative differences of slice distances: silent below the first, a warning below
#: the second, an error above.
EVEN, NEARLY_EVEN = 0.01, 0.10

#: Photometric interpretations whose values are measurements; some old files state none.
GRAYSCALE = ("MONOCHROME2", "MONOCHROME1", "")

#: In-plane drift over the whole stack, in pixels, from which the stack counts as sheared.
SHEARED = 0.25


@dataclass(frozen=True)
class Grid:
    """Geometry of a stack in SimpleITK's terms.

    Attributes:
        size: voxels along x (columns), y (rows), z (slices).
        spacing: mm along x, y, z.
        origin: centre of the first voxel (LPS, mm).
        direction: nine cosines, row-major; its columns are the axes x, y, z.
        drift: mm along x and y by which each slice is shifted against the one before;
            zero unless the stack is sheared.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]
    drift: tuple[float, float] = (0.0, 0.0)

    @property
    def sheared(self) -> bool:
        """Whether slices are displaced against each other in their plane (gantry tilt)."""
        return any(self.drift)

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the slices, LPS."""
        return np.array(self.direction).reshape(3, 3)[:, 2]

    @property
    def extent(self) -> tuple[float, float, float]:
        """Size of the imaged box in mm along x, y, z."""
        x, y, z = (n * s for n, s in zip(self.size, self.spacing, strict=True))
        return x, y, z


@dataclass(frozen=True)
class Stack:
    """Frames in order along the normal, with the grid they form or the reason why not."""

    frames: tuple[Frame, ...]
    grid: Grid | None
    problem: str | None = None
    warnings: tuple[str, ...] = ()


def axes(frames: Sequence[Frame]) -> np.ndarray | None:
    """Columns x, y, z (normal) of parallel frames, made exactly orthogonal, or None.

    The median of all, so that one frame that says something else does not turn the others.
    """
    stated = [frame.orientation for frame in frames if frame.orientation is not None]
    if len(stated) < len(frames):
        return None
    cosines = np.median(stated, axis=0)
    x, y = cosines[:3], cosines[3:]
    if np.linalg.norm(x) < 0.5 or np.linalg.norm(y) < 0.5:
        return None
    x = x / np.linalg.norm(x)
    if abs(x @ y) > 0.01 * np.linalg.norm(y):
        return None
    y = y - (x @ y) * x
    y = y / np.linalg.norm(y)
    return np.column_stack([x, y, np.cross(x, y)])


def locations(frames: Sequence[Frame]) -> np.ndarray | None:
    """Position of each frame along their common normal in mm, or None."""
    matrix = axes(frames)
    if matrix is None or any(frame.position is None for frame in frames):
        return None
    return np.array([frame.position for frame in frames]) @ matrix[:, 2]


def stack(frames: Sequence[Frame]) -> Stack:
    """Order parallel frames of one size and describe the grid they form.

    The slices ascend along the normal (row direction x column direction), so the
    axes are right-handed whatever the order of acquisition was.
    """
    frames = tuple(frames)
    along = locations(frames)
    first = frames[0]
    if along is None or first.spacing is None or min(first.spacing) <= 0:
        return Stack(frames, None, "its header does not say where the slices lie")
    if first.pixels.samples != 1 or first.pixels.photometric not in GRAYSCALE:
        return Stack(frames, None, "it holds colour pictures, not measurements")
    order = np.argsort(along, kind="stable")
    frames, along = tuple(frames[i] for i in order), along[order]
    if len(frames) < 2:
        return Stack(frames, None, "it has a single slice")
    gaps = np.diff(along)
    typical = float(np.median(gaps))
    if gaps.min() < max(0.01, 0.02 * typical):
        count = int((gaps < max(0.01, 0.02 * typical)).sum())
        return Stack(frames, None, f"{count} position(s) hold several images")
    problem, warnings = _judge(gaps, typical)
    if problem is not None:
        return Stack(frames, None, problem)
    return _with_grid(frames, along, warnings)


def _judge(gaps: np.ndarray, typical: float) -> tuple[str | None, tuple[str, ...]]:
    uneven = float(np.abs(gaps / typical - 1).max())
    if uneven <= EVEN or np.abs(gaps - typical).max() < 0.02:
        return None, ()
    multiples = np.round(gaps / typical)
    if np.abs(gaps / typical - multiples).max() <= NEARLY_EVEN:
        missing = int((multiples - 1).sum())
        if missing > 0:
            where = ", ".join(
                f"after slice {i + 1}" for i in np.flatnonzero(multiples > 1)[:4].tolist()
            )
            slices = "1 slice is" if missing == 1 else f"{missing} slices are"
            return f"{slices} missing ({where} of {len(gaps) + 1})", ()
    if uneven <= NEARLY_EVEN:
        return None, (
            f"its slices are unevenly spaced ({gaps.min():.2f} to {gaps.max():.2f} mm); "
            "the mean is used",
        )
    return f"its slices are unevenly spaced ({gaps.min():.2f} to {gaps.max():.2f} mm)", ()


def _with_grid(frames: tuple[Frame, ...], along: np.ndarray, warnings: tuple[str, ...]) -> Stack:
    first = frames[0]
    matrix = axes(frames)
    assert matrix is not None and first.spacing is not None  # `stack` has checked it
    between = float(along[-1] - along[0]) / (len(frames) - 1)
    positions = np.array([frame.position for frame in frames])
    in_plane = (positions - positions[0]) @ matrix[:, :2]
    drift = in_plane[-1] / (len(frames) - 1)
    pixel = min(first.spacing)
    wander = np.abs(in_plane - np.arange(len(frames))[:, None] * drift).max()
    if wander > max(SHEARED, 0.01 * len(frames)) * pixel:
        return Stack(frames, None, "its slices do not lie behind one another")
    sheared = np.abs(in_plane[-1]).max() > SHEARED * pixel
    if sheared:
        angle = np.degrees(np.arctan2(np.linalg.norm(drift), between))
        warnings = (
            *warnings,
            f"its slices are stacked at a slant of {angle:.1f} degrees; it was resampled to a "
            "straight grid",
        )
    grid = Grid(
        size=(first.columns, first.rows, len(frames)),
        spacing=(first.spacing[1], first.spacing[0], between),
        origin=(float(positions[0, 0]), float(positions[0, 1]), float(positions[0, 2])),
        direction=tuple(matrix.ravel().tolist()),
        drift=(float(drift[0]), float(drift[1])) if sheared else (0.0, 0.0),
    )
    return Stack(frames, grid, None, warnings)
