"""The grid that the networks see, and the way back to the reference.

Networks work on axial slices at 1 mm in plane, cut to the brain's bounding box.
Arrays are ``[slice, row, column]``; slices ascend towards the head's top, rows
run from anterior to posterior, columns from the patient's right to the left,
whatever the orientation of the scan (LPS order, as radiologists look at axial
slices). Geometry is kept in SimpleITK images: LPS coordinates in mm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import SimpleITK as sitk

from BrainTumorSegLib.core.errors import InputError
from BrainTumorSegLib.core.masks import ends_of_rows
from BrainTumorSegLib.core.sequences import Sequence

#: Slices keep the reference's own positions up to this tilt against axial, and
#: rows and columns its own directions up to this rotation against the patient's.
MAX_TILT_DEGREES = 30.0

#: Finer slices than this gain nothing and cost time: they are taken at 1 mm.
MIN_SLICE_SPACING_MM = 0.8

#: Empty border around the brain in mm, so that convolutions see its edge.
MARGIN_MM = 3.0


@dataclass(frozen=True)
class ModelGrid:
    """An axial lattice: SimpleITK geometry without voxels.

    Attributes:
        size: columns, rows, slices.
        spacing: mm, in the same order.
        origin: LPS position in mm of the first voxel's centre.
        direction: row-major 3x3 cosines, as in SimpleITK.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Array shape ``(slices, rows, columns)``."""
        return self.size[2], self.size[1], self.size[0]

    def image(self, array: np.ndarray) -> sitk.Image:
        """An image of ``array`` ``[slice, row, column]`` with this grid's geometry."""
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image


