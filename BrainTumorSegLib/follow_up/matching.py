"""Which lesion of one visit is which of the next.

A lesion is a connected part (26 neighbors) of the tumor core, or of the whole tumor where that
holds no core. Lesions overlap when, after registration, voxels of one lie in voxels of the other;
no label map is resampled for it, so that thick slices lose no small lesion.
"""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from BrainTumorSegLib.core.options import MIN_LESION_MM3
from BrainTumorSegLib.core.tissue import TUMOR_TISSUES, Region
from BrainTumorSegLib.measurement.lesions import Lesion, find_lesions

#: Lesions that do not overlap are still one when their voxels come this near (mm): what a
#: registration may be off by, and a small lesion may move as tissue around it swells.
REACH_MM = 2.0

#: One lesion has split, or two have merged, when they share at least this part of the smaller one.
SHARED = 0.1


@dataclass(frozen=True)
class VisitLesions:
    """The lesions of one visit.

    Attributes:
        lesions: numbered from 1 as in ``numbers``.
        cores: of each, whether it is of tumor core; else of whole tumor without any.
        numbers: on the grid of the labels, ``[slice, row, column]``, 0 outside.
        image: whose grid that is.
    """

    lesions: tuple[Lesion, ...]
    cores: tuple[bool, ...]
    numbers: np.ndarray
    image: sitk.Image

    def point(self, lesion: Lesion) -> tuple[float, float, float]:
        """The voxel of a lesion that is nearest to its middle, LPS mm: it lies in the lesion."""
        places = np.argwhere(self.numbers[lesion.box] == lesion.number)
        places = places + [part.start for part in lesion.box]
        nearest = places[np.linalg.norm(places - np.array(lesion.center), axis=1).argmin()]
        return self.image.TransformIndexToPhysicalPoint([int(n) for n in reversed(nearest)])


