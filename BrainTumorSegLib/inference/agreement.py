"""How far members, and the views of one member, agree on each region.

In benchmarks of failure detection the mean Dice over the pairs of an ensemble tells best which
segmentations failed (Zenk et al., Comparative benchmarking of failure detection methods in
medical image segmentation, Medical Image Analysis 2025; Roy et al., NeuroImage 2019).
Pairs are counted while the networks run: of views numbers alone are kept, of members one byte
a voxel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from BrainTumorSegLib.core.tissue import Region, Tissue

#: Slices at once when members are compared: few, for their masks.
_COMPARED_AT_ONCE = 8


@dataclass(frozen=True)
class Agreement:
    """Mean Dice over all pairs, by name of `Region`; None where nobody found the region.

    Attributes:
        members: between members, each the mean of its views; None for a single one.
        views: between the views of one member, mean over the members; None for a single view.
    """

    members: Mapping[str, float | None] | None = None
    views: Mapping[str, float | None] | None = None

    def as_record(self) -> dict[str, Any]:
        """As it stands in a record."""
        return {name: _rounded(getattr(self, name)) for name in ("members", "views")}


def _rounded(means: Mapping[str, float | None] | None) -> dict[str, float | None] | None:
    if means is None:
        return None
    return {name: None if mean is None else round(mean, 4) for name, mean in means.items()}


def region_masks(probabilities: Tensor) -> Tensor:
    """Which voxels belong to each region, decided as `labels.decode_labels` does.

    Args:
        probabilities: ``[class, ...]``, classes in the order of `Tissue`.

    Returns:
        Booleans ``[region, ...]`` in the order of `Region`.
    """
    background, edema = probabilities[Tissue.BACKGROUND], probabilities[Tissue.EDEMA]
    enhancing = probabilities[Tissue.ENHANCING]
    rest = probabilities[Tissue.NECROSIS] + probabilities[Tissue.NON_ENHANCING]
    whole = background < 0.5
    core = whole & (enhancing + rest >= edema)
    return torch.stack([whole, core, core & (enhancing > rest)])


def _found(views: list[Tensor]) -> list[Tensor]:
    """The voxels, ``[class, voxel]``, in which any view may have found something.

    On a GPU all of them: to wait for their number would cost more than it saves.
    """
    if views[0].device.type != "cpu":
        return [view.movedim(1, 0).flatten(1) for view in views]
    least = views[0][:, Tissue.BACKGROUND]
    for view in views[1:]:
        least = torch.minimum(least, view[:, Tissue.BACKGROUND])
    slices, rows, columns = (least < 0.5).nonzero(as_tuple=True)
    return [view[slices, :, rows, columns].T for view in views]


def shared_voxels(masks: Tensor) -> Tensor:
    """Voxels that each two of several share; those of each one stand on the diagonal.

    Args:
        masks: booleans ``[region, one, voxel]`` of fewer than 2^24 voxels.

    Returns:
        int64 ``[region, one, other]``.
    """
    values = masks.to(torch.float32)
    return (values @ values.transpose(1, 2)).to(torch.int64)


def mean_pairwise_dice(shared: np.ndarray) -> float | None:
    """Mean Dice of all pairs; two that found nothing agree, None where nobody found anything.

    Args:
        shared: ``[one, other]`` of `shared_voxels`, at least two.
    """
    sizes = np.diagonal(shared)
    if not sizes.any():
        return None
    first, second = np.triu_indices(len(shared), 1)
    both, total = 2 * shared[first, second], sizes[first] + sizes[second]
    return float(np.where(total > 0, both / np.maximum(total, 1), 1.0).mean())


class AgreementCounter:
    """Counts while the networks run; see `Agreement` for what comes out."""

    def __init__(self, members: int, shape: tuple[int, int, int]) -> None:
        self._members, self._shape = members, shape
        self._bits: Tensor | None = None
        self._views: dict[int, Tensor] = {}

    def add_views(self, member: int, views: list[Tensor]) -> None:
        """Take what each view of a member says, ``[N, K, H, W]``, about the same slices."""
        if len(views) > 1:
            counted = shared_voxels(torch.stack(list(map(region_masks, _found(views))), dim=1))
            before = self._views.get(member)
            self._views[member] = counted if before is None else counted + before.to(counted.device)

    def add_member(self, member: int, where: Tensor, own: Tensor) -> None:
        """Take what a member says in the mean of its views, ``[N, K, H, W]``, about slices."""
        if self._members < 2:
            return
        if self._bits is None:
            self._bits = torch.zeros(
                self._members, *self._shape, dtype=torch.uint8, device=own.device
            )
        whole, core, enhancing = region_masks(own.movedim(1, 0)).to(torch.uint8)
        bits = (whole + 2 * core + 4 * enhancing).to(self._bits.device)
        self._bits[member].index_copy_(0, where.to(bits.device), bits)

    def finish(self, near: np.ndarray) -> Agreement:
        """The agreement over the slices that all members looked at.

        Args:
            near: their numbers.
        """
        views = [_by_region(counts) for counts in self._views.values()]
        members = None if self._bits is None else self._between_members(self._bits, near)
        return Agreement(members, _mean_of(views) if views else None)

    def _between_members(self, bits: Tensor, near: np.ndarray) -> dict[str, float | None]:
        regions = len(Region)
        total = torch.zeros(regions, self._members, self._members, dtype=torch.int64)
        weights = torch.tensor([1, 2, 4], dtype=torch.uint8, device=bits.device).view(-1, 1, 1)
        for start in range(0, len(near), _COMPARED_AT_ONCE):
            numbers = torch.from_numpy(near[start : start + _COMPARED_AT_ONCE]).to(bits.device)
            chosen = bits.index_select(1, numbers).flatten(1)
            chosen = chosen[:, (chosen != 0).any(dim=0)]
            total += shared_voxels((chosen & weights) > 0).cpu()
        return _by_region(total)


def _by_region(shared: Tensor) -> dict[str, float | None]:
    counts = shared.cpu().numpy()
    return {r.name: mean_pairwise_dice(c) for r, c in zip(Region, counts, strict=True)}


def _mean_of(several: list[dict[str, float | None]]) -> dict[str, float | None]:
    means: dict[str, float | None] = {}
    for region in Region:
        known = [value for one in several if (value := one[region.name]) is not None]
        means[region.name] = float(np.mean(known)) if known else None
    return means