def model_grid(
    reference: sitk.Image,
    brain: sitk.Image,
    in_plane_mm: float = 1.0,
    multiple: int = 32,
) -> ModelGrid:
    """The axial grid around the brain on which the networks work.

    Its axes are the reference's own, put into LPS order, when the reference lies
    within `MAX_TILT_DEGREES` of the patient's axes. Where its slices are axial
    within that angle, slice positions are those of the reference, unless they are
    finer than `MIN_SLICE_SPACING_MM`; a head turned further within those slices is
    turned back. Otherwise, for a coronal thick-slice scan for example, the grid is
    a 1 mm reformat. Rows and columns leave `MARGIN_MM` around the brain and slices
    one to spare at either end.

    Args:
        reference: the scan whose grid the result will live on.
        brain: brain mask on the reference's grid.
        in_plane_mm: pixel size.
        multiple: rows and columns are made divisible by this.

    Raises:
        InputError: when the mask is empty.
    """
    mask = sitk.GetArrayViewFromImage(brain)
    if not mask.any():
        raise InputError(
            "The brain mask is empty.", "Check the T1 scan, or give a mask with --brain FILE."
        )
    columns, slice_mm = _axes_and_slices(reference)
    steps = np.array([in_plane_mm, in_plane_mm, slice_mm])

    low, high = _brain_bounds(brain, columns)
    # Grid points lie on voxel centres of the reference where spacings agree, so
    # that a 1 mm axial reference is cropped rather than interpolated.
    anchor = columns.T @ np.array(reference.TransformIndexToPhysicalPoint((0, 0, 0)))
    margin = np.array([MARGIN_MM, MARGIN_MM, 0.0])
    # Rounding outwards even from exact multiples: a brain whose edge falls on a
    # voxel's edge gets the spare slice too, whatever the last digit says.
    first = np.floor((low - margin - anchor) / steps + 0.5 - 1e-6)
    last = np.ceil((high + margin - anchor) / steps - 0.5 + 1e-6)
    counts = np.maximum(last - first + 1, 1).astype(int)
    for axis in (0, 1):
        padded = -(-counts[axis] // multiple) * multiple
        first[axis] -= (padded - counts[axis]) // 2
        counts[axis] = padded
    origin = columns @ (anchor + first * steps)
    return ModelGrid(
        size=(int(counts[0]), int(counts[1]), int(counts[2])),
        spacing=(float(steps[0]), float(steps[1]), float(steps[2])),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=tuple(float(v) for v in columns.ravel()),
    )


def to_grid(
    image: sitk.Image,
    grid: ModelGrid,
    transform: sitk.Transform | None = None,
    interpolator: int = sitk.sitkLinear,
    outside: float = 0.0,
) -> np.ndarray:
    """Sample an image on the grid.

    Args:
        image: any scalar 3D image.
        transform: maps points of the reference to points of ``image``.
        interpolator: linear for scans; nearest neighbour for labels.
        outside: value beyond the image. NaN keeps what a scan does not cover out of
            the statistics of `normalize`.

    Returns:
        float32 array ``[slice, row, column]`` (the image's own type for nearest
        neighbour).
    """
    if interpolator != sitk.sitkNearestNeighbor:
        image = _without_aliases(sitk.Cast(image, sitk.sitkFloat32), grid)
    resampled = sitk.Resample(
        image,
        grid.size,
        transform or sitk.Transform(3, sitk.sitkIdentity),
        interpolator,
        grid.origin,
        grid.spacing,
        grid.direction,
        outside,
        image.GetPixelID(),
    )
    return sitk.GetArrayFromImage(resampled)


#: What intensities are divided by, after the middle was taken off: mean and standard deviation, or
#: median and 1.35 times the range from the first to the third quartile, which a large tumour moves
#: less.
NORMALIZATIONS = ("percentile-zscore", "percentile-quartiles")

#: ``brain``: zero outside the brain mask; ``head``: see `field_of_view`.
FIELDS_OF_VIEW = ("brain", "head")


@dataclass(frozen=True)
class NetworkInput:
    """What networks are shown of a scan, which is decided when they are trained.

    Attributes:
        normalization: one of `NORMALIZATIONS`.
        low, high: percentiles of what is seen at which intensities are clipped.
        field_of_view: one of `FIELDS_OF_VIEW`.
    """

    normalization: str = "percentile-zscore"
    low: float = 0.5
    high: float = 99.5
    field_of_view: str = "brain"


def normalize(
    volume: np.ndarray,
    brain: np.ndarray,
    shown: NetworkInput | None = None,
    seen: np.ndarray | None = None,
) -> np.ndarray:
    """Clip to percentiles of what is seen, center and scale by the brain, zero elsewhere.

    Args:
        volume: intensities ``[slice, row, column]``; NaN where the scan shows nothing,
            which becomes the middle of the brain, zero.
        brain: boolean mask of the same shape.
        shown: how networks see a scan.
        seen: boolean mask of what they see, with the brain in it; None for the brain.

    Returns:
        float32 array of the same shape.

    Raises:
        InputError: when the scan misses the brain or is constant inside it.
    """
    shown = shown or NetworkInput()
    known = ~np.isnan(volume)
    brain = brain & known
    if not brain.any():
        raise InputError("The brain mask misses the scan.", "Check the registration.")
    seen = brain if seen is None else seen & known
    values = volume[seen]
    floor, ceiling = np.percentile(values, [shown.low, shown.high])
    values = np.clip(values, floor, ceiling)
    inside = values if seen is brain else values[brain[seen]]
    if shown.normalization == "percentile-quartiles":
        first, middle, third = np.percentile(inside, [25, 50, 75])
        scale = 1.35 * float(third - first)
    else:
        middle = inside.mean(dtype=np.float64)
        scale = float(inside.std(dtype=np.float64))
    if scale <= 0:
        raise InputError(
            "A scan has one and the same intensity everywhere inside the brain.",
            "Check that it covers the head and was registered well.",
        )
    result = np.zeros(volume.shape, np.float32)
    result[seen] = (values - middle) / scale
    return result


#: Recipe name to (sequences, slice offsets); channels are offset-major.
#: Source: the three inputs compared by the Siberian Brain Tumor data set's authors.
RECIPES: Mapping[str, tuple[tuple[Sequence, ...], tuple[int, ...]]] = {
    "mixture": ((Sequence.T1, Sequence.T1CE, Sequence.FLAIR), (0,)),
    "neighbours": ((Sequence.T1CE,), (-1, 0, 1)),
    "wide": ((Sequence.T1, Sequence.T1CE, Sequence.FLAIR), (-1, 0, 1)),
}


def recipe_channels(recipe: str) -> int:
    """Number of input channels of a recipe."""
    return len(channel_sequences(recipe))


def channel_sequences(recipe: str) -> tuple[Sequence, ...]:
    """The sequence that each input channel of a recipe shows."""
    sequences, offsets = recipe_by_name(recipe)
    return sequences * len(offsets)


def recipe_by_name(recipe: str) -> tuple[tuple[Sequence, ...], tuple[int, ...]]:
    """Sequences and slice offsets of a recipe.

    Raises:
        InputError: when there is no such recipe.
    """
    try:
        return RECIPES[recipe]
    except KeyError:
        raise InputError(
            f"Unknown input recipe {recipe!r}.", f"Known recipes: {', '.join(RECIPES)}."
        ) from None


def stack_slices(
    volumes: Mapping[Sequence, np.ndarray], recipe: str, indices: SequenceOf[int]
) -> np.ndarray:
    """Network input for some slices.

    Args:
        volumes: normalised volumes ``[slice, row, column]``; a sequence that is
            missing becomes zero channels (the mean of a normalised brain).
        recipe: a key of `RECIPES`.
        indices: slice numbers; neighbours beyond the ends repeat the end slice.

    Returns:
        float32 array ``[N, C, H, W]``.
    """
    sequences, offsets = recipe_by_name(recipe)
    depth, height, width = next(iter(volumes.values())).shape
    result = np.zeros((len(indices), len(offsets) * len(sequences), height, width), np.float32)
    for position, offset in enumerate(offsets):
        rows = np.clip(np.asarray(indices) + offset, 0, depth - 1)
        for number, sequence in enumerate(sequences):
            if sequence in volumes:
                result[:, position * len(sequences) + number] = volumes[sequence][rows]
    return result


def restore(
    probabilities: SequenceOf[np.ndarray], grid: ModelGrid, reference: sitk.Image
) -> Iterator[np.ndarray]:
    """Carry class probabilities from the grid back to the reference, one class at a time.

    Args:
        probabilities: one array ``[slice, row, column]`` a class, background first.
        grid: where they live.
        reference: where they shall live.

    Yields:
        float32 arrays ``[slice, row, column]`` on the reference's grid, linearly
        interpolated; beyond the grid the background is certain. One at a time,
        so that a caller who only wants the winner never holds them all.
    """
    for number, values in enumerate(probabilities):
        # The interpolator extends the outermost voxels to their edges, half a voxel.
        image = grid.image(np.ascontiguousarray(values, dtype=np.float32))
        outside = 1.0 if number == 0 else 0.0
        resampled = sitk.Resample(
            image,
            reference,
            sitk.Transform(3, sitk.sitkIdentity),
            sitk.sitkLinear,
            outside,
            sitk.sitkFloat32,
        )
        yield sitk.GetArrayFromImage(resampled)


def _axes_and_slices(reference: sitk.Image) -> tuple[np.ndarray, float]:
    """The grid's axes as columns of a matrix in LPS, and its slice spacing in mm."""
    direction = np.array(reference.GetDirection()).reshape(3, 3)
    # Which image axis runs along L, P and S: the assignment with the largest sum of
    # cosines; six permutations are few.
    axes = max(
        permutations(range(3)),
        key=lambda order: sum(abs(direction[row, axis]) for row, axis in enumerate(order)),
    )
    columns = direction[:, axes]
    columns = columns * np.where(np.diag(columns) >= 0, 1.0, -1.0)
    angles = np.degrees(np.arccos(np.clip(np.diag(columns), -1.0, 1.0)))
    if angles[2] > MAX_TILT_DEGREES:
        return np.eye(3), 1.0
    if angles.max() > MAX_TILT_DEGREES:
        # The slices are axial, but the head is turned within them.
        normal = columns[:, 2]
        left = np.array([1.0, 0.0, 0.0]) - normal[0] * normal
        left /= np.linalg.norm(left)
        columns = np.stack([left, np.cross(normal, left), normal], axis=1)
    spacing = np.array(reference.GetSpacing())
    along = float(spacing[axes[2]])
    # In a scan of thick sagittal or coronal slices the rows along the body's axis
    # are fine pixels rather than slices.
    sliced_axially = along >= 0.8 * spacing.max()
    keeps_slices = along >= MIN_SLICE_SPACING_MM and sliced_axially
    return columns, along if keeps_slices else 1.0


def _brain_bounds(brain: sitk.Image, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinate of the mask's voxel edges along the grid's axes, in mm."""
    ends = ends_of_rows(sitk.GetArrayViewFromImage(brain))
    direction = np.array(brain.GetDirection()).reshape(3, 3) * np.array(brain.GetSpacing())
    projected = (np.array(brain.GetOrigin()) + ends @ direction.T) @ columns
    # Half the width of a voxel's shadow on each axis.
    half = 0.5 * np.abs(columns.T @ direction).sum(axis=1)
    return projected.min(axis=0) - half, projected.max(axis=0) + half


def _without_aliases(image: sitk.Image, grid: ModelGrid) -> sitk.Image:
    """Smooth along axes that the grid samples more coarsely than the image does."""
    direction = np.abs(np.array(image.GetDirection()).reshape(3, 3))
    axes = np.abs(np.array(grid.direction).reshape(3, 3))
    variances = []
    for axis, spacing in enumerate(image.GetSpacing()):
        nearest = int(np.argmax(axes.T @ direction[:, axis]))
        wanted = grid.spacing[nearest]
        # A Gaussian that makes up the difference between two box samplings of these
        # sizes (the variance of a box is width**2 / 12).
        variances.append((wanted**2 - spacing**2) / 12.0 if wanted > 1.25 * spacing else 0.0)
    if not any(variances):
        return image
    return sitk.DiscreteGaussian(image, variances, maximumKernelWidth=64, maximumError=[0.005] * 3)