@dataclass(frozen=True)
class Link:
    """What became of lesions from one visit to the next.

    Attributes:
        before, after: numbers of lesions of each visit; one of them may be empty.
        pairs: those of them that are one and the same, as the assignment has it.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def status(self) -> str:
        """``new``, ``vanished``, ``same``, ``split``, ``merged``, or ``split and merged``."""
        if not self.before:
            return "new"
        if not self.after:
            return "vanished"
        split, merged = len(self.after) > 1, len(self.before) > 1
        words = ["split"] * split + ["merged"] * merged
        return " and ".join(words) or "same"


def lesions_of(labels: sitk.Image) -> VisitLesions:
    """The lesions of a visit, however small.

    Args:
        labels: values of `Tissue`.
    """
    array = sitk.GetArrayFromImage(labels)
    spacing = tuple(reversed(labels.GetSpacing()))
    core_numbers, cores = find_lesions(array, spacing, Region.TC.value)
    whole_numbers, wholes = find_lesions(array, spacing, TUMOR_TISSUES)
    with_core = set(np.unique(whole_numbers[core_numbers > 0]).tolist())
    bare = [lesion for lesion in wholes if lesion.number not in with_core]
    numbers = core_numbers.copy()
    for number, lesion in enumerate(bare, start=len(cores) + 1):
        box = numbers[lesion.box]
        box[whole_numbers[lesion.box] == lesion.number] = number
    renumbered = [replace(one, number=len(cores) + n) for n, one in enumerate(bare, start=1)]
    return VisitLesions(
        (*cores, *renumbered), (True,) * len(cores) + (False,) * len(bare), numbers, labels
    )


def match_lesions(
    before: VisitLesions,
    after: VisitLesions,
    transform: sitk.Transform,
    least_mm3: float = MIN_LESION_MM3,
) -> list[Link]:
    """Match the lesions of two visits one to one, and name splits and merges.

    Pairs are those of largest overlap in all (Hungarian assignment, Kuhn 1955).

    Args:
        before, after: of the earlier and the later visit.
        transform: from points of the later to points of the earlier visit.
        least_mm3: a lesion below it in all visits is passed over: it is what segmentation
            removes as noise. One that is above it only once keeps its name below it, too.

    Returns:
        Each lesion in exactly one link, but for those passed over; largest first.
    """
    # What segmentation leaves out when it is alone is not rounded away by the size of a voxel.
    shared = _shared_mm3(before, after, transform)
    volumes = [np.array([one.volume_mm3 for one in v.lesions]) for v in (before, after)]
    if shared.size:
        _add_near(shared, before, after, transform)
    links = _links(shared, volumes, [v.cores for v in (before, after)])
    found = []
    for link in links:
        sizes = [volumes[0][n - 1] for n in link.before] + [volumes[1][n - 1] for n in link.after]
        if max(sizes) >= least_mm3:
            found.append((max(sizes), link))
    return [link for _, link in sorted(found, key=lambda item: -item[0])]


def _shared_mm3(before: VisitLesions, after: VisitLesions, transform: sitk.Transform) -> np.ndarray:
    """Volume in mm3 that each two lesions share, ``[before, after]``: mean of both directions."""
    size = (len(before.lesions), len(after.lesions))
    there = _looked_up(after, before, transform, size[::-1]).T
    back = _looked_up(before, after, transform.GetInverse(), size)
    return (there + back) / 2


def _looked_up(
    source: VisitLesions, target: VisitLesions, transform: sitk.Transform, size: tuple[int, int]
) -> np.ndarray:
    """Volume in mm3 of each lesion of one visit in voxels of each lesion of the other."""
    from BrainTumorSegLib.preprocessing.registration.quality import to_index

    shared = np.zeros(size)
    if 0 in size:
        return shared
    numbers, points = _points(source, transform)
    index = np.floor(to_index(target.image, points) + 0.5).astype(int)
    inside = np.all((index >= 0) & (index < np.array(target.numbers.shape)[:, None]), axis=0)
    hit = np.zeros(len(points), int)
    hit[inside] = target.numbers[tuple(index[:, inside])]
    np.add.at(shared, (numbers[hit > 0] - 1, hit[hit > 0] - 1), _voxel_mm3(source.image))
    return shared


def _points(lesions: VisitLesions, transform: sitk.Transform) -> tuple[np.ndarray, np.ndarray]:
    """Lesion number and place in the other visit (LPS mm, ``[n, 3]``) of each lesion voxel."""
    from BrainTumorSegLib.preprocessing.registration.head import index_to_point
    from BrainTumorSegLib.preprocessing.registration.rigid import matrix_and_offset

    places = np.argwhere(lesions.numbers)
    numbers = lesions.numbers[tuple(places.T)]
    axes, origin = index_to_point(lesions.image)
    matrix, offset = matrix_and_offset(transform)
    points = places[:, ::-1] @ axes.T + origin
    return numbers, points @ matrix.T + offset


def _add_near(
    shared: np.ndarray, before: VisitLesions, after: VisitLesions, transform: sitk.Transform
) -> None:
    """Let lesions that overlap nothing share a trace with the nearest such lesion in reach."""
    lone = np.flatnonzero(~shared.any(axis=1)) + 1, np.flatnonzero(~shared.any(axis=0)) + 1
    if not all(part.size for part in lone):
        return
    numbers, points = _points(before, transform.GetInverse())
    there, places = _points(after, sitk.Transform(3, sitk.sitkIdentity))
    mine, theirs = np.isin(numbers, lone[0]), np.isin(there, lone[1])
    # Centers of voxels are as far apart as their halves where the voxels touch.
    halves = sum(float(np.linalg.norm(v.image.GetSpacing())) / 2 for v in (before, after))
    reach = REACH_MM + min(halves, REACH_MM)
    distance, nearest = cKDTree(places[theirs]).query(points[mine], distance_upper_bound=reach)
    close = np.isfinite(distance)
    trace = 1e-3 * (1 - distance[close] / (2 * reach))
    pair = (numbers[mine][close] - 1, there[theirs][nearest[close]] - 1)
    np.maximum.at(shared, pair, trace)


def _links(
    shared: np.ndarray, volumes: SequenceOf[np.ndarray], cores: SequenceOf[SequenceOf[bool]]
) -> list[Link]:
    count = shared.shape
    pairs: set[tuple[int, int]] = set()
    joined = np.zeros(count, bool)
    if shared.size:
        kinds = np.equal.outer(np.array(cores[0]), np.array(cores[1]))
        # Among equals core goes to core; an edema may hold both.
        weight = np.where(kinds, shared, 0.999 * shared)
        rows, columns = linear_sum_assignment(weight, maximize=True)
        pairs = {(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if shared[r, c] > 0}
        smaller = np.minimum.outer(volumes[0], volumes[1])
        joined = shared >= SHARED * smaller
        for pair in pairs:
            joined[pair] = True
    rows, columns = np.nonzero(joined)
    total = sum(count)
    graph = coo_matrix((np.ones(len(rows)), (rows, columns + count[0])), shape=(total, total))
    _, group = connected_components(graph, directed=False)
    links = []
    for number in range(int(group.max()) + 1 if total else 0):
        members = np.flatnonzero(group == number)
        early = tuple(int(m) + 1 for m in members if m < count[0])
        late = tuple(int(m) - count[0] + 1 for m in members if m >= count[0])
        own = tuple(sorted((r + 1, c + 1) for r, c in pairs if r + 1 in early))
        links.append(Link(early, late, own))
    return links


def _voxel_mm3(image: sitk.Image) -> float:
    return float(np.prod(image.GetSpacing()))
