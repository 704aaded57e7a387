"""An ensemble looks at every slice from every view; probabilities are averaged.

One member after the other sees all slices, so that an engine need never hold more than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from BrainTumorSegLib.core.errors import DeviceError
from BrainTumorSegLib.core.progress import Progress
from BrainTumorSegLib.core.sequences import Sequence
from BrainTumorSegLib.inference.engines.torch_engine import memory_errors
from BrainTumorSegLib.preprocessing.model_grid import recipe_channels

from .agreement import Agreement, AgreementCounter
from .batches import Batches, send, slice_batches
from .engines import Engine
from .slice_preselection import Preselection, near_tumor
from .tta import TtaTransform

#: Slices at once when the sums of all members become the answer: few, for their copies.
_FINISHED_AT_ONCE = 8


@dataclass(frozen=True)
class Prediction:
    """What an ensemble says about one volume on its model grid.

    Attributes:
        probabilities: float32 ``[class, slice, row, column]``, mean over members and views.
        entropy: float32 ``[slice, row, column]``, entropy of that mean divided by the
            logarithm of the number of classes: 0 = certain, 1 = uniform.
        mutual_information: like entropy; the part of it that comes from members
            contradicting each other: entropy of the mean less mean entropy of the
            members (Houlsby et al. 2011). Zero where a single member looked.
        slices: how many were shown to the networks.
        near: how many of them the whole ensemble looked at.
        engine: the engine that finished the job.
        batch: images at once in the end.
        notes: substitutions that the record must name.
        agreement: between members and between views, by region, in the slices that the whole
            ensemble looked at.
    """

    probabilities: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray
    slices: int
    near: int
    engine: Engine
    batch: int
    notes: tuple[str, ...]
    agreement: Agreement = field(default_factory=Agreement)


def predict_volume(
    volumes: Mapping[Sequence, np.ndarray],
    recipe: str,
    views: tuple[TtaTransform, ...],
    engine: Engine,
    fallback: Callable[[], Engine] | None = None,
    batch: int | None = None,
    progress: Progress | None = None,
    preselection: Preselection | None = None,
) -> Prediction:
    """Run every member on every view of every slice, or of those near tumour.

    When memory runs out the batch is halved; when a single image does not fit, the
    job moves to the fallback engine; what is done is kept.

    Args:
        volumes: normalised volumes ``[slice, row, column]``; zero outside the brain.
        recipe: a key of `slices.RECIPES`.
        views: from `views.tta_transforms`.
        engine: where to run.
        fallback: makes the engine to move to, usually one on the CPU.
        batch: images at once; by default the engine finds out.
        progress: advanced by one a slice, member and view.
        preselection: have the first member look at all slices from the first view, and the others
            only near tumour; None for no such choice. Near tumour the answer is the same.

    Raises:
        DeviceError: when even one image does not fit in memory anywhere.
    """
    progress = progress or Progress()
    depth, height, width = next(iter(volumes.values())).shape
    occupied = np.flatnonzero([any(v[i].any() for v in volumes.values()) for i in range(depth)])
    members = engine.members
    progress.stage("segment", max(1, len(occupied) * members * len(views)))
    # Before the room that is left is measured.
    feed = slice_batches(volumes, recipe, engine.device)
    batch = batch or engine.free_batch((recipe_channels(recipe), height, width))
    counter = AgreementCounter(members, (depth, height, width))
    run = _Run(volumes, recipe, engine, feed, batch, fallback, progress, counter)
    sums = _Sums((depth, height, width))
    near, begun = occupied, None
    if preselection is not None and members * len(views) > 1:
        for indices, seen in run.predict_batches(0, occupied, views[:1]):
            sums.store(indices, seen)
            counter.add_member(0, torch.from_numpy(indices), sums.here(seen))
        near = np.intersect1d(occupied, np.flatnonzero(near_tumor(sums.tumor(), preselection)))
        begun = sums.probabilities_of
        progress.advance((len(occupied) - len(near)) * (members * len(views) - 1))
    for member in range(members):
        more = views if member or begun is None else views[1:]
        if not more:
            continue  # its only look was the first
        for indices, seen in run.predict_batches(member, near, more, None if member else begun):
            own = seen.div_(len(views))
            counter.add_member(member, torch.from_numpy(indices), sums.here(own))
            sums.add(indices, own) if member else sums.store(indices, own)
    counts = np.zeros(depth, int)
    counts[occupied], counts[near] = 1, members
    return Prediction(
        *sums.finish(counts),
        slices=len(occupied),
        near=len(near),
        engine=run.engine,
        batch=run.batch,
        notes=tuple(run.notes),
        agreement=counter.finish(near),
    )


def normalized_entropy(probabilities: Tensor) -> Tensor:
    """Shannon entropy over axis 1 divided by its maximum, ``[N, K, ...]`` to ``[N, ...]``."""
    classes = probabilities.shape[1]
    return torch.special.entr(probabilities).sum(dim=1) / math.log(classes)


@dataclass
class _Run:
    """Where the networks run: changes when memory runs out."""

    volumes: Mapping[Sequence, np.ndarray]
    recipe: str
    engine: Engine
    feed: Batches
    batch: int
    fallback: Callable[[], Engine] | None
    progress: Progress
    agreement: AgreementCounter
    notes: list[str] = field(default_factory=list)

    def predict_batches(
        self,
        member: int,
        slices: np.ndarray,
        views: tuple[TtaTransform, ...],
        begun: Callable[[np.ndarray], Tensor] | None = None,
    ) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Show slices to a member.

        Args:
            begun: gives a sum over earlier views to go on from, for numbers of slices.

        Yields:
            Numbers of a few slices, and the sum over views of the probabilities there,
            ``[N, K, H, W]`` on the engine's device.
        """
        position = 0
        together = max(map(len, _by_shape(views)))
        while position < len(slices):
            # Every view of a slice belongs to the same batch where it fits.
            indices = slices[position : position + max(1, self.batch // together)]
            try:
                with memory_errors():
                    total = None if begun is None else begun(indices).to(self.engine.device)
                    seen, single = self._sum_over_views(member, self.feed(indices), views, total)
                    self.agreement.add_views(member, single)
                    del single
            except MemoryError as error:
                self._step_down(error)
                continue
            yield indices, seen
            position += len(indices)
            self.progress.advance(len(indices) * len(views))

    def _sum_over_views(
        self, member: int, images: Tensor, views: tuple[TtaTransform, ...], total: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        """The sum, and what each view alone says; an earlier sum is that of one view."""
        single = [] if total is None else [total.clone()]
        for group in _by_shape(views):
            shown = torch.cat([view.apply(images) for view in group])
            parts = [self.engine.predict(member, part) for part in shown.split(self.batch)]
            seen = torch.cat(parts) if len(parts) > 1 else parts[0]
            for view, probabilities in zip(group, seen.chunk(len(group)), strict=True):
                undone = view.undo(probabilities)
                single.append(undone)
                total = undone.clone() if total is None else total.add_(undone)
        return total, single

    def _step_down(self, error: MemoryError) -> None:
        device = self.engine.device
        if self.batch > 1:
            self.batch //= 2
            self.notes.append(f"{device} ran out of memory; the batch was halved to {self.batch}.")
        else:
            replacement = None if self.fallback is None else self.fallback()
            if replacement is None or replacement.device == device:
                raise DeviceError(
                    f"Not enough memory on {device} for a single slice.",
                    "Close other programs, or use fewer members.",
                ) from error
            self.notes.append(f"{device} ran out of memory; the run moved to the CPU.")
            self.engine, self.batch = replacement, replacement.free_batch((1, 1, 1))
            self.feed = slice_batches(self.volumes, self.recipe, replacement.device)
        self.progress.warn(self.notes[-1])


def _by_shape(views: tuple[TtaTransform, ...]) -> list[list[TtaTransform]]:
    """Views that exchange rows and columns have another shape and run in batches of their own."""
    groups = [[view for view in views if view.swaps_axes == swaps] for swaps in (False, True)]
    return [group for group in groups if group]


class _Sums:
    """Sums over members of their probabilities and of their entropies, kept where they arise."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self._shape = shape
        self._probabilities = self._entropy = torch.empty(0)

    def store(self, indices: np.ndarray, own: Tensor) -> None:
        """Begin anew with what a member says, ``[N, K, H, W]``, about some slices."""
        if not self._probabilities.numel():
            self._make(own.shape[1], own.device)
        own, where = self.here(own), self._where(indices)
        self._probabilities.index_copy_(1, where, own.movedim(1, 0))
        self._entropy.index_copy_(0, where, normalized_entropy(own))

    def add(self, indices: np.ndarray, own: Tensor) -> None:
        """Add what another member says."""
        own, where = self.here(own), self._where(indices)
        self._probabilities.index_add_(1, where, own.movedim(1, 0))
        self._entropy.index_add_(0, where, normalized_entropy(own))

    def probabilities_of(self, indices: np.ndarray) -> Tensor:
        """A copy of the sum so far, ``[N, K, H, W]``."""
        return self._probabilities.index_select(1, self._where(indices)).movedim(1, 0).contiguous()

    def tumor(self) -> np.ndarray:
        """The highest sum of all classes but the background in each slice."""
        if not self._probabilities.numel():
            return np.zeros(self._shape[0], np.float32)
        highest = [self._probabilities[1:, n].sum(dim=0).max() for n in range(self._shape[0])]
        return torch.stack(highest).cpu().numpy()

    def finish(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Probabilities, entropy and mutual information, see `Prediction`.

        Args:
            counts: how many members looked at each slice; without any it is background for
                certain.
        """
        if not self._probabilities.numel():
            self._make(1, torch.device("cpu"))
        probabilities, entropy = self._probabilities, self._entropy
        information = torch.zeros_like(entropy)
        for count in np.unique(counts[counts > 0]):
            slices = np.flatnonzero(counts == count)
            for start in range(0, len(slices), _FINISHED_AT_ONCE):
                where = self._where(slices[start : start + _FINISHED_AT_ONCE])
                mean = probabilities.index_select(1, where) / int(count)
                probabilities.index_copy_(1, where, mean)
                whole = normalized_entropy(mean.movedim(0, 1))
                of_members = entropy[where] / int(count)
                entropy.index_copy_(0, where, whole)
                # Rounding can make the difference of two equal entropies slightly negative.
                information.index_copy_(0, where, (whole - of_members).clamp_(min=0))
        probabilities[0, self._where(np.flatnonzero(counts == 0))] = 1.0
        return probabilities.cpu().numpy(), entropy.cpu().numpy(), information.cpu().numpy()

    def _where(self, indices: np.ndarray) -> Tensor:
        return send(torch.from_numpy(indices), self._entropy.device)

    def here(self, own: Tensor) -> Tensor:
        """The same on the device that keeps the sums, once they are begun."""
        return own.to(self._entropy.device)

    def _make(self, classes: int, device: torch.device) -> None:
        try:
            self._probabilities = torch.zeros(classes, *self._shape, device=device)
            self._entropy = torch.zeros(self._shape, device=device)
        except torch.cuda.OutOfMemoryError:
            self._make(classes, torch.device("cpu"))
